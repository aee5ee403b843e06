-- SPDX-License-Identifier: MIT
-- What `t` is in create_table and alter_table: a table that is being described. Nothing is sent from here: the builder
-- compares the table with what it was.

local core = require "weft.core"
local column_types = require "weft.builder.column_types"
local errors = require "weft.errors"
local naming = require "weft.naming"
local plans = require "weft.ddl.plan"
local names = require "weft.ddl.names"

---@class weft.NewColumn options of a column
---@field null? boolean false: takes no NULL
---@field default? any a value; weft.raw says SQL
---@field unique? boolean
---@field primary_key? boolean
---@field check? string|weft.Raw SQL
---@field comment? string
---@field collation? string
---@field generated? string|weft.Raw|table SQL, stored unless { "n * 2", stored = false }
---@field index? boolean|weft.IndexOptions
---@field references? string a table, whose primary key it points to
---@field on_delete? "no action"|"restrict"|"cascade"|"set null"|"set default"
---@field on_update? "no action"|"restrict"|"cascade"|"set null"|"set default"

---@class weft.IndexOptions
---@field name? string
---@field unique? boolean
---@field where? string|weft.Raw SQL
---@field method? string
---@field include? string[]
---@field order? "desc"
---@field length? integer of each text (MySQL)
---@field comment? string
---@field concurrently? boolean add_index on PostgreSQL: others write meanwhile

---@class weft.ForeignKeyOptions
---@field name? string
---@field target? string|string[] columns there; the primary key unless given
---@field on_delete? string
---@field on_update? string
---@field match? "full"
---@field deferrable? boolean
---@field initially_deferred? boolean
---@field valid? boolean false: old rows are not looked at (PostgreSQL)

---@class weft.TableOptions
---@field comment? string
---@field strict? boolean SQLite
---@field without_rowid? boolean SQLite
---@field engine? string MySQL
---@field charset? string MySQL
---@field collation? string MySQL
---@field partition_by? string "range (at)"

---@class weft.TableBuilder
---@field table weft.Table the table as it is described so far
---@field builder weft.SchemaBuilder
---@field renames table<string, string>
---@field enums weft.Enum[] that come with it
---@field gone_enums string[] types that go unless another column is of them
---@field before weft.Table? what it was, when it is altered
local Table = {}
Table.__index = Table

local M = { Table = Table }

-- Checking ------------------------------------------------------------------------------------

local column_options = {
  "null", "default", "unique", "primary_key", "check", "comment", "collation", "generated", "index", "references", "on_delete", "on_update",
}
M.column_options = column_options

local actions = { "no action", "restrict", "cascade", "set null", "set default" }

local function check_text(what, value)
  if type(value) ~= "string" or value == "" then errors.usage("%s is text, got %s", what, value == "" and "none" or type(value)) end
  return value
end

---SQL that is asked for as such: text, or weft.raw.
function M.sql(what, value)
  local meta = type(value) == "table" and getmetatable(value)
  if meta and meta.__name == "weft.raw" then
    if value.n and value.n > 1 then errors.usage("%s: weft.raw takes no parameters here", what) end
    return value[1]
  end
  return check_text(what, value)
end

local function list_of(value, what)
  local list = type(value) == "table" and value or { value }
  if #list == 0 then errors.usage("%s names at least one column", what) end
  return list
end

local function names_of(t)
  local list = {}
  for i, column in ipairs(t.columns) do list[i] = column.name end
  return list
end

local function find_column(t, name)
  for _, column in ipairs(t.columns) do
    if column.name == name then return column end
  end
end

---A column that is there; what is known of a table that nobody could look at is that it must have been.
---@param name string
---@param hint? table what the column must have been like
function Table:existing(name, hint)
  local column = find_column(self.table, check_text("a column", name))
  if column then return column end
  if not self.table.unknown then
    local near = core.nearest(name, names_of(self.table))
    errors.usage("unknown column '%s' of %s%s", name, self.table.key, near and ("; did you mean '%s'?"):format(near) or "")
  end
  return self.builder:assume_column(self, name, hint or {})
end

local function check_columns(self, list)
  for _, name in ipairs(list) do self:existing(name) end
  return list
end

-- Columns -------------------------------------------------------------------------------------

---The generation of a column: "price * n", or { "price * n", stored = false }.
local function read_generated(column, given)
  local own = type(given) == "table" and getmetatable(given) == nil
  if own then errors.check_names(given, { 1, "stored" }, "option of generated") end
  column.expression = M.sql("generated", own and given[1] or given)
  column.generated = own and given.stored == false and "virtual" or "stored"
end

---The parts of a table that options of a column ask for.
local function add_parts(self, column, options)
  local name = column.name
  if options.unique then self:unique { name } end
  if options.check ~= nil then self:check(options.check, { name = names.of(self.table.name, { name }, "check") }) end
  if options.references then
    self:foreign_key({ name }, options.references, { on_delete = options.on_delete, on_update = options.on_update })
  end
  if options.index then self:index(name, type(options.index) == "table" and options.index or nil) end
  if options.primary_key then self:primary_key { name } end
end

---What options say of a column itself.
function M.read_options(dialect, column, options)
  if options.null ~= nil and type(options.null) ~= "boolean" then errors.usage("column %s: null is true or false", column.name) end
  if options.null ~= nil then column.nullable = options.null or nil end
  if options.default ~= nil then column.default = dialect:own_default(column, dialect:literal(options.default)) end
  if options.default == core.null then column.default = nil end
  if dialect.has_comments then column.comment = options.comment or column.comment end
  column.collation = options.collation or column.collation
  if options.generated ~= nil then read_generated(column, options.generated) end
end

local function add_column(self, column, options)
  if type(options or {}) ~= "table" then errors.usage("column %s: options are a table", column.name) end
  options = options or {}
  errors.check_names(options, column_options, ("option of column %s:"):format(column.name))
  if find_column(self.table, column.name) then errors.usage("%s has a column '%s' already", self.table.key, column.name) end
  column.nullable = true
  M.read_options(self.builder.sql, column, options)
  self.table.columns[#self.table.columns + 1] = column
  add_parts(self, column, options)
  return column
end

---A column of any type that the database has.
---@param name string
---@param type string portable word or SQL type, as "decimal(10,2)"
---@param options? weft.NewColumn
function Table:column(name, type, options)
  if type == "id" then errors.usage("column %s: \"id\" is the key of a table, as t:id(); what points to one is a reference", name) end
  local spelled, kind = column_types.spelled(check_text("a type", type), self.builder.dialect)
  add_column(self, { name = check_text("a column", name), type = spelled, kind = kind }, options)
end

for _, word in ipairs(column_types.words) do
  if word ~= "string" and word ~= "decimal" then
    Table[word] = function(self, name, options)
      local type, kind = column_types.type(word, nil, self.builder.dialect)
      add_column(self, { name = check_text("a column", name), type = type, kind = kind }, options)
    end
  end
end

---Text of at most `length` characters (255).
function Table:string(name, length, options)
  if type(length) == "table" then length, options = nil, length end
  local type, kind = column_types.type("string", { length }, self.builder.dialect)
  add_column(self, { name = check_text("a column", name), type = type, kind = kind, length = length or 255 }, options)
end

---An exact number of `precision` digits (18), `scale` of them behind the point (2).
function Table:decimal(name, precision, scale, options)
  if type(precision) == "table" then precision, options = nil, precision end
  if type(scale) == "table" then scale, options = nil, scale end
  local type, kind = column_types.type("decimal", { precision, scale }, self.builder.dialect)
  add_column(self, { name = check_text("a column", name), type = type, kind = kind }, options)
end

---The primary key: a number that the database counts up.
---@param name? string "id" unless given
function Table:id(name)
  local column = column_types.id(self.builder.dialect)
  column.name = name or "id"
  add_column(self, column, { null = false })
  self:primary_key { column.name }
end

---created_at and updated_at, as `timestamps = true` of a model wants them.
function Table:timestamps()
  self:timestamptz("created_at", { null = false })
  self:timestamptz("updated_at", { null = false })
end

---One of some labels: PostgreSQL gets a type of its own (`type` names it, <table>_<column> unless given), SQLite a check.
---@param name string
---@param labels string[]
---@param options? weft.NewColumn
function Table:enum(name, labels, options)
  self.builder:check_labels(labels)
  local rest = {}
  for key, value in pairs(options or {}) do rest[key] = value end
  local type_name = rest.type or self:enum_name(name)
  rest.type = nil
  local column = { name = check_text("a column", name), kind = "string" }
  local enum, condition = self.builder.sql:enum_column(column, labels, type_name)
  self.enums[#self.enums + 1] = enum
  add_column(self, column, rest)
  if condition then self:check(condition, { name = names.of(self.table.name, { name }, "check") }) end
end

---The type of an enum that nobody named.
function Table:enum_name(column) return (names.of(self.table.name, { column }, "enum"):gsub("_enum$", "")) end

---A column that points to the primary key of another table: users -> user_id. It has an index unless `index = false`.
---@param target string
---@param options? weft.NewColumn more: column, type, target
function Table:references(target, options)
  local rest = {}
  for key, value in pairs(options or {}) do rest[key] = value end
  local bare = check_text("references: a table", target):match "([^.]*)$"
  local name = rest.column or naming.singular(bare) .. "_id"
  local keys = { on_delete = rest.on_delete, on_update = rest.on_update, target = rest.target }
  local column_type, kind = self.builder:key_type(target, self.table)
  if rest.type then column_type, kind = column_types.spelled(rest.type, self.builder.dialect) end
  local indexed = rest.index ~= false and not rest.unique and (rest.index or true)
  for _, key in ipairs { "column", "type", "target", "on_delete", "on_update", "index" } do rest[key] = nil end
  add_column(self, { name = name, type = column_type, kind = kind }, rest)
  if indexed then self:index(name, type(indexed) == "table" and indexed or nil) end
  self:foreign_key({ name }, target, keys)
end

-- Keys, indexes, checks -----------------------------------------------------------------------

---@param columns string|string[]
function Table:primary_key(columns)
  local list = check_columns(self, list_of(columns, "primary_key"))
  for _, column in ipairs(self.table.columns) do column.key = nil end
  self.table.primary_key = list
  for i, name in ipairs(list) do
    local column = find_column(self.table, name)
    column.key, column.nullable = i, nil
    if column.rowid and #list > 1 then column.rowid = nil end
  end
  local alone = #list == 1 and find_column(self.table, list[1])
  if self.builder.dialect == "sqlite" and alone and alone.type:lower() == "integer" and not self.table.without_rowid then alone.rowid = true end
  self.table.primary_key_name = self.builder.dialect == "postgres" and names.of(self.table.name, {}, "pkey") or nil
end

---@param columns string|string[]
---@param options? { name: string?, deferrable: boolean?, nulls_distinct: boolean? }
function Table:unique(columns, options)
  options = options or {}
  errors.check_names(options, { "name", "deferrable", "nulls_distinct" }, "option of unique")
  local list = check_columns(self, list_of(columns, "unique"))
  table.insert(self.table.uniques, { name = options.name or names.of(self.table.name, list, "key"), columns = list,
    deferrable = options.deferrable, nulls_distinct = options.nulls_distinct })
end

local index_options = { "name", "unique", "where", "method", "include", "order", "concurrently", "comment", "length" }

local function read_part(self, entry, options)
  if type(entry) == "string" then
    self:existing(entry)
    return { column = entry, order = options.order, length = options.length }
  end
  local meta = type(entry) == "table" and getmetatable(entry)
  if meta and meta.__name == "weft.raw" then return { expression = M.sql("index", entry), order = options.order } end
  if type(entry) ~= "table" then errors.usage "an index is of columns, weft.raw or { column, \"desc\" }" end
  self:existing(entry[1])
  return { column = entry[1], order = entry[2] == "desc" and "desc" or nil, opclass = entry.opclass, collation = entry.collation,
    nulls = entry.nulls, length = entry.length }
end

---An index of columns, or of expressions that weft.raw makes.
---@param columns string|weft.Raw|(string|weft.Raw|table)[] a part may be { column, "desc", opclass =, collation =, nulls =, length = }
---@param options? weft.IndexOptions
function Table:index(columns, options)
  local meta, merged = type(columns) == "table" and getmetatable(columns), {}
  local list = (meta and meta.__name == "weft.raw") and { columns } or list_of(columns, "index")
  for key, value in pairs(options or {}) do merged[key] = value end
  for key, value in pairs(list) do
    if type(key) == "string" then merged[key] = value end
  end
  errors.check_names(merged, index_options, "option of index")
  local parts, words = {}, {}
  for i, entry in ipairs(list) do
    parts[i] = read_part(self, entry, merged)
    words[i] = parts[i].column or "expr"
    local plain = parts[i].column and not merged.unique and not merged.method
    if plain and not parts[i].length then parts[i].length = self.builder.sql:index_length(self:existing(parts[i].column)) end
  end
  local index = { name = merged.name or names.of(self.table.name, words, "idx"), parts = parts, unique = merged.unique, valid = true,
    method = merged.method or self.builder.dialect ~= "sqlite" and "btree" or nil, comment = merged.comment,
    include = merged.include and check_columns(self, list_of(merged.include, "include")),
    where = merged.where ~= nil and M.sql("where", merged.where) or nil }
  table.insert(self.table.indexes, index)
end

local key_options = { "name", "target", "on_delete", "on_update", "match", "deferrable", "initially_deferred", "valid" }

local function check_action(dialect, event, action)
  if action ~= nil then errors.check_names({ [action] = true }, actions, "action of " .. event) end
  return dialect.actions[action] or action or "no action"
end

---A foreign key.
---@param columns string|string[]
---@param target string the table
---@param options? weft.ForeignKeyOptions
function Table:foreign_key(columns, target, options)
  options = options or {}
  errors.check_names(options, key_options, "option of foreign_key")
  local list = check_columns(self, list_of(columns, "foreign_key"))
  local other = self.builder:target(check_text("foreign_key: a table", target), self.table)
  local columns_there = options.target and list_of(options.target, "target") or other.primary_key or {}
  if #columns_there > 0 and #columns_there ~= #list then errors.usage("foreign_key: %d columns point to %d", #list, #columns_there) end
  table.insert(self.table.foreign_keys, {
    name = options.name or names.of(self.table.name, list, "fkey"), columns = list,
    table = other.name, schema = not other.visible and other.schema or nil, key = other.key,
    target = columns_there, on_delete = check_action(self.builder.sql, "on_delete", options.on_delete),
    on_update = check_action(self.builder.sql, "on_update", options.on_update),
    match = options.match, deferrable = options.deferrable or options.initially_deferred,
    initially_deferred = options.initially_deferred, valid = options.valid ~= false,
  })
end

---A condition that every row fulfils.
---@param condition string|weft.Raw SQL
---@param options? { name: string?, valid: boolean? }
function Table:check(condition, options)
  options = type(options) == "string" and { name = options } or options or {}
  errors.check_names(options, { "name", "valid" }, "option of check")
  local number = #self.table.checks + 1
  table.insert(self.table.checks, { name = options.name or names.of(self.table.name, number > 1 and { tostring(number) } or {}, "check"),
    expression = M.sql("check", condition), valid = options.valid ~= false })
end

-- Changes (alter_table) ------------------------------------------------------------------------

local lists = { index = "indexes", unique = "uniques", foreign_key = "foreign_keys", check = "checks" }

local function has(list, name)
  for _, entry in ipairs(list or {}) do
    if entry == name then return true end
  end
  return false
end

local function parts_of(object)
  if not object.parts then return object.columns end
  local list = {}
  for i, part in ipairs(object.parts) do list[i] = part.column or "" end
  return list
end

---Drops a column and what is made of it.
---@param name string
function Table:drop_column(name)
  local t = self.table
  local column = self:existing(name)
  for i, other in ipairs(t.columns) do
    if other == column then table.remove(t.columns, i) break end
  end
  for _, list in pairs(lists) do
    for i = #(t[list] or {}), 1, -1 do
      local object = t[list][i]
      if has(parts_of(object), name) or has(object.include, name) or plans.speaks_of(object, name) then table.remove(t[list], i) end
    end
  end
  if has(t.primary_key, name) then t.primary_key = {} end
end

function Table:rename_column(from, to)
  self:existing(from)
  check_text("a column", to)
  if find_column(self.table, to) then errors.usage("%s has a column '%s' already", self.table.key, to) end
  self.builder:rename_in(self, from, to)
end

---Another type, and what else is said of it.
---@param name string
---@param type string
---@param options? weft.NewColumn
function Table:change_column(name, type, options)
  local column = self:existing(name)
  options = options or {}
  errors.check_names(options, { "null", "default", "comment", "collation", "generated" }, ("option of column %s:"):format(name))
  local spelled, kind = column_types.spelled(check_text("a type", type), self.builder.dialect)
  for _, field in ipairs { "length", "precision", "scale", "enum", "values" } do column[field] = nil end
  column.type, column.kind = spelled, kind
  M.read_options(self.builder.sql, column, options)
end

function Table:set_default(name, value)
  local column, sql = self:existing(name), self.builder.sql
  column.default = sql:own_default(column, sql:literal(value))
end
function Table:drop_default(name) self:existing(name, { default = "''" }).default = nil end
---The column takes NULL.
function Table:set_null(name) self:existing(name).nullable = true end
---The column takes no NULL any more.
function Table:set_not_null(name) self:existing(name, { nullable = true }).nullable = nil end
function Table:set_comment(name, comment)
  if self.builder.sql.has_comments then self:existing(name).comment = comment end
end

---Drops by name or, of what has columns, by these.
local function drop(self, what, given)
  local list, wanted = self.table[lists[what]], type(given) == "table" and table.concat(given, "\0")
  for i, object in ipairs(list) do
    if object.name == given or wanted and table.concat(parts_of(object) or {}, "\0") == wanted then return table.remove(list, i) end
  end
  local all = {}
  for i, object in ipairs(list) do all[i] = object.name end
  local name = type(given) == "table" and table.concat(given, ", ") or tostring(given)
  if self.table.unknown then return self.builder:assume_part(self, what, lists[what], given) end
  local near = core.nearest(name, all)
  errors.usage("%s has no %s '%s'%s", self.table.key, what:gsub("_", " "), name, near and ("; did you mean '%s'?"):format(near) or "")
end

function Table:drop_index(name) drop(self, "index", name) end
function Table:drop_unique(name) drop(self, "unique", name) end
function Table:drop_foreign_key(name) drop(self, "foreign_key", name) end
function Table:drop_check(name) drop(self, "check", name) end
function Table:drop_primary_key() self.table.primary_key = {} end

---A table that has nothing yet.
---@param builder weft.SchemaBuilder
---@param name string
---@return weft.Table
function M.empty(builder, name)
  local t = builder:named(name)
  t.kind, t.primary_key = "table", {}
  for _, list in ipairs { "columns", "uniques", "indexes", "checks", "foreign_keys", "triggers", "exclusions" } do t[list] = {} end
  if builder.dialect == "mysql" then t.engine = "InnoDB" end
  return t
end

---@param builder weft.SchemaBuilder
---@param t weft.Table
---@return weft.TableBuilder
function M.new(builder, t) return setmetatable({ builder = builder, table = t, renames = {}, enums = {}, gone_enums = {} }, Table) end

return M
