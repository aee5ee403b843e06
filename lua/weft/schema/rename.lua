-- SPDX-License-Identifier: MIT
-- A schema as it would be if some of its tables and columns were called otherwise.

local core = require "weft.core"
local errors = require "weft.errors"
local sql_text = require "weft.schema.sql_text"

local M = {}

---A copy of plain tables, whatever is in them.
function M.copy(value)
  if type(value) ~= "table" then return value end
  local made = {}
  for key, entry in pairs(value) do made[key] = M.copy(entry) end
  return setmetatable(made, getmetatable(value))
end

local function find(list, key)
  for _, object in ipairs(list or {}) do
    if object.key == key then return object end
  end
end

local function replace(list, names)
  for i, name in ipairs(list or {}) do list[i] = names[name] or name end
end

local function rename_texts(t, names)
  for _, list in ipairs { t.columns, t.checks, t.indexes } do
    for _, object in ipairs(list or {}) do
      for _, field in ipairs { "expression", "where" } do
        if object[field] then object[field] = sql_text.rename(object[field], names) end
      end
    end
  end
end

---The columns of a table called otherwise, wherever the table itself names them.
local function rename_columns(t, names)
  for _, column in ipairs(t.columns) do column.name = names[column.name] or column.name end
  replace(t.primary_key, names)
  for _, list in ipairs { t.uniques or {}, t.foreign_keys or {}, t.indexes or {} } do
    for _, object in ipairs(list) do
      replace(object.columns, names)
      replace(object.include, names)
      replace(object.set_columns, names)
      for _, part in ipairs(object.parts or {}) do
        part.column = names[part.column] or part.column
        part.expression = part.expression and sql_text.rename(part.expression, names)
      end
    end
  end
  rename_texts(t, names)
end

---...and where others do.
local function rename_targets(model, key, names)
  for _, t in ipairs(model.tables) do
    for _, foreign in ipairs(t.foreign_keys or {}) do
      if foreign.key == key then replace(foreign.target, names) end
    end
  end
  for _, sequence in ipairs(model.sequences or {}) do
    local owner = sequence.owned_by
    if owner and owner.table == key then owner.column = names[owner.column] or owner.column end
  end
end

---Calls columns of a table otherwise, wherever the model names them.
---@param model weft.Model
---@param t weft.Table
---@param names table<string, string> old -> new
function M.columns(model, t, names)
  rename_columns(t, names)
  rename_targets(model, t.key, names)
end

---Calls a table otherwise.
---@param model weft.Model
---@param t weft.Table
---@param to { key: string, name: string, schema: string?, visible: boolean? }
function M.table(model, t, to)
  local old, key = t.key, to.key
  t.key, t.name, t.schema, t.visible = key, to.name, to.schema, to.visible
  for _, other in ipairs(model.tables) do
    for _, foreign in ipairs(other.foreign_keys or {}) do
      if foreign.key == old then foreign.key, foreign.table = key, t.name end
    end
    for i, parent in ipairs(other.inherits or {}) do
      if parent == old then other.inherits[i] = key end
    end
  end
  for _, sequence in ipairs(model.sequences or {}) do
    if sequence.owned_by and sequence.owned_by.table == old then sequence.owned_by.table = key end
  end
end

local function column_of(t, name)
  for _, column in ipairs(t.columns) do
    if column.name == name then return column end
  end
end

---The table of a model that a path is a column of, and that column's name.
local function owner_of(model, path)
  for _, t in ipairs(model.tables) do
    local name = path:sub(1, #t.key + 1) == t.key .. "." and path:sub(#t.key + 2)
    if name and column_of(t, name) then return t, name end
  end
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function keys_of(model)
  local keys = {}
  for _, t in ipairs(model.tables) do
    keys[#keys + 1] = t.key
    for _, column in ipairs(t.columns) do keys[#keys + 1] = t.key .. "." .. column.name end
  end
  return keys
end

local function unknown(model, name)
  local near = core.nearest(name, keys_of(model))
  errors.usage("renames: there is no table or column '%s'%s", name, near and ("; did you mean '%s'?"):format(near) or "")
end

local function rename_tables(done, model, old, new, renames)
  for _, from in ipairs(sorted_keys(renames)) do
    local t, to = find(model.tables, from), find(new.tables, renames[from])
    if t then
      if not to then unknown(new, renames[from]) end
      done[#done + 1] = { what = "table", from = find(old.tables, from), to = to }
      M.table(model, t, to)
    end
  end
end

local function rename_column(done, model, old, new, names)
  local before, name = owner_of(old, names.from)
  if not before then unknown(old, names.from) end
  local after, new_name = owner_of(new, names.to)
  if not after then unknown(new, names.to) end
  local t = find(model.tables, after.key)
  if not t then unknown(old, names.to) end
  done[#done + 1] = { what = "column", table = t.key, from = column_of(before, name), to = column_of(after, new_name) }
  M.columns(model, t, { [name] = new_name })
end

---The old model with the names that its objects have in the new one, and what was renamed. Names are those of
---before on the left side and those of after on the right: { members = "users", ["members.name"] = "users.full_name" }.
---@param old weft.Model
---@param new weft.Model
---@param renames table<string, string>
---@return weft.Model
---@return { what: string, table: string?, from: table, to: table }[]
function M.apply(old, new, renames)
  local done, model = {}, {}
  for name, value in pairs(old) do model[name] = value end
  model.tables, model.sequences = M.copy(old.tables), M.copy(old.sequences)
  rename_tables(done, model, old, new, renames)
  for _, from in ipairs(sorted_keys(renames)) do
    if not find(old.tables, from) then rename_column(done, model, old, new, { from = from, to = renames[from] }) end
  end
  return model, done
end

return M
