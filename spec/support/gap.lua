-- SPDX-License-Identifier: MIT
-- gap(enough, fn) calls fn in a task while another one wakes up each millisecond: for how long that one was held up, in seconds,
-- and how often it woke up. Up to five times, until it is `enough`: others need the processors, too. `ready` is called
-- before each, unmeasured; fn gets what it returns.

local clock = require "spec.support.clock"
local weft = require "weft"

local function once(fn, given)
  local longest, ticks, running = 0, 0, true
  weft.run(function()
    weft.spawn(function()
      local last = clock()
      while running do
        weft.sleep(0.001)
        local now = clock()
        longest, last, ticks = math.max(longest, now - last), now, ticks + 1
      end
    end)
    local ok, err = pcall(fn, given)
    running = false
    if not ok then error(err, 0) end
  end)
  return longest, ticks
end

---@param enough number seconds
---@param fn fun(given: any)
---@param ready? fun(): any
---@return number seconds
---@return integer ticks
return function(enough, fn, ready)
  local best, most = math.huge, 0
  for _ = 1, 5 do
    local longest, ticks = once(fn, ready and ready())
    if longest < best then best, most = longest, ticks end
    if best < enough then break end
  end
  return best, most
end
