-- SPDX-License-Identifier: MIT
-- weft run cold.lua DB [rss]: touches twelve models and reads one row; with rss prints the peak.

local weft = require "weft"
local place = require "place"

place.configure(arg[1])
local models = weft.models "chinook"
for _, name in ipairs { "Artist", "Album", "Genre", "MediaType", "Playlist", "PlaylistTrack", "Invoice",
  "InvoiceLine", "Customer", "Employee", "BulkItem", "Track" } do
  assert(models[name])
end
local row = models.Track:find(1)
if arg[2] == "rss" then
  for line in io.lines "/proc/self/status" do
    local kb = line:match "^VmHWM:%s*(%d+)"
    if kb then print(("%.2f"):format(kb / 1024)) end
  end
else
  print(row.milliseconds)
end
