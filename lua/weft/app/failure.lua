-- SPDX-License-Identifier: MIT
-- What a raised error becomes: a status, and a JSON body that tells the client what it may know. What is not the
-- client's doing is 500, told to the log, and to nobody else unless app.dev.

local core = require "weft.core"
local errors = require "weft.errors"
local events = require "weft.events"
local html = require "weft.app.html"
local respond = require "weft.app.respond"
local response = require "weft.app.response"
local status = require "weft.app.status"

local M = {}

local status_of_kind = {
  type = 400, validation = 400, not_null = 400, check = 400, auth = 401, not_found = 404,
  stale = 409, unique = 409, foreign_key = 409, condition_failed = 409, throttled = 429,
  pool_timeout = 503, connect = 503, disconnect = 503, lock_timeout = 503, deadlock = 503, serialization = 503,
  cancelled = 503, timeout = 504,
}

---What is said when the words of the error are a database's, which name what nobody outside should know.
local public_message = {
  type = "A value is not of the type that it should be", not_null = "A value is missing",
  check = "A value is not one of those allowed", not_found = "Not Found", stale = "Somebody else has changed it meanwhile",
  unique = "There is one like it already", foreign_key = "Something that belongs to it stands against it",
  condition_failed = "It is not in the state that was expected",
}

---Whether a statement, not the program's own words, raised it.
local function is_of_database(err) return err.op ~= nil or err.database ~= nil or err.code ~= nil end

---What the client sent as fields.
local function sent(req) return rawget(req, "json_value") or rawget(req, "form_fields") or {} end

---A field for which there is no column is the client's mistake, though to the model it is the program's.
local function as_clients(failure, req)
  local err = failure.err
  local name = core.is_error(err) and err.kind == "usage" and err.message:match "unknown column '(.-)' of "
  if not name or sent(req)[name] == nil then return failure end
  local _, made = pcall(errors.raise, "type", ("there is no field '%s'"):format(name))
  return { err = made }
end

---@param err any what was raised
---@return integer
function M.status_of(err)
  if not core.is_error(err) then return 500 end
  if status.is_final(err.status) and err.status >= 400 then return err.status end
  if err.kind == "auth" and is_of_database(err) then return 500 end
  return status_of_kind[err.kind] or 500
end

local function text_of(err)
  if err == nil then return "nil was raised" end
  local ok, text = pcall(errors.text, err)
  return ok and html.valid(text) or "an error whose text cannot be made"
end

---The handler of xpcall: what was raised with the traceback of where, which only the program's own errors need.
---@param err any
---@return { err: any, traceback: string? }
function M.catch(err)
  return { err = err, traceback = M.status_of(err) >= 500 and core.traceback(2) or nil }
end

---Kind and message as clients see them.
local function public(err, code)
  if not core.is_error(err) or code == 500 then return status.kind(code), status.reason(code) end
  local own = code < 500 and (err.kind == "validation" or not is_of_database(err))
  return err.kind, own and html.valid(err.message) or public_message[err.kind] or status.reason(code)
end

---What else they see: all in development, else what failed a validation, and a column that they have named themselves.
local function further(err, req, failure, dev)
  local more = dev and { details = text_of(err), traceback = failure.traceback and html.valid(failure.traceback) } or {}
  if not core.is_error(err) then return more end
  for _, field in ipairs(dev and { "op", "model", "database", "code", "constraint", "column" } or {}) do
    more[field] = err[field]
  end
  if err.column and sent(req)[err.column] ~= nil then more.column = err.column end
  if err.kind == "validation" and type(err.errors) == "table" then more.errors = err.errors end
  return more
end

local function say(req, code, failure)
  events.emit("error", {
    request_id = req.id, trace_id = req.trace_id, method = req.method, route = rawget(req, "route"), status = code,
    error = core.is_error(failure.err) and failure.err or nil, message = text_of(failure.err), traceback = failure.traceback,
  })
end

---Headers of what was to be answered that an error page does not share; those of CORS and of safety stay.
local function clear_headers(res)
  local set = rawget(res, "headers")
  if not set then return end
  for _, name in ipairs { "content-type", "content-disposition", "content-encoding", "content-language", "content-location",
    "cache-control", "etag", "expires", "last-modified", "location", "set-cookie", "x-accel-buffering" } do
    set[name] = nil
  end
end

local function reset(res, code)
  clear_headers(res)
  res.hooks, res.path, res.body, res.rest, res.answered, res.content_type = nil, nil, nil, nil, nil, nil
  res.status = code
end

---The answer of app:on_error, when there is such a function and it answers.
local function answer_of_program(handler, req, res, code, err)
  reset(res, code)
  local ok, failure = xpcall(function()
    local first, second = handler(err, req, res)
    if first == nil and not res.answered and not res.streaming then return "none" end
    respond.finish(req, res, first, second)
  end, M.catch)
  if not ok then say(req, 500, failure) end
  return ok and failure ~= "none"
end

local function answer(app, req, res, code, failure)
  local err = failure.err
  reset(res, code)
  if code == 503 or code == 429 then res.headers["retry-after"] = core.is_error(err) and tonumber(err.retry_after) or 1 end
  if app.dev and req:prefers "text/html" then
    return respond.send(res, code, response.HTML, require "weft.app.error_page"(req, code, failure, text_of(err)))
  end
  local kind, message = public(err, code)
  respond.send(res, code, response.JSON, respond.error_body(req, kind, message, further(err, req, failure, app.dev)))
end

---Answers a request whose handling has raised; never raises itself.
---@param app weft.App
---@param req weft.Request
---@param res weft.Response
---@param failure { err: any, traceback: string? }
function M.answer(app, req, res, failure)
  if type(failure) ~= "table" then failure = { err = failure } end -- the handler of errors failed, as of a full stack
  failure = as_clients(failure, req)
  local code, err, gone = M.status_of(failure.err), failure.err, req.exchange:gone()
  local kind = core.is_error(err) and err.kind
  if code >= 500 and kind ~= "cancelled" and not (gone and kind == "closed") then say(req, code, failure) end
  if gone or req.exchange:begun() then return end -- half of an answer has left; whoever serves cuts it there
  local handler = rawget(req, "app").error_handler or app.error_handler
  if handler and answer_of_program(handler, req, res, code, err) then return end
  if req.exchange:begun() then return end
  local ok, second = xpcall(answer, M.catch, app, req, res, code, failure)
  if ok then return end
  say(req, 500, type(second) == "table" and second or { err = second })
  pcall(req.exchange.send, req.exchange, 500, nil, "Internal Server Error")
end

return M
