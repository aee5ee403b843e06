-- SPDX-License-Identifier: MIT
-- alone: it measures for how long nobody is held up.
-- The pool as a program sees it: how many connections, who waits for how long, in which order.

local weft = require "weft"
local backends = require "spec.support.backends"
local servers = require "spec.support.servers"
local clock = require "spec.support.clock"
local raises = require "spec.support.raises"

local function counts(db)
  local s = db:stats()
  return s.open, s.opened
end

backends.each(function(backend)
  local schema = "create table t (id integer primary key, n integer); insert into t values (1, 1), (2, 2), (3, 3)"

  describe("a pool", function()
    it("connects at the first use", function()
      local url = backend.url()
      weft.configure { databases = { lazy_one = url } }
      local db = weft.database "lazy_one"
      assert.same({ 0, 0 }, { counts(db) })
      assert.equal(db, weft.database "lazy_one")
      assert.is_true(db:ping())
      assert.equal(1, db:stats().open)
      db:close()
    end)

    it("keeps one connection for one task after another", function()
      local db = backend.open(schema, { pool = { max = 4 } })
      db:ping()
      db:ping()
      local before = db:stats().opened
      for _ = 1, 50 do db:query "select n from t" end
      assert.equal(before, db:stats().opened)
    end)

    it("opens at most max connections for 1,000 tasks, and none again", function()
      local db, name = backend.open(schema, { pool = { max = 4, wait = 60 } })
      local T = weft.models(name).t
      T:first()
      local most = 0
      local function load()
        weft.run(function()
          for i = 1, 1000 do
            weft.spawn(function()
              if i % 3 == 0 then T:find(i % 3 + 1)
              elseif i % 3 == 1 then db:query("select n from t where id = ?", i % 3 + 1)
              else db:execute("update t set n = n where id = ?", i % 3 + 1) end
              most = math.max(most, db:stats().open)
            end)
          end
        end)
      end
      load()
      local _, opened = counts(db)
      assert.is_true(most <= 4, "open at once: " .. most)
      assert.is_true(opened <= 5, "opened: " .. opened) -- one more: that of backend.open's script
      load()
      assert.is_true(db:stats().opened <= 5, "opened at last: " .. db:stats().opened)
      assert.equal(0, db:stats().inflight)
      assert.equal(0, db:stats().waiting)
    end)

    it("closes, once and for all", function()
      local db = backend.open(schema)
      db:query "select 1"
      db:close()
      db:close()
      raises("closed", function() db:query "select 1" end)
      raises("closed", function() db:transaction(function() db:execute "select 1" end) end)
    end)

    it("lets what runs end while it closes", function()
      local db = backend.open(schema, { pool = { max = 2 } })
      weft.run(function()
        local task = weft.spawn(function()
          return weft.try(db.query, db, backend.dialect == "postgres" and "select 1 as one, pg_sleep(0.02)"
            or "with recursive c(n) as (select 1 union all select n + 1 from c where n < 200000) select count(*) as one from c")
        end)
        weft.sleep(0.005)
        db:close()
        local rows, err = task:await()
        assert.is_true((rows and #rows == 1) or err.kind == "closed")
      end)
    end)

    it("answers who waits in its queue when it is closed", function()
      local db = backend.open(schema, { pool = { max = 1, wait = 20 } })
      weft.run(function()
        local holder = weft.spawn(function()
          pcall(db.transaction, db, function()
            db:execute "update t set n = 9"
            weft.sleep(0.05)
          end)
        end)
        weft.sleep(0.01)
        local waiter = weft.spawn(function() db:execute "update t set n = 10" end)
        weft.sleep(0.001)
        db:close()
        local ok, err = pcall(waiter.await, waiter) -- served in the time that running work has, or closed
        assert.is_true(ok or err.kind == "closed")
        holder:await()
      end)
    end)

    it("serves who waits in the order they came", function()
      local db = backend.open(schema, { pool = { max = 1, wait = 20 } })
      local order = {}
      weft.run(function()
        weft.spawn(function()
          db:transaction(function() db:execute "update t set n = 0" weft.sleep(0.01) end)
        end)
        weft.sleep(0.002)
        for i = 1, 20 do
          weft.spawn(function()
            db:execute("update t set n = ?", i)
            order[#order + 1] = i
          end)
        end
      end)
      local want = {}
      for i = 1, 20 do want[i] = i end
      assert.same(want, order)
      assert.equal(20, db:query("select n from t")[1].n)
    end)

    it("raises pool_timeout after pool.wait, and says what it waited for", function()
      local db = backend.open(schema, { pool = { max = 1, wait = 0.5 } })
      weft.run(function()
        local holder = weft.spawn(function()
          db:transaction(function() db:execute "update t set n = 0" weft.sleep(1.5) end)
        end)
        weft.sleep(0.01)
        local err = raises("pool_timeout", function() db:execute "update t set n = 5" end)
        assert.is_true(#err.message > 10)
        assert.is_false(err.outcome_unknown)
        holder:await()
      end)
      assert.equal(0, db:query("select n from t")[1].n)
      assert.equal(0, db:stats().waiting)
    end)

    it("gives up a place in the queue with its task", function()
      local db = backend.open(schema, { pool = { max = 1, wait = 20 } })
      weft.run(function()
        local holder = weft.spawn(function()
          db:transaction(function() db:execute "update t set n = 0" weft.sleep(0.05) end)
        end)
        weft.sleep(0.01)
        local waiter = weft.spawn(function() db:execute "update t set n = 5" end)
        weft.sleep(0.001)
        waiter:cancel()
        raises("cancelled", function() waiter:await() end)
        raises("timeout", function()
          weft.timeout(0.005, function() db:execute "update t set n = 6" end)
        end)
        holder:await()
      end)
      assert.equal(0, db:query("select n from t")[1].n)
    end)

    it("checks its options", function()
      local url = backend.url()
      for _, case in ipairs {
        { { max = 0 }, "max" }, { { max = "4" }, "max" }, { { max = 1.5 }, "max" }, { { maximum = 4 }, "max" },
        { { wait = "x" }, "wait" }, { 4, "pool" },
      } do
        raises("usage", function() weft.configure { databases = { bad = { url = url, pool = case[1] } } } end, case[2])
      end
    end)

    it("is told of by connect and disconnect events", function()
      local seen = { connect = 0, disconnect = 0 }
      local offs = {}
      for event in pairs(seen) do
        offs[#offs + 1] = weft.on(event, function() seen[event] = seen[event] + 1 end)
      end
      local db = backend.open(nil, { pool = { max = 1 } })
      db:query "select 1"
      db:close()
      for _, off in ipairs(offs) do off() end
      assert.equal(1, seen.connect)
      assert.is_true(seen.disconnect <= 1)
    end)
  end)
end)

describe("on postgres a pool", function()
  local backend = backends.postgres

  it("closes connections that were idle for long", function()
    local db = backend.open(nil, { pool = { max = 4, idle = 0.05 } })
    weft.run(function()
      local list = {}
      for i = 1, 4 do list[i] = function() db:query "select pg_sleep(0.02)" end end
      weft.all(list)
      assert.is_true(db:stats().open >= 2)
      weft.sleep(0.3)
    end)
    assert.equal(0, db:stats().open)
    assert.is_true(db:ping())
  end)

  it("replaces connections at the end of their lifetime", function()
    local db = backend.open(nil, { pool = { max = 1, lifetime = 0.05 } })
    local function pid() return db:query("select pg_backend_pid() as pid")[1].pid end
    weft.run(function()
      local first = pid()
      weft.sleep(0.2)
      assert.is_not.equal(first, pid())
    end)
  end)

  it("finds a connection that the server closed, without a failure", function()
    local db = backend.open("create table t (n integer)", { pool = { max = 1 } })
    local pid = db:query("select pg_backend_pid() as pid")[1].pid
    servers.postgres().psql(("select pg_terminate_backend(%d)"):format(pid))
    weft.sleep(0.02)
    assert.equal(1, db:execute("insert into t values (1)").affected)
    assert.equal(1, db:query("select count(*) as n from t")[1].n)
  end)

  it("never hands out a connection inside a transaction", function()
    local db = backend.open("create table t (n integer)", { pool = { max = 1 } })
    weft.run(function()
      for i = 1, 20 do
        local task = weft.spawn(function()
          db:transaction(function() db:execute("insert into t values (?)", i) weft.sleep(60) end)
        end)
        weft.sleep(0.002)
        task:cancel()
        pcall(task.await, task)
        assert.equal(0, db:query("select count(*) as n from t")[1].n)
        assert.is_true(db:query("select txid_current_if_assigned() is null as fresh")[1].fresh)
      end
    end)
    assert.equal(0, db:stats().leased)
  end)

  it("goes on with 500 finds beside three statements of two seconds, on four connections", function()
    local db, name = backend.open([[create table t (id integer primary key, n integer);
      insert into t select i, i from generate_series(1, 1000) i]], { pool = { max = 4, wait = 10 } })
    local T = weft.models(name).t
    T:find(1)
    local slowest, sum, sleepers = 0, 0, 0
    weft.run(function()
      for _ = 1, 3 do
        weft.spawn(function() db:query "select pg_sleep(2)" sleepers = sleepers + 1 end)
      end
      weft.sleep(0.02)
      for i = 1, 500 do
        weft.spawn(function()
          weft.sleep(i * 0.001)
          local start = clock()
          local row = T:batch(false):find(i)
          slowest = math.max(slowest, clock() - start)
          sum = sum + row.n
        end)
      end
    end)
    print(("# the slowest of 500 finds beside three pg_sleep(2): %.0f ms"):format(slowest * 1000))
    assert.equal(125250, sum)
    assert.equal(3, sleepers)
    -- 200 ms is the figure to hold; under the thread sanitizer no read is short enough to share.
    local bound = os.getenv "WEFT_SPEC_MODE" == "tsan" and 5 or 1
    assert.is_true(slowest < bound, ("slowest find: %.3f s"):format(slowest))
    assert.is_true(db:stats().open <= 4)
  end)
end)
