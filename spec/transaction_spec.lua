-- SPDX-License-Identifier: MIT
-- Transactions: commit, rollback, savepoints, retries, and sessions. Their lineage is in lineage_spec.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local servers = require "spec.support.servers"
local table_of_numbers = require "spec.support.numbers"

backends.each(function(backend)
  local db, name

  before_each(function() db, name = backend.open(table_of_numbers.schema, { pool = { max = 4, wait = 2 } }) end)

  local insert, numbers = table_of_numbers.of(function() return db end)
  ---Calls fn at top level and inside a task.
  local function both(fn)
    fn()
    weft.run(fn)
  end

  describe("a transaction", function()
    it("commits on return and gives back all results", function()
      both(function()
        local r = table.pack(db:transaction(function(tx)
          insert(1)
          assert.equal(1, tx:execute("insert into t (n) values (2)").affected)
          assert.equal(2, tx:query("select n from t order by id desc")[1].n)
          assert.equal(1, tx:rows("select n from t order by id")[1][1])
          return 1, nil, "three", nil
        end))
        assert.same({ 1, nil, "three", nil, n = 4 }, r)
        assert.same({ 1, 2 }, numbers())
        db:execute "delete from t"
      end)
    end)

    it("rolls back on an error, which goes on as it is", function()
      both(function()
        local what = {}
        local ok, err = pcall(db.transaction, db, function() insert(1) error(what) end)
        assert.is_false(ok)
        assert.equal(what, err)
        assert.same({}, numbers())
      end)
    end)

    it("is left quietly by rollback, with its values", function()
      both(function()
        local r = table.pack(db:transaction(function(tx) insert(1) tx:rollback("a", nil) end))
        assert.same({ "a", nil, n = 2 }, r)
        assert.same({}, numbers())
      end)
    end)

    it("without a statement runs none", function()
      db:ping()
      local before = db:stats().statements
      assert.equal(5, db:transaction(function() return 5 end))
      assert.equal(before, db:stats().statements)
    end)

    it("holds the models that are used inside", function()
      local T = weft.models(name).t
      pcall(db.transaction, db, function()
        T:create { n = 5 }
        assert.equal(1, T:count())
        T:where { n = 5 }:update { n = 6 }
        assert.equal(6, T:first().n)
        error "no"
      end)
      assert.equal(0, T:count())
    end)

    it("ends with its object", function()
      local kept
      db:transaction(function(tx) kept = tx insert(1) end)
      raises("usage", function() kept:query "select 1" end, "has ended")
      raises("usage", function() kept:rollback() end, "has ended")
      raises("usage", function() kept:after_commit(function() end) end, "has ended")
    end)

    it("fails as a whole after a failed statement that was swallowed, where the database says so", function()
      local ok, err = pcall(db.transaction, db, function()
        insert(1)
        assert.is_false((pcall(db.execute, db, "insert into nowhere values (1)")))
        insert(2)
      end)
      if backend.dialect == "postgres" then
        assert.is_false(ok)
        assert.is_table(err)
        assert.same({}, numbers())
      else
        assert.same({ 1, 2 }, numbers())
      end
    end)

    it("that swallowed a failure and returns does not pretend to have committed", function()
      local ok = pcall(db.transaction, db, function()
        insert(1)
        pcall(db.execute, db, "insert into nowhere values (1)")
      end)
      assert.equal(ok and 1 or 0, #numbers())
      assert.equal(backend.dialect ~= "postgres", ok)
    end)

    it("checks what it is given", function()
      raises("usage", function() db:transaction(1) end, "takes a function")
      raises("usage", function() db:transaction(function() end, { retrys = 1 }) end, "did you mean 'retries'")
      raises("usage", function() db:transaction(function() end, { retries = -1 }) end, "retries")
      raises("usage", function() db:transaction(function() end, { read_only = "no" }) end, "read_only")
      raises("usage", function() db:transaction(function() end, { isolation = "serialisable" }) end, "isolation")
      raises("usage", function() db:transaction(function() end, 3) end, "table")
      raises("usage", function() db:execute "begin" end)
      raises("usage", function() db:execute "commit" end)
      raises("usage", function() db:transaction(function() db:execute "rollback" end) end)
      assert.same({}, numbers())
    end)

    it("leaves other databases alone", function()
      local other = backend.open(table_of_numbers.schema)
      pcall(db.transaction, db, function()
        insert(1)
        other:execute "insert into t (n) values (9)"
        error "no"
      end)
      assert.same({}, numbers())
      assert.equal(9, other:query("select n from t")[1].n)
    end)

    it("is isolated from the tasks beside it", function()
      if backend.memory then return end -- one connection: the others wait
      weft.run(function()
        local written, seen = false, false
        local inside = weft.spawn(function()
          db:transaction(function()
            insert(1)
            written = true
            while not seen do weft.sleep(0) end
          end)
        end)
        while not written do weft.sleep(0) end
        assert.same({}, numbers())
        seen = true
        inside:await()
        assert.same({ 1 }, numbers())
      end)
    end)

    it("is rolled back when its task is cancelled or out of time", function()
      weft.run(function()
        local task = weft.spawn(function()
          db:transaction(function() insert(1) weft.sleep(60) end)
        end)
        weft.sleep(0.01)
        task:cancel()
        raises("cancelled", function() task:await() end)
        raises("timeout", function()
          weft.timeout(0.02, function() db:transaction(function() insert(2) weft.sleep(60) end) end)
        end)
        assert.same({}, numbers())
      end)
      assert.equal(0, db:stats().leased)
    end)

    it("of a cancelled task never commits", function()
      weft.run(function()
        local task
        task = weft.spawn(function()
          db:transaction(function() insert(1) task:cancel() pcall(weft.sleep, 0) end)
        end)
        local ok = pcall(task.await, task)
        assert.equal(ok and 1 or 0, #numbers())
        assert.is_false(ok)
      end)
    end)

    it("works on max = 1, one after another", function()
      local one = backend.open(table_of_numbers.schema, { pool = { max = 1, wait = 5 } })
      weft.run(function()
        local list = {}
        for i = 1, 20 do
          list[i] = function()
            one:transaction(function(tx)
              local n = tx:query("select count(*) as n from t")[1].n
              weft.sleep(0)
              tx:execute("insert into t (n) values (?)", n)
            end)
          end
        end
        weft.all(list)
      end)
      assert.equal(190, one:query("select sum(n) as s from t")[1].s)
    end)

    it("that is read_only refuses to write", function()
      insert(1)
      local got = db:transaction(function(tx) return tx:query("select n from t")[1].n end, { read_only = true })
      assert.equal(1, got)
      assert.is_false((pcall(db.transaction, db, function() insert(2) end, { read_only = true })))
      assert.same({ 1 }, numbers())
      insert(3)
      assert.same({ 1, 3 }, numbers())
    end)
  end)

  describe("after_commit", function()
    it("is called in order once the outermost transaction has committed", function()
      local list = {}
      local function note(word) return function() list[#list + 1] = word end end
      db:transaction(function(tx)
        tx:after_commit(function() assert.equal(1, #numbers()) list[#list + 1] = "a" end)
        insert(1)
        db:transaction(function(inner) inner:after_commit(note "b") end)
        pcall(db.transaction, db, function(inner) inner:after_commit(note "never") error "x" end)
        db:transaction(function(inner) inner:after_commit(note "never") inner:rollback() end)
        tx:after_commit(note "c")
        assert.same({}, list)
      end)
      assert.same({ "a", "b", "c" }, list)
    end)

    it("is not called after a rollback", function()
      local called = false
      pcall(db.transaction, db, function(tx) tx:after_commit(function() called = true end) error "x" end)
      db:transaction(function(tx) tx:after_commit(function() called = true end) tx:rollback() end)
      assert.is_false(called)
    end)

    it("is called of all though one fails, whose error is raised when all is done", function()
      local list = {}
      local ok, err = pcall(db.transaction, db, function(tx)
        insert(1)
        for i = 1, 3 do
          tx:after_commit(function()
            list[i] = #numbers()
            if i < 3 then error("hook " .. i, 0) end
          end)
        end
      end)
      assert.same({ false, "hook 1" }, { ok, err })
      assert.same({ 1, 1, 1 }, list)
    end)
  end)

  if backend.dialect == "postgres" then
    it("a transaction takes statements whose work ends with it, and no others", function()
      local before = db:query("show work_mem")[1].work_mem
      local set, rows = db:transaction(function(tx)
        tx:execute "set local work_mem = '12MB'"
        tx:execute "declare c cursor for select g from generate_series(1, 10) g"
        tx:rows "fetch 3 from c"
        return tx:query("show work_mem")[1].work_mem, tx:rows "fetch 2 from c"
      end)
      assert.same({ "12MB", { { 4 }, { 5 } } }, { set, rows })
      assert.equal(before, db:query("show work_mem")[1].work_mem)
      for _, text in ipairs { "set work_mem = '12MB'", "commit", "savepoint a", "listen a" } do
        raises("usage", function() db:transaction(function() db:execute(text) end) end, "ends the transaction or changes more than it")
      end
      raises("usage", function() db:execute "set local work_mem = '12MB'" end, "use transaction")
    end)
  end

  describe("a nested transaction", function()
    it("is a savepoint", function()
      both(function()
        db:transaction(function(tx)
          insert(1)
          local ok = pcall(db.transaction, db, function() insert(2) error "x" end)
          assert.is_false(ok)
          assert.equal("r", db:transaction(function(inner) insert(3) inner:rollback "r" end))
          assert.equal("k", tx:transaction(function() insert(4) return "k" end))
          assert.same({ 1, 4 }, numbers())
        end)
        assert.same({ 1, 4 }, numbers())
        db:execute "delete from t"
      end)
    end)

    it("goes 20 deep, each level by itself", function()
      local function level(n)
        if n == 0 then return end
        db:transaction(function()
          insert(n)
          pcall(db.transaction, db, function() insert(-n) error "x" end)
          level(n - 1)
        end)
      end
      level(20)
      local want = {}
      for i = 1, 20 do want[i] = 21 - i end
      assert.same(want, numbers())
    end)

    it("survives a failed statement inside it", function()
      db:transaction(function()
        insert(1)
        local ok, err = pcall(db.transaction, db, function() insert(2) db:execute "insert into nowhere values (1)" end)
        assert.is_false(ok)
        assert.equal("syntax", err.kind)
        insert(3)
      end)
      assert.same({ 1, 3 }, numbers())
    end)

    it("whose outer one is rolled back is rolled back with it", function()
      db:transaction(function(tx)
        db:transaction(function() insert(1) end)
        tx:rollback()
      end)
      assert.same({}, numbers())
    end)

    it("can be left by the outer one's rollback", function()
      local got = db:transaction(function(tx)
        insert(1)
        db:transaction(function() insert(2) tx:rollback "inner" end)
        insert(3)
      end)
      assert.is_true(got == "inner" or got == nil)
      local n = numbers()
      assert.is_true(#n == 0 or (n[1] == 1 and n[2] == 3))
    end)

    it("takes no isolation or retries of its own", function()
      raises("usage", function()
        db:transaction(function() db:transaction(function() end, { retries = 1 }) end)
      end, "outermost")
      raises("usage", function()
        db:transaction(function() db:transaction(function() end, { isolation = "serializable" }) end)
      end, "outermost")
    end)
  end)

  describe("lock", function()
    it("is for transactions only", function()
      local T = weft.models(name).t
      insert(1)
      raises("usage", function() T:lock("update"):all() end, "transaction")
      assert.equal(1, db:transaction(function() return T:lock("update"):first().n end))
    end)

    it("keeps a counter right", function()
      local T = weft.models(name).t
      insert(0)
      local list = {}
      for i = 1, 10 do
        list[i] = function()
          db:transaction(function()
            local row = T:lock("update"):first()
            weft.sleep(0.001)
            T:where { id = row.id }:update { n = row.n + 1 }
          end)
        end
      end
      weft.run(function() weft.all(list) end)
      assert.equal(10, T:first().n)
    end)
  end)

  describe("a session", function()
    it("has transactions, and savepoints inside of them", function()
      db:session(function(session)
        session:transaction(function()
          insert(1)
          assert.is_false((pcall(session.transaction, session, function() insert(2) error "no" end)))
          session:transaction(function() insert(3) end)
        end)
        assert.is_false((pcall(session.transaction, session, function()
          session:transaction(function() insert(4) end)
          error "no"
        end)))
      end)
      assert.same({ 1, 3 }, numbers())
    end)

    it("lends one connection and returns the function's results", function()
      local r = table.pack(db:session(function(s) return s:query("select 1 as one")[1].one, nil, 2 end))
      assert.same({ 1, nil, 2, n = 3 }, r)
      local ok, err = pcall(db.session, db, function() error("e", 0) end)
      assert.is_false(ok)
      assert.equal("e", err)
    end)

    it("lets the connection's state be changed, and takes it back", function()
      if backend.dialect == "postgres" then
        db:session(function(s)
          s:execute "set search_path = pg_catalog"
          s:execute "set statement_timeout = '17s'"
          assert.equal("17s", s:query("show statement_timeout")[1].statement_timeout)
          s:execute "create temp table mine (n integer)"
        end)
        for _ = 1, 8 do
          assert.equal("0", db:query("show statement_timeout")[1].statement_timeout)
        end
        assert.is_false((pcall(db.query, db, "select * from mine")))
      elseif backend.dialect == "mysql" then
        db:session(function(s)
          s:execute "set sql_mode = '', @mine = 1"
          s:execute "create temporary table mine (n integer)"
          assert.equal(1, s:query("select @mine as m")[1].m)
        end)
        for _ = 1, 8 do
          local row = db:query("select @mine as m, @@sql_mode as mode")[1]
          assert.is_nil(row.m)
          assert.truthy(row.mode:find("STRICT", 1, true))
        end
        assert.is_false((pcall(db.query, db, "select * from mine")))
      else
        db:session(function(s)
          s:execute "create temp table mine (n integer)"
          s:execute "pragma foreign_keys = off"
        end)
        assert.equal(1, db:query("pragma foreign_keys")[1].foreign_keys)
      end
    end)

    it("rolls back what its function left open", function()
      db:session(function(s)
        s:execute "begin"
        s:execute "insert into t (n) values (1)"
      end)
      assert.same({}, numbers())
      db:session(function(s)
        s:execute "begin"
        s:execute "insert into t (n) values (2)"
        s:execute "commit"
      end)
      assert.same({ 2 }, numbers())
    end)

    it("holds a transaction", function()
      db:session(function(s)
        s:transaction(function() insert(1) end)
        pcall(s.transaction, s, function() insert(2) error "x" end)
      end)
      assert.same({ 1 }, numbers())
    end)

    it("is refused inside a transaction of the database", function()
      raises("usage", function() db:transaction(function() db:session(function() end) end) end)
    end)
  end)

  describe("a script", function()
    it("runs many statements, stops at the first failure, and leaves no transaction behind", function()
      db:script "insert into t (n) values (1); insert into t (n) values (2);"
      assert.same({ 1, 2 }, numbers())
      assert.is_false((pcall(db.script, db, "begin; insert into t (n) values (3); insert into nowhere values (1); commit")))
      assert.same({ 1, 2 }, numbers())
      raises("usage", function() db:script "begin; insert into t (n) values (4);" end)
      assert.same({ 1, 2 }, numbers())
      insert(5)
      assert.same({ 1, 2, 5 }, numbers())
    end)
  end)
end)

describe("on postgres", function()
  local backend = backends.postgres
  local db
  local _, numbers = table_of_numbers.of(function() return db end)
  before_each(function()
    db = backend.open([[create table t (id integer primary key, n integer);
      insert into t values (1, 10), (2, 20)]], { pool = { max = 4 } })
  end)

  it("isolation is what was asked for", function()
    for _, level in ipairs { "read committed", "repeatable read", "serializable", "read uncommitted" } do
      assert.equal(level, db:transaction(function(tx)
        return tx:query("show transaction_isolation")[1].transaction_isolation
      end, { isolation = level }))
    end
    assert.equal("on", db:transaction(function(tx)
      return tx:query("show transaction_read_only")[1].transaction_read_only
    end, { read_only = true, isolation = "serializable" }))
  end)

  it("a permission that is missing fails a savepoint, and does not lose the connection", function()
    db:transaction(function(tx)
      tx:execute "insert into t values (3, 30)"
      local err = raises("auth", function()
        tx:transaction(function(inner)
          inner:rows "select set_config('role', 'pg_monitor', true)"
          inner:rows "select * from t"
        end)
      end)
      assert.equal("42501", err.code)
      tx:execute "update t set n = 31 where id = 3"
    end)
    assert.equal(31, db:rows("select n from t where id = 3")[1][1])
  end)

  it("a password that is wrong loses the transaction", function()
    local user = servers.users.scram
    weft.configure { databases = { spec_wrong = servers.postgres().url(nil, { user = user.name, password = "wrong" }) } }
    local wrong = weft.database "spec_wrong"
    finally(function() wrong:close() end)
    raises("auth", function()
      wrong:transaction(function(tx)
        raises("auth", function() tx:rows "select 1" end)
        raises("auth", function() tx:rows "select 1" end, "was lost")
      end)
    end, "was lost")
  end)

  ---Two transactions that each read everything and write one row: only one may commit.
  local function conflict(options)
    local runs, met = 0, 0
    local function one(id)
      return function()
        return weft.try(db.transaction, db, function(tx)
          runs = runs + 1
          tx:query "select sum(n) from t"
          met = met + 1
          while met < 2 do weft.sleep(0.001) end
          tx:execute("update t set n = (select sum(n) from t) where id = ?", id)
          return true
        end, options)
      end
    end
    local errors = {}
    local function watch(fn)
      return function()
        local ok, err = fn()
        if not ok then errors[#errors + 1] = err end
      end
    end
    weft.run(function() weft.all { watch(one(1)), watch(one(2)) } end)
    return runs, errors
  end

  it("a real serialization conflict is raised, once", function()
    local runs, errors = conflict { isolation = "serializable" }
    assert.equal(2, runs)
    assert.equal(1, #errors)
    assert.equal("serialization", errors[1].kind)
    assert.is_true(errors[1].retryable)
    assert.equal("40001", errors[1].code)
  end)

  it("retries run the function again, whole, until it goes through", function()
    local runs, errors = conflict { isolation = "serializable", retries = 3 }
    assert.equal(0, #errors)
    assert.equal(3, runs)
    local n = numbers()
    assert.is_true((n[1] == 30 and n[2] == 50) or (n[1] == 40 and n[2] == 30) or (n[1] == 50 and n[2] == 30)
      or (n[1] == 30 and n[2] == 60) or error(table.concat(n, " ")))
  end)

  local function deadlock(options)
    local runs, met = 0, 0
    local errors = {}
    local function one(first, second)
      return function()
        local ok, err = weft.try(db.transaction, db, function(tx)
          runs = runs + 1
          tx:execute("update t set n = n + 1 where id = ?", first)
          met = met + 1
          while met < 2 do weft.sleep(0.001) end
          tx:execute("update t set n = n + 1 where id = ?", second)
          return true
        end, options)
        if not ok then errors[#errors + 1] = err end
      end
    end
    weft.run(function() weft.all { one(1, 2), one(2, 1) } end)
    return runs, errors
  end

  it("a real deadlock is raised in one of the two", function()
    db:execute "select 1"
    local runs, errors = deadlock()
    assert.equal(2, runs)
    assert.equal(1, #errors)
    assert.equal("deadlock", errors[1].kind)
    assert.same({ 11, 21 }, numbers())
  end)

  it("retries run the function of the deadlock's victim again", function()
    local runs, errors = deadlock { retries = 2 }
    assert.is_true(runs >= 3)
    assert.equal(0, #errors)
    assert.same({ 12, 22 }, numbers())
  end)

  it("retries end, and other errors are not retried", function()
    local runs = 0
    local err = raises("unique", function()
      db:transaction(function(tx)
        runs = runs + 1
        tx:execute "insert into t values (1, 1)"
      end, { retries = 5 })
    end)
    assert.equal("t_pkey", err.constraint)
    assert.equal(1, runs)
    runs = 0
    raises("serialization", function()
      db:transaction(function(tx)
        runs = runs + 1
        tx:execute "do $$ begin raise exception 'again' using errcode = '40001'; end $$"
      end, { retries = 2 })
    end)
    assert.equal(3, runs)
  end)

  it("a constraint that is checked at COMMIT fails the transaction", function()
    db:script "create table c (id integer primary key, p integer references t deferrable initially deferred)"
    local called = false
    local err = raises("foreign_key", function()
      db:transaction(function(tx)
        tx:after_commit(function() called = true end)
        tx:execute "insert into c values (1, 99)"
      end)
    end)
    assert.is_false(err.outcome_unknown)
    assert.is_false(called)
    assert.equal(0, db:query("select count(*) as n from c")[1].n)
  end)

  it("a session takes advisory locks back", function()
    local held = [[select count(*) as n from pg_locks where locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())]]
    db:session(function(s)
      s:execute "select pg_advisory_lock(77)"
      assert.equal(1, s:query(held)[1].n)
    end)
    assert.equal(0, db:query(held)[1].n)
  end)

  it("lock('update') makes the other transaction wait for the row", function()
    local order = {}
    weft.run(function()
      local a = weft.spawn(function()
        db:transaction(function(tx)
          tx:query "select * from t where id = 1 for update"
          weft.sleep(0.03)
          order[#order + 1] = "a"
        end)
      end)
      weft.sleep(0.01)
      db:transaction(function(tx)
        tx:query "select * from t where id = 1 for update"
        order[#order + 1] = "b"
      end)
      a:await()
    end)
    assert.same({ "a", "b" }, order)
  end)

  it("a connection lost in the middle fails the transaction, and nothing of it is there", function()
    local err = raises("disconnect", function()
      db:transaction(function(tx)
        tx:execute "insert into t values (3, 30)"
        local pid = tx:query("select pg_backend_pid() as pid")[1].pid
        weft.spawn(function() db:query("select pg_terminate_backend(?)", pid) end):await()
        weft.sleep(0.02)
        tx:execute "insert into t values (4, 40)"
      end)
    end)
    assert.is_false(err.outcome_unknown)
    assert.same({ 10, 20 }, numbers())
    assert.equal(0, db:stats().leased)
  end)

  it("a lost transaction stays lost, whatever swallows its error", function()
    local second
    assert.is_false((pcall(db.transaction, db, function(tx)
      tx:execute "insert into t values (3, 30)"
      local pid = tx:query("select pg_backend_pid() as pid")[1].pid
      weft.spawn(function() db:query("select pg_terminate_backend(?)", pid) end):await()
      weft.sleep(0.02)
      pcall(tx.execute, tx, "insert into t values (4, 40)")
      second = select(2, pcall(tx.execute, tx, "insert into t values (5, 50)"))
    end)))
    assert.equal("disconnect", second.kind)
    assert.same({ 10, 20 }, numbers())
  end)
end)
