-- SPDX-License-Identifier: MIT
-- Lists of statements and of changes, as specs of schemas want them.

local M = {}

---Statements as the steps that builder.run takes.
function M.steps(statements)
  local list = {}
  for i, sql in ipairs(statements) do list[i] = { sql = sql, transactional = true } end
  return list
end

---Each as its one line.
function M.lines(changes)
  local list = {}
  for i, change in ipairs(changes) do list[i] = tostring(change) end
  return list
end

return M
