-- SPDX-License-Identifier: MIT
-- Which route answers: precedence, parameters, wildcards, methods; random routes against a matcher that tries all.

local weft = require "weft"
local router = require "weft.app.router"

local function routes(list)
  local r = router.new()
  for _, path in ipairs(list) do
    local method, rest = path:match "^(%u+) (.*)$"
    r:add(method or "GET", rest or path, function() return path end)
  end
  return r
end

local function found(r, path, method)
  local route, params = r:find(method or "GET", path)
  return route and route.path, params
end

describe("a router", function()
  it("prefers text to a parameter and that to a wildcard, and goes back where a choice leads nowhere", function()
    local r = routes { "/users/me", "/users/:id", "/users/:user/posts", "/users/me/posts/new", "/*all", "/users/*rest", "/" }
    for path, want in pairs {
      ["/users/me"] = "/users/me", ["/users/7"] = "/users/:id", ["/users/me/posts"] = "/users/:user/posts",
      ["/users/me/posts/new"] = "/users/me/posts/new", ["/users/me/posts/old"] = "/users/*rest", ["/x"] = "/*all", ["/"] = "/",
      ["/users"] = "/*all", ["/users/"] = "/users/*rest",
    } do
      assert.equal(want, found(r, path), path)
    end
    assert.same({ user = "me" }, select(2, found(r, "/users/me/posts")))
    assert.same({ rest = "me/posts/old" }, select(2, found(r, "/users/me/posts/old")))
    assert.same({ rest = "" }, select(2, found(r, "/users/")))
    assert.is_nil(select(2, found(r, "/users/me")))
  end)

  it("goes back for a method, too", function()
    local r = routes { "GET /users/me", "POST /users/:id", "ALL /x/*", "GET /x/y" }
    assert.equal("/users/:id", found(r, "/users/me", "POST"))
    assert.equal("/x/*", found(r, "/x/y", "PUT"))
    assert.equal("/x/y", found(r, "/x/y", "HEAD"))
    assert.same({ "GET", "HEAD", "OPTIONS", "POST" }, r:allowed "/users/me")
    assert.same({ "OPTIONS", "POST" }, r:allowed "/users/7")
    assert.same({}, r:allowed "/none")
    assert.same({ "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT" }, r:allowed "/x/z")
  end)

  it("gives parameters no empty segment, and takes no path for another", function()
    local r = routes { "/a/:id", "/a/:id/b", "/c" }
    for _, path in ipairs { "/a/", "/a//b", "//a/1", "/a/1/", "/A/1", "a/1", "", "/c/", "/c//", "*", "/a" } do
      assert.is_nil(found(r, path), path)
    end
  end)

  it("is not slow for what it does not find", function()
    local list = {}
    for depth = 1, 12 do
      for bits = 0, 2 do list[#list + 1] = ("/a"):rep(depth) .. ("/:p"):rep(1) .. ("/b"):rep(bits) end
    end
    local r = routes(list)
    for _ = 1, 200 do assert.is_nil(found(r, ("/a"):rep(2000))) end
  end)
end)

---All routes in turn, the best one by the rule at the first segment where two differ.
local function naive(patterns, path)
  local function rank(segment) return segment:sub(1, 1) == "*" and 3 or segment:sub(1, 1) == ":" and 2 or 1 end
  local function split(text)
    local list = {}
    for segment in text:sub(2):gmatch "[^/]*" do list[#list + 1] = segment end
    return list
  end
  local function match(pattern)
    local want, have, params = split(pattern), split(path), {}
    for i, segment in ipairs(want) do
      if rank(segment) == 3 then
        if not have[i] then return nil end
        params[#segment > 1 and segment:sub(2) or "*"] = table.concat(have, "/", i)
        return params
      end
      if not have[i] or rank(segment) == 2 and have[i] == "" or rank(segment) == 1 and segment ~= have[i] then return nil end
      if rank(segment) == 2 then params[segment:sub(2)] = have[i] end
    end
    return #want == #have and params or nil
  end
  local best, best_params
  for _, pattern in ipairs(patterns) do
    local params = match(pattern)
    if params then
      local better = best == nil
      local a, b = split(pattern), split(best or "")
      for i = 1, math.min(#a, #b) do
        if better or rank(a[i]) ~= rank(b[i]) then
          better = better or rank(a[i]) < rank(b[i])
          break
        end
      end
      if better then best, best_params = pattern, params end
    end
  end
  return best, best_params
end

it("random routes are found as by trying all", function()
  math.randomseed(5)
  local words = { "a", "b", "", "ab", ":x", ":x", "*" }
  local compared = 0
  for _ = 1, 300 do
    local patterns, r = {}, router.new()
    for _ = 1, math.random(1, 12) do
      local out, names = {}, 0
      for i = 1, math.random(1, 4) do
        local word = words[math.random(#words)]
        if word == ":x" then
          names = names + 1
          word = ":x" .. names
        end
        out[i] = word
        if word == "*" then break end
      end
      local pattern = "/" .. table.concat(out, "/")
      if pcall(r.add, r, "GET", pattern, print) then patterns[#patterns + 1] = pattern end
    end
    for _ = 1, 60 do
      local out = {}
      for i = 1, math.random(1, 5) do out[i] = ({ "a", "b", "", "ab", "c" })[math.random(5)] end
      local path = "/" .. table.concat(out, "/")
      local want, params = naive(patterns, path)
      local got, got_params = found(r, path)
      assert.equal(want, got, path .. " among " .. table.concat(patterns, " "))
      if want then assert.same(params, got_params or {}, path) end
      compared = compared + 1
    end
  end
  assert.is_true(compared > 10000)
end)

describe("an app", function()
  local app
  before_each(function() app = weft.app() end)
  local function ok() return "ok" end

  it("answers HEAD by GET and OPTIONS by itself", function()
    app:get("/a", ok)
    app:post("/a", ok)
    local got = app:test { method = "HEAD", path = "/a" }
    assert.same({ 200, "" }, { got.status, got.body })
    got = app:test { method = "OPTIONS", path = "/a" }
    assert.same({ 204, "GET, HEAD, OPTIONS, POST" }, { got.status, got.headers.allow })
    assert.equal(404, app:test({ method = "OPTIONS", path = "/none" }).status)
    app:options("/a", function() return "own" end)
    assert.equal("own", app:test({ method = "OPTIONS", path = "/a" }).body)
  end)

  it("answers 405 with what is allowed, and 404", function()
    app:get("/a/:id", ok)
    local got = app:test { method = "DELETE", path = "/a/1" }
    assert.same({ 405, "GET, HEAD, OPTIONS", "method_not_allowed" }, { got.status, got.headers.allow, got.json.error.kind })
    assert.equal(404, app:test("/b").status)
    assert.equal(405, app:test({ method = "BREW", path = "/a/1" }).status)
  end)

  it("has all verbs", function()
    for _, verb in ipairs { "get", "post", "put", "patch", "delete", "options" } do
      app[verb](app, "/", function(req) return verb .. req.method end)
      assert.equal(verb .. verb:upper(), app:test({ method = verb, path = "/" }).body)
    end
    app:head("/h", function(_, res) res.headers["X-H"] = "1" return 200 end)
    assert.equal("1", app:test({ method = "HEAD", path = "/h" }).headers["x-h"])
    assert.equal(405, app:test("/h").status)
    app:all("/all", function(req) return req.method end)
    assert.equal("BREW", app:test({ method = "BREW", path = "/all" }).body)
    app:route("BREW", "/pot", function() return 418 end)
    assert.equal(418, app:test({ method = "BREW", path = "/pot" }).status)
  end)

  it("redirects where only the last slash is wrong, and never to another site", function()
    app:get("/a", ok)
    app:get("/b/", ok)
    app:post("/a", ok)
    app:get("//evil.com/x/", ok)
    app:get("/ü/:id", ok)
    local function location(path, method)
      local got = app:test { path = path, method = method }
      assert.equal(308, got.status, path)
      return got.headers.location
    end
    assert.equal("/a?x=1&y=%20", location "/a/?x=1&y=%20")
    assert.equal("/b/", location "/b")
    assert.equal("/a", location("/a/", "POST"))
    assert.equal("/evil.com/x/", location "//evil.com/x")
    assert.equal("/%C3%BC/a%2Fb%25", location "/ü/a%2Fb%25/")
    assert.equal(404, app:test("/a//").status)
  end)

  it("decodes parameters once", function()
    app:get("/p/:id/*rest", function(req) return { req.params.id, req.params.rest } end)
    assert.same({ "a b", "c/d" }, app:test("/p/a%20b/c/d").json)
    assert.same({ "a/b", "c/d" }, app:test("/p/a%2Fb/c%2fd").json)
    assert.same({ "ü", "" }, app:test("/p/%C3%BC/").json)
    assert.same({ "a%2Fb", "" }, app:test("/p/a%252Fb/").json)
  end)

  it("says which route it was", function()
    app:get("/p/:id", function(req) return req.route end)
    assert.equal("/p/:id", app:test("/p/1").body)
    assert.equal("/p/:id", app:dispatch(require "spec.support.exchange" { path = "/p/1" }))
    assert.is_nil(app:dispatch(require "spec.support.exchange" { path = "/none" }))
  end)
end)
