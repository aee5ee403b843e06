-- SPDX-License-Identifier: MIT
-- From one schema to another on SQLite. What alter table cannot do is done by the procedure that SQLite documents: the
-- table is made anew beside the old one, its rows are copied, and it takes the old one's name. Foreign keys must not be
-- enforced meanwhile, or dropping the old table would delete what points to it; that can only be said outside of a
-- transaction, and the first statement inside of it refuses to go on when it was not.

local plans = require "weft.ddl.plan"
local steps = require "weft.ddl.steps"

local Alter = {}
Alter.__index = Alter

local OUTSIDE = { transactional = false, comment = "has no effect inside of a transaction" }
local GUARD = '"weft_foreign_keys"'

function Alter:add(sql, more) self.steps:add(sql, more) end

-- What alter table can do ---------------------------------------------------------------------

local function is_constant(sql, column)
  return column.default == nil or sql.is_plain(column.default) and not column.default:lower():find "^current_"
end

---A key of this one column, which add column takes with it.
local function own_key(self, t, column)
  local found
  for _, entry in ipairs(self.plan.makes.foreign_key) do
    local key = entry.object
    if entry.t == t and key.columns[1] == column.name and #key.columns == 1 then found = key end
  end
  return found
end

local function is_null(column) return column.default == nil or column.default:lower() == "null" end

local function can_add(self, t, column)
  if column.generated == "stored" or column.key or column.auto_increment then return false end
  if not is_constant(self.sql, column) then return false end
  if own_key(self, t, column) and not is_null(column) then return false end
  return column.nullable or column.generated ~= nil or not is_null(column)
end

local function has(list, name)
  for _, entry in ipairs(list or {}) do
    if entry == name then return true end
  end
  return false
end

---What alter table refuses to drop a column from under.
local function can_drop(t, column)
  if has(t.primary_key, column.name) then return false end
  for _, list in ipairs { t.uniques, t.foreign_keys } do
    for _, object in ipairs(list) do
      if has(object.columns, column.name) then return false end
    end
  end
  for _, list in ipairs { t.checks, t.columns } do
    for _, object in ipairs(list) do
      if plans.speaks_of(object, column.name) and object ~= column then return false end
    end
  end
  return true
end

local function can_change(self, t, old, change)
  if change.op == "added" then return can_add(self, t, change.to) end
  return change.op == "removed" and can_drop(old, change.from)
end

local function is_inline(self, t, entry)
  local added
  for _, change in ipairs(self.plan.columns[t.key] or {}) do
    if change.op == "added" and change.to.name == entry.object.columns[1] then added = change.to end
  end
  return added ~= nil and own_key(self, t, added) == entry.object
end

---Tables that have to be made anew, by key: a constraint or an existing column changes.
local function find_rebuilt(self)
  local plan, rebuilt = self.plan, {}
  for _, change in ipairs(plan.tables) do
    if change.op == "altered" then rebuilt[change.to.key] = true end
  end
  for _, what in ipairs { "primary_key", "unique", "check", "foreign_key" } do
    for _, entry in ipairs(plan.drops[what]) do rebuilt[entry.t.key] = true end
    for _, entry in ipairs(plan.makes[what]) do
      if what ~= "foreign_key" or not is_inline(self, entry.t, entry) then rebuilt[entry.t.key] = true end
    end
  end
  for key, changes in pairs(plan.columns) do
    local t, old = plans.find(plan.new, key), plans.find(plan.old, key)
    for _, change in ipairs(changes) do
      if not can_change(self, t, old, change) then rebuilt[key] = true end
    end
  end
  return rebuilt
end

-- In place ------------------------------------------------------------------------------------

function Alter:add_column(t, column)
  local key = own_key(self, t, column)
  local text = ("alter table %s add column %s"):format(self.sql:name_of(t), self.sql:column(column))
  if key then
    local reference = self.sql:foreign_key(key):gsub("foreign key %b() ", "", 1)
    text = text .. " " .. reference
  end
  self:add(text)
end

function Alter:change_columns(t, changes)
  for _, change in ipairs(changes) do
    if change.op == "removed" then
      self:add(("alter table %s drop column %s"):format(self.sql:name_of(t), self.sql:quote(change.from.name)), { destructive = true })
    end
  end
  for _, change in ipairs(changes) do
    if change.op == "added" then self:add_column(t, change.to) end
  end
end

-- Made anew -----------------------------------------------------------------------------------

---Columns whose values are copied: those of before that still hold values of their own.
local function copied(old, new)
  local names = {}
  for _, column in ipairs(new.columns) do
    local before
    for _, other in ipairs(old.columns) do
      if other.name == column.name then before = other end
    end
    if before and not column.generated then names[#names + 1] = column.name end
  end
  return names
end

local function loses(old, new)
  for _, column in ipairs(old.columns) do
    local after
    for _, other in ipairs(new.columns) do
      if other.name == column.name then after = other end
    end
    if not after and not column.generated or after and not plans.widens(column, after) then return true end
  end
  return false
end

---The number that autoincrement goes on from may be above every row's.
function Alter:keep_sequence(old, new, beside)
  local function counts(t)
    for _, column in ipairs(t.columns) do
      if column.auto_increment then return true end
    end
  end
  if not counts(old) or not counts(new) then return end
  self:add("delete from sqlite_sequence where name = " .. self.sql:text(beside.name))
  self:add(("insert into sqlite_sequence (name, seq) select %s, seq from sqlite_sequence where name = %s"):format(
    self.sql:text(beside.name), self.sql:text(old.name)))
end

function Alter:rebuild(old, new)
  local beside = setmetatable({ name = "weft_new_" .. new.name }, { __index = new })
  local names = self.sql:names(copied(old, new))
  self:add(self.sql:create_table(beside, new.foreign_keys, self.plan.new), { comment = "takes the place of " .. old.name })
  if names ~= "" then
    self:add(("insert into %s (%s) select %s from %s"):format(self.sql:quote(beside.name), names, names, self.sql:name_of(old)))
  end
  self:keep_sequence(old, new, beside)
  self:add(self.sql:drop_table(old), { destructive = loses(old, new) })
  self:add(("alter table %s rename to %s"):format(self.sql:quote(beside.name), self.sql:name_of(new)))
  for _, index in ipairs(new.indexes) do self:add(self.sql:create_index(new, index)) end
end

---A virtual table holds what its module makes of its text: nothing can be taken over surely.
function Alter:replace(old, new)
  self:add(self.sql:drop_table(old), { destructive = true, comment = "a virtual table is made anew, and is empty then" })
  self:add(self.sql:create_table(new, {}, self.plan.new))
end

-- Foreign keys --------------------------------------------------------------------------------

---Tables that were made anew, and those that point to one: their keys are looked at before and after.
function Alter:checked_tables()
  local names = {}
  for _, t in ipairs(self.plan.new.tables) do
    local touched, whole = self.rebuilt[t.key], #t.foreign_keys > 0
    for _, key in ipairs(t.foreign_keys) do
      touched = touched or self.rebuilt[key.key]
      whole = whole and not key.missing
    end
    if touched and whole and plans.find(self.plan.old, t.key) then names[#names + 1] = t.name end
  end
  return names
end

local function violations(sql, names)
  local counts = { "0" }
  for i, name in ipairs(names) do counts[i] = ("(select count(*) from pragma_foreign_key_check(%s))"):format(sql:text(name)) end
  return table.concat(counts, " + ")
end

function Alter:begin_guard()
  if not self.unguarded then return end
  self:add("pragma foreign_keys = off", OUTSIDE)
  self:add(("create temp table %s (enforced integer, before integer, after integer, constraint "
    .. '"foreign_keys is off before the transaction begins" check (not enforced), constraint "foreign keys hold" check (after <= before))')
    :format(GUARD))
end

function Alter:count_before()
  if not self.unguarded then return end
  self:add(("insert into %s select foreign_keys, %s, 0 from pragma_foreign_keys"):format(GUARD, violations(self.sql, self:checked_tables())))
end

function Alter:end_guard()
  if not self.unguarded then return end
  self:add(("update %s set after = %s"):format(GUARD, violations(self.sql, self:checked_tables())))
  self:add("drop table " .. GUARD)
end

-- The whole -----------------------------------------------------------------------------------

function Alter:renames()
  for _, change in ipairs(self.plan.renames) do
    if change.what == "table" then
      self:add(("alter table %s rename to %s"):format(self.sql:name_of(change.from), self.sql:quote(change.to.name)))
    else
      self:add(("alter table %s rename column %s to %s"):format(self.sql:name_of(plans.find(self.plan.new, change.table)),
        self.sql:quote(change.from.name), self.sql:quote(change.to.name)))
    end
  end
end

---Triggers that speak of a table which goes or is made anew stand in the way of its name.
function Alter:free_names()
  for _, list in ipairs { self.plan.old.tables, self.plan.old.views or {} } do
    for _, t in ipairs(list) do
      for _, trigger in ipairs(t.triggers or {}) do
        for name in pairs(self.names) do
          if plans.speaks_of(trigger, name) then self.plan:recreate(t, "trigger", trigger) end
        end
      end
    end
  end
  self.plan:drop_views(self.names)
end

local function is_gone(self, t) return self.names[t.name:lower()] and (self.rebuilt[t.key] or not plans.find(self.plan.new, t.key)) end

function Alter:drop()
  local gone = {}
  for _, view in ipairs(self.plan:dropped_views()) do gone[view.key] = true end
  for _, entry in ipairs(self.plan.drops.trigger) do
    if not gone[entry.t.key] then self:add("drop trigger " .. self.sql:quote(entry.object.name)) end
  end
  for _, view in ipairs(self.plan:dropped_views()) do self:add(self.sql:drop_view(view)) end
  for _, entry in ipairs(self.plan.drops.index) do
    if not is_gone(self, entry.t) then self:add("drop index " .. self.sql:quote(entry.object.name)) end
  end
  local tables = self.plan:changed_tables "removed"
  for i = #tables, 1, -1 do self:add(self.sql:drop_table(tables[i]), { destructive = true }) end
end

function Alter:tables()
  for _, t in ipairs(self.plan:changed_tables "added") do self.steps:add_all((self.ddl.table(self.sql, t, {}, self.plan.new))) end
  for _, t in ipairs(self.plan.new.tables) do
    local old = plans.find(self.plan.old, t.key)
    if self.rebuilt[t.key] and (t.kind == "virtual" or old.kind == "virtual") then
      self:replace(old, t)
    elseif self.rebuilt[t.key] then
      self:rebuild(old, t)
    elseif self.plan.columns[t.key] then
      self:change_columns(t, self.plan.columns[t.key])
    end
  end
  for _, entry in ipairs(self.plan.makes.index) do
    if not self.rebuilt[entry.t.key] then self:add(self.sql:create_index(entry.t, entry.object)) end
  end
end

---Triggers that have to be made, each once.
function Alter:make_triggers()
  local done = {}
  local function make(trigger)
    if not done[trigger.name] then self.steps:add_all(self.sql:create_trigger(trigger)) end
    done[trigger.name] = true
  end
  for _, view in ipairs(self.plan:made_views()) do
    for _, trigger in ipairs(view.triggers or {}) do make(trigger) end
  end
  for _, t in ipairs(self.plan.new.tables) do
    local anew = self.rebuilt[t.key] or not plans.find(self.plan.old, t.key)
    for _, trigger in ipairs(anew and t.triggers or {}) do make(trigger) end
  end
  for _, entry in ipairs(self.plan.makes.trigger) do make(entry.object) end
end

---Whether a table that is dropped, for good or for a moment, is one that a key points to: with keys enforced its rows
---would be deleted first, and what happens to theirs then happens to those that point to them.
local function is_pointed_to(self)
  local dropped = {}
  for key in pairs(self.rebuilt) do dropped[key] = true end
  for _, t in ipairs(self.plan:changed_tables "removed") do dropped[t.key] = true end
  for _, model in ipairs { self.plan.old, self.plan.new } do
    for _, t in ipairs(model.tables) do
      for _, key in ipairs(t.foreign_keys) do
        local alone = key.key == t.key and not self.rebuilt[t.key] -- it goes as a whole
        if dropped[key.key] and not alone or dropped[t.key] and key.missing then return true end
      end
    end
  end
  return false
end

---@param ddl table weft.ddl
---@param sql weft.DdlDialect
---@param plan weft.DdlPlan
---@return weft.Statement[]
local function alter(ddl, sql, plan)
  local self = setmetatable({ ddl = ddl, sql = sql, plan = plan, steps = steps.new(true), names = {} }, Alter)
  self.rebuilt = find_rebuilt(self)
  for key in pairs(self.rebuilt) do self.names[plans.find(plan.new, key).name:lower()] = true end
  for key in pairs(plan.columns) do self.names[plans.find(plan.new, key).name:lower()] = true end
  for _, t in ipairs(plan:changed_tables "removed") do self.names[t.name:lower()] = true end
  self.unguarded = is_pointed_to(self)
  self:free_names()
  self:begin_guard()
  self:renames()
  self:count_before()
  self:drop()
  self:tables()
  self:end_guard()
  for _, view in ipairs(plan:made_views()) do self:add(sql:create_view(view)) end
  self:make_triggers()
  if self.unguarded then self:add("pragma foreign_keys = on", OUTSIDE) end
  return self.steps.list
end

return alter
