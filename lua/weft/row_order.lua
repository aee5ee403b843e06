-- SPDX-License-Identifier: MIT
-- The order in which rows of a table that points to itself can go in: each behind the one that it points to.

local core = require "weft.core"

local M = {}

---The places of columns among those of the rows; nil when one is not there.
local function places_of(columns, names)
  local at, list = {}, {}
  for i, column in ipairs(columns) do at[column.name] = i end
  for i, name in ipairs(names) do
    if not at[name] then return nil end
    list[i] = at[name]
  end
  return list
end

local function own_keys(t, columns)
  local list = {}
  for _, key in ipairs(t.foreign_keys) do
    local from = key.key == t.key and places_of(columns, key.columns)
    local to = from and #key.target == #from and places_of(columns, key.target)
    if to then list[#list + 1] = { number = #list + 1, from = from, to = to } end
  end
  return list
end

---What a row is called by a key, or calls another; nil with a NULL in it.
local function name_of(key, row, places)
  local parts = { key.number }
  for i, place in ipairs(places) do
    local value = row[place]
    if value == nil or value == core.null then return nil end
    parts[i + 1] = type(value) == "table" and (value.hex or value.real) or tostring(value)
  end
  return table.concat(parts, "\0")
end

---Passes rows on in such an order; those that wait for one that does not come are passed on in the end.
---@param t table of a schema
---@param columns { name: string }[] of the rows
---@param put fun(row: any[])
---@return fun(row: any[]) add, fun() finish
function M.new(t, columns, put)
  local keys = own_keys(t, columns)
  if #keys == 0 then return put, function() end end
  local there, waiting, held, gone = {}, {}, {}, {}

  local function awaited(row)
    for _, key in ipairs(keys) do
      local name = name_of(key, row, key.from)
      if name and not there[name] and name ~= name_of(key, row, key.to) then return name end
    end
  end

  ---Puts a row, and notes in `ready` those that waited for it.
  local function pass(row, ready)
    put(row)
    gone[row] = true
    for _, key in ipairs(keys) do
      local name = name_of(key, row, key.to)
      for _, other in ipairs(name and waiting[name] or {}) do ready[#ready + 1] = other end
      if name then there[name], waiting[name] = true, nil end
    end
  end

  local function settle(ready)
    while #ready > 0 do
      local row = table.remove(ready)
      local name = awaited(row)
      if not name then
        pass(row, ready)
      else
        waiting[name] = waiting[name] or {}
        table.insert(waiting[name], row)
      end
    end
  end

  local function add(row)
    if awaited(row) then held[#held + 1] = row end
    settle { row }
  end

  ---Passes on all that still wait and are wanted now.
  local function release(wanted)
    for _, row in ipairs(held) do
      if not gone[row] and wanted(awaited(row)) then
        local ready = {}
        pass(row, ready)
        settle(ready)
      end
    end
  end

  return add, function()
    local coming = {}
    for _, row in ipairs(held) do
      for _, key in ipairs(keys) do coming[not gone[row] and name_of(key, row, key.to) or 0] = true end
    end
    release(function(name) return not coming[name] end) -- they point to rows of the table
    release(function() return true end)                 -- what is left points in a circle
  end
end

return M
