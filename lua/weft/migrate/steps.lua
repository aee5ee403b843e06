-- SPDX-License-Identifier: MIT
-- One migration, one way: in a transaction with its record where the database takes everything back, else statement by
-- statement with a record of each, so that one that was cut off anywhere is finished by running it again.

local core = require "weft.core"
local builder = require "weft.builder"
local ddl = require "weft.ddl"
local errors = require "weft.errors"
local fnv = require "weft.fnv"
local history = require "weft.migrate.history"

local M = {}

local function label(file) return file.name == "" and file.version or file.version .. "_" .. file.name end
M.label = label

---Raises err again with more words in front.
local function fail(err, format, ...)
  local words = format:format(...)
  if not core.is_error(err) then error(words .. tostring(err), 0) end
  err.message = words .. err.message
  error(err, 0)
end

-- What statements are ---------------------------------------------------------------------------

local function words_of(sql)
  local plain = sql:gsub("/%*.-%*/", " "):gsub("%-%-[^\n]*", " "):lower()
  return plain:match "^%s*(%a+)%s*(%a*)", plain
end

local control = { begin = true, commit = true, rollback = true, start = true, savepoint = true, release = true, ["end"] = true, abort = true }

local rows_only = {
  insert = true, update = true, delete = true, replace = true, with = true, select = true, merge = true,
}
local outside = {
  sqlite = { vacuum = true, pragma = true, attach = true, detach = true },
  postgres = { vacuum = true, reindex = true, cluster = true, database = true, tablespace = true, subscription = true, system = true },
}

---Can a statement share a transaction with its record?
local function is_atomic(dialect, sql)
  local first, plain = words_of(sql)
  local second = plain:match "^%s*%a+%s+(%a+)"
  if dialect == "mysql" then return rows_only[first] or false end
  if dialect == "postgres" and plain:find("%f[%w]concurrently%f[%W]") then return false end
  return not (outside[dialect][first] or dialect == "postgres" and outside.postgres[second])
end

local function check_control(file, list)
  for i, sql in ipairs(list) do
    local first = words_of(sql)
    if control[first] then
      errors.usage("%s: statement %d is '%s', but a migration is a transaction of its own; with a line `-- transaction: false` "
        .. "its statements run one by one", file.path, i, first)
    end
  end
end

-- In a transaction ------------------------------------------------------------------------------

local function run_statements(db, file, list)
  check_control(file, list)
  for i, sql in ipairs(list) do
    local ok, err = pcall(core.verbatim, db, sql)
    if not ok then fail(err, "%s, statement %d of %d: ", file.path, i, #list) end
  end
end

local function run_body(db, file, way)
  local body = file[way]
  if type(body) == "table" then return run_statements(db, file, body) end
  local ok, err = pcall(body, builder.new(db), db)
  if not ok then fail(err, "%s: ", file.path) end
end

local function record_end(db, file, way, seconds)
  if way == "down" then return history.forget(db, file.version) end
  history.write(db, { version = file.version, name = file.name, checksum = file.checksum, applied_at = core.now(), seconds = seconds,
    state = "applied", done = 0 })
end

---Was the migration run by another one meanwhile?
local function is_over(db, file, way)
  local record = history.read(db)[file.version]
  return ((record and record.state == "applied") or false) == (way == "up")
end

local function attempt(db, file, way, progress)
  return db:transaction(function()
    progress.begun = true
    if is_over(db, file, way) then return false end
    local start = core.clock()
    run_body(db, file, way)
    record_end(db, file, way, core.clock() - start)
    return true
  end)
end

---Another program writes to the SQLite file: that is its lock.
local function attempt_in_turn(run, file, way)
  local start, wait = core.clock(), run.options.wait or math.huge
  while true do
    local progress = {}
    local ok, result = pcall(attempt, run.db, file, way, progress)
    if ok or progress.begun or not core.is_error(result) or result.kind ~= "lock_timeout" then return ok, result end
    if core.clock() - start >= wait then return ok, result end
    run.waiting()
  end
end

local function wants_keys_off(err)
  return core.is_error(err) and err.kind == "check" and tostring(err):find("foreign_keys is off before", 1, true) ~= nil
end

---SQLite rebuilds a table that others point to only while foreign keys are not enforced, which must be said before the
---transaction begins; the step that needs it refuses to go on without.
local function in_transaction(run, file, way)
  run.left(("migration %s stopped in its transaction: nothing of it is applied, or all of it when it was at its end. "
    .. "Run `weft migrate %s` again, which goes on with what `weft migrate status` shows"):format(label(file), way))
  local ok, result = attempt_in_turn(run, file, way)
  if not ok and wants_keys_off(result) then
    run.db:execute "pragma foreign_keys = off"
    ok, result = attempt_in_turn(run, file, way)
    run.db:execute "pragma foreign_keys = on"
  end
  if not ok then fail(result, "nothing of migration %s is applied: ", label(file)) end
  return result
end

-- Statement by statement ------------------------------------------------------------------------

---A handle whose execute is noted down; anything else it does at once.
---@param refuse boolean? what is not a question is refused
function M.recorder(db, note, refuse)
  local questions = { query = true, rows = true, schema = true, ping = true, stats = true }
  local methods = { execute = function(_, sql, ...)
    if select("#", ...) > 0 then errors.usage "a statement that is only noted down has no parameters: write them out" end
    note(sql)
    return { affected = 0 }
  end }
  return setmetatable({}, { __index = function(_, name)
    if methods[name] then return methods[name] end
    if refuse and not questions[name] then errors.usage("db:%s cannot be run dry", name) end
    local method = db[name]
    return type(method) == "function" and function(_, ...) return method(db, ...) end or method
  end })
end

---The statements of one way.
local function plan_of(db, file, way)
  local body = file[way]
  if type(body) == "table" then return body end
  local s = builder.new(db, { dry = true })
  body(s, M.recorder(db, function(sql) s:execute(sql) end))
  local list = {}
  for i, step in ipairs(s:statements()) do list[i] = step.sql end
  return list
end

local function begins_with(list, start, n)
  for i = 1, n do
    if list[i] ~= start[i] then return false end
  end
  return true
end

---How a migration that was cut off goes on. Its file may have been corrected behind what is done.
local function resume(file, way, record)
  local plan = core.decode(record.plan)
  local body = file[way]
  if file.checksum == record.checksum then return plan end
  if type(body) == "table" and begins_with(body, plan, record.done) then return body end
  errors.usage("%s was changed after its first %d of %d statements had run: put them back as they were%s", file.path, record.done, #plan,
    type(body) == "function" and ", or do the rest by hand and say `weft migrate mark " .. file.version .. " applied`" or "")
end

local function fingerprint(db) return fnv(table.concat(ddl.create(db:schema(), core.dialect(db)), "\0")) end

---CREATE INDEX CONCURRENTLY that was cut off leaves an index behind that nothing uses.
local function remove_invalid(db, sql)
  if core.dialect(db) ~= "postgres" then return false end
  local found = db:rows [[select quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relname from pg_index i
    join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace where not i.indisvalid]]
  local removed = false
  for _, index in ipairs(found) do
    if sql:find(index[2], 1, true) then
      db:execute("drop index concurrently " .. index[1])
      removed = true
    end
  end
  return removed
end

local function run_atomic(db, version, sql, k)
  db:transaction(function()
    local record = history.read(db)[version]
    if not record or record.state == "applied" or record.done >= k then return end
    core.verbatim(db, sql)
    history.progress(db, version, k)
  end)
end

---Whether a statement that was begun and not recorded as done has been done is seen by what it does to the schema.
local function run_alone(db, version, sql, k, mark)
  local now = fingerprint(db)
  if not mark or mark == now or remove_invalid(db, sql) then
    history.begin_statement(db, version, fingerprint(db))
    core.verbatim(db, sql)
  end
  history.progress(db, version, k)
end

local function explain(file, way, plan, k)
  local done = k == 1 and "none of its statements is applied"
    or k == 2 and "statement 1 is applied and recorded" or ("statements 1 to %d are applied and recorded"):format(k - 1)
  return ("migration %s stopped at statement %d of %d; %s%s. Correct the cause and run `weft migrate %s` again, which goes on with "
    .. "statement %d. It failed with: "):format(label(file), k, #plan, done,
    k < #plan and (", %d to %d are not"):format(k, #plan) or (", %d is not"):format(k), way, k)
end

---The record of a migration that begins, or that goes on; nil when another runner was faster.
local function begin_record(run, file, way, plan)
  return run.db:transaction(function()
    local found = history.read(run.db)[file.version]
    if found and found.state ~= "applied" then return found end
    if (found ~= nil) == (way == "up") then return nil end
    local record = { version = file.version, name = file.name, checksum = file.checksum, applied_at = core.now(), seconds = 0,
      state = way == "up" and "running" or "reverting", done = 0, plan = core.encode(core.array(plan)) }
    history.write(run.db, record)
    return record
  end)
end

local function one_by_one(run, file, way)
  local db, before = run.db, history.read(run.db)[file.version]
  local plan
  if before and before.state ~= "applied" then
    run.say(("%s goes on behind statement %d"):format(label(file), before.done))
    plan = resume(file, way, before)
  else
    plan = plan_of(db, file, way)
    check_control(file, plan)
  end
  local record = begin_record(run, file, way, plan)
  if not record then return false end
  local start, mark = core.clock(), record.mark
  for k = record.done + 1, #plan do
    local ok, err
    run.left(("migration %s stopped in statement %d of %d; those before it are applied and recorded. Run `weft migrate %s` again, "
      .. "which goes on: it finds out whether this one was carried out"):format(label(file), k, #plan, way))
    if is_atomic(core.dialect(db), plan[k]) then ok, err = pcall(run_atomic, db, file.version, plan[k], k)
    else ok, err = pcall(run_alone, db, file.version, plan[k], k, mark) end
    mark = nil
    if not ok then fail(err, "%s", explain(file, way, plan, k)) end
  end
  db:transaction(function() record_end(db, file, way, core.clock() - start) end)
  return true
end

---Does everything run in one transaction? Lua migrations do on SQLite whatever they say: all that the builder makes can.
local function is_transactional(db, file)
  local dialect = core.dialect(db)
  if not history.dialect(db).transactional then return false end
  return file.transaction or dialect == "sqlite" and file.path:find "%.lua$" ~= nil
end

---Runs a migration one way; false when another runner has.
---@param run { db: weft.Database, options: weft.MigrateOptions, say: fun(text: string), waiting: fun() }
---@param file weft.MigrationFile
---@param way "up"|"down"
function M.run(run, file, way)
  if not file[way] then errors.usage("%s has no way %s", file.path, way) end
  if is_transactional(run.db, file) then return in_transaction(run, file, way) end
  return one_by_one(run, file, way)
end

return M
