-- SPDX-License-Identifier: MIT
-- The example of the TechEmpower tests by the rules of its verification: https://github.com/TechEmpower/FrameworkBenchmarks
-- (wiki, "Project Information: Framework Tests Overview"), each server through real requests.

local weft = require "weft"
local backends = require "spec.support.backends"
local served = require "spec.support.served"
local shell = require "spec.support.shell"

local here = shell.root() .. "/examples/techempower/"
local files = { "data.lua", "models/hello_world/World.lua", "models/hello_world/Fortune.lua", "views/fortunes.html" }

local fortunes = '<!DOCTYPE html><html><head><title>Fortunes</title></head><body><table><tr><th>id</th><th>message</th></tr>'
  .. '<tr><td>11</td><td>&lt;script&gt;alert(&quot;This should not be displayed in a browser alert box.&quot;);&lt;/script&gt;</td></tr>'
  .. '<tr><td>4</td><td>A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1</td></tr>'
  .. '<tr><td>5</td><td>A computer program does what you tell it to do, not what you want it to do.</td></tr>'
  .. '<tr><td>2</td><td>A computer scientist is someone who fixes things that aren&#39;t broken.</td></tr>'
  .. '<tr><td>8</td><td>A list is only as strong as its weakest link. — Donald Knuth</td></tr>'
  .. '<tr><td>0</td><td>Additional fortune added at request time.</td></tr>'
  .. '<tr><td>3</td><td>After enough decimal places, nobody gives a damn.</td></tr>'
  .. '<tr><td>7</td><td>Any program that runs right is obsolete.</td></tr>'
  .. '<tr><td>10</td><td>Computers make very fast, very accurate mistakes.</td></tr>'
  .. '<tr><td>6</td><td>Emacs is a nice operating system, but I prefer UNIX. — Tom Christaensen</td></tr>'
  .. '<tr><td>9</td><td>Feature: A bug with seniority.</td></tr>'
  .. '<tr><td>1</td><td>fortune: No such file or directory</td></tr>'
  .. '<tr><td>12</td><td>フレームワークのベンチマーク</td></tr></table></body></html>'

local names = { "SQLite", "PostgreSQL", "MySQL" }
local kinds = { SQLite = "sqlite file", PostgreSQL = "postgres", MySQL = "mysql" }

local function start(backend, script)
  local texts = {}
  for _, file in ipairs(files) do texts[file] = shell.read(here .. file) end
  local url = backend.url()
  weft.configure { databases = { hello_world = { url = url } }, models = here .. "models" }
  dofile(here .. "data.lua")
  return served.start { app = shell.read(here .. script), files = texts, databases = { hello_world = url }, words = { "--workers", "2" } }
end

for _, name in ipairs(names) do
  for _, script in ipairs(name == "PostgreSQL" and { "app.lua", "raw.lua" } or { "app.lua" }) do
    local backend = backends[kinds[name]]
    local run = backend and describe or pending
    run(("techempower/%s on %s"):format(script, name), function()
      local server
      setup(function() server = start(backend, script) end)
      teardown(function()
        if server then server:stop() end
        weft.database("hello_world"):close()
        weft.configure { models = "models" }
      end)

      local function ask(path, content_type)
        local status, body, head = server:ask(path)
        assert.equal(200, status, body)
        head = head:lower()
        assert.matches("\r\nserver: %S", head)
        assert.matches("\r\ndate: %a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d gmt\r\n", head)
        assert.equal(content_type, head:match "\r\ncontent%-type: ([^\r]*)")
        assert.equal(#body, tonumber(head:match "\r\ncontent%-length: (%d+)"))
        return body
      end

      local function check_world(world)
        assert.equal("integer", math.type(world.id))
        assert.equal("integer", math.type(world.randomNumber))
        assert.is_true(world.id >= 1 and world.id <= 10000, world.id)
        assert.is_true(world.randomNumber >= 1 and world.randomNumber <= 10000, world.randomNumber)
        local fields = 0
        for _ in pairs(world) do fields = fields + 1 end
        assert.equal(2, fields)
      end

      local function worlds(path, count)
        local list = weft.decode(ask(path, "application/json"))
        assert.equal(count, #list)
        for _, world in ipairs(list) do check_world(world) end
        return list
      end

      local stored = function(id) return weft.models("hello_world").World:get(id).randomnumber end

      local counts = { [""] = 1, ["?queries="] = 1, ["?queries=foo"] = 1, ["?queries=0"] = 1, ["?queries=-7"] = 1, ["?queries=1"] = 1,
        ["?queries=2.5"] = 1, ["?queries=20"] = 20, ["?queries=500"] = 500, ["?queries=501"] = 500, ["?n=3"] = 3,
        ["?queries=99999999999999999999999"] = 500, ["?queries=2&queries=3"] = 1 }

      it("json and plaintext", function()
        assert.equal('{"message":"Hello, World!"}', ask("/json", "application/json"))
        assert.equal("Hello, World!", (ask("/plaintext", "text/plain; charset=utf-8")))
      end)

      it("db: some row as it is stored", function()
        local seen = {}
        for _ = 1, 10 do
          local world = weft.decode(ask("/db", "application/json"))
          check_world(world)
          assert.equal(stored(world.id), world.randomNumber)
          seen[world.id] = true
        end
        assert.truthy(next(seen, next(seen)), "always the same row")
      end)

      it("queries: as many as are asked for, from 1 to 500", function()
        for text, count in pairs(counts) do
          for _, world in ipairs(worlds("/queries" .. text, count)) do
            if count < 20 then assert.equal(stored(world.id), world.randomNumber) end
          end
        end
      end)

      it("fortunes: escaped, sorted, with the one that is added", function()
        assert.equal(fortunes, (ask("/fortunes", "text/html; charset=utf-8"):gsub("\n", "")))
      end)

      it("updates: stores what it answers", function()
        for text, count in pairs(counts) do
          local list, last = worlds("/updates" .. text, count), {}
          for _, world in ipairs(list) do last[world.id] = world.randomNumber end
          for id, number in pairs(last) do assert.equal(number, stored(id)) end
        end
      end)

      it("updates of many at a time fail for nobody", function()
        local url = "http://" .. server.address .. "/updates?queries=20"
        local codes = shell.must(("seq 200 | xargs -P 16 -I{} curl -s -o /dev/null -w '%%{http_code}\\n' '%s' | sort | uniq -c"):format(url))
        assert.equal("200 200", (codes:gsub("^%s+", ""):gsub("%s+$", ""):gsub("%s+", " ")))
      end)

      if script == "app.lua" then
        it("one find after another gives the same", function()
          worlds("/serial/queries?queries=20", 20)
          for _, world in ipairs(worlds("/serial/updates?queries=5", 5)) do assert.equal(stored(world.id), world.randomNumber) end
        end)
      end
    end)
  end
end
