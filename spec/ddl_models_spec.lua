-- SPDX-License-Identifier: MIT
-- Model scripts that describe their tables make them, and those that do not say what they expect.

local weft = require "weft"
local core = require "weft.core"
local backends = require "spec.support.backends"
local builder = require "weft.builder"
local ddl = require "weft.ddl"
local diff = require "weft.schema.diff"
local model = require "weft.model"
local raises = require "spec.support.raises"
local lists = require "spec.support.statements"

local steps, lines = lists.steps, lists.lines

local definitions = {
  Author = { primary_key = "id", columns = { name = { type = "string(80)", null = false, unique = true, comment = "it's" } } },
  Book = {
    table = "works", timestamps = true, version = "version", soft_delete = "deleted_at",
    columns = {
      title = { type = "text", null = false, default = "it's" },
      price = { type = "decimal(10,2)", default = 0, check = "price >= 0", as = "number" },
      author_id = { references = { "authors", on_delete = "cascade" }, null = false },
      pages = { type = "integer", index = true },
      blurb = { type = "text", index = true },
    },
    associations = { author = weft.belongs_to { model = "Author" }, shelf = weft.belongs_to { model = "Shelf" } },
  },
}

backends.each(function(backend)
  local db, name
  before_each(function() db, name = backend.open() end)

  local function info_of(label, definition)
    local copy = {}
    for key, value in pairs(definition) do copy[key] = value end
    return core.info(model.bind(db, name .. "." .. label, weft.model(copy), { label }, {}))
  end

  local function infos()
    return { info_of("Book", definitions.Book), info_of("Author", definitions.Author) }
  end

  describe("tables of model scripts", function()
    it("are made as the models say, and then differ in nothing", function()
      local made = ddl.of_models(infos(), backend.dialect)
      builder.run(db, steps(ddl.create(made, backend.dialect)))
      local live = db:schema():model()
      assert.same({ "authors", "works" }, { live.tables[1].key, live.tables[2].key })
      local columns = {}
      for i, column in ipairs(live.tables.works.columns) do columns[i] = column.name end
      assert.same({ "id", "author_id", "blurb", "pages", "price", "title", "shelf_id", "version", "deleted_at", "created_at", "updated_at" }, columns)
      assert.equal("cascade", live.tables.works.foreign_keys[1].on_delete)
      assert.same({}, lines(diff.changes(live, made)))
    end)

    it("take rows of their models", function()
      builder.run(db, steps(ddl.create(ddl.of_models(infos(), backend.dialect), backend.dialect)))
      local Author = model.bind(db, name .. ".Author", weft.model { table = "authors" }, { "authors" }, {})
      local Book = model.bind(db, name .. ".Book", weft.model { table = "works", timestamps = true, version = "version" }, { "works" }, {})
      local author = Author:create { name = "Ann" }
      local book = Book:create { author_id = author.id, price = 3 }
      assert.same({ "it's", 1 }, { book.title, book.version })
      raises("unique", function() Author:create { name = "Ann" } end)
      raises("check", function() Book:create { author_id = author.id, price = -1 } end)
    end)
  end)

  it("may say that their key counts by itself", function()
    local columns = { id = { type = "id" }, body = { type = "text" } }
    local said = ddl.of_models({ info_of("Note", { table = "notes", columns = columns }) }, backend.dialect)
    local implied = ddl.of_models({ info_of("Note", { table = "notes", columns = { body = { type = "text" } } }) }, backend.dialect)
    assert.same(ddl.create(implied, backend.dialect), ddl.create(said, backend.dialect))
    raises("usage", function()
      ddl.of_models({ info_of("Note", { table = "notes", columns = { user_id = { type = "id" } } }) }, backend.dialect)
    end, "a reference")
  end)

  it("expect what they name where they describe nothing", function()
    local _, expected = ddl.of_models({ info_of("Thing", { table = "things", primary_key = "code", version = "lock",
      columns = { attrs = "json" }, associations = { owner = weft.belongs_to { model = "User", foreign_key = "user_id" } } }) }, backend.dialect)
    assert.same({ name .. ".Thing: there is no table 'things'" }, ddl.missing(expected, db:schema():model()))
    builder.new(db):create_table("things", function(t) t:integer "code" t:integer "user_id" end)
    assert.same({ name .. ".Thing: things has no column 'attrs'", name .. ".Thing: things has no column 'lock'" },
      ddl.missing(expected, db:schema():model()))
  end)
end)

describe("what a model says of columns", function()
  local function refused(words, columns)
    raises("usage", function() weft.model { columns = columns } end, words)
  end
  it("is checked where it is said", function()
    refused("did you mean 'default'", { a = { type = "text", defualt = 1 } })
    refused("type must say", { a = { null = false } })
    refused("null is a boolean", { a = { type = "text", null = "no" } })
    refused("references is a table's name", { a = { references = 3 } })
    refused("did you mean 'on_delete'", { a = { references = { "users", on_delet = "cascade" } } })
  end)
end)
