-- SPDX-License-Identifier: MIT
-- weft run tree.lua: one JSON line about large trees, in two SQLite databases in memory: 100,000 parents with
-- 10,000 children of another database (ms; share: what joining adds to reading both sides), memory of a row of
-- a tree (bytes), touching an association of 10,000 rows (ms).

local weft = require "weft"
local core = require "weft.core"

weft.configure { databases = { near = "sqlite::memory:", far = "sqlite::memory:" } }
local near, far = weft.database "near", weft.database "far"
near:script [[
  create table parent (id integer primary key, child_id integer not null, name text not null);
  create table leaf (id integer primary key, parent_id integer not null references parent, name text not null);
  create index leaf_parent on leaf (parent_id);
  with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
    insert into parent select i, i * 7919 % 10000 + 1, 'parent number ' || i from n;
  insert into leaf select id, (id + 2) / 3, 'leaf number ' || id from parent]]
far:script [[
  create table child (id integer primary key, name text not null);
  with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)
    insert into child select i, 'child number ' || i from n]]
local Parent, Child = weft.models "near".parent, weft.models "far".child
local with_child = weft.include { from = Parent, to = Child, as = "child", type = "belongs_to", foreign_key = "child_id", target_key = "id" }

local function timed(fn)
  collectgarbage()
  local from = core.clock()
  local result = fn()
  return (core.clock() - from) * 1000, result
end

local function median(fn)
  local list = {}
  for i = 1, 5 do list[i] = timed(fn) end
  table.sort(list)
  return list[3]
end

local keys = {}
for i = 1, 10000 do keys[i] = i end
local function children()
  local rows
  for from = 1, 10000, 500 do
    rows = Child:where("id", "in", table.move(keys, from, from + 499, 1, {})):all()
  end
  return rows
end

local whole = median(function() return Parent:include(with_child):all() end)
local parts = median(function() return { Parent:all(), children() } end)
local text = median(function() return Parent:include(with_child):json() end)

collectgarbage()
local before = collectgarbage "count"
local tree = Parent:limit(20000):include("leaves"):all()
collectgarbage()
local rows = #tree
for _, parent in ipairs(tree) do rows = rows + #parent.leaves end
local bytes = (collectgarbage "count" - before) * 1024 / rows
tree = nil -- luacheck: ignore
collectgarbage()
before = collectgarbage "count"
local list = Parent:limit(rows):all()
collectgarbage()
local plain = (collectgarbage "count" - before) * 1024 / #list
list = nil -- luacheck: ignore

local touched = Parent:order("id"):limit(10000):all()
local statements = 0
local off = weft.on("query", function() statements = statements + 1 end)
local touch = timed(function()
  for _, row in ipairs(touched) do
    if not row.child then error "no child" end
  end
end)
off()
print(weft.encode { whole = whole, parts = parts, json = text, share = (whole - parts) / whole, bytes = bytes, plain = plain,
  touch = touch, statements = statements, rows = rows })
