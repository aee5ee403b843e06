-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "invoice_line", primary_key = "invoice_line_id" }
