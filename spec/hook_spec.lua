-- SPDX-License-Identifier: MIT
-- Hooks of a model: around every path of its writes, and of its reads.

local weft = require "weft"
local core = require "weft.core"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local things = require "spec.support.things"

local null = weft.null

local kinds = { "create", "update", "delete", "save" }

backends.each(function(backend)
  local db, name, define, log, Plain, Note

  setup(function()
    db, name = backend.open(things.schema, not backend.memory and { pool = { max = 4, wait = 20 } } or nil)
    define = things.of(name)
    Plain, Note = weft.models(name).things, weft.models(name).notes
  end)

  before_each(function()
    things.empty(db)
    log = {}
  end)

  ---Hooks that note their names and what they are given.
  local function noting()
    local hooks = {}
    for _, kind in ipairs(kinds) do
      for _, when in ipairs { "before_", "after_" } do
        hooks[when .. kind] = function(row) log[#log + 1] = when .. kind .. " " .. tostring(row.sku) end
      end
    end
    return hooks
  end

  local function statements(fn)
    local list = {}
    local off = weft.on("query", function(info) list[#list + 1] = info.sql end)
    local ok, err = pcall(fn)
    off()
    if not ok then error(err, 0) end
    return list
  end

  local function around(inner, sku)
    return { "before_save " .. sku, ("before_%s %s"):format(inner, sku), ("after_%s %s"):format(inner, sku), "after_save " .. sku }
  end

  describe("hooks", function()
    local Thing
    before_each(function() Thing = define { hooks = noting() } end)

    it("run around create, save outside", function()
      Thing:create { sku = "a" }
      assert.same(around("create", "a"), log)
    end)

    it("run for each row of create_many", function()
      assert.equal(2, #Thing:create_many { { sku = "a" }, { sku = "b", n = 1 } })
      assert.same({ "before_save a", "before_create a", "before_save b", "before_create b",
        "after_create a", "after_save a", "after_create b", "after_save b" }, log)
      log = {}
      assert.equal(2, Thing:create_many({ { sku = "c" }, { sku = "d" } }, { returning = false }))
      assert.equal(8, #log)
      assert.equal("after_save d", log[8])
    end)

    it("run for an upsert as for a create", function()
      Thing:upsert({ sku = "a", n = 1 }, { on = "sku" })
      assert.same(around("create", "a"), log)
      log = {}
      assert.equal(2, Thing:upsert({ sku = "a", n = 2 }, { on = "sku" }).n)
      assert.same(around("create", "a"), log)
    end)

    it("run around save, update and delete of a row, as methods and as functions", function()
      local row = Thing:create { sku = "a" }
      for _, write in ipairs {
        function() row.title = "1" row:save() end, function() row:update { title = "2" } end,
        function() row.title = "3" weft.save(row) end, function() weft.update(row, { title = "4" }) end,
      } do
        log = {}
        write()
        assert.same(around("update", "a"), log)
      end
      log = {}
      row:delete()
      assert.same({ "before_delete a", "after_delete a" }, log)
      log = {}
      weft.delete(Thing:create { sku = "b" })
      assert.same("before_delete b", log[5])
    end)

    it("run for each row of a query's update, increment and delete", function()
      Plain:create_many { { sku = "a", n = 1 }, { sku = "b", n = 2 }, { sku = "c", n = 3 } }
      assert.equal(2, Thing:where("n", ">", 1):order("n"):update { title = "x" })
      assert.same({ around("update", "b"), around("update", "c") },
        { { table.unpack(log, 1, 4) }, { table.unpack(log, 5, 8) } })
      log = {}
      assert.equal(1, Thing:where { sku = "a" }:increment("n", 5))
      assert.same(around("update", "a"), log)
      assert.equal(6, Plain:find_by({ sku = "a" }).n)
      log = {}
      assert.equal(2, Thing:where { title = "x" }:order("n"):delete())
      assert.same({ "before_delete b", "after_delete b", "before_delete c", "after_delete c" }, log)
      assert.equal(1, Plain:count())
    end)

    it("are passed by with hooks = false", function()
      Plain:create_many { { sku = "a", n = 1 }, { sku = "b", n = 2 } }
      assert.equal(1, Thing:where { sku = "a" }:update({ title = "x" }, { hooks = false }))
      assert.equal(2, Thing:update({ title = "x" }, { all = true, hooks = false }))
      assert.equal(1, Thing:where { sku = "a" }:increment("n", 1, { hooks = false }))
      assert.equal(2, Thing:delete { all = true, hooks = false })
      assert.same({}, log)
      assert.equal(0, Plain:count())
    end)

    it("may be lists of functions, in their order", function()
      local seen = {}
      local function note(n) return function(values) seen[#seen + 1] = n values.title = (values.title or "") .. n end end
      local List = define { hooks = { before_create = { note "1", note "2" }, before_save = { note "0" } } }
      assert.equal("012", List:create({ sku = "a" }).title)
      assert.same({ "0", "1", "2" }, seen)
    end)

    it("get a copy of the values of a new row, and may change it", function()
      local Slugged = define { hooks = { before_save = function(values) values.slug = values.title:lower() end } }
      local given = { title = "Lamp" }
      local row = Slugged:create(given)
      assert.equal("lamp", row.slug)
      assert.is_nil(given.slug)
      row.title = "Chair"
      row:save()
      assert.equal("chair", Plain:find(row.id).slug)
      assert.equal("sofa", Slugged:create_many({ { title = "Sofa" }, { title = "Bed" } })[1].slug)
      assert.equal(1, Slugged:where { title = "Bed" }:update { title = "Bunk" })
      assert.equal(1, Plain:where { slug = "bunk" }:count())
      assert.equal("vase", Slugged:upsert({ sku = "v", title = "Vase" }, { on = "sku" }).slug)
      assert.equal("urn", Slugged:upsert({ sku = "v", title = "Urn" }, { on = "sku" }).slug)
    end)

    it("see the row as it is stored behind the write", function()
      local seen
      local Seen = define { hooks = {
        after_create = function(row) seen = { row.id ~= nil, weft.model_of(row) ~= nil } end,
        after_update = function(row) seen = { row.n, #row:changed() } end,
      } }
      local row = Seen:create { sku = "a" }
      assert.same({ true, true }, seen)
      row.n = "12"
      row:save()
      assert.same({ 12, 0 }, seen)
      Seen:where { sku = "a" }:increment("n", 1)
      assert.same({ 13, 0 }, seen)
      Seen:where { sku = "a" }:update { n = weft.raw "n * 2" }
      assert.same({ 26, 0 }, seen)
    end)

    it("do not run when nothing is to be written", function()
      local row = Thing:create { sku = "a" }
      log = {}
      row:save()
      row:update { sku = "a" }
      assert.same({}, log)
      local Undone = define { hooks = { before_save = function(r) r.title = nil end, after_save = function() log[1] = "after" end } }
      row = Undone:find(row.id)
      row.title = "x"
      assert.same({}, statements(function() row:save() end))
      assert.same({}, log)
    end)

    it("may wait, each for itself", function()
      local Slow = define { hooks = {
        before_create = function(values) weft.sleep(0.001) values.title = "slow" end,
        after_create = function() weft.sleep(0.001) end,
      } }
      weft.run(function()
        local all = {}
        for i = 1, 20 do all[i] = function() return Slow:create { n = i } end end
        for i, row in ipairs(weft.all(all)) do assert.same({ i, "slow" }, { row.n, row.title }) end
      end)
      assert.equal(20, Plain:where { title = "slow" }:count())
    end)

    it("are not asked before a call that is wrong", function()
      local row = Thing:create { sku = "a" }
      log = {}
      for _, case in ipairs {
        { function() Thing:create { skuu = "x" } end, "did you mean 'sku'?" },
        { function() Thing:create "x" end, "create" }, { function() Thing:create { "x" } end, "list" },
        { function() Thing:create_many { { sku = "b" }, { skuu = "c" } } end, "did you mean 'sku'?" },
        { function() Thing:create_many { { sku = "b" }, 3 } end }, { function() Thing:create_many { sku = "b" } end, "list" },
        { function() Thing:create_many({ { sku = "b" } }, { retuning = true }) end, "did you mean 'returning'?" },
        { function() Thing:upsert { sku = "b" } end, "on" }, { function() Thing:upsert({ skuu = "b" }, { on = "sku" }) end, "sku" },
        { function() Thing:upsert({ sku = "b" }, { on = "sku", update = 3 }) end, "update" },
        { function() Thing:update { title = "x" } end, "all = true" }, { function() Thing:delete() end, "all = true" },
        { function() Thing:increment "n" end, "all = true" }, { function() Thing:where { sku = "a" }:update {} end, "empty" },
        { function() Thing:where { sku = "a" }:update { titel = "x" } end, "did you mean 'title'?" },
        { function() Thing:where { sku = "a" }:update({ title = "x" }, { al = true }) end, "unknown option" },
        { function() Thing:where { sku = "a" }:update({ title = "x" }, 3) end, "table" },
        { function() Thing:where { sku = "a" }:group("n"):update { title = "x" } end, "group" },
        { function() Thing:where { sku = "a" }:group("n"):delete() end, "group" },
        { function() Thing:where { sku = "a" }:increment("m") end, "m" }, { function() Thing:where { sku = "a" }:increment() end },
        { function() Thing:where { sku = "a" }:increment("n", "1") end, "number" },
        { function() Thing:where { sku = "a" }:increment("title", 1) end, "text" },
        { function() row:update { titel = 1 } end, "did you mean 'title'?" }, { function() row:update() end },
        { function() row:delete { forse = true } end, "did you mean 'force'?" }, { function() row:delete(3) end, "table" },
      } do
        local err = raises("usage", case[1], case[2])
        assert.truthy(err.message:find("hook_spec.lua:", 1, true), tostring(err))
      end
      raises("type", function() Thing:where { sku = "a" }:update { n = "many" } end, "n")
      assert.same({}, log)
      assert.equal(1, Plain:count())
    end)

    it("need a key to write rows one by one", function()
      local Keyless = define({ hooks = { before_update = function() end } }, "keyless")
      Keyless:create_many({ { a = "x", n = 1 } }, { returning = false })
      raises("usage", function() Keyless:where { a = "x" }:update { n = 2 } end, "primary key")
      assert.equal(1, Keyless:where { a = "x" }:update({ n = 2 }, { hooks = false }))
    end)

    it("go by a composite key", function()
      local seen = 0
      local Place = define({ hooks = { after_update = function() seen = seen + 1 end } }, "places")
      Place:create_many { { country = "de", city = "Ulm", people = 1 }, { country = "fr", city = "Ulm", people = 2 } }
      assert.equal(2, Place:where { city = "Ulm" }:update { people = weft.raw "people + 1" })
      assert.equal(2, seen)
      assert.same({ 2, 3 }, { Place:find("de", "Ulm").people, Place:find("fr", "Ulm").people })
    end)

    it("see all columns, whatever the query selects, in its order and within its limit", function()
      Plain:create_many { { sku = "a", n = 1 }, { sku = "b", n = 2 }, { sku = "c", n = 3 } }
      assert.equal(2, Thing:select("id"):where("n", ">", 0):order("n", "desc"):limit(2):update { title = "x" })
      assert.same({ "before_save c", "before_save b" }, { log[1], log[5] })
      assert.equal(2, Plain:where { title = "x" }:count())
    end)
  end)

  describe("a hook that raises", function()
    local oops = setmetatable({}, { __tostring = function() return "oops" end })
    local function raising(hook)
      return define { hooks = { [hook] = function()
        Note:create { line = hook }
        error(oops)
      end } }
    end
    local function fails(fn)
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.equal(oops, err)
    end

    for _, when in ipairs { "before_", "after_" } do
      it("leaves nothing of what was written " .. when .. "a create", function()
        for _, kind in ipairs { "create", "save" } do
          local Thing = raising(when .. kind)
          fails(function() Thing:create { sku = "a" } end)
          fails(function() Thing:create_many { { sku = "a" }, { sku = "b", n = 1 } } end)
          fails(function() Thing:create_many({ { sku = "a" } }, { returning = false }) end)
          fails(function() Thing:upsert({ sku = "a" }, { on = "sku" }) end)
          weft.run(function() fails(function() Thing:create { sku = "a" } end) end)
        end
        assert.same({ 0, 0 }, { Plain:count(), Note:count() })
      end)

      it("leaves everything as it was " .. when .. "an update or a delete", function()
        local id = Plain:create({ sku = "a", title = "old", n = 1 }).id
        Plain:create { sku = "b", title = "old", n = 1 }
        for _, kind in ipairs { "update", "save", "delete" } do
          local Thing = raising(when .. kind)
          local row = Thing:find(id)
          if kind == "delete" then
            fails(function() row:delete() end)
            fails(function() weft.delete(row) end)
            fails(function() Thing:delete { all = true } end)
          else
            fails(function() row:update { title = "new" } end)
            fails(function() Thing:update({ title = "new" }, { all = true }) end)
            fails(function() Thing:increment("n", 1, { all = true }) end)
          end
        end
        assert.same({ 2, 0 }, { Plain:where { title = "old", n = 1 }:count(), Note:count() })
      end)
    end

    it("in the middle of several rows undoes those before", function()
      local function third(row) if row.sku == "c" then error(oops) end end
      local list = { { sku = "a" }, { sku = "b" }, { sku = "c" }, { sku = "d" } }
      for _, hook in ipairs { "before_create", "after_create" } do
        fails(function() define({ hooks = { [hook] = third } }):create_many(list) end)
      end
      assert.equal(0, Plain:count())
      Plain:create_many(list)
      for _, hook in ipairs { "before_update", "after_update", "before_delete", "after_delete" } do
        local Thing = define { hooks = { [hook] = third } }
        local sorted = Thing:where("sku", ">=", "a"):order("sku")
        fails(function() return hook:find "delete" and sorted:delete() or sorted:update { title = "x" } end)
      end
      assert.equal(4, Plain:where { title = null }:count())
    end)

    it("leaves the row in memory as it was, to be saved again", function()
      local refuse = true
      local Thing = define { version = "version", timestamps = true, hooks = {
        before_save = function(row) row.slug = "made" end,
        after_save = function() if refuse then error(oops) end end,
      } }
      refuse = false
      local row = Thing:create { sku = "a", title = "old", attrs = { list = { 1 } } }
      refuse = true
      row.title, row.slug = "new", nil
      row.attrs.list[2] = 2
      fails(function() row:save() end)
      assert.same({ "new", 1 }, { row.title, row.version })
      assert.is_nil(row.slug)
      assert.same({ "title", "slug", "attrs" }, (row:changed()))
      refuse = false
      row:save()
      assert.same({ "new", "made", 2, 2 }, { row.title, row.slug, row.version, Plain:find(row.id).attrs.list[2] })
      assert.same({}, (row:changed()))
    end)

    it("undoes no more than its own write inside a transaction", function()
      local Thing = raising "after_create"
      db:transaction(function()
        Plain:create { sku = "outer" }
        fails(function() Thing:create { sku = "inner" } end)
        Plain:create { sku = "behind" }
      end)
      assert.same({ "behind", "outer" }, { table.unpack(Plain:order("sku"):pluck "sku") })
    end)

    it("undoes what hooks wrote when the write itself fails", function()
      local Thing = define { hooks = { before_create = function() Note:create { line = "x" } end } }
      Thing:create { sku = "a" }
      raises("unique", function() Thing:create { sku = "a" } end)
      assert.same({ 1, 1 }, { Plain:count(), Note:count() })
    end)

    it("cannot leave the transaction around it", function()
      local outer
      local Thing = define { hooks = { after_create = function() outer:rollback "left" end } }
      raises("usage", function()
        db:transaction(function(tx)
          outer = tx
          Thing:create { sku = "a" }
        end)
      end, "roll back")
      assert.equal(0, Plain:count())
    end)

    it("lets a cancellation through", function()
      local Thing = define { hooks = { after_create = function() weft.sleep(10) end } }
      weft.run(function()
        local task = weft.spawn(function() Thing:create { sku = "a" } end)
        weft.sleep(0.05)
        task:cancel()
        raises("cancelled", function() task:await() end)
      end)
      assert.equal(0, Plain:count())
    end)
  end)

  describe("query hooks", function()
    local Live, seen

    before_each(function()
      seen = {}
      Plain:create_many { { sku = "a", n = 1 }, { sku = "b", n = 2 }, { sku = "c", n = 3 } }
      Live = define { hooks = {
        before_query = function(q) return q:where("n", ">", 1) end,
        after_query = function(rows, q)
          assert.is_true(core.is_query(q))
          for _, row in ipairs(rows) do seen[#seen + 1] = row.sku end
        end,
      } }
    end)

    it("hold for every read", function()
      local id = Plain:find_by({ sku = "a" }).id
      assert.equal(2, #Live:all())
      assert.equal("b", Live:first().sku)
      raises("not_found", function() Live:where { sku = "a" }:one() end)
      assert.equal("b", Live:where { sku = "b" }:one().sku)
      assert.is_nil(Live:find(id))
      raises("not_found", function() Live:get(id) end)
      assert.is_nil(Live:find_by { sku = "a" })
      assert.same({ n = 2, [2] = "b" }, (function()
        local found = Live:find_many { id, Plain:find_by({ sku = "b" }).id }
        return { n = found.n, found[1], found[2].sku }
      end)())
      assert.same({ 2, 5, 2.5, 2, 3 }, { Live:count(), Live:sum "n", tonumber(tostring(Live:avg "n")), Live:min "n", Live:max "n" })
      assert.is_false(Live:where { sku = "a" }:exists())
      assert.same({ "b", "c" }, { table.unpack(Live:order("sku"):pluck "sku") })
      local names = {}
      for row in Live:order("sku"):each(1) do names[#names + 1] = row.sku end
      assert.same({ "b", "c" }, names)
      local page = Live:order("sku"):page { size = 1 }
      assert.same({ "b", 1 }, { page.rows[1].sku, #page.rows })
      assert.equal("c", Live:order("sku"):page({ size = 1, after = page.next }).rows[1].sku)
      assert.equal(2, #weft.decode(Live:json()))
      local sql, params = Live:sql()
      assert.truthy(sql:find("where", 1, true))
      assert.same({ 1 }, params)
      assert.truthy(#Live:explain() > 0)
    end)

    it("tell the rows behind the read, one as a list of one", function()
      Live:order("sku"):all()
      Live:first()
      Live:find(Plain:find_by({ sku = "c" }).id)
      Live:find(Plain:find_by({ sku = "a" }).id)
      Live:count()
      assert.same({ "b", "c", "b", "c" }, seen)
    end)

    it("may leave the query as it is, wait, and follow each other", function()
      local order = {}
      local Thing = define { hooks = { before_query = {
        function() order[#order + 1] = 1 weft.sleep(0) end,
        function(q) order[#order + 1] = 2 return q:where { sku = "c" } end,
      } } }
      assert.equal(1, Thing:count())
      assert.same({ 1, 2 }, order)
      weft.run(function() assert.equal("c", Thing:first().sku) end)
    end)

    it("raise usage when they return something else", function()
      for _, wrong in ipairs { 3, "x", {}, Plain, Note } do
        local Thing = define { hooks = { before_query = function() return wrong end } }
        raises("usage", function() Thing:all() end, "before_query")
      end
      local Thing = define { hooks = { before_query = function() error "no" end } }
      assert.is_false(pcall(Thing.count, Thing))
    end)

    it("leave writes alone", function()
      assert.equal(3, Live:update({ title = "x" }, { all = true }))
      assert.equal("a", Live:upsert({ sku = "a", title = "y" }, { on = "sku" }).sku)
      assert.equal(3, Live:delete { all = true })
      assert.same({}, seen)
    end)

    it("do not run for a lazy column, which belongs to rows that were read", function()
      Plain:update({ body = "long" }, { all = true })
      local Lazy = define { columns = { body = { lazy = true } }, hooks = {
        after_query = function(rows) for _, row in ipairs(rows) do seen[#seen + 1] = row.sku end end,
      } }
      local row = Lazy:where { sku = "a" }:one()
      assert.equal("long", row.body)
      assert.same({ "a" }, seen)
    end)
  end)
end)
