-- SPDX-License-Identifier: MIT
-- Schema objects in the SQL of MySQL and MariaDB. How they are changed is in ddl_mysql_alter.

local Sql = require "weft.ddl.sql"

---@class weft.DdlDialect
local Mysql = Sql.new { name = "mysql", mark = "`" }

function Mysql.text(_, value)
  return "'" .. value:gsub("['\\]", { ["'"] = "''", ["\\"] = "\\\\" }):gsub("%z", "\\0") .. "'"
end

function Mysql.boolean(_, value) return value and "1" or "0" end

local long = { tinytext = true, text = true, mediumtext = true, longtext = true, tinyblob = true, blob = true, mediumblob = true,
  longblob = true, json = true }

---The time of now has the digits that the column has; in a long column a literal is an expression, which MariaDB spells
---with a backslash.
function Mysql.own_default(_, column, text)
  if long[column.type:match "^%a+"] and text:find "^'" then return "'" .. text:sub(2, -2):gsub("''", "\\'") .. "'" end
  local digits = column.type:match "^%a+(%(%d%))$"
  return text:lower() == "current_timestamp" and digits and text .. digits or text
end

Mysql.actions = { restrict = "no action" }

---Words of time stand bare on every version, any other expression in brackets, and in a long column a literal, too.
function Mysql:default_text(text, type)
  local base = (type or ""):lower():match "^%a+"
  if long[base] and (self.is_plain(text) or text:find "^'") and text:lower() ~= "null" then return "(" .. text .. ")" end
  if self.is_plain(text) or text:lower():find "^current_timestamp%s*%(%s*%d*%s*%)$" then return text end
  if text:find "^_?%w*'" or text:find "^[bx]'" or text:find "^%(.*%)$" then return text end
  return "(" .. text .. ")"
end

function Mysql:column_options(column, t)
  local words = {}
  if column.charset then words[1] = "character set " .. column.charset end
  if column.collation then words[#words + 1] = "collate " .. column.collation end
  if column.generated then
    words[#words + 1] = ("generated always as (%s) %s"):format(column.expression, column.generated)
    if not column.nullable then words[#words + 1] = "not null" end
  else
    words[#words + 1] = not column.nullable and "not null" or "null"
    if column.default ~= nil then words[#words + 1] = "default " .. self:default_text(column.default, column.type) end
    if column.on_update then words[#words + 1] = "on update " .. column.on_update end
    if column.auto_increment then words[#words + 1] = "auto_increment" end
  end
  if column.hidden then words[#words + 1] = "invisible" end
  if column.comment then words[#words + 1] = "comment " .. self:text(column.comment) end
  for _, check in ipairs(t and t.checks or {}) do
    if check.column == column.name then words[#words + 1] = ("check (%s)"):format(check.expression) end
  end
  return words
end

function Mysql:enum_column(column, labels)
  column.type, column.values = ("enum(%s)"):format(self:labels(labels)), labels
end

function Mysql:primary_key(_, columns) return ("primary key (%s)"):format(self:names(columns)) end

function Mysql:unique(unique)
  return ("unique %s(%s)"):format(unique.name and self:quote(unique.name) .. " " or "", self:names(unique.columns))
end

function Mysql:index_part(part)
  local text = part.column and self:quote(part.column) or ("(%s)"):format(part.expression)
  if part.length then text = ("%s(%d)"):format(text, part.length) end
  return part.order and text .. " " .. part.order or text
end

---Texts without a limit are indexed by their beginning; three of them fit into one index.
function Mysql.index_length(_, column)
  local kind = column.type:lower()
  return (kind:find "text$" or kind:find "blob$") and 255 or nil
end

local own_words = { fulltext = "fulltext ", spatial = "spatial " }

---An index as a clause of create table and alter table.
function Mysql:index(index)
  local method = (index.method or "btree"):lower()
  local word = own_words[method] or index.unique and "unique " or ""
  local using = not own_words[method] and " using " .. method or ""
  local comment = index.comment and " comment " .. self:text(index.comment) or ""
  return ("%sindex %s (%s)%s%s"):format(word, self:quote(index.name), self:index_parts(index), using, comment)
end

---A check of one column is part of it.
local function own_checks(t)
  local list = {}
  for _, check in ipairs(t.checks or {}) do
    if not check.column then list[#list + 1] = check end
  end
  return list
end

---Indexes are part of the table: a column that counts may need one.
function Mysql:constraints(t)
  local list = Sql.constraints(self, setmetatable({ checks = own_checks(t) }, { __index = t }))
  for _, index in ipairs(t.indexes or {}) do list[#list + 1] = self:index(index) end
  return list
end

---`range (at)` with its partitions.
function Mysql:partitions(t)
  local list = {}
  for i, partition in ipairs(t.partitions or {}) do
    local bound = partition.bound
    local word = t.partition_by:lower():find "^list" and "in" or "less than"
    if bound and bound:upper() ~= "MAXVALUE" then bound = "(" .. bound .. ")" end
    list[i] = ("partition %s%s"):format(self:quote(partition.name), bound and (" values %s %s"):format(word, bound) or "")
  end
  local text = "partition by " .. t.partition_by
  return #list > 0 and ("%s (%s)"):format(text, table.concat(list, ", ")) or text
end

function Mysql:table_options(t)
  local words = {}
  for _, option in ipairs { { "engine", "engine" }, { "charset", "default character set" }, { "collation", "collate" } } do
    if t[option[1]] then words[#words + 1] = ("%s = %s"):format(option[2], t[option[1]]) end
  end
  if t.comment then words[#words + 1] = "comment = " .. self:text(t.comment) end
  local text = #words > 0 and " " .. table.concat(words, " ") or ""
  return t.partition_by and text .. " " .. self:partitions(t) or text
end

Mysql.indexes_inside = true

---@param trigger weft.Trigger its statement is its body alone
---@param t weft.Table
function Mysql:create_trigger(trigger, t)
  if not trigger.statement then return {} end
  return { ("create trigger %s %s %s on %s for each row %s"):format(self:quote(trigger.name), trigger.timing, trigger.events,
    self:name_of(t), trigger.statement) }
end

---MariaDB's sequences.
function Mysql:create_types(model)
  local list = {}
  for i, sequence in ipairs(model.sequences or {}) do list[i] = "create sequence " .. self:name_of(sequence) end
  return list
end

return Mysql
