-- SPDX-License-Identifier: MIT
-- What a name that a person has begun may become. Nothing is run and no database is asked: tables are known once
-- something else has read the schema.

local core = require "weft.core"
local database = require "weft.database"
local weft = require "weft"

local M = {}

local keywords = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or",
  "repeat", "return", "then", "true", "until", "while" }

---Names that a value has behind a dot or a colon, as far as they can be told without calling anything.
local function add_names(names, value, depth)
  local meta = getmetatable(value)
  if type(value) == "table" then
    for key in next, value do
      if type(key) == "string" then names[key] = true end
    end
  end
  local index = type(meta) == "table" and rawget(meta, "__index")
  if type(index) == "table" and depth < 4 then add_names(names, index, depth + 1) end
end

---The models of the current database: scripts, and what was touched.
local function add_models(names, name)
  for _, key in ipairs(core.scripts(database.models_folder() .. "/" .. name) or {}) do names[key] = true end
  for info in require "weft.registry".each_info() do
    if info.database == name then names[info.label:sub(#name + 2)] = true end
  end
end

local function add_columns(names, query)
  local ok, described = pcall(core.table, query)
  for _, column in ipairs(ok and described and described.columns or {}) do names[column] = true end
end

local function add_public(names)
  for name in pairs(getmetatable(weft).names) do names[name] = true end
end

---The value that a path of names leads to, through plain tables and models that are there.
local function follow(path, context)
  local value = _G
  for name in path:gmatch "[%a_][%w_]*" do
    if value == context.models and not context.known[name] then return nil end
    local ok, found = pcall(function() return value[name] end)
    if not ok or found == nil then return nil end
    value = found
  end
  return value
end

local function names_behind(path, context)
  local names, known = {}, {}
  add_models(known, context.name)
  context.known = known
  local value = follow(path, context)
  if value == nil then return names end
  if value == context.models then return known end
  if value == weft.services then
    for _, name in ipairs(core.scripts(database.services_folder()) or {}) do names[name] = true end
    return names
  end
  if value == weft then add_public(names) end
  if type(value) == "userdata" and core.is_query(value) then add_columns(names, value) end
  add_names(names, value, 0)
  return names
end

local function globals()
  local names = {}
  add_names(names, _G, 0)
  for _, word in ipairs(keywords) do names[word] = true end
  return names
end

---Inside a text: columns of the last model that the line names.
local function columns_of(text, context)
  local names = {}
  for path in text:gmatch "[%a_][%w_.]*" do
    local value = path:find(".", 1, true) and follow(path, context)
    if value and type(value) == "userdata" and core.is_query(value) then
      names = {}
      add_columns(names, value)
    end
  end
  return names
end

local function in_quotes(text)
  local quotes = select(2, text:gsub('"', ""))
  return quotes % 2 == 1
end

---@param text string what stands before the cursor
---@param context { name: string, models: table, commands: string[], argument: fun(command: string): string[] }
---@return string[] words
---@return integer typed how much of each is there already
function M.words(text, context)
  local command, rest = text:match "^:(%a*)(.*)$"
  local begun, names
  if command and rest == "" then
    begun, names = ":" .. command, {}
    for _, name in ipairs(context.commands) do names[":" .. name] = true end
  elseif command then
    begun, names = text:match "[%w_.]*$", {}
    for _, name in ipairs(context.argument(command)) do names[name] = true end
  elseif in_quotes(text) then
    begun = text:match "[%w_]*$"
    context.known = {}
    add_models(context.known, context.name)
    names = columns_of(text, context)
  else
    local path, last = text:match "([%a_][%w_.]*)[.:]([%w_]*)$"
    begun = last or text:match "[%a_]?[%w_]*$"
    names = path and names_behind(path, context) or globals()
  end
  local words = {}
  for name in pairs(names) do
    if name:sub(1, #begun) == begun and (begun ~= "" or name:sub(1, 1) ~= "_") then words[#words + 1] = name end
  end
  table.sort(words)
  return words, #begun
end

return M
