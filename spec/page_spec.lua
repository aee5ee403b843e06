-- SPDX-License-Identifier: MIT
-- Keyset pages: every row once, in order, in both directions, through ties and NULLs.

local weft = require "weft"
local backends = require "spec.support.backends"
local mysql_text = require "spec.support.mysql_text"
local raises = require "spec.support.raises"

local tables = [[
  create table things (id integer primary key, grade integer, title text, price numeric(8,2), made %s);
  insert into things values
    (1, 3, 'b', 1.50, '2024-01-01 00:00:00'), (2, 1, 'a', 1.50, '2024-01-01 00:00:00.5'), (3, null, 'a', null, null),
    (4, 1, null, 0.10, '2024-01-01 00:00:00.25'), (5, 3, 'b', 10.00, '2023-01-01 00:00:00'),
    (6, 2, 'Ä', 9.99, '2025-01-01 00:00:00'), (7, null, null, null, null), (8, 1, 'a', 1.50, '2024-01-01 00:00:00'),
    (9, 3, '', 1.50, '2024-01-01 00:00:00.250001');
  create table seats (hall text not null, number integer not null, taken integer, primary key (hall, number));
  insert into seats values ('a', 1, 0), ('a', 2, 1), ('b', 1, 1), ('b', 2, 0), ('c', 1, null);
  create table logs (line text);]]

local schema = { sqlite = tables:format "text", postgres = tables:format "timestamp",
  mysql = mysql_text.of(tables:format "datetime(6)") }

-- name, the orders
local orders = {
  { "the primary key", {} },
  { "the primary key downwards", { { "id", "desc" } } },
  { "a column with ties and NULLs", { { "grade" } } },
  { "such a column downwards", { { "grade", "desc" } } },
  { "NULLs first", { { "grade", "asc", "nulls first" } } },
  { "NULLs last", { { "grade", "asc", "nulls last" } } },
  { "NULLs first, downwards", { { "grade", "desc", "nulls first" } } },
  { "NULLs last, downwards", { { "grade", "desc", "nulls last" } } },
  { "two columns of different directions", { { "grade", "desc" }, { "title" } } },
  { "two columns with NULLs at different ends", { { "title", "asc", "nulls last" }, { "grade", "desc", "nulls first" } } },
  { "decimals", { { "price" }, { "id", "desc" } } },
  { "times", { { "made", "desc" } } },
  { "the key before others", { { "id" }, { "title" } } },
}

backends.each(function(backend)
  local Thing, Seat, Log

  setup(function()
    local _, name = backend.open(schema)
    local models = weft.models(name)
    Thing, Seat, Log = models.Thing, models.Seat, models.Log
  end)

  local function keys(rows)
    local list = {}
    for i, row in ipairs(rows) do list[i] = row.id or row.hall .. row.number end
    return list
  end

  ---The order that the database itself has for a query, its key at the end.
  local function expected(query)
    return keys(query:all())
  end

  ---All pages from the first to the last and back again.
  local function walk(query, size)
    local forth, pages, page = {}, {}, nil
    repeat
      page = query:page { size = size, after = page and page.next }
      pages[#pages + 1] = page
      assert.is_true(#page.rows <= size)
      table.move(keys(page.rows), 1, #page.rows, #forth + 1, forth)
    until not page.next
    local back = {}
    while page do
      local list = keys(page.rows)
      table.move(back, 1, #back, #list + 1)
      table.move(list, 1, #list, 1, back)
      page = page.previous and query:page { size = size, before = page.previous } or nil
    end
    return forth, back, pages
  end

  describe("a page", function()
    for _, case in ipairs(orders) do
      it("follows the one before, by " .. case[1], function()
        local query, keyed = Thing, false
        for _, order in ipairs(case[2]) do
          query = query:order(table.unpack(order))
          keyed = keyed or order[1] == "id"
        end
        local all = expected(keyed and query or query:order "id")
        assert.equal(9, #all)
        for size = 1, 10 do
          local forth, back = walk(query, size)
          assert.same(all, forth)
          assert.same(all, back)
        end
      end)
    end

    it("has 20 rows unless told", function()
      local page = Thing:page()
      assert.equal(9, #page.rows)
      assert.is_nil(page.next)
      assert.is_nil(page.previous)
      assert.same(keys(page.rows), keys(Thing:page({}).rows))
    end)

    it("says whether there is one before and one behind", function()
      local first = Thing:page { size = 4 }
      assert.same({ 1, 2, 3, 4 }, keys(first.rows))
      assert.is_nil(first.previous)
      local second = Thing:page { size = 4, after = first.next }
      assert.same({ 5, 6, 7, 8 }, keys(second.rows))
      assert.is_string(second.previous)
      local third = Thing:page { size = 4, after = second.next }
      assert.same({ 9 }, keys(third.rows))
      assert.is_nil(third.next)
      local again = Thing:page { size = 4, before = third.previous }
      assert.same({ 5, 6, 7, 8 }, keys(again.rows))
      assert.same({ 9 }, keys(Thing:page({ size = 4, after = again.next }).rows))
      local start = Thing:page { size = 4, before = again.previous }
      assert.same({ 1, 2, 3, 4 }, keys(start.rows))
      assert.is_nil(start.previous)
    end)

    it("has no next where it ends exactly", function()
      assert.is_nil(Thing:page({ size = 9 }).next)
      local eight = Thing:where("id", "<", 9):page { size = 4 }
      assert.is_nil(Thing:where("id", "<", 9):page({ size = 4, after = eight.next }).next)
    end)

    it("goes by a composite key", function()
      for size = 1, 5 do
        assert.same({ "a1", "a2", "b1", "b2", "c1" }, (walk(Seat, size)))
        assert.same({ "b2", "a2", "a1", "b1", "c1" },
          (walk(Seat:order("number", "desc"):order("taken", "asc", "nulls last"), size)))
      end
    end)

    it("honours conditions and columns", function()
      local query = Thing:where { grade = { 1, 3 } }:select("grade", "id"):order "grade"
      assert.same({ 2, 4, 8, 1, 5, 9 }, (walk(query, 4)))
      assert.same({ "grade", "id" }, weft.columns(query:page({ size = 1 }).rows[1]))
    end)

    it("does not move when rows come and go before it", function()
      local first = Thing:page { size = 3 }
      Thing:create { id = 0, title = "new" }
      finally(function() Thing:where { id = 0 }:delete() end)
      assert.same({ 4, 5, 6 }, keys(Thing:page({ size = 3, after = first.next }).rows))
    end)

    it("is empty without rows", function()
      local page = Thing:where { id = -1 }:page { size = 3 }
      assert.same({}, page.rows)
      assert.is_nil(page.next)
      assert.is_nil(page.previous)
    end)

    it("has cursors that are safe in an address", function()
      assert.truthy(Thing:order("title"):page({ size = 2 }).next:find "^[%w_%-]+$")
    end)

    it("refuses what it cannot do", function()
      local cursor = Thing:page({ size = 1 }).next
      local wrong = {
        { function() Thing:page { size = 0 } end, "size" },
        { function() Thing:page { size = "3" } end, "size" },
        { function() Thing:page { sise = 3 } end, "did you mean 'size'?" },
        { function() Thing:page(3) end, "table" },
        { function() Thing:page { after = "" } end, "cursor" },
        { function() Thing:page { after = "nonsense" } end, "cursor" },
        { function() Thing:page { after = "5b" } end, "cursor" },
        { function() Thing:page { after = 7 } end, "cursor" },
        { function() Thing:page { after = cursor, before = cursor } end, "both" },
        { function() Thing:order("title"):page { after = cursor } end, "another order" },
        { function() Thing:order(weft.raw "id"):page() end, "columns" },
        { function() Thing:group("grade"):select { "grade", n = weft.count() }:page() end, "key" },
        { function() Thing:select("title"):page() end, "'id'" },
        { function() Thing:select("id"):order("title"):page() end, "'title'" },
        { function() Thing:limit(3):page() end, "limit" },
        { function() Thing:offset(3):page() end, "offset" },
        { function() Log:page() end, "primary key" },
      }
      for i, case in ipairs(wrong) do
        local err = raises("usage", case[1], case[2])
        assert.truthy(err.message:find("page_spec.lua:", 1, true), i)
      end
    end)

    it("says type for a cursor that somebody has changed", function()
      local function hex(text) return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
      raises("type", function() Thing:page { after = hex '["x"]' } end)
      raises("type", function() Thing:page { after = hex "[[1]]" } end)
      raises("usage", function() Thing:page { after = hex '{"id":1}' } end, "cursor")
    end)
  end)

  describe("each", function()
    it("goes through ties and NULLs", function()
      for size = 1, 10 do
        local seen = {}
        for row in Thing:order("grade", "desc"):each(size) do seen[#seen + 1] = row.id end
        assert.same(expected(Thing:order("grade", "desc"):order "id"), seen)
      end
    end)

    it("can be left early", function()
      for row in Thing:each(2) do
        if row.id == 3 then break end
      end
      assert.equal(9, Thing:count())
    end)

    it("works in a task, others running between its pages", function()
      local seen = weft.run(function()
        local list, ticks = {}, 0
        weft.all {
          function() for row in Thing:each(2) do list[#list + 1] = row.id end end,
          function() for _ = 1, 5 do ticks = ticks + Seat:count() end end,
        }
        assert.equal(25, ticks)
        return list
      end)
      assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, seen)
    end)

    it("needs a key", function()
      raises("usage", function() Log:each()() end, "primary key")
    end)
  end)
end)
