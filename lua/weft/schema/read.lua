-- SPDX-License-Identifier: MIT
-- From the rows of a catalog (core/dialect_schema.h says what is in them) to the tables, views and types of a
-- database. The rows are the objects: they are put where they belong, and what was there for that alone is taken
-- out again.

local core = require "weft.core"
local view_columns = require "weft.schema.view_columns"

local M = {}

-- Lists ---------------------------------------------------------------------------------------

---Elements by a field of theirs. (ipairs asks for the number behind the last one, too.)
local function found_by(field)
  return {
    __name = "weft.list",
    __index = function(list, name)
      if type(name) ~= "string" then return nil end
      for i = 1, #list do
        if list[i][field] == name then return list[i] end
      end
    end,
  }
end

local by_name, by_key = found_by "name", found_by "key"

---A list whose elements are found by their names, too.
function M.list(objects) return setmetatable(objects or {}, by_name) end

---Why core.null: a JSON list says null where an object has nothing.
local function is_absent(value) return value == nil or value == core.null end

-- Owners --------------------------------------------------------------------------------------

---What an object of the whole database is called: its bare name where that is enough.
local function key_of(object)
  if not object.schema or object.visible then return object.name end
  return object.schema .. "." .. object.name
end

local function read_object(reading, object)
  object.key = key_of(object)
  reading.by_id[object.id] = object
  object.id = nil
end

local table_lists = { "columns", "foreign_keys", "uniques", "indexes", "checks", "exclusions", "triggers" }

local function read_table(reading, t)
  read_object(reading, t)
  for _, name in ipairs(table_lists) do t[name] = M.list() end
  t.primary_key = {}
  reading.names[t] = {}
  local is_view = t.kind == "view" or t.kind == "materialized_view"
  local list = is_view and reading.model.views or reading.model.tables
  list[#list + 1] = t
end

---Names for a list of numbers or names.
local function names_of(reading, t, list)
  local names, numbers = {}, reading.names[t]
  for i, column in ipairs(list) do names[i] = numbers[column] or column end
  return names
end

---A function that files the rows of a part at the tables that own them; rows of what is left out go with it.
local function owned(file)
  return function(reading, row)
    local t = reading.by_id[row.owner]
    row.owner = nil
    if t then file(reading, t, row) end
  end
end

local function owned_by(list)
  return owned(function(_, t, row)
    local objects = t[list]
    objects[#objects + 1] = row
  end)
end

-- Columns -------------------------------------------------------------------------------------

---"varchar(80)" -> 80, nil; "numeric(10, 2)" -> 10, 2.
local function arguments(type)
  local first, second = type:match "%((%-?%d+)%s*,?%s*(%-?%d*)%)"
  return math.tointeger(first), math.tointeger(second)
end

---"enum('a','it''s')" -> { "a", "it's" }; nil for other types.
local function labels(type)
  local list = type:match "^enum%((.*)%)$" or type:match "^set%((.*)%)$"
  if not list then return nil end
  local values, from = {}, 1
  while from <= #list do
    local to = from
    repeat to = list:find("'", to + 1, true) + 1 until list:sub(to, to) ~= "'"
    values[#values + 1] = list:sub(from + 1, to - 2):gsub("''", "'")
    from = to + 1
  end
  return values
end

---Lengths and the like of a type, from its text.
local function add_sizes(facts, type)
  facts.unsigned = type:find(" unsigned", 1, true) and true
  facts.values = labels(type)
  local first, second = arguments(facts.values and "" or type)
  if facts.kind == "decimal" then
    facts.precision, facts.scale = first, first and (second or 0)
  elseif facts.kind == "string" or facts.kind == "bytes" then
    facts.length = first
  elseif facts.kind ~= "integer" and facts.kind ~= "boolean" then
    facts.precision = first
  end
end

---What a column has by its type: that is text, or the id of one that the database tells more of.
local function facts_of(reading, type)
  local told = reading.told[type] or { type = type, category = type:match "^%a+" }
  local facts = { type = told.type, domain = told.domain and reading.by_id[told.domain].key }
  facts.enum = told.enum and reading.by_id[told.enum].key
  facts.kind, facts.elem = core.value_kind(reading.db, told)
  if facts.enum and facts.elem then facts.elem = "string" end
  add_sizes(facts, told.base or told.type)
  return { facts = facts, not_null = told.not_null, collation = told.collation }
end

local function add_facts(reading, column)
  local by_type = reading.facts[column.type]
  if not by_type then
    by_type = facts_of(reading, column.type)
    reading.facts[column.type] = by_type
  end
  for name, value in next, by_type.facts do column[name] = value end
  column.nullable = not by_type.not_null and column.nullable or false
  if column.collation == by_type.collation then column.collation = nil end
end

---A column that its database stores as text and knows as json by a check alone.
local function read_json_column(reading, t, column)
  reading.json[t] = reading.json[t] or {}
  reading.json[t][column.name] = true
end

local function read_column(reading, t, column)
  local columns, json = t.columns, reading.json[t]
  if json and json[column.name] then column.type, column.collation = "json", nil end
  reading.names[t][column.number] = column.name
  column.number = nil
  columns[#columns + 1] = column
  column.position = #columns
  if column.key then t.primary_key[column.key] = column.name end
  if t.kind == "view" then column.default, column.collation = nil, nil end -- MySQL shows the table's
  add_facts(reading, column)
  if column.collation == t.collation then column.collation = nil end
end

-- Keys ----------------------------------------------------------------------------------------

local function read_key(reading, t, key)
  key.columns = names_of(reading, t, key.columns)
  key.include = key.include and names_of(reading, t, key.include)
  if key.nulls_not_distinct then key.nulls_distinct, key.nulls_not_distinct = false, nil end
  if key.primary then
    t.primary_key, t.primary_key_name = key.columns, key.name
    reading.key_index[t] = true
    return
  end
  t.uniques[#t.uniques + 1] = key
end

local function target_of(reading, key)
  if key.target_id then return reading.by_id[key.target_id] end
  return reading:find(key.schema, key.table)
end

local function names_nothing(list) return #list == 0 or is_absent(list[1]) end

local function read_foreign_key(reading, t, key)
  local target = target_of(reading, key)
  key.columns = names_of(reading, t, key.columns)
  if target then
    key.key, key.table, key.target_id = target.key, target.name, nil
    key.schema = not target.visible and target.schema or nil
    key.target = names_nothing(key.target) and { table.unpack(target.primary_key) } or names_of(reading, target, key.target)
  else
    key.missing, key.elsewhere, key.target_id = not key.elsewhere, nil, nil
    key.key = key.schema and key.schema .. "." .. key.table or key.table
    if names_nothing(key.target) then key.target = {} end
  end
  if key.unruled then
    table.insert(reading.model.left_out, { what = ("actions of %s.%s"):format(t.key, key.name), why = "the user may only read the table" })
  end
  key.unruled = nil
  key.set_columns = key.set_columns and names_of(reading, t, key.set_columns)
  key.valid, key.not_valid = not key.not_valid, nil
  t.foreign_keys[#t.foreign_keys + 1] = key
end

local function parts_of(reading, t, index)
  local parts = index.parts
  if not parts then
    parts = names_of(reading, t, index.columns)
    for i, name in ipairs(parts) do parts[i] = { column = name } end
  end
  for i, bits in ipairs(index.orders or {}) do
    if bits & 1 == 1 then parts[i].order = "desc" end
    if bits == 1 then parts[i].nulls = "last" elseif bits == 2 then parts[i].nulls = "first" end
  end
  index.columns, index.orders = nil, nil
  return parts
end

local function read_index(reading, t, index)
  index.parts = parts_of(reading, t, index)
  index.include = index.include and names_of(reading, t, index.include)
  index.valid, index.invalid = not index.invalid, nil
  if index.nulls_not_distinct then index.nulls_distinct, index.nulls_not_distinct = false, nil end
  t.indexes[#t.indexes + 1] = index
end

local function read_check(_, t, check)
  check.valid, check.not_valid = not check.not_valid, nil
  t.checks[#t.checks + 1] = check
end

local function read_partition(reading, parent, partition)
  parent.partitions = parent.partitions or M.list()
  parent.partition_by, partition.parent_by = parent.partition_by or partition.parent_by, nil
  parent.partitions[#parent.partitions + 1] = partition
  reading.by_id[partition.id], partition.id = partition, nil
end

local function read_sequence(reading, sequence)
  local t = reading.by_id[sequence.owner]
  if t then sequence.owned_by = { table = t.key, column = reading.names[t][sequence.number] } end
  sequence.owner, sequence.number = nil, nil
  read_object(reading, sequence)
  table.insert(reading.model.sequences, sequence)
end

local function into(list)
  return function(reading, object)
    read_object(reading, object)
    table.insert(reading.model[list], object)
  end
end

local function read_type(reading, row) reading.told[row.id] = row end

---What is done with each row of a part, in this order: types before the columns that are of them, columns before keys.
local steps = {
  { "enums", into "enums" },
  { "domains", into "domains" },
  { "row_types", into "types" },
  { "types", read_type },
  { "tables", read_table },
  { "definitions", owned(function(_, t, view) t.definition = view.definition end) },
  { "json_columns", owned(read_json_column) },
  { "columns", owned(read_column) },
  { "view_columns", owned(read_column) },
  { "keys", owned(read_key) },
  { "foreign_keys", owned(read_foreign_key) },
  { "indexes", owned(read_index) },
  { "checks", owned(read_check) },
  { "exclusions", owned_by "exclusions" },
  { "partitions", owned(read_partition) },
  { "triggers", owned_by "triggers" },
  { "sequences", read_sequence },
}

-- The whole -----------------------------------------------------------------------------------

local Reading = {}
Reading.__index = Reading

---The table or view that a name means: as it is spelled, or else in any case.
function Reading:find(schema, name)
  local found = self.by_name
  if not found then
    found = {}
    local function note(t, as)
      if t.schema then found[t.schema .. "\0" .. as] = t end
      if t.visible then found["\0" .. as] = t end
    end
    for _, as in ipairs { string.lower, function(text) return text end } do
      for _, list in ipairs { self.model.views, self.model.tables } do
        for _, t in ipairs(list) do note(t, as(t.name)) end
      end
    end
    self.by_name = found
  end
  local prefix = (schema or "") .. "\0"
  return found[prefix .. name] or found[prefix .. name:lower()]
end

---A view's columns_of. One that is asked for while it is being found out (there is no such view, but there may be
---such text) has none.
function Reading:columns_of(view)
  if not view.definition or self.resolved[view] then return view.columns_of end
  self.resolved[view] = true
  view.columns_of = view_columns.of(view, function(...) return self:find(...) end, function(v) return self:columns_of(v) end)
  return view.columns_of
end

local function by_order(a, b)
  if (a.visible or false) ~= (b.visible or false) then return a.visible end
  return a.key < b.key
end

local function finish_table(reading, t)
  for i, name in ipairs(t.primary_key) do t.columns[name].key = i end
  if t.inherits then
    for i, id in ipairs(t.inherits) do t.inherits[i] = reading.by_id[id] and reading.by_id[id].key or nil end
    t.inherits = #t.inherits > 0 and { table.unpack(t.inherits) } or nil
  end
  if t.sql then require "weft.schema.sqlite".complete(t, reading.key_index[t] or false) end
end

local function schemas_of(model)
  local seen, list = {}, {}
  for _, objects in ipairs { model.tables, model.views, model.enums, model.domains, model.types, model.sequences } do
    for _, object in ipairs(objects) do
      if object.schema and not seen[object.schema] then
        seen[object.schema] = true
        list[#list + 1] = object.schema
      end
    end
  end
  table.sort(list)
  return list
end

---A view that the database cannot tell the columns of any more: they were those of something that is gone.
local function note_broken(model)
  local noted = {}
  for _, entry in ipairs(model.left_out) do noted[entry.what] = true end
  for _, view in ipairs(model.views) do
    local what = "view_columns of " .. view.name
    if #view.columns == 0 and not noted[what] then
      model.left_out[#model.left_out + 1] = { what = what, why = "the database tells none: what it selects may be gone" }
    end
  end
end

local lists = { "tables", "views", "enums", "domains", "types", "sequences" }

---@param db weft.Database
---@param parts table<string, table[]> rows by what they tell of; what is missing was left out
---@param left_out { what: string, why: string }[]
---@return weft.Model
function M.model(db, parts, left_out)
  local model = { left_out = left_out }
  for _, name in ipairs(lists) do model[name] = setmetatable({}, by_key) end
  local reading = setmetatable({ db = db, model = model, by_id = {}, names = {}, told = {}, facts = {}, json = {},
    key_index = {}, resolved = {} }, Reading)
  for _, step in ipairs(steps) do
    local read = step[2]
    for _, row in ipairs(parts[step[1]] or {}) do read(reading, row) end
  end
  for _, list in ipairs { model.tables, model.views } do
    for _, t in ipairs(list) do finish_table(reading, t) end
  end
  for _, view in ipairs(model.views) do reading:columns_of(view) end
  for _, name in ipairs(lists) do table.sort(model[name], by_order) end
  model.schemas = schemas_of(model)
  note_broken(model)
  return model
end

return M
