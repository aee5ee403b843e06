-- SPDX-License-Identifier: MIT
-- How schema objects are written in SQL, as far as the databases agree. A dialect (ddl_postgres, ddl_sqlite, ddl_mysql) is
-- this with some functions replaced. Every name is quoted and every value is a literal: nothing is glued in.

local core = require "weft.core"
local errors = require "weft.errors"
local sql_text = require "weft.schema.sql_text"

---@class weft.DdlDialect
---@field name "postgres"|"sqlite"|"mysql"
---@field mark string around identifiers, doubled inside
---@field has_comments boolean
local Sql = { mark = '"', has_comments = true }
Sql.__index = Sql

---A dialect that differs from what is here by the fields of `own`.
---@param own table
---@return weft.DdlDialect
function Sql.new(own)
  own.__index = own
  return setmetatable(own, Sql)
end

-- Names and values ----------------------------------------------------------------------------

---@param name string
function Sql:quote(name)
  if type(name) ~= "string" or name == "" then errors.usage("a name is text, got %s", name == "" and "none" or type(name)) end
  if name:find("\0", 1, true) then errors.usage "a name holds no zero byte" end
  return self.mark .. name:gsub(self.mark, self.mark .. self.mark) .. self.mark
end

---Quoted names, separated by commas.
function Sql:names(list)
  local quoted = {}
  for i, name in ipairs(list) do quoted[i] = self:quote(name) end
  return table.concat(quoted, ", ")
end

---The name of a table, view, type or sequence, with its schema where the bare name would not find it.
function Sql:name_of(object)
  if object.schema and not object.visible then return self:quote(object.schema) .. "." .. self:quote(object.name) end
  return self:quote(object.name)
end

function Sql.text(_, value) return "'" .. value:gsub("'", "''") .. "'" end

function Sql.boolean(_, value) return value and "true" or "false" end

---A value as SQL: weft.raw says SQL itself, a table is JSON.
---@param value any
---@return string
function Sql:literal(value)
  if value == nil or value == core.null then return "null" end
  local kind = type(value)
  if kind == "boolean" then return self:boolean(value) end
  if kind == "string" then return self:text(value) end
  if math.type(value) == "integer" then return tostring(value) end
  if kind == "number" then
    if value ~= value or value - value ~= 0 then errors.usage "a number that is written in SQL is finite" end
    return ("%.17g"):format(value)
  end
  local meta = kind == "table" and getmetatable(value)
  if meta and meta.__name == "weft.raw" then
    if value.n and value.n > 1 then errors.usage "weft.raw takes no parameters where a schema is described" end
    return value[1]
  end
  if kind == "userdata" then return tostring(value) end -- a decimal
  if kind == "table" then return self:text(core.encode(value)) end
  errors.usage("a %s cannot be written in SQL", kind)
end

local bare_words = { null = true, ["true"] = true, ["false"] = true, current_timestamp = true, current_date = true, current_time = true }

---Whether an expression is one word or literal, which every database takes without brackets.
function Sql.is_plain(text)
  local list = sql_text.tokens(text)
  if #list == 2 and (list[1].value == "-" or list[1].value == "+") then return list[2].kind == "number" end
  if #list ~= 1 then return false end
  return list[1].kind == "string" or list[1].kind == "number" or list[1].kind == "word" and bare_words[list[1].value] or false
end

---A default as a new column has it.
function Sql.own_default(_, _, text) return text end

---Actions of keys that mean another one here.
Sql.actions = {}

---A default as it stands in a statement.
function Sql.default_text(_, text) return text end

---Labels as a list of literals.
function Sql:labels(list)
  local quoted = {}
  for i, label in ipairs(list) do quoted[i] = self:text(label) end
  return table.concat(quoted, ",")
end

---Makes a column one of some labels.
---@param column weft.Column
---@param labels string[]
---@return weft.Enum? enum what must be made first
---@return string? condition what the table must check
function Sql:enum_column(column, labels)
  column.type = "text"
  return nil, ("%s in (%s)"):format(self:quote(column.name), self:labels(labels))
end

-- Columns -------------------------------------------------------------------------------------

---What follows the type of a column.
---@param column weft.Column
function Sql:column_options(column)
  local words = {}
  if column.collation then words[#words + 1] = "collate " .. self:quote(column.collation) end
  if column.generated then
    words[#words + 1] = ("generated always as (%s) %s"):format(column.expression, column.generated)
  elseif column.default ~= nil then
    words[#words + 1] = "default " .. self:default_text(column.default)
  end
  if not column.nullable then words[#words + 1] = "not null" end
  return words
end

---@param column weft.Column
---@param t weft.Table? that it is made with
---@return string
function Sql:column(column, t)
  local words = { self:quote(column.name), column.type ~= "" and column.type or nil }
  for _, word in ipairs(self:column_options(column, t)) do words[#words + 1] = word end
  return table.concat(words, " ")
end

-- Constraints ---------------------------------------------------------------------------------

---`constraint name` where there is a name.
function Sql:named(name) return name and ("constraint %s "):format(self:quote(name)) or "" end

local function deferral(object)
  if object.initially_deferred then return " deferrable initially deferred" end
  return object.deferrable and " deferrable" or ""
end

function Sql:primary_key(name, columns) return ("%sprimary key (%s)"):format(self:named(name), self:names(columns)) end

function Sql:unique(unique)
  local nulls = unique.nulls_distinct == false and " nulls not distinct" or ""
  local include = unique.include and #unique.include > 0 and (" include (%s)"):format(self:names(unique.include)) or ""
  return ("%sunique%s (%s)%s%s"):format(self:named(unique.name), nulls, self:names(unique.columns), include, deferral(unique))
end

function Sql:check(check)
  return ("%scheck (%s)%s"):format(self:named(check.name), check.expression, check.no_inherit and " no inherit" or "")
end

function Sql:foreign_key(key)
  local target = self:name_of { schema = key.schema, name = key.table }
  local columns = #key.target > 0 and (" (%s)"):format(self:names(key.target)) or ""
  local words = { ("%sforeign key (%s) references %s%s"):format(self:named(key.name), self:names(key.columns), target, columns) }
  if key.match then words[#words + 1] = "match " .. key.match end
  for _, event in ipairs { "update", "delete" } do
    local action = key["on_" .. event]
    if action and action ~= "no action" then words[#words + 1] = ("on %s %s"):format(event, action) end
  end
  if key.set_columns and #key.set_columns > 0 then words[#words + 1] = ("(%s)"):format(self:names(key.set_columns)) end
  return table.concat(words, " ") .. deferral(key)
end

-- Tables --------------------------------------------------------------------------------------

---What follows the last bracket of create table.
function Sql.table_options() return "" end

---Whether the column itself says that it is the primary key.
function Sql.says_key() return false end

---Columns that a table has by itself.
function Sql.own_columns(_, t) return t.columns end

function Sql:constraints(t)
  local list, inline = {}, false
  for _, column in ipairs(t.columns) do inline = inline or self:says_key(column, t) end
  if #(t.primary_key or {}) > 0 and not inline then list[1] = self:primary_key(t.primary_key_name, t.primary_key, t) end
  for _, unique in ipairs(t.uniques or {}) do list[#list + 1] = self:unique(unique) end
  for _, check in ipairs(t.checks or {}) do
    if check.valid ~= false then list[#list + 1] = self:check(check) end
  end
  return list
end

---@param t weft.Table
---@param foreign_keys weft.ForeignKey[] those that are part of the statement
---@param model weft.Model where tables are looked up
---@return string
function Sql:create_table(t, foreign_keys, model)
  local lines = {}
  for _, column in ipairs(self:own_columns(t)) do lines[#lines + 1] = self:column(column, t) end
  for _, line in ipairs(self:constraints(t)) do lines[#lines + 1] = line end
  for _, key in ipairs(foreign_keys) do lines[#lines + 1] = self:foreign_key(key) end
  local body = #lines > 0 and "(\n  " .. table.concat(lines, ",\n  ") .. "\n)" or "()"
  return ("create table %s %s%s"):format(self:name_of(t), body, self:table_options(t, model))
end

function Sql:drop_table(t) return "drop table " .. self:name_of(t) end

-- Indexes -------------------------------------------------------------------------------------

function Sql:index_part(part)
  local expression = part.expression
  if expression and not sql_text.is_bracketed(expression) then expression = "(" .. expression .. ")" end
  local words = { part.column and self:quote(part.column) or expression }
  if part.collation then words[#words + 1] = "collate " .. self:quote(part.collation) end
  if part.opclass then words[#words + 1] = self:quote(part.opclass) end
  if part.order then words[#words + 1] = part.order end
  if part.nulls then words[#words + 1] = "nulls " .. part.nulls end
  return table.concat(words, " ")
end

---How much of a column an index takes where it cannot take all of it; nil: all.
---@return integer?
function Sql.index_length() end

function Sql:index_parts(index)
  local parts = {}
  for i, part in ipairs(index.parts) do parts[i] = self:index_part(part) end
  return table.concat(parts, ", ")
end

---@param t weft.Table
---@param index weft.Index
---@return string
function Sql:create_index(t, index)
  local text = ("create %sindex %s on %s (%s)"):format(index.unique and "unique " or "", self:quote(index.name),
    self:name_of(t), self:index_parts(index))
  return index.where and ("%s where %s"):format(text, index.where) or text
end

-- Views, comments and what only some have -------------------------------------------------------

local function without_end(text) return (text:gsub("[%s;]+$", "")) end
Sql.without_end = without_end

---@param view weft.Table
---@return string
function Sql:create_view(view)
  local names = {}
  for i, column in ipairs(view.names_columns and view.columns or {}) do names[i] = column.name end
  local list = #names > 0 and (" (%s)"):format(self:names(names)) or ""
  return ("create view %s%s as %s"):format(self:name_of(view), list, without_end(view.definition))
end

function Sql:drop_view(view) return "drop view " .. self:name_of(view) end

---Statements that note the comments of a table, of its columns and indexes.
function Sql.comments() return {} end

---Statements for what is made before tables: schemas, types, sequences.
function Sql.create_types() return {} end

---Statements for what belongs to a table and cannot be part of it.
function Sql.after_table() return {} end

---Statements for what needs all tables: sequences that belong to a column.
function Sql.after_tables() return {} end

function Sql:add_foreign_key(t, key)
  return ("alter table %s add %s%s"):format(self:name_of(t), self:foreign_key(key), key.valid == false and " not valid" or "")
end

function Sql.create_trigger(_, trigger) return trigger.statement and { without_end(trigger.statement) } or {} end

return Sql
