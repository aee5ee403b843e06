-- SPDX-License-Identifier: MIT
-- Names for what nobody named: users_email_idx. One that a database would cut is shortened here, always to the same.

local fnv = require "weft.fnv"

local M = {}

local LIMIT <const> = 63 -- bytes, PostgreSQL's; the others take more

---The text up to so many bytes, without half of a character.
local function cut(text, bytes)
  while bytes > 0 and (text:byte(bytes + 1) or 0) & 0xc0 == 0x80 do bytes = bytes - 1 end
  return text:sub(1, bytes)
end

---@param table_name string
---@param columns string[]
---@param ending "idx"|"key"|"fkey"|"check"|"pkey"
---@return string
function M.of(table_name, columns, ending)
  local parts = { table_name }
  for _, column in ipairs(columns) do parts[#parts + 1] = column end
  parts[#parts + 1] = ending
  local name = table.concat(parts, "_")
  if #name <= LIMIT then return name end
  return cut(name, LIMIT - 9 - #ending - 1) .. "_" .. fnv(name):sub(1, 8) .. "_" .. ending
end

return M
