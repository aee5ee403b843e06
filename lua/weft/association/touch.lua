-- SPDX-License-Identifier: MIT
-- What is loaded when a row is touched: an association, for the 500 rows around it at once, or a lazy column.

local core = require "weft.core"
local errors = require "weft.errors"
local association = require "weft.association"

local M = {}

local AROUND = 500

-- name -> row (weakly) -> what the row was when there was nothing: its result, then the columns that were looked
-- up. While these are the same it is not asked for again; save and reload give a row another result.
local missing = {}

local function note_missing(name, rows, source)
  local known = missing[name] or setmetatable({}, { __mode = "k" })
  missing[name] = known
  for _, row in ipairs(rows) do
    if rawget(row, name) == nil then
      local seen = { getmetatable(row) }
      for i, column in ipairs(source) do seen[i + 1] = rawget(row, column) end
      known[row] = seen
    end
  end
end

local function is_missing(name, row, source)
  local seen = missing[name] and missing[name][row]
  if not seen or seen[1] ~= getmetatable(row) then return false end
  for i, column in ipairs(source) do
    if not rawequal(seen[i + 1], rawget(row, column)) then return false end
  end
  return true
end

---Has the row other keys now than when it was read?
local function has_moved(row, source)
  for _, column in ipairs(source) do
    if rawget(row, column) ~= core.row_original(row, column) then return true end
  end
  return false
end

local function check_strict(info, name, strict, instead)
  if not require "weft.database".strict(info, strict) then return end
  errors.usage("'%s' of %s was not %s, and strict says that nothing is loaded on touch: add :%s(\"%s\")", name, info.label,
    instead == "select" and "selected" or "included", instead, name)
end

local function load_association(row, info, name, strict, absent)
  local wired = info.wired[name]
  if absent and not (wired and has_moved(row, wired.source)) then return nil end
  local entry = association.find(info, name)
  if not entry or is_missing(name, row, entry.source) then return nil end
  check_strict(info, name, strict, "include")
  for _, column in ipairs(entry.source) do local _ = row[column] end -- raises when it was not selected
  local rows = core.row_siblings(row, name, AROUND, missing[name])
  local levels = entry.levels
  if not levels or not core.fresh(levels) then levels = require "weft.association.include".levels_for(info, entry) end
  core.load(rows, levels, info.label, strict)
  if not entry.many then note_missing(name, rows, entry.source) end
  return rawget(row, name)
end

---row[name] was touched and the row has no such field: what belongs there, loaded now. May wait.
---@param row weft.Row
---@param info table
---@param name string
---@param strict boolean the row's query said strict()
---@param absent boolean the row's query included it, and there was none
function M.load(row, info, name, strict, absent)
  if not (info.lazy and info.lazy[name]) then return load_association(row, info, name, strict, absent) end
  local rows = require "weft.row"
  if rows.is_loaded(row, name) then return nil end
  check_strict(info, name, strict, "select")
  return rows.load(row, name)
end

return M
