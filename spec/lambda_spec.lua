-- SPDX-License-Identifier: MIT
-- weft lambda, a process of its own, against a stand-in of the Runtime API.

local weft = require "weft"
local backends = require "spec.support.backends"
local program = require "spec.support.program"
local runtime_api = require "spec.support.runtime_api"
local shell = require "spec.support.shell"

local quote = shell.quote
local binary = os.getenv "WEFT_SPEC_BUILD" .. "/weft"

---Deadlines as AWS gives them.
local function deadline(seconds) return ("%d"):format((os.time() + seconds) * 1000) end

describe("weft lambda", function()
  local api, folder, processes

  before_each(function()
    api, processes = runtime_api.start(), {}
    folder = program.app({}, { ["handler.lua"] = "return function(event) return event end\n" })
  end)
  after_each(function()
    for _, process in ipairs(processes) do
      shell.run("kill -KILL " .. process.pid)
      process.pipe:close()
    end
    api:stop()
    api = nil
    program.remove(folder)
  end)

  ---Starts it in the folder.
  local function start(handler, environment)
    local pidfile = os.tmpname()
    local command = ("cd %s && echo $$ >%s && exec env AWS_LAMBDA_RUNTIME_API=%s %s %s lambda %s 2>err.log"):format(quote(folder),
      pidfile, api.host, environment or "", quote(binary), handler or "handler.lua")
    local process = { pipe = io.popen(command, "r") }
    repeat process.pid = (shell.read(pidfile) or ""):match "^(%d+)\n" until process.pid
    os.remove(pidfile)
    processes[#processes + 1] = process
    return process
  end

  ---How a process ended by itself.
  local function ended(process)
    local _, _, code = process.pipe:close()
    for i, other in ipairs(processes) do
      if other == process then table.remove(processes, i) end
    end
    return code
  end

  local function write(name, text) shell.write(folder .. "/" .. name, text) end
  local function log() return shell.read(folder .. "/err.log") end

  ---What an event is answered with: the kind, then the decoded body.
  local function call(event, headers)
    local kind, body, type, content = api:result(api:event(type(event) == "string" and event or weft.encode(event), headers))
    return kind, weft.decode(body), type, content
  end

  it("is served by a stand-in that refuses what the Runtime API refuses", function()
    local function status(method, path, body) return api:request(method, "/2018-06-01/runtime/" .. path, body).status end
    assert.equal(400, status("POST", "invocation/id-0/response", "{}"))
    local first = api:event "{}"
    assert.equal(400, status("POST", "invocation/" .. first .. "/response", "{}")) -- nobody has it yet
    assert.equal(200, status("GET", "invocation/next"))
    assert.equal(403, status("GET", "invocation/next"))
    assert.equal(403, status("POST", "init/error", "{}"))
    assert.equal(413, status("POST", "invocation/" .. first .. "/response", ("x"):rep(6 * 2^20 + 1)))
    assert.equal(404, status("POST", "invocation/" .. first .. "/answer", "{}"))
    assert.equal(202, status("POST", "invocation/" .. first .. "/response", "{}"))
    assert.equal(400, status("POST", "invocation/" .. first .. "/error", "{}"))
    assert.equal(404, status("GET", "invocation/" .. first))
  end)

  it("answers each event with what the handler returns, exactly", function()
    start()
    for _, text in ipairs { '{"n":9007199254740993,"d":1.10,"none":null,"list":[],"map":{},"text":"ä\\u0000\\"x"}', "[]", "null", "1",
      '"text"', "true", "-9223372036854775808" } do
      local kind, body, _, content = api:result(api:event(text))
      assert.equal("response", kind)
      assert.equal("application/json", content)
      assert.equal(weft.encode(weft.decode(text)), body)
    end
    assert.truthy(api:result(api:event "{}"))
    local connections = api:count()
    for _ = 1, 5 do api:result(api:event "{}") end
    assert.equal(connections, (api:count()))
  end)

  it("tells a collector of its invocations, before it waits for the next one, and goes on without one", function()
    local collector = require "spec.support.collector".start()
    write("handler.lua", [[local db = require "weft".database "app"
      return function(event) if event.fail then error(event.fail) end return db:query("select ? as x", event.x) end]])
    write("weft.lua", 'return { databases = { app = "sqlite::memory:" } }')
    start("handler", "AWS_LAMBDA_FUNCTION_NAME=shop OTEL_EXPORTER_OTLP_ENDPOINT=http://" .. collector.address)
    local trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    assert.equal("response", (call({ x = "marked" }, { ["Lambda-Runtime-Trace-Id"] = trace })))
    assert.equal("error", (call { fail = "marked" }))
    assert.equal("response", (call { x = 1 })) -- the spans of those before have been sent by now
    local spans, text = collector:spans()
    assert.same({ "SELECT", "shop", "shop" }, { spans[1].name, spans[2].name, spans[3].name })
    assert.same({ "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8", 2, "shop", "id-0" }, { spans[2].traceId, spans[2].parentSpanId,
      spans[2].kind, spans[2].named["resource.service.name"], spans[2].named["faas.invocation_id"] })
    assert.equal(spans[2].spanId, spans[1].parentSpanId)
    assert.same({ 2, "error" }, { spans[3].status.code, spans[3].named["error.type"] })
    assert.is_nil(text:find("marked", 1, true))
    collector:stop()
    for _ = 1, 3 do assert.equal("response", (call { x = 1 })) end
  end)

  it("tells the handler what the invocation says", function()
    write("handler.lua", [[return function(_, ctx)
      return { id = ctx.request_id, arn = ctx.function_arn, trace = ctx.trace_id, parent = ctx.traceparent, env = os.getenv "_X_AMZN_TRACE_ID",
        client = ctx.client_context, identity = ctx.identity, left = ctx.remaining(), deadline = ctx.deadline, name = ctx.function_name,
        version = ctx.function_version, memory = ctx.memory_limit, group = ctx.log_group, stream = ctx.log_stream } end]])
    start("handler", "AWS_LAMBDA_FUNCTION_NAME=shop AWS_LAMBDA_FUNCTION_VERSION=7 AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128 "
      .. "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/shop AWS_LAMBDA_LOG_STREAM_NAME=stream")
    local trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    local at = deadline(60)
    local _, told = call({}, { ["Lambda-Runtime-Deadline-Ms"] = at, ["Lambda-Runtime-Invoked-Function-Arn"] = "arn:aws:lambda:x:1:function:shop",
      ["Lambda-Runtime-Trace-Id"] = trace, ["Lambda-Runtime-Client-Context"] = '{"custom":{"a":1}}',
      ["Lambda-Runtime-Cognito-Identity"] = "no JSON" })
    assert.is_true(told.left > 30000 and told.left <= 60000)
    told.left = nil
    assert.same({ id = "id-0", arn = "arn:aws:lambda:x:1:function:shop", trace = trace, env = trace,
      parent = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01", client = { custom = { a = 1 } }, identity = "no JSON",
      deadline = tonumber(at), name = "shop", version = "7", memory = 128, group = "/aws/lambda/shop", stream = "stream" }, told)
    _, told = call({}, { ["Lambda-Runtime-Trace-Id"] = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0" })
    assert.is_nil(told.parent)
    _, told = call {}
    assert.is_nil(told.env)
    assert.is_nil(told.deadline)
  end)

  it("finds a function by _HANDLER and by its name", function()
    write("handler.lua", "return { handler = function() return 'first' end, other = function() return 'second' end }")
    for word, result in pairs { ["handler"] = "first", ["handler.lua"] = "first", ["handler.handler"] = "first", ["handler.other"] = "second",
      ["../" .. folder:match "[^/]*$" .. "/handler.other"] = "second" } do
      start("", "_HANDLER=" .. word)
      assert.equal(result, select(2, call {}))
      shell.run("kill " .. processes[#processes].pid)
      ended(processes[#processes])
      api:stop()
      api = runtime_api.start()
    end
  end)

  it("reports what a handler raises, and goes on", function()
    write("handler.lua", [[local weft = require "weft"
      return function(event)
        if event == 1 then error "broken\nline" end
        if event == 2 then weft.fail("not_found", "no such product") end
        if event == 3 then error() end
        if event == 4 then error "\xff" end
        if event == 5 then return function() end end
        if event == 6 then return ("x"):rep(7 * 2^20) end
        if event == 7 then weft.spawn(function() error "lost" end) end
        if event == 8 then local function deep() return 1 + deep() end deep() end
        if event == 9 then error { code = 7 } end
        return "fine"
      end]])
    local process = start()
    local expected = { { "Lua.Error", "broken line" }, { "Weft.not_found", "no such product" }, { "Lua.Error", "nil" }, { "Lua.Error", "UTF-8" },
      { "Weft.usage", "encode" }, { "Runtime.ResponseTooLarge", "413" }, { "Lua.Error", "lost" }, { "Lua.Error", "stack overflow" },
      { "Lua.Error", '{"code":7}' } }
    for i, what in ipairs(expected) do
      local kind, body, type, content = call(tostring(i))
      assert.same({ "error", what[1], "application/vnd.aws.lambda.error+json", what[1] }, { kind, type, content, body.errorType })
      assert.truthy(body.errorMessage:find(what[2], 1, true), body.errorMessage)
      assert.is_table(body.stackTrace)
      if i == 1 then assert.truthy(weft.encode(body.stackTrace):find("handler.lua:3", 1, true)) end
      assert.equal("response", (call "0"))
    end
    assert.equal("error", (call "{ no JSON"))
    assert.equal("response", (call "0"))
    assert.truthy(log():find('"request_id":"id-0"', 1, true))
    assert.truthy(log():find("broken line", 1, true))
    assert.truthy(shell.process(process.pid))
  end)

  it("reports a handler that does not load, and ends with 1", function()
    for text, what in pairs { ["this is not Lua"] = "handler.lua:1", ["error 'at start'"] = "at start", ["return 1"] = "returned a number",
      ["return {}"] = "without a function 'handler'", ["return { hand1er = print, more = print }"] = "hand1er, more" } do
      write("handler.lua", text)
      local process = start()
      local kind, body, type = api:result()
      assert.equal("init", kind)
      body = weft.decode(body)
      assert.truthy(body.errorMessage:find(what, 1, true), body.errorMessage)
      assert.equal(type, body.errorType)
      assert.equal(1, ended(process))
      api:stop()
      api = runtime_api.start()
    end
    local process = start "nowhere.lua"
    assert.truthy(select(2, api:result()):find("nowhere.lua", 1, true))
    assert.equal(1, ended(process))
  end)

  it("ends with 1 when the Runtime API is gone", function()
    local process = start()
    assert.equal("response", (call {}))
    api:stop()
    api = runtime_api.start()
    assert.equal(1, ended(process))
    assert.truthy(log():find("connect", 1, true))
  end)

  it("ends a wait before the deadline", function()
    write("handler.lua", "return function(event, ctx) require 'weft'.sleep(event) return ctx.remaining() > 0 end")
    start()
    local kind, body = call("60", { ["Lambda-Runtime-Deadline-Ms"] = deadline(2) })
    assert.same({ "error", "Weft.timeout" }, { kind, body.errorType })
    kind, body = call("0", { ["Lambda-Runtime-Deadline-Ms"] = deadline(-5) })
    assert.same({ "error", "Weft.timeout" }, { kind, body.errorType })
    assert.equal("response", (call "0"))
  end)

  it("waits for the tasks of an invocation, and answers with a query's rows", function()
    program.remove(folder)
    folder = program.app({ shop = backends["sqlite file"].url [[create table products (id integer primary key, price numeric(10,2));
      insert into products values (1, 1.10), (2, 3)]] }, { ["handler.lua"] = [[local weft = require "weft"
      return function(event)
        weft.spawn(function() weft.sleep(0.01) LATER = true end)
        if event == "later" then return LATER == true end
        return weft.models("shop").Product:order("id")
      end]] })
    start()
    local kind, body = api:result(api:event "null")
    assert.same({ "response", '[{"id":1,"price":1.10},{"id":2,"price":3.00}]' }, { kind, body })
    assert.is_true(select(2, call '"later"'))
  end)

  it("answers one event without AWS", function()
    write("handler.lua", "return function(event) if event then return { got = event } end error 'nothing' end")
    shell.write(folder .. "/event.json", '{"a":[1]}')
    local status, out, err = program.run(folder, "lambda", "handler.lua", "--event", "event.json")
    assert.same({ 0, '{"got":{"a":[1]}}\n', "" }, { status, out, err })
    shell.write(folder .. "/event.json", "false")
    status, out, err = program.run(folder, "lambda", "handler", "--event", "event.json")
    assert.same({ 1, "" }, { status, out })
    assert.truthy(err:find("nothing", 1, true))
    status = program.run("/", "lambda", "handler", "--app", folder, "--event", folder .. "/event.json")
    assert.equal(1, status)
  end)

  it("is packed with what it needs, always in the same bytes, and runs elsewhere", function()
    shell.must("mkdir -p " .. quote(folder .. "/.git") .. " " .. quote(folder .. "/models/shop"))
    write(".git/config", "secret")
    write("weft.lua", "return { databases = { shop = 'sqlite:shop.db' } }")
    write("models/shop/Note.lua", "return require 'weft'.model { table = 'notes' }")
    write("handler.lua", [[return function() return { require "weft".models("shop").Note:find(1).text } end]])
    shell.must(("sqlite3 %s/shop.db \"create table notes (id integer primary key, text); insert into notes values (1, 'x')\"")
      :format(quote(folder)))
    local sums, archive = {}, os.tmpname()
    finally(function() os.remove(archive) end)
    for i = 1, 2 do
      local status, _, err = program.run("/", "lambda", "--zip", folder, "--output", archive)
      assert.equal(0, status, err)
      assert.truthy(err:find("sqlite; needs glibc 2.", 1, true))
      sums[i] = shell.must("cksum <" .. quote(archive))
    end
    assert.equal(sums[1], sums[2])
    local away = shell.must("mktemp -d"):gsub("%s+$", "")
    shell.must(("unzip -q %s -d %s"):format(quote(archive), quote(away)))
    local list = shell.must("cd " .. quote(away) .. " && find . -type f")
    for _, name in ipairs { "bootstrap", "handler.lua", "models/shop/Note.lua", "weft/lib/weft/driver_sqlite.so", "weft/lib/client/libsqlite3.so.0",
      "weft/lib/client/libcurl.so.4" } do
      assert.truthy(list:find("./" .. name .. "\n", 1, true), name)
    end
    for _, name in ipairs { ".git", "driver_postgres", "libc.so" } do assert.is_nil(list:find(name, 1, true), name) end
    program.remove(folder)
    folder = away -- nothing of the old one is there
    local environment = ("AWS_LAMBDA_RUNTIME_API=%s LAMBDA_TASK_ROOT=%s _HANDLER=handler"):format(api.host, quote(folder))
    local process = { pipe = io.popen(("cd / && echo $$ >%s/pid && exec env %s %s/bootstrap 2>&1"):format(quote(folder), environment,
      quote(folder)), "r") }
    repeat process.pid = (shell.read(folder .. "/pid") or ""):match "^(%d+)\n" until process.pid
    processes[#processes + 1] = process
    assert.same({ "x" }, select(2, call {}))
    local maps = shell.read("/proc/" .. process.pid .. "/maps")
    for _, name in ipairs { "/client/libcurl.so.4", "/client/libsqlite3.so.0", "/lib/weft/curl.so" } do
      assert.truthy(maps:find(folder .. "/weft/lib" .. name:gsub("^/lib", ""), 1, true), name)
    end
  end)

  it("refuses to pack what is no app", function()
    for _, words in ipairs { { "--zip", "/nonexistent" }, { "--zip", folder, "--drivers", "oracle" } } do
      assert.equal(2, (program.run(folder, "lambda", table.unpack(words))))
    end
    shell.must("rm " .. quote(folder .. "/weft.lua"))
    local status, _, err = program.run("/", "lambda", "--zip", folder)
    assert.equal(2, status)
    assert.truthy(err:find("--drivers", 1, true))
  end)

  it("says how it is used", function()
    for _, words in ipairs { {}, { "a", "b" }, { "--evnet", "x" }, { "handler.lua" }, { "handler.lua", "--event", "nowhere.json" } } do
      local status, _, err = program.run(folder, "lambda", table.unpack(words))
      assert.equal(2, status)
      assert.truthy(err:find("usage: weft lambda", 1, true))
    end
    assert.equal(0, (program.run(folder, "lambda", "--help")))
    assert.truthy(select(2, program.run(folder, "--help")):find("weft lambda HANDLER", 1, true))
  end)

  describe("with PostgreSQL", function()
    local url

    local function app()
      url = backends.postgres.url "create table notes (id serial primary key, text text)"
      program.remove(folder)
      folder = program.app({ shop = url }, { ["handler.lua"] = [[local weft = require "weft"
        return function(event)
          if event.write then weft.models("shop").Note:create { text = event.write } end
          if event.read then weft.database("shop"):query "select 1" end
          return weft.database("shop"):stats()
        end]] })
    end

    local function psql(sql) return (require "spec.support.servers".postgres().psql(sql, url:match "/([^/?]+)$")) end

    it("keeps its connection between invocations, and opens none before the first statement", function()
      app()
      start()
      assert.equal(0, select(2, call {}).opened)
      for _ = 1, 5 do assert.equal(1, select(2, call { write = "x" }).opened) end
      assert.equal(1, select(2, call {}).open)
    end)

    ---Stops the process, does something, queues an event and lets the process go on.
    local function frozen(process, seconds, fn, event)
      shell.must("kill -STOP " .. process.pid)
      fn()
      local id = api:event(weft.encode(event or { write = "after" }))
      if seconds > 0 then shell.sleep(seconds) end
      shell.must("kill -CONT " .. process.pid)
      local kind, body = api:result(id)
      assert.equal("response", kind, body)
      return weft.decode(body)
    end

    local function terminate()
      psql "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    end

    ---The last statement of the connection, once it is `wanted`.
    local function last_statement(wanted)
      for _ = 1, 200 do
        local text = psql("select query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
        if text:find(wanted, 1, true) then return true end
      end
      return false
    end

    it("asks its connection for a sign of life after it stood still for long, and not else", function()
      app()
      local process = start()
      call { write = "before" }
      frozen(process, 0, function() end, {})
      assert.is_true(last_statement "insert")
      assert.equal(1, frozen(process, 1.1, function() end, {}).opened)
      assert.is_true(last_statement "select 1")
      assert.equal(1, select(2, call { write = "after" }).opened)
    end)

    for seconds, how in pairs { [0] = "short", [1.1] = "long" } do
      it("survives that its connection is closed while it stands still, for a " .. how .. " time", function()
        app()
        local process = start()
        call { write = "before" }
        assert.equal(2, frozen(process, seconds, terminate).opened)
        assert.equal("before after", (psql "select string_agg(text, ' ' order by id) from notes"):match "[^\n]*")
      end)
    end
  end)
end)
