-- SPDX-License-Identifier: MIT
-- Random conditions over random rows of five tables that live in one or several databases, compared with
-- nested loops over all rows (spec/support/loops.lua).

local weft = require "weft"
local backends = require "spec.support.backends"
local loops = require "spec.support.loops"

local ROUNDS = os.getenv "WEFT_SPEC_MODE" == "release" and 12 or 2 -- sets of rows for each mix
local QUERIES = 50 -- for each set of rows

local tables = { "nodes", "owners", "items", "labels", "node_labels" }

-- How the key of the owners is written, by the table whose column it is.
local key_types = {
  integer = { sqlite = "integer", postgres = "bigint", write = function(n) return n end },
  text = { sqlite = "text", postgres = "text", write = function(n) return ("'%d'"):format(n) end },
  uuid = { sqlite = "text", postgres = "uuid", write = function(n) return ("'0000000a-0000-4000-8000-%012x'"):format(n) end },
}

-- name, the database of each table (s sqlite, p postgres, with a number), types of owners.id and nodes.owner_id
local mixes = {
  { "one sqlite", { nodes = "s1", owners = "s1", items = "s1", labels = "s1", node_labels = "s1" }, "integer", "integer" },
  { "one postgres", { nodes = "p1", owners = "p1", items = "p1", labels = "p1", node_labels = "p1" }, "uuid", "uuid" },
  { "one postgres whose keys are of two types", { nodes = "p1", owners = "p1", items = "p1", labels = "p1", node_labels = "p1" },
    "integer", "text" },
  { "sqlite that leads to postgres", { nodes = "s1", owners = "p1", items = "p1", labels = "p1", node_labels = "s1" },
    "uuid", "uuid" },
  { "postgres that leads to sqlite", { nodes = "p1", owners = "s1", items = "s1", labels = "s1", node_labels = "p1" },
    "text", "integer" },
  { "two sqlites", { nodes = "s1", owners = "s2", items = "s2", labels = "s2", node_labels = "s2" }, "integer", "text" },
  { "two postgres", { nodes = "p1", owners = "p2", items = "p1", labels = "p2", node_labels = "p1" }, "integer", "integer" },
  { "four databases", { nodes = "s1", owners = "p1", items = "p2", labels = "s2", node_labels = "p1" },
    "integer", "text" },
}

-- from, name, type, to, the options of weft.include, and the pairs of columns to follow
local associations = {
  { "nodes", "parent", "belongs_to", "nodes", { foreign_key = "parent_id" }, { "parent_id", "id" } },
  { "nodes", "children", "has_many", "nodes", { foreign_key = "parent_id" }, { "id", "parent_id" } },
  { "nodes", "owner", "belongs_to", "owners", { foreign_key = "owner_id" }, { "owner_id", "id" } },
  { "nodes", "items", "has_many", "items", { foreign_key = "node_id" }, { "id", "node_id" } },
  { "nodes", "labels", "many_to_many", "labels", { through = "node_labels", foreign_key = "node_id", other_key = "label_id" },
    { "id", "node_id", "label_id", "id" } },
  { "owners", "nodes", "has_many", "nodes", { foreign_key = "owner_id" }, { "id", "owner_id" } },
  { "items", "node", "belongs_to", "nodes", { foreign_key = "node_id" }, { "node_id", "id" } },
  { "labels", "nodes", "many_to_many", "nodes", { through = "node_labels", foreign_key = "label_id", other_key = "node_id" },
    { "id", "label_id", "node_id", "id" } },
}
local of = {} -- table -> names of its associations; table .. "." .. name -> the association
for _, a in ipairs(associations) do
  of[a[1]] = of[a[1]] or {}
  table.insert(of[a[1]], a[2])
  of[a[1] .. "." .. a[2]] = a
end

local function ddl(mix, place, dialect)
  local own = key_types[mix[3]][dialect]
  local foreign = key_types[mix[4]][dialect]
  local text = {
    nodes = "create table nodes (id integer primary key, parent_id integer, owner_id " .. foreign .. ", n integer, word text)",
    owners = "create table owners (id " .. own .. " primary key, n integer, word text)",
    items = "create table items (id integer primary key, node_id integer, n integer, word text)",
    labels = "create table labels (id integer primary key, n integer, word text)",
    node_labels = "create table node_labels (node_id integer, label_id integer)",
  }
  local list = {}
  for _, name in ipairs(tables) do
    if mix[2][name] == place then list[#list + 1] = text[name] end
  end
  return table.concat(list, ";\n")
end

-- ---- rows ----

local random = math.random

local function maybe(value) return random(4) > 1 and value or nil end

local words = { "a", "ab", "b" }

local function fill(n, make)
  local rows = {}
  for i = 1, n do
    rows[i] = make(i)
    rows[i].id = i
  end
  return rows
end

local function plain() return { n = maybe(random(0, 3)), word = maybe(words[random(3)]) } end

local function random_rows()
  local world = {}
  world.owners = fill(random(0, 4), plain)
  world.labels = fill(random(0, 4), plain)
  world.nodes = fill(random(1, 9), function()
    local row = plain()
    row.parent_id, row.owner_id = maybe(random(9)), maybe(random(5))
    return row
  end)
  world.items = fill(random(0, 8), function()
    local row = plain()
    row.node_id = maybe(random(10))
    return row
  end)
  world.node_labels = fill(random(0, 10), function() return { node_id = maybe(random(9)), label_id = maybe(random(5)) } end)
  return world
end

---Rows whose column has that value.
local function matching(rows, column, value)
  local list = {}
  for _, row in ipairs(rows) do
    if value ~= nil and row[column] == value then list[#list + 1] = row end
  end
  return list
end

local function follower(world)
  return function(at, row, name)
    local a = of[at .. "." .. name]
    local keys = a[6]
    if #keys == 2 then return a[4], matching(world[a[4]], keys[2], row[keys[1]]) end
    local list = {}
    for _, between in ipairs(matching(world.node_labels, keys[2], row[keys[1]])) do
      table.move(matching(world[a[4]], keys[4], between[keys[3]]), 1, 99, #list + 1, list)
    end
    return a[4], list
  end
end

-- ---- conditions ----

-- What is left for a condition: how deep it may be, and how many tables it may enter (SQLite's parser has a
-- stack of 100 places).
local function deeper(left) return { depth = left.depth - 1, hops = left.hops } end

local function random_path(at, length, left)
  local path = {}
  left = deeper(left)
  for i = 1, length do
    local names = of[at]
    local name = names[random(#names)]
    local a = of[at .. "." .. name]
    left.hops = left.hops - #a[6] // 2
    if left.hops < 0 then break end
    path[i], at = name, a[4]
  end
  return path, at, left
end

local function random_list(make)
  local list = {}
  for i = 1, random(0, 3) do list[i] = random(5) == 1 and loops.null or make() end
  return list
end

local function random_leaf(path)
  local column, make = "n", function() return random(0, 3) end
  if random(3) == 1 then column, make = "word", function() return words[random(3)] end end
  local ops = { "=", "!=", "<", ">=", "in", "not_in", "is_null", "not_null", "between", column == "n" and "=" or "begins_with" }
  local op = ops[random(#ops)]
  local value
  if op == "in" or op == "not_in" then value = random_list(make)
  elseif op == "between" then value = { make(), make() }
  elseif op ~= "is_null" and op ~= "not_null" then value = make() end
  return { "leaf", path = path, column = column, op = op, value = value }
end

local random_condition

local function some_of(at, left, n)
  local list = {}
  for i = 1, n do list[i] = random_condition(at, deeper(left)) end
  return list
end

local function leaf(at, left) return random_leaf(random(2) == 1 and {} or (random_path(at, random(3), left))) end

local makers = {
  function(at, left) return { "and", table.unpack(some_of(at, left, random(2, 3))) } end,
  function(at, left) return { "or", table.unpack(some_of(at, left, random(1, 3))) } end,
  function(at, left) return { "not", random_condition(at, deeper(left)) } end,
}
for _, kind in ipairs { "some", "none", "every" } do
  makers[#makers + 1] = function(at, left)
    local path, to, rest = random_path(at, random(4) == 1 and 2 or 1, left)
    if #path == 0 then return leaf(at, left) end
    return { kind, path = path, (kind == "every" or random(4) > 1) and random_condition(to, rest) or nil }
  end
end

function random_condition(at, left)
  if left.depth > 0 and random(3) > 1 then return makers[random(#makers)](at, left) end
  return leaf(at, left)
end

local function value_for_weft(value)
  if value == loops.null then return weft.null end
  if type(value) ~= "table" then return value end
  local list = {}
  for i, one in ipairs(value) do list[i] = value_for_weft(one) end
  return list
end

---The same condition as Weft takes it.
local function for_weft(c)
  local kind = c[1]
  if kind == "leaf" then
    local name = table.concat(c.path, ".") .. (#c.path > 0 and "." or "") .. c.column
    return { name, c.op, value_for_weft(c.value) }
  end
  local list = {}
  for i = 2, #c do list[i - 1] = for_weft(c[i]) end
  if kind == "and" then return random(2) == 1 and list or weft.all_of(list) end
  if kind == "or" then return weft.any_of(list) end
  if kind == "not" then return weft.negate(list[1]) end
  return weft[kind](table.concat(c.path, "."), list[1])
end

-- ---- the suite ----

local function suite(mix)
  local places, models = {}, {}

  setup(function()
    for _, name in ipairs(tables) do
      local place = mix[2][name]
      if not places[place] then
        local backend = backends[place:sub(1, 1) == "s" and "sqlite memory" or "postgres"]
        local db, database = backend.open(ddl(mix, place, backend.dialect))
        places[place] = { db = db, database = database }
      end
      models[name] = weft.models(places[place].database)[name]
    end
    for _, a in ipairs(associations) do
      local spec = { from = models[a[1]], as = a[2], type = a[3], to = models[a[4]] }
      for key, value in pairs(a[5]) do spec[key] = value end
      if spec.through then spec.through = models[spec.through] end
      weft.include(spec)
    end
  end)

  local function literal(name, column, value)
    if value == nil then return "null" end
    if name == "owners" and column == "id" then return key_types[mix[3]].write(value) end
    if column == "owner_id" then return key_types[mix[4]].write(value) end
    return type(value) == "string" and ("'%s'"):format(value) or tostring(value)
  end

  local columns = { nodes = "id parent_id owner_id n word", owners = "id n word", items = "id node_id n word",
    labels = "id n word", node_labels = "node_id label_id" }

  local function store(world)
    for _, name in ipairs(tables) do
      local db, lines = places[mix[2][name]].db, {}
      db:execute("delete from " .. name)
      for i, row in ipairs(world[name]) do
        local cells = {}
        for column in columns[name]:gmatch "%S+" do cells[#cells + 1] = literal(name, column, row[column]) end
        lines[i] = "(" .. table.concat(cells, ", ") .. ")"
      end
      if #lines > 0 then db:execute(("insert into %s values %s"):format(name, table.concat(lines, ", "))) end
    end
  end

  local function number_of(id) return tonumber(id) or tonumber(id:match "%x+$", 16) end

  local function ids(rows)
    local list = {}
    for i, row in ipairs(rows) do list[i] = number_of(row.id) end
    table.sort(list)
    return table.concat(list, " ")
  end

  local function expected(world, at, conditions)
    local list = {}
    for _, row in ipairs(world[at]) do
      local all = true
      for _, c in ipairs(conditions) do all = all and loops.evaluate(world, at, row, c) == true end
      if all then list[#list + 1] = row.id end
    end
    return table.concat(list, " "), #list
  end

  ---Counts the rows that an update of all that match would write, and takes it back.
  local function updated(at, query)
    return places[mix[2][at]].db:transaction(function(tx)
      return tx:rollback(query:update { n = random(0, 3) })
    end)
  end

  local function try(world, at, depth)
    local conditions = {}
    for i = 1, random(3) == 1 and 2 or 1 do conditions[i] = random_condition(at, { depth = depth, hops = 5 }) end
    local query, shown = models[at], {}
    for i, c in ipairs(conditions) do
      shown[i] = loops.show(c)
      query = query:where(for_weft(c))
    end
    local list, n = expected(world, at, conditions)
    local text = at .. ": " .. table.concat(shown, " and where ")
    assert.equal(list, ids(query:all()), text)
    if random(3) == 1 then assert.equal(n, query:count(), text) end
    if random(3) == 1 then assert.equal(n, updated(at, query), text) end
  end

  it("answers as nested loops do", function()
    local starts = { "nodes", "nodes", "owners", "items", "labels" }
    for round = 1, ROUNDS do
      math.randomseed(round)
      local world = random_rows()
      world.follow = follower(world)
      store(world)
      for _ = 1, QUERIES do
        local depth = random(0, 3)
        local at = starts[random(#starts)]
        local ok, err = pcall(try, world, at, depth)
        if not ok then error(("round %d: %s"):format(round, tostring(type(err) == "table" and (err.message or err) or err)), 0) end
      end
    end
  end)
end

describe("random conditions", function()
  for _, mix in ipairs(mixes) do
    describe("in " .. mix[1], function() suite(mix) end)
  end
end)
