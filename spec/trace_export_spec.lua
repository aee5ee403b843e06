-- SPDX-License-Identifier: MIT
-- Spans on their way to a collector that is slow, dead, or says no: what is lost is counted, and nobody waits.

local weft = require "weft"
local collectors = require "spec.support.collector"
local core = require "weft.core"
local exporter = require "weft.trace.exporter"
local raises = require "spec.support.raises"

local function make(n)
  for i = 1, n do weft.trace.span("s" .. i, function() end) end
end

---Lets tasks run until it is true, 10 s at most.
local function await(condition)
  weft.run(function()
    local began = core.clock()
    while not condition() do
      assert(core.clock() - began < 10, "it does not come: " .. weft.encode(weft.trace.stats()))
      weft.sleep(0.005)
    end
  end)
end

describe("spans on their way to a collector", function()
  local collector, before, told, off

  before_each(function()
    collector, before, told = collectors.start(), {}, {}
    for name, value in pairs(exporter) do before[name] = value end
    off = weft.on("error", function(info) told[#told + 1] = info end)
  end)
  after_each(function()
    weft.trace.stop(1)
    off()
    for name, value in pairs(before) do exporter[name] = value end
    if collector then collector:stop() end
  end)

  local function start() weft.trace.start { otlp = "http://" .. collector.address, service = "spec" } end
  local function stats() return weft.trace.stats() end

  it("are posted after a while, or when they are many, and the rest at the end", function()
    exporter.BATCH, exporter.INTERVAL = 10, 60
    start()
    make(35)
    await(function() return stats().sent >= 30 end)
    assert.same({ queued = 5, sent = 30, dropped = 0, failures = 0 }, stats())
    weft.trace.stop()
    assert.same({ queued = 0, sent = 35, dropped = 0, failures = 0 }, stats())
    local spans = collector:spans()
    assert.same({ 35, "s1", "s35", "spec" }, { #spans, spans[1].name, spans[35].name, spans[1].named["resource.service.name"] })
    assert.same({}, told)
  end)

  it("are posted by a program that does not end, as time passes", function()
    exporter.INTERVAL = 0.05
    start()
    for i = 1, 3 do
      make(2)
      await(function() return stats().sent == 2 * i end)
    end
    assert.equal(6, #collector:spans())
  end)

  it("are dropped and counted when more wait than there is room for, by number and by size", function()
    exporter.QUEUE = 50
    start()
    make(200)
    weft.trace.stop()
    assert.same({ queued = 0, sent = 50, dropped = 150, failures = 0 }, stats())
    exporter.QUEUE, exporter.BYTES = 1000, 20000
    start()
    for _ = 1, 10 do weft.trace.span("large", function(span) span:set("text", ("x"):rep(7000)) end) end
    weft.trace.stop()
    assert.same({ 3, 7 }, { stats().sent, stats().dropped }) -- what comes when it is full
  end)

  it("are posted again when the collector asks for patience, then dropped", function()
    exporter.INTERVAL, exporter.PAUSE = 0.01, 0.01
    collector:does "return 503, ''"
    start()
    make(3)
    await(function() return stats().dropped == 3 end)
    assert.equal(exporter.TRIES, stats().failures)
    assert.equal(1, #told)
    assert.matches("answered 503", told[1].message)
    collector:does ""
    make(2)
    await(function() return stats().sent == 2 end)
    collector:does "return 400, ''"
    make(1)
    await(function() return stats().dropped == 4 end)
    assert.equal(exporter.TRIES + 1, stats().failures)
    assert.equal(2, #told)
  end)

  it("are counted as dropped where the collector says so, whatever else it says", function()
    collector:does [[return 200, '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no"}}']]
    start()
    make(5)
    weft.trace.stop()
    assert.same({ 3, 2 }, { stats().sent, stats().dropped })
    for _, answer in ipairs { '{"partialSuccess":{"rejectedSpans":99}}', "<html>", "", "\\0\\255" } do
      collector:does(("return 200, '%s'"):format(answer))
      start()
      make(1)
      weft.trace.stop()
      assert.equal(1, stats().sent + stats().dropped, answer)
    end
  end)

  it("never keep a program that ends longer than it said", function()
    for _, lines in ipairs { "sleep(20) return 200, ''", "return 503, ''" } do
      collector:does(lines)
      exporter.INTERVAL = 0.01
      start()
      make(3)
      weft.run(weft.sleep, 0.1)
      local began = core.clock()
      weft.trace.stop(0.4)
      assert.is_true(core.clock() - began < 3)
      assert.same({ 0, 0, 3 }, { stats().queued, stats().sent, stats().dropped })
    end
    local address = collector.address
    collector:kill()
    collector = nil
    weft.trace.start { otlp = "http://" .. address }
    make(3)
    weft.trace.stop(1)
    assert.equal(3, stats().dropped)
    assert.matches("cannot be reached", told[#told].message)
  end)

  it("do not hold up the tasks that make them while a post hangs", function()
    collector:does "sleep(20) return 200, ''"
    exporter.INTERVAL, exporter.QUEUE = 0.01, 100
    start()
    local longest = 0
    weft.run(function()
      for _ = 1, 50 do
        local began = core.clock()
        make(10)
        longest = math.max(longest, core.clock() - began)
        weft.sleep(0.002)
      end
    end)
    assert.is_true(longest < 5) -- of the 20 seconds that a post takes
    assert.is_true(stats().dropped >= 300)
    weft.trace.stop(0.2)
    assert.same({ 0, 500 }, { stats().sent, stats().dropped })
    collector:kill()
    collector = nil
  end)

  it("tell no secret of theirs", function()
    weft.trace.start { otlp = "http://user:secret-1@" .. collector.address, headers = { ["X-Token"] = "secret-2" } }
    make(1)
    weft.trace.stop()
    assert.equal("secret-2", collector:spans()[1].token)
    collector:does "return 500, ''"
    weft.trace.start { otlp = "http://user:secret-1@" .. collector.address, headers = { ["X-Token"] = "secret-2" } }
    make(1)
    weft.trace.stop()
    assert.equal(1, #told)
    assert.is_nil(told[1].message:find("secret", 1, true))
    raises("usage", function() weft.trace.start { otlp = "x://secret-1" } end, "URL")
    local _, err = pcall(weft.trace.start, { otlp = "http://" .. collector.address, headers = { ["X-Token"] = "secret-2\n" } })
    assert.is_nil(tostring(err):find("secret", 1, true))
  end)
end)
