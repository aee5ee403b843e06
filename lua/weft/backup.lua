-- SPDX-License-Identifier: MIT
-- A table to a file and back. The file is text, a JSON value a line: what the table is, each row as an array, and how
-- many they were with a sum of all lines before. Values are exact: NULL is null, whole numbers and booleans are their own,
-- everything else is the database's text, {"hex"} is bytes and {"real"} a float of SQLite, whose columns hold anything.

local core = require "weft.core"
local ddl = require "weft.ddl"
local errors = require "weft.errors"
local fnv = require "weft.fnv"
local progress = require "weft.progress"
local row_order = require "weft.row_order"

local M = {}

local PAGE, SINGLE = 1000, 1

-- Files -------------------------------------------------------------------------------------------

local function quoted(path) return "'" .. path:gsub("'", "'\\''") .. "'" end

---A file, or what gzip makes of it when its name ends so.
local function open(path, mode)
  if path:find "%.gz$" then
    if mode == "r" then assert(io.open(path, "rb"), "no file"):close() end
    return assert(io.popen((mode == "w" and "gzip -c >%s" or "gzip -dc <%s"):format(quoted(path)), mode))
  end
  return io.open(path, mode .. "b")
end

local function must_open(path, mode)
  local ok, file, why = pcall(open, path, mode)
  if not ok or not file then errors.raise("usage", ("cannot open the file %s: %s"):format(path, why or "there is no such file")) end
  return file
end

-- Reading a table ---------------------------------------------------------------------------------

local bytes_of_mysql = { "^bit", "^geometry", "point", "linestring", "polygon" }

---The kind as which a column travels: MySQL's bits and shapes are not what their text says, its floats have more digits.
local function kind_of(dialect, column)
  if dialect ~= "mysql" or column.values then return column.kind end
  for _, word in ipairs(bytes_of_mysql) do
    if column.type:find(word) then return "bytes" end
  end
  return column.type:find "^float" and "single" or column.kind
end

local mysql_forms = { bytes = "hex(%s)", single = "cast(%s + 0e0 as char)" }

---How a column is asked so that nothing is lost, by dialect: given its quoted name and kind.
local asked = {
  postgres = function(name, kind) return kind == "bytes" and ("encode(%s, 'hex')"):format(name) or name .. "::text" end,
  mysql = function(name, kind) return (mysql_forms[kind] or "cast(%s as char)"):format(name) end,
  sqlite = function(name)
    return ("case typeof(%s) when 'blob' then 'b' || hex(%s) when 'text' then 't' || hex(%s) when 'integer' then 'i' || %s "
      .. "when 'real' then 'r' || printf('%%!.17g', %s) end"):format(name, name, name, name, name)
  end,
}

local function unhex(text) return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)) end
local function text_of(text) return utf8.len(text) and text or { hex = text:gsub(".", function(c) return ("%02x"):format(c:byte()) end) } end

local tagged = {
  b = function(rest) return { hex = rest:lower() } end,
  t = function(rest) return text_of(unhex(rest)) end,
  i = function(rest) return math.tointeger(rest) end,
  r = function(rest) return { real = rest } end,
}

local truths = { t = true, ["true"] = true, ["1"] = true, f = false, ["false"] = false, ["0"] = false }

---The value of a cell as JSON tells it.
local function cell(dialect, kind, text)
  if text == nil then return core.null end
  if dialect == "sqlite" then return tagged[text:sub(1, 1)](text:sub(2)) end
  if kind == "bytes" then return { hex = text:lower() } end
  if kind == "integer" and math.tointeger(tonumber(text)) then return math.tointeger(tonumber(text)) end
  if kind == "boolean" and truths[text] ~= nil then return truths[text] end
  return text
end

local function stored_columns(t)
  local list = {}
  for _, column in ipairs(t.columns) do
    if not column.generated and not column.hidden then list[#list + 1] = column end
  end
  return list
end

---How pages follow one another: behind the last key, or by their number where there is none that compares.
local function order_of(sql, t)
  local list = {}
  for i, name in ipairs(t.primary_key) do
    if t.columns[name].kind == "bytes" or t.columns[name].nullable then return {} end
    list[i] = "b." .. sql:quote(name)
  end
  return list
end

local function page_query(sql, t, dialect, where)
  local keys, list = order_of(sql, t), {}
  for i, column in ipairs(stored_columns(t)) do list[i] = asked[dialect]("b." .. sql:quote(column.name), kind_of(dialect, column)) end
  for _, key in ipairs(keys) do list[#list + 1] = key end
  local marks = ("?, "):rep(#keys):sub(1, -3)
  local text = ("select %s from %s b where %s"):format(table.concat(list, ", "), sql:name_of(t), where and "(" .. where .. ")" or "1 = 1")
  local order = #keys > 0 and " order by " .. table.concat(keys, ", ") or ""
  local behind = #keys > 0 and (" and (%s) > (%s)"):format(table.concat(keys, ", "), marks) or ""
  -- PostgreSQL begins to read a large table where the last one left off: only a cursor goes through it once
  local cursor = #keys == 0 and dialect == "postgres" and "declare weft_backup no scroll cursor for " .. text or nil
  return { keys = #keys, columns = #list - #keys, cursor = cursor, first = text .. order .. " limit " .. PAGE,
    next = #keys > 0 and text .. behind .. order .. " limit " .. PAGE or text .. " limit " .. PAGE .. " offset " }
end

---All rows as arrays of texts, a page at a time.
local function pages(db, query)
  if query.cursor then
    db:execute(query.cursor)
    return function()
      local rows = db:rows("fetch " .. PAGE .. " from weft_backup")
      if #rows > 0 then return rows end
      db:execute "close weft_backup"
    end
  end
  local last, seen = nil, 0
  return function()
    local rows
    if not last then rows = db:rows(query.first)
    elseif query.keys > 0 then rows = db:rows(query.next, table.unpack(last, query.columns + 1, query.columns + query.keys))
    else rows = db:rows(query.next .. seen) end
    if #rows == 0 then return nil end
    last, seen = rows[#rows], seen + #rows
    return rows
  end
end

local function table_of(db, name)
  local t = db:schema():table(name)
  if not t then errors.usage("there is no table '%s'", name) end
  return t
end

---What makes the table again, with its enums and its own sequences.
local function create_of(db, t, dialect)
  local enums, sequences, model = {}, {}, db:schema():model()
  for _, sequence in ipairs(model.sequences) do
    if sequence.owned_by and sequence.owned_by.table == t.key then sequences[#sequences + 1] = sequence end
  end
  for _, enum in ipairs(model.enums) do
    for _, column in ipairs(t.columns) do
      if column.enum == enum.key then enums[#enums + 1] = enum break end
    end
  end
  local alone = { tables = { t }, views = {}, domains = {}, types = {}, sequences = sequences, enums = enums }
  local ok, list = pcall(ddl.create, alone, dialect)
  return ok and core.array(list) or nil
end

local function header_of(db, t, dialect)
  local columns = core.array {}
  for i, column in ipairs(stored_columns(t)) do columns[i] = { name = column.name, type = column.type, kind = column.kind } end
  return { weft_backup = 1, table = t.key, dialect = dialect, columns = columns, create = create_of(db, t, dialect) }
end

---Writes lines and adds them up.
local function writer(file)
  local sum
  return function(value)
    local line = core.encode(value) .. "\n"
    sum = fnv(line, sum)
    local ok, why = file:write(line)
    if not ok then errors.raise("internal", "the backup cannot be written: " .. why) end
  end, function() return sum end
end

local function write_rows(db, t, dialect, put, options)
  local query, columns, count = page_query(ddl.dialect(dialect), t, dialect, options.where), stored_columns(t), 0
  local total = db:rows(("select count(*) from %s where %s"):format(ddl.dialect(dialect):name_of(t), options.where or "1 = 1"))[1][1]
  local bar = progress.new("backup " .. t.key, total, { quiet = options.quiet })
  for rows in pages(db, query) do
    for _, row in ipairs(rows) do
      local out = {}
      for i, column in ipairs(columns) do out[i] = cell(dialect, kind_of(dialect, column), row[i]) end
      put(core.array(out))
    end
    count = count + #rows
    bar:step(#rows)
  end
  bar:done(("%d rows"):format(count))
  return count
end

---Writes a table to a file, as it is at one moment.
---@param db weft.Database
---@param name string "users" or "schema.users"
---@param path string with .gz at its end it is compressed
---@param options? { where: string?, quiet: boolean? } where: SQL
---@return integer rows
function M.write(db, name, path, options)
  options = options or {}
  errors.check_names(options, { "where", "quiet" }, "option of backup")
  local t, dialect, count = table_of(db, name), core.dialect(db), 0
  local beside = path:gsub("%.gz$", "") .. ".part" .. (path:match "%.gz$" or "")
  local file = must_open(beside, "w")
  local put, sum = writer(file)
  local ok, err = pcall(function()
    db:transaction(function()
      put(header_of(db, t, dialect))
      count = write_rows(db, t, dialect, put, options)
    end, { read_only = true, isolation = dialect ~= "sqlite" and "repeatable read" or nil })
    assert(file:write(core.encode { rows = count, sum = sum() } .. "\n"))
  end)
  if not file:close() and ok then ok, err = false, "the backup cannot be written" end
  if ok then ok, err = os.rename(beside, path) end
  if not ok then
    os.remove(beside)
    error(err, 0)
  end
  return count
end

-- Writing a table ---------------------------------------------------------------------------------

local function real(text)
  return tonumber(text) or text:lower():find "^-inf" and -math.huge or math.huge
end

---The mark and the parameter of a value.
local function bound(dialect, value)
  if type(value) ~= "table" or value == core.null then return "?", value end
  if value.real then return "?", real(value.real) end
  if dialect == "sqlite" then return "cast(? as blob)", unhex(value.hex) end
  if dialect == "mysql" then return "unhex(?)", value.hex end
  return "decode(?, 'hex')", value.hex
end

local conflict = {
  mysql = function(_, names)
    local sets = {}
    for i, name in ipairs(names) do sets[i] = ("%s = values(%s)"):format(name, name) end
    return " on duplicate key update " .. table.concat(sets, ", ")
  end,
}
local function on_conflict(keys, names)
  local sets, is_key = {}, {}
  for _, key in ipairs(keys) do is_key[key] = true end
  for _, name in ipairs(names) do -- the key is equal, and an identity takes no other value
    if not is_key[name] then sets[#sets + 1] = ("%s = excluded.%s"):format(name, name) end
  end
  local action = #sets > 0 and "update set " .. table.concat(sets, ", ") or "nothing"
  return (" on conflict (%s) do %s"):format(table.concat(keys, ", "), action)
end
conflict.postgres, conflict.sqlite = on_conflict, on_conflict

---The two halves of the insert around its rows.
local function insert_of(sql, t, header, dialect, upsert)
  local names, keys, always = {}, {}, false
  for i, column in ipairs(header.columns) do
    local there = t.columns[column.name]
    if not there then errors.usage("%s has no column '%s', which the backup has", t.key, column.name) end
    names[i], always = sql:quote(column.name), always or there.identity == "always"
  end
  for i, name in ipairs(t.primary_key) do keys[i] = sql:quote(name) end
  if upsert and #keys == 0 then errors.usage("%s has no primary key to tell rows by", t.key) end
  local before = ("insert into %s (%s)%s values "):format(sql:name_of(t), table.concat(names, ", "), always and " overriding system value" or "")
  return before, upsert and conflict[dialect](keys, names) or ""
end

---Puts rows into a table, so many in one statement.
local function inserter(db, before, after, dialect, width)
  local most = dialect == "sqlite" and SINGLE or math.max(1, math.min(500, 20000 // width))
  local tuples, values, n = {}, {}, 0
  local function flush()
    if #tuples == 0 then return end
    db:execute(before .. table.concat(tuples, ", ") .. after, table.unpack(values, 1, n))
    tuples, values, n = {}, {}, 0
  end
  return function(row)
    local marks = {}
    for i = 1, width do
      n = n + 1
      marks[i], values[n] = bound(dialect, row[i])
    end
    tuples[#tuples + 1] = "(" .. table.concat(marks, ", ") .. ")"
    if #tuples >= most then flush() end
  end, flush
end

local function damaged(path, words) errors.raise("usage", ("%s is no whole backup: %s"):format(path, words)) end

---The lines of a backup as values; the last one is checked.
local function reader(path, file)
  local sum, count = nil, -1
  return function()
    local line = file:read "L"
    if not line then damaged(path, "its end is missing") end
    local ok, value = pcall(core.decode, line)
    if not ok or type(value) ~= "table" then damaged(path, ("line %d cannot be read"):format(count + 2)) end
    if value.sum then
      if value.sum ~= sum or value.rows ~= count then damaged(path, "it was changed after it had been written") end
      if file:read(1) then damaged(path, "something follows its end") end
      return nil
    end
    sum, count = fnv(line, sum), count + 1
    return value
  end
end

---Calls fn with what reads the rows of a backup, and its header.
local function reading(path, fn)
  local file = must_open(path, "r")
  local ok, result = pcall(function()
    local next_line = reader(path, file)
    local header = next_line()
    if not header or header.weft_backup ~= 1 then damaged(path, "its first line is not of one") end
    return fn(next_line, header)
  end)
  file:close()
  if not ok then error(result, 0) end
  return result
end

---PostgreSQL's sequences go on behind the greatest value.
local function advance_sequences(db, sql, t)
  for _, column in ipairs(t.columns) do
    if column.identity or (column.default or ""):find("nextval", 1, true) then
      local name, quoted_name = sql:name_of(t), sql:quote(column.name)
      db:query(("select setval(s, m) from (select pg_get_serial_sequence(%s, %s) as s, max(%s) as m from %s) x where s is not null and m is not null")
        :format(sql:text(name), sql:text(column.name), quoted_name, name))
    end
  end
end

---Whether a statement makes an enum that the database has: it outlives its table.
local function makes_known_enum(db, statement)
  local name = statement:match "^create type (.-) as enum"
  for _, enum in ipairs(name and db:schema():enums() or {}) do
    if ddl.dialect(core.dialect(db)):name_of(enum) == name then return true end
  end
  return false
end

---Makes the table of a backup where it is missing; true when it was.
local function make_table(db, header, name)
  if db:schema():table(name) then return false end
  if core.dialect(db) ~= header.dialect or name ~= header.table or not header.create then
    errors.usage("there is no table '%s': the backup is of %s on %s, make a table for it first", name, header.table, header.dialect)
  end
  for _, statement in ipairs(header.create) do
    if not makes_known_enum(db, statement) then core.verbatim(db, statement) end
  end
  return true
end

---MySQL looks at the keys of each row that goes, so that none may point to another one of them.
local function delete_rows(db, sql, t)
  for _, key in ipairs(core.dialect(db) == "mysql" and t.foreign_keys or {}) do
    local column = t.columns[key.columns[1]]
    if key.key == t.key and column.nullable then db:execute(("update %s set %s = null"):format(sql:name_of(t), sql:quote(column.name))) end
  end
  db:execute("delete from " .. sql:name_of(t))
end

local function restore_rows(db, next_line, header, options)
  local dialect = core.dialect(db)
  make_table(db, header, options.table or header.table)
  local t = table_of(db, options.table or header.table)
  local sql, count = ddl.dialect(dialect), 0
  local before, after = insert_of(sql, t, header, dialect, options.upsert)
  if options.replace then delete_rows(db, sql, t) end
  local put, flush = inserter(db, before, after, dialect, #header.columns)
  local add, finish = row_order.new(t, header.columns, put)
  local bar = progress.new("restore " .. t.key, nil, { quiet = options.quiet })
  for row in next_line do
    add(row)
    count = count + 1
    bar:step(1)
  end
  finish()
  flush()
  if dialect == "postgres" then advance_sequences(db, sql, t) end
  bar:done(("%d rows"):format(count))
  return count
end

---On MySQL a new table is no part of the transaction: it goes when the rows do not come.
local function beside_transaction(db, header, options, fn)
  local name = options.table or header.table
  local made = core.dialect(db) == "mysql" and make_table(db, header, name)
  local results = table.pack(pcall(fn))
  if results[1] then return results[2] end
  if made then db:execute("drop table " .. ddl.dialect "mysql":name_of(table_of(db, name))) end
  error(results[2], 0)
end

---Reads a backup into a table, all of it or nothing. A table that is missing is made.
---@param db weft.Database
---@param path string
---@param options? { table: string?, replace: boolean?, upsert: boolean?, quiet: boolean? } table: another one than it was; replace:
---what is there is deleted before; upsert: rows of equal key are overwritten
---@return integer rows
function M.restore(db, path, options)
  options = options or {}
  errors.check_names(options, { "table", "replace", "upsert", "quiet" }, "option of restore")
  if options.replace and options.upsert then errors.usage "restore: either replace or upsert" end
  reading(path, function(next_line) -- to its end, before the database is touched
    for _ in next_line do end
  end)
  return reading(path, function(next_line, header)
    return beside_transaction(db, header, options, function()
      return db:transaction(function() return restore_rows(db, next_line, header, options) end)
    end)
  end)
end

return M
