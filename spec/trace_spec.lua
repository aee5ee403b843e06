-- SPDX-License-Identifier: MIT
-- weft.trace in one program: contexts from outside, spans of its own and of statements, what is never in them.

local weft = require "weft"
local backends = require "spec.support.backends"
local context = require "weft.trace.context"
local otlp = require "weft.trace.otlp"
local raises = require "spec.support.raises"

local ID, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
local GOOD = ("00-%s-%s-01"):format(ID, SPAN)
local MARK = "marked-value-4711"

describe("a traceparent", function()
  local bad = {
    "", "00", "garbage", GOOD .. "x", GOOD .. "-", GOOD .. "-00", GOOD .. ", " .. GOOD, GOOD .. " ", " " .. GOOD, GOOD:upper(),
    "ff" .. GOOD:sub(3), "0" .. GOOD:sub(3), "0g" .. GOOD:sub(3), ("00-%s-%s-01"):format(("0"):rep(32), SPAN),
    ("00-%s-%s-01"):format(ID, ("0"):rep(16)), ("00-%s-%s-0"):format(ID, SPAN), ("00-%s-%s-0g"):format(ID, SPAN), ("00-%s-%s"):format(ID, SPAN),
    ("00-%s0-%s-01"):format(ID, SPAN), ("00-%s-%s0-01"):format(ID, SPAN), ("00-%s-%s-01"):format(ID:sub(2), SPAN), ("00_%s_%s_01"):format(ID, SPAN),
    "01" .. GOOD:sub(3) .. "what", ("00-%s-%s-01\0"):format(ID, SPAN), ("00-%s-%s-1\n"):format(ID, SPAN), ("x"):rep(100000),
  }

  it("is ignored when it is not as the recommendation says", function()
    for _, text in ipairs(bad) do assert.is_nil(context.read(text, "a=b"), text:sub(1, 80)) end
    assert.is_nil(context.read(nil))
    assert.is_nil(context.read(7))
  end)

  it("is read, its flags too, also of versions to come", function()
    assert.same({ trace_id = ID, id = SPAN, sampled = true }, context.read(GOOD))
    for flags, sampled in pairs { ["00"] = false, ["02"] = false, ["03"] = true, ["ff"] = true, ["fe"] = false } do
      assert.equal(sampled, context.read(GOOD:sub(1, -3) .. flags).sampled)
    end
    assert.equal(ID, context.read("cc" .. GOOD:sub(3)).trace_id)
    assert.equal(ID, context.read("cc" .. GOOD:sub(3) .. "-what-comes").trace_id)
    assert.equal(GOOD, context.write(context.read(GOOD)))
  end)

  it("comes with a tracestate, unless that is broken", function()
    local long = ("k"):rep(256) .. "=" .. ("v"):rep(200)
    for _, text in ipairs { "a=b", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a=b , c=d", "1a@sys=x", "a=b,,c=d", "a= b", "a/b-c*_0=~!", long } do
      assert.equal(text, context.read(GOOD, text).state, text)
    end
    local many = {}
    for i = 1, 33 do many[i] = "k" .. i .. "=1" end
    for _, text in ipairs { "", "a", "=b", "a=", "A=b", "a=b=c", "a=b,a=c", "a=\0", "a=ü", "a b=c", "@s=1", "a@=1", "a@0s=1", "1=2",
      table.concat(many, ","), ("a=b,"):rep(200), "a=" .. ("v"):rep(600) } do
      assert.is_nil(context.read(GOOD, text).state, text:sub(1, 60))
    end
    many[33] = nil
    assert.truthy(context.read(GOOD, table.concat(many, ",")).state)
  end)

  it("is made of what AWS X-Ray says", function()
    assert.equal("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01",
      context.of_xray "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
    for _, text in ipairs { "", "Root=1-5759e988-bd86", "Root=1-5759e988-bd862e3fe1be46a994272793" } do assert.is_nil(context.of_xray(text)) end
    assert.is_nil(context.of_xray(nil))
  end)
end)

local line_of, posted = otlp.line, nil
setup(function()
  function otlp.line(span)
    posted[#posted + 1] = otlp.span(span)
    assert(weft.decode(posted[#posted]))
    return line_of(span)
  end
end)
teardown(function() otlp.line = line_of end)

---Starts traces into a list of what the log's lines hold. What would be posted to a collector is in `posted`.
local function collect(options)
  local list = {}
  posted = {}
  options = options or {}
  options.log = function(line) list[#list + 1] = weft.decode(line) end
  weft.trace.start(options)
  return list
end

describe("weft.trace", function()
  after_each(function() weft.trace.stop() end)

  it("calls through before start", function()
    assert.same({ 1, nil, 3 }, { weft.trace.span("x", function(span, a) span:set("k", 1) return a, nil, 3 end, 1) })
    assert.is_nil(weft.trace.id())
    assert.same({}, weft.trace.headers())
    assert.is_nil(weft.trace.stats())
    assert.is_false(weft.trace.start {})
  end)

  it("nests spans, gives results, and hands on to tasks", function()
    local spans = collect()
    local id, header
    weft.run(function()
      assert.same({ "a", nil, "c", n = 3 }, table.pack(weft.trace.span("outer", function(span)
        id, header = weft.trace.id(), weft.trace.headers().traceparent
        span:set("n", 1):set("f", 1.5):set("b", true):set("t", "text"):set("nothing", nil)
        weft.all { function() weft.trace.span("left", weft.sleep and function() weft.sleep(0.01) end) end,
          function() weft.trace.span("right", function() weft.sleep(0.01) end) end }
        weft.spawn(function() weft.trace.span("spawned", function() end) end):await()
        return "a", nil, "c"
      end)))
      assert.is_nil(weft.trace.id())
    end)
    local names = {}
    for _, span in ipairs(spans) do names[span.name] = span end
    assert.same({ n = 1, f = 1.5, b = true, t = "text" }, names.outer.attributes)
    assert.is_nil(names.outer.parent_id)
    for _, name in ipairs { "left", "right", "spawned" } do
      assert.same({ names.outer.span_id, id }, { names[name].parent_id, names[name].trace_id }, name)
    end
    assert.equal(("00-%s-%s-01"):format(id, names.outer.span_id), header)
    assert.is_true(names.left.ms >= 9)
  end)

  it("tells of failures by their kind, raises them as they were, and closes what was stopped", function()
    local spans = collect()
    local err = { MARK }
    local ok, raised = pcall(weft.trace.span, "fails", function() error(err) end)
    assert.same({ false, true }, { ok, raised == err })
    raises("not_found", function() weft.trace.span("missing", function() weft.fail("not_found", MARK) end) end)
    raises("timeout", function() weft.run(weft.timeout, 0.01, function() weft.trace.span("late", function() weft.sleep(5) end) end) end)
    weft.run(function()
      local task = weft.spawn(function() weft.trace.span("given up", function() weft.sleep(5) end) end)
      weft.sleep(0.01)
      task:cancel()
      pcall(task.await, task)
    end)
    local kinds = {}
    for _, span in ipairs(spans) do kinds[span.name] = span.failed end
    assert.same({ fails = "error", missing = "not_found", late = "timeout", ["given up"] = "cancelled" }, kinds)
    assert.is_nil(table.concat(posted):find(MARK, 1, true))
    assert.is_nil(weft.trace.id())
  end)

  it("goes on with a trace of another program, whose decision counts", function()
    local spans = collect { sample = 0 }
    weft.trace.span({ name = "in", traceparent = GOOD, tracestate = "a=b" }, function()
      assert.same({ ID, "a=b" }, { weft.trace.id(), weft.trace.headers().tracestate })
    end)
    weft.trace.span({ name = "not told", traceparent = GOOD:sub(1, -3) .. "00" }, function()
      assert.matches("^00%-" .. ID .. "%-%x+%-00$", weft.trace.headers().traceparent)
    end)
    weft.trace.span({ name = "broken", traceparent = "00-x" }, function() assert.not_equal(ID, weft.trace.id()) end)
    assert.equal(1, #spans)
    assert.same({ "in", ID, SPAN }, { spans[1].name, spans[1].trace_id, spans[1].parent_id })
  end)

  it("draws so many traces as it is told to, whole ones", function()
    local spans = collect { sample = 0.25 }
    for _ = 1, 2000 do weft.trace.span("a", function() weft.trace.span("b", function() end) end) end
    assert.is_true(#spans > 800 and #spans < 1200, #spans .. " of 4000")
    local traces = {}
    for _, span in ipairs(spans) do traces[span.trace_id] = (traces[span.trace_id] or 0) + 1 end
    for _, n in pairs(traces) do assert.equal(2, n) end
  end)

  it("makes JSON of whatever a program says of its spans", function()
    local spans = collect()
    weft.trace.span("a\0\"\xff", function(span)
      span:set("bad \xff", "\xc3\x28"):set("inf", math.huge):set("nan", 0 / 0):set("long", ("ü"):rep(10000)):set("big", math.maxinteger)
    end)
    assert.equal(1, #spans)
    assert.truthy(table.concat(posted):find('"intValue":"9223372036854775807"', 1, true))
    assert.is_true(#posted[1] < 10000)
  end)

  it("harms nothing when a log fails, and says so", function()
    local told = {}
    local off = weft.on("error", function(info) told[#told + 1] = info end)
    weft.trace.start { log = function() error "disk full" end }
    assert.equal(7, weft.trace.span("a", function() return 7 end))
    off()
    assert.equal(1, #told)
    assert.matches("disk full", told[1].message)
  end)

  it("remembers no more spans than it must", function()
    collect { sample = 0 }
    for _ = 1, 3000 do coroutine.wrap(function() weft.trace.span("left", coroutine.yield) end)() end
    collectgarbage() collectgarbage()
    local before = collectgarbage "count"
    for _ = 1, 3000 do coroutine.wrap(function() weft.trace.span("left", coroutine.yield) end)() end
    collectgarbage() collectgarbage()
    assert.is_true(collectgarbage "count" - before < 200)
  end)

  it("raises usage for what it does not know", function()
    for _, options in ipairs { { otlp = 7 }, { otlp = "ftp://x" }, { otlp = "http://" }, { otlp = "http:// x" }, { log = "yes" }, { sample = 2 },
      { sample = "1" }, { sample = 0 / 0 }, { servise = "x" }, { log = true, service = 7 }, { log = true, headers = { a = "b\nc" } } } do
      raises("usage", function() weft.trace.start(options) end)
    end
    raises("usage", function() weft.trace.start(7) end)
    raises("usage", function() weft.trace.span "x" end)
    raises("usage", function() weft.trace.span("", print) end)
    raises("usage", function() weft.trace.span({}, print) end)
    weft.trace.start { log = function() end }
    raises("usage", function() weft.trace.start { log = true } end, "stop comes first")
    raises("usage", function() weft.trace.span("x", function(span) span:set(1, 2) end) end)
    raises("usage", function() weft.trace.span("x", function(span) span:set("a", {}) end) end)
    local ok, err = pcall(weft.trace.span, "x", function(span) span.set("a", 1) end)
    assert.same({ false, "usage" }, { ok, err.kind })
  end)
end)

backends.each(function(backend)
  local db, name, spans
  before_each(function()
    db, name = backend.open [[
      create table sellers (id integer primary key, name text);
      create table products (id integer primary key, title text, seller_id integer references sellers (id));
      insert into sellers values (1, 'a'), (2, 'b');
      insert into products values (1, 'lamp', 1), (2, 'chair', 2);]]
    weft.models(name).Product:include("seller"):all()
    spans = collect()
  end)
  after_each(function() weft.trace.stop() end)

  local function named(prefix)
    local list = {}
    for _, span in ipairs(spans) do
      if span.name:find(prefix, 1, true) == 1 then list[#list + 1] = span end
    end
    return list
  end

  it("tells of statements below the span that they ran in", function()
    local Product = weft.models(name).Product
    weft.trace.span("work", function() Product:where({ title = "lamp" }):all() end)
    Product:where({ title = "lamp" }):all()
    assert.equal(3, #spans)
    local statement, work, alone = spans[1], spans[2], spans[3]
    assert.same({ "SELECT products", "client", work.span_id, work.trace_id },
      { statement.name, statement.kind, statement.parent_id, statement.trace_id })
    assert.is_nil(alone.parent_id)
    local a = statement.attributes
    assert.same({ ({ postgres = "postgresql" })[backend.dialect] or backend.dialect, name, 1, "SELECT", "products" },
      { a["db.system.name"], a["db.namespace"], a["db.response.returned_rows"], a["db.operation.name"], a["db.collection.name"] })
    assert.truthy(a["db.query.text"]:find("where", 1, true))
    assert.is_true(statement.ms <= work.ms + 1)
  end)

  it("knows whose statements are whose while many run, trees, transactions, merged and shared ones", function()
    local Product = weft.models(name).Product
    weft.run(function()
      local list = {}
      for i = 1, 8 do
        list[i] = function()
          weft.trace.span("job " .. i, function()
            weft.sleep(i % 3 / 1000)
            if i % 4 == 0 then Product:include("seller"):all()
            elseif i % 4 == 1 then db:transaction(function() Product:where({ id = 1 }):update { title = "x" .. i } end)
            elseif i % 4 == 2 then weft.all { function() Product:where({ title = "t" .. i }):all() end, function() db:query "select 1 as one" end }
            else Product:find(1) end
          end)
        end
      end
      weft.all(list)
    end)
    local jobs, below = {}, {}
    for _, span in ipairs(named "job") do jobs[span.span_id] = span.name end
    for _, span in ipairs(spans) do
      if span.kind == "client" then
        local job = assert(jobs[span.parent_id], span.attributes["db.query.text"] .. " belongs to nobody")
        below[job] = (below[job] or 0) + 1
      end
    end
    for i = 1, 8 do
      if i % 4 ~= 3 then assert.is_true(below["job " .. i] >= 2, "job " .. i) end
    end
    assert.is_true((below["job 3"] or 0) + (below["job 7"] or 0) >= 1)
  end)

  it("holds no value, whatever became of the statement", function()
    local Product = weft.models(name).Product
    local cast = backend.dialect == "postgres" and "select ?::text as x" or "select ? as x"
    db:query(cast, MARK)
    Product:create { id = 3, title = MARK }
    Product:where({ title = { MARK, MARK .. 2 } }):all()
    Product:where(weft.raw("title = ?", MARK)):update { title = MARK .. 3 }
    pcall(Product.create, Product, { id = 3, title = MARK })
    pcall(db.query, db, cast .. " from nowhere", MARK)
    pcall(Product.find, Product, MARK)
    pcall(db.query, db, backend.dialect == "postgres" and "select cast(?::text as integer)" or "select nope(?)", MARK)
    assert.is_true(#spans >= 6)
    assert.is_nil(table.concat(posted):find(MARK, 1, true))
    for _, span in ipairs(spans) do assert.is_nil(weft.encode(span):find(MARK, 1, true)) end
    local failed = {}
    for _, span in ipairs(spans) do failed[span.failed or ""] = span end
    assert.truthy(failed.unique)
    assert.equal("unique", failed.unique.attributes["error.type"])
    assert.truthy(failed.unique.attributes["db.response.status_code"])
  end)

  it("measures nothing any more after stop", function()
    weft.trace.stop()
    db:query "select 1 as one"
    assert.equal(0, #spans)
  end)
end)
