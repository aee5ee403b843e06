-- SPDX-License-Identifier: MIT
-- Rows that write themselves: save, update, delete, reload, changed. As methods of a row (unless a column
-- has that name) and as functions of weft.

local core = require "weft.core"
local errors = require "weft.errors"

local M = {}

-- row -> column -> value of columns that were read after the row (weft.null: it is NULL), to tell what changed.
local loaded = setmetatable({}, { __mode = "k" })

local function note_loaded(row, name, value)
  local values = loaded[row] or {}
  loaded[row] = values
  if value == nil then value = core.null end
  if type(value) == "table" then values[name] = core.decode(core.encode(value)) else values[name] = value end
end

---The model of a row and the values of its key as they were read.
local function identity(row, who)
  local info = core.row_info(row)
  if not info then errors.usage("%s: this is no row of a model", who) end
  local model = info.core
  core.discover(model)
  local key = core.table(model).key
  if #key == 0 then errors.usage("%s: %s has no primary key", who, info.label) end
  local values = {}
  for i, name in ipairs(key) do
    local value = core.row_original(row, name)
    if value == nil then errors.usage("%s: the row was read without its key column '%s'", who, name) end
    values[i] = value
  end
  return model, key, values, info
end

local function one_row(model, key, values)
  local query = model
  for i, name in ipairs(key) do query = query:where(name, "=", values[i]) end
  return query
end

local function gone(info, op)
  errors.raise("not_found", ("the row of %s is not there any more"):format(info.label), { op = op, model = info.label })
end

---The row's columns that its table has (what a query computed is not read again), and those in `more`.
local function stored_columns(row, model, more)
  local types, list, has = core.table(model).types, {}, {}
  for _, names in ipairs { core.columns(row), more } do
    for _, name in ipairs(names) do
      if types[name] and not has[name] then
        list[#list + 1] = name
        has[name] = true
      end
    end
  end
  return table.unpack(list)
end

---Names of the columns that differ from what was read, in order; and their values (weft.null for NULL).
---@param row weft.Row
---@return string[] names
---@return table<string, any> values
function M.changed(row)
  return core.row_changes(row, loaded[row])
end

---The row takes the columns of `stored`.
local function become(row, stored)
  loaded[row] = nil
  return core.row_become(row, stored)
end

---Reads the row again, with the columns that it has.
---@param row weft.Row
---@return weft.Row row the same table
function M.reload(row)
  local model, key, values, info = identity(row, "reload")
  local stored = one_row(model:select(stored_columns(row, model)), key, values):first()
  if not stored then gone(info, "reload") end
  for name in pairs(loaded[row] or {}) do row[name] = nil end -- read again when touched
  return become(row, stored)
end

---Writes the changed columns; a field that was set to nil writes NULL. Nothing changed: no statement.
---@param row weft.Row
---@return weft.Row row the same table, as stored
function M.save(row)
  local model, key, id, info = identity(row, "save")
  local names, values = core.row_changes(row, loaded[row])
  if #names == 0 then return row end
  local stored = core.update(one_row(model, key, id), values, { stored_columns(row, model, names) })
  if not stored then gone(info, "save") end
  return become(row, stored)
end

---Sets fields and saves.
---@param row weft.Row
---@param values table<string, any>
---@return weft.Row
function M.update(row, values)
  if type(values) ~= "table" then errors.usage("update takes a table of column = value, got %s", type(values)) end
  local info = core.row_info(row)
  if not info then errors.usage("update: this is no row of a model") end
  core.discover(info.core)
  local known = core.table(info.core)
  for name in pairs(values) do
    if not known.types[name] then
      local near = type(name) == "string" and core.nearest(name, known.columns)
      errors.usage("unknown column '%s' of %s%s", tostring(name), known.name,
        near and ("; did you mean '%s'?"):format(near) or "")
    end
  end
  for name, value in pairs(values) do
    if value == core.null then value = nil end
    row[name] = value
  end
  return M.save(row)
end

---Deletes the row. Raises not_found when it is gone already.
---@param row weft.Row
function M.delete(row)
  local model, key, values, info = identity(row, "delete")
  if one_row(model, key, values):delete() == 0 then gone(info, "delete") end
end

---A lazy column was touched: fetched for all rows of the result at once. Returns this row's value.
---@param row weft.Row
---@param name string the column
function M.load(row, _, name)
  if loaded[row] and loaded[row][name] ~= nil then return nil end -- it is NULL, or was set to nil
  local model, key, id = identity(row, name)
  if #key ~= 1 then
    local stored = one_row(model:select(name), key, id):first()
    rawset(row, name, stored and stored[name])
    note_loaded(row, name, stored and stored[name])
    return rawget(row, name)
  end
  local rows, ids = {}, {}
  for _, sibling in ipairs(core.row_siblings(row)) do
    local of = core.row_original(sibling, key[1])
    if of ~= nil and rawget(sibling, name) == nil and not (loaded[sibling] and loaded[sibling][name]) then
      rows[tostring(of)] = sibling
      ids[#ids + 1] = of
    end
  end
  for _, found in ipairs(model:select(key[1], name):where(key[1], "in", ids):all()) do
    local sibling = rows[tostring(found[key[1]])]
    if sibling then
      rawset(sibling, name, found[name])
      note_loaded(sibling, name, found[name])
    end
  end
  return rawget(row, name)
end

return M
