-- SPDX-License-Identifier: MIT
-- What the language knows of other tables and of deleted rows: spec/c/language_spec.c once more on every
-- backend that is a server (by itself it runs on SQLite), and the steps that Lua has for it.

local weft = require "weft"
local core = require "weft.core"
local methods = require "weft.query".methods
local backends = require "spec.support.backends"
local shell = require "spec.support.shell"

local program = (os.getenv "WEFT_SPEC_BUILD" or shell.root() .. "/build/release") .. "/spec/language"

describe("statements of several tables", function()
  backends.each(function(backend)
    if backend.dialect == "sqlite" then return end
    it("mean the same", function()
      local url = backend.url()
      local schema = backend.dialect == "postgres" and "public" or url:match "([^/]*)$"
      local ok, said = shell.run(shell.words { program, url, schema })
      assert.is_true(ok, said)
    end)
  end)
end)

backends.each(function(backend)
  describe("rows that a model counts as deleted", function()
    local Note

    local function model(soft)
      local db = backend.open [[
        create table notes (id integer primary key, body text, gone_at timestamp);
        insert into notes values (1, 'a', null), (2, 'b', '2020-01-01 00:00:00'), (3, 'c', null);]]
      return core.model(db, { label = "Note", db = db, table = "notes", soft_delete = soft, lazy = {},
        query_methods = methods })
    end

    before_each(function() Note = model "gone_at" end)

    it("are left out unless they are asked for", function()
      assert.equal(2, Note:count())
      assert.equal(3, Note:with_deleted():count())
      assert.equal(1, Note:only_deleted():count())
      assert.equal("a c", table.concat(Note:order("id"):pluck "body", " "))
      assert.equal("b", table.concat(Note:only_deleted():where { body = { "a", "b" } }:pluck "body", " "))
      assert.is_false(Note:where { id = 2 }:exists())
    end)

    it("are not found by key, alone or in a batch", function()
      assert.is_nil(Note:find(2))
      assert.equal("a", Note:find(1).body)
      assert.equal("b", Note:with_deleted():find(2).body)
      assert.is_nil(Note:only_deleted():find(1))
      weft.run(function()
        local found = weft.all {
          function() return Note:find(1) end, function() return Note:find(2) end, function() return Note:find(3) end }
        assert.same({ "a", nil, "c" }, { found[1].body, found[2], found[3].body })
      end)
    end)

    it("are not changed", function()
      assert.equal(2, Note:update({ body = "x" }, { all = true }))
      assert.equal("b", Note:with_deleted():find(2).body)
      assert.equal(0, Note:where { id = 2 }:delete())
      assert.equal(1, Note:only_deleted():where { id = 2 }:delete())
      assert.equal(2, Note:with_deleted():count())
    end)

    it("can be created, and be the row of an upsert", function()
      assert.equal("d", Note:create { id = 4, body = "d", gone_at = "2021-01-01 00:00:00" }.body)
      assert.equal("e", Note:upsert({ id = 2, body = "e" }, { on = "id" }).body)
      assert.equal(2, Note:count())
    end)

    it("are only what a model says", function()
      local plain = model(nil)
      assert.equal(3, plain:count())
      assert.equal(3, plain:with_deleted():count())
      local ok, err = pcall(function() return plain:only_deleted():count() end)
      assert.is_false(ok)
      assert.equal("usage", err.kind)
      assert.matches("only_deleted: the model of notes has no soft_delete", err.message, 1, true)
      ok, err = pcall(function() return model("gone"):count() end)
      assert.is_false(ok)
      assert.matches("unknown column 'gone' of notes in the model's soft_delete", err.message, 1, true)
    end)
  end)
end)
