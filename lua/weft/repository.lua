-- SPDX-License-Identifier: MIT
-- db:repository("users"): what is done most with one table, by its key. It is the model of the table underneath, that of
-- a script where there is one, so that soft deletes, hooks, validation and versions hold here, too.

local core = require "weft.core"
local errors = require "weft.errors"
local naming = require "weft.naming"
local ordered = require "weft.association.include".ordered
local registry = require "weft.registry"
local row = require "weft.row"
local schema_of = require "weft.schema".of

local M = {}

---@class weft.Repository
---@field model weft.Query
local methods = {}

-- Keys ----------------------------------------------------------------------------------------

---Whether a value is a table of the caller's, and no value that a column takes.
local function is_plain(value) return type(value) == "table" and getmetatable(value) == nil end

---What the database knows of the table now. May wait.
local function table_of(self)
  core.discover(self.model)
  return core.table(self.model)
end

---Whether a value may be one of a key's: SQL, lists and NULL name no row, or more than one.
local function names_a_row(value) return value ~= nil and value ~= core.null and type(value) ~= "table" end

---The values of a key that is said as one value, as a list of values or by the names of its columns.
local function key_values(self, id, op)
  local known = table_of(self)
  local key, values = known.key, {}
  if #key == 0 then errors.usage("%s: %s has no primary key; use find_by or find_all", op, known.name) end
  if not is_plain(id) then id = { id } end
  local size = 0
  for _ in pairs(id) do size = size + 1 end
  for i, column in ipairs(key) do
    values[i] = id[column]
    if values[i] == nil then values[i] = id[i] end
    if not names_a_row(values[i]) or size ~= #key then
      errors.usage("%s: the key of %s is (%s): one value for each", op, known.name, table.concat(key, ", "))
    end
  end
  return values
end

---The query of the one row that has this key.
local function of_key(self, id, op)
  local values, conditions = key_values(self, id, op), {}
  for i, column in ipairs(core.table(self.model).key) do conditions[column] = values[i] end
  return self.model:where(conditions)
end

-- Options -------------------------------------------------------------------------------------

local reading = { "where", "order", "include", "select", "limit", "offset" }
local paging = { "where", "order", "include", "select", "page", "size" }

local function check_options(options, known, op)
  if options == nil then return {} end
  if type(options) ~= "table" then errors.usage("%s takes a table of options, as { order = \"name\" }", op) end
  errors.check_names(options, known, "option of " .. op)
  return options
end

---Whether a table is a list of what could be said alone.
local function is_list(value)
  if not is_plain(value) or #value == 0 then return false end
  for name in pairs(value) do
    if type(name) == "string" then return false end
  end
  return true
end

---A list is several arguments.
local function call(query, method, value)
  if is_list(value) then return query[method](query, table.unpack(value)) end
  return query[method](query, value)
end

local function filtered(self, options)
  if options.where == nil then return self.model end
  return self.model:where(options.where)
end

local function shaped(query, options)
  if options.order ~= nil then query = ordered(query, options.order) end
  if options.include ~= nil then query = call(query, "include", options.include) end
  if options.select ~= nil then query = call(query, "select", options.select) end
  return query
end

local MOST = 1 << 31 -- so that the rows of all pages before one are a number

local function whole(value, name, default)
  if value == nil then return default end
  if math.type(value) ~= "integer" or value < 1 or value > MOST then
    errors.usage("paginate: %s is a whole number from 1 to %d", name, MOST)
  end
  return value
end

-- Reading -------------------------------------------------------------------------------------

---All rows, or those that the options say.
---@param options? weft.FindOptions
---@return weft.Row[]
function methods:find_all(options)
  options = check_options(options, reading, "find_all")
  local query = shaped(filtered(self, options), options)
  if options.limit ~= nil then query = query:limit(options.limit) end
  if options.offset ~= nil then query = query:offset(options.offset) end
  return query:all()
end

---The row of a key.
---@param id weft.Value|weft.Value[]|table<string, weft.Value> of a composite key a list, or column = value
---@return weft.Row?
function methods:find(id) return self.model:find(table.unpack(key_values(self, id, "find"))) end

---The row of a key with its associations.
---@param id weft.Value|weft.Value[]|table<string, weft.Value>
---@param what string|table as { "posts.comments", "profile" }
---@return weft.Row?
function methods:find_with(id, what)
  if what == nil then errors.usage "find_with takes a key and what to include, as { \"posts.comments\" }" end
  return call(self.model, "include", what):find(table.unpack(key_values(self, id, "find_with")))
end

---The first row of these values, by primary key.
---@param values table<string, weft.Value|weft.Value[]>
---@return weft.Row?
function methods:find_by(values) return self.model:find_by(values) end

---The number of rows.
---@param conditions? weft.Conditions
---@return integer
function methods:count(conditions) return filtered(self, { where = conditions }):count() end

---Is there a row of this key, or one of these values? Without an argument: is there any?
---@param ... weft.Value|weft.Value[]|table<string, weft.Value>
---@return boolean
function methods:exists(...)
  if select("#", ...) == 0 then return self.model:exists() end
  local what = ...
  local query = is_plain(what) and #what == 0 and self.model:where(what) or of_key(self, what, "exists")
  return query:exists()
end

---One page of rows and how many there are in all, in the order given; the primary key decides between equals.
---@param options? weft.PaginateOptions
---@return weft.Pages
function methods:paginate(options)
  options = check_options(options, paging, "paginate")
  local page, size = whole(options.page, "page", 1), whole(options.size, "size", 20)
  local query, key = filtered(self, options), table_of(self).key
  if options.order == nil and #key == 0 then
    errors.usage("paginate: %s has no primary key; say order", core.table(self.model).name)
  end
  local total = query:count()
  query = shaped(query, options)
  for _, column in ipairs(key) do query = query:order(column) end
  return {
    rows = query:limit(size):offset((page - 1) * size):all(),
    total = total, page = page, size = size, pages = (total + size - 1) // size,
  }
end

-- Writing -------------------------------------------------------------------------------------

---Inserts a row.
---@param values table<string, weft.Value|weft.Raw>
---@return weft.Row row as stored
function methods:create(values) return self.model:create(values) end

---Sets columns of the row of a key. Raises not_found when there is none.
---@param id weft.Value|weft.Value[]|table<string, weft.Value>
---@param values table<string, weft.Value>
---@return weft.Row row as stored
function methods:update(id, values)
  local found = self.model:get(table.unpack(key_values(self, id, "update")))
  return row.update(found, values)
end

---Deletes the row of a key, or notes that it is deleted where the model says so.
---@param id weft.Value|weft.Value[]|table<string, weft.Value>
---@return boolean # whether there was one
function methods:delete(id) return of_key(self, id, "delete"):delete() > 0 end

-- Finders -------------------------------------------------------------------------------------

---The column that find_by_<word> means: as it is spelled, else in snake_case when that is one alone.
local function column_of(known, word)
  if known.types[word] then return word end
  local found
  for _, column in ipairs(known.columns) do
    if naming.snake_case(column) == word then
      if found then return nil end
      found = column
    end
  end
  return found
end

local function unknown(name, known)
  local names = {}
  for method in pairs(methods) do names[#names + 1] = method end
  for _, column in ipairs(known.columns) do names[#names + 1] = "find_by_" .. column end
  table.sort(names)
  local near = core.nearest(name, names)
  errors.usage("unknown finder '%s' of %s%s", name, known.name, near and ("; did you mean '%s'?"):format(near) or "")
end

---find_by_<column>(value): the first row of this value, by primary key.
local function finder(self, name)
  local known = table_of(self)
  local column = column_of(known, name:match "^find_by_(.+)$")
  if not column then unknown(name, known) end
  return function(repository, value)
    if value == nil then errors.usage("%s takes a value; weft.null finds NULL", name) end
    return repository:find_by { [column] = value }
  end
end

local Repository = { __name = "weft.repository" }

---A method that says so when it is called as a function.
local function checked(name, fn)
  return function(self, ...)
    if getmetatable(self) ~= Repository then errors.usage("%s is a method of a repository: repository:%s(...)", name, name) end
    return fn(self, ...)
  end
end

for name, fn in pairs(methods) do methods[name] = checked(name, fn) end

function Repository:__index(name)
  if methods[name] then return methods[name] end
  if type(name) ~= "string" or not name:find "^find_" then return nil end
  return finder(self, name)
end

-- Repositories of a database ------------------------------------------------------------------

local made_for = setmetatable({}, { __mode = "k" }) -- handle -> { model, by_name, by_key }

---What was made for a database; names are looked up anew when its schema has changed.
local function entry_of(db, model)
  local entry = made_for[db]
  if not entry then
    entry = { by_key = {} }
    made_for[db] = entry
  end
  if entry.model ~= model then entry.model, entry.by_name = model, {} end
  return entry
end

local function nearest(model, name)
  local keys = {}
  for _, list in ipairs { model.tables, model.views } do
    for _, t in ipairs(list) do keys[#keys + 1] = t.key end
  end
  return core.nearest(name, keys)
end

---A table that is not known may have been made by another program meanwhile: then the schema is read again.
local function look_up(schema, name)
  local found = schema:table(name)
  if found then return found end
  core.forget_tables(schema.db)
  found = schema:table(name)
  if found then return found end
  local near = nearest(schema:model(), name)
  errors.usage("database '%s' has no table '%s'%s", schema.database, name,
    near and ("; did you mean '%s'?"):format(near) or "")
end

---The model of a table. Its script may say a schema that need not be said.
local function model_of(database, t)
  if not t.visible then return registry.model_of_table(database, t.schema .. "." .. t.name, t.schema) end
  local scripted = t.schema and registry.scripted(database, t.name, t.schema)
  return scripted or registry.model_of_table(database, t.name)
end

---The repository of a table or view; the same one each time. Reads the schema, so it may wait.
---@param db weft.Database
---@param name string "users" or "schema.users"
---@return weft.Repository
function M.repository(db, name)
  local schema = schema_of(db)
  if type(name) ~= "string" or name == "" then errors.usage("repository takes the name of a table, got %s", type(name)) end
  local made = entry_of(db, schema:model()).by_name[name]
  if made then return made end
  local t = look_up(schema, name)
  local entry = entry_of(db, schema:model())
  if not entry.by_key[t.key] then
    local own = model_of(schema.database, t) -- meanwhile somebody else may have made it
    entry.by_key[t.key] = entry.by_key[t.key] or setmetatable({ model = own }, Repository)
  end
  entry.by_name[name] = entry.by_key[t.key]
  return entry.by_name[name]
end

M.methods = methods

return M
