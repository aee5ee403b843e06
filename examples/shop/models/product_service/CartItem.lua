-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model {
  table = "cart_items",
  validate = { quantity = { required = true, integer = true, min = 1, max = 99 } },
  associations = {
    variant = weft.belongs_to { model = "ProductVariant" },
  },
}
