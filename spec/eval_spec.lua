-- SPDX-License-Identifier: MIT
-- Conditions answered in memory against conditions answered by the database: 5,000 random ones over random
-- rows, true, false and NULL told apart. WEFT_SEED=n repeats a run, WEFT_CONDITIONS=n changes its length.

local weft = require "weft"
local core = require "weft.core"
local backends = require "spec.support.backends"

local null, decimal = weft.null, weft.decimal
local seed = math.tointeger(tonumber(os.getenv "WEFT_SEED")) or 1
local CONDITIONS = math.tointeger(tonumber(os.getenv "WEFT_CONDITIONS")) or 5000
local ROWS = 40

local function pick(list) return list[math.random(#list)] end
local function chance(percent) return math.random(100) <= percent end

-- Few enough values that conditions meet rows, odd enough that both sides could get them wrong.
local texts = {
  "", " ", "a", "A", "abc", "ABC", "Abc", "abc ", "abc  ", "ABC ", " abc", "0", "-0", "-0.0", "1", "01", "1.0",
  "12", "12 ", " 12", "12.0", "1.2e1", "12abc", "+12", "2147483648", "9007199254740993", "9223372036854775807",
  "9223372036854775808", "é", "É", "e\u{301}", "äpfel", "ÄPFEL", "ß", "SS", "İ", "ı", "i", "I", "k", "\u{212A}",
  "日本", "日本語", "😀", "a%c", "a_c", "a\\c", "%", "_", "\\", "'", "\"", "null", "NaN", "Infinity", "true", "t",
  "a\nc", "x'00'", "0x10", "2024-02-29", "*", "?", "[a]",
}
local short = {} -- fit char(8)
for _, text in ipairs(texts) do
  if utf8.len(text) <= 8 then short[#short + 1] = text end
end
local small = { 0, 1, -1, 2, 10, 12, 127, 128, 255, 32767, -32768 }
local integers = { 2147483647, -2147483648, table.unpack(small) }
local big = {
  1 << 53, (1 << 53) + 1, (1 << 53) - 1, -(1 << 53) - 1, math.maxinteger, math.maxinteger - 1, math.mininteger,
  math.mininteger + 1, 2147483648, table.unpack(integers),
}
local floats = {
  0.0, -0.0, 0.1, 0.5, 1.0, -1.5, 12.0, 12.5, 0.30000000000000004, 0.3, 2.0 ^ 53, 2.0 ^ 53 + 2, 2.0 ^ 63, -2.0 ^ 63,
  1e300, -1e-300, 5e-324, 2147483648.0, 16777217.0,
}
local singles = { 0.0, -0.0, 0.5, 1.0, 0.1, 12.25, 16777216.0, -1.5, 1e30 }
local scaled = { decimal "0", decimal "0.001", decimal "12", decimal "12.000", decimal "-0.5", decimal "19.90",
  decimal "19.9", decimal "0.1", decimal "0.3", decimal "999999999.999", decimal "1000.5" }
local long = decimal "9007199254740993.5" -- more digits than SQLite keeps
local decimals = { decimal "9007199254740993", decimal "9223372036854775807", decimal "0.1", decimal "0.5",
  decimal "-12.25", decimal "100", table.unpack(scaled) }
local booleans = { true, false }
local bytes = { "", "a", "A", "ab", "\0", "a\0b", "\xff", "\xff\xfe", "ab " }
local dates = { "2024-02-29", "2024-03-01", "1999-12-31", "0001-01-01", "9999-12-31" }
local moments = { "2024-02-29T12:00:00Z", "2024-02-29T12:00:00.000001Z", "1999-12-31T23:59:59Z",
  "2024-03-01T00:00:00Z" }
local uuids = { "00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
  "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "ffffffff-ffff-ffff-ffff-ffffffffffff" }
local moods = { "sad", "ok", "happy" }
local documents = {
  { k = "red", n = 1 }, { k = "RED", n = 1.5 }, { k = null, n = "1" }, { n = 12 }, { k = "", n = true },
  { k = { d = "x" }, n = (1 << 53) + 1 }, { k = weft.array { "a", "b" }, n = 0 },
}

-- name, type per dialect, values of rows, values of conditions; odd: also these in rows (SQLite keeps what it is given)
local columns = {
  { "t", { sqlite = "text", postgres = "text", mysql = "varchar(60) collate utf8mb4_nopad_bin" }, texts },
  { "nc", { sqlite = "text collate nocase", postgres = "text collate \"und-x-icu\"", mysql = "varchar(60) collate utf8mb4_general_ci" }, texts },
  { "rt", { sqlite = "varchar(60) collate rtrim", postgres = "varchar(60)", mysql = "varchar(60) collate utf8mb4_bin" }, texts },
  { "c", { sqlite = "char(8)", postgres = "char(8)", mysql = "char(8) collate utf8mb4_bin" }, short, texts },
  { "s", { sqlite = "smallint", postgres = "smallint", mysql = "smallint" }, small },
  { "i", { sqlite = "integer", postgres = "integer", mysql = "integer" }, integers },
  { "b", { sqlite = "bigint", postgres = "bigint", mysql = "bigint" }, big },
  { "f", { sqlite = "real", postgres = "double precision", mysql = "double" }, floats },
  { "r", { sqlite = "float", postgres = "real", mysql = "float" }, singles },
  { "d", { sqlite = "numeric(12,3)", postgres = "numeric(12,3)", mysql = "numeric(12,3)" }, scaled },
  { "n", { sqlite = "numeric", postgres = "numeric", mysql = "numeric(38,10)" }, decimals },
  { "o", { sqlite = "boolean", postgres = "boolean", mysql = "boolean" }, booleans },
  { "y", { sqlite = "blob", postgres = "bytea", mysql = "varbinary(20)" }, bytes },
  { "dt", { sqlite = "date", postgres = "date", mysql = "date" }, dates },
  { "ts", { sqlite = "datetime", postgres = "timestamptz", mysql = "timestamp(6) null" }, moments },
  { "u", { sqlite = "uuid", postgres = "uuid", mysql = "uuid" }, uuids },
  { "j", { sqlite = "json", postgres = "jsonb", mysql = "json" }, documents, texts },
  { "m", { postgres = "mood", mysql = "enum('sad','ok','happy')" }, moods },
  { "x", { sqlite = "" }, { "abc", "ABC", "12", "abc " } },
}

local function columns_of(dialect)
  local list = {}
  for _, column in ipairs(columns) do
    local declared = column[2][dialect]
    if declared then
      list[#list + 1] = { name = column[1], type = declared, values = column[3], asked = column[4] or column[3] }
    end
  end
  return list
end

local function create_table(list, dialect)
  local lines = { "id integer primary key" }
  for i, column in ipairs(list) do lines[i + 1] = column.name .. " " .. column.type end
  return (dialect == "postgres" and "create type mood as enum ('sad', 'ok', 'happy');" or "")
    .. "create table cells (" .. table.concat(lines, ", ") .. ")"
end

local function fill(cells, list, dialect)
  local rows = {}
  for id = 1, ROWS do
    rows[id] = { id = id }
    for _, column in ipairs(list) do
      rows[id][column.name] = chance(15) and null or pick(column.values)
      if column.type == "numeric" and dialect == "postgres" and chance(10) then rows[id][column.name] = long end
    end
  end
  cells:create_many(rows, { returning = false })
end

-- What SQLite keeps whatever the column's type says.
local oddities = [[
  update cells set t = x'616263' where id = 1; update cells set x = 12 where id in (2, 3);
  update cells set x = 12.0 where id = 4; update cells set x = x'616263' where id = 5;
  update cells set x = -0.0 where id = 6;
  update cells set d = 12.0004 where id = 7; update cells set f = 9e999 where id = 8;]]

local operators = {
  "=", "=", "!=", "<", "<=", ">", ">=", "in", "not_in", "between", "like", "ilike", "begins_with", "ends_with",
  "contains", "is_null", "not_null",
}
local texts_of = { [texts] = true, [short] = true } -- the values of columns of text
local patterns = { like = true, ilike = true, begins_with = true, ends_with = true, contains = true }

---A value to compare with; now and then of another kind, as programs that pass on a request do.
local function value_for(column)
  local kind = math.random(100)
  if kind <= 6 then return pick(texts) end
  if kind <= 10 then return pick(big) end
  if kind <= 12 then return pick(floats) end
  if kind <= 14 then return pick(decimals) end
  return pick(column.asked)
end

local function pattern()
  local text = pick(texts)
  local kind = math.random(6)
  if kind == 1 then return "%" .. text end
  if kind == 2 then return text .. "%" end
  if kind == 3 then return "%" .. text .. "%" end
  if kind == 4 then return (text:gsub("[%z\1-\127]", "_", 1)) end
  return text
end

local function list_for(column, n)
  local list = {}
  for i = 1, n do list[i] = chance(8) and null or value_for(column) end
  return list
end

local function comparison(list)
  local column = pick(list)
  local op = pick(operators)
  local left = column.name
  if column.name == "j" then left = weft.path("j", pick { "k", "n" }) end
  if patterns[op] and not texts_of[column.values] and chance(85) then return comparison(list) end
  if patterns[op] then return { left, op, (op == "like" or op == "ilike") and pattern() or pick(texts) } end
  if op == "is_null" or op == "not_null" then return { left, op } end
  if op == "in" or op == "not_in" then return { left, op, list_for(column, math.random(0, 4)) } end
  if op == "between" then
    local low, high = value_for(column), value_for(column)
    return { left, op, { low, high } }
  end
  return { left, op, (op == "=" or op == "!=") and chance(5) and null or value_for(column) }
end

local function equality(list)
  local condition = {}
  for _ = 1, math.random(2) do
    local column = pick(list)
    if column.name ~= "j" then
      condition[column.name] = chance(20) and list_for(column, math.random(3)) or value_for(column)
    end
  end
  return next(condition) and condition or comparison(list)
end

local function condition_for(list, depth)
  local kind = depth > 0 and math.random(10) or 10
  if kind == 1 then return weft.negate(condition_for(list, depth - 1)) end
  if kind <= 4 then
    local parts = {}
    for i = 1, math.random(3) do parts[i] = condition_for(list, depth - 1) end
    return (kind == 2 and weft.any_of or weft.all_of)(parts)
  end
  if kind <= 6 then return equality(list) end
  return comparison(list)
end

-- Marks of weft.any_of and the others are tables of kind and of; everything else is data.
local function show(value)
  local kind = type(value)
  if kind == "string" then return ("%q"):format(value) end
  if kind ~= "table" then
    return math.type(value) == "float" and ("%.17g (float)"):format(value) or tostring(value)
  end
  if rawget(value, "kind") and rawget(value, "of") then return value.kind .. " " .. show(value.of) end
  local parts, names = {}, {}
  for i, item in ipairs(value) do parts[i] = show(item) end
  for name in pairs(value) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do parts[#parts + 1] = name .. " = " .. show(value[name]) end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local function truths(query, answers, truth)
  for _, row in ipairs(query:select("id"):all()) do answers[row.id] = truth end
end

---What the database says for each row: true, false, or nil for NULL.
local function ask(cells, condition)
  local answers = {}
  truths(cells:where(condition), answers, true)
  truths(cells:where(weft.negate(condition)), answers, false)
  return answers
end

-- Values that cannot become the type of the column, operators that it has not.
local refused = { type = true, usage = true, unsupported = true }

describe("a condition in memory", function()
  backends.each(function(backend)
    if backend.name == "sqlite file" then return end -- as in memory
    local list = columns_of(backend.dialect)

    it("answers as " .. backend.name .. " does, or says that it cannot know", function()
      math.randomseed(seed)
      local db, database = backend.open(create_table(list, backend.dialect))
      local cells = weft.models(database).cells
      fill(cells, list, backend.dialect)
      if backend.dialect == "sqlite" then db:script(oddities) end
      local rows = cells:order("id"):all()
      assert.equal(ROWS, #rows)
      local counts = { asked = 0, unknowable = 0, refused = 0, failed = 0 }
      local seen = { ["true"] = 0, ["false"] = 0, ["nil"] = 0 }
      local wrong, nwrong = {}, 0

      ---False: the condition could not be asked.
      local function compare(condition)
        local ok, answers = pcall(ask, cells, condition)
        if not ok then
          if not core.is_error(answers) then error(answers, 0) end
          local what = refused[answers.kind] and "refused" or "failed"
          counts[what] = counts[what] + 1
          if what == "failed" then counts.why = counts.why or (show(condition) .. ": " .. tostring(answers)) end
          return false
        end
        local query = cells:where(condition)
        for id, row in ipairs(rows) do
          local truth = core.eval(query, row)
          counts.asked = counts.asked + 1
          if truth == "unknowable" then
            counts.unknowable = counts.unknowable + 1
          else
            seen[tostring(truth)] = seen[tostring(truth)] + 1
            if truth ~= answers[id] then
              nwrong = nwrong + 1
              if #wrong < 8 then
                wrong[#wrong + 1] = ("%s\n    memory %s, database %s, row %s"):format(
                  show(condition), tostring(truth), tostring(answers[id]), weft.encode(row))
              end
            end
          end
        end
        return true
      end

      local done = 0
      while done < CONDITIONS do
        if compare(condition_for(list, 3)) then done = done + 1 end
      end

      local summary = ("WEFT_SEED=%d: %d answers, %d unknowable, %d wrong; %d conditions refused, %d failed (%s)")
        :format(seed, counts.asked, counts.unknowable, nwrong, counts.refused, counts.failed, tostring(counts.why))
      if os.getenv "WEFT_VERBOSE" then print(summary, weft.encode(seen)) end
      assert.equal(0, nwrong, summary .. "\n" .. table.concat(wrong, "\n"))
      assert.is_true(counts.unknowable < counts.asked / 10, summary)
      assert.is_true(counts.failed < CONDITIONS / 50, summary)
      for answer, n in pairs(seen) do assert.is_true(n > counts.asked / 50, answer .. " is rare. " .. summary) end
    end)
  end)
end)
