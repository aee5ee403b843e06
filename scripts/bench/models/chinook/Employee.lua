-- SPDX-License-Identifier: MIT
local weft = require "weft"

return weft.model { table = "employee", primary_key = "employee_id" }
