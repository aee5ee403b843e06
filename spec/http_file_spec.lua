-- SPDX-License-Identifier: MIT
-- Static files of bindings/http.

local http = require "spec.support.http"
local shell = require "spec.support.shell"

describe("a static file", function()
  local folder, server
  local text = ("0123456789"):rep(500)
  local large = ("All work and no play. "):rep(500000)

  setup(function()
    folder = shell.must "mktemp -d":gsub("%s+$", "")
    local function write(name, content) shell.write(folder .. "/" .. name, content) end
    write("page.html", "<p>page</p>")
    write("style.css", text)
    write("picture.png", text)
    write("empty.txt", "")
    write("large.bin", large)
    write("large.txt", large)
    write("both.js", text)
    write("stale.js", text)
    write("name without dot", "?")
    write("UPPER.HTML", "<p>")
    shell.must(("cd %s && mkdir sub && mkfifo pipe && gzip -k both.js stale.js && touch -d '2001-02-03 04:05:06 UTC' picture.png stale.js.gz")
      :format(shell.quote(folder)))
    server = http.serve { folder = folder }
  end)
  teardown(function()
    server.close()
    shell.must("rm -rf " .. shell.quote(folder))
  end)

  ---The head, and the body as it came.
  local function get(path, ...)
    local words = { "-D", folder .. "/head", "-o", folder .. "/body" }
    for _, header in ipairs { ... } do
      words[#words + 1] = header == "HEAD" and "-I" or "-H"
      if header ~= "HEAD" then words[#words + 1] = header end
    end
    words[#words + 1] = "http://" .. server.address .. "/file/" .. path
    os.remove(folder .. "/body")
    http.curl(table.unpack(words))
    return shell.read(folder .. "/head"), shell.read(folder .. "/body") or ""
  end

  local function value(head, name) return head:match("\r\n" .. name:gsub("%-", "%%-") .. ": ([^\r]*)\r\n") end
  local function status(head) return tonumber(head:match "^HTTP/1.1 (%d+)") end

  local types = {
    { "page.html", "text/html; charset=utf-8" }, { "style.css", "text/css; charset=utf-8" }, { "picture.png", "image/png" },
    { "UPPER.HTML", "text/html; charset=utf-8" }, { "name%20without%20dot", "application/octet-stream" },
    { "both.js", "text/javascript; charset=utf-8" },
  }
  for _, row in ipairs(types) do
    it(("has a type: %s"):format(row[1]), function()
      local head, body = get(row[1])
      assert.equal(200, status(head))
      assert.equal(row[2], value(head, "Content-Type"))
      assert.equal(tonumber(value(head, "Content-Length")), #body)
    end)
  end

  it("comes whole, whatever its size", function()
    assert.equal("<p>page</p>", (select(2, get "page.html")))
    assert.equal("", (select(2, get "empty.txt")))
    assert.equal("0", value(get "empty.txt", "Content-Length"))
    assert.equal(large, (select(2, get "large.bin")))
  end)

  it("is not found when it is none", function()
    for _, path in ipairs { "nothing", "sub", "sub/", "pipe", "page.html/" } do assert.equal(404, status((get(path)))) end
  end)

  it("has a head alone for HEAD", function()
    local head, body = get("large.bin", "HEAD")
    assert.equal(200, status(head))
    assert.equal(#large, tonumber(value(head, "Content-Length")))
    assert.falsy(body:find "work")
    local last = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    local both = http.once(server.address, "HEAD /file/style.css HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n" .. last)
    assert.truthy(both:find "\r\n\r\nHTTP/1.1 200")
  end)

  describe("is not sent again", function()
    it("when its tag is known", function()
      local tag = value(get "style.css", "ETag")
      assert.truthy(tag:find '^"%x+%-%x+"$')
      for _, known in ipairs { tag, "W/" .. tag, '"a", ' .. tag .. ', "b"', "*" } do
        local head, body = get("style.css", "If-None-Match: " .. known)
        assert.equal(304, status(head))
        assert.equal("", body)
        assert.equal(tag, value(head, "ETag"))
        assert.falsy(head:find "Content%-Length")
      end
      assert.equal(200, status((get("style.css", 'If-None-Match: "other"'))))
    end)

    it("when it has not changed since", function()
      assert.equal("Sat, 03 Feb 2001 04:05:06 GMT", value(get "picture.png", "Last-Modified"))
      local cases = {
        { "Sat, 03 Feb 2001 04:05:06 GMT", 304 }, { "Sun, 04 Feb 2001 04:05:06 GMT", 304 }, { "Sat, 03 Feb 2001 04:05:05 GMT", 200 },
        { "yesterday", 200 }, { "Sat, 03 Feb 2001 04:05:06 CET", 200 }, { "Sat, 03 Foo 2001 04:05:06 GMT", 200 },
      }
      for _, case in ipairs(cases) do assert.equal(case[2], status((get("picture.png", "If-Modified-Since: " .. case[1]))), case[1]) end
    end)

    it("unless the tag says otherwise", function()
      assert.equal(200, status((get("picture.png", "If-Modified-Since: Sat, 03 Feb 2001 04:05:06 GMT", 'If-None-Match: "x"'))))
    end)
  end)

  describe("by a range", function()
    local n = #text
    local cases = {
      { "bytes=0-9", 206, "bytes 0-9/5000", text:sub(1, 10) }, { "bytes=10-10", 206, "bytes 10-10/5000", "0" },
      { "bytes=4990-", 206, "bytes 4990-4999/5000", text:sub(4991) }, { "bytes=-5", 206, "bytes 4995-4999/5000", "56789" },
      { "bytes=-9999", 206, "bytes 0-4999/5000", text }, { "bytes=4999-9999", 206, "bytes 4999-4999/5000", "9" },
      { "bytes=0-99999999999999999999", 200, nil, text }, { "bytes=5000-", 416, "bytes */5000", "" }, { "bytes=-0", 416, "bytes */5000", "" },
      { "bytes=9-3", 200, nil, text }, { "bytes=0-1,3-4", 200, nil, text }, { "bytes=a-b", 200, nil, text }, { "bytes=", 200, nil, text },
      { "bytes=-", 200, nil, text }, { "lines=1-2", 200, nil, text }, { "bytes=1", 200, nil, text }, { "bytes=+1-2", 200, nil, text },
    }
    for _, case in ipairs(cases) do
      it(("%s answers %d"):format(case[1], case[2]), function()
        local head, body = get("picture.png", "Range: " .. case[1])
        assert.equal(case[2], status(head))
        assert.equal(case[3], value(head, "Content-Range"))
        assert.equal(case[4], body)
        assert.equal(#body, tonumber(value(head, "Content-Length")))
      end)
    end

    it("counts only for the version it was meant for", function()
      local head = get "picture.png"
      for _, same in ipairs { value(head, "ETag"), value(head, "Last-Modified") } do
        assert.equal(206, status((get("picture.png", "Range: bytes=0-1", "If-Range: " .. same))))
      end
      for _, other in ipairs { '"x"', "W/" .. value(head, "ETag"), "Sat, 03 Feb 2001 04:05:07 GMT" } do
        assert.equal(200, status((get("picture.png", "Range: bytes=0-1", "If-Range: " .. other))))
      end
      assert.equal("bytes", value(head, "Accept-Ranges"))
    end)

    it("means nothing to HEAD", function()
      local head = get("picture.png", "HEAD", "Range: bytes=0-1")
      assert.equal(200, status(head))
      assert.equal(n, tonumber(value(head, "Content-Length")))
    end)
  end)

  describe("compressed", function()
    local function unzip() return shell.must("gzip -dc <" .. shell.quote(folder .. "/body")) end

    it("is the one beside it, with a tag of its own", function()
      local head = get("both.js", "Accept-Encoding: gzip")
      assert.equal("gzip", value(head, "Content-Encoding"))
      assert.equal("text/javascript; charset=utf-8", value(head, "Content-Type"))
      assert.equal("Accept-Encoding", value(head, "Vary"))
      assert.equal(#shell.read(folder .. "/both.js.gz"), tonumber(value(head, "Content-Length")))
      assert.equal(text, unzip())
      local plain = get "both.js"
      assert.equal(1, select(2, plain:gsub("Vary: Accept%-Encoding\r\n", "")))
      assert.falsy(value(plain, "Content-Encoding"))
      assert.truthy(value(plain, "ETag") ~= value(head, "ETag"))
    end)

    it("is made while it is sent when there is none, or an old one", function()
      for _, name in ipairs { "style.css", "stale.js", "large.txt" } do
        local head = get(name, "Accept-Encoding: gzip")
        assert.equal("gzip", value(head, "Content-Encoding"))
        assert.equal("chunked", value(head, "Transfer-Encoding"))
        assert.truthy(value(head, "ETag"):find "^W/")
        assert.equal(shell.read(folder .. "/" .. name), unzip())
        assert.equal(304, status((get(name, "Accept-Encoding: gzip", "If-None-Match: " .. value(head, "ETag")))))
      end
    end)

    it("is not when that gains nothing", function()
      for _, name in ipairs { "picture.png", "page.html" } do
        assert.falsy(value(get(name, "Accept-Encoding: gzip"), "Content-Encoding"))
      end
    end)
  end)

  it("is sent no faster than its client reads, and to many", function()
    local talks = {}
    for i = 1, 20 do
      talks[i] = http.talk(server.address)
      finally(talks[i].close)
      talks[i].send "GET /file/large.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    end
    assert.truthy(http.await(function() return server.stats().in_flight == 20 end))
    assert.truthy(http.curl("http://" .. server.address .. "/hello"):find "Hello")
    for i = 1, 19 do assert.truthy((talks[i].read()):sub(-#large) == large) end
    talks[20].reset()
    assert.truthy(http.await(function() return server.stats().in_flight == 0 end))
    if os.getenv "WEFT_SPEC_MODE" == "release" then assert.truthy(select(2, server.memory()) < 40 * 1024 * 1024) end
  end)

  -- A file system in memory can often not say whether a read would wait.
  it("is read elsewhere when the read might wait", function()
    local shm = shell.must "mktemp -d -p /dev/shm":gsub("%s+$", "")
    finally(function() shell.must("rm -rf " .. shell.quote(shm)) end)
    shell.write(shm .. "/large.bin", large)
    local own = http.serve { folder = shm }
    finally(own.close)
    local talks = {}
    for i = 1, 9 do
      talks[i] = http.talk(own.address)
      finally(talks[i].close)
      talks[i].send "GET /file/large.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      if i > 6 then talks[i].reset() end
    end
    for i = 1, 5 do assert.truthy((talks[i].read()):sub(-#large) == large) end
    assert.truthy(http.await(function() return own.stats().in_flight <= 1 end))
  end)

  it("that becomes shorter while it is sent cuts the connection", function()
    shell.write(folder .. "/short.bin", large)
    local talk = http.talk(server.address)
    finally(talk.close)
    talk.send "GET /file/short.bin HTTP/1.1\r\nHost: x\r\n\r\n"
    talk.up_to(1, "All work")
    shell.write(folder .. "/short.bin", "short")
    local _, how = talk.read()
    assert.equal("reset", how)
    assert.truthy(http.await(function() return server.stats().in_flight == 0 end))
  end)
end)
