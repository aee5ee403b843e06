-- SPDX-License-Identifier: MIT
-- Models: scripts that load when they are touched, tables that are found by their names, options of columns.

local weft = require "weft"
local backends = require "spec.support.backends"
local mysql_text = require "spec.support.mysql_text"
local raises = require "spec.support.raises"
local shell = require "spec.support.shell"

local schema = {
  sqlite = [[
    create table products (product_id integer primary key, title text, price numeric(10,2), stock integer, attrs text,
      made datetime, secret text);
    create table product_variants (sku text primary key, product_id integer);
    create table Playlist_Track (playlist_id integer, track_id integer, primary key (playlist_id, track_id));
    create table playlist_entry (playlist_id integer, track_id integer);
    create table people (id integer primary key, name text);
    create table categories (id integer primary key, name text);
    create table address (id integer primary key, city text);
    create table nokey (a text, b text);
    create view shop_view as select product_id, title from products;]],
  postgres = [[
    create table products (product_id integer primary key, title text, price numeric(10,2), stock integer, attrs text,
      made timestamptz, secret text);
    create table product_variants (sku text primary key, product_id integer);
    create table "Playlist_Track" (playlist_id integer, track_id integer, primary key (playlist_id, track_id));
    create table playlist_entry (playlist_id integer, track_id integer);
    create table people (id integer primary key, name text);
    create table categories (id integer primary key, name text);
    create table address (id integer primary key, city text);
    create table nokey (a text, b text);
    create view shop_view as select product_id, title from products;
    create schema other;
    create table other.products (other_id integer primary key, note text);
    insert into other.products values (1, 'there');]],
}
local filling = [[
    insert into products values (1, 'Lamp', 1.10, 5, '{"a":[1]}', '2024-01-02 03:04:05.25', 's1'),
      (2, 'Chair', 20, 0, null, null, 's2'), (3, 'Gone', 3, 1, '[]', null, null);
    insert into product_variants values ('x', 1);
    insert into people values (1, 'Ann');
    insert into categories values (1, 'Light');
    insert into address values (1, 'Ulm');
    insert into nokey values ('a', 'b');]]
schema.mysql = mysql_text.of(schema.postgres:gsub("create schema other;.*", ""))
for dialect, text in pairs(schema) do schema[dialect] = text .. filling end

describe("models", function()
  it("touch neither disk nor database until a model is touched", function()
    weft.configure { databases = { spec_nowhere = "postgres://nobody@127.0.0.1:1/x" }, models = "/nonexistent" }
    finally(function()
      weft.database("spec_nowhere"):close()
      weft.configure { models = "models" }
    end)
    local models = weft.models "spec_nowhere"
    assert.equal(models, weft.models "spec_nowhere")
    local Product = models.Product
    local query = Product:where { anything = 1 }:order "whatever"
    assert.equal(0, weft.database("spec_nowhere"):stats().opened)
    raises("connect", function() query:all() end)
  end)

  it("raise usage for a database that nobody configured, when a model is touched", function()
    local models = weft.models "spec_never_configured"
    raises("usage", function() return models.Product end, "spec_never_configured")
    raises("usage", function() weft.models() end)
    raises("usage", function() weft.models "spec_never_configured".Product = 1 end, "script")
  end)
end)

backends.each(function(backend)
  local db, name, models, folder
  local sqlite = backend.dialect == "sqlite"

  before_each(function()
    db, name = backend.open(schema)
    folder = shell.must("mktemp -d"):gsub("%s+$", "")
    shell.must("mkdir " .. folder .. "/" .. name)
    weft.configure { models = folder }
    models = weft.models(name)
  end)

  after_each(function()
    weft.configure { models = "models" }
    shell.run("rm -rf " .. shell.quote(folder))
  end)

  local function script(model, text)
    shell.write(("%s/%s/%s.lua"):format(folder, name, model), text)
  end

  local function define(model, fields)
    script(model, 'local weft = require "weft"\nreturn weft.model {' .. (fields or "") .. "}")
    return models[model]
  end

  describe("a model without a script", function()
    it("stands for the table of its name", function()
      assert.equal("Lamp", models.products:find(1).title)
      assert.equal("Lamp", models.Product:find(1).title)
      assert.equal("Lamp", models.product:find(1).title)
      assert.equal("x", models.ProductVariant:first().sku)
      assert.equal("x", models.product_variants:first().sku)
      assert.equal("Ann", models.Person:first().name)
      assert.equal("Light", models.Category:first().name)
      assert.equal("Ulm", models.Address:first().city)
      assert.equal("a", models.nokey:all()[1].a)
      assert.equal(0, models.Playlist_Track:count())
      assert.equal(0, models.playlist_entry:count())
      assert.equal(0, models.PlaylistEntry:count())
    end)

    it("is the same table each time", function()
      assert.equal(models.Product, models.Product)
      assert.equal(models.Product, weft.models(name).Product)
    end)

    it("stands for a view", function()
      assert.equal(3, models.shop_view:count())
      assert.equal("Lamp", models.shop_view:where { product_id = 1 }:one().title)
    end)

    it("raises usage with the nearest table when there is none", function()
      raises("usage", function() models.Produkt:all() end, "did you mean 'products'?")
      raises("usage", function() models.nothing_of_the_kind:first() end, "nothing_of_the_kind")
      raises("usage", function() return models[""] end)
      raises("usage", function() return models[1] end)
    end)

    it("takes any text as a name", function()
      for _, text in ipairs { "a b", "x'y", 'x"y', "products; drop table products", "../etc", "ä", ("x"):rep(300) } do
        raises("usage", function() models[text]:all() end, "no table")
      end
      assert.equal(3, models.products:count())
    end)

    it("finds a table that was made after it was missed", function()
      raises("usage", function() models.Later:all() end, "no table")
      db:execute "create table laters (id integer primary key)"
      assert.equal(0, models.Later:count())
    end)

    it("is discovered once, whoever asks", function()
      local catalog = 0
      local off = weft.on("query", function(info)
        for _, word in ipairs { "pragma_table_xinfo", "pg_attribute", "information_schema" } do
          if info.sql:find(word, 1, true) then catalog = catalog + 1 end
        end
      end)
      weft.run(function()
        weft.all {
          function() return models.people:first() end, function() return models.people:count() end,
          function() return models.people:find(1) end,
        }
      end)
      models.people:first()
      off()
      assert.equal(1, catalog)
    end)
  end)

  describe("exists", function()
    it("asks for scripts and tables", function()
      script("Special", 'return require "weft".model { table = "products" }')
      assert.is_true(models:exists "Product")
      assert.is_true(models:exists "products")
      assert.is_true(models:exists "Special")
      assert.is_false(models:exists "Nothing")
      assert.is_false(models:exists "Nothing")
      models.Product:first()
      assert.is_true(models:exists "Product")
      raises("usage", function() models:exists() end)
    end)
  end)

  describe("a model script", function()
    it("is loaded when its model is touched, once", function()
      script("Product", [[
        loads = (loads or 0) + 1
        return require "weft".model {}]])
      assert.is_nil(rawget(_G, "loads"))
      local Product = models.Product
      assert.equal(1, rawget(_G, "loads"))
      assert.equal(Product, models.Product)
      assert.equal(1, rawget(_G, "loads"))
      _G.loads = nil
      assert.equal("Lamp", Product:find(1).title)
    end)

    it("may wait while it loads; others wait for it", function()
      script("Product", ([[
        local weft = require "weft"
        loads = (loads or 0) + 1
        weft.sleep(0.001)
        local n = weft.database(%q):query("select count(*) as n from products")[1].n
        return weft.model { methods = { counted = function() return n end } }]]):format(name))
      local list = weft.run(function()
        return weft.all {
          function() return models.Product end, function() return models.Product end, function() return models.Product end,
        }
      end)
      assert.equal(list[1], list[2])
      assert.equal(list[1], list[3])
      assert.equal(1, rawget(_G, "loads"))
      _G.loads = nil
      assert.equal(3, list[1]:first():counted())
    end)

    it("is loaded from wherever its model is touched", function()
      script("Product", ([[
        local weft = require "weft"
        local first = weft.database(%q):query("select title from products order by product_id")[1].title
        return weft.model { methods = { first = function() return first end } }]]):format(name))
      local Product = coroutine.wrap(function() return models.Product end)()
      assert.equal("Lamp", Product:first():first())
      script("Person", 'return require "weft".model { methods = { hello = function(self) return "hello " .. self.name end } }')
      local list = { 2, 1 }
      weft.run(function()
        table.sort(list, function(a, b) return models.Person ~= nil and a < b end)
        assert.equal("hello Ann", models.Person:first():hello())
      end)
      assert.same({ 1, 2 }, list)
    end)

    it("names table and key, or leaves them to be found", function()
      local Thing = define("Thing", 'table = "products", primary_key = "title"')
      assert.equal(1, Thing:find("Lamp").product_id)
      assert.is_nil(Thing:find("1"))
      local Pair = define("Pair", 'table = "product_variants", primary_key = { "product_id", "sku" }')
      assert.equal("x", Pair:find(1, "x").sku)
      assert.equal("Light", define("Category"):find(1).name)
      assert.equal("a", define("Keyless", 'table = "nokey", primary_key = "a"'):find("a").a)
    end)

    if not sqlite then
      it("names a schema", function()
        local other = backend.dialect == "postgres" and "other"
          or backend.url("create table products (other_id integer primary key, note text); insert into products values (1, 'there')")
            :match "[^/]*$"
        local Other = define("Other", ('table = "products", schema = "%s"'):format(other))
        assert.equal("there", Other:find(1).note)
        assert.equal("there", Other:create({ other_id = 2, note = "there" }).note)
        assert.equal(1, Other:where { other_id = 2 }:delete())
      end)
    end

    it("gives queries scopes", function()
      local Product = define("Product", [[
        scopes = {
          in_stock = function(q) return q:where("stock", ">", 0) end,
          cheaper = function(q, price) return q:where("price", "<", price) end,
          forgetful = function(q) q:where { stock = 0 } end,
        }]])
      assert.equal(2, Product:in_stock():count())
      assert.equal("Lamp", Product:in_stock():cheaper(2):one().title)
      assert.equal("Lamp", Product:where { product_id = { 1, 2 } }:cheaper(10):in_stock():first().title)
      assert.is_nil(models.Category.in_stock)
      raises("usage", function() return Product:forgetful():all() end, "'forgetful' returned nothing", "model_spec.lua:")
    end)

    it("gives rows methods", function()
      local Product = define("Product", 'methods = { label = function(self) return self.title .. "!" end }')
      assert.equal("Lamp!", Product:find(1):label())
      assert.is_nil(models.Person:first().label)
    end)

    it("says how columns are shown", function()
      local Product = define("Product", [[columns = { price = { as = "number" }, attrs = "json", stock = { as = "string" } }]])
      local row = Product:find(1)
      assert.equal(1.1, row.price)
      assert.equal(1, row.attrs.a[1])
      assert.equal("5", row.stock)
      assert.same({}, (row:changed()))
      assert.equal('[{"price":1.1,"stock":"5","attrs":{"a":[1]}}]',
        Product:select("price", "stock", "attrs"):where { product_id = 1 }:json():gsub("%s", ""))
      row.attrs.a[1] = 2
      row.price = 2.5
      row:save()
      assert.equal(2, Product:find(1).attrs.a[1])
      assert.equal(2.5, Product:find(1).price)
      assert.equal(1, Product:where { price = 2.5, stock = "5" }:count())
      local Texts = define("Texts", [[table = "products", columns = { price = { as = "string" } }]])
      assert.equal("20.00", Texts:find(2).price)
      local shown = Texts:select { cost = "price", most = weft.max "price", price = weft.count() }:group("price"):where { product_id = 2 }:first()
      assert.same({ "20.00", "20.00", 1 }, { shown.cost, shown.most, shown.price })
      assert.equal("20.00", Texts:max "price")
    end)

    if not sqlite then
      it("shows times as seconds or microseconds", function()
        local Seconds = define("Seconds", 'table = "products", columns = { made = { as = "epoch" } }')
        local Micros = define("Micros", 'table = "products", columns = { made = { as = "us" } }')
        assert.equal(1704164645.25, Seconds:find(1).made)
        assert.equal(1704164645250000, Micros:find(1).made)
        assert.equal(1, Seconds:where { made = 1704164645.25 }:count())
        assert.equal(1, Micros:where { made = 1704164645250000 }:count())
        local row = Seconds:find(2)
        row.made = 1704164645
        row:save()
        assert.equal(1704164645, Seconds:find(2).made)
        assert.equal("integer", math.type(row.made))
        assert.equal("2024-01-02T03:04:05Z", models.products:find(2).made)
      end)
    end

    it("leaves lazy columns out until they are touched", function()
      local Product = define("Product", "columns = { secret = { lazy = true } }")
      local row = Product:find(1)
      assert.is_nil(rawget(row, "secret"))
      assert.equal("s1", row.secret)
      assert.falsy(Product:json():find("secret", 1, true))
      assert.equal("s2", Product:select("product_id", "secret"):find(2).secret)
    end)

    it("may name other models", function()
      script("Product", ([[
        local weft = require "weft"
        local Category = weft.models(%q).Category
        return weft.model { methods = { category = function() return Category:first().name end } }]]):format(name))
      script("Category", 'return require "weft".model {}')
      assert.equal("Light", models.Product:first():category())
    end)

    it("is loaded again for a database that was configured again", function()
      script("Product", 'return require "weft".model { methods = { v = function() return 1 end } }')
      local old = models.Product
      assert.equal(1, old:first():v())
      script("Product", 'return require "weft".model { methods = { v = function() return 2 end } }')
      assert.equal(old, models.Product)
      weft.configure { databases = { [name] = "sqlite::memory:" } }
      finally(function() weft.database(name):close() end)
      weft.database(name):script "create table products (product_id integer primary key); insert into products values (1)"
      assert.not_equal(old, models.Product)
      assert.equal(2, models.Product:first():v())
      raises("closed", function() old:first() end)
    end)
  end)

  describe("a broken model script", function()
    -- text, line, words
    local broken = {
      { "is no Lua", "local x =\nreturn", 2, "near" },
      { "raises", "\n\nerror 'no luck'", 3, "no luck" },
      { "fails", "local x\nreturn x.y", 2, "index" },
      { "returns nothing", "local x = 1", nil, "returned nil" },
      { "returns a plain table", "return { table = 'products' }", nil, "returned table" },
      { "has a wrong option", "local weft = require 'weft'\nlocal m = weft.model { tabel = 'products' }\nreturn m", 2, "did you mean 'table'?" },
      { "has a wrong table", "local m = require 'weft'.model { table = 3 }\nreturn m", 1, "table" },
      { "has a wrong scope", "local m = require 'weft'.model { scopes = { x = 3 } }\nreturn m", 1, "scopes.x" },
      { "has a wrong method", "local m = require 'weft'.model { methods = 3 }\nreturn m", 1, "methods" },
      { "has a wrong column option", "local m = require 'weft'.model { columns = { title = { lazi = true } } }\nreturn m", 1,
        "did you mean 'lazy'?" },
      { "has an unknown presentation", "local m = require 'weft'.model { columns = { title = 'jsn' } }\nreturn m", 1, "did you mean 'json'?" },
      { "has a scope named like a method", "local m = require 'weft'.model { scopes = { where = print } }\nreturn m", 1, "where" },
      { "has an association named like a method", "local weft = require 'weft'\nlocal m = weft.model { "
        .. "associations = { tags = weft.has_many {} }, methods = { tags = print, other = print } }\nreturn m", 2,
        "'tags' is an association and a method" },
      { "has an association named like a column", "local weft = require 'weft'\nlocal m = weft.model { "
        .. "associations = { tags = weft.has_many {} }, columns = { tags = 'json' } }\nreturn m", 2,
        "'tags' is a column and an association" },
      { "has a method named like a column",
        "local m = require 'weft'.model { methods = { tags = print }, columns = { tags = 'json' } }\nreturn m", 1,
        "'tags' is a column and a method" },
      { "has a wrong lifecycle", "local m = require 'weft'.model { validate = 3 }\nreturn m", 1, "validate" },
    }
    for _, case in ipairs(broken) do
      it("that " .. case[1] .. " raises usage with file and line, each time", function()
        script("Product", case[2])
        for _ = 1, 2 do
          local err = raises("usage", function() return models.Product end, case[4])
          local where = "/" .. name .. "/Product.lua" .. (case[3] and (":%d:"):format(case[3]) or "")
          assert.truthy(err.message:find(where, 1, true), tostring(err))
        end
        script("Product", 'return require "weft".model {}')
        assert.equal("Lamp", models.Product:find(1).title)
      end)
    end

    it("fails for everybody who waits for it", function()
      script("Product", "local weft = require 'weft'\nweft.sleep(0.001)\nerror 'no luck'")
      local failures = weft.run(function()
        local count = 0
        local function touch()
          local err = raises("usage", function() return models.Product end, "no luck")
          assert.truthy(err.cause:find("no luck", 1, true))
          count = count + 1
        end
        weft.all { touch, touch, function() coroutine.wrap(touch)() end }
        return count
      end)
      assert.equal(3, failures)
    end)

    it("keeps the error of Weft that it raised", function()
      script("Product", ('return require "weft".database(%q):query("select * from missing_table")'):format(name))
      raises("syntax", function() return models.Product end, "missing_table")
    end)

    it("is told from a column that the table does not have, which its first query finds", function()
      local Product = define("Product", "columns = { titel = { lazy = true } }")
      raises("usage", function() Product:first() end, "did you mean 'title'?")
      local Other = define("Other", 'table = "products", primary_key = "id"')
      raises("usage", function() Other:first() end, "'id'", "primary_key")
      local Third = define("Third", 'table = "product"')
      raises("syntax", function() Third:first() end, "did you mean 'products'?")
    end)

    it("that waits for itself raises usage instead of waiting for ever", function()
      script("Product", ("local x = require 'weft'.models(%q).Category\nreturn require 'weft'.model {}"):format(name))
      script("Category", ("local x = require 'weft'.models(%q).Product\nreturn require 'weft'.model {}"):format(name))
      raises("usage", function() return models.Product end, "Product", "Category")
    end)
  end)
end)
