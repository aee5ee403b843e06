-- SPDX-License-Identifier: MIT
-- The JSON of a query in pieces, which whoever serves it sends one after another.

local weft = require "weft"
local core = require "weft.core"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"

local schema = [[create table shelf (id integer primary key, name varchar(300));
  create table box (id integer primary key, shelf_id integer references shelf (id), label varchar(40))]]

local SHELVES = 1500

---The pieces of a query.
local function pieces(query)
  local first, rest = core.json_pieces(query)
  local list = { first }
  if rest then for piece in rest do list[#list + 1] = piece end end
  return list
end

backends.each(function(backend)
  local db, m

  setup(function()
    local name
    db, name = backend.open(schema)
    m = weft.models(name)
    local shelves, boxes = {}, {}
    for i = 1, SHELVES do
      shelves[i] = { id = i, name = ('%d "\u{E9}" '):format(i):rep(i % 20) }
      for k = 1, i % 4 do boxes[#boxes + 1] = { id = i * 4 + k, shelf_id = i, label = "box " .. k } end
    end
    m.shelf:create_many(shelves, { returning = false })
    m.box:create_many(boxes, { returning = false })
  end)

  describe("the JSON of a query in pieces", function()
    it("is that in one piece: rows, and trees of rows", function()
      for _, query in ipairs { m.shelf:order "id", m.shelf:include "boxes":order "id", m.box:include "shelf":order "id",
        m.shelf:select("name"):order "id" } do
        local list = pieces(query)
        assert.is_true(#list > 1)
        for i = 1, #list - 1 do assert.is_true(#list[i] >= 2 ^ 16 and #list[i] < 2 ^ 17) end
        assert.equal(query:json(), table.concat(list))
      end
    end)

    it("is one piece when it is short, and nothing behind it", function()
      for _, query in ipairs { m.shelf:where { id = 0 }, m.shelf:where { id = 3 }, m.shelf:include "boxes":where { id = { 1, 2 } },
        m.shelf:include "boxes":where { id = 0 } } do
        assert.same({ query:json() }, pieces(query))
      end
      assert.equal(1, select("#", core.json_pieces(m.shelf:limit(1))))
    end)

    it("is of the rows as they were, whatever is done before the rest is asked for", function()
      local query = m.shelf:include "boxes":order "id"
      local whole = query:json()
      local first, rest = core.json_pieces(query)
      local list = { first }
      db:transaction(function(tx)
        m.box:delete { all = true }
        list[2] = rest()
        tx:rollback()
      end)
      weft.reset_associations()
      collectgarbage()
      for piece in rest do
        list[#list + 1] = piece
        core.json_pieces(m.shelf:order "id") -- another text in between
      end
      assert.equal(whole, table.concat(list))
    end)

    it("ends once, and may be left in the middle", function()
      local _, rest = core.json_pieces(m.shelf:order "id")
      while rest() do end
      assert.is_nil(rest())
      _, rest = core.json_pieces(m.shelf:include "boxes")
      do
        local left <close> = rest
        assert.is_string(left())
      end
      assert.is_nil(rest())
    end)

    it("fails before the first piece, like json", function()
      raises("usage", function() core.json_pieces(m.shelf:where { nme = 1 }) end, "did you mean 'name'?")
      raises("usage", function() core.json_pieces "shelf" end)
    end)
  end)
end)
