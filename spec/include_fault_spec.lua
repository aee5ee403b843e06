-- SPDX-License-Identifier: MIT
-- Trees and joins whose database fails or goes away in the middle: one clear error, and nothing stays behind.

local weft = require "weft"
local backends = require "spec.support.backends"
local mixes = require "spec.support.mixes"
local raises = require "spec.support.raises"
local servers = require "spec.support.servers"

local near = [[
  create table products (product_id integer primary key, title text, seller_id integer);
  create table variants (variant_id integer primary key, product_id integer, sku text);
  insert into products values (1, 'Lamp', 1), (2, 'Bulb', 2), (3, 'Chair', null);
  insert into variants values (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c');]]
local far = [[
  create table sellers (seller_id integer primary key, name text);
  create table staff (staff_id integer primary key, seller_id integer, name text);
  insert into sellers values (1, 'Ann'), (2, 'Bob');
  insert into staff values (1, 1, 'x'), (2, 1, 'y'), (3, 2, 'z');]]
local whole = '[{"product_id":1,"title":"Lamp","seller_id":1,"seller":{"seller_id":1,"name":"Ann","staff":[{"staff_id":1,"seller_id":1,'
  .. '"name":"x"},{"staff_id":2,"seller_id":1,"name":"y"}]},"variants":[{"variant_id":1,"product_id":1,"sku":"a"},{"variant_id":2,'
  .. '"product_id":1,"sku":"b"}]},{"product_id":2,"title":"Bulb","seller_id":2,"seller":{"seller_id":2,"name":"Bob","staff":[{"staff_id":3,'
  .. '"seller_id":2,"name":"z"}]},"variants":[{"variant_id":3,"product_id":2,"sku":"c"}]},{"product_id":3,"title":"Chair",'
  .. '"seller_id":null,"variants":[]}]'

---Wires products of one database and sellers of another, which may be the same; returns the models.
local function wire(near_name, far_name)
  local Product, Seller = weft.models(near_name).products, weft.models(far_name).sellers
  weft.include { from = Product, to = near_name .. ".variants", as = "variants", foreign_key = "product_id", order = "variant_id" }
  weft.include { from = Product, to = Seller, as = "seller", type = "belongs_to", foreign_key = "seller_id" }
  weft.include { from = Seller, to = far_name .. ".staff", as = "staff", foreign_key = "seller_id", order = "staff_id" }
  return Product, Seller
end

local function tree(Product) return Product:include("variants", "seller.staff"):order("product_id") end

---No connection is lent, waited for or shared any more, once the ends of snapshots were answered.
local function at_rest(...)
  for _, db in ipairs { ... } do
    local now
    for _ = 1, 200 do
      local s = db:stats()
      now = { s.leased, s.waiting, s.inflight, s.sharing }
      if table.concat(now, " ") == "0 0 0 0" then break end
      weft.sleep(0.005)
    end
    assert.same({ 0, 0, 0, 0 }, now)
  end
end

describe("a remote database", function()
  local pg, proxy, near_db, far_db, Product, Seller, far_name
  before_each(function()
    pg = servers.postgres()
    proxy = servers.proxy(pg)
    local near_name
    near_db, near_name = backends["sqlite memory"].open(near)
    local database = backends.postgres.url(far):match "/([^/]*)$"
    far_name = "far_" .. near_name
    weft.configure { databases = { [far_name] = { url = proxy.url(database), pool = { max = 2, wait = 5 } } } }
    far_db = weft.database(far_name)
    Product, Seller = wire(near_name, far_name)
    assert.equal(whole, tree(Product):json())
  end)
  after_each(function()
    far_db:close()
    proxy.close()
  end)

  ---Every way to reach the remote rows, with its name for them.
  local function ways()
    local rows = Product:order("product_id"):all()
    return {
      seller = function() tree(Product):all() end,
      ["'seller'"] = function() return tree(Product):json() end,
      ["seller' of"] = function() return rows[1].seller end,
      ["cross_join"] = function() weft.cross_join(rows, { { model = Seller, key = "seller_id", as = "seller" } }) end,
    }
  end

  it("that is down fails the tree, touch or join: the error names the association and the database", function()
    for word, way in pairs(ways()) do
      proxy.cut()
      proxy.refuse()
      for _, around in ipairs { function(fn) fn() end, weft.run, function(fn) near_db:transaction(fn) end } do
        local ok, err = pcall(around, way)
        assert.is_false(ok)
        assert.is_true(err.kind == "connect" or err.kind == "disconnect", tostring(err))
        assert.is_truthy(err.message:find(word, 1, true) and err.message:find("'seller'", 1, true), err.message)
        assert.equal(far_name, err.database)
        assert.is_false(err.outcome_unknown)
        at_rest(near_db, far_db)
      end
      assert.equal(3, Product:include "variants":count())
      proxy.resume()
      assert.equal(whole, tree(Product):json())
      way()
    end
  end)

  it("that is down in a condition fails the query", function()
    proxy.cut()
    proxy.refuse()
    local ok, err = pcall(function() Product:where("seller.name", "=", "Ann"):all() end)
    assert.is_false(ok)
    assert.is_true(err.kind == "connect" or err.kind == "disconnect", tostring(err))
    assert.equal(far_name, err.database)
    proxy.resume()
    assert.equal(1, Product:where("seller.name", "=", "Ann"):count())
    at_rest(near_db, far_db)
  end)

  it("that goes away in the middle is asked once more, or fails", function()
    for _, how in ipairs { "mute", "pause" } do
      for _, way in pairs(ways()) do
        weft.run(function()
          proxy[how]()
          local task = weft.spawn(function() return pcall(way) end)
          weft.sleep(0.02)
          proxy.cut()
          proxy.resume()
          local ok, err = task:await()
          assert.is_true(ok or err.kind == "disconnect" or err.kind == "connect", tostring(err))
          if not ok then assert.equal(far_name, err.database) end
        end)
        at_rest(near_db, far_db)
        assert.equal(whole, tree(Product):json())
      end
    end
  end)

  it("that does not answer is given up at a timeout, or when its task is cancelled", function()
    for _, way in pairs(ways()) do
      proxy.pause()
      raises("timeout", function() weft.timeout(0.05, way) end)
      weft.run(function()
        local task = weft.spawn(way)
        weft.sleep(0.02)
        task:cancel()
        raises("cancelled", function() task:await() end)
      end)
      proxy.resume()
      assert.equal(whole, tree(Product):json())
      at_rest(near_db, far_db)
    end
  end)
end)

describe("a server that is killed amid trees", function()
  it("fails each of them, or answers it right", function()
    local rounds = os.getenv "WEFT_SPEC_MODE" == "release" and not os.getenv "CI" and 10 or 3
    local pg = servers.postgres { name = "postgres-trees" }
    local database = pg.create_database()
    pg.psql(near .. far, database)
    weft.configure { databases = { killed = { url = pg.url(database), pool = { max = 4, wait = 20 }, connect_timeout = 10 } } }
    local db = weft.database "killed"
    finally(function() db:close() pg.kill() end)
    local Product, Seller = wire("killed", "killed")
    local right, failed, odd, running = 0, 0, {}, true
    local function reader(i)
      while running do
        local ok, result = pcall(function()
          if i % 3 > 0 then return tree(Product):json() end
          local rows = weft.cross_join(tree(Product):all(), { { model = Seller, key = "seller_id", as = "again" } })
          assert.equal("Ann", rows[1].again.staff[1] and rows[1].again.name)
          return whole
        end)
        if ok and result == whole then right = right + 1
        elseif not ok and (result.kind == "disconnect" or result.kind == "connect" or result.kind == "pool_timeout") then
          failed = failed + 1
          weft.sleep(0.002)
        else
          odd[#odd + 1] = tostring(result)
        end
      end
    end
    assert.equal(whole, tree(Product):json())
    weft.run(function()
      for i = 1, 6 do weft.spawn(reader, i) end
      for _ = 1, rounds do
        local before = right
        while right < before + 3 and #odd == 0 do weft.sleep(0.002) end
        pg.kill()
        weft.sleep(0.005)
        pg.start()
      end
      running = false
    end)
    assert.same({}, odd)
    assert.is_true(right >= 3 * rounds and failed > 0, ("%d right, %d failed"):format(right, failed))
    at_rest(db)
  end)
end)

mixes.each(function(mix)
  local Product
  setup(function()
    mix:open(near, far, { pool = { max = 3, wait = 5 } })
    Product = wire(mix.near, mix.far)
  end)
  teardown(function() mix:close() end)

  it("a statement that fails in one level fails the tree alone", function()
    local wrong = { { "seller", select = { "name", x = weft.raw "name + no_such" } }, { "variants", where = weft.raw "no_such = 1" },
      { "seller.staff", order = "name", select = { x = weft.raw "no_such" } } }
    for i, include in ipairs(wrong) do
      for _, around in ipairs { function(fn) fn() end, weft.run } do
        local names = { "'seller' of", "'variants' of", "'staff' of" }
        local err = raises("syntax", function() around(function() tree(Product):include(include):all() end) end, names[i])
        assert.equal(i == 2 and mix.near or mix.far, err.database)
        assert.equal(whole, tree(Product):json())
        at_rest(mix.near_db, mix.far_db)
      end
    end
  end)

  it("many trees at once take no more connections than there are", function()
    weft.run(function()
      local fns = {}
      for i = 1, 60 do
        fns[i] = function()
          if i % 7 == 0 then return pcall(function() tree(Product):include { "variants", where = weft.raw "no_such = 1" }:all() end) end
          assert.equal(whole, tree(Product):json())
        end
      end
      weft.all(fns)
    end)
    at_rest(mix.near_db, mix.far_db)
    for _, db in ipairs { mix.near_db, mix.far_db } do assert.is_true(db:stats().open <= 3) end
  end)

  it("a tree is read as of one moment, whoever writes meanwhile", function()
    if mix.apart or mix.near_db:stats().max == 1 then return end
    weft.run(function()
      local running = true
      local writer = weft.spawn(function()
        local to = 2
        while running do
          mix.near_db:transaction(function(tx)
            tx:execute("update variants set product_id = ? where variant_id < 3", to)
            tx:execute("update products set title = ? where product_id = 1", tostring(to))
          end)
          to = 3 - to
        end
      end)
      for _ = 1, 100 do
        local rows = Product:include "variants":order("product_id"):all()
        assert.equal(3, #rows[1].variants + #rows[2].variants)
        if rows[1].title ~= "Lamp" then assert.equal(rows[1].title == "1" and 2 or 0, #rows[1].variants) end
      end
      running = false
      writer:await()
    end)
  end)
end)
