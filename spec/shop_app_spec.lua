-- SPDX-License-Identifier: MIT
-- The shop as an app: weft serve examples/shop.

local served = require "spec.support.served"
local shell = require "spec.support.shell"
local weft = require "weft"

describe("the shop on the web", function()
  local server
  setup(function() server = served.start { copy = shell.root() .. "/examples/shop", words = { "--workers", "2" } } end)
  teardown(function() server:stop() end)

  local function json(path, ...)
    local status, body = server:get("/api" .. path, ...)
    return status, weft.decode(body)
  end
  local function send(method, path, value)
    return json(path, "-X", method, "-H", "Content-Type: application/json", "-d", weft.encode(value or {}))
  end

  it("makes its databases once, however many workers begin", function()
    assert.equal("listening", server:said():match "listening")
    assert.is_false(shell.exists(server.folder .. "/var.lock/x"))
    assert.equal(200, (server:get "/"))
  end)

  it("shows products as pages, found by words, a page at a time", function()
    local status, page, head = server:ask "/?text=lamp&in_stock=yes&order=dearest"
    assert.equal(200, status)
    assert.matches("Content%-Type: text/html; charset=utf%-8", (head:gsub("content%-type", "Content-Type")))
    local links = 0
    for _ in page:gmatch "<a href=\"/products/%d+\">[^<]*Lamp</a>" do links = links + 1 end
    assert.equal(20, links)
    local more = page:match 'href="(/[^"]-after=[^"]+)"':gsub("&amp;", "&")
    local _, second = server:get(more)
    assert.not_equal(page:match "/products/(%d+)", second:match "/products/(%d+)")
    local id = page:match "/products/(%d+)"
    assert.matches("<h2>[^<]*Lamp</h2>", select(2, server:get("/products/" .. id)))
    assert.equal(404, (server:get "/products/999999"))
    assert.equal(400, (server:get "/products/lamp"))
    assert.equal(400, (server:get "/?text=a&text=b"))
    assert.is_nil(select(2, server:get "/?text=%3Cscript%3Ealert(1)%3C/script%3E"):find("<script>", 1, true))
  end)

  it("tells programs the same", function()
    local status, found = json "/products?text=lamp&size=3&order=newest"
    assert.equal(200, status)
    assert.equal(3, #found.products)
    local _, next_page = json("/products?text=lamp&size=3&order=newest&after=" .. found.next)
    assert.not_equal(found.products[1].product_id, next_page.products[1].product_id)
    local _, product = json("/products/" .. found.products[1].product_id)
    assert.equal(found.products[1].title, product.title)
    assert.is_table(product.variants)
    assert.equal("validation", select(2, json "/products?order=cheapest").error.kind)
    assert.equal(400, (json "/products?size=0"))
    assert.equal(404, (json "/products/999999"))
    assert.equal(405, (send("POST", "/products")))
  end)

  it("fills a cart, orders what is in it, and says what does not go", function()
    local _, product = json "/products/17"
    local variant = product.variants[1].variant_id
    local status, cart = send("POST", "/customers/7/cart", { variant_id = variant, quantity = 1 })
    assert.equal(201, status)
    assert.equal(variant, cart.items[1].variant_id)
    assert.same({ 400, "validation" }, (function()
      local code, answer = send("POST", "/customers/7/cart", { variant_id = variant, quantity = 100000 })
      return { code, answer.error.kind }
    end)())
    assert.equal(400, (send("POST", "/customers/7/cart", { variant_id = variant, quantity = 1, discount = 50 })))
    assert.equal(404, (send("POST", "/customers/7/cart", { variant_id = 10 ^ 9 // 1, quantity = 1 })))
    assert.equal(409, (send("POST", "/customers/7/checkout", { version = cart.version - 1 })))
    local _, seen = json "/customers/7/cart"
    local code, order = send("POST", "/customers/7/checkout", { version = seen.version })
    assert.equal(201, code)
    assert.equal(1, #order.lines)
    local _, orders = json "/customers/7/orders?size=1"
    assert.equal(order.number, orders.orders[1].number)
    assert.same({}, select(2, json "/customers/7/cart").items)
    assert.equal(404, (json "/customers/nobody/cart"))
  end)
end)
