-- SPDX-License-Identifier: MIT
-- weft.trace: spans of requests, of statements, and of what a program calls so (OpenTelemetry's model and names, W3C
-- Trace Context between programs). Nothing is measured before start.
--
-- The span that something belongs to is a number that tasks inherit and the core carries (core.span); `spans` knows the
-- span of a number as long as it is open, and a while longer for what its tasks still do then.

local context = require "weft.trace.context"
local core = require "weft.core"
local errors = require "weft.errors"
local events = require "weft.events"
local otlp = require "weft.trace.otlp"

local M = {}

---@class weft.trace
local trace = {}
M.trace = trace

local LATE = 512 -- ended spans that are remembered
local STOP_SECONDS = 4

---@class weft.Span
---@field trace_id string
---@field id string
---@field parent? string id of the span above
---@field sampled boolean whether it is told of
---@field name string
---@field kind "internal"|"server"|"client"
---@field started integer microseconds since 1970
---@field ended? integer
---@field attributes any[] name, value, name, value ...
---@field shared? table as otlp.shared makes it: further ones
---@field failed? string
local Span = {}
Span.__index = Span

local function by_number() return setmetatable({}, { __mode = "v" }) end -- one whose coroutine was let go may go

local spans, number = by_number(), 0
local running -- { settings, exporter, tell(span), off, late: spans that have ended }
local requests = {} -- exchange -> its span

-- ---- spans ----

---Is a trace that begins here told of? The same everywhere for one trace id.
local function draw(trace_id) return tonumber(trace_id:sub(19), 16) < running.settings.ratio * 2 ^ 56 end

---A span below another one of here (or of another program), or the first of a trace.
local function new(name, kind, parent, started)
  local trace_id = parent and parent.trace_id or core.random_hex(16)
  local span = { trace_id = trace_id, id = core.random_hex(8), parent = parent and parent.id, state = parent and parent.state,
    name = name, kind = kind, started = started or core.wall_us(), attributes = {} }
  if parent then span.sampled = parent.sampled else span.sampled = draw(trace_id) end
  return setmetatable(span, Span)
end

---From now on it is what runs belongs to.
local function enter(span)
  number = number + 1
  span.number = number
  spans[number] = span
  span.before = core.span(number)
end

local function leave(span)
  core.span(span.before)
  if running then running.late[span.number % LATE + 1] = span end
end

local function report(text) events.emit("error", { event = "trace", message = text }) end

local function finish(span)
  span.ended = math.max(core.wall_us(), span.started)
  if not (running and span.sampled) then return end
  local ok, err = pcall(running.tell, span)
  if not ok then report(("a span could not be told of: %s"):format(err)) end
end

---What is said of an error: its kind, never its words.
local function kind_of(err) return core.is_error(err) and err.kind or "error" end

---A fact about it. Strings, numbers and booleans are values; nothing else is taken.
---@param name string
---@param value string|number|boolean|nil
---@return weft.Span
function Span:set(name, value)
  local kind = type(value)
  if getmetatable(self) ~= Span then errors.usage "set is a method of a span: span:set(name, value)" end
  if type(name) ~= "string" then errors.usage("set takes a name, got %s", type(name)) end
  if value == nil then return self end
  if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then errors.usage("set takes text, a number or a boolean, got %s", kind) end
  local list = self.attributes
  list[#list + 1], list[#list + 2] = name, value
  return self
end

function Span:__close(err)
  leave(self)
  if err ~= nil then
    self.failed = kind_of(err)
    self:set("error.type", self.failed)
  end
  finish(self)
end

-- ---- a program's own ----

---The span that what runs belongs to, or nothing.
local function current() return running and spans[core.span()] or nil end

local function parent_of(given)
  return given and given.traceparent and context.read(given.traceparent, given.tracestate) or current()
end

local function name_of(given)
  local name = type(given) == "table" and given.name or given
  if type(name) ~= "string" or name == "" then errors.usage "span takes a name and a function" end
  return name
end

local function call(name, kind, given, fn, ...)
  local span <close> = new(name, kind, parent_of(given))
  enter(span)
  return fn(span, ...)
end

local aside = setmetatable({ attributes = {} }, { __index = { set = function(self) return self end } })

---Calls fn(span, ...), and tells how long it took and whether it failed; statements inside belong to it. Before start it
---just calls.
---@param name string|{ name: string, traceparent?: string, tracestate?: string } with those of a message: what it belongs to
---@param fn fun(span: weft.Span, ...): ...
---@return ... what fn returns
function trace.span(name, fn, ...)
  local text = name_of(name)
  if type(fn) ~= "function" then errors.usage("span takes a name and a function, got %s", type(fn)) end
  if not running then return fn(aside, ...) end
  return call(text, "internal", type(name) == "table" and name or nil, fn, ...)
end

---The same for work that another program has asked for.
---@param given { name: string, traceparent?: string, tracestate?: string }
function M.serving(given, fn, ...) return call(given.name, "server", given, fn, ...) end

---The id of the trace that runs, nil when there is none.
---@return string?
function trace.id()
  local span = current()
  return span and span.trace_id
end

---The headers traceparent and tracestate with which another program continues the trace that runs; empty when there is
---none.
---@return table<string, string>
function trace.headers()
  local span = current()
  return span and { traceparent = context.write(span), tracestate = span.state } or {}
end

-- ---- statements ----

local systems = {} -- database -> what OpenTelemetry calls its kind
local system_names = { postgres = "postgresql" }

---What make(key, ...) gives for a key, made once; all is forgotten when there are too many.
local function remember(most, make)
  local known, n = {}, 0
  return function(key, ...)
    local value = known[key]
    if value then return value end
    if n >= most then known, n = {}, 0 end
    value = make(key, ...)
    known[key], n = value, n + 1
    return value
  end
end

local function system_of(name)
  local system = systems[name]
  if not system then
    local handle = require "weft.database".open_handles()[name]
    local dialect = handle and core.dialect(handle)
    system = dialect and (system_names[dialect] or dialect) or "other_sql"
    systems[name] = handle and system
  end
  return system
end

local targets = { SELECT = "from", DELETE = "from", INSERT = "into", REPLACE = "into", UPDATE = "update" }

---"SELECT products", and what all spans of a statement say.
local function describe(sql, database)
  local operation = (sql:match "^[%s(]*(%a+)" or "SQL"):upper()
  local word = targets[operation]
  local target = word and sql:lower():find("%f[%w_]" .. word .. "%s+[%w_\"`]")
  target = target and sql:sub(target + #word):match "^%s+([%w_.\"`]+)":gsub("[\"`]", "")
  local name = target and operation .. " " .. target or operation
  local list = { "db.system.name", system_of(database), "db.namespace", database, "db.query.text", sql, "db.query.summary", name,
    "db.operation.name", operation, target and "db.collection.name", target }
  return { name = name, shared = otlp.shared(list) }
end

local statements_of = remember(64, function() return remember(1000, describe) end) -- of a database, by their text

local function on_query(info)
  local parent = spans[info.span]
  if parent and not parent.sampled then return end
  local statement = statements_of(info.database)(info.sql, info.database)
  local span = new(statement.name, "client", parent, info.started)
  if not span.sampled then return end
  span.shared = statement.shared
  span:set("weft.affected_rows", info.affected)
  if info.rows > 0 or not info.affected then span:set("db.response.returned_rows", info.rows) end
  if info.error then
    span.failed = info.error.kind
    span:set("error.type", info.error.kind):set("db.response.status_code", info.error.code)
  end
  span.ended = info.started + info.seconds * 1e6 // 1 | 0
  running.tell(span)
end

-- ---- requests ----

local methods = { GET = true, HEAD = true, POST = true, PUT = true, DELETE = true, CONNECT = true, OPTIONS = true, TRACE = true,
  PATCH = true, QUERY = true }

local function host_of(exchange) return (exchange:host() or ""):match "^(.-):?%d*$" end

---What requests have in common that are sent in the same way.
local callers = remember(200, function(_, method, scheme, version, host)
  local known = methods[method]
  return otlp.shared { "http.request.method", known and method or "_OTHER", "url.scheme", scheme, "network.protocol.version", version,
    "server.address", host, not known and "http.request.method_original" or nil, not known and method or nil }
end)

---A request begins: what this task and those that it spawns do belongs to it.
---@param exchange table
---@return weft.Span?
function M.begin(exchange)
  if not running then return nil end
  local given = exchange:header "traceparent"
  local parent = given and context.read(given, exchange:header "tracestate") or nil
  local method = exchange:method()
  local known = methods[method]
  local span = new(known and method or "HTTP", "server", parent)
  span.remote = parent ~= nil
  enter(span)
  requests[exchange] = span
  if not span.sampled then return span end
  local scheme, host, version = exchange:scheme(), host_of(exchange), exchange:version()
  span.shared = callers(("%s %s %s %s"):format(method, scheme, version, host), method, scheme, version, host)
  span:set("url.path", exchange:path()):set("weft.request_id", exchange:id())
  return span
end

---A request was answered, or has failed, then perhaps outside of its task.
---@param exchange table
---@param route? string
---@param status? integer
---@param err? any
function M.answered(exchange, route, status, err)
  local span = requests[exchange]
  if not span then return end
  requests[exchange] = nil
  leave(span)
  if route then span.name = span.name .. " " .. route end
  span:set("http.route", route):set("http.response.status_code", status)
  if err ~= nil or status and status >= 500 then
    span.failed = err ~= nil and kind_of(err) or tostring(status)
    span:set("error.type", span.failed)
  end
  finish(span)
end

---The id of the trace that a request belongs to, also of one that is not told of.
---@param exchange table
---@return string?
function M.id_of(exchange)
  local span = requests[exchange] or current()
  if span then return span.trace_id end
  local parent = context.read(exchange:header "traceparent")
  return parent and parent.trace_id
end

-- ---- life ----

local function teller(settings)
  if not settings.url then return function(span) settings.log(otlp.line(span)) end end
  local exporter = require "weft.trace.exporter".new(settings, otlp, report)
  return function(span)
    if settings.log then settings.log(otlp.line(span)) end
    exporter:add(span)
  end, exporter
end

---Begins to measure and tell. What the options leave open OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS,
---OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say.
---@param options? weft.TraceOptions
---@return boolean started false: neither the options nor the environment say where to
function trace.start(options)
  if options ~= nil and type(options) ~= "table" then errors.usage("start takes a table, got %s", type(options)) end
  if running then errors.usage "traces are told of already; stop comes first" end
  local settings = require "weft.trace.options".read(options or {})
  if not settings then return false end
  local tell, exporter = teller(settings)
  running = { settings = settings, exporter = exporter, tell = tell, late = {} }
  running.off = events.on("query", on_query)
  return true
end

---Sends what was not sent yet, as far as that goes in so many seconds.
---@param seconds number
function M.flush(seconds)
  if running and running.exporter then running.exporter:flush(seconds) end
end

---Sends what was not sent yet, and ends the measuring. Without it a program's last second is not told.
---@param seconds? number that this may take at most (4)
function trace.stop(seconds)
  if not running then return end
  local before = running
  running.off()
  running = nil
  spans, requests = by_number(), {}
  if before.exporter then before.exporter:stop(seconds or STOP_SECONDS) end
  M.last = before.exporter and before.exporter:stats()
end

---Spans that wait, were sent, were dropped, and posts that failed; nil when nothing is sent.
---@return { queued: integer, sent: integer, dropped: integer, failures: integer }?
function trace.stats()
  local exporter = running and running.exporter
  if exporter then return exporter:stats() end
  return M.last
end

return M
