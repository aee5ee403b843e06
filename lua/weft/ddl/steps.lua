-- SPDX-License-Identifier: MIT
-- A list of steps as ddl.alter returns it, while it is made.

---@class weft.DdlSteps
---@field list weft.Statement[]
local Steps = {}
Steps.__index = Steps

local M = {}

---@param transactional boolean whether the database undoes a step with its transaction
---@return weft.DdlSteps
function M.new(transactional) return setmetatable({ list = {}, transactional = transactional }, Steps) end

---@param sql string
---@param more? { destructive: boolean?, transactional: boolean?, comment: string? }
function Steps:add(sql, more)
  local transactional = self.transactional
  if more and more.transactional ~= nil then transactional = more.transactional end
  self.list[#self.list + 1] =
    { sql = sql, destructive = more and more.destructive or false, transactional = transactional, comment = more and more.comment }
end

---@param list string[]
---@param more? table
function Steps:add_all(list, more)
  for _, sql in ipairs(list) do self:add(sql, more) end
end

return M
