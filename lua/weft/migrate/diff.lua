-- SPDX-License-Identifier: MIT
-- The migration that leads from a database to what models describe, or to another database. What may be a rename is
-- asked for and never guessed.

local core = require "weft.core"
local database = require "weft.database"
local ddl = require "weft.ddl"
local diff = require "weft.schema.diff"
local errors = require "weft.errors"
local registry = require "weft.registry"

local M = {}

---@class weft.FoundDifference
---@field changes weft.Change[]
---@field steps weft.Statement[]
---@field back weft.Statement[]
---@field missing string[] what models without types expect and the database has not
---@field unclear string[] pairs that may be renames: "users.name -> users.full_name"
local Found = {}
Found.__index = Found

-- What is compared ------------------------------------------------------------------------------

local function keys_of(list)
  local keys = {}
  for _, object in ipairs(list) do keys[object.key] = true end
  return keys
end

---The objects of a list that `keep` says yes to, also by key.
local function only(list, keep)
  local kept, by = {}, {}
  for _, object in ipairs(list or {}) do
    if keep(object) then kept[#kept + 1], by[object.key] = object, object end
  end
  return setmetatable(kept, { __index = by })
end

---Of a database what models speak of: they know nothing of the rest.
local function known_to(live, wanted, renames)
  local keys, enums = keys_of(wanted.tables), keys_of(wanted.enums)
  for from in pairs(renames) do keys[from] = true end
  return { tables = only(live.tables, function(t) return keys[t.key] end), views = {}, domains = {}, types = {}, sequences = {},
    enums = only(live.enums, function(enum) return enums[enum.key] end) }
end

local function without_own(live)
  local copy = {}
  for key, value in pairs(live) do copy[key] = value end
  copy.tables = only(live.tables, function(t) return t.key ~= "weft_migrations" and t.key ~= "weft_backfills" end)
  return copy
end

local function model_of_url(url, dialect)
  database.configure { databases = { weft_migrate_from = url } }
  local db = database.database "weft_migrate_from"
  if core.dialect(db) ~= dialect then errors.raise("unsupported", "two databases of different kinds cannot be compared") end
  local model = without_own(db:schema():model())
  db:close()
  return model
end

-- Renames ---------------------------------------------------------------------------------------

local function kind_of(change) return change.what == "table" and "table" or change.what == "column" and "column of " .. change.table end
local function path_of(change, object) return change.what == "table" and object.key or change.table .. "." .. object.name end

---May what goes be what comes? Columns are alike by their types, tables by the names of their columns.
local function alike(gone, come)
  if gone.what == "column" then return gone.from.kind == come.to.kind end
  local names, same = {}, 0
  for _, column in ipairs(gone.from.columns) do names[column.name] = true end
  for _, column in ipairs(come.to.columns) do same = same + (names[column.name] and 1 or 0) end
  return same * 2 >= #gone.from.columns
end

---Pairs that may be renames.
local function candidates(changes)
  local list = {}
  for _, gone in ipairs(changes) do
    for _, come in ipairs(changes) do
      local kind = gone.op == "removed" and come.op == "added" and kind_of(gone)
      if kind and kind == kind_of(come) and alike(gone, come) then
        list[#list + 1] = { from = path_of(gone, gone.from), to = path_of(come, come.to) }
      end
    end
  end
  return list
end

---Asks for each pair; those that were answered with yes are renames.
local function ask_renames(changes, renames, ask)
  local unclear, used, answered = {}, {}, false
  for _, pair in ipairs(candidates(changes)) do
    if not used[pair.from] and not used[pair.to] then
      if ask and ask(pair.from, pair.to) then
        renames[pair.from], answered = pair.to, true
        used[pair.from], used[pair.to] = true, true
      else
        unclear[#unclear + 1] = pair.from .. " -> " .. pair.to
      end
    end
  end
  return unclear, answered
end

local function reversed(renames)
  local back = {}
  for from, to in pairs(renames) do back[to] = from end
  return next(back) and back or nil
end

-- Finding ---------------------------------------------------------------------------------------

---@param db weft.Database
---@param options? { from: string?, renames: table<string, string>?, ask: (fun(from: string, to: string): boolean)? } from: url of
---the database that it is to be like; ask: whether a thing that is gone is now called otherwise
---@return weft.FoundDifference
function M.find(db, options)
  options = options or {}
  errors.check_names(options, { "from", "renames", "ask" }, "option of diff")
  local dialect, name = core.dialect(db), tostring(db):match "^weft%.database (%S+)"
  local live, renames = without_own(db:schema():model()), {}
  for from, to in pairs(options.renames or {}) do renames[from] = to end
  local wanted, expected
  if options.from then wanted, expected = model_of_url(options.from, dialect), {}
  else wanted, expected = ddl.of_models(registry.read_infos(name), dialect) end
  local old = options.from and live or known_to(live, wanted, renames)
  local changes = diff.changes(old, wanted, { renames = next(renames) and renames })
  local unclear, answered = ask_renames(changes, renames, options.ask)
  if answered then changes = diff.changes(old, wanted, { renames = renames }) end
  return setmetatable({ changes = changes, dialect = dialect, steps = ddl.alter(changes, dialect), unclear = unclear,
    back = ddl.alter(diff.changes(wanted, old, { renames = reversed(renames) }), dialect), missing = ddl.missing(expected, live) }, Found)
end

-- Writing ---------------------------------------------------------------------------------------

---The pragmas around a rebuild are the runner's, which finds out by itself that they are needed.
local function is_written(dialect, step) return dialect ~= "sqlite" or step.transactional end

local function section(out, dialect, title, steps)
  out[#out + 1] = "-- " .. title
  for _, step in ipairs(steps) do
    if is_written(dialect, step) then
      if step.comment then out[#out + 1] = "-- " .. step.comment:gsub("\n", " ") .. "." end
      if step.destructive then out[#out + 1] = "-- Loses data:" end
      out[#out + 1] = step.sql .. ";\n"
    end
  end
end

---The migration as the text of an SQL file.
function Found:text()
  local out, apart = {}, false
  for _, step in ipairs(self.steps) do apart = apart or is_written(self.dialect, step) and not step.transactional end
  if apart and self.dialect ~= "mysql" then out[1] = "-- transaction: false" end
  section(out, self.dialect, "up", self.steps)
  section(out, self.dialect, "down", self.back)
  return (table.concat(out, "\n"):gsub("\n+$", "\n"))
end

---What loses data, a statement each.
function Found:destructive()
  local list = {}
  for _, step in ipairs(self.steps) do
    if step.destructive then list[#list + 1] = step.sql end
  end
  return list
end

---Writes the migration and returns its path.
---@param dir string
---@param name string the database
---@param title string
---@param allow boolean? that it loses data
function Found:write(dir, name, title, allow)
  local list = self:destructive()
  if #list > 0 and not allow then
    errors.usage("these steps lose data:\n  %s\n%s--allow-destructive writes them all the same", table.concat(list, "\n  "),
      #self.unclear > 0 and ("if these are renames, --rename OLD=NEW says so: %s\n"):format(table.concat(self.unclear, ", ")) or "")
  end
  return require "weft.migrate.new".write(dir, name, title, "sql", self:text())
end

return M
