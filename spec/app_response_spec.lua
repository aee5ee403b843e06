-- SPDX-License-Identifier: MIT
-- What a handler says with `res`: headers, cookies, redirects, streams, events, files. What could split a response or
-- lead elsewhere is refused where it is said.

local weft = require "weft"
local exchange = require "spec.support.exchange"
local raises = require "spec.support.raises"
local shell = require "spec.support.shell"

local app

before_each(function() app = weft.app() end)

local function answer(fn, given)
  app:all("/", fn)
  return app:test(given or "/")
end

---Calls fn(res) inside of a handler and returns what it raised.
local function inside(fn)
  local err
  app = weft.app()
  answer(function(_, res)
    local ok, why = pcall(fn, res)
    err = not ok and why or nil
    return "x"
  end)
  app = weft.app()
  return err
end

local function refused(fn, ...)
  local words = { ... }
  raises("usage", function() error(inside(fn), 0) end, table.unpack(words))
end

describe("headers", function()
  it("have names in any case, several lines for a list, and may be taken away", function()
    local got = answer(function(_, res)
      res.headers["X-One"] = 1
      res.headers["x-one"] = "2"
      res.headers["X-List"] = { "a", "b" }
      res.headers["X-Gone"] = "x"
      res.headers["x-gone"] = nil
      local names = {}
      for name in pairs(res.headers) do names[#names + 1] = name end
      table.sort(names)
      return res.headers["X-ONE"] .. table.concat(names, ",")
    end)
    assert.same({ "2x-list,x-one", "2", "a, b" }, { got.body, got.headers["x-one"], got.headers["x-list"] })
    assert.is_nil(got.headers["x-gone"])
  end)

  it("may be given as a table", function()
    local got = answer(function(_, res)
      res.headers = { ["X-A"] = "1", ["Content-Type"] = "text/csv" }
      res:cookie("a", "b")
      return "x"
    end)
    assert.same({ "1", "text/csv", "a=b; Path=/" }, { got.headers["x-a"], got.headers["content-type"], got.headers["set-cookie"] })
    app = weft.app()
    assert.equal(500, answer(function(_, res) res.headers = { ["X-A"] = "a\r\nb" } return "x" end).status)
    app = weft.app()
    assert.equal(500, answer(function(_, res) res.headers = 7 return "x" end).status)
  end)

  it("that would split a response are refused", function()
    for _, value in ipairs { "a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "a\0b", "\127", "\27" } do
      refused(function(res) res.headers["X-A"] = value end, "line break or a control character", "app_response_spec.lua")
      refused(function(res) res.headers["X-A"] = { "fine", value } end, "line break")
    end
    for _, name in ipairs { "", "a b", "a:b", "a\r\nb", "ü", "a\0" } do refused(function(res) res.headers[name] = "1" end,
      "a header's name") end
    for _, name in ipairs { "Content-Length", "Transfer-Encoding", "connection", "Date" } do
      refused(function(res) res.headers[name] = "1" end, name:lower() .. " is set by the server", "app_response_spec.lua")
    end
    refused(function(res) res.headers["X-A"] = {{}} end, "not a table")
    refused(function(res) res.headers["X-A"] = true end, "not a boolean")
    refused(function(res) res.headers[1] = "x" end)
  end)

  it("say the content type when the handler does not", function()
    local got = answer(function(_, res)
      res.headers["Content-Type"] = "application/xml"
      return "<a/>"
    end)
    assert.equal("application/xml", got.headers["content-type"])
  end)
end)

describe("an answer", function()
  it("is text, HTML or JSON", function()
    for path, case in pairs {
      ["/t"] = { function(res) return res:text("t", 201) end, 201, "t", "text/plain; charset=utf-8" },
      ["/h"] = { function(res) res:html "<b>" end, 200, "<b>", "text/html; charset=utf-8" },
      ["/j"] = { function(res) res:json({ 1 }, 202) end, 202, "[1]", "application/json" },
      ["/b"] = { function(res) res:json(false) end, 200, "false", "application/json" },
      ["/last"] = { function(res) res:text "x" res:html "y" end, 200, "y", "text/html; charset=utf-8" },
      ["/404"] = { function(res) return 404, res:html "none" end, 404, "none", "text/html; charset=utf-8" },
    } do
      app:get(path, function(_, res) return case[1](res) end)
      local got = app:test(path)
      assert.same({ table.unpack(case, 2) }, { got.status, got.body, got.headers["content-type"] }, path)
    end
    refused(function(res) res:html(7) end, "html takes a text")
    refused(function(res) res:text() end)
    refused(function(res) res:json(print) end, "no JSON form")
    refused(function(res) res:html("x", 99) end, "from 200 to 599")
    refused(function(res) res.html "x" end, "res:html")
  end)

  it("without a body has none", function()
    for _, status in ipairs { 204, 205, 304 } do
      app:get("/" .. status, function() return status, "text" end)
      local got = app:test("/" .. status)
      assert.same({ status, "" }, { got.status, got.body })
      assert.is_nil(got.headers["content-type"])
    end
  end)
end)

describe("a redirect", function()
  it("leads to a path of this site, or to a whole address", function()
    for _, target in ipairs { "/a", "a/b", "?x=1", "#top", "/", "https://example.com/a?b=//c", "http://[::1]:80/",
      "/a?next=https://x", "a?b:c", "/a:b" } do
      app = weft.app()
      local got = answer(function(_, res) return res:redirect(target) end)
      assert.same({ 302, target, "" }, { got.status, got.headers.location, got.body }, target)
    end
    app = weft.app()
    assert.equal("/%C3%BC", answer(function(_, res) res:redirect "/ü" end, { path = "/" }).headers.location)
    app = weft.app()
    assert.equal(303, answer(function(_, res) res:redirect "/" end, { method = "POST" }).status)
    app = weft.app()
    assert.equal(307, answer(function(_, res) res:redirect("/", 307) end, { method = "POST" }).status)
  end)

  it("leads nowhere else", function()
    for _, target in ipairs { "//evil.com", "/\\evil.com", "\\\\evil.com", "\\/evil.com", "///evil.com",
      "javascript:alert(1)", "data:text/html,x",
      "https:evil.com", "https:/evil.com", "https:///evil.com", "https://\\evil.com", "mailto:a@b", "", " /a",
        "/a\r\nSet-Cookie: a=1", "/\t/evil.com",
      "\t//evil.com", "/a b", "a\\b:c", "x:y" } do
      refused(function(res) res:redirect(target) end)
    end
    refused(function(res) res:redirect() end)
    refused(function(res) res:redirect("/", 200) end, "from 300 to 399")
  end)
end)

describe("a cookie", function()
  it("has its attributes", function()
    for line, given in pairs {
      ["a=1; Path=/"] = { "a", "1" },
      ["a=; Path=/; Max-Age=0"] = { "a", "", { max_age = 0 } },
      ["a=1; Path=/x; Domain=example.com; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; HttpOnly; SameSite=Lax"] =
        { "a", "1", { path = "/x", domain = "example.com", max_age = 60, expires = 0, secure = true, http_only = true,
          same_site = "lax" } },
      ["__Host-a=1; Path=/; Secure; SameSite=None"] = { "__Host-a", "1", { secure = true, same_site = "none" } },
    } do
      app = weft.app()
      assert.equal(line, answer(function(_, res) res:cookie(given[1], given[2], given[3]) end).headers["set-cookie"])
    end
    app = weft.app()
    local got = answer(function(_, res)
      res:cookie("a", "1")
      res:cookie("b", "2")
    end)
    assert.same({ a = "1", b = "2" }, got.cookies)
  end)

  it("that no browser would take is refused", function()
    for _, given in ipairs {
      { "", "1" }, { "a b", "1" }, { "a=b", "1" }, { "a;b", "1" }, { "ü", "1" }, { "a\r\n", "1" }, { 1, "1" },
      { "a", "1;b" }, { "a", "1 2" }, { "a", "\r\nX: y" }, { "a", '"' }, { "a", "1,2" }, { "a", "\\" }, { "a", "ü" }, { "a",
        1 }, { "a" },
      { "a", ("x"):rep(4096) }, { "a", "1", { path = "x" } }, { "a", "1", { path = "/;x" } }, { "a", "1", { path = "/\r\n" } },
      { "a", "1", { domain = "a;b" } }, { "a", "1", { domain = "" } }, { "a", "1", { max_age = 1.5 } }, { "a", "1",
        { max_age = "1" } },
      { "a", "1", { expires = "tomorrow" } }, { "a", "1", { same_site = "some" } }, { "a", "1", { same_site = "none" } },
      { "__Host-a", "1" }, { "__host-a", "1", { secure = true, path = "/x" } }, { "__Host-a", "1", { secure = true,
        domain = "a.b" } },
      { "__Secure-a", "1" }, { "a", "1", { maxage = 1 } }, { "a", "1", "x" },
    } do
      assert.is_table(inside(function(res) res:cookie(table.unpack(given, 1, 3)) end), weft.encode(weft.array(given)))
      refused(function(res) res:cookie(table.unpack(given, 1, 3)) end)
    end
  end)
end)

describe("a stream", function()
  it("sends each chunk as it is written, and ends", function()
    local x = exchange { path = "/" }
    app:get("/", function(_, res)
      res.status = 202
      res.headers["X-A"] = "1"
      res:write "a"
      assert.same({ 202, { "a" }, false }, { x.status, x.chunks, x.ended })
      res:write ""
      res:write "b"
    end)
    app:dispatch(x)
    assert.same({ { "a", "b" }, true, { "x-a", "1", "content-type", "text/plain; charset=utf-8" } }, { x.chunks, x.ended,
      x.sent_headers })
  end)

  it("cannot be answered any more, and is not ended when it fails", function()
    local said = {}
    finally(weft.on("error", function(info) said[#said + 1] = info end))
    local errs = {}
    for _, fn in ipairs {
      function(res) res:html "x" end, function(res) res:redirect "/" end, function(res) res:cookie("a", "b") end,
      function(res) res:json {} end, function(res) res:file "x" end, function(res) res:before_head(print) end,
    } do
      app = weft.app()
      answer(function(_, res)
        res:write "a"
        errs[#errs + 1] = select(2, pcall(fn, res))
      end)
    end
    assert.equal(6, #errs)
    for _, err in ipairs(errs) do assert.equal("usage", err.kind) end
    assert.equal(0, #said)
    app = weft.app()
    app:get("/", function(_, res)
      res:write "a"
      error "half way"
    end)
    local x = exchange { path = "/" }
    app:dispatch(x)
    assert.same({ 200, { "a" }, false, 1 }, { x.status, x.chunks, x.ended, #said })
    app:get("/both", function(_, res)
      res:write "a"
      return { 1 }
    end)
    x = exchange { path = "/both" }
    app:dispatch(x)
    assert.same({ { "a" }, false, 2 }, { x.chunks, x.ended, #said })
  end)

  it("to a client that is gone ends the handler, and nobody is told", function()
    local said, after = 0, false
    finally(weft.on("error", function() said = said + 1 end))
    app:get("/", function(_, res)
      res:write "a"
      after = true
    end)
    app:dispatch(exchange { path = "/", gone = true })
    assert.same({ 0, false }, { said, after })
  end)

  it("of events has their lines", function()
    local got = answer(function(_, res)
      res:event { data = "one" }
      res:event { event = "e", id = 7, retry = 1000, data = "a\nb\r\nc\rd" }
      res:event { data = { a = "x\ny" } }
      res:event { comment = "still here" }
      res:event { data = "" }
    end)
    assert.equal('data: one\n\nevent: e\nid: 7\nretry: 1000\ndata: a\ndata: b\ndata: c\ndata: d\n\n'
      .. 'data: {"a":"x\\ny"}\n\n: still here\n\ndata: \n\n', got.body)
    assert.same({ "text/event-stream", "no-cache" }, { got.headers["content-type"], got.headers["cache-control"] })
    refused(function(res) res:event "x" end)
    refused(function(res) res:event { event = "a\ndata: x" } end, "one line")
    refused(function(res) res:event { id = "a\0" } end, "one line")
    refused(function(res) res:event { retry = "1" } end, "whole number")
    refused(function(res) res:event { dat = 1 } end, "did you mean 'data'?")
    refused(function(res) res:write(1) end, "write takes a text")
  end)
end)

describe("before_head", function()
  it("is called last to first, once, before whatever is sent", function()
    local list = {}
    app:use(function(_, res, next)
      for i = 1, 2 do
        res:before_head(function()
          list[#list + 1] = i
          res.headers["X-" .. i] = "1"
        end)
      end
      return next()
    end)
    app:get("/stream", function(_, res) res:write "x" end)
    for _, path in ipairs { "/stream", "/none" } do
      local got = app:test(path)
      assert.same({ "1", "1" }, { got.headers["x-1"], got.headers["x-2"] }, path)
    end
    assert.same({ 2, 1, 2, 1 }, list)
    refused(function(res) res:before_head() end)
  end)
end)

describe("static files", function()
  local folder

  before_each(function()
    folder = shell.must("mktemp -d"):gsub("%s+$", "")
    shell.must("cd " .. shell.quote(folder)
      .. " && mkdir -p public/sub public/.hidden && echo -n secret >secret.txt && cd public && "
      .. "echo -n css >a.css && echo -n index >index.html && echo -n sub >sub/index.html && echo -n x >.env && echo -n x >.hidden/x && "
      .. "ln -s a.css inside.css && ln -s ../secret.txt out.txt && ln -s .. up && ln -s /etc/passwd abs && mkdir empty && echo -n b >'b c.txt' && "
      .. "mkdir ../public2 && echo -n secret >../public2/x")
    app:static("/assets", folder .. "/public", { max_age = 60 })
  end)
  after_each(function() shell.must("rm -rf " .. shell.quote(folder)) end)

  it("are those of the folder", function()
    for path, want in pairs {
      ["/assets/a.css"] = "css", ["/assets/"] = "index", ["/assets/sub/"] = "sub", ["/assets/inside.css"] = "css",
        ["/assets/b%20c.txt"] = "b",
      ["/assets/index.html"] = "index",
    } do
      local got = app:test(path)
      assert.same({ 200, want, "public, max-age=60" }, { got.status, got.body, got.headers["cache-control"] }, path)
    end
    assert.equal("/assets/", app:test("/assets").headers.location)
    assert.equal("/assets/sub/?a", app:test("/assets/sub?a").headers.location)
    assert.same({ 200, "" }, { app:test({ method = "HEAD", path = "/assets/a.css" }).status, app:test({ method = "HEAD",
      path = "/assets/a.css" }).body })
    assert.equal(405, app:test({ method = "POST", path = "/assets/a.css" }).status)
  end)

  it("are none outside, hidden or of odd names", function()
    for _, path in ipairs { "/assets/../secret.txt", "/assets/..%2fsecret.txt", "/assets/%2e%2e/secret.txt", "/assets/.env",
      "/assets/.hidden/x", "/assets/out.txt",
      "/assets/up/secret.txt", "/assets/abs", "/assets//a.css", "/assets/sub//index.html", "/assets/none", "/assets/empty/",
        "/assets/./a.css", "/assets/sub/../a.css",
      "/assets/..\\secret.txt", "/assets/a.css%00.txt", "/assets/a.css/", "/assets/../public2/x",
        "/assets/sub%2findex.html/..", "/assets//etc/passwd" } do
      local got = app:test(path)
      assert.equal(404, got.status, path)
      assert.falsy(got.body:find("secret", 1, true))
      assert.is_nil(got.headers["cache-control"])
    end
  end)

  it("take a folder and options that are known", function()
    raises("usage", function() app:static "/x" end, "a prefix and a folder")
    raises("usage", function() app:static("x", "y") end, "begins with '/'")
    raises("usage", function() app:static("/x", "y", { maxage = 1 }) end, "did you mean 'max_age'?")
    raises("usage", function() app:static("/x", "y", { max_age = -1 }) end)
    raises("usage", function() app:static("/x", "y", { index = "../x" }) end)
    app:static("/none", folder .. "/none")
    assert.equal(404, app:test("/none/a").status)
    app:static("/plain", folder .. "/public", { index = false })
    assert.same({ 404, 404 }, { app:test("/plain/").status, app:test("/plain/sub").status })
  end)

  it("may be named by a handler", function()
    app:get("/file/:name", function(req, res) return res:file(folder .. "/public/" .. req.params.name) end)
    assert.equal("css", app:test("/file/a.css").body)
    assert.equal(404, app:test("/file/none").status)
    assert.equal(404, app:test("/file/sub").status)
    refused(function(res) res:file "a\0b" end)
    refused(function(res) res:file() end)
  end)
end)
