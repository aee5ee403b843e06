-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model {
  table = "product_variants",
  validate = { stock = { min = 0 } },
  associations = {
    product = weft.belongs_to { model = "Product" },
  },
  methods = {
    ---Takes from the stock what is there to take: the condition holds in the database, whoever else takes.
    ---@return boolean taken false: the stock does not suffice
    take = function(self, quantity)
      local enough = weft.model_of(self):where { variant_id = self.variant_id }:where("stock", ">=", quantity)
      return enough:increment("stock", -quantity) == 1
    end,
  },
}
