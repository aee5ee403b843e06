-- SPDX-License-Identifier: MIT
-- Writes something into all rows of a table, a batch at a time in the order of its key: each batch is a transaction of
-- its own that records how far it came, so that a backfill that was cut off goes on there.

local core = require "weft.core"
local errors = require "weft.errors"
local fnv = require "weft.fnv"
local progress = require "weft.progress"
local transaction = require "weft.transaction"

local M = {}

---@class weft.BackfillOptions
---@field table string
---@field set string SQL of the assignments, as "full_name = first || ' ' || last"
---@field where string? SQL of the rows that it is for
---@field name string? tells backfills of one table apart ("TABLE: SET where WHERE")
---@field batch integer? rows of a batch (1000)
---@field pause number? seconds between batches (0)
---@field progress boolean? is a bar shown? (true)

local option_names = { "table", "set", "where", "name", "batch", "pause", "progress" }

local function check(options)
  if type(options) ~= "table" then errors.usage "backfill takes a database and a table of options" end
  errors.check_names(options, option_names, "option of backfill")
  for _, name in ipairs { "table", "set" } do
    if type(options[name]) ~= "string" or options[name] == "" then errors.usage("backfill: %s is text", name) end
  end
  local batch = options.batch or 1000
  if math.type(batch) ~= "integer" or batch < 1 then errors.usage "backfill: batch is a whole number from 1" end
  return batch
end

-- How far it is -----------------------------------------------------------------------------------

local create = [[create table if not exists weft_backfills (name varchar(200) not null primary key, position varchar(400),
  done bigint not null, state varchar(20) not null)]]

local function record_of(db, name)
  db:execute(create)
  local record = db:query("select position, done, state from weft_backfills where name = ?", name)[1]
  if record then return record end
  db:execute("insert into weft_backfills (name, done, state) values (?, 0, 'running')", name)
  return { done = 0, state = "running" }
end

---What it does is its name, as far as there is room for it.
local function name_of(options)
  local text = options.table .. ": " .. options.set .. (options.where and " where " .. options.where or "")
  if #text <= 200 then return text end
  return text:sub(1, 180):gsub("[\x80-\xff]+$", "") .. " " .. fnv(text)
end

-- Batches -----------------------------------------------------------------------------------------

---What is said again and again: the key in order, and the statements around it.
local function plan(db, options)
  local t = db:schema():table(options.table) or errors.usage("backfill: there is no table '%s'", options.table)
  if #t.primary_key ~= 1 then errors.usage("backfill: %s has no primary key of one column", t.key) end
  local sql = require "weft.ddl".dialect(core.dialect(db))
  local key, name = sql:quote(t.primary_key[1]), sql:name_of(t)
  local also = options.where and " and (" .. options.where .. ")" or ""
  return {
    count = ("select count(*) from %s where 1 = 1%s"):format(name, also),
    first = ("select %s from %s order by %s limit 1"):format(key, name, key), -- not every key has a min()
    last = ("select %s from %s where %s >= ? order by %s limit 1 offset ?"):format(key, name, key, key),
    next = ("select %s from %s where %s > ? order by %s limit 1"):format(key, name, key, key),
    greatest = ("select %s from %s order by %s desc limit 1"):format(key, name, key),
    update = ("update %s set %s where %s >= ? and %s <= ?%s"):format(name, options.set, key, key, also),
  }
end

local function one(db, sql, ...)
  local row = db:rows(sql, ...)[1]
  return row and row[1]
end

local function start_of(db, words, record)
  if not record.position then return one(db, words.first) end
  return one(db, words.next, core.decode(record.position))
end

---One batch that begins at key `from`: the number of rows.
local function batch_of(db, words, name, from, size)
  local to = one(db, words.last, from, size - 1)
  if to == nil then to = one(db, words.greatest) end
  local count = db:execute(words.update, from, to).affected
  db:execute("update weft_backfills set position = ?, done = done + ? where name = ?", core.encode(to), count, name)
  return count, to
end

---Runs a backfill to its end. One that is over runs no more; one that was cut off goes on.
---@param db weft.Database
---@param options weft.BackfillOptions
---@return integer rows that this run wrote
function M.run(db, options)
  local size = check(options)
  local name = options.name or name_of(options)
  local open = transaction.current(db)
  if open and open.what == "transaction" and core.dialect(db) == "mysql" then
    errors.usage "backfill has transactions of its own, one for each batch: call it outside of a transaction"
  end
  local words, record, total = plan(db, options), record_of(db, name), 0
  if record.state == "done" then return 0 end
  local bar = progress.new("backfill " .. options.table, db:rows(words.count)[1][1], { quiet = options.progress == false })
  bar:step(record.done)
  local from = start_of(db, words, record)
  while from ~= nil do
    local count, to = db:transaction(function() return batch_of(db, words, name, from, size) end)
    total = total + count
    bar:step(count)
    if options.pause then core.sleep(options.pause) end
    from = one(db, words.next, to)
  end
  db:execute("update weft_backfills set state = 'done' where name = ?", name)
  bar:done(("%d rows"):format(total))
  return total
end

return M
