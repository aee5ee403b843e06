-- SPDX-License-Identifier: MIT
-- The foreign keys of a database, as its catalog tells them, and the associations that follow.

local core = require "weft.core"
local catalog = require "weft.schema.catalog"
local naming = require "weft.naming"
local discovered = require "weft.association.discovered"

local M = {}

---A name as part of an association's, without what a dotted path could not hold.
local function word(name, style)
  return (style.word(name):gsub("[^%w_\x80-\xff]+", "_"))
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
    t.spelled[word(name, t.style)] = true
  end
  t.ncolumns = #columns
end

local function read_table(style, schema, name, columns, primary, uniques)
  local t = { style = style, schema = schema ~= "" and schema or nil, place = {}, filled = {}, spelled = {}, unique = {}, keys = {} }
  t.key = t.schema and schema .. "." .. name or name
  t.word = word(name, style)
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
  key.columns[n], key.target[n], key.words[n] = here, there, word(here, key.from.style)
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
local function read_tables(rows, style)
  local tables, visible = {}, {}
  for _, row in ipairs(rows) do
    if row[1] == "" then visible[row[2]] = true end
  end
  for _, row in ipairs(rows) do
    local t = read_table(style, row[1], row[2], core.decode(row[3]), core.decode(row[4]), core.decode(row[5]))
    if not t.schema or not visible[t.key] then tables[id(row[1], row[2])] = t end
  end
  return tables
end

---Tables in the order of their names, with their keys.
local function read(rows, style)
  local tables, list = read_tables(rows, style), {}
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

local function ask(db, what)
  local sql = core.catalog(db, what)
  return sql and db:rows(sql) or {}
end

---A catalog that cannot be read tells of nothing.
local function try_ask(db, what)
  local ok, result = catalog.try(db, ask, what)
  if ok then return result end
  if catalog.is_unreadable(result) then return {} end
  error(result, 0)
end

local known = setmetatable({}, { __mode = "k" }) -- handle -> { epoch, plural, style, associations }
local asking = catalog.asking()

local function ask_keys(db) return try_ask(db, "keys") end

local function read_catalog(db)
  if core.tx_current(db) then return ask_keys(db) end
  return catalog.shared(asking, db, ask_keys)
end

local function remembered(db, epoch, plural, style)
  local entry = known[db]
  return entry and entry.epoch == epoch and entry.plural == plural and entry.style == style and entry.associations
end

---The associations that follow from the foreign keys of a database, by table; read with one catalog statement per
---schema epoch (what a transaction asks for after it changed the schema may be seen outside of it until it
---ends). May wait. The result is shared: it is not to be changed.
---@param db weft.Database
---@param options? { plural?: fun(word: string): string, style?: string } as `naming` in weft.configure
---@return table<string, weft.Discovered[]> # "table", or "schema.table" where the search path does not find it -> sorted by name
function M.associations(db, options)
  local plural, style, epoch = options and options.plural, naming.style(options), core.epoch(db)
  local found = remembered(db, epoch, plural, style)
  if found then return found end
  local rows = read_catalog(db)
  found = remembered(db, epoch, plural, style) -- by another one who waited for the same rows
  if found then return found end
  found = discovered.associations(read(rows, style), plural, style)
  known[db] = { epoch = epoch, plural = plural, style = style, associations = found }
  return found
end

local function as_is(name) return name end

---Whether a name of the catalog's is that of a model's table: the schema may be said where it need not be.
local function is_named(info, name)
  local fold = core.dialect(info.db) == "sqlite" and string.lower or as_is -- SQLite finds names in any case
  local own = fold(core.table(info.core).name)
  name = fold(name)
  return name == own or info.schema ~= nil and name == fold(info.schema) .. "." .. own
end

-- Views ---------------------------------------------------------------------------------------

---The columns of an index that makes them unique in the whole table.
local function unique_columns(index)
  if not index.unique or index.where or index.valid == false then return nil end
  local columns = {}
  for i, part in ipairs(index.parts) do
    if not part.column or part.length then return nil end
    columns[i] = part.column
  end
  return columns
end

local function uniques_of(t)
  local list = {}
  for i, unique in ipairs(t.uniques) do list[i] = unique.columns end
  for _, index in ipairs(t.indexes) do list[#list + 1] = unique_columns(index) end
  return list
end

---A table of the schema as this file reads tables.
local function from_schema(style, t)
  local columns = {}
  for _, column in ipairs(t.columns) do
    if not column.hidden then columns[#columns + 1] = { column.name, not column.nullable } end
  end
  return read_table(style, not t.visible and t.schema or "", t.name, columns, t.primary_key, uniques_of(t))
end

---For each column of a view that is the first of a foreign key of its table: that key by the view's columns.
local function each_key_of_view(view, schema, visit)
  for _, column in ipairs(view.columns) do
    local origin = view.columns_of[column.name]
    for _, key in ipairs(origin and schema:table(origin.table).foreign_keys or {}) do
      local columns = { column.name }
      for i = 2, #key.columns do
        for _, other in ipairs(view.columns) do
          local from = view.columns_of[other.name]
          if from and from.table == origin.table and from.column == key.columns[i] then columns[i] = other.name end
        end
      end
      if key.columns[1] == origin.column and #columns == #key.columns and not key.missing then visit(key, columns) end
    end
  end
end

local function read_view(view, schema, style)
  local from = from_schema(style, view)
  each_key_of_view(view, schema, function(found, columns)
    local target = schema:table(found.key)
    if not target then return end
    local key = new_key(from, from_schema(style, target), found.name)
    for i, column in ipairs(columns) do add_pair(key, column, found.target[i]) end
    from.keys[#from.keys + 1] = key
  end)
  return from
end

local function keys_from_schema(from, t, tables)
  for _, found in ipairs(t.foreign_keys) do
    local to = not found.missing and #found.target == #found.columns and tables[found.key]
    if to then
      local key = new_key(from, to, found.name)
      for i, column in ipairs(found.columns) do add_pair(key, column, found.target[i]) end
      from.keys[#from.keys + 1] = key
    end
  end
  settle_keys(from)
end

---A style for many tables, whose columns have few names.
local function remembering(style) return setmetatable({ word = naming.remembering(style.word) }, { __index = style }) end

---The same as M.associations, and those of views, out of a schema that has been read: nothing is asked.
---@param schema weft.Schema
---@param options? table as `naming` in weft.configure
---@return table<string, weft.Discovered[]> # by key
function M.of_schema(schema, options)
  local plural, style = options and options.plural, remembering(naming.style(options))
  local tables, list = {}, {}
  local told = {}
  for _, t in ipairs(schema:tables()) do
    if not tables[t.key] then -- else a visible one, which comes first, goes by this name
      local from = from_schema(style, t)
      tables[t.key], told[from] = from, t
      list[#list + 1] = from
    end
  end
  for _, from in ipairs(list) do keys_from_schema(from, told[from], tables) end
  table.sort(list, by_order)
  local found = discovered.associations(list, plural, style)
  for _, view in ipairs(schema:views()) do
    if view.columns_of then found[view.key] = discovered.of_view(read_view(view, schema, style), plural, style) end
  end
  return found
end

---Name of a view -> its associations, false until they were found.
local function views_of(db, entry)
  if not entry.views then
    local views = {}
    for _, row in ipairs(try_ask(db, "views")) do views[row[1] == "" and row[2] or row[1] .. "." .. row[2]] = false end
    entry.views = views
  end
  return entry.views
end

---The name under which the catalog has the view of a model.
local function view_named(info, views)
  for name in pairs(views) do
    if is_named(info, name) then return name end
  end
end

---The associations of what has no key of its own: those that a view has from its tables. Only who asks for them has
---the schema read as a whole.
local function of_view(info)
  local entry = known[info.db]
  local views = views_of(info.db, entry)
  local name = view_named(info, views)
  if not name then return {} end
  if not views[name] then
    local schema = info.db:schema()
    local view = schema:table(name)
    local has_keys = view and view.columns_of
    views[name] = has_keys and discovered.of_view(read_view(view, schema, entry.style), entry.plural, entry.style) or {}
  end
  return views[name]
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
  return of_view(info)
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
