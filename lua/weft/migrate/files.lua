-- SPDX-License-Identifier: MIT
-- Migration files of a folder: VERSION_name.lua, VERSION_name.sql with `-- up` and `-- down` sections, or
-- VERSION_name.up.sql and VERSION_name.down.sql. They run in the order of their versions, which are numbers.

local core = require "weft.core"
local errors = require "weft.errors"
local fnv = require "weft.fnv"
local sql_split = require "weft.migrate.sql_split"

local M = {}

---@class weft.MigrationFile
---@field version string digits as in the file's name
---@field name string
---@field path string
---@field text string
---@field checksum string
---@field up string[]|function statements, or what makes them
---@field down (string[]|function)? nil: there is no way back
---@field transaction boolean whether its author leaves it in a transaction

---Is version a before b? They are numbers of any length.
function M.before(a, b)
  a, b = a:gsub("^0+", ""), b:gsub("^0+", "")
  if #a ~= #b then return #a < #b end
  return a < b
end

local function read(path)
  local file, why = io.open(path, "rb")
  if not file then errors.raise("usage", why) end
  local text = file:read "a"
  file:close()
  return text
end

-- SQL -----------------------------------------------------------------------------------------

local function section_of(line)
  local word, rest = line:match "^%-%-%s*(%a+)%s*(.-)%s*$"
  word = word and word:lower()
  if (word == "up" or word == "down") and (rest == "" or rest == ":") then return word end
end

---The sections of a text: everything before the first mark is `up`, with the settings of its comments.
local function sections(text)
  local parts, now = { up = {}, down = nil }, "up"
  for line in (text .. "\n"):gmatch "(.-)\r?\n" do
    local section = section_of(line)
    if section then
      now = section
      parts[now] = parts[now] or {}
    else
      table.insert(parts[now], line)
    end
  end
  return table.concat(parts.up, "\n"), parts.down and table.concat(parts.down, "\n")
end

local function without_transaction(text)
  for line in (text .. "\n"):gmatch "(.-)\r?\n" do
    if line:lower():match "^%-%-%s*transaction%s*[:=]%s*false%s*$" then return true end
  end
  return false
end

local function read_sql(file, up, down, dialect)
  file.text = up .. (down and "\0" .. down or "")
  file.transaction = not without_transaction(up)
  if not down then up, down = sections(up) end
  file.up, file.down = sql_split(up, dialect), down and sql_split(down, dialect)
end

-- Lua -----------------------------------------------------------------------------------------

local words = { "up", "down", "change", "transaction" }

local function check_functions(path, made)
  if type(made) ~= "table" then errors.usage("%s returns a table with up and down, not a %s", path, type(made)) end
  errors.check_names(made, words, "word of the migration " .. path .. ":")
  for _, word in ipairs { "up", "down", "change" } do
    if made[word] ~= nil and type(made[word]) ~= "function" then errors.usage("%s: %s is a function", path, word) end
  end
  if (made.up == nil) == (made.change == nil) then errors.usage("%s has either up or change", path) end
end

local function read_lua(file)
  file.text = read(file.path)
  local made = require "weft.loader".run(file.path, "the migration " .. file.path)
  check_functions(file.path, made)
  file.transaction = made.transaction ~= false
  file.up = made.up or made.change
  file.down = made.down or made.change and function(s) s:revert(made.change) end
end

-- Folders -------------------------------------------------------------------------------------

local endings = { "%.up%.sql", "%.down%.sql", "%.sql", "%.lua" }

local function parse(name)
  for _, ending in ipairs(endings) do
    local version, words_of = name:match("^(%d+)_?([%w_.-]*)" .. ending .. "$")
    if version then return version, words_of, ending:gsub("%%", "") end
  end
end

---The file that goes with an up file.
local function down_text(folder, file)
  local path = ("%s/%s"):format(folder, file.base:gsub("%.up%.sql$", ".down.sql"))
  local there = io.open(path, "rb")
  if not there then return nil end
  there:close()
  return read(path)
end

local function complete(folder, file, dialect)
  if file.ending == ".lua" then read_lua(file)
  else read_sql(file, read(file.path), file.ending == ".up.sql" and down_text(folder, file) or nil, dialect) end
  file.checksum = fnv(file.text)
  return file
end

---The migrations of a folder in order; none when there is no folder.
---@param folder string
---@param dialect? string of the database that they are for
---@return weft.MigrationFile[] # also by version
function M.list(folder, dialect)
  local list, by = {}, {}
  for _, base in ipairs(core.files(folder) or {}) do
    local version, name, ending = parse(base)
    if version and ending ~= ".down.sql" then
      local file = complete(folder, { version = version, name = name, base = base, ending = ending, path = folder .. "/" .. base }, dialect)
      if by[version] then errors.usage("two migrations have version %s: %s and %s", version, by[version].base, base) end
      list[#list + 1], by[version] = file, file
    end
  end
  table.sort(list, function(a, b) return M.before(a.version, b.version) end)
  return setmetatable(list, { __index = by })
end

---Where a database's migrations are: FOLDER/NAME when there is such a folder, else FOLDER.
function M.folder_of(folder, name)
  local own = folder .. "/" .. name
  return core.files(own) and own or folder
end

return M
