-- SPDX-License-Identifier: MIT
-- weft migrate new|up|down|status|diff|mark [options]: changes databases by the files of migrations/ (--help)

local usage = [[
usage: weft migrate COMMAND [options]

  new NAME [--sql]        writes an empty migration
  up [VERSION]            applies what is pending, or as far as VERSION
  down [VERSION]          takes the last migration back, or all after VERSION (0: all)
  status [TABLE]          lists migrations and their states; those that changed TABLE
  diff [NAME]             writes the migration that leads from the database to the models
  mark VERSION STATE      says that a migration is `applied` or `pending`, without running it

  --database NAME         one of the databases of weft.lua (all in order; new and diff need one)
  --app DIR               folder with weft.lua, which returns what weft.configure takes (the working folder)
  --dir DIR               folder of migrations in it (migrations; with a folder of a database's name: its own)
  --steps N               up, down: so many migrations
  --dry-run               up, down, diff: prints the SQL that would run, runs nothing
  --check                 status: exits 1 when something is pending or wrong
  --json                  status: one JSON document
  --from URL              diff: to the schema of another database, instead of to the models
  --rename OLD=NEW        diff: users=members or users.name=users.full_name; asked on a terminal otherwise
  --allow-destructive     diff: writes steps that lose data, too
  --yes                   does not ask      --quiet  says only what failed      --wait S  waits so long for another runner

Exits 0 when all is well, 1 when something failed (or --check finds something), 2 when this was not understood.
]]

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/?.lua;" .. package.path
local app = require "app.app"
local weft = require "weft"
local core = require "weft.core"
local host = require "weft.host"
local migrate = require "weft.migrate"

local flags = {
  database = "text", app = "text", dir = "text", steps = "number", wait = "number", from = "text", rename = "list",
  ["dry-run"] = true, check = true, json = true, ["allow-destructive"] = true, yes = true, quiet = true, sql = true,
}

local options, words

local function say(text)
  if not options.quiet then io.stderr:write(text, "\n") end
end

---What Ctrl-C says; each migration that was applied has been said before.
local function left(name)
  return function(text) host.last_words(text and ("\ninterrupted: %s: %s.\n"):format(name, text)) end
end

local function options_for(several, name)
  return { left = left(name), dir = app.dir(options), say = function(text) say(several and name .. ": " .. text or text) end,
    to = words[2], steps = options.steps, dry = options["dry-run"], wait = options.wait }
end

local function each_database(fn)
  local names = app.databases(options)
  for _, name in ipairs(names) do fn(weft.database(name), name, options_for(#names > 1, name)) end
end

local function print_dry(list, name)
  for _, entry in ipairs(list) do
    print(("-- %s: %s_%s"):format(name, entry.version, entry.name))
    for _, sql in ipairs(entry.statements) do print(sql .. ";") end
    if entry.untold then print("-- the rest cannot be told before it runs: " .. entry.untold) end
  end
end

local function report(list, name, what)
  if options["dry-run"] then return print_dry(list, name) end
  if #list == 0 then say(("%s: nothing to %s"):format(name, what)) end
end

local commands = {}

function commands.up()
  each_database(function(db, name, given) report(migrate.up(db, given), name, "apply") end)
end

function commands.down()
  if not words[2] and #app.databases(options) > 1 then app.misuse "down: --database says in which database, there are several" end
  local asks = not (options.yes or options["dry-run"]) and app.is_terminal()
  if asks and not app.ask "Takes migrations back, and what they made. Go on? [y/N] " then return 1 end
  each_database(function(db, name, given) report(migrate.down(db, given), name, "take back") end)
end

local function touches(entry, name)
  for _, key in ipairs(entry.tables) do
    if key == name then return true end
  end
  return name == nil
end

local function describe(entry)
  local more = entry.applied_at or ""
  if entry.statements then more = ("%d of %d statements are done"):format(entry.done, entry.statements) end
  return ("%-9s  %s_%s  %s  %s"):format(entry.state, entry.version, entry.name, more, table.concat(entry.tables, ", ")):gsub("%s+$", "")
end

function commands.status()
  local status, document = 0, {}
  each_database(function(db, name, given)
    local list = core.array {}
    for _, entry in ipairs(migrate.status(db, { dir = given.dir })) do
      if touches(entry, words[2]) then table.insert(list, entry) end
      if options.check and entry.state ~= "applied" then status = 1 end
    end
    document[name] = list
    if options.json then return end
    print(name)
    for _, entry in ipairs(list) do print("  " .. describe(entry)) end
    if #list == 0 then print "  no migrations" end
  end)
  if options.json then print(weft.encode(document)) end
  return status
end

function commands.new()
  if not words[2] then app.misuse "new takes a name" end
  local name = app.one_database(options)
  local path = require "weft.migrate.new".write(app.dir(options), name, words[2], options.sql and "sql" or "lua")
  say("wrote " .. path)
end

function commands.mark()
  if not words[3] then app.misuse "mark takes a version and `applied` or `pending`" end
  local db = weft.database(app.one_database(options))
  migrate.mark(db, words[2], words[3], { dir = app.dir(options), say = say, wait = options.wait })
  say(("%s is %s"):format(words[2], words[3]))
end

---The question about what may be a rename, or false: nobody can be asked.
local function asker()
  return not options.yes and app.is_terminal() and function(from, to) return app.ask(("Is %s now called %s? [y/N] "):format(from, to)) end
end

---The way begins at the database, which pending migrations have not reached.
local function say_pending(name)
  local count = 0
  for _, entry in ipairs(migrate.status(weft.database(name), { dir = app.dir(options) })) do
    if entry.state == "pending" then count = count + 1 end
  end
  if count > 0 then say(("%s: %d pending; what is written may do the same again: `weft migrate up` comes first"):format(name, count)) end
end

function commands.diff()
  local name = app.one_database(options)
  local given = { from = options.from, renames = app.renames(options.rename), ask = asker() or nil }
  local found = require "weft.migrate.diff".find(weft.database(name), given)
  for _, line in ipairs(found.missing) do say(line) end
  if #found.steps == 0 then return say(name .. ": no difference") end
  if options["dry-run"] then return io.write(found:text()) and 0 end
  say_pending(name)
  say("wrote " .. found:write(app.dir(options), name, words[2] or "changes", options["allow-destructive"]))
end

local function main()
  options, words = app.parse(arg, flags, usage)
  local command = commands[words[1] or ""]
  if not command then app.misuse(words[1] and "there is no command '" .. words[1] .. "'" or "a command is needed") end
  app.load(options)
  return command()
end

app.run(main, usage)
