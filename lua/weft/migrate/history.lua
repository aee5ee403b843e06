-- SPDX-License-Identifier: MIT
-- What a database knows of its migrations: the table weft_migrations, and the lock that lets one runner work at a time.

local core = require "weft.core"
local errors = require "weft.errors"

local M = {}

local create = [[create table if not exists weft_migrations (version varchar(100) not null primary key,
  name varchar(200) not null, checksum varchar(16) not null, applied_at varchar(40) not null,
  seconds double precision not null, state varchar(20) not null, done integer not null, mark varchar(16),
  plan %s, tables %s)]]

local LOCK = 8387229316184109412 -- "weft_mig" less its first bit, for databases that lock numbers

---Differences between databases: whether there is a table, the lock, what a transaction takes back.
local dialects = {
  postgres = {
    there = "select 1 where to_regclass('weft_migrations') is not null",
    lock = ("select pg_try_advisory_lock(%d)"):format(LOCK), unlock = ("select pg_advisory_unlock(%d)"):format(LOCK),
    transactional = true, text = "text",
    attend = "set client_connection_check_interval = 1000", -- a runner that is gone waits for no statement (PostgreSQL 14)
  },
  mysql = {
    there = "select 1 from information_schema.tables where table_schema = database() and table_name = 'weft_migrations'",
    lock = "select get_lock(concat('weft_migrate ', sha1(database())), 0)",
    unlock = "select release_lock(concat('weft_migrate ', sha1(database())))",
    transactional = false, text = "longtext",
  },
  sqlite = { there = "select 1 from sqlite_master where type = 'table' and name = 'weft_migrations'", transactional = true, text = "text" },
}

---@return table how the database of a handle locks and what it takes back
function M.dialect(db) return dialects[core.dialect(db)] end

---@class weft.MigrationRecord
---@field version string
---@field name string
---@field checksum string of the file
---@field applied_at string
---@field seconds number
---@field state "applied"|"running"|"reverting"
---@field done integer statements that are done of one that is not in a transaction
---@field mark string? the schema before the statement that was begun
---@field plan string? its statements
---@field tables string? keys of the tables that it changed, by commas

---What is recorded, in order of versions; nothing is made for it.
---@return weft.MigrationRecord[] # also by version
function M.read(db)
  local list, by = {}, {}
  if #db:rows(M.dialect(db).there) > 0 then list = db:query "select * from weft_migrations" end
  for _, record in ipairs(list) do by[record.version] = record end
  local before = require "weft.migrate.files".before
  table.sort(list, function(a, b) return before(a.version, b.version) end)
  return setmetatable(list, { __index = by })
end

---Makes the table where there is none.
function M.prepare(db)
  if #db:rows(M.dialect(db).there) > 0 then return end
  local text = M.dialect(db).text
  db:execute(create:format(text, text))
end

local fields = { "name", "checksum", "applied_at", "seconds", "state", "done", "mark", "plan", "tables" }

---Records a migration anew.
---@param record weft.MigrationRecord
function M.write(db, record)
  M.forget(db, record.version)
  local names, values, n = { "version" }, { record.version }, 1
  for _, field in ipairs(fields) do
    if record[field] ~= nil then
      n = n + 1
      names[n], values[n] = field, record[field]
    end
  end
  db:execute(("insert into weft_migrations (%s) values (%s)"):format(table.concat(names, ", "), ("?, "):rep(n - 1) .. "?"),
    table.unpack(values, 1, n))
end

function M.forget(db, version) db:execute("delete from weft_migrations where version = ?", version) end

---Statement number `done` is over.
function M.progress(db, version, done)
  db:execute("update weft_migrations set done = ?, mark = null where version = ?", done, version)
end

function M.begin_statement(db, version, mark)
  db:execute("update weft_migrations set mark = ? where version = ?", mark, version)
end

-- The lock ------------------------------------------------------------------------------------

local function try(db, statement)
  local got = db:rows(statement)[1][1]
  return got == true or got == 1
end

---One runner at a time: fn runs while the lock is held in the session that is open here. Asked for again and again and
---not waited for in a statement, since CREATE INDEX CONCURRENTLY waits for statements.
---@param waiting fun() is told once when another one has it
---@param seconds number? how long is waited at most
function M.locked(db, waiting, seconds, fn)
  local dialect = M.dialect(db)
  if not dialect.lock then return fn() end
  local pause, waited = 0.02, 0
  while not try(db, dialect.lock) do
    if waited == 0 then waiting() end
    if seconds and waited >= seconds then errors.raise("lock_timeout", "another runner of migrations is at work in this database") end
    core.sleep(pause)
    waited, pause = waited + pause, math.min(pause * 1.5, 0.5)
  end
  if dialect.attend then pcall(db.execute, db, dialect.attend) end
  local results = table.pack(pcall(fn))
  pcall(try, db, dialect.unlock) -- the session's end does it, too
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

return M
