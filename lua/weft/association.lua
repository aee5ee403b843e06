-- SPDX-License-Identifier: MIT
-- Associations: defined by model scripts, by weft.include at run time, or by foreign keys; wired when both
-- ends are there, which is when one is first used. Whichever end is touched first makes no difference.
--
-- info.associations has the definitions by name, info.wired what became of those that were used. What a
-- foreign key gives never replaces what was defined.

local core = require "weft.core"
local errors = require "weft.errors"
local foreign_keys = require "weft.association.foreign_keys"
local wiring = require "weft.association.wiring"

local M = {}

local function registry() return require "weft.registry" end

local function copy(from)
  local to = {}
  for key, value in pairs(from) do to[key] = value end
  return to
end

---@class weft.Association what weft.has_many and its like return
local Definition = { __name = "weft.association" }

local options_of = {
  has_many = { "model", "foreign_key", "source_key", "order", "where" },
  has_one = { "model", "foreign_key", "source_key", "order", "where" },
  belongs_to = { "model", "foreign_key", "target_key", "where" },
  many_to_many = { "model", "through", "foreign_key", "other_key", "source_key", "target_key", "order", "where" },
}
local is_key = { foreign_key = true, other_key = true, source_key = true, target_key = true }

local function check_key(kind, name, value)
  local list = type(value) == "table" and value or { value }
  for i = 1, math.max(#list, 1) do
    if type(list[i]) ~= "string" then
      errors.usage("%s: %s is a column, or a list of columns for a composite key", kind, name)
    end
  end
end

local function check_model(kind, model)
  if model ~= nil and type(model) ~= "string" and not core.is_query(model) then
    errors.usage("%s: model is a name, as \"Product\" or \"database.Product\", or a model, not a %s", kind, type(model))
  end
end

---@param kind string
---@param given table the options
---@return weft.Association
function M.define(kind, given)
  if type(given) ~= "table" then errors.usage("%s takes a table, as { model = \"Product\" }", kind) end
  errors.check_names(given, options_of[kind], "option of " .. kind)
  check_model(kind, given.model)
  if kind == "many_to_many" then
    if given.through == nil then errors.usage("many_to_many: through names the table in between") end
    check_model("many_to_many: through", given.through)
  end
  local definition = { type = kind }
  for name, value in pairs(given) do
    if is_key[name] then check_key(kind, name, value) end
    definition[name] = is_key[name] and type(value) ~= "table" and { value } or value
  end
  return setmetatable(definition, Definition)
end

---Many rows of another model that carry the key of this one.
---@param options weft.HasMany
---@return weft.Association
function M.has_many(options) return M.define("has_many", options) end

---One row of another model that carries the key of this one; of several the first in `order`.
---@param options weft.HasOne
---@return weft.Association
function M.has_one(options) return M.define("has_one", options) end

---The row of another model whose key this one carries.
---@param options weft.BelongsTo
---@return weft.Association
function M.belongs_to(options) return M.define("belongs_to", options) end

---Rows of another model through a table that has the keys of both.
---@param options weft.ManyToMany
---@return weft.Association
function M.many_to_many(options) return M.define("many_to_many", options) end

function M.is_definition(value) return getmetatable(value) == Definition end

-- ---- the same name twice ----

local function label_of(model) return core.is_query(model) and core.info(model).label or model end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return label_of(a) == label_of(b) end
  if a == b then return true end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

---The full name of a model that is said with or without its database.
local function full_label(info, model)
  model = label_of(model)
  return model and (model:find(".", 1, true) and model or info.database .. "." .. model)
end

---What one definition leaves open the other may say.
local function agree(info, a, b)
  if a.type ~= b.type then return false end
  for key, value in pairs(a) do
    local other = b[key]
    if other ~= nil and key ~= "type" then
      if key == "model" then
        if full_label(info, value) ~= full_label(info, other) then return false end
      elseif not same(value, other) then
        return false
      end
    end
  end
  return true
end

---The definition with what the other says beside it; itself when that is nothing.
local function completed(definition, other)
  local more
  for key, value in pairs(other) do
    if definition[key] == nil then
      more = more or setmetatable(copy(definition), Definition)
      more[key] = value
    end
  end
  return more or definition
end

---Grows when associations are defined or forgotten: what was made of them before is to be made again.
M.revision = 0

local function define_anew(info, name, definition)
  info.associations[name], info.wired[name] = definition, nil
  M.revision = M.revision + 1
end

---Defines an association at run time; once, however often it is said.
---@param info table the model info
---@param name string
---@param definition weft.Association
function M.add(info, name, definition)
  local known = info.associations[name]
  if known == definition then return end
  if known and not known.discovered then
    if not agree(info, known, definition) then
      errors.usage("association '%s' of %s is defined already, as %s of %s; another definition needs another name", name,
        info.label, known.type, label_of(known.model) or "?")
    end
    definition = completed(known, definition)
    if definition == known then return end
  end
  if info.methods and info.methods[name] then
    errors.usage("association '%s' of %s would hide the method of that name; give it another", name, info.label)
  end
  define_anew(info, name, definition)
end

---Forgets what was wired and what weft.include has defined. What models define and foreign keys give is wired
---again when it is used.
function M.reset_associations()
  for info in registry().each_info() do
    info.associations, info.wired = copy(info.defined), {}
    core.complete(info.core, false)
  end
  M.revision = M.revision + 1
end

---Makes the associations of foreign keys known. May wait.
local function discover(info)
  if core.complete(info.core) then return end
  core.discover(info.core)
  local found = foreign_keys.of_model(info)
  for name, definition in pairs(info.associations) do
    if definition.discovered then info.associations[name], info.wired[name] = nil, nil end
  end
  for _, entry in ipairs(found) do
    if not info.associations[entry.name] then
      local definition = copy(entry)
      definition.discovered = true
      info.associations[entry.name] = definition
    end
  end
  core.complete(info.core, true)
end

---Errors of use name the association and both its ends, behind the position in the caller's code.
local function about(info, name, definition, fn, ...)
  local results = table.pack(pcall(fn, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local err = results[2]
  if core.is_error(err) and (err.kind == "usage" or err.kind == "syntax") and not err.association then
    local where, text
    if err.kind == "usage" then where, text = err.message:match "^(.-:%d+: )(.*)$" end
    err.message = ("%sassociation '%s' of %s (%s %s): %s"):format(where or "", name, info.label, definition.type,
      full_label(info, wiring.target_name(name, definition)), text or err.message)
    err.association = name
  end
  error(err, 0)
end

---The databases that an association lies in, each with its epoch: databases are configured anew, tables change.
local function note_epochs(info, entry)
  entry.databases, entry.epochs = {}, {}
  for i, model in ipairs { info.core, entry.to, entry.through } do
    entry.databases[i] = core.info(model).db
    entry.epochs[i] = core.epoch(entry.databases[i])
  end
end

---Is what was wired still so?
local function is_fresh(entry)
  for i, db in ipairs(entry.databases) do
    if core.closed(db) or core.epoch(db) ~= entry.epochs[i] then return false end
  end
  return true
end

---The association of that name, wired; nil when there is none. May wait.
---@param info table the model info
---@param name string
---@return weft.Wired?
function M.find(info, name)
  local entry = info.wired[name]
  if entry and is_fresh(entry) then return entry end
  if not info.associations[name] or info.associations[name].discovered then discover(info) end
  local definition = info.associations[name]
  if not definition then return nil end
  for _ = 1, 3 do -- another task's DDL may come in between
    entry = about(info, name, definition, wiring.wire, info, name, definition)
    note_epochs(info, entry)
    if core.table(info.core) and core.table(entry.to) then break end
  end
  info.wired[name] = entry
  return entry
end

---The same without waiting: nil when it is not wired.
function M.wired(info, name)
  local entry = info.wired[name]
  return entry and is_fresh(entry) and entry or nil
end

---Raises usage when the model, whose associations are all known, has none of that name.
function M.check(info, name)
  if not info.associations[name] then M.get(info, name) end
end

---Names of all associations, in order. May wait.
---@return string[]
function M.names(info)
  discover(info)
  local names = {}
  for name in pairs(info.associations) do names[#names + 1] = name end
  table.sort(names)
  return names
end

---The association of that name; raises usage, with the nearest name, when there is none. May wait.
---@return weft.Wired
function M.get(info, name)
  local entry = M.find(info, name)
  if entry then return entry end
  local names = M.names(info)
  for _, column in ipairs(core.table(info.core).columns) do names[#names + 1] = column end
  local near = core.nearest(name, names)
  errors.usage("unknown association '%s' of %s%s", name, info.label, near and ("; did you mean '%s'?"):format(near) or "")
end

return M
