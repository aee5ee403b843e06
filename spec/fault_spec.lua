-- SPDX-License-Identifier: MIT
-- Faults: the server is killed, the socket is cut, the disk is full, nobody is there. What was acknowledged
-- is there once, what failed is absent, and what cannot be known is said to be unknown.

local weft = require "weft"
local backends = require "spec.support.backends"
local servers = require "spec.support.servers"
local shell = require "spec.support.shell"
local clock = require "spec.support.clock"
local gap = require "spec.support.gap"
local raises = require "spec.support.raises"

local configured, close = require "spec.support.configured" "fault_spec"
after_each(close)

describe("a server that is killed amid writes", function()
  it("leaves every id acknowledged and there once, or failed and absent, or reported as unknown", function()
    local rounds = (os.getenv "CI" or os.getenv "WEFT_SPEC_MODE" ~= "release") and 30 or 200
    local pg = servers.postgres { name = "postgres-killed" }
    local database = pg.create_database()
    pg.psql("create table ids (id integer, part integer)", database)
    local db = configured(pg.url(database), { pool = { max = 4, wait = 20 }, connect_timeout = 10 })

    local next_id, acked, failed, unknown = 0, {}, {}, {}
    local n = { acked = 0, failed = 0, unknown = 0 }
    local odd = {}
    local running = true

    local ways = {
      function(id) db:execute("insert into ids values (?, 1)", id) end,
      function(id)
        db:transaction(function(tx)
          tx:execute("insert into ids values (?, 1)", id)
          tx:execute("insert into ids values (?, 2)", id)
        end)
      end,
      function(id) -- a failure that is swallowed in a savepoint
        db:transaction(function(tx)
          tx:execute("insert into ids values (?, 1)", id)
          pcall(db.transaction, db, function() tx:execute("insert into ids values (?, 3)", id) error "back" end)
        end)
      end,
      function(id) -- retried whole, never twice
        db:transaction(function(tx) tx:execute("insert into ids values (?, 1)", id) end, { retries = 2 })
      end,
    }

    local function writer()
      while running do
        next_id = next_id + 1
        local id = next_id
        local ok, err = pcall(ways[id % #ways + 1], id)
        if ok then
          acked[id] = true
          n.acked = n.acked + 1
        elseif type(err) ~= "table" or not err.kind then
          odd[#odd + 1] = tostring(err)
        elseif err.outcome_unknown then
          unknown[id] = true
          n.unknown = n.unknown + 1
        else
          failed[id] = true
          n.failed = n.failed + 1
          if err.kind ~= "disconnect" and err.kind ~= "connect" and err.kind ~= "pool_timeout" then
            odd[#odd + 1] = tostring(err)
          end
          weft.sleep(0.002)
        end
      end
    end

    ---Kills the server and its sessions a few milliseconds from now, while the loop goes on.
    local function kill_soon(seconds)
      local pid = pg.pid()
      local children = shell.read(("/proc/%s/task/%s/children"):format(pid, pid)) or ""
      os.execute(("(sleep %.4f; kill -KILL %s %s) >/dev/null 2>&1 &"):format(seconds, pid, children))
      return pid
    end

    local function kill_round(round)
      local before, limit = n.acked, clock() + 10
      while n.acked < before + 5 and clock() < limit do weft.sleep(0.002) end
      local pid = kill_soon(round * 7 % 11 / 1000)
      while shell.process(pid) do weft.sleep(0.002) end
      -- Until process 1 has buried it, its number would look like a running server to the next one.
      shell.run(("rm -f %s %s/.s.PGSQL.*"):format(shell.quote(pg.data .. "/postmaster.pid"), shell.quote(pg.folder)))
      if round % 4 == 0 then weft.sleep(0.02) end -- some find nobody there
      pg.start()
    end

    local start = clock()
    weft.run(function()
      for _ = 1, 8 do weft.spawn(writer) end
      local ok, err
      for round = 1, rounds do
        ok, err = pcall(kill_round, round)
        if not ok then break end
      end
      running = false
      if not ok then error(err, 0) end
    end)
    local took = clock() - start

    assert.same({}, odd)
    local there = {}
    for line in pg.psql("select id || ' ' || part || ' ' || count(*) from ids group by id, part", database):gmatch("[^\n]+") do
      local id, part, times = line:match("^(%d+) (%d+) (%d+)$")
      id = tonumber(id)
      assert.equal("1", times, "id " .. id .. " is there more than once")
      assert.is_not.equal("3", part)
      there[id] = (there[id] or 0) + 1
    end
    local wrong = {}
    for id = 1, next_id do
      local parts = ways[id % #ways + 1] == ways[2] and 2 or 1
      local have = there[id] or 0
      if have ~= 0 and have ~= parts then wrong[#wrong + 1] = id .. " is there by half" end
      if acked[id] and have ~= parts then wrong[#wrong + 1] = id .. " was acknowledged and is absent" end
      if failed[id] and have ~= 0 then wrong[#wrong + 1] = id .. " failed and is there" end
      if not acked[id] and not failed[id] and not unknown[id] then wrong[#wrong + 1] = id .. " has no outcome" end
    end
    local present = 0
    for id in pairs(unknown) do if there[id] then present = present + 1 end end
    print(("# %d kills in %.0f s: %d acknowledged, %d failed, %d unknown (%d of them there)")
      :format(rounds, took, n.acked, n.failed, n.unknown, present))
    assert.same({}, wrong)
    assert.is_true(n.acked >= rounds * 5)
    pg.kill()
  end)
end)

describe("a socket that is cut", function()
  local pg, proxy, db, T, database
  before_each(function()
    pg = servers.postgres()
    proxy = servers.proxy(pg)
    database = backends.postgres.url([[create table t (id integer primary key, n integer);
      insert into t values (1, 10), (2, 20)]]):match("/([^/]*)$")
    local name
    db, name = configured(proxy.url(database), { pool = { max = 2, wait = 10 } })
    T = weft.models(name).t
    T:find(1)
    db:execute "update t set n = n"
  end)
  after_each(function() proxy.close() end)

  ---Runs fn in a task, cuts every connection while the server's answers are dropped, lets new ones in.
  local function cut_during(fn, how)
    return weft.run(function()
      if how then proxy[how]() end
      local task = weft.spawn(function() return table.pack(pcall(fn)) end)
      weft.sleep(0.03)
      proxy.cut()
      proxy.resume()
      local r = task:await()
      if not r[1] then error(r[2], 0) end
      return table.unpack(r, 2, r.n)
    end)
  end
  local function numbers()
    return pg.psql("select string_agg(id || ':' || n, ' ' order by id) from t", database)
  end

  for _, how in ipairs { "mute", "pause" } do
    it("in the middle of reads replays them once, and the answers are right (" .. how .. ")", function()
      assert.equal(10, cut_during(function() return T:batch(false):find(1).n end, how))
      assert.is_true(db:stats().replayed >= 1)
      assert.equal(20, cut_during(function() return T:where { id = 2 }:all()[1].n end, how))
    end)

    it("in the middle of a write: outcome_unknown (" .. how .. ")", function()
      local err = raises("disconnect", function()
        cut_during(function() db:execute "update t set n = n + 1 where id = 1" end, how)
      end)
      assert.is_true(err.outcome_unknown)
      assert.is_false(err.retryable)
      assert.equal(how == "mute" and "1:11 2:20" or "1:10 2:20", numbers())
      db:execute "update t set n = n"
      err = raises("disconnect", function()
        cut_during(function() T:where { id = 2 }:update { n = 21 } end, how)
      end)
      assert.is_true(err.outcome_unknown)
      assert.equal(1, db:execute("update t set n = 0 where id = 1").affected)
    end)

    it("in the middle of a transaction: disconnect, and nothing of it is there (" .. how .. ")", function()
      local committed = false
      local err = raises("disconnect", function()
        cut_during(function()
          db:transaction(function(tx)
            tx:after_commit(function() committed = true end)
            tx:execute "update t set n = 1"
            proxy[how]()
            tx:execute "update t set n = 2"
          end)
        end)
      end)
      assert.is_false(err.outcome_unknown)
      assert.is_false(committed)
      assert.equal("1:10 2:20", numbers())
    end)

    it("during COMMIT: outcome_unknown (" .. how .. ")", function()
      local committed = false
      local err = raises("disconnect", function()
        weft.run(function()
          local task = weft.spawn(function()
            db:transaction(function(tx)
              tx:after_commit(function() committed = true end)
              tx:execute "update t set n = 1"
              proxy[how]()
            end)
          end)
          weft.sleep(0.05)
          proxy.cut()
          proxy.resume()
          task:await()
        end)
      end)
      assert.is_true(err.outcome_unknown)
      assert.is_false(err.retryable)
      assert.is_false(committed)
      assert.equal(how == "mute" and "1:1 2:1" or "1:10 2:20", numbers())
      assert.equal(2, #T:all())
    end)
  end

  it("while idle is not noticed by who comes next", function()
    proxy.cut()
    assert.equal(10, T:find(1).n)
    proxy.cut()
    weft.sleep(0.01)
    assert.equal(1, db:execute("update t set n = 5 where id = 1").affected)
  end)

  it("twice in the middle of one read fails it, after one replay", function()
    weft.run(function()
      proxy.mute()
      local task = weft.spawn(function() return T:batch(false):find(1) end)
      for _ = 1, 40 do
        weft.sleep(0.01)
        proxy.cut()
        if task:done() then break end
      end
      proxy.resume()
      local ok, err = pcall(task.await, task)
      assert.is_false(ok)
      assert.is_true(err.kind == "disconnect" or err.kind == "connect", tostring(err))
      assert.is_false(err.outcome_unknown)
    end)
  end)

  it("with many statements on it answers or fails every one", function()
    local good, bad, odd = 0, 0, {}
    weft.run(function()
      for i = 1, 200 do
        weft.spawn(function()
          weft.sleep(i * 0.0005)
          local ok, err = pcall(function()
            if i % 3 == 0 then return db:execute("update t set n = n where id = 1") end
            return T:batch(false):find(1)
          end)
          if ok then good = good + 1
          elseif err.kind == "disconnect" or err.kind == "connect" then bad = bad + 1
          else odd[#odd + 1] = tostring(err) end
        end)
      end
      for _ = 1, 5 do
        weft.sleep(0.015)
        proxy.cut()
      end
    end)
    assert.same({}, odd)
    assert.equal(200, good + bad)
    assert.is_true(good > 20, good .. " answered")
    assert.equal(10, T:find(1).n)
  end)
end)

describe("a database that cannot be reached", function()
  local function take(fn)
    local start = clock()
    local ok, err = pcall(fn)
    assert.is_false(ok, "it was reached")
    return err, clock() - start
  end
  ---Inside a task and at top level: the kind, and at most so many seconds.
  local function fails(kind, url, seconds, options)
    for _, around in ipairs { function(fn) return fn() end, weft.run } do
      local db = configured(url, options)
      local err, took = take(function() around(function() db:query "select 1" end) end)
      assert.equal(kind, err.kind, tostring(err))
      assert.is_true(took < seconds, ("took %.2f s"):format(took))
      assert.is_false(err.outcome_unknown)
      assert.is_nil(tostring(err):find("s3cret", 1, true))
      assert.is_nil(tostring(err):find("hunter2", 1, true))
    end
  end
  local pg
  before_each(function() pg = servers.postgres() end)

  it("because nobody listens: connect, at once", function()
    fails("connect", ("postgres://weft:hunter2@127.0.0.1:%d/postgres"):format(shell.free_port()), 3)
  end)

  it("because nobody answers: connect, after connect_timeout", function()
    local proxy = servers.proxy(pg)
    proxy.pause()
    fails("connect", proxy.url("postgres", { password = "hunter2" }), 2, { connect_timeout = 0.2 })
    proxy.close()
  end)

  it("because its address leads nowhere: connect, after connect_timeout", function()
    fails("connect", "postgres://weft:hunter2@192.0.2.1:5432/postgres", 2, { connect_timeout = 0.2 })
  end)

  it("because its name does not resolve: connect, and the loop goes on meanwhile", function()
    local db = configured("postgres://weft:hunter2@no-such-host.invalid:5432/postgres", { connect_timeout = 3 })
    local longest = gap(0.2, function()
      local err = take(function() db:query "select 1" end)
      assert.equal("connect", err.kind, tostring(err))
      assert.is_nil(tostring(err):find("hunter2", 1, true))
    end)
    assert.is_true(longest < 0.2, "gap " .. longest)
  end)

  it("because the password is wrong: auth, and the password is nowhere in it", function()
    for _, way in ipairs { "scram", "md5", "password" } do
      local user = servers.users[way]
      fails("auth", pg.url("postgres", { user = user.name, password = "hunter2" }), 2)
      local db = configured(pg.url("postgres", { user = user.name, password = user.password }))
      assert.equal(user.name, db:query("select current_user::text as me")[1].me)
    end
  end)

  it("because there is no such user: auth", function()
    fails("auth", pg.url("postgres", { user = "weft_nobody" }), 2)
  end)

  it("because there is no such database", function()
    for _, around in ipairs { function(fn) return fn() end, weft.run } do
      local db = configured(pg.url "no_such_database")
      local err, took = take(function() around(function() db:query "select 1" end) end)
      assert.is_true(err.kind == "connect" or err.kind == "not_found", tostring(err))
      assert.equal("3D000", err.code)
      assert.is_truthy(err.message:find("no_such_database", 1, true))
      assert.is_true(took < 2)
    end
  end)

  it("comes back when the server does", function()
    local proxy = servers.proxy(pg)
    local port = proxy.port
    local db = configured(proxy.url "postgres")
    proxy.refuse()
    raises("connect", function() db:query "select 1" end)
    raises("connect", function() db:query "select 1" end)
    proxy.resume()
    assert.equal(port, proxy.port)
    local ok
    for _ = 1, 100 do
      ok = pcall(db.query, db, "select 1")
      if ok then break end
      weft.sleep(0.05)
    end
    assert.is_true(ok)
    proxy.close()
  end)

  it("because its url is wrong: usage, which shows no password", function()
    for _, url in ipairs { "", "x", "postgres", "postgress://weft:hunter2@h/db", "postgres://weft:hunter2@h:99999/db",
      "postgres://weft:hunter2@h:port/db", "postgres://weft:hunter2@h/db?sslmod=require", "postgres://weft:hunter2@h/db?ssl=maybe",
      "postgres://weft:hunter2%zz@h/db", "postgres://weft:hunter2@[::1/db", "postgres://weft:hunter2@a,b/db",
      "postgres://weft:hunter2\0@h/db", "sqlite", "mysql", "foo:bar", "sqlite:x?mod=ro",
    } do
      local ok, err = pcall(function() configured(url):ping() end)
      assert.is_false(ok, url)
      assert.equal("usage", type(err) == "table" and err.kind, ("%q: %s"):format(url, tostring(err)))
      assert.is_nil(tostring(err):find("hunter2", 1, true), tostring(err))
    end
    raises("usage", function() weft.database "nobody_configured_this" end, "unknown database")
    raises("usage", function() weft.configure { databases = { ["a b"] = "sqlite::memory:" } } end)
    raises("usage", function() weft.configure { database = {} } end, "did you mean 'databases'")
  end)
end)

describe("a full disk", function()
  it("fails the statement of SQLite, and nothing is lost but that", function()
    for _, url in ipairs { "sqlite::memory:", (backends["sqlite file"].url()) } do
      local db = configured(url, { pool = { max = 1 } })
      db:script "create table t (id integer primary key, body text); insert into t values (1, 'here')"
      local big = ("x"):rep(100000)
      db:session(function(s)
        local pages = s:query("pragma page_count")[1].page_count
        s:query(("pragma max_page_count = %d"):format(pages + 4))
        local ok, err = pcall(s.execute, s, "insert into t values (2, ?)", big)
        assert.is_false(ok)
        assert.is_truthy(err.message:find("full", 1, true), tostring(err))
        assert.is_false(err.outcome_unknown)
        assert.is_nil(tostring(err):find("xxxx", 1, true))
        assert.equal(1, s:query("select count(*) as n from t")[1].n)
        ok = pcall(s.transaction, s, function()
          s:execute "insert into t values (3, 'small')"
          s:execute("insert into t values (4, ?)", big)
        end)
        assert.is_false(ok)
        assert.same({ { 1, "here" } }, s:rows "select id, body from t")
        s:query "pragma max_page_count = 1000000"
      end)
      assert.equal(1, db:execute("insert into t values (5, ?)", big).affected)
      assert.equal(2, db:query("select count(*) as n from t")[1].n)
    end
  end)
end)
