-- SPDX-License-Identifier: MIT
-- From one schema to another on PostgreSQL: what stands in the way goes first, what depends comes last.

local steps = require "weft.ddl.steps"
local plans = require "weft.ddl.plan"
local types = require "weft.ddl.postgres_types"

local Alter = {}
Alter.__index = Alter

local DESTRUCTIVE = { destructive = true }

function Alter:add(sql, more) self.steps:add(sql, more) end

function Alter:table(t, format, ...) self:add(("alter table %s "):format(self.sql:name_of(t)) .. format:format(...)) end

function Alter:drop_column(t, column)
  local text = ("alter table %s drop column %s"):format(self.sql:name_of(t), self.sql:quote(column.name))
  self:add(text, { destructive = column.generated == nil })
end

-- Renames -------------------------------------------------------------------------------------

local function rename_table(self, from, to)
  local renamed = { schema = from.schema, visible = from.visible, name = to.name }
  if from.name ~= to.name then self:table(from, "rename to %s", self.sql:quote(to.name)) end
  if from.schema ~= to.schema then self:table(renamed, "set schema %s", self.sql:quote(to.schema)) end
end

function Alter:renames()
  for _, change in ipairs(self.plan.renames) do
    if change.what == "table" then
      rename_table(self, change.from, change.to)
    else
      self:table(plans.find(self.plan.new, change.table), "rename column %s to %s", self.sql:quote(change.from.name),
        self.sql:quote(change.to.name))
    end
  end
end

-- Taking away ---------------------------------------------------------------------------------

function Alter:drop_dependents()
  local drops = self.plan.drops
  for _, entry in ipairs(drops.trigger) do
    self:add(("drop trigger %s on %s"):format(self.sql:quote(entry.object.name), self.sql:name_of(entry.t)))
  end
  for _, view in ipairs(self.plan:dropped_views()) do self:add(self.sql:drop_view(view)) end
  for _, entry in ipairs(drops.foreign_key) do self:table(entry.t, "drop constraint %s", self.sql:quote(entry.object.name)) end
end

---Tables, those first that point to others; keys of a circle before.
function Alter:drop_tables()
  local gone = self.plan:changed_tables "removed"
  local made = {}
  for _, t in ipairs(gone) do
    made[t.key] = true
    for _, key in ipairs(t.foreign_keys) do
      local later = false
      for _, other in ipairs(gone) do later = later or other.key == key.key and not made[other.key] end
      if later then self:table(t, "drop constraint %s", self.sql:quote(key.name)) end
    end
  end
  for i = #gone, 1, -1 do self:add(self.sql:drop_table(gone[i]), DESTRUCTIVE) end
end

function Alter:drop_constraints()
  local drops = self.plan.drops
  for _, what in ipairs { "exclusion", "check" } do
    for _, entry in ipairs(drops[what]) do self:table(entry.t, "drop constraint %s", self.sql:quote(entry.object.name)) end
  end
  for _, entry in ipairs(drops.index) do self:add("drop index " .. self.sql:index_name(entry.t, entry.object)) end
  for _, what in ipairs { "unique", "primary_key" } do
    for _, entry in ipairs(drops[what]) do self:table(entry.t, "drop constraint %s", self.sql:quote(entry.object.name)) end
  end
end

-- Columns -------------------------------------------------------------------------------------

local function has(change, field)
  for _, name in ipairs(change.fields) do
    if name == field then return true end
  end
  return false
end

---An enum has no cast to another one, but its text has.
local function using(self, from, to)
  local name = self.sql:quote(to.name)
  local array = (from.type:sub(-2) == "[]") and "::text[]" or "::text"
  local middle = (from.enum or to.enum) and from.kind ~= "string" and array or ""
  return ("%s%s::%s"):format(name, middle, to.type)
end

local function change_type(self, t, change)
  local from, to = change.from, change.to
  local name = self.sql:quote(to.name)
  if from.default ~= nil and not from.generated then self:table(t, "alter column %s drop default", name) end
  local collate = to.collation and " collate " .. self.sql:quote(to.collation) or ""
  local text = ("alter column %s type %s%s using %s"):format(name, to.type, collate, using(self, from, to))
  self:add(("alter table %s %s"):format(self.sql:name_of(t), text), { destructive = not plans.widens(from, to) })
  if to.default ~= nil then self:table(t, "alter column %s set default %s", name, to.default) end
end

local function change_identity(self, t, change)
  local from, to, name = change.from, change.to, self.sql:quote(change.to.name)
  if not to.identity then return self:table(t, "alter column %s drop identity", name) end
  if from.identity then return self:table(t, "alter column %s set generated %s", name, to.identity) end
  self:table(t, "alter column %s add generated %s as identity", name, to.identity)
end

local function replace_column(self, t, change)
  self:drop_column(t, change.from)
  self:table(t, "add column %s", self.sql:column(change.to))
end

local function alter_column(self, t, change)
  local from, to, name = change.from, change.to, self.sql:quote(change.to.name)
  if from.generated and not to.generated and from.type == to.type then
    self:table(t, "alter column %s drop expression", name)
    if to.default ~= nil then self:table(t, "alter column %s set default %s", name, to.default) end
  elseif from.generated or to.generated then
    return replace_column(self, t, change)
  end
  if from.identity and not to.identity then change_identity(self, t, change) end
  if has(change, "type") or has(change, "collation") or has(change, "enum") then
    change_type(self, t, change)
  elseif has(change, "default") then
    self:table(t, to.default ~= nil and "alter column %s set default %s" or "alter column %s drop default", name, to.default)
  end
  if has(change, "nullable") then self:table(t, "alter column %s %s not null", name, to.nullable and "drop" or "set") end
  if to.identity and has(change, "identity") then change_identity(self, t, change) end
end

local function is_replaced(change)
  return change.op == "altered" and plans.is_deep(change) and change.to.generated
end

---Generated columns go before and come after those that they are made of.
function Alter:columns(t, changes)
  for _, first in ipairs { true, false } do
    for _, change in ipairs(changes) do
      local generated = change.from and change.from.generated ~= nil
      if change.op == "removed" and generated == first then self:drop_column(t, change.from) end
    end
  end
  for _, change in ipairs(changes) do
    if is_replaced(change) then self:drop_column(t, change.from) end
  end
  for _, change in ipairs(changes) do
    if change.op == "added" and not change.to.generated then self:table(t, "add column %s", self.sql:column(change.to)) end
    if change.op == "altered" and not is_replaced(change) then alter_column(self, t, change) end
  end
  for _, change in ipairs(changes) do
    if change.op == "added" and change.to.generated or is_replaced(change) then
      self:table(t, "add column %s", self.sql:column(change.to))
    end
  end
end

-- Tables --------------------------------------------------------------------------------------

local function create_table(self, t)
  local statements, late = self.ddl.table(self.sql, t, self.made, self.plan.new)
  self.steps:add_all(statements)
  for _, trigger in ipairs(t.triggers or {}) do self.plan.makes.trigger[#self.plan.makes.trigger + 1] = { t = t, object = trigger } end
  for _, key in ipairs(late) do self.late[#self.late + 1] = { t = t, object = key } end
end

local function change_parents(self, from, to)
  for _, key in ipairs(from.inherits or {}) do self:table(to, "no inherit %s", self.sql:key(key, self.plan.old)) end
  for _, key in ipairs(to.inherits or {}) do self:table(to, "inherit %s", self.sql:key(key, self.plan.new)) end
end

local function change_options(self, from, to)
  local names = {}
  for i, option in ipairs(from.options or {}) do names[i] = option:match "^[^=]*" end
  if #names > 0 then self:table(to, "reset (%s)", table.concat(names, ", ")) end
  if to.options and #to.options > 0 then self:table(to, "set (%s)", table.concat(to.options, ", ")) end
end

local function alter_table(self, change)
  if has(change, "inherits") then change_parents(self, change.from, change.to) end
  if has(change, "options") then change_options(self, change.from, change.to) end
  if has(change, "kind") or has(change, "partition_by") then
    self:add(self.sql:drop_table(change.to), { destructive = true, comment = "what is partitioned and how cannot be changed" })
    create_table(self, change.to)
  end
end

function Alter:tables()
  for _, t in ipairs(self.plan.old.tables) do self.made[t.key] = true end
  for _, t in ipairs(self.plan:changed_tables "added") do self.made[t.key] = nil end
  for _, t in ipairs(self.plan:changed_tables "added") do create_table(self, t) end
  for _, change in ipairs(self.plan.tables) do
    if change.op == "altered" then alter_table(self, change) end
  end
  for _, key in ipairs(self.plan:changed_keys()) do
    self:columns(plans.find(self.plan.new, key), self.plan.columns[key])
  end
  self:partitions()
end

function Alter:partitions()
  for _, change in ipairs(self.plan.partitions) do
    if change.from then self:add(self.sql:drop_table(change.from), DESTRUCTIVE) end
    if change.to then self:add(self.sql:create_partition(plans.find(self.plan.new, change.table), change.to)) end
  end
end

-- Making --------------------------------------------------------------------------------------

---An index on a table that is new has nobody to wait for it.
local function create_index(self, t, index)
  local apart = self.options.concurrently and t.kind ~= "partitioned" and plans.find(self.plan.old, t.key) ~= nil
  self:add(self.sql:create_index(t, index, apart), { transactional = not apart })
  if index.comment then self:add(self.sql:comment("index", self.sql:index_name(t, index), index.comment)) end
end

function Alter:make_constraints()
  local makes = self.plan.makes
  for _, entry in ipairs(makes.primary_key) do self:table(entry.t, "add %s", self.sql:primary_key(entry.object.name, entry.object.columns)) end
  for _, entry in ipairs(makes.unique) do self:table(entry.t, "add %s", self.sql:unique(entry.object)) end
  for _, entry in ipairs(makes.index) do create_index(self, entry.t, entry.object) end
  for _, entry in ipairs(makes.check) do self:add(self.sql:add_check(entry.t, entry.object)) end
  for _, entry in ipairs(makes.exclusion) do
    self:table(entry.t, "add %s%s", self.sql:named(entry.object.name), entry.object.definition)
  end
end

---Old rows are checked by a step of its own, which lets others write meanwhile.
local function add_foreign_key(self, t, key)
  local apart = self.options.not_valid and key.valid ~= false and t.kind ~= "partitioned"
  local text = self.sql:add_foreign_key(t, key)
  self:add(apart and text .. " not valid" or text)
  if apart then self:table(t, "validate constraint %s", self.sql:quote(key.name)) end
end

function Alter:make_dependents()
  for _, list in ipairs { self.late, self.plan.makes.foreign_key } do
    for _, entry in ipairs(list) do add_foreign_key(self, entry.t, entry.object) end
  end
  for _, view in ipairs(self.plan:made_views()) do
    self:add(self.sql:create_view(view))
    for _, index in ipairs(view.indexes or {}) do self:add(self.sql:create_index(view, index)) end
    self.steps:add_all(self.sql:comments(view))
    for _, trigger in ipairs(view.triggers or {}) do self.steps:add_all(self.sql:create_trigger(trigger)) end
  end
  for _, entry in ipairs(self.plan.makes.trigger) do self.steps:add_all(self.sql:create_trigger(entry.object)) end
end

---Constraints whose old rows are to be looked at, and comments of indexes.
function Alter:light_changes()
  for _, change in ipairs(self.plan.light) do
    local t = plans.find(self.plan.new, change.table)
    if change.what == "index" then
      self:add(self.sql:comment("index", self.sql:index_name(t, change.to), change.to.comment))
    else
      self:table(t, "validate constraint %s", self.sql:quote(change.name))
    end
  end
end

-- Comments ------------------------------------------------------------------------------------

local function commented(change)
  return change.op == "added" and change.to.comment ~= nil or change.op == "altered" and (has(change, "comment") or is_replaced(change))
end

function Alter:comments()
  for _, change in ipairs(self.plan.tables) do
    if change.op == "altered" and has(change, "comment") then
      self:add(self.sql:comment("table", self.sql:name_of(change.to), change.to.comment))
    end
  end
  for _, key in ipairs(self.plan:changed_keys()) do
    local t = plans.find(self.plan.new, key)
    for _, change in ipairs(self.plan.columns[key]) do
      if commented(change) then
        self:add(self.sql:comment("column", self.sql:column_name(t, change.to), change.to.comment))
      end
    end
  end
end

-- The whole -----------------------------------------------------------------------------------

---@param ddl table weft.ddl
---@param sql weft.DdlDialect
---@param plan weft.DdlPlan
---@param options { concurrently: boolean?, not_valid: boolean? }
---@return weft.Statement[]
local function alter(ddl, sql, plan, options)
  local self = setmetatable({ ddl = ddl, sql = sql, plan = plan, options = options, steps = steps.new(true), made = {}, late = {} }, Alter)
  types.give_way(self)
  self:renames()
  self:drop_dependents()
  self:drop_tables()
  self:drop_constraints()
  types.before(self)
  self:tables()
  types.after(self)
  self:make_constraints()
  self:light_changes()
  self:make_dependents()
  self:comments()
  return self.steps.list
end

return alter
