-- SPDX-License-Identifier: MIT
---@meta
-- What editors know of traces: see weft.lua.
-- luacheck: ignore

---Spans of requests, of statements and of what a program calls so.
---@class weft.trace
local trace = {}

---Begins to measure and tell. What the options leave open the variables OTEL_EXPORTER_OTLP_ENDPOINT,
---OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say. `weft serve` does it by itself.
---@param options? weft.TraceOptions
---@return boolean started false: neither the options nor the environment say where to
function trace.start(options) end

---Sends what was not sent yet, and ends the measuring. Without it a program's last second is not told.
---@param seconds? weft.Seconds that this may take at most (4)
function trace.stop(seconds) end

---Calls fn(span, ...), and tells how long it took and whether it failed; statements inside belong to it. Before start
---it just calls.
---@param name string|{ name: string, traceparent?: string, tracestate?: string } with those of a message: what it belongs to
---@param fn fun(span: weft.Span, ...): ...
---@param ... any
---@return ... what fn returns
function trace.span(name, fn, ...) end

---The id of the trace that runs, nil when there is none.
---@return string?
function trace.id() end

---The headers traceparent and tracestate with which another program continues the trace that runs; empty when there
---is none.
---@return table<string, string>
function trace.headers() end

---Spans that wait, were sent, were dropped, and posts that failed; nil when nothing is sent.
---@return { queued: integer, sent: integer, dropped: integer, failures: integer }?
function trace.stats() end

---@class weft.TraceOptions
---@field otlp? string URL of a collector that takes OTLP over HTTP, http://127.0.0.1:4318; spans are posted to /v1/traces below it
---@field log? boolean|fun(line: string) writes spans as lines of JSON, true: to stderr
---@field service? string what the collector calls this program
---@field sample? number from 0 to 1, of the traces that begin here (1)
---@field headers? table<string, string> sent to the collector; secrets

---One thing that took time.
---@class weft.Span
local Span = {}

---A fact about it; it is sent as it is. nil is none.
---@param name string
---@param value string|number|boolean|nil
---@return weft.Span
function Span:set(name, value) end
