-- SPDX-License-Identifier: MIT
-- A response as handlers and middleware make it. It is sent when the last of them has returned, or as a stream from
-- the first write on.

local core = require "weft.core"
local cookies = require "weft.app.cookies"
local errors = require "weft.errors"
local headers = require "weft.app.headers"
local status = require "weft.app.status"
local url = require "weft.app.url"

---@class weft.Response
local Response = {}

local M = { methods = Response }

M.JSON, M.TEXT, M.HTML = "application/json", "text/plain; charset=utf-8", "text/html; charset=utf-8"

local meta = {}

function meta.__index(self, name)
  if name == "headers" then
    local made = headers.new()
    rawset(self, "headers", made)
    return made
  end
  return Response[name]
end

---@param exchange table
---@param request weft.Request
---@return weft.Response
function M.new(exchange, request)
  return setmetatable({
    exchange = exchange, request = request, status = 200, streaming = false, hooks = false,
    content_type = nil, body = nil, rest = nil, answered = nil, -- room for them: a table that grows is made twice
  }, meta)
end

function M.is_response(value) return getmetatable(value) == meta end

local function check(self, what)
  if getmetatable(self) ~= meta then errors.usage("%s is a method of a response: res:%s(...)", what, what) end
  if self.streaming and what ~= "write" and what ~= "event" then
    errors.usage("%s comes too late: the response is being written already", what)
  end
end

local function check_text(value, what)
  if type(value) ~= "string" then errors.usage("%s takes a text, got %s", what, type(value)) end
end

---The JSON of an answer. That it has none is the program's mistake, never the client's, whatever kind it is of.
---@param value any
---@return string
function M.encode(value)
  local ok, text = pcall(core.encode, value)
  if ok then return text end
  if core.is_error(text) and text.kind == "type" then text.status = 500 end
  error(text, 0)
end

---A value as JSON: in one text, or the first part of it and a function that gives the others.
---@param value any
---@return string
---@return (fun(): string?)?
function M.json(value)
  if core.is_query(value) then return core.json_pieces(value) end
  return M.encode(value)
end

---Holds an answer until everybody has returned.
local function hold(self, content_type, body, code, rest)
  if code ~= nil then
    if not status.is_final(code) then errors.usage("a status is a whole number from 200 to 599, not %s", tostring(code)) end
    self.status = code
  end
  self.content_type, self.body, self.rest, self.path, self.answered = content_type, body, rest, nil, true
  return self
end

---Answers with text as it is.
---@param text string
---@param code? integer status
---@return weft.Response
function Response:text(text, code)
  check(self, "text")
  check_text(text, "text")
  return hold(self, M.TEXT, text, code)
end

---Answers with HTML.
---@param text string
---@param code? integer status
---@return weft.Response
function Response:html(text, code)
  check(self, "html")
  check_text(text, "html")
  return hold(self, M.HTML, text, code)
end

---Answers with a value as JSON: any that weft.encode takes, or a query, whose rows are sent as a stream when they are many.
---@param value any
---@param code? integer status
---@return weft.Response
function Response:json(value, code)
  check(self, "json")
  local text, rest = M.json(value)
  return hold(self, M.JSON, text, code, rest)
end

---Answers with a file of the disk: its type by its name, ETag, ranges; 404 when there is no such plain file.
---@param path string relative to the folder that the program runs in, or absolute
---@return weft.Response
function Response:file(path)
  check(self, "file")
  check_text(path, "file")
  if path:find("\0", 1, true) then errors.usage "a path holds no NUL" end
  hold(self)
  self.path = path
  return self
end

---Answers with a template of the app's folder `views`.
---@param name string "products/show" is views/products/show.html
---@param data? table what its expressions see
---@param code? integer status
---@return weft.Response
function Response:render(name, data, code)
  check(self, "render")
  return self:html(self.request.app:template(name, data), code)
end

---Sets a cookie; raises usage for what a browser would refuse. A max_age of 0 takes it away.
---@param name string
---@param value string
---@param options? weft.CookieOptions
function Response:cookie(name, value, options)
  check(self, "cookie")
  headers.append(self.headers, "set-cookie", cookies.write(name, value, options))
end

---A target that names this site: "/path", "path", "?a=1". Browsers read "\" as "/" and "//host" as another site.
local function is_local(target) return not target:find "^[/\\][/\\]" and not target:match "^[^/?#]*":find "[:\\]" end

---Answers with a redirect. Another site is named with its scheme: "https://example.com/"; "//example.com", which a
---path of a client's may look like, raises usage.
---@param target string
---@param code? integer status (302, and 303 behind a method that is neither GET nor HEAD)
---@return weft.Response
function Response:redirect(target, code)
  check(self, "redirect")
  check_text(target, "redirect")
  if target == "" or target:find "[%c ]" then
    errors.usage "a redirect's target is empty, or holds a space, a line break or a control character"
  end
  if not is_local(target) and not target:find "^[hH][tT][tT][pP][sS]?://[^/\\?#]" then
    errors.usage "a redirect leads to a path of this site, or to a whole http:// or https:// address"
  end
  local method = self.request.method
  code = code or (method == "GET" or method == "HEAD") and 302 or 303
  if math.type(code) ~= "integer" or code < 300 or code > 399 then
    errors.usage("a redirect's status is from 300 to 399, not %s", tostring(code))
  end
  self.headers.location = target:gsub("[\128-\255]", url.encode)
  return hold(self, nil, nil, code)
end

-- ---- streams ----

---Calls fn(res) before the head leaves, which is the last moment to set a header.
---@param fn fun(res: weft.Response)
function Response:before_head(fn)
  check(self, "before_head")
  if type(fn) ~= "function" then errors.usage("before_head takes a function, got %s", type(fn)) end
  self.hooks = self.hooks or {}
  table.insert(self.hooks, fn)
end

---Calls what waits for the head, the last one first.
---@param self weft.Response
local function before_head(self)
  local hooks = self.hooks
  if not hooks then return end
  self.hooks = nil
  for i = #hooks, 1, -1 do hooks[i](self) end
end
M.before_head = before_head

local only_type = {}
for _, kind in ipairs { M.JSON, M.TEXT, M.HTML } do only_type[kind] = { "content-type", kind } end

---The headers as the exchange takes them; nil: there is none.
---@param self weft.Response
---@return string[]?
local function flat(self)
  local set, kind = rawget(self, "headers"), self.content_type
  if not set then return only_type[kind] end
  local list = headers.flat(set)
  if kind and not headers.has(list, "content-type") then table.move({ "content-type", kind }, 1, 2, #list + 1, list) end
  return list
end
M.flat = flat

local function start(self, content_type)
  if self.answered then errors.usage "the response has its answer already" end
  self.content_type = content_type
  before_head(self)
  self.streaming = true
  self.exchange:start(self.status, flat(self))
end

---Sends a part of the body; waits while the client is slow. Raises closed when it is gone.
---@param chunk string
function Response:write(chunk)
  check(self, "write")
  check_text(chunk, "write")
  if not self.streaming then start(self, self.content_type or M.TEXT) end
  if chunk ~= "" then self.exchange:write(chunk) end
end

local event_fields = { "event", "data", "id", "retry", "comment" }

local function event_line(out, name, value)
  local text = tostring(value)
  if text:find "[\r\n\0]" then errors.usage("an event's %s is one line", name) end
  out[#out + 1] = name .. ": " .. text
end

local function event_lines(out, name, text)
  text = text:gsub("\r\n?", "\n") .. "\n"
  for line in text:gmatch "(.-)\n" do out[#out + 1] = name .. ": " .. line end
end

---Sends one server-sent event.
---@param event { event?: string, data?: any, id?: string|integer, retry?: integer, comment?: string } data: text, else JSON; retry: milliseconds
function Response:event(event)
  check(self, "event")
  if type(event) ~= "table" then errors.usage("event takes a table, as { data = ... }") end
  errors.check_names(event, event_fields, "field of event")
  local out = {}
  if event.comment then event_lines(out, "", tostring(event.comment)) end
  if event.event then event_line(out, "event", event.event) end
  if event.id then event_line(out, "id", event.id) end
  if event.retry then
    if math.type(event.retry) ~= "integer" then errors.usage "an event's retry is a whole number of milliseconds" end
    event_line(out, "retry", event.retry)
  end
  if event.data ~= nil then
    event_lines(out, "data", type(event.data) == "string" and event.data or M.encode(event.data))
  end
  if not self.streaming then
    self.headers["cache-control"] = "no-cache"
    self.headers["x-accel-buffering"] = "no" -- nginx would hold events back
    start(self, "text/event-stream")
  end
  self.exchange:write(table.concat(out, "\n") .. "\n\n")
end

return M
