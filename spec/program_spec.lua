-- SPDX-License-Identifier: MIT
-- The weft program as a shell sees it.

local shell = require "spec.support.shell"

local weft = shell.quote(os.getenv "WEFT_SPEC_BUILD" .. "/weft")

local function script(text)
  local path = os.tmpname()
  shell.write(path, text)
  finally(function() os.remove(path) end)
  return path
end

---@return integer status, string out, string err
local function run(arguments)
  local err = os.tmpname()
  local pipe = io.popen(("%s %s 2>%s </dev/null; echo $?"):format(weft, arguments, err), "r")
  local out, status = pipe:read("a"):match("^(.-)(%d+)\n$")
  pipe:close()
  local text = shell.read(err)
  os.remove(err)
  return tonumber(status), out, text
end

describe("weft", function()
  it("tells its version", function()
    local status, out = run "--version"
    assert.equal(0, status)
    assert.truthy(out:find("^weft %d+%.%d+%.%d+ %(Lua 5%.4"))
  end)

  it("tells how to use it", function()
    local status, out = run "--help"
    assert.equal(0, status)
    assert.truthy(out:find("weft run script.lua", 1, true))
    assert.equal(2, (run ""))
    status, out = run "run --help"
    assert.equal(0, status)
    assert.truthy(out:find("usage: weft run script.lua", 1, true))
    assert.equal(2, (run "run"))
  end)

  it("names an unknown command", function()
    local status, out, err = run "frobnicate"
    assert.equal(2, status)
    assert.equal("", out)
    assert.truthy(err:find("'frobnicate'", 1, true))
    assert.equal(2, (run "../spec/run"))
  end)

  it("runs a script with its arguments, as plain Lua does", function()
    local path = script [[print(arg[0] ~= nil, #arg, arg[1], coroutine.isyieldable(), ...)]]
    local status, out = run("run " .. path .. " 'a b' c")
    assert.equal(0, status)
    assert.equal("true\t2\ta b\tfalse\ta b\tc\n", out)
  end)

  it("has the core inside and finds the Lua files wherever it is started", function()
    local path = script [[assert(package.loaded["weft.core"] == nil)
      assert(require "weft.core"); assert(package.searchpath("weft", package.path)); print "found"]]
    local status, out, err = run("run " .. path .. " ; cd / && " .. weft .. " run " .. path)
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("found\nfound\n", out)
  end)

  it("ends with 1 and a traceback when the script raises", function()
    local status, out, err = run("run " .. script "error 'broken'")
    assert.equal(1, status)
    assert.equal("", out)
    assert.truthy(err:find("broken", 1, true))
    assert.truthy(err:find("stack traceback", 1, true))
    local raise = [[error(setmetatable({}, { __tostring = function() return "a table" end }))]]
    status, out, err = run("run " .. script(raise))
    assert.same({ 1, "" }, { status, out })
    assert.truthy(err:find("weft: a table", 1, true))
    status, out, err = run "run /nonexistent.lua"
    assert.same({ 1, "" }, { status, out })
    assert.truthy(err:find("/nonexistent.lua", 1, true))
    assert.equal(2, (run "run"))
  end)

  it("runs the tasks that a script leaves behind, and raises what none of them took", function()
    local status, out, err = run("run " .. script [[
      local weft = require "weft"
      weft.spawn(function() weft.sleep(0) error "lost" end)
      weft.spawn(function() weft.sleep(0.001) print "ran" end)
    ]])
    assert.equal(1, status)
    assert.equal("ran\n", out)
    assert.truthy(err:find("lost", 1, true))
  end)

  it("loads Debian's C modules", function()
    local status, out, err = run("run " .. script [[require "lfs" require "term" require "system" print "loaded"]])
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("loaded\n", out)
  end)
end)
