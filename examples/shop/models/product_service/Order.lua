-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model {
  table = "orders",
  timestamps = true,
  associations = {
    lines = weft.has_many { model = "OrderLine", foreign_key = { "customer_id", "number" }, order = "variant_id" },
  },
}
