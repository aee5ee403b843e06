-- SPDX-License-Identifier: MIT
-- The servers that other specs lean on do what those specs take for granted.

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
