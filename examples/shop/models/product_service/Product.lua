-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model {
  table = "products",
  columns = { attrs = "json" },
  scopes = {
    active = function(query) return query:where { status = "active" } end,
    cheaper_than = function(query, price) return query:where("price", "<", price) end,
  },
  methods = {
    label = function(self) return ("%s #%d"):format(self.title, self.product_id) end,
  },
}
