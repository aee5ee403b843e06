-- SPDX-License-Identifier: MIT
-- What `weft serve` answers beside the app: /healthz, /readyz, /metrics. An app that has one of these paths itself
-- keeps it.

local core = require "weft.core"
local host = require "weft.host"
local metrics = require "weft.metrics"
local weft = require "weft"

local M = {}

local TEXT = { "Content-Type", "text/plain; charset=utf-8", "Cache-Control", "no-store" }
local PROMETHEUS = { "Content-Type", "text/plain; version=0.0.4; charset=utf-8", "Cache-Control", "no-store" }

-- Figures of all workers ------------------------------------------------------------------------

---What each worker says of its databases; one that is busy for too long is left out.
local function measured()
  host.measure()
  for _ = 1, 100 do
    local list, all = host.measured(), true
    for _, text in ipairs(list) do all = all and text end
    if all then return list end
    weft.sleep(0.002)
  end
  return host.measured()
end

local function add(sums, stats)
  for key, value in pairs(stats) do sums[key] = (sums[key] or 0) + value end
end

---The sums over workers: the figures of each database, and those of traces, nothing when nobody sends any.
local function database_stats()
  local databases, trace = {}, nil
  for _, text in ipairs(measured()) do
    local told = text and core.decode(text) or {}
    for name, stats in pairs(told.databases or {}) do
      databases[name] = databases[name] or {}
      add(databases[name], stats)
    end
    if told.trace then
      trace = trace or {}
      add(trace, told.trace)
    end
  end
  return databases, trace
end

local of_workers = { -- of host.stats()
  { "connections", "weft_http_connections_total", "counter", "Connections accepted" },
  { "open", "weft_http_connections_open", "gauge", "Open connections" },
  { "idle", "weft_http_connections_idle", "gauge", "Open connections between two requests" },
  { "in_flight", "weft_http_requests_in_flight", "gauge", "Requests being answered" },
  { "requests", "weft_http_requests_total", "counter", "Requests received" },
  { "refused", "weft_http_requests_refused_total", "counter", "Requests refused before the app saw them" },
  { "timeouts", "weft_http_timeouts_total", "counter", "Connections closed because the client was slow" },
  { "resets", "weft_http_resets_total", "counter", "Connections that clients broke off" },
  { "bytes_in", "weft_http_received_bytes_total", "counter", "Bytes received" },
  { "bytes_out", "weft_http_sent_bytes_total", "counter", "Bytes sent" },
  { "memory", "weft_lua_memory_bytes", "gauge", "Memory of Lua" },
  { "loads", "weft_app_loads_total", "counter", "Times that the app was loaded" },
  { "stopped", "weft_requests_stopped_total", "counter", "Requests stopped because they ran too long without waiting" },
}

local function of_worker_figures(workers)
  local families = {}
  for _, entry in ipairs(of_workers) do
    local family = { name = entry[2], kind = entry[3], help = entry[4], samples = {} }
    for i, worker in ipairs(workers) do family.samples[i] = { labels = { "worker", i }, value = worker[entry[1]] } end
    families[#families + 1] = family
  end
  return families
end

local function sum(workers, list, i)
  local total = 0
  for _, worker in ipairs(workers) do total = total + worker[list][i] end
  return total
end

local function answers(workers)
  local family = { name = "weft_http_answers_total", kind = "counter", help = "Answers by class of status", samples = {} }
  for class = 1, 5 do family.samples[class] = { labels = { "status", class .. "xx" }, value = sum(workers, "answers", class) } end
  return family
end

local function durations(workers)
  local samples, count, seconds = {}, 0, 0.0
  for i = 1, #workers.bounds + 1 do
    count = count + sum(workers, "buckets", i)
    samples[i] = { suffix = "_bucket", labels = { "le", workers.bounds[i] or "+Inf" }, value = count }
  end
  for _, worker in ipairs(workers) do seconds = seconds + worker.seconds end
  samples[#samples + 1] = { suffix = "_sum", value = seconds }
  samples[#samples + 1] = { suffix = "_count", value = count }
  return { name = "weft_http_request_seconds", kind = "histogram", samples = samples,
    help = "From the first byte of a request to the end of its answer" }
end

---Everything in Prometheus' text format.
function M.metrics_text()
  local workers = host.stats()
  local families = of_worker_figures(workers)
  families[#families + 1] = answers(workers)
  families[#families + 1] = durations(workers)
  for _, family in ipairs(metrics.families(database_stats())) do families[#families + 1] = family end
  return metrics.text(families)
end

-- The endpoints ---------------------------------------------------------------------------------

local endpoints = {
  ["/healthz"] = function(exchange) exchange:send(200, TEXT, "ok\n") end,
  ["/readyz"] = function(exchange)
    local ready = host.ready()
    exchange:send(ready and 200 or 503, TEXT, ready and "ready\n" or "not ready\n")
  end,
  ["/metrics"] = function(exchange) exchange:send(200, PROMETHEUS, M.metrics_text()) end,
}

local function guarded(answer)
  return function(exchange)
    local method = exchange:method()
    if method ~= "GET" and method ~= "HEAD" then return exchange:send(405, { "Allow", "GET, HEAD" }, nil) end
    answer(exchange)
  end
end

---Path -> function(exchange).
---@return table<string, fun(exchange: table)>
function M.all()
  local list = {}
  for path, answer in pairs(endpoints) do list[path] = guarded(answer) end
  return list
end

---Those that the app leaves to us; none when they have a port of their own.
---@param app weft.App
---@param options { admin: boolean? }
function M.of(app, options)
  local list = options.admin and {} or M.all()
  for path in pairs(list) do
    local route = app.router:find("GET", path)
    if route and route.path == path then list[path] = nil end
  end
  return list
end

return M
