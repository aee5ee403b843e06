-- SPDX-License-Identifier: MIT
-- How catalogs are asked: what a failure means, and once for all who ask at the same time.

local core = require "weft.core"

local M = {}

---A catalog that this user may not read, that this server does not have, or that spoke of something that vanished
---meanwhile. (SQLSTATE 28: it is the connection that was refused.)
function M.is_unreadable(err)
  if not core.is_error(err) then return false end
  local kind = err.kind
  return kind == "syntax" or kind == "unsupported" or kind == "type" or kind == "auth" and not (err.code or ""):find "^28"
    or kind == "internal" and err.code ~= nil
end

---pcall(fn, db, ...); inside of a transaction a failure undoes this much only.
function M.try(db, fn, ...)
  local current = core.tx_current(db) and require "weft.transaction".current(db)
  if not current or current.what ~= "transaction" then return pcall(fn, db, ...) end
  local arguments = table.pack(...)
  return pcall(db.transaction, db, function() return fn(db, table.unpack(arguments, 1, arguments.n)) end)
end

---What is being found out, by handle. Nobody is kept alive by it.
function M.asking() return setmetatable({}, { __mode = "k" }) end

---The results of fn(db), which one task runs for all who ask while it does; but not for who asks after the schema
---has changed again. For outside of transactions.
---@param asking table of M.asking
function M.shared(asking, db, fn)
  local epoch = core.epoch(db)
  local entry = asking[db]
  if not entry or entry.epoch ~= epoch then
    core.may_wait()
    entry = { epoch = epoch, task = core.spawn_apart(pcall, fn, db) } -- whoever gives up does not end it for others
    asking[db] = entry
  end
  local awaited, ok, result = pcall(entry.task.await, entry.task)
  if asking[db] == entry then asking[db] = nil end
  if not awaited then error(ok, 0) end
  if not ok then error(result, 0) end
  return result
end

return M
