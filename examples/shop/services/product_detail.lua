-- SPDX-License-Identifier: MIT
-- Everything that a product page shows, from three databases. What the models do not say of each other is wired
-- here, when the service is first called; where each table lives, nobody says.

local weft = require "weft"

local shop = weft.models "product_service"

local images = weft.include {
  from = shop.ProductVariant, to = shop.ProductImage, as = "images", type = "has_many", foreign_key = "variant_id",
  order = "position",
}
local variants = weft.include {
  from = shop.Product, to = shop.ProductVariant, as = "variants", type = "has_many", foreign_key = "product_id", order = "sku",
  include = images,
}
local attributes = weft.include {
  from = shop.Product, to = shop.ProductAttribute, as = "attributes", type = "has_many", foreign_key = "product_id",
  order = "name", select = { "name", "value" },
}
local categories = weft.include {
  from = shop.Product, to = shop.Category, as = "categories", type = "many_to_many", through = shop.ProductCategory,
  foreign_key = "product_id", other_key = "category_id", order = "name",
}
local seller = { "seller", select = { "seller_id", "store_name", "slug", "rating" } }

---@param input { product_id: integer }
---@return weft.Row? product nil when there is no such product
return function(input)
  return shop.Product:active()
    :include(variants, attributes, categories, seller, "return_policy.guidelines")
    :find(input.product_id)
end
