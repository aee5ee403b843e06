-- SPDX-License-Identifier: MIT
-- Cuts a text of SQL into its statements: at each `;` that is outside of quotes, comments, dollar quotes,
-- parentheses and the BEGIN ... END of triggers and routines.

---Where a quoted run ends; a doubled quote is no end because what follows it is a quoted run as well.
local function quoted_end(text, from, quote) return text:find(quote, from + 1, true) or #text end

local function block_end(text, from) return select(2, text:find("*/", from + 2, true)) or #text end

local function dollar_end(text, from)
  local tag = text:match("^%$[%a_]?[%w_]*%$", from)
  if not tag then return from end
  return select(2, text:find(tag, from + #tag, true)) or #text
end

local function skip(text, at, char)
  if char == "'" or char == '"' or char == "`" then return quoted_end(text, at, char) end
  if char == "$" then return dollar_end(text, at) end
  if text:find("^%-%-", at) then return text:find("\n", at, true) or #text end
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

local function is_blank(text)
  return text:gsub("/%*.-%*/", ""):gsub("%-%-[^\n]*", ""):find "[^%s;]" == nil
end

local function add(list, text)
  text = text:match "^%s*(.-)%s*$"
  if not is_blank(text) then list[#list + 1] = text end
end

---@param text string
---@return string[] statements without the `;` behind them (that of a trigger's body stays)
return function(text)
  local list, from, at, state = {}, 1, 1, new_state()
  while true do
    local found = text:find("[%a_'\"`$;/%-]", at)
    if not found then break end
    local char, word = text:sub(found, found), text:match("^[%a_][%w_$]*", found)
    if word then
      follow(state, word:lower())
      at = found + #word
    elseif char == ";" then
      if state.open == 0 then
        add(list, text:sub(from, found - 1))
        from, state = found + 1, new_state()
      end
      at = found + 1
    else
      at = skip(text, found, char) + 1
    end
  end
  add(list, text:sub(from))
  return list
end
