-- SPDX-License-Identifier: MIT
-- weft run examples/shop/demo.lua [product]: creates the shop's databases once, runs the product-detail
-- service and shows its answer, the statements that it ran and what they took; then, shortly, the others.

local here = arg[0]:match "^(.*/)" or "./"
package.path = package.path .. ";" .. here .. "?.lua" -- behind Weft: the shop has a weft.lua of its own

local weft = require "weft"
weft.configure(dofile(here .. "weft.lua"))

local terminal = os.getenv "NO_COLOR" == nil and os.getenv "TERM" ~= "dumb" and os.execute "test -t 1"
local function heading(text) print(terminal and ("\27[1m%s\27[0m"):format(text) or text) end

local from = os.clock()
local rows = require "ready"(here)
if rows then
  heading(("Created three databases with %d rows in %.1f s"):format(rows, os.clock() - from))
  print()
end

---JSON text with two spaces per level, for people.
local function pretty(text)
  local out, depth, quoted, escaped = {}, 0, false, false
  for c in text:gmatch "." do
    if quoted then
      out[#out + 1] = c
      quoted = escaped or c ~= '"'
      escaped = not escaped and c == "\\"
    elseif c == "{" or c == "[" then
      depth = depth + 1
      out[#out + 1] = c .. "\n" .. ("  "):rep(depth)
    elseif c == "}" or c == "]" then
      depth = depth - 1
      out[#out + 1] = "\n" .. ("  "):rep(depth) .. c
    elseif c == "," then
      out[#out + 1] = ",\n" .. ("  "):rep(depth)
    elseif c == ":" then
      out[#out + 1] = ": "
    else
      quoted = c == '"'
      out[#out + 1] = c
    end
  end
  return (table.concat(out):gsub("([%[{])%s+([%]}])", "%1%2"))
end

local product_detail = weft.services.product_detail
local input = { product_id = math.tointeger(tonumber(arg[1])) or 17 }
weft.run(product_detail, input) -- the first call also learns the tables

local statements = {}
local off = weft.on("query", function(info) statements[#statements + 1] = info end)
from = require("weft.core").clock()
local detail = weft.run(product_detail, input)
local seconds = require("weft.core").clock() - from
off()

heading "product_detail"
if not detail then
  print(("no active product %d"):format(input.product_id))
  os.exit(1)
end
print(pretty(weft.encode(detail)))
print()
heading(("%d statements, %.2f ms in all"):format(#statements, seconds * 1000))
for _, info in ipairs(statements) do
  print(("%8.3f ms  %-15s %3d row%s  %s"):format(info.seconds * 1000, info.database, info.rows, info.rows == 1 and " " or "s", info.sql))
end
print()

heading "search (in stock, of sellers rated 4 or better, who are in another database)"
local found = weft.services.search { text = detail.title:match "%S+", max_price = 100, in_stock = true, seller_rating = 4, size = 3 }
print(("%d products, %s to %s:"):format(found.total, found.cheapest or "-", found.dearest or "-"))
for _, product in ipairs(found.products) do
  print(("%10s  %-20s  %s (%s)"):format(product.price, product.title, product.seller.store_name, product.seller.rating))
end
print()

heading "cart.add, cart.checkout, orders (in a transaction that is rolled back, so that nothing changes)"
weft.database("product_service"):transaction(function(tx)
  local variant = detail.variants[1]
  local _, sold_out = weft.try(weft.services.cart.add, { customer_id = 1, variant_id = variant.variant_id, quantity = 99 })
  print(sold_out)
  local cart = weft.services.cart.add { customer_id = 1, variant_id = 1, quantity = 1 }
  weft.services.cart.checkout { customer_id = 1, version = cart.version }
  for _, order in ipairs(weft.services.orders { customer_id = 1, size = 3 }.orders) do
    print(("%10s  order %d of %s, lines: %d"):format(order.total, order.number, order.created_at, #order.lines))
  end
  tx:rollback()
end)
