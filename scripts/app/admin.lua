-- SPDX-License-Identifier: MIT
-- /metrics, /healthz and /readyz on an address of their own, answered by the main thread of `weft serve`: they come
-- through when every worker is busy.

local endpoints = require "app.endpoints"
local host = require "weft.host"

local M = {}

local function dispatch(list)
  return function(exchange)
    local answer = list[exchange:path()]
    if answer then return answer(exchange) end
    exchange:send(404, { "Content-Type", "text/plain; charset=utf-8" }, "there are /metrics, /healthz and /readyz\n")
  end
end

local function failed(exchange) exchange:send(500, nil, nil) end

---@param address string "127.0.0.1:9090", "9090", "unix:/run/admin.sock"
---@param say fun(format: string, ...)
---@return table handle with close()
function M.serve(address, say)
  if address:find "^%d+$" then address = "127.0.0.1:" .. address end
  local fd, name = host.bind(address, false)
  say("metrics and health on %s", name:find "^unix:" and name or "http://" .. name)
  return host.answer(fd, dispatch(endpoints.all()), failed)
end

return M
