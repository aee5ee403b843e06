-- SPDX-License-Identifier: MIT
-- weft restore DATABASE FILE [options]: reads a table from a file of weft backup (--help)

local usage = [[
usage: weft restore DATABASE FILE [options]

Reads what `weft backup` wrote: all of it or nothing. A table that is missing is made.

  --table NAME   into another table than it was
  --replace      deletes what is there before
  --upsert       overwrites rows of equal key
  --app DIR      folder with weft.lua (the working folder)
  --quiet        says only what failed
]]

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/?.lua;" .. package.path
local app = require "app.app"

app.run(function()
  local options, words = app.parse(arg, { table = "text", replace = true, upsert = true, app = "text", quiet = true }, usage)
  if #words ~= 2 then app.misuse "restore takes a database and a file" end
  app.load(options)
  options.database = words[1]
  local db = require "weft".database(app.one_database(options))
  require "weft.backup".restore(db, words[2], { table = options.table, replace = options.replace, upsert = options.upsert,
    quiet = options.quiet })
end, usage)
