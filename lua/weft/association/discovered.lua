-- SPDX-License-Identifier: MIT
-- The associations that follow from foreign keys, and their names.
--
-- Everything is decided in one order (tables by their names in snake_case, keys by the places of their
-- columns, belongs_to before has_many before many_to_many), so that names are the same on every run and on
-- databases that differ in the spelling of names alone.

local errors = require "weft.errors"
local naming = require "weft.naming"

local M = {}

---@class weft.Discovered an association that a foreign key gives; tables are "schema.table" where the search path does not find them
---@field name string
---@field type "belongs_to"|"has_one"|"has_many"|"many_to_many"
---@field table string the other table
---@field schema? string the other table's, where the search path does not find it
---@field source_key string[] columns of this table
---@field target_key string[] columns of the other, pairwise equal to them
---@field nullable boolean whether a column of the foreign key may be NULL
---@field through? string the table between (many_to_many)
---@field through_schema? string
---@field through_source? string[] its columns that equal source_key
---@field through_target? string[] its columns that equal target_key
---@field constraint? string the foreign key's own name, where the database tells it

local function is_free(t, name) return not t.spelled[name] and not t.taken[t.style.name(name)] end

local function first_free(t, names)
  for _, name in ipairs(names) do
    if is_free(t, name) then return name end
  end
  local n = 2
  while not is_free(t, ("%s_%d"):format(names[#names], n)) do n = n + 1 end
  return ("%s_%d"):format(names[#names], n)
end

---The first name that no column and no other association of t has; with a number when there is none.
local function claim(t, names)
  local name = t.style.name(first_free(t, names))
  t.taken[name] = true
  return name
end

local endings = { "_id$", "_fk$", "_uuid$" }
local endings_as_is = { "_?I[dD]$", "_id$", "_?F[kK]$", "_fk$", "_?U[uU][iI][dD]$", "_uuid$" }

---"artist_id" -> "artist"; nil when there is nothing to cut off.
local function stem(column, as_is)
  for _, ending in ipairs(as_is and endings_as_is or endings) do
    local short, found = column:gsub(ending, "")
    if found > 0 and short ~= "" then return short end
  end
end

local function belongs_to_names(key)
  local short = #key.words == 1 and stem(key.words[1], key.from.style.as_is)
  local name = short and not key.from.spelled[short] and short or key.to.singular
  return { name, ("%s_by_%s"):format(key.to.singular, table.concat(key.words, "_and_")) }
end

---How many keys of a table point to another.
local function count_keys(from, to)
  local n = 0
  for _, key in ipairs(from.keys) do
    if key.to == to then n = n + 1 end
  end
  return n
end

local function add(t, other, entry)
  entry.table, entry.schema = other.key, other.schema
  t.found[#t.found + 1] = entry
end

local function belongs_to(key)
  key.name = claim(key.from, belongs_to_names(key))
  add(key.from, key.to, { name = key.name, type = "belongs_to", source_key = key.columns, target_key = key.target,
    nullable = key.nullable, constraint = key.constraint })
end

local function has(key)
  local from, to = key.from, key.to
  local one = from.unique[key.set]
  local name = one and from.singular or from.plural
  local qualified = ("%s_by_%s"):format(name, key.name)
  local names = count_keys(from, to) > 1 and { qualified } or { name, qualified }
  add(to, from, { name = claim(to, names), type = one and "has_one" or "has_many", source_key = key.target,
    target_key = key.columns, nullable = key.nullable, constraint = key.constraint })
end

---The two keys that make up the primary key of a table and have all of its columns.
local function join_keys(t)
  local a, b = table.unpack(t.keys)
  if #t.keys ~= 2 or #a.columns + #b.columns ~= t.ncolumns or t.nprimary ~= t.ncolumns then return nil end
  local seen = {}
  for _, column in ipairs(a.columns) do seen[column] = true end
  for _, column in ipairs(b.columns) do
    if seen[column] then return nil end
  end
  return a, b
end

---Between a table and itself each direction is named by the key that points here.
local function many_to_many(near, far)
  local from, to, through = near.to, far.to, near.from
  local names = { to.plural, ("%s_by_%s"):format(to.plural, through.singular) }
  if from == to then
    names = { ("%s_by_%s"):format(to.plural, near.name), ("%s_by_%s_%s"):format(to.plural, through.singular, near.name) }
  end
  add(from, to, { name = claim(from, names), type = "many_to_many", source_key = near.target, target_key = far.target,
    through = through.key, through_schema = through.schema, through_source = near.columns, through_target = far.columns,
    nullable = near.nullable or far.nullable })
end

local function each_key(tables, visit)
  for _, t in ipairs(tables) do
    for _, key in ipairs(t.keys) do visit(key) end
  end
end

local function pluralize(singular, plural)
  local name = (plural or naming.plural)(singular)
  if type(name) ~= "string" or name == "" then
    errors.usage("naming: plural gives text, not a %s, for '%s'", name == "" and "blank" or type(name), singular)
  end
  return name
end

local function by_name(a, b) return a.name < b.name end

---Names that stay as they are have neither singular nor plural, unless somebody says how.
local function name_tables(tables, plural, style)
  for _, t in ipairs(tables) do
    t.style = style
    t.singular = style.as_is and t.word or naming.singular(t.word)
    t.plural = style.as_is and not plural and t.word or pluralize(t.singular, plural)
    t.taken, t.found = {}, {}
  end
end

local function join_tables(tables)
  for _, t in ipairs(tables) do
    local a, b = join_keys(t)
    if a then
      many_to_many(a, b)
      many_to_many(b, a)
    end
  end
end

---Associations by table, each list sorted by name.
---@param tables table[] in order, as weft.foreign_keys reads them
---@param plural? fun(word: string): string
---@param style table of weft.naming
---@return table<string, weft.Discovered[]>
function M.associations(tables, plural, style)
  name_tables(tables, plural, style)
  each_key(tables, belongs_to)
  each_key(tables, has)
  join_tables(tables)
  local result = {}
  for _, t in ipairs(tables) do
    table.sort(t.found, by_name)
    if #t.found > 0 then result[t.key] = t.found end
  end
  return result
end

---What a table that nobody points at points at itself, sorted by name: a view, whose keys are its tables'.
---@param t table as weft.foreign_keys reads it
---@return weft.Discovered[]
function M.of_view(t, plural, style)
  local tables = { t }
  for _, key in ipairs(t.keys) do tables[#tables + 1] = key.to end
  name_tables(tables, plural, style)
  for _, key in ipairs(t.keys) do belongs_to(key) end
  table.sort(t.found, by_name)
  return t.found
end

return M
