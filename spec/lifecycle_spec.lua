-- SPDX-License-Identifier: MIT
-- What a model keeps beside its rows: timestamps, a version, when a row was deleted, what was changed. Hooks
-- are in hook_spec, validation is in validate_spec.

local weft = require "weft"
local core = require "weft.core"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local things = require "spec.support.things"

local null, decimal = weft.null, weft.decimal

describe("the definition of a lifecycle", function()
  local function nothing() end
  local wrong = {
    { { hooks = 3 }, "hooks is a table" },
    { { hooks = { befor_create = nothing } }, "did you mean 'before_create'?" },
    { { hooks = { before_create = "x" } }, "hooks.before_create" },
    { { hooks = { after_save = { nothing, 3 } } }, "hooks.after_save" },
    { { hooks = { after_save = { run = nothing } } }, "hooks.after_save" },
    { { timestamps = "yes" }, "timestamps" },
    { { timestamps = { creatd = "made" } }, "did you mean 'created'?" },
    { { timestamps = { created = 3 } }, "timestamps.created" },
    { { version = 3 }, "version" },
    { { soft_delete = true }, "soft_delete" },
    { { versoin = "v" }, "did you mean 'version'?" },
  }
  for _, case in ipairs(wrong) do
    it("raises usage with " .. case[2], function()
      local err = raises("usage", function() weft.model(case[1]) end, case[2])
      assert.truthy(err.message:find("lifecycle_spec.lua:", 1, true), tostring(err))
    end)
  end

  it("is not loaded by a model that asks for none of it", function()
    local loaded = package.loaded["weft.lifecycle"]
    finally(function() package.loaded["weft.lifecycle"] = loaded end)
    package.loaded["weft.lifecycle"] = nil
    weft.model { columns = { a = "json" }, scopes = {}, methods = {} }
    assert.is_nil(package.loaded["weft.lifecycle"])
    weft.model { version = "version" }
    assert.is_table(package.loaded["weft.lifecycle"])
  end)
end)

backends.each(function(backend)
  local db, name, define, Plain

  setup(function()
    db, name = backend.open(things.schema, not backend.memory and { pool = { max = 4, wait = 20 } } or nil)
    define = things.of(name)
    Plain = weft.models(name).things
  end)

  before_each(function()
    things.empty(db)
  end)

  local sqlite = backend.dialect == "sqlite"

  describe("timestamps", function()
    local recent = "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.?%d*Z$"
    local clock = core.wall_clock
    local ticks

    ---A clock that stands, and counts who looks at it.
    local function stand(text, us)
      ticks = 0
      core.wall_clock = function()
        ticks = ticks + 1
        return text, us
      end
    end
    after_each(function() core.wall_clock = clock end)

    it("are set by create and moved by every change", function()
      local Thing = define { timestamps = true }
      local row = Thing:create { sku = "a" }
      assert.truthy(row.created_at:find(recent), row.created_at)
      assert.equal(row.created_at, row.updated_at)
      local made = row.created_at
      local function moved(write)
        local before = Plain:find_by({ sku = "a" }).updated_at
        weft.sleep(0.002)
        write()
        local now = Plain:find_by { sku = "a" }
        assert.is_true(now.updated_at > before, now.updated_at)
        assert.equal(made, now.created_at)
      end
      moved(function() row.title = "x" row:save() end)
      assert.equal(row.updated_at, Plain:find(row.id).updated_at)
      moved(function() row:update { title = "y" } end)
      moved(function() Thing:where { sku = "a" }:update { title = "z" } end)
      moved(function() Thing:where { sku = "a" }:increment "n" end)
      moved(function() Thing:upsert({ sku = "a", title = "w" }, { on = "sku" }) end)
      moved(function() Thing:upsert({ sku = "a" }, { on = "sku", update = { title = "v" } }) end)
    end)

    it("stay when nothing changes", function()
      local Thing = define { timestamps = true }
      local row = Thing:create { sku = "a" }
      stand("2030-01-01T00:00:00Z", 0)
      row:save()
      assert.equal(row.updated_at, Thing:upsert({ sku = "a" }, { on = "sku" }).updated_at)
      assert.equal(row.updated_at, Thing:upsert({ sku = "a", n = 1 }, { on = "sku", update = {} }).updated_at)
    end)

    it("leave the user's own value", function()
      local Thing = define { timestamps = true }
      local then_ = "2001-02-03T04:05:06Z"
      local row = Thing:create { sku = "a", created_at = then_, updated_at = null }
      assert.equal(then_, row.created_at)
      assert.is_nil(row.updated_at)
      row:update { updated_at = then_ }
      assert.equal(then_, Plain:find(row.id).updated_at)
      Thing:where { sku = "a" }:update { title = "x", updated_at = null }
      assert.is_nil(Plain:find(row.id).updated_at)
      assert.equal(then_, Thing:upsert({ sku = "a", updated_at = then_ }, { on = "sku" }).updated_at)
    end)

    it("read the clock once per call", function()
      local Thing = define { timestamps = true }
      Thing:first()
      local now = "2030-01-01T00:00:00.250000Z"
      for writes, write in ipairs {
        function() Thing:create_many { { sku = "a" }, { sku = "b" }, { sku = "c", n = 1 } } end,
        function() Thing:upsert({ sku = "a", n = 2 }, { on = "sku" }) end,
        function() Thing:update({ title = "x" }, { all = true }) end,
      } do
        stand(now, 0)
        write()
        assert.equal(1, ticks, writes)
      end
      assert.equal(3, Plain:where { created_at = now, updated_at = now }:count())
    end)

    it("have the form of their column", function()
      stand("2024-01-02T03:04:05.250000Z", 1704164645250000)
      for _, case in ipairs {
        { "tz", "2024-01-02T03:04:05.250000Z" }, { "sec", 1704164645 }, { "us", 1704164645250000 }, { "f", 1704164645.25 },
        { "day", sqlite and "2024-01-02T03:04:05.250000Z" or "2024-01-02" }, { "word", "2024-01-02T03:04:05.250000Z" },
        { "plain", sqlite and "2024-01-02T03:04:05.250000Z" or "2024-01-02T03:04:05.250000" },
      } do
        local Clock = define({ timestamps = { created = case[1], updated = false }, columns = { us = { as = "us" } } }, "clocks")
        assert.equal(case[2], Clock:create({ n = 1 })[case[1]], case[1])
      end
    end)

    it("need their columns only when these are named", function()
      assert.equal(1, define({ timestamps = true }, "clocks"):create({ n = 1 }).n)
      assert.equal(1, define({ timestamps = { created = "tz" } }, "clocks"):create({ n = 1 }).n)
      local Wrong = define({ timestamps = { created = "tzz" } }, "clocks")
      raises("usage", function() Wrong:create { n = 1 } end, "timestamps.created", "did you mean 'tz'?")
      local Blob = define({ timestamps = { updated = "blob" } }, "clocks")
      raises("usage", function() Blob:create { n = 1 } end, "timestamps.updated", "blob")
    end)
  end)

  describe("a version", function()
    local Thing
    before_each(function() Thing = define { version = "version" } end)

    it("begins with 1 and counts every change", function()
      local row = Thing:create { sku = "a", n = 0 }
      assert.equal(1, row.version)
      row.n = 1
      row:save()
      assert.equal(2, row.version)
      row:update { n = 2 }
      assert.equal(3, Plain:find(row.id).version)
      Thing:where { sku = "a" }:update { n = 3 }
      assert.equal(4, Plain:find(row.id).version)
      Thing:where { sku = "a" }:increment("n", 5)
      assert.equal(5, Plain:find(row.id).version)
      assert.equal(6, Thing:upsert({ sku = "a", n = 9 }, { on = "sku" }).version)
      assert.equal(7, Thing:upsert({ sku = "a", n = 9 }, { on = "sku", update = { n = 10 } }).version)
      assert.equal(7, row:reload().version)
      assert.equal(1, Thing:upsert({ sku = "b" }, { on = "sku" }).version)
      assert.equal(1, Thing:create_many({ { n = 1 }, { n = 2 } })[2].version)
      assert.equal(5, Thing:create({ version = 5 }).version)
    end)

    it("may have rules, which the database's own counting keeps", function()
      local Ruled = define { version = "version", validate = { version = { min = 1, integer = true }, n = { max = 3 } } }
      local row = Ruled:create { sku = "a", n = 0 }
      assert.equal(1, Ruled:where { sku = "a" }:update { n = 1 })
      assert.equal(1, Ruled:where { sku = "a" }:increment("n", 5))
      assert.equal(4, Ruled:upsert({ sku = "a", n = 2 }, { on = "sku" }).version)
      raises("validation", function() Ruled:where { sku = "a" }:update { n = 4 } end)
      raises("validation", function() Ruled:create { version = 0 } end)
      assert.equal(4, row:reload().version)
    end)

    it("raises stale for a row that somebody else has changed", function()
      local id = Thing:create({ sku = "a", title = "old" }).id
      local mine, theirs = Thing:find(id), Thing:find(id)
      theirs:update { title = "theirs" }
      mine.title = "mine"
      local err = raises("stale", function() mine:save() end, "changed by somebody else")
      assert.same({ "save", name .. ".Thing" }, { err.op, err.model })
      assert.same({ "mine", 1 }, { mine.title, mine.version })
      raises("stale", function() mine:delete() end)
      assert.equal("theirs", Plain:find(id).title)
      mine:reload()
      mine:update { title = "mine" }
      assert.equal("mine", Plain:find(id).title)
      Thing:where { id = id }:update { n = 1 }
      raises("stale", function() mine:update { title = "again" } end)
    end)

    it("raises not_found for a row that is gone", function()
      local row = Thing:create { sku = "a" }
      Plain:delete { all = true }
      raises("not_found", function() row:update { title = "x" } end)
      raises("not_found", function() row:delete() end)
    end)

    it("lets the row of the newest version be deleted", function()
      local row = Thing:create { sku = "a" }
      row:update { n = 1 }
      row:delete()
      assert.equal(0, Plain:count())
    end)

    it("can be carried around by the user", function()
      local row = Thing:create { sku = "a" }
      row:update { n = 1 }
      raises("stale", function() Thing:find(row.id):update { title = "late", version = 1 } end)
      assert.equal(3, Thing:find(row.id):update({ title = "in time", version = "2" }).version)
      raises("usage", function() row:update { title = "x", version = "two" } end, "version")
    end)

    it("begins with 1 in a row that had none", function()
      local id = Plain:create({ sku = "a" }).id
      local one, two = Thing:find(id), Thing:find(id)
      assert.equal(1, one:update({ n = 1 }).version)
      raises("stale", function() two:update { n = 2 } end)
    end)

    it("must be selected to be checked", function()
      Thing:create { sku = "a" }
      local row = Thing:select("id", "title"):first()
      row.title = "x"
      raises("usage", function() row:save() end, "version", "not selected")
      assert.is_nil(Plain:first().title)
    end)

    it("is an integer column of the table", function()
      raises("usage", function() define({ version = "versoin" }):create {} end, "did you mean 'version'?")
      raises("usage", function() define({ version = "title" }):create {} end, "title")
    end)

    it("lets one of 50 writers win each round", function()
      local id = Thing:create({ sku = "a", n = 0 }).id
      weft.run(function()
        for round = 1, 3 do
          local copies, won, stale = {}, 0, 0
          for i = 1, 50 do copies[i] = Thing:find(id) end
          local writers = {}
          for i = 1, 50 do
            writers[i] = function()
              copies[i].n = copies[i].n + 1
              local row, err = weft.try(copies[i].save, copies[i])
              if row then won = won + 1 else stale = stale + (err.kind == "stale" and 1 or 100) end
            end
          end
          weft.all(writers)
          assert.same({ 1, 49 }, { won, stale })
          assert.same({ round, round + 1 }, { Plain:find(id).n, Plain:find(id).version })
        end
      end)
    end)

    it("makes the sum of 50 writers right who try again", function()
      local id = Thing:create({ sku = "a", n = 0 }).id
      weft.run(function()
        local writers = {}
        for i = 1, 50 do
          writers[i] = function()
            repeat
              local row = Thing:find(id)
              row.n = row.n + i
              local saved, err = weft.try(row.save, row)
              if err then assert.equal("stale", err.kind) end
            until saved
          end
        end
        weft.all(writers)
      end)
      assert.same({ 1275, 51 }, { Plain:find(id).n, Plain:find(id).version })
    end)

    it("is checked by those who change rows one by one", function()
      local Hooked = define { version = "version", hooks = { before_update = function(row)
        if row.sku == "a" then Plain:where { sku = "b" }:update { version = 7 } end
      end } }
      Hooked:create_many { { sku = "a" }, { sku = "b" } }
      raises("stale", function() Hooked:where("id", ">", 0):order("sku"):update { n = 1 } end)
      assert.equal(2, Plain:where { n = null, version = 1 }:count())
      assert.equal(1, Hooked:where { sku = "b" }:update { n = 1 })
      assert.equal(2, Plain:find_by({ sku = "b" }).version)
    end)
  end)

  describe("soft deletion", function()
    local function deleted(query) return query:where("deleted_at", "not_null"):count() end

    it("notes when a row was deleted, and counts the change", function()
      local Thing = define { soft_delete = "deleted_at", timestamps = true, version = "version" }
      local row = Thing:create { sku = "a" }
      row:delete()
      assert.truthy(row.deleted_at)
      assert.same({ row.deleted_at, row.deleted_at, 2 }, { row.deleted_at, row.updated_at, row.version })
      assert.same({ 1, 1 }, { Plain:count(), deleted(Plain) })
      Thing:create_many { { sku = "b" }, { sku = "c" } }
      assert.equal(1, Thing:where { sku = "b" }:delete())
      assert.same({ 2, 2 }, { deleted(Plain), Plain:find_by({ sku = "b" }).version })
    end)

    it("is no deletion of a row that somebody else has changed", function()
      local Thing = define { soft_delete = "deleted_at", version = "version" }
      local row = Thing:create { sku = "a" }
      Thing:where { sku = "a" }:update { n = 1 }
      raises("stale", function() row:delete() end)
      assert.equal(0, deleted(Plain))
    end)

    it("runs the hooks of delete", function()
      local log = {}
      local Thing = define { soft_delete = "deleted_at", hooks = {
        before_delete = function(row) log[#log + 1] = "before_delete " .. row.sku end,
        after_delete = function(row) log[#log + 1] = "after_delete " .. row.sku end,
      } }
      Thing:create { sku = "a" }
      assert.equal(1, Thing:where { sku = "a" }:delete())
      assert.same({ "before_delete a", "after_delete a" }, log)
      assert.equal(1, deleted(Plain))
    end)

    it("deletes with force", function()
      local Thing = define { soft_delete = "deleted_at" }
      Thing:create_many { { sku = "a" }, { sku = "b" } }
      assert.equal(1, Thing:where { sku = "a" }:delete { force = true })
      assert.equal(1, Plain:count())
      raises("usage", function() Thing:delete { force = true } end, "all = true")
      raises("usage", function() Thing:delete() end, "all = true")
      assert.equal(0, deleted(Plain))
      assert.equal(1, Thing:delete { all = true })
      assert.equal(1, deleted(Plain))
    end)

    it("says true in a boolean column, the time in the form of the others", function()
      local Flag = define({ soft_delete = "gone" }, "flags")
      local row = Flag:create { n = 1 }
      row:delete()
      assert.is_true(weft.models(name).flags:first().gone)
      local Clock = define({ soft_delete = "sec" }, "clocks")
      Clock:create { n = 1 }
      assert.equal(1, Clock:where { n = 1 }:delete())
      assert.equal("integer", math.type(weft.models(name).clocks:first().sec))
    end)

    it("needs a column that can say it", function()
      raises("usage", function() define({ soft_delete = "deletd_at" }):create {} end, "did you mean 'deleted_at'?")
      raises("usage", function() define({ soft_delete = "blob" }, "clocks"):create {} end, "blob")
      raises("usage", function() define({ soft_delete = "due" }, "flags"):create {} end, "due", "NULL")
    end)

    it("is undone by an upsert", function()
      local Thing = define { soft_delete = "deleted_at" }
      Thing:create({ sku = "a" }):delete()
      assert.is_nil(Thing:upsert({ sku = "a", n = 1 }, { on = "sku" }).deleted_at)
      assert.equal(0, deleted(Plain))
    end)
  end)

  describe("what a row knows of its changes", function()
    it("reaches into nested json and its arrays", function()
      local row = Plain:create { sku = "a", attrs = { list = { { deep = { 1, 2 } }, "x" }, empty = weft.array {} } }
      row = Plain:find(row.id)
      row.attrs.list[1].deep[2] = 3
      assert.same({ "attrs" }, (row:changed()))
      row.attrs.list[1].deep[2] = 2
      assert.same({}, (row:changed()))
      row.attrs.list[3] = null
      row:save()
      assert.equal('{"list":[{"deep":[1,2]},"x",null],"empty":[]}',
        (weft.encode(Plain:find(row.id).attrs):gsub('{"empty":%[%],(.*)}$', '{%1,"empty":[]}')))
      table.remove(row.attrs.list)
      row.attrs.empty[1] = { y = 1 }
      row:save()
      assert.same({ 2, 1 }, { #Plain:find(row.id).attrs.list, Plain:find(row.id).attrs.empty[1].y })
    end)

    it("is not deceived by equal values", function()
      local row = Plain:create { sku = "a", n = 1, price = decimal "1.10", attrs = { x = 1 } }
      row.sku, row.n, row.price, row.attrs, row.title = "a", 1, decimal "1.1", { x = 1 }, null
      assert.same({}, (row:changed()))
      row.n, row.title = nil, ""
      assert.same({ "title", "n" }, (row:changed()))
    end)

    it("forgets what was saved, not what was read later", function()
      local Lazy = define { columns = { body = { lazy = true } }, version = "version" }
      local id = Lazy:create({ sku = "a", body = "long" }).id
      local row = Lazy:find(id)
      assert.equal("long", row.body)
      row.title = "x"
      row:save()
      assert.same({}, (row:changed()))
      assert.equal("long", row.body)
      row.body = "short"
      assert.same({ "body" }, (row:changed()))
      row:save()
      assert.same({ "short", 3 }, { Plain:find(id).body, Plain:find(id).version })
      assert.same({}, (row:changed()))
    end)

    it("leaves columns their names", function()
      local seen = 0
      local Odd = define({ version = "version", hooks = { after_update = function() seen = seen + 1 end } }, "odd")
      Odd:create { id = 1, save = "s", update = "u", changed = "c" }
      local row = Odd:find(1)
      assert.same({ "s", "u", "c" }, { row.save, row.update, row.changed })
      row.save = "saved"
      assert.same({ "save" }, (weft.changed(row)))
      assert.equal(row, weft.save(row))
      weft.update(row, { update = "updated", changed = "changed" })
      assert.same({ "saved", "updated", "changed", 3, 2 }, { Odd:find(1).save, row.update, row.changed, row.version, seen })
      assert.equal(1, Odd:where { save = "saved" }:update { save = "again" })
      weft.reload(row)
      weft.delete(row)
      assert.equal(0, Odd:count())
    end)
  end)
end)
-- These facts need the condition on deleted rows that the core adds to a model with soft_delete.
backends.each(function(backend)
  describe("rows that are noted as deleted", function()
    local Thing, Plain, name

    before_each(function()
      local _
      _, name = backend.open(things.schema)
      Plain = weft.models(name).things
      Thing = things.of(name) { soft_delete = "deleted_at", version = "version", columns = { body = { lazy = true } } }
      Thing:create_many { { sku = "a", n = 1, body = "long" }, { sku = "b", n = 2 } }
      Thing:find_by({ sku = "a" }):delete()
    end)

    it("are those that a boolean column says are, whether it can be NULL or not", function()
      for _, column in ipairs { "gone", "never" } do
        local Flag = things.of(name) ({ soft_delete = column }, "flags")
        Flag:delete { all = true, force = true }
        for i, said in ipairs { false, true, weft.null } do
          if column == "gone" or said ~= weft.null then Flag:create { n = i, [column] = said } end
        end
        local there = column == "gone" and { 1, 3 } or { 1 }
        assert.same(there, { table.unpack(Flag:order("n"):pluck "n") })
        assert.same({ 2 }, { table.unpack(Flag:only_deleted():pluck "n") })
        assert.same({ #there, #there + 1, false }, { Flag:count(), Flag:with_deleted():count(), Flag:where({ n = 2 }):exists() })
        local row = Flag:find_by { n = 1 }
        row:delete()
        assert.is_nil(Flag:find(row.id))
        assert.is_false(Flag:upsert({ id = row.id, n = 1 }, { on = "id" })[column])
        assert.equal(1, Flag:where({ n = 1 }):delete())
        row = Flag:with_deleted():find(row.id)
        row:update { [column] = false }
        assert.equal(1, Flag:find(row.id).n)
        Flag:delete { all = true, force = true }
      end
    end)

    it("are not there", function()
      assert.same({ 1, 2 }, { Thing:count(), Plain:count() })
      assert.is_nil(Thing:find_by { sku = "a" })
      assert.equal(1, Thing:update({ title = "x" }, { all = true }))
      assert.equal(1, Thing:delete { all = true })
      assert.equal(0, Thing:delete { all = true })
    end)

    it("raise not_found when they are deleted or saved by somebody who does not know", function()
      local row, again = Thing:find_by { sku = "b" }, Thing:find_by { sku = "b" }
      row:delete()
      raises("not_found", function() row:delete() end)
      raises("not_found", function() again:delete() end)
      raises("not_found", function() again:update { title = "x" } end)
      raises("not_found", function() again:reload() end)
    end)

    it("can be read, restored and deleted for good by somebody who does", function()
      local row = Thing:with_deleted():find_by { sku = "a" }
      assert.equal("long", row.body)
      raises("not_found", function() row:delete() end)
      assert.equal("a", row:reload().sku)
      row.deleted_at = nil
      row:save()
      assert.equal(2, Thing:count())
      row:delete()
      row:delete { force = true }
      assert.same({ 1, 1 }, { Thing:count(), Plain:count() })
      raises("not_found", function() row:delete { force = true } end)
      Thing:find_by({ sku = "b" }):delete()
      assert.equal(1, Thing:only_deleted():delete { all = true, force = true })
      assert.equal(0, Plain:count())
    end)

    it("come back by an upsert", function()
      local row = Thing:upsert({ sku = "a", n = 5 }, { on = "sku" })
      assert.is_nil(row.deleted_at)
      assert.equal(2, Thing:count())
      Thing:find_by({ sku = "a" }):delete()
      assert.equal("a", Thing:upsert({ sku = "a" }, { on = "sku" }).sku)
      assert.equal(2, Thing:count())
    end)
  end)
end)
