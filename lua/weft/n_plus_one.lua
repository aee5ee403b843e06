-- SPDX-License-Identifier: MIT
-- The event n_plus_one: the same look-up again and again, one after the other, by one request and from one line of the
-- program, where one statement would do. Statements are counted while somebody listens, and only then.

local core = require "weft.core"

local M = {}

M.REPEATED = 5 -- as often in a row
local APART = 1 -- seconds between two of them after which they are no row
local ROUNDING = 1e-6
local SCOPES, KEYS, PLACES = 64, 1000, 1000 -- how much is remembered

-- What runs a statement many times by its nature: `each` is an iterator.
local passing = { ["for iterator"] = true, page = true, find_many = true }

local scopes, nscopes = {}, 0 -- request number -> place and statement -> { count, ended }
local told, ntold = {}, 0 -- places

---What is known of a request; those that are long over are forgotten.
local function keys_of(scope)
  local keys = scopes[scope]
  if keys and keys.n < KEYS then return keys end
  if nscopes >= SCOPES then scopes, nscopes = {}, 0 end
  if not keys then nscopes = nscopes + 1 end
  keys = { n = 0 }
  scopes[scope] = keys
  return keys
end

---How often it has come in a row; nothing when it ran beside another one.
local function count(info, place, began)
  local keys, key, ended = keys_of(info.scope or 0), place .. "\0" .. info.sql, began + info.seconds
  local seen = keys[key]
  if not seen then
    keys.n = keys.n + 1
    keys[key] = { count = 1, ended = ended }
    return 1
  end
  if began < seen.ended - ROUNDING then return nil end
  seen.count = began - seen.ended < APART and seen.count + 1 or 1
  seen.ended = ended
  return seen.count
end

---What to write instead.
local function instead(op, model, association)
  if association then return (':include("%s") in the query of these rows'):format(association) end
  if op == "find" or op == "get" then
    return (':include("...") where an association of other rows leads there, else %s:find_many { ... }'):format(model)
  end
  if model then return (':include("...") where an association of other rows leads there, else one %s:where with a list'):format(model) end
  return "one statement that takes all keys"
end

---Looks at a statement that has ended; tells of its place when it was repeated there.
---@param info table as of the event query
---@param tell fun(info: table)
function M.look(info, tell)
  if info.error then return end
  local began, place, called, op, model, association = core.caller()
  if not place or passing[called] or op == "schema" or told[place] then return end
  local times = count(info, place, began)
  if times ~= M.REPEATED or ntold >= PLACES then return end
  told[place], ntold = true, ntold + 1
  tell { database = info.database, sql = info.sql, scope = info.scope, count = times, place = place, model = model,
    association = association, instead = instead(op, model, association) }
end

---Places are told of again.
function M.forget() scopes, nscopes, told, ntold = {}, 0, {}, 0 end

return M
