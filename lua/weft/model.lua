-- SPDX-License-Identifier: MIT
-- weft.model: what a model script returns. The definition is checked here, where the script's line is
-- known; core.model makes the model of it when the registry binds it to a database.

local core = require "weft.core"
local errors = require "weft.errors"
local query = require "weft.query"

local M = {}

local Definition = { __name = "weft.definition" }

local known = {
  "table", "schema", "primary_key", "columns", "associations", "strict", "scopes", "methods",
  "timestamps", "version", "soft_delete", "validate", "hooks",
}

local function check_functions(definition, field)
  local given = definition[field]
  if given == nil then return end
  if type(given) ~= "table" then errors.usage("model: %s is a table of functions", field) end
  for name, fn in pairs(given) do
    if type(name) ~= "string" or type(fn) ~= "function" then
      errors.usage("model: %s.%s is a %s, not a function", field, tostring(name), type(fn))
    end
  end
end

local shown = { "string", "number", "epoch", "us", "json" }

local function check_shown(name, as)
  for _, word in ipairs(shown) do
    if as == word then return end
  end
  local near = type(as) == "string" and core.nearest(as, shown)
  errors.usage("model: column %s cannot be shown as '%s'%s", name, tostring(as),
    near and ("; did you mean '%s'?"):format(near) or " (string, number, epoch, us or json)")
end

local describing = { "type", "null", "default", "unique", "index", "references", "comment", "check" }

---Options that describe a column for the making of its table. Only together with a type do they say enough.
local function check_description(name, options)
  for field, kind in pairs { type = "string", null = "boolean", unique = "boolean", comment = "string" } do
    if options[field] ~= nil and type(options[field]) ~= kind then errors.usage("model: column %s: %s is a %s", name, field, kind) end
  end
  local references = options.references
  if type(references) == "table" then
    errors.check_names(references, { 1, "target", "on_delete", "on_update" }, ("references of column %s:"):format(name))
    references = references[1]
  end
  if references ~= nil and type(references) ~= "string" then
    errors.usage("model: column %s: references is a table's name, or { \"users\", on_delete = \"cascade\" }", name)
  end
  for _, field in ipairs(describing) do
    if options[field] ~= nil and not options.type and not references then
      errors.usage("model: column %s: %s says something of a new table, which the column's type must say, too", name, field)
    end
  end
end

local column_options = { "as", "lazy", table.unpack(describing) }

local function check_columns(columns)
  if columns == nil then return end
  if type(columns) ~= "table" then errors.usage("model: columns is a table of name = { ... }") end
  for name, options in pairs(columns) do
    if type(name) ~= "string" then errors.usage("model: columns is a table of name = { ... }, got a list") end
    if type(options) == "table" then
      errors.check_names(options, column_options, "option of column " .. name .. ":")
      check_description(name, options)
    elseif type(options) ~= "string" then
      errors.usage("model: column %s is described by a table or a word, as \"json\"", name)
    end
    local as = options
    if type(options) == "table" then as = options.as end
    if as ~= nil then check_shown(name, as) end
  end
end

local function check_associations(associations)
  if associations == nil then return end
  if type(associations) ~= "table" then errors.usage("model: associations is a table of name = weft.has_many { ... }") end
  for name, definition in pairs(associations) do
    if type(name) ~= "string" or name == "" or name:find("[.%z]") then
      errors.usage("model: an association is called by a name without dots, not '%s'", tostring(name))
    end
    local kind = getmetatable(definition) -- made by a file that needs this one
    if not kind or kind.__name ~= "weft.association" then
      errors.usage("model: association '%s' is made by weft.has_many, has_one, belongs_to or many_to_many", name)
    end
  end
end

---Names by which rows would find one thing and hide another.
local function check_clashes(definition)
  local found = {} -- what rows find first comes first
  for _, kind in ipairs { { "columns", "a column" }, { "associations", "an association" }, { "methods", "a method" } } do
    local names = {}
    for name in pairs(definition[kind[1]] or {}) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do
      if found[name] then errors.usage("model: '%s' is %s and %s, of which rows find the first alone", name, found[name], kind[2]) end
      found[name] = kind[2]
    end
  end
end

---Whether writes of the model do more than SQL says.
local function has_lifecycle(definition)
  return (definition.timestamps or definition.version or definition.soft_delete or definition.validate or definition.hooks) ~= nil
end

---The definition of a model, as a model script returns it.
---@param definition weft.ModelDefinition
---@return weft.ModelDefinition
function M.model(definition)
  if type(definition) ~= "table" then errors.usage("model takes a table, got %s", type(definition)) end
  errors.check_names(definition, known, "option of model")
  for _, field in ipairs { "table", "schema" } do
    if definition[field] ~= nil and type(definition[field]) ~= "string" then
      errors.usage("model: %s is a name, not a %s", field, type(definition[field]))
    end
  end
  check_functions(definition, "scopes")
  for name in pairs(definition.scopes or {}) do
    if query.methods[name] then errors.usage("model: a scope cannot be called '%s', as queries have a method of that name", name) end
  end
  check_functions(definition, "methods")
  check_associations(definition.associations)
  if definition.strict ~= nil and type(definition.strict) ~= "boolean" then errors.usage("model: strict is true or false") end
  check_columns(definition.columns)
  check_clashes(definition)
  if has_lifecycle(definition) then require "weft.lifecycle".read(definition) end
  return setmetatable(definition, Definition)
end

function M.is_definition(value) return getmetatable(value) == Definition end

local function key_list(key)
  if key == nil then return nil end
  return type(key) == "table" and key or { key }
end

---Columns in the order of their names, as core.model takes them.
local function column_list(columns)
  local names, list, lazy = {}, {}, nil
  for name in pairs(columns or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local options = columns[name]
    if type(options) == "string" then options = { as = options } end
    list[#list + 1] = { name = name, as = options.as, lazy = options.lazy }
    if options.lazy then
      lazy = lazy or {}
      lazy[name] = true
    end
  end
  return list, lazy
end

---A scope as a method of queries.
local function scope_of(name, fn)
  return function(...)
    local made = fn(...)
    if made == nil then errors.usage("the scope '%s' returned nothing: it is to return a query", name) end
    return made
  end
end

---What queries of the model can do: the usual methods, over them those of its lifecycle, and its scopes.
local function query_methods(definition, life)
  if not life and (not definition.scopes or next(definition.scopes) == nil) then return query.methods end
  local methods = {}
  for name, fn in pairs(query.methods) do methods[name] = fn end
  if life then require "weft.lifecycle.query".install(methods, life) end
  for name, fn in pairs(definition.scopes or {}) do methods[name] = scope_of(name, fn) end
  return methods
end

---The model of a definition on a database.
---@param db weft.Database
---@param label string "product_service.Product": the database's name comes first
---@param definition weft.ModelDefinition
---@param alternatives string[] names of tables to look for
---@param options { decimals?: string, zone_utc?: boolean, naming?: table } of the database
function M.bind(db, label, definition, alternatives, options)
  local columns, lazy = column_list(definition.columns)
  local associations = {}
  for name, association in pairs(definition.associations or {}) do associations[name] = association end
  local life = has_lifecycle(definition) and require "weft.lifecycle".new(definition) or nil
  local info = {
    label = label,
    database = label:match "^[^.]*",
    db = db,
    defined = definition.associations or {},
    described = definition.columns or {},
    scopes = definition.scopes or {},
    associations = associations,
    wired = {},
    naming = options.naming,
    strict = definition.strict,
    table = definition.table or alternatives[1],
    schema = definition.schema,
    alternatives = not definition.table and alternatives or nil,
    key = key_list(definition.primary_key),
    columns = columns,
    decimals = options.decimals,
    zone_utc = options.zone_utc,
    lazy = lazy,
    methods = definition.methods,
    soft_delete = definition.soft_delete,
    lifecycle = life,
    before_query = life and life.hooks.before_query ~= nil,
    query_methods = query_methods(definition, life),
  }
  if life then life.info = info end
  return core.model(db, info)
end

return M
