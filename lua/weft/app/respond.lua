-- SPDX-License-Identifier: MIT
-- What the results of a handler become: a table JSON, a string text, a query the JSON of its rows, a number a status,
-- perhaps with a body behind it; nothing is what `res` was told, or 204.

local errors = require "weft.errors"
local response = require "weft.app.response"
local status = require "weft.app.status"

local M = {}

local encode = response.encode
local JSON, TEXT = response.JSON, response.TEXT

---The body of an error, as JSON.
---@param req weft.Request
---@param kind string
---@param message string
---@param more? table further fields
---@return string
function M.error_body(req, kind, message, more)
  local fields = { kind = kind, message = message, request_id = req.id }
  for name, value in pairs(more or {}) do fields[name] = value end
  return encode { error = fields }
end

---The body that goes with a status: some have none.
local function check_status(res, code, body)
  if not status.is_final(code) then errors.usage("a status is a whole number from 200 to 599, not %s", tostring(code)) end
  if not status.is_bare(code) then return body end
  res.content_type = nil
end

local function send_stream(res, body, rest)
  local exchange <const> = res.exchange
  res.streaming = true
  exchange:start(res.status, response.flat(res))
  exchange:write(body)
  for piece in rest, nil, nil, rest do exchange:write(piece) end
  exchange:finish()
end

---Sends an answer: as a whole, or as a stream when there is more than the body.
---@param res weft.Response
---@param code integer
---@param content_type? string
---@param body? string
---@param rest? fun(): string? what comes behind the body
function M.send(res, code, content_type, body, rest)
  res.status, res.content_type = code, content_type
  response.before_head(res)
  code = res.status
  if code ~= 200 then body = check_status(res, code, body) end
  if rest and body then return send_stream(res, body, rest) end
  res.exchange:send(code, response.flat(res), body)
end

local bodies = {}

function bodies.string(value) return TEXT, value end
function bodies.table(value) return JSON, encode(value) end
function bodies.userdata(value) return JSON, response.json(value) end

local function of_value(res, code, value)
  local body_of = bodies[type(value)]
  if not body_of then
    errors.usage("a handler returns a table, a text, a query or a status (and perhaps a body behind it), not a %s", type(value))
  end
  local content_type, body, rest = body_of(value)
  M.send(res, code, content_type, body, rest)
end

---A status without a body: an error says itself.
local function of_status(req, res, code)
  if not status.is_final(code) then errors.usage("a handler returned %s, which is no status", tostring(code)) end
  if code < 400 then return M.send(res, code, nil, "") end
  M.send(res, code, JSON, M.error_body(req, status.kind(code), status.reason(code)))
end

local function of_path(req, res)
  response.before_head(res)
  if res.exchange:file(res.path, response.flat(res)) then return end
  res.headers["cache-control"] = nil
  of_status(req, res, 404)
end

---What `res` was told.
local function of_response(req, res)
  if res.streaming then
    res.exchange:finish()
  elseif res.path then
    of_path(req, res)
  elseif res.answered then
    M.send(res, res.status, res.content_type, res.body, res.rest)
  else
    M.send(res, res.status == 200 and 204 or res.status, nil, "")
  end
end

---Answers with the results of a handler.
---@param req weft.Request
---@param res weft.Response
---@param first any
---@param second any
function M.finish(req, res, first, second)
  if first == nil or first == res then return of_response(req, res) end
  if res.streaming then errors.usage "a handler that writes its response returns nothing" end
  if type(first) ~= "number" then return of_value(res, res.status, first) end
  if second == nil then return of_status(req, res, first) end
  if second == res then -- return 404, res:html "..."
    res.status = first
    return of_response(req, res)
  end
  of_value(res, first, second)
end

return M
