-- SPDX-License-Identifier: MIT
-- multipart/form-data (RFC 7578) of a body that is there as a whole. What is broken raises kind "type", which a client
-- sees as 400; a message never holds what was sent.

local errors = require "weft.errors"
local url = require "weft.app.url"

local M = {}

M.MAX_PARTS = 100
M.MAX_HEAD = 4096 -- bytes of a part's headers

local function refuse(text, status) errors.raise("type", "the form " .. text, { status = status }) end

---A parameter of a header: name="text" or name=word. A backslash escapes a quote and itself (curl); browsers write
---%22, %0D, %0A.
local function parameter(header, name)
  local _, at = header:lower():find("[;%s]" .. name .. "%s*=%s*")
  if not at then return nil end
  if header:sub(at + 1, at + 1) ~= '"' then return header:match("^[^;%s]+", at + 1) end
  local out, i = {}, at + 2
  while true do
    local stop = header:find('["\\]', i)
    if not stop then refuse "has a quote that does not end" end
    out[#out + 1] = header:sub(i, stop - 1)
    if header:sub(stop, stop) == '"' then break end
    local escaped = header:match('^["\\]', stop + 1)
    out[#out + 1] = escaped or "\\"
    i = stop + (escaped and 2 or 1)
  end
  local text = table.concat(out)
  return (text:gsub("%%22", '"'):gsub("%%0[dD]", "\r"):gsub("%%0[aA]", "\n"))
end

---@param content_type string
---@return string
function M.boundary(content_type)
  local boundary = parameter(content_type, "boundary")
  if not boundary or #boundary > 70 or not boundary:find "^[%w'()+_,%-./:=? ]*[%w'()+_,%-./:=?]$" then
    refuse "names no boundary between its parts"
  end
  return boundary
end

local function header(head, name)
  for line in (head .. "\r\n"):gmatch "(.-)\r\n" do
    local key, value = line:match "^([^:%s]+):%s*(.-)%s*$"
    if key and key:lower() == name then return value end
  end
end

local function check_text(text)
  if not utf8.len(text) then refuse "is not UTF-8" end
  return text
end

---The name of a file without the folders that some clients send along.
local function file_name(text) return check_text(text):match "[^/\\]*$" end

---@return string name
---@return string|weft.File|nil value nil: a file that was not chosen
local function read_part(head, data)
  local disposition = header(head, "content-disposition") or ""
  local name = disposition:lower():find "^form%-data%s*;" and parameter(disposition, "name")
  if not name then refuse "has a part without a name" end
  local file = parameter(disposition, "filename")
  if not file then return check_text(name), check_text(data) end
  if file == "" and data == "" then return name, nil end
  local kind = header(head, "content-type")
  kind = kind and check_text(kind) or "application/octet-stream"
  return check_text(name), { name = file_name(file), type = kind, data = data }
end

---What stands between the line that begins a part and the next boundary: its headers and its data.
local function split_part(body, from, to)
  if body:sub(from, from + 1) == "\r\n" then return "", body:sub(from + 2, to) end
  local stop, after = body:find("\r\n\r\n", from, true)
  if not stop or stop > to + 1 then refuse "has a part whose headers do not end" end
  if stop - from > M.MAX_HEAD then refuse(("has a part with more than %d bytes of headers"):format(M.MAX_HEAD), 413) end
  return body:sub(from, stop - 1), body:sub(after + 1, to)
end

---Where the first part begins: behind the first boundary, which may follow a preamble.
local function first_part(body, mark)
  if body:sub(1, #mark) == mark then return #mark + 1 end
  local _, stop = body:find("\r\n" .. mark, 1, true)
  if not stop then refuse "holds none of its boundaries" end
  return stop + 1
end

---@param body string
---@param content_type string
---@return table<string, any> fields text or a weft.File; a list of them for a name that comes several times
function M.read(body, content_type)
  local mark = "--" .. M.boundary(content_type)
  local fields, n = {}, 0
  local from = first_part(body, mark)
  while body:sub(from, from + 1) ~= "--" do
    local _, line_end = body:find("^[ \t]*\r\n", from)
    local stop, after = body:find("\r\n" .. mark, line_end and line_end - 1 or from, true)
    if not line_end or not stop then refuse "ends in the middle" end
    n = n + 1
    if n > M.MAX_PARTS then refuse(("has more than %d parts"):format(M.MAX_PARTS), 413) end
    local name, value = read_part(split_part(body, line_end + 1, stop - 1))
    if value ~= nil then url.put(fields, name, value) end
    from = after + 1
  end
  return fields
end

return M
