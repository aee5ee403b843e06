-- SPDX-License-Identifier: MIT
-- The event n_plus_one: look-ups that one line of a program repeats, told once with what to write instead.

local weft = require "weft"
local backends = require "spec.support.backends"
local n_plus_one = require "weft.n_plus_one"

local schema = [[
create table sellers (id integer primary key, name text);
create table products (id integer primary key, title text, seller_id integer references sellers (id));
insert into sellers values (1, 'a'), (2, 'b');
insert into products values (1, 'lamp', 1), (2, 'chair', 2), (3, 'bed', 1);
]]

backends.each(function(backend)
  local db, name, Product, told, off

  before_each(function()
    db, name = backend.open(schema)
    Product = weft.models(name).Product
    Product:find(1)
    told = {}
    off = weft.on("n_plus_one", function(info) told[#told + 1] = info end)
  end)
  after_each(function()
    off()
    n_plus_one.forget()
  end)

  local function line() return debug.getinfo(2, "l").currentline end

  it("tells of a loop of find, with its line and what to write", function()
    local at
    for i = 1, 8 do Product:find(i % 3 + 1) at = line() end
    assert.equal(1, #told)
    local info = told[1]
    assert.same({ 5, name }, { info.count, info.database })
    assert.matches("n_plus_one_spec%.lua:" .. at .. "$", info.place)
    assert.matches("Product$", info.model)
    assert.matches(":find_many { ... }", info.instead, 1, true)
    assert.truthy(info.sql:find("products", 1, true))
    assert.is_nil(info.association)
  end)

  it("tells of associations that are touched row by row", function()
    for i = 1, 6 do
      local product = Product:get(i % 3 + 1)
      local _ = product.seller.name
    end
    assert.equal(2, #told)
    local touch = told[1].association and told[1] or told[2]
    assert.equal("seller", touch.association)
    assert.truthy(touch.instead:find(':include("seller")', 1, true))
  end)

  it("tells of queries, also of raw ones, inside of tasks and coroutines", function()
    weft.run(function()
      for i = 1, 5 do Product:where({ title = "x" .. i }):all() end
      for i = 1, 5 do db:query(backend.dialect == "postgres" and "select ?::int as x" or "select ? as x", i) end
      local each = coroutine.wrap(function() for i = 1, 5 do coroutine.yield(Product:where({ id = i }):first()) end end)
      for _ = 1, 5 do each() end
    end)
    assert.equal(3, #told)
    for _, info in ipairs(told) do assert.matches("n_plus_one_spec%.lua:%d+$", info.place) end
    assert.equal("one statement that takes all keys", told[2].instead)
  end)

  it("tells of each place once, for ever", function()
    local function read(i) return Product:find(i) end
    for _ = 1, 3 do for i = 1, 6 do read(i) end end
    assert.equal(1, #told)
    for i = 1, 6 do Product:find(i) end
    assert.equal(2, #told)
  end)

  it("is silent about what is not repeated: other lines, few, merged, pages, writes, failures, several keys at once", function()
    Product:find(1) Product:find(2)
    Product:find(1)
    Product:find(2)
    Product:find(3)
    Product:find(1)
    for i = 1, 4 do Product:find(i) end
    weft.run(function()
      local list = {}
      for i = 1, 10 do list[i] = function() return Product:find(i) end end
      weft.all(list)
    end)
    for i = 1, 30 do Product:create { id = 100 + i, title = "t" } end
    for _ in Product:each(3) do end -- luacheck: ignore
    Product:find_many { 1, 2, 3 }
    for _ = 1, 6 do Product:count() end
    assert.same({}, told)
  end)

  it("tells no values", function()
    for _ = 1, 6 do Product:where({ title = "private" }):all() end
    assert.equal(1, #told)
    for _, value in pairs(told[1]) do assert.falsy(tostring(value):find("private", 1, true)) end
  end)

  it("counts again for whoever listens later, and not while nobody does", function()
    off()
    for i = 1, 6 do Product:find(i) end
    assert.same({}, told)
    off = weft.on("n_plus_one", function(info) told[#told + 1] = info end)
    for i = 1, 4 do Product:find(i) end
    assert.same({}, told)
  end)

  it("is looked for by weft.log at debug alone", function()
    off()
    local lines = {}
    local function sink(text) lines[#lines + 1] = weft.decode(text) end
    local function found()
      local list = {}
      for _, entry in ipairs(lines) do list[#list + 1] = entry.event == "n_plus_one" and entry or nil end
      return list
    end
    local stop = weft.log { level = "warn", sink = sink }
    for i = 1, 6 do Product:find(i) end
    assert.equal(0, #found())
    stop()
    stop = weft.log { level = "debug", sink = sink }
    for i = 1, 6 do Product:find(i) end
    stop()
    assert.equal(1, #found())
    assert.same({ "warn", 5 }, { found()[1].level, found()[1].count })
    assert.truthy(found()[1].instead:find("find_many", 1, true))
  end)
end)
