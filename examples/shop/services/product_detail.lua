-- SPDX-License-Identifier: MIT
-- Everything that a product page shows: from three databases, nothing asked for twice, what does not
-- depend on each other asked for side by side.

local weft = require "weft"

local shop = weft.models "product_service"
local sellers = weft.models "seller_service"
local policies = weft.models "policy_service"

---Variants in order of their sku, each with its images.
local function variants(id)
  local list = shop.ProductVariant:where { product_id = id }:order("sku"):all()
  local images, ids = {}, {}
  for i, variant in ipairs(list) do
    ids[i] = variant.variant_id
    images[variant.variant_id] = weft.array {}
    variant.images = images[variant.variant_id]
  end
  for _, image in ipairs(shop.ProductImage:where { variant_id = ids }:order("variant_id"):order("position"):all()) do
    table.insert(images[image.variant_id], image)
  end
  return list
end

local function categories(id)
  local ids = shop.ProductCategory:where { product_id = id }:pluck "category_id"
  ids.n = nil
  return shop.Category:where { category_id = ids }:order("name"):all()
end

---@param input { product_id: integer }
---@return table? detail nil when there is no such product
return function(input)
  local product = shop.Product:active():find(input.product_id)
  if not product then return nil end
  local id = product.product_id
  local parts = weft.all {
    function() return variants(id) end,
    function() return shop.ProductAttribute:where { product_id = id }:order("name"):all() end,
    function() return categories(id) end,
    function() return sellers.SellerInfo:select("seller_id", "store_name", "slug", "rating"):find(product.seller_id) end,
    function() return policies.ReturnPolicy:find(product.policy_id) end,
    function() return policies.Guideline:where { policy_id = product.policy_id }:order("position"):pluck "text" end,
  }
  product.variants, product.attributes, product.categories, product.seller = parts[1], parts[2], parts[3], parts[4]
  product.return_policy = parts[5]
  parts[6].n = nil
  product.guidelines = parts[6]
  return product
end
