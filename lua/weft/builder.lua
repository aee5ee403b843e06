-- SPDX-License-Identifier: MIT
-- The schema builder of migrations. A step describes what a table is afterwards; what must be said to the database
-- follows from comparing it with what it was (schema_diff, ddl). The builder keeps the schema as its steps leave it.

local core = require "weft.core"
local column_types = require "weft.builder.column_types"
local ddl = require "weft.ddl.statements"
local diff = require "weft.schema.diff"
local errors = require "weft.errors"
local names = require "weft.ddl.names"
local rename = require "weft.schema.rename"
local tables = require "weft.builder.table"
local transaction = require "weft.transaction"

---@class weft.SchemaBuilder
---@field dialect "postgres"|"sqlite"|"mysql"
---@field sql weft.DdlDialect
---@field db weft.Database?
---@field blind boolean? statements that were not run may have made what cannot be seen
local Builder = {}
Builder.__index = Builder
Builder.__name = "weft.schema_builder"

local M = {}

-- The schema so far -----------------------------------------------------------------------------

local lists = { "tables", "views", "enums", "domains", "types", "sequences" }

---What is known is read again when it is next asked for; of a database that is not touched it is all there is.
function Builder:forget()
  if self.db and not self.dry then self.model = nil end
  self.blind = self.dry
end

local function empty()
  local model = {}
  for _, name in ipairs(lists) do model[name] = {} end
  return model
end

---What is known of the database, as plain tables of the builder's own.
function Builder:known()
  if not self.model then self.model = self.db and rename.copy(self.db:schema():model()) or empty() end
  return self.model
end

---The same model with lists of its own, to be changed.
local function shallow(model)
  local made = {}
  for key, value in pairs(model) do made[key] = value end
  for _, name in ipairs(lists) do made[name] = { table.unpack(model[name] or {}) } end
  return made
end

local function place_of(list, key)
  for i, object in ipairs(list) do
    if object.key == key then return i, object end
  end
end

local function keys_of(list)
  local keys = {}
  for i, object in ipairs(list) do keys[i] = object.key end
  return keys
end

---An object that a name makes: "schema.name" where there are schemas.
function Builder:named(name)
  if type(name) ~= "string" or name == "" then errors.usage("a name is text, got %s", name == "" and "none" or type(name)) end
  local schema, bare = name:match "^([^.]+)%.([^.]+)$"
  if self.dialect == "sqlite" or not schema then return { name = name, key = name, visible = true } end
  return { name = bare, schema = schema, key = name }
end

---A table that is there. Of one that nobody can look at PostgreSQL needs to know no more than its name.
function Builder:find(name)
  local model = self:known()
  local _, t = place_of(model.tables, self:named(name).key)
  if t then return t end
  local seen = self.db and not self.blind
  if seen or self.dialect ~= "postgres" then
    local near = core.nearest(name, keys_of(model.tables))
    local why = seen and "" or self.db and " yet: what statements before it make is seen when they have run, in a migration before this one"
      or " among those made here: to change others, the builder needs the database"
    errors.usage("there is no table '%s'%s%s", name, near and ("; did you mean '%s'?"):format(near) or "", why)
  end
  t = tables.empty(self, name)
  t.unknown = true
  table.insert(model.tables, t)
  return t
end

---What a foreign key points to: a table that is there, the one that is being made, or one that will be.
function Builder:target(name, own)
  local target = self:named(name)
  if own.key == target.key then return own end
  local _, t = place_of(self:known().tables, target.key)
  return t or target
end

---The type and kind of a column that points to a table.
function Builder:key_type(name, own)
  local t = self:target(name, own)
  local key = t.primary_key and #t.primary_key == 1 and t.primary_key[1]
  for _, column in ipairs(key and t.columns or {}) do
    if column.name == key then return column.type, column.kind end
  end
  return column_types.reference(self.dialect), "integer"
end

---A column of a table that nobody could look at: it must have been there.
function Builder.assume_column(_, draft, name, hint)
  local column = { name = name, type = "", nullable = true }
  for key, value in pairs(hint) do column[key] = value end
  table.insert(draft.before.columns, rename.copy(column))
  table.insert(draft.table.columns, column)
  return column
end

---The same of an index or constraint, which is gone afterwards.
function Builder.assume_part(_, draft, what, list, given)
  local endings = { index = "idx", unique = "key", foreign_key = "fkey", check = "check" }
  local columns = type(given) == "table" and given or {}
  local name = type(given) == "string" and given or names.of(draft.table.name, columns, endings[what])
  table.insert(draft.before[list], { name = name, columns = columns, parts = {}, target = {}, expression = "true" })
end

function Builder.check_labels(_, labels)
  if type(labels) ~= "table" or #labels == 0 then errors.usage "an enum is a list of labels" end
  for _, label in ipairs(labels) do
    if type(label) ~= "string" then errors.usage("a label of an enum is text, got %s", type(label)) end
  end
end

-- Running -------------------------------------------------------------------------------------

---Runs steps in order on one connection: those that a transaction undoes in one, the others outside of it.
---@param db weft.Database
---@param list weft.Statement[]
function M.run(db, list)
  db:session(function()
    local open = false
    for _, step in ipairs(list) do
      if step.transactional ~= open then core.verbatim(db, step.transactional and "begin" or "commit") end
      open = step.transactional
      core.verbatim(db, step.sql)
    end
    if open then core.verbatim(db, "commit") end
  end)
end

---Runs steps through whatever is open here.
function Builder:run(list)
  for _, step in ipairs(list) do self.list[#self.list + 1] = step end
  if not self.db or self.dry or #list == 0 then return end
  if not core.tx_current(self.db) then return M.run(self.db, list) end
  local inside = self.dialect == "sqlite" and transaction.current(self.db).what == "transaction"
  for _, step in ipairs(list) do -- SQLite's pragmas do nothing inside of one, and the next step minds that
    if step.transactional or not inside then core.verbatim(self.db, step.sql) end
  end
end

---What leads from the schema so far to another, of which `changes` tells.
local function apply(self, changes, new, options)
  local was, old = diff.models(changes), self:known()
  old = shallow(old)
  for _, list in ipairs { "tables", "views" } do -- as renames leave them
    for _, object in ipairs(was[list] or {}) do
      local i = place_of(old[list], object.key) or place_of(old[list], object.was)
      if i then old[list][i] = object end
    end
  end
  local more = { old = old, new = new }
  for key, value in pairs(options or {}) do more[key] = value end
  self:run(ddl.alter(changes, self.dialect, more))
  self.model = new
end

local function one(list) return { tables = list, views = {} } end

---Puts enums into a schema that it has not yet; returns these.
local function add_enums(new, enums)
  local added = {}
  for _, enum in ipairs(enums) do
    if not place_of(new.enums, enum.key) then
      table.insert(new.enums, enum)
      added[#added + 1] = enum
    end
  end
  return added
end

---Takes enums out of a schema that no column is of any more; returns these.
local function drop_enums(new, keys)
  local used, gone = {}, {}
  for _, t in ipairs(new.tables) do
    for _, column in ipairs(t.columns) do used[column.enum or 0] = true end
  end
  for _, key in ipairs(keys) do
    local i = not used[key] and place_of(new.enums, key)
    if i then gone[#gone + 1] = table.remove(new.enums, i) end
  end
  return gone
end

---Changes one table that is there: `fn` describes it.
local function change_table(self, name, fn, options)
  local t = self:find(name)
  local draft = tables.new(self, rename.copy(t))
  draft.before = rename.copy(t)
  fn(draft)
  local new, renames = shallow(self:known()), {}
  new.tables[place_of(new.tables, t.key)] = draft.table
  for from, to in pairs(draft.renames) do renames[t.key .. "." .. from] = t.key .. "." .. to end
  local gone, added = drop_enums(new, draft.gone_enums), add_enums(new, draft.enums)
  local changes = diff.changes({ tables = { draft.before }, enums = gone }, { tables = { draft.table }, enums = added },
    { renames = next(renames) and renames or nil })
  apply(self, changes, new, options)
end

function Builder.rename_in(_, draft, from, to)
  local first = from
  for old, new in pairs(draft.renames) do
    if new == from then first = old end
  end
  draft.renames[first] = to
  rename.columns({ tables = { draft.table } }, draft.table, { [from] = to })
end

-- Tables --------------------------------------------------------------------------------------

local table_options = { "comment", "strict", "without_rowid", "engine", "charset", "collation", "partition_by" }

local function describe(self, name, options, fn)
  if fn == nil then options, fn = nil, options end
  if type(fn) ~= "function" then errors.usage("create_table takes a name and a function that describes the table") end
  options = options or {}
  errors.check_names(options, table_options, "option of create_table")
  local t = tables.empty(self, name)
  for key, value in pairs(options) do t[key] = value end
  if not self.sql.has_comments then t.comment = nil end
  if t.partition_by then t.kind = "partitioned" end
  local draft = tables.new(self, t)
  fn(draft)
  return draft
end

---Makes a table: s:create_table("users", function(t) t:id() t:string("name", 80, { null = false }) end)
---@param name string "users" or "schema.users"
---@param options weft.TableOptions|fun(t: weft.TableBuilder) may be left out
---@param fn? fun(t: weft.TableBuilder)
function Builder:create_table(name, options, fn)
  if place_of(self:known().tables, self:named(name).key) then errors.usage("there is a table '%s' already", name) end
  local draft = describe(self, name, options, fn)
  local new = shallow(self:known())
  table.insert(new.tables, draft.table)
  apply(self, diff.changes({ tables = {} }, { tables = { draft.table }, enums = add_enums(new, draft.enums) }), new)
end

---Drops a table. With the function that described it the step has a reverse, and its enums go, too.
---@param name string
---@param options? table|fun(t: weft.TableBuilder)
---@param fn? fun(t: weft.TableBuilder)
function Builder:drop_table(name, options, fn)
  local t = self:find(name)
  local new = shallow(self:known())
  table.remove(new.tables, (place_of(new.tables, t.key)))
  local enums = drop_enums(new, keys_of((options or fn) and describe(self, name, options, fn).enums or {}))
  apply(self, diff.changes({ tables = { t }, enums = enums }, one {}), new)
end

---@param name string
---@param fn fun(t: weft.TableBuilder) describes what changes
function Builder:alter_table(name, fn)
  if type(fn) ~= "function" then errors.usage "alter_table takes a name and a function that describes the changes" end
  change_table(self, name, fn)
end

function Builder:rename_table(from, to)
  local t, target = self:find(from), self:named(to)
  if place_of(self:known().tables, target.key) then errors.usage("there is a table '%s' already", to) end
  if t.schema and not target.schema then target.schema = t.visible and t.schema or nil end
  local new = rename.copy(self:known())
  local _, renamed = place_of(new.tables, t.key)
  rename.table(new, renamed, target)
  local changes = diff.changes(one { t }, one { renamed }, { renames = { [t.key] = target.key } })
  diff.models(changes).tables[1].was = t.key
  apply(self, changes, new)
end

-- Steps on one table --------------------------------------------------------------------------

---An index. On PostgreSQL `concurrently` lets others write meanwhile; such a step runs outside of a transaction.
---@param name string the table
---@param columns string|weft.Raw|(string|weft.Raw|table)[]
---@param options? weft.IndexOptions
function Builder:add_index(name, columns, options)
  change_table(self, name, function(t) t:index(columns, options) end, { concurrently = options and options.concurrently or nil })
end

---@param name string the table
---@param index string|string[] its name or its columns
function Builder:drop_index(name, index) change_table(self, name, function(t) t:drop_index(index) end) end

---A foreign key. With `valid = false` old rows are not looked at (PostgreSQL) until validate_foreign_key.
---@param name string the table
---@param columns string|string[]
---@param target string
---@param options? weft.ForeignKeyOptions
function Builder:add_foreign_key(name, columns, target, options)
  change_table(self, name, function(t) t:foreign_key(columns, target, options) end)
end

function Builder:drop_foreign_key(name, key) change_table(self, name, function(t) t:drop_foreign_key(key) end) end

local function find_part(list, given)
  for _, object in ipairs(list) do
    local same = type(given) == "table" and table.concat(object.columns, "\0") == table.concat(given, "\0")
    if object.name == given or same then return object end
  end
end

---Looks at the old rows of a key that was added with `valid = false`. Elsewhere than on PostgreSQL that is done already.
---@param name string the table
---@param key string|string[] its name or its columns
function Builder:validate_foreign_key(name, key)
  if self.dialect ~= "postgres" then return end
  local t = self:find(name)
  local found = find_part(t.foreign_keys, key)
  if not found and not t.unknown then errors.usage("%s has no such foreign key", t.key) end
  local constraint = found and found.name or type(key) == "string" and key or names.of(t.name, key, "fkey")
  if found then found.valid = true end
  self:run { { sql = ("alter table %s validate constraint %s"):format(self.sql:name_of(t), self.sql:quote(constraint)),
    destructive = false, transactional = true } }
end

---@param name string the table
---@param condition string|weft.Raw SQL
---@param options? { name: string?, valid: boolean? }
function Builder:add_check(name, condition, options) change_table(self, name, function(t) t:check(condition, options) end) end
function Builder:drop_check(name, check) change_table(self, name, function(t) t:drop_check(check) end) end
function Builder:add_unique(name, columns, options) change_table(self, name, function(t) t:unique(columns, options) end) end
function Builder:drop_unique(name, unique) change_table(self, name, function(t) t:drop_unique(unique) end) end

---@param name string the table
---@param column string
---@param type string portable word or SQL type
---@param options? weft.NewColumn
function Builder:add_column(name, column, type, options) change_table(self, name, function(t) t:column(column, type, options) end) end
function Builder:drop_column(name, column) change_table(self, name, function(t) t:drop_column(column) end) end
function Builder:rename_column(name, from, to) change_table(self, name, function(t) t:rename_column(from, to) end) end
function Builder:change_column(name, column, type, options)
  change_table(self, name, function(t) t:change_column(column, type, options) end)
end

-- Enums, views, anything else -------------------------------------------------------------------

local function postgres_only(self, what)
  if self.dialect ~= "postgres" then
    errors.raise("unsupported", ("%s: only PostgreSQL has enums of their own; t:enum works on every database"):format(what))
  end
end

---Puts an object into a list of the schema, or takes it out, or both.
local function change_object(self, list, from, to)
  local new = shallow(self:known())
  local i = from and place_of(new[list], from.key)
  if i then from = table.remove(new[list], i) end
  if to then table.insert(new[list], to) end
  apply(self, diff.changes({ tables = {}, [list] = { from } }, { tables = {}, [list] = { to } }), new)
end

---@param name string
---@param labels string[]
function Builder:create_enum(name, labels)
  postgres_only(self, "create_enum")
  self:check_labels(labels)
  local enum = self:named(name)
  enum.values = labels
  change_object(self, "enums", nil, enum)
end

---@param name string
---@param labels? string[] what it has, so that the step has a reverse
function Builder:drop_enum(name, labels)
  postgres_only(self, "drop_enum")
  local enum = self:named(name)
  enum.values = labels or {}
  change_object(self, "enums", enum, nil)
end

---Adds a label to an enum.
---@param name string
---@param label string
---@param options? { before: string?, after: string? } last unless given
function Builder:alter_enum_add(name, label, options)
  postgres_only(self, "alter_enum_add")
  self:check_labels { label }
  options = options or {}
  errors.check_names(options, { "before", "after" }, "option of alter_enum_add")
  local neighbour = options.before or options.after
  local place = neighbour and (" %s %s"):format(options.before and "before" or "after", self.sql:text(neighbour)) or ""
  self:run { { sql = ("alter type %s add value %s%s"):format(self.sql:name_of(self:named(name)), self.sql:text(label), place),
    destructive = false, transactional = true, comment = "the transaction that adds a label cannot use it" } }
  self:forget()
end

---@param name string
---@param definition string|weft.Raw the select
---@param options? { materialized: boolean? }
function Builder:create_view(name, definition, options)
  options = options or {}
  errors.check_names(options, { "materialized" }, "option of create_view")
  if options.materialized and self.dialect ~= "postgres" then
    errors.raise("unsupported", "create_view: only PostgreSQL has materialized views")
  end
  local view = self:named(name)
  view.kind, view.columns = options.materialized and "materialized_view" or "view", {}
  view.definition = tables.sql("create_view", definition)
  change_object(self, "views", nil, view)
end

---@param name string
---@param definition? string the select, so that the step has a reverse
---@param options? { materialized: boolean? }
function Builder:drop_view(name, definition, options)
  local view = self:named(name)
  local _, known = place_of(self:known().views, view.key)
  view.kind, view.columns = options and options.materialized and "materialized_view" or "view", {}
  view.definition = definition and tables.sql("drop_view", definition) or ""
  change_object(self, "views", known or view, nil)
end

---Any statement. What it does to the schema is read again when it matters.
---@param sql string|weft.Raw
---@param reverse? string|weft.Raw what undoes it
function Builder:execute(sql, reverse)
  if reverse ~= nil then tables.sql("execute: the reverse", reverse) end
  self:run { { sql = tables.sql("execute", sql), destructive = false, transactional = self.dialect ~= "mysql" } }
  self:forget()
end

---The statements made so far.
---@return weft.Statement[]
function Builder:statements() return self.list end

---Does the opposite of what `fn` would do, last step first. Raises unsupported where a step has no opposite.
---@param fn fun(s: weft.SchemaBuilder)
function Builder:revert(fn) require("weft.builder.reverse").revert(self, fn) end

M.Builder = Builder

---A builder. With a database each step runs at once, in the transaction or session that is open, else in one of its own;
---with the name of a dialect, or `dry`, statements are only made.
---@param db weft.Database|"postgres"|"sqlite"|"mysql"
---@param options? { dry: boolean? }
---@return weft.SchemaBuilder
function M.new(db, options)
  options = options or {}
  errors.check_names(options, { "dry" }, "option of builder")
  local dialect = type(db) == "string" and db or core.dialect(db)
  return setmetatable({ db = type(db) ~= "string" and db or nil, dialect = dialect, sql = ddl.dialect(dialect), list = {}, dry = options.dry },
    Builder)
end

return M
