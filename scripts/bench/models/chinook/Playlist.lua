-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "playlist", primary_key = "playlist_id" }
