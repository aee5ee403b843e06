-- SPDX-License-Identifier: MIT
-- The orders of a customer, newest first, a page at a time, each with its lines and what was bought.

local weft = require "weft"

local shop = weft.models "product_service"

---@param input { customer_id: integer, size?: integer, after?: string, before?: string }
---@return { orders: weft.Row[], next: string?, previous: string? }
return function(input)
  local orders = shop.Order:where({ customer_id = input.customer_id }, { "customer_id" }):order("number", "desc")
    :include({ "lines.variant", select = { "variant_id", "sku", "title" } })
    :include({ "lines.variant.product", select = { "product_id", "title" } })
  local page = orders:page { size = input.size, after = input.after, before = input.before }
  return { orders = weft.array(page.rows), next = page.next, previous = page.previous }
end
