-- SPDX-License-Identifier: MIT
-- What must be taken away and what made so that one schema becomes another. Beyond the changes themselves that is what
-- stands in their way: keys that point to a unique that goes, indexes and checks that speak of a column whose type
-- changes, views that read it. Dialects say how; see ddl_*_alter.

local order = require "weft.ddl.order"

---@class weft.DdlPlan
---@field old weft.Model with the names of the new one
---@field new weft.Model
---@field drops table<string, { t: weft.Table, object: table }[]> by what it is
---@field makes table<string, { t: weft.Table, object: table }[]>
---@field columns table<string, weft.Change[]> changes of columns by key of the table
---@field tables weft.Change[] changes of tables
---@field types weft.Change[] of enums, domains, types and sequences
---@field renames weft.Change[]
---@field light weft.Change[] changes that need nothing to give way
---@field names table<string, true> names, in lower case, of tables and views on which no view may stand meanwhile
local Plan = {}
Plan.__index = Plan

local M = {}

-- Looking up ----------------------------------------------------------------------------------

---The table or view of a model that has a key.
local function find(model, key)
  for _, list in ipairs { model and model.tables or {}, model and model.views or {} } do
    for _, t in ipairs(list) do
      if t.key == key then return t end
    end
  end
end
M.find = find

local lists = {
  foreign_key = "foreign_keys", unique = "uniques", index = "indexes", check = "checks", exclusion = "exclusions", trigger = "triggers",
}

---The objects of a kind that a table has; the primary key is one, too.
local function objects(t, what)
  if what == "primary_key" then
    if not t.primary_key or #t.primary_key == 0 then return {} end
    return { { name = t.primary_key_name, columns = t.primary_key, on_conflict = t.primary_key_conflict } }
  end
  return t[lists[what]] or {}
end

local function same_columns(a, b) return table.concat(a or {}, "\0") == table.concat(b or {}, "\0") end

local function twin(t, what, object)
  for _, other in ipairs(t and objects(t, what) or {}) do
    local named = object.name ~= nil and other.name == object.name
    local alike = object.name == nil and same_columns(object.columns, other.columns) and object.key == other.key
      and object.expression == other.expression
    if what == "primary_key" or named or alike then return other end
  end
end

-- Marks ---------------------------------------------------------------------------------------

local function mark(self, side, what, t, object)
  local id = ("%s\0%s\0%s\0%s"):format(side, what, t.key, object.name or table.concat(object.columns or { object.expression }, "\0"))
  if self.marked[id] then return end
  self.marked[id] = true
  local list = self[side][what]
  list[#list + 1] = { t = t, object = object }
end

---An object that is the same before and after has to give way for a while. What comes or goes anyhow is marked already.
function Plan:recreate(t, what, object)
  local new_t = find(self.new, t.key)
  local later = new_t and twin(new_t, what, object)
  if not later or self.settled[object] then return end
  mark(self, "drops", what, t, object)
  mark(self, "makes", what, new_t, later)
end

-- What depends --------------------------------------------------------------------------------

local function has(list, name)
  for _, entry in ipairs(list or {}) do
    if entry == name then return true end
  end
  return false
end

local function texts_of(object)
  local list = {}
  for _, field in ipairs { "expression", "where", "definition", "statement" } do list[#list + 1] = object[field] end
  for _, part in ipairs(object.parts or {}) do list[#list + 1] = part.expression end
  return list
end

---Whether an index, check, exclusion, trigger or generated column speaks of a name in an expression.
function M.speaks_of(object, name)
  return order.words(texts_of(object))[name:lower()] or false
end

---Keys on either side of a column.
function Plan:recreate_keys_of(t, column)
  for _, other in ipairs(self.old.tables) do
    for _, key in ipairs(other.foreign_keys or {}) do
      local here = other.key == t.key and has(key.columns, column)
      if here or key.key == t.key and has(key.target, column) then self:recreate(other, "foreign_key", key) end
    end
  end
end

---Keys that point to columns which are for a while no longer unique.
function Plan:recreate_keys_to(t, columns)
  for _, other in ipairs(self.old.tables) do
    for _, key in ipairs(other.foreign_keys or {}) do
      if key.key == t.key and (same_columns(key.target, columns) or #key.target == 0) then self:recreate(other, "foreign_key", key) end
    end
  end
end

---What speaks of a column in an expression.
function Plan:recreate_texts_of(t, column)
  for _, what in ipairs { "check", "index", "exclusion", "trigger" } do
    for _, object in ipairs(objects(t, what)) do
      if M.speaks_of(object, column) then self:recreate(t, what, object) end
    end
  end
end

---What has a column as a part of it.
function Plan:recreate_parts_of(t, column)
  for _, unique in ipairs(t.uniques or {}) do
    if has(unique.columns, column) or has(unique.include, column) then self:recreate(t, "unique", unique) end
  end
  for _, index in ipairs(t.indexes or {}) do
    local part = has(index.include, column)
    for _, entry in ipairs(index.parts) do part = part or entry.column == column end
    if part then self:recreate(t, "index", index) end
  end
  if has(t.primary_key, column) then self:recreate(t, "primary_key", objects(t, "primary_key")[1]) end
end

---Views that read one of the named things, and those that read these views.
function Plan:views_on(names)
  local found, again = {}, true
  while again do
    again = false
    for _, view in ipairs(self.old.views or {}) do
      local words = not found[view] and order.words { view.definition or "" } or {}
      for name in pairs(names) do
        if words[name] and not found[view] then
          found[view], again = true, true
          names[view.name:lower()] = true
        end
      end
    end
  end
  return found
end

function Plan:drop_views(names)
  local found = self:views_on(names)
  for _, view in ipairs(self.old.views or {}) do
    if found[view] then
      mark(self, "drops", "view", view, view)
      local later = find(self.new, view.key)
      if later then mark(self, "makes", "view", later, later) end
    end
  end
end

-- From changes --------------------------------------------------------------------------------

---Whether the values of a column are not what they were: its type or where they come from.
function M.is_deep(change)
  for _, field in ipairs(change.fields or {}) do
    if field == "type" or field == "collation" or field == "expression" or field == "generated" or field == "enum" then return true end
  end
  return false
end

---Whether the dialect changes such fields where they stand.
local function is_light(self, change)
  local fields = change.op == "altered" and self.in_place[change.what]
  for _, field in ipairs(fields and change.fields or {}) do
    if not fields[field] or field == "valid" and change.to.valid == false then return false end
  end
  return fields ~= nil and fields ~= false
end

local function add_part(self, change)
  if is_light(self, change) then
    self.light[#self.light + 1] = change
    return
  end
  local what, old_t, new_t = change.what, find(self.old, change.table), find(self.new, change.table)
  if change.from then
    mark(self, "drops", what, old_t, change.from)
    self.settled[change.from] = true
  end
  if change.to then mark(self, "makes", what, new_t, change.to) end
end

local sorters = {}

---What a foreign table is, its server says: none is made.
function sorters.table(self, change)
  if (change.to or change.from).kind == "foreign" then return end
  self.tables[#self.tables + 1] = change
end

function sorters.view(self, change)
  if change.from then mark(self, "drops", "view", change.from, change.from) end
  if change.to then mark(self, "makes", "view", change.to, change.to) end
end

function sorters.column(self, change)
  local t = find(self.new, change.table)
  if t.kind == "view" or t.kind == "materialized_view" then return end -- follows from what it reads
  local list = self.columns[change.table] or {}
  self.columns[change.table] = list
  list[#list + 1] = change
end

function sorters.partition(self, change)
  self.partitions[#self.partitions + 1] = change
end

for _, what in ipairs { "enum", "domain", "type", "sequence" } do
  sorters[what] = function(self, change) self.types[#self.types + 1] = change end
end
for _, what in ipairs { "primary_key", "unique", "index", "check", "exclusion", "foreign_key", "trigger" } do sorters[what] = add_part end

---A column whose values change takes with it what is made of them.
---@param t weft.Table as it was
---@param column string
function Plan:give_way(t, column)
  self.names[t.name:lower()] = true
  self:recreate_texts_of(t, column)
  self:recreate_keys_of(t, column)
  for _, other in ipairs(t.columns) do
    if other.generated and other.name ~= column and M.speaks_of(other, column) then self:recreate_column(t, other) end
  end
end

---A generated column is dropped and added again, and with it what it is a part of.
function Plan:recreate_column(t, column)
  local list, later = self.columns[t.key] or {}, nil
  for _, change in ipairs(list) do
    if change.name == column.name then return end
  end
  local new_t = find(self.new, t.key)
  for _, other in ipairs(new_t and new_t.columns or {}) do
    if other.name == column.name then later = other end
  end
  if not later then return end
  self.columns[t.key] = list
  list[#list + 1] = { op = "altered", what = "column", table = t.key, name = column.name, from = column, to = later, fields = { "expression" } }
  self:recreate_parts_of(t, column.name)
  self:give_way(t, column.name)
end

local function changed_columns(self)
  for _, key in ipairs(self:changed_keys()) do
    local t = find(self.old, key)
    for _, change in ipairs({ table.unpack(self.columns[key]) }) do
      local deep = change.op == "altered" and M.is_deep(change)
      if deep and (change.from.generated or change.to.generated) then self:recreate_parts_of(t, change.name) end
      if deep or change.op == "removed" then self:give_way(t, change.name) end
    end
  end
end

local function free_targets(self)
  for _, what in ipairs { "unique", "primary_key", "index" } do
    for _, entry in ipairs(self.drops[what]) do
      local columns = entry.object.columns
      if not columns then
        columns = {}
        for i, part in ipairs(entry.object.parts) do columns[i] = part.column end
      end
      self:recreate_keys_to(entry.t, columns)
    end
  end
end

---The plan of a list of changes.
---@param changes weft.Change[]
---@param old weft.Model
---@param new weft.Model
---@param in_place? table<string, table<string, true>> fields of indexes and constraints that can be changed where they stand
---@return weft.DdlPlan
function M.new(changes, old, new, in_place)
  local self = setmetatable({ old = old, new = new, drops = {}, makes = {}, columns = {}, tables = {}, types = {}, renames = {}, partitions = {},
    marked = {}, settled = {}, names = {}, light = {}, in_place = in_place or {} }, Plan)
  for _, what in ipairs { "view", "trigger", "foreign_key", "exclusion", "check", "index", "unique", "primary_key" } do
    self.drops[what], self.makes[what] = {}, {}
  end
  for _, change in ipairs(changes) do
    if change.op == "renamed" then self.renames[#self.renames + 1] = change
    else sorters[change.what](self, change) end
  end
  changed_columns(self)
  free_targets(self)
  for _, change in ipairs(self.tables) do
    if change.op == "removed" then self.names[change.from.name:lower()] = true end
  end
  for _, entry in ipairs(self.drops.view) do self.names[entry.t.name:lower()] = true end
  self:drop_views(self.names)
  return self
end

-- Order ---------------------------------------------------------------------------------------

---Views to drop: those first that read others.
function Plan:dropped_views()
  local gone, list = {}, {}
  for _, entry in ipairs(self.drops.view) do gone[entry.object] = true end
  local sorted = order.views(self.old.views or {})
  for i = #sorted, 1, -1 do
    if gone[sorted[i]] then list[#list + 1] = sorted[i] end
  end
  return list
end

---Views to make: those first that others read.
function Plan:made_views()
  local made, list = {}, {}
  for _, entry in ipairs(self.makes.view) do made[entry.object] = true end
  for _, view in ipairs(order.views(self.new.views or {})) do
    if made[view] then list[#list + 1] = view end
  end
  return list
end

---Tables that came or went, in the order in which they can be made.
---@param op "added"|"removed"
function Plan:changed_tables(op)
  local list = {}
  for _, change in ipairs(self.tables) do
    if change.op == op then list[#list + 1] = change.to or change.from end
  end
  return order.tables(list)
end

---Keys of tables with changed columns, in the order of the new schema.
function Plan:changed_keys()
  local list = {}
  for _, t in ipairs(self.new.tables) do
    if self.columns[t.key] then list[#list + 1] = t.key end
  end
  return list
end

local function length_of(column) return column.length or math.tointeger(column.type:match "%((%d+)%)") end

---Whether one type of column holds every value of another.
function M.widens(from, to)
  if from.type == to.type then return true end
  if to.kind == "string" and not length_of(to) and not to.enum and not to.values then return true end
  if from.kind ~= to.kind then return from.kind == "integer" and to.kind == "decimal" and not to.precision end
  if to.kind == "string" then
    local before, after = length_of(from), length_of(to)
    return not (to.enum or to.values) and before ~= nil and after ~= nil and after >= before
  end
  if to.kind == "decimal" then
    if not to.precision then return true end
    return from.precision ~= nil and to.scale >= from.scale and to.precision - to.scale >= from.precision - from.scale
  end
  if to.kind == "integer" then return M.integer_size(to.type) >= M.integer_size(from.type) end
  return false
end

local sizes = { tinyint = 1, smallint = 2, int2 = 2, mediumint = 3, integer = 4, int = 4, int4 = 4, bigint = 8, int8 = 8 }

---Bytes of an integer type; an unsigned one holds less below zero.
function M.integer_size(type)
  local size = sizes[type:lower():match "^%w+"] or 0
  return type:lower():find("unsigned", 1, true) and size - 0.5 or size
end

return M
