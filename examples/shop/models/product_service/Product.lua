-- SPDX-License-Identifier: MIT
-- The seller and the return policy live in other databases; nothing here says so but their names. What the
-- foreign keys of this database tell (product_variants, categories) is not said again.

local weft = require "weft"

return weft.model {
  table = "products",
  columns = { attrs = "json" },
  timestamps = true,
  validate = { title = { required = true, max = 120 }, price = { required = true, min = 0 } },
  associations = {
    seller = weft.belongs_to { model = "seller_service.SellerInfo" },
    return_policy = weft.belongs_to { model = "policy_service.ReturnPolicy", foreign_key = "policy_id" },
  },
  scopes = {
    active = function(query) return query:where { status = "active" } end,
    cheaper_than = function(query, price) return query:where("price", "<", price) end,
  },
  methods = {
    label = function(self) return ("%s #%d"):format(self.title, self.product_id) end,
  },
}
