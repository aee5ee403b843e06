-- SPDX-License-Identifier: MIT
-- Spans as text: OTLP's JSON (opentelemetry-proto, trace/v1, its JSON mapping), and lines for a log.

local core = require "weft.core"

local M = {}

local TEXT = 8192 -- bytes of a value, at most
local HAS_REMOTE, REMOTE, SAMPLED = 0x100, 0x200, 1
local kinds = { internal = 1, server = 2, client = 3 }

---UTF-8, and not too long.
local function clean(text)
  if #text > TEXT then text = text:sub(1, TEXT):gsub("[\xC0-\xFF]?[\x80-\xBF]*$", "") .. "..." end
  return utf8.len(text) and text or (text:gsub("[\x80-\xFF]", "?"))
end

local function is_finite(value) return value - value == 0 end

local function quoted(text)
  if #text <= TEXT and not text:find '[%c"\\\x7f-\xff]' then return '"' .. text .. '"' end
  return core.encode(clean(text))
end

local function value_text(value)
  local kind = math.type(value)
  if kind == "integer" then return '{"intValue":"' .. value .. '"}}' end
  if kind == "float" and is_finite(value) then return ('{"doubleValue":%.17g}}'):format(value) end
  if type(value) == "boolean" then return '{"boolValue":' .. tostring(value) .. "}}" end
  return '{"stringValue":' .. quoted(tostring(value)) .. "}}"
end

---@param list any[] name, value, name, value ...
---@return string
local function attributes(list)
  local parts = {}
  for i = 1, #list, 2 do
    parts[#parts + 1] = '{"key":' .. quoted(list[i]) .. ',"value":' .. value_text(list[i + 1])
  end
  return table.concat(parts, ",")
end

---Attributes that many spans have, whose text is made once.
---@param list any[] name, value, name, value ...
function M.shared(list) return { list = list } end

local function attributes_of(span)
  local shared, own = span.shared, attributes(span.attributes)
  if not shared then return own end
  shared.text = shared.text or attributes(shared.list)
  return own == "" and shared.text or shared.text .. "," .. own
end

local function parent_text(span)
  local text = span.parent and '","parentSpanId":"' .. span.parent or ""
  return text .. (span.state and '","traceState":' .. quoted(span.state) .. ',"flags":' or '","flags":')
end

---@param span weft.Span
---@return string
function M.span(span)
  return '{"traceId":"' .. span.trace_id .. '","spanId":"' .. span.id .. parent_text(span) .. (SAMPLED | HAS_REMOTE | (span.remote and REMOTE or 0))
    .. ',"name":' .. quoted(span.name) .. ',"kind":' .. kinds[span.kind] .. ',"startTimeUnixNano":"' .. span.started
    .. '000","endTimeUnixNano":"' .. span.ended .. '000","attributes":[' .. attributes_of(span)
    .. (span.failed and '],"status":{"code":2}}' or "]}")
end

---What stands around the spans of a request to the collector.
---@param resource string[]
---@return string before
---@return string after
function M.envelope(resource)
  return '{"resourceSpans":[{"resource":{"attributes":[' .. attributes(resource) .. ']},"scopeSpans":[{"scope":{"name":"weft"},"spans":[',
    "]}]}]}"
end

local function json_value(value)
  if type(value) == "boolean" or math.type(value) and is_finite(value) then return value end
  return clean(tostring(value))
end

local function add_values(values, list)
  for i = 1, #list, 2 do values[clean(list[i])] = json_value(list[i + 1]) end
end

---@param span weft.Span
---@return string
function M.line(span)
  local values = {}
  if span.shared then add_values(values, span.shared.list) end
  add_values(values, span.attributes)
  return core.encode { time = core.now(), level = "info", event = "span", name = clean(span.name), kind = span.kind,
    trace_id = span.trace_id, span_id = span.id, parent_id = span.parent, ms = (span.ended - span.started) / 1000,
    failed = span.failed, attributes = values }
end

return M
