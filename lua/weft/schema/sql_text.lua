-- SPDX-License-Identifier: MIT
-- SQL texts of a catalog (defaults, checks, predicates, views): split into tokens, compared, and with names changed.
-- Nothing here knows a grammar: two texts are called equal only where their tokens say so.

local M = {}

---@class weft.SqlToken
---@field kind "string"|"name"|"word"|"number"|"symbol" a name is quoted, a word is not
---@field value string words in lower case, a name without its quotes, anything else as it is written
---@field from integer where it stands in the text
---@field to integer

local quotes = { ["'"] = "string", ['"'] = "name", ["`"] = "name" }

---Where the quoted text ends that begins at `from`: a doubled quote is part of it.
local function end_of_quoted(text, from, quote)
  local at = from + 1
  while true do
    local close = text:find(quote, at, true)
    if not close then return #text end
    if text:sub(close + 1, close + 1) ~= quote then return close end
    at = close + 2
  end
end

---After white space and comments.
local function skip_space(text, at)
  while true do
    local next = text:match("^%s+()", at) or text:match("^%-%-[^\n]*\n?()", at) or text:match("^/%*.-%*/()", at)
    if not next then return at end
    at = next
  end
end

local function quoted(text, at, quote)
  local to, kind = end_of_quoted(text, at, quote), quotes[quote]
  local value = text:sub(at, to)
  if kind == "name" then value = value:sub(2, -2):gsub(quote .. quote, quote) end
  return { kind = kind, value = value, from = at, to = to }
end

local function token_at(text, at)
  local first = text:sub(at, at)
  if quotes[first] then return quoted(text, at, first) end
  local to = text:match("^[%a_\x80-\xff][%w_$\x80-\xff]*()", at)
  if to then return { kind = "word", value = text:sub(at, to - 1):lower(), from = at, to = to - 1 } end
  to = text:match("^%d[%w.]*()", at)
  if to then return { kind = "number", value = text:sub(at, to - 1):lower(), from = at, to = to - 1 } end
  local value = text:match("^::", at) or first
  return { kind = "symbol", value = value, from = at, to = at + #value - 1 }
end

---@param text string
---@return weft.SqlToken[]
function M.tokens(text)
  local list, at = {}, skip_space(text, 1)
  while at <= #text do
    local token = token_at(text, at)
    list[#list + 1] = token
    at = skip_space(text, token.to + 1)
  end
  return list
end

-- Comparing -----------------------------------------------------------------------------------

---Of each bracket, where its other one is.
local function brackets(tokens)
  local open, pair = {}, {}
  for i, token in ipairs(tokens) do
    if token.value == "(" then
      open[#open + 1] = i
    elseif token.value == ")" and #open > 0 then
      local from = table.remove(open)
      pair[from], pair[i] = i, from
    end
  end
  return pair
end

---Whether one pair of brackets is around the whole text.
---@param text string
---@return boolean
function M.is_bracketed(text)
  local tokens = M.tokens(text)
  return tokens[1] ~= nil and tokens[1].value == "(" and brackets(tokens)[1] == #tokens
end

local operators = { ["and"] = true, ["or"] = true, ["not"] = true, when = true, ["then"] = true, ["else"] = true, between = true }

local function is_call(tokens, open)
  local before = tokens[open - 1]
  return before ~= nil and (before.kind == "name" or before.kind == "word" and not operators[before.value])
end

---Without brackets around the whole, around one token and around what has brackets already.
local function without_brackets(tokens)
  local pair, out, dropped = brackets(tokens), {}, {}
  for i = 1, #tokens do
    local close = tokens[i].value == "(" and pair[i]
    if close then
      local whole = i == 1 and close == #tokens
      local single = close == i + 2 and not is_call(tokens, i)
      if whole or single then dropped[i], dropped[close] = true, true end
      if pair[i + 1] == close - 1 then dropped[i + 1], dropped[close - 1] = true, true end
    end
    if not dropped[i] then out[#out + 1] = tokens[i] end
  end
  return out
end

local texts = { text = true, varchar = true, bpchar = true, ["character varying"] = true, character = true }

---The type that a cast names, and the last token of it.
local function type_after(tokens, at)
  local words, i = {}, at
  while tokens[i] and (tokens[i].kind == "word" or tokens[i].kind == "name") do
    words[#words + 1] = tokens[i].value
    i = i + 1
  end
  if tokens[i] and tokens[i].value == "(" then
    while tokens[i] and tokens[i].value ~= ")" do i = i + 1 end
    i = i + 1
  end
  return table.concat(words, " "), i - 1
end

local function bare(type) return (type:lower():gsub("%(.*", ""):gsub("%s+$", "")) end

local numbers = { numeric = true, integer = true, bigint = true, smallint = true, ["double precision"] = true, real = true }
local compares = { ["<"] = true, [">"] = true, ["="] = true }
local ends = { [")"] = true, ["and"] = true, ["or"] = true }

---Whether a literal says the same without the cast behind it: a text that is of the type anyhow, a number that is
---compared, alone on its side.
local function is_idle(tokens, at, cast, last, type)
  local before, after = tokens[at - 1], tokens[last + 1]
  if tokens[at].kind == "string" then return texts[cast] or type and cast == bare(type) end
  return numbers[cast] and before and compares[before.value] and (not after or ends[after.value])
end

local function without_casts(tokens, type)
  local out, i = {}, 1
  while i <= #tokens do
    local token = tokens[i]
    out[#out + 1] = token
    if (token.kind == "string" or token.kind == "number") and tokens[i + 1] and tokens[i + 1].value == "::" then
      local cast, last = type_after(tokens, i + 2)
      if is_idle(tokens, i, cast, last, type) then i = last end
    end
    i = i + 1
  end
  return out
end

local now = { now = "current_timestamp", current_timestamp = "current_timestamp" }

---now() and current_timestamp() are what current_timestamp is.
local function with_one_now(tokens)
  local out, i = {}, 1
  while i <= #tokens do
    local token, open, close = tokens[i], tokens[i + 1], tokens[i + 2]
    if token.kind == "word" and now[token.value] and open and open.value == "(" and close and close.value == ")" then
      token, i = { kind = "word", value = now[token.value] }, i + 2
    end
    out[#out + 1] = token
    i = i + 1
  end
  return out
end

local function spelled(token)
  if token.kind == "name" and not token.value:find "^[%l_][%l%d_]*$" then return '"' .. token.value .. '"' end
  return token.value
end

local function joined(tokens)
  local words = {}
  for i, token in ipairs(tokens) do
    local before = tokens[i - 1]
    if before and before.kind ~= "symbol" and token.kind ~= "symbol" then words[#words + 1] = " " end
    words[#words + 1] = spelled(token)
  end
  return table.concat(words)
end

---A spelling that is equal for texts which surely mean the same. A text with a backslash is left alone, as
---only its database knows where its strings end.
---@param text string
---@param type? string what the text is a value of
---@return string
function M.canonical(text, type)
  if text:find("\\", 1, true) then return text end
  local tokens, again = with_one_now(M.tokens(text)), true
  while again do
    local before = #tokens
    tokens = without_brackets(without_casts(tokens, type))
    again = #tokens < before
  end
  return joined(tokens)
end

-- Defaults ------------------------------------------------------------------------------------

local truths = { ["true"] = "1", ["false"] = "0" }

local function plain_number(text)
  local sign, whole, fraction = text:match "^'?(%-?)0*(%d+)%.?(%d*)'?$"
  if not whole then return text end
  fraction = fraction:gsub("0+$", "")
  if fraction ~= "" then whole = whole .. "." .. fraction end
  return whole == "0" and whole or sign .. whole
end

local by_kind = {
  boolean = function(text) return truths[text] or text end,
  integer = plain_number, number = plain_number, decimal = plain_number,
}

---The same of a column's default.
---@param column weft.Column
---@return string?
function M.default(column)
  if column.default == nil then return nil end
  local text = M.canonical(column.default, column.type)
  if text == "null" then return nil end
  local spell = by_kind[column.kind]
  return spell and spell(text) or text
end

-- Names ---------------------------------------------------------------------------------------

local function quoted_as(text, token, name)
  local quote = token.kind == "name" and text:sub(token.from, token.from)
  if not quote and name:find "^[%l_][%l%d_]*$" then return name end
  quote = quote or '"'
  return quote .. name:gsub(quote, quote .. quote) .. quote
end

---The text with names changed, whatever they stand for in it.
---@param text string
---@param names table<string, string> old -> new
---@return string
function M.rename(text, names)
  local parts, at = {}, 1
  for _, token in ipairs(M.tokens(text)) do
    local name = (token.kind == "name" or token.kind == "word") and names[token.value]
    if name then
      parts[#parts + 1] = text:sub(at, token.from - 1) .. quoted_as(text, token, name)
      at = token.to + 1
    end
  end
  return table.concat(parts) .. text:sub(at)
end

return M
