-- SPDX-License-Identifier: MIT
-- Rows that write themselves: save, update, delete, reload, changed. As methods of a row (unless a column
-- has that name) and as functions of weft.

local core = require "weft.core"
local errors = require "weft.errors"

local M = {}

local plain = core.query_methods -- what reads without hooks of the model

-- Rows of a model with a lifecycle are written by it (info.lifecycle, see lua/weft/lifecycle.lua), with what
-- this file knows of rows: M.identity, M.query_of, M.set, M.write, M.remember, M.gone.

-- row -> column -> value of columns that were read after the row (weft.null: it is NULL), to tell what changed.
local loaded = setmetatable({}, { __mode = "k" })

local function note_loaded(row, name, value)
  local values = loaded[row] or {}
  loaded[row] = values
  if value == nil then value = core.null end
  if type(value) == "table" then values[name] = core.decode(core.encode(value)) else values[name] = value end
end

---The model of a row and the values of its key as they were read.
function M.identity(row, who)
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

local identity = M.identity

local function one_row(model, key, values)
  local query = model
  for i, name in ipairs(key) do query = query:where(name, "=", values[i]) end
  return query
end

---The model's rows among which the row was found: with the deleted ones, if it is one of them.
local function among(row, model, info)
  local soft = info.soft_delete
  return soft and core.row_original(row, soft) and model:with_deleted() or model
end

---The query that finds the row by its key in `from`; unless given, where the row was found.
function M.query_of(row, who, from)
  local model, key, values, info = identity(row, who)
  return one_row(from or among(row, model, info), key, values)
end

---The row of this info is not there any more: raises not_found.
function M.gone(info, op)
  errors.raise("not_found", ("the row of %s is not there any more"):format(info.label), { op = op, model = info.label })
end

local gone = M.gone

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

---Takes off a row what was loaded by associations that depend on these columns (nil: all). Was that none?
---@param columns? table<string, any> set of columns
local function forget(row, info, columns)
  local none = columns ~= nil
  for name in pairs(info.associations) do
    local wired, depends = info.wired[name], not columns
    for _, column in ipairs(wired and wired.source or {}) do depends = depends or columns[column] ~= nil end
    if depends then
      rawset(row, name, nil)
      none = false
    end
  end
  return none
end

---The row takes the columns of `stored`; what was read after it stays, if it is not among them, and what
---belongs to it by columns that are not in `columns`.
local function become(row, stored, columns)
  local later = loaded[row]
  for _, name in ipairs(later and core.columns(stored) or {}) do later[name] = nil end
  return core.row_become(row, stored, forget(row, core.row_info(row), columns))
end

local function copy(from)
  local to = {}
  for name, value in next, from do to[name] = value end
  return to
end

---Reads the row again, with the columns that it has; associations are loaded anew when they are touched.
---@param row weft.Row
---@return weft.Row row the same table
function M.reload(row)
  local model, key, values, info = identity(row, "reload")
  local query = among(row, model, info):select(stored_columns(row, model))
  local stored = one_row(query, key, values):first()
  if not stored then gone(info, "reload") end
  for name in pairs(loaded[row] or {}) do row[name] = nil end -- read again when touched
  loaded[row] = nil
  return become(row, stored)
end

---Writes values into the row that `query` finds; this row becomes what is stored there, with the columns
---that it had and those named in `more`. False: the query finds none.
function M.write(row, query, values, more)
  local stored = core.update(query, values, { stored_columns(row, query, more) })
  if not stored then return false end
  become(row, stored, values)
  return true
end

---What undoes everything that happens to the table of a row from now on.
---@return fun()
function M.remember(row)
  local fields, result, later = copy(row), getmetatable(row), loaded[row] and copy(loaded[row])
  return function()
    for name in next, row do row[name] = nil end
    for name, value in next, fields do rawset(row, name, value) end
    setmetatable(row, result)
    loaded[row] = later
  end
end

---Writes the changed columns; a field that was set to nil writes NULL. Nothing changed: no statement.
---@param row weft.Row
---@return weft.Row row the same table, as stored
function M.save(row)
  local model, key, id, info = identity(row, "save")
  if info.lifecycle then return info.lifecycle:save(row) end
  local names, values = core.row_changes(row, loaded[row])
  if #names == 0 then return row end
  if not M.write(row, one_row(model, key, id), values, names) then gone(info, "save") end
  return row
end

---Sets fields, the names of columns.
function M.set(row, values)
  if type(values) ~= "table" then errors.usage("update takes a table of column = value, got %s", type(values)) end
  local info = core.row_info(row)
  if not info then errors.usage("update: this is no row of a model") end
  core.discover(info.core)
  errors.check_columns(values, core.table(info.core), info)
  for name, value in pairs(values) do
    if value == core.null then value = nil end
    row[name] = value
  end
end

---Sets fields and saves.
---@param row weft.Row
---@param values table<string, any>
---@return weft.Row
function M.update(row, values)
  M.set(row, values)
  return M.save(row)
end

---Deletes the row. Raises not_found when it is gone already.
---@param row weft.Row
---@param options? { force?: boolean } force: really, where the model only notes it (soft_delete)
function M.delete(row, options)
  local model, key, values, info = identity(row, "delete")
  if options ~= nil then
    if type(options) ~= "table" then errors.usage("delete: options are a table, as { force = true }") end
    errors.check_names(options, { "force" }, "option of delete")
  end
  if info.lifecycle then return info.lifecycle:delete(row, options and options.force) end
  if one_row(model, key, values):delete() == 0 then gone(info, "delete") end
end

---Was the lazy column read already? Then it is NULL, or was set to nil.
function M.is_loaded(row, name) return loaded[row] ~= nil and loaded[row][name] ~= nil end

---A lazy column was touched: fetched for all rows of the result at once. Returns this row's value.
---@param row weft.Row
---@param name string the column
function M.load(row, name)
  local model, key, id, info = identity(row, name)
  model = among(row, model, info)
  if #key ~= 1 then
    local stored = plain.first(one_row(model:select(name), key, id))
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
  for _, found in ipairs(plain.all(model:select(key[1], name):where(key[1], "in", ids))) do
    local sibling = rows[tostring(found[key[1]])]
    if sibling then
      rawset(sibling, name, found[name])
      note_loaded(sibling, name, found[name])
    end
  end
  return rawget(row, name)
end

return M
