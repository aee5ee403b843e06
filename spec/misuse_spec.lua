-- SPDX-License-Identifier: MIT
-- What a program can do wrong with Weft's objects: use another one in its place, change a mark, resume or
-- close what is not its own. It may fail; it never breaks the process.

local weft = require "weft"
local core = require "weft.core"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"

local schema = [[
  create table t (id integer primary key, n integer, s text, j json);
  insert into t values (1, 1, 'a', '{"a":1}'), (2, 2, 'b', '[1]');
  create table u (id integer primary key);]]

describe("the coroutine of a task", function()
  it("is resumed and closed by nobody else", function()
    weft.run(function()
      local co
      local task = weft.spawn(function()
        co = coroutine.running()
        weft.sleep(0.003)
        return 1, 2
      end)
      weft.sleep(0.001)
      assert.equal("normal", coroutine.status(co))
      assert.is_false((coroutine.resume(co)))
      assert.is_false((pcall(coroutine.close, co)))
      assert.same({ 1, 2 }, { task:await() })
      assert.is_false((coroutine.resume(co)))
      assert.is_false((pcall(coroutine.close, co)))
      assert.same({ 1, 2 }, { task:await() })
    end)
  end)

end)

describe("a coroutine that is being closed", function()
  it("waits for nothing", function()
    weft.run(function()
      local ok, err
      local co = coroutine.create(function()
        local _ <close> = setmetatable({}, { __close = function() ok, err = pcall(weft.sleep, 0) end })
        coroutine.yield()
      end)
      coroutine.resume(co)
      assert.is_true(coroutine.close(co))
      assert.is_false(ok)
      assert.equal("usage", err.kind)
    end)
  end)
end)

backends.each(function(backend)
  local db, T

  before_each(function()
    local name
    db, name = backend.open(schema)
    T = weft.models(name).t
    T:find(1)
  end)

  it("keeps the lineage of a coroutine that pumped the loop at top level", function()
    coroutine.wrap(function()
      db:transaction(function(tx)
        tx:execute "insert into u values (7)"
        coroutine.wrap(function()
          weft.all { function() weft.sleep(0.001) end }
          assert.equal(7, tx:query("select id from u")[1].id)
        end)()
      end)
    end)()
  end)

  it("rolls back a transaction whose coroutine was dropped", function()
    assert.is_true((coroutine.resume(coroutine.create(function()
      db:transaction(function(tx)
        tx:execute "insert into u values (1)"
        coroutine.yield()
      end)
    end))))
    collectgarbage()
    collectgarbage()
    assert.equal(1, weft.timeout(5, function() return db:execute("insert into u values (1)").affected end))
  end)

  it("searches for deadlocks past a transaction whose task has ended", function()
    weft.run(function()
      local co
      weft.spawn(function()
        co = coroutine.create(function()
          db:transaction(function(tx)
            tx:execute "insert into u values (1)"
            coroutine.yield()
          end)
        end)
        coroutine.resume(co)
      end):await()
      collectgarbage()
      collectgarbage()
      weft.spawn(function()
        weft.sleep(0.002)
        coroutine.resume(co)
      end)
      assert.equal(1, db:execute("insert into u values (2)").affected)
    end)
  end)

  for what, change in pairs {
    ["raw without n"] = function() local m = weft.raw("n in (?)", 1); m.n = nil; return m end,
    ["raw without text"] = function() local m = weft.raw("n in (?)", 1); m[1] = {}; return m end,
    ["any_of without kind"] = function() local m = weft.any_of { { n = 1 } }; m.kind = nil; return m end,
    ["any_of of a number"] = function() local m = weft.any_of { { n = 1 } }; m.of = 5; return m end,
  } do
    it("refuses a changed mark: " .. what, function()
      raises("usage", function() return T:where(change()):all() end, "was changed after it was made")
    end)
  end

  it("refuses changed paths and aggregates", function()
    local path, count = weft.path("j", "a"), weft.count()
    path[1], path[2], count.kind = nil, nil, 4711
    raises("usage", function() return T:where(path, "=", 1) end, "was changed after it was made")
    raises("usage", function() return T:select { n = count } end, "was changed after it was made")
  end)

  it("refuses what is no table where rows and assignments are expected", function()
    raises("usage", function() return T:upsert({ id = 1, n = 2 }, { on = "id", update = 5 }) end, "update is a table")
    local two = setmetatable({}, { __len = function() return 2 end })
    raises("usage", function() return T:create_many(two) end)
    raises("usage", function() return core.row_become(5, T:find(1)) end)
    raises("usage", function() return core.tx_end(5) end)
    assert.is_false((pcall(pairs(T:find(1)), 42)))
  end)

  it("refuses cycles", function()
    local list, row = weft.array {}, T:find(1)
    list[1], row.j = list, { row }
    raises("usage", function() return db:query("select ?", list) end, "nested too deep")
    raises("usage", function() return weft.encode(row) end, "cycle")
    raises("usage", function() return row:save() end, "cycle")
  end)

  it("asks no __eq of the user's tables", function()
    local row = T:find(1)
    row.j = setmetatable({ b = 1 }, { __eq = function() error "asked" end })
    assert.truthy(weft.encode(row):find('{"b":1}', 1, true))
    assert.same({ "j" }, (weft.changed(row)))
  end)

  it("takes a column name with a zero byte before the dot for a name", function()
    raises("usage", function() return T:where("a\0.b", "=", 1):all() end, "zero byte")
  end)

  it("pages no key of more columns than it has room for", function()
    local columns, key = {}, {}
    for i = 1, 40 do columns[i], key[i] = "c" .. i .. " int", "c" .. i end
    local _, name = backend.open(("create table wide (%s, primary key (%s))"):format(table.concat(columns, ","), table.concat(key, ",")))
    raises("usage", function() return weft.models(name).wide:page() end, "too many columns")
  end)
end, "sqlite")

describe("weft.core", function()
  it("is one per Lua state, whatever package.loaded says", function()
    package.loaded["weft.core"] = nil
    assert.equal(core, require "weft.core")
  end)
end)
