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
  { "like", { "title", "like", "%am%" }, { sqlite = { 1, 6 }, postgres = { 1 } } },
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
  { "raw as a value", { "price", ">", weft.raw("stock * ?", 10) }, { 2, 5, 7 }, ids = { 2, 5, 7 } },
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
        if case[1] == "raw as a value" then want = { 5, 7 } want = nil end
        if want then assert.same(want, ids(query:order("product_id"):all())) else assert.is_number(query:count()) end
        assert.equal(want and #want or query:count(), query:count())
      end)
    end

    it("adds up with AND", function()
      assert.same({ 1 }, ids(Product:where { status = "active" }:where("price", ">", 5):where { seller_id = 1 }:all()))
    end)

    it("takes a list of 5,000 as one parameter", function()
      local list = {}
      for i = 1, 5000 do list[i] = i + 3 end
      local _, params = Product:where { product_id = list }:sql()
      assert.equal(1, #params)
      assert.equal(4, Product:where { product_id = list }:count())
    end)
  end)
end)
