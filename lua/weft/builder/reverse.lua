-- SPDX-License-Identifier: MIT
-- The opposite of steps of the schema builder: they are recorded, turned around, and done from the last to the first.

local errors = require "weft.errors"
local naming = require "weft.naming"
local tables = require "weft.builder.table"

local M = {}

---Calls of any method, in order: { name, arguments }.
local function recorder(methods, what)
  local calls = {}
  return setmetatable({}, {
    __index = function(_, name)
      if type(methods[name]) ~= "function" then errors.check_names({ [name] = true }, {}, what) end
      return function(_, ...) calls[#calls + 1] = { name = name, table.pack(...) } end
    end,
  }), calls
end

local function none(what) errors.raise("unsupported", ("%s has no reverse: write what undoes it (a migration's `down`)"):format(what)) end

-- In alter_table: method -> function(t, arguments) that does the opposite -------------------------

local of_table = {}

local function drop_column(t, a) t:drop_column(a[1]) end

for name in pairs(tables.Table) do
  if type(name) == "string" and not name:find "^__" then of_table[name] = false end
end
for _, word in ipairs(require("weft.builder.column_types").words) do of_table[word] = drop_column end
of_table.column = drop_column
function of_table.enum(t, a)
  t:drop_column(a[1])
  table.insert(t.gone_enums, a[3] and a[3].type or t:enum_name(a[1]))
end
function of_table.references(t, a)
  local options = a[2] or {}
  t:drop_column(options.column or naming.singular(a[1]:match "([^.]*)$") .. "_id")
end
function of_table.timestamps(t)
  t:drop_column "updated_at"
  t:drop_column "created_at"
end
function of_table.rename_column(t, a) t:rename_column(a[2], a[1]) end
function of_table.set_null(t, a) t:set_not_null(a[1]) end
function of_table.set_not_null(t, a) t:set_null(a[1]) end

local function named_or_columns(options, columns) return options and options.name or type(columns) == "string" and { columns } or columns end

function of_table.index(t, a) t:drop_index(named_or_columns(a[2], a[1])) end
function of_table.unique(t, a) t:drop_unique(named_or_columns(a[2], a[1])) end
function of_table.foreign_key(t, a) t:drop_foreign_key(named_or_columns(a[3], a[1])) end
function of_table.check(t, a)
  local name = type(a[2]) == "string" and a[2] or type(a[2]) == "table" and a[2].name
  if not name then none "a check without a name" end
  t:drop_check(name)
end
function of_table.drop_index(t, a)
  if type(a[1]) ~= "table" then none "drop_index by a name" end
  t:index(a[1])
end
function of_table.drop_unique(t, a)
  if type(a[1]) ~= "table" then none "drop_unique by a name" end
  t:unique(a[1])
end

local function revert_table(fn)
  local t, calls = recorder(tables.Table, "step of alter_table")
  fn(t)
  return function(draft)
    for i = #calls, 1, -1 do
      local call = calls[i]
      local reverse = of_table[call.name] or none(call.name)
      reverse(draft, call[1])
    end
  end
end

-- Of the builder: method -> function(s, arguments) ------------------------------------------------

local of_builder = {}

function of_builder.create_table(s, a) s:drop_table(a[1], a[2], a[3]) end
function of_builder.drop_table(s, a)
  if a[2] == nil then none "drop_table without the description of the table" end
  s:create_table(a[1], a[2], a[3])
end
function of_builder.rename_table(s, a) s:rename_table(a[2], a[1]) end
function of_builder.alter_table(s, a) s:alter_table(a[1], revert_table(a[2])) end
function of_builder.create_enum(s, a) s:drop_enum(a[1], a[2]) end
function of_builder.drop_enum(s, a)
  if a[2] == nil then none "drop_enum without its labels" end
  s:create_enum(a[1], a[2])
end
function of_builder.create_view(s, a) s:drop_view(a[1], a[2], a[3]) end
function of_builder.drop_view(s, a)
  if a[2] == nil then none "drop_view without its select" end
  s:create_view(a[1], a[2], a[3])
end
function of_builder.execute(s, a)
  if a[2] == nil then none "execute without what undoes it" end
  s:execute(a[2], a[1])
end
function of_builder.validate_foreign_key() end

-- Steps on one table: the same as in alter_table.
for name, word in pairs {
  add_index = "index", drop_index = "drop_index", add_foreign_key = "foreign_key", add_check = "check", add_unique = "unique",
  drop_unique = "drop_unique", add_column = "column", rename_column = "rename_column",
} do
  of_builder[name] = function(s, a)
    s:alter_table(a[1], function(t) of_table[word](t, { table.unpack(a, 2, a.n) }) end)
  end
end

---@param builder weft.SchemaBuilder
---@param fn fun(s: weft.SchemaBuilder)
function M.revert(builder, fn)
  local s, calls = recorder(getmetatable(builder), "step of a migration")
  fn(s)
  for i = #calls, 1, -1 do
    local call = calls[i]
    local reverse = of_builder[call.name] or none(call.name)
    reverse(builder, call[1])
  end
end

return M
