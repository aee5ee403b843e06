-- SPDX-License-Identifier: MIT
-- What `validate` of a model says: rules of columns, and functions over whole rows. Checked when the model
-- is defined, run before its rows are written; every failure is gathered, none stops the others.

local core = require "weft.core"
local errors = require "weft.errors"

local M = {}

local Decimal = getmetatable(core.decimal "0")
local computed = { [getmetatable(core.raw "0")] = true, [getmetatable(core.plus(1))] = true }

local function is_decimal(value) return getmetatable(value) == Decimal end
local function is_number(value) return math.type(value) ~= nil or is_decimal(value) end

-- ---- what a value is ----

local numeric = { integer = true, float = true, decimal = true }

---A value as its column will hold it, where that matters to rules: text in a column of numbers is a number
---(nil: it is none), a number in a column of text is text.
local function as_stored(value, type_name)
  if type(value) == "string" and numeric[type_name] then
    local ok, number = pcall(core.decimal, value)
    if ok then return number end
    return tonumber(value)
  end
  if type_name == "text" and math.type(value) then return tostring(value) end
  return value
end

---What min and max are of: the characters of a text, else the value of a number; nil for the rest.
local function size(value)
  if type(value) == "string" then return utf8.len(value) or #value end
  if value == value and is_number(value) then return value end
end

---a < b, for any two kinds of numbers.
local function less(a, b)
  if is_decimal(a) and math.type(b) == "float" then a = a:tonumber() end
  if is_decimal(b) and math.type(a) == "float" then b = b:tonumber() end
  return a < b
end

local function equal(a, b)
  if not (is_decimal(a) or is_decimal(b)) then return a == b end
  return is_number(a) and is_number(b) and not less(a, b) and not less(b, a)
end

-- ---- the rules ----

local formats = {
  email = { "^[^%s@]+@[^%s@.]+%.[^%s@]*[^%s@.]$", "is not an e-mail address" },
  url = { "^%a[%w+.-]*://[^%s/?#]+[^%s]*$", "is not a URL" },
  uuid = { "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$", "is not a UUID" },
}

local function characters(n) return n == 1 and "1 character" or n .. " characters" end

---"at least 3 characters" of a text, "at least 3" of a number.
local function bound(words, value, limit)
  if type(value) == "string" then return ("must have %s %s"):format(words, characters(limit)) end
  return ("must be %s %s"):format(words, tostring(limit))
end

-- Each is given the value as it will be stored and what the rule says; returns why it fails, or nil.
local rules = {}

function rules.min(value, limit)
  local n = size(value)
  if not n or less(n, limit) then return bound("at least", value, limit) end
end

function rules.max(value, limit)
  local n = size(value)
  if not n or less(limit, n) then return bound("at most", value, limit) end
end

function rules.length(value, wanted)
  local n = type(value) == "string" and size(value)
  if n and n >= wanted.min and n <= wanted.max then return nil end
  if wanted.min == wanted.max then return "must have " .. characters(wanted.min) end
  return ("must have %d to %s"):format(wanted.min, characters(wanted.max))
end

function rules.pattern(value, pattern)
  if is_number(value) then value = tostring(value) end
  if type(value) ~= "string" or not value:find(pattern) then return "has a wrong form" end
end

function rules.one_of(value, list)
  for _, allowed in ipairs(list) do
    if equal(value, allowed) then return nil end
  end
  return "is not one of the allowed values"
end

function rules.integer(value)
  local whole = math.type(value) == "integer" or (math.type(value) == "float" and math.tointeger(value))
    or (is_decimal(value) and value == value:round())
  if not whole then return "must be a whole number" end
end

function rules.format(value, name)
  local format = formats[name]
  if type(value) ~= "string" or not value:find(format[1]) or value:find("..", 1, true) and name == "email" then
    return format[2]
  end
end

local order = { "min", "max", "length", "pattern", "one_of", "integer", "format" } -- between required and check

-- ---- the definition ----

local function whole(value) return math.type(value) == "integer" and value >= 0 end

local function read_length(wanted)
  if whole(wanted) then return { min = wanted, max = wanted } end
  if type(wanted) ~= "table" then return nil end
  local least, most = wanted.min or wanted[1] or 0, wanted.max or wanted[2] or math.maxinteger
  if whole(least) and whole(most) and least <= most and next(wanted) ~= nil then return { min = least, max = most } end
end

local function flag(value) return type(value) == "boolean" and { value } or nil end
local function text(value) return type(value) == "string" and { value } or nil end
local function number(value) return is_number(value) and { value } or nil end

-- rule -> what it may say, as a list of one, or nil; and the same in words.
local readers = {
  required = { flag, "true or false" },
  min = { number, "a number" },
  max = { number, "a number" },
  length = { function(value) return { read_length(value) } end, "a number of characters, or { min, max }" },
  pattern = { function(value) return pcall(string.find, "", value) and text(value) end, "a Lua pattern" },
  one_of = { function(value) return type(value) == "table" and #value > 0 and { value } end, "a list of values" },
  integer = { flag, "true or false" },
  format = { function(value) return formats[value] and { value } end, "\"email\", \"url\" or \"uuid\"" },
  check = { function(value) return type(value) == "function" and { value } end, "a function(value, row)" },
  message = { text, "text" },
}
local rule_names = { "required", "min", "max", "length", "pattern", "one_of", "integer", "format", "check", "message" }

local function read_rules(column, given)
  if type(given) ~= "table" then errors.usage("model: validate.%s is a table of rules, as { required = true }", column) end
  errors.check_names(given, rule_names, "rule of validate." .. column .. ":")
  local read = {}
  for _, rule in ipairs(rule_names) do
    local value = given[rule]
    if value ~= nil then
      local checked = readers[rule][1](value)
      if not checked or checked[1] == nil then errors.usage("model: validate.%s.%s is %s", column, rule, readers[rule][2]) end
      if checked[1] ~= false then read[rule] = checked[1] end
    end
  end
  return read
end

---Reads the option `validate` of a model. Raises usage for what it cannot mean.
---@return { columns: table<string, table>, functions: function[] }
function M.read(validate)
  if type(validate) ~= "table" then errors.usage("model: validate is a table of column = { rules }") end
  local read = { columns = {}, functions = {} }
  for name in pairs(validate) do
    if type(name) ~= "string" and not (whole(name) and name > 0 and name <= #validate) then
      errors.usage("model: validate is a table of column = { rules } and of functions")
    end
  end
  for i, fn in ipairs(validate) do
    if type(fn) ~= "function" then errors.usage("model: validate[%d] is a %s, not a function(row)", i, type(fn)) end
    read.functions[i] = fn
  end
  for name, given in pairs(validate) do
    if type(name) == "string" then read.columns[name] = read_rules(name, given) end
  end
  return read
end

-- ---- running ----

---Rules of one column over its value; `fail(rule, message)` is told of each failure.
local function check_column(set, value, row, type_name, fail)
  if value == nil or value == core.null or (value == "" and set.required) then
    if set.required then fail("required", "is missing") end
    return
  end
  if computed[getmetatable(value)] then return end -- the database's to know
  local stored = as_stored(value, type_name)
  for _, rule in ipairs(order) do
    local why = set[rule] ~= nil and rules[rule](stored, set[rule])
    if why then fail(rule, why) end
  end
  if set.check then
    local ok, why = set.check(value, row)
    if not ok then fail("check", type(why) == "string" and why or "is not valid") end
  end
end

local function entry(failure, index)
  if type(failure) ~= "table" then errors.usage("validate: a list of failures holds tables { column, rule, message }") end
  return { column = failure.column or failure[1], rule = failure.rule or failure[2] or "check",
    message = failure.message or failure[3] or "is not valid", index = index }
end

---A function over the row: returns nothing, a column and a message, or a list of failures.
local function check_row(fn, row, failures, index)
  local column, message = fn(row)
  if not column then return end
  if type(column) == "string" then column = { { column, "check", message } } end
  if type(column) ~= "table" then
    errors.usage("validate: a function returns nothing, a column and a message, or a list of { column, rule, message }")
  end
  for _, failure in ipairs(column) do failures[#failures + 1] = entry(failure, index) end
end

---Adds what is wrong with a row to `failures`, columns in the order of the table, then functions.
---@param read table what M.read gave
---@param known table what core.table gave
---@param values table<string, any> what is being set
---@param row table what functions are given
---@param whole_row boolean a new row: columns that are left out count as missing
---@param failures table[]
---@param index? integer of the row, among several
function M.check(read, known, values, row, whole_row, failures, index)
  for _, name in ipairs(known.columns) do
    local set = read.columns[name]
    if set and (whole_row or values[name] ~= nil) then
      check_column(set, values[name], row, known.types[name].type, function(rule, message)
        failures[#failures + 1] = { column = name, rule = rule, message = set.message or message, index = index }
      end)
    end
  end
end

---The functions over whole rows.
function M.check_functions(read, row, failures, index)
  for _, fn in ipairs(read.functions) do check_row(fn, row, failures, index) end
end

---Raises one error of kind validation when there are failures. Its message names columns and rules, never
---values; `errors` lists { column, rule, message, index }.
function M.raise(failures, fields)
  if #failures == 0 then return end
  local words, most = {}, 10
  for i, failure in ipairs(failures) do
    if i > most then
      words[i] = ("and %d more"):format(#failures - most)
      break
    end
    local place = failure.index and ("row %d: "):format(failure.index) or ""
    words[i] = ("%s%s (%s)"):format(place, tostring(failure.column), tostring(failure.rule))
  end
  fields.errors = failures
  errors.raise("validation", "not valid: " .. table.concat(words, ", "), fields)
end

return M
