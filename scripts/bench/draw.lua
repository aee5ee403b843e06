-- SPDX-License-Identifier: MIT
-- The numbers that every peer draws, and the rows that every peer inserts: those of the raw programs.

local M = {}

local x = 42
function M.seed(n) x = n end
local function below(n)
  x = x * 16807 % 2147483647
  return x % n
end
M.below = below

local genres = { 1, 2, 3, 4, 6, 7, 8, 14, 19, 21, 24 }
function M.genre() return genres[1 + below(11)] end
function M.track()
  x = x * 16807 % 2147483647
  return 1 + x % 3503
end

function M.bulk()
  local rows = {}
  for i = 0, 999 do
    rows[i + 1] = {
      sku = ("SKU-%06d"):format(i), name = ("Bulk item number %d"):format(i), qty = i % 100,
      price = ("%d.%02d"):format(i % 900, i % 100), note = i % 3 ~= 0 and ("a note on item %d"):format(i) or nil,
    }
  end
  return rows
end

return M
