-- SPDX-License-Identifier: MIT
-- Sessions in a signed cookie, CORS, and what keeps other sites' pages away.

local weft = require "weft"
local crypto = require "weft.crypto"
local raises = require "spec.support.raises"
local sessions = require "weft.app.sessions"

local secret, other = ("s"):rep(32), ("o"):rep(40)
local app, now

before_each(function()
  app = weft.app()
  now = 1e9
  sessions.clock = function() return now end
end)

local function counter(options)
  local made = weft.app()
  options = options or {}
  options.secret = options.secret or secret
  made:sessions(options)
  made:get("/", function(req)
    req.session.n = (req.session.n or 0) + 1
    return { n = req.session.n }
  end)
  made:get("/look", function(req) return { n = req.session.n or 0 } end)
  made:get("/not", function() return {} end)
  made:get("/end", function(req) req.session = {} return {} end)
  made:get("/fail", function(req) req.session.n = 99 error "x" end)
  made:get("/set/:n", function(req) req.session = { n = ("x"):rep(tonumber(req.params.n)) } return {} end)
  made:get("/odd", function(req) req.session = "text" return {} end)
  made:get("/write", function(req, res) req.session.n = 5 res:write "x" end)
  return made
end

describe("a session", function()
  it("comes back as it was left", function()
    app = counter()
    local cookies = {}
    for i = 1, 3 do
      local got = app:test { path = "/", cookies = cookies }
      assert.equal(i, got.json.n)
      cookies = got.cookies
    end
    local line = app:test("/").headers["set-cookie"]
    assert.truthy(line:find("^session=[%w_-]+%.[%w_-]+; Path=/; Max%-Age=1209600; HttpOnly; SameSite=Lax$"), line)
    assert.truthy(app:test({ path = "/", scheme = "https" }).headers["set-cookie"]:find("; Secure", 1, true))
  end)

  it("is set only when it was changed, or half of its time is over", function()
    app = counter { max_age = 100 }
    local cookies = app:test("/").cookies
    assert.is_nil(app:test("/look").headers["set-cookie"])
    assert.is_nil(app:test({ path = "/not", cookies = cookies }).headers["set-cookie"])
    assert.is_nil(app:test({ path = "/look", cookies = cookies }).headers["set-cookie"])
    now = now + 51
    local got = app:test { path = "/look", cookies = cookies }
    assert.equal(1, got.json.n)
    now = now + 60
    assert.equal(0, app:test({ path = "/look", cookies = cookies }).json.n)
    assert.equal(1, app:test({ path = "/look", cookies = got.cookies }).json.n)
  end)

  it("ends when it is empty, and is not kept by a handler that fails", function()
    app = counter()
    local cookies = app:test("/").cookies
    local got = app:test { path = "/end", cookies = cookies }
    assert.truthy(got.headers["set-cookie"]:find("^session=; .*Max%-Age=0"))
    assert.is_nil(app:test("/end").headers["set-cookie"])
    got = app:test { path = "/fail", cookies = cookies }
    assert.equal(500, got.status)
    assert.is_nil(got.headers["set-cookie"])
  end)

  it("is kept before a stream begins", function()
    app = counter()
    assert.equal(5, app:test({ path = "/look", cookies = app:test("/write").cookies }).json.n)
  end)

  it("that was tampered with is none", function()
    app = counter()
    local value = app:test("/").cookies.session
    local payload, mark = value:match "^(.*)%.(.*)$"
    local function sign(key, text) return crypto.base64url(crypto.hmac_sha256(key, text)) end
    local forged = crypto.base64url '{"data":{"n":100},"expires":9999999999}'
    for i, wrong in ipairs {
      "", ".", payload, payload .. ".", "." .. mark, value .. "x", value:sub(1, -2), payload .. "." .. mark:reverse(),
        forged .. "." .. mark,
      forged .. "." .. sign(secret, forged), forged .. "." .. sign("weft session session", forged), forged .. "."
        .. sign("", forged), forged .. ".",
      value .. "." .. mark, ("x"):rep(5000) .. "." .. mark, "\xff.\xff", "%41.%41", payload .. "=." .. mark, value:upper(),
    } do
      local got = app:test { path = "/look", cookies = { session = wrong } }
      assert.same({ 200, 0 }, { got.status, got.json.n }, i)
    end
    math.randomseed(17)
    for _ = 1, 500 do
      local at = math.random(#value)
      local changed = value:sub(1, at - 1) .. string.char(math.random(33, 126)):gsub("[;,\"\\]", "x") .. value:sub(at + 1)
      local same = changed == value or crypto.from_base64url(changed:match "%.(.*)$" or "") == crypto.from_base64url(mark)
        and changed:match "^(.*)%." == payload
      assert.equal(same and 1 or 0, app:test({ path = "/look", cookies = { session = changed } }).json.n)
    end
  end)

  it("of another cookie or secret is none, and of an old secret is one", function()
    local old = counter():test("/").cookies
    assert.equal(0, counter({ secret = other }):test({ path = "/look", cookies = old }).json.n)
    local renewed = counter({ secret = { other, secret } })
    assert.equal(1, renewed:test({ path = "/look", cookies = old }).json.n)
    local new = renewed:test({ path = "/", cookies = old }).cookies
    assert.equal(2, counter({ secret = other }):test({ path = "/look", cookies = new }).json.n)
    assert.equal(0, counter({ name = "admin" }):test({ path = "/look", cookies = { admin = old.session } }).json.n)
  end)

  it("too large for a cookie is a mistake that is told", function()
    local said
    finally(weft.on("error", function(info) said = info.message end))
    app = counter()
    assert.equal(200, app:test("/set/2000").status)
    assert.equal(500, app:test("/set/4000").status)
    assert.truthy(said:find("too large for a cookie", 1, true))
    assert.equal(500, app:test("/odd").status)
  end)

  it("needs a secret of 32 bytes, and says what makes one", function()
    raises("usage", function() app:sessions {} end, "openssl rand", "app_session_spec.lua")
    raises("usage", function() app:sessions { secret = "short" } end, "32 bytes", "openssl rand")
    raises("usage", function() app:sessions { secret = { secret, "short" } } end, "32 bytes")
    raises("usage", function() app:sessions { secret = {} } end)
    raises("usage", function() app:sessions { secret = 7 } end)
    raises("usage", function() app:sessions() end)
    raises("usage", function() app:sessions { secret = secret, maxage = 1 } end, "did you mean 'max_age'?")
    raises("usage", function() app:sessions { secret = secret, max_age = 0 } end)
    raises("usage", function() app:sessions { secret = secret, name = "a b" } end, "a cookie's name")
    raises("usage", function() app:sessions { secret = secret, same_site = "some" } end, "strict, lax or none")
    local ok, err = pcall(app.sessions, app, { secret = "private" })
    assert.falsy(ok or tostring(err):find("private", 1, true))
  end)
end)

describe("crypto", function()
  local function hex(text) return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

  it("gives what the standards say", function()
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hex(crypto.sha256 "abc"))
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", hex(crypto.hmac_sha256("Jefe",
      "what do ya want for nothing?")))
    assert.equal(32, #crypto.random(32))
    assert.not_equal(crypto.random(16), crypto.random(16))
    assert.same({ true, false, false, true }, { crypto.equal("a", "a"), crypto.equal("a", "b"), crypto.equal("a", "aa"),
      crypto.equal("", "") })
  end)

  it("writes and reads base64url", function()
    for text, want in pairs { [""] = "", f = "Zg", fo = "Zm8", foo = "Zm9v", ["\xfb\xff\xfe"] = "-__-" } do
      assert.same({ want, text }, { crypto.base64url(text), crypto.from_base64url(want) })
    end
    for n = 0, 100 do
      local text = n > 0 and crypto.random(n) or ""
      assert.equal(text, crypto.from_base64url(crypto.base64url(text)))
    end
    for _, wrong in ipairs { "a", "ab=", "ab==", "a+b/", "ab c", "\0\0", "\xff\xff",
      "abcde" } do assert.is_nil(crypto.from_base64url(wrong)) end
  end)

  it("takes texts alone", function()
    for name, fn in pairs(crypto) do
      assert.is_false(pcall(fn), name)
      assert.is_false(pcall(fn, {}, {}), name)
    end
    for _, n in ipairs { 0, -1, 4097, 1.5, "x" } do assert.is_false(pcall(crypto.random, n)) end
  end)
end)

describe("CORS", function()
  local function allowed(origin, options, given)
    local made = weft.app()
    made:cors(options)
    made:get("/", function() return {} end)
    made:get("/fail", function() error "x" end)
    given = given or {}
    given.headers = given.headers or {}
    given.headers.origin = origin
    return made:test(given)
  end
  local function preflight(origin, options, headers)
    headers = headers or {}
    headers["access-control-request-method"] = "PUT"
    return allowed(origin, options, { method = "OPTIONS", headers = headers })
  end
  local mine = { origins = { "https://a.example", "https://b.example:8443" }, credentials = true, headers = { "X-A" },
    methods = { "GET", "PUT" }, max_age = 600,
    expose = "X-B" }

  it("names the origins that are allowed, no others", function()
    local got = allowed("https://a.example", mine)
    assert.same({ "https://a.example", "true", "Origin", "X-B" }, { got.headers["access-control-allow-origin"],
      got.headers["access-control-allow-credentials"], got.headers.vary, got.headers["access-control-expose-headers"] })
    for _, origin in ipairs { "https://a.example.evil.com", "http://a.example", "https://a.example:80", "null",
      "https://b.example", "https://evil.com", "*", "" } do
      got = allowed(origin, mine)
      assert.is_nil(got.headers["access-control-allow-origin"], origin)
      assert.is_nil(got.headers["access-control-allow-credentials"])
      assert.same({ 200, "Origin" }, { got.status, got.headers.vary })
    end
    assert.is_nil(allowed(nil, mine).headers["access-control-allow-origin"])
  end)

  it("answers what browsers ask before", function()
    local got = preflight("https://a.example", mine, { ["access-control-request-headers"] = "x-other" })
    assert.same({ 204, "GET, PUT", "X-A", "600", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers" },
      { got.status,
      got.headers["access-control-allow-methods"], got.headers["access-control-allow-headers"],
        got.headers["access-control-max-age"], got.headers.vary })
    got = preflight("https://evil.com", mine)
    assert.is_nil(got.headers["access-control-allow-methods"])
    got = preflight("https://x", { origins = "*" }, { ["access-control-request-headers"] = "x-other" })
    assert.same({ "*", "x-other" }, { got.headers["access-control-allow-origin"], got.headers["access-control-allow-headers"] })
    assert.is_nil(got.headers["access-control-allow-credentials"])
  end)

  it("stays on the page of an error", function()
    local got = allowed("https://a.example", mine, { path = "/fail" })
    assert.same({ 500, "https://a.example", "Origin" }, { got.status, got.headers["access-control-allow-origin"],
      got.headers.vary })
  end)

  it("takes a function", function()
    local function ends(origin) return origin:find "%.example$" ~= nil end
    assert.equal("https://x.example", allowed("https://x.example", { origins = ends }).headers["access-control-allow-origin"])
    assert.is_nil(allowed("https://x.evil", { origins = ends }).headers["access-control-allow-origin"])
  end)

  it("takes no mistakes", function()
    raises("usage", function() app:cors() end)
    raises("usage", function() app:cors {} end, "needs origins")
    raises("usage", function() app:cors { origins = "*", credentials = true } end, "every account")
    raises("usage", function() app:cors { origins = { "https://a.example/" } } end, "no origin")
    raises("usage", function() app:cors { origins = { "a.example" } } end, "no origin")
    raises("usage", function() app:cors { origins = { 7 } } end)
    raises("usage", function() app:cors { origin = "*" } end, "did you mean 'origins'?")
    raises("usage", function() app:cors { origins = "*", max_age = "1" } end)
  end)
end)

describe("csrf", function()
  it("lets through what is of this site or of no browser, and nothing else that changes something", function()
    app:csrf { origins = "https://pay.example" }
    app:all("/", function() return "done" end)
    local function status(method, headers)
      headers.host = "shop.example"
      return app:test({ method = method, headers = headers }).status
    end
    for _, headers in ipairs { {}, { ["sec-fetch-site"] = "same-origin" }, { ["sec-fetch-site"] = "none" },
      { origin = "https://shop.example" },
      { origin = "https://SHOP.example" }, { ["sec-fetch-site"] = "cross-site", origin = "https://pay.example" } } do
      assert.equal(200, status("POST", headers))
    end
    for _, headers in ipairs { { ["sec-fetch-site"] = "cross-site" }, { ["sec-fetch-site"] = "same-site",
      origin = "https://evil.shop.example" },
      { origin = "https://evil.com" }, { origin = "null" }, { origin = "https://shop.example.evil.com" }, { origin = "" },
        { origin = "shop.example" },
      { ["sec-fetch-site"] = "cross-site", origin = "https://shop.example" }, { ["sec-fetch-site"] = "" } } do
      for _, method in ipairs { "POST", "PUT", "DELETE", "PATCH", "BREW" } do assert.equal(403, status(method, headers)) end
      for _, method in ipairs { "GET", "HEAD", "OPTIONS" } do assert.equal(200, status(method, headers)) end
    end
    raises("usage", function() app:csrf { origin = "x" } end, "did you mean 'origins'?")
  end)
end)
