-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "invoice", primary_key = "invoice_id" }
