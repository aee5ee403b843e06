-- SPDX-License-Identifier: MIT
local weft = require "weft"

-- As the raw programs hand them out: numbers with a scale and json are text.
return weft.model {
  table = "shop_products", primary_key = "id",
  columns = { price = { as = "string" }, attrs = { as = "string" } },
  associations = { seller = weft.belongs_to { model = "shop_b.Seller", foreign_key = "seller_id", target_key = "seller_id" } },
}
