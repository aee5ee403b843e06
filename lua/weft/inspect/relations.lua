-- SPDX-License-Identifier: MIT
-- A database as its models see it: each table and view with the names that it answers to, its model script and its
-- associations. Nothing is asked for but the schema, however many tables there are.

local core = require "weft.core"
local database = require "weft.database"
local foreign_keys = require "weft.association.foreign_keys"
local naming = require "weft.naming"
local registry = require "weft.registry"
local wiring = require "weft.association.wiring"

local M = {}

---@class weft.Relation an association as it is known before it is wired
---@field name string
---@field type weft.AssociationType
---@field many boolean
---@field nullable boolean whether there may be none
---@field label string what it leads to: a table's key, or a model as "Variant" or "database.Variant"
---@field to? weft.Related what that is, when it is of the same database
---@field source_key? string[] columns here
---@field target_key? string[] columns there
---@field through? string the table in between
---@field constraint? string

---@class weft.Related a table or view and its model
---@field table weft.Table
---@field names string[] what weft.models finds it by: its script, or its class and itself
---@field info? table of its model script
---@field associations weft.Relation[] sorted by name
---@field hidden boolean whether its key is the name of another

---@class weft.Relations
---@field database string
---@field list weft.Related[] tables, then views
---@field by_key table<string, weft.Related>
---@field by_model table<string, weft.Related> by names of model scripts
---@field left_out { what: string, why: string }[] scripts that fail
local Relations = {}
Relations.__index = Relations

-- Names ---------------------------------------------------------------------------------------

---The table that a model without a script stands for.
function Relations:table_of(name)
  for _, candidate in ipairs(naming.tables(name)) do
    local found = self.by_name[candidate] or self.folded and self.folded[candidate:lower()]
    if found then return found end
  end
end

---What a model's name in this database means.
---@param name string
---@return weft.Related?
function Relations:find(name) return self.by_model[name] or self:table_of(name) end

local function class_names(self, entry)
  local name = entry.table.name
  if not entry.table.visible then return {} end
  local class = naming.class(name)
  if class == name or class == "" or self:find(class) ~= entry then return { name } end
  return { class, name }
end

-- Scripts -------------------------------------------------------------------------------------

local function table_of_script(self, info)
  for _, name in ipairs(info.alternatives or { info.table }) do
    if info.schema then name = info.schema .. "." .. name end
    local found = self.by_full[name] or self.by_name[name] or self.folded and self.folded[name:lower()]
    if found then return found end
  end
end

---A script of which there is no table describes nothing.
local function read_script(self, key)
  local ok, made = pcall(function() return registry.models(self.database)[key] end)
  if not ok then
    if not core.is_error(made) then error(made, 0) end
    self.left_out[#self.left_out + 1] = { what = ("model script %s.%s"):format(self.database, key), why = made.message }
    return
  end
  local info = core.info(made)
  local entry = table_of_script(self, info)
  if not entry then return end
  self.by_model[key] = entry
  if not entry.info or key == naming.class(entry.table.name) then entry.info = info end
  table.insert(entry.scripts, key)
end

local function read_scripts(self)
  for _, key in ipairs(core.scripts(("%s/%s"):format(database.models_folder(), self.database)) or {}) do read_script(self, key) end
end

-- Associations --------------------------------------------------------------------------------

local function from_key(self, entry)
  return { name = entry.name, type = entry.type, many = wiring.many[entry.type] or false, label = entry.table, to = self.by_key[entry.table],
    nullable = entry.type ~= "belongs_to" or entry.nullable, source_key = entry.source_key, target_key = entry.target_key,
    through = entry.through, constraint = entry.constraint }
end

---Columns of a row that are never NULL have what they point to.
local function is_sure(entry, columns)
  for _, name in ipairs(columns or {}) do
    local column = entry.table.columns[name]
    if not column or column.nullable then return false end
  end
  return columns ~= nil
end

local function from_script(self, entry, name, definition)
  local model = wiring.target_name(name, definition)
  local label = core.is_query(model) and core.info(model).label or model
  local own = label:match("^" .. self.database .. "%.(.*)$") or label
  local belongs = definition.type == "belongs_to"
  local through = definition.through
  return { name = name, type = definition.type, many = wiring.many[definition.type] or false, label = label,
    to = not own:find(".", 1, true) and self:find(own) or nil, nullable = not (belongs and is_sure(entry, definition.foreign_key)),
    source_key = belongs and definition.foreign_key or definition.source_key,
    target_key = definition.target_key or not belongs and not through and definition.foreign_key or nil,
    through = core.is_query(through) and core.info(through).label or through }
end

local function by_name(a, b) return a.name < b.name end

local function associations_of(self, entry, discovered)
  local list, defined = {}, entry.info and entry.info.defined or {}
  for name, definition in pairs(defined) do list[#list + 1] = from_script(self, entry, name, definition) end
  for _, found in ipairs(discovered) do
    if not defined[found.name] then list[#list + 1] = from_key(self, found) end
  end
  table.sort(list, by_name)
  return list
end

-- The whole -----------------------------------------------------------------------------------

local function add(self, t)
  local entry = { table = t, scripts = {}, associations = {} }
  self.list[#self.list + 1] = entry
  entry.hidden = self.by_key[t.key] ~= nil -- by a visible one of the name "schema.table", which comes first
  if not entry.hidden then self.by_key[t.key] = entry end
  self.by_full[(t.schema or "") .. "." .. t.name] = entry
  if t.visible then self.by_name[t.name] = entry end
  if self.folded and t.visible then self.folded[t.name:lower()] = entry end
end

---A configured database. May wait.
---@param name string
---@return weft.Relations
function M.of(name)
  local schema = database.database(name):schema()
  local self = setmetatable({ database = name, list = {}, by_key = {}, by_full = {}, by_name = {}, by_model = {}, left_out = {},
    folded = schema.dialect == "sqlite" and {} or nil }, Relations)
  for _, list in ipairs { schema:tables(), schema:views() } do
    for _, t in ipairs(list) do add(self, t) end
  end
  read_scripts(self)
  local found = foreign_keys.of_schema(schema, database.option(name, "naming"))
  for _, entry in ipairs(self.list) do
    entry.names = #entry.scripts > 0 and entry.scripts or class_names(self, entry)
    entry.associations = associations_of(self, entry, not entry.hidden and found[entry.table.key] or {})
  end
  return self
end

return M
