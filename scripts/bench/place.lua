-- SPDX-License-Identifier: MIT
-- The databases of a workload program, from the variables of env.sh.

local weft = require "weft"

local M = { checking = false }

function M.url(kind)
  local env = os.getenv
  if kind == "sqlite" then return "sqlite:" .. env "PB_SQLITE" .. "/chinook.db" end
  return ("postgres://%s@%s:%s/chinook"):format(env "PB_USER", env "PB_HOST", env "PB_PG_PORT")
end

function M.configure(kind, max)
  local options = { url = M.url(kind), pool = { max = max or 4 } }
  if kind == "sqlite" then options.synchronous = "off" end
  weft.configure { databases = { chinook = options }, models = os.getenv "WEFT_BENCH_HOME" .. "/models" }
end

return M
