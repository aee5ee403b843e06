-- SPDX-License-Identifier: MIT
-- From one schema to another on MySQL and MariaDB, which undo no change of a schema: what belongs to one table is one
-- statement, done whole or not at all. Foreign keys go before and come after.

local plans = require "weft.ddl.plan"
local steps = require "weft.ddl.steps"

local Alter = {}
Alter.__index = Alter

function Alter:add(sql, more) self.steps:add(sql, more) end

local function has(change, field)
  for _, name in ipairs(change.fields or {}) do
    if name == field then return true end
  end
  return false
end

-- Renames and what is taken away ----------------------------------------------------------------

function Alter:renames()
  for _, change in ipairs(self.plan.renames) do
    local from, to = self.sql:quote(change.from.name), self.sql:quote(change.to.name)
    if change.what == "table" then
      self:add(("rename table %s to %s"):format(self.sql:name_of(change.from), self.sql:name_of(change.to)))
    else
      self:add(("alter table %s rename column %s to %s"):format(self.sql:name_of(plans.find(self.plan.new, change.table)), from, to))
    end
  end
end

local function first_of(what, object)
  if what == "index" then return object.parts[1].column end
  return object.columns[1]
end

---A key needs an index on either side: it waits until the new ones are there.
function Alter:free_indexes()
  for _, what in ipairs { "index", "unique", "primary_key" } do
    for _, entry in ipairs(self.plan.drops[what]) do
      local column = first_of(what, entry.object)
      if column then self.plan:recreate_keys_of(entry.t, column) end
    end
  end
end

local function drop_key(self, t, key)
  self:add(("alter table %s drop foreign key %s"):format(self.sql:name_of(t), self.sql:quote(key.name)))
end

function Alter:drop_dependents()
  for _, entry in ipairs(self.plan.drops.trigger) do self:add("drop trigger " .. self.sql:quote(entry.object.name)) end
  for _, view in ipairs(self.plan:dropped_views()) do self:add(self.sql:drop_view(view)) end
  for _, entry in ipairs(self.plan.drops.foreign_key) do drop_key(self, entry.t, entry.object) end
end

---Tables, those first that point to others; keys of a circle before.
function Alter:drop_tables()
  local tables, later = self.plan:changed_tables "removed", {}
  for i = #tables, 1, -1 do
    for _, key in ipairs(tables[i].foreign_keys) do
      if later[key.key] then drop_key(self, tables[i], key) end
    end
    later[tables[i].key] = true
  end
  for i = #tables, 1, -1 do self:add(self.sql:drop_table(tables[i]), { destructive = true }) end
end

-- One table -----------------------------------------------------------------------------------

---Clauses of one alter table.
---@class weft.DdlClauses
local Clauses = {}
Clauses.__index = Clauses

function Clauses:add(format, ...) self.list[#self.list + 1] = format:format(...) end

---Where a column stands: MySQL keeps the order that is asked for.
local function place(sql, t, column)
  local before
  for _, other in ipairs(t.columns) do
    if other == column then return before and " after " .. sql:quote(before.name) or " first" end
    before = other
  end
end

local function is_replaced(change)
  local from, to = change.from, change.to
  return change.op == "altered" and (from.generated ~= nil or to.generated ~= nil) and plans.is_deep(change)
end

local function drop_columns(self, clauses, changes)
  for _, change in ipairs(changes) do
    if change.op == "removed" or is_replaced(change) then
      clauses:add("drop column %s", self.sql:quote(change.from.name))
      clauses.destructive = clauses.destructive or not change.from.generated
    end
  end
end

local function change_columns(self, clauses, changes)
  for _, change in ipairs(changes) do
    if change.op == "altered" and not is_replaced(change) then
      clauses:add("modify column %s", self.sql:column(change.to, clauses.t))
      clauses.destructive = clauses.destructive or not plans.widens(change.from, change.to)
    end
  end
  for _, change in ipairs(changes) do
    if change.op == "added" or is_replaced(change) then
      clauses:add("add column %s%s", self.sql:column(change.to, clauses.t), place(self.sql, clauses.t, change.to))
    end
  end
end

local function each_of(list, key, fn)
  for _, entry in ipairs(list) do
    if entry.t.key == key then fn(entry.object) end
  end
end

---A check of a column is part of its definition.
local function changed_columns(self, key)
  local list, seen = {}, {}
  for _, change in ipairs(self.plan.columns[key] or {}) do
    list[#list + 1] = change
    seen[change.name] = true
  end
  local t = plans.find(self.plan.new, key)
  local function note(check)
    for _, column in ipairs(t.columns) do
      if column.name == check.column and not seen[column.name] then
        seen[column.name] = true
        list[#list + 1] = { op = "altered", name = column.name, from = column, to = column, fields = {} }
      end
    end
  end
  each_of(self.plan.drops.check, key, note)
  each_of(self.plan.makes.check, key, note)
  return list
end

local function drop_parts(self, clauses, key)
  local drops, sql = self.plan.drops, self.sql
  each_of(drops.check, key, function(check)
    if not check.column then clauses:add("drop constraint %s", sql:quote(check.name)) end
  end)
  for _, what in ipairs { "index", "unique" } do
    each_of(drops[what], key, function(index) clauses:add("drop index %s", sql:quote(index.name)) end)
  end
  each_of(drops.primary_key, key, function() clauses:add "drop primary key" end)
end

local function make_parts(self, clauses, key)
  local makes, sql = self.plan.makes, self.sql
  each_of(makes.primary_key, key, function(primary) clauses:add("add %s", sql:primary_key(nil, primary.columns)) end)
  each_of(makes.unique, key, function(unique) clauses:add("add %s", sql:unique(unique)) end)
  each_of(makes.index, key, function(index) clauses:add("add %s", sql:index(index)) end)
  each_of(makes.check, key, function(check)
    if not check.column then clauses:add("add %s", sql:check(check)) end
  end)
end

local function change_options(self, clauses, change)
  local to = change.to
  if has(change, "engine") then clauses:add("engine = %s", to.engine) end
  if has(change, "charset") or has(change, "collation") then
    if to.charset then clauses:add("default character set = %s", to.charset) end
    if to.collation then clauses:add("collate = %s", to.collation) end
  end
  if has(change, "comment") then clauses:add("comment = %s", self.sql:text(to.comment or "")) end
  if not has(change, "partition_by") and not has(change, "kind") then return end
  clauses:add("%s", to.partition_by and self.sql:partitions(to) or "remove partitioning")
end

function Alter:table(t)
  local clauses = setmetatable({ list = {}, t = t }, Clauses)
  local changes = changed_columns(self, t.key)
  drop_parts(self, clauses, t.key)
  drop_columns(self, clauses, changes)
  change_columns(self, clauses, changes)
  make_parts(self, clauses, t.key)
  for _, change in ipairs(self.plan.tables) do
    if change.op == "altered" and change.to.key == t.key then change_options(self, clauses, change) end
  end
  if #clauses.list == 0 then return end
  self:add(("alter table %s\n  %s"):format(self.sql:name_of(t), table.concat(clauses.list, ",\n  ")), { destructive = clauses.destructive })
end

-- The whole -----------------------------------------------------------------------------------

---MariaDB's.
function Alter:sequences()
  for _, change in ipairs(self.plan.types) do
    if change.op ~= "added" then self:add("drop sequence " .. self.sql:name_of(change.from), { destructive = true }) end
    if change.op ~= "removed" then self:add("create sequence " .. self.sql:name_of(change.to)) end
  end
end

function Alter:tables()
  for _, t in ipairs(self.plan.old.tables) do self.made[t.key] = true end
  local added = self.plan:changed_tables "added"
  for _, t in ipairs(added) do self.made[t.key] = nil end
  for _, t in ipairs(added) do
    local statements, late = self.ddl.table(self.sql, t, self.made, self.plan.new)
    self.steps:add_all(statements)
    for _, key in ipairs(late) do self.late[#self.late + 1] = { t = t, object = key } end
    for _, trigger in ipairs(t.triggers or {}) do self.late_triggers[#self.late_triggers + 1] = { t = t, object = trigger } end
  end
  for _, t in ipairs(self.plan.new.tables) do
    if plans.find(self.plan.old, t.key) then self:table(t) end
  end
end

function Alter:make_dependents()
  for _, list in ipairs { self.late, self.plan.makes.foreign_key } do
    for _, entry in ipairs(list) do self:add(self.sql:add_foreign_key(entry.t, entry.object)) end
  end
  for _, view in ipairs(self.plan:made_views()) do self:add(self.sql:create_view(view)) end
  for _, list in ipairs { self.late_triggers, self.plan.makes.trigger } do
    for _, entry in ipairs(list) do self.steps:add_all(self.sql:create_trigger(entry.object, entry.t)) end
  end
end

---@param ddl table weft.ddl
---@param sql weft.DdlDialect
---@param plan weft.DdlPlan
---@return weft.Statement[]
local function alter(ddl, sql, plan)
  local self = setmetatable({ ddl = ddl, sql = sql, plan = plan, steps = steps.new(false), made = {}, late = {}, late_triggers = {} }, Alter)
  self:free_indexes()
  self:renames()
  self:drop_dependents()
  self:drop_tables()
  self:sequences()
  self:tables()
  self:make_dependents()
  return self.steps.list
end

return alter
