-- SPDX-License-Identifier: MIT
-- An app behind a Lambda function: events of API Gateway (HTTP APIs and REST APIs), of function URLs and of load
-- balancers become exchanges, what the app answers becomes what they expect.

local core = require "weft.core"
local errors = require "weft.errors"
local files = require "weft.app.files"

local M = {}

local function present(value) return value ~= nil and value ~= core.null end

-- Paths and queries -----------------------------------------------------------------------------

---Escapes decoded but those of slashes, and "." and ".." resolved, as `weft serve` does it.
local function normalized(raw)
  local text = raw:gsub("%%(%x%x)", function(hex) return hex:upper() ~= "2F" and string.char(tonumber(hex, 16)) or nil end)
  local out = {}
  local segments = text:gsub("^/", "")
  for segment, slash in (segments .. "/"):gmatch "([^/]*)(/)" do
    if segment == ".." then
      out[#out] = nil
    elseif segment ~= "." then
      out[#out + 1] = segment
    end
    if slash and (segment == "." or segment == "..") then out.open = true else out.open = false end
  end
  return "/" .. table.concat(out, "/") .. (out.open and #out > 0 and "/" or "")
end

local function escaped(text) return (text:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end)) end

---The query string of parameters by name, in order of names.
local function query_of(event, escape)
  local many, names, out = event.multiValueQueryStringParameters, {}, {}
  local all = present(many) and many or present(event.queryStringParameters) and event.queryStringParameters or {}
  for name in pairs(all) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    for _, value in ipairs(type(all[name]) == "table" and all[name] or { all[name] }) do
      out[#out + 1] = escape(name) .. "=" .. escape(value)
    end
  end
  return #out > 0 and table.concat(out, "&") or nil
end

local function as_it_is(text) return text end

-- Headers ---------------------------------------------------------------------------------------

---Lower-case names, lines of one name joined.
local function headers_of(event)
  local headers = {}
  local all = present(event.multiValueHeaders) and event.multiValueHeaders or present(event.headers) and event.headers or {}
  for name, value in pairs(all) do
    name = name:lower()
    if type(value) == "table" then value = table.concat(value, name == "cookie" and "; " or ", ") end
    headers[name] = value
  end
  return headers
end

---Names and values of a flat list as tables: one value of each name (the last one), and all values.
local function grouped(list)
  local one, all = {}, {}
  for i = 1, #(list or {}), 2 do
    local name, value = list[i], tostring(list[i + 1])
    one[name] = value
    all[name] = all[name] or core.array {}
    table.insert(all[name], value)
  end
  return one, all
end

-- The three shapes ------------------------------------------------------------------------------

---@class weft.GatewayShape
---@field request fun(event: table): table method, path, target, query, headers, remote, id
---@field answer fun(event: table, answer: table, list: string[])

local v2 = {}

---A stage that is a part of the path is none of the app's.
local function without_stage(path, stage)
  if not present(stage) or stage == "$default" then return path end
  local rest = path:sub(1, #stage + 1) == "/" .. stage and path:sub(#stage + 2)
  return rest and (rest == "" and "/" or rest:sub(1, 1) == "/" and rest) or path
end

function v2.request(event)
  local context = event.requestContext
  local headers = headers_of(event)
  if present(event.cookies) then headers.cookie = table.concat(event.cookies, "; ") end
  local query = present(event.rawQueryString) and event.rawQueryString ~= "" and event.rawQueryString or nil
  local raw = without_stage(event.rawPath, context.stage)
  return { method = context.http.method, raw = raw, query = query, headers = headers, remote = context.http.sourceIp,
    id = context.requestId, host = context.domainName }
end

function v2.answer(_, answer, list)
  local one, all = grouped(list)
  answer.cookies, one["set-cookie"] = all["set-cookie"], nil
  for name, values in pairs(all) do
    if name ~= "set-cookie" then one[name] = table.concat(values, ", ") end
  end
  answer.headers = one
end

local v1 = {}

function v1.request(event)
  local context = event.requestContext
  local identity = present(context.identity) and context.identity or {}
  return { method = event.httpMethod, raw = event.path, query = query_of(event, escaped), headers = headers_of(event),
    remote = identity.sourceIp, id = context.requestId, host = context.domainName }
end

function v1.answer(_, answer, list) answer.multiValueHeaders = select(2, grouped(list)) end

local alb = {}

function alb.request(event)
  local headers = headers_of(event)
  return { method = event.httpMethod, raw = event.path, query = query_of(event, as_it_is), headers = headers,
    remote = (headers["x-forwarded-for"] or ""):match "([^,%s]+)%s*$", id = headers["x-amzn-trace-id"] }
end

---It takes headers of one value or of many, whichever it sends itself.
function alb.answer(event, answer, list)
  local one, all = grouped(list)
  if present(event.multiValueHeaders) then answer.multiValueHeaders = all else answer.headers = one end
end

---@return weft.GatewayShape
local function shape_of(event)
  local context = type(event) == "table" and event.requestContext
  if type(context) == "table" then
    if type(context.http) == "table" and type(event.rawPath) == "string" then return v2 end
    if type(event.httpMethod) == "string" and type(event.path) == "string" then return present(context.elb) and alb or v1 end
  end
  errors.usage "an app answers events of API Gateway, of function URLs and of load balancers; this one is none of them"
end

-- Exchanges -------------------------------------------------------------------------------------

local Exchange = {}
Exchange.__index = Exchange

local function body_of(event)
  if not present(event.body) then return "" end
  if event.isBase64Encoded ~= true then return event.body end
  return core.unbase64(event.body) or errors.raise("type", "the body of the event is no Base64")
end

---@param event table
---@param ctx weft.LambdaContext
function M.exchange(event, ctx)
  local shape = shape_of(event)
  local request = shape.request(event)
  request.path = normalized(request.raw)
  request.target = request.query and request.raw .. "?" .. request.query or request.raw
  request.body = body_of(event)
  return setmetatable({ request = request, event = event, ctx = ctx, shape = shape, chunks = {} }, Exchange)
end

function Exchange:method() return self.request.method end
function Exchange:path() return self.request.path end
function Exchange:target() return self.request.target end
function Exchange:query() return self.request.query end
function Exchange:header(name) return self.request.headers[name] end
function Exchange:body() return self.request.body end
function Exchange.version() return "1.1" end
function Exchange:remote() return self.request.remote or "" end
function Exchange:scheme() return self.request.headers["x-forwarded-proto"] or "https" end
function Exchange:host() return self.request.headers.host or self.request.host or "localhost" end
function Exchange:id() return present(self.request.id) and self.request.id or self.ctx.request_id end
function Exchange:begun() return self.status ~= nil end
function Exchange.gone() return false end

function Exchange:left()
  local ms = self.ctx.remaining()
  return ms ~= math.huge and ms / 1000 or nil
end

function Exchange:headers()
  local copy = {}
  for name, value in pairs(self.request.headers) do copy[name] = value end
  return copy
end

function Exchange:start(status, headers)
  if self.status then errors.usage "the exchange is answered already" end
  self.status, self.list = status, headers or {}
end

function Exchange:write(text) self.chunks[#self.chunks + 1] = text end

function Exchange.finish() end

function Exchange:send(status, headers, body)
  self:start(status, headers)
  if body then self:write(body) end
end

---What is sent for a file: nothing when the client has it already.
function Exchange:file(path, headers)
  local text, kind = files.read(path)
  if not text then return false end
  local list = table.move(headers or {}, 1, #(headers or {}), 1, {})
  local tag = ('"%s"'):format(require "weft.fnv"(text))
  table.move({ "content-type", kind, "etag", tag }, 1, 4, #list + 1, list)
  local known = self:header "if-none-match"
  if known and (known == "*" or known:find(tag, 1, true)) then self:send(304, list) else self:send(200, list, text) end
  return true
end

---What the function returns.
function Exchange:answer()
  local status = self.status or 500
  local body = table.concat(self.chunks)
  if self:method() == "HEAD" or status == 204 or status == 304 then body = "" end
  local binary = not utf8.len(body)
  local answer = { statusCode = status, isBase64Encoded = binary, body = binary and core.base64(body) or body }
  self.shape.answer(self.event, answer, self.list)
  return answer
end

---@param app weft.App
---@return fun(text: string, ctx: weft.LambdaContext): string
function M.handler(app)
  return function(text, ctx)
    local exchange = M.exchange(core.decode(text), ctx)
    app:dispatch(exchange)
    return core.encode(exchange:answer())
  end
end

return M
