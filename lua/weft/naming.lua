-- SPDX-License-Identifier: MIT
-- Names of tables from names of classes.

local M = {}

---"ProductVariant" -> "product_variant", "HTTPLog" -> "http_log".
function M.snake_case(name)
  return (name:gsub("(%u+)(%u%l)", "%1_%2"):gsub("([%l%d])(%u)", "%1_%2"):lower())
end

local irregular = { person = "people", child = "children", man = "men", woman = "women", mouse = "mice", foot = "feet" }
local same = { series = true, species = true, news = true, equipment = true, information = true, metadata = true }

---The plural of a word in snake_case: its last part changes.
function M.plural(name)
  local head, word = name:match "^(.*_)([^_]+)$"
  if not head then head, word = "", name end
  local plural
  if same[word] then
    plural = word
  elseif irregular[word] then
    plural = irregular[word]
  elseif word:find "[^aeiou]y$" then
    plural = word:sub(1, -2) .. "ies"
  elseif word:find "[sxz]$" or word:find "[cs]h$" then
    plural = word .. "es"
  else
    plural = word .. "s"
  end
  return head .. plural
end

---Tables that a model without a script may stand for, best first.
function M.tables(name)
  local snake = M.snake_case(name)
  local list, seen = {}, {}
  for _, candidate in ipairs { name, snake, M.plural(snake), M.plural(name) } do
    if not seen[candidate] then
      seen[candidate] = true
      list[#list + 1] = candidate
    end
  end
  return list
end

return M
