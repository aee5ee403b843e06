-- SPDX-License-Identifier: MIT
-- Schemas that change: by Weft, by another process, under a query that runs. Nothing is told twice or not at all.

local weft = require "weft"
local backends = require "spec.support.backends"
local outside = require "spec.support.outside"
local raises = require "spec.support.raises"
local shell = require "spec.support.shell"

local function lines(changes)
  local list = {}
  for i, change in ipairs(changes) do list[i] = tostring(change) end
  table.sort(list)
  return list
end

---What a change is, without how its fields are spelled.
local function briefly(changes)
  local list = {}
  for i, change in ipairs(changes) do
    list[i] = ("%s %s %s"):format(change.op, change.what, change.table and change.table .. "." .. (change.name or "?") or change.name)
  end
  table.sort(list)
  return list
end

local function count_statements(fn)
  local n = 0
  local off = weft.on("query", function() n = n + 1 end)
  local results = table.pack(pcall(fn))
  off()
  if not results[1] then error(results[2], 0) end
  return n, table.unpack(results, 2, results.n)
end

local ddl = [[create table t (id integer primary key, name varchar(9)); create table p (id integer primary key)]]

backends.each(function(backend)
  local db, name, change

  before_each(function()
    db, name, change = outside.open(backend, ddl)
    db:schema():tables()
  end)

  after_each(function() weft.sleep(0) end) -- tasks that were told to end do

  describe("refresh", function()
    it("reports nothing, at the cost of one statement, when nothing has changed", function()
      db:schema():refresh()
      local n, changes = count_statements(function() return db:schema():refresh() end)
      assert.equal(1, n)
      assert.same({}, lines(changes))
    end)

    it("reports nothing for rows", function()
      db:execute "insert into p values (1)"
      assert.same({}, lines(db:schema():refresh()))
      local n = count_statements(function() return db:schema():refresh() end)
      assert.equal(1, n)
    end)

    it("of a schema that nobody has read reports nothing", function()
      local fresh = outside.open(backend, ddl)
      assert.same({}, lines(fresh:schema():refresh()))
      assert.equal(2, #fresh:schema():tables())
    end)

    it("reports tables, columns, keys and indexes that came, went or became others, once", function()
      local drop_index = backend.dialect == "mysql" and "drop index by_name on t; " or "drop index by_name; "
      change [[alter table t add column more integer references p (id); create table u (id integer primary key);
        create index by_name on t (name)]]
      local found = briefly(db:schema():refresh())
      local foreign_key = { sqlite = "t.?", postgres = "t.t_more_fkey", mysql = "t.t_ibfk_1" }
      local expected = { "added column t.more", "added foreign_key " .. foreign_key[backend.dialect], "added index t.by_name", "added table u" }
      if backend.dialect == "mysql" then table.insert(expected, 4, "added index t.more") end -- every key has one there
      assert.same(expected, found)
      assert.same({}, lines(db:schema():refresh()))
      change(drop_index .. "drop table u; alter table t rename column name to title")
      assert.same({ "added column t.title", "removed column t.name", "removed index t.by_name", "removed table u" },
        briefly(db:schema():refresh()))
    end)

    it("reports what was changed through Weft as well", function()
      db:execute "create table u (id integer)"
      assert.equal(3, #db:schema():tables())
      assert.same({ "added table u" }, briefly(db:schema():refresh()))
      assert.same({}, lines(db:schema():refresh()))
    end)

    it("changes what the schema tells, not what was told before", function()
      local before = db:schema():tables()
      change "create table u (id integer)"
      if not backend.memory then assert.equal(2, #db:schema():tables()) end -- there Weft has seen it
      db:schema():refresh()
      assert.equal(3, #db:schema():tables())
      assert.equal(2, #before)
    end)

    it("renews models: their columns, their associations", function()
      local models = weft.models(name)
      db:execute "insert into p values (7)"
      db:execute "insert into t (id, name) values (1, 'a')"
      assert.equal("a", models.t:find(1).name)
      change "alter table t add column p_id integer references p (id)"
      change "update t set p_id = 7"
      db:schema():refresh()
      assert.equal(7, models.t:find(1).p_id)
      assert.equal(7, models.t:include("p"):find(1).p.id)
      assert.equal(1, models.p:include("ts"):find(7).ts[1].id)
    end)
  end)

  describe("on_schema_change", function()
    it("is called with the changes that refresh finds", function()
      local told = {}
      local stop = db:on_schema_change(function(changes) told[#told + 1] = briefly(changes)[1] end, { every = 3600 })
      finally(stop)
      db:schema():refresh()
      change "create table u (id integer)"
      db:schema():refresh()
      db:schema():refresh()
      assert.same({ "added table u" }, told)
      stop()
      change "create table w (id integer)"
      db:schema():refresh()
      assert.same({ "added table u" }, told)
    end)

    it("looks by itself while the program waits for something else", function()
      local told
      local stop = db:on_schema_change(function(changes) told = briefly(changes) end, { every = 0.01 })
      finally(stop)
      change "create table u (id integer)"
      weft.timeout(10, function()
        while not told do weft.sleep(0.005) end
      end)
      assert.same({ "added table u" }, told)
    end)

    it("does not keep weft.run from its end, and ends with its database", function()
      db:on_schema_change(function() end, { every = 0.01 })
      weft.run(function() weft.sleep(0.02) end)
      db:close()
      weft.sleep(0.03)
    end)

    it("is an event, too", function()
      local info
      finally(weft.on("schema_change", function(i) info = i end))
      change "create table u (id integer)"
      db:schema():refresh()
      assert.equal(name, info.database)
      assert.equal("u", info.changes[1].name)
    end)

    it("goes on after a handler that fails, which is an error event", function()
      local failed, told
      local off = weft.on("error", function(i) failed = i.message end)
      local stop = db:on_schema_change(function() error "oh" end, { every = 3600 })
      local stop_too = db:on_schema_change(function() told = true end, { every = 3600 })
      finally(function() off() stop() stop_too() end)
      change "create table u (id integer)"
      db:schema():refresh()
      assert.is_truthy(failed:find("oh", 1, true))
      assert.is_true(told)
    end)

    it("takes a function and seconds", function()
      raises("usage", function() db:on_schema_change(7) end, "takes a function")
      raises("usage", function() db:on_schema_change(print, { every = 0 }) end, "seconds above 0")
      raises("usage", function() db:on_schema_change(print, { evry = 1 }) end, "every")
    end)
  end)

  describe("a query that meets a table which another process has changed", function()
    local models

    before_each(function()
      models = weft.models(name)
      db:execute "insert into t (id, name) values (1, 'a')"
      for _ = 1, 3 do assert.equal("a", models.t:find(1).name) end
      assert.equal(1, #models.t:where { name = "a" }:all())
    end)

    it("knows the new column at once in the rows of the next look", function()
      change "alter table t add column more integer default 5"
      db:schema():refresh()
      assert.equal(5, models.t:find(1).more)
      assert.equal(5, models.t:where { more = 5 }:one().more)
    end)

    it("goes on when a column is gone, without a failure", function()
      change "alter table t add column more integer default 5"
      db:schema():refresh()
      assert.equal(5, models.t:find(1).more)
      change "alter table t drop column more"
      assert.is_nil(rawget(models.t:find(1), "more"))
      assert.equal("a", models.t:where { name = "a" }:one().name)
    end)

    it("goes on when a column has another type", function()
      if backend.dialect == "sqlite" then
        change "drop table t; create table t (id integer primary key, name integer); insert into t values (1, 12)"
      elseif backend.dialect == "mysql" then
        change "update t set name = '12'; alter table t modify name integer"
      else
        change "update t set name = '12'; alter table t alter column name type integer using name::integer"
      end
      assert.equal(12, models.t:find(1).name)
      assert.equal(12, models.t:where { id = 1 }:first().name)
      db:schema():refresh()
      assert.equal(12, models.t:find(1).name)
    end)

    local function retype()
      if backend.dialect == "sqlite" then
        change [[create table n (id integer primary key, p_id integer references p (id), name integer); insert into n select id, p_id, 12 from t;
          drop table t; alter table n rename to t]]
      elseif backend.dialect == "mysql" then
        change "update t set name = '12'; alter table t modify name integer"
      else
        change "update t set name = '12'; alter table t alter column name type integer using name::integer"
      end
    end

    describe("with more to it", function()
      before_each(function()
        change "alter table t add column p_id integer references p (id)"
        db:schema():refresh()
        change "insert into p values (7); update t set p_id = 7"
      end)

      it("goes on as a tree of several levels", function()
        local tree = models.p:include("ts.p")
        for _ = 1, 3 do assert.equal("a", tree:find(7).ts[1].name) end
        retype()
        local p = tree:find(7)
        assert.equal(12, p.ts[1].name)
        assert.equal(7, p.ts[1].p.id)
      end)

      it("goes on as look-ups that became one statement", function()
        retype()
        weft.run(function()
          local rows = weft.all { function() return models.t:find(1) end, function() return models.t:find(2) end }
          assert.equal(12, rows[1].name)
          assert.is_nil(rows[2])
        end)
      end)

      it("goes on as a write that gives the row back", function()
        retype()
        assert.equal(13, models.t:create { id = 2, name = 13 }.name)
        assert.equal(1, models.t:where { id = 2 }:update { name = 14 })
        assert.equal(14, models.t:find(2).name)
      end)
    end)

    it("raises what the database says when the column that it asks for is gone", function()
      change "alter table t drop column name"
      local err = raises("usage", function() models.t:where { name = "a" }:all() end)
      assert.is_truthy(err.message:find("name", 1, true))
    end)
  end)
end)

describe("a program that watches a schema", function()
  it("ends when everything else has, and is told until then", function()
    local path = shell.must("mktemp"):gsub("%s+$", "")
    finally(function() os.remove(path) end)
    shell.write(path, [[
      local weft = require "weft"
      weft.configure { databases = { a = "sqlite::memory:" } }
      local db = weft.database "a"
      local told
      db:on_schema_change(function(changes) told = tostring(changes[1]) end, { every = 0.01 })
      weft.spawn(function()
        db:execute "create table t (id integer)"
        while not told do weft.sleep(0.005) end
        print(told)
      end)]])
    assert.equal("added table t\n", shell.must(("timeout 60 %s/weft run %s"):format(os.getenv "WEFT_SPEC_BUILD", shell.quote(path))))
  end)
end)
