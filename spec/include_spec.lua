-- SPDX-License-Identifier: MIT
-- Include trees: rows with the rows of their associations, over one database and two.

local weft = require "weft"
local mixes = require "spec.support.mixes"
local raises = require "spec.support.raises"

local near = {
  sqlite = [[
    create table products (product_id integer primary key, title text, seller_id text, price integer, attrs json);
    create table variants (variant_id integer primary key, product_id integer, sku text, stock integer, gone datetime);
    create table images (image_id integer primary key, variant_id integer, url text);
    create table product_tags (product_id integer, tag_id integer, rank integer, primary key (product_id, tag_id));]],
  postgres = [[
    create table products (product_id integer primary key, title text, seller_id text, price integer, attrs jsonb);
    create table variants (variant_id integer primary key, product_id integer, sku text, stock integer, gone timestamptz);
    create table images (image_id integer primary key, variant_id integer, url text);
    create table product_tags (product_id integer, tag_id integer, rank integer, primary key (product_id, tag_id));]],
}
near.mysql = near.sqlite
local far = [[
    create table sellers (seller_id integer primary key, name text, rating integer);
    create table tags (tag_id integer primary key, name text);
    create table marks (product_id integer, tag_id integer, primary key (product_id, tag_id));]]
local near_rows = [[
    insert into products values (1, 'Lamp', '1', 30, '{"a":[]}'), (2, 'Bulb', '2', 10, null), (3, 'Chair', null, 20, '[]'),
      (4, 'Sofa', '9', 40, '{}'), (5, 'Shade', '1', 20, null);
    insert into variants values (1, 1, 'c', 5, null), (2, 1, 'a', 0, null), (3, 2, 'd', 7, null), (4, null, 'x', 1, null),
      (5, 77, 'y', 1, null), (6, 1, 'b', 3, null), (7, 5, 'e', null, null);
    insert into images values (1, 1, 'i1'), (2, 1, 'i2'), (3, 2, 'i3'), (4, 3, 'i4'), (5, null, 'i5'), (6, 6, null);
    insert into product_tags values (1, 1, 3), (1, 2, 1), (1, 3, 2), (2, 2, 1), (4, 3, 1), (4, 99, 1);]]
local far_rows = [[
    insert into sellers values (1, 'Ann', 5), (2, 'Bob', 3), (3, 'Cid', null);
    insert into tags values (1, 'x'), (2, 'y'), (3, 'z');
    insert into marks values (1, 3), (1, 1), (3, 2), (4, 99);]]

local scripts = {
  { "near", "Product", [[associations = {
      seller = weft.belongs_to { model = "FAR.Seller", foreign_key = "seller_id" },
      variants = weft.has_many { model = "Variant", foreign_key = "product_id", order = "sku" },
      first = weft.has_one { model = "Variant", foreign_key = "product_id", order = "sku" },
      tags = weft.many_to_many { model = "FAR.Tag", through = "product_tags", foreign_key = "product_id", other_key = "tag_id", order = "name" },
      marks = weft.many_to_many { model = "FAR.Tag", through = "FAR.marks", foreign_key = "product_id", other_key = "tag_id", order = "name" } },
    scopes = { cheap = function(q) return q:where("price", "<", 25) end }]] },
  { "near", "Variant", [[associations = { product = weft.belongs_to { model = "Product", foreign_key = "product_id" },
      images = weft.has_many { model = "images", foreign_key = "variant_id", order = "image_id" } },
    scopes = { stocked = function(q) return q:where("stock", ">", 0) end }, soft_delete = "gone"]] },
  { "far", "Seller", [[associations = {
      products = weft.has_many { model = "NEAR.Product", foreign_key = "seller_id", order = "product_id" } }]] },
  { "far", "Tag", "" },
  { "near", "Guarded", [[table = "variants", hooks = {
      before_query = function(q) return q:where("sku", "<", rawget(_G, "guard") or error "who asks?") end }]] },
}

mixes.each(function(mix)
  local Product, Seller

  setup(function()
    mix:open(near, far)
    mix.near_db:script(near_rows)
    mix.far_db:script(far_rows)
    for _, script in ipairs(scripts) do mix:script(table.unpack(script)) end
    Product, Seller = mix:model("near", "Product"), mix:model("far", "Seller")
  end)
  teardown(function() mix:close() end)

  ---A query's rows in brief: `{ product_id, title }` is what is selected unless the query says.
  local function brief(query) return query:select("title"):order("product_id") end

  ---What a query of products with includes gives, as JSON: of all ways to ask, the same bytes.
  local function text_of(query)
    local text = query:json()
    assert.equal(text, weft.encode(query:all()))
    return text
  end

  ---One field of what is below the products, by their order: "(a b) (c) ()", "-" for none.
  local function below(query, name, of)
    local parts = {}
    for i, row in ipairs(weft.decode(text_of(query:order "product_id"))) do
      local it, list = row[name], {}
      if it == nil then
        parts[i] = "-"
      elseif it[of] ~= nil then
        parts[i] = tostring(it[of])
      else
        for k, child in ipairs(it) do list[k] = tostring(child[of]) end
        parts[i] = "(" .. table.concat(list, " ") .. ")"
      end
    end
    return table.concat(parts, " ")
  end

  describe("an include", function()
    it("puts rows behind the columns, in the order of the names", function()
      assert.equal('[{"product_id":1,"title":"Lamp","seller_id":"1","price":30,"attrs":{"a":[]},'
        .. '"seller":{"seller_id":1,"name":"Ann","rating":5},"tags":[{"tag_id":1,"name":"x"},{"tag_id":2,"name":"y"},{"tag_id":3,"name":"z"}]},'
        .. '{"product_id":3,"title":"Chair","seller_id":null,"price":20,"attrs":[],"tags":[]}]',
        (text_of(Product:include("tags", "seller"):where { product_id = { 1, 3 } }:order("product_id")):gsub('"a": ', '"a":')))
    end)

    it("keeps the order of the parents", function()
      local query = Product:include "seller":select("title"):order("price", "desc"):order("title")
      assert.equal('[{"title":"Sofa"},{"title":"Lamp","seller":{"seller_id":1,"name":"Ann","rating":5}},{"title":"Chair"},'
        .. '{"title":"Shade","seller":{"seller_id":1,"name":"Ann","rating":5}},{"title":"Bulb","seller":{"seller_id":2,"name":"Bob","rating":3}}]',
        text_of(query))
    end)

    it("needs no key among what is selected, anywhere", function()
      assert.equal('[{"title":"Lamp","variants":[{"sku":"a","images":[{"url":"i3"}],"product":{"price":30}},'
        .. '{"sku":"b","images":[{"url":null}],"product":{"price":30}},{"sku":"c","images":[{"url":"i1"},{"url":"i2"}],"product":{"price":30}}]}]',
        text_of(Product:where { product_id = 1 }:select("title"):include { "variants", select = "sku",
          include = { { "images", select = { "url" } }, { "product", select = "price" } } }))
      assert.equal('[{"name":"Ann","products":[{"title":"Lamp","tags":[{"name":"x"},{"name":"y"},{"name":"z"}]},{"title":"Shade","tags":[]}]}]',
        text_of(Seller:where { seller_id = 1 }:select("name"):include { "products", select = "title",
          include = { { "tags", select = "name" } } }))
    end)

    it("may compute what is selected", function()
      assert.equal('[{"title":"Lamp","variants":[{"sku":"a","more":1},{"sku":"b","more":4},{"sku":"c","more":6}]}]',
        text_of(Product:where { product_id = 1 }:select("title"):include { "variants", select = { "sku", more = weft.raw "stock + 1" } }))
    end)

    it("comes with find, get, first, one, page, each and find_many", function()
      local query = Product:include("seller", "variants.images")
      local each = {}
      for row in query:where { product_id = 1 }:each(1) do each[#each + 1] = row end
      local wanted = weft.encode(query:find(1))
      assert.is_truthy(wanted:find('"url":"i3"', 1, true))
      assert.is_truthy(wanted:find('"name":"Ann"', 1, true))
      for _, row in ipairs { query:get(1), query:order("product_id"):first(), query:where { product_id = 1 }:one(), each[1],
        query:page { size = 1 }.rows[1], query:find_many { 1 }[1], query:find_by { product_id = 1 } } do
        assert.equal(wanted, weft.encode(row))
      end
      assert.is_nil(query:find(77))
      assert.is_nil(query:where { product_id = 77 }:first())
      raises("not_found", function() query:get(77) end)
      raises("many", function() query:one() end)
      assert.equal("[]", text_of(query:where { product_id = 77 }))
      assert.same({ 3, 5 }, { #query:page { size = 3 }.rows, query:count() })
      assert.same({ "Bulb", n = 1 }, query:where { product_id = 2 }:pluck "title")
      assert.is_true(query:exists())
    end)

    it("by keys is one statement for each level, none where nothing can be there", function()
      local function sent(query) return #mixes.statements(function() query:fetch "keyed":all() end) end
      Product:include("seller.products.variants", "tags", "marks"):all()
      assert.equal(2, sent(Product:include "seller"))
      assert.equal(4, sent(Product:include("variants.images", "seller")))
      local keyed = Product:fetch "keyed" -- else PostgreSQL is asked for everything at once
      assert.equal(1, sent(keyed:where { product_id = 77 }:include("variants.images", "seller")))
      assert.equal(1, sent(keyed:where { product_id = 3 }:include "seller"))
      assert.equal(2, sent(keyed:where { product_id = 3 }:include "variants.images"))
      assert.equal(mix.apart and 3 or 2, sent(Product:include "tags"))
    end)

    it("sees what the transaction has written", function()
      mix.near_db:transaction(function(tx)
        tx:execute "insert into variants (variant_id, product_id, sku) values (50, 3, 'new')"
        assert.equal("(a b c) (d) (new) () (e)", below(Product:include "variants", "variants", "sku"))
        weft.all { function() assert.equal("new", Product:include "variants":find(3).variants[1].sku) end }
        tx:rollback()
      end)
      assert.equal("(a b c) (d) () () (e)", below(Product:include "variants", "variants", "sku"))
    end)

    it("is no part of a write, or of what is counted", function()
      mix.near_db:transaction(function(tx)
        local query = Product:include("seller", "variants")
        assert.equal("New", query:create({ product_id = 60, title = "New" }).title)
        assert.equal(1, query:where { product_id = 60 }:update { price = 1 })
        assert.equal(6, query:count())
        assert.equal(2, #query:create_many { { product_id = 61 }, { product_id = 62 } })
        assert.equal(3, query:where("product_id", ">=", 60):delete())
        tx:rollback()
      end)
    end)

    it("gives what tasks ask for at once", function()
      weft.run(function()
        local fns = {}
        for i = 1, 40 do
          fns[i] = function() return weft.encode(Product:include(i % 2 == 0 and "seller" or "variants"):find(i % 5 + 1)) end
        end
        local got = weft.all(fns)
        for i = 1, 40 do assert.equal(weft.encode(Product:include(i % 2 == 0 and "seller" or "variants"):find(i % 5 + 1)), got[i]) end
      end)
    end)
  end)

  describe("the options of an include", function()
    for _, case in ipairs {
      { "where", { "variants", where = { stock = { 0, 5 } } }, "(a c) () () () ()" },
      { "a condition", { "variants", where = weft.any_of { { "stock", ">", 4 }, { "stock", "is_null" } } }, "(c) (d) () () (e)" },
      { "where through an association", { "variants", where = weft.some("images", { url = "i3" }) }, "(a) () () () ()" },
      { "where through the parent", { "variants", where = { ["product.seller.name"] = "Bob" } }, "() (d) () () ()" },
      { "order", { "variants", order = { "sku", "desc" } }, "(c b a) (d) () () (e)" },
      { "several orders", { "variants", order = { { "product_id", "desc" }, { "stock", "desc", "nulls last" } } }, "(c b a) (d) () () (e)" },
      { "limit", { "variants", limit = 2 }, "(a b) (d) () () (e)" },
      { "limit and offset", { "variants", limit = 1, offset = 1 }, "(b) () () () ()" },
      { "offset", { "variants", offset = 1 }, "(b c) () () () ()" },
      { "no row", { "variants", limit = 0 }, "() () () () ()" },
      { "limit in another order", { "variants", limit = 2, order = { "stock", "desc" } }, "(c b) (d) () () (e)" },
      { "a condition and limit", { "variants", limit = 1, where = weft.negate { stock = 0 } }, "(b) (d) () () ()" },
      { "scope", { "variants", scope = "stocked" }, "(b c) (d) () () ()" },
      { "a function as scope", { "variants", scope = function(q) return q:where("stock", "<", 6):order("sku", "desc") end }, "(c b a) () () () ()" },
      { "scope and where", { "variants", scope = "stocked", where = { sku = { "a", "c" } } }, "(c) () () () ()" },
      { "select", { "variants", select = { "sku", "stock" } }, "(a b c) (d) () () (e)" },
    } do
      it(case[1], function() assert.equal(case[3], below(brief(Product):include(case[2]), "variants", "sku")) end)
    end

    it("bring the row in between that led to each row, where several lead to the same one", function()
      mix:run("near", [[
        create table baskets (id integer primary key);
        create table goods (id integer primary key, name varchar(20));
        create table lines_of (id integer primary key, basket_id integer, good_id integer, n integer);
        insert into baskets values (1), (2);
        insert into goods values (1, 'pin'), (2, 'nut');
        insert into lines_of values (1, 1, 1, 5), (2, 1, 2, 6), (3, 1, 1, 7), (4, 2, 2, 8), (5, 2, 2, 9);]])
      local Basket = mix:model("near", "Basket")
      weft.include { from = Basket, to = mix:model("near", "Good"), as = "goods", type = "many_to_many",
        through = "lines_of", foreign_key = "basket_id", other_key = "good_id" }
      local function lines(options)
        options[1], options.through = "goods", "line"
        local query, list = Basket:include(options):order "id", {}
        for i, basket in ipairs(query:all()) do
          local here = {}
          for k, good in ipairs(basket.goods) do here[k] = good.name .. good.line.n end
          table.sort(here)
          list[i] = table.concat(here, " ")
        end
        if not options.limit then assert.equal(weft.encode(query:all()), query:json()) end -- which of two alike is open
        return table.concat(list, ", ")
      end
      assert.equal("nut6 pin5 pin7, nut8 nut9", lines {})
      assert.equal("pin5 pin7, ", lines { where = { name = "pin" } })
      assert.truthy(lines({ limit = 1, order = "name" }):match "^nut6, nut[89]$")
      mix:run("near", "drop table lines_of; drop table goods; drop table baskets")
    end)

    it("hold for each parent through a table in between", function()
      for _, name in ipairs { "tags", "marks" } do
        local all = name == "tags" and "(x y z) (y) () (z) ()" or "(x z) () (y) () ()"
        assert.equal(all, below(brief(Product):include(name), name, "name"))
        assert.equal(name == "tags" and "(x) (y) () (z) ()" or "(x) () (y) () ()",
          below(brief(Product):include { name, limit = 1, select = "name" }, name, "name"))
        assert.equal(name == "tags" and "(y) () () () ()" or "(z) () () () ()",
          below(brief(Product):include { name, limit = 1, offset = 1 }, name, "name"))
        assert.equal(name == "tags" and "(z y) (y) () (z) ()" or "(z) () (y) () ()",
          below(brief(Product):include { name, where = { tag_id = { 2, 3 } }, order = { "name", "desc" } }, name, "name"))
        assert.equal("() () () () ()", below(brief(Product):include { name, where = { name = {} } }, name, "name"))
      end
    end)

    it("leave rows beyond a table in between those of their own model", function()
      local Tag = mix:model("far", "Tag")
      for _, name in ipairs { "tags", "marks" } do
        local row = Product:include(name):find(1)[name][1]
        assert.equal(Tag, weft.model_of(row))
        assert.equal(Tag, weft.model_of(Product:find(1)[name][1]))
        row:update { name = "changed" }
        assert.equal("changed", Tag:find(row.tag_id).name)
        row:update { name = "x" }
        assert.equal(Product, weft.model_of(Seller:include { "products", include = name }:find(1).products[1]))
      end
    end)

    it("hold at every depth", function()
      assert.equal('[{"name":"Ann","products":[{"title":"Shade","variants":[{"sku":"e"}]},{"title":"Lamp","variants":[{"sku":"c"},{"sku":"b"}]}]},'
        .. '{"name":"Bob","products":[{"title":"Bulb","variants":[{"sku":"d"}]}]},{"name":"Cid","products":[]}]',
        text_of(Seller:select("name"):order("seller_id"):include { "products", select = "title", order = { "price" }, include = {
          { "variants", select = "sku", limit = 2, order = { "sku", "desc" } } } }))
      assert.equal(1, #Product:include { "variants.images", limit = 1 }:find(1).variants[3].images)
    end)

    it("of one association with and without an order take the first", function()
      assert.equal("a d - - e", below(brief(Product):include "first", "first", "sku"))
      assert.equal("c d - - e", below(brief(Product):include { "first", order = { "sku", "desc" } }, "first", "sku"))
      assert.equal("b d - - -", below(brief(Product):include { "first", scope = "stocked" }, "first", "sku"))
    end)
  end)

  describe("includes of one query", function()
    it("are merged by name", function()
      local query = brief(Product):where { product_id = 1 }
      local wanted = text_of(query:include { "variants", select = "sku", limit = 1, include = { "images", { "product", select = "title" } } })
      assert.equal(wanted, text_of(query:include { "variants", select = "sku" }:include { "variants.product", select = "title" }
        :include({ "variants", limit = 1 }, "variants.images")))
      assert.equal(wanted, text_of(query:include("variants.images", "variants", { "variants", limit = 1, select = "sku",
        include = { "product", select = "title" } })))
    end)

    it("say the last word where they differ", function()
      assert.equal("(b) () () () ()", below(brief(Product):include { "variants", limit = 1, offset = 1 }:include "variants", "variants", "sku"))
      assert.equal("(a b) (d) () () (e)", below(brief(Product):include({ "variants", limit = 1 }, { "variants", limit = 2 }), "variants", "sku"))
    end)

    it("leave the query they were made of as it was", function()
      local one = brief(Product):include "variants"
      local two, three = one:include "seller", one:include { "variants", limit = 1 }
      assert.equal("(a b c) (d) () () (e)", below(one, "variants", "sku"))
      assert.equal("(a) (d) () () (e)", below(three, "variants", "sku"))
      assert.equal("(a b c) (d) () () (e)", below(two, "variants", "sku"))
      assert.equal("- - - - -", below(one, "seller", "name"))
      assert.equal("Ann Bob - - Ann", below(two, "seller", "name"))
    end)

    it("come with queries that a scope makes", function()
      assert.equal("(d) () (e)", below(Product:cheap():include "variants", "variants", "sku"))
      assert.equal("Bob - Ann", below(Product:include "seller":cheap(), "seller", "name"))
      local query = Product:include { "variants", scope = function(q) return q:include "images" end }
      assert.equal("i3", query:find(1).variants[1].images[1].url)
    end)
  end)

  describe("a model below", function()
    it("does not show what it counts as deleted", function()
      local Variant = mix:model("near", "Variant")
      mix.near_db:transaction(function(tx)
        Variant:find(2):delete()
        assert.equal("(b c) (d) () () (e)", below(brief(Product):include "variants", "variants", "sku"))
        assert.equal("b d - - e", below(brief(Product):include "first", "first", "sku"))
        assert.equal(2, #Product:find(1).variants)
        assert.equal("(a b c) (d) () () (e)",
          below(brief(Product):include { "variants", scope = function(q) return q:with_deleted() end }, "variants", "sku"))
        tx:rollback()
      end)
    end)

    it("asks its hooks before each read", function()
      finally(function() rawset(_G, "guard", nil) end)
      weft.include { from = Product, to = mix.near .. ".Guarded", as = "guarded", foreign_key = "product_id", order = "sku" }
      local query = brief(Product):include "guarded"
      rawset(_G, "guard", "b")
      assert.equal("(a) () () () ()", below(query, "guarded", "sku"))
      assert.equal(1, #Product:find(1).guarded)
      rawset(_G, "guard", "d")
      assert.equal("(a b c) () () () ()", below(query, "guarded", "sku"))
      assert.equal(3, #Product:find(1).guarded)
      rawset(_G, "guard", nil)
      for _, fn in ipairs { function() query:all() end, function() query:json() end, function() return Product:find(1).guarded end } do
        local ok, err = pcall(fn)
        assert.is_false(ok)
        assert.is_truthy(tostring(err):find("who asks?", 1, true), tostring(err))
      end
      assert.equal(5, Product:count())
    end)
  end)

  describe("bad input", function()
    it("is refused at the step or when the query runs, and names what is wrong", function()
      local cycle, mutual, list = { "variants" }, { "variants" }, {}
      cycle.include = cycle
      mutual.include = { { "product", include = { mutual } } }
      list[1] = { "variants", include = list }
      local deep = "variants" .. (".product.variants"):rep(16)
      for _, case in ipairs {
        { cycle, "cycle" }, { mutual, "cycle" }, { { "variants", include = list }, "cycle" }, { deep, "deeper than 32" },
        { 1, "not a number" }, { true, "not a boolean" }, { {}, "takes names" }, { { "variants", "images" }, "takes names" }, { "", "no path" },
        { "variants.", "no path" }, { ".variants", "no path" }, { "variants..images", "no path" },
        { { "variants", limt = 1 }, "did you mean 'limit'?" },
        { { "variants", limit = -1 }, "limit is a whole number" }, { { "variants", limit = 1.5 }, "limit is a whole number" },
        { { "variants", offset = "1" }, "offset is a whole number" }, { { "variants", scope = 1 }, "scope is the name" },
        { { "variants", scope = "stoked" }, "no scope 'stoked'" }, { { "variants", scope = function() end }, "scope returns a query" },
        { { "variants", include = 1 }, "include is a name" }, { { "variants", select = 1 }, "select is a list" },
        { { "variants", select = "skew" }, "'skew'" }, { { "variants", order = "skew" }, "'skew'" },
        { { "variants", order = 1 }, "order is a column" },
        { { "variants", where = { skew = 1 } }, "'skew'" }, { { "variants", where = {} }, "where" },
        { "varaints", "did you mean 'variants'?" }, { "variants.imags", "did you mean 'images'?" },
        { { "variants", scope = function(q) return q:group("sku"):select("sku") end }, "cannot group" },
        { { "variants", scope = function(q) return q:lock() end }, "cannot group or lock" },
        { { "variants", scope = function() return Product end }, "scope returns a query of" },
      } do
        raises("usage", function() Product:include(case[1]):all() end, case[2])
        raises("usage", function() weft.run(function() Product:include(case[1]):json() end) end, case[2])
      end
      raises("usage", function() Product:include() end, "takes names")
      raises("usage", function() Product:include(nil) end, "not a nil")
      raises("usage", function() Product:group("seller_id"):select("seller_id"):include "variants":all() end, "product_id")
      assert.equal("(a b c) (d) () () (e)", below(brief(Product):include "variants", "variants", "sku"))
    end)

    it("is a name that is selected and included", function()
      local one = weft.raw "1"
      raises("usage", function() Product:select { "title", variants = one }:include "variants":json() end, "both give 'variants'")
      raises("usage", function() Product:include { "variants", select = { "sku", images = one }, include = "images" }:all() end,
        "both give 'images'")
      assert.equal('[{"product_id":7,"variants":[{"id":3,"product_id":8}]}]', text_of(Product:where { product_id = 2 }
        :select { product_id = weft.raw "7" }:include { "variants", select = { product_id = weft.raw "8", id = "variant_id" } }))
    end)

    it("in values of options is a type error without the value", function()
      for _ = 1, 3 do
        local err = raises("type", function() Product:include { "variants", where = { stock = "hunter2" } }:all() end)
        assert.is_nil(tostring(err):find("hunter2", 1, true))
      end
    end)
  end)

  it("joins 100,000 parents with one child each", function()
    local series = " select n, %s from " .. mixes.series(100000)
    mix.near_db:script "create table many (id integer primary key, seller_id integer)"
    mix:run("near", "insert into many" .. series:format "n")
    mix.far_db:script "create table owners (seller_id integer primary key, name text)"
    mix:run("far", "insert into owners" .. series:format "'o' || n")
    local Many = mix:model("near", "many")
    weft.include { from = Many, to = mix.far .. ".owners", as = "owner", type = "belongs_to", foreign_key = "seller_id" }
    local rows = Many:include "owner":order("id", "desc"):all()
    assert.equal(100000, #rows)
    for i, row in ipairs(rows) do
      if row.owner.name ~= "o" .. 100001 - i then error("row " .. i .. " has " .. row.owner.name) end
    end
    local last = '{"id":99999,"seller_id":99999,"owner":{"seller_id":99999,"name":"o99999"}}'
    assert.is_truthy(Many:include "owner":json():find(last, 1, true))
  end)
end)
