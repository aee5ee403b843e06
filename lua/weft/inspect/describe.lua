-- SPDX-License-Identifier: MIT
-- A schema as text for people: an overview of a database, or all of one table.

local core = require "weft.core"

local M = {}

---@class weft.DescribeOptions
---@field bold? boolean headings in bold, as a terminal shows them
---@field width? integer columns of the terminal: comments are cut there

-- Text ----------------------------------------------------------------------------------------

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

---On one line, whatever a name or a comment holds: nothing of it may move the cursor.
local function one_line(text)
  text = text:gsub("%c", function(c) return escapes[c] or ("\\x%02x"):format(c:byte()) end)
  return utf8.len(text) and text or (text:gsub("[\x80-\xff]", "?"))
end

local function length(text) return utf8.len(text) end

local function cut(text, width)
  if length(text) <= width or width < 8 then return text end
  return text:sub(1, utf8.offset(text, width) - 1) .. "…"
end

local function bold(text, options) return options.bold and "\27[1m" .. text .. "\27[0m" or text end

local function list(names) return table.concat(names, ", ") end

-- Grids ---------------------------------------------------------------------------------------

local function widths_of(rows, count)
  local widths = {}
  for i = 1, count do
    widths[i] = 0
    for _, row in ipairs(rows) do widths[i] = math.max(widths[i], length(row[i])) end
  end
  return widths
end

---The columns in which there is something.
local function used(head, rows)
  local keep = {}
  for i = 1, #head do
    for _, row in ipairs(rows) do
      if row[i] ~= "" then
        keep[#keep + 1] = i
        break
      end
    end
  end
  return keep
end

local function pick(row, keep)
  local cells = {}
  for i, column in ipairs(keep) do cells[i] = one_line(row[column]) end
  return cells
end

local function grid_line(cells, widths, width_of_line)
  local parts, at = {}, 2
  for i, cell in ipairs(cells) do
    local width = widths[i]
    if i == #cells and width_of_line then cell = cut(cell, width_of_line - at) end
    parts[i] = cell .. (" "):rep(width - length(cell))
    at = at + width + 2
  end
  return ("  " .. table.concat(parts, "  ")):gsub("%s+$", "")
end

---Rows below their headings, aligned; columns that are empty in every row are left out.
local function grid(out, head, rows, options)
  local keep = used(head, rows)
  local lines = { pick(head, keep) }
  for i, row in ipairs(rows) do lines[i + 1] = pick(row, keep) end
  local widths = widths_of(lines, #keep)
  for i, cells in ipairs(lines) do
    local line = grid_line(cells, widths, head[keep[#keep]] == "comment" and options.width)
    out[#out + 1] = i == 1 and bold(line, options) or line
  end
end

---A section of lines under a heading; nothing when it is empty.
local function section(out, title, head, rows, options)
  if #rows == 0 then return end
  out[#out + 1] = ""
  out[#out + 1] = bold(title, options)
  grid(out, head, rows, options)
end

-- The overview --------------------------------------------------------------------------------

local kinds = { materialized_view = "materialized view" }

local function kind_of(t) return kinds[t.kind] or t.kind end

local function overview_row(entry)
  local t = entry.table
  return { t.key, kind_of(t), ("%d"):format(#t.columns), list(t.primary_key), ("%d"):format(#t.foreign_keys),
    list(entry.names), t.comment or "" }
end

local function row_of_type(kind, object, text) return { object.key, kind, text, object.comment or "" } end

local function type_rows(schema)
  local rows = {}
  for _, enum in ipairs(schema:enums()) do rows[#rows + 1] = row_of_type("enum", enum, list(enum.values)) end
  for _, domain in ipairs(schema:domains()) do rows[#rows + 1] = row_of_type("domain", domain, domain.type) end
  for _, composite in ipairs(schema:types()) do
    local parts = {}
    for i, attribute in ipairs(composite.attributes) do parts[i] = attribute.name .. " " .. attribute.type end
    rows[#rows + 1] = row_of_type("type", composite, list(parts))
  end
  for _, sequence in ipairs(schema:sequences()) do
    local owner = sequence.owned_by
    rows[#rows + 1] = row_of_type("sequence", sequence, owner and ("of %s.%s"):format(owner.table, owner.column) or sequence.type or "")
  end
  return rows
end

local function counted(n, one) return ("%d %s%s"):format(n, one, n == 1 and "" or "s") end

---Tables and views with what they have, types and sequences.
---@param schema weft.Schema
---@param relations weft.Relations
---@param options? weft.DescribeOptions
---@return string
function M.overview(schema, relations, options)
  options = options or {}
  local title = ("%s: %s, %s, %s"):format(schema.database, schema.dialect, counted(#schema:tables(), "table"),
    counted(#schema:views(), "view"))
  local out, rows = { bold(title, options) }, {}
  for i, entry in ipairs(relations.list) do rows[i] = overview_row(entry) end
  section(out, "Tables", { "name", "kind", "columns", "key", "foreign keys", "models", "comment" }, rows, options)
  section(out, "Types", { "name", "kind", "what", "comment" }, type_rows(schema), options)
  return table.concat(out, "\n") .. "\n"
end

-- One table -----------------------------------------------------------------------------------

local function default_of(column)
  if column.generated then return ("%s as (%s)"):format(column.generated, column.expression or "?") end
  if column.identity then return ("identity %s"):format(column.identity) end
  if column.auto_increment then return "auto increment" end
  return column.default or ""
end

local function type_of(column) return column.domain and ("%s (%s)"):format(column.domain, column.type) or column.type end

local function key_of(t, column)
  local words = {}
  if column.key then words[1] = #t.primary_key > 1 and ("primary %d"):format(column.key) or "primary" end
  for _, unique in ipairs(t.uniques) do
    if #unique.columns == 1 and unique.columns[1] == column.name then words[#words + 1] = "unique" end
  end
  for _, key in ipairs(t.foreign_keys) do
    for i, name in ipairs(key.columns) do
      if name == column.name then words[#words + 1] = ("%s.%s"):format(key.key, key.target[i] or "?") end
    end
  end
  return list(words)
end

local function column_rows(t)
  local rows = {}
  for i, column in ipairs(t.columns) do
    local notes = column.comment or ""
    if column.hidden then notes = notes == "" and "hidden" or "hidden; " .. notes end
    rows[i] = { column.name, type_of(column), column.nullable and "null" or "", default_of(column), key_of(t, column), notes }
  end
  return rows
end

local function add(words, word, is) if is then words[#words + 1] = word end end

local function notes_of(object)
  local words = {}
  add(words, "deferrable", object.deferrable and not object.initially_deferred)
  add(words, "initially deferred", object.initially_deferred)
  add(words, "nulls not distinct", object.nulls_distinct == false)
  add(words, "not valid", object.valid == false)
  add(words, "there is no such table", object.missing)
  return list(words)
end

local function key_rows(t)
  local rows = {}
  if #t.primary_key > 0 then rows[1] = { t.primary_key_name or "", "primary key", list(t.primary_key), "", "" } end
  for _, unique in ipairs(t.uniques) do
    rows[#rows + 1] = { unique.name or "", "unique", list(unique.columns), "", notes_of(unique) }
  end
  for _, key in ipairs(t.foreign_keys) do
    local actions = {}
    add(actions, "on update " .. key.on_update, key.on_update ~= "no action")
    add(actions, "on delete " .. key.on_delete, key.on_delete ~= "no action")
    local notes = notes_of(key)
    add(actions, notes, notes ~= "")
    rows[#rows + 1] = { key.name or "", "foreign key", list(key.columns), ("%s (%s)"):format(key.key, list(key.target)), list(actions) }
  end
  return rows
end

---Foreign keys of other tables that point here.
local function referrer_rows(schema, t)
  local rows = {}
  for _, other in ipairs(schema:tables()) do
    for _, key in ipairs(other.foreign_keys) do
      if key.key == t.key and not key.missing then
        rows[#rows + 1] = { other.key, list(key.columns), list(key.target), key.on_delete ~= "no action" and "on delete " .. key.on_delete or "" }
      end
    end
  end
  return rows
end

local function part_of(part)
  local words = { part.column or ("(%s)"):format(part.expression) }
  add(words, part.collation and "collate " .. part.collation, part.collation)
  add(words, part.opclass, part.opclass)
  add(words, part.length and ("(%d)"):format(part.length), part.length)
  add(words, part.order, part.order)
  add(words, part.nulls and "nulls " .. part.nulls, part.nulls)
  return table.concat(words, " ")
end

local function index_rows(t)
  local rows = {}
  for i, index in ipairs(t.indexes) do
    local parts, notes = {}, {}
    for j, part in ipairs(index.parts) do parts[j] = part_of(part) end
    add(notes, index.include and "include " .. list(index.include), index.include)
    add(notes, index.where and "where " .. index.where, index.where)
    add(notes, notes_of(index), notes_of(index) ~= "")
    add(notes, index.comment, index.comment)
    rows[i] = { index.name, index.unique and "unique" or "", index.method or "", list(parts), list(notes) }
  end
  return rows
end

local function check_rows(t)
  local rows = {}
  for _, check in ipairs(t.checks) do rows[#rows + 1] = { check.name or "", check.expression, notes_of(check) } end
  for _, exclusion in ipairs(t.exclusions or {}) do rows[#rows + 1] = { exclusion.name, exclusion.definition, "" } end
  return rows
end

local function trigger_rows(t)
  local rows = {}
  for i, trigger in ipairs(t.triggers or {}) do rows[i] = { trigger.name, trigger.timing or "", trigger.events or "" } end
  return rows
end

local function association_rows(entry)
  local rows = {}
  for i, a in ipairs(entry.associations) do
    local keys = {}
    for j, column in ipairs(a.source_key or {}) do keys[j] = ("%s = %s"):format(column, a.target_key and a.target_key[j] or "?") end
    if a.through then keys = { "through " .. a.through } end
    rows[i] = { a.name, a.type, a.to and a.to.table.key or a.label, list(keys) }
  end
  return rows
end

local function partition_rows(t)
  local rows = {}
  for i, partition in ipairs(t.partitions or {}) do
    rows[i] = { partition.schema and partition.schema .. "." .. partition.name or partition.name, partition.bound }
  end
  return rows
end

local function facts_of(t)
  local words = { kind_of(t) }
  add(words, "without rowid", t.without_rowid)
  add(words, "strict", t.strict)
  add(words, t.module, t.module)
  add(words, t.engine, t.engine)
  add(words, t.collation, t.collation)
  add(words, t.partition_by and "partition by " .. t.partition_by, t.partition_by)
  add(words, t.inherits and "inherits " .. list(t.inherits), t.inherits and #t.inherits > 0)
  return list(words)
end

local function definition(out, t, options)
  if not t.definition then return end
  out[#out + 1] = ""
  out[#out + 1] = bold("Definition", options)
  for line in (t.definition:gsub("%s+$", "") .. "\n"):gmatch "([^\n]*)\n" do out[#out + 1] = ("  " .. one_line(line)):gsub("%s+$", "") end
end

---All of one table or view.
---@param schema weft.Schema
---@param entry weft.Related
---@param options? weft.DescribeOptions
---@return string
function M.table(schema, entry, options)
  options = options or {}
  local t = entry.table
  local out = { bold(one_line(("%s.%s: %s"):format(schema.database, t.key, facts_of(t))), options) }
  if t.comment then out[#out + 1] = one_line(t.comment) end
  if #entry.names > 0 then out[#out + 1] = "models: " .. one_line(list(entry.names)) end
  section(out, "Columns", { "name", "type", "null", "default", "key", "comment" }, column_rows(t), options)
  section(out, "Keys", { "name", "kind", "columns", "to", "" }, key_rows(t), options)
  section(out, "Referenced by", { "table", "columns", "to", "" }, referrer_rows(schema, t), options)
  section(out, "Indexes", { "name", "", "method", "parts", "" }, index_rows(t), options)
  section(out, "Checks", { "name", "expression", "" }, check_rows(t), options)
  section(out, "Triggers", { "name", "timing", "events" }, trigger_rows(t), options)
  section(out, "Partitions", { "name", "bound" }, partition_rows(t), options)
  section(out, "Associations", { "name", "type", "to", "by" }, association_rows(entry), options)
  definition(out, t, options)
  return table.concat(out, "\n") .. "\n"
end

-- As data -------------------------------------------------------------------------------------

---What is a list though it is empty: in JSON it is [].
local lists = {}
for name in ([[columns primary_key foreign_keys uniques indexes checks exclusions triggers partitions inherits options parts include target
  set_columns values attributes]]):gmatch "%S+" do lists[name] = true end

---A copy without what JSON could not say; lists stay lists.
local function plain(value, is_list)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, inner in next, value do copy[key] = plain(inner, lists[key]) end
  return (is_list or #copy > 0) and core.array(copy) or copy
end

local function association_data(entry)
  local out = core.array {}
  for i, a in ipairs(entry.associations) do
    out[i] = { name = a.name, type = a.type, many = a.many, nullable = a.nullable, table = a.to and a.to.table.key, model = a.label,
      source_key = a.source_key, target_key = a.target_key, through = a.through, constraint = a.constraint }
  end
  return out
end

---A table as `weft inspect --json` tells it.
---@param entry weft.Related
---@return table
function M.table_data(entry)
  local data = plain(entry.table)
  data.models, data.associations = core.array(table.move(entry.names, 1, #entry.names, 1, {})), association_data(entry)
  return data
end

---A database as `weft inspect --json` tells it.
---@param schema weft.Schema
---@param relations weft.Relations
---@return table
function M.data(schema, relations)
  local data = { database = schema.database, dialect = schema.dialect, tables = core.array {}, views = core.array {} }
  for _, entry in ipairs(relations.list) do
    local to = entry.table.kind:find "view$" and data.views or data.tables
    to[#to + 1] = M.table_data(entry)
  end
  for _, part in ipairs { "enums", "domains", "types", "sequences", "schemas", "left_out" } do data[part] = plain(schema[part](schema), true) end
  for _, entry in ipairs(relations.left_out) do table.insert(data.left_out, entry) end
  return data
end

return M
