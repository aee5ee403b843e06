-- SPDX-License-Identifier: MIT
-- What differs between two schemas. Objects are the same when they are called the same; those that a database
-- leaves without a name when they say the same. A rename is only seen where it is told.

local sql_text = require "weft.schema.sql_text"

local M = {}

---@class weft.Change
---@field op "added"|"removed"|"altered"|"renamed"
---@field what string "table", "view", "column", "primary_key", "unique", "index", "check", "exclusion", "foreign_key",
---"partition", "trigger", "enum", "domain", "type" or "sequence"
---@field table string? key of the table that has it (of the newer one); nil for what stands by itself
---@field name string? nil where the database has no name for it
---@field from table? the object as it was
---@field to table? the object as it is
---@field fields string[]? which of its fields differ, when it is altered

---@class weft.DiffOptions
---@field renames table<string, string>? old name -> new: { ["users.name"] = "users.full_name", members = "users" }
---@field positions boolean? the order of columns counts, too

-- Equality of fields --------------------------------------------------------------------------

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  if #a ~= #b then return false end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function same_truth(a, b) return not a == not b end

local function same_text(a, b)
  if a == nil or b == nil then return a == b end
  return a == b or sql_text.canonical(a) == sql_text.canonical(b)
end

local function same_type(a, b)
  local function folded(type) return ((type or ""):lower():gsub("%s*([,()])%s*", "%1")) end
  return a == b or folded(a) == folded(b)
end

local function same_default(one, two, a, b) return one == two or sql_text.default(a) == sql_text.default(b) end

---What one of them leaves to the database.
local function same_if_said(a, b) return a == nil or b == nil or a == b end

---A list that is empty is none.
local function same_list(a, b) return same(a or {}, b or {}) end

local function same_parts(a, b)
  if #a ~= #b then return false end
  for i, part in ipairs(a) do
    local other = b[i]
    if not same_text(part.expression, other.expression) then return false end
    for _, field in ipairs { "column", "order", "nulls", "collation", "opclass", "length" } do
      if part[field] ~= other[field] then return false end
    end
  end
  return true
end

---true where nil means it.
local function same_unless_false(a, b) return (a == false) == (b == false) end

-- What there is to compare: lists of { field, how }. --------------------------------------------

local fields = {
  table = {
    { "kind" }, { "comment" }, { "without_rowid", same_truth }, { "strict", same_truth }, { "module" }, { "partition_by", same_text },
    { "inherits", same_list }, { "engine", same_if_said }, { "collation", same_if_said }, { "charset", same_if_said }, { "options", same_list },
  },
  view = { { "kind" }, { "definition", same_text }, { "names_columns", same_truth }, { "comment" }, { "options", same_list } },
  column = {
    { "type", same_type }, { "values", same_list }, { "unsigned", same_truth }, { "nullable", same_truth },
    { "default", same_default }, { "generated" }, { "expression", same_text }, { "identity" }, { "auto_increment", same_truth },
    { "collation" }, { "comment" }, { "hidden", same_truth }, { "rowid", same_truth }, { "on_conflict" }, { "on_update", same_text },
  },
  primary_key = { { "columns", same_list }, { "name" }, { "on_conflict" } },
  unique = {
    { "columns", same_list }, { "include", same_list }, { "nulls_distinct", same_unless_false },
    { "deferrable", same_truth }, { "initially_deferred", same_truth }, { "on_conflict" },
  },
  index = {
    { "parts", same_parts }, { "unique", same_truth }, { "method" }, { "include", same_list }, { "where", same_text },
    { "nulls_distinct", same_unless_false }, { "valid", same_unless_false }, { "options", same_list }, { "comment" },
  },
  check = { { "expression", same_text }, { "valid", same_unless_false }, { "no_inherit", same_truth } },
  exclusion = { { "definition", same_text } },
  foreign_key = {
    { "columns", same_list }, { "key" }, { "target", same_list }, { "on_update" }, { "on_delete" }, { "set_columns", same_list },
    { "match" }, { "deferrable", same_truth }, { "initially_deferred", same_truth }, { "valid", same_unless_false },
  },
  partition = { { "bound", same_text }, { "partition_by", same_text } },
  trigger = { { "timing" }, { "events" }, { "statement", same_text } },
  enum = { { "values", same_list }, { "comment" } },
  domain = { { "type", same_type }, { "nullable", same_truth }, { "default", same_default }, { "checks", same_list }, { "comment" } },
  type = { { "attributes", same_list }, { "comment" } },
  sequence = {
    { "type" }, { "start" }, { "increment" }, { "min" }, { "max" }, { "cycle", same_truth }, { "owned_by", same },
  },
}

---Names of the fields in which two objects differ; nil when there are none.
local function differing(what, old, new)
  local names = {}
  for _, field in ipairs(fields[what]) do
    local name, equal = field[1], field[2] or rawequal
    if not equal(old[name], new[name], old, new) then names[#names + 1] = name end
  end
  return #names > 0 and names or nil
end

-- Changes -------------------------------------------------------------------------------------

local Change = { __name = "weft.change" }

local function shown(value)
  if type(value) ~= "table" then return tostring(value) end
  local words = {}
  for i, entry in ipairs(value) do words[i] = type(entry) == "table" and "..." or tostring(entry) end
  return "(" .. table.concat(words, ", ") .. ")"
end

---"altered column users.name: type text -> varchar(80), nullable true -> false"
function Change.__tostring(change)
  local name = change.name
  if change.table then name = change.table .. "." .. (name or shown((change.to or change.from).columns)) end
  local line = ("%s %s %s"):format(change.op, change.what:gsub("_", " "), name)
  if change.op == "renamed" then return ("%s (was %s)"):format(line, change.from.name) end
  if not change.fields then return line end
  local list = {}
  for i, field in ipairs(change.fields) do
    list[i] = ("%s %s -> %s"):format(field, shown(change.from[field]), shown(change.to[field]))
  end
  return line .. ": " .. table.concat(list, ", ")
end

local function change(op, what, owner, from, to, differing_fields)
  local object = to or from
  local name = object.name
  if not owner then name = object.key or name end
  return setmetatable({ op = op, what = what, table = owner, name = name, from = from, to = to, fields = differing_fields }, Change)
end

---What tells two objects of a list apart: the name, or what is said by those that have none.
local function identity(object)
  if object.name then return object.name end
  local parts = { table.concat(object.columns or {}, "\0"), object.key or "", table.concat(object.target or {}, "\0") }
  if object.expression then parts[#parts + 1] = sql_text.canonical(object.expression) end
  return "\0" .. table.concat(parts, "\0\0")
end

---Objects by identity; of those that are equal in it (two unnamed checks that say the same) each has its own.
local function by_identity(list, identify)
  local found, count, names = {}, {}, {}
  for i, object in ipairs(list or {}) do
    local name = identify(object)
    count[name] = (count[name] or 0) + 1
    if count[name] > 1 then name = name .. "\0" .. count[name] end
    found[name], names[i] = object, name
  end
  return found, names
end

---Changes of a list of objects: what is gone in the old order, the others in the new one.
local function compare_list(out, what, owner, old, new, options)
  local identify = options and options.identify or identity
  local before, old_names = by_identity(old, identify)
  local after, new_names = by_identity(new, identify)
  for _, name in ipairs(old_names) do
    if not after[name] then out[#out + 1] = change("removed", what, owner, before[name], nil) end
  end
  for _, name in ipairs(new_names) do
    local from, to = before[name], after[name]
    local names = from and differing(what, from, to)
    if not from then
      out[#out + 1] = change("added", what, owner, nil, to)
    elseif names then
      out[#out + 1] = change("altered", what, owner, from, to, names)
    end
    if from and options and options.inside then options.inside(out, from, to) end
  end
end

-- Tables --------------------------------------------------------------------------------------

---A primary key as an object.
local function primary_key(t)
  if #(t.primary_key or {}) == 0 then return {} end
  return { { name = t.primary_key_name, columns = t.primary_key, on_conflict = t.primary_key_conflict } }
end

local function one() return "the only one" end

---Columns that both have, in the order of each.
local function compare_positions(out, old, new)
  local function shared(t, other)
    local names = {}
    for _, column in ipairs(t.columns) do
      if other[column.name] then names[#names + 1] = column.name end
    end
    return names
  end
  local before, after = by_identity(old.columns, identity), by_identity(new.columns, identity)
  local was, is = shared(old, after), shared(new, before)
  for i, name in ipairs(is) do
    if was[i] ~= name then out[#out + 1] = change("altered", "column", new.key, before[name], after[name], { "position" }) end
  end
end

local function compare_table(out, old, new, positions)
  compare_list(out, "column", new.key, old.columns, new.columns)
  if positions then compare_positions(out, old, new) end
  compare_list(out, "primary_key", new.key, primary_key(old), primary_key(new), { identify = one })
  for _, list in ipairs {
    { "unique", "uniques" }, { "index", "indexes" }, { "check", "checks" }, { "exclusion", "exclusions" },
    { "foreign_key", "foreign_keys" }, { "partition", "partitions" }, { "trigger", "triggers" },
  } do
    compare_list(out, list[1], new.key, old[list[2]], new[list[2]])
  end
end

-- The whole -----------------------------------------------------------------------------------

local function plain(schema)
  return type(schema.model) == "function" and schema:model() or schema
end

local function whole(object) return object.key or object.name end

---What has changed from one schema to another, in an order that is always the same.
---@param old weft.Schema|weft.Model
---@param new weft.Schema|weft.Model
---@param options? weft.DiffOptions
---@return weft.Change[]
function M.changes(old, new, options)
  local out, by_key = {}, { identify = whole }
  old, new = plain(old), plain(new)
  local was = old
  if options and options.renames then
    local list
    was, list = require "weft.schema.rename".apply(old, new, options.renames)
    for i, r in ipairs(list) do out[i] = change("renamed", r.what, r.table, r.from, r.to) end
  end
  for _, list in ipairs { { "enum", "enums" }, { "domain", "domains" }, { "type", "types" }, { "sequence", "sequences" } } do
    compare_list(out, list[1], nil, was[list[2]], new[list[2]], by_key)
  end
  local function inside(list, from, to) compare_table(list, from, to, options and options.positions) end
  compare_list(out, "table", nil, was.tables, new.tables, { identify = whole, inside = inside })
  compare_list(out, "view", nil, was.views, new.views, { identify = whole, inside = inside })
  return setmetatable(out, { __name = "weft.changes", old = was, new = new })
end

---The two models that a list of changes is between, the older one with the names of the newer; nil when the list
---is not as M.changes made it.
---@param changes weft.Change[]
---@return weft.Model? old
---@return weft.Model? new
function M.models(changes)
  local meta = getmetatable(changes)
  if not meta or meta.__name ~= "weft.changes" then return nil end
  return meta.old, meta.new
end

return M
