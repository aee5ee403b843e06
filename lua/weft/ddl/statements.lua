-- SPDX-License-Identifier: MIT
-- From schemas to statements: what makes a whole schema, and what makes one out of another.

local errors = require "weft.errors"
local order = require "weft.ddl.order"
local plans = require "weft.ddl.plan"
local diff = require "weft.schema.diff"

local M = {}

---@class weft.Statement one step of a change
---@field sql string
---@field destructive boolean it may lose data: something is dropped, or values become narrower
---@field transactional boolean it is undone when the transaction around it is
---@field comment string? what a reader should know

local dialects = { "postgres", "sqlite", "mysql" }

---What writes the SQL of a dialect.
---@param name "postgres"|"sqlite"|"mysql"
---@return weft.DdlDialect
function M.dialect(name)
  if type(name) ~= "string" then errors.usage("a dialect is a name, not a %s", type(name)) end
  errors.check_names({ [name] = true }, dialects, "dialect")
  return require("weft.ddl." .. name)
end

local function model_of(schema) return type(schema.model) == "function" and schema:model() or schema end

-- Making everything ---------------------------------------------------------------------------

local function add_all(out, list)
  for _, sql in ipairs(list) do out[#out + 1] = sql end
end

---Foreign keys of a table that can be part of it, and those that must wait until others are made.
local function split_keys(dialect, t, made)
  if dialect.inline_keys then return dialect:inline_keys(t) end
  local now, later = {}, {}
  for _, key in ipairs(t.foreign_keys or {}) do
    local ready = (key.key == t.key or made[key.key]) and key.valid ~= false
    local list = ready and now or later
    list[#list + 1] = key
  end
  return now, later
end

local function create_indexes(dialect, out, t)
  if dialect.indexes_inside then return end
  for _, index in ipairs(t.indexes or {}) do out[#out + 1] = dialect:create_index(t, index) end
end

---The statements that make one table with its indexes and comments.
---@param dialect weft.DdlDialect
---@param t weft.Table
---@param made table<string, true> keys of the tables that are there; this one is then among them
---@param model weft.Model
---@return string[]
---@return weft.ForeignKey[] # those that have to wait
function M.table(dialect, t, made, model)
  local now, later = split_keys(dialect, t, made)
  local out = { dialect:create_table(t, now, model) }
  made[t.key] = true
  add_all(out, dialect:after_table(t))
  create_indexes(dialect, out, t)
  add_all(out, dialect:comments(t))
  return out, later
end

local function create_tables(dialect, out, model)
  local made, late = {}, {}
  for _, t in ipairs(order.tables(model.tables)) do
    local statements, keys = {}, {}
    if t.kind ~= "foreign" then statements, keys = M.table(dialect, t, made, model) end -- it is its server's
    add_all(out, statements)
    for _, key in ipairs(keys) do late[#late + 1] = { t, key } end
  end
  add_all(out, dialect:after_tables(model))
  for _, entry in ipairs(late) do out[#out + 1] = dialect:add_foreign_key(entry[1], entry[2]) end
end

local function create_view(dialect, out, view)
  out[#out + 1] = dialect:create_view(view)
  create_indexes(dialect, out, view)
  add_all(out, dialect:comments(view))
end

local function create_triggers(dialect, out, model)
  for _, list in ipairs { model.tables, model.views or {} } do
    for _, t in ipairs(list) do
      for _, trigger in ipairs(t.triggers or {}) do add_all(out, dialect:create_trigger(trigger, t)) end
    end
  end
end

---Statements that make everything of a schema in an empty database, in an order that works. Triggers are made where their
---definition is known.
---@param model weft.Model|weft.Schema
---@param dialect "postgres"|"sqlite"|"mysql"
---@return string[]
function M.create(model, dialect)
  model = model_of(model)
  local writer, out = M.dialect(dialect), {}
  add_all(out, writer:create_types(model))
  create_tables(writer, out, model)
  for _, view in ipairs(order.views(model.views or {})) do create_view(writer, out, view) end
  create_triggers(writer, out, model)
  return out
end
-- Making one out of another -------------------------------------------------------------------

local alter_options = { "concurrently", "not_valid", "old", "new" }

---The steps that lead from one schema to another, in an order that works. Each says whether it may lose data and whether
---a transaction undoes it. Steps that are not transactional run outside of one: those before the first that is, before it.
---@param changes weft.Change[] what schema_diff.changes returns, or some of it with options.old and options.new
---@param dialect "postgres"|"sqlite"|"mysql"
---@param options? { concurrently: boolean?, not_valid: boolean?, old: weft.Model?, new: weft.Model? } PostgreSQL: indexes are made
---while others write; foreign keys are first added and then validated
---@return weft.Statement[]
function M.alter(changes, dialect, options)
  options = options or {}
  errors.check_names(options, alter_options, "option of alter")
  local old, new = diff.models(changes)
  old, new = options.old and model_of(options.old) or old, options.new and model_of(options.new) or new
  if not old or not new then errors.usage "alter: options.old and options.new say what these changes are between" end
  local writer = M.dialect(dialect)
  return require("weft.ddl." .. dialect .. "_alter")(M, writer, plans.new(changes, old, new, writer.in_place), options)
end
return M
