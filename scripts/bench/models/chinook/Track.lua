-- SPDX-License-Identifier: MIT
local weft = require "weft"

-- The raw programs hand numeric(10,2) out as text; so does this model. TrackDecimal is the default.
return weft.model { table = "track", primary_key = "track_id", columns = { unit_price = { as = "string" } } }
