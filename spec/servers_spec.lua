-- SPDX-License-Identifier: MIT
-- The servers that other specs lean on do what those specs take for granted.
-- alone: it kills them.

local servers = require "spec.support.servers"
local shell = require "spec.support.shell"
local recycle = require "spec.support.recycle"

local function ask(url, sql)
  local words = { "psql", "-X", "-q", "-A", "-t", "-c", sql or "select 1", url }
  return shell.run("PGCONNECT_TIMEOUT=5 " .. shell.words(words))
end

describe("the private PostgreSQL", function()
  it("compares text by bytes, speaks UTF-8 and knows ICU", function()
    local pg = servers.postgres()
    assert.equal("C.UTF-8|UTF8", pg.psql [[select datcollate, pg_encoding_to_char(encoding)
      from pg_database where datname = 'postgres']])
    assert.is_true(tonumber(pg.psql "select count(*) from pg_collation where collprovider = 'i'") > 10)
  end)

  it("keeps its port and what was committed when it is killed", function()
    local pg = servers.postgres()
    local database = recycle.take(pg)
    pg.psql("create table t (a int); insert into t values (1)", database)
    local port = pg.port
    for _ = 1, 3 do
      pg.kill()
      assert.is_false(pg.running())
      assert.is_false((ask(pg.url(database))))
      pg.start()
      assert.equal("1", pg.psql("select a from t", database))
    end
    pg.stop()
    pg.start()
    assert.equal(port, pg.port)
    recycle.give(pg, database)
  end)

  for _, kind in ipairs { "scram", "md5", "password" } do
    it("checks a password by " .. kind .. ", PgBouncer too", function()
      local user = servers.users[kind]
      for _, server in ipairs { servers.postgres(), servers.pgbouncer() } do
        assert.is_true((ask(server.url("postgres", { user = user.name, password = user.password }))))
        assert.is_false((ask(server.url("postgres", { user = user.name, password = "wrong" }))))
      end
    end)
  end

  it("offers TLS with a certificate of its own", function()
    local pg = servers.postgres { ssl = true }
    local url = pg.url("postgres", { query = "sslmode=verify-full&sslrootcert=" .. pg.ca })
    local ok, text = ask(url, "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
    assert.is_true(ok, text)
    assert.equal("t\n", text)
    pg.stop()
  end)

  it("hands out an emptied database", function()
    local pg = servers.postgres()
    local database = recycle.take(pg)
    pg.psql("create table t (a int); create schema s; create type mood as enum ('calm')", database)
    recycle.give(pg, database)
    assert.equal(database, recycle.take(pg))
    assert.equal("0", pg.psql("select count(*) from pg_tables where schemaname !~ '^(pg_|information)'", database))
    assert.equal("0", pg.psql("select count(*) from pg_type where typname = 'mood'", database))
    recycle.give(pg, database)
  end)
end)

local function ask_mysql(my, user, more)
  local words = { "mariadb", "--no-defaults", "-N", "-B", "-h", my.host, "-P", my.port, "-u", user.name,
    "--connect-timeout=5", "-e", "show status like 'Ssl_version'", table.unpack(more or {}) }
  return shell.run("MYSQL_PWD=" .. shell.quote(user.password) .. " " .. shell.words(words))
end

describe("the private MariaDB", function()
  it("speaks UTF-8, compares text by bytes and keeps UTC", function()
    assert.equal("utf8mb4\tutf8mb4_nopad_bin\t+00:00",
      servers.mysql().sql "select @@character_set_server, @@collation_server, @@global.time_zone")
  end)

  it("keeps its port and what was committed when it is killed", function()
    local my = servers.mysql()
    local database, port = my.create_database(), my.port
    my.sql("create table t (a int); insert into t values (1)", database)
    for _, ending in ipairs { "kill", "kill", "stop" } do
      my[ending]()
      assert.is_false(my.running())
      assert.is_false((pcall(my.sql, "select 1")))
      my.start()
      assert.equal("1", my.sql("select a from t", database))
      assert.equal(port, my.port)
    end
    my.drop_database(database)
    assert.is_false((pcall(my.sql, "select 1", database)))
  end)

  it("listens on a socket, too", function()
    local my = servers.mysql()
    if my.socket then
      assert.equal("1\n", shell.must("mariadb --no-defaults -N -B -u weft -e 'select 1' -S " .. shell.quote(my.socket)))
    end
  end)

  it("checks passwords, and asks for TLS where it must", function()
    local users = servers.users.mysql
    local plain, tls = servers.mysql(), servers.mysql { ssl = true }
    local ca = { "--ssl-ca=" .. tls.ca, "--ssl-verify-server-cert" }
    assert.is_true((ask_mysql(plain, users.native)))
    assert.is_false((ask_mysql(plain, { name = users.native.name, password = "wrong" })))
    assert.is_false((ask_mysql(plain, users.tls)))
    local ok, text = ask_mysql(tls, users.tls, ca)
    assert.is_true(ok, text)
    assert.truthy(text:find("TLSv1", 1, true), text)
    tls.stop()
  end)
end)

describe("PgBouncer", function()
  it("shares sessions by transaction and comes back after a kill", function()
    local bouncer = servers.pgbouncer()
    assert.equal("7", bouncer.psql "select 7")
    assert.truthy(bouncer.psql("show pools", "pgbouncer"):find("transaction", 1, true))
    bouncer.kill()
    assert.is_false((ask(bouncer.url())))
    bouncer.start()
    assert.equal("8", bouncer.psql "select 8")
  end)
end)

describe("the proxy", function()
  it("refuses, cuts and lets through again", function()
    local proxy = servers.proxy(servers.postgres())
    assert.is_true((ask(proxy.url())))
    proxy.refuse()
    assert.is_false((ask(proxy.url())))
    proxy.resume()
    assert.is_true((ask(proxy.url())))
    proxy.mute()
    assert.is_false((ask(proxy.url(nil, { query = "connect_timeout=2" }))))
    proxy.resume()
    proxy.cut()
    local open, accepted, bytes = proxy.count()
    assert.equal(0, open)
    assert.equal(3, accepted)
    assert.is_true(bytes > 0)
    proxy.close()
  end)

  it("delays each direction", function()
    local proxy = servers.proxy(servers.postgres(), 40)
    local file = os.tmpname()
    shell.write(file, "\\timing on\nselect 1;\n")
    local text = shell.must("psql -X -f " .. shell.quote(file) .. " " .. shell.quote(proxy.url()))
    os.remove(file)
    local ms = tonumber(text:match("Time: ([%d.]+) ms"))
    assert.is_true(ms >= 79, text)
    proxy.close()
  end)
end)
