-- SPDX-License-Identifier: MIT
-- How associations are wired: which columns are meant, what is defined when and how long it holds, and what rows
-- forget of each other.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local shell = require "spec.support.shell"

local folder

setup(function() folder = shell.must("mktemp -d"):gsub("%s+$", "") end)

teardown(function() shell.run("rm -rf " .. shell.quote(folder)) end)

after_each(function()
  weft.reset_associations()
  weft.configure { models = "models" }
end)

---A model script whose text follows `return weft.model`.
local function script(database, class, text)
  shell.must(("mkdir -p %s/%s"):format(shell.quote(folder), database))
  shell.write(("%s/%s/%s.lua"):format(folder, database, class), "local weft = require 'weft' return weft.model " .. text)
end

local ddl = [[
  create table sellers (seller_id integer primary key, name varchar(20));
  create table products (product_id integer primary key, title varchar(20), seller_id integer references sellers);
  create table variants (variant_id integer primary key, product_id integer references products, sku varchar(10));
  insert into sellers values (1, 'one'), (2, 'two');
  insert into products values (1, 'lamp', 1), (2, 'vase', 2), (3, 'mug', null);
  insert into variants values (1, 1, 'b'), (2, 1, 'a'), (3, 2, 'c')]]

local function skus(list)
  local words = {}
  for i, variant in ipairs(list) do words[i] = variant.sku end
  return table.concat(words)
end

backends.each(function(backend)
  local name, models

  before_each(function()
    local _
    _, name = backend.open(ddl)
    models = weft.models(name)
  end)

  local function include_variants(as, more)
    local spec = { from = models.Product, to = models.Variant, as = as, foreign_key = "product_id", order = "sku" }
    for option, value in pairs(more or {}) do spec[option] = value end
    return weft.include(spec)
  end

  describe("what weft.include returns", function()
    it("may be held: it is wired again after a reset", function()
      local held = include_variants("sorted")
      local query = models.Product:include(held)
      assert.equal("ab", skus(query:find(1).sorted))
      weft.reset_associations()
      raises("usage", function() models.Product:include("sorted"):find(1) end, "unknown association 'sorted'")
      assert.equal("ab", skus(models.Product:include(held):find(1).sorted))
      assert.equal("ab", skus(models.Product:find(1).sorted))
      weft.reset_associations()
      assert.equal("ab", skus(query:find(1).sorted))
    end)

    it("brings those that it includes with it", function()
      local back = weft.include { from = models.Variant, to = models.Product, as = "of", type = "belongs_to", foreign_key = "product_id" }
      local held = include_variants("sorted", { include = { back } })
      for _ = 1, 2 do
        assert.equal("lamp", rawget(models.Product:include(held):find(1).sorted[2], "of").title)
        weft.reset_associations()
      end
    end)

    it("belongs to one model", function()
      local held = include_variants "sorted"
      raises("usage", function() models.Variant:include(held) end, "'sorted' is an association of " .. name .. ".Product")
      assert.equal("ab", skus(models.Product:include(held):find(1).sorted))
      raises("usage", function() models.Variant:include(held) end, "'sorted' is an association of")
    end)

    it("refuses what a query's include would refuse", function()
      for option, value in pairs { limit = "1", offset = -1, scope = {} } do
        raises("usage", function() include_variants("wrong", { [option] = value }) end, option)
      end
      raises("usage", function() weft.include { from = "Product", to = models.Variant } end, "from is a model")
      raises("usage", function() weft.include { from = models.Product } end, "to is a model")
      raises("usage", function() include_variants "a.b" end, "as is a name")
    end)
  end)

  describe("a definition", function()
    it("takes the place of what a foreign key gives, until a reset", function()
      assert.equal("ba", skus(models.Product:include({ "variants", order = "variant_id" }):find(1).variants))
      include_variants("variants", { where = { sku = "a" } })
      assert.equal("a", skus(models.Product:include("variants"):find(1).variants))
      assert.equal("a", skus(models.Product:find(1).variants))
      weft.reset_associations()
      assert.equal("ba", skus(models.Product:include({ "variants", order = "variant_id" }):find(1).variants))
    end)

    it("says once what it left open, until a reset", function()
      include_variants("sorted", { order = nil, where = { sku = { "a", "b" } } })
      assert.equal("ab", skus(models.Product:include("sorted"):find(1).sorted))
      raises("usage", function() include_variants("sorted", { order = "variant_id" }) end, "defined already, as has_many")
      raises("usage", function() include_variants("sorted", { type = "has_one" }) end, "defined already, as has_many")
    end)

    it("of a model stays what the script says when another one completed it", function()
      script(name, "Thing", [[{ table = "products", associations = {
        variants = weft.has_many { model = "Variant", foreign_key = "product_id" } } }]])
      weft.configure { models = folder }
      local Thing = models.Thing
      assert.equal(2, #Thing:include("variants"):find(1).variants)
      for _ = 1, 2 do
        weft.include { from = Thing, to = models.Variant, as = "variants", foreign_key = "product_id", order = { "sku", "desc" } }
        assert.equal("ba", skus(Thing:include("variants"):find(1).variants))
        weft.reset_associations()
        weft.include { from = Thing, to = models.Variant, as = "variants", foreign_key = "product_id", order = "sku" }
        assert.equal("ab", skus(Thing:include("variants"):find(1).variants))
        weft.reset_associations()
      end
    end)

    it("may have any name", function()
      for _, as in ipairs { "names", "nodes", "levels", "level", "revision", "below", "from", "where", "n" } do
        include_variants(as)
        assert.equal("ab", skus(rawget(models.Product:include(as):find(1), as)), as)
        assert.equal("ab", skus(rawget(models.Product:include("seller", { as, include = "product" }):find(1), as)), as)
      end
      raises("usage", function() models.Seller:include("names"):all() end, "unknown association 'names'")
    end)

    it("of a name that a column has is refused", function()
      raises("usage", function() models.Product:include(include_variants "title"):all() end, "called like a column",
        (":%d: association 'title' of %s.Product (has_many %s.Variant): "):format(debug.getinfo(1, "l").currentline - 1, name, name))
    end)

    it("finds the foreign key where only primary keys are named alike", function()
      local _, other = backend.open [[
        create table authors (id integer primary key, name varchar(10));
        create table books (id integer primary key, writer integer references authors);
        create table notes (id integer primary key, text varchar(10));
        insert into authors values (1, 'A'), (2, 'B');
        insert into books values (1, 2)]]
      local m = weft.models(other)
      local author = weft.include { from = m.Book, to = m.Author, as = "author", type = "belongs_to" }
      assert.equal("B", m.Book:include(author):find(1).author.name)
      local notes = weft.include { from = m.Author, to = m.Note, as = "notes" }
      raises("usage", function() m.Author:include(notes):all() end, "which column of notes", "Say foreign_key")
    end)
  end)

  describe("an option of an include", function()
    local function all(options)
      options[1] = "variants"
      return function() return models.Product:include(options):order("product_id"):all() end
    end

    it("is refused when it says nothing that can be meant", function()
      for _, order in ipairs { {}, { sku = "desc" }, { 1 }, { {} } } do
        raises("usage", all { order = order }, "order is a column, { column, direction } or a list of those")
      end
      raises("usage", all { order = "skuu" }, "did you mean 'sku'?")
      raises("usage", all { select = 5 })
      raises("usage", all { where = { skuu = 1 } }, "did you mean 'sku'?")
    end)

    it("scope is the model's own, or a function that keeps the model", function()
      script(name, "Variant", [[{ scopes = { cheap = function(q) return q:where { sku = "a" } end, odd = function() end } }]])
      weft.configure { models = folder }
      assert.equal("a", skus(all({ scope = "cheap" })()[1].variants))
      raises("usage", all { scope = "cheep" }, "has no scope 'cheep'; did you mean 'cheap'?")
      for _, method in ipairs { "all", "delete", "count" } do raises("usage", all { scope = method }, "has no scope") end
      raises("usage", all { scope = "odd" }, "a scope returns a query of")
      raises("usage", all { scope = function() return models.Product end }, "a scope returns a query of")
      assert.equal(3, models.Variant:count())
    end)

    it("scope is asked at every run", function()
      local wanted = "a"
      local query = models.Product:include { "variants", scope = function(q) return q:where { sku = wanted } end }
      assert.equal("a", skus(query:find(1).variants))
      wanted = "b"
      assert.equal("b", skus(query:find(1).variants))
    end)
  end)

  describe("a row", function()
    local function both(fact)
      for _, query in ipairs { models.Product, models.Product:include "seller" } do
        weft.database(name):execute "update products set seller_id = case product_id when 3 then null else product_id end"
        fact(query)
      end
    end

    it("has the other row of its key as it was saved", function()
      both(function(query)
        local product = query:find(1)
        assert.equal("one", product.seller.name)
        product.title = "chair"
        local seller = product.seller
        assert.equal(seller, product:save().seller)
        product.seller_id = 2
        assert.equal("two", product:save().seller.name)
        product:update { seller_id = weft.null }
        assert.is_nil(product.seller)
        product:update { seller_id = 1 }
        assert.equal("one", product.seller.name)
      end)
    end)

    it("forgets that there was none", function()
      both(function(query)
        local product = query:find(3)
        assert.is_nil(product.seller)
        product:update { seller_id = 2 }
        assert.equal("two", product.seller.name)
      end)
    end)

    it("keeps what was set by hand and does not depend on what is saved", function()
      local product = models.Product:find(1)
      product.variants = weft.array {}
      product:update { title = "chair", seller_id = 2 }
      assert.equal(0, #product.variants)
    end)

    it("reads all of it again with reload", function()
      both(function(query)
        local product = query:find(1)
        assert.same({ "one", 2 }, { product.seller.name, #product.variants })
        weft.database(name):execute "update sellers set name = 'first' where seller_id = 1"
        weft.database(name):execute "insert into variants values (9, 1, 'z')"
        product:reload()
        assert.same({ "first", 3 }, { product.seller.name, #product.variants })
        weft.database(name):execute "delete from variants where variant_id = 9"
        weft.database(name):execute "update sellers set name = 'one' where seller_id = 1"
      end)
    end)
  end)

  it("takes a list of pluck for a list of keys", function()
    local ids = models.Product:order("product_id"):pluck "seller_id"
    assert.equal(3, ids.n)
    assert.equal(2, models.Seller:where("seller_id", "in", { n = 2, ids[1], ids[2] }):count())
    assert.equal(3, models.Product:where("product_id", "in", models.Product:pluck "product_id"):count())
    assert.equal(3, models.Product:where { product_id = models.Product:pluck "product_id" }:count())
  end)

  it("goes on with another database that was configured anew", function()
    script(name, "Product", [[{ associations = { vendor = weft.belongs_to { model = "spec_other.Seller", foreign_key = "seller_id" } } }]])
    local function configure(vendor)
      weft.configure { databases = { spec_other = backend.url(([[create table sellers (seller_id integer primary key, name varchar(20));
        insert into sellers values (1, '%s')]]):format(vendor)) } }
    end
    if not pcall(backend.url, "") then return end -- memory: a url names one that is empty
    weft.configure { models = folder }
    configure "first"
    local query = models.Product:include "vendor"
    local held = weft.include { from = models.Product, to = "spec_other.Seller", as = "dealer", type = "belongs_to", foreign_key = "seller_id" }
    for _, vendor in ipairs { "first", "second", "third" } do
      configure(vendor)
      assert.equal(vendor, rawget(query:find(1), "vendor").name)
      assert.equal(vendor, rawget(models.Product:include("vendor"):find(1), "vendor").name)
      assert.equal(vendor, rawget(models.Product:include(held):find(1), "dealer").name)
      assert.equal(vendor, models.Product:find(1).vendor.name)
      assert.equal(1, models.Product:where("vendor.name", "=", vendor):count())
    end
    weft.database("spec_other"):close()
  end)
end)

describe("a table in a schema that the search path does not find", function()
  it("is the other end of what its foreign keys give", function()
    local _, name = backends.postgres.open [[
      create schema other;
      create table other.seller (seller_id integer primary key, name text);
      create table other.product (product_id integer primary key, seller_id integer references other.seller);
      create table other.tag (tag_id integer primary key);
      create table other.product_tag (product_id integer references other.product, tag_id integer references other.tag,
        primary key (product_id, tag_id));
      create table review (review_id integer primary key, product_id integer references other.product);
      insert into other.seller values (1, 'S');
      insert into other.product values (1, 1);
      insert into other.tag values (7);
      insert into other.product_tag values (1, 7);
      insert into review values (1, 1)]]
    local review = weft.models(name).review
    local row = review:include("product.seller", "product.tags"):first()
    assert.same({ "S", 7, 1 }, { row.product.seller.name, row.product.tags[1].tag_id, row.product.reviews[1].review_id })
    assert.equal(1, review:where("product.seller.name", "=", "S"):count())
    assert.equal(1, review:where(weft.some("product.tags", { tag_id = 7 })):count())
  end)
end)
