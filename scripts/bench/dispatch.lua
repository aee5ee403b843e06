-- SPDX-License-Identifier: MIT
-- weft run dispatch.lua WHAT COUNT: nanoseconds of one repeated operation whose driver answers at once.
-- WHAT: empty (the loop alone), find (no row), find_row (and its table), task (find inside a task),
-- where (a query of three steps, no row).

local weft = require "weft"
local pbtime = require "pbtime"
local blank = require "blank"
local place = require "place"

local what, count = arg[1], tonumber(arg[2])
blank.install(os.getenv "WEFT_BENCH_DRIVERS" .. "/driver_sqlite.so", "sqlite")
place.configure "sqlite"
local Track = weft.models "chinook".Track

local function empty(n) for _ = 1, n do end end -- luacheck: ignore
local function find(n) for _ = 1, n do Track:find(7) end end
local function where(n) for _ = 1, n do Track:where { genre_id = 24 }:order("name"):limit(50):all() end end
local function task(n) weft.run(function() find(n) end) end

local loops = { empty = empty, find = find, find_row = find, task = task, where = where }
local loop = loops[what] or error("no operation " .. tostring(what))

find(3)
blank.mode "keep"
if what == "where" then where(2) else find(2) end
blank.mode(what == "find_row" and "rows" or "none")
loop(50)
local t = pbtime.now()
loop(count)
print(("%.1f"):format((pbtime.now() - t) / count))
