-- SPDX-License-Identifier: MIT
-- weft.cross_join: rows of anywhere with rows of a model below them, by keys.

local core = require "weft.core"
local errors = require "weft.errors"

local M = {}

local known = { "model", "key", "foreign_key", "as", "select", "where", "order", "limit", "many", "batch_size" }

local function columns(name, value)
  local list = type(value) == "table" and value or { value }
  for i = 1, math.max(#list, 1) do
    if type(list[i]) ~= "string" then errors.usage("cross_join: %s is a column, or a list of columns", name) end
  end
  return list
end

local function check(spec)
  if type(spec) ~= "table" then errors.usage("cross_join takes a list of tables, as { model = Seller, key = \"seller_id\", as = \"seller\" }") end
  errors.check_names(spec, known, "option of cross_join")
  if type(spec.as) ~= "string" or spec.as == "" then errors.usage("cross_join: as is the field under which the rows are put") end
  if spec.batch_size ~= nil and (math.type(spec.batch_size) ~= "integer" or spec.batch_size < 1) then
    errors.usage("cross_join: batch_size is a whole number from 1")
  end
end

---A copy that may get more fields; rows stay rows.
local function copy(row, index)
  if type(row) ~= "table" then errors.usage("cross_join takes a list of rows or tables; entry %d is a %s", index, type(row)) end
  if core.row_info(row) then return core.row_copy(row) end
  local new = {}
  for key, value in pairs(row) do new[key] = value end
  return setmetatable(new, getmetatable(row))
end

---Rows have a column of that name, or somebody gave some of them a field of it.
local function check_key(rows, name)
  if not core.row_info(rows[1]) then return end
  local told = core.columns(rows[1])
  for _, column in ipairs(told) do
    if column == name then return end
  end
  for _, row in ipairs(rows) do
    if rawget(row, name) ~= nil then return end
  end
  local near = core.nearest(name, told)
  errors.usage("cross_join: the rows have no column '%s'%s", name, near and ("; did you mean '%s'?"):format(near) or " (select it)")
end

---The model that all rows are of, or nil: it says how its keys are declared.
local function model_of(rows)
  local info = core.row_info(rows[1])
  for i = 2, #rows do
    if not info or core.row_info(rows[i]) ~= info then return nil end
  end
  return info and info.core
end

---Puts rows of other models, wherever they live, below the rows of a list: one statement for each `batch_size` distinct
---keys. Keys of one meaning match whatever their type. The list and its rows stay as they are.
---@generic T
---@param rows T[] rows of queries or plain tables
---@param specs weft.CrossJoin[]
---@return T[] rows copies in the same order, each with the fields that `as` names: a list with many = true, else the row or nothing
function M.cross_join(rows, specs)
  if type(rows) ~= "table" then errors.usage("cross_join takes a list of rows, got %s", type(rows)) end
  if type(specs) ~= "table" then errors.usage("cross_join takes a list of joins, got %s", type(specs)) end
  if specs.model then specs = { specs } end
  local include = require "weft.association.include"
  local joins, seen = {}, {}
  for i, spec in ipairs(specs) do
    check(spec)
    if seen[spec.as] then errors.usage("cross_join: two joins are called '%s'", spec.as) end
    seen[spec.as] = true
    joins[i] = { spec = spec, key = columns("key", spec.key), foreign_key = columns("foreign_key", spec.foreign_key or spec.key) }
  end
  table.sort(joins, function(a, b) return a.spec.as < b.spec.as end)
  local copies = core.array {}
  for i, row in ipairs(rows) do copies[i] = copy(row, i) end
  if #copies == 0 then return copies end
  local of = model_of(copies)
  for i, join in ipairs(joins) do
    for _, name in ipairs(join.key) do check_key(copies, name) end
    joins[i] = include.level_on(join.spec, of, join.key, join.foreign_key)
  end
  core.load(copies, core.levels(joins), "cross_join")
  return copies
end

return M
