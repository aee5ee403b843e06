-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "customer", primary_key = "customer_id" }
