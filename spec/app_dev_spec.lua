-- SPDX-License-Identifier: MIT
-- The page /_weft of an app in development: in this process, and in a browser that looks at `weft serve --dev`.

local weft = require "weft"
local backends = require "spec.support.backends"
local database = require "weft.database"
local diagram = require "weft.app.dev_diagram"
local exchange = require "spec.support.exchange"
local raises = require "spec.support.raises"
local served = require "spec.support.served"
local shell = require "spec.support.shell"

local schema = [[
create table sellers (id integer primary key, name text);
create table products (id integer primary key, title text, seller_id integer references sellers (id),
  other_id integer references products (id));
create table variants (id integer primary key, product_id integer references products (id), sku text);
insert into sellers values (1, 'a');
insert into products values (1, 'lamp', 1, null);
insert into products values (2, 'chair', 1, 1);
]]

---Databases of earlier facts are still configured: the page shows this fact's alone.
local all_of_them = database.configured
local function show_alone(...)
  local shown = {}
  for _, name in ipairs { ... } do shown[name] = {} end
  database.configured = function() return shown end
end

local function new_app(name)
  show_alone(name)
  local Product = weft.models(name).Product
  local app = weft.app { dev = true }
  app:get("/products/:id", function(req) return Product:find(req.params.id) or 404 end)
  app:get("/repeats", function()
    for i = 1, 6 do Product:find(i % 2 + 1) end
  end)
  app:get("/fails", function() error "<script>alert(1)</script>" end)
  app:group("/group", function(group) group:post("/a", function() end) end)
  local inner = weft.app()
  inner:get("/inner/:x", function() end)
  app:mount("/mounted", inner)
  return app
end

after_each(function()
  database.configured = all_of_them
  require "weft.n_plus_one".forget()
end)

---The entries in the page's own JSON.
local function entries_of(app)
  local text = app:test("/_weft").body:match '<script type="application/json" id="entries">(.-)</script>'
  return weft.decode(text)
end

local function of_kind(entries, kind)
  local list = {}
  for _, entry in ipairs(entries) do
    if entry.kind == kind then list[#list + 1] = entry end
  end
  return list
end

backends.each(function(backend)
  local app, name, db

  before_each(function()
    db, name = backend.open(schema)
    app = new_app(name)
  end)
  after_each(function() app:stop() end)

  it("tells of requests, their statements and what they repeat", function()
    local told = {}
    local off = weft.on("n_plus_one", function(info) told[#told + 1] = info end)
    app:test "/products/1"
    app:test "/repeats"
    app:test "/fails"
    app:test "/none"
    off()
    local entries = entries_of(app)
    local requests = of_kind(entries, "request")
    assert.equal(4, #requests)
    assert.same({ "/products/:id", 200, "/products/1" }, { requests[1].route, requests[1].status, requests[1].path })
    assert.is_true(requests[1].statements >= 1)
    assert.same({ 6, 500, 404 }, { requests[2].statements, requests[3].status, requests[4].status })
    assert.is_nil(requests[4].route)
    assert.truthy(requests[3].message:find("<script>alert(1)</script>", 1, true))
    assert.falsy(app:test("/_weft").body:find("<script>alert", 1, true))
    local repeated = of_kind(entries, "repeated")
    assert.same({ 1, 6, "/repeats", name }, { #repeated, repeated[1].count, repeated[1].route, repeated[1].database })
    assert.same({ 1, 5, name }, { #told, told[1].count, told[1].database })
    assert.matches("app_dev_spec%.lua:%d+$", told[1].place)
    local statements = of_kind(entries, "statement")
    local last = statements[#statements]
    assert.truthy(last.sql:find("products", 1, true))
    assert.same({ name, 1, "test" }, { last.database, last.rows, last.request })
  end)

  it("explains a statement, without its values", function()
    app:test "/products/1"
    local statements = of_kind(entries_of(app), "statement")
    local got = app:test("/_weft/explain/" .. statements[#statements].number)
    assert.equal(200, got.status)
    assert.truthy(got.body:lower():find("products", 1, true), got.body)
    for _, number in ipairs { "0", "-1", "99999", "x", "1e3", "1.5" } do
      assert.equal(404, app:test("/_weft/explain/" .. number).status, number)
    end
    assert.is_true(db:ping())
  end)

  it("explains nothing that it would have to run", function()
    local explain = require "weft.app.dev_explain".explain
    local function refused(sql, words) raises("usage", function() explain { database = name, sql = sql, parameters = 0 } end, words) end
    refused("select 1; delete from variants", "several statements")
    refused("select 1;\n--\ndelete from variants", "several statements")
    refused("drop table variants", "has no plan")
    refused("explain analyze delete from variants", "has no plan")
    refused("", "has no plan")
    explain { database = name, sql = "delete from products", parameters = 0 }
    assert.equal(2, weft.models(name).Product:count())
  end)

  it("does not tell of its own statements", function()
    app:test "/products/1"
    local before = #of_kind(entries_of(app), "statement")
    for _ = 1, 3 do assert.equal(before, #of_kind(entries_of(app), "statement")) end
    assert.equal(1, #of_kind(entries_of(app), "request"))
  end)

  it("draws models and their relations, and lists routes and pools", function()
    app:test "/products/1"
    local page = app:test "/_weft"
    assert.equal(200, page.status)
    for _, words in ipairs { "Product, products", "Seller, sellers", "products.seller_id → sellers",
      "variants.product_id → products",
      "/products/:id", "/group/a", "/mounted/inner/:x", "app_dev_spec.lua:", "pool-" .. name .. "-open", "has_many",
        "belongs_to" } do
      assert.truthy(page.body:find(words, 1, true), words)
    end
    assert.truthy(page.headers["content-security-policy"]:find("default-src 'none'", 1, true))
    assert.falsy(page.body:find("http", 1, true) and page.body:match "https?://[^\"']+")
  end)

  it("sends what comes as events, from where the page ended", function()
    app:test "/products/1"
    local number = #entries_of(app)
    app:test "/repeats"
    local x = exchange { path = "/_weft/events?after=" .. number }
    function x.gone() return table.concat(x.chunks):find("event: pools", 1, true) ~= nil end
    app:dispatch(x)
    local text = table.concat(x.chunks)
    assert.is_nil(text:find("event: entry\nid: " .. number .. "\n", 1, true))
    assert.truthy(text:find("event: entry\nid: " .. number + 1 .. "\n", 1, true))
    assert.truthy(text:find("event: pools\n", 1, true))
    assert.is_true(x.ended)
    local late = exchange { path = "/_weft/events", left = 1 }
    app:dispatch(late)
    assert.same({ "retry: 500\n\n" }, late.chunks)
  end)
end)

describe("/_weft", function()
  it("is not there unless in development", function()
    local _, name = backends["sqlite memory"].open(schema)
    local app = new_app(name)
    app.dev = false
    assert.equal(404, app:test("/_weft").status)
    assert.equal(404, app:test("/_weft/events").status)
  end)

  it("says of several requests at once only what is sure", function()
    local db, name = backends["sqlite memory"].open(schema)
    local app = new_app(name)
    app:get("/slow", function()
      for _ = 1, 6 do
        db:query "select 1"
        weft.sleep(0)
      end
    end)
    weft.run(function() weft.all { function() app:test "/slow" end, function() app:test "/slow" end } end)
    assert.equal(0, #of_kind(entries_of(app), "repeated"))
    app:stop()
  end)

  it("keeps what is new, and shows a database that cannot be reached", function()
    local _, name = backends["sqlite memory"].open(schema)
    weft.configure { databases = { app_dev_gone = "postgres://127.0.0.1:1/none" } }
    local app = new_app(name)
    show_alone(name, "app_dev_gone")
    for _ = 1, 1200 do app:test "/none" end
    local page = app:test "/_weft"
    assert.same({ 200, 200 }, { page.status, #of_kind(entries_of(app), "request") })
    assert.truthy(page.body:find '<p class="hot">connect: ')
    app:stop()
    weft.database "app_dev_gone":close()
  end)
end)

describe("a drawing", function()
  local function entry(key, keys)
    local t = { key = key, name = key, columns = { { name = "id", type = "int", key = true } }, foreign_keys = {} }
    for i, to in ipairs(keys) do
      t.columns[#t.columns + 1] = { name = "k" .. i, type = "int" }
      t.foreign_keys[i] = { columns = { "k" .. i }, key = to, target = { "id" } }
    end
    return { table = t, names = { key }, associations = {} }
  end
  local function draw(tables)
    local relations = { list = {}, by_key = {} }
    for _, given in ipairs(tables) do
      local made = entry(given[1], given[2])
      table.insert(relations.list, made)
      relations.by_key[given[1]] = made
    end
    return diagram.draw(relations)
  end

  it("has a table to the right of what it points to, and none above another", function()
    local d = draw { { "c", { "b", "a" } }, { "b", { "a", "b" } }, { "a", {} }, { "d", {} }, { "e", { "none" } } }
    local x = {}
    for _, box in ipairs(d.boxes) do x[box.name] = box.x end
    assert.is_true(x.a < x.b and x.b < x.c and x.a == x.d and x.a == x.e)
    assert.equal(4, #d.lines)
    for i, one in ipairs(d.boxes) do
      for k = i + 1, #d.boxes do
        local other = d.boxes[k]
        local beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert.is_true(beside or one.y + one.height <= other.y or other.y + other.height <= one.y)
      end
    end
  end)

  it("ends for circles, and for nothing", function()
    local d = draw { { "a", { "b" } }, { "b", { "c" } }, { "c", { "a" } } }
    assert.same({ 3, 3 }, { #d.boxes, #d.lines })
    assert.same({ 0, 0 }, { #draw({}).boxes, #draw({}).lines })
  end)
end)

describe("a browser", function()
  it("shows the page, with what its script makes of it", function()
    local server = served.start { words = { "--dev" }, databases = { shop = "sqlite:shop.db" }, app = served.app [[
app:on_start(function() weft.database "shop":script "create table products (id integer primary key, title text)" end)
app:get("/repeats", function()
  for _ = 1, 7 do weft.models("shop").Product:find(1) end
  return "done"
end)]] }
    finally(function() server:stop() end)
    assert.equal(200, (server:get "/repeats"))
    local browser = "timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage"
    local dom = shell.must(("HOME=%s %s --dump-dom http://%s/_weft 2>/dev/null"):format(shell.quote(server.folder), browser, server.address))
    assert.truthy(dom:find('data-ready="yes"', 1, true), dom:sub(1, 400))
    local requests = dom:match '<tbody id="request">(.-)</tbody>'
    assert.truthy(requests:find("<td>/repeats</td>", 1, true), requests)
    local repeated = dom:match '<tbody id="repeated">(.-)</tbody>'
    assert.truthy(repeated:find('<td class="number">7</td>', 1, true), repeated)
    assert.truthy(dom:find("<button data-explain=", 1, true))
    assert.truthy(dom:find("Product, products", 1, true))
  end)
end)
