-- SPDX-License-Identifier: MIT
-- What queries answer, on every database: conditions, lists of columns, order, groups, terminals.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"

local null, decimal = weft.null, weft.decimal

local shop = {
  sqlite = [[
    create table products (product_id integer primary key, title text, price numeric(10,2), stock integer,
      status text, seller_id integer, attrs json);]],
  postgres = [[
    create table products (product_id integer primary key, title text, price numeric(10,2), stock integer,
      status text, seller_id integer, attrs jsonb);]],
}
local filling = [[
    insert into products values
      (1, 'Lamp', 19.90, 5, 'active', 1, '{"color":"red","size":10,"tags":["a","b"]}'),
      (2, 'lantern', 5.00, 0, 'active', 2, '{"color":"blue","size":3}'),
      (3, 'Äpfel_100%', 18.00, 12, 'gone', 1, '{"color":null}'),
      (4, 'Table', null, 7, 'active', null, null),
      (5, 'a\b*[c]?''', 100.00, 7, 'sale', 3, '{"size":10.5,"a.b":{"c":true}}'),
      (6, 'LAMP', 0.10, 1, 'gone', 2, '{"color":"red"}'),
      (7, null, 18.00, -1, null, 3, '{}');
    create table places (country text, city text, people integer, primary key (country, city));
    insert into places values ('de', 'Ulm', 1), ('de', 'Bonn', 2), ('fr', 'Ulm', 3);
    create table logs (line text);
    insert into logs values ('x'), ('x'), ('y');]]
for dialect, text in pairs(shop) do shop[dialect] = text .. filling end

local function ids(rows)
  local list = {}
  for i, row in ipairs(rows) do list[i] = row.product_id end
  return list
end

-- name, the condition's arguments, the keys it finds (a table per dialect where LIKE is the database's own)
local conditions = {
  { "equality", { { status = "active" } }, { 1, 2, 4 } },
  { "several keys", { { status = "active", seller_id = 2 } }, { 2 } },
  { "null as IS NULL", { { status = null } }, { 7 } },
  { "a list as IN", { { seller_id = { 1, 2 } } }, { 1, 2, 3, 6 } },
  { "null in a list as OR IS NULL", { { seller_id = { 1, null } } }, { 1, 3, 4 } },
  { "a list of null alone", { { seller_id = { null } } }, { 4 } },
  { "an empty list as no row", { { seller_id = {} } }, {} },
  { "weft.array as a list", { { seller_id = weft.array { 3 } } }, { 5, 7 } },
  { "=", { "stock", "=", 7 }, { 4, 5 } },
  { "= null", { "price", "=", null }, { 4 } },
  { "!=", { "status", "!=", "gone" }, { 1, 2, 4, 5 } },
  { "!= null", { "price", "!=", null }, { 1, 2, 3, 5, 6, 7 } },
  { "<", { "price", "<", decimal "5.01" }, { 2, 6 } },
  { "<=", { "price", "<=", 18 }, { 2, 3, 6, 7 } },
  { ">", { "price", ">", 18 }, { 1, 5 } },
  { ">=", { "price", ">=", "18.00" }, { 1, 3, 5, 7 } },
  { "a float against a decimal column", { "price", "=", 19.9 }, { 1 } },
  { "a text of digits against an integer column", { "stock", "=", "12" }, { 3 } },
  { "in", { "stock", "in", { 7, 12 } }, { 3, 4, 5 } },
  { "in an empty list", { "stock", "in", {} }, {} },
  { "not_in", { "stock", "not_in", { 7, 12 } }, { 1, 2, 6, 7 } },
  { "not_in with null", { "seller_id", "not_in", { 1, null } }, { 2, 5, 6, 7 } },
  { "not_in an empty list", { "seller_id", "not_in", {} }, { 1, 2, 3, 4, 5, 6, 7 } },
  { "between", { "stock", "between", { 1, 7 } }, { 1, 4, 5, 6 } },
  { "like", { "title", "like", "%am%" }, { sqlite = { 1, 6 }, postgres = { 1 }, mysql = { 1 } } },
  { "ilike", { "title", "ilike", "lAmP" }, { 1, 6 } },
  { "ilike with %", { "title", "ilike", "LA%" }, { 1, 2, 6 } },
  { "begins_with by bytes", { "title", "begins_with", "La" }, { 1 } },
  { "begins_with a letter beyond ASCII", { "title", "begins_with", "Ä" }, { 3 } },
  { "ends_with by bytes", { "title", "ends_with", "p" }, { 1 } },
  { "ends_with %", { "title", "ends_with", "%" }, { 3 } },
  { "contains _", { "title", "contains", "_1" }, { 3 } },
  { "contains %", { "title", "contains", "%" }, { 3 } },
  { "contains a backslash", { "title", "contains", "\\b" }, { 5 } },
  { "contains glob characters", { "title", "contains", "*[c]?" }, { 5 } },
  { "contains a quote", { "title", "contains", "'" }, { 5 } },
  { "contains nothing in particular", { "title", "contains", "" }, { 1, 2, 3, 4, 5, 6 } },
  { "is_null", { "price", "is_null" }, { 4 } },
  { "not_null", { "title", "not_null" }, { 1, 2, 3, 4, 5, 6 } },
  { "a path", { weft.path("attrs", "color"), "=", "red" }, { 1, 6 } },
  { "a dotted path", { "attrs.color", "=", "red" }, { 1, 6 } },
  { "a dotted path as key", { { ["attrs.color"] = "blue" } }, { 2 } },
  { "a path in a list", { "attrs.color", "in", { "red", "blue" } }, { 1, 2, 6 } },
  { "a number at a path", { "attrs.size", ">", 5 }, { 1, 5 } },
  { "a float at a path", { "attrs.size", "=", 10.5 }, { 5 } },
  { "a path without value", { "attrs.size", "is_null" }, { 3, 4, 6, 7 } },
  { "a JSON null at a path", { "attrs.color", "is_null" }, { 3, 4, 5, 7 } },
  { "a path through a key with a dot", { weft.path("attrs", "a.b", "c"), "=", true }, { 5 } },
  { "an element of a JSON array", { weft.path("attrs", "tags", 1), "=", "b" }, { 1 } },
  { "raw", { weft.raw("price > ? and stock > ?", 18, 0) }, { 1, 5 } },
  { "raw without parameters", { weft.raw "price is null" }, { 4 } },
  { "raw as a value", { "price", ">", weft.raw("stock * ?", 10) }, { 2, 5, 7 } },
  { "any_of triplets and tables", { weft.any_of { { "price", "<", 5 }, { status = "sale" } } }, { 5, 6 } },
  { "any_of with several keys", { weft.any_of { status = "sale", stock = 0 } }, { 2, 5 } },
  { "all_of", { weft.all_of { { "price", ">", 5 }, { status = "active" } } }, { 1 } },
  { "negate", { weft.negate { status = "gone" } }, { 1, 2, 4, 5 } },
  { "negate of several keys", { weft.negate { status = "gone", seller_id = 1 } }, { 1, 2, 4, 5, 6, 7 } },
  { "nested marks", { weft.any_of { weft.all_of { { status = "gone" }, weft.negate { seller_id = 1 } }, { "price", "is_null" } } },
    { 4, 6 } },
  { "raw inside any_of", { weft.any_of { weft.raw("stock = ?", 12), { stock = 0 } } }, { 2, 3 } },
  { "keys that are present", { { status = "active", seller_id = 1 }, { "status", "seller_id" } }, { 1 } },
}

backends.each(function(backend)
  local db, models, Product, Place, Log
  local off

  setup(function()
    local name
    db, name = backend.open(shop)
    models = weft.models(name)
    Product, Place, Log = models.Product, models.Place, models.Log
  end)

  ---The statements that fn makes the database run.
  local function statements(fn)
    local list = {}
    Product:first() -- the table is known
    off = weft.on("query", function(info) list[#list + 1] = info.sql end)
    local ok, err = pcall(fn)
    off()
    if not ok then error(err, 0) end
    return list
  end

  describe("where", function()
    for _, case in ipairs(conditions) do
      it("knows " .. case[1], function()
        local want = case[3][backend.dialect] or case[3]
        local query = Product:where(table.unpack(case[2]))
        assert.same(want, ids(query:order("product_id"):all()))
        assert.equal(#want, query:count())
      end)
    end

    it("adds up with AND", function()
      assert.same({ 1 }, ids(Product:where { status = "active" }:where("price", ">", 5):where { seller_id = 1 }:all()))
    end)

    it("takes a list of any length as one parameter of one statement", function()
      local list = {}
      for i = 1, 70000 do list[i] = i + 3 end
      local long, params = Product:where { product_id = list }:sql()
      assert.equal(1, #params)
      assert.equal(long, (Product:where { product_id = { 1 } }:sql()))
      assert.equal(4, Product:where { product_id = list }:count())
    end)
  end)

  describe("a query", function()
    it("is immutable: each step is another one", function()
      local all = Product:order "product_id"
      local active = all:where { status = "active" }
      local two = active:limit(2)
      assert.same({ 1, 2, 3, 4, 5, 6, 7 }, ids(all:all()))
      assert.same({ 1, 2, 4 }, ids(active:all()))
      assert.same({ 1, 2 }, ids(two:all()))
      assert.same({ 1, 2, 4 }, ids(active:all()))
    end)

    it("runs nothing before its end and one statement there", function()
      assert.same({}, statements(function() Product:where { stock = 1 }:select("title"):order("title"):limit(1):offset(2) end))
      assert.equal(1, #statements(function() Product:where { stock = 1 }:all() end))
    end)

    it("selects columns in the order given", function()
      local row = Product:select("title", "product_id"):find(1)
      assert.same({ "title", "product_id" }, weft.columns(row))
      assert.same("Lamp", row.title)
      assert.same({ "price" }, weft.columns(Product:select { "price" }:first()))
    end)

    it("replaces an earlier select by a later one", function()
      assert.same({ "stock" }, weft.columns(Product:select("title"):select("stock"):first()))
    end)

    it("selects expressions by alias", function()
      local row = Product:select { "product_id", twice = weft.raw("stock * ?", 2), color = weft.path("attrs", "color") }:find(1)
      assert.equal(10, row.twice)
      assert.equal("red", row.color)
      assert.same({ "product_id", "color", "twice" }, weft.columns(row))
    end)

    it("orders by columns, then by further ones", function()
      assert.same({ 7, 2, 6, 1, 4, 5, 3 }, ids(Product:order("stock"):order("product_id"):all()))
      assert.same({ 3, 5, 4, 1, 6, 2, 7 }, ids(Product:order("stock", "desc"):order("product_id", "desc"):all()))
      assert.same({ 6, 2, 7, 3, 1, 5 }, ids(Product:where("price", "not_null"):order("price"):order("title", "desc", "nulls first"):all()))
    end)

    it("orders text by bytes here", function()
      assert.same({ 6, 1, 4, 5, 2, 3 }, ids(Product:where("title", "not_null"):order("title"):all()))
    end)

    it("puts NULL first or last as said", function()
      assert.equal(4, Product:order("price", "asc", "nulls first"):first().product_id)
      assert.equal(4, Product:order("price", "desc", "nulls first"):first().product_id)
      local last = Product:order("price", "asc", "nulls last"):all()
      assert.equal(4, last[7].product_id)
      last = Product:order("price", "desc", "nulls last"):all()
      assert.equal(4, last[7].product_id)
    end)

    it("orders by a path and by raw", function()
      assert.same({ 2, 6, 1 }, ids(Product:where("attrs.color", "in", { "blue", "red" })
        :order(weft.path("attrs", "color")):order("product_id", "desc"):all()))
      assert.same({ 3, 5, 4, 1, 6, 2, 7 }, ids(Product:order(weft.raw "0 - stock"):order("product_id", "desc"):all()))
    end)

    it("limits and skips", function()
      local query = Product:order "product_id"
      assert.same({ 1, 2 }, ids(query:limit(2):all()))
      assert.same({ 3, 4 }, ids(query:limit(2):offset(2):all()))
      assert.same({ 6, 7 }, ids(query:offset(5):all()))
      assert.same({}, ids(query:limit(0):all()))
      assert.same({ 1 }, ids(query:limit(5):limit(1):all()))
    end)

    it("leaves out doubles", function()
      local rows = Product:select("seller_id"):where("seller_id", "not_null"):distinct():order("seller_id"):all()
      assert.equal(3, #rows)
      assert.same({ 1, 2, 3 }, { rows[1].seller_id, rows[2].seller_id, rows[3].seller_id })
      assert.equal(2, #Log:distinct():all())
    end)

    it("groups, counts, sums and asks groups", function()
      local rows = Product:group("seller_id"):select { "seller_id", n = weft.count(), stock = weft.sum "stock" }
        :where("seller_id", "not_null"):order("seller_id"):all()
      assert.same({ 1, 2, 17 }, { rows[1].seller_id, rows[1].n, rows[1].stock })
      assert.same({ 2, 2, 1 }, { rows[2].seller_id, rows[2].n, rows[2].stock })
      assert.same({ 3, 2, 6 }, { rows[3].seller_id, rows[3].n, rows[3].stock })
      local many = Product:group("status"):select { "status", n = weft.count() }:having("n", ">", 1):order("n", "desc"):all()
      assert.same({ "active", 3 }, { many[1].status, many[1].n })
      assert.same({ "gone", 2 }, { many[2].status, many[2].n })
      assert.is_nil(many[3])
      assert.equal(1, #Product:group("status"):having(weft.raw("count(*) > ?", 2)):select { "status", n = weft.count() }:all())
    end)

    it("knows every aggregate in select", function()
      local row = Product:select { n = weft.count(), titles = weft.count "title", sellers = weft.count_distinct "seller_id",
        least = weft.min "price", most = weft.max "stock", mean = weft.avg "stock" }:all()[1]
      assert.same({ 7, 6, 3, 12 }, { row.n, row.titles, row.sellers, row.most })
      assert.is_true(row.least == decimal "0.10")
      local digits = backend.dialect == "mysql" and 1e-4 or 1e-9 -- four more than the column has
      assert.near(31 / 7, type(row.mean) == "number" and row.mean or row.mean:tonumber(), digits)
    end)

    it("locks rows inside a transaction only", function()
      raises("usage", function() Product:where { product_id = 1 }:lock("update"):all() end, "transaction")
      db:transaction(function()
        for _, mode in ipairs { "update", "share" } do
          assert.equal("Lamp", Product:lock(mode):find(1).title)
        end
      end)
      raises("usage", function() Product:lock("everything") end, "lock")
    end)

    it("has a name", function()
      assert.truthy(tostring(Product):find("Product", 1, true))
      assert.truthy(tostring(Product:limit(1)):find("query", 1, true))
    end)
  end)

  describe("all", function()
    it("gives a plain list of rows", function()
      local rows = Product:where("product_id", "<", 3):order("product_id"):all()
      assert.equal(2, #rows)
      assert.is_nil(getmetatable(rows))
      assert.equal("lantern", rows[2].title)
      assert.same({}, Product:where { product_id = -1 }:all())
    end)

    it("is [] as JSON when it is empty", function()
      assert.equal("[]", weft.encode(Product:where { product_id = -1 }:all()))
      assert.equal("[]", weft.encode(db:query "select 1 where 1 = 0"))
      assert.equal("[]", weft.encode(db:rows "select 1 where 1 = 0"))
    end)
  end)

  describe("first", function()
    it("orders by the primary key unless an order is given", function()
      assert.equal(1, Product:first().product_id)
      assert.equal(3, Product:where { seller_id = 1 }:order("price"):first().product_id)
      assert.equal("Bonn", Place:first().city)
      assert.is_nil(Product:where { product_id = 0 }:first())
      assert.equal(7, Product:select { n = weft.count() }:first().n)
    end)

    it("asks the database for one row", function()
      assert.truthy(statements(function() Product:first() end)[1]:find("limit", 1, true))
    end)
  end)

  describe("one", function()
    it("gives the row when there is exactly one", function()
      assert.equal(5, Product:where { status = "sale" }:one().product_id)
      raises("many", function() Product:where { status = "gone" }:one() end)
      raises("not_found", function() Product:where { status = "lost" }:one() end)
    end)
  end)

  describe("find", function()
    it("gives the row of a key, or nil", function()
      assert.equal("Lamp", Product:find(1).title)
      assert.is_nil(Product:find(99))
      assert.equal("Lamp", Product:find("1").title)
    end)

    it("takes a composite key in its order", function()
      assert.equal(2, Place:find("de", "Bonn").people)
      assert.is_nil(Place:find("fr", "Bonn"))
      raises("usage", function() Place:find("de") end, "Place")
      raises("usage", function() Product:find(1, 2) end)
    end)

    it("respects conditions and columns", function()
      assert.is_nil(Product:where { status = "gone" }:find(1))
      assert.equal("Lamp", Product:where { status = "active" }:find(1).title)
      assert.same({ "title" }, weft.columns(Product:select("title"):find(1)))
    end)

    it("refuses what is no key", function()
      raises("usage", function() Product:find(nil) end, "nil")
      raises("usage", function() Product:find() end)
      raises("usage", function() Product:find(null) end)
      raises("usage", function() Product:find { 1, 2 } end)
      raises("usage", function() Product:where { stock = 1 }:find(nil) end)
      raises("type", function() Product:find("one") end)
      raises("type", function() Product:find(1.5) end)
    end)

    it("has no key to go by in a table without one", function()
      raises("usage", function() Log:find(1) end, "key")
    end)
  end)

  describe("get", function()
    it("raises where find gives nil", function()
      assert.equal("Lamp", Product:get(1).title)
      local err = raises("not_found", function() Product:get(99) end)
      assert.equal("get", err.op)
      raises("usage", function() Product:get(nil) end)
      assert.equal(2, Place:get("de", "Bonn").people)
    end)
  end)

  describe("find_by", function()
    it("gives the first row that has these values, or nil", function()
      assert.equal(5, Product:find_by { status = "sale" }.product_id)
      assert.equal(3, Product:find_by { status = "gone", seller_id = 1 }.product_id)
      assert.is_nil(Product:find_by { status = "lost" })
      assert.equal(7, Product:find_by { status = null }.product_id)
      raises("usage", function() Product:find_by {} end)
      raises("usage", function() Product:find_by { titel = "x" } end, "title")
      raises("usage", function() Product:find_by() end)
    end)
  end)

  describe("find_many", function()
    it("keeps the order of the keys and leaves holes", function()
      local rows = Product:find_many { 3, 99, 1, "2", 3 }
      assert.equal(5, rows.n)
      assert.equal(3, rows[1].product_id)
      assert.is_nil(rows[2])
      assert.equal(1, rows[3].product_id)
      assert.equal(2, rows[4].product_id)
      assert.equal(3, rows[5].product_id)
      assert.equal(0, Product:find_many({}).n)
      rows = Product:find_many { 1.0, "02", decimal "3" }
      assert.same({ 1, 2, 3 }, { rows[1].product_id, rows[2].product_id, rows[3].product_id })
    end)

    it("takes lists for a composite key", function()
      local rows = Place:find_many { { "fr", "Ulm" }, { "fr", "Bonn" }, { "de", "Ulm" } }
      assert.equal(3, rows.n)
      assert.same({ 3, 1 }, { rows[1].people, rows[3].people })
      assert.is_nil(rows[2])
    end)
  end)

  describe("count", function()
    it("ignores select and order and honours conditions, limit and offset", function()
      assert.equal(7, Product:count())
      assert.equal(7, Product:select("title"):order("title"):count())
      assert.equal(3, Product:where { status = "active" }:count())
      assert.equal(2, Product:limit(2):count())
      assert.equal(1, Product:offset(6):limit(4):count())
      assert.equal(0, Product:where { product_id = {} }:count())
    end)

    it("counts distinct rows and groups", function()
      assert.equal(2, Log:distinct():count())
      assert.equal(4, Product:select("seller_id"):distinct():count())
      assert.equal(4, Product:group("status"):count())
    end)
  end)

  describe("sum, avg, min and max", function()
    it("are exact over decimals", function()
      assert.is_true(Product:sum "price" == decimal "161.00")
      assert.is_true(Product:min "price" == decimal "0.10")
      assert.is_true(Product:max "price" == decimal "100.00")
      assert.is_true(Product:where { product_id = { 1, 2 } }:avg "price" == decimal "12.45")
    end)

    it("are integers over integers, where they can be", function()
      assert.equal(31, Product:sum "stock")
      assert.equal("integer", math.type(Product:sum "stock"))
      assert.equal(-1, Product:min "stock")
      assert.equal(12, Product:max "stock")
      assert.equal("a\\b*[c]?'", Product:where("product_id", ">", 3):where("title", "not_null"):max "title")
    end)

    it("are nil over no row", function()
      local none = Product:where { product_id = 0 }
      for _, name in ipairs { "sum", "avg", "min", "max" } do
        assert.is_nil(none[name](none, "stock"))
        raises("usage", function() none[name](none) end, "column")
        raises("usage", function() none[name](none, "stok") end, "stock")
      end
    end)
  end)

  describe("exists", function()
    it("is true or false", function()
      assert.is_true(Product:exists())
      assert.is_true(Product:where { status = "sale" }:exists())
      assert.is_false(Product:where { status = "lost" }:exists())
    end)
  end)

  describe("pluck", function()
    it("gives the values of one column", function()
      assert.same({ n = 3, 1, 2, 4 }, Product:where { status = "active" }:order("product_id"):pluck "product_id")
      local titles = Product:where("product_id", ">", 5):order("product_id", "desc"):pluck "title"
      assert.same({ n = 2, [2] = "LAMP" }, titles)
    end)

    it("gives lists for several columns", function()
      local list = Product:where("product_id", "<=", 2):order("product_id"):pluck("product_id", "title")
      assert.same({ { 1, "Lamp", n = 2 }, { 2, "lantern", n = 2 }, n = 2 }, list)
      assert.same({ n = 2, "red", "blue" }, Product:where { product_id = { 1, 2 } }:order("product_id"):pluck "attrs.color")
      assert.equal('[[1,"red"],[7,null]]',
        weft.encode(Product:where { product_id = { 1, 7 } }:order("product_id"):pluck("product_id", "attrs.color")))
      raises("usage", function() Product:pluck() end)
      raises("usage", function() Product:pluck "titel" end, "title")
    end)
  end)

  describe("json", function()
    it("is the text of the same rows", function()
      local query = Product:where { product_id = { 2, 3, 7 } }:order "product_id"
      assert.equal(weft.encode(query:all()), query:json())
      assert.equal("[]", Product:where { product_id = 0 }:json())
      assert.equal('[{"product_id":7,"title":null,"price":18.00}]',
        Product:select("product_id", "title", "price"):where { product_id = 7 }:json())
    end)
  end)

  describe("sql", function()
    it("gives text and parameters and runs nothing", function()
      local text, params
      assert.same({}, statements(function() text, params = Product:where { status = "x", stock = 3 }:limit(2):sql() end))
      assert.truthy(text:find(backend.dialect == "mysql" and "`status`" or '"status"', 1, true))
      assert.truthy(text:find(backend.dialect == "postgres" and "$2" or "?", 1, true))
      assert.same({ "x", 3 }, { params[1], params[2] })
      assert.falsy(text:find("'x'", 1, true))
    end)

    it("is the text that runs", function()
      local query = Product:where { status = "sale" }
      assert.equal((query:sql()), statements(function() query:all() end)[1])
    end)
  end)

  describe("explain", function()
    it("is the database's plan as text", function()
      local plan = Product:where { status = "sale" }:explain()
      assert.is_string(plan)
      assert.truthy(plan:lower():find("products", 1, true))
    end)

    it("takes parameters of every kind", function()
      assert.is_string(Product:where { product_id = { 1, 2 }, price = decimal "1.5" }:where("attrs.size", "=", 10.5):explain())
    end)
  end)

  describe("each", function()
    it("walks through all rows and holds one page", function()
      for _, size in ipairs { 1, 2, 3, 7, 8 } do
        local seen = {}
        for row in Product:each(size) do seen[#seen + 1] = row.product_id end
        assert.same({ 1, 2, 3, 4, 5, 6, 7 }, seen)
      end
      local n = 0
      assert.equal(4, #statements(function() for _ in Product:order("price"):each(2) do n = n + 1 end end))
      assert.equal(7, n)
      for _ in Product:where { product_id = 0 }:each() do n = n + 1 end
      assert.equal(7, n)
      raises("usage", function() Product:each(0) end)
      raises("usage", function() Product:each("2") end)
    end)

    it("honours limit and offset", function()
      for _, size in ipairs { 1, 2, 3, 4 } do
        local seen = {}
        for row in Product:order("product_id", "desc"):limit(3):each(size) do seen[#seen + 1] = row.product_id end
        assert.same({ 7, 6, 5 }, seen)
        seen = {}
        for row in Product:offset(2):limit(4):each(size) do seen[#seen + 1] = row.product_id end
        assert.same({ 3, 4, 5, 6 }, seen)
      end
      assert.is_nil(Product:limit(0):each()())
    end)

    it("goes on where it was when its rows are changed", function()
      local seen = {}
      for row in Product:each(2) do
        seen[#seen + 1] = row.product_id
        row.product_id = 100
      end
      assert.same({ 1, 2, 3, 4, 5, 6, 7 }, seen)
    end)
  end)

  describe("look-ups by key of tasks of one turn", function()
    local function find_all(query)
      return statements(function()
        weft.run(function()
          local tasks = {}
          for i = 1, 4 do tasks[i] = function() return query:find(i) end end
          local rows = weft.all(tasks)
          for i = 1, 4 do assert.equal(i, rows[i].product_id) end
        end)
      end)
    end

    it("become one statement", function()
      assert.equal(1, #find_all(Product))
    end)

    it("stay apart with batch(false)", function()
      assert.equal(4, #find_all(Product:batch(false)))
      raises("usage", function() Product:batch "no" end)
    end)
  end)

  describe("a column", function()
    it("may have any name", function()
      local other, name = backend.open [[
        create table "we ird" ("sel ect" integer primary key, "quo""te" text, "dot.ted" text, "größe" integer, "n" integer, "Order" text);
        insert into "we ird" values (1, 'q', 'd', 3, 4, 'o'), (2, null, null, null, null, null)]]
      local Weird = weft.models(name)["we ird"]
      local row = Weird:find(1)
      assert.same({ "q", "d", 3, 4, "o" }, { row['quo"te'], row["dot.ted"], row["größe"], row.n, row.Order })
      assert.equal(1, Weird:where({ ['quo"te'] = "q", ["dot.ted"] = "d", ["größe"] = 3, n = 4, Order = "o" }):one()["sel ect"])
      assert.equal(2, Weird:order('quo"te', "desc", "nulls first"):order("sel ect"):first()["sel ect"])
      row['quo"te'], row["dot.ted"], row.n = "new", "er", 5
      row:save()
      assert.same({ n = 1, "new" }, Weird:where { ["dot.ted"] = "er", n = 5 }:pluck 'quo"te')
      assert.equal(9, Weird:create({ ["sel ect"] = 9, ["größe"] = 1 })["sel ect"])
      assert.equal(4, Weird:sum "größe")
      assert.equal(1, Weird:group("größe"):select { "größe", ["a b"] = weft.count() }:having("a b", "=", 1):order("a b"):first()["a b"])
      local bad = { "", "a\0b", 'x" from products; --', "n; drop table products" }
      for _, column in ipairs(bad) do
        raises("usage", function() Weird:where { [column] = 1 } end)
        raises("usage", function() Weird:select(column) end)
        raises("usage", function() Weird:order(column) end)
        raises("usage", function() Weird:create { [column] = 1 } end)
      end
      raises("usage", function() Weird:select { ["a\0b"] = "n" } end)
      local evil = 'x" , (select 1) as "y'
      assert.equal(5, Weird:select { "sel ect", [evil] = "n" }:find(1)[evil])
      other:ping()
    end)
  end)

  describe("a wrong query", function()
    -- what is wrong, words of the message
    local wrong = {
      { "a column", function() Product:where { titel = 1 } end, { "titel", "products", "did you mean 'title'?" } },
      { "a column in a triplet", function() Product:where("prise", ">", 1) end, { "did you mean 'price'?" } },
      { "a column in select", function() Product:select "titel" end, { "did you mean 'title'?" } },
      { "a column in order", function() Product:order "stok" end, { "did you mean 'stock'?" } },
      { "a column in an aggregate", function() Product:select { n = weft.sum "pric" } end, { "did you mean 'price'?" } },
      { "a column in any_of", function() Product:where(weft.any_of { { titel = 1 } }) end, { "did you mean 'title'?" } },
      { "a column of a path", function() Product:where(weft.path("atrs", "x"), "=", 1) end, { "did you mean 'attrs'?" } },
      { "a value of is_null", function() Product:where("price", "is_null", false) end, { "no value" } },
      { "an operator", function() Product:where("price", "beginswith", 1) end, { "did you mean 'begins_with'?" } },
      { "an operator of another language", function() Product:where("price", "<>", 1) end, { "<>" } },
      { "an operator that is a number", function() Product:where("price", 1, 1) end, { "operator" } },
      { "a direction", function() Product:order("price", "down") end, { "asc" } },
      { "SQL as a direction", function() Product:order("price", "desc; drop table products") end, { "desc" } },
      { "a place of NULLs", function() Product:order("price", "asc", "first") end, { "nulls first" } },
      { "an empty table", function() Product:where {} end, { "empty" } },
      { "an empty any_of", function() Product:where(weft.any_of {}) end, { "empty" } },
      { "an empty all_of", function() weft.all_of {} end, { "empty" } },
      { "an empty negate", function() weft.negate {} end, { "empty" } },
      { "an empty table inside any_of", function() Product:where(weft.any_of { { stock = 1 }, {} }) end, { "empty" } },
      { "nil", function() Product:where(nil) end, {} },
      { "nothing", function() Product:where() end, {} },
      { "a nil value", function() Product:where("price", "=", nil) end, { "nil" } },
      { "no value", function() Product:where("price", ">") end, { "nil" } },
      { "a key that must be present", function() Product:where({ status = "x", seller_id = nil }, { "status", "seller_id" }) end,
        { "seller_id" } },
      { "text instead of a condition", function() Product:where "price > 3" end, { "raw" } },
      { "raw with nil", function() weft.raw("a = ?", nil) end, { "nil" } },
      { "raw without text", function() weft.raw(1) end, { "raw" } },
      { "a function as a value", function() Product:where { stock = print } end, { "function" } },
      { "a list with holes", function() Product:where { stock = { 1, nil, 3 } } end, { "holes" } },
      { "in without a list", function() Product:where("stock", "in", 3) end, { "list" } },
      { "between one value", function() Product:where("stock", "between", { 1 }) end, { "two" } },
      { "between with nil", function() Product:where("stock", "between", { nil, 1 }) end, {} },
      { "a limit below zero", function() Product:limit(-1) end, { "limit" } },
      { "a limit that is no whole number", function() Product:limit(1.5) end, { "limit" } },
      { "a limit that is text", function() Product:limit "1" end, { "limit" } },
      { "no limit", function() Product:limit() end, { "limit" } },
      { "an offset", function() Product:offset(-1) end, { "offset" } },
      { "select of nothing", function() Product:select() end, { "select" } },
      { "an empty select", function() Product:select {} end, { "empty" } },
      { "order of nothing", function() Product:order() end, {} },
      { "an aggregate in where", function() Product:where(weft.count(), ">", 1) end, {} },
      { "a dot instead of a colon", function() Product.where { stock = 1 } end, { "colon" } },
      { "path without keys", function() weft.path "attrs" end, { "path" } },
      { "a path with a wrong key", function() weft.path("attrs", {}) end, { "path" } },
      { "a select of one name twice", function() Product:select("stock", "title", "stock") end, { "'stock'" } },
      { "a select of an alias that is a column", function() Product:select { "stock", stock = "price" } end, { "'stock'" } },
      { "a select of two sums without alias", function() Product:select { weft.sum "stock", weft.sum "price" } end, { "'sum'" } },
      { "aggregates without a column", function() weft.sum() end, { "sum" } },
      { "aggregates without a column", function() weft.count_distinct() end, { "count_distinct" } },
    }

    for _, case in ipairs(wrong) do
      it("blames the caller's line for " .. case[1], function()
        local ran = statements(function()
          local err = raises("usage", case[2], table.unpack(case[3]))
          local line = debug.getinfo(case[2], "S").linedefined
          assert.truthy(err.message:find("query_spec.lua:" .. line .. ":", 1, true), tostring(err))
        end)
        assert.same({}, ran)
      end)
    end

    it("raises when it runs, where the table was not known before", function()
      local _, name = backend.open(shop)
      local fresh = weft.models(name).Product
      local query = fresh:where { titel = 1 }
      raises("usage", function() query:all() end, "did you mean 'title'?", "query_spec.lua")
    end)

    it("raises when it runs for a column before a dot, which may be an association", function()
      raises("usage", function() Product:where("atrs.x", "=", 1):all() end, "did you mean 'attrs'?", "query_spec.lua")
      raises("usage", function() Product:where("atrs.x", "=", 1) end, "did you mean 'attrs'?", "query_spec.lua") -- all are known now
    end)

    it("raises for a group that no later select has named", function()
      raises("usage", function() Product:group("stats"):all() end, "did you mean 'status'?", "query_spec.lua")
      assert.equal(4, #Product:group("stat"):select { stat = "status", n = weft.count() }:all())
    end)

    it("is of kind type where a value is not the column's", function()
      for _, case in ipairs {
        { "stock", "many" }, { "stock", 1.5 }, { "stock", true }, { "stock", decimal "1.5" }, { "price", "cheap" },
        { "stock", { "1", "x" } }, { "product_id", "1; drop table products" },
      } do
        raises("type", function() Product:where { [case[1]] = case[2] }:all() end, case[1])
      end
    end)
  end)
end)
