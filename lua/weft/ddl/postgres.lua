-- SPDX-License-Identifier: MIT
-- Schema objects in PostgreSQL's SQL. How they are changed is in ddl_postgres_alter.

local errors = require "weft.errors"
local order = require "weft.ddl.order"
local Sql = require "weft.ddl.sql"

---@class weft.DdlDialect
local Postgres = Sql.new { name = "postgres" }

---What need not be made anew to be changed.
Postgres.in_place = { index = { comment = true }, foreign_key = { valid = true }, check = { valid = true } }

local LONGEST <const> = 63 -- bytes; the server would cut more off

function Postgres:quote(name)
  if type(name) == "string" and #name > LONGEST then errors.usage("a name has at most %d bytes on PostgreSQL: '%s'", LONGEST, name) end
  return Sql.quote(self, name)
end

-- Columns and tables --------------------------------------------------------------------------

function Postgres:column_options(column)
  local words = Sql.column_options(self, column)
  if column.identity then words[#words + 1] = ("generated %s as identity"):format(column.identity) end
  return words
end

---@param type_name string
function Postgres:enum_column(column, labels, type_name)
  column.type, column.enum = self:quote(type_name), type_name
  return { name = type_name, key = type_name, visible = true, values = labels }
end

---What a child has from its parents is not said again.
function Postgres.own_columns(_, t)
  if not t.inherits then return t.columns end
  local list = {}
  for _, column in ipairs(t.columns) do
    if not column.inherited then list[#list + 1] = column end
  end
  return list
end

function Postgres:constraints(t)
  local list = Sql.constraints(self, t)
  for _, exclusion in ipairs(t.exclusions or {}) do list[#list + 1] = self:named(exclusion.name) .. exclusion.definition end
  return list
end

---The table that has a key ("table" or "schema.table"), quoted.
function Postgres:key(key, model)
  for _, t in ipairs(model.tables or {}) do
    if t.key == key then return self:name_of(t) end
  end
  return self:quote(key)
end

local function storage(options) return options and #options > 0 and (" with (%s)"):format(table.concat(options, ", ")) or "" end

function Postgres:table_options(t, model)
  local text = ""
  if t.inherits and #t.inherits > 0 then
    local parents = {}
    for i, key in ipairs(t.inherits) do parents[i] = self:key(key, model) end
    text = (" inherits (%s)"):format(table.concat(parents, ", "))
  end
  if t.partition_by then text = text .. " partition by " .. t.partition_by end
  return text .. storage(t.options)
end

---A default that an inherited column has of its own.
local function own_defaults(self, t)
  local list = {}
  for _, column in ipairs(t.inherits and t.columns or {}) do
    if column.inherited and column.default ~= nil and not column.generated then
      list[#list + 1] = ("alter table %s alter column %s set default %s"):format(self:name_of(t), self:quote(column.name),
        column.default)
    end
  end
  return list
end

function Postgres:create_partition(parent, partition)
  local text = ("create table %s partition of %s %s"):format(self:name_of(partition), self:name_of(parent), partition.bound)
  return partition.partition_by and ("%s partition by %s"):format(text, partition.partition_by) or text
end

local function add_partitions(self, list, parent)
  for _, partition in ipairs(parent.partitions or {}) do
    list[#list + 1] = self:create_partition(parent, partition)
    add_partitions(self, list, partition)
  end
end

function Postgres:after_table(t)
  local list = own_defaults(self, t)
  add_partitions(self, list, t)
  for _, check in ipairs(t.checks or {}) do -- old rows need not pass it: there may be some
    if check.valid == false then list[#list + 1] = self:add_check(t, check) end
  end
  return list
end

function Postgres:add_check(t, check)
  return ("alter table %s add %s%s"):format(self:name_of(t), self:check(check), check.valid == false and " not valid" or "")
end

-- Indexes and views ---------------------------------------------------------------------------

function Postgres:create_index(t, index, concurrently)
  local words = { "create" }
  if index.unique then words[#words + 1] = "unique" end
  words[#words + 1] = concurrently and "index concurrently" or "index"
  words[#words + 1] = ("%s on %s using %s (%s)"):format(self:quote(index.name), self:name_of(t), index.method or "btree",
    self:index_parts(index))
  if index.include and #index.include > 0 then words[#words + 1] = ("include (%s)"):format(self:names(index.include)) end
  if index.nulls_distinct == false then words[#words + 1] = "nulls not distinct" end
  local text = table.concat(words, " ") .. storage(index.options)
  return index.where and ("%s where %s"):format(text, index.where) or text
end

function Postgres.view_word(_, view) return view.kind == "materialized_view" and "materialized view" or "view" end

function Postgres:create_view(view)
  return ("create %s %s%s as %s"):format(self:view_word(view), self:name_of(view), storage(view.options),
    self.without_end(view.definition))
end

function Postgres:drop_view(view) return ("drop %s %s"):format(self:view_word(view), self:name_of(view)) end

-- Comments ------------------------------------------------------------------------------------

---@param what string "table", "column"...
---@param name string quoted
---@param comment string? nil takes it away
function Postgres:comment(what, name, comment) return ("comment on %s %s is %s"):format(what, name, self:literal(comment)) end

local kinds = { view = "view", materialized_view = "materialized view", foreign = "foreign table" }

function Postgres:column_name(t, column) return self:name_of(t) .. "." .. self:quote(column.name) end

function Postgres:index_name(t, index) return self:name_of { schema = t.schema, visible = t.visible, name = index.name } end

function Postgres:comments(t)
  local list = {}
  if t.comment then list[1] = self:comment(kinds[t.kind] or "table", self:name_of(t), t.comment) end
  for _, column in ipairs(t.columns) do
    if column.comment then list[#list + 1] = self:comment("column", self:column_name(t, column), column.comment) end
  end
  for _, index in ipairs(t.indexes or {}) do
    if index.comment then list[#list + 1] = self:comment("index", self:index_name(t, index), index.comment) end
  end
  return list
end

-- Types and sequences -------------------------------------------------------------------------

local create = {}

function create.enum(self, enum)
  local labels = {}
  for i, label in ipairs(enum.values) do labels[i] = self:text(label) end
  return ("create type %s as enum (%s)"):format(self:name_of(enum), table.concat(labels, ", "))
end

function create.domain(self, domain)
  local words = { ("create domain %s as %s"):format(self:name_of(domain), domain.type) }
  if domain.default ~= nil then words[#words + 1] = "default " .. domain.default end
  if not domain.nullable then words[#words + 1] = "not null" end
  for _, check in ipairs(domain.checks or {}) do words[#words + 1] = self:check(check) end
  return table.concat(words, " ")
end

function create.type(self, row_type)
  local attributes = {}
  for i, attribute in ipairs(row_type.attributes) do attributes[i] = self:quote(attribute.name) .. " " .. attribute.type end
  return ("create type %s as (%s)"):format(self:name_of(row_type), table.concat(attributes, ", "))
end

function create.sequence(self, sequence)
  return ("create sequence %s as %s increment by %d minvalue %d maxvalue %d start with %d%s"):format(self:name_of(sequence),
    sequence.type or "bigint", sequence.increment, sequence.min, sequence.max, sequence.start, sequence.cycle and " cycle" or "")
end

---The statement that makes an enum, a domain, a composite type or a sequence.
---@param what "enum"|"domain"|"type"|"sequence"
function Postgres:create_object(what, object) return create[what](self, object) end

local words = { enum = "type", type = "type", domain = "domain", sequence = "sequence" }

function Postgres:drop_object(what, object) return ("drop %s %s"):format(words[what], self:name_of(object)) end

function Postgres:object_comment(what, object) return self:comment(words[what], self:name_of(object), object.comment) end

---What the texts of a type may name.
local function texts_of(entry)
  local object = entry.object
  local list = { object.type or "", object.default or "" }
  for _, check in ipairs(object.checks or {}) do list[#list + 1] = check.expression end
  for _, attribute in ipairs(object.attributes or {}) do list[#list + 1] = attribute.type end
  return list
end

---Enums, domains and composite types, those first that others are made of.
---@param model weft.Model
---@return { what: string, object: table, name: string }[]
function Postgres.types_in_order(_, model)
  local list = {}
  for _, kind in ipairs { { "enum", "enums" }, { "domain", "domains" }, { "type", "types" } } do
    for _, object in ipairs(model[kind[2]] or {}) do
      list[#list + 1] = { what = kind[1], object = object, name = object.name }
    end
  end
  return order.by_words(list, texts_of)
end

function Postgres:create_types(model)
  local list = {}
  local function add(what, object)
    list[#list + 1] = self:create_object(what, object)
    if object.comment then list[#list + 1] = self:object_comment(what, object) end
  end
  for _, name in ipairs(model.schemas or {}) do
    if name ~= "public" then list[#list + 1] = "create schema if not exists " .. self:quote(name) end
  end
  for _, sequence in ipairs(model.sequences or {}) do add("sequence", sequence) end
  for _, entry in ipairs(self:types_in_order(model)) do add(entry.what, entry.object) end
  return list
end

function Postgres:owned_by(sequence, model)
  local owner = sequence.owned_by
  return ("alter sequence %s owned by %s"):format(self:name_of(sequence),
    owner and self:key(owner.table, model) .. "." .. self:quote(owner.column) or "none")
end

function Postgres:after_tables(model)
  local list = {}
  for _, sequence in ipairs(model.sequences or {}) do
    if sequence.owned_by then list[#list + 1] = self:owned_by(sequence, model) end
  end
  return list
end

-- Triggers ------------------------------------------------------------------------------------

---Its function comes first, unless it is the server's or an extension's.
function Postgres:create_trigger(trigger)
  if not trigger.statement then return {} end
  local list = { trigger["function"] and self.without_end(trigger["function"]) or nil }
  list[#list + 1] = self.without_end(trigger.statement)
  return list
end

return Postgres
