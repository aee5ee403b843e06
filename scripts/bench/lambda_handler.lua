-- SPDX-License-Identifier: MIT
-- The handler that `weft bench lambda` starts: one row of SQLite.

local weft = require "weft"

weft.configure { databases = { chinook = "sqlite:" .. os.getenv "PB_SQLITE" .. "/chinook.db" },
  models = os.getenv "WEFT_BENCH_HOME" .. "/models" }

return function() return weft.models("chinook").Track:find(1) end
