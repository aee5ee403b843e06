-- SPDX-License-Identifier: MIT
-- The HTTP server of bindings/http, driven by curl and by raw bytes.

local http = require "spec.support.http"
local shell = require "spec.support.shell"

local MB = 1024 * 1024

local function get(path, ...)
  return ("GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n"):format(path, table.concat({ ... }, "\r\n") .. (... and "\r\n" or ""))
end
local last = get("/hello", "Connection: close")

---A server for one fact.
local function serve(options, address)
  local server = http.serve(options, address)
  finally(server.close)
  return server
end

---A connection for one fact.
local function talk_to(server)
  local talk = http.talk(server.address)
  finally(talk.close)
  return talk
end

local function url(server, path) return "http://" .. server.address .. path end

describe("the HTTP server", function()
  local server

  setup(function() server = http.serve() end)
  teardown(function() server.close() end)

  describe("answers", function()
    it("with Date, Server and Content-Length", function()
      local text = http.curl("-i", url(server, "/hello"))
      assert.truthy(text:find "^HTTP/1.1 200 OK\r\n")
      assert.truthy(text:find "\r\nServer: weft\r\n")
      assert.truthy(text:find "\r\nDate: %a%a%a, %d%d %a%a%a 20%d%d %d%d:%d%d:%d%d GMT\r\n")
      assert.truthy(text:find "\r\nContent%-Length: 27\r\n")
      assert.falsy(text:find "\r\nConnection:")
      assert.truthy(text:find('\r\n\r\n{"message":"Hello, World!"}$'))
    end)

    it("HEAD with the head that GET has, and no body", function()
      local function head(text) return (text:gsub("Date:[^\r]*", "")) end
      for _, path in ipairs { "/hello", "/big?bytes=5000&type=1" } do
        local by_get = http.curl("-i", "--compressed", url(server, path)):match "^(.-\r\n\r\n)"
        assert.equal(head(by_get), head(http.curl("-I", "--compressed", url(server, path))))
      end
      for _, path in ipairs { "/stream", "/stream?type=1", "/events", "/confused?how=1" } do
        local text = http.once(server.address, "HEAD " .. path .. " HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n" .. last)
        assert.same({ 200, 200 }, http.statuses(text))
        assert.truthy(text:find "Transfer%-Encoding: chunked\r\n\r\nHTTP", text)
      end
    end)

    it("204 and 304 without a body or a length", function()
      for _, status in ipairs { 204, 304 } do
        local text = http.once(server.address, get("/status?is=" .. status) .. last)
        assert.same({ status, 200 }, http.statuses(text))
        assert.falsy(text:match("^(.-)\r\n\r\n"):find "Content%-Length")
        assert.truthy(text:find "^[^{]-\r\n\r\nHTTP/1.1 200")
      end
    end)

    it("any status from 200 to 999, and 500 for what is none", function()
      local text = http.once(server.address, get "/status?is=201" .. get "/status?is=418" .. get "/status?is=799" ..
        get "/status?is=100" .. get "/status?is=1000" .. last)
      assert.same({ 201, 418, 799, 500, 500, 200 }, http.statuses(text))
      assert.truthy(text:find "^HTTP/1.1 201 Created\r\n")
    end)

    it("with an id of its own for each request", function()
      local ids = {}
      for id in http.once(server.address, get "/a" .. get "/b" .. get("/c", "X-Request-Id: mine", "Connection: close")):gmatch '"id":"(%w+)"' do
        assert.truthy(id:find "^%x+$" and #id == 32)
        ids[id] = true
        ids[#ids + 1] = id
      end
      assert.equal(3, #ids)
      assert.truthy(ids[1] ~= ids[2] and ids[2] ~= ids[3])
    end)

    it("500 for a handler that leaves a request unanswered, and goes on", function()
      local text = http.once(server.address, get "/drop" .. last)
      assert.same({ 500, 200 }, http.statuses(text))
    end)

    it("in one way, although the handler confuses two", function()
      assert.same({ 200, 200 }, http.statuses((http.once(server.address, get "/confused?how=0" .. last))))
      local text = http.once(server.address, get "/confused?how=1" .. last)
      assert.truthy(text:find "no stream before\r\n0\r\n\r\nHTTP/1.1 200")
      text = http.once(server.address, get "/confused?how=2" .. last)
      assert.same({ 200 }, http.statuses(text))
      assert.falsy(text:find("\r\n0\r\n", 1, true))
    end)
  end)

  describe("keeps a connection", function()
    local cases = {
      { "HTTP/1.1", "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", true },
      { "HTTP/1.1 with close", "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false },
      { "HTTP/1.1 with close in a list", "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n", false },
      { "HTTP/1.0", "GET /hello HTTP/1.0\r\n\r\n", false },
      { "HTTP/1.0 with keep-alive", "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true },
    }
    for _, case in ipairs(cases) do
      it((case[3] and "open after " or "no longer than ") .. case[1], function()
        local text, how = http.once(server.address, case[2] .. last)
        assert.same(case[3] and { 200, 200 } or { 200 }, http.statuses(text))
        assert.equal(case[1] == "HTTP/1.0 with keep-alive", text:find("Connection: keep-alive", 1, true) ~= nil)
        assert.truthy(text:find "Connection: close\r\n\r\n[^\r]*$")
        assert.equal("eof", how)
      end)
    end
  end)

  describe("takes pipelined requests", function()
    it("in order, although the first is slow", function()
      local text = http.once(server.address, get "/slow?ms=50" .. get "/status?is=201" .. get "/slow?ms=5" .. get "/status?is=202" .. last)
      assert.same({ 200, 201, 200, 202, 200 }, http.statuses(text))
    end)

    it("by the hundred thousand, in little memory", function()
      local own = serve()
      local talk = talk_to(own)
      talk.many(100000, get "/hello")
      talk.send(last)
      local text, how = talk.read()
      assert.equal("eof", how)
      assert.equal(100001, select(2, text:gsub("HTTP/1%.1 200 OK\r\n", "")))
      if os.getenv "WEFT_SPEC_MODE" == "release" then assert.truthy(select(2, own.memory()) < 16 * MB) end
      assert.equal(100001, own.stats().requests)
    end)

    it("until their client takes no more answers", function()
      local own = serve()
      local talk = talk_to(own)
      local request = get "/big?bytes=1000"
      local filler = http.talk(own.address)
      finally(filler.close)
      -- sends without reading: the server stops reading when its answers are stuck
      local sent = filler.send(get "/stream?bytes=100000000") == "ok" and filler.fill(64 * MB)
      assert.truthy(sent < 32 * MB, sent)
      talk.send(request .. last)
      assert.same({ 200, 200 }, http.statuses((talk.read())))
      if os.getenv "WEFT_SPEC_MODE" == "release" then assert.truthy(select(2, own.memory()) < 16 * MB) end
    end)

    it("and leaves those alone that follow an end", function()
      local text = http.once(server.address, last .. last)
      assert.same({ 200 }, http.statuses(text))
    end)
  end)

  describe("with a client", function()
    it("that ends its side after the request answers all the same", function()
      for _, path in ipairs { "/hello", "/slow?ms=50", "/stream?bytes=3000000", "/events?n=3" } do
        local talk = talk_to(server)
        talk.send(get "/status?is=201" .. get(path))
        talk.shut()
        local text, how = talk.read()
        assert.same({ 201, 200 }, http.statuses(text), path)
        assert.equal("eof", how)
      end
    end)

    it("that ends in the middle of a request says 400", function()
      for _, bytes in ipairs { "GET / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel" } do
        local talk = talk_to(server)
        talk.send(bytes)
        talk.shut()
        local text, how = talk.read()
        assert.same({ 400 }, http.statuses(text))
        assert.equal("eof", how)
      end
    end)

    it("that comes and goes without a word does nothing", function()
      local before = server.stats()
      for _ = 1, 3 do
        local talk = http.talk(server.address)
        talk.shut()
        assert.same({ "", "eof" }, { talk.read() })
        talk.close()
      end
      local after = server.stats()
      assert.equal(before.connections + 3, after.connections)
      assert.equal(before.requests, after.requests)
      assert.equal(before.ended, after.ended)
    end)

    it("that resets in the middle of everything goes on", function()
      local own = serve()
      for _, bytes in ipairs { "GET / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhel", get "/slow?ms=30", get "/hold",
        get "/stream?bytes=1000000000", get "/events?n=100", get "/hello" } do
        local talk = http.talk(own.address)
        talk.send(bytes)
        if bytes:find "stream" then talk.up_to(1, "HTTP/1.1 200") end
        talk.reset()
        talk.close()
      end
      assert.truthy(http.await(function() return own.stats().open == 0 end))
      own.ask "finish"
      assert.truthy(http.await(function() return own.stats().in_flight == 0 end))
      assert.truthy(http.curl(url(own, "/hello")):find "Hello")
      assert.truthy(own.stats().resets >= 4)
    end)

    it("that waits for a word before it sends its body gives it", function()
      local talk = talk_to(server)
      talk.send "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
      assert.equal("HTTP/1.1 100 Continue\r\n\r\n", (talk.up_to(1, "\r\n\r\n")))
      talk.send "hi"
      assert.truthy(talk.read():find '"body":"hi"')
      assert.truthy(http.curl("-H", "Expect: 100-continue", "-d", "name=value", url(server, "/")):find '"body":"name=value"')
    end)

    it("that waits for no word is given none", function()
      for _, request in ipairs { "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
        "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        "POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi" } do
        assert.same({ 200 }, http.statuses((http.once(server.address, request))))
      end
    end)
  end)

  describe("refuses what is too large", function()
    local cases = {
      { "a target of 9000 bytes", get("/" .. ("a"):rep(9000)), 414 },
      { "a request line that has no end", "GET /" .. ("a"):rep(1000000), 414 },
      { "a header of a megabyte", get("/", "X-A: " .. ("a"):rep(MB)), 431 },
      { "a name of a megabyte", get("/", ("a"):rep(MB) .. ": x"), 431 },
      { "101 headers", get("/", table.unpack((function()
        local list = {}
        for i = 1, 100 do list[i] = "X-" .. i .. ": y" end
        return list
      end)())), 431 },
      { "a length of two megabytes", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2097152\r\n\r\n" .. ("a"):rep(100000), 413 },
      { "chunks without an end", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" ..
        ("10000\r\n" .. ("a"):rep(65536) .. "\r\n"):rep(64), 413 },
    }
    for _, case in ipairs(cases) do
      it(case[1] .. ", with " .. case[3], function()
        local text, how = http.once(server.address, case[2])
        assert.same({ case[3] }, http.statuses(text))
        assert.truthy(text:find "Connection: close\r\n")
        assert.equal("eof", how)
      end)
    end

    it("but not 8192 bytes of target, 100 headers and a megabyte of body", function()
      local headers = {}
      for i = 1, 97 do headers[i] = "X-" .. i .. ": y" end
      local text = http.once(server.address, "POST /" .. ("a"):rep(8191) .. " HTTP/1.1\r\nHost: x\r\nContent-Length: " .. MB ..
        "\r\n" .. table.concat(headers, "\r\n") .. "\r\nConnection: close\r\n\r\n" .. ("b"):rep(MB))
      assert.same({ 200 }, http.statuses(text))
      assert.equal(MB, #text:match '"body":"(b*)"')
    end)

    it("more requests at a time than it may handle, with 503 and Retry-After, and keeps the connection", function()
      local own = serve { max_in_flight = 1 }
      local first, second = talk_to(own), talk_to(own)
      first.send(get("/hold", "Connection: close"))
      assert.truthy(http.await(function() return own.stats().in_flight == 1 end))
      second.send(get "/hello")
      local text = second.up_to(1, "}}")
      assert.same({ 503 }, http.statuses(text))
      assert.truthy(text:find "Retry%-After: 1\r\n")
      own.ask "finish"
      assert.same({ 200 }, http.statuses((first.read())))
      second.send(last)
      assert.same({ 200 }, http.statuses((second.read())))
    end)

    it("more connections than it may have", function()
      local own = serve { max_connections = 2 }
      local first, second = talk_to(own), talk_to(own)
      first.send(get "/hello")
      second.send(get "/hello")
      first.up_to(1, "}")
      second.up_to(1, "}")
      local third = talk_to(own)
      assert.equal("", (third.read()))
      second.reset()
      assert.truthy(http.await(function() return own.stats().open == 1 end))
      assert.same({ 200 }, http.statuses((http.once(own.address, last))))
    end)
  end)

  describe("ends slow clients", function()
    local MS = 1000000

    it("that dribble a head, with 408", function()
      local own = serve { head_ns = 100 * MS }
      local talk = talk_to(own)
      talk.send "GET / HTTP/1.1\r\nHost:"
      local text, how = talk.read()
      assert.same({ 408 }, http.statuses(text))
      assert.equal("eof", how)
      assert.equal(1, own.stats().timeouts)
    end)

    it("also when bytes keep coming", function()
      local own = serve { head_ns = 100 * MS }
      local talk = talk_to(own)
      talk.send "GET / HTTP/1.1\r\n"
      local sent = 0
      while talk.send "X" == "ok" and sent < 1000 and own.stats().timeouts == 0 do
        sent = sent + 1
        shell.sleep(0.01)
      end
      assert.same({ 408 }, http.statuses((talk.read())))
    end)

    it("that dribble a body, with 408", function()
      local own = serve { body_ns = 100 * MS }
      local talk = talk_to(own)
      talk.send "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhel"
      assert.same({ 408 }, http.statuses((talk.read())))
    end)

    it("but not those whose large body comes steadily", function()
      local own = serve { body_ns = 1500 * MS, max_body = 2 * MB }
      local talk = talk_to(own)
      talk.send("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " .. 16 * 65536 .. "\r\n\r\n")
      for _ = 1, 16 do
        talk.send(("b"):rep(65536))
        shell.sleep(0.1)
      end
      assert.same({ 200 }, http.statuses((talk.read())))
    end)

    it("that say nothing more, silently", function()
      local own = serve { idle_ns = 100 * MS }
      local talk = talk_to(own)
      talk.send(get "/hello")
      local text, how = talk.read()
      assert.same({ 200 }, http.statuses(text))
      assert.equal("eof", how)
      assert.equal(0, own.stats().timeouts)
    end)

    it("that take nothing of what they asked for", function()
      local own = serve { write_ns = 200 * MS }
      local talk = talk_to(own)
      talk.send(get "/stream?bytes=1000000000")
      assert.truthy(http.await(function() return own.stats().open == 0 end))
      assert.equal(1, own.stats().timeouts)
      assert.truthy(http.await(function() return own.stats().in_flight == 0 end))
      assert.equal("reset", select(2, talk.read()))
    end)

    it("but not those that wait for a slow handler, or listen to events", function()
      local own = serve { head_ns = 50 * MS, body_ns = 50 * MS, idle_ns = 50 * MS, write_ns = 50 * MS }
      assert.truthy(http.curl(url(own, "/slow?ms=300")):find "Hello")
      assert.equal(30, select(2, http.curl(url(own, "/events?n=30")):gsub("tick", "")))
    end)
  end)

  describe("streams", function()
    it("in chunks to HTTP/1.1, and keeps the connection", function()
      local text = http.once(server.address, get "/stream?bytes=40000" .. last)
      assert.same({ 200, 200 }, http.statuses(text))
      assert.truthy(text:find "Transfer%-Encoding: chunked\r\n\r\n4000\r\nThe same")
      assert.truthy(text:find "\r\n0\r\n\r\nHTTP/1.1")
      assert.equal(1000000, #http.curl(url(server, "/stream?bytes=1000000")))
    end)

    it("to the end of the connection to HTTP/1.0", function()
      local text, how = http.once(server.address, "GET /stream?bytes=40000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" .. last)
      assert.same({ 200 }, http.statuses(text))
      assert.equal(40000, #text:match "\r\n\r\n(.*)$")
      assert.truthy(text:find "Connection: close\r\n")
      assert.equal("eof", how)
    end)

    it("no faster than the client reads", function()
      local own = serve()
      local talk = talk_to(own)
      talk.send(get("/stream?bytes=100000000", "Connection: close"))
      assert.truthy(http.await(function() -- stuck: nothing leaves any more
        local before = own.stats().bytes_out
        shell.sleep(0.05)
        return before > 0 and own.stats().bytes_out == before
      end))
      assert.truthy(own.stats().bytes_out < 50 * MB)
      local text = talk.read()
      assert.truthy(#text > 100000000)
      assert.truthy(own.stats().drained >= 1)
      if os.getenv "WEFT_SPEC_MODE" == "release" then assert.truthy(select(2, own.memory()) < 16 * MB) end
    end)

    it("each piece at once", function()
      local talk = talk_to(server)
      talk.send(get "/events?n=1000")
      assert.truthy(talk.up_to(3, "tick\n\n"):find "text/event%-stream")
      talk.reset()
    end)

    it("nothing that looks whole when it is cut", function()
      local text, how = http.once(server.address, get "/cut")
      assert.truthy(text:find "only so much\r\n$")
      assert.equal("eof", how)
      assert.equal("reset", select(2, http.once(server.address, "GET /cut HTTP/1.0\r\n\r\n")))
    end)
  end)

  describe("compresses", function()
    local function head(path, accept)
      local out = os.tmpname()
      finally(function() os.remove(out) end)
      local text = http.curl("-D", "-", "-o", out, "-H", "Accept-Encoding: " .. accept, url(server, path))
      return text, shell.read(out)
    end

    local cases = {
      { "gzip", true }, { "GZIP", true }, { "deflate, gzip;q=0.5", true }, { "*", true }, { "br, *;q=0.1", true },
      { "gzip;q=0", false }, { "gzip;q=0.000", false }, { "*, gzip;q=0", false }, { "identity", false }, { "", false }, { "gzipped", false },
      { "x-gzip", false }, { "*;q=0", false },
    }
    for _, case in ipairs(cases) do
      it((case[2] and "for " or "nothing for ") .. "Accept-Encoding: " .. case[1], function()
        local text, body = head("/big?bytes=5000&type=1&tag=1", case[1])
        assert.equal(case[2], text:find("Content-Encoding: gzip", 1, true) ~= nil, text)
        assert.equal(case[2] and 'W/"one"' or '"one"', text:match 'ETag: ([^\r]*)')
        assert.truthy(text:find "Vary: Accept%-Encoding")
        assert.equal(tonumber(text:match "Content%-Length: (%d+)"), #body)
        assert.equal(case[2], #body < 1000)
      end)
    end

    it("what can be read again", function()
      assert.equal(http.curl(url(server, "/big?bytes=1000000&type=1")), http.curl("--compressed", url(server, "/big?bytes=1000000&type=1")))
      assert.equal(http.curl(url(server, "/stream?bytes=1000000&type=1")), http.curl("--compressed", url(server, "/stream?bytes=1000000&type=1")))
      assert.truthy(head("/stream?bytes=1000000&type=1", "gzip"):find "Content%-Encoding: gzip")
    end)

    it("no small bodies, no types that gain nothing, no event streams", function()
      assert.falsy(head("/big?bytes=1023&type=1", "gzip"):find "Encoding")
      assert.falsy(head("/big?bytes=5000", "gzip"):find "Encoding")
      assert.falsy(head("/events?n=1", "gzip"):find "Content%-Encoding")
    end)

    it("each piece of a stream so that it can be read at once", function()
      local talk = talk_to(server)
      talk.send(get("/events?n=1000&type=1", "Accept-Encoding: gzip"))
      local text = talk.up_to(4, "\x00\x00\xff\xff")
      assert.truthy(text:find "Content%-Encoding: gzip")
      talk.reset()
    end)
  end)
end)
