-- SPDX-License-Identifier: MIT
-- weft serve that tells a collector of its requests. The collector is another weft serve, which keeps what it is sent.

local weft = require "weft"
local collectors = require "spec.support.collector"
local http = require "spec.support.http"
local program = require "spec.support.program"
local served = require "spec.support.served"
local shell = require "spec.support.shell"

local named = collectors.named

local ID, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
local MARK, SECRET = "marked-value-4711", "very-secret-token"

local app = [[
local db = weft.database "app"
app:on_start(function() db:execute "create table if not exists t (id integer primary key, name text)" end)
app:get("/hello/:id", function(req) return { req.trace_id, req.params.id } end)
app:get("/rows", function(req) return db:query("select name from t where name = ?", req.query.name) end)
app:get("/all", function()
  weft.all { function() weft.sleep(0.01) db:query "select 1 as one" end,
    function() weft.trace.span("own", function() db:query "select 2 as two" end) end }
  return weft.trace.headers()
end)
app:get("/five", function() for i = 1, 6 do db:query("select ? as i", i) end return "ok" end)
app:get("/fails", function() error "boom" end)
app:get("/loops", function() while true do end end)
app:get("/unique", function() db:execute("insert into t values (1, 'a'), (1, ?)", "]] .. MARK .. [[") end)]]

describe("weft serve --otlp", function()
  local collector, server, path

  before_each(function()
    path = os.tmpname()
    collector = collectors.start()
  end)
  after_each(function()
    if server then server:stop() end
    if collector then collector:stop() end
    server, collector = nil, nil
    os.remove(path)
  end)

  local function how(lines) collector:does(lines) end

  local function start(words, more)
    local options = { app = served.app(app), environment = more, databases = { app = "sqlite:" .. path },
      words = { "--workers", "1", "--cpu", "0.5" } }
    table.move(words or { "--otlp", "http://" .. collector.address }, 1, 9, #options.words + 1, options.words)
    server = served.start(options)
  end

  ---The spans, once there is one of that name (or so many).
  local function await(name, n)
    local spans, text
    assert(http.await(function()
      spans, text = collector:spans()
      return #named(spans, name) >= (n or 1)
    end), name .. " did not come: " .. (text or "") .. server:said())
    return spans, text
  end

  local function metric(name)
    local _, text = server:get "/metrics"
    return tonumber(text:match("\n" .. name .. " (%d+)"))
  end

  it("posts a span of each request, those of its statements below", function()
    start { "--otlp", "http://" .. collector.address .. "/", "--service", "shop" }
    local traceparent = ("traceparent: 00-%s-%s-01"):format(ID, PARENT)
    local status, body = server:get("/hello/7", "-H", traceparent, "-H", "tracestate: a=b")
    assert.same({ 200, ('["%s","7"]'):format(ID) }, { status, body })
    server:get("/rows?name=" .. MARK)
    local _, headers = server:get "/all"
    server:get "/nowhere"
    server:get "/fails"
    local spans, text = await "GET /fails"
    local hello = named(spans, "GET /hello/:id")[1]
    assert.same({ ID, PARENT, "a=b", 2, "application/json" }, { hello.traceId, hello.parentSpanId, hello.traceState, hello.kind, hello.content_type })
    assert.same({ "GET", "/hello/7", "/hello/:id", 200, "http", "shop" }, { hello.named["http.request.method"], hello.named["url.path"],
      hello.named["http.route"], hello.named["http.response.status_code"], hello.named["url.scheme"], hello.named["resource.service.name"] })
    local rows, statement = named(spans, "GET /rows")[1], named(spans, "SELECT t")[1]
    assert.same({ rows.spanId, rows.traceId, 3 }, { statement.parentSpanId, statement.traceId, statement.kind })
    assert.same({ "select name from t where name = ?", "sqlite", "app" },
      { statement.named["db.query.text"], statement.named["db.system.name"], statement.named["db.namespace"] })
    local all, own = named(spans, "GET /all")[1], named(spans, "own")[1]
    assert.equal(("00-%s-%s-01"):format(all.traceId, all.spanId), weft.decode(headers).traceparent)
    assert.equal(all.spanId, own.parentSpanId)
    local parents = {}
    for _, span in ipairs(named(spans, "SELECT")) do parents[span.named["db.query.text"]] = span.parentSpanId end
    assert.same({ ["select 1 as one"] = all.spanId, ["select 2 as two"] = own.spanId }, parents)
    assert.equal(404, named(spans, "GET")[1].named["http.response.status_code"])
    assert.same({ 2, "500" }, { named(spans, "GET /fails")[1].status.code, named(spans, "GET /fails")[1].named["error.type"] })
    assert.is_nil(text:find(MARK, 1, true))
    for _, span in ipairs(spans) do assert.is_true(span.endTimeUnixNano >= span.startTimeUnixNano and #span.startTimeUnixNano == 19) end
  end)

  it("ignores broken contexts, and follows the decision of whoever calls", function()
    start { "--otlp", "http://" .. collector.address, "--sample", "0" }
    for _, bad in ipairs { "00-x", "00-" .. ("0"):rep(32) .. "-" .. PARENT .. "-01", ("ff-%s-%s-01"):format(ID, PARENT), ("x"):rep(8000) } do
      local status, body = server:get("/hello/bad", "-H", "traceparent: " .. bad)
      assert.equal(200, status)
      assert.matches('^%["%x+","bad"%]$', body)
      assert.is_nil(body:find(ID, 1, true))
    end
    server:get("/hello/no", "-H", ("traceparent: 00-%s-%s-00"):format(ID, PARENT))
    server:get("/hello/two", "-H", ("traceparent: 00-%s-%s-01"):format(ID, PARENT), "-H", ("traceparent: 00-%s-%s-01"):format(ID, PARENT))
    server:get("/rows?name=x", "-H", ("traceparent: 00-%s-%s-01"):format(ID, PARENT))
    local spans = await "GET /rows"
    assert.same({ 2, 1 }, { #spans, #named(spans, "SELECT t") })
  end)

  it("tells of requests that were stopped, and of statements that failed, without values", function()
    start()
    assert.equal(504, (server:get "/loops"))
    assert.equal(409, (server:get "/unique"))
    local spans, text = await "GET /unique"
    local stopped = named(spans, "GET")[1]
    assert.same({ 504, 2, "/loops" }, { stopped.named["http.response.status_code"], stopped.status.code, stopped.named["url.path"] })
    local failed = named(spans, "INSERT t")[1]
    assert.same({ "unique", 2 }, { failed.named["error.type"], failed.status.code })
    assert.is_nil(text:find(MARK, 1, true))
    assert.is_nil(server:said():find(MARK, 1, true))
  end)

  it("sends what is left when it ends, and goes on after the app was loaded anew", function()
    start()
    server:get "/hello/1"
    server:write("app.lua", served.app(app))
    server:signal "HUP"
    server:await "the new app serves"
    server:get "/hello/2"
    server:stop()
    server = nil
    local spans = collector:spans()
    local paths = {}
    for _, span in ipairs(named(spans, "GET /hello/:id")) do paths[#paths + 1] = span.named["url.path"] end
    table.sort(paths)
    assert.same({ "/hello/1", "/hello/2" }, paths)
  end)

  it("is told by the environment, and keeps its secrets", function()
    start({}, { OTEL_EXPORTER_OTLP_ENDPOINT = "http://" .. collector.address, OTEL_EXPORTER_OTLP_HEADERS = "X-Token=" .. SECRET .. "%2Dx,b=c",
      OTEL_SERVICE_NAME = "by-environment", OTEL_RESOURCE_ATTRIBUTES = "deployment.environment.name=spec,service.name=other" })
    server:get "/hello/1"
    local spans = await "GET /hello/:id"
    assert.same({ "by-environment", "spec" }, { spans[1].named["resource.service.name"], spans[1].named["resource.deployment.environment.name"] })
    assert.equal(SECRET .. "-x", spans[1].token)
    how "return 500, ''"
    server:get "/hello/2"
    server:await "the collector of traces answered 500"
    assert.is_nil((server:said() .. server:log()):find(SECRET, 1, true))
  end)

  it("answers as ever while the collector is dead, slow, hangs, or says no; what is lost is counted", function()
    start()
    how "return 500, 'no'"
    server:get "/hello/1"
    server:await "the collector of traces answered 500"
    assert(http.await(function() return metric "weft_trace_spans_dropped_total" >= 1 end))
    how "sleep(25) return 200, '{}'"
    for _ = 1, 5 do
      assert.equal(200, (server:get "/hello/2"))
      shell.sleep(0.3)
    end
    how ""
    collector:signal "KILL"
    program.remove(collector.folder)
    collector = nil
    for _ = 1, 30 do assert.equal(200, (server:get("/rows?name=x", "--max-time", "8"))) end -- a post would take 10
    local failures = metric "weft_trace_failures_total"
    assert.is_true(failures >= 1)
    local began = os.time()
    server:stop()
    server = nil
    assert.is_true(os.time() - began <= 15) -- of the 40 that trying again would take
  end)

  it("posts a batch again where the collector asks for that, and loses nothing then", function()
    how "return 503, ''"
    start()
    server:get "/hello/1"
    assert(http.await(function() return #collector:spans "refused" >= 1 end))
    how ""
    await "GET /hello/:id"
    assert.equal(0, metric "weft_trace_spans_dropped_total")
  end)

  it("writes them to stderr with --trace log, and trace ids into the log", function()
    start { "--trace", "log", "--log", "json" }
    server:get("/hello/1", "-H", ("traceparent: 00-%s-%s-01"):format(ID, PARENT))
    server:get "/fails"
    assert(http.await(function() return select(2, server:log():gsub("\n", "")) >= 2 end))
    local lines = {}
    for line in server:log():gmatch "[^\n]+" do lines[#lines + 1] = weft.decode(line) end
    assert.equal(ID, lines[1].trace_id)
    assert.matches("^%x+$", lines[2].trace_id)
    local of_error, of_span
    for line in server:said():gmatch "{[^\n]+}" do
      local entry = weft.decode(line)
      if entry.level == "error" then of_error = entry end
      if entry.event == "span" and entry.name == "GET /fails" then of_span = entry end
    end
    assert.same({ lines[2].trace_id, lines[2].id }, { of_error.trace_id, of_error.request_id })
    assert.same({ lines[2].trace_id, "500" }, { of_span.trace_id, of_span.failed })
  end)

  it("logs the caller's trace also when nobody is told of spans", function()
    start { "--log", "json" }
    server:get("/hello/1", "-H", ("traceparent: 00-%s-%s-00"):format(ID, PARENT))
    server:get("/hello/1", "-H", "traceparent: what")
    assert(http.await(function() return select(2, server:log():gsub("\n", "")) >= 2 end))
    local _, times = server:log():gsub("trace_id", "")
    assert.equal(1, times)
    assert.truthy(server:log():find(ID, 1, true))
    assert.is_nil(metric "weft_trace_spans_sent_total")
  end)

  it("refuses what it does not understand", function()
    for _, words in ipairs { { "--otlp", "ftp://x" }, { "--otlp", "http://" }, { "--sample", "2" }, { "--sample", "x" }, { "--trace", "all" } } do
      local folder = program.app({}, { ["app.lua"] = "return require 'weft'.app()" })
      local status, _, err = program.run(folder, "serve", table.unpack(words))
      assert.equal(2, status, words[2])
      assert.truthy(err:find("--help", 1, true))
      program.remove(folder)
    end
  end)
end)

describe("weft serve --dev", function()
  it("warns of look-ups that a request repeats, with what to write, once per place", function()
    local path = os.tmpname()
    local server = served.start { app = served.app(app), databases = { app = "sqlite:" .. path }, words = { "--dev" } }
    for _ = 1, 3 do server:get "/five" end
    local said = server:said()
    server:stop()
    os.remove(path)
    local _, times = said:gsub("the same look%-up 5 times in a row on 'app'", "")
    assert.equal(1, times)
    assert.matches("app%.lua:%d+: the same look%-up", said)
    assert.truthy(said:find("one statement that takes all keys", 1, true))
  end)
end)
