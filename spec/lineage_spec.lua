-- SPDX-License-Identifier: MIT
-- Who is inside a transaction: coroutines, weft.all, spawned tasks; and waits that would never end.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local table_of_numbers = require "spec.support.numbers"

backends.each(function(backend)
  local db

  before_each(function() db = backend.open(table_of_numbers.schema, { pool = { max = 4, wait = 2 } }) end)

  local insert, numbers = table_of_numbers.of(function() return db end)
  ---Calls fn at top level and inside a task.
  local function both(fn)
    fn()
    weft.run(fn)
  end

  describe("lineage", function()
    it("takes the functions of weft.all in, one statement after another, all before commit", function()
      both(function()
        local inside, most = 0, 0
        local finished = 0
        pcall(db.transaction, db, function()
          local list = {}
          for i = 1, 20 do
            list[i] = function()
              insert(i)
              weft.sleep(0)
              insert(100 + i)
              finished = finished + 1
            end
          end
          weft.all(list)
          assert.equal(40, #numbers())
          inside = inside + 1
          most = inside
          error "back"
        end)
        assert.equal(20, finished)
        assert.equal(1, most)
        assert.same({}, numbers())
        assert.is_true(db:stats().open <= 4)
      end)
    end)

    it("takes nested weft.all and user coroutines in", function()
      both(function()
        pcall(db.transaction, db, function()
          weft.all { function()
            weft.all { function() insert(1) end, function()
              local co = coroutine.wrap(function() insert(2) coroutine.yield() insert(3) end)
              co()
              co()
            end }
          end }
          assert.equal(3, #numbers())
          error "back"
        end)
        assert.same({}, numbers())
      end)
    end)

    it("keeps what its other functions do out of a nested transaction", function()
      local committed = {}
      weft.run(function()
        db:transaction(function(tx)
          local open = false
          weft.all {
            function()
              pcall(db.transaction, db, function()
                insert(1)
                tx:after_commit(function() committed[#committed + 1] = 1 end)
                open = true
                for _ = 1, 5 do weft.sleep(0) end
                error "no"
              end)
            end,
            function()
              while not open do weft.sleep(0) end
              tx:after_commit(function() committed[#committed + 1] = 2 end)
              insert(2) -- waits for the savepoint's end
            end,
            function()
              while not open do weft.sleep(0) end
              db:transaction(function()
                insert(3)
                weft.all { function() insert(4) end, function() db:transaction(function() insert(5) end) end }
              end)
            end,
          }
        end)
      end)
      local found = numbers()
      table.sort(found)
      assert.same({ 2, 3, 4, 5 }, found)
      assert.same({ 2 }, committed)
    end)

    it("leaves the level that says so", function()
      weft.run(function()
        assert.equal("out", db:transaction(function(tx)
          local open = false
          weft.all {
            function() db:transaction(function() insert(1) open = true for _ = 1, 5 do weft.sleep(0) end end) end,
            function() while not open do weft.sleep(0) end tx:rollback "out" end,
          }
        end))
      end)
      assert.same({}, numbers())
    end)

    it("takes what weft.run runs in, but not what it spawns", function()
      both(function()
        local returned = db:transaction(function(tx)
          insert(1)
          return weft.run(function()
            insert(2)
            pcall(db.transaction, db, function() insert(3) error "no" end)
            weft.spawn(function() raises("usage", function() tx:query "select 1" end, "another task") end)
            assert.same({ 1, 2 }, numbers())
            tx:rollback "back"
          end)
        end)
        assert.equal("back", returned)
        assert.same({}, numbers())
      end)
    end)

    it("never goes into weft.spawn", function()
      if backend.memory then return end
      insert(0)
      weft.run(function()
        local task
        db:transaction(function(tx)
          insert(1)
          task = weft.spawn(function()
            raises("usage", function() tx:query "select 1" end, "another task")
            return #numbers()
          end)
          weft.sleep(0.02)
          assert.equal(2, #numbers())
          assert.equal(1, task:await())
        end)
      end)
    end)

    it("follows resumers, not where a coroutine was created", function()
      if backend.memory then return end
      both(function()
        local outside = coroutine.wrap(function()
          while true do coroutine.yield(#numbers()) end
        end)
        assert.equal(0, outside())
        local made
        pcall(db.transaction, db, function()
          insert(1)
          assert.equal(1, outside()) -- resumed in here: it belongs
          made = coroutine.wrap(function()
            coroutine.yield(#numbers())
            return #numbers()
          end)
          assert.equal(1, made())
          error "back"
        end)
        assert.equal(0, made()) -- created in there, resumed out here
        assert.equal(0, outside())
      end)
    end)

    it("keeps a transaction that a user's coroutine opened inside that coroutine", function()
      if backend.memory then return end
      weft.run(function()
        local co = coroutine.wrap(function()
          db:transaction(function()
            insert(1)
            coroutine.yield(#numbers())
            insert(2)
          end)
        end)
        assert.equal(1, co())
        assert.equal(0, #numbers())
        co()
        assert.equal(2, #numbers())
      end)
    end)

    it("cancels the functions of a weft.all that fails, and rolls everything back", function()
      both(function()
        local ok = pcall(db.transaction, db, function()
          weft.all {
            function() insert(1) weft.sleep(60) end,
            function() insert(2) weft.sleep(0.001) error "no" end,
          }
        end)
        assert.is_false(ok)
        assert.same({}, numbers())
      end)
    end)
  end)

  describe("awaiting a task that waits for this very transaction", function()
    local one
    before_each(function() one = backend.open(table_of_numbers.schema, { pool = { max = 1, wait = 8 } }) end)

    it("raises deadlock at once when the task waits already", function()
      weft.run(function()
        local task
        local start = os.time()
        raises("deadlock", function()
          one:transaction(function(tx)
            tx:execute "insert into t (n) values (1)"
            task = weft.spawn(function() return one:execute "insert into t (n) values (2)" end)
            weft.sleep(0.01)
            task:await()
          end)
        end)
        assert.is_true(os.time() - start < 4)
        task:await()
        assert.equal(2, one:query("select n from t")[1].n)
      end)
    end)

    it("raises deadlock at once when the task begins to wait later", function()
      weft.run(function()
        local start = os.time()
        local ok = pcall(one.transaction, one, function(tx)
          tx:execute "insert into t (n) values (1)"
          local task = weft.spawn(function()
            weft.sleep(0.01)
            return one:execute "insert into t (n) values (2)"
          end)
          raises("deadlock", function() task:await() end)
          error "back"
        end)
        assert.is_false(ok)
        assert.is_true(os.time() - start < 4)
        assert.equal(0, #one:query("select n from t"))
      end)
    end)

    it("raises deadlock through a chain of tasks", function()
      weft.run(function()
        local start = os.time()
        pcall(one.transaction, one, function(tx)
          tx:execute "insert into t (n) values (1)"
          local a = weft.spawn(function() weft.sleep(0.01) return one:execute "insert into t (n) values (2)" end)
          local b = weft.spawn(function() return a:await() end)
          raises("deadlock", function() b:await() end)
          error "back"
        end)
        assert.is_true(os.time() - start < 4)
      end)
    end)

    it("raises deadlock through a chain whose end waits already", function()
      weft.run(function()
        local start = os.time()
        pcall(one.transaction, one, function(tx)
          tx:execute "insert into t (n) values (1)"
          local a = weft.spawn(function() return one:execute "insert into t (n) values (2)" end)
          local b = weft.spawn(function() return a:await() end)
          weft.sleep(0.01)
          raises("deadlock", function() b:await() end)
          error "back"
        end)
        assert.is_true(os.time() - start < 4)
      end)
    end)

    it("raises deadlock in a function of weft.all inside the transaction", function()
      weft.run(function()
        local start = os.time()
        pcall(one.transaction, one, function(tx)
          tx:execute "insert into t (n) values (1)"
          local task = weft.spawn(function() return one:execute "insert into t (n) values (2)" end)
          weft.sleep(0.01)
          raises("deadlock", function() weft.all { function() task:await() end } end)
          error "back"
        end)
        assert.is_true(os.time() - start < 4)
      end)
    end)

    it("does not speak of tasks that wait for something else", function()
      weft.run(function()
        one:transaction(function(tx)
          tx:execute "insert into t (n) values (1)"
          local task = weft.spawn(function() weft.sleep(0.01) return "fine" end)
          assert.equal("fine", task:await())
        end)
      end)
    end)
  end)
end)
