-- SPDX-License-Identifier: MIT
-- weft serve [app.lua|folder] [options]: answers HTTP requests with an app (--help)

local usage = [[
usage: weft serve [app.lua|folder] [options]

  --port N              (8080; 0: a free one)       --host ADDRESS     of that port (127.0.0.1; "::" and 0.0.0.0: all)
  --listen ADDRESS      instead, several times: 127.0.0.1:8080, [::1]:8080, unix:/run/app.sock
  --workers N           threads, each with its own Lua state and its part of the connections (one for each processor)
  --watch               loads the app anew when one of its files changes; so does SIGHUP
  --dev                 shows errors with their details, the page /_weft, watches; one worker

  --timeout S           for a request (30)          --cpu S            that it may run without waiting (5)
  --memory SIZE         of a worker's Lua (512m)    --max-in-flight N  requests of a worker at a time (1024)
  --max-body SIZE       (1m)   --max-head SIZE (32k)   --max-target SIZE (8k)   --max-connections N (16384)
  --head-timeout S      (10)   --body-timeout S (30)   --idle-timeout S (75)    --write-timeout S (30)
  --trust PROXY         whose X-Forwarded-* count: an address, a network as 10.0.0.0/8, "unix"; several times
  --reuseport           each worker accepts by itself (SO_REUSEPORT)
  --drain S             that requests may take to end after SIGTERM (30)

  --log text|json|off   the access log (text)       --log-file FILE    where it goes (stdout)
  --otlp URL            posts spans of requests and statements to a collector: http://127.0.0.1:4318
  --trace log           writes them to stderr, a line of JSON each
  --service NAME        what they call this program (unknown_service:weft)
  --sample RATIO        of the traces that begin here (1); who calls us with a traceparent has decided
  --admin ADDRESS       serves /metrics, /healthz, /readyz there instead of beside the app: a port, or as --listen
  --quiet               says nothing but what goes wrong

An app is a folder with app.lua, which returns what weft.app() made, and weft.lua, which returns what weft.configure
takes; its field `serve` may hold these options (serve = { port = 80, max_body = "10m" }).
Exits 0 when it was told to end, 1 when the app does not load, 2 when this was not understood.
]]

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/?.lua;" .. package.path
local app = require "app.app"
local core = require "weft.core"
local database = require "weft.database"
local host = require "weft.host"
local loader = require "weft.loader"
local weft = require "weft"

local flags = {
  port = "number", host = "text", listen = "list", workers = "number", watch = true, dev = true, timeout = "number", cpu = "number",
  memory = "text", ["max-in-flight"] = "number", ["max-body"] = "text", ["max-head"] = "text", ["max-target"] = "text",
  ["max-connections"] = "number", ["head-timeout"] = "number", ["body-timeout"] = "number", ["idle-timeout"] = "number",
  ["write-timeout"] = "number", trust = "list", reuseport = true, drain = "number", log = "text", ["log-file"] = "text",
  admin = "text", quiet = true, otlp = "text", trace = "text", service = "text", sample = "number",
}

local options, file

-- What is wanted ----------------------------------------------------------------------------------

local exists = require "weft.loader".exists

---The folder becomes the working folder: paths of the app are relative to it.
local function enter(path)
  local dir
  file = "app.lua"
  if path:find "%.lua$" then dir, file = path:match "^(.-)([^/]+)$" else dir = path end
  local ok, why = host.chdir(dir == "" and "." or dir)
  if not ok then app.misuse("there is no folder %s: %s", dir, why) end
  if not exists(file) then app.misuse("there is no %s in %s; `weft new FOLDER` makes an app", file, dir == "" and "this folder" or dir) end
end

local function flag_names()
  local names = {}
  for name in pairs(flags) do names[#names + 1] = name end
  return names
end

---What weft.lua says under `serve`; the command line counts more.
local function merge(settings)
  for key, value in pairs(settings or {}) do
    local name = tostring(key):gsub("_", "-")
    if not flags[name] then
      local near = core.nearest(name, flag_names())
      app.misuse("weft.lua: serve has no option '%s'%s", tostring(key), near and ("; did you mean '%s'?"):format(near:gsub("-", "_")) or "")
    end
    if options[name] == nil then options[name] = flags[name] == "list" and type(value) ~= "table" and { value } or value end
  end
end

local units = { k = 2 ^ 10, m = 2 ^ 20, g = 2 ^ 30 }

local function size(name, otherwise)
  local text = tostring(options[name] or otherwise)
  local number, unit = text:lower():match "^(%d+)%s*([kmg]?)i?b?$"
  if not number then app.misuse("--%s takes bytes, as 512k, 10m or 1g", name) end
  return math.tointeger(tonumber(number) * (units[unit] or 1))
end

---Refuses what cannot be shared out among workers.
local function check_pools(workers)
  for name, entry in pairs(database.configured()) do
    local max = entry.pool and entry.pool.max or database.POOL_MAX
    if type(entry.url) == "string" and entry.url:find "^sqlite:.*:memory:" and workers > 1 then
      app.misuse("database '%s' lives in memory, and each of %d workers would have its own: use a file, or --workers 1", name, workers)
    elseif max < workers then
      app.misuse("database '%s' may have %d connection%s (pool.max), and %d workers need %d, one each: raise pool.max to %d or "
        .. "more, or use --workers %d", name, max, max == 1 and "" or "s", workers, workers, workers, max)
    end
  end
end

local function read_settings()
  if not exists "weft.lua" then return end
  local settings = loader.run("weft.lua", "weft.lua")
  if type(settings) ~= "table" then app.misuse "weft.lua returns the table for weft.configure" end
  merge(settings.serve)
  weft.configure(settings)
end

local function addresses()
  if options.listen then return options.listen end
  local name = options.host or "127.0.0.1"
  return { (name:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(name, options.port or 8080) }
end

local function open_log()
  local kind = options.log or "text"
  if kind ~= "text" and kind ~= "json" and kind ~= "off" then app.misuse "--log is text, json or off" end
  if kind == "off" then return -1 end
  if not options["log-file"] then return 1 end
  local fd, why = host.append(options["log-file"])
  if not fd then app.misuse("cannot write the log: %s", why) end
  return fd
end

---What workers hand to weft.trace.start.
local function trace_options()
  if options.trace and options.trace ~= "log" then app.misuse "--trace is log" end
  local given = { otlp = options.otlp, log = options.trace and true, service = options.service, sample = options.sample }
  local ok, why = pcall(require "weft.trace.options".read, given)
  if not ok then app.misuse("%s", core.is_error(why) and why.message:match "trace: (.*)" or why) end
  return given
end

-- Serving -------------------------------------------------------------------------------------------

local server, state -- state: "starting", "serving", "ending"
local ready, drained = {}, {}
local names = {} -- of the addresses, as they are bound
local reloading -- number of the worker that loads the app anew
local again -- why it is to be loaded once more when all have

local function say(format, ...)
  if not options.quiet then io.stderr:write("weft: ", format:format(...), "\n") end
end

local function complain(format, ...) io.stderr:write("weft: ", format:format(...), "\n") end

local function count(set)
  local n = 0
  for _ in pairs(set) do n = n + 1 end
  return n
end

local sockets = {}

---Sockets are bound before anything else starts, so that an address in use is told at once.
local function bind()
  for i, address in ipairs(addresses()) do
    local fd, name = host.bind(address, options.reuseport)
    sockets[i], names[i] = { fd = fd, address = address }, name
  end
end

local function accept()
  for i, socket in ipairs(sockets) do
    if options.reuseport and not names[i]:find "^unix:" then
      local address = socket.address:gsub(":%d+$", names[i]:match ":%d+$")
      server:give(1, socket.fd)
      for worker = 2, options.workers do server:give(worker, (host.bind(address, true))) end
    else
      server:accept(socket.fd)
    end
  end
  for _, name in ipairs(names) do
    say("listening on %s (%d worker%s, process %d)", name:find "^unix:" and name or "http://" .. name, options.workers,
      options.workers == 1 and "" or "s", host.pid())
  end
  state = "serving"
end

local function drain(why)
  if state == "ending" then host.exit(1) end -- told twice
  say("%s: ending, requests under way have %g s", why, options.drain or 30)
  state = "ending"
  host.set_ready(false)
  server:drain()
  core.spawn_background(function()
    weft.sleep(options.drain or 30)
    local cut = options.workers - count(drained)
    complain("requests did not end in time: %d worker%s cut off", cut, cut == 1 and "" or "s")
    host.exit(1)
  end)
end

local function reload(why)
  if state == "ending" then return end
  if reloading then
    again = why
    return
  end
  if state == "serving" then say("%s: loading the app anew", why) end
  reloading = 1
  server:reload(1)
end

---What changed while the app was loaded may be in some workers and not in others.
local function reload_again()
  if reloading or not again then return end
  local why = again
  again = nil
  reload(why)
end

local on = {}

function on.ready(message)
  ready[message.worker] = true
  if reloading then
    reloading = reloading < options.workers and reloading + 1 or nil
    if reloading then server:reload(reloading) elseif state == "serving" then say "the new app serves" end
  end
  if count(ready) == options.workers and state ~= "ending" then
    if state == "starting" then accept() end
    host.set_ready(true)
  end
  reload_again()
end

function on.failed(message)
  local first = reloading or count(ready) == 0
  reloading = nil
  if first then complain("the app does not load: %s", message.text) end
  if state == "serving" and next(ready) then complain "the old one goes on" end
  if state == "starting" and not options.watch then
    state = "failed"
  else
    if state == "starting" and first then accept() end -- 503 until it loads
    reload_again()
  end
end

function on.drained(message) drained[message.worker] = true end

function on.stuck(message)
  complain("worker %d does not come back from a call of a C function (a pattern, a huge text?); its requests wait", message.worker)
end

function on.signal(message)
  if message.text == "HUP" then return reload "SIGHUP" end
  drain("SIG" .. message.text)
end

local function watch_files()
  local last = host.stamp "."
  while true do
    weft.sleep(0.25)
    local now = host.stamp "."
    if now ~= last then
      last = now
      reload "a file has changed"
    end
  end
end

local function watch_tasks()
  while true do
    weft.sleep((options.cpu or 5) / 4)
    server:watch()
  end
end

local function start()
  server = host.server {
    workers = options.workers, script = folder .. "/app/worker.lua",
    text = core.encode { file = file, dev = options.dev or false, log = options.log or "text", workers = options.workers,
      scripts = folder, admin = options.admin ~= nil, trace = trace_options() },
    memory = size("memory", "512m"), deadline = options.timeout or 30, slice = options.cpu or 5,
    access_log = open_log(), log_json = options.log == "json", trusted = options.trust,
    max_body = size("max-body", "1m"), max_head = size("max-head", "32k"), max_target = size("max-target", "8k"),
    max_connections = options["max-connections"], max_in_flight = options["max-in-flight"],
    head_timeout = options["head-timeout"], body_timeout = options["body-timeout"],
    idle_timeout = options["idle-timeout"], write_timeout = options["write-timeout"],
  }
  server:signals("INT", "TERM", "HUP")
end

local function serve()
  state = "starting"
  bind()
  start()
  local _ <close> = options.admin and require "app.admin".serve(options.admin, say) or nil -- held: it serves as long as it is
  core.spawn_background(watch_tasks)
  if options.watch then core.spawn_background(watch_files) end
  while state ~= "failed" and not (state == "ending" and count(drained) == options.workers) do
    local message = server:next()
    on[message.what](message)
  end
  local status = state == "failed" and 1 or 0
  if not server:close() then host.exit(status) end -- a worker is still at it: nothing may be taken from under it
  return status
end

app.run(function()
  local words
  options, words = app.parse(arg, flags, usage)
  if #words > 1 then app.misuse "serve takes one app" end
  folder = host.real(folder)
  enter(words[1] or ".")
  read_settings()
  options.watch = options.watch or options.dev
  options.workers = options.workers or (options.dev and 1 or host.processors())
  if math.type(options.workers) ~= "integer" or options.workers < 1 then app.misuse "--workers takes a number from 1" end
  check_pools(options.workers)
  return serve()
end, usage)
