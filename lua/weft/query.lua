-- SPDX-License-Identifier: MIT
-- What queries and models can do beyond the core's own methods. Every function is a method: the first
-- argument is the query.

local core = require "weft.core"
local errors = require "weft.errors"

local M = {}

---@class weft.Query
local methods = core.query_methods
M.methods = methods

---One column: a list of its values (a NULL leaves a hole, see n); several: a list of lists.
---@param ... string columns
---@return any[] values with n
function methods:pluck(...)
  local columns = table.pack(...)
  if columns.n == 0 then errors.usage("pluck takes at least one column") end
  for i = 1, columns.n do
    if type(columns[i]) ~= "string" then errors.usage("pluck takes names of columns") end
  end
  local rows = self:select(...):all()
  local list = core.array { n = #rows }
  if #rows == 0 then return list end
  local names = core.columns(rows[1]) -- "attrs.color" is called color
  for i, row in ipairs(rows) do
    if columns.n == 1 then
      list[i] = row[names[1]]
    else
      local values = { n = columns.n }
      for k = 1, columns.n do values[k] = row[names[k]] end
      list[i] = values
    end
  end
  return list
end

---The order's values of one row.
local function position(row, names)
  local values = {}
  for i, name in ipairs(names) do
    local value = row[name]
    values[i] = value == nil and core.null or value
  end
  return core.array(values)
end

-- A cursor is opaque to users: a position as JSON in hexadecimal.
local function to_cursor(row, names)
  return (core.encode(position(row, names)):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function from_cursor(cursor)
  if type(cursor) ~= "string" or #cursor % 2 == 1 or cursor:find "%X" or cursor == "" then
    errors.usage("page: this is no cursor (use next or previous of another page)")
  end
  local text = cursor:gsub("%x%x", function(hex) return string.char(tonumber(hex, 16)) end)
  local ok, values = pcall(core.decode, text)
  if not ok or type(values) ~= "table" then errors.usage("page: this is no cursor (use next or previous of another page)") end
  return values
end

local function reverse(list)
  local n = #list
  for i = 1, n // 2 do list[i], list[n + 1 - i] = list[n + 1 - i], list[i] end
end

---The first row of these values (by primary key), or nil.
---@param values table<string, any> conditions as `where` takes them
---@return weft.Row?
function methods:find_by(values)
  if type(values) ~= "table" then errors.usage("find_by takes a table of column = value, got %s", type(values)) end
  return self:where(values):first()
end

---One page in the query's order (the primary key decides between equals), found by where the last one
---ended, not by counting.
---@param options { size?: integer, after?: string, before?: string } size 20
---@return { rows: weft.Row[], next: string?, previous: string? } page
function methods:page(options)
  options = options or {}
  if type(options) ~= "table" then errors.usage("page takes a table, as { size = 20 }") end
  errors.check_names(options, { "size", "after", "before" }, "option of page")
  local size = options.size or 20
  if math.type(size) ~= "integer" or size < 1 then errors.usage("page: size is a whole number from 1") end
  if options.after and options.before then errors.usage("page takes after or before, not both") end
  core.discover(self)
  local back = options.before ~= nil
  local cursor = options.after or options.before
  local query, names, limit, offset = core.seek(self, cursor and from_cursor(cursor), back)
  if limit or offset then errors.usage("page: size says how many rows, after and before say where; take limit and offset away") end
  local rows = query:limit(size + 1):all()
  local more = #rows > size
  if more then rows[#rows] = nil end
  if back then reverse(rows) end
  local first, last = rows[1], rows[#rows]
  return {
    rows = rows,
    next = last and (back or more) and to_cursor(last, names) or nil,
    previous = first and (options.after or (back and more)) and to_cursor(first, names) or nil,
  }
end

---for row in query:each(size) do ... end holds one page of rows at a time.
---@param size? integer rows of a page (500)
function methods:each(size)
  size = size or 500
  if math.type(size) ~= "integer" or size < 1 then errors.usage("each takes a whole number from 1") end
  core.info(self) -- raises here, not in the loop, when this is no query
  local rows, i, after, left, ended
  local function fetch()
    core.discover(self)
    local query, names, limit = core.seek(self, after)
    left = left or limit or math.huge
    local wanted = math.min(size, left)
    rows, i = query:limit(wanted):all(), 0
    left = left - #rows
    ended = #rows < wanted or left == 0
    after = not ended and position(rows[#rows], names) -- now: rows may be changed by whoever gets them
  end
  return function()
    if not rows then fetch() end
    if i == #rows then
      if ended then return nil end
      fetch()
    end
    i = i + 1
    return rows[i]
  end
end

---A key as the text under which keys of the same meaning meet: 1, 1.0, "1" and "01" in a column of
---integers; uuids in any spelling.
local function key_text(key, like)
  local text = tostring(key)
  if math.type(like) == "integer" then return tostring(math.tointeger(tonumber(text)) or text) end
  if #text >= 32 and type(like) == "string" and like:find "^%x+%-%x+%-%x+%-%x+%-%x+$" then
    return (text:gsub("%X", ""):lower())
  end
  return text
end

---Rows by key in the order of the keys; a key without a row leaves a hole.
---@param keys any[] values of the key, or lists of them for a composite key
---@return { n: integer, [integer]: weft.Row }
function methods:find_many(keys)
  if type(keys) ~= "table" then errors.usage("find_many takes a list of keys") end
  core.discover(self)
  local key = core.table(self).key
  local n = #keys
  local found = core.array { n = n }
  if #key ~= 1 then
    for i = 1, n do
      if type(keys[i]) ~= "table" then errors.usage("find_many: a composite key is a list of its values") end
      found[i] = self:find(table.unpack(keys[i], 1, #key))
    end
    return found
  end
  if n == 0 then return found end
  local by_key, like = {}, nil
  for _, row in ipairs(self:where(key[1], "in", keys):all()) do
    like = row[key[1]]
    by_key[key_text(like, like)] = row
  end
  for i = 1, n do found[i] = by_key[key_text(keys[i], like)] end
  return found
end

local explain = { sqlite = "explain query plan ", postgres = "explain ", mysql = "explain format=json " }

---How the database would run the query: lines of text.
---@return string plan
function methods:explain()
  local sql, params = methods.sql(self)
  local db = core.info(self).db
  local rows = db:rows(explain[core.dialect(db)] .. sql, table.unpack(params))
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = tostring(row[#row]) end
  return table.concat(lines, "\n")
end

-- ---- writes ----

local function check_values(values, who)
  if type(values) ~= "table" then errors.usage("%s takes a table of column = value, got %s", who, type(values)) end
end

M.check_values = check_values

---Inserts one row and returns it as stored.
---@param values table<string, any>
---@return weft.Row
function methods:create(values)
  check_values(values, "create")
  return core.insert(self, { values }, {})[1]
end

---Rows that name the same columns, in the order of their first one.
local function groups_of(rows)
  local groups, by_columns = {}, {}
  for i, row in ipairs(rows) do
    check_values(row, "create_many")
    local names = {}
    for name in pairs(row) do names[#names + 1] = tostring(name) end
    table.sort(names)
    local signature = table.concat(names, "\0")
    local group = by_columns[signature]
    if not group then
      group = { rows = {}, places = {} }
      by_columns[signature] = group
      groups[#groups + 1] = group
    end
    group.rows[#group.rows + 1] = row
    group.places[#group.places + 1] = i
  end
  return groups
end

---Raises usage for what create_many cannot mean.
---@return boolean quiet
function M.check_many(rows, options)
  if type(rows) ~= "table" then errors.usage("create_many takes a list of tables, got %s", type(rows)) end
  options = options or {}
  errors.check_names(options, { "returning" }, "option of create_many")
  if #rows == 0 and next(rows) ~= nil then errors.usage("create_many takes a list of tables; use create for one row") end
  return options.returning == false
end

---Inserts many rows, all or none. Returns them as stored in the order given; with returning = false
---their number, in the fewest statements.
---@param rows table<string, any>[]
---@param options? { returning?: boolean }
---@return weft.Row[]|integer
function methods:create_many(rows, options)
  local quiet = M.check_many(rows, options)
  if #rows == 0 then return quiet and 0 or {} end
  if #rows == 1 then check_values(rows[1], "create_many") end
  local stored_at_once = core.insert(self, rows, { quiet = quiet })
  if stored_at_once then return stored_at_once end
  local groups = groups_of(rows)
  return core.info(self).db:transaction(function()
    local count, stored = 0, {}
    for _, group in ipairs(groups) do
      local result = core.insert(self, group.rows, { quiet = quiet })
      if quiet then
        count = count + result
      else
        for i, row in ipairs(result) do stored[group.places[i]] = row end
      end
    end
    return quiet and count or stored
  end)
end

---Raises usage for what upsert cannot mean.
---@return string[] columns that identify the row
function M.check_upsert(values, options)
  check_values(values, "upsert")
  if type(options) ~= "table" or options.on == nil then
    errors.usage("upsert needs the unique columns: upsert(values, { on = \"sku\" })")
  end
  errors.check_names(options, { "on", "update" }, "option of upsert")
  if options.update ~= nil and type(options.update) ~= "table" then
    errors.usage("upsert: update is a table of column = value, got %s", type(options.update))
  end
  return type(options.on) == "table" and options.on or { options.on }
end

---Inserts a row or, where one with equal `on` columns exists, updates it (with `update`, or all given
---columns). Returns the row as stored.
---@param values table<string, any>
---@param options { on: string|string[], update?: table<string, any> }
---@return weft.Row
function methods:upsert(values, options)
  local on = M.check_upsert(values, options)
  local row = core.insert(self, { values }, options)[1]
  if row then return row end
  local same = {} -- nothing had to be updated: the row is as it was
  for _, name in ipairs(on) do same[name] = values[name] end
  return self:where(same):one()
end

return M
