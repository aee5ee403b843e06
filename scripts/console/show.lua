-- SPDX-License-Identifier: MIT
-- Values as a console prints them: rows as tables that fit the terminal, everything else on few lines.

local core = require "weft.core"
local line = require "weft.line"
local weft = require "weft"

local M = {}

local DEPTH, ITEMS, ROWS = 4, 50, 20

-- Texts -----------------------------------------------------------------------------------------

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\27"] = "\\e" }

local function escape(c) return escapes[c] or ("\\x%02x"):format(c:byte()) end

---On one line, and harmless to a terminal: no control characters (those of C1 neither), no broken UTF-8.
---@param text string
---@return string
function M.plain(text)
  text = text:gsub("[%c\127]", escape)
  if not utf8.len(text) then return (text:gsub("[\x80-\xff]", escape)) end
  return (text:gsub("\xc2[\x80-\x9f]", function(c) return ("\\u%04x"):format(utf8.codepoint(c)) end))
end

local function is_row(value) return type(value) == "table" and (pcall(weft.columns, value)) end

---A value in a cell.
local function cell(value)
  if value == nil or value == core.null then return "NULL" end
  if type(value) == "string" then return M.plain(value) end
  if type(value) == "table" then
    local ok, text = pcall(core.encode, value)
    return M.plain(ok and text or tostring(value))
  end
  return tostring(value)
end

-- Tables ----------------------------------------------------------------------------------------

---How wide each column becomes: the widest ones give way until all fit.
local function fitted(widths, total)
  local sum = 3 * #widths - 3
  for _, width in ipairs(widths) do sum = sum + width end
  while total and sum > total do
    local widest = 1
    for i, width in ipairs(widths) do
      if width > widths[widest] then widest = i end
    end
    if widths[widest] <= 4 then break end
    widths[widest], sum = widths[widest] - 1, sum - 1
  end
  return widths
end

local function padded(text, width, right)
  text = line.cut(text, width)
  local space = (" "):rep(width - line.width(text))
  return right and space .. text or text .. space
end

local function grid_line(cells, widths, right)
  local parts = {}
  for i, text in ipairs(cells) do parts[i] = padded(text, widths[i], right and right[i]) end
  return (table.concat(parts, " | "):gsub(" +$", ""))
end

---A heading and rows of cells; numbers stand at the right.
local function grid(heads, rows, right, total)
  local widths = {}
  for i, head in ipairs(heads) do
    widths[i] = line.width(head)
    for _, row in ipairs(rows) do widths[i] = math.max(widths[i], line.width(row[i])) end
  end
  fitted(widths, total)
  local out, rules = { grid_line(heads, widths) }, {}
  for i, width in ipairs(widths) do rules[i] = ("-"):rep(width) end
  out[2] = table.concat(rules, "-+-")
  for _, row in ipairs(rows) do out[#out + 1] = grid_line(row, widths, right) end
  if total then
    for i, text in ipairs(out) do out[i] = line.cut(text, total) end
  end
  return table.concat(out, "\n")
end

---Names of columns, those of all rows in order, and of associations that came with them.
local function heads_of(rows)
  local heads, seen = {}, {}
  local function add(name)
    if not seen[name] then heads[#heads + 1], seen[name] = name, true end
  end
  for _, row in ipairs(rows) do
    for _, name in ipairs(weft.columns(row)) do add(name) end
    local more = {}
    for name in pairs(row) do
      if not seen[name] then more[#more + 1] = tostring(name) end
    end
    table.sort(more)
    for _, name in ipairs(more) do add(name) end
  end
  return heads
end

local function value_of(row, name)
  local ok, value = pcall(function() return row[name] end) -- of another row's columns
  return ok and value or nil
end

local function rows_table(rows, width)
  local heads, cells, right = heads_of(rows), {}, {}
  for i, name in ipairs(heads) do
    right[i] = true
    for j, row in ipairs(rows) do
      local value = value_of(row, name)
      cells[j] = cells[j] or {}
      cells[j][i] = cell(value)
      local numeric = value == nil or type(value) == "number" or getmetatable(value) == getmetatable(weft.decimal "1")
      right[i] = right[i] and numeric
    end
  end
  for i, name in ipairs(heads) do heads[i] = M.plain(name) end
  return grid(heads, cells, right, width)
end

local function row_lines(row, width)
  local cells = {}
  for i, name in ipairs(heads_of { row }) do cells[i] = { M.plain(name), cell(value_of(row, name)) } end
  return grid({ "column", "value" }, cells, nil, width)
end

-- Other values ----------------------------------------------------------------------------------

local shown -- below

local function key_text(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" then return key end
  return "[" .. shown(key, DEPTH) .. "]"
end

local function sorted_keys(value)
  local keys = {}
  for key in pairs(value) do
    if math.type(key) ~= "integer" or key < 1 or key > #value then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "string" or type(a) == "number") then return a < b end
    return tostring(a) < tostring(b)
  end)
  return keys
end

local function table_text(value, depth)
  if depth >= DEPTH then return "{...}" end
  local parts = {}
  for i = 1, math.min(#value, ITEMS) do parts[i] = shown(value[i], depth + 1) end
  for _, key in ipairs(sorted_keys(value)) do
    if #parts >= ITEMS then break end
    parts[#parts + 1] = key_text(key) .. " = " .. shown(value[key], depth + 1)
  end
  if #parts >= ITEMS then parts[#parts + 1] = "..." end
  return #parts == 0 and "{}" or "{ " .. table.concat(parts, ", ") .. " }"
end

function shown(value, depth)
  if type(value) == "string" then return '"' .. M.plain(value) .. '"' end
  if type(value) ~= "table" then return M.plain(tostring(value)) end
  local meta = getmetatable(value)
  if type(meta) == "table" and meta.__tostring then return M.plain(tostring(value)) end
  return table_text(value, depth)
end

---One row more than is shown, and no more than the query wants itself.
local function few(query) return query:limit(math.min(core.limit(query) or ROWS + 1, ROWS + 1)):all() end

local function list_text(rows, width)
  local first = table.move(rows, 1, math.min(#rows, ROWS), 1, {})
  local text = rows_table(first, width)
  local count = #rows > ROWS and ("(the first %d rows)"):format(ROWS) or ("(%d row%s)"):format(#rows, #rows == 1 and "" or "s")
  return text .. "\n" .. count
end

---The text of a value; a query is run for it.
---@param value any
---@param width? integer columns of the terminal
---@return string
function M.value(value, width)
  if type(value) == "userdata" and core.is_query(value) then
    local rows = few(value)
    return #rows == 0 and "(no rows)" or list_text(rows, width)
  end
  if is_row(value) then return row_lines(value, width) end
  if type(value) == "table" and is_row(value[1]) then return list_text(value, width) end
  return shown(value, 0)
end

return M
