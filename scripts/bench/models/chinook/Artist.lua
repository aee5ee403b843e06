-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "artist", primary_key = "artist_id" }
