-- SPDX-License-Identifier: MIT
-- weft types [--out types/] [--check]: writes what databases have as types that editors read (--help)

local usage = [[
usage: weft types [options]

Writes LuaCATS annotations of every table, view and enum of every database of weft.lua: rows, what they are created from,
queries, repositories. Point lua-language-server at the folder (workspace.library). Nothing is written that is so already.

  --out DIR              where to, in the folder of the app (types)
  --check                writes nothing; exits 1 and lists what differs when the files are out of date
  --database NAME        one of the databases only (all)
  --app DIR              folder with weft.lua, which returns what weft.configure takes (the working folder)
  --quiet                says only what failed

Files of tables that went are removed, if their first line says that they were written by this command. Exits 0 when all is
well, 1 when something failed or --check found something, 2 when this was not understood.
]]

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/?.lua;" .. package.path
local app = require "app.app"
local types = require "weft.types"
local files = require "weft.types.files"
local progress = require "weft.progress"

local flags = { out = "text", check = true, database = "text", app = "text", quiet = true }

---What is shown of the work while it lasts.
local function showing(options)
  local bar
  return function(total)
    bar = progress.new("types", total, { quiet = options.quiet })
    return function(key) bar:step(1, key) end
  end, function() bar:clear() end
end

local function main()
  local options, words = app.parse(arg, flags, usage)
  if words[1] then app.misuse("there is nothing to be said besides options, as '%s'; --out DIR says where to", words[1]) end
  app.load(options)
  local names = app.databases(options)
  local out = app.path(options, (options.out or "types"):gsub("(.)/+$", "%1"))
  local begin, clear = showing(options)
  local list, left_out = types.files(names, begin)
  clear()
  for _, entry in ipairs(left_out) do io.stderr:write(("weft: %s: left out: %s\n"):format(entry.what, entry.why)) end
  local changes = files.changes(out, list, options.database and names)
  if not options.check then files.apply(out, changes) end
  for _, change in ipairs(changes) do
    if options.check then print(("%-8s %s/%s"):format(change.what, out, change.path))
    elseif not options.quiet then io.stderr:write(("%-8s %s/%s\n"):format(change.what, out, change.path)) end
  end
  if not options.quiet then
    io.stderr:write(("%d file%s, %d %s\n"):format(#list, #list == 1 and "" or "s", #changes, options.check and "out of date" or "changed"))
  end
  return options.check and #changes > 0 and 1 or 0
end

app.run(main, usage)
