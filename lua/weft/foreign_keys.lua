-- SPDX-License-Identifier: MIT
-- The foreign keys of a database, as its catalog tells them, and the associations that follow.

local core = require "weft.core"
local naming = require "weft.naming"
local discovered = require "weft.discovered"

local M = {}

---A name as part of an association's: snake_case, without what a dotted path could not hold.
local function word(name)
  return (naming.snake_case(name):gsub("[^%w_\x80-\xff]+", "_"))
end

---Columns as a set: a key that is equal for the same columns, nil when one is unknown.
local function signature(t, columns)
  if #columns == 1 then return t.place[columns[1]] end
  local places = {}
  for i, column in ipairs(columns) do
    places[i] = t.place[column]
    if not places[i] then return nil end
  end
  table.sort(places)
  return table.concat(places, ",")
end

local function read_columns(t, columns)
  for i, column in ipairs(columns) do
    local name, filled = column[1], column[2]
    t.place[name] = i
    t.filled[name] = filled == true or filled == 1
    t.spelled[word(name)] = true
  end
  t.ncolumns = #columns
end

local function read_table(schema, name, columns, primary, uniques)
  local t = { schema = schema ~= "" and schema or nil, place = {}, filled = {}, spelled = {}, unique = {}, keys = {} }
  t.key = t.schema and schema .. "." .. name or name
  t.word = word(name)
  t.order = ("%s\0%s\0%s"):format(t.word, schema, name)
  read_columns(t, columns)
  t.nprimary = #primary
  for _, list in ipairs { primary, table.unpack(uniques) } do
    local set = signature(t, list)
    if set then t.unique[set] = true end
  end
  return t
end

local function new_key(t, to, constraint)
  return { from = t, to = to, constraint = constraint ~= core.null and constraint or nil, columns = {}, words = {}, target = {},
    nullable = false }
end

local function add_pair(key, here, there)
  local n = #key.columns + 1
  key.columns[n], key.target[n], key.words[n] = here, there, word(here)
  key.nullable = key.nullable or not key.from.filled[here]
end

local function id(schema, name) return schema .. "\0" .. name end

---The keys of a table out of their pairs of columns.
local function read_keys(t, tables, list)
  local number, key
  for _, pair in ipairs(list) do
    local own, constraint, here, schema, name, there = table.unpack(pair)
    if own ~= number then
      number, key = own, new_key(t, tables[id(schema, name)], constraint)
      t.keys[#t.keys + 1] = key
    end
    add_pair(key, here, there)
  end
end

---Where the key stands among those of its table; nil when it points to nothing: to a table that is left out,
---to columns that are not there or are no unique key.
local function order_of(key)
  local set = key.to and signature(key.to, key.target)
  if not set or not key.to.unique[set] then return nil end
  local places = {}
  for i, column in ipairs(key.columns) do places[i] = ("%05d"):format(key.from.place[column]) end
  return ("%s\0%s\0%s"):format(table.concat(places), key.to.order, table.concat(key.target, "\0"))
end

local function by_order(a, b) return a.order < b.order end

---Keys in order, none twice.
local function settle_keys(t)
  local list, seen = {}, {}
  for _, key in ipairs(t.keys) do
    key.order = order_of(key)
    if key.order and not seen[key.order] then
      seen[key.order] = true
      list[#list + 1] = key
    end
    key.set = signature(t, key.columns)
  end
  table.sort(list, by_order)
  t.keys = list
end

---Tables by id. One that the search path does not find is left out when another goes by its full name.
local function read_tables(rows)
  local tables, visible = {}, {}
  for _, row in ipairs(rows) do
    if row[1] == "" then visible[row[2]] = true end
  end
  for _, row in ipairs(rows) do
    local t = read_table(row[1], row[2], core.decode(row[3]), core.decode(row[4]), core.decode(row[5]))
    if not t.schema or not visible[t.key] then tables[id(row[1], row[2])] = t end
  end
  return tables
end

---Tables in the order of their names, with their keys.
local function read(rows)
  local tables, list = read_tables(rows), {}
  for _, row in ipairs(rows) do
    local t = tables[id(row[1], row[2])]
    if t then
      read_keys(t, tables, core.decode(row[6]))
      settle_keys(t)
      list[#list + 1] = t
    end
  end
  table.sort(list, by_order)
  return list
end

---A catalog that this user may not read, or that this server does not have, tells of no keys. (SQLSTATE 28:
---it is the connection that was refused.)
local function is_unreadable(err)
  if not core.is_error(err) then return false end
  return err.kind == "syntax" or err.kind == "unsupported" or (err.kind == "auth" and not (err.code or ""):find "^28")
end

local function ask(db)
  local sql = core.catalog(db, "keys")
  return sql and db:rows(sql) or {}
end

---true and the rows, or false and why. In a transaction a failure undoes this much only.
local function try_ask(db, transaction)
  local ok, result
  if transaction then
    ok, result = pcall(db.transaction, db, function() return ask(db) end)
  else
    ok, result = pcall(ask, db)
  end
  if not ok and is_unreadable(result) then return true, {} end
  return ok, result
end

local known = setmetatable({}, { __mode = "k" }) -- handle -> { epoch, plural, associations }
local asking = setmetatable({}, { __mode = "k" }) -- handle -> { epoch, task }: whoever comes meanwhile waits for it

---Outside of transactions one task asks for all.
local function shared_ask(db, epoch)
  local entry = asking[db]
  if not entry or entry.epoch ~= epoch then
    core.may_wait()
    entry = { epoch = epoch, task = core.spawn(try_ask, db) }
    asking[db] = entry
  end
  local awaited, ok, rows = pcall(entry.task.await, entry.task)
  if asking[db] == entry then asking[db] = nil end
  if not awaited then error(ok, 0) end
  return ok, rows
end

local function read_catalog(db, epoch)
  if not core.tx_current(db) then return shared_ask(db, epoch) end
  return try_ask(db, require "weft.transaction".current(db).what == "transaction")
end

local function remembered(db, epoch, plural)
  local entry = known[db]
  return entry and entry.epoch == epoch and entry.plural == plural and entry.associations
end

---The associations that follow from the foreign keys of a database, by table; read with one catalog statement per
---schema epoch (what a transaction asks for after it changed the schema may be seen outside of it until it
---ends). May wait. The result is shared: it is not to be changed.
---@param db weft.Database
---@param options? { plural?: fun(word: string): string } as `naming` in weft.configure
---@return table<string, weft.Discovered[]> # "table", or "schema.table" where the search path does not find it -> sorted by name
function M.associations(db, options)
  local plural, epoch = options and options.plural, core.epoch(db)
  local found = remembered(db, epoch, plural)
  if found then return found end
  local ok, rows = read_catalog(db, epoch)
  if not ok then error(rows, 0) end
  found = remembered(db, epoch, plural) -- by another one who waited for the same rows
  if found then return found end
  found = discovered.associations(read(rows), plural)
  known[db] = { epoch = epoch, plural = plural, associations = found }
  return found
end

---Whether a name of the catalog's is that of a model's table: the schema may be said where it need not be.
local function is_named(info, name)
  local own = core.table(info.core).name:lower() -- SQLite finds names in any case
  name = name:lower()
  return name == own or info.schema ~= nil and name == info.schema:lower() .. "." .. own
end

---The associations of one model. May wait.
---@param info table the model info, its table discovered
---@return weft.Discovered[]
function M.of_model(info)
  local all, name = M.associations(info.db, info.naming), core.table(info.core).name
  local list = all[info.schema and info.schema .. "." .. name or name] or all[name]
  if list then return list end
  for key, value in pairs(all) do
    if is_named(info, key) then return value end
  end
  return {}
end

---The foreign key of one model that points to another, when there is exactly one. May wait.
---@param info table the model infos, their tables discovered
---@param there table
---@return weft.Discovered?
function M.between(info, there)
  if there.db ~= info.db then return nil end
  local found
  for _, entry in ipairs(M.of_model(info)) do
    if entry.type == "belongs_to" and is_named(there, entry.table) then
      if found then return nil end
      found = entry
    end
  end
  return found
end

return M
