-- SPDX-License-Identifier: MIT
-- A schema that is made up from a seed, out of few names, so that two of them have much in common; and rows for it that
-- fit any other one. Names are hostile ones.

local M = {}

local names = { "users", "order", 'a "b" `c`', "list", "naïve €" }
local columns = { "c1", "select", "line\nbreak", "c 4", "c5" }

local words = {
  sqlite = { types = { "integer", "text", "varchar(20)", "real" }, serial = "integer" },
  postgres = { types = { "integer", "bigint", "text", "character varying(20)", "numeric(8,2)" }, serial = "integer" },
  mysql = { types = { "int(11)", "bigint(20)", "varchar(20)", "varchar(90)", "decimal(8,2)" }, serial = "int(11)" },
}

---Small numbers from a seed, the same on every machine.
local function dice(seed)
  local state = seed
  return function(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return (state >> 8) % n + 1
  end
end

local quotes = { sqlite = '"', postgres = '"', mysql = "`" }

local function quoted(dialect, name)
  local mark = quotes[dialect]
  return mark .. name:gsub(mark, mark .. mark) .. mark
end

local function column(name, type, more)
  local made = { name = name, type = type, nullable = true }
  for key, value in pairs(more or {}) do made[key] = value end
  return made
end

local function some_columns(roll, t, dialect)
  local types = words[dialect].types
  for _, name in ipairs(columns) do
    if roll(3) > 1 then
      local made = column(name, types[roll(#types)])
      if roll(2) == 1 then made.default = tostring(roll(2)) end
      if made.default and made.type:find "char" or made.default and made.type == "text" then made.default = "'" .. made.default .. "'" end
      if made.default and roll(2) == 1 then made.nullable = nil end
      t.columns[#t.columns + 1] = made
    end
  end
  if roll(3) == 1 then
    t.columns[#t.columns + 1] = column("g", words[dialect].serial,
      { generated = roll(2) == 1 and dialect ~= "postgres" and "virtual" or "stored", expression = "id * " .. roll(2) })
  end
end

local function some_indexes(roll, t, dialect)
  for i, other in ipairs(t.columns) do
    if i > 1 and roll(4) == 1 then
      local index = { name = ("%s by %d"):format(t.name, i), method = "btree", parts = { { column = other.name }, { column = "id" } } }
      if roll(2) == 1 then index.parts[1].order = "desc" end
      if roll(3) == 1 then index.unique = true end
      if roll(3) == 1 and dialect ~= "mysql" then index.where = "id > " .. roll(2) end
      if dialect == "postgres" and index.parts[1].order then index.parts[1].nulls = "last" end
      t.indexes[#t.indexes + 1] = index
    end
    if roll(8) == 1 and i > 1 then t.uniques[#t.uniques + 1] = { name = ("%s unique %d"):format(t.name, i), columns = { "id", other.name } } end
  end
  if roll(3) == 1 then t.checks[1] = { name = t.name .. " check", expression = "id > " .. (roll(2) - 1) } end
end

local function some_table(roll, name, dialect)
  local t = { name = name, key = name, kind = "table", visible = true, primary_key = { "id" }, indexes = {}, uniques = {}, checks = {},
    foreign_keys = {}, triggers = {} }
  t.columns = { column("id", words[dialect].serial, { nullable = false, key = 1, rowid = dialect == "sqlite" or nil }) }
  if dialect == "mysql" then t.engine = "InnoDB" end
  some_columns(roll, t, dialect)
  some_indexes(roll, t, dialect)
  local spoken_of = #t.checks > 0 or t.columns[#t.columns].generated ~= nil -- MariaDB then lets it not count
  if roll(4) == 1 and dialect ~= "postgres" and not spoken_of then t.columns[1].auto_increment = true end
  if roll(3) == 1 and dialect ~= "sqlite" then t.comment = "it's \\ " .. roll(2) end
  return t
end

local actions = { "no action", "cascade", "set null" }

local function some_keys(roll, model, t, dialect)
  for i, target in ipairs(model.tables) do
    if roll(3) == 1 then
      local name = "to " .. target.name
      t.columns[#t.columns + 1] = column(name, words[dialect].serial)
      local key = { name = ("%s key %d"):format(t.name, i), columns = { name }, table = target.name, key = target.key, target = { "id" },
        on_update = "no action", on_delete = actions[roll(3)] }
      if roll(2) == 1 then t.foreign_keys[1 + #t.foreign_keys] = key end
      if dialect == "mysql" then t.indexes[#t.indexes + 1] = { name = key.name, method = "btree", parts = { { column = name } } } end
    end
  end
end

local function some_views(roll, model, dialect)
  local function q(name) return quoted(dialect, name) end
  for i, t in ipairs(model.tables) do
    if roll(3) == 1 then
      local last = t.columns[#t.columns].name
      local text = ("select id, %s as x from %s where id > %d"):format(q(last), q(t.name), roll(2))
      model.views[#model.views + 1] = { name = "view " .. i, key = "view " .. i, kind = "view", visible = true, columns = {}, definition = text }
    end
  end
  local first = model.views[1]
  if not first or roll(2) == 1 then return end
  model.views[#model.views + 1] = { name = "a view of views", key = "a view of views", kind = "view", visible = true, columns = {},
    definition = ("select x from %s"):format(q(first.name)) }
end

---SQLite's triggers are all in their text.
local function some_triggers(roll, model)
  for i, t in ipairs(model.tables) do
    local other = model.tables[roll(#model.tables)]
    if roll(3) == 1 then
      t.triggers[1] = { name = "trigger " .. i, statement = ("CREATE TRIGGER %s after delete on %s begin update %s set id = id; end"):format(
        quoted("sqlite", "trigger " .. i), quoted("sqlite", t.name), quoted("sqlite", other.name)) }
    end
  end
end

local function some_enum(roll, model)
  local labels = roll(2) == 1 and { "sad", "ok", "it's" } or { "ok", "it's", "new" }
  if roll(3) == 1 then labels = { "sad", "ok", "it's", "new" } end
  model.enums[1] = { name = "mood", key = "mood", visible = true, values = labels }
  for _, t in ipairs(model.tables) do
    if roll(2) == 1 then t.columns[#t.columns + 1] = column("mood", "mood", { enum = "mood", default = roll(2) == 1 and "'ok'" or nil }) end
  end
end

---@param seed integer
---@param dialect string
---@return weft.Model
function M.model(seed, dialect)
  local roll = dice(seed * 7919 + 17)
  local model = { tables = {}, views = {}, enums = {} }
  for _, name in ipairs(names) do
    if roll(5) > 1 then model.tables[#model.tables + 1] = some_table(roll, name, dialect) end
  end
  for _, t in ipairs(model.tables) do some_keys(roll, model, t, dialect) end
  if dialect == "postgres" then some_enum(roll, model) end
  some_views(roll, model, dialect)
  if dialect == "sqlite" and #model.tables > 0 then some_triggers(roll, model) end
  return model
end

---Statements that put three rows into every table.
---@param model weft.Model
---@param dialect string
---@return string[]
function M.rows(model, dialect)
  local list, there = {}, {}
  for _, t in ipairs(model.tables) do there[t.name] = true end
  for _, t in ipairs(model.tables) do
    for id = 3, 5 do
      local into, values = {}, {}
      for _, c in ipairs(t.columns) do
        local target = c.name:match "^to (.*)$"
        if not c.generated and not (target and not there[target]) then
          into[#into + 1] = quoted(dialect, c.name)
          values[#values + 1] = target and "null" or c.name == "mood" and "'ok'" or c.name == "id" and tostring(id) or "'7'"
        end
      end
      list[#list + 1] = ("insert into %s (%s) values (%s)"):format(quoted(dialect, t.name), table.concat(into, ", "), table.concat(values, ", "))
    end
  end
  for _, t in ipairs(model.tables) do -- now that all are there
    for _, c in ipairs(t.columns) do
      local target = c.name:match "^to (.*)$"
      if target and there[target] then list[#list + 1] = ("update %s set %s = id"):format(quoted(dialect, t.name), quoted(dialect, c.name)) end
    end
  end
  return list
end

return M
