-- SPDX-License-Identifier: MIT
-- Products by words, price, stock, category and seller, a page at a time, each with its seller.

local weft = require "weft"

local shop = weft.models "product_service"

---Products that have all the words in their titles, in any case unless a word holds what patterns are made of.
local function with_words(query, text)
  for word in (text or ""):gmatch "%S+" do
    local plain = not word:find "[%%_\\]"
    query = query:where("title", plain and "ilike" or "contains", plain and "%" .. word .. "%" or word)
  end
  return query
end

-- What is asked for -> its condition. Sellers live in another database, which does not show here.
local filters = {
  { "min_price", function(price) return { "price", ">=", price } end },
  { "max_price", function(price) return { "price", "<=", price } end },
  { "in_stock", function() return weft.some("product_variants", { { "stock", ">", 0 } }) end },
  { "category_id", function(id) return weft.some("categories", weft.any_of { { category_id = id }, { parent_id = id } }) end },
  { "seller_id", function(id) return { seller_id = id } end },
  { "country", function(country) return { "seller.country", "=", country } end },
  { "seller_rating", function(rating) return { "seller.rating", ">=", rating } end },
}

local function matching(input)
  local conditions = {}
  for _, filter in ipairs(filters) do
    local wanted = input[filter[1]]
    if wanted then conditions[#conditions + 1] = filter[2](wanted) end
  end
  local query = with_words(shop.Product:active(), input.text)
  return #conditions > 0 and query:where(weft.all_of(conditions)) or query
end

local orders = {
  price = function(query) return query:order("price") end,
  dearest = function(query) return query:order("price", "desc") end,
  newest = function(query) return query:order("created_at", "desc") end,
}

local function ordered(query, order)
  local by = orders[order or "price"]
  if not by then weft.fail("validation", "order is one of dearest, newest, price") end
  return by(query:select("product_id", "title", "price", "rating", "created_at", "seller_id"))
end

---@class shop.Search
---@field text? string words of the title
---@field min_price? number|string
---@field max_price? number|string
---@field in_stock? boolean
---@field category_id? integer of the category, or of the one above
---@field seller_id? integer
---@field country? string the seller's
---@field seller_rating? number the seller's least
---@field order? "price"|"dearest"|"newest" "price" unless given
---@field size? integer products of a page (20)
---@field after? string next of the page before
---@field before? string previous of the page behind

---@param input shop.Search
---@return table found products, next, previous; total, cheapest, dearest of all pages
return function(input)
  local query = matching(input)
  local listed = ordered(query, input.order):include { "seller", select = { "seller_id", "store_name", "slug", "country", "rating" } }
  local parts = weft.all {
    function() return listed:page { size = input.size, after = input.after, before = input.before } end,
    function() return query:select { total = weft.count(), cheapest = weft.min "price", dearest = weft.max "price" }:one() end,
  }
  local page, facts = parts[1], parts[2]
  return {
    products = weft.array(page.rows), next = page.next, previous = page.previous,
    total = facts.total, cheapest = facts.cheapest, dearest = facts.dearest,
  }
end
