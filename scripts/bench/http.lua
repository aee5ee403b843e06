-- SPDX-License-Identifier: MIT
-- HTTP: the servers, and how they are measured by wrk on loopback: 64 connections from one thread, two workers each.

local weft = require "weft"
local setup = require "setup"
local quote = setup.quote

local IDLE = 10000

local nginx_conf = [[
daemon off; worker_processes 2; pid %s/nginx.pid; error_log %s/nginx.log; worker_rlimit_nofile 4096;
load_module modules/ndk_http_module.so;
load_module modules/ngx_http_lua_module.so;
events { worker_connections 2048; }
http {
  access_log off; keepalive_requests 1000000000; server_tokens off;
  client_body_temp_path %s/nginx.body; proxy_temp_path %s/nginx.proxy; fastcgi_temp_path %s/nginx.fastcgi;
  uwsgi_temp_path %s/nginx.uwsgi; scgi_temp_path %s/nginx.scgi;
  init_by_lua_block { cjson = require "cjson" }
  server {
    listen 127.0.0.1:%d reuseport;
    location = /json { default_type application/json; content_by_lua_block {
      local text = cjson.encode { message = "Hello, World!" }
      ngx.header.content_length = #text ngx.print(text) } }
    location = /plaintext { default_type text/plain; content_by_lua_block {
      ngx.header.content_length = 13 ngx.print "Hello, World!" } }
  }
}
]]

---Adds to `run` what measures servers.
---@param run bench.run
---@param given { place: bench.place, options: table, environment: string, free: function, output: function }
return function(run, given)
  local place, output, free = given.place, given.output, given.free
  local env, build = place.env, place.build
  local database = ("postgres://%s@%s:%s/chinook"):format(env.PB_USER, env.PB_HOST, env.PB_PG_PORT)
  local first_port = tonumber(env.PB_HTTP_PORT)
  local started = {} -- name -> { port, pid, pipe }

  local function serve(app, port)
    return ("%s serve %s/examples/techempower/%s --port %d --workers 2 --log off"):format(quote(place.weft), quote(place.root), app, port)
  end

  local function nginx(port)
    local conf = build .. "/nginx.conf"
    local file <close> = assert(io.open(conf, "w"))
    file:write(nginx_conf:format(build, build, build, build, build, build, build, port))
    return "nginx -c " .. quote(conf)
  end

  local commands = {
    raw = function(port) return ("%s/raw_http %d"):format(quote(build), port) end,
    weft = function(port) return serve("app.lua", port) end,
    statements = function(port) return serve("raw.lua", port) end,
    nginx = nginx, idle = function(port) return serve("app.lua", port) end,
  }
  local order = { "raw", "weft", "statements", "nginx", "idle" }

  -- It ends when the pipe does, whatever becomes of this program.
  local function start(name)
    local port
    for i, other in ipairs(order) do
      if other == name then port = first_port + i - 1 end
    end
    local pid_file = ("%s/%s.pid"):format(build, name)
    os.remove(pid_file)
    local inner = ("ulimit -n 20000; exec env %s WEFT_DATABASE_HELLO_WORLD=%s %s"):format(given.environment, database, free(commands[name](port)))
    local pipe = assert(io.popen(("sh -c %s >%s/%s.log 2>&1 </dev/null & pid=$!; echo $pid >%s; cat >/dev/null; kill $pid; wait $pid")
      :format(quote(inner), quote(build), name, quote(pid_file)), "w"))
    output(("sh -c '%s/http await %d && echo up'"):format(build, port))
    started[name] = { port = port, pipe = pipe, pid = tonumber((setup.capture("cat " .. quote(pid_file)))) }
    return started[name]
  end

  local function server(name) return started[name] or start(name) end

  function run.stop_servers()
    for name, one in pairs(started) do
      one.pipe:close()
      started[name] = nil
    end
  end

  ---Megabytes of a server's process.
  local function memory(name, field)
    local file <close> = assert(io.open(("/proc/%d/status"):format(server(name).pid)))
    return tonumber(file:read "a":match(field .. ":%s*(%d+)")) / 1024
  end

  local units = { us = 1e-3, ms = 1, s = 1e3, m = 6e4 }
  local function milliseconds(text)
    local number, unit = text:match "^([%d.]+)(%a+)$"
    return tonumber(number) * units[unit]
  end

  local warmed = {}
  local function wrk(port, path, secs)
    return output(free(("wrk -t1 -c64 -d%ds --latency 'http://127.0.0.1:%d%s'"):format(secs, port, path)))
  end

  ---One round of one server: time in microseconds per request, percentiles in milliseconds, answers that are no answers.
  ---@param name string
  ---@param path string
  function run.http(name, path)
    setup.pin(place, place.cpus)
    local port = server(name).port
    if not warmed[name .. path] then wrk(port, path, 1) end
    warmed[name .. path] = true
    local text = wrk(port, path, math.max(1, math.ceil(given.options.secs)))
    local failed = tonumber(text:match "Non%-2xx or 3xx responses: (%d+)" or 0)
    for number in (text:match "Socket errors: ([^\n]*)" or ""):gmatch "%d+" do failed = failed + tonumber(number) end
    return {
      time = 1e6 / tonumber(text:match "Requests/sec:%s*([%d.]+)"), failed = failed,
      p50 = milliseconds(text:match "\n%s+50%%%s+(%S+)"), p99 = milliseconds(text:match "\n%s+99%%%s+(%S+)"),
      rss = name == "weft" and memory(name, "VmHWM") or nil,
    }
  end

  ---Milliseconds from the start of the process to its first answer, the middle one of twenty.
  function run.http_start(path)
    setup.pin(place, place.cpus)
    local list = {}
    for i = 1, 20 do
      list[i] = weft.decode(output(free(("env WEFT_DATABASE_HELLO_WORLD=%s %s/http start %s %s"):format(database, quote(build), path,
        serve("app.lua", 0))))).time
    end
    table.sort(list)
    return { time = list[10] }
  end

  ---Megabytes of a server with so many connections that nobody uses.
  function run.http_idle()
    local port = server "idle".port
    local before = memory("idle", "VmRSS")
    local client = assert(io.popen(("%s/http idle %d %d >%s/idle.log 2>&1"):format(quote(build), port, IDLE, quote(build)), "w"))
    repeat
      local said = setup.capture("sleep 0.05; cat " .. quote(build .. "/idle.log"))
    until said ~= ""
    local rss = memory("idle", "VmRSS")
    client:close()
    local said = setup.capture("cat " .. quote(build .. "/idle.log"))
    if said ~= "ready" then setup.fail("idle connections: %s", said) end
    return { rss = rss, before = before }
  end
end
