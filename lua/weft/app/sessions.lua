-- SPDX-License-Identifier: MIT
-- Sessions that live in a cookie: JSON, signed with HMAC-SHA256 so that nobody but this app makes or changes one. The
-- client can read what is inside, and may come back with an older one that has not expired.

local core = require "weft.core"
local cookies = require "weft.app.cookies"
local crypto = require "weft.crypto"
local errors = require "weft.errors"

local M = {}

M.clock = os.time -- seconds since 1970; specs have their own

local MIN_SECRET = 32
local known = { "secret", "name", "max_age", "same_site", "secure", "domain", "path" }

---@class weft.Sessions
---@field name string
---@field keys string[] the first one signs, all of them are accepted
---@field max_age integer
local Sessions = {}
Sessions.__index = Sessions

---A key for this cookie alone: a session of one name is none of another.
local function key_of(secret, name)
  if type(secret) ~= "string" or #secret < MIN_SECRET then
    errors.usage("sessions: a secret has at least %d bytes; `openssl rand -base64 48` makes one", MIN_SECRET)
  end
  return crypto.hmac_sha256(secret, "weft session " .. name)
end

local function keys_of(secrets, name)
  if secrets == nil then errors.usage "sessions needs a secret; `openssl rand -base64 48` makes one" end
  local keys = {}
  for i, secret in ipairs(type(secrets) == "table" and secrets or { secrets }) do keys[i] = key_of(secret, name) end
  if #keys == 0 then errors.usage "sessions needs a secret, or a list of them: the newest first" end
  return keys
end

---@param options weft.SessionOptions
---@return weft.Sessions
function M.new(options)
  if type(options) ~= "table" then errors.usage "sessions takes a table, as { secret = os.getenv \"SESSION_SECRET\" }" end
  errors.check_names(options, known, "option of sessions")
  local name, max_age = options.name or "session", options.max_age or 14 * 24 * 3600
  if math.type(max_age) ~= "integer" or max_age < 1 then
    errors.usage "sessions: max_age is a whole number of seconds from 1"
  end
  local self = setmetatable({ name = name, max_age = max_age, secure = options.secure }, Sessions)
  self.keys = keys_of(options.secret, tostring(name))
  self.cookie = { max_age = max_age, same_site = options.same_site or "lax", http_only = true, path = options.path,
    domain = options.domain }
  cookies.write(name, "x", self:cookie_options(true)) -- raises for what no cookie may be
  return self
end

---The attributes of the cookie.
---@param https boolean whether the request came so
function Sessions:cookie_options(https)
  local options = { secure = self.secure == nil and https or self.secure == true }
  for option, value in pairs(self.cookie) do options[option] = value end
  return options
end

---@return string
function Sessions:sign(text)
  local payload = crypto.base64url(text)
  return payload .. "." .. crypto.base64url(crypto.hmac_sha256(self.keys[1], payload))
end

---The text that one of our keys has signed, or nil.
function Sessions:verify(value)
  local payload, mark = value:match "^([%w_-]+)%.([%w_-]+)$"
  local given = mark and #value <= cookies.MAX_BYTES and crypto.from_base64url(mark)
  if not given then return nil end
  for _, key in ipairs(self.keys) do
    if crypto.equal(crypto.hmac_sha256(key, payload), given) then return crypto.from_base64url(payload) end
  end
end

---The session that came, or an empty one; when it ends (nil: none came).
---@param req weft.Request
---@return table
---@return integer?
function Sessions:read(req)
  local value = req.cookies[self.name]
  local text = value and self:verify(value)
  local kept = text and core.decode(text)
  if not kept or kept.expires <= M.clock() then return {}, nil end
  return kept.data, kept.expires
end

---What request.lua has for req.session.
---@param req weft.Request
---@return table
function Sessions:load(req)
  local data, expires = self:read(req)
  rawset(req, "session_before", { text = core.encode(data), expires = expires })
  return data
end

local function write(self, res, data, now, options)
  local value = self:sign(core.encode { data = data, expires = now + self.max_age })
  if #self.name + #value > cookies.MAX_BYTES then
    errors.usage("the session is too large for a cookie (%d of %d bytes): keep keys in it, and the rest in a database",
      #value, cookies.MAX_BYTES)
  end
  res:cookie(self.name, value, options)
end

---Sets the cookie when the session was changed, and when half of its time is over.
local function save(self, req, res)
  local session, before = rawget(req, "session"), rawget(req, "session_before") or {}
  if session == nil then return end -- nobody asked for it
  if type(session) ~= "table" then errors.usage("req.session is a table, not a %s; {} ends it", type(session)) end
  local options, now = self:cookie_options(req.scheme == "https"), M.clock()
  if next(session) == nil then
    options.max_age = 0
    if req.cookies[self.name] then res:cookie(self.name, "", options) end
  elseif core.encode(session) ~= before.text or before.expires - now < self.max_age / 2 then
    write(self, res, session, now, options)
  end
end

---The middleware.
---@param self weft.Sessions
function M.middleware(self)
  local function hook(res) save(self, res.request, res) end
  return function(req, res, next)
    rawset(req, "sessions", self)
    res:before_head(hook)
    return next()
  end
end

return M
