-- SPDX-License-Identifier: MIT
-- A folder that Weft runs, wherever the program was started: weft.lua, models/, services/, migrations/. What is relative
-- in weft.lua begins in that folder.

local errors = require "weft.errors"
local loader = require "weft.loader"

local M = {}

local exists = require "weft.loader".exists

local function below(folder, path) return path:find "^/" and path or folder .. "/" .. path end

---"sqlite:var/shop.db", with the folder; other urls as they are.
local function with_folder(folder, url)
  local scheme, path = url:match "^(sqlite3?:)([^/:].*)$"
  return scheme and scheme .. below(folder, path) or url
end

local function database(folder, entry)
  if type(entry) == "string" then return with_folder(folder, entry) end
  if type(entry) ~= "table" or type(entry.url) ~= "string" then return entry end -- configure says what is wrong
  local copy = {}
  for key, value in pairs(entry) do copy[key] = value end
  copy.url = with_folder(folder, entry.url)
  return copy
end

local function options_of(folder)
  local path = folder .. "/weft.lua"
  local options = exists(path) and loader.run(path, "the configuration") or {}
  if type(options) ~= "table" then errors.usage("%s returns the table for weft.configure, not a %s", path, type(options)) end
  local copy = {}
  for key, value in pairs(options) do copy[key] = value end
  return copy
end

---Configures Weft as the folder says and lets its scripts be required.
---@param folder string an absolute path
function M.open(folder)
  package.path = ("%s;%s/?.lua;%s/?/init.lua"):format(package.path, folder, folder) -- behind Weft: there is a weft.lua
  local options = options_of(folder)
  for _, name in ipairs { "models", "services", "migrations" } do
    if options[name] == nil or type(options[name]) == "string" then options[name] = below(folder, options[name] or name) end
  end
  if type(options.databases) == "table" then
    local databases = {}
    for name, entry in pairs(options.databases) do databases[name] = database(folder, entry) end
    options.databases = databases
  end
  require "weft.configure".configure(options)
end

return M
