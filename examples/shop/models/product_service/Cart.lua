-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model {
  table = "carts",
  version = "version",
  validate = { customer_id = { required = true, integer = true, min = 1, max = 2147483647 } },
  associations = {
    items = weft.has_many { model = "CartItem", foreign_key = "customer_id", order = "variant_id" },
  },
  methods = {
    ---What the items cost together.
    sum = function(self)
      local sum = weft.decimal "0.00"
      for _, item in ipairs(self.items) do sum = sum + item.price * item.quantity end
      return sum
    end,
  },
}
