-- SPDX-License-Identifier: MIT
-- An app behind `weft serve`, asked by curl: what the specs of this process cannot see.

local weft = require "weft"
local http = require "spec.support.http"
local served = require "spec.support.served"
local shell = require "spec.support.shell"

local app = served.app [[
local db = weft.database "shop"
app:on_start(function()
  db:script [==[create table if not exists products (id integer primary key, title text);
    insert or ignore into products values (1, '<lamp>'), (2, 'chair');
    create table if not exists many (id integer primary key, text text);
    insert or ignore into many with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
      select i, printf('%0200d', i) from n]==]
end)
local Product = weft.models "shop".Product
app:sessions { secret = ("s"):rep(32) }
app:cors { origins = { "https://a.example" }, credentials = true }
app:static("/assets", "public", { max_age = 60 })
app:get("/products", function() return Product:order "id" end)
local Many = weft.models "shop".many
app:get("/many", function(_, res)
  res.headers["x-a"] = "1"
  return Many:order "id"
end)
app:get("/many/told", function(_, res) return res:json(Many:order "id", 203) end)
app:get("/many/none", function() return 204, Many:order "id" end)
app:get("/products/:id", function(req) return Product:find(req:integer "id") or 404 end)
app:get("/page", function(_, res) return res:render("list", { products = Product:order "id":all() }) end)
app:get("/visits", function(req)
  req.session.n = (req.session.n or 0) + 1
  return { n = req.session.n }
end)
app:post("/form", function(req)
  local form = req:form()
  local file = form.file
  return { text = form.text, file = file and { file.name, file.type, #file.data } }
end)
app:post("/json", function(req) return 201, req:json { "a" } end)
app:get("/params/:a/*rest", function(req) return { req.params, req.query, req.path } end)
app:get("/events", function(_, res)
  for i = 1, 3 do res:event { id = i, data = { i = i } } end
end)
app:get("/large", function(_, res)
  for _ = 1, 200 do res:write(("x"):rep(10000)) end
end)
app:get("/fails", function() error "secret" end)
app:get("/half", function(_, res)
  res:write "a"
  error "secret"
end)
app:get("/go", function(_, res) return res:redirect "/products/2" end)
app:get("/late", function() weft.sleep(60) end)
app:get("/leave", function(req, res)
  while not req.exchange:gone() do
    pcall(res.write, res, ".")
    weft.sleep(0.01)
  end
  weft.sleep(0.05)
  local file <close> = io.open("left", "w")
  file:write(weft.encode { req.remote, req.id, req:header "x-a", req.exchange:path() })
end)
app:get("/headers", function(req, res)
  res.headers["X-List"] = { "a", "b" }
  res:cookie("c", "1", { http_only = true })
  return { req.host, req.scheme, req.remote, req:header "x-a", req.cookies.c or "none" }
end)]]

describe("an app that is served", function()
  local server

  setup(function()
    server = served.start { app = app, databases = { shop = "sqlite:shop.db" }, words = { "--timeout", "5", "--workers", "2" }, files = {
      ["views/list.html"] = "<ul>{% for _, p in ipairs(products) do %}<li>{{ p.title }}</li>{% end %}</ul>",
      ["public/a.css"] = "body {}\n", ["public/sub/index.html"] = "<p>", ["public/.env"] = "secret", ["secret.txt"] = "secret",
    } }
  end)
  teardown(function() server:stop() end)

  it("streams a query as JSON, finds rows, renders pages", function()
    local status, body, head = server:ask "/products"
    assert.same({ 200, '[{"id":1,"title":"<lamp>"},{"id":2,"title":"chair"}]' }, { status, body })
    assert.truthy(head:lower():find("content-type: application/json", 1, true))
    assert.same({ 404, "not_found" }, { (server:get "/products/7"), weft.decode((select(2, server:get "/products/7"))).error.kind })
    assert.equal(400, (server:get "/products/x"))
    assert.equal("<ul><li>&lt;lamp&gt;</li><li>chair</li></ul>", (select(2, server:get "/page")))
  end)

  it("streams what is long: the same rows, in parts, to old clients too", function()
    local function check(text)
      local rows = weft.decode(text)
      assert.equal(20000, #rows)
      for i, row in ipairs(rows) do assert.same({ i, i }, { row.id, math.tointeger(row.text) }) end
    end
    local status, body, head = server:ask "/many"
    assert.equal(200, status)
    check(body)
    head = head:lower()
    assert.truthy(head:find("transfer-encoding: chunked", 1, true) and head:find("content-type: application/json", 1, true))
    assert.truthy(head:find("x-a: 1", 1, true))
    check((select(2, server:get("/many", "--http1.0"))))
    check((select(2, server:get("/many", "--compressed"))))
    status, body = server:get "/many/told"
    assert.equal(203, status)
    check(body)
    assert.same({ 204, "" }, { server:get "/many/none" })
    assert.equal(200, (server:get("/many", "-I")))
  end)

  it("goes on when a client leaves in the middle of rows", function()
    for _ = 1, 20 do shell.run(("curl -s --limit-rate 100k --max-time 0.1 -o /dev/null http://%s/many"):format(server.address)) end
    assert.equal(200, (server:get "/products"))
    assert.falsy(server:said():find("traceback", 1, true), server:said())
  end)

  it("reads forms and files as curl sends them", function()
    local file = server.folder .. "/a \"b\".bin"
    shell.write(file, ("\0\r\n--x"):rep(1000))
    local _, body = server:get("/form", "-F", "text=ü & <b>", "-F", ("file=@\"%s\""):format((file:gsub('[\\"]', "\\%0"))))
    assert.same({ text = "ü & <b>", file = { 'a "b".bin', "application/octet-stream", 6000 } }, weft.decode(body))
    _, body = server:get("/form", "--data-urlencode", "text=a&b=c +%")
    assert.equal("a&b=c +%", weft.decode(body).text)
    assert.equal(415, (server:get("/form", "-H", "Content-Type: text/plain", "-d", "x")))
    assert.equal(400, (server:get("/form", "-H", "Content-Type: multipart/form-data; boundary=x", "-d", "y")))
  end)

  it("reads JSON, strictly", function()
    local function post(text) return server:get("/json", "-H", "Content-Type: application/json", "-d", text) end
    assert.same({ 201, '{"a":12345678901234567890}' }, { post '{"a":12345678901234567890}' })
    for _, text in ipairs { "{", '{"b":1}', "[1]", "1", '{"a":"\xff"}', ("["):rep(100000) } do assert.equal(400, (post(text))) end
  end)

  it("decodes paths and queries once", function()
    local _, body = server:get("/params/a%20b%2Fc/d/%C3%BC?x=1&x=%26&y=+", "--path-as-is")
    assert.same({ { a = "a b/c", rest = "d/ü" }, { x = { "1", "&" }, y = " " } }, { table.unpack(weft.decode(body), 1, 2) })
    assert.equal("a%2Fb", weft.decode((select(2, server:get "/params/a%252Fb/c")))[1].a)
    assert.equal(400, (server:get "/params/a/b?x=%zz"))
  end)

  it("keeps a session in curl's jar, across workers", function()
    local jar = server.folder .. "/jar"
    for i = 1, 8 do
      local _, body = server:get("/visits", "-c", jar, "-b", jar)
      assert.equal(i, weft.decode(body).n)
    end
  end)

  it("serves static files with ETag and ranges, none outside", function()
    local status, body, head = server:ask "/assets/a.css"
    assert.same({ 200, "body {}\n" }, { status, body })
    assert.truthy(head:lower():find("cache-control: public, max-age=60", 1, true))
    local etag = head:match "[eE][tT]ag: ([^\r\n]+)"
    assert.equal(304, (server:get("/assets/a.css", "-H", "If-None-Match: " .. etag)))
    assert.same({ 206, "ody" }, { server:get("/assets/a.css", "-H", "Range: bytes=1-3") })
    assert.same({ 200, "<p>" }, { server:get "/assets/sub/" })
    assert.equal(308, (server:get "/assets/sub"))
    for _, path in ipairs { "/assets/../secret.txt", "/assets/%2e%2e/secret.txt", "/assets/..%2fsecret.txt", "/assets/.env",
      "/assets/..%5csecret.txt" } do
      local code, text = server:get(path, "--path-as-is")
      assert.is_true(code == 404 or code == 400, path)
      assert.falsy(text:find("secret", 1, true))
    end
  end)

  it("streams events and large bodies", function()
    local _, body, head = server:ask "/events"
    assert.equal('id: 1\ndata: {"i":1}\n\nid: 2\ndata: {"i":2}\n\nid: 3\ndata: {"i":3}\n\n', body)
    assert.truthy(head:lower():find("content-type: text/event-stream", 1, true))
    assert.equal(2000000, #select(2, server:get "/large"))
  end)

  it("answers HEAD, OPTIONS, what is not allowed, and other paths of the same", function()
    local status, body = server:get("/products", "-I")
    assert.equal(200, status)
    assert.falsy(body:find("lamp", 1, true))
    local _, _, head = server:ask("/products", "-X", "OPTIONS")
    assert.truthy(head:lower():find("allow: get, head, options", 1, true))
    assert.equal(405, (server:get("/products", "-X", "DELETE")))
    assert.equal(204, (server:get("/", "-X", "OPTIONS", "--request-target", "*")))
    status, _, head = server:ask "/products/?a=1"
    assert.equal(308, status)
    assert.truthy(head:lower():find("location: /products?a=1", 1, true))
    _, _, head = server:ask "/go"
    assert.truthy(head:lower():find("location: /products/2", 1, true))
  end)

  it("says what a request is, and has several lines of one header", function()
    local _, body, head = server:ask("/headers", "-H", "X-A: 7", "-b", "c=2")
    assert.same({ server.address, "http", "127.0.0.1", "7", "2" }, weft.decode(body))
    head = head:lower()
    assert.truthy(head:find("x-list: a\r\nx-list: b\r\n", 1, true))
    assert.truthy(head:find("set-cookie: c=1; path=/; httponly", 1, true))
  end)

  it("answers other sites' pages as told, errors too", function()
    for _, path in ipairs { "/products", "/fails", "/none" } do
      local _, _, head = server:ask(path, "-H", "Origin: https://a.example")
      assert.truthy(head:lower():find("access-control-allow-origin: https://a.example", 1, true), path)
    end
    local status, _, head = server:ask("/products", "-X", "OPTIONS", "-H", "Origin: https://a.example", "-H", "Access-Control-Request-Method: PUT")
    assert.equal(204, status)
    assert.truthy(head:lower():find("access-control-allow-methods:", 1, true))
  end)

  it("knows a request whose client has gone", function()
    shell.run(("curl -s -N --max-time 0.5 -H 'X-A: 7' http://%s/leave?%s"):format(server.address, ("x"):rep(100)))
    assert.is_true(http.await(function() return (shell.read(server.folder .. "/left") or ""):find "]$" end), server:said())
    local left = weft.decode(shell.read(server.folder .. "/left"))
    assert.same({ "127.0.0.1", "7", "/leave" }, { left[1], left[3], left[4] })
    assert.truthy(left[2]:find "^%x+$")
  end)

  it("gives nothing away when it fails, tells the log, cuts what was begun, and goes on", function()
    local status, body = server:get "/fails"
    assert.same({ 500, "internal" }, { status, weft.decode(body).error.kind })
    assert.falsy(body:find("secret", 1, true))
    server:await "secret"
    server:await(weft.decode(body).error.request_id)
    local ok = shell.run(("curl -s -o /dev/null --max-time 20 http://%s/half"):format(server.address))
    assert.is_false(ok)
    status, body = server:get "/late"
    assert.same({ 504, "timeout" }, { status, weft.decode(body).error.kind })
    assert.equal(200, (server:get "/products"))
  end)
end)
