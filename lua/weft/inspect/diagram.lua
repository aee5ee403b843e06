-- SPDX-License-Identifier: MIT
-- The relations of a database as a diagram: Mermaid's erDiagram, or DOT for Graphviz.

local M = {}

local function words_in(text)
  local found = {}
  for word in text:gmatch "%S+" do found[word] = true end
  return found
end

---What Mermaid takes for something else at the start of a line, and inside of a table.
local reserved = words_in "title acctitle accdescr direction style class classdef one many zero only optionally to erdiagram end"
local reserved_inside = words_in "pk fk uk"

---Each table gets a plain word to be called by in the text; its own name is what is shown.
local function words_for(list)
  local words, taken = {}, {}
  for _, entry in ipairs(list) do
    local word = entry.table.key:gsub("[^%w_]", "_")
    if reserved[word:lower()] or not word:find "^%a" then word = "t_" .. word end
    local free, n = word, 2
    while taken[free:lower()] do free, n = word .. "_" .. n, n + 1 end
    taken[free:lower()] = true
    words[entry] = free
  end
  return words
end

---Every foreign key once, from the table that has it.
local function each_key(relations, visit)
  for _, entry in ipairs(relations.list) do
    for _, key in ipairs(entry.table.foreign_keys) do
      local to = relations.by_key[key.key]
      if to and not key.missing then visit(entry, to, key) end
    end
  end
end

local function is_nullable(t, columns)
  for _, name in ipairs(columns) do
    if t.columns[name].nullable then return true end
  end
  return false
end

local function same_set(a, b)
  if #a ~= #b then return false end
  local set = {}
  for _, name in ipairs(a) do set[name] = true end
  for _, name in ipairs(b) do
    if not set[name] then return false end
  end
  return true
end

---Whether at most one row of t has the same values there.
local function is_unique(t, columns)
  if #t.primary_key > 0 and same_set(t.primary_key, columns) then return true end
  for _, unique in ipairs(t.uniques) do
    if same_set(unique.columns, columns) then return true end
  end
  return false
end

local function is_part_of_key(t, name)
  for _, key in ipairs(t.foreign_keys) do
    for _, column in ipairs(key.columns) do
      if column == name then return true end
    end
  end
  return false
end

local function text_of(name)
  name = name:gsub("%s+", " "):gsub("%c", "?")
  return utf8.len(name) and name or (name:gsub("[\x80-\xff]", "?"))
end

-- Mermaid -------------------------------------------------------------------------------------

---Inside of quotes: numbers of characters for those that mean something there.
local function mermaid_text(name)
  return (text_of(name):gsub('[#"%%\\]', function(c) return ("#%d;"):format(c:byte()) end))
end

---Names and types of attributes are words.
local function mermaid_word(name, prefix)
  local word = name:gsub("[^%w_%-%(%)%[%]]+", "_")
  return word:find "^%a" and not reserved_inside[word:lower()] and word or prefix .. word
end

local function mermaid_attribute(t, column)
  local keys = {}
  if column.key then keys[#keys + 1] = "PK" end
  if is_part_of_key(t, column.name) then keys[#keys + 1] = "FK" end
  if not column.key and is_unique(t, { column.name }) then keys[#keys + 1] = "UK" end
  local type, word = mermaid_word(column.type ~= "" and column.type or "any", "t_"), mermaid_word(column.name, "c_")
  local line = ("    %s %s%s"):format(type, word, #keys > 0 and " " .. table.concat(keys, ", ") or "")
  if word ~= column.name then line = ('%s "%s"'):format(line, mermaid_text(column.name)) end
  return line
end

local function mermaid_table(out, entry, word)
  local t = entry.table
  local open = #t.columns > 0 and " {" or ""
  out[#out + 1] = word == t.key and ("  %s%s"):format(word, open) or ('  %s["%s"]%s'):format(word, mermaid_text(t.key), open)
  for _, column in ipairs(t.columns) do out[#out + 1] = mermaid_attribute(t, column) end
  if open ~= "" then out[#out + 1] = "  }" end
end

---@param relations weft.Relations
---@return string
function M.mermaid(relations)
  local out, words = { "erDiagram" }, words_for(relations.list)
  for _, entry in ipairs(relations.list) do mermaid_table(out, entry, words[entry]) end
  each_key(relations, function(from, to, key)
    local one = is_nullable(from.table, key.columns) and "|o" or "||"
    local many = is_unique(from.table, key.columns) and "o|" or "o{"
    out[#out + 1] = ('  %s %s--%s %s : "%s"'):format(words[to], one, many, words[from], mermaid_text(table.concat(key.columns, ", ")))
  end)
  return table.concat(out, "\n") .. "\n"
end

-- DOT -----------------------------------------------------------------------------------------

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function html(name)
  local text = text_of(name):gsub('[&<>"]', entities)
  return text ~= "" and text or " "
end

local function dot_quoted(name) return '"' .. text_of(name):gsub("\\", "\\\\"):gsub('"', '\\"') .. '"' end

local function dot_table(out, entry, word)
  local t = entry.table
  out[#out + 1] = ('  %s [label=<<table border="0" cellborder="1" cellspacing="0"><tr><td colspan="2"><b>%s</b></td></tr>'):format(word, html(t.key))
  for i, column in ipairs(t.columns) do
    local name = column.key and "<u>" .. html(column.name) .. "</u>" or html(column.name)
    out[#out + 1] = ('    <tr><td align="left" port="c%d">%s</td><td align="left">%s</td></tr>'):format(i, name, html(column.type))
  end
  out[#out + 1] = "  </table>>];"
end

---@param relations weft.Relations
---@return string
function M.dot(relations)
  local words = words_for(relations.list)
  local out = { ("digraph %s {"):format(dot_quoted(relations.database)), "  rankdir=LR;", "  node [shape=plain];" }
  for _, entry in ipairs(relations.list) do dot_table(out, entry, dot_quoted(words[entry])) end
  each_key(relations, function(from, to, key)
    local here, there = from.table.columns[key.columns[1]], to.table.columns[key.target[1] or ""]
    local port = there and (":c%d"):format(there.position) or ""
    out[#out + 1] = ("  %s:c%d -> %s%s [label=%s];"):format(dot_quoted(words[from]), here.position, dot_quoted(words[to]), port,
      dot_quoted(table.concat(key.columns, ", ")))
  end)
  out[#out + 1] = "}"
  return table.concat(out, "\n") .. "\n"
end

return M
