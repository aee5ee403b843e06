-- SPDX-License-Identifier: MIT
-- weft.lambda: what `weft lambda` does, after its words were read: the AWS Lambda Runtime API (2018-06-01) around a
-- handler. One invocation at a time; while none is there this process may stand still for hours.

local core = require "weft.core"
local database = require "weft.database"
local errors = require "weft.errors"

local M = {}

local FROZEN = 1 -- seconds after which an idle connection is asked whether it still lives
local DAY = 86400 -- seconds that a handler has at most
local FLUSH = 0.5 -- seconds that sending spans may take between two invocations
local RESERVE = 0.05 -- seconds before the deadline that are kept to tell of a timeout

---Seconds since 1970, by a clock that goes on while a machine is suspended.
local function wall()
  local _, us = core.wall_clock()
  return us / 1e6
end

-- Failures --------------------------------------------------------------------------------------

---@class weft.LambdaFailure what is reported of an error
---@field type string
---@field message string
---@field stack string[]
local Failure = {}

local own_file = debug.getinfo(1, "S").short_src

---The lines of a traceback as far as they are the handler's.
local function lines_of(trace)
  local lines = core.array {}
  for line in trace:gmatch "[^\n]+" do
    if line:find(own_file, 1, true) then break end
    if line ~= "stack traceback:" then lines[#lines + 1] = line:match "^%s*(.*)$" end
  end
  return lines
end

---What is said of any value that was raised.
---@return weft.LambdaFailure
function M.failure(raised)
  if getmetatable(raised) == Failure then return raised end
  local kind = core.is_error(raised) and raised.kind
  local message = kind and raised.message or errors.text(raised)
  return setmetatable({ type = kind and "Weft." .. kind or "Lua.Error", message = (message:gsub("[\r\n]+", " ")),
    stack = lines_of(core.traceback(2)), raised = raised }, Failure)
end

---Raises an error of the runtime itself.
local function refuse(kind, format, ...)
  error(setmetatable({ type = "Runtime." .. kind, message = format:format(...), stack = core.array {} }, Failure), 0)
end

local function to_json(failure)
  local fields = { errorMessage = failure.message, errorType = failure.type, stackTrace = failure.stack }
  local ok, text = pcall(core.encode, fields)
  if ok then return text end -- else some of it is no UTF-8
  return core.encode { errorMessage = "an error whose message is not UTF-8", errorType = failure.type, stackTrace = core.array {} }
end

---A line on stderr, which AWS keeps, and an event.
local function log(failure, request_id)
  local ok, line = pcall(core.encode, { time = core.now(), level = "error", request_id = request_id, type = failure.type,
    message = failure.message, stack = failure.stack })
  io.stderr:write(ok and line or to_json(failure), "\n")
  require "weft.events".emit("error", { event = "invocation", request_id = request_id, message = failure.message,
    error = failure.raised, traceback = table.concat(failure.stack, "\n") })
end

-- Handlers --------------------------------------------------------------------------------------

local function result_text(value)
  if value == nil then return "null" end
  if type(value) == "userdata" and core.is_query(value) then return value:json() end
  return core.encode(value)
end

local function is_app(value)
  return type(value) == "table" and getmetatable(value) ~= nil and type(value.dispatch) == "function"
end

local function names_of(functions)
  local names = {}
  for name, fn in pairs(functions) do
    if type(name) == "string" and type(fn) == "function" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

---The function of a table that is meant.
local function pick(functions, name, path)
  local names = names_of(functions)
  if not name then name = functions.handler and "handler" or #names == 1 and names[1] or nil end
  local fn = name and functions[name]
  if type(fn) == "function" then return fn end
  local near = name and core.nearest(name, names)
  refuse("NoSuchHandler", "%s returned a table without %s%s", path, name and ("a function '%s'"):format(name) or "a function 'handler'",
    near and ("; did you mean '%s'?"):format(near) or #names > 0 and ("; it has " .. table.concat(names, ", ")) or "")
end

---What answers the text of an event with text, of what a script returned.
---@param result any a function, a table of functions, or an app
---@param name? string of a function in the table
---@param path string for messages
---@return fun(text: string, ctx: weft.LambdaContext): string
function M.handler(result, name, path)
  if is_app(result) and not name then
    if result.start then core.run(result.start, result) end
    return require "weft.lambda.gateway".handler(result)
  end
  local fn = type(result) == "table" and pick(result, name, path) or result
  if type(fn) ~= "function" or (name and type(result) ~= "table") then
    refuse("NoSuchHandler", "%s returned a %s; it returns a function, a table of functions or an app%s", path, type(result),
      name and ", and for '" .. name .. "' a table" or "")
  end
  return function(text, ctx) return result_text(fn(core.decode(text), ctx)) end
end

-- Invocations -----------------------------------------------------------------------------------

---@class weft.LambdaContext
---@field request_id string
---@field deadline integer? milliseconds since 1970
---@field remaining fun(): number milliseconds until the deadline
---@field function_arn string?
---@field trace_id string? what AWS X-Ray calls it, as it came
---@field traceparent string? the same as W3C Trace Context says it
---@field client_context any
---@field identity any
---@field function_name string?
---@field function_version string?
---@field memory_limit integer? megabytes
---@field log_group string?
---@field log_stream string?

local function decoded(text)
  if not text then return nil end
  local ok, value = pcall(core.decode, text)
  if ok then return value end
  return text
end

---@param headers table<string, string> of an invocation
---@return weft.LambdaContext
function M.context(headers)
  local deadline = math.tointeger(tonumber(headers["lambda-runtime-deadline-ms"]))
  local trace_id = headers["lambda-runtime-trace-id"]
  return {
    request_id = headers["lambda-runtime-aws-request-id"],
    deadline = deadline,
    remaining = function() return deadline and math.max(0, deadline - wall() * 1000) or math.huge end,
    function_arn = headers["lambda-runtime-invoked-function-arn"],
    trace_id = trace_id,
    traceparent = require "weft.trace.context".of_xray(trace_id),
    client_context = decoded(headers["lambda-runtime-client-context"]),
    identity = decoded(headers["lambda-runtime-cognito-identity"]),
    function_name = os.getenv "AWS_LAMBDA_FUNCTION_NAME",
    function_version = os.getenv "AWS_LAMBDA_FUNCTION_VERSION",
    memory_limit = math.tointeger(tonumber(os.getenv "AWS_LAMBDA_FUNCTION_MEMORY_SIZE")),
    log_group = os.getenv "AWS_LAMBDA_LOG_GROUP_NAME",
    log_stream = os.getenv "AWS_LAMBDA_LOG_STREAM_NAME",
  }
end

---Calls the handler in a task, within the time that there is.
---@return string? text
---@return weft.LambdaFailure? failure
function M.invoke(handler, text, ctx)
  local function body()
    local left = math.min(ctx.remaining() / 1000, DAY)
    local ok, result = core.timeout(left > 2 * RESERVE and left - RESERVE or left / 2, xpcall, handler, M.failure, text, ctx)
    if not ok then error(result, 0) end
    return result
  end
  local ok, result = pcall(core.run, body)
  if ok then return result end
  return nil, M.failure(result)
end

-- Traces ---------------------------------------------------------------------------------------

local variables = { "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" }

---weft.trace when the environment says where spans go; it is not loaded otherwise.
local function new_trace()
  local wanted = false
  for _, name in ipairs(variables) do wanted = wanted or (os.getenv(name) or "") ~= "" end
  if not wanted then return nil end
  local trace = require "weft.trace"
  local service = not os.getenv "OTEL_SERVICE_NAME" and os.getenv "AWS_LAMBDA_FUNCTION_NAME" or nil
  return trace.trace.start { service = service } and trace or nil
end

---A handler whose invocations are spans.
local function traced(handler, trace)
  return function(text, ctx)
    return trace.serving({ name = ctx.function_name or "invocation", traceparent = ctx.traceparent }, function(span)
      span:set("faas.invocation_id", ctx.request_id):set("cloud.resource_id", ctx.function_arn)
      return handler(text, ctx)
    end)
  end
end

-- The Runtime API -------------------------------------------------------------------------------

local Runtime = {}
Runtime.__index = Runtime

function Runtime:post(path, body, headers)
  local answer = self.client:request { method = "POST", url = self.base .. path, body = body, headers = headers }
  if answer.status == 500 then errors.raise("internal", "the Lambda Runtime API says that its state is beyond repair") end
  return answer
end

function Runtime:report(path, failure)
  return self:post(path, to_json(failure), { ["Content-Type"] = "application/vnd.aws.lambda.error+json",
    ["Lambda-Runtime-Function-Error-Type"] = failure.type })
end

---From here on there is nothing to do but to tell, and this process may be frozen.
function Runtime:rest() self.wall, self.clock = wall(), core.clock() end

---Waits for the next invocation. A process that stood still meanwhile mistrusts its connections.
function Runtime:next()
  local answer = self.client:request { url = self.base .. "invocation/next" }
  if answer.status ~= 200 or not answer.headers["lambda-runtime-aws-request-id"] then
    errors.raise("internal", ("the Lambda Runtime API answered %d when it was asked for the next invocation"):format(answer.status))
  end
  if math.max(wall() - self.wall, core.clock() - self.clock) >= FROZEN then database.check() end
  return answer
end

function Runtime:respond(request_id, text, failure)
  local path = "invocation/" .. request_id
  if text then
    local answer = self:post(path .. "/response", text, { ["Content-Type"] = "application/json" })
    if answer.status == 202 then return end
    failure = { type = answer.status == 413 and "Runtime.ResponseTooLarge" or "Runtime.ResponseRefused", stack = core.array {},
      message = ("the Lambda Runtime API refused the response of %d bytes with status %d"):format(#text, answer.status) }
  end
  log(failure, request_id)
  self:report(path .. "/error", failure)
end

function Runtime:turn(handler)
  local invocation = self:next()
  local ctx = M.context(invocation.headers)
  core.setenv("_X_AMZN_TRACE_ID", ctx.trace_id)
  local text, failure = M.invoke(handler, invocation.body, ctx)
  self:rest()
  self:respond(ctx.request_id, text, failure)
  if self.trace then self.trace.flush(FLUSH) end -- the process may stand still from now on
end

---Serves invocations until the process is ended, or raises when the Runtime API is gone.
---@param api string host and port
---@param load fun(): fun(text: string, ctx: weft.LambdaContext): string
function M.serve(api, load)
  local client = require "weft.curl".new { timeout = false, proxy = false }
  local runtime = setmetatable({ client = client, base = ("http://%s/2018-06-01/runtime/"):format(api) }, Runtime)
  local ok, handler = xpcall(load, M.failure)
  if not ok then
    log(handler)
    runtime:report("init/error", handler)
    errors.raise("usage", "the handler does not load: " .. handler.message)
  end
  runtime.trace = new_trace()
  if runtime.trace then handler = traced(handler, runtime.trace) end
  runtime:rest()
  while true do runtime:turn(handler) end
end

return M
