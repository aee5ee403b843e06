-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "playlist_track", primary_key = { "playlist_id", "track_id" } }
