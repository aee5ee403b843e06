-- SPDX-License-Identifier: MIT
-- weft.app: what handlers return, middleware, groups, mounted apps. Requests are made in this process.

local weft = require "weft"
local backends = require "spec.support.backends"
local exchange = require "spec.support.exchange"
local raises = require "spec.support.raises"

local app

before_each(function() app = weft.app() end)

---Answers GET / with what fn returns.
local function answer(fn, given)
  app:get("/", fn)
  return app:test(given or "/")
end

describe("a handler's result", function()
  local db, name = backends["sqlite memory"].open [[create table products (id integer primary key, price numeric(10,2),
    note text);
    insert into products values (1, 2.5, null), (2, 3, '<b>')]]
  local Product = weft.models(name).Product

  it("that is a table is JSON", function()
    local got = answer(function() return { b = weft.decimal "1.10", a = weft.array {}, c = weft.null } end)
    assert.same({ 200, '{"a":[],"b":1.10,"c":null}', "application/json" }, { got.status, got.body, got.headers["content-type"] })
  end)

  it("that is a row, a list of rows or a query is the same JSON", function()
    local all = '[{"id":1,"price":2.50,"note":null},{"id":2,"price":3.00,"note":"<b>"}]'
    app:get("/row", function() return Product:find(1) end)
    app:get("/rows", function() return Product:order("id"):all() end)
    app:get("/query", function() return Product:order "id" end)
    app:get("/model", function() return Product end)
    app:get("/status", function() return 201, Product:where { id = 1 } end)
    assert.equal('{"id":1,"price":2.50,"note":null}', app:test("/row").body)
    for _, path in ipairs { "/rows", "/query", "/model" } do
      local got = app:test(path)
      assert.same({ 200, all, "application/json" }, { got.status, got.body, got.headers["content-type"] }, path)
    end
    local got = app:test "/status"
    assert.same({ 201, '[{"id":1,"price":2.50,"note":null}]' }, { got.status, got.body })
  end)

  it("that is text is text/plain", function()
    local got = answer(function() return "<b>" end)
    assert.same({ 200, "<b>", "text/plain; charset=utf-8" }, { got.status, got.body, got.headers["content-type"] })
  end)

  it("that is a status answers alone or with a body", function()
    for path, fn in pairs {
      ["/202"] = function() return 202 end, ["/204"] = function() return 204, "nothing of this is sent" end,
      ["/404"] = function() return 404 end, ["/422"] = function() return 422, { a = 1 } end,
    } do
      app:get(path, fn)
    end
    assert.same({ 202, "" }, { app:test("/202").status, app:test("/202").body })
    assert.same({ 204, "" }, { app:test("/204").status, app:test("/204").body })
    assert.same({ 404, { error = { kind = "not_found", message = "Not Found", request_id = "test" } } },
      { app:test("/404").status, app:test("/404").json })
    assert.same({ 422, '{"a":1}' }, { app:test("/422").status, app:test("/422").body })
  end)

  it("that is nothing is 204, or the status that was set", function()
    app:post("/", function(_, res) res.status = 201 end)
    assert.equal(204, answer(function() end).status)
    assert.equal(201, app:test({ method = "POST" }).status)
  end)

  it("of another type is a mistake: 500, and the log says what it was", function()
    local said = {}
    local off = weft.on("error", function(info) said[#said + 1] = info.message end)
    finally(off)
    for i, value in ipairs { false, true, print, coroutine.create(print), 99, 600, 1.5, 0 / 0, { print } } do
      app:get("/" .. i, function() return value end)
      assert.equal(500, app:test("/" .. i).status, tostring(value))
      assert.equal(i, #said)
      assert.truthy(said[i]:find "handler returned" or said[i]:find "a handler returns" or said[i]:find "no JSON form", said[i])
    end
    db:ping()
  end)
end)

describe("middleware", function()
  local function trail()
    local list = {}
    return list, function(word)
      return function(_, _, next)
        list[#list + 1] = word
        return next()
      end
    end
  end

  it("runs in the order of use, around handlers, also where there is no route", function()
    local list, mark = trail()
    app:get("/", function() list[#list + 1] = "handler" end)
    app:use(mark "a")
    app:use(mark "b")
    app:test "/"
    assert.same({ "a", "b", "handler" }, list)
    assert.equal(404, app:test("/none").status)
    assert.same({ "a", "b", "handler", "a", "b" }, list)
  end)

  it("of a path runs for it and below, not beside it", function()
    local list, mark = trail()
    app:use("/admin/", mark "x")
    for _, path in ipairs { "/admin", "/admin/", "/admin/a/b", "/administrator", "/", "/a/admin" } do app:test(path) end
    assert.equal(3, #list)
  end)

  it("gets what the handler returned, and replaces it", function()
    local seen
    app:use(function(_, _, next)
      local first, second = next()
      seen = { first, second }
      return 203, { changed = true }
    end)
    local got = answer(function() return 201, "text" end)
    assert.same({ 201, "text" }, seen)
    assert.same({ 203, '{"changed":true}' }, { got.status, got.body })
  end)

  it("that returns nothing behind next leaves the answer as it is", function()
    app:use(function(_, res, next)
      next()
      res.headers["X-After"] = "1"
    end)
    local got = answer(function() return "text" end)
    assert.same({ "text", "1" }, { got.body, got.headers["x-after"] })
  end)

  it("answers itself when it does not go on", function()
    app:use(function() return 401 end)
    assert.equal(401, answer(function() error "never" end).status)
  end)

  it("goes on at most once", function()
    local err
    app:use(function(_, _, next)
      next()
      err = select(2, pcall(next))
      return "fine"
    end)
    local calls = 0
    assert.equal("fine", answer(function() calls = calls + 1 end).body)
    assert.same({ 1, "usage" }, { calls, err.kind })
  end)

  it("may catch what a handler raises", function()
    app:use(function(_, _, next)
      local ok = pcall(next)
      return ok and 200 or 418
    end)
    assert.equal(418, answer(function() error "x" end).status)
  end)

  it("hands fields of a request on", function()
    app:use(function(req, _, next)
      req.user = { name = "ann" }
      return next()
    end)
    assert.equal("ann", answer(function(req) return req.user.name end).body)
  end)
end)

describe("a group", function()
  it("prefixes its routes and wraps them alone", function()
    local list = {}
    app:group("/api/:version", function(api)
      api:use(function(req, _, next)
        list[#list + 1] = req.params.version
        return next()
      end)
      api:get("/", function() return "root" end)
      api:group("/users", function(users)
        users:use(function(_, _, next) list[#list + 1] = "users" return next() end)
        users:get("/:id", function(req) return req.params.version .. req.params.id .. req.route end)
      end)
    end)
    app:get("/other", function() return "other" end)
    assert.equal("root", app:test("/api/v1").body)
    assert.equal("v27/api/:version/users/:id", app:test("/api/v2/users/7").body)
    assert.equal("other", app:test("/other").body)
    assert.same({ "v1", "v2", "users" }, list)
  end)
end)

describe("a mounted app", function()
  local function mounted()
    local admin = weft.app()
    admin:get("/", function() return "home" end)
    admin:get("/users/:id", function(req) return req.params.id .. req.path end)
    admin:use(function(_, res, next) res.headers["X-Admin"] = "1" return next() end)
    app:mount("/admin", admin)
    return admin
  end

  it("answers below its prefix with its own routes and middleware", function()
    mounted()
    app:get("/", function() return "outside" end)
    assert.equal("home", app:test("/admin").body)
    assert.equal("home", app:test("/admin/").body)
    local got = app:test "/admin/users/7"
    assert.same({ "7/admin/users/7", "1" }, { got.body, got.headers["x-admin"] })
    assert.same({ "outside" }, { app:test("/").body, app:test("/").headers["x-admin"] })
    assert.equal(404, app:test("/admin/none").status)
    assert.equal(404, app:test("/administrator").status)
    assert.equal("GET, HEAD, OPTIONS", app:test({ method = "DELETE", path = "/admin/users/1" }).headers.allow)
    assert.equal("/admin/users/7?a=1", app:test("/admin/users/7/?a=1").headers.location)
  end)

  it("may hold another, and groups with middleware of a path", function()
    local inner, list = weft.app(), {}
    inner:group("/g", function(g)
      g:use("/x", function(_, _, next) list[#list + 1] = "x" return next() end)
      g:get("/x/:id", function(req) return req.params.id .. req.route end)
      g:get("/y", function(req) return req.route end)
    end)
    inner:get("/", function(req, res) return res:redirect(req.path) end)
    mounted():mount("/inner", inner)
    assert.equal("7/admin/inner/g/x/:id", app:test("/admin/inner/g/x/7").body)
    assert.equal("/admin/inner/g/y", app:test("/admin/inner/g/y").body)
    assert.equal("/admin/inner", app:test("/admin/inner").headers.location)
    assert.equal("home", app:test("/admin").body)
    assert.same({ "x" }, list)
  end)

  it("has its own pages for what is not there and what is raised", function()
    local admin = mounted()
    admin:not_found(function() return "admin: nothing" end)
    admin:on_error(function(_, _, res) return "admin: " .. res.status end)
    admin:get("/fails", function() error "x" end)
    app:not_found(function() return "nothing" end)
    local got = app:test "/admin/none"
    assert.same({ 404, "admin: nothing" }, { got.status, got.body })
    assert.equal("nothing", app:test("/none").body)
    got = app:test "/admin/fails"
    assert.same({ 500, "admin: 500" }, { got.status, got.body })
  end)
end)

describe("start and stop", function()
  it("run those of mounted apps, once", function()
    local inner, list = weft.app(), {}
    inner:on_start(function() list[#list + 1] = "start" end)
    inner:on_stop(function() list[#list + 1] = "stop" end)
    app:mount("/a", inner)
    app:mount("/b", inner)
    app:start()
    app:stop()
    assert.same({ "start", "stop" }, list)
  end)

  it("run their hooks in order and back, all of them", function()
    local list = {}
    for i = 1, 2 do
      app:on_start(function() list[#list + 1] = i end)
      app:on_stop(function()
        list[#list + 1] = -i
        error("stop " .. i, 0)
      end)
    end
    app:start()
    assert.same({ false, "stop 2" }, { pcall(app.stop, app) })
    assert.same({ 1, 2, -2, -1 }, list)
  end)
end)

describe("misuse", function()
  it("raises usage where it stands", function()
    local function nothing() end
    app:get("/a/:id", nothing)
    local err = raises("usage", function() app:get("a", nothing) end, "begins with '/'", "app_spec.lua:")
    assert.truthy(err.message:find("^[^\n]*app_spec%.lua:%d+: "))
    raises("usage", function() app:get("/x", nil) end, "takes a function, got nothing")
    raises("usage", function() app:get("/x", "text") end, "got string")
    raises("usage", function() app:get(7, nothing) end, "a number")
    raises("usage", function() app.get("/x", nothing) end, "app:get")
    raises("usage", function() app:get("/a/:id", nothing) end, "already")
    raises("usage", function() app:get("/a/:name", nothing) end, "as '/a/:id'")
    raises("usage", function() app:get("/b/:id/:id", nothing) end, "twice")
    raises("usage", function() app:get("/b/:", nothing) end, "no parameter")
    raises("usage", function() app:get("/b/:id.json", nothing) end, "whole segment")
    raises("usage", function() app:get("/b/*/c", nothing) end, "must end")
    raises("usage", function() app:get("/b/x*", nothing) end, "no wildcard")
    raises("usage", function() app:get("/b?c", nothing) end, "'?'")
    raises("usage", function() app:route("get", "/b", nothing) end, "as 'GET'")
    raises("usage", function() app:route(7, "/b", nothing) end)
    raises("usage", function() app:use() end, "use takes a function")
    raises("usage", function() app:use("/x/:id", nothing) end, "without parameters")
    raises("usage", function() app:group("x", nothing) end, "prefix of a group")
    raises("usage", function() app:group "/x" end, "group takes a function")
    raises("usage", function() app:mount("/x", {}) end, "another app")
    raises("usage", function() app:mount("/x", app) end, "itself")
    raises("usage", function() app:mount("/:x", weft.app()) end, "no parameters")
    raises("usage", function() app:on_error() end)
    raises("usage", function() app:not_found "x" end)
    raises("usage", function() app:test { methodd = "GET" } end, "did you mean 'method'?")
    raises("usage", function() weft.app { view = "x" } end, "did you mean 'views'?")
    raises("usage", function() weft.app "x" end)
  end)
end)

describe("a request of a spec", function()
  it("has what was given, as a client would send it", function()
    app:all("/*path", function(req)
      return { req.method, req.params.path, req.query, req.cookies, req:header "x-a", req.body }
    end)
    assert.same({ "PUT", "a b", { q = { "1", "2" } }, { c = "d" }, "7", "text" }, app:test({ method = "put", path = "/a%20b",
      query = { q = { 1, 2 } }, cookies = { c = "d" }, headers = { ["X-A"] = 7 }, body = "text" }).json)
  end)

  it("may be a form with files", function()
    app:post("/", function(req) return req:form() end)
    assert.same({ a = "1", b = { "x", "y" } }, app:test({ method = "POST", form = { a = 1, b = { "x", "y" } } }).json)
    local file = { name = 'a"b.txt', type = "text/plain", data = "1\r\n2" }
    assert.same({ a = "1", b = { "x", "y" }, f = file, g = { file, file } },
      app:test({ method = "POST", form = { a = 1, b = { "x", "y" }, f = file, g = { file, file } } }).json)
  end)
end)

describe("an exchange", function()
  it("is answered once, whatever happens", function()
    app:get("/", function() return "a" end)
    local x = exchange { path = "/" }
    assert.equal("/", app:dispatch(x))
    assert.same({ 200, { "a" }, true }, { x.status, x.chunks, x.ended })
  end)
end)
