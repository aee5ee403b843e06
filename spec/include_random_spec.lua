-- SPDX-License-Identifier: MIT
-- Random tables, associations, include trees, cross joins and conditions through associations, against nested loops over all rows.
--
-- Keys are integers or text, with NULLs, duplicates and values that lead nowhere. WEFT_SPEC_SEED picks others.

local weft = require "weft"
local mixes = require "spec.support.mixes"

local full = os.getenv "WEFT_SPEC_MODE" == "release" and not os.getenv "CI"
local SCHEMAS, TREES = full and 15 or 3, full and 40 or 15
local SEED = tonumber(os.getenv "WEFT_SPEC_SEED") or 1

local random = math.random
local function one_in(n) return random(n) == 1 end
local function pick(list) return list[random(#list)] end

local columns = { "id", "a", "b", "c", "v" } -- id and a are integers, b and c text, v an integer
local is_text = { b = true, c = true }

-- ---- tables ----

local function cell(column)
  if one_in(6) then return nil end
  if not is_text[column] then return random(0, 6) end
  return one_in(4) and pick { "x", "y", "X", "" } or tostring(random(0, 6))
end

local function literal(value)
  if value == nil then return "null" end
  return type(value) == "string" and "'" .. value .. "'" or tostring(value)
end

---A table of one side with random rows, in the database and as a list.
local function new_table(mix, side, name)
  local t = { side = side, name = name, rows = {} }
  local lines = { ("create table %s (id integer primary key, a integer, b text, c text, v integer);"):format(name) }
  for id = 1, random(0, 14) do
    local row = { id = id, a = cell "a", b = cell "b", c = cell "c", v = cell "v" }
    t.rows[id] = row
    lines[#lines + 1] = ("insert into %s values (%d, %s, %s, %s, %s);"):format(name, id, literal(row.a), literal(row.b), literal(row.c),
      literal(row.v))
  end
  mix[side .. "_db"]:script(table.concat(lines, "\n"))
  t.model = mix:model(side, name)
  t.full_name = mix[side] .. "." .. name
  return t
end

-- ---- keys, conditions, orders: as Weft takes them and as Lua functions ----

local function same(x, y)
  if x == nil or y == nil then return false end
  if type(x) == type(y) then return x == y end
  local text, number = type(x) == "string" and x or y, type(x) == "string" and y or x
  return text == tostring(number)
end

local function keys_meet(row, mine, other, theirs)
  for i = 1, #mine do
    if not same(row[mine[i]], other[theirs[i]]) then return false end
  end
  return true
end

---Two lists of columns that are compared with each other.
local function random_keys()
  if one_in(5) then return pick { { "a", "b" }, { "a", "c" }, { "b", "c" } }, pick { { "a", "b" }, { "a", "c" }, { "v", "b" } } end
  return { pick { "id", "a", "b", "c" } }, { pick { "id", "a", "b", "c" } }
end

local function random_condition()
  local n = random(0, 6)
  local function list(row) return row.v == 2 or row.v == n or row.v == 5 end
  return table.unpack(pick {
    { { v = n }, function(row) return row.v == n end },
    { { v = { 2, n, 5 } }, list },
    { { v = weft.null }, function(row) return row.v == nil end },
    { { v = { n, weft.null } }, function(row) return row.v == nil or row.v == n end },
    { weft.any_of { { "v", ">", n }, { "b", "is_null" } }, function(row) return row.v ~= nil and row.v > n or row.b == nil end },
    { weft.all_of { { "v", "<=", n }, { "a", "not_null" } }, function(row) return row.v ~= nil and row.v <= n and row.a ~= nil end },
    { weft.negate { v = n }, function(row) return row.v ~= nil and row.v ~= n end },
    { { v = {} }, function() return false end },
  })
end

---By v or a, and then by id.
local function random_order()
  local column, down, first = pick { "v", "a", "id" }, one_in(2), one_in(2)
  local by_id = one_in(2)
  local function before(x, y)
    local p, q = x[column], y[column]
    if p ~= q then
      if p == nil or q == nil then return (p == nil) == first end
      if down then return p > q end
      return p < q
    end
    if by_id then return x.id < y.id end
    return x.id > y.id
  end
  return { { column, down and "desc" or "asc", first and "nulls first" or "nulls last" }, { "id", by_id and "asc" or "desc" } }, before
end

-- ---- associations ----

---An association from one table to another, wired by weft.include, and what it means.
local function new_association(tables, from, name)
  local to, through = pick(tables), pick(tables)
  local kind = pick { "belongs_to", "has_many", "has_many", "has_one", "many_to_many" }
  local it = { name = name, from = from, to = to, kind = kind, many = kind == "has_many" or kind == "many_to_many" }
  local spec = { from = from.model, to = to.full_name, as = name, type = kind }
  it.source, it.target = random_keys()
  if kind == "many_to_many" then
    it.through, it.near, it.far = through, it.target, nil
    it.far, it.target = random_keys()
    spec.through, spec.foreign_key, spec.other_key = through.full_name, it.near, it.far
    spec.source_key, spec.target_key = it.source, it.target
  elseif kind == "belongs_to" then
    spec.foreign_key, spec.target_key = it.source, it.target
  else
    spec.foreign_key, spec.source_key = it.target, it.source
  end
  if one_in(3) then spec.where, it.where = random_condition() end
  if kind ~= "belongs_to" then spec.order, it.before = random_order() end
  weft.include(spec)
  return it
end

local function matches(it, row)
  local found = {}
  for _, between in ipairs(it.through and it.through.rows or { row }) do
    if not it.through or keys_meet(row, it.source, between, it.near) then
      for _, other in ipairs(it.to.rows) do
        if keys_meet(between, it.through and it.far or it.source, other, it.target) then found[#found + 1] = other end
      end
    end
  end
  return found
end

-- ---- trees ----

local function random_select()
  if one_in(2) then return nil end
  local list = {}
  for _, column in ipairs(columns) do
    if one_in(2) then list[#list + 1] = column end
  end
  return #list > 0 and list or { "v" }
end

---What is included below rows of a table: a list of nodes in the order of their names.
local function random_tree(t, depth)
  local nodes = {}
  for _, it in ipairs(t.associations) do
    if depth > 0 and one_in(2) then
      local node = { it = it, below = random_tree(it.to, depth - 1), before = it.before }
      node.given = { it.name, select = random_select() }
      if it.kind == "belongs_to" or one_in(2) then node.given.order, node.before = random_order() end
      if one_in(3) then node.given.where, node.where = random_condition() end
      if it.many and one_in(3) then node.given.limit = random(0, 3) end
      if it.many and one_in(4) then node.given.offset = random(0, 2) end
      local below = {}
      for i, child in ipairs(node.below) do below[i] = child.given end
      if #below > 0 then node.given.include = below end
      nodes[#nodes + 1] = node
    end
  end
  return nodes
end

---The rows below a row by one node, as a query would give them.
local function rows_below(node, row)
  local it, kept = node.it, {}
  for _, other in ipairs(matches(it, row)) do
    if (not it.where or it.where(other)) and (not node.where or node.where(other)) then kept[#kept + 1] = other end
  end
  table.sort(kept, node.before)
  local first = (node.given.offset or 0) + 1
  local last = node.given.limit and first + node.given.limit - 1 or #kept
  return table.move(kept, first, math.min(last, #kept), 1, {})
end

local expected_rows

local function expected_row(row, selected, nodes)
  local parts = {}
  for i, column in ipairs(selected or columns) do
    local value = row[column]
    parts[i] = ('"%s":%s'):format(column, value == nil and "null" or weft.encode(value))
  end
  for _, node in ipairs(nodes) do
    local below = rows_below(node, row)
    if node.it.many then
      parts[#parts + 1] = ('"%s":%s'):format(node.it.name, expected_rows(below, node.given.select, node.below))
    elseif below[1] then
      parts[#parts + 1] = ('"%s":%s'):format(node.it.name, expected_row(below[1], node.given.select, node.below))
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function expected_rows(rows, selected, nodes)
  local list = {}
  for i, row in ipairs(rows) do list[i] = expected_row(row, selected, nodes) end
  return "[" .. table.concat(list, ",") .. "]"
end

-- ---- asking ----

---The same tree without options, loaded by touching rows, as text.
local function touched(rows, nodes)
  local list = {}
  for i, row in ipairs(rows) do
    for _, node in ipairs(nodes) do
      local below = row[node.it.name]
      if below then touched(node.it.many and below or { below }, node.below) end
    end
    list[i] = row
  end
  return list
end

local function without_options(nodes)
  local list = {}
  for i, node in ipairs(nodes) do
    list[i] = { it = node.it, before = node.it.before, given = { node.it.name }, below = without_options(node.below) }
  end
  return list
end

---Does every single row below have an order, so that it is known which one comes?
local function is_certain(nodes)
  for _, node in ipairs(nodes) do
    if not node.before or not is_certain(node.below) then return false end
  end
  return true
end

---Names of a row's fields may come in the order in which they were touched: both ways in one order.
local function sorted_text(value)
  if type(value) ~= "table" then return weft.encode(value) end
  local parts = {}
  if value[1] ~= nil or next(value) == nil then
    for i, item in ipairs(value) do parts[i] = sorted_text(item) end
  else
    for name, item in pairs(value) do
      if item ~= weft.null then parts[#parts + 1] = name .. ":" .. sorted_text(item) end
    end
    table.sort(parts)
  end
  return "(" .. table.concat(parts, ",") .. ")"
end

---A random query of a table's rows, and the rows that it gives.
local function random_root(t)
  local selected = random_select()
  local query, order, before = t.model, random_order()
  for _, by in ipairs(order) do query = query:order(table.unpack(by)) end
  local condition, keep
  if one_in(2) then condition, keep = random_condition() end
  if condition then query = query:where(condition) end
  local rows = {}
  for _, row in ipairs(t.rows) do
    if not keep or keep(row) then rows[#rows + 1] = row end
  end
  table.sort(rows, before)
  if one_in(4) then
    local limit = random(0, 4)
    query = query:limit(limit)
    rows = table.move(rows, 1, math.min(limit, #rows), 1, {})
  end
  if selected then query = query:select(selected) end
  return query, rows, selected
end

local function check_tree(t)
  local nodes = random_tree(t, 3)
  local query, rows, selected = random_root(t)
  local included = query
  for _, node in ipairs(nodes) do included = included:include(node.given) end
  local wanted = expected_rows(rows, selected, nodes)
  assert.equal(wanted, included:json())
  assert.equal(wanted, weft.encode(included:all()))
  if selected then return end
  local plain = without_options(nodes)
  if is_certain(plain) then
    assert.equal(sorted_text(weft.decode(expected_rows(rows, nil, plain))), sorted_text(weft.decode(weft.encode(touched(query:all(), plain)))))
  end
end

---A cross_join over the rows of a table by an association's keys.
local function check_cross_join(t)
  local it = pick(t.associations)
  if it.through then return end
  local query, rows = random_root(t)
  query = query:select(table.unpack(columns))
  local spec = { model = it.to.full_name, key = it.source, foreign_key = it.target, as = "zz", many = one_in(2), select = random_select(),
    batch_size = one_in(3) and random(1, 4) or nil }
  local node = { it = { name = "zz", many = spec.many, to = it.to, source = it.source, target = it.target }, below = {}, given = spec }
  spec.order, node.before = random_order()
  if one_in(3) then spec.where, node.where = random_condition() end
  if spec.many and one_in(3) then spec.limit = random(0, 3) end
  assert.equal(expected_rows(rows, columns, { node }), weft.encode(weft.cross_join(query:all(), { spec })))
end

---A condition on rows that an association leads to, here or in the other database, and of which rows it holds.
local function random_remote(t, depth)
  local it, word = pick(t.associations), pick { "some", "none", "every" }
  local given, keep = random_condition()
  if depth > 0 and one_in(2) then
    local own, more, also = keep, random_remote(it.to, depth - 1)
    given, keep = weft.all_of { given, more }, function(row) return own(row) and also(row) end
  end
  local function holds(row)
    for _, other in ipairs(matches(it, row)) do
      if not it.where or it.where(other) then
        local kept = keep(other)
        if word == "every" and not kept then return false end
        if word ~= "every" and kept then return word == "some" end
      end
    end
    return word ~= "some"
  end
  local condition = weft[word](it.name, given)
  if one_in(4) then return weft.negate { condition }, function(row) return not holds(row) end end
  return condition, holds
end

local function check_condition(t)
  local condition, keep = random_remote(t, 2)
  local other, also = random_condition()
  local both = one_in(2)
  local wanted = {}
  for _, row in ipairs(t.rows) do
    if both and keep(row) and also(row) or not both and (keep(row) or also(row)) then wanted[#wanted + 1] = row.id end
  end
  local query = t.model:where((both and weft.all_of or weft.any_of) { condition, other })
  assert.same(wanted, table.move(query:order "id":pluck "id", 1, #wanted + 1, 1, {}))
  assert.equal(#wanted, query:count())
end

mixes.each(function(mix)
  setup(function() mix:open() end)
  teardown(function() mix:close() end)

  it("gives what nested loops give", function()
    for schema = 1, SCHEMAS do
      local seed = SEED * 1000 + schema
      math.randomseed(seed)
      local tables = {}
      for i = 1, random(3, 4) do tables[i] = new_table(mix, pick { "near", "far" }, ("s%d_t%d"):format(schema, i)) end
      for _, t in ipairs(tables) do
        t.associations = {}
        for i = 1, random(1, 3) do t.associations[i] = new_association(tables, t, "as" .. i) end
      end
      for tree = 1, TREES do
        local function check()
          check_tree(pick(tables))
          check_cross_join(pick(tables))
          check_condition(pick(tables))
        end
        local around = pick { function(fn) fn() end, weft.run, function(fn) mix.near_db:transaction(fn) end }
        local ok, err = pcall(around, check)
        if not ok then error(("seed %d, tree %d: %s"):format(seed, tree, tostring(type(err) == "table" and err.message or err)), 0) end
      end
    end
  end)
end)
