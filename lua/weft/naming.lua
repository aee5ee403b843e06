-- SPDX-License-Identifier: MIT
-- Names of tables from names of classes, of associations from names of tables.

local M = {}

---"ProductVariant" -> "product_variant", "HTTPLog" -> "http_log".
function M.snake_case(name)
  return (name:gsub("(%u+)(%u%l)", "%1_%2"):gsub("([%l%d])(%u)", "%1_%2"):lower())
end

---"support_rep" -> "supportRep".
function M.camel_case(name)
  return (name:gsub("([^_])_+([^_])", function(before, after) return before .. after:upper() end))
end

local function itself(name) return name end

---What becomes of a name of the database's, and of one that is made of such names.
M.styles = {
  snake_case = { word = M.snake_case, name = itself },
  camelCase = { word = M.snake_case, name = M.camel_case },
  ["as is"] = { word = itself, name = itself, as_is = true },
}

---The style of `naming` in weft.configure.
---@param options? { style?: "snake_case"|"camelCase"|"as is" }
function M.style(options) return M.styles[options and options.style or "snake_case"] end

---A function of names that remembers what it gave, for who asks of the same names over and over.
---@param fn fun(name: string): string
---@return fun(name: string): string
function M.remembering(fn)
  local known = {}
  return function(name)
    local given = known[name]
    if not given then
      given = fn(name)
      known[name] = given
    end
    return given
  end
end

local irregular = {
  analysis = "analyses", axis = "axes", calf = "calves", child = "children", crisis = "crises", criterion = "criteria",
  diagnosis = "diagnoses", echo = "echoes", foot = "feet", half = "halves", hero = "heroes", knife = "knives", leaf = "leaves", life = "lives",
  loaf = "loaves", man = "men", mouse = "mice", person = "people", potato = "potatoes", quiz = "quizzes", shelf = "shelves",
  thesis = "theses", thief = "thieves", tomato = "tomatoes", tooth = "teeth", wife = "wives", wolf = "wolves", woman = "women",
}
local same = { data = true, equipment = true, information = true, media = true, metadata = true, news = true, series = true,
  species = true }

---What the rules below would take for something else: a singular that ends in s, or one whose plural misleads.
local misleading = [[alias atlas bias canvas chaos cms dns gas gps lens sms
  abuse calorie cookie excuse fuse genie movie pie selfie tie zombie
  ache avalanche cache headache niche
  api emoji kpi taxi wiki
  cpu gpu menu sku]]

---Of one word, which is singular.
local function plural_of(word)
  if same[word] then return word end
  if irregular[word] then return irregular[word] end
  if word:find "[^aeiou]y$" then return word:sub(1, -2) .. "ies" end
  if word:find "[sxz]$" or word:find "[cs]h$" then return word .. "es" end
  return word .. "s"
end

local singular_of = { indices = "index", matrices = "matrix", vertices = "vertex" } -- plural, or singular -> singular
for word in pairs(same) do singular_of[word] = word end
for one, many in pairs(irregular) do singular_of[one], singular_of[many] = one, one end
for word in misleading:gmatch "%S+" do singular_of[word], singular_of[plural_of(word)] = word, word end

---The first that fits says how a plural becomes a singular.
local endings = {
  { "ies$", "y" }, { "sses$", "ss" }, { "([^aeiou]us)es$", "%1" }, { "xes$", "x" }, { "([^aeiou]z)es$", "%1" },
  { "([cs]h)es$", "%1" }, { "ss$", "ss" }, { "us$", "us" }, { "is$", "is" }, { "(.)s$", "%1" },
}

local function to_singular(word)
  if singular_of[word] then return singular_of[word] end
  for _, ending in ipairs(endings) do
    local one, found = word:gsub(ending[1], ending[2])
    if found > 0 then return one end
  end
  return word
end

---A name in snake_case in two: its last word is what changes.
local function last_word(name)
  local head, word = name:match "^(.*_)([^_]+)$"
  return head or "", word or name
end

---The singular of a name in snake_case; of a singular itself.
function M.singular(name)
  local head, word = last_word(name)
  return head .. to_singular(word)
end

---The plural of a name in snake_case; of a plural itself.
function M.plural(name)
  local head, word = last_word(name)
  return head .. (to_singular(word) == word and plural_of(word) or word)
end

---"product_variants" -> "ProductVariant": the class that a table would have.
function M.class(name)
  return (("_" .. M.singular(M.snake_case(name))):gsub("_+(%w)", string.upper):gsub("[^%w]", ""))
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
