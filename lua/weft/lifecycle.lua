-- SPDX-License-Identifier: MIT
-- What writes of a model do beyond SQL: hooks, timestamps, a version, deletion that is only noted, validation.
-- Loaded by the first model that asks for one of them; the others never come here.
--
-- One lifecycle belongs to one model on one database: info.lifecycle. Here it writes single rows;
-- lua/weft/lifecycle/query.lua has what queries of such a model do.

local core = require "weft.core"
local errors = require "weft.errors"
local rows = require "weft.row"
local validate = require "weft.lifecycle.validate"

local M = {}

---@class weft.Lifecycle
local Lifecycle = {}
Lifecycle.__index = Lifecycle

local hook_names = {
  "before_create", "after_create", "before_update", "after_update", "before_delete", "after_delete",
  "before_save", "after_save", "before_query", "after_query",
}

-- ---- the definition ----

local function hook_list(name, given)
  local list = type(given) == "table" and given or { given }
  for i, fn in pairs(list) do
    if type(fn) ~= "function" or math.type(i) ~= "integer" then
      errors.usage("model: hooks.%s is a function or a list of functions", name)
    end
  end
  return list
end

local function read_hooks(hooks)
  if hooks == nil then return {} end
  if type(hooks) ~= "table" then errors.usage("model: hooks is a table, as { before_create = function(row) ... end }") end
  errors.check_names(hooks, hook_names, "hook")
  local read = {}
  for _, name in ipairs(hook_names) do
    if hooks[name] ~= nil then read[name] = hook_list(name, hooks[name]) end
  end
  return read
end

local function check_name(option, name)
  if name ~= nil and type(name) ~= "string" then errors.usage("model: %s names a column, got %s", option, type(name)) end
  return name
end

---Which columns hold the times: { created = { name, named = true }, ... }; the usual ones need not exist.
local function read_timestamps(timestamps)
  if timestamps == nil or timestamps == false then return {} end
  if timestamps ~= true and type(timestamps) ~= "table" then
    errors.usage("model: timestamps is true or { created = column, updated = column }")
  end
  local given, read = timestamps == true and {} or timestamps, {}
  errors.check_names(given, { "created", "updated" }, "option of timestamps")
  for what, usual in pairs { created = "created_at", updated = "updated_at" } do
    local name = given[what]
    if name ~= false then
      read[what] = { name = check_name("timestamps." .. what, name) or usual, named = name ~= nil }
    end
  end
  return read
end

---Checks the options of a model's definition and reads them.
---@param definition weft.ModelDefinition
function M.read(definition)
  return {
    hooks = read_hooks(definition.hooks),
    timestamps = read_timestamps(definition.timestamps),
    version = check_name("version", definition.version),
    soft_delete = check_name("soft_delete", definition.soft_delete),
    validate = validate.read(definition.validate or {}),
    columns = definition.columns or {},
  }
end

---The lifecycle of a model, whose `info` is set once it is made.
---@param definition weft.ModelDefinition
---@return weft.Lifecycle
function M.new(definition)
  local self = setmetatable(M.read(definition), Lifecycle)
  self.hooked = {} -- kinds of writes around which hooks run
  for _, kind in ipairs { "create", "update", "delete" } do
    local save = kind ~= "delete" and (self.hooks.before_save or self.hooks.after_save)
    self.hooked[kind] = (self.hooks["before_" .. kind] or self.hooks["after_" .. kind] or save) and true or false
  end
  return self
end

-- ---- the table ----

-- Type of a column -> what a moment is in it, from the clock's text and its microseconds.
local moments = {
  timestamptz = function(text) return text end,
  text = function(text) return text end,
  any = function(text) return text end,
  timestamp = function(text) return (text:gsub("Z$", "")) end,
  date = function(text) return text:sub(1, 10) end,
  integer = function(_, us) return us // 1000000 end,
  decimal = function(_, us) return us // 1000000 end,
  float = function(_, us) return us / 1e6 end,
}
local function microseconds(_, us) return us end
local function yes() return true end

local function as_of(options) return type(options) == "table" and options.as or options end

function Lifecycle:moment_of(known, option, name)
  local type_name = known.types[name].type
  if type_name == "boolean" and option == "soft_delete" then return yes end
  if type_name == "integer" and as_of(self.columns[name]) == "us" then return microseconds end
  return moments[type_name]
    or errors.usage("model %s: %s: column '%s' cannot hold a time", self.info.label, option, name)
end

function Lifecycle:check_column(known, option, name)
  if known.types[name] then return name end
  local near = core.nearest(name, known.columns)
  errors.usage("model %s: %s names the unknown column '%s' of %s%s", self.info.label, option, name, known.name,
    near and ("; did you mean '%s'?"):format(near) or "")
end

---A boolean column says that a row was deleted: false or NULL are the rest. The others say when.
function Lifecycle:settle_deletion(known, moment)
  local name = self:check_column(known, "soft_delete", self.soft_delete)
  local column = known.types[name]
  moment[name] = self:moment_of(known, "soft_delete", name)
  self.undeleted = core.null
  if column.type == "boolean" then
    self.undeleted = false
  elseif not column.nullable then
    errors.usage("model %s: soft_delete: column '%s' cannot be NULL, which is how a row is not deleted", self.info.label, name)
  end
end

---Looks the lifecycle's columns up in a table that was just discovered.
function Lifecycle:settle(known)
  local moment = {}
  for what, column in pairs(self.timestamps) do
    if column.named then self:check_column(known, "timestamps." .. what, column.name) end
    self[what] = known.types[column.name] and column.name
    if self[what] then moment[column.name] = self:moment_of(known, "timestamps." .. what, column.name) end
  end
  if self.soft_delete then self:settle_deletion(known, moment) end
  if self.version then
    self:check_column(known, "version", self.version)
    if known.types[self.version].type ~= "integer" then
      errors.usage("model %s: version: column '%s' holds no integers", self.info.label, self.version)
    end
  end
  for name in pairs(self.validate.columns) do self:check_column(known, "validate", name) end
  self.moment, self.known = moment, known
end

---What is known of the model's table; may wait the first time.
function Lifecycle:table()
  local model = self.info.core
  core.discover(model)
  local known = core.table(model)
  if known ~= self.known then self:settle(known) end
  return known
end

-- ---- what is written beside what the user says ----

---Gives a column of the clock its value, unless it has one.
function Lifecycle:stamp(values, name, text, us)
  if name and values[name] == nil then values[name] = self.moment[name](text, us) end
end

---What a new row gets.
function Lifecycle:stamp_new(values, text, us)
  self:stamp(values, self.created, text, us)
  self:stamp(values, self.updated, text, us)
  if self.version and values[self.version] == nil then values[self.version] = 1 end
end

---What rows get that are changed in the database, whatever their version is.
function Lifecycle:stamp_changed(values, text, us)
  self:stamp(values, self.updated, text, us)
  if self.version and values[self.version] == nil then values[self.version] = core.plus(1) end
end

---The values with which rows are noted as deleted.
function Lifecycle:deletion()
  local text, us = core.wall_clock()
  local values = {}
  self:stamp(values, self.soft_delete, text, us)
  self:stamp(values, self.updated, text, us)
  return values
end

function Lifecycle:run(name, ...)
  for _, fn in ipairs(self.hooks[name] or {}) do fn(...) end
end

---Calls fn in a transaction and returns its result.
function Lifecycle:transaction(fn)
  local ended = false
  local result = self.info.db:transaction(function()
    local made = fn()
    ended = true
    return made
  end)
  if not ended then errors.usage("a hook cannot roll back the write that it belongs to: let it raise an error") end
  return result
end

---Calls fn, inside a transaction where hooks run: what one of them refuses is undone, whoever wrote it.
function Lifecycle:atomic(kind, fn)
  if not self.hooked[kind] then return fn() end
  return self:transaction(fn)
end

---Raises validation for values that are about to be written into a row that exists.
---@param row? weft.Row nil: several rows are meant, of which functions cannot be asked
function Lifecycle:check_change(op, values, row)
  local failures = {}
  validate.check(self.validate, self.known, values, row or values, false, failures)
  if row then validate.check_functions(self.validate, row, failures) end
  validate.raise(failures, { op = op, model = self.info.label })
end

-- ---- one row ----

---The version of a row in memory: a whole number or nil (NULL).
function Lifecycle:version_of(row, op)
  local version = row[self.version]
  if version == nil or version == core.null then return nil end
  return math.tointeger(tonumber(version))
    or errors.usage("%s: the version '%s' of the row is no whole number", op, self.version)
end

---The query that finds the row as it was read, and its next version.
function Lifecycle:same_version(row, query, op)
  if not self.version then return query end
  local version = self:version_of(row, op)
  if not version then return query:where(self.version, "is_null"), 1 end
  return query:where(self.version, "=", version), version + 1
end

---Nothing was written: somebody else has changed the row, or it is gone.
function Lifecycle:missed(query, op)
  if self.version and core.query_methods.exists(query) then
    errors.raise("stale", ("the row of %s was changed by somebody else; reload it and try again"):format(self.info.label),
      { op = op, model = self.info.label })
  end
  rows.gone(self.info, op)
end

---Writes what changed of a row, and `more`: values that say what the database computes, as core.plus(1).
function Lifecycle:write(row, more)
  self:run("before_save", row)
  self:run("before_update", row)
  local names, values = rows.changed(row)
  for name, value in pairs(more or {}) do
    if values[name] == nil then values[name], names[#names + 1] = value, name end
  end
  if #names == 0 then return end
  local by_key = rows.query_of(row, "save")
  local query, version = self:same_version(row, by_key, "save")
  if version then values[self.version] = version end
  self:stamp(values, self.updated, core.wall_clock())
  self:check_change("save", values, row)
  if not rows.write(row, query, values, names) then self:missed(by_key, "save") end
  self:run("after_update", row)
  self:run("after_save", row)
end

---Deletes a row, or notes that it is deleted.
function Lifecycle:remove(row, force)
  self:run("before_delete", row)
  local model, noted = self.info.core, self.soft_delete and not force
  local by_key = rows.query_of(row, "delete", self.soft_delete and force and model:with_deleted() or model)
  local query, version = self:same_version(row, by_key, "delete")
  local values = noted and self:deletion()
  if noted and version then values[self.version] = version end
  if noted and not rows.write(row, query, values, {}) or not noted and core.query_methods.delete(query) == 0 then
    self:missed(by_key, "delete")
  end
  self:run("after_delete", row)
end

---Calls fn(self, row, ...) as atomic does; when it fails, the row in memory is what it was, too.
function Lifecycle:guard(kind, fn, row, ...)
  self:table()
  if not self.hooked[kind] then return fn(self, row, ...) end
  local undo, arguments = rows.remember(row), table.pack(...)
  local ok, err = pcall(self.atomic, self, kind, function()
    fn(self, row, table.unpack(arguments, 1, arguments.n))
  end)
  if ok then return end
  undo()
  error(err, 0)
end

---row:save(). Nothing changed: no statement and no hook.
function Lifecycle:save(row)
  if #rows.changed(row) > 0 then self:guard("update", self.write, row) end
  return row
end

---row:delete()
function Lifecycle:delete(row, force)
  self:guard("delete", self.remove, row, force)
end

return M
