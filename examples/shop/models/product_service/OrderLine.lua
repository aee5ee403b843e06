-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model {
  table = "order_lines",
  associations = {
    variant = weft.belongs_to { model = "ProductVariant" },
  },
}
