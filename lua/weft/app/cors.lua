-- SPDX-License-Identifier: MIT
-- Who else's pages may use this app: CORS (WHATWG Fetch), and what keeps other sites' forms away from it.

local errors = require "weft.errors"
local headers = require "weft.app.headers"

local M = {}

local function list_of(value, what)
  if type(value) == "string" then return { value } end
  if type(value) ~= "table" then errors.usage("%s is a text or a list of texts", what) end
  for _, entry in ipairs(value) do
    if type(entry) ~= "string" then errors.usage("%s is a text or a list of texts", what) end
  end
  return value
end

---"https://example.com" as browsers write it: no path, not even a slash.
local function check_origin(origin, who)
  if origin ~= "null" and not origin:find "^%a[%w+.-]*://[^/%s,]+$" then
    errors.usage("%s: '%s' is no origin; one is a scheme and a host, as 'https://example.com'", who, origin)
  end
end

---Answers whether an origin is one of those given.
local function matcher(given, who)
  if type(given) == "function" then return given end
  local set = {}
  for _, origin in ipairs(list_of(given, who .. ": origins")) do
    check_origin(origin, who)
    set[origin:lower()] = true
  end
  return function(origin) return set[origin:lower()] end
end

local known = { "origins", "methods", "headers", "expose", "credentials", "max_age" }

local function check_options(options)
  if type(options) ~= "table" then errors.usage "cors takes a table, as { origins = { \"https://example.com\" } }" end
  errors.check_names(options, known, "option of cors")
  if options.origins == nil then errors.usage "cors needs origins: \"*\", a list, or a function of an origin" end
  if options.origins == "*" and options.credentials then
    errors.usage "cors: with credentials the origins are named; \"*\" would open every account to every page"
  end
  if options.max_age ~= nil and math.type(options.max_age) ~= "integer" then
    errors.usage "cors: max_age is a whole number of seconds"
  end
end

local function joined(given, what) return given and table.concat(list_of(given, "cors: " .. what), ", ") end

local function answer_preflight(req, res, set)
  headers.add_word(res.headers, "Vary", "Access-Control-Request-Method")
  headers.add_word(res.headers, "Vary", "Access-Control-Request-Headers")
  res.headers["access-control-allow-methods"] = set.methods
  res.headers["access-control-allow-headers"] = set.headers or req:header "access-control-request-headers"
  res.headers["access-control-max-age"] = set.max_age
  return 204
end

---The middleware of app:cors.
---@param options weft.CorsOptions
function M.middleware(options)
  check_options(options)
  local any = options.origins == "*"
  local allows = any and function() return true end or matcher(options.origins, "cors")
  local set = { methods = joined(options.methods, "methods") or "GET, HEAD, POST, PUT, PATCH, DELETE",
    max_age = options.max_age, headers = joined(options.headers, "headers") }
  local expose = joined(options.expose, "expose")
  return function(req, res, next)
    if not any then headers.add_word(res.headers, "Vary", "Origin") end
    local origin = req:header "origin"
    if not origin or not allows(origin) then return next() end
    res.headers["access-control-allow-origin"] = any and "*" or origin
    if options.credentials then res.headers["access-control-allow-credentials"] = "true" end
    if req.method == "OPTIONS" and req:header "access-control-request-method" then return answer_preflight(req, res, set) end
    res.headers["access-control-expose-headers"] = expose
    return next()
  end
end

-- ---- forgery ----

local safe = { GET = true, HEAD = true, OPTIONS = true }

---Whether the browser says that a page of this very site made the request. Clients that are no browsers say nothing.
local function is_of_this_site(req)
  local site = req:header "sec-fetch-site"
  if site then return site == "same-origin" or site == "none" end
  local origin = req:header "origin"
  return not origin or origin:lower():match "^%a[%w+.-]*://(.+)$" == req.host:lower()
end

---The middleware of app:csrf: a request that changes something and that another site's page made is answered with 403.
---@param options? { origins?: string|string[]|fun(origin: string): boolean }
function M.same_site(options)
  options = options or {}
  if type(options) ~= "table" then errors.usage "csrf takes a table, as { origins = { \"https://example.com\" } }" end
  errors.check_names(options, { "origins" }, "option of csrf")
  local allows = matcher(options.origins or {}, "csrf")
  return function(req, _, next)
    if safe[req.method] or is_of_this_site(req) or allows(req:header "origin" or "null") then return next() end
    errors.raise("auth", "Another site's page sent this", { status = 403 })
  end
end

return M
