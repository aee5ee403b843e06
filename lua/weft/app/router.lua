-- SPDX-License-Identifier: MIT
-- Which route answers a path. A tree with a level for each segment; at each level a segment's own text is preferred
-- to a parameter and that to a wildcard, and a choice that leads nowhere is taken back. Every node is visited at most
-- once, whatever the path is. Paths without parameters are found by one look-up, which gives the same answer.

local core = require "weft.core"
local errors = require "weft.errors"

---@class weft.Route
---@field method string as "GET", or "ALL"
---@field path string as it was written: "/products/:id"
---@field handler function
---@field names string[] of its parameters in order

---@class weft.RouteNode
---@field children table<string, weft.RouteNode> by the text of a segment
---@field parameter? weft.RouteNode
---@field rest? table<string, weft.Route> routes of a wildcard, by method
---@field routes table<string, weft.Route> by method

---@class weft.Router
---@field list weft.Route[] in the order of their definition
---@field static table<string, table<string, weft.Route>> routes without parameters, by path and method
local Router = {}
Router.__index = Router

local M = {}

M.methods = { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS" }

local function new_node() return { children = {}, routes = {} } end

---@return weft.Router
function M.new() return setmetatable({ root = new_node(), list = {}, static = {} }, Router) end

---Where the segment that begins at `from` ends, and where the next one begins (nil: it is the last).
local function segment_end(path, from)
  local slash = path:find("/", from, true)
  if slash then return slash - 1, slash + 1 end
  return #path, nil
end

---Of a route of this method, or what stands in for one.
local function pick(routes, method)
  return routes[method] or method == "HEAD" and routes.GET or routes.ALL
end

-- ---- adding ----

---Raises usage for a path that is none.
---@param path any
---@param what string "path of a route"
function M.check_path(path, what)
  if type(path) ~= "string" then errors.usage("the %s is a text, not a %s", what, type(path)) end
  if path:sub(1, 1) ~= "/" then errors.usage("the %s begins with '/': '%s'", what, path) end
  if path:find "[?#%c]" then errors.usage("the %s holds neither '?', '#' nor control characters: '%s'", what, path) end
end

local function parameter_name(path, segment, names)
  local name = segment:match "^:([%a_][%w_]*)$"
  if not name then errors.usage("'%s' in '%s' is no parameter; it is a whole segment, as ':id'", segment, path) end
  for _, other in ipairs(names) do
    if other == name then errors.usage("'%s' names the parameter '%s' twice", path, name) end
  end
  return name
end

local function wildcard_name(path, segment, is_last)
  local name = segment:match "^%*([%w_]*)$"
  if not name then errors.usage("'%s' in '%s' is no wildcard; it is a whole segment, as '*' or '*rest'", segment, path) end
  if not is_last then errors.usage("the wildcard '%s' must end '%s'", segment, path) end
  return name == "" and "*" or name
end

---The place of `path` in the tree: the routes of its end; the names of its parameters are added to `names`.
local function place(self, path, names)
  local node, from = self.root, 2
  while from do
    local last, next_from = segment_end(path, from)
    local segment = path:sub(from, last)
    if segment:find("*", 1, true) then
      names[#names + 1] = wildcard_name(path, segment, not next_from)
      node.rest = node.rest or {}
      return node.rest
    elseif segment:find(":", 1, true) then
      names[#names + 1] = parameter_name(path, segment, names)
      node.parameter = node.parameter or new_node()
      node = node.parameter
    else
      node.children[segment] = node.children[segment] or new_node()
      node = node.children[segment]
    end
    from = next_from
  end
  return node.routes
end

---@param method any
local function check_method(method)
  if type(method) ~= "string" then errors.usage("a method is a text, not a %s", type(method)) end
  if method == "ALL" or method:find "^%u[%u_-]*$" then return end
  local upper = method:upper()
  local near = core.nearest(upper, M.methods)
  errors.usage("'%s' is no method; methods are in capitals%s", method, near and (", as '%s'"):format(near) or "")
end

---Raises usage for a bad path, and for one that has a route of this method.
---@param method string or "ALL"
---@param path string
---@param handler function
---@return weft.Route
function Router:add(method, path, handler)
  check_method(method)
  M.check_path(path, "path of a route")
  local route = { method = method, path = path, handler = handler, names = {} }
  local routes = place(self, path, route.names)
  local other = routes[method]
  if other then
    local same = other.path == path and "" or (", as '%s'"):format(other.path)
    errors.usage("there is a route of %s %s already%s", method, path, same)
  end
  routes[method] = route
  if #route.names == 0 then self.static[path] = routes end
  self.list[#self.list + 1] = route
  return route
end

-- ---- finding ----

---The first route for the method from here on; what its parameters matched is left in `values`.
local function walk(node, path, from, method, values, n)
  if not from then return pick(node.routes, method) end
  local last, next_from = segment_end(path, from)
  local segment = path:sub(from, last)
  local child = node.children[segment]
  local route = child and walk(child, path, next_from, method, values, n)
  if route then return route end
  if node.parameter and segment ~= "" then
    values[n + 1] = segment
    route = walk(node.parameter, path, next_from, method, values, n + 1)
    if route then return route end
  end
  route = node.rest and pick(node.rest, method)
  if route then values[n + 1] = path:sub(from) end
  return route
end

local function named(route, values)
  local params = {}
  for i, name in ipairs(route.names) do params[name] = values[i] end
  return params
end

---The route that answers, with the values of its parameters (nil: it has none).
---@param method string
---@param path string decoded
---@return weft.Route? route
---@return table<string, string>? params
function Router:find(method, path)
  local routes = self.static[path]
  local route = routes and pick(routes, method)
  if route then return route end
  if path:sub(1, 1) ~= "/" then return nil end
  local values = {}
  route = walk(self.root, path, 2, method, values, 0)
  if not route then return nil end
  return route, #route.names > 0 and named(route, values) or nil
end

---The methods that are answered for the path, in alphabetical order; empty when there is no route at all.
---@param path string
---@return string[]
function Router:allowed(path)
  local methods, list = {}, {}
  for _, method in ipairs(M.methods) do methods[method] = true end
  for _, route in ipairs(self.list) do methods[route.method] = true end
  methods.ALL, methods.OPTIONS = nil, nil
  for method in pairs(methods) do
    if self:find(method, path) then list[#list + 1] = method end
  end
  if #list > 0 or self:find("OPTIONS", path) then list[#list + 1] = "OPTIONS" end -- which the app answers by itself
  table.sort(list)
  return list
end

---The path with its last slash added or taken away, when that one has a route.
---@param method string
---@param path string
---@return string? other
function Router:slashed(method, path)
  if path == "/" or path:sub(1, 1) ~= "/" then return nil end
  local other = path:sub(-1) == "/" and path:sub(1, -2) or path .. "/"
  return self:find(method, other) and other or nil
end

return M
