-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "bulk_item", primary_key = "id" }
