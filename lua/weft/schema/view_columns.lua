-- SPDX-License-Identifier: MIT
-- Which columns of tables a view's columns are, by the text of its select. Only what that text says without doubt is
-- told: a column by its name, of a table in FROM.

local sql = require "weft.schema.sql_tokens"
local tokens, name_of = sql.tokens, sql.name

local M = {}

local function set(text)
  local words = {}
  for word in text:gmatch "%S+" do words[word] = true end
  return words
end

local combines = set "union intersect except minus"
local ends_from = set "where group having order limit offset fetch window for"
local not_an_alias = set [[on using join inner left right full cross natural outer straight_join tablesample
  where group having order]]

local function is_group(token) return token ~= nil and token.text:sub(1, 1) == "(" end
local function is_name(token) return token ~= nil and (token.word ~= nil or token.text:find '^["`%[]' ~= nil) end

---The names of a dotted path at `at`, and where what follows it is.
local function path_at(list, at)
  local path = { name_of(list[at]) }
  while list[at + 1] and list[at + 1].text == "." and list[at + 2] do
    path[#path + 1] = name_of(list[at + 2])
    at = at + 2
  end
  return path, at + 1
end

local function alias_at(list, at)
  if list[at] and list[at].word == "as" then at = at + 1 end
  if is_name(list[at]) and not not_an_alias[list[at].word] then return name_of(list[at]) end
end

-- FROM ----------------------------------------------------------------------------------------

local read_from

---Notes what stands at `at`: a table, something else with a name, or a join in parentheses.
local function read_source(list, at, sources)
  local token = list[at]
  if is_group(token) then
    local inner = tokens(sql.inside(token))
    if inner[1] and (inner[1].word == "select" or inner[1].word == "with" or inner[1].word == "values") then
      sources[#sources + 1] = { alias = alias_at(list, at + 1) or "" }
    else
      read_from(inner, 1, sources)
    end
  elseif is_name(token) then
    local path, after = path_at(list, at)
    local name = path[#path]
    if is_group(list[after]) or token.word == "lateral" then
      sources[#sources + 1] = { alias = "" } -- a function
    else
      sources[#sources + 1] = { alias = alias_at(list, after) or name, schema = path[#path - 1], name = name }
    end
  end
end

function read_from(list, at, sources)
  local wanted = true
  for i = at, #list do
    local token = list[i]
    if ends_from[token.word] then return end
    if wanted then read_source(list, i, sources) end
    wanted = token.text == "," or token.word == "join" or token.word == "straight_join" or wanted and token.word == "only"
  end
end

-- SELECT --------------------------------------------------------------------------------------

---{ qualifier, column } of an item that is a column, { qualifier, all = true } of a star, {} of anything else.
local function read_item(list)
  local first = list[1]
  if first and first.text == "*" and #list == 1 then return { all = true } end
  if not is_name(first) then return {} end
  local path, after = path_at(list, 1)
  if path[#path] == "*" then return { qualifier = path[#path - 1], all = true } end
  local left = #list - after + 1
  local plain = left == 0 or left == 1 and is_name(list[after]) or left == 2 and list[after].word == "as"
  if not plain then return {} end
  return { qualifier = path[#path - 1], column = path[#path] }
end

---The items of the select list, and where FROM stands.
local function read_items(list)
  local items, item, at = {}, {}, 2
  if list[at] and (list[at].word == "distinct" or list[at].word == "all") then at = at + 1 end
  while list[at] and list[at].word ~= "from" do
    if list[at].text == "," then
      items[#items + 1] = read_item(item)
      item = {}
    elseif list[at].text ~= ";" then
      item[#item + 1] = list[at]
    end
    at = at + 1
  end
  items[#items + 1] = read_item(item)
  return items, at
end

---The select of a view as its items and sources; nil when it is more than one plain select.
local function read_select(text)
  local list = tokens(text)
  if not list[1] or list[1].word ~= "select" then return nil end
  for _, token in ipairs(list) do
    if combines[token.word] then return nil end
  end
  local items, from = read_items(list)
  local sources = {}
  read_from(list, from + 1, sources)
  return items, sources
end

-- Columns -------------------------------------------------------------------------------------

local function column_named(t, name)
  if t.columns[name] then return t.columns[name] end
  for _, column in ipairs(t.columns) do
    if column.name:lower() == name:lower() then return column end
  end
end

---What a column of a table or view is.
local function origin(resolve, t, column)
  if t.kind ~= "view" and t.kind ~= "materialized_view" then return { table = t.key, column = column.name } end
  return (resolve(t) or {})[column.name] or false
end

---false: it cannot be said.
local function origin_of(resolve, item, sources)
  local found = false
  for _, source in ipairs(sources) do
    if not item.qualifier or source.alias:lower() == item.qualifier:lower() then
      if not source.table then return false end
      local column = column_named(source.table, item.column)
      if column and found then return false end
      found = column and origin(resolve, source.table, column) or found
    end
  end
  return found
end

---Appends what all columns of a star are; false when that cannot be said.
local function add_all(resolve, item, sources, origins)
  for _, source in ipairs(sources) do
    if not item.qualifier or source.alias:lower() == item.qualifier:lower() then
      if not source.table then return false end
      for _, column in ipairs(source.table.columns) do
        if not column.hidden then origins[#origins + 1] = origin(resolve, source.table, column) end
      end
    end
  end
  return true
end

local function origins_of(resolve, items, sources)
  local origins = {}
  for _, item in ipairs(items) do
    if item.all then
      if not add_all(resolve, item, sources, origins) then return nil end
    else
      origins[#origins + 1] = item.column and origin_of(resolve, item, sources) or false
    end
  end
  return origins
end

---Column of the view -> { table = key, column = name }.
---@param view weft.Table
---@param find fun(schema: string?, name: string): weft.Table?
---@param resolve fun(view: weft.Table): table? the same of another view
---@return table<string, { table: string, column: string }>?
function M.of(view, find, resolve)
  local items, sources = read_select(view.definition)
  if not items then return nil end
  for _, source in ipairs(sources) do source.table = source.name and find(source.schema, source.name) end
  local origins = origins_of(resolve, items, sources)
  if not origins or #origins ~= #view.columns then return nil end
  local found = {}
  for i, column in ipairs(view.columns) do found[column.name] = origins[i] or nil end
  return next(found) and found
end

return M
