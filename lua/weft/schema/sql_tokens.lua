-- SPDX-License-Identifier: MIT
-- The tokens of SQL text that a database keeps. A pair of parentheses is one token, whatever is inside of it;
-- quotes are those of all databases.

local M = {}

---Where what begins at `from` ends: a quoted run (a doubled quote is no end), a comment.
local function quoted_end(text, from, close)
  local at = from + 1
  while true do
    local found = text:find(close, at, true) or #text
    if close == "]" or text:sub(found + 1, found + 1) ~= close then return found end
    at = found + 2
  end
end

local function comment_end(text, from)
  local first = text:sub(from, from + 1)
  if first == "--" then return (text:find("\n", from, true) or #text) end
  if first == "/*" then return select(2, text:find("*/", from + 2, true)) or #text end
end

local closing = { ["'"] = "'", ['"'] = '"', ["`"] = "`", ["["] = "]" }

---Where the pair that opens at `from` closes.
local function group_end(text, from)
  local depth, at = 0, from
  while true do
    local found = text:find("[()'\"`%[%-/]", at)
    if not found then return #text end
    local char = text:sub(found, found)
    at = (closing[char] and quoted_end(text, found, closing[char]) or comment_end(text, found) or found) + 1
    if char == "(" then depth = depth + 1 end
    if char == ")" then depth = depth - 1 end
    if depth == 0 then return found end
  end
end

---Where the token at `from` ends, which is no word.
local function token_end(text, from, char)
  if char == "(" then return group_end(text, from) end
  if closing[char] then return quoted_end(text, from, closing[char]) end
  return from
end

---@class weft.SqlToken
---@field from integer
---@field to integer
---@field text string as written
---@field word? string in lower case, of a word without quotes

---All tokens of a text, without comments and blanks.
---@return weft.SqlToken[]
function M.tokens(text)
  local list, n, at = {}, 0, 1
  while true do
    local from, word, after = text:match("^%s*()([%w_$\x80-\xff]*)()", at)
    if word ~= "" then
      n, at = n + 1, after
      list[n] = { from = from, to = after - 1, text = word, word = word:lower() }
    elseif from > #text then
      return list
    else
      local skipped = comment_end(text, from)
      local to = skipped or token_end(text, from, text:sub(from, from))
      if not skipped then
        n = n + 1
        list[n] = { from = from, to = to, text = text:sub(from, to) }
      end
      at = to + 1
    end
  end
end

---A name without its quotes.
function M.name(token)
  local close = closing[token.text:sub(1, 1)]
  if not close then return token.text end
  local inner = token.text:sub(2, -2)
  return close == "]" and inner or (inner:gsub(close .. close, close))
end

---What is between the parentheses.
function M.inside(token) return token.text:sub(2, -2):match "^%s*(.-)%s*$" end

---The pieces between the commas of a list, from a place in the text to its end or a parenthesis that closes it.
---@return string[]
function M.pieces(text, start)
  local list, from = {}, start or 1
  local at = from
  while true do
    local found = text:find("[,()'\"`%[%-/]", at)
    local char = found and text:sub(found, found)
    if not found or char == "," or char == ")" then
      list[#list + 1] = text:sub(from, found and found - 1)
      if char ~= "," then return list end
      from, at = found + 1, found + 1
    elseif char == "(" then
      at = group_end(text, found) + 1
    else
      at = (closing[char] and quoted_end(text, found, closing[char]) or comment_end(text, found) or found) + 1
    end
  end
end

---The first token from `at` that is this word.
function M.find_word(list, word, at)
  for i = at or 1, #list do
    if list[i].word == word then return i end
  end
end

return M
