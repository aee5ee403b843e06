-- SPDX-License-Identifier: MIT
-- Cookies: what a client sent (RFC 6265, 5.4, read leniently as browsers write it) and what is set (RFC 6265bis, 4.1.1,
-- checked strictly, where it is set).

local errors = require "weft.errors"

local M = {}

M.MAX_BYTES = 4096 -- of name and value: browsers keep no more

local function unquote(value) return value:match '^"(.*)"$' or value end

---The cookies of a Cookie header. Of a name that comes twice the first counts: it has the longer path.
---@param text? string
---@return table<string, string>
function M.read(text)
  local cookies = {}
  for pair in (text or ""):gmatch "[^;]+" do
    local name, value = pair:match "^%s*([^=%s]+)%s*=%s*(.-)%s*$"
    if name and cookies[name] == nil then cookies[name] = unquote(value) end
  end
  return cookies
end

local same_sites = { strict = "Strict", lax = "Lax", none = "None" }
local options_known = { "path", "domain", "max_age", "expires", "secure", "http_only", "same_site" }

local function check_name(name)
  if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+%-.^_`|~]+$" then
    errors.usage("a cookie's name is a word, not '%s'", tostring(name):gsub("%c", "?"):sub(1, 60))
  end
end

local function check_value(name, value)
  if type(value) ~= "string" then errors.usage("the cookie %s is a text, not a %s", name, type(value)) end
  if value:find "[^!#-+%-.-:<-Z%[%]^-~]" then
    errors.usage('the cookie %s holds a character that no cookie may: encode it', name)
  end
  if #name + #value > M.MAX_BYTES then errors.usage("the cookie %s is larger than %d bytes", name, M.MAX_BYTES) end
end

---Browsers refuse what breaks the promise of such a name; here it is said.
local function check_prefix(name, options)
  local lower = name:lower()
  if lower:find "^__secure%-" and not options.secure then errors.usage("the cookie %s must be secure", name) end
  if lower:find "^__host%-" and not (options.secure and options.path == "/" and not options.domain) then
    errors.usage("the cookie %s must be secure, of path '/' and without domain", name)
  end
end

local function attribute(name, field, value, pattern)
  if type(value) ~= "string" or not value:find(pattern) then errors.usage("the cookie %s: %s is not one", name, field) end
  return value
end

local function http_date(name, seconds)
  if type(seconds) ~= "number" then
    errors.usage("the cookie %s: expires is a time in seconds, as os.time gives it", name)
  end
  return os.date("!%a, %d %b %Y %H:%M:%S GMT", math.floor(seconds))
end

local function same_site(name, options)
  local word = same_sites[type(options.same_site) == "string" and options.same_site:lower() or ""]
  if not word then errors.usage("the cookie %s: same_site is strict, lax or none", name) end
  if word == "None" and not options.secure then errors.usage("the cookie %s: same_site none takes secure", name) end
  return word
end

---The value of a Set-Cookie header.
---@param name string
---@param value string
---@param options? weft.CookieOptions
---@return string
function M.write(name, value, options)
  options = options or {}
  check_name(name)
  check_value(name, value)
  if type(options) ~= "table" then errors.usage("cookie: options are a table, as { max_age = 3600 }") end
  errors.check_names(options, options_known, "option of cookie")
  options = setmetatable({ path = options.path or "/" }, { __index = options })
  check_prefix(name, options)
  local out = { name .. "=" .. value, "Path=" .. attribute(name, "path", options.path, "^/[\32-\58\60-\126]*$") }
  local function add(text) out[#out + 1] = text end
  if options.domain then add("Domain=" .. attribute(name, "domain", options.domain, "^%.?[%w][%w.-]*$")) end
  if options.max_age then
    if math.type(options.max_age) ~= "integer" then
      errors.usage("the cookie %s: max_age is a whole number of seconds", name)
    end
    add(("Max-Age=%d"):format(options.max_age))
  end
  if options.expires then add("Expires=" .. http_date(name, options.expires)) end
  if options.secure then add "Secure" end
  if options.http_only then add "HttpOnly" end
  if options.same_site then add("SameSite=" .. same_site(name, options)) end
  return table.concat(out, "; ")
end

return M
