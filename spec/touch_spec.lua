-- SPDX-License-Identifier: MIT
-- What a touched row loads, for how many rows at once, and when it does so again.

local weft = require "weft"
local mixes = require "spec.support.mixes"
local raises = require "spec.support.raises"

local statements = mixes.statements
local mysql_text = require "spec.support.mysql_text"

local near = {
  sqlite = [[
    create table products (product_id integer primary key, title text, seller_id integer, body text);
    create table variants (variant_id integer primary key, product_id integer references products, sku text);
    create table images (image_id integer primary key, variant_id integer references variants, url text);
    create table numbers (n integer primary key);]],
  postgres = [[
    create table products (product_id integer primary key, title text, seller_id integer, body text);
    create table variants (variant_id integer primary key, product_id integer references products, sku text);
    create table images (image_id integer primary key, variant_id integer references variants, url text);
    create table numbers (n integer primary key);]],
}
near.mysql = mysql_text.of(near.sqlite)
local far = "create table sellers (seller_id integer primary key, name text)"
local N = 1200 -- products, of which every 10th has no seller_id, and every 7th one that leads nowhere

local script = [[columns = { body = { lazy = true } }, associations = {
  seller = weft.belongs_to { model = "FAR.Seller", foreign_key = "seller_id" },
  variants = weft.has_many { model = "variants", foreign_key = "product_id", order = "variant_id" } }]]

mixes.each(function(mix)
  local Product

  setup(function()
    mix:open(near, far)
    mix:run("near", "insert into numbers select n from " .. mixes.series(N))
    mix:run("near", [[
      insert into products select n, 'p' || n, case when n % 10 = 0 then null when n % 7 = 0 then 100000 + n else n end, 'b' || n from numbers;
      insert into variants select n, (n + 1 - (n + 1) % 2) / 2, 'v' || n from numbers;
      insert into images select n, n, 'i' || n from numbers;]])
    mix:run("far", ("insert into sellers select n, 's' || n from %s where n %% 7 > 0"):format(mixes.series(N)))
    mix:script("near", "Product", script)
    mix:script("near", "Strict", 'table = "products", strict = true, ' .. script)
    mix:script("far", "Seller", [[associations = { products = weft.has_many { model = "NEAR.Product", foreign_key = "seller_id" } }]])
    Product = mix:model("near", "Product")
    Product:include("seller", "variants.images"):find(1) -- wires them
  end)
  teardown(function() mix:close() end)

  local function products() return Product:order("product_id"):all() end
  local function expected(id) return id % 10 > 0 and id % 7 > 0 and "s" .. id or nil end
  local function seller_of(row) return row.seller and row.seller.name end

  describe("a touched association", function()
    it("is loaded for the 500 rows around it at once", function()
      local rows = products()
      assert.equal(3, #statements(function()
        for id, row in ipairs(rows) do assert.equal(expected(id), seller_of(row)) end
      end))
      assert.equal(3, #statements(function()
        for id, row in ipairs(rows) do assert.equal(id <= N / 2 and 2 or 0, #row.variants) end
      end))
      assert.equal("v201", rows[101].variants[1].sku)
    end)

    it("is loaded for those behind the touched row first, then for the nearest before it", function()
      local rows = products()
      assert.equal("s1101", rows[1101].seller.name)
      local function has(id) return rawget(rows[id], "seller") ~= nil end
      assert.same({ true, true, true, true, false, false },
        { has(1102), has(N - 1), has(1096), has(702), has(699), has(1) })
    end)

    it("is loaded in as few statements from the last row to the first, and where there is none", function()
      for _, rows in ipairs { products(), Product:where("seller_id", ">", 100000):all(), Product:order("title"):all() } do
        assert.equal(math.ceil(#rows / 500), #statements(function()
          for i = #rows, 1, -1 do assert.equal(expected(rows[i].product_id), seller_of(rows[i])) end
        end))
      end
      mix.far_db:transaction(function(tx)
        tx:execute "delete from sellers"
        local rows = products()
        for i = #rows, 1, -1 do rows[i].seller_id = i end
        assert.equal(3, #statements(function()
          for i = #rows, 1, -1 do assert.is_nil(rows[i].seller) end
        end))
        tx:rollback()
      end)
    end)

    it("is loaded once, absent or not", function()
      local rows = products()
      for _, id in ipairs { 1, 7, 10 } do
        assert.equal(expected(id), seller_of(rows[id]))
        assert.equal(0, #statements(function() assert.equal(expected(id), seller_of(rows[id])) end))
      end
      local nulls = Product:where("seller_id", "is_null"):all()
      assert.equal(0, #statements(function()
        for _, row in ipairs(nulls) do assert.is_nil(row.seller) end
      end))
      local single = Product:find(7)
      assert.equal(1, #statements(function() assert.is_nil(single.seller) assert.is_nil(single.seller) end))
      local one = Product:find(N)
      assert.equal(1, #statements(function() assert.same({}, one.variants) assert.equal(0, #one.variants) end))
      assert.equal("[]", weft.encode(one.variants))
    end)

    it("is loaded for rows of a sorted, filtered and spliced list", function()
      local rows = Product:where("product_id", "<=", 60):all()
      table.sort(rows, function(a, b) return a.product_id > b.product_id end)
      for i = #rows, 1, -1 do
        if rows[i].product_id % 2 == 0 then table.remove(rows, i) end
      end
      table.move(Product:where("product_id", "between", { 101, 103 }):all(), 1, 3, #rows + 1, rows)
      collectgarbage() -- who was removed is not asked for
      local sent = statements(function()
        for _, row in ipairs(rows) do assert.equal(expected(row.product_id), seller_of(row)) end
      end)
      assert.equal(2, #sent)
      assert.is_true(sent[1].rows <= 30)
    end)

    it("has siblings of its own, across parents", function()
      local rows = Product:where("product_id", "<=", 100):order("product_id"):all()
      local urls = 0
      assert.equal(2, #statements(function()
        for _, row in ipairs(rows) do
          for _, variant in ipairs(row.variants) do
            for _, image in ipairs(variant.images) do
              assert.equal("i" .. variant.variant_id, image.url)
              urls = urls + 1
            end
          end
        end
      end))
      assert.equal(200, urls)
    end)

    it("is no part of a row before it was touched, and then the last", function()
      local row = Product:find(1)
      assert.equal(0, #statements(function()
        for name in pairs(row) do assert.is_not.equal("seller", name) end
        assert.equal('{"product_id":1,"title":"p1","seller_id":1}', weft.encode(row))
      end))
      local _ = row.seller
      assert.equal('{"product_id":1,"title":"p1","seller_id":1,"seller":{"seller_id":1,"name":"s1"}}', weft.encode(row))
    end)

    it("needs the columns of its key", function()
      local row = Product:select("product_id"):first()
      raises("usage", function() return row.seller end, "'seller_id'", "not selected")
      assert.equal(2, #row.variants)
    end)

    it("goes on where its query came from: first, one, get, each, page, cross_join", function()
      local query = Product:where { product_id = 3 }
      local each
      for row in query:each() do each = row end
      for _, row in ipairs { query:first(), query:one(), Product:get(3), each, query:page { size = 1 }.rows[1],
        weft.cross_join(query:all(), {})[1] } do
        assert.equal("s3", row.seller.name)
        assert.equal("p3", row.seller.products[1].title)
      end
    end)

    it("fails clearly when its database fails, and is loaded later", function()
      local row = Product:find(1)
      mix.far_db:script "alter table sellers rename to away"
      local ok, err = pcall(function() return row.seller end)
      mix.far_db:script "alter table away rename to sellers"
      assert.is_false(ok)
      assert.is_truthy(err.message:find("association 'seller' of " .. mix.near .. ".Product (belongs_to " .. mix.far, 1, true), err.message)
      assert.equal("s1", row.seller.name)
    end)
  end)

  describe("strict", function()
    it("raises for what was not included or selected, and loads nothing", function()
      local strict = weft.models(mix.near).Strict
      local kinds = { function() return Product:strict():find(1) end, function() return strict:find(1) end,
        function() return Product:strict():include "variants":all()[1] end, function() return strict:include "variants":find(1) end,
        function() return Product:strict():include "seller.products":find(1).seller.products[1] end }
      for _, make in ipairs(kinds) do
        local row = make()
        assert.equal(0, #statements(function()
          raises("usage", function() return row.seller end, "'seller' of " .. mix.near .. ".", ':include("seller")')
          raises("usage", function() return row.body end, "'body' of " .. mix.near .. ".", ':select("body")')
          assert.is_nil(row.nothing)
        end))
      end
      assert.equal("s1", strict:include "seller":find(1).seller.name)
      assert.is_nil(strict:include "seller":find(7).seller)
      assert.equal("b1", strict:select("product_id", "body"):find(1).body)
    end)

    it("can be said for everything", function()
      weft.configure { strict = true }
      finally(function() weft.configure { strict = false } end)
      local row, included = Product:find(1), Product:include "seller":find(7)
      raises("usage", function() return row.seller end, "strict")
      assert.is_nil(included.seller)
      weft.configure { strict = false }
      assert.equal("s1", row.seller.name)
    end)
  end)

  describe("a row that is touched", function()
    it("inside tasks waits there, and others go on", function()
      local rows = products()
      weft.run(function()
        local fns = {}
        for i = 1, 20 do
          fns[i] = function()
            for id = i, N, 20 do assert.equal(expected(id), seller_of(rows[id])) end
          end
        end
        weft.all(fns)
      end)
    end)

    it("inside the user's own coroutines gives them what they asked for", function()
      local function each(rows)
        return coroutine.wrap(function()
          for _, row in ipairs(rows) do coroutine.yield(seller_of(row) or "none", #row.variants) end
        end)
      end
      local function walk()
        local id = 0
        for name, n in each(products()) do
          id = id + 1
          assert.equal(expected(id) or "none", name)
          assert.equal(id <= N / 2 and 2 or 0, n)
        end
        assert.equal(N, id)
      end
      walk()
      weft.run(function() weft.all { walk, walk } end)
    end)

    it("where nothing can wait raises inside a task, and blocks outside", function()
      local function sorted(rows)
        table.sort(rows, function(a, b) return a.seller.name < b.seller.name end)
        return rows[1].product_id
      end
      local query = Product:where { product_id = { 1, 2, 3 } }:order("product_id", "desc")
      assert.equal(1, sorted(query:all()))
      weft.run(function()
        local rows = query:all()
        raises("usage", function() sorted(rows) end, "nothing can wait")
        assert.equal("s3", rows[1].seller.name)
        assert.equal(1, sorted(rows))
      end)
    end)

    it("inside a transaction sees what that has written", function()
      local row = Product:find(1)
      mix.near_db:transaction(function(tx)
        tx:execute "insert into variants values (5000, 1, 'new')"
        assert.equal(3, #row.variants)
        local inner = Product:find(1)
        assert.equal("new", inner.variants[3].sku)
        assert.equal(3, #Product:include "variants":find(1).variants)
        assert.equal("s1", inner.seller.name)
        tx:rollback()
      end)
      assert.equal(2, #Product:find(1).variants)
      local kept
      mix.near_db:transaction(function() kept = Product:find(2) end)
      assert.equal(2, #kept.variants)
    end)

    it("inside a hook or a method loads as well", function()
      mix:script("near", "Hooked", [[table = "products", associations = {
        seller = weft.belongs_to { model = "FAR.Seller", foreign_key = "seller_id" } },
        methods = { label = function(self) return self.title .. " of " .. self.seller.name end },
        hooks = { before_save = function(row) row.title = row.title .. " " .. row.seller.name end }]])
      local row = weft.models(mix.near).Hooked:find(11)
      assert.equal("p11 of s11", row:label())
      row.body = "new"
      row:save()
      assert.equal("p11 s11 of s11", row:label())
    end)
  end)

  describe("what was loaded", function()
    local row
    before_each(function()
      row = Product:find(21)
      row:update { title = "p21", seller_id = 22 }
      assert.is_table(row.seller)
      assert.is_table(row.variants)
    end)
    local function reloaded() return #statements(function() return row.seller, row.variants end) end

    it("stays while the row is changed in memory", function()
      row.title, row.seller_id = "x", 23
      assert.equal("s22", row.seller.name)
      assert.equal(0, reloaded())
      assert.same({ "title", "seller_id" }, row:changed())
    end)

    it("goes with the columns that save and update write", function()
      row.title = "y"
      row:save()
      assert.equal(0, reloaded())
      row.seller_id = 23
      row:save()
      assert.is_nil(rawget(row, "seller"))
      assert.is_not_nil(rawget(row, "variants"))
      assert.equal("s23", row.seller.name)
      row:update { seller_id = weft.null }
      assert.is_nil(row.seller)
      row:update { seller_id = 24 }
      assert.equal("s24", row.seller.name)
    end)

    it("goes with a reload", function()
      mix.near_db:execute "update products set seller_id = 25 where product_id = 21"
      row.seller.name = "mine"
      row:reload()
      assert.equal("s25", row.seller.name)
      row:reload()
      assert.equal(2, reloaded())
      row = Product:include("seller", "variants"):find(21)
      assert.equal(0, reloaded())
      row:reload()
      assert.equal(2, reloaded())
    end)

    it("is looked for again where there was nothing and the key is another one", function()
      for _, query in ipairs { Product, Product:include "seller" } do
        local none = query:find(7)
        assert.is_nil(none.seller)
        none.seller_id = 8
        assert.equal("s8", none.seller.name)
        local null = query:find(10)
        assert.is_nil(null.seller)
        null.seller_id = 7
        assert.is_nil(null.seller)
        assert.equal(0, #statements(function() assert.is_nil(rawget(null, "seller")) end))
        null.seller_id = 9
        assert.equal("s9", null.seller.name)
      end
    end)

    it("is not written, nor counted as a change", function()
      assert.same({}, row:changed())
      row.seller, row.variants = nil, { "mine" }
      assert.same({}, row:changed())
      row:save()
      assert.equal("s22", row.seller.name)
      assert.same({ "mine" }, row.variants)
    end)

    it("is kept when the write fails", function()
      row.product_id = 1 -- is there already
      raises(mix.row.near == "mysql" and "foreign_key" or "unique", function() row:save() end) -- MySQL looks at those first
      assert.equal(0, reloaded())
      row.product_id = 21
      assert.equal(0, reloaded())
    end)
  end)

  describe("a lazy column", function()
    it("is loaded for all rows of the result, included rows too", function()
      local sellers = mix:model("far", "Seller"):include "products":where { seller_id = { 1, 2, 3 } }:order("seller_id"):all()
      assert.equal(1, #statements(function()
        for _, seller in ipairs(sellers) do assert.equal("b" .. seller.seller_id, seller.products[1].body) end
      end))
      assert.equal("p1", sellers[1].products[1].seller.products[1].title)
    end)
  end)
end)
