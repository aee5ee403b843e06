-- SPDX-License-Identifier: MIT
-- Tables as model scripts describe them. A model one of whose columns has a type describes its table wholly: its columns,
-- the key, what timestamps, version and soft_delete need, and the columns of its belongs_to. Any other model only
-- expects its table to be there with the columns that it names.

local builder = require "weft.builder"
local column_types = require "weft.builder.column_types"
local naming = require "weft.naming"
local order = require "weft.ddl.order"
local tables = require "weft.builder.table"

local M = {}

---@class weft.Expected what a model that describes no table needs
---@field label string "shop.Product"
---@field tables string[] one of these must be there, best first
---@field columns string[] names

---The table that a model is made as: what it says, or the plural of its name.
local function table_of(info)
  if info.table and not info.alternatives then return info.schema and info.schema .. "." .. info.table or info.table end
  return naming.plural(naming.snake_case(info.label:match "([^.]*)$"))
end

local function sorted_names(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names)
  return names
end

---Columns that a model's own words need: name -> { type, options }, in the order of `names`.
local function needed(info)
  local found, names = {}, {}
  local function need(name, kind, options)
    if not found[name] then names[#names + 1] = name end
    found[name] = found[name] or { kind, options or {} }
  end
  for _, name in ipairs(sorted_names(info.defined)) do
    local association = info.defined[name]
    if association.type == "belongs_to" then
      for _, column in ipairs(association.foreign_key or { name .. "_id" }) do need(column, "reference") end
    end
  end
  local life = info.lifecycle
  if life and life.version then need(life.version, "integer", { null = false, default = 1 }) end
  if life and life.soft_delete then need(life.soft_delete, "timestamptz") end
  for _, what in ipairs { "created", "updated" } do
    local moment = life and life.timestamps[what]
    if moment then need(moment.name, "timestamptz", { null = false }) end
  end
  return found, names
end

local function described(info, name)
  local options = info.described[name]
  return type(options) == "table" and (options.type or options.references) and options or nil
end

local function is_described(info)
  for name in pairs(info.described) do
    if described(info, name) then return true end
  end
  return false
end

-- Describing ----------------------------------------------------------------------------------

local own_options = { "null", "default", "unique", "comment", "check", "index" }

local function add_column(t, name, options)
  local own = {}
  for _, option in ipairs(own_options) do own[option] = options[option] end
  local references = type(options.references) == "string" and { options.references } or options.references
  if not references then return t:column(name, options.type, own) end
  own.column, own.type, own.target = name, options.type, references.target
  own.on_delete, own.on_update = references.on_delete, references.on_update
  t:references(references[1], own)
end

---The key first; a column of it that is not described counts by itself.
local function add_key(t, info)
  local key = info.key or { "id" }
  for _, name in ipairs(key) do
    local options = described(info, name)
    local counts = #key == 1 and (not options or options.type == "id")
    if counts then return t:id(name) end
    if options then
      add_column(t, name, options)
    else
      t:bigint(name, { null = false })
    end
  end
  t:primary_key(key)
end

local function add_needed(t, info)
  local found, names = needed(info)
  for _, name in ipairs(names) do
    if not t.by_name[name] then
      local kind, options = found[name][1], found[name][2]
      if kind == "reference" then
        t:column(name, column_types.reference(t.builder.dialect), { index = true })
      else
        t:column(name, kind, options)
      end
    end
  end
end

---@param s weft.SchemaBuilder
---@return weft.Table
local function describe(s, info)
  local t = tables.new(s, tables.empty(s, table_of(info)))
  add_key(t, info)
  t.by_name = {}
  for _, column in ipairs(t.table.columns) do t.by_name[column.name] = true end
  for _, name in ipairs(sorted_names(info.described)) do
    local options = described(info, name)
    if options and not t.by_name[name] then
      add_column(t, name, options)
      t.by_name[name] = true
    end
  end
  add_needed(t, info)
  return t.table
end

-- Expecting -----------------------------------------------------------------------------------

---@return weft.Expected
local function expect(info)
  local columns, seen = {}, {}
  local function add(name)
    if not seen[name] then columns[#columns + 1] = name end
    seen[name] = true
  end
  for _, name in ipairs(info.key or {}) do add(name) end
  for _, name in ipairs(sorted_names(info.described)) do add(name) end
  local _, names = needed(info)
  local life = info.lifecycle
  for _, name in ipairs(names) do
    local usual = life and (life.timestamps.created and life.timestamps.created.name == name and not life.timestamps.created.named
      or life.timestamps.updated and life.timestamps.updated.name == name and not life.timestamps.updated.named)
    if not usual then add(name) end -- the usual ones need not exist
  end
  local list = info.alternatives or { info.schema and info.schema .. "." .. info.table or info.table }
  return { label = info.label, tables = list, columns = columns }
end

local function find(schema, keys)
  for _, key in ipairs(keys) do
    for _, list in ipairs { schema.tables, schema.views or {} } do
      for _, t in ipairs(list) do
        if t.key == key then return t end
      end
    end
  end
end

---What of that a schema has not, a line each.
---@param expected weft.Expected[]
---@param schema weft.Model
---@return string[]
function M.missing(expected, schema)
  local lines = {}
  for _, entry in ipairs(expected) do
    local t = find(schema, entry.tables)
    if not t then lines[#lines + 1] = ("%s: there is no table '%s'"):format(entry.label, entry.tables[1]) end
    local there = {}
    for _, column in ipairs(t and t.columns or {}) do there[column.name] = true end
    for _, name in ipairs(t and entry.columns or {}) do
      if not there[name] then lines[#lines + 1] = ("%s: %s has no column '%s'"):format(entry.label, t.key, name) end
    end
  end
  return lines
end

-- The whole -----------------------------------------------------------------------------------

local function targets(info)
  local found = {}
  for _, name in ipairs(sorted_names(info.described)) do
    local options = described(info, name)
    local references = options and options.references
    found[#found + 1] = type(references) == "table" and references[1] or references
  end
  return found
end

---Models in the order of their tables, those first that others point to.
local function in_order(infos)
  local list, by_table = { table.unpack(infos) }, {}
  table.sort(list, function(a, b) return table_of(a) < table_of(b) end)
  for _, info in ipairs(list) do by_table[table_of(info)] = info end
  return order.sorted(list, function(info)
    local needs = {}
    for _, name in ipairs(targets(info)) do needs[#needs + 1] = by_table[name] end
    return needs
  end)
end

---@param infos table[] model infos
---@param dialect string
---@return weft.Model
---@return weft.Expected[]
function M.of(infos, dialect)
  local s, expected = builder.new(dialect), {}
  local model = s:known()
  for _, info in ipairs(in_order(infos)) do
    if is_described(info) then
      model.tables[#model.tables + 1] = describe(s, info)
    else
      expected[#expected + 1] = expect(info)
    end
  end
  table.sort(expected, function(a, b) return a.label < b.label end)
  return model, expected
end

return M
