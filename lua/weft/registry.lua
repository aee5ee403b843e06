-- SPDX-License-Identifier: MIT
-- weft.models: proxies that load a model script the moment a model is touched.

local core = require "weft.core"
local errors = require "weft.errors"
local database = require "weft.database"
local loader = require "weft.loader"
local model = require "weft.model"
local naming = require "weft.naming"

local M = {}

local proxies = {} -- database name -> proxy
local stores = {} -- database name -> { generation, models = loader }

local function store(name)
  local entry = stores[name]
  local generation = database.generation(name)
  if not entry or entry.generation ~= generation then
    entry = { generation = generation, models = loader.new(name .. ".") }
    stores[name] = entry
  end
  return entry.models
end

local function script_path(name, key)
  if not key:find "^[%a_][%w_]*$" then return nil end
  local path = ("%s/%s/%s.lua"):format(database.models_folder(), name, key)
  local file = io.open(path, "r")
  if not file then return nil end
  file:close()
  return path
end

local function bind(name, key, definition, alternatives)
  return model.bind(database.database(name), name .. "." .. key, definition, alternatives, {
    decimals = database.option(name, "decimals"), zone_utc = database.option(name, "zone") == "utc",
    naming = database.option(name, "naming"),
  })
end

local function from_script(name, key, path)
  local definition = loader.run(path, ("model script of %s.%s"):format(name, key))
  if not model.is_definition(definition) then
    errors.raise("usage", ("%s: a model script returns weft.model { ... }, this one returned %s"):format(path, type(definition)))
  end
  local snake = naming.snake_case(key) -- a class: its own table is the plural
  return bind(name, key, definition, { naming.plural(snake), snake, key })
end

---What all model scripts of a database say, read for this alone: no model is loaded by it.
---@param name string the database's
---@return table[] model infos
function M.read_infos(name)
  local list = {}
  for i, key in ipairs(core.scripts(("%s/%s"):format(database.models_folder(), name)) or {}) do
    list[i] = core.info(from_script(name, key, script_path(name, key)))
  end
  return list
end

local function touch(name, key)
  if type(key) ~= "string" or key == "" then errors.usage("a model is named by text, got %s", type(key)) end
  local models = store(name)
  local made = models.loaded[key]
  if made then return made end
  local path = script_path(name, key)
  if path then return models:get(key, function() return from_script(name, key, path) end) end
  made = bind(name, key, {}, naming.tables(key))
  models.loaded[key] = made
  return made
end

---The names of the model scripts of a database.
local function scripts(name)
  local entry = stores[name]
  if not entry.scripts then entry.scripts = core.scripts(("%s/%s"):format(database.models_folder(), name)) or {} end
  return entry.scripts
end

local function stands_for(made, table_name, schema)
  local info = core.info(made)
  return info.table == table_name and info.schema == schema
end

---The scripted model of a table: by the name of its class, else whichever script says so.
---@param name string the database's
---@param table_name string
---@param schema? string as the script says it
---@return weft.Query?
function M.scripted(name, table_name, schema)
  local models, list = store(name), scripts(name)
  local named = { [naming.class(table_name)] = true, [table_name] = true }
  for _, first in ipairs { true, false } do
    for _, key in ipairs(list) do
      if (named[key] or false) == first then
        local ok, made = pcall(touch, name, key) -- one that fails says so when it is touched itself
        if ok and stands_for(made, table_name, schema) then return models.loaded[key] or made end
      end
    end
  end
end

---The model as it is now: its database may have been configured anew since it was given.
---@param query weft.Query
---@return weft.Query
function M.current(query)
  local info = core.info(query)
  if not core.closed(info.db) then return info.core end
  return M.models(info.database)[info.label:sub(#info.database + 2)]
end

---The model of a table: that of a script, or one without.
---@param name string the database's
---@param table_name string as the database knows it; "schema.table" when that is given
---@param schema? string
---@return weft.Query
function M.model_of_table(name, table_name, schema)
  local models = store(name)
  local entry = stores[name]
  local key = schema and table_name:sub(#schema + 2) or table_name
  local full = (schema or "") .. "." .. key
  entry.tables = entry.tables or {}
  local made = entry.tables[full]
  if not made and script_path(name, key) then made = touch(name, key) end
  made = made or M.scripted(name, key, schema)
  if not made then
    local own = schema and schema .. "." .. key or key
    made = models.loaded[own] or bind(name, own, { table = key, schema = schema })
    models.loaded[own] = made
  end
  entry.tables[full] = made
  return made
end

---Every model info that there is.
---@return fun(): table?
function M.each_info()
  local list, i = {}, 0
  for _, entry in pairs(stores) do
    for _, made in pairs(entry.models.loaded) do list[#list + 1] = core.info(made) end
  end
  return function()
    i = i + 1
    return list[i]
  end
end

---Is there a script or a table of that name? Asks the database when there is no script.
local function exists(name, key)
  if type(key) ~= "string" or key == "" then errors.usage("exists takes a model's name") end
  local made = store(name).loaded[key]
  if made and pcall(core.table, made) and core.table(made) then return true end
  if script_path(name, key) then return true end
  local ok, err = pcall(core.discover, touch(name, key))
  if ok then return true end
  if core.is_error(err) and err.kind == "usage" and err.op == "discover" then return false end -- no such table
  error(err, 0)
end

---The models of a database, loaded as they are touched. Neither disk nor database is touched here.
---@param name string a configured database
---@return weft.Models
function M.models(name)
  if type(name) ~= "string" then errors.usage("models takes the name of a database, got %s", type(name)) end
  local proxy = proxies[name]
  if proxy then return proxy end
  proxy = setmetatable({
    exists = function(_, key) return exists(name, key) end,
  }, {
    __index = function(_, key) return touch(name, key) end,
    __newindex = function(_, key)
      errors.usage("a model is defined by its script models/%s/%s.lua, not by assignment", name, tostring(key))
    end,
    __name = "weft.models",
  })
  proxies[name] = proxy
  return proxy
end

return M
