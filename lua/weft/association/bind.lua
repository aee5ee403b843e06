-- SPDX-License-Identifier: MIT
-- The names of associations in a query, looked up: what the core's bind asks for is wired, and what a condition
-- says of rows in another database is answered by their keys.

local core = require "weft.core"
local errors = require "weft.errors"
local association = require "weft.association"

local M = {}

---So many keys of another database a condition takes at most.
M.MAX_KEYS = 100000

---The query as the hooks of its model make it, and who is told of its rows. May wait.
---@param query weft.Query
---@param seen table as M.names has it
---@return weft.Query
---@return fun(list: weft.Row[])? after
function M.hooked(query, seen)
  local life = core.info(query).lifecycle
  if not life then return query end
  local hooks = require "weft.lifecycle.query"
  if life.hooks.before_query then seen[#seen + 1] = true end -- which may say something else the next time
  query = hooks.before(query)
  return query, hooks.after(query)
end

---The keys of the rows of query, as a list of rows.
local function keys_of(query, columns)
  local found = core.query_methods.all(query:select(table.unpack(columns)):distinct():limit(M.MAX_KEYS + 1))
  if #found > M.MAX_KEYS then
    errors.raise("unsupported", ("a condition matches more than %d rows of %s, which lives elsewhere: narrow it, or "
      .. "start from %s and include the other side"):format(M.MAX_KEYS, core.info(query).label, core.info(query).label))
  end
  return found
end

---The query with all its names bound. May wait.
---@param query weft.Query
---@param seen table gets an entry for whatever was asked that may be answered otherwise the next time
---@return weft.Query
function M.names(query, seen)
  if not core.loose(query) then return query end
  local answers = {}
  core.discover(query)
  while true do
    local bound, what, a, b, number = core.bind(query, answers)
    if bound then return bound end
    if what == "association" then
      association.get(a, b)
    elseif what == "hooks" then
      answers[a] = M.hooked(a.core, seen)
    else
      seen[#seen + 1] = true
      answers[number] = keys_of(M.hooked(a, seen), b)
    end
    core.discover(query)
  end
end

return M
