-- SPDX-License-Identifier: MIT
-- weft.curl against a server whose every byte is known.

local weft = require "weft"
local core = require "weft.core"
local curl = require "weft.curl"
local runtime_api = require "spec.support.runtime_api"
local shell = require "spec.support.shell"

local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_true(core.is_error(err), tostring(err))
  return err
end

describe("weft.curl", function()
  local api, client
  setup(function() api = runtime_api.start() end)
  teardown(function()
    api:stop()
    api = nil
  end)
  before_each(function() client = curl.new { proxy = false } end)
  after_each(function()
    client:close()
    client = nil
  end)

  local function get(path, more)
    local request = { url = api.url .. path }
    for name, value in pairs(more or {}) do request[name] = value end
    return client:request(request)
  end

  it("sends method, headers and body, and gives status, headers and body", function()
    local got = get("/echo", { method = "PATCH", body = "a\0b", headers = { ["X-One"] = "1", ["X-Empty"] = "" } })
    assert.equal(200, got.status)
    assert.truthy(got.body:find("^PATCH /echo HTTP/1.1"))
    assert.truthy(got.body:find("X-One: 1 \n", 1, true))
    assert.truthy(got.body:find("X-Empty: \n", 1, true))
    assert.truthy(got.body:find("Content-Length: 3 \n", 1, true))
    assert.equal("a\0b", got.body:sub(-3))
    assert.equal("a, b", got.headers["x-two"])
    assert.equal("application/json", got.headers["content-type"])
    assert.equal(404, get("/nothing").status)
  end)

  it("posts what has a body, also an empty one, and gets what has none", function()
    assert.truthy(get("/echo", { body = "" }).body:find("^POST .*Content%-Length: 0 "))
    assert.truthy(get("/echo", { method = "POST" }).body:find("^POST .*Content%-Length: 0 "))
    assert.truthy(get("/echo").body:find("^GET "))
    assert.truthy(get("/echo").body:find("^GET "))
  end)

  it("sends and receives megabytes", function()
    local body = ("0123456789abcdef"):rep(2 ^ 17)
    local got = get("/echo", { body = body })
    assert.equal(body, got.body:sub(-#body))
  end)

  it("keeps its connection", function()
    local before = api:count()
    for _ = 1, 5 do get "/echo" end
    assert.equal(before + 1, api:count())
    client:close()
    get "/echo"
    assert.equal(before + 2, api:count())
  end)

  it("connects again when the server has closed meanwhile", function()
    api:raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", { ["X-Close"] = "1" })
    for _ = 1, 3 do assert.equal("ok", get("/raw", { body = "x" }).body) end
  end)

  it("reads chunks, interim answers, and bodies that end with the connection", function()
    api:raw "HTTP/1.1 103 Early\r\nX-A: 1\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    local got = get "/raw"
    assert.equal("abcde", got.body)
    assert.is_nil(got.headers["x-a"])
    api:raw("HTTP/1.1 200 OK\r\n\r\nuntil the end", { ["X-Close"] = "1" })
    assert.equal("until the end", get("/raw").body)
    api:raw "HTTP/1.1 204 No Content\r\n\r\n"
    assert.same({ 204, "" }, { get("/raw").status, get("/raw").body })
  end)

  it("tells what went wrong by kinds, without the url", function()
    local port = shell.free_port()
    local err = failure(client.request, client, { url = ("http://me:secret@127.0.0.1:%d/token"):format(port) })
    assert.equal("connect", err.kind)
    assert.is_true(err.retryable)
    assert.is_false(err.outcome_unknown)
    assert.is_nil(tostring(err):find("secret", 1, true))
    assert.is_nil(tostring(err):find("token", 1, true))
    assert.equal("connect", failure(client.request, client, { url = "http://host.invalid/" }).kind)
    api:raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", { ["X-Close"] = "1" })
    err = failure(get, "/raw")
    assert.equal("disconnect", err.kind)
    assert.is_true(err.outcome_unknown)
    api:raw("", { ["X-Close"] = "1" })
    assert.equal("disconnect", failure(get, "/raw").kind)
    api:raw("SSH-2.0 nonsense\r\n\r\n", { ["X-Close"] = "1" })
    assert.equal("unsupported", failure(get, "/raw").kind)
    assert.equal(200, get("/echo").status)
  end)

  it("refuses misuse", function()
    local cases = {
      { { url = 1 }, "url is text" }, { {}, "a url is needed" }, { { url = "ftp://127.0.0.1/" }, "" },
      { { url = "http://127.0.0.1/", method = "GET X" }, "a method is a word" },
      { { url = "http://127.0.0.1/", headers = { ["A"] = "b\r\nC: d" } }, "line's end" },
      { { url = "http://127.0.0.1/", headers = { ["A\nB"] = "b" } }, "line's end" },
      { { url = "http://127.0.0.1/\0x" }, "zero byte" }, { { url = "http://127.0.0.1/", timeout = -1 }, "timeout" },
      { { url = "file:///etc/hostname" }, "" },
    }
    for _, case in ipairs(cases) do
      local err = failure(client.request, client, case[1])
      assert.equal("usage", err.kind)
      assert.truthy(err.message:find(case[2], 1, true), err.message)
    end
    assert.equal("usage", failure(client.request, io.stdout, {}).kind)
    assert.equal("usage", failure(client.request, client).kind)
    assert.truthy(failure(curl.new, { tiemout = 1 }).message:find("tiemout", 1, true))
  end)

  it("gives up after its time, and that of weft.timeout", function()
    api:raw("HTTP/1.1 200 OK\r\n", { ["X-Hold"] = "1" })
    assert.equal("timeout", failure(get, "/raw", { timeout = 0.05 }).kind)
    assert.equal("timeout", failure(weft.timeout, 0.05, get, "/raw").kind)
    weft.run(function() assert.equal("timeout", failure(weft.timeout, 0.05, get, "/raw").kind) end)
    assert.equal(200, get("/echo", { timeout = false }).status)
  end)

  it("takes no more than max_body", function()
    local small = curl.new { max_body = 1000, proxy = false }
    api:raw("HTTP/1.1 200 OK\r\n\r\n" .. ("x"):rep(1001), { ["X-Close"] = "1" })
    assert.equal("unsupported", failure(small.request, small, { url = api.url .. "/raw" }).kind)
    api:raw("HTTP/1.1 200 OK\r\n\r\n" .. ("x"):rep(1000), { ["X-Close"] = "1" })
    assert.equal(1000, #small:request({ url = api.url .. "/raw" }).body)
    small:close()
  end)

  it("lets other tasks run while one waits", function()
    local order = {}
    weft.run(function()
      local id = api:event "{}"
      local slow = weft.spawn(function()
        assert.equal("response", (api:result(id)))
        order[#order + 1] = "slow"
      end)
      weft.sleep(0.01)
      for i = 1, 3 do
        get "/echo"
        order[#order + 1] = i
      end
      get "/2018-06-01/runtime/invocation/next"
      get("/2018-06-01/runtime/invocation/" .. id .. "/response", { body = "{}" })
      slow:await()
    end)
    assert.same({ 1, 2, 3, "slow" }, order)
  end)

  it("serves many tasks of one client at a time", function()
    local list = {}
    for i = 1, 20 do list[i] = function() return get("/echo", { body = "n" .. i }).body:match "n%d+$" end end
    local results = weft.run(weft.all, list)
    for i = 1, 20 do assert.equal("n" .. i, results[i]) end
  end)

  it("ends with a task that is cancelled", function()
    api:raw("HTTP/1.1 200 OK\r\n", { ["X-Hold"] = "1" })
    weft.run(function()
      local task = weft.spawn(get, "/raw")
      weft.sleep(0.02)
      task:cancel()
      assert.equal("cancelled", failure(task.await, task).kind)
      assert.equal(200, get("/echo").status)
    end)
  end)

  it("speaks TLS with those whose certificate it trusts, and with no other", function()
    local folder = shell.must("mktemp -d"):gsub("%s+$", "")
    shell.must(("cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=localhost "
      .. "-addext subjectAltName=DNS:localhost,IP:127.0.0.1"):format(shell.quote(folder)))
    local port = shell.free_port()
    local pipe = io.popen(("cd %s && echo $$ >pid && exec openssl s_server -quiet -accept 127.0.0.1:%d -cert cert -key key -www >log 2>&1")
      :format(shell.quote(folder), port), "w")
    finally(function()
      shell.run("kill " .. shell.read(folder .. "/pid"))
      pipe:close()
      shell.run("rm -rf " .. shell.quote(folder))
    end)
    local trusting = curl.new { proxy = false, ca = folder .. "/cert" }
    local url, got = ("https://127.0.0.1:%d/"):format(port), nil
    for _ = 1, 500 do
      local ok, answer = pcall(trusting.request, trusting, { url = url })
      got = ok and answer
      if got then break end
      shell.sleep(0.01)
    end
    assert.equal(200, got.status)
    local err = failure(client.request, client, { url = url })
    assert.same({ "connect", false }, { err.kind, err.outcome_unknown })
    assert.truthy(err.message:find("certificate", 1, true))
    trusting:close()
  end)

  it("stands on core.readable, which refuses what cannot be waited for", function()
    for _, wrong in ipairs { { 99999 }, { -1 }, { 0, -1 }, { 0, 1e300 } } do
      assert.equal("usage", failure(core.readable, table.unpack(wrong)).kind)
    end
  end)

  it("waits in a user's coroutine as well", function()
    weft.run(function()
      local co = coroutine.wrap(function() coroutine.yield(get("/echo").status) end)
      assert.equal(200, co())
    end)
  end)
end)
