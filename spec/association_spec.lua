-- SPDX-License-Identifier: MIT
-- Associations: wired once, in any order, between tables of one database and of two.

local weft = require "weft"
local mixes = require "spec.support.mixes"
local raises = require "spec.support.raises"

local near = {
  sqlite = [[
    create table products (product_id integer primary key, title text, seller_id text, parent_id integer, blob_id blob, save text);
    create table variants (variant_id integer primary key, product_id integer, sku text, stock integer);
    create table product_tags (product_id integer, tag_id integer, primary key (product_id, tag_id));
    create table stalls (stall_id integer primary key, country text, city text);
    create table keyless (a integer);]],
  postgres = [[
    create table products (product_id integer primary key, title text, seller_id text, parent_id integer, blob_id bytea, save text);
    create table variants (variant_id integer primary key, product_id integer, sku text, stock integer);
    create table product_tags (product_id integer, tag_id integer, primary key (product_id, tag_id));
    create table stalls (stall_id integer primary key, country text, city text);
    create table keyless (a integer);]],
}
near.mysql = near.sqlite
local far = [[
    create table sellers (seller_id integer primary key, name text, leader_id integer, product_id integer);
    create table tags (tag_id integer primary key, name text);
    create table tagged (product_id integer, tag_id integer, primary key (product_id, tag_id));
    create table places (country text, city text, people integer, primary key (country, city));]]
local near_rows = [[
    insert into products (product_id, title, seller_id, parent_id, save) values (1, 'Lamp', '1', null, 'kept'),
      (2, 'Bulb', '1', 1, null), (3, 'Chair', null, 1, null), (4, 'Sofa', '9', null, null), (5, 'Shade', '2', 2, null);
    insert into variants values (1, 1, 'b', 5), (2, 1, 'a', 0), (3, 2, 'c', 7), (4, null, 'd', 1), (5, 77, 'e', 1);
    insert into product_tags values (1, 1), (1, 2), (2, 2), (4, 3), (4, 99);
    insert into stalls values (1, 'de', 'Ulm'), (2, 'fr', 'Ulm'), (3, 'de', null), (4, 'de', 'Bonn'), (5, 'fr', 'Ulm');]]
local far_rows = [[
    insert into sellers values (1, 'Ann', null, 1), (2, 'Bob', 1, null), (3, 'Cid', 1, null), (9, 'Dee', 9, 4), (10, 'Eve', 77, 1);
    insert into tags values (1, 'x'), (2, 'y'), (3, 'z');
    insert into tagged values (1, 3), (1, 1), (3, 2), (4, 99);
    insert into places values ('de', 'Ulm', 1), ('fr', 'Ulm', 2), ('de', 'Bonn', 3);]]

---One field of rows, as text; "-" where the row or the field is absent.
local function field(rows, name)
  local list = {}
  for i, row in ipairs(rows) do list[i] = tostring(row[name] == nil and "-" or row[name]) end
  return table.concat(list, " ")
end

---What rows of a model have below them by touch, included, as JSON and one by one; all must be the same.
local function below(model, order, name, of)
  local function show(rows)
    local list = {}
    for i, row in ipairs(rows) do
      local it = row[name]
      if it == nil then list[i] = "-"
      elseif it[1] or next(it) == nil then list[i] = "(" .. field(it, of) .. ")"
      else list[i] = tostring(it[of]) end
    end
    return table.concat(list, " ")
  end
  local touched = show(model:order(order):all())
  local query = model:include(name):order(order)
  assert.equal(touched, show(query:all()))
  assert.equal(touched, show(weft.decode(query:json())))
  local each = {}
  for row in query:each(2) do each[#each + 1] = row end
  assert.equal(touched, show(each))
  assert.equal(weft.encode(query:all()), query:json())
  return touched
end

mixes.each(function(mix)
  local function open()
    mix:open(near, far)
    mix.near_db:script(near_rows)
    mix.far_db:script(far_rows)
  end
  before_each(open)
  after_each(function() mix:close() end)

  local function product(associations, more)
    mix:script("near", "Product", ("associations = { %s }, %s"):format(associations, more or ""))
    return mix:model("near", "Product")
  end
  local function seller(associations, more)
    mix:script("far", "Seller", ("associations = { %s }, %s"):format(associations, more or ""))
    return mix:model("far", "Seller")
  end

  describe("wiring", function()
    local function both_ends()
      mix:script("near", "Product", [[associations = {
        seller = weft.belongs_to { model = "FAR.Seller", foreign_key = "seller_id" },
        tags = weft.many_to_many { model = "FAR.Tag", through = "product_tags", foreign_key = "product_id", other_key = "tag_id" } }]])
      mix:script("far", "Seller", [[associations = {
        products = weft.has_many { model = "NEAR.Product", foreign_key = "seller_id", order = "product_id" } }]])
      mix:script("far", "Tag", [[associations = { products = weft.many_to_many { model = "NEAR.Product",
        through = "NEAR.product_tags", foreign_key = "tag_id", other_key = "product_id", order = "product_id" } }]])
    end
    local ends = {
      function() assert.equal("Ann Ann - Dee Bob", below(mix:model("near", "Product"), "product_id", "seller", "name")) end,
      function()
        assert.equal("(Lamp Bulb) (Shade) () (Sofa) ()", below(mix:model("far", "Seller"), "seller_id", "products", "title"))
      end,
      function() assert.equal("(Lamp) (Lamp Bulb) (Sofa)", below(mix:model("far", "Tag"), "tag_id", "products", "title")) end,
    }

    it("does not care which end is touched first", function()
      for first = 1, 3 do
        if first > 1 then
          mix:close()
          open()
        end
        both_ends()
        for i = 0, 2 do ends[(first + i - 1) % 3 + 1]() end
      end
    end)

    it("happens in tasks that touch both ends at once", function()
      both_ends()
      weft.run(function() weft.all(ends) end)
    end)

    it("touches neither disk nor database before it is needed", function()
      both_ends()
      mix:script("far", "Seller", "associations = 1")
      local Product = mix:model("near", "Product")
      assert.equal(0, #mixes.statements(function() Product:include "seller":where("seller.name", "=", "Ann"):order "seller.name" end))
      assert.equal(5, Product:count())
      raises("usage", function() Product:include "seller":all() end, "associations")
    end)

    it("is once: what was wired costs no statement", function()
      both_ends()
      local Product = mix:model("near", "Product")
      Product:include "seller":all()
      local all = 0
      local off = weft.on("query", function() all = all + 1 end)
      for _ = 1, 10 do Product:include "seller":all() end
      off()
      assert.equal(20, all)
      assert.equal(Product, weft.models(mix.near).Product)
    end)

    it("follows a table that is changed", function()
      both_ends()
      local Product = mix:model("near", "Product")
      Product:include "seller":find(1)
      mix.far_db:script "alter table sellers add column rank integer default 7"
      assert.equal(7, Product:include "seller":find(1).seller.rank)
      assert.equal(7, Product:find(1).seller.rank)
      mix.far_db:script "alter table sellers drop column rank"
      assert.is_nil(weft.decode(Product:include "seller":where { product_id = 1 }:json())[1].seller.rank)
    end)

    it("finds the other end by the association's name and the usual keys", function()
      mix:script("far", "Seller", "")
      local Product = product [[variants = weft.has_many {}, seller = weft.belongs_to { model = "FAR.Seller" },
        tags = weft.many_to_many { model = "FAR.Tag", through = "product_tags" }]]
      assert.equal("(b a) (c) () () ()", below(Product, "product_id", "variants", "sku"))
      assert.equal("Ann Ann - Dee Bob", below(Product, "product_id", "seller", "name"))
      assert.equal("(x y) (y) () (z) ()", (below(Product, "product_id", "tags", "name"):gsub("y x", "x y")))
    end)
  end)

  describe("kinds", function()
    it("has_many takes an order and a condition", function()
      local Product = product [[variants = weft.has_many { model = "variants", foreign_key = "product_id", order = "sku" },
        stocked = weft.has_many { model = "variants", foreign_key = "product_id", where = { stock = { 5, 7 } } },
        backwards = weft.has_many { model = "variants", foreign_key = "product_id", order = { { "stock", "desc" }, "sku" } }]]
      assert.equal("(a b) (c) () () ()", below(Product, "product_id", "variants", "sku"))
      assert.equal("(b) (c) () () ()", below(Product, "product_id", "stocked", "sku"))
      assert.equal("(b a) (c) () () ()", below(Product, "product_id", "backwards", "sku"))
    end)

    it("has_one takes the first in its order, of several", function()
      local Product = product [[least = weft.has_one { model = "variants", foreign_key = "product_id", order = "stock" },
        most = weft.has_one { model = "variants", foreign_key = "product_id", order = { "stock", "desc" } },
        owner = weft.has_one { model = "FAR.sellers", foreign_key = "product_id", order = { "seller_id", "desc" } }]]
      assert.equal("a c - - -", below(Product, "product_id", "least", "sku"))
      assert.equal("b c - - -", below(Product, "product_id", "most", "sku"))
      assert.equal("Eve - - Dee -", below(Product, "product_id", "owner", "name"))
    end)

    it("belongs_to may name another key, which need not be unique", function()
      local Product = product [[namesake = weft.belongs_to { model = "FAR.sellers", foreign_key = "seller_id", target_key = "leader_id" }]]
      assert.is_truthy(({ ["Bob Bob - Dee -"] = true, ["Cid Cid - Dee -"] = true })[below(Product, "product_id", "namesake", "name")])
    end)

    it("many_to_many joins through a table of either database", function()
      local Product = product [[
        tags = weft.many_to_many { model = "FAR.tags", through = "product_tags", foreign_key = "product_id", other_key = "tag_id",
          order = { "name", "desc" } },
        marks = weft.many_to_many { model = "FAR.tags", through = "FAR.tagged", foreign_key = "product_id", other_key = "tag_id",
          order = "name" }]]
      assert.equal("(y x) (y) () (z) ()", below(Product, "product_id", "tags", "name"))
      assert.equal("(x z) () (y) () ()", below(Product, "product_id", "marks", "name"))
    end)

    it("point at their own table", function()
      local Product = product [[parent = weft.belongs_to { model = "Product", foreign_key = "parent_id" },
        parts = weft.has_many { model = "Product", foreign_key = "parent_id", order = "product_id" }]]
      assert.equal("- Lamp Lamp - Bulb", below(Product, "product_id", "parent", "title"))
      assert.equal("(Bulb Chair) (Shade) () () ()", below(Product, "product_id", "parts", "title"))
      local shade = Product:include("parent.parent.parts.parts"):find(5)
      assert.equal("Shade", shade.parent.parent.parts[1].parts[1].title)
      local Seller = seller [[leader = weft.belongs_to { model = "Seller", foreign_key = "leader_id" }]]
      assert.equal("- Ann Ann Dee -", below(Seller, "seller_id", "leader", "name"))
    end)

    it("of char(n) are found without the spaces behind them, in conditions too", function()
      mix:run("near", "create table labels (id integer primary key, name varchar(20)); insert into labels values (1, 'Ann'), (2, 'Bob'), (3, 'Eva')")
      mix:run("far", "create table people (id integer primary key, name char(10)); insert into people values (1, 'Ann'), (2, 'Bob')")
      local Label, Person = mix:model("near", "labels"), mix:model("far", "people")
      weft.include { from = Label, to = Person, as = "person", type = "belongs_to", foreign_key = "name", target_key = "name" }
      weft.include { from = Person, to = Label, as = "label", type = "has_one", foreign_key = "name", source_key = "name" }
      assert.equal("1 2 -", below(Label, "id", "person", "id"))
      assert.equal("1 2", below(Person, "id", "label", "id"))
      assert.equal("1 2", field(Label:where(weft.some "person"):order("id"):all(), "id"))
      assert.equal("3", field(Label:where(weft.none "person"):order("id"):all(), "id"))
      assert.equal("2", field(Person:where("label.id", "=", 2):all(), "id"))
    end)

    it("have composite keys, all of whose columns must meet", function()
      mix:script("near", "Stall", [[associations = {
        place = weft.belongs_to { model = "FAR.Place", foreign_key = { "country", "city" } } }]])
      mix:script("far", "Place", [[associations = {
        stalls = weft.has_many { model = "NEAR.Stall", foreign_key = { "country", "city" }, order = "stall_id" } }]])
      assert.equal("1 2 - 3 2", below(mix:model("near", "Stall"), "stall_id", "place", "people"))
      assert.equal("(1) (2 5) (4)", below(mix:model("far", "Place"), "people", "stalls", "stall_id"))
    end)
  end)

  describe("names", function()
    it("of associations go before those of what every row can do", function()
      local Product = product([[update = weft.has_many { model = "variants", foreign_key = "product_id" }]],
        [[methods = { other = function() return "other" end }]])
      local row = Product:find(1)
      assert.equal(2, #row.update)
      assert.equal("other", row:other())
      weft.update(row, { title = "New" })
      assert.equal("New", Product:find(1).title)
    end)

    it("of associations are none of the model's methods", function()
      local Product = product("", [[methods = { other = function() return "other" end }]])
      raises("usage", function()
        weft.include { from = Product, to = mix.near .. ".variants", as = "other", type = "has_many", foreign_key = "product_id" }
      end, "'other' of " .. mix.near .. ".Product", "method")
      assert.equal("other", Product:find(1):other())
    end)

    it("of columns go before those of methods, and cannot be an association's", function()
      local Product = product [[variants = weft.has_many { foreign_key = "product_id" }]]
      local row = Product:include "variants":find(1)
      assert.equal("kept", row.save)
      row.title = "Saved"
      weft.save(row)
      assert.equal("Saved", Product:find(1).title)
      assert.is_nil(Product:find(2).save)
      assert.equal("(b a) (c) () () ()", below(Product, "product_id", "variants", "sku"))
      weft.include { from = Product, to = mix.near .. ".variants", as = "save", type = "has_many", foreign_key = "product_id" }
      raises("usage", function() Product:include "save":all() end, "'save' of " .. mix.near .. ".Product", "like a column")
      assert.equal("Saved", Product:find(1).title)
      assert.equal("kept", Product:find(1).save)
    end)

    it("that nobody knows are refused with the nearest one", function()
      local Product = product [[variants = weft.has_many { foreign_key = "product_id" }]]
      raises("usage", function() Product:include "variant":all() end, "unknown association 'variant' of " .. mix.near .. ".Product",
        "did you mean 'variants'?")
      raises("usage", function() Product:include "variants.nothing":all() end, "'nothing' of " .. mix.near)
      assert.is_nil(Product:find(1).variant)
    end)
  end)

  describe("a definition that cannot be", function()
    ---Raises usage both when it is included and when it is touched, with the words.
    local function refused(kind, association, ...)
      local Product = product("it = " .. association)
      local words = { "association 'it' of NEAR.Product (", ... }
      for i, word in ipairs(words) do words[i] = word:gsub("NEAR", mix.near):gsub("FAR", mix.far) end
      for _, fn in ipairs { function() Product:include "it":all() end, function() return Product:find(1).it end,
        function() Product:include "it":json() end } do
        raises(kind, fn, table.unpack(words))
        weft.run(function() raises(kind, fn, table.unpack(words)) end)
      end
      assert.equal(5, Product:count())
    end

    it("because there is no such model or table", function()
      refused("usage", [[weft.has_many { model = "FAR.Nobody", foreign_key = "product_id" }]], "has_many FAR.Nobody", "no table")
    end)

    it("because there is no such database", function()
      refused("usage", [[weft.has_many { model = "nowhere.Seller", foreign_key = "product_id" }]], "nowhere")
    end)

    it("because there is no such table in between", function()
      refused("syntax", [[weft.many_to_many { model = "FAR.tags", through = "no_such", foreign_key = "product_id",
        other_key = "tag_id" }]], "many_to_many FAR.tags", "NEAR.no_such")
    end)

    local wrong = {
      ["there is no such column"] = {
        { [[weft.belongs_to { model = "FAR.sellers", foreign_key = "seler_id" }]],
          "belongs_to FAR.sellers", "products (NEAR.Product) has no column 'seler_id'; did you mean 'seller_id'?" },
        { [[weft.belongs_to { model = "FAR.sellers", foreign_key = "seller_id", target_key = "id" }]],
          "sellers (FAR.sellers) has no column 'id'" },
        { [[weft.has_many { model = "FAR.sellers", foreign_key = "produkt_id" }]],
          "has_many FAR.sellers", "sellers (FAR.sellers) has no column 'produkt_id'; did you mean 'product_id'?" },
        { [[weft.many_to_many { model = "FAR.tags", through = "FAR.tagged", foreign_key = "product_id", other_key = "tag" }]],
          "many_to_many FAR.tags", "tagged (FAR.tagged) has no column 'tag'" },
      },
      ["nothing says which column it is"] = {
        { [[weft.belongs_to { model = "FAR.tags" }]], "products (NEAR.Product)", "tags (FAR.tags)", "Say foreign_key" },
        { [[weft.belongs_to { model = "keyless", foreign_key = "parent_id" }]], "keyless (NEAR.keyless) has no primary key" },
      },
      ["the keys can never be equal"] = {
        { [[weft.belongs_to { model = "FAR.sellers", foreign_key = "blob_id" }]], "products.blob_id (NEAR.Product) is bytes",
          "sellers.seller_id (FAR.sellers) is integer", "never equal" },
        { [[weft.belongs_to { model = "FAR.sellers", foreign_key = "blob_id", target_key = "name" }]], "is bytes", "is text" },
        { [[weft.belongs_to { model = "FAR.places", foreign_key = "title" }]], "1 key column", "2" },
      },
    }
    for why, cases in pairs(wrong) do
      for _, case in ipairs(cases) do
        it(("because %s: %s"):format(why, case[1]), function() refused("usage", table.unpack(case)) end)
      end
    end

    it("because the script says so", function()
      for i, case in ipairs {
        { "it = 1", "made by weft.has_many" }, { "it = weft.has_many { modl = 'x' }", "did you mean 'model'?" },
        { "it = weft.has_many 'x'", "takes a table" }, { "it = weft.has_many { model = 1 }", "model is a name" },
        { "it = weft.has_many { foreign_key = 1 }", "foreign_key is a column" },
        { "it = weft.has_many { foreign_key = {} }", "foreign_key is a column" },
        { "it = weft.many_to_many { model = 'x' }", "through names the table in between" },
        { "['a.b'] = weft.has_many {}", "without dots" }, { "weft.has_many {}", "without dots" },
      } do
        mix:script("near", "Wrong" .. i, ("associations = { %s }"):format(case[1]))
        raises("usage", function() mix:model("near", "Wrong" .. i) end, case[2], ("Wrong%d.lua"):format(i))
      end
    end)
  end)

  describe("weft.include", function()
    local function variants(more)
      local spec = { from = mix:model("near", "Product"), to = mix.near .. ".variants", as = "things", type = "has_many",
        foreign_key = "product_id", order = "sku" }
      for key, value in pairs(more or {}) do spec[key] = value end
      return weft.include(spec)
    end

    it("wires at run time, in either database", function()
      local Product = product ""
      assert.equal("a", Product:include(variants()):find(1).things[1].sku)
      assert.equal("(a b) (c) () () ()", below(Product, "product_id", "things", "sku"))
      weft.include { from = mix.near .. ".Product", to = mix.far .. ".sellers", type = "belongs_to", as = "boss",
        foreign_key = "seller_id", include = { { "staff", select = "name" } } }
      weft.include { from = mix.far .. ".sellers", to = mix.far .. ".sellers", as = "staff", foreign_key = "leader_id" }
      assert.equal("Ann Ann - Dee Bob", below(Product, "product_id", "boss", "name"))
    end)

    it("takes what is included with it", function()
      local Product = product ""
      weft.include { from = mix.far .. ".sellers", to = mix.far .. ".sellers", as = "staff", foreign_key = "leader_id", order = "name" }
      local boss = weft.include { from = Product, to = mix.far .. ".sellers", type = "belongs_to", as = "boss",
        foreign_key = "seller_id", select = { "name" }, include = { { "staff", select = "name", limit = 1 } } }
      local text = Product:where { product_id = 1 }:select("title"):include(boss):json()
      assert.equal('[{"title":"Lamp","boss":{"name":"Ann","staff":[{"name":"Bob"}]}}]', text)
      raises("usage", function() mix:model("far", "sellers"):include(boss) end, "'boss' is an association of " .. mix.near .. ".Product")
    end)

    it("names it like the other end, unless told", function()
      local Product = product ""
      assert.equal("variants", weft.include { from = Product, to = mix.near .. ".variants" }.name)
      assert.equal("seller", weft.include { from = Product, to = mix.far .. ".Seller", type = "belongs_to" }.name)
      assert.equal(2, #Product:find(1).variants)
      assert.equal("Ann", Product:find(1).seller.name)
    end)

    it("does nothing the second time, and costs no more the thousandth", function()
      local Product = product ""
      variants()
      Product:include "things":all()
      local sent = mixes.statements(function()
        for _ = 1, 1000 do variants() end
        Product:include(variants()):all()
      end)
      assert.equal(2, #sent)
    end)

    it("adds what a model's own definition leaves open, and raises where they differ", function()
      local Product = product [[things = weft.has_many { model = "variants", foreign_key = "product_id" }]]
      variants()
      for _, other in ipairs { { type = "has_one" }, { to = mix.near .. ".product_tags" }, { foreign_key = "variant_id" },
        { order = "stock" }, { where = { stock = 1 } , order = "stock" } } do
        raises("usage", function() variants(other) end, "association 'things' of " .. mix.near .. ".Product", "another name")
      end
      assert.equal("(a b) (c) () () ()", below(Product, "product_id", "things", "sku"))
    end)

    it("is forgotten by reset_associations, what models define is wired again", function()
      local Product = product [[seller = weft.belongs_to { model = "FAR.sellers", foreign_key = "seller_id" }]]
      variants()
      local row = Product:include "things":find(1)
      weft.reset_associations()
      assert.equal(2, #row.things)
      assert.is_nil(Product:find(1).things)
      raises("usage", function() Product:include "things":all() end, "unknown association 'things'")
      assert.equal("Ann Ann - Dee Bob", below(Product, "product_id", "seller", "name"))
      variants { type = "has_one", order = "stock" }
      assert.equal("a c - - -", below(Product, "product_id", "things", "sku"))
    end)

    it("refuses what it cannot understand", function()
      product ""
      for _, case in ipairs {
        { { type = "has_few" }, "unknown type of association 'has_few'" }, { { type = "has" }, "unknown type of association 'has'" },
        { { type = 1 }, "unknown type of association '1'" }, { { to = "variants" }, "to is a model" },
        { { from = 1 }, "from is a model" }, { { as = "" }, "as is a name" }, { { as = "a.b" }, "as is a name" },
        { { key = "x" }, "unknown option of include 'key'" }, { { foreign_key = 1 }, "foreign_key is a column" },
        { { type = "many_to_many" }, "through" }, { { limit = -1 }, "limit is a whole number" },
        { { to = "nowhere.X" }, "unknown database" }, { { select = 1 }, "select is a list of columns" },
        { { include = 1 }, "include is a name or a list" },
      } do
        raises("usage", function() mix:model("near", "Product"):include(variants(case[1])):all() end, case[2])
      end
      raises("usage", function() weft.include "x" end, "takes a table")
    end)
  end)
end)
