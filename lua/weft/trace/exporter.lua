-- SPDX-License-Identifier: MIT
-- Spans on their way to a collector. They wait in a queue of limited size and are posted in the background, so many at a
-- time; what does not fit, or what the collector does not take, is counted and gone. Nobody ever waits for a collector.
--
-- Invariants: at most one task sends (self.task); while it sleeps self.resting is set, and then it may be cancelled. With
-- self.stopping it ends after the post that is under way.
-- What is being posted is in self.batch, and in no queue.

local core = require "weft.core"

local M = {}

M.QUEUE, M.BYTES = 2048, 8 * 2 ^ 20 // 1 -- that wait, at most
M.BATCH = 512 -- spans of one post
M.INTERVAL = 1 -- seconds after which fewer are posted
M.TIMEOUT = 10 -- seconds of a post
M.TRIES, M.PAUSE, M.PAUSE_MOST = 4, 1, 30 -- of one batch, seconds before the second one (doubled each time)

local again = { [429] = true, [502] = true, [503] = true, [504] = true } -- statuses after which a batch may be posted again

---@class weft.TraceExporter
local Exporter = {}
Exporter.__index = Exporter

---@param settings { url: string, headers: table<string, string> }
---@param otlp { span: (fun(span: weft.Span): string), envelope: (fun(resource: string[]): string, string) }
---@param report fun(text: string) told of the first failure in a row
function M.new(settings, otlp, report)
  local before, after = otlp.envelope(settings.resource)
  return setmetatable({
    url = settings.url, headers = settings.headers, before = before, after = after, text_of = otlp.span, report = report,
    client = require "weft.curl".new { timeout = M.TIMEOUT, max_body = 65536 },
    queue = {}, bytes = 0, sent = 0, dropped = 0, failures = 0,
  }, Exporter)
end

---The oldest spans, which leave the queue.
local function take(self)
  local queue, n = self.queue, math.min(#self.queue, M.BATCH)
  self.batch = table.move(queue, 1, n, 1, {})
  self.queue = table.move(queue, n + 1, #queue, 1, {})
  for _, text in ipairs(self.batch) do self.bytes = self.bytes - #text end
end

local function drop(self, n) self.dropped = self.dropped + n end

local function fail(self, why)
  self.failures = self.failures + 1
  if not self.failing then self.report(("the collector of traces %s; spans that it does not take later are dropped"):format(why)) end
  self.failing = true
end

---How many of a batch it says it did not take.
local function rejected(body)
  local number = body:match '"rejectedSpans"%s*:%s*"?(%d+)'
  return math.tointeger(tonumber(number or 0)) or 0
end

local function seconds_of(answer) return math.min(tonumber(answer.headers["retry-after"]) or 0, M.PAUSE_MOST) end

---Posts the batch once.
---@return boolean over whether it is done with
---@return number? pause seconds that the collector asks for
local function post(self)
  local ok, answer = pcall(self.client.request, self.client, { method = "POST", url = self.url, headers = self.headers,
    body = self.before .. table.concat(self.batch, ",") .. self.after })
  if not ok then
    if core.is_error(answer) and answer.kind == "cancelled" then error(answer, 0) end
    fail(self, "cannot be reached")
    return false
  end
  if answer.status // 100 == 2 then
    local lost = math.min(rejected(answer.body), #self.batch)
    self.sent, self.failing = self.sent + #self.batch - lost, nil
    drop(self, lost)
    return true
  end
  fail(self, "answered " .. answer.status)
  if again[answer.status] then return false, seconds_of(answer) end
  drop(self, #self.batch)
  return true
end

local function rest(self, seconds)
  self.resting = true
  core.sleep(seconds)
  self.resting = nil
end

---Posts the batch until the collector has answered for it, or there were tries enough.
local function deliver(self)
  local pause = M.PAUSE
  for try = 1, M.TRIES do
    local over, wanted = post(self)
    if over then break end
    if self.stopping then return end
    if try == M.TRIES then
      drop(self, #self.batch)
      break
    end
    rest(self, math.max(pause, wanted or 0))
    pause = math.min(2 * pause, M.PAUSE_MOST)
  end
  self.batch = nil
end

---The task: as long as there is something to send.
local function work(self)
  while not self.stopping do
    if #self.queue < M.BATCH then rest(self, M.INTERVAL) end
    if #self.queue == 0 then break end
    if not self.batch then take(self) end -- else that of a task that had no memory
    deliver(self)
  end
  self.task = nil
end

local function start(self)
  self.resting = nil
  self.task = core.spawn_background(work, self)
end

---@param span weft.Span
function Exporter:add(span)
  if self.ended or #self.queue >= M.QUEUE or self.bytes > M.BYTES then return drop(self, 1) end
  local text = self.text_of(span)
  self.queue[#self.queue + 1] = text
  self.bytes = self.bytes + #text
  if not self.task or self.task:done() then
    start(self)
  elseif #self.queue >= M.BATCH and self.resting and not self.batch then -- it need not rest any more
    self.task:cancel()
    start(self)
  end
end

---Posts everything that is there, each batch once.
local function drain(self)
  while self.batch or #self.queue > 0 do
    if not self.batch then take(self) end
    if not post(self) then drop(self, #self.batch) end
    self.batch = nil
  end
end

---Sends what is there, for so many seconds at most; what is left waits on.
---@param seconds number
function Exporter:flush(seconds)
  local task = self.task
  self.stopping = true
  if task and not self.resting then pcall(core.timeout, seconds / 2, task.await, task) end
  if task then task:cancel() end
  pcall(core.timeout, seconds / 2, drain, self)
  self.task, self.resting, self.stopping = nil, nil, nil
end

---The same; what is left is dropped, and nothing more is taken.
---@param seconds number
function Exporter:stop(seconds)
  self:flush(seconds)
  self.ended = true
  drop(self, #self.queue + (self.batch and #self.batch or 0))
  self.queue, self.batch, self.bytes = {}, nil, 0
  self.client:close()
end

---@return { queued: integer, sent: integer, dropped: integer, failures: integer }
function Exporter:stats()
  return { queued = #self.queue + (self.batch and #self.batch or 0), sent = self.sent, dropped = self.dropped, failures = self.failures }
end

return M
