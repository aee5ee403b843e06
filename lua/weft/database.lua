-- SPDX-License-Identifier: MIT
-- weft.configure and weft.database: settings, handles by name, and what a handle can do beyond the core.

local core = require "weft.core"
local errors = require "weft.errors"

local M = { POOL_MAX = 8 } -- connections of a pool, unless it says so

local config = { databases = {}, models = "models", services = "services", migrations = "migrations" }
local handles = {} -- name -> open handle
local generation = {} -- name -> how often it was configured, so that models notice

local own_options = { -- options of a database that are not the driver's
  url = true, pool = true, statement_timeout = true, decimals = true, zone = true, naming = true,
}
local pool_options = { "max", "wait", "idle", "lifetime" }

---naming as a table; its style alone may be said.
local function check_naming(name, naming)
  if type(naming) == "string" then naming = { style = naming } end
  if type(naming) ~= "table" then errors.usage("database '%s': naming is a table, as { plural = fn }", name) end
  errors.check_names(naming, { "plural", "style" }, "option of naming")
  if naming.plural ~= nil and type(naming.plural) ~= "function" then
    errors.usage("database '%s': naming.plural is a function, not a %s", name, type(naming.plural))
  end
  if naming.style ~= nil and not require "weft.naming".styles[naming.style] then
    errors.usage("database '%s': the style of naming is \"snake_case\", \"camelCase\" or \"as is\"", name)
  end
  return naming
end

local function check_database(name, entry)
  if type(name) ~= "string" or not name:find "^[%a_][%w_]*$" then
    errors.usage("a database is named by a word of letters, digits and _, got '%s'", tostring(name))
  end
  if type(entry) == "string" then return { url = entry } end
  if type(entry) ~= "table" then
    errors.usage("database '%s' is a url or a table with url, got %s", name, type(entry))
  end
  local copy = {}
  for key, value in pairs(entry) do copy[key] = value end
  if copy.pool ~= nil then
    if type(copy.pool) ~= "table" then errors.usage("database '%s': pool is a table, as { max = 4 }", name) end
    errors.check_names(copy.pool, pool_options, "pool option")
    for key, value in pairs(copy.pool) do
      if math.type(value) == nil or (key == "max" and (math.type(value) ~= "integer" or value < 1)) then
        errors.usage("database '%s': pool.%s is a %s", name, key,
          key == "max" and "whole number from 1" or "number of seconds")
      end
    end
  end
  if copy.statement_timeout ~= nil and (math.type(copy.statement_timeout) == nil or copy.statement_timeout <= 0) then
    errors.usage("database '%s': statement_timeout is a number of seconds above 0", name)
  end
  if copy.decimals ~= nil and copy.decimals ~= "string" and copy.decimals ~= "number" then
    errors.usage("database '%s': decimals is \"string\" or \"number\"", name)
  end
  if copy.zone ~= nil and copy.zone ~= "utc" then
    errors.usage("database '%s': zone is \"utc\", for timestamps that are declared without a zone", name)
  end
  if copy.naming ~= nil then copy.naming = check_naming(name, copy.naming) end
  return copy
end

---Sets databases and folders. A second call replaces the databases that it names: their open handles are
---closed. WEFT_DATABASE_<NAME> in the environment overrides a url. Nothing connects here.
---@param options weft.Options strict: associations and lazy columns are never loaded on touch
function M.configure(options)
  if type(options) ~= "table" then errors.usage("configure takes a table, got %s", type(options)) end
  errors.check_names(options, { "databases", "migrate", "migrations", "models", "serve", "services", "slow_query", "strict" }, "option of configure")
  local checked = {}
  if options.databases ~= nil and type(options.databases) ~= "table" then
    errors.usage("databases is a table of name = url")
  end
  for name, entry in pairs(options.databases or {}) do checked[name] = check_database(name, entry) end
  if options.migrate ~= nil and options.migrate ~= "auto" and options.migrate ~= false then errors.usage "migrate is \"auto\" or false" end
  for _, folder in ipairs { "models", "services", "migrations" } do
    if options[folder] ~= nil and type(options[folder]) ~= "string" then errors.usage("%s is a folder's path", folder) end
  end
  if options.strict ~= nil and type(options.strict) ~= "boolean" then errors.usage("strict is true or false") end
  for name, entry in pairs(checked) do
    config.databases[name] = entry
    generation[name] = (generation[name] or 0) + 1
    local old = handles[name]
    handles[name] = nil
    if old then old:close() end
  end
  config.models = options.models or config.models
  config.services = options.services or config.services
  config.migrations = options.migrations or config.migrations
  if options.strict ~= nil then config.strict = options.strict end
  if options.slow_query then require "weft.events".set_slow(options.slow_query) end
end

---The folder of model scripts.
function M.models_folder() return config.models end

---Is nothing loaded when a row is touched that is of this model, by a query that said strict() or did not?
---@param info table
---@param strict boolean
function M.strict(info, strict) return strict or info.strict or config.strict end

---The folder of service scripts.
function M.services_folder() return config.services end

---How often a database was configured; 0: never.
function M.generation(name) return generation[name] or 0 end

local function names()
  local list = {}
  for name in pairs(config.databases) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local function to_text(name, key, value)
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "boolean" or kind == "number" then return tostring(value) end
  errors.usage("database '%s': option '%s' is text, a number or a boolean, not a %s", name, tostring(key), kind)
end

local function open(name)
  local entry = config.databases[name]
  local url = os.getenv("WEFT_DATABASE_" .. name:upper()) or (entry and entry.url)
  if not entry and not url then
    local near = core.nearest(name, names())
    errors.usage("unknown database '%s'%s", name,
      near and ("; did you mean '%s'?"):format(near) or " (weft.configure names databases)")
  end
  entry = entry or {}
  if type(url) ~= "string" then errors.usage("database '%s' has no url", name) end
  local settings = {}
  for key, value in pairs(entry) do
    if not own_options[key] then settings[key] = to_text(name, key, value) end
  end
  local pool = { statement_timeout = entry.statement_timeout, decimals = entry.decimals }
  for key, value in pairs(entry.pool or {}) do pool[key] = value end
  if config.share then pool.max = config.share(name, pool.max or M.POOL_MAX) end
  return core.open(name, url, settings, pool)
end

---A process of several workers gives each a part of the connections that a database may have.
---@param fn fun(name: string, max: integer): integer
function M.share(fn) config.share = fn end

---Open handles by their names.
---@return table<string, weft.Database>
function M.open_handles()
  local open_ones = {}
  for name, handle in pairs(handles) do
    if not core.closed(handle) then open_ones[name] = handle end
  end
  return open_ones
end

---The settings of configured databases by their names, urls as they count.
---@return table<string, { url: string?, pool: table? }>
function M.configured()
  local list = {}
  for name, entry in pairs(config.databases) do
    list[name] = { url = os.getenv("WEFT_DATABASE_" .. name:upper()) or entry.url, pool = entry.pool }
  end
  return list
end

---Runs before anybody else has a handle that was opened; what fails is tried again with the next one.
local function opened(name, handle)
  local ok, err = pcall(config.on_open, handle, name, config.migrations)
  if ok then return end
  handles[name] = nil
  handle:close()
  error(err, 0)
end

---@param fn (fun(db: weft.Database, name: string, migrations: string))|false is called with each handle that is opened
function M.on_open(fn) config.on_open = fn end

---The handle of a configured database; the same one each time, a new one after it was closed. Connects at its first statement.
---@param name string
---@return weft.Database
function M.database(name)
  if type(name) ~= "string" then errors.usage("database takes a name, got %s", type(name)) end
  local handle = handles[name]
  if handle and not core.closed(handle) then return handle end
  if handle then generation[name] = (generation[name] or 0) + 1 end -- models follow to the new handle
  handle = open(name)
  handles[name] = handle
  if config.on_open then opened(name, handle) end
  return handle
end

---Asks the idle connections of all databases for a sign of life before they are used again: the process stood still,
---and who was at the other end may be gone. Waits for nothing.
function M.check()
  for _, handle in pairs(handles) do
    if not core.closed(handle) then core.check(handle) end
  end
end

---An option of a configured database.
function M.option(name, key)
  local entry = config.databases[name]
  return entry and entry[key]
end

local methods = core.database_methods
local transactions
local function lazily(name)
  return function(...)
    transactions = transactions or require "weft.transaction"
    methods[name] = transactions[name] -- from now on without this detour
    return transactions[name](...)
  end
end
methods.transaction = lazily "transaction"
methods.session = lazily "session"
methods.schema = function(db) return require "weft.schema".of(db) end
methods.on_schema_change = function(...) return require "weft.schema.watch".on_schema_change(...) end

return M
