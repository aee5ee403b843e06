-- SPDX-License-Identifier: MIT
-- The contract: every public name of today is there and does what it says on every database; there is no
-- other name, and none of later ones.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local zoo = require "spec.support.zoo"

local function sorted(names)
  local list = {}
  for name in pairs(names) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local schema = "create table items (id integer primary key, kind text, n integer, price numeric(6,2));"
local each = zoo.each
local filling = [[
  delete from items;
  insert into items values (1, 'a', 1, 1.50), (2, 'a', 2, 2.50), (3, 'b', 3, null);]]

-- Each function calls its name and checks the answer. c: db, name, the models Item, Owner, Pet, Toy, Town, and
-- write(path, text) for scripts.
local api = {
  weft = {
    configure = function(c)
      weft.configure { databases = { spec_api = "sqlite::memory:" } }
      local db = weft.database "spec_api"
      assert.equal(1, db:query("select 1 as x")[1].x)
      db:close()
      return c
    end,
    database = function(c) assert.equal(c.db, weft.database(c.name)) end,
    models = function(c) assert.equal(c.Item, weft.models(c.name).Item) end,
    model = function() assert.equal("table", type(weft.model { table = "items" })) end,
    run = function() assert.same({ 1, 2 }, { weft.run(function() return 1, 2 end) }) end,
    spawn = function()
      assert.equal(3, weft.run(function() return weft.spawn(function(a, b) return a + b end, 1, 2):await() end))
    end,
    all = function()
      assert.same({ 1, n = 2 }, weft.run(function() return weft.all { function() return 1 end, function() end } end))
    end,
    sleep = function()
      local order = {}
      weft.run(function()
        weft.spawn(function() weft.sleep(0.1) order[2] = "second" end)
        weft.spawn(function() weft.sleep(0) order[1] = "first" end)
      end)
      assert.same({ "first", "second" }, order)
    end,
    timeout = function()
      assert.equal(7, weft.timeout(5, function() return 7 end))
      raises("timeout", function() weft.timeout(0.001, weft.sleep, 5) end)
      raises("timeout", function() weft.timeout(0.001, function() weft.sleep(5) end) end)
    end,
    try = function(c) assert.equal("not_found", select(2, weft.try(c.Item.get, c.Item, 9)).kind) end,
    null = function(c) assert.equal(1, c.Item:where { price = weft.null }:count()) end,
    raw = function(c) assert.equal(2, c.Item:where(weft.raw("n > ?", 1)):count()) end,
    path = function(c)
      assert.truthy(c.Item:where(weft.path("kind", "x"), "=", "y"):sql():find("kind", 1, true))
    end,
    array = function() assert.equal("[]", weft.encode(weft.array {})) end,
    json = function() assert.equal('"x"', weft.encode(weft.json "x")) end,
    decimal = function() assert.equal("1.10", tostring(weft.decimal "1.10")) end,
    now = function() assert.equal(27, #weft.now()) end,
    encode = function() assert.equal('{"a":1}', weft.encode { a = 1 }) end,
    decode = function() assert.equal(1, weft.decode('{"a":1}').a) end,
    any_of = function(c) assert.equal(2, c.Item:where(weft.any_of { { n = 1 }, { n = 3 } }):count()) end,
    all_of = function(c) assert.equal(1, c.Item:where(weft.all_of { { n = 1 }, { kind = "a" } }):count()) end,
    negate = function(c) assert.equal(1, c.Item:where(weft.negate { kind = "a" }):count()) end,
    some = function(c) assert.equal("Ada", each(c.Owner:where(weft.some("pets", { { "age", ">", 1 } })):all(), "name")) end,
    none = function(c) assert.equal("Eve", each(c.Owner:where(weft.none "pets"):all(), "name")) end,
    every = function(c)
      assert.equal("Bob Eve", each(c.Owner:where(weft.every("pets", { age = 1 })):order("name"):all(), "name"))
    end,
    has_many = function(c)
      c.write("Keeper", [[return weft.model { table = "owners", associations = {
        animals = weft.has_many { model = "Pet", foreign_key = "owner_id", order = "name" } } }]])
      local Keeper = weft.models(c.name).Keeper
      assert.equal("Rex Tom", each(Keeper:include("animals"):find(1).animals, "name"))
      assert.same({}, Keeper:find(3).animals)
    end,
    has_one = function(c)
      c.write("Boss", [[return weft.model { table = "owners", associations = {
        oldest = weft.has_one { model = "Pet", foreign_key = "owner_id", order = { "age", "desc" } } } }]])
      local Boss = weft.models(c.name).Boss
      assert.equal("Tom", Boss:include("oldest"):find(1).oldest.name)
      assert.is_nil(Boss:find(3).oldest)
    end,
    belongs_to = function(c)
      c.write("Citizen", ([[return weft.model { table = "owners", associations = {
        home = weft.belongs_to { model = "%s.Town", foreign_key = "town_id" } } }]]):format(c.other))
      local Citizen = weft.models(c.name).Citizen
      assert.equal("Ulm", Citizen:include("home"):find(1).home.name)
      assert.is_nil(Citizen:find(3).home)
    end,
    many_to_many = function(c)
      c.write("Player", [[return weft.model { table = "pets", associations = {
        things = weft.many_to_many { model = "Toy", through = "pet_toys", foreign_key = "pet_id", other_key = "toy_id", order = "name" } } }]])
      assert.equal("ball bone", each(weft.models(c.name).Player:include("things"):find(1).things, "name"))
    end,
    include = function(c)
      local pets = weft.include { from = c.Owner, to = c.Pet, as = "animals", type = "has_many", foreign_key = "owner_id",
        source_key = "owner_id", order = "name", include = "toys" }
      assert.equal("Rex Tom", each(c.Owner:include(pets):find(1).animals, "name"))
      assert.equal("string", c.Owner:include(pets):find(2).animals[1].toys[1].name)
    end,
    reset_associations = function(c)
      weft.include { from = c.Owner, to = c.Pet, as = "beasts", foreign_key = "owner_id" }
      assert.equal(2, #c.Owner:find(1).beasts)
      weft.reset_associations()
      raises("usage", function() c.Owner:include("beasts"):all() end, "unknown association 'beasts'")
      assert.equal(2, #c.Owner:find(1).pets)
    end,
    cross_join = function(c)
      local given = { { town = "7" }, { town = 8 }, { town = 9 } }
      local rows = weft.cross_join(given, { { model = c.Town, key = "town", foreign_key = "town_id", as = "place" } })
      assert.same({ "Ulm", "Bern" }, { rows[1].place.name, rows[2].place.name })
      assert.is_nil(rows[3].place)
      assert.same({ { town = "7" }, { town = 8 }, { town = 9 } }, given)
    end,
    services = function(c)
      c.service("cart", "return { add = function(input, context) return input.n + 1, context.service end }")
      assert.same({ 3, "cart.add" }, { weft.services.cart.add { n = 2 } })
    end,
    reload_services = function(c)
      c.service("version", "return function() return 1 end")
      assert.equal(1, weft.services.version())
      c.service("version", "return function() return 2 end")
      assert.equal(1, weft.services.version())
      weft.reload_services "version"
      assert.equal(2, weft.services.version())
    end,
    fail = function()
      local err = raises("validation", function() weft.fail("validation", "only 3 left", { column = "n" }) end, "only 3 left")
      assert.equal("n", err.column)
    end,
    count = function(c) assert.equal(3, c.Item:select({ x = weft.count() }):all()[1].x) end,
    count_distinct = function(c) assert.equal(2, c.Item:select({ x = weft.count_distinct "kind" }):all()[1].x) end,
    sum = function(c) assert.equal(6, c.Item:select({ x = weft.sum "n" }):all()[1].x) end,
    avg = function(c) assert.equal("2.0", ("%.1f"):format(tostring(c.Item:select({ x = weft.avg "n" }):all()[1].x))) end,
    min = function(c) assert.equal(1, c.Item:select({ x = weft.min "n" }):all()[1].x) end,
    max = function(c) assert.equal(3, c.Item:select({ x = weft.max "n" }):all()[1].x) end,
    columns = function(c) assert.same({ "id", "kind", "n", "price" }, weft.columns(c.Item:first())) end,
    model_of = function(c) assert.equal(c.Item, weft.model_of(c.Item:first())) end,
    save = function(c)
      local row = c.Item:find(1)
      row.n = 10
      assert.equal(row, weft.save(row))
      assert.equal(10, c.Item:find(1).n)
    end,
    update = function(c) assert.equal(11, weft.update(c.Item:find(1), { n = 11 }).n) end,
    delete = function(c)
      weft.delete(c.Item:find(1))
      assert.is_nil(c.Item:find(1))
    end,
    reload = function(c)
      local row = c.Item:find(1)
      c.Item:where({ id = 1 }):update { n = 12 }
      assert.equal(12, weft.reload(row).n)
    end,
    changed = function(c)
      local row = c.Item:find(1)
      row.n = 13
      assert.same({ "n" }, (weft.changed(row)))
    end,
    on = function(c)
      local count = 0
      local off = weft.on("query", function() count = count + 1 end)
      c.Item:first()
      off()
      c.Item:first()
      assert.equal(1, count)
    end,
    log = function(c)
      local lines = {}
      local stop = weft.log { level = "debug", sink = function(line) lines[#lines + 1] = line end }
      c.Item:first()
      stop()
      assert.equal("query", weft.decode(lines[1]).event)
    end,
  },
  database = {
    schema = function(c)
      assert.equal("items", c.db:schema():table("items").name)
      assert.is_true(#c.db:schema():tables() > 1)
    end,
    on_schema_change = function(c)
      local stop = c.db:on_schema_change(function() end, { every = 60 })
      stop()
      weft.sleep(0) -- the task that was told to end does
    end,
    query = function(c) assert.equal("b", c.db:query("select kind from items where id = ?", 3)[1].kind) end,
    rows = function(c) assert.same({ { "b", 3 } }, c.db:rows "select kind, n from items where id = 3") end,
    execute = function(c) assert.equal(2, c.db:execute("update items set n = 0 where kind = ?", "a").affected) end,
    script = function(c)
      c.db:script "delete from items; insert into items (id) values (9)"
      assert.equal(9, c.Item:one().id)
    end,
    transaction = function(c)
      assert.equal("result", c.db:transaction(function(tx)
        tx:execute "delete from items"
        return "result"
      end, { isolation = "serializable", retries = 1 }))
      assert.equal(0, c.Item:count())
      c.db:transaction(function() assert.equal(0, c.Item:count()) end, { read_only = true })
    end,
    session = function(c) assert.equal(1, c.db:session(function(s) return s:query("select 1 as x")[1].x end)) end,
    repository = function(c) assert.equal(c.Item:count(), c.db:repository("items"):count()) end,
    ping = function(c) assert.is_true(c.db:ping()) end,
    stats = function(c) assert.is_true(c.db:stats().open >= 1) end,
    close = function(c)
      local db = c.backend.open(schema)
      db:close()
      raises("closed", function() db:ping() end)
    end,
  },
  transaction = {
    query = function(c) c.db:transaction(function(tx) assert.equal(1, tx:query("select 1 as x")[1].x) end) end,
    rows = function(c) c.db:transaction(function(tx) assert.same({ { 1 } }, tx:rows "select 1") end) end,
    execute = function(c) c.db:transaction(function(tx) assert.equal(3, tx:execute("delete from items").affected) end) end,
    transaction = function(c)
      c.db:transaction(function(tx)
        c.Item:create { id = 4 }
        pcall(tx.transaction, tx, function()
          c.Item:create { id = 5 }
          error "back"
        end)
        tx:transaction(function() c.Item:create { id = 6 } end)
      end)
      assert.same({ 1, 2, 3, 4, 6, n = 5 }, c.Item:order("id"):pluck "id")
    end,
    rollback = function(c)
      assert.same({ "left", 4 }, { c.db:transaction(function(tx)
        c.Item:create { id = 4 }
        tx:rollback("left", c.Item:count())
      end) })
      assert.equal(3, c.Item:count())
    end,
    after_commit = function(c)
      local calls = 0
      local function hook() calls = calls + 1 end
      c.db:transaction(function(tx)
        tx:after_commit(hook)
        assert.equal(0, calls)
      end)
      c.db:transaction(function(tx)
        tx:after_commit(hook)
        tx:rollback()
      end)
      assert.equal(1, calls)
    end,
  },
  query = {
    where = function(c) assert.equal(2, #c.Item:where({ kind = "a" }):where("n", ">", 0):all()) end,
    select = function(c) assert.same({ "n" }, weft.columns(c.Item:select("n"):first())) end,
    order = function(c) assert.equal(3, c.Item:order("n", "desc"):first().id) end,
    limit = function(c) assert.equal(2, #c.Item:limit(2):all()) end,
    include = function(c)
      local owner = c.Owner:include("pets.toys", { "pets", order = { "age", "desc" }, limit = 1 }):find(1)
      assert.equal("Tom", each(owner.pets, "name"))
      assert.equal("ball", each(owner.pets[1].toys, "name"))
    end,
    join = function(c)
      local pets = c.Owner:join("pets"):where("pets.age", ">", 1):order("pets.name", "desc")
      assert.equal("Tom Rex", each(pets:select({ pet = "pets.name" }):all(), "pet"))
      assert.equal("Ada Ada", each(pets:all(), "name"))
    end,
    left_join = function(c) assert.equal(4, c.Owner:left_join("pets"):count()) end,
    fetch = function(c)
      for _, how in ipairs { "together", "keyed" } do
        assert.equal("ball", c.Owner:include("pets.toys"):fetch(how):find(1).pets[1].toys[1].name)
      end
      raises("usage", function() c.Owner:fetch "sometimes" end, "together")
    end,
    strict = function(c) raises("usage", function() return c.Owner:strict():find(1).pets end, "include(\"pets\")") end,
    offset = function(c) assert.equal(3, c.Item:order("id"):offset(2):all()[1].id) end,
    distinct = function(c) assert.equal(2, #c.Item:select("kind"):distinct():all()) end,
    with_deleted = function(c) assert.equal(3, c.Item:with_deleted():count()) end, -- none is marked
    only_deleted = function(c) raises("usage", function() c.Item:only_deleted():count() end) end,
    group = function(c) assert.equal(2, #c.Item:group("kind"):select({ "kind", x = weft.count() }):all()) end,
    having = function(c)
      assert.equal("a", c.Item:group("kind"):select({ "kind", x = weft.count() }):having("x", ">", 1):one().kind)
    end,
    lock = function(c) c.db:transaction(function() assert.equal(1, c.Item:lock("update"):find(1).id) end) end,
    batch = function(c) assert.equal(1, c.Item:batch(false):find(1).id) end,
    all = function(c) assert.equal(3, #c.Item:all()) end,
    first = function(c) assert.equal(1, c.Item:first().id) end,
    one = function(c) assert.equal(3, c.Item:where({ kind = "b" }):one().id) end,
    find = function(c) assert.equal("b", c.Item:find(3).kind) end,
    get = function(c) assert.equal("b", c.Item:get(3).kind) end,
    find_by = function(c) assert.equal(3, c.Item:find_by({ kind = "b" }).id) end,
    find_many = function(c) assert.equal(3, c.Item:find_many({ 9, 3 })[2].id) end,
    count = function(c) assert.equal(3, c.Item:count()) end,
    sum = function(c) assert.equal("4.00", tostring(c.Item:sum "price")) end,
    avg = function(c) assert.is_true(c.Item:avg "price" == weft.decimal "2") end,
    min = function(c) assert.equal(1, c.Item:min "n") end,
    max = function(c) assert.equal("b", c.Item:max "kind") end,
    exists = function(c) assert.is_true(c.Item:exists()) end,
    pluck = function(c) assert.same({ "a", "a", "b", n = 3 }, c.Item:order("id"):pluck "kind") end,
    each = function(c)
      local n = 0
      for row in c.Item:each(2) do n = n + row.n end
      assert.equal(6, n)
    end,
    page = function(c)
      local page = c.Item:page { size = 2 }
      assert.equal(2, #page.rows)
      assert.equal(3, c.Item:page({ size = 2, after = page.next }).rows[1].id)
    end,
    json = function(c) assert.equal('[{"id":3,"price":null}]', c.Item:select("id", "price"):where({ id = 3 }):json()) end,
    sql = function(c) assert.same({ "a" }, select(2, c.Item:where({ kind = "a" }):sql())) end,
    explain = function(c) assert.truthy(c.Item:explain():find("items", 1, true)) end,
    create = function(c) assert.equal("c", c.Item:create({ id = 4, kind = "c" }).kind) end,
    create_many = function(c)
      assert.equal(5, c.Item:create_many({ { id = 4 }, { id = 5 } })[2].id)
      assert.equal(2, c.Item:create_many({ { id = 6 }, { id = 7 } }, { returning = false }))
    end,
    upsert = function(c)
      assert.equal("z", c.Item:upsert({ id = 1, kind = "z" }, { on = "id" }).kind)
      assert.equal("y", c.Item:upsert({ id = 1 }, { on = "id", update = { kind = "y" } }).kind)
    end,
    update = function(c) assert.equal(2, c.Item:where({ kind = "a" }):update { kind = "c" }) end,
    delete = function(c) assert.equal(3, c.Item:delete { all = true }) end,
    increment = function(c)
      assert.equal(1, c.Item:where({ id = 1 }):increment("n", -1))
      assert.equal(0, c.Item:find(1).n)
    end,
  },
  row = {
    save = function(c)
      local row = c.Item:find(1)
      row.kind = nil
      assert.equal(row, row:save())
      assert.is_nil(c.Item:find(1).kind)
    end,
    update = function(c) assert.equal("u", c.Item:find(1):update({ kind = "u" }).kind) end,
    delete = function(c)
      c.Item:find(1):delete()
      assert.equal(2, c.Item:count())
    end,
    reload = function(c) assert.equal("a", c.Item:find(1):reload().kind) end,
    changed = function(c) assert.same({}, (c.Item:find(1):changed())) end,
  },
  models = {
    exists = function(c)
      assert.is_true(weft.models(c.name):exists "Item")
      assert.is_false(weft.models(c.name):exists "Nothing")
    end,
  },
  task = {
    await = function() assert.equal(1, weft.run(function() return weft.spawn(function() return 1 end):await() end)) end,
    done = function()
      weft.run(function()
        local task = weft.spawn(function() end)
        assert.is_false(task:done())
        task:await()
        assert.is_true(task:done())
      end)
    end,
    cancel = function()
      weft.run(function()
        local task = weft.spawn(function() weft.sleep(60) end)
        task:cancel()
        raises("cancelled", function() task:await() end)
      end)
    end,
  },
}

backends.each(function(backend)
  local c

  setup(function()
    c = zoo.open(backend, schema)
    c.Town = c.towns.Town
    for _, name in ipairs { "Item", "Owner", "Pet", "Toy" } do c[name] = c.models[name] end
    local write, remove = zoo.folder()
    function c.write(model, text) write(("models/%s/%s.lua"):format(c.name, model), text) end
    function c.service(service, text) write(("services/%s.lua"):format(service), text) end
    c.remove = remove
    c.Item:first()
  end)

  teardown(function() c.remove() end)

  before_each(function()
    c.db:script(filling)
    c.Item:first() -- after a script the table is looked at again
  end)

  for _, object in ipairs(sorted(api)) do
    describe(object, function()
      for _, name in ipairs(sorted(api[object])) do
        it("has " .. name, function() api[object][name](c) end)
      end
    end)
  end

  it("has no names of objects that are not tried here", function()
    local core = require "weft.core"
    local extra = { -- Lua's own
      __index = true, __gc = true, __close = true, __name = true, __tostring = true, __metatable = true, __eq = true,
    }
    local function compare(object, found)
      for name in pairs(found) do
        if not extra[name] then assert.is_function(api[object][name], object .. " " .. tostring(name)) end
      end
      for name in pairs(api[object]) do assert.is_not_nil(found[name], object .. " lacks " .. name) end
    end
    compare("query", core.query_methods)
    compare("database", core.database_methods)
    c.db:transaction(function(tx) compare("transaction", getmetatable(tx)) end)
    weft.run(function() compare("task", getmetatable(weft.spawn(function() end))) end)
  end)
end)

describe("weft", function()
  it("has no names that are not tried here", function()
    for name in pairs(api.weft) do assert.is_not_nil(weft[name], name) end
    for name in pairs(weft) do
      if name ~= "_VERSION" then assert.is_not_nil(api.weft[name], name) end
    end
    assert.truthy(weft._VERSION:find "^Weft %d")
  end)

  it("has none of the names of later", function()
    for _, name in ipairs { "cache", "use", "type" } do
      assert.is_nil(weft[name], name)
    end
    assert.is_nil(package.searchpath("weft.test", package.path))
  end)

  it("is one module", function()
    assert.equal(weft, require "weft")
    assert.is_nil(weft.anything)
  end)
end)

backends.each(function(backend)
  it("has none of the names of later in its objects", function()
    local _, name = backend.open(schema)
    local Item = weft.models(name).Item
    assert.is_nil(Item.cache)
    assert.is_nil(Item:limit(1).cache)
    for _, field in ipairs { "keys", "indexes", "ttl", "encrypt" } do
      raises("usage", function() weft.model { [field] = {} } end, field)
    end
    raises("usage", function() weft.configure { cache = { bytes = 1 } } end, "cache")
    for _, event in ipairs { "hit", "miss", "evict" } do
      raises("usage", function() weft.on(event, print) end, event)
    end
  end)
end)
