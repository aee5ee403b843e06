-- SPDX-License-Identifier: MIT
-- What has happened of late, in development: requests, their statements, and statements that one request repeats. A
-- statement is told with the number that `weft serve` gives its request; elsewhere it is that of the only request under
-- way, and nobody's when there are several.

local core = require "weft.core"
local events = require "weft.events"
local html = require "weft.app.html"

local M = {}

M.KEPT = 1000 -- entries
M.REPEATED = 5 -- as often in one request, a statement is one that an include would save

---@class weft.DevRecord
---@field number integer of the latest entry
---@field active table<table, true> requests under way
---@field scopes table<integer, table> the same by their numbers
local Record = {}
Record.__index = Record

local function push(self, kind, entry)
  self.number = self.number + 1
  entry.number, entry.kind = self.number, kind
  self.entries[self.number % M.KEPT] = entry
end

---An entry that is still kept.
---@param number integer
---@return table?
function Record:entry(number)
  local entry = self.entries[number % M.KEPT]
  return entry and entry.number == number and entry or nil
end

---The entries behind a number, oldest first.
---@param number integer
---@return table[]
function Record:after(number)
  local list = {}
  for i = math.max(number, self.number - M.KEPT) + 1, self.number do list[#list + 1] = self:entry(i) end
  return list
end

local function count(request, info)
  request.statements = request.statements + 1
  request.database_seconds = request.database_seconds + info.seconds
  local shape = info.database .. "\0" .. info.sql
  local times = (request.shapes[shape] or 0) + 1
  request.shapes[shape] = times
  if times ~= M.REPEATED then return end
  request.repeated[#request.repeated + 1] = { shape = shape, database = info.database, sql = info.sql }
end

local function request_of(self, info)
  if info.scope then return self.scopes[info.scope] end
  local request = next(self.active)
  return request and not next(self.active, request) and request or nil
end

local function on_query(self, info)
  local request = request_of(self, info)
  if self.looking > 0 and not request and (info.scope or next(self.active) == nil) then return end -- our own
  if request then count(request, info) end
  push(self, "statement", {
    database = info.database, sql = info.sql, seconds = info.seconds, rows = info.rows, affected = info.affected,
    parameters = info.parameters, failed = info.error and info.error.kind, request = request and request.id,
  })
end

local function on_slow(self, info)
  for i = self.number, math.max(1, self.number - 20), -1 do -- the query event came right before
    local entry = self:entry(i)
    if entry and entry.kind == "statement" and entry.sql == info.sql then
      entry.slow = true
      return
    end
  end
end

local function on_error(self, info)
  for request in pairs(self.active) do
    if info.request_id == request.id then request.message = info.message end
  end
end

---@return weft.DevRecord
function M.new()
  local self = setmetatable({ number = 0, entries = {}, active = {}, scopes = {}, looking = 0 }, Record)
  local offs = {
    events.on("query", function(info) on_query(self, info) end),
    events.on("slow_query", function(info) on_slow(self, info) end),
    events.on("error", function(info) on_error(self, info) end),
  }
  function self.off()
    for _, off in ipairs(offs) do off() end
  end
  return self
end

---@param exchange table
---@return table request
function Record:begin(exchange)
  local request = { id = exchange:id(), method = exchange:method(), path = exchange:path(), begun = core.clock(),
    scope = core.scope(), statements = 0, database_seconds = 0, shapes = {}, repeated = {} }
  self.active[request] = true
  if request.scope then self.scopes[request.scope] = request end
  return request
end

---@param request table
---@param route? string
---@param status integer
function Record:finish(request, route, status)
  self.active[request] = nil
  if request.scope then self.scopes[request.scope] = nil end
  push(self, "request", {
    request = request.id, method = request.method, path = request.path, route = route, status = status,
    seconds = core.clock() - request.begun, statements = request.statements, database_seconds = request.database_seconds,
    message = request.message and html.valid(request.message),
  })
  for _, entry in ipairs(request.repeated) do
    local times = request.shapes[entry.shape]
    push(self, "repeated", { request = request.id, route = route or request.path, database = entry.database, sql = entry.sql,
      count = times })
  end
end

return M
