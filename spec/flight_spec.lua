-- SPDX-License-Identifier: MIT
-- Trees whose levels go out together: one round trip on PostgreSQL, the same rows as by keys, whatever happens
-- in between.

local weft = require "weft"
local backends = require "spec.support.backends"
local servers = require "spec.support.servers"
local clock = require "spec.support.clock"
local raises = require "spec.support.raises"

local backend = backends.postgres
local schema = [[
  create table shelf (shelf_id integer primary key, name text not null);
  create table box (box_id integer primary key, shelf_id integer references shelf, name text not null, weight integer);
  create table item (item_id integer primary key, box_id integer references box, name text not null, state text);
  create table label (label_id integer primary key, name text not null);
  create table box_label (box_id integer references box, label_id integer references label, primary key (box_id, label_id));
  create index on box (shelf_id); create index on item (box_id);
  insert into shelf select i, 'shelf ' || i % 7 from generate_series(1, 40) i;
  insert into box select i, case when i % 9 = 0 then null else i % 37 + 1 end, 'box ' || i % 5, i % 11 from generate_series(1, 200) i;
  insert into item select i, i % 190 + 1, 'item ' || i, null from generate_series(1, 900) i;
  insert into label select i, 'label ' || i from generate_series(1, 6) i;
  insert into box_label select b, l from generate_series(1, 200) b, generate_series(1, 6) l where b % (l + 1) = 0]]

---Statements that fn runs, without those of the catalog.
local function statements(fn)
  local list = {}
  local off = weft.on("query", function(info)
    if not info.sql:find("pg_catalog", 1, true) then list[#list + 1] = info.sql end
  end)
  local ok, err = pcall(fn)
  off()
  if not ok then error(err, 0) end
  return list
end

local function together(list) return table.concat(list, "\n"):find("any(array(select", 1, true) ~= nil end

local function idle_in_transaction(db)
  return db:rows("select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'")[1][1]
end

describe("levels that go out together", function()
  local db, name, m

  before_each(function()
    db, name = backend.open(schema, { pool = { max = 3 } })
    m = weft.models(name)
  end)

  it("give the rows that keys give", function()
    local queries = {
      m.shelf:include("boxes.items", "boxes.labels"):order "shelf_id",
      m.shelf:where("shelf_id", ">", 20):include("boxes"):order("name", "desc"):limit(6):offset(3),
      m.shelf:where { shelf_id = { 1, 5, 9, 77 } }:include { "boxes", order = "name", limit = 2, include = "items" },
      m.shelf:where { shelf_id = { 1, 5, 9, 77 } }:include { "boxes", order = { "name", "desc" }, limit = 1, offset = 1 },
      m.box:where("weight", "between", { 2, 6 }):include("shelf", "labels", "items"):order "box_id",
      m.box:where("shelf.name", "=", "shelf 3"):include("shelf.boxes"):order("weight"):order "box_id",
      m.box:where("weight", "is_null"):include "items",
      m.box:select "name":include("items", "shelf"):order("name"):order "box_id",
      m.item:where(weft.some("box.labels", { name = "label 2" })):include "box.shelf":order "item_id":limit(30),
      m.label:include { "boxes", where = { weight = 3 }, select = "name", order = "box_id" }:order "label_id",
    }
    for i, query in ipairs(queries) do
      local keyed = query:fetch "keyed":json()
      assert.equal(keyed, query:fetch "together":json(), i)
      assert.equal(keyed, weft.encode(query:fetch "together":all()), i)
      for _ = 1, 3 do assert.equal(keyed, query:json(), i) end
    end
    assert.equal(0, idle_in_transaction(db))
  end)

  it("are chosen by key at once, otherwise when the root was measured to be short, and as the query says", function()
    local by_key = m.shelf:include "boxes.items"
    assert.is_true(together(statements(function() by_key:find(4) end)))
    local range = m.shelf:where("shelf_id", "<", 9):include "boxes.items"
    local first = statements(function() range:all() end)
    assert.is_false(together(first))
    assert.equal(3, #first)
    local second = statements(function() range:all() end)
    assert.is_true(together(second))
    assert.equal(3, #second) -- their BEGIN and COMMIT are nobody's affair
    assert.is_false(together(statements(function() range:fetch "keyed":all() end)))
    raises("usage", function() return range:fetch "apart" end, "together")
  end)

  it("are left alone where repeating the root could give other rows", function()
    local raw = m.shelf:where(weft.raw("shelf_id < ? + random() * 0", 9)):include "boxes.items"
    for _ = 1, 3 do assert.is_false(together(statements(function() raw:all() end))) end
    local distinct = m.box:select("shelf_id"):distinct():limit(3):include "shelf"
    for _ = 1, 3 do assert.is_false(together(statements(function() distinct:all() end))) end
    db:transaction(function()
      m.shelf:create { shelf_id = 100, name = "new" }
      local list = statements(function() assert.same({}, m.shelf:include "boxes.items":find(100).boxes) end)
      assert.is_false(together(list))
    end)
  end)

  it("take one round trip", function()
    local pg = servers.postgres()
    local proxy = servers.proxy(pg)
    finally(function()
      weft.database "delayed":close()
      proxy.close()
    end)
    weft.configure { databases = { delayed = { url = proxy.url(backend.url(schema):match "/([^/]*)$"), pool = { max = 1, wait = 20 } } } }
    local query = weft.models "delayed".shelf:where("shelf_id", "<", 9):include("boxes.items", "boxes.labels"):order "shelf_id"
    local expected = query:fetch "keyed":json()
    for _ = 1, 3 do query:fetch "together":json() end
    local function measure(way)
      local start = clock()
      assert.equal(expected, query:fetch(way):json())
      return clock() - start
    end
    proxy.delay(20)
    local took, keyed = math.huge, measure "keyed"
    for _ = 1, 5 do took = math.min(took, measure "together") end -- others need the processors, too
    proxy.delay(0)
    print(("# a tree of four statements, 40 ms round trip: %.0f ms together, %.0f ms by keys"):format(took * 1000, keyed * 1000))
    assert.is_true(took < 0.08 and keyed > 0.12, ("%.3f s and %.3f s"):format(took, keyed))
  end)

  it("run again by keys when a table was changed behind their back", function()
    local query = m.shelf:where("shelf_id", "<", 4):include "boxes.items":order "shelf_id"
    for _ = 1, 3 do query:fetch "together":json() end
    local other = servers.postgres()
    local database = db:rows("select current_database()")[1][1]
    other.psql("alter table item alter column state type integer using 7", database)
    assert.equal(7, query:fetch "together":all()[1].boxes[1].items[1].state)
    other.psql("alter table item add column more text default 'x'", database)
    assert.equal(query:fetch "keyed":json(), query:fetch "together":json())
    other.psql("alter table box rename column weight to mass", database)
    assert.is_number(query:fetch "together":all()[1].boxes[1].mass)
    assert.equal(0, idle_in_transaction(db))
  end)

  it("are read again by keys when an answer comes in a form that was not expected", function()
    db:script [[create type mood as enum ('calm', 'loud'); alter table item add column mood mood, add column at inet;
      update item set mood = 'loud', at = '10.0.0.1']]
    local query = m.shelf:where("shelf_id", "<", 4):include "boxes.items":order "shelf_id"
    for _ = 1, 3 do
      local item = query:fetch "together":all()[1].boxes[1].items[1]
      assert.same({ "loud", "10.0.0.1" }, { item.mood, item.at })
    end
  end)

  it("fail as a whole, name the include, and leave nothing open", function()
    db:script "create view bad as select item_id, box_id, 1 / (item_id % 1) as n from item"
    local inc = weft.include { from = m.box, to = m.bad, as = "bads", type = "has_many", foreign_key = "box_id" }
    local query = m.box:where { box_id = { 1, 2 } }:include(inc, "items"):fetch "together"
    for _ = 1, 3 do
      local err = raises("type", function() return query:all() end, "'bads' of " .. name .. ".box")
      assert.equal("22012", err.code)
      assert.equal(2, #m.box:where { box_id = { 1, 2 } }:include "items":fetch "together":all())
    end
    assert.equal(0, idle_in_transaction(db))
    assert.same({ 0, 0 }, { db:stats().leased, db:stats().inflight })
  end)

  it("end at their deadline and when their task is cancelled; the connection is good afterwards", function()
    db:script "create view slow as select item_id, box_id, pg_sleep(5)::text as nap from item where item_id < 3"
    local inc = weft.include { from = m.box, to = m.slow, as = "slows", type = "has_many", foreign_key = "box_id" }
    local query = m.box:where { box_id = { 1, 2, 3 } }:include(inc):fetch "together"
    m.slow:limit(0):all()
    local start = clock()
    raises("timeout", function() return weft.timeout(0.1, function() return query:all() end) end)
    weft.run(function()
      local task = weft.spawn(function() return query:all() end)
      weft.sleep(0.1)
      task:cancel()
      raises("cancelled", function() return task:await() end)
      assert.equal(3, #m.box:where { box_id = { 1, 2, 3 } }:include "items":fetch "together":all())
    end)
    assert.is_true(clock() - start < 4)
    assert.equal(0, idle_in_transaction(db))
  end)

  it("end when the connection is cut, and go on with another", function()
    local proxy = servers.proxy(servers.postgres())
    finally(function()
      weft.database "cut":close()
      proxy.close()
    end)
    weft.configure { databases = { cut = { url = proxy.url(backend.url(schema):match "/([^/]*)$"), pool = { max = 1, wait = 20 } } } }
    local query = weft.models "cut".shelf:where("shelf_id", "<", 9):include "boxes.items":order "shelf_id":fetch "together"
    local expected = query:json()
    weft.run(function()
      proxy.mute()
      local task = weft.spawn(function() return query:json() end)
      weft.sleep(0.05)
      proxy.cut()
      proxy.resume()
      raises("disconnect", function() return task:await() end)
      assert.equal(expected, query:json())
    end)
  end)

  it("share few connections among many tasks", function()
    local query = m.shelf:include "boxes.items":fetch "together"
    local expected = weft.encode(query:find(5))
    weft.run(function()
      for _ = 1, 200 do
        weft.spawn(function() assert.equal(expected, weft.encode(query:find(5))) end)
      end
    end)
    assert.is_true(db:stats().opened <= 3)
    assert.equal(0, idle_in_transaction(db))
  end)
end)
