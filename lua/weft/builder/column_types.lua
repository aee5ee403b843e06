-- SPDX-License-Identifier: MIT
-- The portable words for types of columns, and what each database says for them. What one lacks is the customary
-- substitute; docs/guide.md shows the table.

local errors = require "weft.errors"

local M = {}

-- word -> type by dialect; %d stands for the arguments.
local types = {
  integer = { postgres = "integer", sqlite = "integer", mysql = "int(11)" },
  smallint = { postgres = "smallint", sqlite = "smallint", mysql = "smallint(6)" },
  bigint = { postgres = "bigint", sqlite = "bigint", mysql = "bigint(20)" },
  text = { postgres = "text", sqlite = "text", mysql = "longtext" },
  string = { postgres = "character varying(%d)", sqlite = "varchar(%d)", mysql = "varchar(%d)" },
  boolean = { postgres = "boolean", sqlite = "boolean", mysql = "tinyint(1)" },
  decimal = { postgres = "numeric(%d,%d)", sqlite = "decimal(%d,%d)", mysql = "decimal(%d,%d)" },
  float = { postgres = "double precision", sqlite = "double", mysql = "double" },
  timestamp = { postgres = "timestamp without time zone", sqlite = "timestamp", mysql = "datetime(6)" },
  timestamptz = { postgres = "timestamp with time zone", sqlite = "timestamptz", mysql = "timestamp(6)" },
  date = { postgres = "date", sqlite = "date", mysql = "date" },
  time = { postgres = "time without time zone", sqlite = "time", mysql = "time(6)" },
  json = { postgres = "jsonb", sqlite = "json", mysql = "json" },
  uuid = { postgres = "uuid", sqlite = "uuid", mysql = "char(36)" },
  bytes = { postgres = "bytea", sqlite = "blob", mysql = "longblob" },
}

---What Weft takes the values of each word for.
local kinds = {
  integer = "integer", smallint = "integer", bigint = "integer", text = "string", string = "string", boolean = "boolean", decimal = "decimal",
  float = "number", timestamp = "timestamp", timestamptz = "timestamptz", date = "date", time = "time", json = "json", uuid = "uuid",
  bytes = "bytes",
}

local words = {}
for word in pairs(types) do words[#words + 1] = word end
table.sort(words)

---All words, sorted.
---@type string[]
M.words = words

local usual = { string = { 255 }, decimal = { 18, 2 } } -- arguments that are left out

local function check_arguments(word, arguments)
  for i, number in ipairs(arguments) do
    if math.type(number) ~= "integer" or number < (i == 1 and 1 or 0) then errors.usage("%s takes whole numbers", word) end
  end
end

---A column's type for a word, with its arguments: ("decimal", { 10, 2 }, "postgres") is numeric(10,2).
---@param word string
---@param arguments? integer[]
---@param dialect string
---@return string type
---@return string kind
function M.type(word, arguments, dialect)
  local list = usual[word] or {}
  if arguments and #arguments > 0 then list = { arguments[1], arguments[2] or (word == "decimal" and 0 or nil) } end
  check_arguments(word, list)
  return types[word][dialect]:format(table.unpack(list)), kinds[word]
end

local aliases = {
  int = "integer", int4 = "integer", int8 = "bigint", int2 = "smallint", varchar = "string", ["character varying"] = "string",
  numeric = "decimal", bool = "boolean", double = "float", ["double precision"] = "float", real = "float", datetime = "timestamp",
  jsonb = "json", blob = "bytes", bytea = "bytes", ["timestamp with time zone"] = "timestamptz",
}

---A type as it is written down, `decimal(10,2)`: as the dialect spells it when it is a portable word or a usual name for
---one, else as it is.
---@param text string
---@param dialect string
---@return string type
---@return string? kind nil where only the database knows
function M.spelled(text, dialect)
  local name, inside = text:match "^%s*([^%(]-)%s*%(([%d%s,]*)%)%s*$"
  name = (name or text):lower():gsub("^%s+", ""):gsub("%s+$", "")
  local word = types[name] and name or aliases[name]
  if not word then return text, nil end
  local arguments = {}
  for number in (inside or ""):gmatch "%d+" do arguments[#arguments + 1] = math.tointeger(number) end
  if #arguments > 0 and not types[word][dialect]:find("%d", 1, true) then return text, kinds[word] end
  return M.type(word, arguments, dialect)
end

---The type of a key that counts by itself, and what else its column has.
---@param dialect string
---@return weft.Column
function M.id(dialect)
  if dialect == "postgres" then return { type = "bigint", kind = "integer", identity = "by default" } end
  if dialect == "mysql" then return { type = "bigint(20)", kind = "integer", auto_increment = true } end
  return { type = "integer", kind = "integer", rowid = true }
end

---The type of a column that points to such a key.
---@param dialect string
---@return string
function M.reference(dialect) return (dialect == "sqlite" and types.integer or types.bigint)[dialect] end

return M
