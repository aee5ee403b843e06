-- SPDX-License-Identifier: MIT
-- weft.on and weft.log. Nothing is measured before somebody listens.

local core = require "weft.core"
local errors = require "weft.errors"

local events = {}

local names = { "query", "slow_query", "warning", "connect", "disconnect", "retry", "schema_change", "migrate", "n_plus_one", "error" }
local handlers = {} -- event -> list of { fn = }
for _, name in ipairs(names) do handlers[name] = {} end

local slow_seconds = 0.2
local listening = false
local counting, look = 0, nil -- who listens to n_plus_one, and what finds it then

---A handler that fails harms nothing: its failure becomes an `error` event, once.
local function emit(event, info)
  local list = handlers[event]
  for i = 1, #list do
    local handler = list[i]
    if handler then
      local ok, err = pcall(handler.fn, info)
      if not ok and event ~= "error" then
        emit("error", { event = event, message = tostring(err), error = err })
      end
    end
  end
end

local function tell_repeated(info) emit("n_plus_one", info) end

local function warn_of_zero_dates(info)
  local n = info.zero_dates
  emit("warning", { database = info.database, sql = info.sql,
    message = ("%d %s with zeros, as 0000-00-00, %s read as NULL"):format(n, n == 1 and "date" or "dates", n == 1 and "is" or "are") })
end

local function dispatch(event, info)
  emit(event, info)
  if event == "query" then
    if look then look(info, tell_repeated) end
    if info.zero_dates then warn_of_zero_dates(info) end
    if info.seconds >= slow_seconds then emit("slow_query", info) end
    if info.error then emit("error", info) end
  end
end

---Adds a handler without having the core measure statements: for events that lua/weft makes itself.
---@return fun() off
function events.listen(event, fn)
  local old, handler = handlers[event], { fn = fn }
  local new = table.move(old, 1, #old, 1, {})
  new[#new + 1] = handler
  handlers[event] = new -- a new list: a handler may take itself off while the list is walked
  return function()
    local rest = {}
    for _, other in ipairs(handlers[event]) do
      if other ~= handler then rest[#rest + 1] = other end
    end
    handlers[event] = rest
  end
end

---Calls `fn(info)` at each event.
---@param event "query"|"slow_query"|"warning"|"connect"|"disconnect"|"retry"|"schema_change"|"migrate"|"n_plus_one"|"error"
---@param fn fun(info: table) info of a statement: database, sql, seconds, started (microseconds since 1970), rows, parameters (their number),
---affected, error, scope (number of the request)
---@return fun() off takes the handler off again
function events.on(event, fn)
  if not handlers[event] then
    local near = type(event) == "string" and core.nearest(event, names)
    errors.usage("unknown event '%s'%s", tostring(event), near and ("; did you mean '%s'?"):format(near) or "")
  end
  if type(fn) ~= "function" then errors.usage("on takes an event and a function") end
  if not listening then
    core.hook("event", dispatch)
    core.observe(true)
    listening = true
  end
  local off = events.listen(event, fn)
  if event ~= "n_plus_one" then return off end
  counting, look = counting + 1, require "weft.n_plus_one".look
  return function()
    if not off then return end
    off()
    off, counting = nil, counting - 1
    if counting == 0 then look = nil end
  end
end

events.emit = emit

---Statements that take at least so long are slow.
---@param seconds number
function events.set_slow(seconds) slow_seconds = seconds end

local levels = { debug = 1, info = 2, warn = 3, error = 4 }
local stop_log

---Writes events as JSON lines: every statement at debug, connections at info, slow statements and warnings at warn,
---failures at error. Look-ups that are repeated are looked for at debug alone; what others have found is written at
---warn. A second call replaces the first.
---@param options { level?: "debug"|"info"|"warn"|"error", sink?: string|fun(line: string, level: string) } sink: a function, a file's path, or stderr
function events.log(options)
  if type(options) ~= "table" then errors.usage("log takes a table, as { level = \"info\" }") end
  errors.check_names(options, { "level", "sink" }, "option of log")
  local level = levels[options.level or "info"]
  if not level then errors.usage("unknown level '%s'; one of debug, info, warn, error", tostring(options.level)) end
  local sink = options.sink
  if type(sink) == "string" then
    local file, why = io.open(sink, "a")
    if not file then errors.usage("log: %s", why) end
    file:setvbuf "line"
    sink = function(line) file:write(line, "\n") end
  elseif sink == nil then
    sink = function(line) io.stderr:write(line, "\n") end
  elseif type(sink) ~= "function" then
    errors.usage("log: sink is a function or a path, not a %s", type(sink))
  end
  if stop_log then stop_log() end
  local offs = {}
  local function listen(event, at)
    if levels[at] < level then return end
    local on = event == "n_plus_one" and level > levels.debug and events.listen or events.on
    offs[#offs + 1] = on(event, function(info)
      if event == "query" and info.error and level <= levels.error then return end -- logged as an error
      sink(core.encode {
        time = core.now(), level = at, event = event, database = info.database, sql = info.sql,
        seconds = info.seconds, rows = info.rows, affected = info.affected, parameters = info.parameters,
        kind = info.error and info.error.kind, message = info.error and tostring(info.error) or info.message,
        request = info.request_id, trace_id = info.trace_id, method = info.method, route = info.route, status = info.status,
        count = info.count, place = info.place, instead = info.instead, service = info.service,
        traceback = info.traceback,
      }, at)
    end)
  end
  listen("query", "debug")
  listen("connect", "info")
  listen("disconnect", "info")
  listen("migrate", "info")
  listen("retry", "warn")
  listen("slow_query", "warn")
  listen("warning", "warn")
  listen("n_plus_one", "warn")
  listen("error", "error")
  stop_log = function()
    for _, off in ipairs(offs) do off() end
    stop_log = nil
  end
  return stop_log
end

return events
