-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "genre", primary_key = "genre_id" }
