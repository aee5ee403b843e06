-- SPDX-License-Identifier: MIT
-- What a handler sees of a request: query, headers, cookies, bodies. Broken input first: it is a 400 or nothing at all,
-- never a 500, and what was sent is in no message.

local weft = require "weft"
local cookies = require "weft.app.cookies"
local exchange = require "spec.support.exchange"
local multipart = require "weft.app.multipart"
local request = require "weft.app.request"
local raises = require "spec.support.raises"
local url = require "weft.app.url"

local function new(given)
  given.path = given.path or "/"
  return request.new(exchange(given), weft.app())
end

local function with_body(kind, body) return new { body = body, headers = { ["content-type"] = kind } } end

---The error of a request that is refused, with its status.
local function refused(status, fn, ...)
  local err = raises("type", fn, ...)
  assert.equal(status, err.status or 400)
  assert.falsy(tostring(err):find("secret", 1, true))
  return err
end

describe("a query string", function()
  it("is read as forms are", function()
    for text, want in pairs {
      ["a=1&b=2"] = { a = "1", b = "2" }, ["a"] = { a = "" }, ["a="] = { a = "" }, ["=x"] = { [""] = "x" },
        ["&&a=1&"] = { a = "1" },
      ["a=1&a=2&a=3"] = { a = { "1", "2", "3" } }, ["a+b=c%20d%2B"] = { ["a b"] = "c d+" }, ["a=b=c"] = { a = "b=c" },
      ["%C3%BC=%e2%82%ac"] = { ["ü"] = "€" }, ["a%26=%3D"] = { ["a&"] = "=" }, ["__index=1&n=2"] = { __index = "1", n = "2" },
      ["a=%00"] = { a = "\0" }, [""] = {},
    } do
      assert.same(want, new({ path = "/?" .. text }).query, text)
    end
    assert.same({}, new({}).query)
  end)

  it("that is broken is refused", function()
    for _, text in ipairs { "a=%", "a=%2", "a=%zz", "%=secret", "a=%4x", "a=1%", "a=%ff", "a=%C3", "%80=1", "a=\xff",
      "a=%ED%A0%80", "a=%C0%80" } do
      refused(400, function() return new({ path = "/?" .. text }).query end, "query string")
    end
    refused(413, function() return new({ path = "/?" .. ("a&"):rep(1001) }).query end, "1000 fields")
    assert.equal(1000, #new({ path = "/?" .. ("a&"):rep(1000) }).query.a)
  end)

  it("of any bytes is a table or refused, and what is encoded comes back", function()
    math.randomseed(7)
    local bytes = { "%", "=", "&", "+", "a", "4", "1", "f", "\0", "\xc3", "\xbc", "ü", " ", ";" }
    for _ = 1, 3000 do
      local out = {}
      for i = 1, math.random(0, 14) do out[i] = bytes[math.random(#bytes)] end
      local text = table.concat(out)
      local ok, fields = pcall(url.fields, text, "form")
      assert.is_true(ok or fields.kind == "type", text)
      local key, value = utf8.char(math.random(0, 0xd7ff)), utf8.char(math.random(0, 0xd7ff), math.random(1, 127))
      assert.same({ [key] = { value, "x" } }, url.fields(url.form { [key] = { value, "x" } }, "form"))
    end
  end)
end)

describe("headers", function()
  it("have names in any case", function()
    local req = new { headers = { ["x-a"] = "1" } }
    assert.same({ "1", "1", "1" }, { req.headers["X-A"], req.headers["x-a"], req:header "X-a" })
    assert.is_nil(req.headers["x-b"])
    assert.is_nil(req.headers[1])
    raises("usage", function() req:header() end)
    raises("usage", function() req.header "x" end, "req:header")
  end)
end)

describe("cookies", function()
  it("are read as browsers write them", function()
    for text, want in pairs {
      ["a=1; b=2"] = { a = "1", b = "2" }, ["a=1;b=2"] = { a = "1", b = "2" }, ['a="x y"'] = { a = "x y" },
        ["a=b=c"] = { a = "b=c" },
      ["a=1; a=2"] = { a = "1" }, ["a; b=1; =x; ;"] = { b = "1" }, [" a = 1 "] = { a = "1" }, ["a="] = { a = "" },
        ['a="'] = { a = '"' },
      ["a=\xff\0"] = { a = "\xff\0" }, [""] = {},
    } do
      assert.same(want, new({ headers = { cookie = text } }).cookies, text)
    end
    assert.same({}, new({}).cookies)
  end)

  it("of any bytes give texts", function()
    math.randomseed(3)
    for _ = 1, 3000 do
      local out = {}
      for i = 1, math.random(0, 20) do out[i] = string.char(math.random(0, 255)) end
      for _, text in ipairs { table.concat(out), table.concat(out, ";"), table.concat(out, "=") } do
        for name, value in pairs(cookies.read(text)) do
          assert.is_true(name ~= "" and type(value) == "string" and not name:find "[=;%s]")
        end
      end
    end
  end)
end)

describe("a JSON body", function()
  it("is a table, read once", function()
    local req = with_body("application/json; charset=UTF-8", '{"a":[1,null],"n":12345678901234567890}')
    local value = req:json()
    assert.equal(weft.null, value.a[2])
    assert.equal("12345678901234567890", tostring(value.n))
    assert.equal(value, req:json())
    assert.same({ 1 }, with_body("application/problem+json", "[1]"):json())
    assert.same({}, with_body(nil, "{}"):json())
  end)

  it("that is broken is refused with the position", function()
    for text, words in pairs {
      [""] = "empty", ["{"] = "offset 1", ['{"a":secret}'] = "offset", ["[1,]"] = "offset 3", ["{} x"] = "offset",
        ['"secret"'] = "object or array",
      ["17"] = "object or array", ["null"] = "object or array", ["true"] = "object or array", ['["\xff"]'] = "UTF-8",
        ["\0"] = "offset",
      [("["):rep(5000)] = "nested", ["[1e999999]"] = "number", ['{"a":1,"a":2,}'] = "offset",
    } do
      refused(400, function() with_body("application/json", text):json() end, words)
    end
  end)

  it("may have the fields that are named, no others", function()
    local req = with_body(nil, '{"a":1,"b":null}')
    assert.equal(1, req:json({ "a", "b", "c" }).a)
    refused(400, function() req:json { "a" } end, "not expected")
    refused(400, function() with_body(nil, '{"secret":1}'):json {} end, "not expected")
    refused(400, function() with_body(nil, '[1]'):json { "a" } end, "object")
    raises("usage", function() req:json "a" end)
  end)

  it("of another type is 415", function()
    for _, kind in ipairs { "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "text/json+x",
      "application/json; charset=latin1", "" } do
      refused(415, function() with_body(kind, "{}"):json() end)
    end
  end)
end)

describe("a text", function()
  it("is of the route or the query, one, and not too long", function()
    local req = new { path = "/?a=x&b=&c=1&c=2" }
    req.params = { id = "12" }
    assert.same({ "12", "x", "", "z" }, { req:text "id", req:text("a", nil, 1), req:text "b", req:text("d", "z") })
    assert.is_nil(req:text("d", false))
    refused(400, function() req:text("c", false) end, "'c' is to be one text")
    refused(400, function() req:text "d" end, "'d' is to be one text")
    refused(400, function() req:text("id", false, 1) end, "at most 1 bytes")
    raises("usage", function() req:text() end)
  end)
end)

describe("a whole number", function()
  it("is of the route or the query, in its range", function()
    local req = new { path = "/?a=7&b=-3&c=x&d=1.5&e=&f=1&f=2&g=9223372036854775808&h=0x10&i=1e3&j=+1" }
    req.params = { id = "12" }
    assert.same({ 12, 7, -3, 5, 7 }, { req:integer "id", req:integer "a", req:integer "b", req:integer("z", 5), req:integer("a", 5, 1, 7) })
    for _, name in ipairs { "c", "d", "e", "f", "g", "h", "i", "j" } do refused(400, function() req:integer(name, 1) end, "whole number") end
    refused(400, function() req:integer "z" end, "'z' is to be a whole number")
    refused(400, function() req:integer("a", 1, 8, 9) end, "from 8 to 9")
    refused(400, function() req:integer("a", 1, 8) end, "at least 8")
    refused(400, function() req:integer("a", 1, nil, 6) end, "at most 6")
    raises("usage", function() req:integer() end)
  end)
end)

describe("a form", function()
  it("is urlencoded", function()
    local form = with_body("application/x-www-form-urlencoded", "a=1&b=x+y&a=2"):form()
    assert.same({ a = { "1", "2" }, b = "x y" }, form)
    refused(400, function() with_body("application/x-www-form-urlencoded", "secret=%"):form() end)
    refused(413, function() with_body("application/x-www-form-urlencoded", ("a=1&"):rep(1001)):form() end)
  end)

  it("of another type is 415", function()
    for _, kind in ipairs { "application/json", "text/plain" } do refused(415, function() with_body(kind, "a=1"):form() end) end
    refused(415, function() new({ body = "a=1" }):form() end)
  end)
end)

---A multipart body of parts { headers, data }.
local function parts(list, boundary)
  local out = {}
  for _, part in ipairs(list) do out[#out + 1] = "--" .. boundary .. "\r\n" .. part[1] .. "\r\n\r\n" .. part[2] .. "\r\n" end
  return table.concat(out) .. "--" .. boundary .. "--\r\n"
end

local function field(name, more) return ('Content-Disposition: form-data; name="%s"%s'):format(name, more or "") end

describe("a multipart form", function()
  local kind = "multipart/form-data; boundary=XX"

  it("has fields and files", function()
    local form = with_body(kind, parts({
      { field "a", "1" }, { field "a", "2" }, { field "empty", "" }, { field "text", "a\r\nb\r\n--X\r\n" },
      { field("file", '; filename="C:\\dir\\x \\"1\\".txt"') .. "\r\nContent-Type: text/plain", "\0\xff\r\n" },
      { field("path", '; filename="../../etc/passwd"'), "x" }, { field("none", '; filename=""'), "" },
      { 'content-disposition:form-data;name=word ; filename=a.b', "y" }, { field("q%22%0D%0A"), "z" },
    }, "XX")):form()
    assert.same({
      a = { "1", "2" }, empty = "", text = "a\r\nb\r\n--X\r\n", ["q\"\r\n"] = "z",
      file = { name = 'x "1".txt', type = "text/plain", data = "\0\xff\r\n" },
      path = { name = "passwd", type = "application/octet-stream", data = "x" },
      word = { name = "a.b", type = "application/octet-stream", data = "y" },
    }, form)
  end)

  it("may begin with a preamble, have blanks behind its boundaries, and quote them", function()
    assert.same({ a = "1" }, with_body('multipart/form-data; boundary="a b"', "hello\r\n--a b \t\r\n" .. field "a"
      .. "\r\n\r\n1\r\n--a b--"):form())
    assert.same({}, with_body(kind, "--XX--"):form())
  end)

  it("has a list for files of one name", function()
    local file = { field("f", '; filename="x"'), "1" }
    local form = with_body(kind, parts({ file, file, file }, "XX")):form()
    assert.same({ 3, "1" }, { #form.f, form.f[3].data })
  end)

  it("that is broken is refused", function()
    local good = parts({ { field "secret", "secret" } }, "XX")
    for i, body in ipairs {
      "", "secret", "--XX", "--XX\r\n", "--XX\r\n\r\n", good:sub(1, -9), good:sub(1, -6), "--XX\n" .. field "a"
        .. "\n\n1\n--XX--",
      parts({ { "", "secret" } }, "XX"), parts({ { "Content-Disposition: attachment; name=a", "1" } }, "XX"),
      parts({ { "Content-Disposition: form-data", "1" } }, "XX"), parts({ { 'Content-Disposition: form-data; name="a',
        "1" } }, "XX"),
      "--XX\r\n" .. field "a" .. "\r\n--XX--", "--XXsecret\r\n" .. field "a" .. "\r\n\r\n1\r\n--XX--",
      parts({ { field "a", "\xff" } }, "XX"), parts({ { field "\xff", "a" } }, "XX"), parts({ { field("a",
        '; filename="\xff"'), "a" } }, "XX"),
    } do
      local ok, err = pcall(function() return with_body(kind, body):form() end)
      assert.is_false(ok, i)
      assert.equal("type", err.kind)
      assert.falsy(tostring(err):find("secret", 1, true))
    end
    for _, wrong in ipairs { "multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="',
      "multipart/form-data; boundary=" .. ("x"):rep(71) } do
      refused(400, function() with_body(wrong, good):form() end)
    end
  end)

  it("has limits", function()
    local many = {}
    for i = 1, 101 do many[i] = { field "a", "" } end
    refused(413, function() with_body(kind, parts(many, "XX")):form() end, "100 parts")
    refused(413, function() with_body(kind, parts({ { field(("x"):rep(5000)), "" } }, "XX")):form() end, "headers")
  end)

  it("of any shape is a table or refused, quickly", function()
    math.randomseed(11)
    local pieces = { "--XX", "--XX--", "\r\n", "\r\n\r\n", "--", field "a", field("f", '; filename="x"'), ": ", ";", '"',
      "\\", "\0", "name=", "x", "\n", " " }
    for _ = 1, 5000 do
      local out = {}
      for i = 1, math.random(0, 16) do out[i] = pieces[math.random(#pieces)] end
      local ok, form = pcall(multipart.read, table.concat(out), kind)
      assert.is_true(ok or form.kind == "type", tostring(form))
    end
    local begun = os.clock()
    pcall(multipart.read, "--XX\r\n" .. ("\r\n--X"):rep(200000), kind)
    pcall(multipart.read, "--XX\r\n" .. field "a" .. ("\r\n"):rep(200000), kind)
    pcall(multipart.read, "--XX\r\n" .. 'Content-Disposition: form-data; name="' .. ("\\"):rep(4000)
      .. "\r\n\r\n\r\n--XX--", kind)
    assert.is_true(os.clock() - begun < 5)
  end)

  it("comes back from what is written", function()
    math.randomseed(13)
    for _ = 1, 300 do
      local list, want = {}, {}
      for i = 1, math.random(0, 6) do
        local out = {}
        for k = 1, math.random(0, 30) do out[k] = string.char(math.random(0, 255)) end
        local data = table.concat(out)
        list[i] = { field("f" .. i, '; filename="n"') .. "\r\nContent-Type: a/b", data }
        want["f" .. i] = { name = "n", type = "a/b", data = data }
      end
      assert.same(want, with_body(kind, parts(list, "XX")):form())
    end
  end)
end)

describe("a request", function()
  it("has what the client and whoever serves say", function()
    local req = new { method = "POST", path = "/a%20b?x=1", body = "b", id = "i", remote = "1.2.3.4", scheme = "https",
      headers = { host = "h:1" }, left = 3 }
    assert.same({ "POST", "/a b", "/a%20b?x=1", "b", "i", "1.2.3.4", "https", "h:1", 3 },
      { req.method, req.path, req.target, req.body, req.id, req.remote, req.scheme, req.host, req.deadline })
    assert.same({}, req.params)
    assert.is_nil(req.session)
    assert.is_nil(req.anything)
    req.anything = 1
    assert.equal(1, req.anything)
  end)

  it("tells what it would rather have", function()
    local function prefers(accept) return new({ headers = { accept = accept } }):prefers "text/html" end
    assert.is_true(prefers "text/html,application/xhtml+xml,*/*;q=0.8")
    assert.is_false(prefers "*/*")
    assert.is_false(prefers "application/json, text/html")
    assert.is_false(prefers(nil))
  end)

  it("that is broken is answered with 400, not 500", function()
    local app = weft.app()
    local said = 0
    finally(weft.on("error", function() said = said + 1 end))
    app:post("/", function(req) return { req.query, req:json() } end)
    local got = app:test { method = "POST", path = "/?%" }
    assert.same({ 400, "type" }, { got.status, got.json.error.kind })
    got = app:test { method = "POST", body = "{x" }
    assert.same({ 400, "invalid JSON at offset 1: key expected" }, { got.status, got.json.error.message })
    assert.equal(415, app:test({ method = "POST", form = { a = 1 } }).status)
    assert.equal(413, app:test({ method = "POST", path = "/?" .. ("a&"):rep(2000) }).status)
    assert.equal(0, said)
  end)
end)
