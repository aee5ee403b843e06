-- SPDX-License-Identifier: MIT
-- What a measurement stands on: the raw programs compiled, the servers started, the data loaded once.
-- The folder ../shared/bench beside the project has the raw programs, its env.sh says where things are.

local M = {}

local function quote(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end
M.quote = quote

---Runs a shell command; its standard output without the last line end, and whether it succeeded.
function M.capture(command)
  local pipe <close> = assert(io.popen(command, "r"))
  local text = pipe:read("a")
  local ok = pipe:close()
  return (text:gsub("\n$", "")), ok == true
end

local function run(command, log)
  return (os.execute(("{ %s ; } >%s 2>&1 </dev/null"):format(command, quote(log)))) == true
end

local function readable(path)
  local file = io.open(path, "r")
  if file then file:close() end
  return file ~= nil
end

local function fail(...)
  io.stderr:write("weft bench: ", string.format(...), "\n")
  os.exit(1, true)
end
M.fail = fail

---@class bench.place
---@field root string the project; @field shared string ../shared/bench; @field build string what is compiled here
---@field weft string the program that is measured; @field env string<string> variables of env.sh
---@field cpu integer the processor that one client and its server share; @field cpus string all of them

local function absolute(path) return (M.capture("cd " .. quote(path) .. " 2>/dev/null && pwd")) end

local function environment(shared)
  local env = {}
  local text = M.capture(("bash -c '. %s/env.sh && env'"):format(shared))
  for name, value in text:gmatch "(PB_[%u_]+)=([^\n]*)" do env[name] = value end
  return env
end

---The numbers of the processors that this process may use, and the last one.
local function processors()
  local list = M.capture "taskset -cp $$ 2>/dev/null":match ": *(%S+)$"
  if not list then return nil end
  return list, tonumber(list:match "(%d+)$")
end

---Finds everything without changing anything; ends the program with what is missing.
function M.place(script, program)
  local root = absolute((script:match "^(.*)/[^/]*$" or ".") .. "/..")
  local shared = os.getenv "PB_DIR" or root .. "/../shared/bench"
  if not readable(shared .. "/env.sh") or not readable(shared .. "/raw/Makefile") then
    fail("the raw C programs are not there: %s/raw is missing.\n"
      .. "Ratios are taken against them; put the folder `shared` beside the project, or set PB_DIR.", shared)
  end
  local weft = M.capture("readlink -f \"$(command -v " .. quote(program) .. ")\"") -- build/weft is a link
  local cpus, cpu = processors()
  shared = absolute(shared)
  return {
    root = root, shared = shared, build = root .. "/build/bench", env = environment(shared),
    weft = absolute(weft:match "^(.*)/[^/]*$") .. "/" .. weft:match "[^/]*$", cpus = cpus, cpu = cpu,
  }
end

---Packages, the raw programs, and this benchmark's own C.
function M.compile(place, say)
  local log = place.build .. "/compile.log"
  os.execute("mkdir -p " .. quote(place.build))
  say "packages"
  if not os.execute(("cd %s && scripts/deps.sh bench"):format(quote(place.root))) then
    fail "packages are missing (see above)"
  end
  say "raw programs"
  local raw, own = place.shared .. "/raw", place.root .. "/scripts/bench"
  if not run(("make -s -C %s OUT=%s"):format(quote(raw), quote(place.build)), log) then
    fail("the raw programs do not compile; see %s", log)
  end
  local flags = "-O2 -g -Wall -Wextra -std=gnu11"
  local json = ("cc %s -I%s -o %s/raw_json %s/json.c %s/pbtime.c $(pkg-config --cflags --libs libpq sqlite3)")
    :format(flags, quote(raw), quote(place.build), quote(own), quote(raw))
  local blank = ("cc %s -D_GNU_SOURCE -shared -fPIC -I%s/core -o %s/blank.so %s/blank.c $(pkg-config --cflags lua5.4)")
    :format(flags, quote(place.root), quote(place.build), quote(own))
  local catalog = ("cc %s -D_GNU_SOURCE -o %s/raw_catalog %s/catalog.c $(pkg-config --cflags --libs libpq libmariadb sqlite3)")
    :format(flags, quote(place.build), quote(own))
  local lambda = ("cc %s -D_GNU_SOURCE -o %s/lambda %s/lambda.c"):format(flags, quote(place.build), quote(own))
  local http = ("cc %s -D_GNU_SOURCE -o %s/http %s/http.c"):format(flags, quote(place.build), quote(own))
  -- The raw server knows /ping, which answers as /plaintext has to but with another text.
  local raw_http = ("sed 's|\"/ping\"|\"/plaintext\"|; s|put(body, \"ok\")|put(body, \"Hello, World!\")|' %s/http.c >%s/raw_http.c && "
    .. "cc -w -O2 -g -std=gnu11 -o %s/raw_http %s/raw_http.c $(pkg-config --cflags --libs libpq)"):format(quote(raw), quote(place.build),
    quote(place.build), quote(place.build))
  if run(table.concat({ json, blank, catalog, lambda, http, raw_http }, " && "), log) then return end
  fail("scripts/bench/*.c do not compile; see %s", log)
end

local function status(place, server)
  return M.capture(quote(place.shared .. "/servers.sh") .. " status"):find((server or "pg") .. " up", 1, true) ~= nil
end

---Whether MariaDB runs: its rows are measured only then.
function M.has_mysql(place) return status(place, "my") end

---The script starts both servers, PostgreSQL first. MariaDB may be absent.
function M.start(place, say)
  if status(place) and status(place, "my") then return false end
  say "servers"
  local log = place.build .. "/servers.log"
  run(quote(place.shared .. "/servers.sh") .. " start", log)
  if not status(place) then fail("PostgreSQL does not start; see %s (it starts from root only)", log) end
  return true
end

function M.stop(place) run(quote(place.shared .. "/servers.sh") .. " stop", place.build .. "/servers.log") end

---Loads the data unless this was done before. Without MariaDB a program that does nothing stands for its client.
function M.load(place, say)
  local mark = place.env.PB_TMP .. "/loaded" .. (M.has_mysql(place) and "_with_my" or "")
  if readable(mark) then return end
  say "data"
  local log, path = place.build .. "/load.log", ""
  if not M.has_mysql(place) then
    local bin = place.build .. "/absent"
    run(("mkdir -p %s && printf '#!/bin/sh\\n' >%s/mariadb && chmod +x %s/mariadb"):format(quote(bin), quote(bin), quote(bin)), log)
    path = ("PATH=%s:$PATH "):format(quote(bin))
  end
  if not run(path .. quote(place.shared .. "/load.sh"), log) then fail("the data does not load; see %s", log) end
  run("touch " .. quote(mark), log)
end

---Where SQLite's file of a database is.
function M.file(place, name) return ("%s/%s.db"):format(place.env.PB_SQLITE, name) end

---How PostgreSQL's client finds a database.
function M.conninfo(place, name)
  local env = place.env
  return ("host=%s port=%s user=%s dbname=%s"):format(env.PB_HOST, env.PB_PG_PORT, env.PB_USER, name)
end

---Makes a database of many tables unless it is there.
function M.many_tables(place, db, n)
  local dialect, name = ({ pg = "postgres", my = "mysql" })[db] or db, "things_" .. n
  local script, log = ("%s/%s.%s.sql"):format(place.build, name, db), place.build .. "/many_tables.log"
  local file <close> = assert(io.open(script, "w"))
  file:write(require "many_tables" (dialect, n))
  file:flush()
  local made
  if db == "pg" then
    if M.sql(place, ("select 1 from pg_database where datname = '%s'"):format(name)) == "1" then return end
    M.sql(place, "create database " .. name)
    made = run(("psql -X -q -v ON_ERROR_STOP=1 %s -f %s -c 'vacuum analyze'"):format(quote(M.conninfo(place, name)), quote(script)), log)
  elseif db == "my" then
    if M.mysql(place, ("select 1 from information_schema.schemata where schema_name = '%s'"):format(name)) == "1" then return end
    M.mysql(place, "create database " .. name)
    made = run(("mariadb --no-defaults -h %s -P %s -u %s %s <%s"):format(place.env.PB_HOST, place.env.PB_MY_PORT, place.env.PB_USER,
      name, quote(script)), log)
  else
    if readable(M.file(place, name)) then return end
    made = run(("sqlite3 -bail %s <%s"):format(quote(M.file(place, name)), quote(script)), log)
  end
  if not made then fail("the database of %d tables cannot be made; see %s", n, log) end
end

local function each_server(place, command)
  for _, server in ipairs { "pg", "my" } do
    local pid = M.capture(("head -n 1 %s/pids/%s 2>/dev/null"):format(quote(place.env.PB_TMP), server))
    if pid ~= "" then os.execute(("%s %s >/dev/null 2>&1"):format(command, pid)) end
  end
end

---Sets how the servers are scheduled; connections opened later inherit it.
function M.schedule(place, policy, priority) each_server(place, ("chrt -a %s -p %d"):format(policy, priority)) end

---Puts the servers on one processor or on all; connections opened later stay there.
function M.pin(place, cpus)
  if cpus then each_server(place, "taskset -acp " .. cpus) end
end

function M.mysql(place, text)
  local env = place.env
  return M.capture(("mariadb --no-defaults -N -h %s -P %s -u %s -e %s 2>&1"):format(env.PB_HOST, env.PB_MY_PORT, env.PB_USER, quote(text)))
end

function M.sql(place, text)
  local env = place.env
  return M.capture(("psql -X -q -A -t -h %s -p %s -U %s -d chinook -c %s 2>&1"):format(
    env.PB_HOST, env.PB_PG_PORT, env.PB_USER, quote(text)))
end

return M
