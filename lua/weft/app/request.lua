-- SPDX-License-Identifier: MIT
-- A request as handlers see it. What it holds is read from the exchange when it is asked for, once. Middleware may set
-- further fields.

local core = require "weft.core"
local cookies = require "weft.app.cookies"
local errors = require "weft.errors"
local headers = require "weft.app.headers"
local multipart = require "weft.app.multipart"
local url = require "weft.app.url"

---@class weft.Request
local Request = {}

local M = { methods = Request }

-- ---- fields ----

local fields = {}
M.fields = fields

function fields.query(self)
  local text = self.exchange:query()
  return text and url.fields(text, "query string") or {}
end

function fields.headers(self) return headers.read(self.exchange:headers()) end
function fields.cookies(self) return cookies.read(self.exchange:header "cookie") end
function fields.body(self) return self.exchange:body() or "" end
function fields.id(self) return self.exchange:id() end
function fields.remote(self) return self.exchange:remote() end
function fields.scheme(self) return self.exchange:scheme() end
function fields.host(self) return self.exchange:host() end
function fields.target(self) return self.exchange:target() end
function fields.params() return {} end

---What W3C Trace Context calls the trace that it belongs to; nil when there is none.
function fields.trace_id(self) return require "weft.trace".id_of(self.exchange) end

function fields.session(self)
  local sessions = rawget(self, "sessions")
  return sessions and sessions:load(self)
end

local meta = {}

function meta.__index(self, name)
  local method = Request[name]
  if method then return method end
  if name == "deadline" then return self.exchange:left() end -- another one each time
  local read = fields[name]
  if not read then return nil end
  local value = read(self)
  rawset(self, name, value)
  return value
end

---@param exchange table
---@param app weft.App
---@return weft.Request
function M.new(exchange, app)
  return setmetatable({
    exchange = exchange, app = app, method = exchange:method(), path = exchange:path(),
    route = nil, params = nil, query = nil, mounted = false, -- room for them: a table that grows is made twice
  }, meta)
end

local function is_request(self) return getmetatable(self) == meta end
M.is_request = is_request

---A path has its escapes decoded but those of slashes; the values of parameters have these decoded, too. Where the
---client had escaped a '%', what looks like one is none.
---@param self weft.Request
---@param params table<string, string>?
function M.set_params(self, params)
  if not params then return end
  if self.path:find "%%2[fF]" and not self.target:find("%25", 1, true) then
    for name, value in pairs(params) do params[name] = value:gsub("%%2[fF]", "/") end
  end
  self.params = params
end

-- ---- the body ----

local function check(self, what)
  if not is_request(self) then errors.usage("%s is a method of a request: req:%s(...)", what, what) end
end

---The value of one header, nil when it did not come. Names are in any case.
---@param name string
---@return string?
function Request:header(name)
  check(self, "header")
  if type(name) ~= "string" then errors.usage("header takes a name, got %s", type(name)) end
  return self.exchange:header(name:lower())
end

---"application/json; charset=utf-8" -> "application/json", the whole value; nil when the client says nothing.
local function content_type(self)
  local value = self.exchange:header "content-type"
  if not value then return nil, "" end
  return value:match "^%s*([^;%s]*)":lower(), value
end

local function unsupported(message) errors.raise("type", message, { status = 415 }) end

local function check_json_type(self)
  local kind, value = content_type(self)
  if kind and kind ~= "application/json" and not kind:find "^application/[%w.%-]+%+json$" then
    unsupported "the body is to be application/json"
  end
  local charset = value:lower():match "charset%s*=%s*\"?([%w%-_]+)"
  if charset and charset ~= "utf-8" and charset ~= "utf8" then unsupported "JSON is UTF-8" end
end

---Raises kind "type" for a field that is not among the names.
local function check_fields(value, names)
  local known = {}
  for _, name in ipairs(names) do known[name] = true end
  for name in pairs(value) do
    if not known[name] then
      errors.raise("type", type(name) == "string" and "there is a field that is not expected" or "the body is to be a JSON object")
    end
  end
end

---The value of the body, which is a JSON object or array. Raises kind "type" (a client sees 400) for one that is not
---JSON, with its position, 415 for a content type that is not JSON's.
---@param names? string[] the fields that an object may have
---@return table
function Request:json(names)
  check(self, "json")
  if names ~= nil and type(names) ~= "table" then errors.usage("json takes the names of fields, got %s", type(names)) end
  local value = self.json_value
  if not value then
    check_json_type(self)
    if self.body == "" then errors.raise("type", "the body is empty; JSON was expected") end
    value = core.decode(self.body)
    if type(value) ~= "table" then errors.raise("type", "the body is to be a JSON object or array") end
    self.json_value = value
  end
  if names then check_fields(value, names) end
  return value
end

---What a name of the route's parameters or the query came with.
local function given(self, what, name)
  check(self, what)
  if type(name) ~= "string" then errors.usage("%s takes a name, got %s", what, type(name)) end
  return self.params[name] or self.query[name]
end

---A text of the route's parameters or the query: of a name that the query has several times that is refused. Raises kind
---"type" (400) for several, one that is too long, or, without a default, none.
---@param name string
---@param default? string|false false: nil
---@param most? integer bytes
---@return string?
function Request:text(name, default, most)
  local text = given(self, "text", name)
  if text == nil and default ~= nil then return default or nil end
  if type(text) ~= "string" then errors.raise("type", ("'%s' is to be one text"):format(name)) end
  if most and #text > most then errors.raise("type", ("'%s' is to have at most %d bytes"):format(name, most)) end
  return text
end

local function out_of_range(name, least, most)
  local range = least and most and ("from %d to %d"):format(least, most) or least and "at least " .. least or "at most " .. most
  errors.raise("type", ("'%s' is to be %s"):format(name, range))
end

---A whole number of the route's parameters or the query. Raises kind "type" (400) for one that is none, is out of range,
---or, without a default, did not come.
---@param name string
---@param default? integer
---@param least? integer
---@param most? integer
---@return integer
function Request:integer(name, default, least, most)
  local text = given(self, "integer", name)
  if text == nil and default then return default end
  local value = type(text) == "string" and text:find "^-?%d+$" and math.tointeger(tonumber(text))
  if not value then errors.raise("type", ("'%s' is to be a whole number"):format(name)) end
  if least and value < least or most and value > most then out_of_range(name, least, most) end
  return value
end

---The fields of a form, urlencoded or multipart. A name that comes several times has a list. Raises kind "type" (400)
---for a broken one, 415 for a content type that is no form's.
---@return table<string, string|weft.File|(string|weft.File)[]>
function Request:form()
  check(self, "form")
  if self.form_fields then return self.form_fields end
  local kind, value = content_type(self)
  if kind == "application/x-www-form-urlencoded" then
    self.form_fields = url.fields(self.body, "form")
  elseif kind == "multipart/form-data" then
    self.form_fields = multipart.read(self.body, value)
  else
    unsupported "the body is to be application/x-www-form-urlencoded or multipart/form-data"
  end
  return self.form_fields
end

---Whether the client would rather have this type of content than JSON, as a browser wants text/html.
---@param kind string
---@return boolean
function Request:prefers(kind)
  check(self, "prefers")
  local accept = self.exchange:header "accept"
  if not accept then return false end
  local at, json = accept:find(kind, 1, true), accept:find("application/json", 1, true)
  return at ~= nil and (json == nil or at < json)
end

return M
