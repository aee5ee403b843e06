-- SPDX-License-Identifier: MIT
-- Real servers for the specs: a private PostgreSQL, a PgBouncer (transaction mode) and a MariaDB (servers_mysql.lua),
-- each started at first use, shared by all spec files of one run, stopped by spec/run.lua at its end.
--
-- A run has a folder run-PID that names its owner (process number and start time). Folders whose owner
-- is gone belong to a run that was killed: the next run stops their servers and removes them, so runs
-- of several modes can go on side by side. The folders are below build/servers; where the server's user
-- cannot reach that (root's home), they are in a temporary folder whose path build/servers/place keeps.
--
-- All functions of a server are called with a dot: pg.psql("select 1"), pg.kill(), pg.start().

local shell = require "spec.support.shell"
local quote, run, must = shell.quote, shell.run, shell.must

local servers = {}
local root = shell.root()
local base = root .. "/build/servers"

---The users whose password is checked (every other user is trusted). `weft` is a superuser.
servers.users = {
  scram = { name = "weft_scram", password = "s3cret scram/@:%" },
  md5 = { name = "weft_md5", password = "s3cret-md5" },
  password = { name = "weft_password", password = "s3cret-plain" },
  mysql = { -- those of the MariaDB
    native = { name = "weft_native", password = "s3cret native/@:%" },
    tls = { name = "weft_tls", password = "s3cret-tls" },
  },
}

-- Places --------------------------------------------------------------------------------------

local as_root = shell.is_root()

---A command line, run as the user who may own a server.
local function as_server(command)
  if not as_root then return "cd / && " .. command end
  return "cd / && runuser -u postgres -- sh -c " .. quote(command)
end

local function place()
  must("mkdir -p " .. quote(base))
  local told = shell.read(base .. "/place")
  if told and run("test -d " .. quote(told)) then return told end
  local path = base
  if as_root and not run(as_server("test -x " .. quote(base))) then
    path = must("mktemp -d /tmp/weft-servers.XXXXXX"):gsub("%s+$", "")
    must("chmod 755 " .. quote(path))
  end
  shell.write(base .. "/place", path)
  return path
end

---The folder of this run. A spec file that is run by itself is a run of its own.
local function run_folder()
  if servers.folder then return servers.folder end
  local folder = os.getenv("WEFT_SPEC_RUN")
  if not folder then
    servers.stop_stale()
    local pid = shell.own_pid()
    folder = place() .. "/run-" .. pid
    must("rm -rf " .. quote(folder) .. " && mkdir -p " .. quote(folder))
    shell.write(folder .. "/owner", pid .. " " .. shell.process(pid))
    servers.owned = true
  end
  servers.folder = folder
  return folder
end

---Starts a run and returns its folder, which the children get as WEFT_SPEC_RUN.
servers.begin = run_folder

---Runs fn while no other process of this run does that under the same name; who dies lets go of the name.
local function one_at_a_time(name, fn)
  local path = run_folder() .. "/" .. name .. ".lock"
  local fifo = path .. "." .. shell.own_pid()
  must(("rm -f %s && mkfifo %s"):format(quote(fifo), quote(fifo)))
  local holder = assert(io.popen(("exec flock %s sh -c 'echo held >\"$0\"; read line' %s"):format(quote(path), quote(fifo)), "w"))
  local told = assert(io.open(fifo, "r"))
  told:read("l")
  told:close()
  os.remove(fifo)
  local ok, err = pcall(fn)
  holder:write("\n")
  holder:close()
  if not ok then error(err, 0) end
end

---The server of a name as this process knows it: made at its first use, and started when it does not run.
local started = {}

local function running(name, make)
  if started[name] and started[name].running() then return started[name] end
  one_at_a_time(name, function()
    started[name] = started[name] or make(run_folder() .. "/" .. name)
    started[name].start()
  end)
  return started[name]
end

-- Stopping ------------------------------------------------------------------------------------

local function children(pid)
  local list = {}
  for child in (shell.read(("/proc/%s/task/%s/children"):format(pid, pid)) or ""):gmatch("%d+") do
    list[#list + 1] = child
  end
  return list
end

---Ends a process and its children; `kill` does it as a power cut would.
local function finish(pid, signal)
  local all = children(pid)
  table.insert(all, 1, pid)
  run("kill -" .. signal .. " " .. (signal == "KILL" and table.concat(all, " ") or pid))
  if not shell.await_end(all, 10) then
    run("kill -KILL " .. table.concat(all, " "))
    shell.await_end(all, 10)
  end
end

---The process number in a pid file, when that process is the server of this folder.
local function server_pid(file, folder)
  local pid = (shell.read(file) or ""):match("^%s*(%d+)")
  return pid and shell.is(pid, folder) and pid or nil
end

local function stop_folder(folder)
  for name in must("ls " .. quote(folder)):gmatch("[^\n]+") do
    local path = folder .. "/" .. name
    local pid = server_pid(path .. "/pgbouncer.pid", path) or server_pid(path .. "/mysqld.pid", path)
      or server_pid(path .. "/data/postmaster.pid", path)
    if pid then finish(pid, "QUIT") end
  end
  run("rm -rf " .. quote(folder))
end

---Stops what killed runs left behind.
function servers.stop_stale()
  local where = place()
  for name in must("ls " .. quote(where)):gmatch("[^\n]+") do
    if name:match("^run%-%d+$") then
      local pid, ticks = (shell.read(where .. "/" .. name .. "/owner") or ""):match("^(%d+) (%d+)")
      if not pid or shell.process(pid) ~= ticks then stop_folder(where .. "/" .. name) end
    end
  end
end

---Stops the servers of this run, if it is this process that started the run.
function servers.finish()
  if servers.owned and servers.folder then stop_folder(servers.folder) end
  servers.folder, servers.owned = nil, nil
end

---Stops everything below build/ and removes it.
function servers.clean()
  local where = place()
  for name in must("ls " .. quote(where)):gmatch("[^\n]+") do
    if name:match("^run%-%d+$") then stop_folder(where .. "/" .. name) end
  end
  run("rm -rf " .. quote(where) .. " " .. quote(base))
end

-- PostgreSQL ----------------------------------------------------------------------------------

-- Not durable against a power cut, but what was acknowledged survives kill(), which fault specs count on:
-- so synchronous_commit stays on.
local configuration = [[
listen_addresses = '127.0.0.1'
max_connections = 200
shared_buffers = 32MB
fsync = off
max_wal_size = 1GB
full_page_writes = off
dynamic_shared_memory_type = mmap
logging_collector = off
log_min_messages = warning
log_line_prefix = '%m [%p] '
lc_messages = 'C'
timezone = 'UTC'
max_prepared_transactions = 10
]]

local access = [[
local all all trust
host all weft_scram 127.0.0.1/32 scram-sha-256
host all weft_md5 127.0.0.1/32 md5
host all weft_password 127.0.0.1/32 password
host all all 127.0.0.1/32 trust
host all all ::1/128 trust
]]

local function roles()
  local users, lines = servers.users, {}
  local function add(user, how)
    lines[#lines + 1] = ("set password_encryption = '%s'"):format(how)
    lines[#lines + 1] = ("create role %s login superuser password '%s'"):format(user.name, user.password)
  end
  add(users.scram, "scram-sha-256")
  add(users.password, "scram-sha-256")
  add(users.md5, "md5")
  return table.concat(lines, "\n") .. "\n"
end

local bin

local function postgres_bin()
  bin = bin or must("pg_config --bindir"):gsub("%s+$", "")
  if not shell.exists(bin .. "/initdb") then -- the client package is of another version than the server's
    local found = must("ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1"):gsub("%s+$", "")
    bin = found
  end
  return bin
end

---A cluster that is copied for each server: initdb takes seconds, a copy does not.
local function template()
  local path = place() .. "/template-" .. postgres_bin():gsub("%W+", "-")
  if shell.exists(path .. "/done") then return path end
  local work = ("%s.%s"):format(path, shell.own_pid())
  local data = work .. "/data"
  must("rm -rf " .. quote(work) .. " && mkdir -p " .. quote(work))
  if as_root then must("chown postgres " .. quote(work)) end
  must(as_server(shell.words { bin .. "/initdb", "-D", data, "-U", "weft", "-A", "trust", "-E", "UTF8",
    "--locale=C.UTF-8", "--wal-segsize=1", "--no-sync" }))
  must(as_server(("printf %%s %s | %s --single -D %s postgres"):format(
    quote(roles()), quote(bin .. "/postgres"), quote(data))))
  must(as_server(("printf %%s %s >>%s"):format(quote(configuration), quote(data .. "/postgresql.conf"))))
  must(as_server(("printf %%s %s >%s"):format(quote(access), quote(data .. "/pg_hba.conf"))))
  must(as_server("openssl " .. shell.words { "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650",
    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
    "-keyout", data .. "/server.key", "-out", data .. "/server.crt" } .. " 2>/dev/null"))
  must(as_server(("cp %s %s && chmod 600 %s"):format(
    quote(data .. "/server.crt"), quote(work .. "/ca.crt"), quote(data .. "/server.key"))))
  shell.write(work .. "/done", "")
  if not run(("mv -T %s %s"):format(quote(work), quote(path))) then run("rm -rf " .. quote(work)) end
  return path
end

local function encode(text)
  return (text:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function url_function(server, default_database)
  ---@param options? { user?: string, password?: string, host?: string, port?: integer, query?: string }
  return function(database, options)
    assert(database == nil or type(database) == "string", "url is called with a dot")
    options = options or {}
    local user = encode(options.user or server.user)
    if options.password then user = user .. ":" .. encode(options.password) end
    return ("postgres://%s@%s:%d/%s%s"):format(user, options.host or server.host, options.port or server.port,
      encode(database or default_database), options.query and "?" .. options.query or "")
  end
end

---The client of the server's own version: what is called psql elsewhere may be a script that looks for it, which takes
---five times as long.
local function psql_function(server, default_database)
  return function(sql, database)
    assert(type(sql) == "string", "psql is called with a dot")
    local file = os.tmpname()
    shell.write(file, sql)
    local ok, text = run(shell.words { postgres_bin() .. "/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h",
      server.host, "-p", server.port, "-U", server.user, "-d", database or default_database, "-f", file })
    os.remove(file)
    if not ok then error("psql: " .. text, 2) end
    return (text:gsub("\n$", ""))
  end
end

---Is it a port that somebody took in between, or a session of a server that was killed and is still ending?
local function passes(log)
  return log:find("could not bind", 1, true) or log:find("is still in use", 1, true)
end

---Starts the server of a folder; what passes is no failure.
local function start_postgres(pg)
  for attempt = 1, 20 do
    pg.port = pg.port or shell.free_port()
    local options = ("-p %d -c max_locks_per_transaction=512 -c ssl=%s -c unix_socket_directories=%s"):format(
      pg.port, pg.ssl and "on" or "off", pg.socket and "'" .. pg.socket .. "'" or "''")
    local ok = run(as_server(shell.words { postgres_bin() .. "/pg_ctl", "start", "-s", "-w", "-t", "60", "-D", pg.data,
      "-l", pg.folder .. "/log", "-o", options } .. " >/dev/null 2>&1"))
    if ok then return shell.write(pg.folder .. "/port", tostring(pg.port)) end
    local log = shell.read(pg.folder .. "/log") or ""
    if attempt == 20 or not passes(log) then
      error("PostgreSQL does not start:\n" .. log:sub(-2000), 3)
    end
    if not shell.exists(pg.folder .. "/port") then pg.port = nil end
    os.remove(pg.folder .. "/log")
    shell.sleep(0.05)
  end
end

---What its process is, and how it begins and ends.
local function add_life(pg)
  function pg.pid() return server_pid(pg.data .. "/postmaster.pid", pg.folder) end
  function pg.running() return pg.pid() ~= nil end

  ---Ends it in order: sessions are cut off, data is complete.
  function pg.stop()
    if pg.running() then
      must(as_server(shell.words { postgres_bin() .. "/pg_ctl", "stop", "-s", "-w", "-m", "fast", "-D", pg.data }))
    end
  end

  ---Ends the server and all its sessions by SIGKILL.
  function pg.kill()
    local pid = pg.pid()
    if not pid then return end
    finish(pid, "KILL")
    -- Until process 1 has buried it, its number would look like a running server to the next one.
    run(("rm -f %s %s/.s.PGSQL.*"):format(quote(pg.data .. "/postmaster.pid"), quote(pg.folder)))
  end

  ---Starts it (again), on the port it had.
  function pg.start()
    if not pg.running() then start_postgres(pg) end
  end
end

local function add_databases(pg)
  ---A new empty database; its name is returned.
  function pg.create_database(wanted)
    pg.made = (pg.made or 0) + 1
    local database = wanted or ("spec_%s_%d"):format(shell.own_pid(), pg.made)
    pg.psql(('create database "%s" template template0'):format(database))
    return database
  end

  function pg.drop_database(...)
    local lines = {}
    for i, database in ipairs { ... } do
      lines[i] = ('drop database if exists "%s" with (force);'):format(database)
    end
    pg.psql(table.concat(lines, "\n"))
  end
end

local function make_postgres(folder, ssl)
  local from = template()
  local pg = { host = "127.0.0.1", user = "weft", folder = folder, data = folder .. "/data", ssl = ssl,
    socket = #folder < 80 and folder or nil, ca = folder .. "/ca.crt" }
  if not shell.exists(folder .. "/ca.crt") then
    must(("rm -rf %s && cp -a %s %s"):format(quote(folder), quote(from), quote(folder)))
  end
  pg.port = tonumber(shell.read(folder .. "/port") or "")
  pg.url = url_function(pg, "postgres")
  pg.psql = psql_function(pg, "postgres")
  add_life(pg)
  add_databases(pg)
  return pg
end

---A PostgreSQL server of this run: host, port, user, data, socket (folder, when the path is short enough),
---ca (certificate), and url, psql, create_database, drop_database, pid, running, stop, kill, start.
---@param options? { name?: string, ssl?: boolean } another name is another server
function servers.postgres(options)
  options = options or {}
  local name = options.name or (options.ssl and "postgres-tls" or "postgres")
  return running(name, function(folder) return make_postgres(folder, options.ssl or false) end)
end

-- PgBouncer -----------------------------------------------------------------------------------

local bouncer_ini = [[
[databases]
* = host=%s port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
pool_mode = transaction
default_pool_size = 8
max_client_conn = 1000
auth_type = hba
auth_hba_file = %s/hba.conf
auth_file = %s/users.txt
admin_users = weft
server_reset_query =
logfile = %s/log
pidfile = %s/pgbouncer.pid
]]

local function write_bouncer(pb)
  local users, f = { '"weft" ""' }, pb.folder
  for _, kind in ipairs { "scram", "md5", "password" } do
    local user = servers.users[kind]
    users[#users + 1] = ('"%s" "%s"'):format(user.name, user.password)
  end
  shell.write(f .. "/users.txt", table.concat(users, "\n") .. "\n")
  shell.write(f .. "/hba.conf", access:gsub("local[^\n]*\n", ""):gsub("host[^\n]*::1[^\n]*\n", ""))
  shell.write(f .. "/pgbouncer.ini", bouncer_ini:format(pb.pg.host, pb.pg.port, pb.port, f, f, f, f))
end

local function start_bouncer(pb)
  for attempt = 1, 20 do
    pb.port = pb.port or shell.free_port()
    write_bouncer(pb)
    local ok, text = run(as_server(shell.words { "pgbouncer", "-q", "-d", pb.folder .. "/pgbouncer.ini" }))
    for _ = 1, ok and 100 or 0 do
      if pb.running() and pcall(pb.psql, "show version", "pgbouncer") then
        return shell.write(pb.folder .. "/port", tostring(pb.port))
      end
      shell.sleep(0.02)
    end
    if attempt == 20 then error("PgBouncer does not start:\n" .. text .. (shell.read(pb.folder .. "/log") or ""), 3) end
    if not shell.exists(pb.folder .. "/port") then pb.port = nil end
  end
end

local function make_bouncer(folder, pg)
  local pb = { host = "127.0.0.1", user = "weft", pg = pg, folder = folder }
  must("mkdir -p " .. quote(folder))
  if as_root then must("chown postgres " .. quote(folder)) end
  pb.port = tonumber(shell.read(folder .. "/port") or "")
  pb.url = url_function(pb, "postgres")
  pb.psql = psql_function(pb, "postgres")
  function pb.pid() return server_pid(folder .. "/pgbouncer.pid", folder) end
  function pb.running() return pb.pid() ~= nil end
  function pb.kill()
    local pid = pb.pid()
    if pid then finish(pid, "KILL") end
    run("rm -f " .. quote(folder .. "/pgbouncer.pid"))
  end
  function pb.stop()
    local pid = pb.pid()
    if pid then finish(pid, "TERM") end
  end
  function pb.start()
    if pb.running() then return end
    run("rm -f " .. quote(folder .. "/pgbouncer.pid"))
    start_bouncer(pb)
  end
  return pb
end

---A PgBouncer in front of this run's PostgreSQL: host, port, user, pg, and url, psql (console: database
---"pgbouncer"), pid, running, stop, kill, start.
function servers.pgbouncer()
  local pg = servers.postgres()
  return running("pgbouncer", function(folder) return make_bouncer(folder, pg) end)
end

-- MariaDB -------------------------------------------------------------------------------------

---A MariaDB server of this run: host, port, user, data, socket, ca, and url, sql, create_database, drop_database,
---pid, running, stop, kill, start.
---@param options? { name?: string, ssl?: boolean } another name is another server
function servers.mysql(options)
  options = options or {}
  local name = options.name or (options.ssl and "mysql-tls" or "mysql")
  local ground = { place = place, server_pid = server_pid, finish = finish, encode = encode, users = servers.users }
  return running(name, function(folder)
    return require "spec.support.servers_mysql"(ground, folder, options.ssl or false)
  end)
end

-- Proxy ---------------------------------------------------------------------------------------

---A TCP proxy in front of a server: host, port, and cut, pause, resume, mute, refuse, delay(ms), count,
---close. Each returns when it holds. It ends with the process that started it.
---@param target { host: string, port: integer }
---@param delay? integer milliseconds in each direction
function servers.proxy(target, delay)
  local program = (os.getenv("WEFT_SPEC_BUILD") or root .. "/build/release") .. "/spec/proxy"
  local fifo = os.tmpname()
  must(("rm -f %s && mkfifo -m 600 %s"):format(quote(fifo), quote(fifo)))
  local input = assert(io.popen(("exec %s 0 %s %d %d >%s"):format(
    quote(program), target.host, target.port, delay or 0, quote(fifo)), "w"))
  local output = assert(io.open(fifo, "r"))
  os.remove(fifo)
  local port = tonumber(output:read("l") or "")
  if not port then error("the proxy does not start", 2) end

  local proxy = { host = "127.0.0.1", port = port, user = target.user }
  proxy.url = url_function(proxy, "postgres")
  local function command(text)
    input:write(text, "\n")
    input:flush()
    return (assert(output:read("l"), "the proxy has ended"))
  end
  for _, word in ipairs { "cut", "pause", "resume", "mute", "refuse" } do
    proxy[word] = function() assert(command(word) == "ok") end
  end
  function proxy.delay(ms) assert(command("delay " .. ms) == "ok") end

  ---@return integer open, integer accepted, integer bytes connections now and ever, bytes that clients sent
  function proxy.count()
    local open, accepted, bytes = command("count"):match("(%d+) (%d+) (%d+)")
    return tonumber(open), tonumber(accepted), tonumber(bytes)
  end

  function proxy.close()
    if input then
      input:write("quit\n")
      input:close()
      output:close()
      input = nil
    end
  end
  return proxy
end

return servers
