-- SPDX-License-Identifier: MIT
-- Fills the three databases with the same rows every time: a fixed generator, no clock, no randomness.

local weft = require "weft"
local core = require "weft.core"
local schema = require "schema"

local SELLERS, POLICIES, CATEGORIES, CUSTOMERS = 400, 12, 60, 50

local state
---0 .. n - 1, the minimal standard generator of Park and Miller.
local function random(n)
  state = state * 16807 % 2147483647
  return state % n
end
local function pick(list) return list[random(#list) + 1] end

local adjectives = { "Red", "Small", "Quiet", "Woven", "Heavy", "Bright", "Plain", "Folding", "Oak", "Linen" }
local nouns = { "Lamp", "Chair", "Kettle", "Blanket", "Shelf", "Notebook", "Vase", "Clock", "Basket", "Mug" }
local colors = { "white", "black", "sand", "moss", "rust", "sky" }
local countries = { "DE", "FR", "IT", "NL", "PT", "SE" }

local function price() return weft.decimal(("%d.%02d"):format(5 + random(400), random(100))) end

local function sellers()
  local rows = {}
  for i = 1, SELLERS do
    local name = pick(adjectives) .. " " .. pick(nouns) .. " Co. " .. i
    rows[i] = {
      seller_id = i, store_name = name, slug = name:lower():gsub("[^%w]+", "-"), rating = (30 + random(21)) / 10,
      country = pick(countries), since = ("20%02d-%02d-%02d"):format(10 + random(14), 1 + random(12), 1 + random(28)),
    }
  end
  return rows
end

local function policies()
  local rows, guidelines = {}, {}
  for i = 1, POLICIES do
    local days = 14 + 2 * i
    rows[i] = { policy_id = i, name = "Returns within " .. days .. " days", days = days, text = "Unused, in its packaging, with the receipt." }
    for k = 1, 3 do
      guidelines[#guidelines + 1] = {
        guideline_id = #guidelines + 1, policy_id = i, position = k,
        text = ("%s (rule %d of policy %d)"):format(pick { "Print the label", "Keep the receipt", "Pack it well", "Say why" }, k, i),
      }
    end
  end
  return rows, guidelines
end

local function categories()
  local rows = {}
  for i = 1, CATEGORIES do
    rows[i] = { category_id = i, parent_id = i > 6 and 1 + random(6) or weft.null, name = pick(nouns) .. "s " .. i }
  end
  return rows
end

local function product(i, out)
  out.products[i] = {
    product_id = i, seller_id = 1 + random(SELLERS), policy_id = 1 + random(POLICIES),
    title = pick(adjectives) .. " " .. pick(nouns), status = random(10) == 0 and "gone" or "active", price = price(),
    stock = random(200), rating = random(8) > 0 and (10 + random(41)) / 10 or weft.null,
    attrs = { color = pick(colors), weight = 50 + random(5000), tags = weft.array { "t" .. random(90), "t" .. random(90) } },
    created_at = ("2024-%02d-%02dT%02d:%02d:00Z"):format(1 + random(12), 1 + random(28), random(24), random(60)),
  }
  for k = 1, 3 do
    local variant = (i - 1) * 3 + k
    out.variants[variant] = {
      variant_id = variant, product_id = i, sku = ("SKU-%06d"):format(variant), title = pick(colors) .. " / size " .. k,
      price = price(), stock = random(50),
    }
    for p = 1, 2 do
      out.images[#out.images + 1] = {
        image_id = #out.images + 1, variant_id = variant, url = ("https://img.example/%d/%d.jpg"):format(variant, p), position = p,
      }
    end
  end
  for _, name in ipairs { "material", "care" } do
    out.attributes[#out.attributes + 1] = { product_id = i, name = name, value = pick { "cotton", "steel", "wood", "wipe", "wash" } }
  end
  local first = 1 + random(CATEGORIES - 1)
  for k = 0, 1 do out.links[#out.links + 1] = { product_id = i, category_id = first + k } end
end

---The orders of a customer: numbers are versions of the cart, which is empty now.
local function customer(i, out)
  local version = random(8)
  out.carts[i] = { customer_id = i, version = version + 1, updated_at = "2025-12-31T12:00:00Z" }
  for number = 1, version do
    local total, variant = weft.decimal "0.00", random(#out.variants // 4)
    for _ = 1, 1 + random(3) do
      variant = variant + 1 + random(#out.variants // 4)
      local line = {
        customer_id = i, number = number, variant_id = variant, quantity = 1 + random(4), price = out.variants[variant].price,
      }
      total = total + line.price * line.quantity
      out.lines[#out.lines + 1] = line
    end
    out.orders[#out.orders + 1] = {
      customer_id = i, number = number, total = total,
      created_at = ("2025-%02d-%02dT%02d:30:00Z"):format(number, 1 + random(28), random(24)),
    }
  end
end

local function create(name)
  local db = weft.database(name)
  db:script(core.dialect(db) == "mysql" and schema[name]:gsub("timestamptz", "timestamp(6)") or schema[name])
end

local function insert(model, rows)
  for from = 1, #rows, 5000 do
    model:create_many(table.move(rows, from, math.min(from + 4999, #rows), 1, {}), { returning = false })
  end
end

---Creates and fills the databases; returns how many rows were written.
---@param products? integer how many (5000)
return function(products)
  products, state = products or 5000, 42
  for _, name in ipairs { "product_service", "seller_service", "policy_service" } do create(name) end
  local out = { products = {}, variants = {}, images = {}, attributes = {}, links = {}, carts = {}, orders = {}, lines = {} }
  local rows, guidelines = policies()
  local shop, policy = weft.models "product_service", weft.models "policy_service"
  insert(weft.models("seller_service").SellerInfo, sellers())
  insert(policy.ReturnPolicy, rows)
  insert(policy.Guideline, guidelines)
  for i = 1, products do product(i, out) end
  for i = 1, CUSTOMERS do customer(i, out) end
  weft.database("product_service"):transaction(function()
    insert(shop.Category, categories())
    insert(shop.Product, out.products)
    insert(shop.ProductVariant, out.variants)
    insert(shop.ProductImage, out.images)
    insert(shop.ProductAttribute, out.attributes)
    insert(shop.ProductCategory, out.links)
    insert(shop.Cart, out.carts)
    insert(shop.Order, out.orders)
    insert(shop.OrderLine, out.lines)
  end)
  local count = SELLERS + #rows + #guidelines + CATEGORIES
  for _, list in pairs(out) do count = count + #list end
  return count
end
