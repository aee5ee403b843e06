-- SPDX-License-Identifier: MIT
-- weft.app: what answers the requests of `weft serve` and `weft lambda`. Whoever serves hands each request in as an
-- exchange (lua/weft/app/test.lua has one in plain Lua); an app knows nothing else of who that is.

local errors = require "weft.errors"
local failure = require "weft.app.failure"
local request = require "weft.app.request"
local respond = require "weft.app.respond"
local response = require "weft.app.response"
local router = require "weft.app.router"

local M = {}

---@class weft.App
---@field dev boolean whether errors are shown with their details
---@field views string the folder of templates
local App = {}
App.__index = App

local handle
local origins = setmetatable({}, { __mode = "k" }) -- a handler of ours -> the function, or the app, that it stands for

-- ---- checks ----

---Whether it can be called, as a function can.
local function is_callable(value)
  local meta = getmetatable(value)
  return type(value) == "function" or type(meta) == "table" and meta.__call ~= nil
end

local function check_function(fn, who)
  if not is_callable(fn) then errors.usage("%s takes a function, got %s", who, fn == nil and "nothing" or type(fn)) end
end

local function is_app(value) return type(value) == "table" and getmetatable(value) == App end

local function check_app(self, who)
  if not is_app(self) then errors.usage("%s is a method of an app: app:%s(...)", who, who) end
end

---A prefix of paths without its last slash: "/" is "".
local function check_prefix(prefix, what)
  router.check_path(prefix, what)
  if prefix:find("*", 1, true) then errors.usage("the %s holds no wildcard: '%s'", what, prefix) end
  return (prefix:gsub("/+$", ""))
end

-- ---- middleware ----

---The path as the app sees it that answers: a mounted one without its prefix.
local function path_of(req)
  local mounted = req.mounted
  if not mounted then return req.path end
  local path = req.path:sub(#mounted + 1)
  return path == "" and "/" or path
end

---Whether the path is the prefix or lies below it.
local function is_below(path, prefix)
  if path:sub(1, #prefix) ~= prefix then return false end
  return #path == #prefix or path:sub(#prefix + 1, #prefix + 1) == "/"
end

---Runs the middleware from number i on, then the handler. What a middleware returns counts; one that has called next
---and returns nothing hands on what that gave.
local function run(chain, i, handler, req, res, path)
  local entry = chain[i]
  while entry and entry.prefix and not is_below(path, entry.prefix) do
    i = i + 1
    entry = chain[i]
  end
  if not entry then return handler(req, res) end
  local called, first, second
  local function next_one()
    if called then errors.usage "next() was called before; a request goes on once" end
    called = true
    first, second = run(chain, i + 1, handler, req, res, path)
    return first, second
  end
  local own, own_second = entry.fn(req, res, next_one)
  if own == nil and called then return first, second end
  return own, own_second
end

---Adds to a chain what `use` was given.
local function add_middleware(chain, base, path, fn)
  if fn == nil then path, fn = nil, path end
  check_function(fn, "use")
  local prefix = path and base .. check_prefix(path, "path of a middleware") or nil
  if prefix and prefix:find(":", 1, true) then
    errors.usage("use takes a path without parameters, not '%s'; a group has its own", prefix)
  end
  chain[#chain + 1] = { fn = fn, prefix = prefix ~= "" and prefix or nil }
end

---Calls fn(req, res, next) around the handler of each request (of those to `path` or below), also of those that have
---no route, in the order of use. next() goes on and returns what the handler returned.
---@param path string|fun(req: weft.Request, res: weft.Response, next: fun(): any, any): any
---@param fn? fun(req: weft.Request, res: weft.Response, next: fun(): any, any): any
function App:use(path, fn)
  check_app(self, "use")
  add_middleware(self.chain, "", path, fn)
end

---Sessions in a signed cookie: req.session is a table, kept when it was changed; {} ends it.
---@param options weft.SessionOptions
function App:sessions(options)
  check_app(self, "sessions")
  local sessions = require "weft.app.sessions"
  self:use(sessions.middleware(sessions.new(options)))
end

---Lets pages of other origins use the app.
---@param options weft.CorsOptions
function App:cors(options)
  check_app(self, "cors")
  self:use(require "weft.app.cors".middleware(options))
end

---Answers 403 where a page of another site sends a request that is neither GET, HEAD nor OPTIONS.
---@param options? { origins?: string|string[]|fun(origin: string): boolean } which may
function App:csrf(options)
  check_app(self, "csrf")
  self:use(require "weft.app.cors".same_site(options))
end

---Serves the plain files of a folder below a prefix, never what lies outside, nor names that begin with a dot.
---@param prefix string
---@param folder string
---@param options? { max_age?: integer, index?: string|false } max_age: seconds that clients may keep them (0); index: "index.html"
function App:static(prefix, folder, options)
  check_app(self, "static")
  prefix = check_prefix(prefix, "prefix of static files")
  self:get(prefix .. "/*", require "weft.app.static".handler(folder, options))
end

---The text of a template of the folder `views`.
---@param name string "products/show" is views/products/show.html
---@param data? table
---@return string
function App:template(name, data)
  check_app(self, "template")
  self.templates = self.templates or require "weft.app.template".folder(self.views)
  return self.templates:render(name, data, self.dev)
end

-- ---- routes ----

---The methods that apps and groups share.
local Routes = {}

---Answers requests of a method ("ALL": any) to a path with what fn(req, res) returns: a table (JSON), a text, a query
---(the JSON of its rows), a status, or a status and a body. ":id" is a parameter, "*rest" the rest of a path.
---@param method string
---@param path string
---@param fn fun(req: weft.Request, res: weft.Response): any, any
function App:route(method, path, fn)
  check_app(self, "route")
  check_function(fn, "route")
  self.router:add(method, path, fn)
end

for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ALL" } do
  local name = method:lower()
  Routes[name] = function(self, path, fn)
    if type(self) ~= "table" or not self.route then
      errors.usage("%s is a method of an app: app:%s(path, fn)", name, name)
    end
    check_function(fn, name)
    self:route(method, path, fn)
  end
end

---Routes below a prefix, with middleware of their own.
---@class weft.Group
local Group = setmetatable({}, { __index = Routes })
Group.__index = Group

local function check_group(self, who)
  if getmetatable(self) ~= Group then errors.usage("%s is a method of a group: group:%s(...)", who, who) end
end

local function new_group(parent, prefix, fn)
  prefix = check_prefix(prefix, "prefix of a group")
  check_function(fn, "group")
  local group = setmetatable({ parent = parent, prefix = prefix, base = (parent.base or "") .. prefix, chain = {} }, Group)
  fn(group)
end

---Calls fn(group), which has the methods of an app for routes; their paths begin with the prefix.
---@param prefix string
---@param fn fun(group: weft.Group)
function Routes:group(prefix, fn)
  if type(self) ~= "table" or not self.route then errors.usage "group is a method of an app: app:group(prefix, fn)" end
  new_group(self, prefix, fn)
end

---As App:route.
---@param method string
---@param path string
---@param fn fun(req: weft.Request, res: weft.Response): any, any
function Group:route(method, path, fn)
  check_group(self, "route")
  check_function(fn, "route")
  router.check_path(path, "path of a route")
  local chain = self.chain
  local function handler(req, res) return run(chain, 1, fn, req, res, path_of(req)) end
  origins[handler] = fn
  self.parent:route(method, path == "/" and self.prefix ~= "" and self.prefix or self.prefix .. path, handler)
end

---Calls fn(req, res, next) around the handlers of the group's routes, those of groups inside of it, too.
---@param path string|fun(req: weft.Request, res: weft.Response, next: fun(): any, any): any
---@param fn? fun(req: weft.Request, res: weft.Response, next: fun(): any, any): any
function Group:use(path, fn)
  check_group(self, "use")
  add_middleware(self.chain, self.base, path, fn)
end

for name, method in pairs(Routes) do App[name] = method end

---Hands requests to the prefix and below to another app, which sees them by the rest of their path: its routes and its
---middleware, its views, its error pages. It starts and stops with this one.
---@param prefix string
---@param other weft.App
function App:mount(prefix, other)
  check_app(self, "mount")
  prefix = check_prefix(prefix, "prefix of an app")
  if not is_app(other) or other == self then
    errors.usage("mount takes another app, got %s", other == self and "itself" or type(other))
  end
  if prefix:find(":", 1, true) then errors.usage("the prefix of an app has no parameters: '%s'", prefix) end
  local function handler(req, res)
    local before = req.mounted
    req.app, req.mounted = other, (before or "") .. prefix
    local first, second = handle(other, req, res)
    req.app, req.mounted = self, before
    return first, second
  end
  origins[handler] = other
  if prefix ~= "" then self:route("ALL", prefix, handler) end
  self:route("ALL", prefix .. "/*", handler)
  if self.holds[other] then return end
  self.holds[other] = true
  self:on_start(function() other:start() end)
  self:on_stop(function() other:stop() end)
end

-- ---- answering ----

---What is answered where there is no route.
local function answer_missing(self, req, res, path)
  if path == "*" then return 204 end -- OPTIONS of the server as a whole
  local other = self.router:slashed(req.method, path)
  if other then return res:redirect(require "weft.app.url".same_place(req, path, other), 308) end
  local allowed = self.router:allowed(path)
  if #allowed == 0 then return 404 end
  res.headers.allow = table.concat(allowed, ", ")
  return req.method == "OPTIONS" and 204 or 405
end

---What is said of a 404 without a body: by the app's own page when it has one.
local function answer_not_found(self, req, res)
  local handler = self.not_found_handler
  if not handler then return 404 end
  res.status = 404
  return handler(req, res)
end

---Answers a request by its path: middleware, route.
function handle(self, req, res)
  local chain = self.chain
  if chain[1] then return run(chain, 1, self.endpoint, req, res, path_of(req)) end
  return self.endpoint(req, res)
end

local function new_endpoint(self)
  return function(req, res)
    local path = path_of(req)
    local route, params = self.router:find(req.method, path)
    local first, second
    if route then
      local mounted = req.mounted
      req.route = mounted and mounted .. route.path or route.path
      if params then request.set_params(req, params) end
      first, second = route.handler(req, res)
    else
      first, second = answer_missing(self, req, res, path)
    end
    if first == 404 and second == nil then return answer_not_found(self, req, res) end
    return first, second
  end
end

local function serve(self, req, res)
  local first, second = handle(self, req, res)
  respond.finish(req, res, first, second)
end

---Answers one request of an app, in development as otherwise.
---@return string? route
---@return integer status
function M.answer(self, exchange)
  local req = request.new(exchange, self)
  local res = response.new(exchange, req)
  local ok, raised = xpcall(serve, failure.catch, self, req, res)
  if not ok then failure.answer(self, req, res, raised) end
  return rawget(req, "route"), res.status
end

---Answers one request; never raises.
---@param exchange table
---@return string? route the path of the route that answered, as it was written
---@return integer status
function App:dispatch(exchange)
  check_app(self, "dispatch")
  if self.dev then return require "weft.app.dev".dispatch(M, self, exchange) end
  return M.answer(self, exchange)
end

---Answers what is raised with what fn(err, req, res) returns; nothing: as without it. res.status is the status that
---it would have.
---@param fn fun(err: any, req: weft.Request, res: weft.Response): any, any
function App:on_error(fn)
  check_app(self, "on_error")
  check_function(fn, "on_error")
  self.error_handler = fn
end

---Answers requests without a route, and those whose handler returns 404 alone, with what fn(req, res) returns.
---@param fn fun(req: weft.Request, res: weft.Response): any, any
function App:not_found(fn)
  check_app(self, "not_found")
  check_function(fn, "not_found")
  self.not_found_handler = fn
end

-- ---- its life ----

---Calls fn() before the first request of a worker. What it raises keeps the worker from starting.
---@param fn fun()
function App:on_start(fn)
  check_app(self, "on_start")
  check_function(fn, "on_start")
  table.insert(self.starting, fn)
end

---Calls fn() after the last request of a worker.
---@param fn fun()
function App:on_stop(fn)
  check_app(self, "on_stop")
  check_function(fn, "on_stop")
  table.insert(self.stopping, fn)
end

---Runs what on_start was given, in order.
function App:start()
  check_app(self, "start")
  for _, fn in ipairs(self.starting) do fn() end
end

---Runs what on_stop was given, the last one first, all of them; then raises what the first failure raised.
function App:stop()
  check_app(self, "stop")
  local ok, err = true, nil
  for i = #self.stopping, 1, -1 do
    local fine, why = pcall(self.stopping[i])
    if ok and not fine then ok, err = fine, why end
  end
  if not ok then error(err, 0) end
end

---Answers a request in this process, as a client would see it: what specs are written with.
---@param given weft.TestRequest|string a path, or a table
---@return weft.TestResponse
function App:test(given)
  check_app(self, "test")
  return require "weft.app.test".request(self, given)
end

---An app without routes.
---@param options? { views?: string, dev?: boolean } views: the folder of templates ("views")
---@return weft.App
function M.app(options)
  options = options or {}
  if type(options) ~= "table" then errors.usage("app takes a table, as { views = \"views\" }, got %s", type(options)) end
  errors.check_names(options, { "views", "dev" }, "option of app")
  if options.views ~= nil and type(options.views) ~= "string" then
    errors.usage("app: views is a folder, not a %s", type(options.views))
  end
  local self = setmetatable({ router = router.new(), chain = {}, starting = {}, stopping = {}, holds = {} }, App)
  self.views, self.dev = options.views or "views", options.dev == true
  self.endpoint = new_endpoint(self)
  return self
end

---What a route's handler was given as: a function, or the app that is mounted there.
---@param handler function
---@return function|weft.App
function M.origin(handler)
  while origins[handler] do handler = origins[handler] end
  return handler
end

M.is_app = is_app
M.methods = App
M.group_methods = Group

return M
