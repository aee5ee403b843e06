-- SPDX-License-Identifier: MIT
-- weft run types.lua DB TABLES SECONDS FOLDER: reads the schema of a database of many tables and writes its type files into
-- an empty folder again and again.

local weft = require "weft"
local core = require "weft.core"
local place = require "place"
local types = require "weft.types"
local files = require "weft.types.files"

local kind, tables, seconds, out = arg[1], arg[2], tonumber(arg[3]), arg[4]
local name = "things_" .. tables
place.configure(kind, 4, name)
local db = weft.database(name)

local function now() return select(2, core.wall_clock()) / 1000 end

local function peak()
  for line in io.lines "/proc/self/status" do
    local kb = line:match "^VmHWM:%s*(%d+)"
    if kb then return kb / 1024 end
  end
end

local written

local function once()
  os.execute("rm -rf '" .. out .. "'")
  core.forget_tables(db)
  local start = now()
  written = types.files { name }
  files.apply(out, files.changes(out, written, { name }))
  return now() - start
end

local function largest()
  local most = 0
  for _, file in ipairs(written) do most = math.max(most, #file.text) end
  return most / 1024
end

local list = { once() }
local rss = peak() -- of a program that writes them once
local finish = now() + seconds * 1000
repeat list[#list + 1] = once() until now() > finish and #list >= 3
table.sort(list)
os.execute("rm -rf '" .. out .. "'")
print(weft.encode { time = list[#list // 2 + 1], rss = rss, files = #written, largest = largest() })
