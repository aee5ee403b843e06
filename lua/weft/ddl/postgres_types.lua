-- SPDX-License-Identifier: MIT
-- Changes of PostgreSQL's enums, domains, composite types and sequences. A type that cannot be changed in place is made
-- anew under its name, and its columns are moved over.

local M = {}

-- Enums ---------------------------------------------------------------------------------------

---Where labels must be put in, when nothing else is to be done: list of { label, "before"|"after", neighbour }.
local function additions(old, new)
  local list, at = {}, 1
  for i, label in ipairs(new) do
    if label == old[at] then
      at = at + 1
    elseif old[at] then
      list[#list + 1] = { label, "before", old[at] }
    else
      list[#list + 1] = { label, "after", new[i - 1] }
    end
  end
  return at > #old and list or nil
end

---Whether a step of this plan speaks of a label, which a transaction that adds it may not yet use.
local function is_used(alter, labels)
  local texts = {}
  local function note(object)
    for _, field in ipairs { "default", "expression", "where", "definition" } do texts[#texts + 1] = object[field] end
  end
  for _, list in pairs(alter.plan.columns) do
    for _, change in ipairs(list) do note(change.to or {}) end
  end
  for _, change in ipairs(alter.plan.tables) do
    for _, column in ipairs(change.op == "added" and change.to.columns or {}) do note(column) end
  end
  for _, list in pairs(alter.plan.makes) do
    for _, entry in ipairs(list) do note(entry.object) end
  end
  local text = table.concat(texts, "\n")
  for _, entry in ipairs(labels) do
    if text:find(alter.sql:text(entry[1]), 1, true) then return true end
  end
  return false
end

-- Making anew ---------------------------------------------------------------------------------

---Whether the type of a column is the object, or an array of it.
local function is_of(column, what, object)
  if what ~= "type" then return column[what] == object.key and column.type:gsub("%[%]$", "") ~= "" end
  local type = column.type:gsub("%[%]$", "")
  return type == object.key or type == object.name or type == '"' .. object.name .. '"'
end

local function move_column(alter, t, column)
  local name, sql = alter.sql:quote(column.name), alter.sql
  local text = column.type:sub(-2) == "[]" and "text[]" or "text"
  if column.default ~= nil then alter:table(t, "alter column %s drop default", name) end
  alter:add(("alter table %s alter column %s type %s using %s::%s::%s"):format(sql:name_of(t), name, column.type, name, text,
    column.type), { destructive = true })
  if column.default ~= nil then alter:table(t, "alter column %s set default %s", name, column.default) end
end

---Columns before and after that are of the type, and that change in nothing else.
local function columns_of(alter, what, object)
  local list = {}
  for _, t in ipairs(alter.plan.new.tables) do
    for _, column in ipairs(t.columns) do
      if is_of(column, what, object) and not column.inherited then list[#list + 1] = { t, column } end
    end
  end
  return list
end

local function changes_of(alter, t, column)
  for _, change in ipairs(alter.plan.columns[t.key] or {}) do
    if change.name == column.name then return change end
  end
end

local function is_added(alter, t)
  for _, change in ipairs(alter.plan.tables) do
    if change.op == "added" and change.to.key == t.key then return true end
  end
  return false
end

local function remake(alter, change)
  local sql, what, old = alter.sql, change.what, change.from
  local aside = { schema = old.schema, visible = old.visible, name = old.name:sub(1, 55) .. "__old" }
  local word = what == "domain" and "domain" or "type"
  alter:add(("alter %s %s rename to %s"):format(word, sql:name_of(old), sql:quote(aside.name)))
  alter:add(sql:create_object(what, change.to))
  if change.to.comment then alter:add(sql:object_comment(what, change.to)) end
  for _, entry in ipairs(columns_of(alter, what, change.to)) do
    local t, column = entry[1], entry[2]
    local own = changes_of(alter, t, column)
    local moved = own and own.op == "altered" and own.from or not own and column
    if moved and not is_added(alter, t) and is_of(moved, what, change.to) then move_column(alter, t, moved) end
  end
  alter.aside[#alter.aside + 1] = { what, aside }
end

-- Changes in place ----------------------------------------------------------------------------

local in_place = {}

local function has(change, field)
  for _, name in ipairs(change.fields) do
    if name == field then return true end
  end
  return false
end

---Whether a changed type must be made anew.
local function is_remade(alter, change)
  if change.what == "domain" then return has(change, "type") end
  if change.what == "type" then return has(change, "attributes") end
  if change.what ~= "enum" or not has(change, "values") then return false end
  local list = additions(change.from.values, change.to.values)
  return not list or is_used(alter, list)
end

function in_place.enum(alter, change)
  if not has(change, "values") then return end
  for _, entry in ipairs(additions(change.from.values, change.to.values)) do
    alter:add(("alter type %s add value %s %s %s"):format(alter.sql:name_of(change.to), alter.sql:text(entry[1]), entry[2],
      alter.sql:text(entry[3])))
  end
end

local function change_checks(alter, domain, from, to)
  for _, check in ipairs(from) do alter:add(("alter domain %s drop constraint %s"):format(domain, alter.sql:quote(check.name))) end
  for _, check in ipairs(to) do alter:add(("alter domain %s add %s"):format(domain, alter.sql:check(check))) end
end

function in_place.domain(alter, change)
  local name, to = alter.sql:name_of(change.to), change.to
  if has(change, "default") then
    alter:add(("alter domain %s %s"):format(name, to.default ~= nil and "set default " .. to.default or "drop default"))
  end
  if has(change, "nullable") then alter:add(("alter domain %s %s not null"):format(name, to.nullable and "drop" or "set")) end
  if has(change, "checks") then change_checks(alter, name, change.from.checks or {}, to.checks or {}) end
end

function in_place.type() end

function in_place.sequence(alter, change)
  local to = change.to
  alter:add(("alter sequence %s as %s increment by %d minvalue %d maxvalue %d start with %d %s"):format(alter.sql:name_of(to),
    to.type or "bigint", to.increment, to.min, to.max, to.start, to.cycle and "cycle" or "no cycle"))
end

-- The two ends --------------------------------------------------------------------------------

local function create_schemas(alter)
  local there = { public = true }
  for _, name in ipairs(alter.plan.old.schemas or {}) do there[name] = true end
  for _, name in ipairs(alter.plan.new.schemas or {}) do
    if not there[name] then alter:add("create schema if not exists " .. alter.sql:quote(name)) end
  end
end

local function create(alter, what, object)
  alter:add(alter.sql:create_object(what, object))
  if object.comment then alter:add(alter.sql:object_comment(what, object)) end
end

local function change_object(alter, change)
  if alter.remade[change] then return remake(alter, change) end
  in_place[change.what](alter, change)
  if has(change, "comment") then alter:add(alter.sql:object_comment(change.what, change.to)) end
end

---What speaks of a column whose type is made anew has to give way.
function M.give_way(alter)
  alter.remade = {}
  for _, change in ipairs(alter.plan.types) do
    alter.remade[change] = change.op == "altered" and is_remade(alter, change) or nil
  end
  for _, change in ipairs(alter.plan.types) do
    for _, t in ipairs(alter.remade[change] and alter.plan.old.tables or {}) do
      for _, column in ipairs(t.columns) do
        if is_of(column, change.what, change.from) then alter.plan:give_way(t, column.name) end
      end
    end
  end
  alter.plan:drop_views(alter.plan.names)
end

---Types and sequences that tables need.
function M.before(alter)
  alter.aside = {}
  create_schemas(alter)
  local added = {}
  for _, change in ipairs(alter.plan.types) do
    if change.op == "added" then added[change.to] = true end
    if change.op == "added" and change.what == "sequence" then create(alter, "sequence", change.to) end
  end
  for _, change in ipairs(alter.plan.types) do
    if change.op == "altered" then change_object(alter, change) end
  end
  for _, entry in ipairs(alter.sql:types_in_order(alter.plan.new)) do
    if added[entry.object] then create(alter, entry.what, entry.object) end
  end
end

local function drop_removed(alter)
  local gone = {}
  for _, change in ipairs(alter.plan.types) do
    if change.op == "removed" then gone[change.from] = true end
    if change.op == "removed" and change.what == "sequence" then -- one that belongs to a column has gone with it
      alter:add("drop sequence if exists " .. alter.sql:name_of(change.from), { destructive = true })
    end
  end
  local sorted = alter.sql:types_in_order(alter.plan.old)
  for i = #sorted, 1, -1 do
    if gone[sorted[i].object] then alter:add(alter.sql:drop_object(sorted[i].what, sorted[i].object), { destructive = true }) end
  end
end

---What no column is of any more, and whom sequences belong to.
function M.after(alter)
  for _, change in ipairs(alter.plan.types) do
    local owned = change.what == "sequence" and change.op ~= "removed"
    if owned and (change.op == "altered" and has(change, "owned_by") or change.op == "added" and change.to.owned_by) then
      alter:add(alter.sql:owned_by(change.to, alter.plan.new))
    end
  end
  for i = #alter.aside, 1, -1 do alter:add(alter.sql:drop_object(alter.aside[i][1], alter.aside[i][2])) end
  drop_removed(alter)
end

return M
