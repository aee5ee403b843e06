-- SPDX-License-Identifier: MIT
-- Requests without a server: an exchange in plain Lua, and app:test.

local core = require "weft.core"
local errors = require "weft.errors"
local files = require "weft.app.files"
local url = require "weft.app.url"

local M = {}

---@class weft.TestExchange an exchange that keeps what it is given
---@field status? integer
---@field sent_headers string[]
---@field chunks string[]
---@field ended boolean
local Exchange = {}
Exchange.__index = Exchange

function Exchange:method() return self.given.method or "GET" end
function Exchange:path() return self.given_path end
function Exchange:target() return self.given.path end
function Exchange:query() return self.given_query end
function Exchange:header(name) return self.given_headers[name] end
function Exchange:body() return self.given.body or "" end
function Exchange.version() return "1.1" end
function Exchange:remote() return self.given.remote or "127.0.0.1" end
function Exchange:scheme() return self.given.scheme or "http" end
function Exchange:host() return self.given_headers.host or "localhost" end
function Exchange:id() return self.given.id or "test" end
function Exchange:left() return self.given.left end
function Exchange:begun() return self.status ~= nil end
function Exchange:gone() return self.given.gone == true end

function Exchange:headers()
  local copy = {}
  for name, value in pairs(self.given_headers) do copy[name] = value end
  return copy
end

local function is_bare(self, status) return self.given.method == "HEAD" or status == 204 or status == 304 end

function Exchange:send(status, headers, body)
  self:start(status, headers)
  if body and body ~= "" then self:write(body) end
  self:finish()
end

function Exchange:start(status, headers)
  if self.status then errors.usage "the exchange is answered already" end
  self.status, self.sent_headers = status, headers or {}
end

function Exchange:write(text)
  if self:gone() then errors.raise("closed", "the client is gone") end
  if not is_bare(self, self.status) then self.chunks[#self.chunks + 1] = text end
end

function Exchange:finish() self.ended = true end

function Exchange:file(path, headers)
  local text, kind = files.read(path)
  if not text then return false end
  local list = table.move(headers or {}, 1, #(headers or {}), 1, {})
  table.move({ "content-type", kind }, 1, 2, #list + 1, list)
  self:send(200, list, text)
  return true
end

---Escapes of a path decoded but those of slashes, as whoever serves does it.
local function decode_path(text)
  return (text:gsub("%%(%x%x)", function(hex) return hex:upper() ~= "2F" and string.char(tonumber(hex, 16)) or nil end))
end

---@param given table method, path (with a query), headers (names in lower case), body ...
---@return weft.TestExchange
function M.exchange(given)
  local path, query = given.path:match "^([^?]*)%??(.*)$"
  return setmetatable({
    given = given, given_path = decode_path(path), given_query = given.path:find("?", 1, true) and query or nil,
    given_headers = given.headers or {}, chunks = {}, sent_headers = {}, ended = false,
  }, Exchange)
end

-- ---- app:test ----

local known = { "method", "path", "query", "headers", "body", "json", "form", "cookies", "id", "remote", "scheme", "left" }

local function cookie_header(cookies)
  local out = {}
  for name, value in pairs(cookies) do out[#out + 1] = name .. "=" .. value end
  table.sort(out)
  return table.concat(out, "; ")
end

---Whether a form has a file: { name, type, data }.
local function has_files(form)
  for _, value in pairs(form or {}) do
    if type(value) == "table" and (value.data or type(value[1]) == "table") then return true end
  end
  return false
end

local BOUNDARY = "weft-test-4f8b1c2d"

local function quoted(text) return (text:gsub('["\r\n]', { ['"'] = "%22", ["\r"] = "%0D", ["\n"] = "%0A" })) end

local function add_part(out, name, value)
  local head = ('--%s\r\nContent-Disposition: form-data; name="%s"'):format(BOUNDARY, quoted(name))
  if type(value) == "table" then
    head = ('%s; filename="%s"\r\nContent-Type: %s'):format(head, quoted(value.name or "file"), value.type or "application/octet-stream")
    value = value.data
  end
  out[#out + 1] = ("%s\r\n\r\n%s\r\n"):format(head, tostring(value))
end

---A form with files, as browsers send it.
local function multipart(form)
  local names, out = {}, {}
  for name in pairs(form) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = form[name]
    local list = type(value) == "table" and not value.data and value or { value }
    for _, one in ipairs(list) do add_part(out, name, one) end
  end
  return table.concat(out) .. "--" .. BOUNDARY .. "--\r\n"
end

local FORM = "application/x-www-form-urlencoded"

local function content_type_of(given)
  if given.json ~= nil then return "application/json" end
  return given.form and (has_files(given.form) and "multipart/form-data; boundary=" .. BOUNDARY or FORM) or nil
end

local function headers_of(given)
  local headers = {}
  for name, value in pairs(given.headers or {}) do headers[name:lower()] = tostring(value) end
  if given.cookies then headers.cookie = cookie_header(given.cookies) end
  headers["content-type"] = headers["content-type"] or content_type_of(given)
  return headers
end

local function body_of(given)
  if given.json ~= nil then return core.encode(given.json) end
  if not given.form then return given.body or "" end
  return has_files(given.form) and multipart(given.form) or url.form(given.form)
end

local function exchange_of(given)
  if type(given) == "string" then given = { path = given } end
  if type(given) ~= "table" then
    errors.usage("test takes a path, or a table as { method = \"POST\", path = \"/\", json = {} }")
  end
  errors.check_names(given, known, "field of test")
  local copy = {}
  for _, name in ipairs(known) do copy[name] = given[name] end
  copy.path = given.path or "/"
  if given.query then copy.path = copy.path .. "?" .. url.form(given.query) end
  copy.method, copy.headers, copy.body = (given.method or "GET"):upper(), headers_of(given), body_of(given)
  return M.exchange(copy)
end

---@class weft.TestResponse
---@field status integer
---@field headers table<string, string> names in lower case; several lines of one name are joined by ", "
---@field cookies table<string, string> what was set
---@field body string
---@field json any of a body that is JSON

local function read_headers(list)
  local headers, cookies = {}, {}
  for i = 1, #list, 2 do
    local name, value = list[i], list[i + 1]
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
    if name == "set-cookie" then
      local cookie, text = value:match "^([^=]+)=([^;]*)"
      cookies[cookie] = text
    end
  end
  return headers, cookies
end

---@param app weft.App
---@param given table|string
---@return weft.TestResponse
function M.request(app, given)
  local exchange = exchange_of(given)
  app:dispatch(exchange)
  local headers, cookies = read_headers(exchange.sent_headers)
  local body = table.concat(exchange.chunks)
  local json = (headers["content-type"] or ""):find("json", 1, true) and body ~= "" and core.decode(body) or nil
  return { status = exchange.status, headers = headers, cookies = cookies, body = body, json = json }
end

return M
