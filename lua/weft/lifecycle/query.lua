-- SPDX-License-Identifier: MIT
-- What queries of a model with a lifecycle do instead of the usual methods: writes always, reads where
-- hooks run before or behind them. lua/weft/model.lua puts them over the usual ones.

local core = require "weft.core"
local errors = require "weft.errors"
local query = require "weft.query"
local rows = require "weft.row"
local validate = require "weft.lifecycle.validate"

local M = {}

local plain = query.methods
local writes = {}

local function copy(from)
  local to = {}
  for name, value in pairs(from) do to[name] = value end
  return to
end

---The lifecycle of a query's model, its table known.
local function lifecycle_of(self)
  local life = core.info(self).lifecycle
  life:table()
  return life
end

---The same for rows that are to be inserted, which name columns.
local function lifecycle_for(self, op, list)
  for i = 1, #list do query.check_values(list[i], op) end
  local life = lifecycle_of(self)
  for i = 1, #list do errors.check_columns(list[i], life.known, life.info) end
  return life
end

-- ---- new rows ----

---Copies of the rows as they are to be inserted: hooks have seen them, they are complete and valid.
---@param op string the method
---@param list table[]
---@param indexed? boolean whether failures say of which row they are
---@return table[] rows
---@return string text the moment, as core.wall_clock gives it
---@return integer us
local function new_rows(life, op, list, indexed)
  local made, failures = {}, {}
  for i, values in ipairs(list) do
    made[i] = copy(values)
    life:run("before_save", made[i])
    life:run("before_create", made[i])
  end
  local text, us = core.wall_clock()
  for i, values in ipairs(made) do
    life:stamp_new(values, text, us)
    validate.check(life.validate, life.known, values, values, true, failures, indexed and i or nil)
    validate.check_functions(life.validate, values, failures, indexed and i or nil)
  end
  validate.raise(failures, { op = op, model = life.info.label })
  return made, text, us
end

local function after_create(life, row)
  life:run("after_create", row)
  life:run("after_save", row)
  return row
end

function writes:create(values)
  query.check_values(values, "create")
  local life = lifecycle_for(self, "create", { values })
  return life:atomic("create", function()
    return after_create(life, plain.create(self, new_rows(life, "create", { values })[1]))
  end)
end

function writes:create_many(list, options)
  local quiet = query.check_many(list, options)
  local life = lifecycle_for(self, "create_many", list)
  return life:atomic("create", function()
    local made = new_rows(life, "create_many", list, true)
    if not life.hooks.after_create and not life.hooks.after_save then return plain.create_many(self, made, options) end
    local stored = plain.create_many(self, made)
    for _, row in ipairs(stored) do after_create(life, row) end
    return quiet and #stored or stored
  end)
end

---What an upsert sets in a row that is there unless it is told: what was given and what hooks added, but
---neither what identifies the row nor what every new row gets.
local function updates_of(life, given, made, on)
  local set, stamped = {}, { [life.created or 1] = true, [life.updated or 1] = true, [life.version or 1] = true }
  for name, value in pairs(made) do
    if given[name] ~= nil or not stamped[name] then set[name] = value end
  end
  for _, name in ipairs(on) do set[name] = nil end
  return set
end

---And beside that: the row was changed, and is deleted no more.
local function complete_updates(life, set, text, us)
  if next(set) ~= nil then life:stamp_changed(set, text, us) end
  local soft = life.soft_delete
  if soft and set[soft] == nil then set[soft] = life.undeleted end
end

---Hooks see an upsert as a new row that is saved: whether it was one, only the database knows.
function writes:upsert(values, options)
  local on = query.check_upsert(values, options)
  local life = lifecycle_for(self, "upsert", { values })
  return life:atomic("create", function()
    local list, text, us = new_rows(life, "upsert", { values })
    local set = options.update and copy(options.update) or updates_of(life, values, list[1], on)
    if options.update then life:check_change("upsert", set) end
    complete_updates(life, set, text, us)
    return after_create(life, plain.upsert(self, list[1], { on = options.on, update = set }))
  end)
end

-- ---- rows that are there ----

local function check_options(options, who)
  if options == nil then return {} end
  if type(options) ~= "table" then errors.usage("%s: options are a table, as { all = true }", who) end
  return options
end

---Calls fn for every row of the query, read and locked in one transaction; returns their number.
local function each_row(self, life, fn)
  local names = {}
  for _, name in ipairs(life.known.columns) do
    if not (life.info.lazy and life.info.lazy[name]) then names[#names + 1] = name end
  end
  return life:transaction(function()
    local found = plain.all(plain.lock(plain.select(self, table.unpack(names))))
    for _, row in ipairs(found) do fn(row) end
    return #found
  end)
end

---Whether rows must be read to be updated: hooks and functions of validate want to see them.
local function by_row(life, options)
  return options.hooks ~= false and (life.hooked.update or #life.validate.functions > 0)
end

---Sets columns of all rows of the query: at once, or by write(row) for each.
local function change(self, life, set, options, write)
  if by_row(life, options) then
    core.check_write(self, set, options)
    return each_row(self, life, write)
  end
  life:stamp_changed(set, core.wall_clock())
  life:check_change("update", set)
  return plain.update(self, set, options)
end

function writes:update(values, options)
  query.check_values(values, "update")
  options = check_options(options, "update")
  local life = lifecycle_of(self)
  if next(values) == nil then core.check_write(self, values, options) end
  return change(self, life, copy(values), options, function(row)
    rows.set(row, values)
    life:write(row)
  end)
end

---Hooks see the column as it was before.
function writes:increment(column, by, options)
  options = check_options(options, "increment")
  if type(column) ~= "string" then errors.usage("increment takes a column and by how much") end
  local life, set = lifecycle_of(self), { [column] = core.plus(by) }
  return change(self, life, set, options, function(row) life:write(row, set) end)
end

function writes:delete(options)
  options = check_options(options, "delete")
  local life = lifecycle_of(self)
  core.check_write(self, nil, options)
  if options.hooks ~= false and life.hooked.delete then
    return each_row(self, life, function(row) life:remove(row, options.force) end)
  end
  if not life.soft_delete or options.force then return plain.delete(self, options) end
  local set = life:deletion()
  if life.version then set[life.version] = core.plus() end
  return plain.update(self, set, { all = options.all })
end

-- ---- reads ----

---The query that the hooks of its model make of it.
---@param self weft.Query of a model with a lifecycle
---@return weft.Query
local function before(self)
  local info = core.info(self)
  local now = self
  for _, hook in ipairs(info.lifecycle.hooks.before_query or {}) do
    local other = hook(now)
    if other ~= nil then
      if not core.is_query(other) or core.info(other) ~= info then
        errors.usage("model %s: before_query returns a query of the same model, or nothing", info.label)
      end
      now = other
    end
  end
  return now
end

M.before = before

---What the hooks of its model want to be told of the rows of a query; nil: nothing.
---@param self weft.Query of a model with a lifecycle
---@return fun(list: weft.Row[])?
function M.after(self)
  local life = core.info(self).lifecycle
  if not life.hooks.after_query then return nil end
  return function(list) life:run("after_query", list, self) end
end

local reads = {}

function reads:all()
  local now = before(self)
  local list = plain.all(now)
  core.info(self).lifecycle:run("after_query", list, now)
  return list
end

for _, name in ipairs { "first", "one", "find", "get" } do
  reads[name] = function(self, ...)
    local now = before(self)
    local row = plain[name](now, ...)
    if row then core.info(self).lifecycle:run("after_query", { row }, now) end
    return row
  end
end

for _, name in ipairs { "count", "sum", "avg", "min", "max", "exists", "json", "sql", "explain" } do
  reads[name] = function(self, ...) return plain[name](before(self), ...) end
end

---Puts what a lifecycle does over the methods of queries.
---@param methods table<string, function>
---@param life weft.Lifecycle
function M.install(methods, life)
  for name, fn in pairs(writes) do methods[name] = fn end
  if not (life.hooks.before_query or life.hooks.after_query) then return end
  for name, fn in pairs(reads) do methods[name] = fn end
end

return M
