-- SPDX-License-Identifier: MIT
-- What tracing is told: options, and where they are silent the variables that OpenTelemetry names.

local errors = require "weft.errors"

local M = {}

---@class weft.TraceSettings
---@field url? string where spans are posted to
---@field headers table<string, string> sent along; secrets
---@field resource string[] name, value, name, value ...
---@field ratio number of traces that begin here
---@field log? fun(line: string)

local names = { "otlp", "log", "service", "sample", "headers" }

local function variable(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

local function unescaped(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

---"name=value,name=value" with escapes, as name, value, name, value ...
local function pairs_of(text)
  local list = {}
  for name, value in (text or ""):gmatch "%s*([^=,]+)=([^,]*)" do
    list[#list + 1] = name:match "^(.-)%s*$"
    list[#list + 1] = unescaped(value:match "^%s*(.-)%s*$")
  end
  return list
end

local function headers_of(given)
  local list = pairs_of(variable "OTEL_EXPORTER_OTLP_TRACES_HEADERS" or variable "OTEL_EXPORTER_OTLP_HEADERS")
  local headers = { ["Content-Type"] = "application/json" }
  for i = 1, #list, 2 do headers[list[i]] = list[i + 1] end
  for name, value in pairs(given or {}) do headers[name] = value end
  for name, value in pairs(headers) do
    if type(name) ~= "string" or type(value) ~= "string" or (name .. value):find "%c" then
      errors.usage "trace: headers are lines of text by their names"
    end
  end
  return headers
end

---Where spans go; nothing when nobody asked for that.
local function url_of(given)
  if given ~= nil and type(given) ~= "string" then errors.usage("trace: otlp is a URL, not a %s", type(given)) end
  local whole = not given and variable "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
  local base = given or variable "OTEL_EXPORTER_OTLP_ENDPOINT"
  local url = whole or base and base:gsub("/+$", "") .. "/v1/traces"
  if url and not url:find "^https?://[^/%s]+/?%S*$" then errors.usage "trace: the OTLP endpoint is to be an http:// or https:// URL" end
  return url or nil
end

local function resource_of(given)
  local list = pairs_of(variable "OTEL_RESOURCE_ATTRIBUTES")
  local service = given or variable "OTEL_SERVICE_NAME"
  if service ~= nil and type(service) ~= "string" then errors.usage("trace: service is a name, not a %s", type(service)) end
  local attributes, named = {}, false
  for i = 1, #list, 2 do
    if list[i] ~= "service.name" or not service then
      table.move(list, i, i + 1, #attributes + 1, attributes)
      named = named or list[i] == "service.name"
    end
  end
  if not named then table.move({ "service.name", service or "unknown_service:weft" }, 1, 2, #attributes + 1, attributes) end
  return table.move({ "telemetry.sdk.name", "weft", "telemetry.sdk.language", "lua" }, 1, 4, #attributes + 1, attributes)
end

local function ratio_of(given)
  if given == nil then return 1 end
  if type(given) ~= "number" or not (given >= 0 and given <= 1) then errors.usage "trace: sample is a number from 0 to 1" end
  return given
end

local function sink_of(given)
  if given == nil or given == false then return nil end
  if given == true then return function(line) io.stderr:write(line, "\n") end end
  if type(given) ~= "function" then errors.usage("trace: log is true or a function, not a %s", type(given)) end
  return given
end

---Nothing when neither the options nor the environment ask for traces.
---@param given weft.TraceOptions
---@return weft.TraceSettings?
function M.read(given)
  errors.check_names(given, names, "option of trace")
  local settings = { ratio = ratio_of(given.sample), resource = resource_of(given.service), log = sink_of(given.log) }
  if variable "OTEL_SDK_DISABLED" ~= "true" and not (settings.log and not given.otlp) then settings.url = url_of(given.otlp) end
  if not settings.url and not settings.log then return nil end
  settings.headers = headers_of(given.headers)
  return settings
end

return M
