-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "album", primary_key = "album_id" }
