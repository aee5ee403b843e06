-- SPDX-License-Identifier: MIT
-- The databases that a backend suite runs on. A new database is one more row here.
--
--   backends.each(function(backend)
--     it("counts rows", function()
--       local db, name = backend.open { sqlite = "create table t (...)", postgres = "create table t (...)" }
--
-- describes the suite once per backend. What is made inside a fact or a before_each is closed and removed
-- once that fact is over; what is made in a setup, a describe or the file lives as long as the file.

local shell = require "spec.support.shell"
local servers = require "spec.support.servers"
local recycle = require "spec.support.recycle"
local mysql_text = require "spec.support.mysql_text"

local backends = {}

-- Every database that was made: { fact = number or nil, db = what open() returned, remove = function }.
local made, fact, count, folder = {}, 0, 0, nil

local function retire(entry)
  if entry.db then entry.db:close() end
  entry.remove()
end

---Closes and removes what facts made that are over.
local function sweep()
  local kept = {}
  for _, entry in ipairs(made) do
    if entry.fact and entry.fact < fact then retire(entry) else kept[#kept + 1] = entry end
  end
  made = kept
end

local function note(remove)
  count = count + 1
  made[#made + 1] = { fact = backends.inside_fact() and fact or nil, remove = remove }
end

---Replaced by the spec runner: whether a fact or its before_each runs now.
function backends.inside_fact() return false end

---Called by the spec runner when a fact is over (its after_each is still to come).
function backends.next_fact() fact = fact + 1 end

---The text for this backend: a string is for all, a table has one per dialect; MySQL's follows from
---PostgreSQL's where it is not there.
local function text_for(backend, ddl)
  local mysql = backend.dialect == "mysql"
  if type(ddl) == "string" then return mysql and mysql_text.of(ddl) or ddl end
  if not ddl then return nil end
  return ddl[backend.dialect] or (mysql and mysql_text.of(ddl.postgres)) or error("no text for " .. backend.dialect, 3)
end

local function sqlite_file(ddl)
  if not folder then folder = shell.must("mktemp -d"):gsub("%s+$", "") end
  local path = ("%s/%d.db"):format(folder, count)
  note(function() for _, ending in ipairs { "", "-wal", "-shm", "-journal" } do os.remove(path .. ending) end end)
  if ddl then
    shell.write(path .. ".sql", ddl)
    shell.must(("sqlite3 -bail %s <%s"):format(shell.quote(path), shell.quote(path .. ".sql")))
    os.remove(path .. ".sql")
  end
  return "sqlite:" .. path
end

local function sqlite_memory(ddl)
  if ddl then error("an in-memory database has no outside: use open(ddl)", 4) end
  note(function() end)
  return "sqlite::memory:"
end

local function postgres(ddl)
  local pg = servers.postgres()
  local database = recycle.take(pg)
  note(function() recycle.give(pg, database) end)
  if ddl then pg.psql(ddl, database) end
  return pg.url(database)
end

---Connections are cut before it goes: a drop would wait for what they have locked.
local function mysql(ddl)
  local my = servers.mysql()
  local database = my.create_database()
  note(function() my.drop_database(database) end)
  if ddl then my.sql(ddl, database) end
  return my.url(database)
end

local rows = {
  { name = "sqlite file", dialect = "sqlite", make = sqlite_file },
  { name = "sqlite memory", dialect = "sqlite", make = sqlite_memory, memory = true },
  { name = "postgres", dialect = "postgres", make = postgres },
  { name = "mysql", dialect = "mysql", make = mysql },
}

local function complete(row)
  local backend = { name = row.name, dialect = row.dialect, memory = row.memory or false }

  ---@param ddl? string|table
  function backend.text(ddl) return text_for(backend, ddl) end

  ---The url of a fresh empty database, filled by the database's own client (not possible in memory).
  ---@param ddl? string|table a script, or one per dialect
  function backend.url(ddl)
    sweep()
    return row.make(text_for(backend, ddl))
  end

  ---A fresh database as Weft sees it, filled through Weft.
  ---@param ddl? string|table a script, or one per dialect
  ---@param options? table more options of weft.configure for this database, as { pool = { max = 4 } }
  ---@return table db, string name, string url
  function backend.open(ddl, options)
    local weft = require "weft"
    local database = { url = backend.url() }
    local name = "spec_" .. count
    for key, value in pairs(options or {}) do database[key] = value end
    weft.configure { databases = { [name] = database } }
    local db = weft.database(name)
    made[#made].db = db
    local text = text_for(backend, ddl)
    if text then db:script(text) end
    return db, name, database.url
  end
  return backend
end

backends.list = {}
for i, row in ipairs(rows) do
  backends.list[i] = complete(row)
  backends[row.name] = backends.list[i]
end

---Describes a suite once for every backend, or for those of one dialect.
function backends.each(suite, dialect)
  local describe = require "busted".describe
  for _, backend in ipairs(backends.list) do
    if not dialect or backend.dialect == dialect then
      describe("on " .. backend.name, function() suite(backend) end)
    end
  end
end

---Closes and removes everything, whether or not one of it fails; raises the first failure.
function backends.close_all()
  local list, first = made, nil
  made = {}
  for i = #list, 1, -1 do
    local ok, err = pcall(retire, list[i])
    if not ok then first = first or err end
  end
  recycle.share()
  if folder then shell.run("rm -rf " .. shell.quote(folder)) end
  folder = nil
  if first then error(first, 0) end
end

return backends
