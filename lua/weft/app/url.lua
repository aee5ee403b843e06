-- SPDX-License-Identifier: MIT
-- Percent-encoding (RFC 3986) and application/x-www-form-urlencoded (WHATWG URL, 5), strictly: an escape that is none
-- and text that is not UTF-8 raise kind "type", which a client sees as 400.

local errors = require "weft.errors"

local M = {}

M.MAX_FIELDS = 1000

local char_of, escape_of = {}, {}
for byte = 0, 255 do
  local hex = ("%02X"):format(byte)
  char_of[hex], escape_of[string.char(byte)] = string.char(byte), "%" .. hex
end

local function unescape(hex) return char_of[hex:upper()] end

---@param text string
---@param what string "query string", for messages
---@return string
local function decode(text, what)
  if text:find("+", 1, true) then text = text:gsub("+", " ") end
  if text:find("%", 1, true) then
    if text:find "%%%X" or text:find "%%%x%X" or text:find "%%%x?$" then
      errors.raise("type", ("the %s has a '%%' that begins no escape"):format(what))
    end
    text = text:gsub("%%(%x%x)", unescape)
  end
  if not utf8.len(text) then errors.raise("type", ("the %s is not UTF-8"):format(what)) end
  return text
end

---Puts one more value of a name: a second one makes a list.
---@param fields table<string, any>
function M.put(fields, name, value)
  local before = fields[name]
  if before == nil then
    fields[name] = value
  elseif type(before) == "table" and before[1] then
    before[#before + 1] = value
  else
    fields[name] = { before, value }
  end
end

---Raises kind "type" when there are more fields than a program wants to see.
---@param n integer
---@param what string
function M.check_count(n, what)
  if n > M.MAX_FIELDS then
    errors.raise("type", ("the %s has more than %d fields"):format(what, M.MAX_FIELDS), { status = 413 })
  end
end

---The fields of "a=1&b=2"; a name that comes several times has a list.
---@param text string
---@param what string "query string", for messages
---@return table<string, string|string[]>
function M.fields(text, what)
  local fields, n = {}, 0
  for piece in text:gmatch "[^&]+" do
    n = n + 1
    M.check_count(n, what)
    local equals = piece:find("=", 1, true)
    local name = equals and piece:sub(1, equals - 1) or piece
    M.put(fields, decode(name, what), equals and decode(piece:sub(equals + 1), what) or "")
  end
  return fields
end

---@param text string
---@return string
function M.encode(text) return (text:gsub("[^%w%-._~]", escape_of)) end

---A path as it may stand in a target: what separates or ends one is escaped, escapes of a slash stay.
---@param path string decoded
---@return string
function M.encode_path(path)
  return (path:gsub("[^%w%-._~!$&'()*+,;=:@/]", escape_of):gsub("%%25(2[fF])", "%%%1"))
end

---The target of a request whose path ends otherwise; several slashes at its beginning, which would name another site,
---are one.
---@param req weft.Request
---@param path string the end of the request's path
---@param other string what is to be there
---@return string
function M.same_place(req, path, other)
  local whole = M.encode_path(req.path:sub(1, -1 - #path) .. other):gsub("^/+", "/")
  local query = req.exchange:query()
  return query and whole .. "?" .. query or whole
end

---@param fields table<string, any> text, or a list of texts for a name
---@return string "a=1&b=2", names in order
function M.form(fields)
  local names, out = {}, {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local values = type(fields[name]) == "table" and fields[name] or { fields[name] }
    for _, value in ipairs(values) do out[#out + 1] = M.encode(name) .. "=" .. M.encode(tostring(value)) end
  end
  return table.concat(out, "&")
end

return M
