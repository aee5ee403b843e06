-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model {
  table = "sellers",
  associations = {
    products = weft.has_many { model = "product_service.Product", foreign_key = "seller_id", order = "product_id" },
  },
}
