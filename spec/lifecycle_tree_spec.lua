-- SPDX-License-Identifier: MIT
-- What models do beyond SQL where associations read and write: hooks of reads, deletion, writes of rows that
-- have others loaded.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local servers = require "spec.support.servers"
local shelves = require "spec.support.shelves"

---The values of a field, in order.
local function each(rows, field)
  local list = {}
  for i, row in ipairs(rows) do list[i] = row[field] end
  return list
end

local function statements(fn)
  local list = {}
  local off = weft.on("query", function(info) list[#list + 1] = info.sql end)
  local ok, err = pcall(fn)
  off()
  if not ok then error(err, 0) end
  return list
end

backends.each(function(backend)
  local shop
  setup(function() shop = shelves.open(backend) end)
  before_each(function() shop.fill() end)

  describe("before_query of an association's model", function()
    local m, Product, least
    before_each(function()
      least = 1
      m = shop.models {
        variants = { hooks = { before_query = function(q) return q:where("stock", ">=", least) end } },
        sellers = { hooks = { before_query = function(q) return q:where { active = true } end } },
        tags = { hooks = { before_query = function(q) return q:where("name", "!=", "old") end } },
        labels = { hooks = { before_query = { function() weft.sleep(0) end, function(q) return q:where { name = "eco" } end } } },
      }
      Product = m.products:order("id")
    end)

    local seen = {
      variants = { { "L-1" }, { "C-1" }, {} },
      tags = { { "new", "odd" }, { "odd" }, {} },
      labels = { { "eco" }, { "eco" }, {} },
      seller = { "Ann" },
    }
    local function check(rows)
      for i, row in ipairs(rows) do
        assert.same(seen.variants[i], each(row.variants, "sku"))
        assert.same(seen.tags[i], each(row.tags, "name"))
        assert.same(seen.labels[i], each(row.labels, "name"))
        assert.equal(seen.seller[i], row.seller and row.seller.name)
      end
    end

    it("holds for what is included", function()
      local all = Product:include("variants", "tags", "labels", "seller")
      check(all:all())
      check { all:find(1), all:find(2) }
      check { (all:first()) }
      local rows = weft.decode(all:json())
      assert.same({ "new", "odd" }, each(rows[1].tags, "name"))
      assert.same({ "Ann", nil }, { rows[1].seller.name, rows[2].seller })
      weft.run(function() check(all:all()) end)
    end)

    it("holds for what is touched", function()
      check(Product:all())
      weft.run(function() check(Product:all()) end)
    end)

    it("is asked each time, whatever was compiled before", function()
      local all = Product:include("variants")
      assert.same({ "L-1" }, each(all:all()[1].variants, "sku"))
      assert.same({ "L-1" }, each(Product:first().variants, "sku"))
      least = 0
      assert.same({ "L-1", "L-2" }, each(all:all()[1].variants, "sku"))
      assert.same({ "L-1", "L-2" }, each(Product:first().variants, "sku"))
      least = 6
      assert.same({}, each(all:all()[1].variants, "sku"))
      assert.same({}, each(Product:first().variants, "sku"))
    end)

    it("goes with the options of an include", function()
      least = 0
      local rows = Product:include { "variants", limit = 1, order = { "stock", "desc" }, select = "sku",
        where = { { "stock", "<", 7 } } }:all()
      assert.same({ { "L-1" }, {} }, { each(rows[1].variants, "sku"), each(rows[2].variants, "sku") })
    end)

    it("holds for cross_join", function()
      local rows = weft.cross_join({ { s = 1, p = 1 }, { s = 2, p = 2 } }, {
        { model = m.sellers, key = "s", foreign_key = "id", as = "seller" },
        { model = m.variants, key = "p", foreign_key = "product_id", as = "variants", many = true },
      })
      assert.same({ "Ann", nil }, { rows[1].seller.name, rows[2].seller })
      assert.same({ { "L-1" }, { "C-1" } }, { each(rows[1].variants, "sku"), each(rows[2].variants, "sku") })
    end)

    it("holds for conditions, wherever the rows live", function()
      assert.same({ 1 }, each(Product:where("seller.id", "in", { 1, 2 }):all(), "id"))
      assert.same({ 2, 3 }, each(Product:where(weft.none("seller")):all(), "id"))
      assert.same({}, each(Product:where("labels.name", "=", "fair"):all(), "id"))
      assert.same({ 1, 2 }, each(Product:where(weft.some("labels")):all(), "id"))
      assert.same({}, each(Product:where { ["variants.sku"] = "L-2" }:all(), "id"))
      assert.same({}, each(Product:where("tags.name", "=", "old"):all(), "id"))
      assert.same({ 1, 3 }, each(Product:where(weft.every("variants", { { "stock", "<", 7 } })):all(), "id"))
      least = 8
      assert.equal(0, Product:where(weft.some "variants"):count())
      assert.equal(3, Product:where(weft.none "variants"):count())
      least = 0
      assert.equal(2, Product:where(weft.some "variants"):count())
      assert.equal(1, m.products:where("variants.sku", "=", "L-2"):update { title = "x" })
    end)

    it("holds for what is joined, and leaves rows without any to a left join", function()
      assert.same({ "L-1", "C-1" }, each(Product:join("variants"):select("variants.sku"):all(), "sku"))
      assert.same({ 1, 1, 2 }, each(Product:join("tags"):all(), "id"))
      least = 6
      local rows = Product:left_join("variants"):select("id", "variants.sku"):all()
      assert.same({ { 1, 2, 3 }, "C-1" }, { each(rows, "id"), rows[2].sku })
      assert.is_nil(rows[1].sku)
      assert.equal(1, Product:join("variants"):where("variants.stock", ">", 0):count())
    end)

    if backend.dialect == "postgres" then
      it("is asked again when a table was changed behind the back of a query", function()
        local own = shelves.open(backend)
        own.fill()
        local asked = 0
        local products = own.models({ variants = { hooks = { before_query = function(q)
          asked = asked + 1
          return q:where("stock", ">", 0)
        end } } }).products
        local query = products:include("variants"):order("id")
        assert.same({ "L-1" }, each(query:all()[1].variants, "sku"))
        servers.postgres().psql("alter table variants rename column sku to code", own.db:rows("select current_database()")[1][1])
        assert.same({ "L-1" }, each(query:all()[1].variants, "code"))
        assert.equal(3, asked)
      end)
    end

    it("may include more, and speak of associations itself", function()
      local more = shop.models()
      local Deep = shop.define("variants", {
        associations = { product = weft.belongs_to { model = more.products, foreign_key = "product_id" } },
        hooks = { before_query = function(q) return q:where("product.seller.name", "=", "Ann"):include("product.seller") end },
      })
      local Root = shop.define("products", { associations = { variants = weft.has_many { model = Deep, foreign_key = "product_id" } } })
      local rows = Root:order("id"):include("variants"):all()
      assert.same({ 2, 0, "Ann" }, { #rows[1].variants, #rows[2].variants, rows[1].variants[2].product.seller.name })
      assert.same({ 1 }, each(Root:where(weft.some "variants"):all(), "id"))
      assert.same({ 1, 1 }, { Root:where("variants.stock", ">", 0):count(), Root:where("variants.stock", ">", 6):count() + 1 })
    end)

    it("is asked for the rows in between", function()
      local between = shop.models {
        product_labels = { hooks = { before_query = function(q) return q:where { label_id = 2 } end } },
        product_tags = { hooks = { before_query = function(q) return q:where { tag_id = 1 } end } },
      }.products:order("id")
      assert.same({ "fair" }, each(between:include("labels"):first().labels, "name"))
      assert.same({ 1 }, each(between:where(weft.some "labels"):all(), "id"))
      local tags = between:include({ "tags", through = "link" }):first().tags
      assert.same({ 1, 1 }, { tags[1].link.tag_id, #tags })
      assert.same({ { "new" }, {} }, { each(between:include("tags"):find(1).tags, "name"), each(between:find(2).tags, "name") })
      assert.same({ 1 }, each(between:where(weft.some "tags"):all(), "id"))
      assert.same({ "new" }, each(between:join("tags"):select("tags.name"):all(), "name"))
    end)

    it("is not run by a query that reads no rows of it", function()
      local asked = 0
      local counted = shop.models { variants = { hooks = { before_query = function() asked = asked + 1 end } } }.products
      local all = counted:include("variants")
      all:all()
      assert.equal(1, asked)
      assert.equal(3, all:count())
      assert.is_true(all:exists())
      assert.equal(6, all:sum "id")
      assert.equal(1, asked)
    end)

    it("raises what it raises, and usage when it returns something else", function()
      for _, wrong in ipairs { 3, {}, shop.models().tags } do
        local bad = shop.models { variants = { hooks = { before_query = function() return wrong end } } }.products
        raises("usage", function() bad:include("variants"):all() end, "before_query")
        raises("usage", function() return bad:first().variants end, "before_query")
        raises("usage", function() bad:where(weft.some "variants"):count() end, "before_query")
      end
      local oops = shop.models { sellers = { hooks = { before_query = function() weft.fail("throttled", "slow down") end } } }.products
      raises("throttled", function() oops:include("seller"):all() end)
      raises("throttled", function() return oops:first().seller end)
      raises("throttled", function() return oops:where("seller.name", "=", "Ann"):count() end)
    end)
  end)

  describe("after_query of an association's model", function()
    local log, all
    local function note(what)
      return function(rows, query)
        local ids = {}
        for i, row in ipairs(rows) do ids[i] = row.id end
        table.sort(ids)
        log[#log + 1] = what .. " " .. table.concat(ids, ",")
        assert.truthy(query.all)
      end
    end
    before_each(function()
      log = {}
      local more = {}
      for _, name in ipairs { "products", "variants", "tags", "sellers", "labels" } do
        more[name] = { hooks = { after_query = note(name) } }
      end
      all = shop.models(more).products
    end)

    it("is told of the rows of each level, those below before those above", function()
      all:include("variants", "seller", "tags", "labels"):all()
      assert.same({ "labels 1,2", "sellers 1,2", "tags 1,2,3,3", "variants 1,2,3", "products 1,2,3" }, log)
    end)

    it("is told each time", function()
      local query = all:where { id = 1 }:include("variants")
      for _ = 1, 3 do query:all() end
      assert.same({ 6, "variants 1,2" }, { #log, log[5] })
    end)

    it("is told of rows that are touched, once for all of them", function()
      local rows = all:order("id"):all()
      log = {}
      for _, row in ipairs(rows) do local _, _, _ = row.variants, row.seller, row.labels end
      table.sort(log)
      assert.same({ "labels 1,2", "sellers 1,2", "variants 1,2,3" }, log)
    end)

    it("is told by cross_join", function()
      weft.cross_join({ { s = 1 }, { s = 2 }, { s = 1 } }, {
        { model = shop.models({ sellers = { hooks = { after_query = note "cross" } } }).sellers, key = "s", foreign_key = "id", as = "seller" },
      })
      assert.same({ "cross 1,2" }, log)
    end)

    it("is told of no rows that only answer a condition or become text, and of no list without rows", function()
      all:include("variants"):json()
      all:where("seller.name", "=", "Ann"):count()
      all:where { id = 3 }:include("variants", "seller"):find(3)
      assert.same({ "products 3" }, log)
    end)

    it("sees what is linked below, may change rows, wait and read more", function()
      local models
      models = shop.models {
        variants = { hooks = { after_query = function(rows)
          weft.sleep(0)
          for _, row in ipairs(rows) do row.left = row.stock > 0 and "some" or "none" end
        end } },
        products = { hooks = { after_query = function(rows)
          for _, row in ipairs(rows) do row.total = #row.variants .. " of " .. models.notes:count() end
        end } },
      }
      local function run()
        local row = models.products:include("variants"):find(1)
        assert.same({ "some", "none", "2 of 0" }, { row.variants[1].left, row.variants[2].left, row.total })
      end
      run()
      weft.run(function() weft.all { run, run, run } end)
    end)

    it("raises where the rows are asked for", function()
      local bad = shop.models { variants = { hooks = { after_query = function() weft.fail("throttled", "no") end } } }.products
      raises("throttled", function() bad:include("variants"):all() end)
      raises("throttled", function() return bad:first().variants end)
      raises("throttled", function() bad:include("variants"):find(1) end)
      assert.equal(3, #bad:all())
    end)

    it("is done with its list", function()
      local kept
      local greedy = shop.models { variants = { hooks = { after_query = function(rows)
        kept = rows
        table.remove(rows, 1)
      end } } }.products
      local row = greedy:include("variants"):find(1)
      assert.same({ 2, 1 }, { #row.variants, #kept })
      assert.equal(row.variants[2], kept[1])
    end)
  end)

  describe("rows that are noted as deleted", function()
    local m, Product
    before_each(function()
      m = shop.models {
        products = { soft_delete = "deleted_at", version = "version" }, variants = { soft_delete = "deleted_at" },
        tags = { soft_delete = "hidden" }, product_tags = { soft_delete = "deleted_at" },
        product_labels = { soft_delete = "gone" }, sellers = { soft_delete = "deleted_at" },
      }
      Product = m.products:order("id")
      m.variants:find(1):delete()
      m.product_tags:where { product_id = 1, tag_id = 2 }:delete()
      m.product_labels:where { product_id = 1, label_id = 2 }:delete()
      m.sellers:find(2):delete()
    end)

    local function check(rows)
      assert.same({ { "L-2" }, { "C-1" } }, { each(rows[1].variants, "sku"), each(rows[2].variants, "sku") })
      assert.same({ { "new" }, {} }, { each(rows[1].tags, "name"), each(rows[2].tags, "name") })
      assert.same({ { "eco" }, { "eco" } }, { each(rows[1].labels, "name"), each(rows[2].labels, "name") })
      assert.same({ "Ann", nil }, { rows[1].seller.name, rows[2].seller and rows[2].seller.name })
    end

    it("are not included, nor led to by rows in between that are deleted", function()
      check(Product:include("variants", "tags", "labels", "seller"):all())
      local json = weft.decode(Product:include("variants", "tags", "seller"):json())
      assert.same({ 1, 1, 0 }, { #json[1].variants, #json[1].tags, #json[2].tags })
      assert.is_nil(json[2].seller)
    end)

    it("are not touched", function() check(Product:all()) end)

    it("answer no condition", function()
      assert.equal(0, Product:where("variants.sku", "=", "L-1"):count())
      assert.same({ 3 }, each(Product:where(weft.none "variants"):all(), "id"))
      assert.same({ 1, 3 }, each(Product:where(weft.every("variants", { stock = 0 })):all(), "id"))
      assert.same({ 1 }, each(Product:where(weft.some "tags"):all(), "id"))
      assert.equal(0, Product:where("tags.name", "=", "old"):count())
      assert.equal(0, Product:where("labels.name", "=", "fair"):count())
      assert.same({ 1 }, each(Product:where("seller.id", ">", 0):all(), "id"))
      assert.same({ 2, 3 }, each(Product:where(weft.none "seller"):all(), "id"))
    end)

    it("are not joined", function()
      assert.same({ "L-2", "C-1" }, each(Product:join("variants"):select("variants.sku"):all(), "sku"))
      assert.same({ 1 }, each(Product:join("tags"):select("id"):all(), "id"))
      local rows = Product:left_join("variants"):select("id", "variants.sku"):all()
      assert.same({ { 1, 2, 3 }, { "L-2", "C-1" } }, { each(rows, "id"), each(rows, "sku") })
      rows = Product:left_join("tags"):select("id", "tags.name"):all()
      assert.same({ { 1, 2, 3 }, { "new" } }, { each(rows, "id"), each(rows, "name") })
      m.products:find(1):delete()
      assert.equal(1, Product:join("variants"):count())
    end)

    it("are not cross-joined", function()
      local rows = weft.cross_join(Product:all(), { { model = m.sellers, key = "seller_id", foreign_key = "id", as = "s" } })
      assert.same({ "Ann", nil }, { rows[1].s.name, rows[2].s and rows[2].s.name })
    end)

    it("do not count", function()
      m.products:find(2):delete()
      assert.same({ 2, 1, 0 }, { m.products:count(), Product:where(weft.some "variants"):count(), m.products:where { id = 2 }:count() })
      assert.is_false(m.products:where { id = 2 }:exists())
      assert.same({ 1, 3 }, each(Product:include("variants"):all(), "id"))
    end)

    it("are included when a scope asks for them", function()
      local row = Product:include { "variants", scope = function(q) return q:with_deleted() end }:first()
      assert.same({ "L-1", "L-2" }, each(row.variants, "sku"))
      row = Product:include { "variants", scope = function(q) return q:only_deleted() end }:first()
      assert.same({ "L-1" }, each(row.variants, "sku"))
      local gone = row.variants[1]
      gone.deleted_at = nil
      gone:save()
      assert.same({ "L-1", "L-2" }, each(Product:include("variants"):first().variants, "sku"))
    end)

    it("are deleted below a row with it, by a hook", function()
      local Cascade = shop.models { variants = { soft_delete = "deleted_at" }, products = {
        soft_delete = "deleted_at",
        hooks = { before_delete = function(row) for _, variant in ipairs(row.variants) do variant:delete() end end },
      } }
      Cascade.products:include("variants"):find(1):delete()
      assert.same({ 2, 1 }, { Cascade.products:count(), Cascade.variants:count() })
      assert.equal(2, Cascade.products:where("id", ">", 1):delete())
      assert.equal(0, Cascade.variants:count())
    end)
  end)

  describe("a row with others loaded", function()
    local m, all
    before_each(function()
      m = shop.models { products = { version = "version" }, variants = { timestamps = { updated = "updated_at" } } }
      all = m.products:include("variants", "seller", "tags")
    end)

    it("has not changed by them", function()
      local row = all:find(1)
      assert.same({}, (row:changed()))
      row.variants[1].stock, row.variants[3] = 99, nil
      row.seller, row.labels, row.other = nil, { 1 }, "x"
      assert.same({}, (row:changed()))
      assert.same({ "stock" }, (row.variants[1]:changed()))
      assert.same({}, statements(function() row:save() end))
    end)

    it("is saved without them, and keeps them", function()
      local row = all:find(1)
      local variants, seller = row.variants, row.seller
      row.title = "Light"
      local sent = statements(function() row:save() end)
      assert.equal(backend.dialect == "mysql" and 2 or 1, #sent) -- where an update hands nothing back, it is read
      assert.is_nil(sent[1]:find("variants", 1, true))
      assert.same({ "Light", 2 }, { row.title, row.version })
      assert.equal(variants, rawget(row, "variants"))
      assert.equal(seller, rawget(row, "seller"))
      assert.same({ "Light", "L-1", "Ann" }, { all:find(1).title, row.variants[1].sku, row.seller.name })
      row:update { title = "Lamp" }
      assert.equal(3, m.products:find(1).version)
    end)

    it("is the same text before and after it was saved", function()
      for id = 1, 3 do
        local row = all:find(id)
        row:update { title = "New" }
        local text = all:where { id = id }:json()
        assert.equal(text, "[" .. weft.encode(row) .. "]")
        assert.equal(text, weft.encode { all:find(id) })
      end
    end)

    it("knows what it has not, too, until its key says another", function()
      local row = all:find(3)
      row:update { title = "New" }
      assert.same({}, statements(function() assert.is_nil(row.seller) end))
      row:update { seller_id = 2 }
      assert.equal("Bob", row.seller.name)
      row:update { seller_id = 1 }
      assert.equal("Ann", row.seller.name)
      row:update { seller_id = weft.null }
      assert.is_nil(row.seller)
    end)

    it("is as strict as it was", function()
      local row = m.products:strict():include("variants", "seller"):find(3)
      row:update { title = "New" }
      assert.same({ 0 }, { #row.variants })
      assert.is_nil(row.seller)
      raises("usage", function() return row.tags end, "strict")
      raises("usage", function() return row:reload().variants end, "strict")
    end)

    it("is saved with what belongs to it in one transaction, or nothing is", function()
      local row = all:find(1)
      local oops = setmetatable({}, { __tostring = function() return "oops" end })
      local function write(fail)
        shop.db:transaction(function()
          row:update { title = "Light" }
          for _, variant in ipairs(row.variants) do variant:update { stock = variant.stock + 1 } end
          m.variants:create { id = 9, product_id = 1, sku = "L-9", stock = 1 }
          m.product_tags:where { product_id = 1 }:delete()
          row.tags[1]:delete()
          if fail then error(oops) end
        end)
      end
      local before = all:order("id"):json()
      local ok, err = pcall(write, true)
      assert.same({ false, oops }, { ok, err })
      assert.equal(before, all:order("id"):json())
      row = all:find(1)
      write(false)
      local after = all:find(1)
      assert.same({ "Light", 3, 0, { 6, 1, 1 } }, { after.title, #after.variants, #after.tags, each(after.variants, "stock") })
    end)

    it("is written half by nobody whose hooks write other tables", function()
      local refuse = true
      local models
      models = shop.models {
        variants = { hooks = { after_update = function(row)
          models.notes:create { id = models.notes:count() + 1, line = "variant " .. row.sku }
          if refuse and row.sku == "L-2" then weft.fail("check", "no") end
        end } },
        products = { hooks = { after_save = function(row)
          for _, variant in ipairs(row.variants or {}) do variant:update { stock = variant.stock + 10 } end
        end } },
      }
      local row = models.products:include("variants", "tags"):find(1)
      local before = weft.encode(row)
      for _, write in ipairs {
        function() row:update { title = "x" } end,
        function() weft.run(function() row:update { title = "x" } end) end,
        function() models.products:where { id = 1 }:update { title = "x" } end,
        function() models.products:update({ title = "x" }, { all = true }) end,
      } do
        raises("check", write, "no")
        assert.equal(before, weft.encode(models.products:include("variants", "tags"):find(1)))
        assert.equal(0, models.notes:count())
      end
      refuse = false
      row:reload():update { title = "y" }
      assert.same({ 2, { 15, 10 } }, { models.notes:count(), each(models.variants:where { product_id = 1 }:order("id"):all(), "stock") })
    end)

    it("loses to whoever was first, of 50 writers one wins each round", function()
      weft.run(function()
        for round = 1, 2 do
          local won, stale, readers, writers = 0, 0, {}, {}
          for i = 1, 50 do
            readers[i] = function()
              local row = i % 2 == 0 and all:find(1) or m.products:find(1)
              assert.same({ 2, "Ann" }, { #row.variants, row.seller.name })
              return row
            end
          end
          local rows = weft.all(readers)
          for i = 1, 50 do
            writers[i] = function()
              local row = rows[i]
              row.title = ("by %d in %d"):format(i, round)
              local saved, err = weft.try(row.save, row)
              if saved then
                won = won + 1
                assert.same({ 2, round + 1 }, { #row.variants, row.version })
              else
                stale = stale + (err.kind == "stale" and 1 or 100)
                assert.same({ round, 2, "Ann" }, { row.version, #row.variants, row.seller.name })
              end
            end
          end
          weft.all(writers)
          assert.same({ 1, 49, round + 1 }, { won, stale, m.products:find(1).version })
        end
      end)
    end)

    it("is added to by 50 writers who try again", function()
      weft.run(function()
        local writers = {}
        for i = 1, 50 do
          writers[i] = function()
            repeat
              local row = all:find(2)
              row.title = tostring((tonumber(row.title) or 0) + #row.variants)
              local saved, err = weft.try(row.save, row)
              if err then assert.equal("stale", err.kind) end
            until saved
          end
        end
        weft.all(writers)
      end)
      assert.same({ "50", 51 }, { m.products:find(2).title, m.products:find(2).version })
    end)
  end)

  describe("an association's name", function()
    it("is no column to write, which every write says", function()
      local plain = shop.models()
      for _, Product in ipairs { plain.products, shop.models({ products = { version = "version" } }).products } do
        local row = Product:find(1)
        for _, write in ipairs {
          function() Product:create { id = 9, variants = {} } end,
          function() Product:create_many { { id = 9 }, { id = 10, variants = {} } } end,
          function() Product:upsert({ id = 1, variants = {} }, { on = "id" }) end,
          function() Product:upsert({ id = 1 }, { on = "id", update = { variants = {} } }) end,
          function() Product:where { id = 1 }:update { variants = {} } end,
          function() Product:where { id = 1 }:increment "variants" end,
          function() row:update { variants = {} } end,
          function() weft.update(row, { seller = plain.sellers:find(1) }) end,
        } do
          raises("usage", write, "is an association of products", "written by themselves")
        end
        raises("usage", function() Product:create { variant = 1 } end, "unknown column 'variant'")
        assert.equal(3, Product:count())
      end
    end)
  end)

  describe("validation where associations are", function()
    local m
    before_each(function()
      m = shop.models { products = { validate = {
        title = { required = true, check = function(_, row)
          weft.sleep(0.001)
          return row.id ~= 7, "is taken"
        end },
        function(row)
          if row.seller and not row.seller.active then return "seller_id", "is not active" end
        end,
        function(row)
          weft.sleep(0.001)
          if m.products:where { title = row.title }:where("id", "!=", row.id):exists() then return "title", "is there already" end
        end,
      } } }
    end)

    it("touches what belongs to the row", function()
      local row = m.products:find(2)
      local err = raises("validation", function() row:update { title = "Stool" } end)
      assert.same({ { "seller_id", "is not active" } }, { { err.errors[1].column, err.errors[1].message } })
      row = m.products:find(2)
      row:update { title = "Stool", seller_id = 1 }
      assert.equal("Ann", row.seller.name)
    end)

    it("waits inside of tasks, each for itself", function()
      weft.run(function()
        local results = {}
        local writers = {}
        for i = 1, 20 do
          writers[i] = function()
            local row, err = weft.try(m.products.create, m.products, { id = 100 + i, title = i % 2 == 0 and "New " .. i or "Lamp" })
            results[i] = row and "stored" or err.errors[1].message
          end
        end
        writers[21] = function()
          local _, err = weft.try(m.products.create, m.products, { id = 7, title = "Lamp" })
          results[21] = #err.errors .. " " .. err.errors[1].message
        end
        weft.all(writers)
        for i = 1, 20 do assert.equal(i % 2 == 0 and "stored" or "is there already", results[i]) end
        assert.equal("2 is taken", results[21])
      end)
      assert.equal(13, m.products:count())
    end)

    it("is given up with its task, which leaves nothing behind", function()
      local slow = shop.models { products = { hooks = { before_create = function() end }, validate = {
        function() weft.sleep(10) end,
      } } }
      weft.run(function()
        local task = weft.spawn(function() slow.products:create { id = 50, title = "x" } end)
        weft.sleep(0.01)
        task:cancel()
        raises("cancelled", function() task:await() end)
        raises("timeout", function() weft.timeout(0.01, function() slow.products:create { id = 51, title = "x" } end) end)
      end)
      assert.equal(3, slow.products:count())
    end)
  end)
end)
