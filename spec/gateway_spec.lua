-- SPDX-License-Identifier: MIT
-- An app behind API Gateway, function URLs and load balancers: events in, answers out.

local weft = require "weft"
local core = require "weft.core"
local gateway = require "weft.lambda.gateway"
local lambda = require "weft.lambda"
local shell = require "spec.support.shell"

local ctx = lambda.context { ["lambda-runtime-aws-request-id"] = "invocation" }

---Merges b over a.
local function with(a, b)
  local out = {}
  for key, value in pairs(a) do out[key] = value end
  for key, value in pairs(b or {}) do out[key] = value end
  return out
end

local function v2(more)
  return with({ version = "2.0", routeKey = "$default", rawPath = "/", rawQueryString = "", headers = { host = "shop.example" },
    requestContext = { http = { method = "GET", path = "/", sourceIp = "192.0.2.7" }, stage = "$default", requestId = "r-2",
      domainName = "x.lambda-url.example" }, isBase64Encoded = false }, more)
end

local function v1(more)
  return with({ resource = "/{proxy+}", path = "/", httpMethod = "GET", headers = { Host = "shop.example" },
    multiValueHeaders = { Host = { "shop.example" } }, queryStringParameters = weft.null, multiValueQueryStringParameters = weft.null,
    requestContext = { stage = "prod", requestId = "r-1", identity = { sourceIp = "192.0.2.8" } }, body = weft.null,
    isBase64Encoded = false }, more)
end

local function alb(more)
  return with({ path = "/", httpMethod = "GET", headers = { host = "shop.example", ["x-forwarded-for"] = "10.0.0.1, 192.0.2.9",
    ["x-forwarded-proto"] = "http", ["x-amzn-trace-id"] = "Root=1-a-b" }, queryStringParameters = {}, body = "",
    requestContext = { elb = { targetGroupArn = "arn" } }, isBase64Encoded = false }, more)
end

local function answer(app, event) return weft.decode(gateway.handler(app)(weft.encode(event), ctx)) end

---What an app sees of an event.
local function seen(event)
  local x = gateway.exchange(event, ctx)
  return { x:method(), x:path(), x:target(), x:query() or false, x:body(), x:remote(), x:scheme(), x:host(), x:id() }
end

describe("an event", function()
  it("of API Gateway (2.0) or of a function URL is a request", function()
    assert.same({ "GET", "/", "/", false, "", "192.0.2.7", "https", "shop.example", "r-2" }, seen(v2()))
    local event = v2 { rawPath = "/a%20b/%2F/../c/./", rawQueryString = "x=1&x=%202&y", headers = { ["X-A"] = "1,2", ["x-forwarded-proto"] = "http" },
      cookies = { "a=1", "b=2" }, body = core.base64 "\0\xff", isBase64Encoded = true }
    assert.same({ "GET", "/a b/c/", "/a%20b/%2F/../c/./?x=1&x=%202&y", "x=1&x=%202&y", "\0\xff", "192.0.2.7", "http",
      "x.lambda-url.example", "r-2" }, seen(event))
    local x = gateway.exchange(event, ctx)
    assert.equal("a=1; b=2", x:header "cookie")
    assert.equal("1,2", x:headers()["x-a"])
    local context = with(v2().requestContext, { stage = "prod" })
    assert.equal("/products", gateway.exchange(v2 { rawPath = "/prod/products", requestContext = context }, ctx):path())
    assert.equal("/", gateway.exchange(v2 { rawPath = "/prod", requestContext = context }, ctx):path())
    assert.equal("/products", gateway.exchange(v2 { rawPath = "/products", requestContext = context }, ctx):path())
  end)

  it("of a REST API is a request", function()
    assert.same({ "GET", "/", "/", false, "", "192.0.2.8", "https", "shop.example", "r-1" }, seen(v1()))
    local event = v1 { httpMethod = "POST", path = "/p", body = "{}", multiValueQueryStringParameters = { b = { "1", "2 &" }, a = { "ä" } },
      queryStringParameters = { b = "2 &", a = "ä" }, multiValueHeaders = { Accept = { "x", "y" }, Cookie = { "a=1", "b=2" } } }
    local x = gateway.exchange(event, ctx)
    assert.equal("a=%C3%A4&b=1&b=2%20%26", x:query())
    assert.equal("x, y", x:header "accept")
    assert.equal("a=1; b=2", x:header "cookie")
    assert.equal("{}", x:body())
  end)

  it("of a load balancer is a request", function()
    assert.same({ "GET", "/", "/", false, "", "192.0.2.9", "http", "shop.example", "Root=1-a-b" }, seen(alb()))
    local x = gateway.exchange(alb { queryStringParameters = { q = "a%20b" } }, ctx)
    assert.equal("q=a%20b", x:query()) -- a load balancer leaves escapes alone
    x = gateway.exchange(alb { multiValueQueryStringParameters = { q = { "1", "2" } }, multiValueHeaders = { host = { "h" } } }, ctx)
    assert.equal("q=1&q=2", x:query())
    assert.equal("h", x:host())
  end)

  it("never leaves the root by its path", function()
    for raw, path in pairs { ["/../../etc"] = "/etc", ["/a/.."] = "/", ["/a/../"] = "/", ["/%2e%2e/x"] = "/x", ["/a/b/.."] = "/a/",
      ["//a//b"] = "//a//b", [""] = "/", ["/a/."] = "/a/", ["/a%2fb"] = "/a%2fb" } do
      assert.equal(path, gateway.exchange(v2 { rawPath = raw }, ctx):path(), raw)
    end
  end)

  it("of another kind is refused", function()
    local handler = gateway.handler(weft.app())
    for _, text in ipairs { "{}", "[]", "1", "null", '{"requestContext":{}}', '{"Records":[]}', '{"rawPath":1,"requestContext":{"http":{}}}' } do
      local ok, err = pcall(handler, text, ctx)
      assert.is_false(ok)
      assert.equal("usage", err.kind)
    end
    local ok, err = pcall(handler, weft.encode(v2 { body = "!", isBase64Encoded = true }), ctx)
    assert.is_false(ok)
    assert.equal("type", err.kind)
  end)
end)

describe("an app", function()
  local app = weft.app()
  app:get("/products/:id", function(req) return { id = req.params.id, q = req.query.q } end)
  app:post("/echo", function(req, res)
    res.headers["Content-Type"] = "application/octet-stream"
    return req.body
  end)
  app:get("/two", function(_, res)
    res.headers["x-many"] = { "a", "b" }
    res:cookie("c", "1")
    res:cookie("d", "2")
    res.status = 201
    return "text"
  end)
  app:get("/stream", function(_, res)
    res:write "a"
    res:write "b"
  end)
  app:get("/fails", function() error "secret" end)

  it("answers in the shape of the event", function()
    local got = answer(app, v2 { rawPath = "/products/7", rawQueryString = "q=x" })
    assert.same({ 200, false, { id = "7", q = "x" } }, { got.statusCode, got.isBase64Encoded, weft.decode(got.body) })
    assert.truthy(got.headers["content-type"]:find("application/json", 1, true))
    got = answer(app, v2 { rawPath = "/two" })
    assert.same({ 201, "text", 2, "a, b" }, { got.statusCode, got.body, #got.cookies, got.headers["x-many"] })
    assert.is_nil(got.headers["set-cookie"])
    got = answer(app, v1 { path = "/two" })
    assert.same({ 201, "text", 2, { "a", "b" } }, { got.statusCode, got.body, #got.multiValueHeaders["set-cookie"], got.multiValueHeaders["x-many"] })
    assert.is_nil(got.headers)
    got = answer(app, alb { path = "/two" })
    assert.same({ 201, "text", "b" }, { got.statusCode, got.body, got.headers["x-many"] })
    got = answer(app, alb { path = "/two", multiValueHeaders = { host = { "h" } } })
    assert.same({ "a", "b" }, got.multiValueHeaders["x-many"])
  end)

  it("answers with bytes as Base64", function()
    local body = "\0\xff\x80"
    local context = with(v2().requestContext, { http = { method = "POST", sourceIp = "192.0.2.7" } })
    local got = answer(app, v2 { rawPath = "/echo", requestContext = context, body = core.base64(body), isBase64Encoded = true })
    assert.same({ 200, true, body }, { got.statusCode, got.isBase64Encoded, core.unbase64(got.body) })
    got = answer(app, v2 { rawPath = "/echo", requestContext = context, body = "ä" })
    assert.same({ false, "ä" }, { got.isBase64Encoded, got.body })
  end)

  it("answers what is streamed at once, errors with their status, and HEAD without a body", function()
    assert.equal("ab", answer(app, v2 { rawPath = "/stream" }).body)
    assert.equal(404, answer(app, v2 { rawPath = "/nothing" }).statusCode)
    local got = answer(app, v2 { rawPath = "/fails" })
    assert.equal(500, got.statusCode)
    assert.is_nil(got.body:find("secret", 1, true))
    local context = with(v2().requestContext, { http = { method = "HEAD", sourceIp = "192.0.2.7" } })
    got = answer(app, v2 { rawPath = "/products/7", requestContext = context })
    assert.same({ 200, "" }, { got.statusCode, got.body })
  end)

  it("answers with files", function()
    local path = os.tmpname()
    shell.write(path, "body")
    finally(function() os.remove(path) end)
    local x = gateway.exchange(v2(), ctx)
    assert.is_true(x:file(path, { "x-a", "1" }))
    local got = x:answer()
    assert.same({ 200, "body", "1", "application/octet-stream" }, { got.statusCode, got.body, got.headers["x-a"], got.headers["content-type"] })
    x = gateway.exchange(v2 { headers = { ["if-none-match"] = got.headers.etag } }, ctx)
    assert.is_true(x:file(path))
    assert.same({ 304, "" }, { x:answer().statusCode, x:answer().body })
    assert.is_false(gateway.exchange(v2(), ctx):file "/nowhere")
    assert.is_false(gateway.exchange(v2(), ctx):file "/tmp")
  end)

  it("is a handler, which starts first", function()
    local started = 0
    local other = weft.app()
    other:on_start(function()
      weft.sleep(0)
      started = started + 1
    end)
    other:get("/", function() return "n" .. started end)
    local handler = lambda.handler(other, nil, "handler.lua")
    assert.equal("n1", weft.decode(handler(weft.encode(v2()), ctx)).body)
    assert.equal("n1", weft.decode(handler(weft.encode(alb()), ctx)).body)
  end)
end)

describe("Base64", function()
  it("keeps every byte", function()
    for n = 0, 300 do
      local bytes = {}
      for i = 1, n do bytes[i] = string.char((i * 37 + n) % 256) end
      local text = table.concat(bytes)
      assert.equal(text, core.unbase64(core.base64(text)))
    end
    assert.same({ "", "aGVsbG8=", "AP8=" }, { core.base64 "", core.base64 "hello", core.base64 "\0\xff" })
  end)

  it("refuses what is none", function()
    for _, text in ipairs { "a", "ab", "abc", "=", "====", "YR==", "YW=J", "Y===", "YWJ\n", "YWJ=", "-_-_" } do
      assert.is_nil(core.unbase64(text), text)
    end
  end)
end)
