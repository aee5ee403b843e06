-- SPDX-License-Identifier: MIT
-- Cuts a text of SQL into its statements: at each `;` that is outside of quotes, comments, dollar quotes,
-- parentheses and the BEGIN ... END of triggers and routines. For MySQL also at what `delimiter` says, as its client does.

---Where a quoted run ends; a doubled quote is no end because what follows it is a quoted run as well.
local function quoted_end(text, from, quote) return text:find(quote, from + 1, true) or #text end

---The same where a backslash goes with the character behind it.
local function escaped_end(text, from, quote)
  local at = from + 1
  while true do
    local found = text:find("[\\" .. quote .. "]", at)
    if not found or text:sub(found, found) == quote then return found or #text end
    at = found + 2
  end
end

local function has_escapes(text, at, char, dialect)
  if dialect == "mysql" then return char ~= "`" end
  return dialect == "postgres" and at > 1 and text:find("^%f[%w_][eE]", at - 1) ~= nil
end

local function block_end(text, from) return select(2, text:find("*/", from + 2, true)) or #text end

local function dollar_end(text, from)
  local tag = text:match("^%$[%a_]?[%w_]*%$", from)
  if not tag then return from end
  return select(2, text:find(tag, from + #tag, true)) or #text
end

local function skip(text, at, char, dialect)
  if char == "'" or char == '"' or char == "`" then
    return (has_escapes(text, at, char, dialect) and escaped_end or quoted_end)(text, at, char)
  end
  if char == "$" then return dialect == "mysql" and at or dollar_end(text, at) end
  if char == "#" and dialect == "mysql" or text:find("^%-%-", at) then return text:find("\n", at, true) or #text end
  if text:find("^/%*", at) then return block_end(text, at) end
  return at
end

local makers = { trigger = true, procedure = true, ["function"] = true, event = true }

local closed = { ["if"] = 1, loop = 1, ["while"] = 1, ["repeat"] = 1, case = 0 } -- `end if` closes what was not counted

---Follows the words of a statement: how many blocks are open behind this one.
local function follow(state, word)
  if state.count < 8 and makers[word] and state.first == "create" then state.body = true end
  state.first = state.first or word
  state.count = state.count + 1
  if not state.body then return end
  if state.last == "end" and closed[word] then state.open = state.open + closed[word]
  elseif word == "end" then state.open = math.max(0, state.open - 1)
  elseif word == "begin" or word == "case" and state.open > 0 then state.open = state.open + 1 end
  state.last = word
end

local function new_state() return { open = 0, count = 0 } end

local function is_blank(text, dialect)
  local rest = text:gsub("/%*.-%*/", ""):gsub("%-%-[^\n]*", "")
  if dialect == "mysql" then rest = rest:gsub("#[^\n]*", "") end
  return rest:find "[^%s;]" == nil
end

local function add(list, text, dialect)
  text = text:match "^%s*(.-)%s*$"
  if not is_blank(text, dialect) then list[#list + 1] = text end
end

local words = { mysql = "^[%a_][%w_]*", postgres = "^[%a_][%w_$]*", sqlite = "^[%a_][%w_$]*" } -- end$$ is two of them

---What can begin at a place that matters, with the first character of the delimiter.
local function places(delimiter) return "[%a_'\"`$;/#%-%" .. delimiter:sub(1, 1) .. "]" end

---Cuts at `delimiter` from a place on; the list goes on where the text says another one.
local function cut(list, text, from, dialect, delimiter)
  local at, state, place = from, new_state(), places(delimiter)
  while true do
    local found = text:find(place, at)
    if not found then return add(list, text:sub(from), dialect) end
    local char, word = text:sub(found, found), text:match(words[dialect], found)
    if text:sub(found, found + #delimiter - 1) == delimiter and (delimiter ~= ";" or state.open == 0) then
      add(list, text:sub(from, found - 1), dialect)
      from, state = found + #delimiter, new_state()
      at = from
    elseif word and state.count == 0 and dialect == "mysql" and word:lower() == "delimiter" then
      local other, rest = text:match("^[ \t]*(%p+)[^\n]*()", found + #word)
      if other then return cut(list, text, rest, dialect, other) end
      at = found + #word
    elseif word then
      follow(state, word:lower())
      at = found + #word
    else
      at = skip(text, found, char, dialect) + 1
    end
  end
end

---@param text string
---@param dialect? "mysql"|"postgres"|"sqlite" (sqlite)
---@return string[] statements without the `;` behind them (that of a trigger's body stays)
return function(text, dialect)
  local list = {}
  cut(list, text, 1, dialect or "sqlite", ";")
  return list
end
