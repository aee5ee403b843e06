-- SPDX-License-Identifier: MIT
-- Behind PgBouncer in transaction mode with prepare = false: each transaction may run on another server
-- connection, so that nothing may be left in a session.

local weft = require "weft"
local backends = require "spec.support.backends"
local servers = require "spec.support.servers"
local raises = require "spec.support.raises"

describe("behind PgBouncer in transaction mode", function()
  local db, T
  local count = 0

  before_each(function()
    local bouncer = servers.pgbouncer()
    local database = backends.postgres.url([[create table t (id integer primary key, n integer, body text, attrs jsonb);
      insert into t select i, i, 'row ' || i, jsonb_build_object('i', i) from generate_series(1, 200) i]]):match("/([^/]*)$")
    count = count + 1
    local name = "bounced_" .. count
    weft.configure { databases = { [name] = { url = bouncer.url(database), prepare = false, pool = { max = 6, wait = 30 } } } }
    db = weft.database(name)
    T = weft.models(name).t
  end)
  after_each(function()
    db:close()
    weft.sleep(0)
  end)

  it("queries and writes answer as ever", function()
    assert.same({ { 1, 2 } }, db:rows("select ?::int, ?::int", 1, 2))
    assert.equal(5, T:find(5).n)
    assert.equal(7, T:where { id = 7 }:first().attrs.i)
    assert.equal(3, #T:where { id = { 1, 2, 3 } }:all())
    assert.equal(1, T:where { id = 1 }:update { n = 1000 })
    assert.equal("new", T:create { id = 500, n = 1, body = "new" }.body)
    assert.equal(100, #T:create_many((function()
      local rows = {}
      for i = 1, 100 do rows[i] = { id = 600 + i, n = i } end
      return rows
    end)()))
    assert.equal(1, T:where { id = 500 }:delete())
    assert.equal(300, T:count())
    raises("unique", function() T:create { id = 1 } end)
    raises("syntax", function() db:query "selec 1" end)
    assert.equal(300, T:count())
  end)

  it("500 tasks each get their own answer", function()
    local good, odd = 0, {}
    T:find(1)
    weft.run(function()
      for i = 1, 500 do
        weft.spawn(function()
          local id = i % 200 + 1
          local ok, err = pcall(function()
            if i % 4 == 0 then assert(T:find(id).body == "row " .. id)
            elseif i % 4 == 1 then assert(T:batch(false):select("body"):where { id = id }:all()[1].body == "row " .. id)
            elseif i % 4 == 2 then assert(db:query("select body from t where id = ?", id)[1].body == "row " .. id)
            else assert(db:execute("update t set n = n where id = ?", id).affected == 1) end
          end)
          if ok then good = good + 1 else odd[#odd + 1] = tostring(err) end
        end)
      end
    end)
    assert.same({}, odd)
    assert.equal(500, good)
    assert.is_true(db:stats().open <= 6)
  end)

  it("transactions hold together, with savepoints, beside each other", function()
    weft.run(function()
      for i = 1, 60 do
        weft.spawn(function()
          weft.try(db.transaction, db, function(tx)
            tx:execute("update t set n = n + 1 where id = ?", i)
            pcall(db.transaction, db, function()
              tx:execute("update t set n = -1 where id = ?", i)
              error "back"
            end)
            weft.sleep(0)
            tx:execute("update t set n = n + 1 where id = ?", i)
            if i % 3 == 0 then tx:rollback() end
          end)
        end)
      end
    end)
    for i = 1, 60 do assert.equal(i % 3 == 0 and i or i + 2, T:find(i).n) end
  end)

  it("a failing statement fails alone, and its connection goes on", function()
    local failed, fine = 0, 0
    weft.run(function()
      for i = 1, 100 do
        weft.spawn(function()
          local rows, err = weft.try(db.query, db, "select 10 / ?::int as v", i % 5)
          if rows then fine = fine + 1
          else
            assert(err.code == "22012", tostring(err))
            failed = failed + 1
          end
        end)
      end
    end)
    assert.equal(20, failed)
    assert.equal(80, fine)
  end)

  it("deadlines leave it usable", function()
    for _ = 1, 3 do
      raises("timeout", function() weft.timeout(0.05, function() db:query "select pg_sleep(20)" end) end)
    end
    weft.run(function()
      for i = 1, 20 do weft.spawn(function() assert(T:find(i).n == i) end) end
    end)
    assert.equal(200, T:count())
  end)

  it("a transaction's isolation and read_only are its own", function()
    db:transaction(function(tx)
      assert.equal("serializable", tx:query("show transaction_isolation")[1].transaction_isolation)
      assert.equal("on", tx:query("show transaction_read_only")[1].transaction_read_only)
    end, { isolation = "serializable", read_only = true })
    assert.equal("read committed", db:query("show transaction_isolation")[1].transaction_isolation)
    assert.equal(1, db:execute("update t set n = n where id = 1").affected)
  end)
end)
