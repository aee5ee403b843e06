-- SPDX-License-Identifier: MIT
-- db:schema(): a database as it was last read. It is read whole, at the first question that is asked of it, and
-- again once its schema was changed through Weft.

local core = require "weft.core"
local catalog = require "weft.schema.catalog"
local errors = require "weft.errors"
local reader = require "weft.schema.read"

local M = {}

---@class weft.Schema
---@field db weft.Database
---@field dialect "postgres"|"mysql"|"sqlite"
---@field database string the name of the database in weft.configure
local Schema = {}
Schema.__index = Schema
Schema.__name = "weft.schema"

-- Asking --------------------------------------------------------------------------------------

local function leave_out(left_out, what, err)
  if not catalog.is_unreadable(err) then error(err, 0) end
  left_out[#left_out + 1] = { what = what, why = err.message }
end

---What a part tells of each object by itself.
local function ask_each(db, part, ids, left_out)
  local rows = {}
  for _, id in ipairs(ids) do
    local ok, found = catalog.try(db, core.objects, part.one, id)
    if ok then table.move(found, 1, #found, #rows + 1, rows)
    else leave_out(left_out, ("%s of %s"):format(part.what, id), found) end
  end
  return rows
end

local function views_of(tables)
  local ids = {}
  for _, t in ipairs(tables) do
    if t.kind == "view" then ids[#ids + 1] = t.id end
  end
  return ids
end

---Each part by itself: what cannot be read is left out.
local function ask_one_by_one(db, list, left_out)
  local parts = {}
  for _, part in ipairs(list) do
    local ok, rows = catalog.try(db, core.objects, part.sql)
    if not ok and part.one then
      ok, rows = true, ask_each(db, part, views_of(parts.tables or {}), left_out)
    end
    if ok then parts[part.what] = rows else leave_out(left_out, part.what, rows) end
  end
  return parts
end

local function ask_together(db, list)
  local texts, parts = {}, {}
  for i, part in ipairs(list) do texts[i] = part.sql end
  for i, rows in ipairs(core.all_objects(db, texts)) do parts[list[i].what] = rows end
  return parts
end

local function ask(db, left_out)
  local list = core.schema_parts(db)
  if core.tx_current(db) then return ask_one_by_one(db, list, left_out) end
  local ok, parts = pcall(ask_together, db, list)
  if ok then return parts end
  if not catalog.is_unreadable(parts) then error(parts, 0) end
  return ask_one_by_one(db, list, left_out)
end

local function read(db)
  local left_out = {}
  local parts = ask(db, left_out)
  local model = reader.model(db, parts, left_out)
  return { model = model, version = parts.version and parts.version[1].version }
end

local asking = catalog.asking()

local function read_shared(db)
  if core.tx_current(db) then return read(db) end
  return catalog.shared(asking, db, read)
end

---What was read last, if it is not older than the last change through Weft: { model, version, epoch }.
local function newest(self)
  local epoch = core.epoch(self.db)
  local found = self.found
  if not found or found.epoch ~= epoch then
    found = read_shared(self.db)
    found.epoch = epoch
    self.found = found
    self.reported = self.reported or found
  end
  return found
end

local function model_of(self) return newest(self).model end

-- Changes -------------------------------------------------------------------------------------

---The version as the database tells it now; nil when it does not.
local function ask_version(db)
  for _, part in ipairs(core.schema_parts(db)) do
    if part.what == "version" then
      local ok, rows = catalog.try(db, core.objects, part.sql)
      if ok then return rows[1].version end
      if not catalog.is_unreadable(rows) then error(rows, 0) end
    end
  end
end

---Everything is asked anew unless the database says that nothing has changed. What depends on tables is renewed when
---something has: models, plans, prepared statements, associations learn their tables again as they need them.
local function read_again(self)
  local found = newest(self)
  local version = ask_version(self.db)
  if version and version == found.version then return found end
  local again = read_shared(self.db)
  if #require "weft.schema.diff".changes(found.model, again.model) > 0 then core.forget_tables(self.db) end
  again.epoch = core.epoch(self.db)
  self.found = again
  return again
end

---Looks whether the database has changed since the last refresh (or, the first time, since it was read), by one
---cheap statement when it has not. May wait.
---@return weft.Change[] # in an order that is always the same; tostring(change) is one line
function Schema:refresh()
  local before = self.reported
  local now = read_again(self)
  if before == now then return {} end
  local changes = require "weft.schema.diff".changes((before or now).model, now.model)
  self.reported = now
  if #changes > 0 then require "weft.schema.watch".tell(self.db, self.database, changes) end
  return changes
end

-- The questions -------------------------------------------------------------------------------

---Everything as a plain table: tables, views, enums, domains, types, sequences, schemas, left_out. A later change
---of the database makes a new one and leaves this as it is. May wait.
---@return weft.Model
function Schema:model() return model_of(self) end

---Tables in order: those that a bare name finds first, then the others by schema and name.
---@return weft.Table[] # also by key: tables().users
function Schema:tables() return model_of(self).tables end
---Views and materialized views.
---@return weft.Table[]
function Schema:views() return model_of(self).views end
---@return weft.Enum[]
function Schema:enums() return model_of(self).enums end
---@return weft.Domain[]
function Schema:domains() return model_of(self).domains end
---Composite types.
---@return weft.RowType[]
function Schema:types() return model_of(self).types end
---@return weft.Sequence[]
function Schema:sequences() return model_of(self).sequences end
---@return string[]
function Schema:schemas() return model_of(self).schemas end
---What could not be read, and why.
---@return { what: string, why: string }[]
function Schema:left_out() return model_of(self).left_out end

local function find(lists, name, as)
  for _, list in ipairs(lists) do
    for _, t in ipairs(list) do
      if as(t.key) == name or t.schema and as(t.schema .. "." .. t.name) == name then return t end
    end
  end
end

local function itself(text) return text end

---A table or view.
---@param name string "users" or "schema.users"; without regard to case when none is spelled so
---@return weft.Table?
function Schema:table(name)
  if type(name) ~= "string" then errors.usage("table takes a name, got %s", type(name)) end
  local model = model_of(self)
  local lists = { model.tables, model.views }
  return find(lists, name, itself) or find(lists, name:lower(), string.lower)
end

-- Handles -------------------------------------------------------------------------------------

local known = setmetatable({}, { __mode = "k" }) -- handle -> its schema

---The schema of a database: tables, views, types, as they are. Nothing is read before the first question.
---@param db weft.Database
---@return weft.Schema
function M.of(db)
  local schema = known[db]
  if not schema then
    local name = tostring(db):match "^weft%.database (%S+)"
    schema = setmetatable({ db = db, dialect = core.dialect(db), database = name }, Schema)
    known[db] = schema
  end
  return schema
end

M.Schema = Schema

return M
