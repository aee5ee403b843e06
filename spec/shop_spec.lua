-- SPDX-License-Identifier: MIT
-- The shop's services: the same answers whichever database keeps which part, and a stock that is never sold twice.

local weft = require "weft"
local core = require "weft.core"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local shell = require "spec.support.shell"

local here = shell.root() .. "/examples/shop/"
package.path = package.path .. ";" .. here .. "?.lua"
local fill = require "data"
local shop = dofile(here .. "weft.lua")
local names = { "product_service", "seller_service", "policy_service" }
local services = weft.services

---The shop on three fresh databases: configuration is all that differs.
local function open_shop(product, seller, policy)
  local databases = {}
  for i, backend in ipairs { product, seller, policy } do databases[names[i]] = { url = backend.url() } end
  weft.configure { databases = databases, models = shop.models, services = shop.services }
  fill(120)
end

after_each(function()
  for _, name in ipairs(names) do weft.database(name):close() end
  weft.configure { models = "models", services = "services" }
end)

---Notes what services answer, as text.
local function recorder()
  local answers = {}
  return answers, function(service, input, context)
    local ok, result = pcall(service, input, context)
    if not ok and not core.is_error(result) then error(result, 0) end
    local text = ok and weft.encode(result == nil and weft.null or result) or result.kind
    if not ok and result.kind ~= "usage" then text = text .. ": " .. result.message end
    answers[#answers + 1] = ("%s %s -> %s"):format(service, weft.encode(input), text)
    return ok and result
  end
end

local function read_pages(ask, service, input)
  local copy, last = {}, nil
  for key, value in pairs(input) do copy[key] = value end
  repeat
    local page = ask(service, copy)
    last = page.previous or last
    copy.after = page.next
  until not page.next
  if last then
    copy.after, copy.before = nil, last
    ask(service, copy)
  end
end

local function ask_detail(ask)
  for id = 1, 20 do ask(services.product_detail, { product_id = id }) end
  ask(services.product_detail, { product_id = 999999 })
  ask(services.product_detail, {})
end

local searches = {
  { size = 50 }, { text = "lamp", size = 2 }, { text = "LAMP red", order = "dearest" }, { text = "%" }, { text = "no such thing" },
  { min_price = 100, max_price = 200.5, size = 7 }, { min_price = "99.99", order = "newest", size = 9 }, { category_id = 7, size = 3 },
  { category_id = 999 }, { seller_id = 53 }, { text = "lamp", category_id = 2, max_price = 300, order = "dearest", size = 3 },
  { category_id = 1, size = 5 }, { country = "DE", size = 7 }, { country = "XX" }, { seller_rating = 4.5, order = "newest" },
  { country = "FR", seller_rating = 4, in_stock = true, category_id = 3 }, { in_stock = true, max_price = 50 },
}
local function ask_search(ask)
  for _, input in ipairs(searches) do read_pages(ask, services.search, input) end
  ask(services.search, { order = "luck" })
  ask(services.search, { after = "zz" })
end

local function ask_orders(ask)
  for customer = 1, 8 do read_pages(ask, services.orders, { customer_id = customer, size = 2 }) end
  ask(services.orders, { customer_id = 999 })
  ask(services.orders, {})
end

---The first variant behind `after` of which there are so many.
local function in_stock(least, after)
  local variants = weft.models("product_service").ProductVariant:where("stock", ">=", least):where("variant_id", ">", after or 0)
  return variants:order("variant_id"):first()
end

local function ask_cart(ask)
  local cart, customer = services.cart, 77
  local one = in_stock(10).variant_id
  local two = in_stock(10, one).variant_id
  ask(cart.show, { customer_id = customer })
  ask(cart.add, { customer_id = customer, variant_id = one, quantity = 2 })
  local seen = ask(cart.add, { customer_id = customer, variant_id = two, quantity = 1, version = 1 })
  ask(cart.add, { customer_id = customer, variant_id = two, quantity = 1, version = 1 })
  ask(cart.add, { customer_id = customer, variant_id = one, quantity = 99 })
  ask(cart.add, { customer_id = customer, variant_id = 999999, quantity = 1 })
  ask(cart.add, { customer_id = customer, variant_id = one, quantity = 0 })
  ask(cart.add, { variant_id = one, quantity = 1 })
  ask(cart.remove, { customer_id = customer, variant_id = 999999 })
  ask(cart.checkout, { customer_id = customer, version = 1 }, { now = "2026-01-02T03:04:05Z" })
  ask(cart.checkout, { customer_id = customer })
  ask(cart.checkout, { customer_id = customer, version = seen.version }, { now = "2026-01-02T03:04:05Z" })
  ask(cart.checkout, { customer_id = customer, version = seen.version + 1 })
  ask(cart.add, { customer_id = customer, variant_id = one, quantity = 3 })
  ask(cart.remove, { customer_id = customer, variant_id = one })
  ask(cart.show, { customer_id = customer })
  ask(services.orders, { customer_id = customer })
end

---Everything that the shop answers, one line each.
local function answers()
  local list, ask = recorder()
  weft.run(function()
    for _, part in ipairs { ask_detail, ask_search, ask_orders, ask_cart } do part(ask) end
  end)
  return list
end

describe("the shop's services", function()
  local sqlite, postgres, mysql = backends["sqlite file"], backends.postgres, backends.mysql
  local expected

  setup(function()
    open_shop(sqlite, sqlite, sqlite)
    expected = answers()
    assert.is_true(#expected > 80, #expected)
  end)

  local mixes = mysql and { { mysql, mysql, mysql }, { mysql, sqlite, postgres }, { sqlite, postgres, mysql } } or {}
  for mix = 0, 7 do
    local chosen = {}
    for i in ipairs(names) do chosen[i] = mix >> (i - 1) & 1 == 1 and postgres or sqlite end
    mixes[#mixes + 1] = chosen
  end

  for _, chosen in ipairs(mixes) do
    local words = {}
    for i, name in ipairs(names) do words[i] = name:match "^%l+" .. "s in " .. chosen[i].dialect end
    it("answer the same with " .. table.concat(words, ", "), function()
      open_shop(table.unpack(chosen))
      assert.same(expected, answers())
    end)
  end
end)

backends.each(function(backend)
  local models, memory = nil, backends["sqlite memory"]
  local cart = services.cart

  before_each(function()
    open_shop(backend, memory, memory)
    models = weft.models "product_service"
  end)

  local function stock_of(id) return models.ProductVariant:get(id).stock end
  local function set_stock(id, stock) models.ProductVariant:where { variant_id = id }:update { stock = stock } end
  local function quantity_of(customer, id)
    local item = models.CartItem:find(customer, id)
    return item and item.quantity or 0
  end

  ---Calls fn(1) .. fn(n) side by side; returns how many ended well and the kinds of the others' errors.
  local function crowd(n, fn)
    local won, kinds, list = 0, {}, {}
    for i = 1, n do
      list[i] = function()
        local result, err = weft.try(fn, i)
        if result then won = won + 1 else kinds[err.kind] = (kinds[err.kind] or 0) + 1 end
      end
    end
    weft.run(weft.all, list)
    return won, kinds
  end

  describe("search", function()
    it("finds what a plain statement finds", function()
      local db = weft.database "product_service"
      local function count(sql, ...) return db:query("select count(*) as n from products where status = 'active' and " .. sql, ...)[1].n end
      assert.equal(count "lower(title) like '%lamp%'", services.search({ text = "Lamp" }).total)
      assert.equal(count("price between ? and ?", 100, 200), services.search({ min_price = 100, max_price = 200 }).total)
      assert.equal(count("product_id in (select product_id from product_categories join categories using (category_id) where ? in "
        .. "(category_id, parent_id))", 2), services.search({ category_id = 2 }).total)
      assert.equal(count "product_id in (select product_id from product_variants where stock > 0)", services.search({ in_stock = true }).total)
      local all = services.search { size = 1000 }
      assert.equal(all.total, #all.products)
      assert.equal(all.cheapest, all.products[1].price)
      assert.equal(all.dearest, all.products[#all.products].price)
      for _, product in ipairs(all.products) do assert.equal(product.seller_id, product.seller.seller_id) end
    end)

    it("takes what a user types as text, not as a pattern or SQL", function()
      for _, text in ipairs { "%", "_____________________", "\\", "' or 1=1 --", "\"", "lamp' --" } do
        assert.is_true(services.search({ text = text }).total < services.search({}).total, text)
      end
      raises("validation", function() services.search { order = "price; drop table products" } end)
      raises("usage", function() services.search { after = "00" } end, "cursor")
    end)
  end)

  describe("a cart", function()
    it("takes from the stock and gives back", function()
      local id = in_stock(10).variant_id
      local before = stock_of(id)
      local shown = cart.add { customer_id = 77, variant_id = id, quantity = 3 }
      assert.same({ 1, 3, before - 3 }, { shown.version, shown.items[1].quantity, stock_of(id) })
      assert.equal(shown.items[1].price * 3, shown.total)
      shown = cart.add { customer_id = 77, variant_id = id, quantity = 2, version = 1 }
      assert.same({ 2, 5, before - 5 }, { shown.version, shown.items[1].quantity, stock_of(id) })
      shown = cart.remove { customer_id = 77, variant_id = id }
      assert.same({ 3, 0, before }, { shown.version, #shown.items, stock_of(id) })
    end)

    it("becomes an order, whose lines orders show first", function()
      local id = in_stock(10).variant_id
      local before = stock_of(id)
      local shown = cart.add { customer_id = 1, variant_id = id, quantity = 3 }
      local order = cart.checkout { customer_id = 1, version = shown.version }
      assert.same({ shown.version + 1, shown.total }, { order.number, order.total })
      assert.truthy(order.created_at:find "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d[.%d]*Z$")
      local first = services.orders({ customer_id = 1, size = 1 }).orders[1]
      assert.same({ order.number, id, 3 }, { first.number, first.lines[1].variant_id, first.lines[1].quantity })
      assert.same({ 0, before - 3 }, { #cart.show({ customer_id = 1 }).items, stock_of(id) })
    end)

    it("says what is wrong, and changes nothing then", function()
      local id = in_stock(1).variant_id
      local stock = stock_of(id)
      local version = cart.add({ customer_id = 77, variant_id = id, quantity = 1 }).version
      local function add(fields)
        local input = { customer_id = 77, variant_id = id, quantity = 1 }
        for key, value in pairs(fields) do input[key] = value end
        return function() return cart.add(input) end
      end
      for wrong, rule in pairs { [0] = "min", [-1] = "min", [100] = "max", [1.5] = "integer", x = "min",
        [2 ^ 53] = "max", [math.huge] = "max", [{}] = "min", [false] = "min" } do
        local err = raises("validation", add { quantity = wrong }, "quantity")
        assert.same({ "quantity", rule }, { err.errors[1].column, err.errors[1].rule })
      end
      for _, wrong in ipairs { 0, "x", 2 ^ 31, 1.5, {}, weft.null } do
        raises("validation", add { customer_id = wrong }, "customer_id")
      end
      raises("validation", function() cart.add { variant_id = id, quantity = 1 } end, "customer_id")
      raises("usage", function() cart.show {} end)
      local err = raises("validation", add { quantity = 99 }, "stock does not suffice")
      assert.same({ "quantity", "stock" }, { err.errors[1].column, err.errors[1].rule })
      raises("not_found", add { variant_id = 999999 })
      raises("stale", add { version = version - 1 })
      raises("stale", add { version = version + 1 })
      raises("not_found", function() cart.remove { customer_id = 77, variant_id = 999999 } end)
      raises("validation", function() cart.checkout { customer_id = 77 } end, "version")
      raises("stale", function() cart.checkout { customer_id = 77, version = version + 1 } end)
      raises("stale", function() cart.checkout { customer_id = 78, version = 1 } end)
      assert.same({ version, 1, stock - 1 }, { cart.show({ customer_id = 77 }).version, quantity_of(77, id), stock_of(id) })
      cart.remove { customer_id = 77, variant_id = id }
      raises("validation", function() cart.checkout { customer_id = 77, version = version + 1 } end, "empty")
    end)

    it("is left as it was when an order fails in the middle", function()
      local id = in_stock(10).variant_id
      local shown = cart.add { customer_id = 77, variant_id = id, quantity = 1 }
      models.Order:create { customer_id = 77, number = shown.version + 1, total = 1 }
      raises("unique", function() cart.checkout { customer_id = 77, version = shown.version } end)
      assert.equal(weft.encode(shown), weft.encode(cart.show { customer_id = 77 }))
    end)
  end)

  describe("a crowd", function()
    it("of 50 tasks gets the last 10 items: exactly 10 win", function()
      local id = in_stock(1).variant_id
      set_stock(id, 10)
      local won, kinds = crowd(50, function(i) return cart.add { customer_id = 100 + i, variant_id = id, quantity = 1 } end)
      assert.same({ 10, { validation = 40 }, 0 }, { won, kinds, stock_of(id) })
      assert.equal(10, models.CartItem:where { variant_id = id }:sum "quantity")
      assert.equal(10, models.Cart:where("customer_id", ">", 100):count())
    end)

    it("on one cart adds up", function()
      local id = in_stock(1).variant_id
      set_stock(id, 100)
      assert.equal(20, (crowd(20, function() return cart.add { customer_id = 77, variant_id = id, quantity = 2 } end)))
      assert.same({ 40, 60, 20 }, { quantity_of(77, id), stock_of(id), cart.show({ customer_id = 77 }).version })
    end)

    it("that saw the same version changes a cart once", function()
      local id = in_stock(1).variant_id
      set_stock(id, 100)
      local version = cart.add({ customer_id = 77, variant_id = id, quantity = 1 }).version
      local won, kinds = crowd(20, function() return cart.add { customer_id = 77, variant_id = id, quantity = 1, version = version } end)
      assert.same({ 1, { stale = 19 }, 98 }, { won, kinds, stock_of(id) })
    end)

    it("orders a cart once", function()
      local id = in_stock(1).variant_id
      local version = cart.add({ customer_id = 77, variant_id = id, quantity = 1 }).version
      local won, kinds = crowd(20, function() return cart.checkout { customer_id = 77, version = version } end)
      assert.same({ 1, { stale = 19 } }, { won, kinds })
      assert.equal(1, models.Order:where { customer_id = 77 }:count())
    end)

    it("that adds and removes loses no item", function()
      local ids = models.ProductVariant:order("variant_id"):limit(5):pluck "variant_id"
      for i = 1, 5 do set_stock(ids[i], 6) end
      crowd(60, function(i)
        local customer, id = 100 + i % 7, ids[i % 5 + 1]
        if i % 3 == 0 then return cart.remove { customer_id = customer, variant_id = id } end
        return cart.add { customer_id = customer, variant_id = id, quantity = 1 + i % 2 }
      end)
      for i = 1, 5 do
        assert.equal(6, stock_of(ids[i]) + (models.CartItem:where { variant_id = ids[i] }:sum "quantity" or 0))
      end
    end)
  end)
end)
