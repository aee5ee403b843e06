-- SPDX-License-Identifier: MIT
-- weft run discovery.lua DB TABLES SECONDS: reads the schema of a database of many tables again and again; with
-- "statements" for SECONDS prints the statements that it is read by, one a line.

local weft = require "weft"
local core = require "weft.core"
local place = require "place"

local kind, tables, seconds = arg[1], arg[2], arg[3]
place.configure(kind, 4, "things_" .. tables)
local db = weft.database("things_" .. tables)

if seconds == "statements" then
  for _, part in ipairs(core.schema_parts(db)) do print((part.sql:gsub("\n", " "))) end
  return
end

local function now() return select(2, core.wall_clock()) / 1000 end

local function peak()
  for line in io.lines "/proc/self/status" do
    local kb = line:match "^VmHWM:%s*(%d+)"
    if kb then return kb / 1024 end
  end
end

local function median(fn, milliseconds)
  local list, finish = {}, now() + milliseconds
  repeat
    local start = now()
    fn()
    list[#list + 1] = now() - start
  until now() > finish and #list >= 3
  table.sort(list)
  return list[#list // 2 + 1]
end

local schema = db:schema()
assert(#schema:tables() == tonumber(tables))
local rss = peak() -- of a program that reads it once
local milliseconds = tonumber(seconds) * 1000
print(weft.encode {
  rss = rss,
  time = median(function()
    core.forget_tables(db)
    schema:tables()
  end, milliseconds),
  unchanged = median(function() assert(#schema:refresh() == 0) end, milliseconds / 4),
})
