-- SPDX-License-Identifier: MIT
-- Discover, make the create statements, run them in an empty database, discover: the same again, for a schema that has
-- everything.

local backends = require "spec.support.backends"
local builder = require "weft.builder"
local ddl = require "weft.ddl"
local diff = require "weft.schema.diff"
local raises = require "spec.support.raises"
local rich = require "spec.support.rich_schema"
local lists = require "spec.support.statements"

local steps, lines = lists.steps, lists.lines

local function count(list) return #list end

backends.each(function(backend)
  describe("create statements of a discovered schema", function()
    local one, other
    before_each(function() one, other = backend.open(rich), backend.open() end)

    it("make the same schema in an empty database", function()
      local model = one:schema():model()
      assert.is_true(count(model.tables) > 8 and count(model.views) >= 2)
      builder.run(other, steps(ddl.create(model, backend.dialect)))
      assert.same({}, lines(diff.changes(model, other:schema(), { positions = true })))
    end)

    it("are the same whichever of the two they are made of", function()
      local statements = ddl.create(one:schema(), backend.dialect)
      builder.run(other, steps(statements))
      assert.same(statements, ddl.create(other:schema(), backend.dialect))
    end)

    it("are undone by what leads to an empty schema, and made by what leads from it", function()
      local full, empty = one:schema():model(), other:schema():model()
      builder.run(other, ddl.alter(diff.changes(empty, full), backend.dialect))
      assert.same({}, lines(diff.changes(full, other:schema(), { positions = true })))
      builder.run(one, ddl.alter(diff.changes(full, empty), backend.dialect))
      assert.same({}, lines(diff.changes(empty, one:schema())))
    end)
  end)
end)

describe("create statements", function()
  it("are refused for a database that there is not", function()
    raises("usage", function() ddl.create({ tables = {} }, "postgre") end, "did you mean 'postgres'")
  end)

  it("take no zero byte in a name", function()
    local t = { name = "a\0b", key = "a", kind = "table", visible = true, columns = {}, primary_key = {} }
    raises("usage", function() ddl.create({ tables = { t } }, "sqlite") end, "zero byte")
  end)
end)
