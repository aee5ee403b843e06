-- SPDX-License-Identifier: MIT
-- What a raised error becomes: its status and what is told, to the client, to the log, and in development.

local weft = require "weft"
local backends = require "spec.support.backends"
local core = require "weft.core"
local exchange = require "spec.support.exchange"
local shell = require "spec.support.shell"

local app, said, off

before_each(function()
  app, said = weft.app(), {}
  off = weft.on("error", function(info) said[#said + 1] = info end)
end)
after_each(function() off() end)

local function answer(fn, given)
  app:all("/", fn)
  return app:test(given or "/")
end

local function again() app = weft.app { dev = app.dev } end

describe("an error of the program", function()
  it("is 500 and gives nothing away, whatever was raised", function()
    local odd = setmetatable({}, { __tostring = function() error "secret" end })
    local looks_so = { kind = "not_found", message = "secret" }
    local count = 0
    for _, fn in ipairs {
      function() error "secret" end, function() error() end, function() error { secret = 1 } end, function() error(odd) end,
        function() error(looks_so) end,
      function() error(42) end, function() error(false) end, function() local secret = nil; return secret.x end,
        function() error "secret\xff" end,
      function() weft.fail("internal", "secret") end, function() weft.fail("usage", "secret") end,
        function() weft.fail("syntax", "secret") end,
      function() error(print) end,
      function() local function f() return f() + 1 end return f() end, function() return ("x"):rep(1 << 62) end,
      function() return { secret = print } end, function() return { 1, a = 2 } end, function() return "\xff", error "secret" end,
    } do
      local got = answer(fn)
      count = count + 1
      assert.equal(500, got.status)
      assert.same({ kind = "internal", message = "Internal Server Error", request_id = "test" }, got.json.error)
      again()
    end
    assert.equal(count, #said)
  end)

  it("of an endless recursion is told by its innermost lines, at once", function()
    local function f() return 1 + f() end
    local began = os.clock()
    pcall(f)
    local plain = os.clock() - began
    began = os.clock()
    answer(function() return f() end)
    assert(os.clock() - began < 5 * plain + 0.2, "a traceback takes longer than the recursion")
    local _, lines = said[1].traceback:gsub("app_error_spec.lua:%d+:", "")
    assert(lines > 10 and lines < 30, said[1].traceback)
  end)

  it("that is a plain table is told by its fields", function()
    answer(function() error { code = 7 } end)
    assert.equal('{"code":7}', said[1].message)
  end)

  it("is told to the log with request, route, message and traceback", function()
    app:get("/a/:id", function() error "here" end)
    app:test { path = "/a/private", id = "r-1" }
    assert.equal(1, #said)
    local info = said[1]
    assert.same({ "r-1", "GET", "/a/:id", 500 }, { info.request_id, info.method, info.route, info.status })
    assert.truthy(info.message:find "app_error_spec.lua:%d+: here$")
    assert.truthy(info.traceback:find("app_error_spec.lua", 1, true))
    assert.is_nil(info.error)
    for _, value in pairs(info) do assert.falsy(tostring(value):find("private", 1, true)) end
    local lines = {}
    finally(weft.log { level = "error", sink = function(line) lines[#lines + 1] = weft.decode(line) end })
    app:get("/b", function() weft.fail("connect", "no server") end)
    app:test "/b"
    assert.equal(1, #lines)
    assert.same({ "error", "connect", "test", "/b", 503, "GET" }, { lines[1].event, lines[1].kind, lines[1].request,
      lines[1].route, lines[1].status, lines[1].method })
    assert.truthy(lines[1].traceback)
  end)
end)

describe("a kind of error", function()
  it("has a status", function()
    local want = {
      type = 400, validation = 400, not_null = 400, check = 400, auth = 401, not_found = 404, stale = 409, unique = 409,
        foreign_key = 409,
      condition_failed = 409, throttled = 429, pool_timeout = 503, connect = 503, disconnect = 503, lock_timeout = 503,
        deadlock = 503, serialization = 503,
      timeout = 504, cancelled = 503, usage = 500, many = 500, syntax = 500, unsupported = 500, closed = 500, internal = 500,
    }
    for _, kind in ipairs(core.kinds) do
      again()
      said = {}
      local got = answer(function() weft.fail(kind, "own words") end)
      assert.equal(want[kind], got.status, kind)
      local words = got.status < 500 and "own words" or got.json.error.message
      assert.same({ got.status == 500 and "internal" or kind, words }, { got.json.error.kind, got.json.error.message }, kind)
      assert.falsy(got.status >= 500 and got.body:find("own words", 1, true))
      assert.equal((got.status == 503 or got.status == 429) and "1" or nil, got.headers["retry-after"], kind)
      assert.equal(got.status >= 500 and kind ~= "cancelled" and 1 or 0, #said, kind)
    end
  end)

  it("may be given another", function()
    local got = answer(function() weft.fail("auth", "not yours", { status = 403 }) end)
    assert.same({ 403, "auth", "not yours" }, { got.status, got.json.error.kind, got.json.error.message })
    for _, status in ipairs { 200, 99, 1000, "404", 403.5 } do
      again()
      assert.equal(404, answer(function() weft.fail("not_found", "x", { status = status }) end).status)
    end
    again()
    assert.equal("30", answer(function() weft.fail("throttled", "x", { retry_after = 30 }) end).headers["retry-after"])
  end)
end)

describe("an error of a database", function()
  local db, name = backends["sqlite memory"].open [[create table products (id integer primary key,
    title text not null unique, price numeric(10,2) check (price > 0));
    insert into products values (1, 'lamp', 1)]]
  local Product = weft.models(name).Product

  it("is the client's when what it sent is wrong, in words that name nothing", function()
    app:post("/", function(req) return 201, Product:create(req:json()) end)
    app:get("/:id", function(req) return Product:get(req.params.id) end)
    local function post(json) return app:test { method = "POST", json = json } end
    assert.equal(201, post({ title = "chair", price = weft.decimal "2.50" }).status)
    for _, case in ipairs {
      { 409, "unique", { title = "lamp" }, column = "title" }, { 400, "type", { title = "x", price = "secret" },
        column = "price" },
      { 400, "not_null", {  price = 1 } }, { 400, "check", { title = "y", price = -1 } }, { 400, "type", { title = "z",
        colour = 1 } },
    } do
      local got = post(case[3])
      assert.same({ case[1], case[2], case.column }, { got.status, got.json.error.kind, got.json.error.column }, got.body)
      for _, secret in ipairs { "products", "sqlite", "SQL", name, "secret", "constraint",
        "lamp" } do assert.falsy(got.body:find(secret, 1, true), got.body) end
    end
    assert.truthy(post({ title = "z", colour = 1 }).body:find("there is no field 'colour'", 1, true))
    local got = app:test "/77"
    assert.same({ 404, "not_found", "Not Found" }, { got.status, got.json.error.kind, got.json.error.message })
    assert.equal(400, app:test("/abc").status)
    for _, info in ipairs(said) do assert.is_nil(info.status) end
  end)

  it("is the program's when the program is wrong", function()
    local got = answer(function() return Product:where({ colour = 1 }):all() end)
    assert.same({ 500, "internal" }, { got.status, got.json.error.kind })
    again()
    got = answer(function() return db:query "selct" end)
    assert.same({ 500, "internal" }, { got.status, got.json.error.kind })
    assert.falsy(got.body:find("selct", 1, true))
  end)

  it("is the program's when its answer has no JSON form, and is told", function()
    for _, fn in ipairs {
      function() return { name = "\xff" } end, function(_, res) return res:json { "\xff" } end,
      function() return 201, { name = "\xff" } end, function(_, res) res:event { data = { "\xff" } } end,
    } do
      again()
      local before, got = #said, answer(fn)
      assert.same({ 500, "internal", before + 1 }, { got.status, got.json.error.kind, #said })
      assert.truthy(said[#said].message:find("not UTF-8", 1, true))
    end
  end)

  it("of validation tells everything that failed", function()
    local errors = { { column = "title", rule = "required", message = "title is required" } }
    local got = answer(function() weft.fail("validation", "title is required", { errors = errors }) end)
    assert.same({ 400, "validation", errors }, { got.status, got.json.error.kind, got.json.error.errors })
  end)
end)

describe("on_error", function()
  it("answers what is raised, with the status that it has", function()
    app:on_error(function(err, req, res) return { what = err.kind, path = req.path, status = res.status } end)
    local got = answer(function() weft.fail("stale", "x") end)
    assert.same({ 409, { what = "stale", path = "/", status = 409 } }, { got.status, got.json })
  end)

  it("leaves what it does not answer, and may fail itself", function()
    app:on_error(function() end)
    assert.equal("not_found", answer(function() weft.fail("not_found", "x") end).json.error.kind)
    again()
    app:on_error(function() error "secret" end)
    local got = answer(function() weft.fail("not_found", "x") end)
    assert.same({ 404, 1 }, { got.status, #said })
    assert.falsy(got.body:find("secret", 1, true))
    again()
    app:on_error(function() return print end)
    assert.equal(404, answer(function() weft.fail("not_found", "x") end).status)
    again()
    app:on_error(function(_, _, res) res:html("<b>", 418) end)
    got = answer(function() error "x" end)
    assert.same({ 418, "<b>" }, { got.status, got.body })
  end)
end)

describe("not_found", function()
  it("answers where there is no route and where a handler says 404 alone", function()
    app:not_found(function(req) return { nothing = req.path } end)
    app:get("/a", function() return 404 end)
    app:get("/b", function() return 404, "own" end)
    for _, path in ipairs { "/a", "/x" } do
      local got = app:test(path)
      assert.same({ 404, { nothing = path } }, { got.status, got.json })
    end
    assert.equal("own", app:test("/b").body)
    assert.equal(405, app:test({ method = "POST", path = "/a" }).status)
  end)
end)

describe("headers of an answer that failed", function()
  it("are those that every answer has, not those of its body", function()
    app:use(function(_, res, next)
      res.headers["Strict-Transport-Security"] = "max-age=1"
      res.headers["ETag"] = '"x"'
      return next()
    end)
    local got = answer(function(_, res)
      res.headers["Content-Type"] = "image/png"
      res.headers["Cache-Control"] = "public"
      res.headers["Location"] = "/x"
      res:cookie("a", "b")
      error "x"
    end)
    assert.same({ "application/json", "max-age=1" }, { got.headers["content-type"], got.headers["strict-transport-security"] })
    for _, name in ipairs { "etag", "cache-control", "location", "set-cookie" } do assert.is_nil(got.headers[name], name) end
  end)
end)

describe("in development", function()
  before_each(function() app = weft.app { dev = true } end)

  it("everything is told as JSON", function()
    local got = answer(function() error "what it was" end)
    assert.truthy(got.json.error.details:find "app_error_spec.lua:%d+: what it was$")
    assert.truthy(got.json.error.traceback:find("traceback", 1, true))
    again()
    got = answer(function() weft.database "nowhere" end)
    assert.truthy(got.json.error.details:find("nowhere", 1, true))
    again()
    assert.equal(500, answer(function() error "\xff" end).status)
  end)

  it("browsers get a page, with the line, escaped", function()
    local given = { headers = { accept = "text/html,*/*" } }
    local got = answer(function() error "<script>alert(1)</script>" end, given)
    assert.same({ 500, "text/html; charset=utf-8" }, { got.status, got.headers["content-type"] })
    assert.falsy(got.body:find("<script>", 1, true))
    assert.truthy(got.body:find("&lt;script&gt;alert(1)", 1, true))
    assert.truthy(got.body:find('class="here"', 1, true))
    assert.truthy(got.body:find("Traceback", 1, true))
    again()
    got = answer(function() weft.fail("validation", "bad", { errors = { { message = "<a> is bad" } } }) end, given)
    assert.equal(400, got.status)
    assert.truthy(got.body:find("&lt;a&gt; is bad", 1, true))
    again()
    assert.equal(500, answer(function() error() end, given).status)
  end)
end)

describe("an exchange", function()
  it("whose client is gone gets no answer, and what went wrong is told all the same", function()
    app:get("/", function() error "x" end)
    local x = exchange { path = "/", gone = true }
    app:dispatch(x)
    assert.same({ nil, 1 }, { x.status, #said })
  end)

  it("that fails by itself does not make dispatch raise", function()
    app:get("/", function() return "a" end)
    local x = exchange { path = "/" }
    function x.send() error "socket" end
    app:dispatch(x)
    assert.is_true(#said > 0)
    shell.exists "/"
  end)

  it("of a request that is overdue is answered with 504", function()
    app:get("/", function()
      weft.sleep(60)
      return "late"
    end)
    local x = exchange { path = "/" }
    weft.run(function()
      weft.spawn(function()
        pcall(weft.timeout, 0.02, function() app:dispatch(x) end)
      end):await()
    end)
    assert.equal(504, x.status)
  end)
end)
