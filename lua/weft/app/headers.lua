-- SPDX-License-Identifier: MIT
-- Headers: names in any case, kept in lower case. Those of a response are checked where they are set, so that the
-- line of the program is named that would have split a response.

local errors = require "weft.errors"

local M = {}

-- ---- of a request ----

local Read = {}

function Read.__index(self, name) return type(name) == "string" and rawget(self, name:lower()) or nil end

---@param fields table<string, string> names in lower case
---@return table<string, string>
function M.read(fields) return setmetatable(fields, Read) end

-- ---- of a response ----

---@class weft.Headers: { [string]: string|string[] }

local VALUES, NAMES = {}, {} -- the keys of what was set, by name, and of the names in order: nobody else's
local Headers = {}

local function check_value(name, value)
  if type(value) == "number" then value = tostring(value) end
  if type(value) ~= "string" then errors.usage("the header %s is a text, not a %s", name, type(value)) end
  if value:find "[\0-\8\10-\31\127]" then errors.usage("the header %s holds a line break or a control character", name) end
  return value
end

local function check_values(name, value)
  if type(value) ~= "table" then return check_value(name, value) end
  local list = {}
  for i, line in ipairs(value) do list[i] = check_value(name, line) end
  return list
end

local of_server = {} -- as in bindings/http/head.c
for _, name in ipairs { "connection", "content-length", "date", "keep-alive", "server", "trailer", "upgrade", "transfer-encoding" } do
  of_server[name] = true
end

local function check_name(name)
  if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+%-.^_`|~]+$" then
    errors.usage("a header's name is a word, not '%s'", tostring(name):gsub("%c", "?"):sub(1, 60))
  end
  name = name:lower()
  if of_server[name] then errors.usage("the header %s is set by the server", name) end
  return name
end

local MAX_KNOWN = 256
local known, known_count = {}, 0 -- names that were checked, in lower case

---The name in lower case.
local function lower(name)
  local found = known[name]
  if found then return found end
  found = check_name(name)
  if known_count < MAX_KNOWN then known[name], known_count = found, known_count + 1 end
  return found
end

local function forget(names, name)
  for i = #names, 1, -1 do
    if names[i] == name then table.remove(names, i) end
  end
end

function Headers.__index(self, name) return type(name) == "string" and rawget(self, VALUES)[name:lower()] or nil end

function Headers.__newindex(self, name, value)
  name = lower(name)
  local values, names = rawget(self, VALUES), rawget(self, NAMES)
  local before = values[name]
  values[name] = value ~= nil and check_values(name, value) or nil
  if value == nil then
    forget(names, name)
  elseif before == nil then
    names[#names + 1] = name
  end
end

function Headers.__pairs(self) return next, rawget(self, VALUES), nil end

---@return weft.Headers
function M.new() return setmetatable({ [VALUES] = {}, [NAMES] = {} }, Headers) end

---One more line of a name that may have several.
---@param headers weft.Headers
---@param name string
---@param line string
function M.append(headers, name, line)
  local before = headers[name]
  local list = type(before) == "table" and before or { before }
  list[#list + 1] = line
  headers[name] = list
end

---One more word of a header that is a list of words, once.
---@param headers weft.Headers
---@param name string
---@param word string
function M.add_word(headers, name, word)
  local before = headers[name]
  if before == nil then
    headers[name] = word
  elseif before ~= "*" and not ("," .. before:lower() .. ","):find("[, ]" .. word:lower():gsub("%p", "%%%0") .. ",") then
    headers[name] = before .. ", " .. word
  end
end

---What `res.headers = { ... }` put in the place of ours.
local function of_plain(fields)
  local made = M.new()
  for name, value in pairs(fields) do made[name] = value end
  return made
end

---{ name, value, name, value ... } in the order in which they were set.
---@param headers weft.Headers|table
---@return string[]
function M.flat(headers)
  if getmetatable(headers) ~= Headers then headers = of_plain(headers) end
  local values, out = rawget(headers, VALUES), {}
  for _, name in ipairs(rawget(headers, NAMES)) do
    local value = values[name]
    if type(value) == "string" then
      out[#out + 1], out[#out + 2] = name, value
    else
      for _, line in ipairs(value) do out[#out + 1], out[#out + 2] = name, line end
    end
  end
  return out
end

---Whether a name is in a flat list.
function M.has(list, wanted)
  for i = 1, #list, 2 do
    if list[i] == wanted then return true end
  end
  return false
end

return M
