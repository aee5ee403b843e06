-- SPDX-License-Identifier: MIT
-- The order in which objects can be made: whatever one needs comes before it. Circles are cut where they close.

local sql_text = require "weft.schema.sql_text"

local M = {}

---@generic T
---@param list T[]
---@param needs fun(object: T): T[] other objects of the list, or of none
---@return T[]
function M.sorted(list, needs)
  local out, known, done = {}, {}, {}
  for _, object in ipairs(list) do known[object] = true end
  local function add(object)
    if done[object] or not known[object] then return end
    done[object] = true
    for _, other in ipairs(needs(object)) do add(other) end
    out[#out + 1] = object
  end
  for _, object in ipairs(list) do add(object) end
  return out
end

---The words and names of SQL texts, in lower case.
---@param texts string[]
---@return table<string, true>
function M.words(texts)
  local set = {}
  for _, text in ipairs(texts) do
    for _, token in ipairs(sql_text.tokens(text)) do
      if token.kind == "word" or token.kind == "name" then set[token.value:lower()] = true end
    end
  end
  return set
end

---Objects in the order of what their texts name: views that read views, types made of types.
---@generic T
---@param list T[]
---@param texts fun(object: T): string[]
---@return T[]
function M.by_words(list, texts)
  return M.sorted(list, function(object)
    local found, words = {}, M.words(texts(object))
    for _, other in ipairs(list) do -- in the order of the list, whatever the words' is
      if other ~= object and words[other.name:lower()] then found[#found + 1] = other end
    end
    return found
  end)
end

---Views, those that others read first.
function M.views(list)
  return M.by_words(list, function(view) return { view.definition or "" } end)
end

---Tables, those that others inherit or point to first.
function M.tables(list)
  local by_key = {}
  for _, t in ipairs(list) do by_key[t.key] = t end
  return M.sorted(list, function(t)
    local found = {}
    for _, key in ipairs(t.inherits or {}) do found[#found + 1] = by_key[key] end
    for _, foreign in ipairs(t.foreign_keys or {}) do found[#found + 1] = by_key[foreign.key] end
    return found
  end)
end

return M
