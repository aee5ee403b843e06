-- SPDX-License-Identifier: MIT
-- What an answer's status means: its reason, and the kind of error that a body says when a handler gives a bare
-- number. What kind of error becomes which status is failure.lua's.

local M = {}

M.reasons = {
  [400] = "Bad Request", [401] = "Unauthorized", [402] = "Payment Required", [403] = "Forbidden", [404] = "Not Found",
  [405] = "Method Not Allowed", [406] = "Not Acceptable", [408] = "Request Timeout", [409] = "Conflict", [410] = "Gone",
  [411] = "Length Required", [412] = "Precondition Failed", [413] = "Content Too Large", [415] = "Unsupported Media Type",
  [418] = "I'm a Teapot", [421] = "Misdirected Request", [422] = "Unprocessable Content", [423] = "Locked",
  [428] = "Precondition Required", [429] = "Too Many Requests", [431] = "Request Header Fields Too Large",
  [451] = "Unavailable For Legal Reasons", [500] = "Internal Server Error", [501] = "Not Implemented",
  [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout", [507] = "Insufficient Storage",
}

---"Not Found" -> "not_found".
local kinds = {}
for status, reason in pairs(M.reasons) do
  kinds[status] = reason:lower():gsub("[^%a%s]", ""):gsub("%s+", "_")
end
kinds[500] = "internal"

---@param status integer
---@return string
function M.reason(status) return M.reasons[status] or status < 500 and "Bad Request" or "Internal Server Error" end

---@param status integer
---@return string
function M.kind(status) return kinds[status] or status < 500 and "bad_request" or "internal" end

---Whether a response may end with it.
function M.is_final(status) return math.type(status) == "integer" and status >= 200 and status <= 599 end

---Whether its response has no body.
function M.is_bare(status) return status == 204 or status == 205 or status == 304 end

return M
