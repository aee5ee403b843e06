-- SPDX-License-Identifier: MIT
-- weft run crowd.lua DB MAX TASKS: so many tasks at once, each some statements; prints the pool's counts.

local weft = require "weft"
local place = require "place"

local max, tasks = tonumber(arg[2]), tonumber(arg[3])
place.configure(arg[1], max)
local Track = weft.models "chinook".Track
local found = 0
weft.run(function()
  for i = 1, tasks do
    weft.spawn(function()
      for k = 0, 2 do
        if Track:batch(false):find((i * 3 + k) % 3503 + 1) then found = found + 1 end
      end
      local rows = Track:where("track_id", "=", i):all()
      found = found + #rows
    end)
  end
end)
local stats = weft.database "chinook":stats()
stats.found = found
print(weft.encode(stats))
