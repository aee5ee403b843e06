-- SPDX-License-Identifier: MIT
-- Definitions of associations become wired: the other end is found, the columns on both sides are found or checked,
-- and the core's hops between them are made.

local core = require "weft.core"
local errors = require "weft.errors"
local foreign_keys = require "weft.association.foreign_keys"
local naming = require "weft.naming"

local M = {}

---Types whose association is a list.
M.many = { has_many = true, many_to_many = true }

local function registry() return require "weft.registry" end

local function model_named(info, model)
  if core.is_query(model) then return registry().current(model) end
  local database, name = model:match "^([^.]+)%.(.+)$"
  return registry().models(database or info.database)[name or model]
end

---A model, or a table by its own name.
local function through_named(info, through)
  if core.is_query(through) then return registry().current(through) end
  local database, name = through:match "^([^.]+)%.(.+)$"
  return registry().model_of_table(database or info.database, name or through)
end

---What the other end is called: unless said, like the association.
---@return string|weft.Query
function M.target_name(name, definition)
  if definition.model or definition.discovered then return definition.model or definition.table end
  return naming.class(M.many[definition.type] and naming.singular(name) or name)
end

local function target_of(info, name, definition)
  if definition.discovered then
    return registry().model_of_table(info.database, definition.table, definition.schema)
  end
  return model_named(info, M.target_name(name, definition))
end

local function has_columns(model, columns)
  local types = core.table(model).types
  for _, column in ipairs(columns) do
    if not types[column] then return false end
  end
  return #columns > 0
end

---"products.product_id" and what is wrong with it.
local function check_columns(model, columns)
  local known = core.table(model)
  for _, column in ipairs(columns) do
    if not known.types[column] then
      local near = core.nearest(column, known.columns)
      errors.usage("%s (%s) has no column '%s'%s", known.name, core.info(model).label, column,
        near and ("; did you mean '%s'?"):format(near) or "")
    end
  end
end

local function primary_key(model, what)
  local known = core.table(model)
  if #known.key == 0 then
    errors.usage("%s (%s) has no primary key: say %s", known.name, core.info(model).label, what)
  end
  return known.key
end

local function is_key_of(model, columns)
  local key = core.table(model).key
  for i = 1, math.max(#key, #columns) do
    if key[i] ~= columns[i] then return false end
  end
  return true
end

---The columns of `owner` that by their names carry `key` of another model: "seller_id" for one of the words, or columns
---of the same names, unless they are what identifies the owner ("id" and "id").
local function named_alike(owner, key, words)
  for _, word in ipairs(#key == 1 and words or {}) do
    local column = { word .. "_id" }
    if has_columns(owner, column) then return column end
  end
  return has_columns(owner, key) and not is_key_of(owner, key) and key or nil
end

---The columns of `owner` that carry the key of `other`, and that key. What is not given is found by name, then
---among the foreign keys.
local function foreign_key(owner, other, given, key, words)
  if given then return given, key or primary_key(other, "its key too") end
  local columns = named_alike(owner, key or core.table(other).key, words)
  if columns then return columns, key or core.table(other).key end
  local found = foreign_keys.between(core.info(owner), core.info(other))
  if found then return found.source_key, key or found.target_key end
  errors.usage("which column of %s (%s) points to %s (%s)? Say foreign_key", core.table(owner).name, core.info(owner).label,
    core.table(other).name, core.info(other).label)
end

local class_of_type = {
  integer = "number", float = "number", decimal = "number", boolean = "number", text = "text", uuid = "uuid", bytes = "bytes",
  date = "time", time = "time", timestamp = "time", timestamptz = "time",
}

---Whether columns of the two types can be compared by their database as they are; raises when their keys can
---never be equal.
local function comparable(from, from_key, to, to_key)
  local here, there = core.table(from), core.table(to)
  local alike = true
  if #from_key ~= #to_key then
    errors.usage("%s (%s) has %d key columns here, %s (%s) has %d", here.name, core.info(from).label, #from_key, there.name,
      core.info(to).label, #to_key)
  end
  for i, column in ipairs(from_key) do
    local a, b = here.types[column].type, there.types[to_key[i]].type
    local x, y = class_of_type[a], class_of_type[b]
    if x and y and x ~= y then
      if x ~= "text" and y ~= "text" or x == "bytes" or y == "bytes" then
        errors.usage("%s.%s (%s) is %s and %s.%s (%s) is %s: such keys are never equal", here.name, column,
          core.info(from).label, a, there.name, to_key[i], core.info(to).label, b)
      end
      alike = false
    end
  end
  return alike
end

---A hop between two models. Where their database could not compare the keys, they travel, as between databases.
local function hop(name, from, from_key, to, to_key, many)
  check_columns(from, from_key)
  check_columns(to, to_key)
  local alike = comparable(from, from_key, to, to_key)
  local apart = not alike or core.info(from).db ~= core.info(to).db
  return core.hop(name, from, to, from_key, to_key, many, apart), apart
end

local function words_for(model)
  local known = core.table(model)
  return { naming.singular(naming.snake_case(known.name)), naming.snake_case(core.info(model).label:match "[^.]*$") }
end

---@class weft.Wired
---@field name string
---@field many boolean
---@field to weft.Query the other end's model
---@field source string[] columns of this end
---@field hops userdata[] one, or two through a table
---@field apart boolean[] whether what the hop leads to is asked for by keys that travel
---@field through? weft.Query the model in between
---@field between? userdata the second hop backwards, when one statement can follow both
---@field near? string[] columns of the table in between that equal source
---@field far? string[] its columns that equal target
---@field target? string[] columns of the other end

local wire_kind = {}

function wire_kind.belongs_to(info, name, d, to)
  local source, target = d.source_key, d.target_key
  if not d.discovered then source, target = foreign_key(info.core, to, d.foreign_key, d.target_key, { name }) end
  local one, apart = hop(name, info.core, source, to, target, false)
  return { source = source, hops = { one }, apart = { apart } }
end

local function has(info, name, d, to, many)
  local target, source = d.target_key, d.source_key
  if not d.discovered then target, source = foreign_key(to, info.core, d.foreign_key, d.source_key, words_for(info.core)) end
  local one, apart = hop(name, info.core, source, to, target, many)
  return { source = source, hops = { one }, apart = { apart } }
end

function wire_kind.has_many(info, name, d, to) return has(info, name, d, to, true) end
function wire_kind.has_one(info, name, d, to) return has(info, name, d, to, false) end

function wire_kind.many_to_many(info, name, d, to)
  local through = d.discovered and registry().model_of_table(info.database, d.through, d.through_schema)
    or through_named(info, d.through)
  core.discover(through)
  local near, source, far, target = d.through_source, d.source_key, d.through_target, d.target_key
  if not d.discovered then
    near, source = foreign_key(through, info.core, d.foreign_key, d.source_key, words_for(info.core))
    far, target = foreign_key(through, to, d.other_key, d.target_key, words_for(to))
  end
  local first, apart1 = hop(name, info.core, source, through, near, true)
  local second, apart2 = hop(name, through, far, to, target, false)
  local between = not apart2 and hop(name, to, target, through, far, true) or nil
  return { source = source, hops = { first, second }, apart = { apart1, apart2 }, through = through, between = between,
    near = near, far = far, target = target }
end

---An association between two ends whose tables are known now. May wait.
---@param info table the model info
---@param name string
---@param definition weft.Association
---@return weft.Wired
function M.wire(info, name, definition)
  core.discover(info.core)
  if not definition.discovered and core.table(info.core).types[name] then
    errors.usage "it is called like a column, which wins; give it another name"
  end
  local to = target_of(info, name, definition)
  core.discover(to)
  local entry = wire_kind[definition.type](info, name, definition, to)
  entry.name, entry.to, entry.definition = name, to, definition
  entry.many = M.many[definition.type] or false
  return entry
end

return M
