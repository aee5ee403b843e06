-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "world" }
