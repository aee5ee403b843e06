-- SPDX-License-Identifier: MIT
-- weft serve as a whole: requests by curl and raw sockets, what apps do wrong, signals, reloading.

local http = require "spec.support.http"
local program = require "spec.support.program"
local served = require "spec.support.served"
local shell = require "spec.support.shell"
local weft = require "weft"

local CPU = "0.5" -- what a request may run without waiting

local function start(lines, words, more)
  local options = more or {}
  options.app, options.words = served.app(lines), words
  return served.start(options)
end

describe("weft serve", function()
  local server
  after_each(function()
    if server then server:stop() end
    server = nil
  end)

  it("answers with what handlers return, over one connection and many", function()
    server = start [[
      app:get("/text", function() return "hello" end)
      app:get("/json/:id", function(req) return { id = req.params.id } end)
      app:post("/echo", function(req, res) res.status = 201 return req:json() end)
      app:get("/stream", function(req, res) for i = 1, 3 do res:write(i .. "\n") weft.sleep(0.01) end end)]]
    local status, body, head = server:ask "/text"
    assert.equal(200, status)
    assert.equal("hello", body)
    assert.matches("\r\nDate: %a+, %d%d %a+ %d+ [%d:]+ GMT\r\n", head)
    assert.matches("\r\nServer: weft\r\n", head)
    assert.same({ 201, '{"a":[1,2]}' }, { server:get("/echo", "-H", "Content-Type: application/json", "-d", '{"a":[1,2]}') })
    assert.same({ 200, '{"id":"a/b ü"}' }, { server:get "/json/a%2Fb%20%C3%BC" })
    assert.same({ 200, "1\n2\n3\n" }, { server:get "/stream" })
    local talk = http.talk(server.address)
    talk.many(500, "GET /text HTTP/1.1\r\nHost: x\r\n\r\n")
    talk.send "GET /text HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    local answers = talk.read()
    talk.close()
    assert.equal(501, #http.statuses(answers))
  end)

  it("knows who asks: request id, remote address, a proxy's word only when it is trusted", function()
    local lines = [[app:get("/", function(req) return { req.remote, req.scheme, req.id, req.host } end)]]
    server = start(lines)
    local headers = { "-H", "X-Forwarded-For: 192.0.2.7", "-H", "X-Forwarded-Proto: https", "-H", "X-Request-Id: abc-1" }
    local got = weft.decode((select(2, server:get("/", table.unpack(headers)))))
    assert.same({ "127.0.0.1", "http" }, { got[1], got[2] })
    assert.matches("^%x+$", got[3])
    server:stop()
    server = start(lines, { "--trust", "127.0.0.0/8" })
    got = weft.decode((select(2, server:get("/", table.unpack(headers)))))
    assert.same({ "192.0.2.7", "https", "abc-1" }, { got[1], got[2], got[3] })
  end)

  -- What handlers do wrong: lines of the handler, status. The server goes on each time.
  local wrong = {
    { "loops for ever", "while true do end", 504 },
    { "loops for ever under pcall", "while true do pcall(function() while true do end end) end", 504 },
    { "loops in a message handler", "xpcall(function() while true do end end, function() while true do end end)", 504 },
    { "loops in a coroutine of its own", "local co = coroutine.wrap(function() while true do end end) co()", 504 },
    { "loops in a coroutine inside pcall", "while true do pcall(coroutine.wrap(function() while true do end end)) end", 504 },
    { "loops in a comparator", "table.sort({ 1, 2, 3, 4 }, function() while true do end end)", 504 },
    { "loops in a gsub call back under pcall", "while true do pcall(string.gsub, 'abc', '.', function() while true do end end) end", 504 },
    { "loops while it is being closed", "local c <close> = setmetatable({}, { __close = function() while true do end end }) while true do end", 504 },
    { "waits for ever", "weft.sleep(1e6)", 504 },
    { "waits for ever under pcall", "while true do pcall(weft.sleep, 1e6) end", 504 },
    { "recurses for ever", "local function f() return 1 + f() end return f()", { 500, 504 } },
    { "recurses through pcall", "local function f() return pcall(f) and 1 end f() error 'over'", { 500, 504 } },
    { "allocates without end", "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e6) .. i end", { 500, 504 } },
    { "asks for 10 GB at once", "return ('x'):rep(10 * 2^30 // 1)", 500 },
    { "throws nil", "error(nil)", 500 },
    { "throws a table", "error({})", 500 },
    { "throws what cannot be shown", "error(setmetatable({}, { __tostring = function() error 'no' end }))", 500 },
    { "yields by itself", "coroutine.yield() coroutine.yield(1, 2) return 'ok'", 200 },
    { "yields where nothing can", "table.sort({ 1, 2, 3 }, function(a, b) coroutine.yield() return a < b end)", 500 },
    { "waits where nothing can", "table.sort({ 1, 2, 3 }, function(a, b) weft.sleep(0) return a < b end)", 500 },
    { "returns what is no answer", "return print", 500 },
    { "returns false", "return false", 500 },
    { "returns what has no JSON", "return { f = print }", 500 },
    { "says a status that there is not", "res.status = 42 return 'x'", 500 },
    { "answers twice", "res:text 'a' res:json { 1 } return res", 200 },
    { "puts a line into a header", "res.headers['x-a'] = 'b\\r\\nSet-Cookie: c=d' return 'x'", 500 },
    { "ends the program", "os.exit(3)", 500 },
    { "closes the standard output", "io.stdout:close() return 'x'", { 200, 500 } },
    { "spoils its own libraries", "string.format = nil table.concat = nil local x = {}", { 204, 500 } },
  }

  it("survives whatever a handler does, and says what it was", function()
    local lines = {}
    for i, case in ipairs(wrong) do lines[i] = ("app:get('/%d', function(req, res) %s end)"):format(i, case[2]) end
    lines[#lines + 1] = "app:get('/well', function() return 'well' end)"
    lines[#lines + 1] = "app:get('/long', function() return #('x'):rep(1024):rep(20 * 1024) == 20 * 2^20 and 'long' end)"
    server = start(table.concat(lines, "\n"), { "--cpu", CPU, "--timeout", "2", "--memory", "100m", "--workers", "2" })
    for i, case in ipairs(wrong) do
      local status, body = server:get("/" .. i)
      local wanted = type(case[3]) == "table" and case[3] or { case[3] }
      local fits = false
      for _, one in ipairs(wanted) do fits = fits or status == one end
      assert(fits, ("%s: %d %s\n%s"):format(case[1], status, body, server:said():sub(-2000)))
      if status >= 500 then
        assert.is_truthy(weft.decode(body).error.request_id, case[1])
        assert.is_truthy(server:said():find(weft.decode(body).error.request_id, 1, true), case[1] .. " is not in the log")
        assert.is_nil(body:find("app.lua", 1, true), case[1] .. " tells the client too much")
      end
      for _ = 1, 2 do assert.same({ 200, "well" }, { server:get "/well" }, case[1]) end -- both workers
      if case[1]:find "allocates" then
        for _ = 1, 2 do assert.same({ 200, "long" }, { server:get "/long" }, "what it left fills the memory") end
      end
    end
  end)

  it("sends all of a file, whatever a handler says behind it", function()
    local text = ("0123456789"):rep(300000)
    server = start([[
      app:get("/end", function(req) req.exchange:file "large.bin" req.exchange:finish() end)
      app:get("/write", function(req) req.exchange:file "large.bin" req.exchange:write "more" end)]], { "--workers", "1" })
    server:write("large.bin", text)
    for _, path in ipairs { "/end", "/write" } do
      local status, body = server:get(path)
      assert.equal(200, status)
      assert.is_true(body == text, path)
    end
  end)

  it("rolls back what a stopped request left open, and says so", function()
    local database = os.tmpname()
    server = start([[
      local db = weft.database "app"
      app:on_start(function() db:execute "create table if not exists t (a integer)" end)
      app:get("/loop", function() db:transaction(function() db:execute "insert into t values (1)" while true do pcall(error) end end) end)
      app:get("/count", function() db:execute "insert into t values (2)" return db:query("select a from t order by a") end)]],
      { "--cpu", CPU, "--workers", "1" }, { databases = { app = "sqlite:" .. database } })
    assert.equal(504, (server:get "/loop"))
    assert.same({ 200, '[{"a":2}]' }, { server:get "/count" })
    assert.is_truthy(server:said():find("left 1 transaction open: rolled back", 1, true))
    os.remove(database)
  end)

  it("keeps no globals of requests that were stopped", function()
    server = start([[
      app:get("/stop", function() large = ("x"):rep(4e6) while true do pcall(weft.sleep, 1) end end)
      app:get("/kept", function() collectgarbage() collectgarbage() return { collectgarbage "count" // 1000 } end)]],
      { "--workers", "1", "--timeout", "0.1" })
    local before = weft.decode((select(2, server:get "/kept")))[1]
    for _ = 1, 3 do assert.equal(504, (server:get "/stop")) end
    assert(weft.decode((select(2, server:get "/kept")))[1] - before < 3)
  end)

  it("stops an event handler that loops, and what the app does of errors", function()
    server = start([[
      weft.on("query", function() while true do pcall(error) end end)
      app:on_error(function() while true do end end)
      app:get("/query", function() return weft.database("app"):query "select 1 as one" end)
      app:get("/slow", function() while true do end end)
      app:get("/well", function() return "well" end)]], { "--cpu", CPU, "--workers", "1" }, { databases = { app = "sqlite:" .. os.tmpname() } })
    for _, path in ipairs { "/query", "/slow" } do
      local status = server:get(path)
      assert(status == 200 or status == 500 or status == 504, status) -- 500: on_error was stopped
      assert.same({ 200, "well" }, { server:get "/well" })
    end
  end)

  it("gives each request globals of its own, and warns of them", function()
    server = start([[
      app:get("/", function() counter = (counter or 0) + 1
        local seen = weft.all { function() return counter end, function() weft.sleep(0.01) return counter end }
        return { counter, seen[1], seen[2] } end)
      app:get("/other", function() return tostring(rawget(_G, "counter")) .. tostring(counter) end)]], { "--workers", "1" })
    for _ = 1, 3 do assert.same({ 200, "[1,1,1]" }, { server:get "/" }) end
    assert.same({ 200, "nilnil" }, { server:get "/other" })
    assert.is_truthy(server:said():find("app.lua:3: global 'counter' is set while a request is answered", 1, true))
    local _, times = server:said():gsub("global 'counter'", "")
    assert.equal(1, times)
  end)

  it("refuses more requests than it was allowed to hold, with Retry-After", function()
    server = start([[app:get("/slow", function() weft.sleep(0.7) return "slow" end)]], { "--workers", "1", "--max-in-flight", "2" })
    local answers = http.curl("-Z", "--parallel-immediate", "--no-progress-meter", "-w", "%{http_code} %header{retry-after}\\n", "-o", "/dev/null",
      ("http://%s/slow?[1-6]"):format(server.address))
    local counts = {}
    for status in answers:gmatch "(%d%d%d)" do counts[status] = (counts[status] or 0) + 1 end
    assert.same({ ["200"] = 2, ["503"] = 4 }, counts)
    assert.matches("503 %d+", answers)
  end)

  it("listens on a unix socket, which workers cannot have each", function()
    for _, more in ipairs { "--watch", "--reuseport" } do
      local socket = os.tmpname()
      os.remove(socket)
      server = start([[app:get("/", function(req) return req.remote end)]], { "--listen", "unix:" .. socket, "--workers", "2", more })
      assert.matches("^200 ", http.curl("--unix-socket", socket, "-w", "%{http_code} ", "-o", "/dev/null", "http://x/") .. " ")
      server:stop()
      server = nil
      assert.is_false(shell.exists(socket))
    end
  end)

  it("lets every worker listen by itself", function()
    server = start([[app:get("/", function() return "ok" end)]], { "--reuseport", "--workers", "3" })
    for _ = 1, 20 do assert.equal(200, (server:get "/")) end
  end)
end)

describe("weft serve, told by signals and files", function()
  local server
  after_each(function()
    if server then server:stop() end
    server = nil
  end)

  local function version(n)
    return served.app(([[
      app:get("/", function() return "version %d" end)
      app:get("/slow", function() io.stderr:write "slow begins\n" weft.sleep(0.6) return "slow %d" end)]]):format(n, n))
  end

  it("loads the app anew on SIGHUP; requests under way end with the code that they began with", function()
    server = served.start { app = version(1), words = { "--workers", "2" } }
    local slow = io.popen(("curl -sS --max-time 20 http://%s/slow"):format(server.address), "r")
    server:await "slow begins"
    server:write("app.lua", version(2))
    server:signal "HUP"
    server:await "the new app serves"
    for _ = 1, 4 do assert.same({ 200, "version 2" }, { server:get "/" }) end
    assert.equal("slow 1", slow:read "a")
    slow:close()
    assert.same({ 200, "slow 2" }, { server:get "/slow" })
  end)

  it("loads the app once more when it is told to while it loads", function()
    local slow = "require 'weft'.sleep(0.4) io.stderr:write 'loads %d. '\n"
    server = served.start { app = version(1), words = { "--workers", "2" } }
    server:write("app.lua", slow:format(2) .. version(2))
    server:signal "HUP"
    server:await "loads 2"
    server:write("app.lua", slow:format(3) .. version(3))
    server:signal "HUP"
    assert(http.await(function() return select(2, server:said():gsub("the new app serves", "")) == 2 end), server:said())
    for _ = 1, 4 do assert.same({ 200, "version 3" }, { server:get "/" }) end
  end)

  it("keeps the old app when the new one does not load", function()
    local broken = { "this is no Lua", "return 42", "error 'at the start'", "error(nil)",
      served.app [[app:on_start(function() error "not today" end)]], "while true do end",
      served.app [[app:on_start(function() error(setmetatable({}, { __tostring = function() error "no" end })) end)]] }
    server = served.start { app = version(1), words = { "--workers", "2", "--cpu", CPU } }
    for _, text in ipairs(broken) do
      server:write("app.lua", text)
      local _, before = server:said():gsub("the old one goes on", "")
      server:signal "HUP"
      assert(http.await(function() return select(2, server:said():gsub("the old one goes on", "")) > before end), text .. server:said())
      assert.same({ 200, "version 1" }, { server:get "/" }, text)
    end
    server:write("app.lua", version(3))
    server:signal "HUP"
    server:await "the new app serves"
    assert.same({ 200, "version 3" }, { server:get "/" })
  end)

  it("watches files when asked to: scripts, models, pages; also after a broken start", function()
    server = served.start { app = "broken", words = { "--watch", "--workers", "1" }, fails = true }
    server:await "listening on"
    server.address = server:said():match "listening on http://(%S+)"
    assert.is_truthy(server:said():find("the app does not load", 1, true))
    assert.equal(503, (server:get "/"))
    server:write("app.lua", served.app [[app:get("/", function() return require "part" end)]])
    server:write("part.lua", "return 'one'")
    assert(http.await(function() return select(2, server:get "/") == "one" end))
    server:write("part.lua", "return 'two'")
    assert(http.await(function() return select(2, server:get "/") == "two" end))
  end)

  it("answers what it has accepted when it is told to end, takes nothing more, and ends with 0", function()
    server = served.start { app = version(1), words = { "--workers", "2" } }
    local slow = io.popen(("curl -sS --max-time 20 -i http://%s/slow"):format(server.address), "r")
    server:await "slow begins"
    local idle = http.talk(server.address)
    idle.send "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    idle.up_to(1, "version 1")
    server:signal "TERM"
    server:await "SIGTERM"
    assert.equal(0, (server:get "/"))
    local answer = slow:read "a"
    slow:close()
    assert.matches("slow 1$", answer)
    assert.matches("\r\nConnection: close\r\n", answer)
    local _, how = idle.read()
    assert.equal("eof", how)
    idle.close()
    assert.equal(0, server:status())
  end)

  it("refuses who comes while it ends, also when workers listen by themselves", function()
    for _, words in ipairs { { "--workers", "2" }, { "--workers", "2", "--reuseport" } } do
      server = served.start { app = version(1), words = words }
      local slow = io.popen(("curl -sS --max-time 20 http://%s/slow"):format(server.address), "r")
      server:await "slow begins"
      server:signal "TERM"
      server:await "SIGTERM"
      assert(http.await(function() return select(2, server:get "/"):find "onnect to 127" end), "it lets connections in")
      assert.is_nil(shell.read(server.folder .. "/.status"))
      assert.equal("slow 1", slow:read "a")
      slow:close()
      assert.equal(0, server:status())
      program.remove(server.folder)
      server = nil
    end
  end)

  it("ends at once when it is told twice, and when requests do not end in time", function()
    for _, case in ipairs { { "30", 2 }, { "0.3", 1 } } do
      local one = served.start { words = { "--drain", case[1] }, app = served.app [[
        app:get("/", function() io.stderr:write "slow begins\n" weft.sleep(20) return "x" end)]] }
      local slow = io.popen(("curl -sS --max-time 20 http://%s/ 2>&1"):format(one.address), "r")
      one:await "slow begins"
      for _ = 1, case[2] do
        one:signal "TERM"
        one:await "SIGTERM"
      end
      assert.equal(1, one:status())
      slow:close()
      program.remove(one.folder)
    end
  end)

  it("runs on_start before the first request of each worker and on_stop after the last", function()
    server = served.start { app = served.app [[
      app:on_start(function() weft.sleep(0.05) io.stderr:write "begun\n" end)
      app:on_stop(function() weft.sleep(0.05) io.stderr:write "ended\n" end)]], words = { "--workers", "2" } }
    local _, begun = server:said():gsub("begun\n", "")
    assert.equal(2, begun)
    server:signal "HUP"
    server:await "the new app serves"
    assert(http.await(function() return select(2, server:said():gsub("ended\n", "")) == 2 end))
    server:signal "TERM"
    assert.equal(0, server:status())
    local _, ended = server:said():gsub("ended\n", "")
    assert.equal(4, ended)
  end)
end)

describe("weft serve, asked how it is", function()
  local server
  after_each(function()
    if server then server:stop() end
    server = nil
  end)

  it("answers /healthz, /readyz and /metrics beside the app, which may have them itself", function()
    server = start([[
      app:get("/readyz", function() return "mine" end)
      app:get("/*", function(req) return "rest" end)]], { "--workers", "2" }, { databases = { app = "sqlite:" .. os.tmpname() } })
    assert.same({ 200, "ok\n" }, { server:get "/healthz" })
    assert.same({ 200, "mine" }, { server:get "/readyz" })
    assert.same({ 200, "rest" }, { server:get "/other" })
    local _, text = server:get "/metrics"
    assert.is_truthy(text:find('weft_http_answers_total{status="2xx"} 3', 1, true))
    assert.is_truthy(text:find('weft_http_request_seconds_bucket{le="+Inf"} 3', 1, true))
    for line in text:gmatch "[^\n]+" do
      assert(line:find "^# HELP [%w_]+ .+" or line:find "^# TYPE [%w_]+ %l+$" or line:find '^[%w_]+{?[%w_="+.,]*}? [-+%w.]+$', line)
    end
  end)

  it("sums what all workers say of their databases", function()
    server = start([[app:get("/", function() return weft.database("app"):query "select 1 as one" end)]], { "--workers", "2" },
      { databases = { app = "sqlite:" .. os.tmpname() } })
    for _ = 1, 10 do server:get "/" end
    local _, text = server:get "/metrics"
    assert.is_truthy(text:find('weft_statements_total{database="app"} 10', 1, true), text)
  end)

  it("answers them on an address of their own, also while every worker is busy", function()
    server = start([[app:get("/", function() local t = os.clock() while os.clock() - t < 1 do end return "x" end)]],
      { "--workers", "1", "--admin", "0", "--cpu", "10" })
    local address = server:said():match "metrics and health on http://(%S+)"
    local busy = io.popen(("curl -sS --max-time 20 http://%s/"):format(server.address), "r")
    assert.equal("ok\n", http.curl("http://" .. address .. "/healthz"))
    assert.equal("ready\n", http.curl("http://" .. address .. "/readyz"))
    assert.is_truthy(http.curl("http://" .. address .. "/metrics"):find("weft_http_connections_total", 1, true))
    assert.matches("404", http.curl("-o", "/dev/null", "-w", "%{http_code}", "http://" .. address .. "/x"))
    assert.equal("x", busy:read "a")
    busy:close()
    assert.equal(404, (server:get "/healthz"))
  end)

  it("goes on answering beside the workers when nobody holds the handle", function()
    local folder = program.app({}, { ["beside.lua"] = [[
      local host, weft = require "weft.host", require "weft"
      local fd, name = host.bind("127.0.0.1:0", false)
      host.answer(fd, function(exchange) exchange:send(200, nil, "here") end, print)
      collectgarbage()
      collectgarbage()
      local curl = io.popen("curl -sS --max-time 10 http://" .. name .. "/ >answer; echo >>answer", "r")
      local function answer() local file = io.open "answer" return file and file:read "l" end
      for _ = 1, 500 do if answer() then break end weft.sleep(0.02) end
      curl:close()
      print(answer())]] })
    local status, out, err = program.run(folder, "run", "beside.lua")
    program.remove(folder)
    assert.same({ 0, "here\n", "" }, { status, out, err })
  end)

  it("ends while somebody asks for metrics, which wait for a busy worker", function()
    server = start([[app:get("/busy", function() local t = os.clock() io.stderr:write "busy\n" while os.clock() - t < 0.6 do end end)]],
      { "--workers", "1", "--admin", "127.0.0.1:0" })
    local admin = server:said():match "metrics and health on http://(%S+)"
    local busy = io.popen(("curl -sS --max-time 20 http://%s/busy"):format(server.address), "r")
    server:await "busy"
    server:signal "TERM"
    while not shell.read(server.folder .. "/.status") do http.curl(("http://%s/metrics"):format(admin)) end
    busy:close()
    assert.equal(0, server:status())
  end)

  it("writes a line for each answer: readable, or as JSON", function()
    local lines = [[app:get("/a", function() return "ok" end)]]
    server = start(lines, { "--workers", "1" })
    server:get "/a?b=%22\\\\"
    assert(http.await(function() return server:log() ~= "" end))
    assert.matches('^%d+%-%d+%-%d+T[%d:]+Z 127%.0%.0%.1 GET /a%?b=%%22%%5C%%5C 200 2 B %d+%.%d+ ms %x+\n$', server:log())
    server:stop()
    server = start(lines, { "--workers", "1", "--log", "json" })
    http.once(server.address, "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    http.once(server.address, "BAD\r\n\r\n")
    assert(http.await(function() return select(2, server:log():gsub("\n", "")) == 2 end), server:log())
    local entries = {}
    for line in server:log():gmatch "[^\n]+" do entries[#entries + 1] = weft.decode(line) end
    assert.same({ "GET", "/a", 200, 2 }, { entries[1].method, entries[1].target, entries[1].status, entries[1].bytes })
    assert.equal(400, entries[2].status)
  end)
end)

describe("weft serve, misunderstood", function()
  local function refused(folder, ...)
    local status, _, err = program.run(folder, "serve", ...)
    return status, err
  end

  it("says what it cannot do, and ends with 2", function()
    local folder = program.app({}, { ["app.lua"] = "return require 'weft'.app()", ["weft.lua"] = [[return {
      databases = { one = { url = "postgres://127.0.0.1:1/x", pool = { max = 2 } } }, serve = { workers = 4 } }]] })
    local status, err = refused(folder)
    assert.equal(2, status)
    assert.is_truthy(err:find("database 'one' may have 2 connections (pool.max), and 4 workers need 4, one each", 1, true), err)
    shell.write(folder .. "/weft.lua", 'return { databases = { one = "sqlite::memory:" } }')
    status, err = refused(folder, "--workers", "2")
    assert.equal(2, status)
    assert.is_truthy(err:find("lives in memory", 1, true), err)
    for _, words in ipairs { { "--prot", "1" }, { "--max-body", "many" }, { "--workers", "0" }, { "nowhere" }, { "--log", "loud" } } do
      status, err = refused(folder, table.unpack(words))
      assert.equal(2, status, words[1])
      assert.is_truthy(err:find("--help", 1, true))
    end
    shell.write(folder .. "/weft.lua", "return { serve = { wokers = 2 } }")
    status, err = refused(folder)
    assert.equal(2, status)
    assert.is_truthy(err:find("did you mean 'workers'", 1, true), err)
    program.remove(folder)
  end)

  it("ends with 1 when the app does not load or the address is taken", function()
    local folder = program.app({}, { ["app.lua"] = "return 1" })
    local status, err = refused(folder, "--port", "0")
    assert.equal(1, status)
    assert.is_truthy(err:find("usage: app.lua returns what weft.app() made", 1, true), err) -- no line of the host's own
    program.remove(folder)
    local server = start ""
    folder = program.app({}, { ["app.lua"] = "return require 'weft'.app()" })
    status, err = refused(folder, "--port", server.address:match "%d+$")
    assert.equal(1, status)
    assert.is_truthy(err:find("already in use", 1, true), err)
    server:stop()
    program.remove(folder)
  end)
end)
