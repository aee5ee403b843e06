-- SPDX-License-Identifier: MIT
-- weft.models: proxies that load a model script the moment a model is touched. A script is run by a task
-- of its own (it may wait), once; whoever touches the model meanwhile waits for that task.

local core = require "weft.core"
local errors = require "weft.errors"
local database = require "weft.database"
local model = require "weft.model"
local naming = require "weft.naming"

local M = {}

local proxies = {} -- database name -> proxy
local loaded = {} -- database name -> { generation, models = name -> model }
local loading = {} -- "database.Name" -> { task, waits = key that its script touched }
local loader_of = setmetatable({}, { __mode = "k" }) -- coroutine of a script -> key

local function store(name)
  local entry = loaded[name]
  local generation = database.generation(name)
  if not entry or entry.generation ~= generation then
    entry = { generation = generation, models = {} }
    loaded[name] = entry
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

---Runs a model script and returns its definition.
local function definition_of(path, label)
  local chunk, why = loadfile(path, "t")
  if not chunk then errors.raise("usage", ("model script of %s does not load: %s"):format(label, why)) end
  local ok, result = xpcall(chunk, function(err)
    return core.is_error(err) and err or debug.traceback(tostring(err), 2):match "^[^\n]*"
  end)
  if not ok then
    if core.is_error(result) then
      if result.kind == "usage" and not result.message:find(path, 1, true) then -- a tail call hides the line
        result.message = path .. ": " .. result.message
      end
      error(result, 0)
    end
    errors.raise("usage", ("model script of %s failed: %s"):format(label, result), { cause = result })
  end
  if not model.is_definition(result) then
    errors.raise("usage", ("%s: a model script returns weft.model { ... }, this one returned %s"):format(path, type(result)))
  end
  return result
end

local function make(name, key)
  local label = name .. "." .. key
  local db = database.database(name)
  local path = script_path(name, key)
  local definition = path and definition_of(path, label) or {}
  local alternatives = naming.tables(key)
  if path then -- a class: its own table is the plural
    local snake = naming.snake_case(key)
    alternatives = { naming.plural(snake), snake, key }
  end
  local made = model.bind(db, label, definition, alternatives, {
    decimals = database.option(name, "decimals"), zone_utc = database.option(name, "zone") == "utc",
  })
  store(name)[key] = made
  return made
end

---A script that touches a model whose script waits for the first one would wait for ever.
local function check_cycle(key)
  local from = loader_of[coroutine.running()]
  if not from then return end
  local at = key
  while at do
    if at == from then
      errors.usage("model scripts of %s and %s load each other: name models by text in associations", from, key)
    end
    at = loading[at] and loading[at].waits
  end
  loading[from].waits = key
  return from
end

local function load(name, key)
  local full = name .. "." .. key
  if not script_path(name, key) then return make(name, key) end -- nothing to wait for
  if not pcall(core.may_wait) then return make(name, key) end
  local from = check_cycle(full)
  local entry = loading[full]
  if not entry then
    entry = {}
    loading[full] = entry
    entry.task = core.spawn(function()
      loader_of[coroutine.running()] = full
      return make(name, key)
    end)
  end
  local ok, result = pcall(entry.task.await, entry.task)
  if loading[full] == entry then loading[full] = nil end
  if from and loading[from] then loading[from].waits = nil end
  if not ok then error(result, 0) end
  return result
end

local function touch(name, key)
  if type(key) ~= "string" or key == "" then errors.usage("a model is named by text, got %s", type(key)) end
  local made = store(name)[key]
  if made then return made end
  return load(name, key)
end

---Is there a script or a table of that name? Asks the database when there is no script.
local function exists(name, key)
  if type(key) ~= "string" or key == "" then errors.usage("exists takes a model's name") end
  if store(name)[key] and pcall(core.table, store(name)[key]) and core.table(store(name)[key]) then return true end
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
