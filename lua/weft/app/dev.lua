-- SPDX-License-Identifier: MIT
-- What an app shows of itself in development, at /_weft: routes, models, requests and their statements as they come.

local core = require "weft.core"
local crypto = require "weft.crypto"
local database = require "weft.database"
local record = require "weft.app.dev_record"

local M = {}

local PREFIX = "/_weft"
local figures = { "max", "open", "idle", "leased", "sharing", "waiting", "inflight", "statements", "plans", "plan_hits", "plan_misses",
  "batches", "batched" }

-- ---- what is shown ----

local function place_of(fn)
  local info = type(fn) == "function" and debug.getinfo(fn, "S")
  return info and ("%s:%d"):format(info.short_src, info.linedefined) or ""
end

---The routes of an app, those of the apps mounted in it, too.
local function add_routes(application, list, app, prefix)
  for _, route in ipairs(app.router.list) do
    local origin = application.origin(route.handler)
    if not application.is_app(origin) then
      list[#list + 1] = { method = route.method, path = prefix .. route.path, place = place_of(origin) }
    elseif route.path:sub(-2) == "/*" then
      add_routes(application, list, origin, prefix .. route.path:sub(1, -3))
    end
  end
  return list
end

local function sorted_names(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

---The figures of the databases that are open.
local function pools()
  local list, open = core.array {}, database.open_handles()
  for i, name in ipairs(sorted_names(open)) do list[i] = { name = name, stats = open[name]:stats() } end
  return list
end

local function associations_of(relations)
  local list = {}
  for _, entry in ipairs(relations.list) do
    for _, association in ipairs(entry.associations) do
      list[#list + 1] = { model = entry.names[1] or entry.table.key, name = association.name, type = association.type,
        to = association.label }
    end
  end
  return list
end

local function read_database(name)
  local relations = require "weft.inspect.relations".of(name)
  return { name = name, drawing = require "weft.app.dev_diagram".draw(relations), associations = associations_of(relations) }
end

local function databases()
  local list = {}
  for i, name in ipairs(sorted_names(database.configured())) do
    local ok, made = pcall(read_database, name)
    list[i] = ok and made or { name = name, failed = tostring(made) }
  end
  return list
end

-- ---- the app ----

---Calls fn while statements are this page's own.
local function looking(self, fn, ...)
  self.looking = self.looking + 1
  local results = table.pack(pcall(fn, ...))
  self.looking = self.looking - 1
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

local function show(application, app, self, res)
  local nonce = crypto.base64url(crypto.random(16))
  res.headers["Content-Security-Policy"] = ("default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; script-src 'nonce-%s'")
    :format(nonce)
  res.headers["Cache-Control"] = "no-store"
  local entries = self:after(self.number - 200)
  return res:html(require "weft.app.dev_page" {
    routes = add_routes(application, {}, app, ""), databases = looking(self, databases), pools = pools(), figures = figures,
    entries = core.array(entries), nonce = nonce,
  })
end

local function explain(self, req, res)
  local entry = self:entry(math.tointeger(tonumber(req.params.number)) or 0)
  if not entry or entry.kind ~= "statement" then return 404, "That was too long ago." end
  local ok, text = pcall(looking, self, require "weft.app.dev_explain".explain, entry)
  return res:text(ok and text or tostring(text))
end

---Where the client is: what its last event was, or what its page had.
local function position(self, req)
  local after = req:header "last-event-id" or req.query.after
  return type(after) == "string" and math.tointeger(tonumber(after)) or self.number
end

---Sends what comes until the client goes, or the request's time is nearly over: browsers come again.
local function follow(self, req, res)
  local last, turn = position(self, req), 0
  res:event { retry = 500 }
  while not req.exchange:gone() and (req.deadline or math.huge) > 2 do
    for _, entry in ipairs(self:after(last)) do
      res:event { event = "entry", id = entry.number, data = entry }
      last = entry.number
    end
    if turn % 4 == 0 then res:event { event = "pools", data = pools() } end
    turn = turn + 1
    core.sleep(0.25)
  end
end

local function new_app(application, app, self)
  local own = application.app()
  own:get(PREFIX, function(_, res) return show(application, app, self, res) end)
  own:get(PREFIX .. "/events", function(req, res) return follow(self, req, res) end)
  own:get(PREFIX .. "/explain/:number", function(req, res) return explain(self, req, res) end)
  return own
end

local function start(application, app)
  app.record = record.new()
  app.dev_app = new_app(application, app, app.record)
  app:on_stop(app.record.off)
end

---Answers one request of an app in development.
---@param application table lua/weft/app.lua, which cannot be required here: it requires this
---@param app weft.App
---@param exchange table
---@return string? route
---@return integer status
function M.dispatch(application, app, exchange)
  if not app.record then start(application, app) end
  local path = exchange:path()
  if path == PREFIX or path:sub(1, #PREFIX + 1) == PREFIX .. "/" then return application.answer(app.dev_app, exchange) end
  local request = app.record:begin(exchange)
  local route, status = application.answer(app, exchange)
  app.record:finish(request, route, status)
  return route, status
end

return M
