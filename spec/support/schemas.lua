-- SPDX-License-Identifier: MIT
-- Tables of db:schema() as text, one line for each thing, for specs.

local schemas = {}

local function add(words, word, is) if is then words[#words + 1] = word end end

local function joined(list, separator) return table.concat(list or {}, separator or ",") end

function schemas.column(column)
  local words = { column.name, column.type ~= "" and column.type or "-", column.kind .. (column.elem and "/" .. column.elem or "") }
  add(words, "null", column.nullable)
  add(words, "key" .. tostring(column.key), column.key)
  add(words, "default " .. tostring(column.default), column.default)
  add(words, ("%s (%s)"):format(column.generated, column.expression), column.generated)
  add(words, "identity " .. tostring(column.identity), column.identity)
  add(words, "auto_increment", column.auto_increment)
  add(words, "collate " .. tostring(column.collation), column.collation)
  add(words, "enum " .. tostring(column.enum), column.enum)
  add(words, "domain " .. tostring(column.domain), column.domain)
  add(words, "values " .. joined(column.values, "|"), column.values)
  add(words, "hidden", column.hidden)
  add(words, "-- " .. tostring(column.comment), column.comment)
  return joined(words, " ")
end

local function when(object, words)
  add(words, "deferrable", object.deferrable)
  add(words, "deferred", object.initially_deferred)
  add(words, "invalid", object.valid == false)
  return joined(words, " ")
end

function schemas.foreign_key(key)
  local words = { joined(key.columns), "->", ("%s(%s)"):format(key.key, joined(key.target)) }
  add(words, "update " .. key.on_update, key.on_update ~= "no action")
  add(words, "delete " .. key.on_delete, key.on_delete ~= "no action")
  add(words, "match " .. tostring(key.match), key.match)
  add(words, "missing", key.missing)
  return when(key, words)
end

function schemas.unique(unique)
  local words = { joined(unique.columns) }
  add(words, "include " .. joined(unique.include), unique.include)
  add(words, "nulls not distinct", unique.nulls_distinct == false)
  return when(unique, words)
end

local function part(p)
  local words = { p.column or "(" .. p.expression .. ")" }
  add(words, p.order, p.order)
  add(words, "nulls " .. tostring(p.nulls), p.nulls)
  add(words, "collate " .. tostring(p.collation), p.collation)
  add(words, tostring(p.opclass), p.opclass)
  add(words, "first " .. tostring(p.length), p.length)
  return joined(words, " ")
end

function schemas.index(index)
  local parts = {}
  for i, p in ipairs(index.parts) do parts[i] = part(p) end
  local words = { index.name, ("(%s)"):format(joined(parts, ", ")) }
  add(words, "unique", index.unique)
  add(words, "using " .. tostring(index.method), index.method and index.method ~= "btree")
  add(words, "include " .. joined(index.include), index.include)
  add(words, "where " .. tostring(index.where), index.where)
  return when(index, words)
end

function schemas.check(check)
  local words = { check.expression }
  if check.name then table.insert(words, 1, check.name .. ":") end
  return when(check, words)
end

---A list of things as lines.
---@param what "column"|"foreign_key"|"unique"|"index"|"check"
function schemas.lines(what, list)
  local lines = {}
  for i, object in ipairs(list) do lines[i] = schemas[what](object) end
  return lines
end

function schemas.names(list, field)
  local names = {}
  for i, object in ipairs(list) do names[i] = object[field or "name"] end
  return names
end

---A deep copy without metatables, to be compared.
function schemas.plain(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, inner in next, value do copy[key] = schemas.plain(inner) end
  return copy
end

return schemas
