-- SPDX-License-Identifier: MIT
-- Trees of rows when things go wrong while they are fetched: tasks given up, time that runs out, states that are
-- closed, tables that change, pools that are too small, tasks that wait for each other.

local weft = require "weft"
local core = require "weft.core"
local backends = require "spec.support.backends"
local mixes = require "spec.support.mixes"
local raises = require "spec.support.raises"
local shell = require "spec.support.shell"

-- The thread sanitizer never forgets a frame that Lua's longjmp left.
local many = os.getenv "WEFT_SPEC_MODE" == "tsan" and 100 or 1000

local near_tables = [[
  create table shops (shop_id integer primary key, name text, owner_id text);
  create table items (item_id integer primary key, shop_id integer, label text);
  create table links (shop_id integer, tag_id integer, primary key (shop_id, tag_id));
  insert into shops values (1, 'a', '1'), (2, 'b', '2'), (3, 'c', '1'), (4, 'd', null);
  insert into items values (1, 1, 'p'), (2, 1, 'q'), (3, 2, 'r'), (4, 3, 's');
  insert into links values (1, 1), (1, 2), (2, 2);]]
local far_tables = [[
  create table owners (owner_id integer primary key, name text);
  create table notes (note_id integer primary key, owner_id integer, word text);
  create table tags (tag_id integer primary key, name text);
  insert into owners values (1, 'O1'), (2, 'O2');
  insert into notes values (1, 1, 'x'), (2, 1, 'y'), (3, 2, 'z');
  insert into tags values (1, 'T1'), (2, 'T2');]]

---Models and trees of both databases of a mix, in both directions: what there is to include.
local function world(mix)
  local m = setmetatable({}, { __index = function(_, name)
    local side = (name == "owners" or name == "notes" or name == "tags") and "far" or "near"
    return mix:model(side, name)
  end })
  local function include(from, to, as, kind, key, more)
    local spec = { from = m[from], to = m[to], as = as, type = kind, foreign_key = key }
    for name, value in pairs(more or {}) do spec[name] = value end
    return weft.include(spec)
  end
  m.items_of = include("shops", "items", "items", "has_many", "shop_id", { order = "item_id" })
  m.notes_of = include("owners", "notes", "notes", "has_many", "owner_id", { order = "note_id" })
  m.shops_of = include("owners", "shops", "shops", "has_many", "owner_id",
    { order = "shop_id", include = { m.items_of } })
  m.owner_of = include("shops", "owners", "owner", "belongs_to", "owner_id", { include = { m.notes_of } })
  m.owner_again = include("shops", "owners", "owner_again", "belongs_to", "owner_id", { include = { m.shops_of } })
  m.tags_of = include("shops", "tags", "tags", "many_to_many", "shop_id",
    { through = mix.near .. ".links", other_key = "tag_id", order = "tag_id" })
  m.from_shops = m.shops:include(m.items_of, m.owner_of, m.tags_of):order "shop_id"
  m.there_and_back = m.shops:include(m.items_of, m.owner_again):order "shop_id"
  m.from_owners = m.owners:include(m.notes_of, m.shops_of):order "owner_id"
  return m
end

---Nothing is held any more once what goes on in the background is answered.
local function at_rest(db)
  local s
  for _ = 1, 400 do
    s = db:stats()
    if s.inflight + s.waiting == 0 then break end
    weft.sleep(0.005)
  end
  assert.same({ 0, 0, 0 }, { s.leased, s.inflight, s.waiting })
end

---Counts what the databases are asked, and calls fn with each number.
local function at_each(fn, body)
  local n = 0
  local off = weft.on("query", function()
    n = n + 1
    fn(n)
  end)
  local results = table.pack(pcall(body))
  off()
  return n, table.unpack(results, 1, results.n)
end

mixes.each(function(mix)
  describe("a tree", function()
    local m

    before_each(function()
      mix:open(near_tables, far_tables, { pool = { max = 4, wait = 20 } })
      m = world(mix)
    end)
    after_each(function() mix:close() end)

    local function rest()
      at_rest(mix.near_db)
      at_rest(mix.far_db)
    end

    it("has rows of the models that they are of, also through tables in between", function()
      local rows = m.from_shops:all()
      assert.equal(m.tags, weft.model_of(rows[1].tags[1]))
      assert.equal(m.owners, weft.model_of(rows[1].owner))
      assert.equal(m.notes, weft.model_of(rows[1].owner.notes[1]))
      assert.equal(m.from_shops:json(), weft.encode(rows))
    end)

    it("is given up after any of its statements", function()
      m.from_shops:all()
      for n = 1, 12 do
        local task
        local count, _, err = at_each(function(i) if i == n then task:cancel() end end, function()
          weft.run(function()
            task = weft.spawn(function() return m.there_and_back:all() end)
            return task:await()
          end)
        end)
        if type(err) == "table" and err.kind then assert.equal("cancelled", err.kind) end
        rest()
        if count < n then break end
      end
      assert.equal(4, #m.there_and_back:all())
    end)

    it("is given up at any turn", function()
      local query = m.there_and_back
      query:all()
      for n = 0, 12 do
        weft.run(function()
          local task = weft.spawn(function() return query:all() end)
          for _ = 1, n do coroutine.yield() end
          task:cancel()
          local ok, err = pcall(task.await, task)
          if not ok then assert.equal("cancelled", err.kind) end
        end)
        rest()
      end
    end)

    it("is given up with its weft.all and its weft.run", function()
      local ok, err = pcall(weft.run, function()
        weft.all { function() m.from_shops:all() m.from_owners:all() end,
          function() coroutine.yield() error "enough" end, function() m.from_owners:json() m.from_shops:json() end }
      end)
      assert.is_false(ok)
      assert.truthy(tostring(err):find("enough", 1, true))
      rest()
    end)

    it("ends at its deadline", function()
      local count = mix.row.near == "postgres" and "generate_series(1, 1000000000)"
        or mix.row.near == "mysql" and "(select benchmark(10000000000, md5('x'))) as c"
        or "(with recursive c(n) as (select 1 union all select n + 1 from c where n < 1000000000) select n from c) as c"
      local slow = weft.include { from = m.shops, to = m.items, as = "slow", type = "has_many", foreign_key = "shop_id",
        scope = function(q) return q:where(weft.raw("(select count(*) from " .. count .. ") > 0")) end }
      local query = m.shops:include(m.owner_of, slow)
      raises("timeout", function() weft.timeout(0.05, function() return query:all() end) end)
      weft.run(function()
        raises("timeout", function() weft.timeout(0.05, function() return query:all() end) end)
      end)
      rest()
      assert.equal(4, #m.from_shops:all())
    end)

    it("keeps the keys of plain rows that change while it is waited for", function()
      weft.run(function()
        local rows = {}
        for i = 1, 300 do rows[i] = { key = "0" .. tostring(i % 2 + 1) .. ".0" } end
        local joined
        weft.all { function()
          joined = weft.cross_join(rows, { { model = m.owners, key = "key", foreign_key = "owner_id", as = "owner" } })
        end, function()
          for i = 1, 300 do rows[i].key = nil end
          collectgarbage()
        end }
        for i = 1, 300 do assert.equal("O" .. i % 2 + 1, joined[i].owner and joined[i].owner.name) end
        local shops = m.shops:order "shop_id":all()
        local task = weft.spawn(function() return shops[1].owner end)
        coroutine.yield()
        for _, shop in ipairs(shops) do shop.owner_id = ("x"):rep(40) .. shop.shop_id end
        collectgarbage()
        assert.equal("O1", task:await().name)
      end)
    end)

    it("comes whole though tables change while it is prepared", function()
      local changes = 0
      local function change(q)
        changes = changes + 1
        if changes == 1 then mix.near_db:script "create table other (x integer)" end
        return q
      end
      local query = m.shops:include(m.items_of):include { "owner", scope = change }:order "shop_id":strict()
      local rows = query:all()
      assert.equal(2, #rows[1].items)
      assert.equal("O1", rows[1].owner.name)
      local restless = m.shops:include(m.items_of):include { "owner", scope = function(q)
        mix.near_db:script "create table if not exists other (x integer)"
        return q
      end }
      rows = restless:order "shop_id":all()
      assert.equal(2, #rawget(rows[1], "items"))
      rest()
    end)

    it("inside of a transaction leaves it as it was", function()
      mix.near_db:transaction(function()
        mix.near_db:execute "insert into items values (9, 4, 'new')"
        local rows = m.from_shops:all()
        assert.equal("new", rows[4].items[1].label)
        local off = weft.on("query", function(info) if info.sql:find("notes", 1, true) then error "no" end end)
        assert.equal("O1", m.from_shops:all()[1].owner.name)
        off()
        assert.equal(5, m.items:count())
      end)
      assert.equal(5, m.items:count())
      rest()
    end)

    it("lets a savepoint end before it goes on outside of it", function()
      weft.run(function()
        mix.near_db:transaction(function(tx)
          pcall(tx.transaction or mix.near_db.transaction, mix.near_db, function()
            mix.near_db:execute "delete from items"
            assert.equal(0, #m.from_shops:all()[1].items)
            error "back"
          end)
          assert.equal(2, #m.from_shops:all()[1].items)
        end)
      end)
      rest()
    end)

    it("is not locked by a snapshot that only reads", function()
      raises("usage", function() return m.from_shops:lock "update":all() end, "inside a transaction only")
      mix.near_db:transaction(function() assert.equal(4, #m.from_shops:lock "update":all()) end)
    end)

    it("needs its keys where rows are counted or grouped", function()
      raises("usage", function() return m.from_shops:select { n = weft.count() }:all() end, "include needs column")
      raises("usage", function() return m.shops:include(m.items_of):group "name":select "name":all() end, "include needs column")
    end)

    it("lets other tasks run, however many there are", function()
      local last
      weft.run(function()
        local other = weft.spawn(function()
          for i = 1, 3 do
            coroutine.yield()
            last = i
          end
        end)
        for i = 1, 2000 do
          m.shops:include(m.items_of):find(1)
          if other:done() then
            assert.is_true(i <= 1000)
            break
          end
        end
        assert.equal(3, last)
      end)
    end)

    it("in a coroutine that is dropped holds nothing", function()
      weft.run(function()
        for _ = 1, 50 do
          local co = coroutine.wrap(function()
            local rows = m.from_shops:all()
            coroutine.yield(#rows)
            return m.from_owners:all()
          end)
          assert.equal(4, co())
        end
        collectgarbage()
      end)
      for _ = 1, 20 do
        local co = coroutine.create(function() coroutine.yield(m.there_and_back:all()) end)
        assert.is_true(coroutine.resume(co))
      end
      collectgarbage()
      collectgarbage()
      rest()
    end)

    it("is asked for by " .. many .. " tasks over four connections", function()
      weft.run(function()
        for i = 1, many do
          weft.spawn(function()
            if i % 3 == 0 then assert.equal(4, #m.from_shops:all())
            elseif i % 3 == 1 then assert.equal("z", m.from_owners:all()[2].notes[1].word)
            else assert.equal(2, #m.there_and_back:find(1).items) end
          end)
        end
      end)
      rest()
      assert.is_true(mix.near_db:stats().opened <= 5) -- one more: that of open's script
      assert.is_true(mix.far_db:stats().opened <= 5)
    end)
  end)
end)

mixes.each(function(mix)
  describe("trees over one connection each", function()
    before_each(function() mix:open(near_tables, far_tables, { pool = { max = 1, wait = 10 } }) end)
    after_each(function() mix:close() end)

    it("that lead to each other never wait for each other", function()
      local m = world(mix)
      weft.run(function()
        for i = 1, 50 do
          weft.spawn(function()
            for _ = 1, 4 do
              local rows = i % 2 == 0 and m.there_and_back:all() or m.from_owners:all()
              assert.equal(i % 2 == 0 and 4 or 2, #rows)
              if i % 5 == 0 then rows = m.from_shops:all() end
              assert.truthy(rows)
            end
          end)
        end
      end)
      at_rest(mix.near_db)
      at_rest(mix.far_db)
    end)

    it("that come to a transaction whose task waits for them say so at once", function()
      local m = world(mix)
      m.from_shops:all()
      weft.run(function()
        mix.far_db:transaction(function()
          mix.far_db:execute "insert into notes values (9, 2, 'w')"
          local task = weft.spawn(function() return m.from_shops:all() end)
          raises("deadlock", function() return task:await() end)
        end)
      end)
      assert.equal(2, #m.from_owners:all()[2].notes)
    end)
  end)
end, function(row) return row.near ~= row.far end)

backends.each(function(backend)
  if backend.memory then return end
  it("a tree is tried again, with what it asked of another database, when a table was changed from outside", function()
    local url = backend.url(near_tables)
    weft.configure { databases = { here = url, outside = url } }
    local _, far = backends["sqlite memory"].open(far_tables)
    local here, there = weft.models "here", weft.models(far)
    finally(function()
      weft.database "here":close()
      weft.database "outside":close()
    end)
    local items = weft.include { from = here.shops, to = here.items, as = "items", type = "has_many", foreign_key = "shop_id" }
    local owner = weft.include { from = here.shops, to = there.owners, as = "owner", type = "belongs_to", foreign_key = "owner_id" }
    weft.include { from = there.owners, to = here.shops, as = "shops", type = "has_many", foreign_key = "owner_id" }
    local query = here.shops:include(items, owner, { "items", where = weft.some("shop.owner", { name = "O1" }) }):order "shop_id"
    weft.include { from = here.items, to = here.shops, as = "shop", type = "belongs_to", foreign_key = "shop_id" }
    for _, how in ipairs { "keyed", "together", "keyed" } do
      local q = query:fetch(how)
      local rows = q:all()
      assert.same({ 2, 0, 1 }, { #rows[1].items, #rows[2].items, #rows[3].items })
      local column = rows[1].items[1].label and "label" or "title"
      weft.database "outside":script(("alter table items rename column %s to %s"):format(column, column == "label" and "title" or "label"))
      rows = q:all()
      assert.same({ "p", "q" }, { rows[1].items[1].title or rows[1].items[1].label, rows[1].items[2].title or rows[1].items[2].label })
      assert.equal("O2", rows[2].owner.name)
    end
  end)
end)

describe("binding names", function()
  it("refuses a name of more parts than it follows, in either form", function()
    local _, name = backends["sqlite memory"].open(near_tables)
    local shops = weft.models(name).shops
    local long = "name" .. (".x"):rep(40)
    raises("usage", function() return shops:where(long, "=", 1) end, "at most 33 parts")
    raises("usage", function() return shops:where { [long] = 1 } end, "at most 33 parts")
    assert.truthy(shops:where("name" .. (".x"):rep(32), "=", "y"):sql())
  end)

  it("lets go of what it made when Lua raises", function()
    local db, name = backends["sqlite memory"].open(near_tables)
    local m = weft.models(name)
    m.shops:all()
    m.items:all()
    local hook = require "weft.association".wired
    finally(function() core.hook("wired", hook) end)
    core.hook("wired", function() error("out of order", 0) end)
    for _ = 1, 100 do
      local ok, err = pcall(function() return m.shops:where("name", "=", "a"):where("items.label", "=", "p") end)
      assert.same({ false, "out of order" }, { ok, err })
      ok, err = pcall(function() return m.shops:where("name", "=", "a"):join "items" end)
      assert.same({ false, "out of order" }, { ok, err })
    end
    core.hook("wired", hook)
    at_rest(db)
  end)
end)

describe("a state that is closed while trees are fetched", function()
  ---Runs a program of its own; returns what it wrote.
  local function program(text)
    local path, err = os.tmpname(), os.tmpname()
    finally(function() os.remove(path) os.remove(err) end)
    shell.write(path, text)
    local pipe = io.popen(("timeout 60 %s run %s 2>%s </dev/null; echo $?"):format(shell.quote(os.getenv "WEFT_SPEC_BUILD" .. "/weft"), path, err))
    local out, status = pipe:read "a":match "^(.-)(%d+)\n$"
    pipe:close()
    return tonumber(status), out, shell.read(err)
  end

  local head = [[
    local weft = require "weft"
    weft.configure { databases = { near = %q, far = %q } }
    local near, far = weft.models "near", weft.models "far"
    local items = weft.include { from = near.shops, to = near.items, as = "items", type = "has_many", foreign_key = "shop_id" }
    local notes = weft.include { from = far.owners, to = far.notes, as = "notes", type = "has_many", foreign_key = "owner_id" }
    local owner = weft.include { from = near.shops, to = far.owners, as = "owner", type = "belongs_to", foreign_key = "owner_id",
      include = { notes } }
    local query = near.shops:include(items, owner)
    near.shops:where("items.label", "=", "p"):count()
    local function all() return query:all() end
    local n = 0
  ]]
  local bodies = {
    ["in the middle of a task"] = [[
      weft.run(function()
        for _ = 1, 5 do weft.spawn(all) end
        for _ = 1, STEPS do coroutine.yield() end
        os.exit(0, true)
      end)]],
    ["by an event handler"] = [[
      weft.on("query", function() n = n + 1 if n == STEPS then os.exit(0, true) end end)
      weft.run(function() for _ = 1, 3 do weft.spawn(all) end end)
      os.exit(0, true)]],
    ["and whose finalizers ask for more"] = [[
      local function more() return #all(), near.shops:where("owner.name", "=", "O1"):count(), near.shops:join "items":count() end
      closing = setmetatable({}, { __gc = function() for _ = 1, 3 do pcall(more) end end })
      weft.run(function()
        all()
        later = setmetatable({}, { __gc = function() pcall(more) end })
        for _ = 1, 5 do weft.spawn(all) end
        for _ = 1, STEPS do coroutine.yield() end
        os.exit(0, true)
      end)]],
  }
  for _, pair in ipairs { { "sqlite file", "sqlite file" }, { "postgres", "postgres" }, { "sqlite file", "postgres" } } do
    for name, body in pairs(bodies) do
      it(("ends well: %s, on %s and %s"):format(name, pair[1], pair[2]), function()
        local near, far = backends[pair[1]].url(near_tables), backends[pair[2]].url(far_tables)
        for _, steps in ipairs { 0, 1, 2, 3, 5, 8 } do
          local status, out, err = program(head:format(near, far) .. body:gsub("STEPS", steps))
          assert.same({ 0, "", "" }, { status, out, err })
        end
      end)
    end
  end
end)
