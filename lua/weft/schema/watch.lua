-- SPDX-License-Identifier: MIT
-- db:on_schema_change: who is told, and the task that looks while somebody wants to be.

local core = require "weft.core"
local errors = require "weft.errors"
local events = require "weft.events"

local M = {}

local watchers = setmetatable({}, { __mode = "k" }) -- handle -> { list of { fn, every }, task }

---A handler that fails harms nothing.
local function call(fn, database, changes)
  local ok, err = pcall(fn, changes)
  if not ok then
    events.emit("error", { event = "schema_change", database = database, message = tostring(err), error = err })
  end
end

---Tells everybody of changes.
function M.tell(db, database, changes)
  local watcher = watchers[db]
  events.emit("schema_change", { database = database, changes = changes })
  local list = watcher and table.move(watcher, 1, #watcher, 1, {}) or {} -- one may be taken off meanwhile
  for _, entry in ipairs(list) do call(entry.fn, database, changes) end
end

---The shortest time that somebody asked for.
local function pause(watcher)
  local shortest = math.huge
  for _, entry in ipairs(watcher) do shortest = math.min(shortest, entry.every) end
  return shortest
end

---A database that cannot be asked now may be later; not one that is closed.
local function look(db, schema)
  local ok, err = pcall(schema.refresh, schema)
  if ok or core.closed(db) then return end
  if not core.is_error(err) or err.kind == "cancelled" then error(err, 0) end
  events.emit("error", { event = "schema_change", database = schema.database, message = tostring(err), error = err })
end

local function watch(db, schema, watcher)
  while #watcher > 0 and not core.closed(db) do
    core.sleep(pause(watcher))
    if #watcher > 0 and not core.closed(db) then look(db, schema) end
  end
end

local function take_off(db, entry)
  local watcher = watchers[db]
  for i, other in ipairs(watcher or {}) do
    if other == entry then table.remove(watcher, i) end
  end
  if watcher and #watcher == 0 and watcher.task then
    watcher.task:cancel()
    watchers[db] = nil
  end
end

local function seconds(options)
  local every = options and options.every
  if every == nil then return 5 end
  if math.type(every) == nil or every <= 0 then errors.usage("on_schema_change: every is a number of seconds above 0") end
  return every
end

---Calls `fn(changes)` when the schema of the database has changed, whoever changed it: it is looked every few seconds,
---while the program waits for anything, by a statement that is cheap when nothing has changed. Reads the schema, so it
---may wait.
---@param db weft.Database
---@param fn fun(changes: weft.Change[])
---@param options? { every?: number } seconds, 5 unless given
---@return fun() stop
function M.on_schema_change(db, fn, options)
  if type(fn) ~= "function" then errors.usage("on_schema_change takes a function, got %s", type(fn)) end
  if options ~= nil then errors.check_names(options, { "every" }, "option of on_schema_change") end
  local entry = { fn = fn, every = seconds(options) }
  local schema = db:schema()
  schema:tables() -- what changes are counted from
  local watcher = watchers[db] or {}
  watcher[#watcher + 1] = entry
  if not watchers[db] then
    watchers[db] = watcher
    watcher.task = core.spawn_background(watch, db, schema, watcher)
  end
  return function() take_off(db, entry) end
end

return M
