-- SPDX-License-Identifier: MIT
-- Migrations: the files of a folder, what of them a database has, and the way between the two. `weft migrate` is this
-- from the command line.

local core = require "weft.core"
local builder = require "weft.builder"
local diff = require "weft.schema.diff"
local errors = require "weft.errors"
local files = require "weft.migrate.files"
local history = require "weft.migrate.history"
local steps = require "weft.migrate.steps"

local M = {}

---@class weft.MigrateOptions
---@field dir string? the folder ("migrations"; DIR/<database> when there is such a folder)
---@field to string? the version up to which it goes, or down to which
---@field steps integer? how many migrations
---@field dry boolean? nothing runs
---@field say fun(text: string)? is told what happens
---@field wait number? seconds to wait for another runner (as long as it takes)
---@field left fun(text: string?)? is told before each step what would be left if the program ended in it; nil: no step

local option_names = { "dir", "to", "steps", "dry", "say", "wait", "left" }

local function new(db, options)
  options = options or {}
  errors.check_names(options, option_names, "option of migrate")
  local name = tostring(db):match "^weft%.database (%S+)" or ""
  local run = { db = db, options = options, say = options.say or function() end, left = options.left or function() end }
  run.folder = files.folder_of(options.dir or "migrations", name)
  run.files = files.list(run.folder, core.dialect(db))
  function run.waiting() run.say "another runner of migrations, or a writer, is at work in this database: waiting for it" end
  if options.steps ~= nil and (math.type(options.steps) ~= "integer" or options.steps < 1) then errors.usage "steps is a whole number from 1" end
  return run
end

---A version as it is written in a file's name or a record; a number without its zeros will do.
local function version_of(run, wanted, records)
  for _, list in ipairs { run.files, records } do
    for _, entry in ipairs(list) do
      if entry.version == wanted or not (files.before(entry.version, wanted) or files.before(wanted, entry.version)) then return entry.version end
    end
  end
  errors.usage("there is no migration %s in %s", wanted, run.folder)
end

local function check_target(run, records)
  local to = run.options.to
  if to == nil then return end
  if type(to) ~= "string" or not to:find "^%d+$" then errors.usage("a version is a number, got '%s'", tostring(to)) end
  if to:find "^0+$" then return to end
  return version_of(run, to, records)
end

---An applied migration is what it was when it ran.
local function check_edited(run, records)
  for _, record in ipairs(records) do
    local file = run.files[record.version]
    if not file then
      run.say(("%s is applied, but its file is missing in %s"):format(steps.label(record), run.folder))
    elseif record.state == "applied" and file.checksum ~= record.checksum then
      errors.usage("%s was changed after it had been applied (%s): put it back as it was and write a new migration for the change; "
        .. "`weft migrate mark %s applied` takes it as it is now", file.path, record.applied_at, record.version)
    end
  end
end

local function is_applied(records, version)
  local record = records[version]
  return record ~= nil and record.state == "applied"
end

local function last_applied(records)
  for i = #records, 1, -1 do
    if records[i].state == "applied" then return records[i].version end
  end
end

---What is to run upwards, in order.
local function pending(run, records)
  local list, to = {}, check_target(run, records)
  for _, file in ipairs(run.files) do
    local wanted = not to or not files.before(to, file.version)
    if wanted and not is_applied(records, file.version) and #list < (run.options.steps or math.huge) then list[#list + 1] = file end
  end
  return list
end

---What is to be taken back, newest first.
local function applied(run, records)
  local list, to = {}, check_target(run, records)
  local most = run.options.steps or to and math.huge or 1
  for i = #records, 1, -1 do
    local record = records[i]
    if (not to or files.before(to, record.version)) and #list < most then list[#list + 1] = record end
  end
  return list
end

local function file_of(run, record)
  local file = run.files[record.version]
  if not file then errors.usage("the file of %s is missing in %s: it cannot be taken back without", steps.label(record), run.folder) end
  return file
end

-- Which tables a migration changed ----------------------------------------------------------------

local function touched(before, after)
  local names, seen = {}, {}
  for _, change in ipairs(diff.changes(before, after)) do
    local object = change.to or change.from
    local key = change.table or (change.what == "table" or change.what == "view") and object and object.key
    if key and key ~= "weft_migrations" and not seen[key] then
      seen[key] = true
      names[#names + 1] = key
    end
  end
  table.sort(names)
  return #names > 0 and table.concat(names, ",") or nil
end

local function note_tables(run, file, before)
  local names = touched(before, run.db:schema():model())
  if names then run.db:execute("update weft_migrations set tables = ? where version = ?", names, file.version) end
end

-- Running -----------------------------------------------------------------------------------------

local function say_order(run, records, file)
  local last = last_applied(records)
  if last and files.before(file.version, last) then
    run.say(("%s is older than %s, which is applied already"):format(steps.label(file), last))
  end
end

local words = { up = "applied", down = "reverted" }

local function run_one(run, file, way, done)
  local before, start = way == "up" and run.db:schema():model(), core.clock()
  local ok, result = pcall(steps.run, run, file, way)
  run.left(nil)
  if not ok then error(result, 0) end
  if not result then return end
  if before then note_tables(run, file, before) end
  done[#done + 1] = { version = file.version, name = file.name, seconds = core.clock() - start }
  run.say(("%s %s (%.2f s)"):format(words[way], steps.label(file), done[#done].seconds))
end

local function check_unfinished(records, state, way)
  for _, record in ipairs(records) do
    if record.state == state then
      errors.usage("migration %s stopped in the middle behind statement %d: `weft migrate %s` finishes it first", steps.label(record),
        record.done, way)
    end
  end
end

local function session(run, fn)
  local done = {}
  run.db:session(function()
    history.locked(run.db, run.waiting, run.options.wait, function()
      core.forget_tables(run.db) -- another runner may have changed them
      history.prepare(run.db)
      fn(done)
    end)
  end)
  return done
end

local function no_session(db, what)
  if core.tx_current(db) then errors.usage("migrate.%s runs in a session of its own: call it outside of a transaction", what) end
end

local dry

---Applies what is pending, one runner at a time.
---@param db weft.Database
---@param options? weft.MigrateOptions
---@return { version: string, name: string, seconds: number, statements: string[]?, untold: string? }[] done statements: of a
---dry run; untold: why it has no more of them
function M.up(db, options)
  no_session(db, "up")
  local run = new(db, options)
  if run.options.dry then return dry(run, "up") end
  return session(run, function(done)
    local records = history.read(db)
    check_edited(run, records)
    check_unfinished(records, "reverting", "down")
    for _, file in ipairs(pending(run, records)) do
      say_order(run, records, file)
      run_one(run, file, "up", done)
    end
  end)
end

---Takes the last migration back, or those of `steps`, or those after `to` ("0": all).
---@param db weft.Database
---@param options? weft.MigrateOptions
---@return { version: string, name: string, seconds: number, statements: string[]?, untold: string? }[] done
function M.down(db, options)
  no_session(db, "down")
  local run = new(db, options)
  if run.options.dry then return dry(run, "down") end
  return session(run, function(done)
    local records = history.read(db)
    check_edited(run, records)
    check_unfinished(records, "running", "up")
    for _, record in ipairs(applied(run, records)) do run_one(run, file_of(run, record), "down", done) end
  end)
end

-- Without running -----------------------------------------------------------------------------------

local function describe(s, db, body)
  if type(body) == "function" then return body(s, steps.recorder(db, function(sql) s:execute(sql) end, true)) end
  for _, sql in ipairs(body) do s:execute(sql) end
end

---Behind statements that did not run a migration may need what only they would have made: then it is told up to there.
local function add_statements(entry, s, db, body)
  local first = #s:statements() + 1
  local ok, err = pcall(describe, s, db, body)
  for i = first, #s:statements() do entry.statements[#entry.statements + 1] = s:statements()[i].sql end
  if ok then return end
  if not (s.blind and core.is_error(err) and err.kind == "usage") then error(err, 0) end
  entry.untold = err.message
end

---One builder for all, so that a migration sees what those before it would have made.
function dry(run, way)
  local records, list = history.read(run.db), {}
  check_edited(run, records)
  local s = builder.new(run.db, { dry = true })
  for i, entry in ipairs(way == "up" and pending(run, records) or applied(run, records)) do
    local file = way == "up" and entry or file_of(run, entry)
    if not file[way] then errors.usage("%s has no way %s", file.path, way) end
    list[i] = { version = file.version, name = file.name, seconds = 0, statements = {} }
    add_statements(list[i], s, run.db, file[way])
  end
  return list
end

local function state_of(file, record)
  if not record then return "pending" end
  if record.state ~= "applied" then return record.state end
  if not file then return "missing" end
  return file.checksum == record.checksum and "applied" or "edited"
end

---@class weft.MigrationStatus
---@field version string
---@field name string
---@field state "applied"|"pending"|"running"|"reverting"|"missing"|"edited" running and reverting: it was cut off
---@field applied_at string?
---@field seconds number?
---@field done integer? statements that are done of one that was cut off
---@field statements integer? of how many
---@field tables string[] keys of the tables that it changed

local function status_of(file, record)
  local entry = { version = (file or record).version, name = (file or record).name, state = state_of(file, record), tables = core.array {} }
  if not record then return entry end
  entry.applied_at, entry.seconds = record.applied_at, record.seconds
  for key in (record.tables or ""):gmatch "[^,]+" do table.insert(entry.tables, key) end
  if record.plan then entry.done, entry.statements = record.done, #core.decode(record.plan) end
  return entry
end

---What is applied and what is pending, in order. Changes nothing.
---@param db weft.Database
---@param options? weft.MigrateOptions
---@return weft.MigrationStatus[]
function M.status(db, options)
  local run, list = new(db, options), {}
  local records = history.read(db)
  for _, file in ipairs(run.files) do list[#list + 1] = status_of(file, records[file.version]) end
  for _, record in ipairs(records) do
    if not run.files[record.version] then list[#list + 1] = status_of(nil, record) end
  end
  table.sort(list, function(a, b) return files.before(a.version, b.version) end)
  return list
end

---Says of a migration that it is applied, or not, without running it.
---@param db weft.Database
---@param version string
---@param state "applied"|"pending"
---@param options? weft.MigrateOptions
function M.mark(db, version, state, options)
  no_session(db, "mark")
  if state ~= "applied" and state ~= "pending" then errors.usage("a migration is marked applied or pending, not '%s'", tostring(state)) end
  local run = new(db, options)
  session(run, function()
    version = version_of(run, version, history.read(db))
    local file = run.files[version]
    db:transaction(function()
      if state == "pending" then return history.forget(db, version) end
      if not file then errors.usage("there is no file of migration %s in %s", version, run.folder) end
      history.write(db, { version = version, name = file.name, checksum = file.checksum, applied_at = core.now(), seconds = 0,
        state = "applied", done = 0 })
    end)
  end)
end

---Writes a value into rows in batches: see weft.backfill.
function M.backfill(...) return require "weft.migrate.backfill".run(...) end

return M
