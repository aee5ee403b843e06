-- SPDX-License-Identifier: MIT
-- Where the HTTP server of bindings/http takes its connections from, and how it lets them go.

local http = require "spec.support.http"
local shell = require "spec.support.shell"

local get = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
local last = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

local function serve(options, address)
  local server = http.serve(options, address)
  finally(function() server.close() end)
  return server
end

local function talk_to(server)
  local talk = http.talk(server.address)
  finally(function() talk.close() end)
  return talk
end

local function folder()
  local path = shell.must "mktemp -d":gsub("%s+$", "")
  finally(function() shell.must("rm -rf " .. shell.quote(path)) end)
  return path
end

---What httpd says when it does not start.
local function complaint(address, ...)
  local _, text = shell.run(shell.words { os.getenv "WEFT_SPEC_BUILD" .. "/spec/httpd", address, ... })
  return text
end

describe("the HTTP server listens", function()
  it("on an IPv4 address", function()
    local server = serve()
    assert.truthy(server.address:find "^127%.0%.0%.1:%d+$")
    assert.truthy(http.curl("http://" .. server.address .. "/"):find '"remote":"127.0.0.1"')
  end)

  it("on an IPv6 address", function()
    local server = serve({}, "[::1]:0")
    assert.truthy(server.address:find "^%[::1%]:%d+$")
    assert.truthy(http.curl("http://" .. server.address .. "/"):find '"remote":"::1"')
  end)

  it("on both families, and names an IPv4 client as such", function()
    local server = serve({}, ":0")
    local port = server.address:match ":(%d+)$"
    assert.truthy(http.curl("http://127.0.0.1:" .. port .. "/"):find '"remote":"127.0.0.1"')
    assert.truthy(http.curl("http://[::1]:" .. port .. "/"):find '"remote":"::1"')
  end)

  it("on a name", function()
    assert.truthy(http.curl("http://" .. serve({}, "localhost:0").address .. "/hello"):find "Hello")
  end)

  it("on a unix socket, also one that was left behind", function()
    local path = folder() .. "/s"
    for _ = 1, 2 do
      local server = http.serve({}, "unix:" .. path)
      assert.equal("unix:" .. path, server.address)
      assert.truthy(http.curl("--unix-socket", path, "http://x/"):find '"remote":"unix"')
      assert.truthy(complaint("unix:" .. path):find "cannot listen on unix:.*: Address already in use")
      server.close()
      assert.truthy(shell.exists(path) or os.execute("test -S " .. shell.quote(path)))
    end
  end)

  it("on no file that is no socket", function()
    local path = folder() .. "/s"
    shell.write(path, "precious")
    assert.truthy(complaint("unix:" .. path):find "already in use")
    assert.equal("precious", shell.read(path))
  end)

  it("on nothing else", function()
    local server = serve()
    assert.truthy(complaint(server.address):find "cannot listen on 127.0.0.1:%d+: Address already in use")
    for _, address in ipairs { "", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", "::1:80", "[::1]", "unix:",
      "unix:" .. ("x"):rep(200) } do
      assert.truthy(complaint(address):find "httpd: .", address)
    end
  end)

  it("with several threads, each with its own loop and server", function()
    local server = serve { threads = 4 }
    for _ = 1, 40 do assert.same({ 200, 200 }, http.statuses((http.once(server.address, get .. last)))) end
  end)
end)

describe("the HTTP server believes a proxy", function()
  local cases = {
    { "that is trusted", { trusted = "127.0.0.1" }, {}, "1.2.3.4", "https", "shop.example" },
    { "of a trusted block", { trusted = "127.0.0.0/8" }, {}, "1.2.3.4", "https", "shop.example" },
    { "of everywhere", { trusted = "0.0.0.0/0" }, { ["X-Forwarded-For"] = "9.9.9.9, 1.2.3.4" }, "9.9.9.9", "https", "shop.example" },
    { "that is not trusted, not", { trusted = "10.0.0.0/8" }, {}, "127.0.0.1", "http", "x" },
    { "when there is none, not", {}, {}, "127.0.0.1", "http", "x" },
    { "of the block beside, not", { trusted = "126.0.0.0/8" }, {}, "127.0.0.1", "http", "x" },
    { "of IPv6, not", { trusted = "::1" }, {}, "127.0.0.1", "http", "x" },
    { "of a unix socket, not when it comes by TCP", { trusted = "unix" }, {}, "127.0.0.1", "http", "x" },
    { "about the last address only", { trusted = "127.0.0.1" }, { ["X-Forwarded-For"] = "6.6.6.6, 1.2.3.4" }, "1.2.3.4", "https", "shop.example" },
    { "about an address with a port", { trusted = "127.0.0.1" }, { ["X-Forwarded-For"] = "1.2.3.4:567" }, "1.2.3.4", "https", "shop.example" },
    { "about an IPv6 address", { trusted = "127.0.0.1" }, { ["X-Forwarded-For"] = "[2001:db8::1]:567" }, "2001:db8::1", "https", "shop.example" },
    { "about a bare IPv6 address", { trusted = "127.0.0.1" }, { ["X-Forwarded-For"] = "2001:db8::1" }, "2001:db8::1", "https", "shop.example" },
    { "about nonsense, not", { trusted = "127.0.0.1" },
      { ["X-Forwarded-For"] = "me", ["X-Forwarded-Proto"] = "gopher", ["X-Forwarded-Host"] = "a/b" }, "127.0.0.1", "http", "x" },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      local headers = { ["X-Forwarded-For"] = "1.2.3.4", ["X-Forwarded-Proto"] = "https", ["X-Forwarded-Host"] = "shop.example",
        ["X-Request-Id"] = "abc-1" }
      for name, value in pairs(case[3]) do headers[name] = value end
      local words = { "-H", "Host: x" }
      for name, value in pairs(headers) do table.move({ "-H", name .. ": " .. value }, 1, 2, #words + 1, words) end
      words[#words + 1] = "http://" .. serve(case[2]).address .. "/"
      local text = http.curl(table.unpack(words))
      assert.equal(case[4], text:match '"remote":"(.-)"')
      assert.equal(case[5], text:match '"scheme":"(.-)"')
      assert.equal(case[6], text:match '"host":"(.-)"')
      assert.equal(not case[1]:find "not" or case[1]:find "nonsense" ~= nil, text:match '"id":"(.-)"' == "abc-1")
    end)
  end

  it("of a unix socket", function()
    local path = folder() .. "/s"
    serve({ trusted = "unix" }, "unix:" .. path)
    local text = http.curl("--unix-socket", path, "-H", "X-Forwarded-For: 1.2.3.4", "http://x/")
    assert.equal("1.2.3.4", text:match '"remote":"(.-)"')
  end)

  it("whose request id is none of its own", function()
    local server = serve { trusted = "127.0.0.1" }
    for _, id in ipairs { "", "a b", ("a"):rep(129), "a\"b", "a/b" } do
      assert.truthy(http.curl("-H", "X-Request-Id: " .. id, "http://" .. server.address .. "/"):find '"id":"%x+"')
    end
  end)

  it("only by an address that is one", function()
    for _, text in ipairs { "localhost", "1.2.3", "1.2.3.4/33", "::1/129", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/8x", "" } do
      assert.truthy(complaint("127.0.0.1:0", "trusted=" .. text):find "a trusted proxy is an address", text)
    end
  end)
end)

describe("a drained HTTP server", function()
  it("answers what it has, says so, and closes", function()
    local server = serve()
    local busy, piped, idle, reading = talk_to(server), talk_to(server), talk_to(server), talk_to(server)
    busy.send((get:gsub("hello", "hold")))
    piped.send(get .. get:gsub("hello", "hold") .. get)
    idle.send(get)
    reading.send "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
    idle.up_to(1, "}")
    piped.up_to(1, "}")
    assert.truthy(http.await(function() return server.stats().in_flight == 2 and server.stats().bytes_in > 200 end))
    assert.equal("draining", server.ask "drain")
    assert.same({ "", "eof" }, { idle.read() })
    assert.truthy(http.await(function() return server.stats().open == 3 end))
    reading.send "hi"
    for _, text in ipairs { (reading.read()) } do
      assert.same({ 200 }, http.statuses(text))
      assert.truthy(text:find "Connection: close")
    end
    assert.equal("2", server.ask "finish")
    for _, talk in ipairs { busy, piped } do
      local text, how = talk.read()
      assert.same({ 200 }, http.statuses(text))
      assert.truthy(text:find "Connection: close")
      assert.equal("eof", how)
    end
    for _, talk in ipairs { busy, piped, idle, reading } do talk.close() end
    assert.equal("drained", server.next())
    assert.equal(0, server.stats().open)
  end)

  it("may be drained by a handler, in the middle of pipelined requests", function()
    local server = serve()
    local talk, other = talk_to(server), talk_to(server)
    other.send(get)
    other.up_to(1, "}")
    talk.send(get .. get:gsub("hello", "stop") .. get .. get)
    local text, how = talk.read()
    assert.same({ 200, 200 }, http.statuses(text))
    assert.equal("eof", how)
    assert.same({ "", "eof" }, { other.read() })
    for _, each in ipairs { talk, other } do each.close() end
    assert.truthy(http.await(function() return server.stats().open == 0 end))
  end)

  it("is drained at once when there is nothing", function()
    local server = serve()
    assert.equal("draining", server.ask "drain")
    assert.equal("drained", server.next())
  end)

  it("answers a first request that is still to come, and closes connections that had theirs at once", function()
    local server = serve()
    local fresh, idle = talk_to(server), talk_to(server)
    idle.send(get)
    idle.up_to(1, "}")
    assert.truthy(http.await(function() return server.stats().open == 2 end))
    assert.equal("draining", server.ask "drain")
    assert.same({ "", "eof" }, { idle.read() })
    idle.close()
    fresh.send(get)
    local text, how = fresh.read()
    assert.same({ 200 }, http.statuses(text))
    assert.equal("eof", how)
    fresh.close()
    assert.equal("drained", server.next())
  end)

  it("waits no longer than two seconds for it", function()
    local server = serve()
    local fresh = talk_to(server)
    assert.truthy(http.await(function() return server.stats().open == 1 end))
    server.ask "drain"
    assert.equal("drained", server.next())
    assert.same({ "", "eof" }, { fresh.read() })
  end)
end)

describe("an HTTP server that is freed", function()
  it("closes everything, whatever it was about", function()
    local server = serve()
    local talks = {}
    for i, bytes in ipairs { get, get:gsub("hello", "hold"), get:gsub("hello", "stream?bytes=100000000"), "GET / HT",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhel", get:gsub("hello", "events?n=10000"), "" } do
      talks[i] = talk_to(server)
      talks[i].send(bytes)
      if i == 1 then talks[i].up_to(1, "}") end
    end
    assert.truthy(http.await(function() return server.stats().in_flight == 3 and server.stats().open == 7 end))
    assert.equal("freed", server.ask "free")
    for _, talk in ipairs(talks) do
      local _, how = talk.read()
      assert.truthy(how == "eof" or how == "reset")
    end
  end)
end)

describe("ten thousand idle connections", function()
  it("take little memory", function()
    local limit = tonumber((shell.must "ulimit -Hn"):match "%d+") or math.huge -- "unlimited"
    local n = math.min(10000, limit - 100)
    local server = serve()
    local talk = talk_to(server)
    talk.send(get)
    talk.up_to(1, "}")
    local before = server.memory()
    assert.equal("ok", talk.idle(n))
    assert.truthy(http.await(function() return server.stats().idle == n + 1 end))
    if os.getenv "WEFT_SPEC_MODE" == "release" then
      assert.truthy((server.memory() - before) / n < 2048, (server.memory() - before) / n)
    end
    assert.truthy(http.curl("http://" .. server.address .. "/hello"):find "Hello")
  end)
end)
