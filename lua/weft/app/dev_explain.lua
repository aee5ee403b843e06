-- SPDX-License-Identifier: MIT
-- The plan of a statement of which only the text is known: values stand in for its parameters.

local core = require "weft.core"
local database = require "weft.database"
local errors = require "weft.errors"

local M = {}

local function values(n, value)
  local list = {}
  for i = 1, n do list[i] = value end
  return table.unpack(list, 1, n)
end

local function lines_of(rows)
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = tostring(row[#row]) end
  return table.concat(lines, "\n")
end

local by_dialect = {}

function by_dialect.sqlite(db, sql, n) return lines_of(db:rows("explain query plan " .. sql, values(n, core.null))) end
function by_dialect.mysql(db, sql, n) return lines_of(db:rows("explain format=json " .. sql, values(n, "1"))) end

---The server plans for values that it does not know yet. The statement travels quoted: its parameters are not ours.
function by_dialect.postgres(db, sql, n)
  if sql:find("$weft", 1, true) then errors.usage "a statement that holds $weft is not explained" end
  return db:session(function(session)
    session:execute "set plan_cache_mode = force_generic_plan"
    session:execute("do $weft$ begin execute $weft_sql$prepare weft_explain as " .. sql .. "$weft_sql$; end $weft$")
    local arguments = n > 0 and "(" .. ("null, "):rep(n - 1) .. "null)" or ""
    local text = lines_of(session:rows("explain execute weft_explain" .. arguments))
    session:execute "deallocate weft_explain"
    return text
  end)
end

local explained = { select = true, insert = true, update = true, delete = true, with = true }

---@param entry table of weft.DevRecord
---@return string
function M.explain(entry)
  local verb = entry.sql:match "^%s*(%a*)":lower()
  if not explained[verb] then errors.usage("'%s' has no plan", verb) end
  if entry.sql:find ";%s*%S" then errors.usage "a text with ';' inside, which may be several statements, is not explained" end
  local db = database.database(entry.database)
  return by_dialect[core.dialect(db)](db, entry.sql, entry.parameters or 0)
end

return M
