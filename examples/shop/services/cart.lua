-- SPDX-License-Identifier: MIT
-- A customer's cart. What is in a cart is taken from the stock. Every change is one transaction that begins
-- with the cart's version, so that changes of one cart follow each other.

local weft = require "weft"

local shop = weft.models "product_service"

local function invalid(column, rule, message)
  weft.fail("validation", message, { column = column, errors = { { column = column, rule = rule, message = message } } })
end

---Runs fn(cart) as one change of the customer's cart, which is made when there is none; returns its result. A
---change since the version that the customer saw is stale.
local function change(input, fn)
  return weft.database("product_service"):transaction(function()
    local new = { customer_id = input.customer_id, updated_at = weft.now() }
    local cart = shop.Cart:upsert(new, { on = "customer_id" })
    if input.version and cart.version ~= input.version + 1 then weft.fail("stale", "the cart was changed meanwhile") end
    return fn(cart)
  end)
end

local cart = {}

---@param input { customer_id: integer }
---@return table cart version (0: there is no cart yet), items, total
function cart.show(input)
  local query = shop.Cart:select("customer_id", "version"):include({ "items.variant", select = { "variant_id", "sku", "title" } })
    :include({ "items.variant.product", select = { "product_id", "title" } })
  local found = query:find(input.customer_id)
  if not found then return { customer_id = input.customer_id, version = 0, items = weft.array {}, total = weft.decimal "0.00" } end
  found.total = found:sum()
  return found
end

---Raises validation when the stock does not suffice, not_found for an unknown variant, stale.
---@param input { customer_id: integer, variant_id: integer, quantity: integer, version?: integer }
---@return table cart as show gives it
function cart.add(input)
  return change(input, function()
    -- Locked at once: an item refers to its variant, which MySQL would lock for reading before it is written.
    local variant = shop.ProductVariant:lock("update"):get(input.variant_id)
    shop.CartItem:upsert({
      customer_id = input.customer_id, variant_id = variant.variant_id, quantity = input.quantity, price = variant.price,
    }, {
      on = { "customer_id", "variant_id" },
      update = { quantity = weft.raw("cart_items.quantity + ?", input.quantity), price = variant.price },
    })
    if not variant:take(input.quantity) then invalid("quantity", "stock", "the stock does not suffice") end
    return cart.show(input)
  end)
end

---Gives an item back to the stock. Raises not_found when it is not in the cart, stale.
---@param input { customer_id: integer, variant_id: integer, version?: integer }
---@return table cart as show gives it
function cart.remove(input)
  return change(input, function()
    local item = shop.CartItem:get(input.customer_id, input.variant_id)
    shop.ProductVariant:where { variant_id = item.variant_id }:increment("stock", item.quantity)
    item:delete()
    return cart.show(input)
  end)
end

---Makes an order of the cart that the customer saw; its number is the cart's version. Raises stale when the
---cart was changed since, validation when it is empty.
---@param input { customer_id: integer, version: integer }
---@param context { now?: string } now: when it is ordered, the present unless given
---@return weft.Row order with its lines
function cart.checkout(input, context)
  if math.type(input.version) ~= "integer" then invalid("version", "required", "version is the one that the customer saw") end
  return change(input, function(seen)
    if #seen.items == 0 then invalid("items", "required", "the cart is empty") end
    local order = shop.Order:create {
      customer_id = seen.customer_id, number = seen.version, total = seen:sum(), created_at = context.now,
    }
    local lines = {}
    for i, item in ipairs(seen.items) do
      lines[i] = {
        customer_id = order.customer_id, number = order.number, variant_id = item.variant_id,
        quantity = item.quantity, price = item.price,
      }
    end
    order.lines = shop.OrderLine:create_many(lines)
    shop.CartItem:where { customer_id = seen.customer_id }:delete()
    return order
  end)
end

return cart
