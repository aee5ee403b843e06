-- SPDX-License-Identifier: MIT
-- What a worker of `weft serve` runs in each of its Lua states: loads the app, then answers its requests.
-- The host calls the returned function in a task, and the functions that it returns (bindings/host/site.c).

local core = require "weft.core"
local weft = require "weft"
local database = require "weft.database"
local errors = require "weft.errors"
local events = require "weft.events"
local failure = require "weft.app.failure"
local loader = require "weft.loader"
local request = require "weft.app.request"
local response = require "weft.app.response"
local trace = require "weft.trace"

local options

-- The log -------------------------------------------------------------------------------------

local function log(level, fields)
  fields.time, fields.level, fields.worker = weft.now(), level, options.worker
  if options.log == "json" then return io.stderr:write(core.encode(fields), "\n") end
  local more = fields.traceback and "\n" .. fields.traceback or ""
  local about = fields.request_id and (" (%s %s, request %s%s)"):format(fields.method, fields.route or "-", fields.request_id,
    fields.trace_id and ", trace " .. fields.trace_id or "") or ""
  io.stderr:write(("%s %s: %s%s%s\n"):format(fields.time, level, fields.message, about, more))
end

local function on_error(info)
  if info.sql and not options.dev then return end -- of a statement: what comes of it is told of the request
  log("error", { message = info.message or tostring(info.error), traceback = info.traceback, request_id = info.request_id,
    trace_id = info.trace_id, method = info.method, route = info.route, status = info.status })
end

local function on_repeated(info)
  log("warn", { message = ("%s: the same look-up %d times in a row on '%s' (%s); instead: %s"):format(info.place, info.count, info.database,
    info.sql, info.instead) })
end

-- Globals that requests write -------------------------------------------------------------------

local globals = {} -- request number -> what its code has set
local warned = {}

local function caller()
  local info = debug.getinfo(4, "Sl")
  return info and ("%s:%d"):format(info.short_src, info.currentline) or "?"
end

local function warn_global(name)
  local place = caller()
  if warned[place] then return end
  warned[place] = true
  log("warn", { message = ("%s: global '%s' is set while a request is answered; it ends with the request (local is meant?)")
    :format(place, tostring(name)) })
end

---From now on a global that a request's code makes is seen by that request alone.
local function guard_globals()
  if getmetatable(_G) then return end
  setmetatable(_G, {
    __newindex = function(self, name, value)
      local scope = core.scope()
      if not scope then return rawset(self, name, value) end
      warn_global(name)
      globals[scope] = globals[scope] or {}
      globals[scope][name] = value
    end,
    __index = function(_, name)
      local own = globals[core.scope()]
      return own and own[name]
    end,
  })
end

---A request does not end the program that answers the others.
local function guard_program()
  os.exit = function() error("os.exit ends the whole program, with the requests of others; raise an error instead", 2) end -- luacheck: ignore 122
end

-- Loading -----------------------------------------------------------------------------------------

local exists = require "weft.loader".exists

local function part_of(_, max)
  return max // options.workers + (options.worker <= max % options.workers and 1 or 0)
end

local function configure()
  if not exists "weft.lua" then return end
  local settings = loader.run("weft.lua", "weft.lua")
  if type(settings) ~= "table" then errors.raise("usage", "weft.lua returns the table for weft.configure") end
  weft.configure(settings)
end

local function load_app()
  local app = loader.run(options.file, options.file)
  if not require "weft.app".is_app(app) then
    errors.raise("usage", ("%s returns what weft.app() made, not a %s"):format(options.file, type(app)))
  end
  app.dev = options.dev
  return app
end

-- What the host calls -------------------------------------------------------------------------------

local app, specials

---With a span around it.
local function answer_traced(exchange)
  local span = trace.begin(exchange)
  if span then exchange:note(span.trace_id) end
  trace.answered(exchange, app:dispatch(exchange))
end

---With the trace of the caller in the log.
local function answer_noted(exchange)
  local id = exchange:header "traceparent" and trace.id_of(exchange)
  if id then exchange:note(id) end
  app:dispatch(exchange)
end

local function answer_plainly(exchange) app:dispatch(exchange) end

local answer

local function dispatch(exchange)
  local special = specials[exchange:path()]
  if special then return special(exchange) end
  answer(exchange)
  if next(globals) then globals[core.scope()] = nil end
end

---A request's task has failed: it was stopped, or memory was out. What it still held of the database was rolled back.
local function failed(exchange, err, transactions, scope)
  globals[scope] = nil
  if transactions > 0 then
    log("warn", { message = ("a request left %d transaction%s open: rolled back"):format(transactions, transactions == 1 and "" or "s"),
      request_id = exchange:id(), trace_id = trace.id_of(exchange), method = exchange:method() })
  end
  if err == nil then return end
  local req = request.new(exchange, app)
  local res = response.new(exchange, req)
  failure.answer(app, req, res, { err = err, traceback = core.is_error(err) and err.traceback or nil })
  trace.answered(exchange, nil, res.status, err)
end

local function stop()
  local ok, err = pcall(app.stop, app)
  if not ok then log("error", { message = "on_stop failed: " .. tostring(err) }) end
  trace.trace.stop()
end

local function measure()
  local stats = {}
  for name, handle in pairs(database.open_handles()) do stats[name] = handle:stats() end
  return core.encode { databases = stats, trace = trace.trace.stats() }
end

---Where spans go, and what each request costs for it.
local function start_trace()
  local given = options.trace
  if given.log then given.log = function(line) io.stderr:write(line, "\n") end end
  if trace.trace.start(given) then return answer_traced end
  return options.log == "json" and answer_noted or answer_plainly
end

---@param text string JSON of what scripts/serve.lua says
return function(text)
  options = core.decode(text)
  core.prefix("@" .. options.scripts .. "/", "program")
  package.path = options.scripts .. "/?.lua;" .. package.path
  options.worker = require "weft.host".worker()
  database.share(part_of)
  events.listen("error", on_error)
  if options.dev then events.on("n_plus_one", on_repeated) end
  answer = start_trace()
  configure()
  app = load_app()
  specials = require "app.endpoints".of(app, options)
  app:start()
  guard_globals()
  guard_program()
  return { dispatch = dispatch, failed = failed, stop = stop, measure = measure }
end
