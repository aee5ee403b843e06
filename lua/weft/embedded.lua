-- SPDX-License-Identifier: MIT
-- What bindings/embed calls: a C program sees services by their names, JSON goes in and comes out.

local core = require "weft.core"
local database = require "weft.database"
local errors = require "weft.errors"
local events = require "weft.events"
local loader = require "weft.loader"
local services = require "weft.services"

local M = {}

local full = "not enough memory" -- as Lua says it
local here -- the folder of the app

---@param folder string an absolute path
---@param level? string of the log
---@param sink? fun(line: string, level: string)
function M.open(folder, level, sink)
  here = folder
  if sink then events.log { level = level or "warn", sink = sink } end
  require "weft.folder".open(folder)
end

local function service_of(name)
  local service = services.services
  for word in name:gmatch "[^.]+" do service = service[word] end
  return service
end

---Rows of a query need no tables on their way to text.
local function text_of(value)
  if core.is_query(value) then return value:json() end
  return core.encode(value)
end

local function run(name, input, context)
  return text_of((service_of(name)(input and core.decode(input), context and core.decode(context))))
end

---Notes where a failure came from that is a mistake in a script.
local function noted(name)
  return function(err)
    if not core.is_error(err) or err.kind == "usage" or err.kind == "internal" then
      events.emit("error", { service = name, message = errors.text(err), traceback = core.traceback(2) })
    end
    return err
  end
end

---Runs a service.
---@param name string "cart.add"
---@param input? string JSON
---@param context? string JSON
---@return string json of its first result
function M.call(name, input, context)
  local ok, result = xpcall(run, noted(name), name, input, context)
  if ok then return result end
  if result == full then events.emit("error", { service = name, message = result }) end -- no handler saw that
  error(result, 0)
end

---Loads a script of the folder: below the folder of services as the service that it is, else it is run.
---@param script string "services/cart.lua"
---@return string json
function M.load(script)
  local path = script:find "^/" and script or here .. "/" .. script
  local folder = database.services_folder() .. "/"
  local name = path:match "^(.*)%.lua$"
  if not name then errors.usage("load takes the path of a script, as services/cart.lua, got %s", script) end
  if name:sub(1, #folder) == folder then
    services.load((name:sub(#folder + 1):gsub("/", ".")))
  else
    loader.run(path, "the script")
  end
  return "null"
end

return M
