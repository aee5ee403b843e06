-- SPDX-License-Identifier: MIT
-- What the subcommands that work on an app share: words and options, weft.lua, questions, exit codes.
--
-- An app is a folder with weft.lua, which returns what weft.configure takes, models/ and migrations/.

local core = require "weft.core"
local database = require "weft.database"
local weft = require "weft"

core.prefix("@" .. (arg[0]:match "^(.*/)" or "./"), "program") -- no line of a command is the user's

local M = {}

local Misuse = {}

---Ends the program with exit code 2.
function M.misuse(format, ...) error(setmetatable({ text = format:format(...) }, Misuse), 0) end

-- Words ---------------------------------------------------------------------------------------

local readers = {
  text = function(_, value) return value end,
  number = function(name, value) return math.tointeger(tonumber(value)) or tonumber(value) or M.misuse("--%s takes a number", name) end,
  list = function(_, value, before)
    before = before or {}
    before[#before + 1] = value
    return before
  end,
}

---Options by name, and the words between them. --help prints the usage and ends.
---@param list string[]
---@param flags table<string, true|"text"|"number"|"list">
function M.parse(list, flags, usage)
  local options, words, i = {}, {}, 1
  while i <= #list do
    local name, value = list[i]:match "^%-%-([%w-]+)=?(.*)$"
    if name == "help" then
      io.write(usage)
      os.exit(0, true)
    end
    if not name then
      words[#words + 1] = list[i]
    elseif flags[name] == true then
      options[name] = true
    elseif flags[name] then
      if not list[i]:find("=", 1, true) then i, value = i + 1, list[i + 1] end
      if not value then M.misuse("--%s takes a value", name) end
      options[name] = readers[flags[name]](name, value, options[name])
    else
      M.misuse("there is no option --%s", name)
    end
    i = i + 1
  end
  return options, words
end

---OLD=NEW of a list, as a table.
function M.renames(list)
  local renames = {}
  for _, text in ipairs(list or {}) do
    local from, to = text:match "^(.-)=(.+)$"
    if not from or from == "" then M.misuse "--rename takes OLD=NEW" end
    renames[from] = to
  end
  return renames
end

-- The app -------------------------------------------------------------------------------------

local exists = require "weft.loader".exists

---A path of the app, which others are relative to.
function M.path(options, path)
  if not options.app or path:find "^/" then return path end
  return options.app .. "/" .. path
end

function M.dir(options) return M.path(options, options.dir or "migrations") end

local configured -- names of the databases of weft.lua

---Long work is not cut off by the time that a statement of the app may take.
local function unhurried(entry)
  if type(entry) ~= "table" then return entry end
  local copy = {}
  for key, value in pairs(entry) do copy[key] = value end
  copy.statement_timeout = nil
  return copy
end

---What weft.lua returns, with folders as they are seen from here; nil when there is no such file.
local function settings_of(options)
  local path = M.path(options, "weft.lua")
  if not exists(path) then return nil end
  local settings = require "weft.loader".run(path, path)
  if type(settings) ~= "table" or type(settings.databases) ~= "table" then M.misuse("%s returns a table with databases", path) end
  local copy = {}
  for key, value in pairs(settings) do copy[key] = value end
  for _, folder in ipairs { "models", "services", "migrations" } do copy[folder] = M.path(options, settings[folder] or folder) end
  configured = {}
  for name in pairs(settings.databases) do configured[#configured + 1] = name end
  table.sort(configured)
  return copy
end

---Reads weft.lua for a tool, which does not run what is pending by itself.
function M.load(options)
  local settings = settings_of(options)
  if not settings then
    M.misuse("there is no %s, which returns what weft.configure takes; --app DIR says where it is", M.path(options, "weft.lua"))
  end
  local databases = {}
  for name, entry in pairs(settings.databases) do databases[name] = unhurried(entry) end
  settings.databases, settings.migrate = databases, nil
  weft.configure(settings)
end

---Reads weft.lua, if there is one, for a program that runs the app.
---@return boolean found
function M.load_as_it_is(options)
  local settings = settings_of(options)
  if settings then weft.configure(settings) end
  return settings ~= nil
end

---The databases that are meant.
---@return string[]
function M.databases(options)
  if not options.database then return configured end
  if database.option(options.database, "url") then return { options.database } end
  local near = core.nearest(options.database, configured)
  M.misuse("there is no database '%s'%s", options.database, near and ("; did you mean '%s'?"):format(near) or "")
end

---@return string name
function M.one_database(options)
  local names = M.databases(options)
  if #names ~= 1 then M.misuse("--database says which one: %s", table.concat(names, ", ")) end
  return names[1]
end

-- Questions and ends ----------------------------------------------------------------------------

function M.is_terminal() return os.execute "test -t 0 && test -t 2" == true end

---@return boolean yes
function M.ask(question)
  io.stderr:write(question)
  local answer = io.read "l" or ""
  return answer:lower():find "^%s*y" ~= nil
end

---What failed, without the line of the command itself: its user is not who wrote that.
local function told(err, main)
  local place = debug.getinfo(main, "S").short_src:gsub("%p", "%%%0")
  return (tostring(err):gsub(place .. ":%d+: ", "", 1))
end

---Runs a command and ends the program.
function M.run(main, usage)
  local ok, status = xpcall(main, function(err)
    if core.is_error(err) or getmetatable(err) == Misuse or type(err) == "string" then return err end
    return debug.traceback(tostring(err))
  end)
  if ok then os.exit(status or 0, true) end
  if getmetatable(status) == Misuse then
    io.stderr:write("weft: ", status.text, "\n", usage:match "^[^\n]*", " (--help)\n")
    os.exit(2, true)
  end
  io.stderr:write("weft: ", told(status, main), "\n")
  os.exit(1, true)
end

return M
