-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "track", primary_key = "track_id" }
