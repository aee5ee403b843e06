-- SPDX-License-Identifier: MIT
-- Conditions as specs write them down, evaluated by nested loops over all rows with SQL's three-valued
-- logic: true, false, or nil where SQL says NULL. Another way to say what the core renders.
--
-- A condition is one of
--   { "leaf", path = { names.. }, column =, op =, value = }      a dotted name when path is not empty
--   { "and", list.. }  { "or", list.. }  { "not", condition }
--   { "some" | "none" | "every", path = { names.. }, condition or nil }
-- NULL is absent in rows, `null` in values.

local M = {}

M.null = setmetatable({}, { __tostring = function() return "NULL" end })

local function compare(test)
  return function(x, value)
    if x == nil then return nil end
    return test(x, value)
  end
end

local function holds(list, x)
  for _, value in ipairs(list) do
    if value == x and x ~= M.null then return true end
  end
  return false
end

local function has_null(list)
  for _, value in ipairs(list) do
    if value == M.null then return true end
  end
  return false
end

---Weft's own: NULL in a list is OR IS NULL, an empty list is nothing even for NULL.
local function is_in(x, list)
  if x ~= nil then return holds(list, x) end
  if has_null(list) then return true end
  if #list == 0 then return false end
  return nil
end

local function negated(truth)
  if truth == nil then return nil end
  return not truth
end

local operators = {
  ["="] = compare(function(x, v) return x == v end),
  ["!="] = compare(function(x, v) return x ~= v end),
  ["<"] = compare(function(x, v) return x < v end),
  [">="] = compare(function(x, v) return x >= v end),
  between = compare(function(x, v) return x >= v[1] and x <= v[2] end),
  begins_with = compare(function(x, v) return x:sub(1, #v) == v end),
  ["in"] = is_in,
  not_in = function(x, list) return negated(is_in(x, list)) end,
  is_null = function(x) return x == nil end,
  not_null = function(x) return x ~= nil end,
}

local evaluate

---Conditions of one AND, lists in lists taken in, as the one row sees them: those of dotted names with the same
---first name are one.
local function merged(list)
  local flat, by_name = {}, {}
  local function take(kids)
    for _, kid in ipairs(kids) do
      if kid[1] == "and" then
        take(table.move(kid, 2, #kid, 1, {}))
      elseif kid[1] == "leaf" and #kid.path > 0 then
        local name = kid.path[1]
        if not by_name[name] then
          by_name[name] = { "some", path = { name }, { "and" } }
          flat[#flat + 1] = by_name[name]
        end
        local inner = by_name[name][2]
        inner[#inner + 1] = { "leaf", path = table.move(kid.path, 2, #kid.path, 1, {}), column = kid.column, op = kid.op,
          value = kid.value }
      else
        flat[#flat + 1] = kid
      end
    end
  end
  take(list)
  return flat
end

local function all(world, at, row, list)
  local truth = true
  for _, kid in ipairs(merged(list)) do
    local one = evaluate(world, at, row, kid)
    if one == false then return false end
    if one == nil then truth = nil end
  end
  return truth
end

local function any(world, at, row, kid)
  local truth = false
  for i = 2, #kid do
    local one = evaluate(world, at, row, kid[i])
    if one == true then return true end
    if one == nil then truth = nil end
  end
  return truth
end

---Is there a row at the end of the path for which fn holds?
local function exists(world, at, row, path, i, fn)
  if i > #path then return fn(at, row) end
  local to, rows = world.follow(at, row, path[i])
  for _, other in ipairs(rows) do
    if exists(world, to, other, path, i + 1, fn) then return true end
  end
  return false
end

local function quantified(world, at, row, c)
  local function test(to, other) return c[2] == nil or evaluate(world, to, other, c[2]) == true end
  if c[1] == "some" then return exists(world, at, row, c.path, 1, test) end
  if c[1] == "none" then return not exists(world, at, row, c.path, 1, test) end
  return not exists(world, at, row, c.path, 1, function(...) return not test(...) end)
end

---Does the condition hold for a row of the table `at`?
---@param world { follow: fun(at: string, row: table, name: string): string, table[] }
---@return boolean? truth
function evaluate(world, at, row, c)
  local kind = c[1]
  if kind == "leaf" then
    if #c.path > 0 then return all(world, at, row, { c }) end
    return operators[c.op](row[c.column], c.value)
  end
  if kind == "and" then return all(world, at, row, table.move(c, 2, #c, 1, {})) end
  if kind == "or" then return any(world, at, row, c) end
  if kind == "not" then return negated(evaluate(world, at, row, c[2])) end
  return quantified(world, at, row, c)
end

M.evaluate = evaluate

---The condition as text, for messages.
function M.show(c)
  local function list(from)
    local parts = {}
    for i = from, #c do parts[#parts + 1] = M.show(c[i]) end
    return table.concat(parts, ", ")
  end
  if c[1] ~= "leaf" then return ("%s %s(%s)"):format(c[1], table.concat(c.path or {}, "."), list(2)) end
  local value = c.value
  if type(value) == "table" and value ~= M.null then
    local parts = {}
    for i, one in ipairs(value) do parts[i] = tostring(one) end
    value = "{" .. table.concat(parts, ",") .. "}"
  end
  local name = table.concat(c.path, ".") .. (#c.path > 0 and "." or "") .. c.column
  return ("%s %s %s"):format(name, c.op, tostring(value))
end

return M
