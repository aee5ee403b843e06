-- SPDX-License-Identifier: MIT
-- weft.services.stock: what the C program calls.
local weft = require "weft"

local models = weft.models "warehouse"
local stock = {}

---All items.
function stock.list() return models.Item:select("sku", "stock"):order "sku" end

---Takes n of an item out; returns what is left.
function stock.take(input)
  return weft.database "warehouse":transaction(function()
    local item = models.Item:where { sku = input.sku }:one()
    if item.stock < input.n then weft.fail("validation", ("only %d of %s left"):format(item.stock, item.sku)) end
    item:update { stock = item.stock - input.n }
    return { sku = item.sku, left = item.stock }
  end)
end

---Takes its time, and lets others have theirs.
function stock.count()
  for _ = 1, 5 do weft.sleep(0.01) end
  return { items = models.Item:count() }
end

---Wants more than there is.
function stock.forecast()
  local years = {}
  for i = 1, math.huge do years[i] = { i } end
  return years
end

return stock
