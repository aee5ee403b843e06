-- SPDX-License-Identifier: MIT
-- weft serve under load while everything happens to it: the app is loaded anew every second, the database is killed
-- twice. Every request that was accepted is answered, no more connections are opened than are allowed, nothing leaks.
-- WEFT_LOAD_SECONDS says for how long (9 unless given).

local http = require "spec.support.http"
local served = require "spec.support.served"
local servers = require "spec.support.servers"
local shell = require "spec.support.shell"

local SECONDS = tonumber(os.getenv "WEFT_LOAD_SECONDS") or 9
local CONNECTIONS = 64

local function app(n)
  return served.app(([[
    local models = weft.models "app"
    local version = %d
    app:get("/find/:id", function(req) return models.Thing:find(tonumber(req.params.id)) or 404 end)
    app:get("/all", function() return models.Thing:order("id"):limit(20) end)
    app:get("/add", function()
      return weft.database("app"):transaction(function(tx)
        tx:execute("insert into marks (version) values (?)", version)
        weft.sleep(0.001)
        return { version = version }
      end)
    end)
    app:get("/slow", function(req, res) for i = 1, 3 do res:write(i .. "\n") weft.sleep(0.01) end end)]]):format(n))
end

local script = [[
local paths = { "/find/1", "/find/7", "/all", "/add", "/slow", "/find/99" }
local n = 0
function request() n = n + 1 return wrk.format("GET", paths[n %% #paths + 1]) end
function setup(thread) threads = threads or {} threads[#threads + 1] = thread end
function response(status) counts = counts or {} counts[status] = (counts[status] or 0) + 1 end
function done(summary)
  local all = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get "counts" or {}) do all[status] = (all[status] or 0) + count end
  end
  for status, count in pairs(all) do io.write("status ", status, " ", count, "\n") end
  local e = summary.errors
  io.write("requests ", summary.requests, "\nlost ", e.read + e.connect + e.write, "\nlate ", e.timeout, "\n")
end]]

local function memory(pid)
  return tonumber(shell.read("/proc/" .. pid .. "/status"):match "VmRSS:%s+(%d+)") / 1024
end

describe("weft serve under load", function()
  it("answers every request while it is loaded anew each second and its database is killed twice", function()
    local pg = servers.postgres { name = "postgres-served" }
    local database = pg.create_database()
    pg.psql("create table things (id integer primary key, name text); insert into things select i, 'thing ' || i from generate_series(1, 50) i; "
      .. "create table marks (id serial primary key, version integer)", database)
    local settings = ("return { databases = { app = { url = %q, pool = { max = 6 } } } }"):format(pg.url(database))
    local server = served.start { app = app(0), files = { ["weft.lua"] = settings }, words = { "--workers", "2", "--log", "off" } }
    shell.write(server.folder .. "/load.lua", (script:gsub("%%%%", "%%")))
    local wrk = io.popen(("exec wrk -c%d -t2 -d%ds --timeout 20s -s %s http://%s 2>&1"):format(CONNECTIONS, SECONDS,
      shell.quote(server.folder .. "/load.lua"), server.address), "r")
    local most, early = 0, nil
    for second = 1, SECONDS - 1 do
      shell.sleep(0.7)
      server:write("app.lua", app(second))
      server:signal "HUP"
      if second == SECONDS // 3 or second == 2 * SECONDS // 3 then
        pg.kill()
        shell.sleep(0.3)
        pg.start()
      else
        local ok, text = pcall(pg.psql, "select count(*) from pg_stat_activity where datname = '" .. database .. "'", database)
        most = math.max(most, ok and tonumber(text:match "%d+") - 1 or 0)
      end
      if second == SECONDS // 2 then early = memory(server.pid) end
    end
    local text = wrk:read "a"
    wrk:close()
    print("# " .. text:gsub("\n", "\n# "))
    assert.equal("0", text:match "lost (%d+)")
    assert.equal("0", text:match "late (%d+)")
    local good = tonumber(text:match "status 200 (%d+)")
    assert(good and good > 100, text)
    for status in text:gmatch "status (%d+)" do -- 404: no such row; 503: the database is gone
      assert(status == "200" or status == "404" or status == "503", text)
    end
    assert(most <= 6, most .. " connections")
    assert(http.await(function() return select(2, server:get "/find/1"):find "thing 1" end))
    local late = memory(server.pid)
    print(("# memory %.0f MB, then %.0f MB; at most %d connections"):format(early, late, most))
    if os.getenv "WEFT_SPEC_MODE" == "release" then assert(late < 2 * early + 20) end
    server:stop()
  end)
end)
