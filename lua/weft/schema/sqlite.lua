-- SPDX-License-Identifier: MIT
-- What only the text of SQLite's create statements tells: checks, names of constraints, expressions, predicates,
-- collations. SQLite keeps that text as it was written, so it is read with SQLite's own tokens; but a pair of
-- parentheses is one token (weft.sql_tokens), since what is inside of it is wanted whole or as a list of its own.

local sql = require "weft.schema.sql_tokens"
local tokens, name_of, inside, pieces, find_word = sql.tokens, sql.name, sql.inside, sql.pieces, sql.find_word

local M = {}

local function find_group(list, at)
  for i = at, #list do
    if list[i].text:sub(1, 1) == "(" then return i end
  end
end

local function names_in(token)
  local names = {}
  for i, piece in ipairs(pieces(inside(token))) do
    local first = tokens(piece)[1]
    names[i] = first and name_of(first)
  end
  return names
end

-- Definitions in a table ----------------------------------------------------------------------

---on conflict ACTION
local function conflict_of(list, at)
  if list[at] and list[at].word == "on" and list[at + 1] and list[at + 1].word == "conflict" then
    return list[at + 2] and list[at + 2].word
  end
end

---What follows references TABLE [(columns)].
local function read_reference(list, at, into)
  for i = at, #list do
    local word, next_word = list[i].word, list[i + 1] and list[i + 1].word
    if word == "match" and next_word == "full" then into.match = "full" end
    if word == "deferrable" and list[i - 1].word ~= "not" then
      into.deferrable = true
      into.initially_deferred = next_word == "initially" and list[i + 2] ~= nil and list[i + 2].word == "deferred" or nil
    end
    if word == "constraint" or word == "check" or word == "collate" or word == "generated" then return end
  end
end

---One function per keyword that begins a constraint: (found, list, place, name of the constraint, column or nil).
local constraints = {}

function constraints.primary(found, list, at, name, column)
  local after = column and at + 2 or find_group(list, at) + 1
  if list[after] and (list[after].word == "asc" or list[after].word == "desc") then after = after + 1 end
  found.primary = { name = name, on_conflict = conflict_of(list, after) }
end

function constraints.unique(found, list, at, name, column)
  local group = not column and find_group(list, at)
  local columns = column and { column } or names_in(list[group])
  found.uniques[#found.uniques + 1] =
    { name = name, columns = columns, on_conflict = conflict_of(list, (group or at) + 1) }
end

function constraints.check(found, list, at, name, column)
  local group = find_group(list, at)
  found.checks[#found.checks + 1] = { name = name, expression = group and inside(list[group]) or "", column = column, valid = true }
end

function constraints.foreign(found, list, at, name)
  local key = { name = name }
  read_reference(list, at, key)
  found.foreign_keys[#found.foreign_keys + 1] = key
end

---Those of columns alone.
local of_columns = {
  references = constraints.foreign,
  collate = function(found, list, at, _, column) found.columns[column].collation = list[at + 1] and name_of(list[at + 1]) end,
  autoincrement = function(found, _, _, _, column) found.columns[column].auto_increment = true end,
  as = function(found, list, at, _, column)
    local group = find_group(list, at)
    if group then found.columns[column].expression = inside(list[group]) end
  end,
}
for _, word in ipairs { "primary", "unique", "check" } do of_columns[word] = constraints[word] end

---not null on conflict X
function of_columns.null(found, list, at, _, column) found.columns[column].on_conflict = conflict_of(list, at + 1) end

local function read_constraints(found, list, from, readers, column)
  local name
  local i = from
  while i <= #list do
    local word = list[i].word
    local read = word and readers[word]
    if word == "constraint" then
      name, i = list[i + 1] and name_of(list[i + 1]), i + 1
    elseif word == "default" then
      i = i + 1 -- whatever word it is
    elseif read then
      read(found, list, i, name, column)
      name = nil
    end
    i = i + 1
  end
end

local starts = { constraint = true, primary = true, unique = true, check = true, foreign = true }

local telling = { "check", "constraint", "collate", "conflict", "deferr", "autoinc", "match", " as" }

---Those of the words that the text has: what is looked for here stands behind one of them. Most texts have none.
local function words_in(text, words)
  local lower, found = text:lower(), {}
  for i = 1, #words do
    if lower:find(words[i], 1, true) then found[#found + 1] = words[i] end
  end
  return found, lower
end

---A foreign key of which nothing is told here has its place among the others all the same.
local function is_plain(words, lower) return #words == 0 and not lower:find("references", 1, true) end

local function is_plain_key(words, lower)
  return #words == 0 and not lower:find("[\"'`%[/-]") and select(2, lower:gsub("references", "")) == 1
end

local function read_definition(found, text)
  local words, lower = words_in(text, found.words)
  if is_plain(words, lower) then return end
  if is_plain_key(words, lower) then
    found.foreign_keys[#found.foreign_keys + 1] = {}
    return
  end
  local list = tokens(text)
  if #list == 0 then return end
  if starts[list[1].word] and found.rest then return read_constraints(found, list, 1, constraints) end
  local column = name_of(list[1])
  found.columns[column] = {}
  read_constraints(found, list, 2, of_columns, column)
end

---What the text of a create statement tells of a table with so many columns.
local function read_create_table(text, ncolumns)
  local found = { words = words_in(text, telling), columns = {}, checks = {}, uniques = {}, foreign_keys = {} }
  if #found.words == 0 then return found end
  local body = text:match "^%u+ %u+ [%w_]+%s*%(()"
  if not body then
    local list = tokens(text)
    body = list[find_group(list, 1)].from + 1
  end
  for i, piece in ipairs(pieces(text, body)) do
    found.rest = i > ncolumns -- constraints come behind the last column
    read_definition(found, piece)
  end
  return found
end

-- Putting it where it belongs -----------------------------------------------------------------

local function same_columns(a, b)
  if #a ~= #b then return false end
  for i, name in ipairs(a) do
    if name:lower() ~= b[i]:lower() then return false end
  end
  return true
end

local function merge(into, from)
  for key, value in pairs(from) do
    if into[key] == nil then into[key] = value end
  end
end

local function complete_columns(t, found)
  local by_name = {}
  for name, more in pairs(found.columns) do by_name[name:lower()] = more end
  for _, column in ipairs(t.columns) do merge(column, by_name[column.name:lower()] or {}) end
end

local function complete_uniques(t, found)
  for _, unique in ipairs(t.uniques) do
    for _, told in ipairs(found.uniques) do
      if same_columns(unique.columns, told.columns) then
        unique.name, unique.on_conflict = told.name, told.on_conflict
      end
    end
  end
end

---Both lists are in the order in which the keys are declared.
local function complete_foreign_keys(t, found)
  for i, key in ipairs(t.foreign_keys) do merge(key, found.foreign_keys[i] or {}) end
end

local function complete_table(t, text)
  local found = read_create_table(text, #t.columns)
  complete_columns(t, found)
  complete_uniques(t, found)
  complete_foreign_keys(t, found)
  for i, check in ipairs(found.checks) do t.checks[i] = check end
  if found.primary then
    t.primary_key_name, t.primary_key_conflict = found.primary.name, found.primary.on_conflict
  end
end

---NULL cannot be in a key of a table without rowid or a strict one, nor in a rowid.
local function complete_key(t, has_index)
  local first = t.columns[t.primary_key[1]]
  if #t.primary_key == 1 and first.type:upper() == "INTEGER" and not has_index and not t.without_rowid then
    first.rowid, first.nullable = true, false
  end
  if not (t.without_rowid or t.strict) then return end
  for _, name in ipairs(t.primary_key) do t.columns[name].nullable = false end
end

---lower(a) collate nocase desc -> lower(a), nocase
local function read_part(text)
  local list = tokens(text)
  local last = list[#list]
  if last and (last.word == "asc" or last.word == "desc") then list[#list] = nil end
  local collation
  if #list > 2 and list[#list - 1].word == "collate" then
    collation = name_of(list[#list])
    list[#list], list[#list - 1] = nil, nil
  end
  return text:sub(list[1].from, list[#list].to), collation
end

---A part has the column's collation unless it says another.
local function complete_part(t, part, text)
  local usual = "binary"
  if part.column then
    usual = (t.columns[part.column].collation or usual):lower()
  else
    part.expression = read_part(text)
  end
  if part.collation and part.collation:lower() == usual then part.collation = nil end
end

local function has_expression(index)
  for _, part in ipairs(index.parts) do
    if not part.column then return true end
  end
  return false
end

---The texts of its parts, and its predicate; most indexes have nothing that these would tell.
local function read_create_index(index)
  if not has_expression(index) and not index.sql:lower():find("where", 1, true) then return {} end
  local list = tokens(index.sql)
  local group = find_group(list, find_word(list, "on"))
  local where = find_word(list, "where", group)
  return pieces(inside(list[group])), where and index.sql:sub(list[where + 1].from, list[#list].to)
end

local function complete_index(t, index)
  local texts, where = read_create_index(index)
  for i, part in ipairs(index.parts) do complete_part(t, part, texts[i]) end
  index.where, index.sql = where or nil, nil
end

local function complete_trigger(trigger)
  local list = tokens(trigger.statement)
  local on, events = find_word(list, "on") or #list, {}
  trigger.timing = "before"
  for i = 1, on do
    local word = list[i].word
    if word == "before" or word == "after" then trigger.timing = word end
    if word == "instead" then trigger.timing = "instead of" end
    if word == "insert" or word == "update" or word == "delete" then events[#events + 1] = word end
  end
  trigger.events = events[#events]
end

local function after_word(text, word)
  local list = tokens(text)
  local at = find_word(list, word)
  return at and list[at + 1] and text:sub(list[at + 1].from, list[#list].to)
end

---A view may say the names of its columns itself: create view v (a, b) as ...
local function complete_view(t, text)
  local list = tokens(text)
  local at = find_word(list, "as")
  t.definition = after_word(text, "as")
  t.names_columns = at ~= nil and list[at - 1].text:sub(1, 1) == "(" or nil
end

---Completes a table by the text that it was created with.
---@param t weft.Table
---@param has_index boolean whether its primary key has an index of its own
function M.complete(t, has_index)
  local text = t.sql
  t.sql = nil
  if t.kind == "view" then
    complete_view(t, text)
  elseif t.kind == "virtual" then
    t.module = after_word(text, "using")
  else
    complete_table(t, text)
    if #t.primary_key > 0 then complete_key(t, has_index) end
  end
  for _, index in ipairs(t.indexes) do complete_index(t, index) end
  for _, trigger in ipairs(t.triggers) do complete_trigger(trigger) end
end

return M
