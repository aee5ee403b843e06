-- SPDX-License-Identifier: MIT
-- weft.metrics: what the databases of this program did, as a table or in Prometheus' text format.

local database = require "weft.database"
local errors = require "weft.errors"

local M = {}

---A family of figures with one name.
---@class weft.MetricFamily
---@field name string
---@field kind "counter"|"gauge"|"histogram"
---@field help string
---@field samples { labels: string[]?, value: number, suffix: string? }[] labels: name, value, name, value ...

local escapes = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }

local function labels_text(labels)
  if not labels or not labels[1] then return "" end
  local list = {}
  for i = 1, #labels, 2 do list[#list + 1] = ('%s="%s"'):format(labels[i], tostring(labels[i + 1]):gsub('[\\"\n]', escapes)) end
  return "{" .. table.concat(list, ",") .. "}"
end

local function number_text(value)
  if math.type(value) == "integer" then return tostring(value) end
  return value == math.huge and "+Inf" or ("%.17g"):format(value)
end

---The text format of Prometheus (exposition format 0.0.4).
---@param families weft.MetricFamily[]
---@return string
function M.text(families)
  local lines = {}
  for _, family in ipairs(families) do
    lines[#lines + 1] = ("# HELP %s %s"):format(family.name, family.help)
    lines[#lines + 1] = ("# TYPE %s %s"):format(family.name, family.kind)
    for _, sample in ipairs(family.samples) do
      lines[#lines + 1] = ("%s%s%s %s"):format(family.name, sample.suffix or "", labels_text(sample.labels), number_text(sample.value))
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

local of_databases = { -- of db:stats()
  { "max", "weft_pool_connections_max", "gauge", "Connections that the pool may open" },
  { "open", "weft_pool_connections_open", "gauge", "Open connections" },
  { "idle", "weft_pool_connections_idle", "gauge", "Open connections that nobody uses" },
  { "waiting", "weft_pool_waiting", "gauge", "Statements and transactions that wait for a connection" },
  { "opened", "weft_pool_connections_opened_total", "counter", "Connections opened" },
  { "failed", "weft_pool_connections_failed_total", "counter", "Attempts to connect that failed" },
  { "timeouts", "weft_pool_timeouts_total", "counter", "Waits for a connection that took too long" },
  { "statements", "weft_statements_total", "counter", "Statements run" },
  { "batches", "weft_batches_total", "counter", "Statements that stood for several look-ups by key" },
  { "batched", "weft_batched_total", "counter", "Look-ups by key that went into them" },
  { "plan_hits", "weft_plan_hits_total", "counter", "Queries whose statement was there" },
  { "plan_misses", "weft_plan_misses_total", "counter", "Queries whose statement was made" },
}

local of_traces = { -- of weft.trace.stats()
  { "queued", "weft_trace_spans_queued", "gauge", "Spans that wait to be sent" },
  { "sent", "weft_trace_spans_sent_total", "counter", "Spans that the collector has taken" },
  { "dropped", "weft_trace_spans_dropped_total", "counter", "Spans lost because there were too many, or the collector did not take them" },
  { "failures", "weft_trace_failures_total", "counter", "Posts to the collector that failed" },
}

---@param stats table<string, table<string, number>> by name of a database
---@param trace? table<string, number>
---@return weft.MetricFamily[]
function M.families(stats, trace)
  local names, families = {}, {}
  for name in pairs(stats) do names[#names + 1] = name end
  table.sort(names)
  for _, entry in ipairs(of_databases) do
    local family = { name = entry[2], kind = entry[3], help = entry[4], samples = {} }
    for _, name in ipairs(names) do
      family.samples[#family.samples + 1] = { labels = { "database", name }, value = stats[name][entry[1]] or 0 }
    end
    families[#families + 1] = family
  end
  for _, entry in ipairs(trace and of_traces or {}) do
    families[#families + 1] = { name = entry[2], kind = entry[3], help = entry[4], samples = { { value = trace[entry[1]] or 0 } } }
  end
  return families
end

---Figures of the open databases and of traces: { databases = { NAME = db:stats() }, trace = weft.trace.stats() }; with "prometheus" their text.
---@param format? "prometheus"
---@return table|string
function M.metrics(format)
  if format ~= nil and format ~= "prometheus" then errors.usage "metrics takes nothing, or \"prometheus\"" end
  local stats = {}
  for name, handle in pairs(database.open_handles()) do stats[name] = handle:stats() end
  local trace = package.loaded["weft.trace"]
  local traces = trace and trace.trace.stats()
  return format and M.text(M.families(stats, traces)) or { databases = stats, trace = traces }
end

return M
