-- SPDX-License-Identifier: MIT
-- The private MariaDB of a run, see servers.lua, whose own tools it is given: `ground` has place, run_folder,
-- server_pid, finish, encode and users.

local shell = require "spec.support.shell"
local quote, run, must = shell.quote, shell.run, shell.must

local as_root = shell.is_root()

---A command line, run as the user who may own a server.
local function as_server(command)
  if not as_root then return "cd / && " .. command end
  return "cd / && runuser -u mysql -- sh -c " .. quote(command)
end

local function daemon()
  local found = must("command -v mariadbd || ls /usr/sbin/mariadbd")
  return (found:gsub("%s+$", ""))
end

-- Not durable against a power cut, but what was acknowledged survives kill(), which fault specs count on: so the
-- log is written, not synced, at each commit. Text compares by bytes, as the other databases of the specs do it.
local settings = { "--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve", "--max-connections=200",
  "--character-set-server=utf8mb4", "--collation-server=utf8mb4_nopad_bin", "--default-time-zone=+00:00",
  "--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0", "--innodb-flush-method=nosync",
  "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--innodb-use-native-aio=0", "--skip-sync-frm",
  "--innodb-buffer-pool-load-at-startup=0", "--innodb-buffer-pool-dump-at-shutdown=0", "--key-buffer-size=1M",
  "--aria-pagecache-buffer-size=1M", "--max-allowed-packet=256M", "--socket=../sock" }

local function accounts(users)
  local lines = { "flush privileges;", "delete from mysql.global_priv where User = '';",
    "create user weft@'%';", "grant all on *.* to weft@'%' with grant option;" }
  local function add(user, how)
    lines[#lines + 1] = ("create user %s@'%%' identified %s;"):format(user.name, how:format(user.password))
    lines[#lines + 1] = ("grant all on *.* to %s@'%%';"):format(user.name)
  end
  add(users.native, "by '%s'")
  add(users.tls, "by '%s' require ssl")
  lines[#lines + 1] = "flush privileges;"
  return table.concat(lines, "\n") .. "\n"
end

local function certificate(work)
  must(as_server("openssl " .. shell.words { "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650",
    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
    "-keyout", work .. "/server.key", "-out", work .. "/ca.crt" } .. " 2>/dev/null"))
end

---A data folder that is copied for each server: to make one takes seconds, a copy does not.
local function template(ground)
  local path = ground.place() .. "/template-mysql"
  if shell.exists(path .. "/done") then return path end
  local work = ("%s.%s"):format(path, shell.own_pid())
  local data = work .. "/data"
  must("rm -rf " .. quote(work) .. " && mkdir -p " .. quote(work))
  if as_root then must("chown mysql " .. quote(work)) end
  must(as_server(shell.words { "mariadb-install-db", "--no-defaults", "--datadir=" .. data, "--skip-test-db",
    "--auth-root-authentication-method=normal", "--skip-name-resolve", "--innodb-log-file-size=16M" }))
  local words = { daemon(), table.unpack(settings) }
  words[#words + 1] = "--datadir=" .. data
  words[#words + 1] = "--pid-file=" .. work .. "/mysqld.pid"
  words[#words + 1] = "--bootstrap"
  must(as_server(("printf %%s %s | %s"):format(quote(accounts(ground.users.mysql)), shell.words(words))))
  certificate(work)
  shell.write(work .. "/done", "")
  if not run(("mv -T %s %s"):format(quote(work), quote(path))) then run("rm -rf " .. quote(work)) end
  return path
end

local function url_function(my, encode)
  ---@param options? { user?: string, password?: string, host?: string, port?: integer, query?: string }
  return function(database, options)
    assert(database == nil or type(database) == "string", "url is called with a dot")
    options = options or {}
    local user = encode(options.user or my.user)
    if options.password then user = user .. ":" .. encode(options.password) end
    return ("mysql://%s@%s:%d/%s%s"):format(user, options.host or my.host, options.port or my.port,
      encode(database or ""), options.query and "?" .. options.query or "")
  end
end

---The database's own client; a script's results as lines, columns apart by tabs.
local function sql_function(my)
  return function(sql, database)
    assert(type(sql) == "string", "sql is called with a dot")
    local file = os.tmpname()
    shell.write(file, sql)
    local ok, text = run(shell.words { "mariadb", "--no-defaults", "--batch", "--raw", "--skip-column-names",
      "--default-character-set=utf8mb4", "-h", my.host, "-P", my.port, "-u", my.user, database or "mysql" }
      .. " <" .. quote(file))
    os.remove(file)
    if not ok then error("mariadb: " .. text, 2) end
    return (text:gsub("\n$", ""))
  end
end

local function command_line(my)
  local words = { daemon(), table.unpack(settings) }
  local function add(text) words[#words + 1] = text end
  add("--datadir=" .. my.data)
  add("--tmpdir=" .. my.data) -- servers of other runs name their files alike
  add("--port=" .. my.port)
  add("--pid-file=" .. my.folder .. "/mysqld.pid")
  add("--log-error=" .. my.folder .. "/log.err")
  if my.ssl then
    add("--ssl-cert=" .. my.ca)
    add("--ssl-key=" .. my.folder .. "/server.key")
  end
  return shell.words(words)
end

local function answers(my)
  return run(shell.words { "mariadb-admin", "--no-defaults", "-h", my.host, "-P", my.port, "-u", my.user, "ping" })
end

---Waits until it answers; false when it has ended.
local function await(my)
  for _ = 1, 3000 do
    if my.running() and answers(my) then return true end
    local log = shell.read(my.folder .. "/log.err") or ""
    if log:find("Aborting", 1, true) or log:find("Can't start server", 1, true)
      or log:find("Can't create", 1, true) then return false end
    shell.sleep(0.02)
  end
  return false
end

---Starts the server of a folder; a port that somebody took in between is no failure.
local function start(my)
  for attempt = 1, 20 do
    my.port = my.port or shell.free_port()
    run("rm -f " .. quote(my.folder .. "/log.err"))
    must(as_server("setsid " .. command_line(my) .. " >/dev/null 2>&1 </dev/null &"))
    if await(my) then return shell.write(my.folder .. "/port", tostring(my.port)) end
    local log = shell.read(my.folder .. "/log.err") or ""
    if attempt == 20 or not log:find("port", 1, true) then
      error("MariaDB does not start:\n" .. log:sub(-2000), 3)
    end
    if not shell.exists(my.folder .. "/port") then my.port = nil end
  end
end

local function add_life(my, ground)
  function my.pid() return ground.server_pid(my.folder .. "/mysqld.pid", my.folder) end
  function my.running() return my.pid() ~= nil end

  local function finish(signal)
    local pid = my.pid()
    if not pid then return end
    ground.finish(pid, signal)
    run("rm -f " .. quote(my.folder .. "/mysqld.pid"))
  end

  ---Ends it in order: sessions are cut off, data is complete.
  function my.stop() finish("TERM") end

  ---Ends the server and all its sessions by SIGKILL.
  function my.kill() finish("KILL") end

  ---Starts it (again), on the port it had.
  function my.start()
    if not my.running() then start(my) end
  end
end

local function add_databases(my)
  ---A new empty database; its name is returned.
  function my.create_database(wanted)
    my.made = (my.made or 0) + 1
    local database = wanted or ("spec_%s_%d"):format(shell.own_pid(), my.made)
    my.sql(("create database `%s`"):format(database))
    return database
  end

  function my.drop_database(...)
    local lines = {}
    for i, database in ipairs { ... } do lines[i] = ("drop database if exists `%s`;"):format(database) end
    my.sql(table.concat(lines, "\n"))
  end
end

---@param ground table what servers.lua lends
---@param folder string of this server
---@param ssl boolean
---@return table my host, port, user, data, socket (path, when short enough), ca, and url, sql, create_database, ...
return function(ground, folder, ssl)
  local from = template(ground)
  local my = { host = "127.0.0.1", user = "weft", folder = folder, data = folder .. "/data", ssl = ssl,
    socket = #folder < 90 and folder .. "/sock" or nil, ca = folder .. "/ca.crt" }
  if not shell.exists(folder .. "/done") then
    must(("rm -rf %s && cp -a %s %s"):format(quote(folder), quote(from), quote(folder)))
  end
  my.port = tonumber(shell.read(folder .. "/port") or "")
  my.url = url_function(my, ground.encode)
  my.sql = sql_function(my)
  add_life(my, ground)
  add_databases(my)
  return my
end
