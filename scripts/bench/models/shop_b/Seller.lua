-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "sellers", primary_key = "seller_id", columns = { rating = { as = "string" } } }
