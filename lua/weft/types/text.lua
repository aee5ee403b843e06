-- SPDX-License-Identifier: MIT
-- The annotations of one table as text that lua-language-server reads: its rows, what they are written from, its
-- queries, its repository. Only comments, so that it is Lua whatever the names are.

local naming = require "weft.naming"

local M = {}

-- Words ---------------------------------------------------------------------------------------

---Not to be written as they are behind ---@field: keywords, and words that say who may see a field.
local reserved = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until while
  private protected public package]]):gmatch "%S+" do reserved[word] = true end

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\\"] = "\\\\", ['"'] = '\\"' }

---Bytes that are no UTF-8 as "?".
local function readable(text)
  if utf8.len(text) then return text end
  return (text:gsub("[\x80-\xff]", "?"))
end

---A text as a literal.
local function literal(text)
  return '"' .. readable(text):gsub('[%c\\"]', function(c) return escapes[c] or ("\\%03d"):format(c:byte()) end) .. '"'
end

---The name of a field.
local function field(name)
  if name:find "^[%a_][%w_]*$" and not reserved[name] then return name end
  return "[" .. literal(name) .. "]"
end

local LONGEST = 300 -- bytes of a comment

local function shortened(text)
  if #text <= LONGEST then return text end
  local last = utf8.offset(text, 0, LONGEST + 1) - 1
  return text:sub(1, last) .. "…"
end

---A comment of the database's on one line; a word that would mean something to the reader of annotations is quoted.
local function comment(text)
  text = shortened(readable(text):gsub("[%s%c]+", " "):gsub("^ ", ""):gsub(" $", ""))
  return (text:gsub("^[@|]", "\\%0"))
end

local function words(name) return (name:gsub("[^%w_]+", "_")) end

---The name of a parameter.
local function parameter(name)
  local word = words(naming.snake_case(name))
  if not word:find "^[%a_]" or reserved[word] or word == "self" then word = "_" .. word end
  return word
end

---A class for a table: a word that begins with a capital letter.
---@param t weft.Table
---@param script? string the name of its model script
function M.class(t, script)
  local class = words(script or naming.class(t.name))
  if not class:find "^%a" then class = "T" .. class end
  class = class:gsub("^%l", string.upper)
  return t.visible and class or words(t.schema) .. "_" .. class
end

-- Types ---------------------------------------------------------------------------------------

local as_read = { integer = "integer", number = "number", decimal = "weft.Decimal", boolean = "boolean", json = "any", any = "any" }
local as_written = { decimal = "weft.Decimal|number|string" }
local as_shown = { string = "string", number = "number", epoch = "number", us = "integer", json = "any" }

local function type_of_kind(kind) return as_read[kind] or "string" end

---How a model shows a column.
local function shown_as(entry, column)
  local options = entry.info and entry.info.described[column.name]
  if type(options) == "table" then options = options.as end
  return as_shown[options]
end

---MySQL's enums belong to their columns.
local function own_enum(class, column)
  if not column.values or not column.type:find "^enum" then return nil end
  local word = words(column.name)
  return ("%s.values.%s"):format(class.name, word == column.name and word or word .. column.position)
end

local function enum_of(class, column) return own_enum(class, column) or column.enum and class.enums[column.enum] end

---The type of a column's values as a row has them, NULL aside.
local function read_type(class, column)
  local shown = shown_as(class.entry, column)
  if shown then return shown end
  local enum = enum_of(class, column)
  if column.kind == "array" then return (enum or type_of_kind(column.elem)) .. "[]" end
  if enum then return enum end
  if column.kind == "decimal" and class.decimals then return class.decimals end
  return type_of_kind(column.kind)
end

local function nullable(type, column)
  if not column.nullable or type == "any" then return type end
  return type .. "?"
end

---The type of what a column takes.
local function write_type(type, column)
  if type == "any" then return type end
  if column.kind == "array" then type = type .. "|weft.Array" end
  return type .. (column.nullable and "|weft.Null|weft.Raw" or "|weft.Raw")
end

-- Classes -------------------------------------------------------------------------------------

local function put(out, format, ...) out[#out + 1] = format:format(...) end

---@class weft.TypeColumn a column with what is said of it several times
---@field column weft.Column
---@field name string
---@field field string
---@field read string the type of its values in a row, NULL aside
---@field given string the same of a value that is looked for
---@field written? string the type of what it takes; nil when it is not written

local function column_of(class, column)
  local read = read_type(class, column)
  local entry = { column = column, name = column.name, field = class.words.field(column.name), read = read, given = as_written[column.kind] or read }
  if not column.generated and column.identity ~= "always" then entry.written = write_type(entry.given, column) end
  return entry
end

local function visible_columns(class)
  local list = {}
  for _, column in ipairs(class.entry.table.columns) do
    if not column.hidden then list[#list + 1] = column_of(class, column) end
  end
  return list
end

local function note(text) return text and text ~= "" and " # " .. comment(text) or "" end

local function facts(column)
  local list = {}
  if column.key then list[1] = "primary key" end
  if column.generated then list[#list + 1] = "generated" end
  if column.comment then list[#list + 1] = column.comment end
  return table.concat(list, "; ")
end

---@class weft.TypeClass what is known of the class of a table
---@field name string
---@field entry weft.Related
---@field target fun(relation: weft.Relation): string the class of an association's rows
---@field enums table<string, string> classes of enums by key
---@field decimals? string how decimals are shown
---@field database string the prefix of its database's classes
---@field writable boolean
---@field words table of weft.types.text.words

local function sorted_keys(set)
  local list = {}
  for name in pairs(set or {}) do list[#list + 1] = name end
  table.sort(list)
  return list
end

---A row: what is a column is no association, and both hide a method.
local function row_class(out, class)
  local t, taken = class.entry.table, {}
  put(out, "---%s", comment(t.comment or ("A row of %s."):format(t.key)))
  put(out, "---@class %s: weft.Row", class.name)
  for _, entry in ipairs(class.columns) do
    taken[entry.name] = true
    out[#out + 1] = "---@field " .. entry.field .. " " .. nullable(entry.read, entry.column) .. note(facts(entry.column))
  end
  for _, a in ipairs(class.entry.associations) do
    local target = class.target(a)
    if not taken[a.name] then put(out, "---@field %s %s%s", field(a.name), target, a.many and "[]" or a.nullable and "?" or "") end
    taken[a.name] = true
  end
  for _, name in ipairs(sorted_keys(class.entry.info and class.entry.info.methods)) do
    if not taken[name] then put(out, "---@field %s fun(self: %s, ...: any): any", field(name), class.name) end
  end
end

---Columns that the model fills; nil when hooks may fill any.
local function filled(entry)
  local life, set = entry.info and entry.info.lifecycle, {}
  if not life then return set end
  if life.hooks.before_create or life.hooks.before_save then return nil end
  for _, stamp in pairs(life.timestamps) do set[stamp.name] = true end
  if life.version then set[life.version] = true end
  return set
end

local function is_required(column)
  return not (column.nullable or column.default or column.identity or column.auto_increment or column.rowid)
end

local function write_classes(out, class)
  local by_model, required = filled(class.entry), {}
  put(out, "\n---@class %s.Update", class.name)
  for _, entry in ipairs(class.columns) do
    if entry.written then
      out[#out + 1] = "---@field " .. entry.field .. "? " .. entry.written
      if by_model and not by_model[entry.name] and is_required(entry.column) then required[#required + 1] = entry end
    end
  end
  put(out, "\n---@class %s.Create: %s.Update", class.name, class.name)
  for _, entry in ipairs(required) do out[#out + 1] = "---@field " .. entry.field .. " " .. entry.written end
end

local function where_class(out, class)
  put(out, "\n---@class %s.Where", class.name)
  for _, entry in ipairs(class.columns) do out[#out + 1] = "---@field " .. entry.field .. "? weft.Value" end
end

---Names as a type: each is a literal.
local function alias(out, name, names, quoted)
  put(out, "---@alias %s", name)
  for _, text in ipairs(names) do out[#out + 1] = "---| " .. (quoted or literal)(text) end
  if #names == 0 then out[#out + 1] = "---| string" end
end

local function names_of(list)
  local names = {}
  for i, object in ipairs(list) do names[i] = object.name end
  return names
end

local function aliases(out, class)
  local function add(...)
    put(out, "")
    alias(out, ...)
  end
  add(class.name .. ".Column", names_of(class.columns), class.words.literal)
  if #class.entry.associations > 0 then add(class.name .. ".Association", names_of(class.entry.associations), class.words.literal) end
  for _, entry in ipairs(class.columns) do
    local enum = own_enum(class, entry.column)
    if enum then add(enum, entry.column.values) end
  end
end

-- Queries -------------------------------------------------------------------------------------

---Signatures of methods, in the order of lua/weft/meta/query.lua. $Q is the query, $R the row, $C a column, $A an association,
---$K the parameters of the primary key; those of `key` and `write` need a key or a table.
local steps = {
  { "where", "condition: $W|$C|weft.Operand|weft.Condition, operator?: weft.Operator|string[], value?: weft.Value", "$Q" },
  { "having", "condition: $C|weft.Operand|weft.Conditions, operator?: weft.Operator, value?: weft.Value", "$Q" },
  { "select", "...: $C|weft.Operand|weft.Aggregate|table", "$Q" },
  { "group", "...: $C|weft.Operand", "$Q" },
  { "order", 'column: $C|weft.Operand|weft.Aggregate, direction?: "asc"|"desc", nulls?: "nulls first"|"nulls last"', "$Q" },
  { "limit", "count: integer", "$Q" }, { "offset", "count: integer", "$Q" },
  { "include", "...: $A|weft.IncludeOptions|weft.IncludeSpec", "$Q" },
  { "join", "association: $A", "$Q" }, { "left_join", "association: $A", "$Q" },
  { "strict", "", "$Q" }, { "distinct", "", "$Q" }, { "with_deleted", "", "$Q" }, { "only_deleted", "", "$Q" },
  { "lock", "mode?: weft.LockMode", "$Q" }, { "batch", "on: boolean", "$Q" }, { "fetch", 'how: "together"|"keyed"', "$Q" },
  { "all", "", "$R[]" }, { "first", "", "$R?" }, { "one", "", "$R" },
  { "find", "$K", "$R?", key = true }, { "get", "$K", "$R", key = true },
  { "find_by", "values: $W", "$R?" },
  { "find_many", "keys: weft.Value[]|weft.Value[][]", "{ n: integer, [integer]: $R }", key = true },
  { "sum", "column: $C|weft.Operand", "integer|number|weft.Decimal|nil" }, { "avg", "column: $C|weft.Operand", "number|weft.Decimal|nil" },
  { "min", "column: $C|weft.Operand", "any" }, { "max", "column: $C|weft.Operand", "any" },
  { "pluck", "...: $C|string", "{ n: integer, [integer]: any }" },
  { "each", "size?: integer", "fun(): $R?" },
  { "page", "options?: { size?: integer, after?: string, before?: string }", "{ rows: $R[], next: string?, previous: string? }" },
  { "create", "values: $R.Create", "$R", write = true },
  { "create_many", "rows: $R.Create[], options?: { returning?: boolean }", "$R[]|integer", write = true },
  { "upsert", "values: $R.Create, options: { on: $C|$C[], update?: $R.Update }", "$R", write = true },
  { "update", "values: $R.Update, options?: { all?: boolean, hooks?: boolean }", "integer", write = true },
  { "increment", "column: $C, by?: number|weft.Decimal, options?: { all?: boolean, hooks?: boolean }", "integer", write = true },
}

local finders = {
  { "find_all", "options?: weft.FindOptions", "$R[]" },
  { "find", "id: $I", "$R?", key = true },
  { "find_with", "id: $I, what: $A|table", "$R?", key = true },
  { "find_by", "values: $W", "$R?" },
  { "count", "conditions?: $W|weft.Conditions", "integer" },
  { "exists", "what?: weft.Value|$W", "boolean" },
  { "paginate", "options?: weft.PaginateOptions", "{ rows: $R[], total: integer, page: integer, size: integer, pages: integer }" },
  { "create", "values: $R.Create", "$R", write = true },
  { "update", "id: $I, values: $R.Update", "$R", key = true, write = true },
  { "delete", "id: $I", "boolean", key = true, write = true },
}

local function key_parameters(class)
  local list, taken = {}, {}
  for i, name in ipairs(class.entry.table.primary_key) do
    local word = parameter(name)
    if taken[word] then word = word .. "_" .. i end
    taken[word] = true
    local column = class.entry.table.columns[name]
    list[i] = word .. ": " .. (as_written[column.kind] or read_type(class, column))
  end
  return table.concat(list, ", ")
end

local function key_type(class)
  local key = class.entry.table.primary_key
  local column = #key == 1 and class.entry.table.columns[key[1]]
  return column and (as_written[column.kind] or read_type(class, column)) or "weft.Value[]|table<string, weft.Value>"
end

---What the words of the signatures stand for.
local function words_of(class)
  return { Q = class.name .. ".Query", R = class.name, C = class.name .. ".Column", W = class.name .. ".Where",
    A = #class.entry.associations > 0 and class.name .. ".Association|string" or "string", K = key_parameters(class), I = key_type(class) }
end

---A text cut at its words: what is between them, and after each the letter of the word that follows.
local function cut(text)
  local parts, from = {}, 1
  for before, letter, after in text:gmatch "()%$(%u)()" do
    parts[#parts + 1], parts[#parts + 2] = text:sub(from, before - 1), letter
    from = after
  end
  parts[#parts + 1] = text:sub(from)
  return parts
end

local templates = {}

---The methods of a list that this table has, as lines that wait for their words.
local function template_of(class, list, self)
  local has_key = #class.entry.table.primary_key > 0
  local name = ("%s %s %s"):format(self, has_key, class.writable)
  if not templates[name] then
    local lines = {}
    for _, method in ipairs(list) do
      if (has_key or not method.key) and (class.writable or not method.write) then
        put(lines, "---@field %s fun(self: %s%s): %s", method[1], self, method[2] ~= "" and ", " .. method[2] or "", method[3])
      end
    end
    templates[name] = cut(table.concat(lines, "\n"))
  end
  return templates[name]
end

local function methods(out, class, list, self, meant)
  local template, filled_in = template_of(class, list, self), {}
  for i = 1, #template, 2 do
    filled_in[i], filled_in[i + 1] = template[i], meant[template[i + 1]]
  end
  out[#out + 1] = table.concat(filled_in)
end

local function query_class(out, class, meant)
  put(out, "\n---@class %s: weft.Query", meant.Q)
  methods(out, class, steps, "$Q", meant)
  for _, name in ipairs(sorted_keys(class.entry.info and class.entry.info.scopes)) do
    put(out, "---@field %s fun(self: %s, ...: any): %s", field(name), meant.Q, meant.Q)
  end
end

---What find_by_ calls a column: snake_case when that means it alone.
local function finder_words(columns, snake_case)
  local count, spelled, list = {}, {}, {}
  for i, entry in ipairs(columns) do
    local word = snake_case(entry.name)
    list[i], count[word], spelled[entry.name] = word, (count[word] or 0) + 1, true
  end
  for i, entry in ipairs(columns) do
    local word = list[i]
    if word ~= entry.name and (count[word] > 1 or spelled[word]) then list[i] = entry.name end
  end
  return list
end

local function repository_class(out, class, meant)
  put(out, "\n---@class %s.Repository: weft.Repository", class.name)
  put(out, "---@field model %s", meant.Q)
  methods(out, class, finders, "$R.Repository", meant)
  local head, tail = (" fun(self: %s.Repository, value: "):format(class.name), ("): %s?"):format(class.name)
  for i, word in ipairs(finder_words(class.columns, class.words.snake_case)) do
    local given = class.columns[i].given
    out[#out + 1] = "---@field " .. class.words.finder(word) .. head .. (given == "any" and given or given .. "|weft.Null") .. tail
  end
end

---What the database's own classes have for this table.
local function in_database(out, class, meant)
  put(out, "")
  if #class.entry.names > 0 then
    put(out, "---@class %s.models", class.database)
    for _, name in ipairs(class.entry.names) do put(out, "---@field %s %s", field(name), meant.Q) end
    put(out, "")
  end
  if class.entry.hidden then return end
  put(out, "---@class %s.database", class.database)
  put(out, "---@field repository fun(self: %s.database, name: %s): %s.Repository", class.database, literal(class.entry.table.key), class.name)
end

---What is said of names again and again, for the tables of one database.
function M.words()
  return { field = naming.remembering(field), literal = naming.remembering(literal), snake_case = naming.remembering(naming.snake_case),
    finder = naming.remembering(function(word) return field("find_by_" .. word) end) }
end

---All classes of a table or view.
---@param class weft.TypeClass
---@return string
function M.table(class)
  local out = {}
  class.columns = visible_columns(class)
  class.writable = class.entry.table.kind ~= "view" and class.entry.table.kind ~= "materialized_view"
  local meant = words_of(class)
  row_class(out, class)
  if class.writable then write_classes(out, class) end
  where_class(out, class)
  aliases(out, class)
  query_class(out, class, meant)
  repository_class(out, class, meant)
  in_database(out, class, meant)
  return table.concat(out, "\n") .. "\n"
end

---An enum.
---@param name string of its class
---@param enum weft.Enum
---@return string
function M.enum(name, enum)
  local out = { "---" .. comment(enum.comment or ("The enum %s."):format(enum.key)) }
  alias(out, name, enum.values)
  return table.concat(out, "\n") .. "\n"
end

---What weft.models and weft.database give for a database.
---@param name string
---@param prefix string
---@return string
function M.database(name, prefix)
  return table.concat({
    "---@class weft",
    ("---@field models fun(name: %s): %s.models"):format(literal(name), prefix),
    ("---@field database fun(name: %s): %s.database"):format(literal(name), prefix),
    "",
    ("---The models of %s."):format(name),
    ("---@class %s.models: weft.Models"):format(prefix),
    "",
    ("---The database %s."):format(name),
    ("---@class %s.database: weft.Database"):format(prefix),
  }, "\n") .. "\n"
end

return M
