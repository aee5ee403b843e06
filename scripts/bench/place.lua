-- SPDX-License-Identifier: MIT
-- The databases of a workload program, from the variables of env.sh.

local weft = require "weft"

local M = { checking = false }

local function options(kind, name, max)
  local env = os.getenv
  if kind == "sqlite" then
    return { url = ("sqlite:%s/%s.db"):format(env "PB_SQLITE", name), synchronous = "off", pool = { max = max or 4 } }
  end
  if kind == "my" then
    return { url = ("mysql://%s@%s:%s/%s"):format(env "PB_USER", env "PB_HOST", env "PB_MY_PORT", name), pool = { max = max or 4 } }
  end
  return { url = ("postgres://%s@%s:%s/%s"):format(env "PB_USER", env "PB_HOST", env "PB_PG_PORT", name), pool = { max = max or 4 } }
end

---@param kind string "pg", "my", "sqlite", or two of them as "pg+sqlite" for the databases of the shop
---@param name? string another database than Chinook
function M.configure(kind, max, name)
  local near, far = kind:match "^(%w+)%+(%w+)$"
  local databases = near and { shop_a = options(near, "shop_a", max), shop_b = options(far, "shop_b", max) }
    or { [name or "chinook"] = options(kind, name or "chinook", max) }
  weft.configure { databases = databases, models = os.getenv "WEFT_BENCH_HOME" .. "/models" }
end

return M
