-- SPDX-License-Identifier: MIT
-- weft.services: functions that are scripts. weft.services.cart.add is a name until it is called; the call
-- finds services/cart/add.lua, which returns a function, or services/cart.lua, which returns a table with add.

local core = require "weft.core"
local errors = require "weft.errors"
local database = require "weft.database"
local loader = require "weft.loader"

local M = {}

local folder -- of the scripts that were loaded
local scripts -- their loader
local places -- "cart.add" -> { script = "cart", name = "add" }

local function start_anew()
  folder, scripts, places = database.services_folder(), loader.new "services.", {}
end

local function path_of(script) return ("%s/%s.lua"):format(folder, (script:gsub("%.", "/"))) end

local function exists(script)
  local file = io.open(path_of(script), "r")
  if file then file:close() end
  return file ~= nil
end

---"; did you mean 'cart'?", of the scripts in the folder where `script` was looked for.
local function suggestion(script)
  local above, last = script:match "^(.-)%.?([^.]*)$"
  local where = above == "" and folder or folder .. "/" .. above:gsub("%.", "/")
  local names = core.scripts(where)
  if not names then return (" (there is no folder %s)"):format(where) end
  local near = core.nearest(last, names)
  return near and ("; did you mean '%s'?"):format(above == "" and near or above .. "." .. near) or ""
end

---The script that has a service, and the service's name in it (nil: the script is the service).
local function find(service)
  if exists(service) then return { script = service } end
  local script, name = service:match "^(.*)%.([^.]*)$"
  if not script then
    errors.usage("there is no service '%s': no file %s%s", service, path_of(service), suggestion(service))
  end
  if exists(script) then return { script = script, name = name } end
  errors.usage("there is no service '%s': no file %s, nor %s%s", service, path_of(service), path_of(script),
    suggestion(script))
end

local function load(script)
  local file = path_of(script)
  local result = loader.run(file, ("service script of %s"):format(script))
  if type(result) ~= "function" and type(result) ~= "table" then
    errors.raise("usage", ("%s: a service script returns a function or a table of functions, this one returned %s")
      :format(file, type(result)))
  end
  return result
end

local function functions_of(result)
  local names = {}
  for name, fn in pairs(result) do
    if type(name) == "string" and type(fn) == "function" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function no_such(service, place, result)
  if not place.name then
    errors.usage("'%s' is a table of services: call one of %s", service, table.concat(functions_of(result), ", "))
  end
  local file = path_of(place.script)
  if type(result) == "function" then
    errors.usage("there is no service '%s': %s returned one function, not a table of them", service, file)
  end
  local near = core.nearest(place.name, functions_of(result))
  errors.usage("there is no service '%s': no such function in %s%s", service, file,
    near and ("; did you mean '%s.%s'?"):format(place.script, near) or "")
end

---The service in what its script returned.
local function pick(service, place, result)
  local fn = result
  if place.name then fn = type(result) == "table" and result[place.name] end
  if type(fn) ~= "function" then no_such(service, place, result) end
  return fn
end

---@class weft.Service
local Service = { __name = "weft.service" }
local path, below = {}, {} -- keys of a service's own fields
local weak = { __mode = "v" } -- names that nobody holds may go

function Service:__index(name)
  local known = rawget(self, below)
  local child = known and known[name]
  if child then return child end
  if type(name) ~= "string" or not name:find "^[%a_][%w_]*$" then
    errors.usage("a service is named by a word of letters, digits and _")
  end
  if not known then
    known = setmetatable({}, weak)
    rawset(self, below, known)
  end
  local above = rawget(self, path)
  child = setmetatable({ [path] = above and above .. "." .. name or name }, Service)
  known[name] = child
  return child
end

function Service.__newindex(_, name)
  errors.usage("a service is defined by its script services/%s.lua, not by assignment", tostring(name))
end

function Service:__tostring() return "weft.services." .. (rawget(self, path) or "*") end

function Service:__call(input, context)
  local service = rawget(self, path)
  if not service then errors.usage("services are called by their names, as weft.services.cart.add(input)") end
  if getmetatable(input) == Service then
    errors.usage("a service is called with a dot: weft.services.%s(input)", service)
  end
  if context ~= nil and type(context) ~= "table" then
    errors.usage("the second argument of a service is a table, its context, not a %s", type(context))
  end
  if folder ~= database.services_folder() then start_anew() end
  local place = places[service]
  if not place then
    place = find(service)
    places[service] = place
  end
  local fn = pick(service, place, scripts:get(place.script, load))
  return fn(input, context or { service = service })
end

---Services by their names. Nothing is loaded before one is called; the call may wait.
---@type weft.Service
M.services = setmetatable({}, Service)

---Loads the script of a service now, its newest text: the calls that follow are of it.
---@param script string as "cart"
function M.load(script)
  if folder ~= database.services_folder() then start_anew() end
  M.reload_services(script)
  scripts:get(script, load)
end

---Forgets loaded scripts: the next call loads them anew, calls that are under way end with the old code.
---@param name? string of a script, as "cart"; all of them unless given
function M.reload_services(name)
  if name ~= nil and type(name) ~= "string" then
    errors.usage("reload_services takes a script's name, got %s", type(name))
  end
  if not name or not scripts then return start_anew() end
  scripts:forget(name)
  places = {} -- there may be other files now
end

return M
