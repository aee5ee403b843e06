-- SPDX-License-Identifier: MIT
-- weft.cross_join: rows of a model below rows, or plain tables, of anywhere.

local weft = require "weft"
local mixes = require "spec.support.mixes"
local raises = require "spec.support.raises"

local near = "create table products (product_id integer primary key, title text, seller_id text, country text, city text)"
local far = {
  sqlite = [[
    create table sellers (seller_id integer primary key, name text, rating integer, leader_id integer);
    create table places (country text, city text, people integer, primary key (country, city));
    create table things (id text primary key, n numeric(10,2), name text, raw blob);]],
  postgres = [[
    create table sellers (seller_id integer primary key, name text, rating integer, leader_id integer);
    create table places (country text, city text, people integer, primary key (country, city));
    create table things (id uuid primary key, n numeric(10,2), name text, raw bytea);]],
  mysql = [[
    create table sellers (seller_id integer primary key, name text, rating integer, leader_id integer);
    create table places (country varchar(80), city varchar(80), people integer, primary key (country, city));
    create table things (id uuid primary key, n numeric(10,2), name text, raw blob);]],
}
local near_rows = [[
    insert into products values (1, 'Lamp', '1', 'de', 'Ulm'), (2, 'Bulb', '2', 'fr', 'Ulm'), (3, 'Chair', null, 'de', null),
      (4, 'Sofa', '9', 'de', 'Bonn'), (5, 'Shade', '1', 'de', 'Ulm');]]
local far_rows = [[
    insert into sellers values (1, 'Ann', 5, null), (2, 'Bob', 3, 1), (3, 'Cid', null, 1), (4, 'Dee', 4, 2);
    insert into places values ('de', 'Ulm', 1), ('fr', 'Ulm', 2), ('de', 'Bonn', 3);
    insert into things (id, n, name) values ('0a0b0c0d-0000-4000-8000-00000000000a', 1.50, 'one'),
      ('0a0b0c0d-0000-4000-8000-00000000000b', 20, 'two');]]

mixes.each(function(mix)
  local Product, Seller

  setup(function()
    mix:open(near, far)
    mix.near_db:script(near_rows)
    mix.far_db:script(far_rows)
    mix:script("near", "Product", 'methods = { label = function(self) return self.title .. "!" end }')
    mix:script("far", "Seller", "scopes = { good = function(q) return q:where('rating', '>', 3) end }")
    Product, Seller = mix:model("near", "Product"), mix:model("far", "Seller")
  end)
  teardown(function() mix:close() end)

  local function products() return Product:order("product_id"):all() end
  local function join(rows, spec)
    local full = { model = Seller, key = "seller_id", as = "seller" }
    for name, value in pairs(spec or {}) do full[name] = value end
    return weft.cross_join(rows, { full })
  end
  ---One field of what the rows have as `name`: "Ann - (Bob Cid)".
  local function shown(rows, name, of)
    local parts = {}
    for i, row in ipairs(rows) do
      local it, list = rawget(row, name), {}
      for k, child in ipairs(it or {}) do list[k] = tostring(child[of]) end
      parts[i] = it == nil and "-" or it[of] ~= nil and tostring(it[of]) or "(" .. table.concat(list, " ") .. ")"
    end
    return table.concat(parts, " ")
  end

  it("puts one row, or nothing, below each row, in their order", function()
    assert.equal("Ann Bob - - Ann", shown(join(products()), "seller", "name"))
    assert.equal("- Ann Ann - Bob", shown(join(Product:order("title", "desc"):all()), "seller", "name"))
  end)

  it("puts lists with many, empty ones where there is nothing", function()
    local rows = join(products(), { many = true, foreign_key = "leader_id", as = "staff", order = "seller_id" })
    assert.equal("(Bob Cid) (Dee) () () (Bob Cid)", shown(rows, "staff", "name"))
    assert.equal("[]", weft.encode(rows[3].staff))
    rows = join(products(), { many = true, foreign_key = "leader_id", as = "staff", order = { "seller_id", "desc" }, limit = 1 })
    assert.equal("(Cid) (Dee) () () (Cid)", shown(rows, "staff", "name"))
  end)

  it("takes what queries take: select without the key, where, order, limit", function()
    assert.equal('{"name":"Ann"}', weft.encode(join(products(), { select = { "name" } })[1].seller))
    assert.equal("Ann - - - Ann", shown(join(products(), { where = { rating = 5 } }), "seller", "name"))
    assert.equal("- Bob - - -", shown(join(products(), { where = weft.negate { rating = 5 } }), "seller", "name"))
    assert.equal("Cid Dee - - Cid", shown(join(products(), { foreign_key = "leader_id", as = "x", order = { "name", "desc" } }), "x", "name"))
    assert.equal("Ann Bob - - Ann", shown(join(products(), { model = mix.far .. ".Seller" }), "seller", "name"))
  end)

  it("takes several joins, with composite keys as well", function()
    local rows = weft.cross_join(products(), {
      { model = mix:model("far", "places"), key = { "country", "city" }, as = "place" },
      { model = Seller, key = "seller_id", as = "seller", select = "name" },
      { model = Seller, key = "seller_id", foreign_key = "leader_id", as = "staff", many = true, order = "name", select = "name" },
    })
    assert.equal("1 2 - 3 1", shown(rows, "place", "people"))
    assert.equal("Ann Bob - - Ann", shown(rows, "seller", "name"))
    assert.equal("(Bob Cid) (Dee) () () (Bob Cid)", shown(rows, "staff", "name"))
    assert.equal('{"product_id":4,"title":"Sofa","seller_id":"9","country":"de","city":"Bonn",'
      .. '"place":{"country":"de","city":"Bonn","people":3},"staff":[]}',
      weft.encode(rows[4]))
  end)

  it("leaves what it was given as it was", function()
    local rows, plain = products(), { { seller_id = 1, list = { 1 } }, { seller_id = 2 } }
    local meta = { __index = { kind = "mine" } }
    setmetatable(plain[1], meta)
    local joined, other = join(rows), join(plain)
    for i, row in ipairs(rows) do assert.is_nil(rawget(row, "seller"), i) end
    assert.same({ { seller_id = 1, list = { 1 } }, { seller_id = 2 } }, plain)
    assert.equal("mine", other[1].kind)
    assert.equal(plain[1].list, other[1].list)
    assert.is_not.equal(rows, joined)
    assert.equal("Lamp!", joined[1]:label())
    assert.equal(Product, weft.model_of(joined[1]))
    assert.equal(Seller, weft.model_of(joined[1].seller))
  end)

  it("gives rows that can be changed and saved", function()
    local joined = join(products())
    mix.near_db:transaction(function(tx)
      joined[2].title = "New"
      assert.same({ "title" }, joined[2]:changed())
      joined[2]:save()
      assert.equal("New", Product:find(2).title)
      joined[1].seller:update { name = "Anna" }
      assert.equal("Anna", Seller:find(1).name)
      joined[1].seller:update { name = "Ann" }
      tx:rollback()
    end)
  end)

  it("matches a model's keys as their columns are declared: the spaces of a char(n) do not count", function()
    mix:run("near", "create table codes (id integer primary key, code char(6)); insert into codes values (1, 'Ann'), (2, null), (3, 'Bob')")
    local codes = mix:model("near", "codes"):order("id"):all()
    assert.equal("1 - 2", shown(join(codes, { key = "code", foreign_key = "name" }), "seller", "seller_id"))
    mix:run("near", "drop table codes")
  end)

  it("refuses a key that the rows cannot have, unless somebody gave it to them", function()
    raises("usage", function() join(products(), { key = "seler_id" }) end, "cross_join_spec", "did you mean 'seller_id'?")
    raises("usage", function() join(Product:select("title"):all()) end, "no column 'seller_id'")
    local rows = Product:select("title"):order("product_id"):all()
    rows[2].own = "2"
    assert.equal("- Bob - - -", shown(join(rows, { key = "own", foreign_key = "seller_id" }), "seller", "name"))
  end)

  it("matches keys of one meaning whatever their type", function()
    local keys = { 1, "1", 1.0, weft.decimal "1.00", "2", "02", "x", "", true, 1.5, math.huge, -1, 2 ^ 53, weft.null }
    local plain = {}
    for i, key in ipairs(keys) do plain[i] = { seller_id = key } end
    assert.equal("Ann Ann Ann Ann Bob Bob - - Ann - - - - -", shown(join(plain), "seller", "name"))
    plain = {}
    for i, key in ipairs { "0a0b0c0d-0000-4000-8000-00000000000a", "0A0B0C0D-0000-4000-8000-00000000000B", "0a0b0c0d", 1 } do
      plain[i] = { id = key }
    end
    assert.equal("one two - -", shown(join(plain, { model = mix:model("far", "things"), key = "id", as = "thing" }), "thing", "name"))
    plain = {}
    for i, key in ipairs { 1.5, "1.5", weft.decimal "1.500", 20, "20.00", "1,5" } do plain[i] = { n = key } end
    assert.equal("one one one two two -", shown(join(plain, { model = mix:model("far", "things"), key = "n", as = "thing" }), "thing", "name"))
  end)

  it("sends one statement for each batch_size distinct keys, none without keys", function()
    join(products())
    local plain = {}
    for i = 1, 2500 do plain[i] = { seller_id = i % 1001 } end
    local function sent(rows, spec) return #mixes.statements(function() join(rows, spec) end) end
    assert.equal(3, sent(plain))
    assert.equal(11, sent(plain, { batch_size = 100 }))
    assert.equal(1, sent(plain, { batch_size = 5000 }))
    assert.equal(0, sent({}))
    assert.equal(0, sent { { seller_id = weft.null }, {} })
    local joined = join(plain, { batch_size = 7 })
    for i, row in ipairs(joined) do
      local id = i % 1001
      assert.equal(id >= 1 and id <= 4 and id or nil, row.seller and row.seller.seller_id)
    end
  end)

  it("works in tasks, in the user's coroutines and in transactions", function()
    weft.run(function()
      weft.all {
        function() assert.equal("Ann Bob - - Ann", shown(join(products()), "seller", "name")) end,
        function()
          local next_row = coroutine.wrap(function()
            for _, row in ipairs(join(products())) do coroutine.yield(row) end
          end)
          assert.equal("Ann", next_row().seller.name)
          assert.equal("Bob", next_row().seller.name)
        end,
      }
    end)
    mix.far_db:transaction(function(tx)
      tx:execute "insert into sellers (seller_id, name) values (9, 'Ivy')"
      assert.equal("Ann Bob - Ivy Ann", shown(join(products()), "seller", "name"))
      tx:rollback()
    end)
    assert.equal("Ann Bob - - Ann", shown(join(products()), "seller", "name"))
  end)

  it("joins what was joined", function()
    local rows = join(join(products()), { model = Seller, foreign_key = "leader_id", many = true, as = "staff", order = "name" })
    assert.equal("Ann Bob - - Ann", shown(rows, "seller", "name"))
    local sellers = {}
    for i, row in ipairs(rows) do sellers[i] = row.seller or {} end
    assert.equal("- Ann - - -", shown(join(sellers, { key = "leader_id", foreign_key = "seller_id", as = "leader" }), "leader", "name"))
  end)

  it("joins 100,000 plain tables", function()
    local plain = {}
    for i = 1, 100000 do plain[i] = { n = i, seller_id = i % 5 } end
    local joined = join(plain, { select = "name" })
    local names = { [0] = false, "Ann", "Bob", "Cid", "Dee" }
    for i, row in ipairs(joined) do
      if row.n ~= i or (row.seller and row.seller.name or false) ~= names[i % 5] then error("row " .. i) end
    end
  end)

  it("refuses what it cannot mean", function()
    for _, case in ipairs {
      { { key = 1 }, "key is a column" }, { { key = {} }, "key is a column" }, { { as = "" }, "as is the field" }, { { as = 1 }, "as is the field" },
      { { foreign_key = "sellr_id" }, "'sellr_id'" }, { { foreign_key = { "seller_id", "name" } }, "as many on both sides" },
      { { batch_size = 0 }, "batch_size" }, { { batch_size = 1.5 }, "batch_size" }, { { limit = -1 }, "limit is a whole number" },
      { { select = "nam" }, "'nam'" }, { { where = { nam = 1 } }, "'nam'" }, { { order = 1 }, "order is a column" },
      { { model = 1 }, "model is a model" },
      { { model = "Seller" }, "model is a model" }, { { model = "nowhere.Seller" }, "nowhere" }, { { model = mix.far .. ".Nobody" }, "Nobody" },
      { { ky = 1 }, "unknown option of cross_join 'ky'" },
    } do
      raises("usage", function() join(products(), case[1]) end, case[2])
      raises("usage", function() weft.run(function() join({ { seller_id = 1 } }, case[1]) end) end, case[2])
    end
    raises("usage", function() weft.cross_join(1, {}) end, "list of rows")
    raises("usage", function() weft.cross_join({}, 1) end, "list of joins")
    raises("usage", function() weft.cross_join({}, { 1 }) end, "list of tables")
    raises("usage", function() join { 1 } end, "entry 1 is a number")
    raises("usage", function() join { { seller_id = {} } } end, "seller_id", "table")
    raises("usage", function() join { { seller_id = print } } end, "seller_id", "function")
    raises("usage", function() weft.cross_join(products(), { { model = Seller, key = "seller_id", as = "x" },
      { model = Seller, key = "seller_id", as = "x" } }) end, "two joins are called 'x'")
    local err = raises("type", function() join(products(), { where = { rating = "hunter2" } }) end)
    assert.is_nil(tostring(err):find("hunter2", 1, true))
  end)
end)
