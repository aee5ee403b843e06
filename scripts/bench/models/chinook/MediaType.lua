-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "media_type", primary_key = "media_type_id" }
