-- SPDX-License-Identifier: MIT
-- Progress: a bar on a terminal, lines elsewhere, nothing when it is to be quiet.

local progress = require "weft.progress"
local shell = require "spec.support.shell"

---A progress whose clock and paper are here.
local function new(what, total, options)
  local state = { time = 100, text = "" }
  options = options or {}
  options.now = function() return state.time end
  options.write = function(text) state.text = state.text .. text end
  if options.width == nil then options.width = 80 end
  return progress.new(what, total, options), state
end

---What a terminal of one line shows of a text.
local function screen(text)
  local last = text:gsub("\27%[K", "")
  return last:match "([^\r]*)$"
end

describe("progress", function()
  it("is a bar with rate and time left", function()
    local p, state = new("backfill", 10000)
    state.time = 102
    p:step(6100)
    assert.equal("backfill [" .. ("#"):rep(16) .. ("-"):rep(11) .. "]  61%  6,100 of 10,000  3,050/s  2 s left", screen(state.text))
    state.time = 103
    p:step(3900)
    assert.truthy(state.text:find("100%%  10,000 of 10,000"))
    p:done()
    p:done()
    p:step(1)
    assert.equal("backfill: 10,000 in 3 s\n", screen(state.text))
  end)

  it("draws no more often than an eye follows", function()
    local p, state = new("x", 1000)
    for _ = 1, 1000 do p:step(1) end
    assert.equal("", state.text)
    state.time = 100.2
    p:step(0)
    assert.equal(1, select(2, state.text:gsub("\r", "")))
  end)

  it("fits into any width, whatever its name is made of", function()
    for _, what in ipairs { "naïve 🚀 Größe", ("表"):rep(300), "bad \xff\xfe bytes", "two\nlines\27[2J" } do
      for width = 20, 120, 7 do
        local p, state = new(what, 10, { width = width })
        state.time = 200
        p:step(5, what)
        local shown = screen(state.text)
        assert.truthy(utf8.len(shown))
        assert.is_true(utf8.len(shown) < width)
        assert.is_nil(shown:find "%c")
      end
    end
  end)

  it("writes lines where there is no terminal", function()
    local p, state = new("backup", nil, { width = false })
    for i = 1, 12 do
      state.time = 100 + i
      p:step(100, "users")
    end
    assert.equal("backup: 500  100/s  users\nbackup: 1,000  100/s  users\n", state.text)
    p:done "all"
    assert.truthy(state.text:find "backup: all in 12 s\n$")
  end)

  it("writes nothing when it is quiet", function()
    local p, state = new("x", 10, { quiet = true })
    state.time = 500
    p:step(5)
    p:clear()
    p:done()
    assert.equal("", state.text)
  end)

  it("counts nothing, and what is nothing", function()
    local p, state = new("none", 0)
    state.time = 101
    p:step(0)
    assert.truthy(state.text:find "100%%  0 of 0")
    p:clear()
    assert.equal("", screen(state.text))
  end)

  it("finds out whether stderr is a terminal", function()
    local folder = shell.must("mktemp -d"):gsub("%s+$", "")
    finally(function() shell.run("rm -rf " .. shell.quote(folder)) end)
    shell.write(folder .. "/p.lua", [[
      local time = 0
      local p = require "weft.progress".new("work", 10, { now = function() time = time + 6 return time end })
      p:step(5)
      p:done()]])
    local weft = shell.quote(os.getenv "WEFT_SPEC_BUILD" .. "/weft")
    local run = ("%s run %s/p.lua"):format(weft, shell.quote(folder))
    local plain = shell.must(run)
    assert.is_nil(plain:find "\r")
    assert.truthy(plain:find("work: 5 of 10", 1, true))
    local drawn = shell.must(("env -u COLUMNS TERM=xterm script -qec %s %s/typed"):format(shell.quote("stty cols 50; " .. run), shell.quote(folder)))
    assert.truthy(drawn:find("\rwork [###", 1, true))
    assert.truthy(drawn:find("work: 5 in", 1, true))
    assert.is_nil(shell.must(("env TERM=dumb script -qec %s %s/typed"):format(shell.quote(run), shell.quote(folder))):find "%[#")
  end)
end)
