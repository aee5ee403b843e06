-- SPDX-License-Identifier: MIT
-- weft backup DATABASE TABLE [options]: writes a table to a file (--help)

local usage = [[
usage: weft backup DATABASE TABLE [options]

Writes a table as it is at one moment to a file of JSON lines with exact values; `weft restore` reads it.

  --out FILE     where to (TABLE.jsonl); with .gz at its end it is compressed
  --where SQL    only these rows
  --app DIR      folder with weft.lua (the working folder)
  --quiet        says only what failed
]]

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/?.lua;" .. package.path
local app = require "app.app"

app.run(function()
  local options, words = app.parse(arg, { out = "text", where = "text", app = "text", quiet = true }, usage)
  if #words ~= 2 then app.misuse "backup takes a database and a table" end
  app.load(options)
  options.database = words[1]
  local db = require "weft".database(app.one_database(options))
  require "weft.backup".write(db, words[2], options.out or words[2] .. ".jsonl", { where = options.where, quiet = options.quiet })
end, usage)
