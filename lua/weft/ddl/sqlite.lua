-- SPDX-License-Identifier: MIT
-- Schema objects in SQLite's SQL. How its tables are changed is in ddl_sqlite_alter.

local Sql = require "weft.ddl.sql"

---@class weft.DdlDialect
local Sqlite = Sql.new { name = "sqlite", has_comments = false }

---An expression stands in brackets, a literal does not: only then add column takes it.
function Sqlite:default_text(text) return self.is_plain(text) and text or "(" .. text .. ")" end

local function conflict(word) return word and " on conflict " .. word or "" end

---Whether a column says itself that it is the key: only so it counts on, or is no other name of the rowid.
function Sqlite.says_key(_, column, t)
  if #(t.primary_key or {}) ~= 1 or t.primary_key[1] ~= column.name then return false end
  local own_index = column.type:upper() == "INTEGER" and not column.rowid and not t.without_rowid
  return column.auto_increment or own_index or false
end

function Sqlite:own_key(column, t)
  local counts = column.auto_increment
  return ("%sprimary key%s%s%s"):format(self:named(t.primary_key_name), counts and "" or " desc", conflict(t.primary_key_conflict),
    counts and " autoincrement" or "")
end

function Sqlite:column_options(column, t)
  local words = Sql.column_options(self, column)
  if not column.nullable and column.on_conflict then words[#words] = words[#words] .. conflict(column.on_conflict) end
  if t and self:says_key(column, t) then table.insert(words, 1, self:own_key(column, t)) end
  return words
end

function Sqlite:primary_key(name, columns, t) return Sql.primary_key(self, name, columns) .. conflict(t.primary_key_conflict) end

function Sqlite:unique(unique) return Sql.unique(self, unique) .. conflict(unique.on_conflict) end

function Sqlite.table_options(_, t)
  local words = {}
  if t.without_rowid then words[1] = "without rowid" end
  if t.strict then words[#words + 1] = "strict" end
  return #words > 0 and " " .. table.concat(words, ", ") or ""
end

function Sqlite:create_table(t, foreign_keys, model)
  if t.kind == "virtual" then return ("create virtual table %s using %s"):format(self:name_of(t), t.module) end
  return Sql.create_table(self, t, foreign_keys, model)
end

---Keys are part of the table, whether or not their targets are there.
function Sqlite.inline_keys(_, t) return t.foreign_keys or {}, {} end

return Sqlite
