-- SPDX-License-Identifier: MIT
-- The rows of HTTP.

local endpoints = {
  { "json", "/json", 1.2, { "nginx" } },
  { "plaintext", "/plaintext", nil, { "nginx" } },
  { "db", "/db", 1.5, { "statements" } },
  { "queries", "/queries?n=20", 2, { "statements", "serial" } },
  { "fortunes", "/fortunes", 1.6, { "statements" } },
  { "updates", "/updates?n=20", 2, { "statements", "serial" } },
}

local names = { nginx = "nginx with Lua", statements = "with plain statements", serial = "one find after another" }

---@param add fun(row: table)
---@param run bench.run
---@param use { over: function, ratio: function, time_of: function }
return function(add, run, use)
  local over = use.over

  local function asked(server, path) return function() return run.http(server, path) end end

  local function latency(rounds)
    local p50, p99 = over(rounds, function(r) return r.weft.p50 end), over(rounds, function(r) return r.weft.p99 end)
    local raw = ("p99 against p50 (raw %.2f / %.2f)"):format(over(rounds, function(r) return r.raw.p99 end),
      over(rounds, function(r) return r.raw.p50 end))
    return { what = raw, measured = ("%.2f / %.2f ms"):format(p99, p50), value = p99 / p50, limit = 5, bar = "< 5 x p50" }
  end

  local function failures(rounds)
    local sum = 0
    for _, r in ipairs(rounds) do
      for _, one in pairs(r) do sum = sum + one.failed end
    end
    return { what = "requests without a 2xx", measured = tostring(sum), value = sum, limit = 0, bar = "0" }
  end

  local function memory(rounds)
    local most = 0
    for _, r in ipairs(rounds) do most = math.max(most, r.weft.rss) end
    return { what = "peak memory, two workers", measured = ("%.1f MB"):format(most), value = most, limit = 30, bar = "< 30 MB" }
  end

  for _, endpoint in ipairs(endpoints) do
    local name, path, bar, others = table.unpack(endpoint)
    local variants = { { "raw", asked("raw", path) }, { "weft", asked("weft", path) } }
    local checks = { use.ratio("weft", "against raw C", "raw", bar), latency, failures, memory }
    for _, other in ipairs(others) do
      local serial = other == "serial"
      variants[#variants + 1] = { other, asked(serial and "weft" or other, serial and "/serial" .. path or path) }
      checks[#checks + 1] = use.ratio(other, names[other], "raw")
    end
    add { name = "http_" .. name, title = "HTTP " .. path .. ", 64 connections, two workers, PostgreSQL", variants = variants, checks = checks }
  end

  add {
    name = "http_start", title = "process start to the first answer of weft serve, two workers", unit = "ms", once = true,
    variants = { { "json", function() return run.http_start "/json" end }, { "db", function() return run.http_start "/db" end } },
    checks = {
      function(rounds)
        local t = use.time_of(rounds, "json")
        return { what = "/json", measured = ("%.2f ms"):format(t), value = t, limit = 15, bar = "< 15 ms" }
      end,
    },
  }
  add {
    name = "http_idle", title = "10,000 idle connections, two workers", once = true,
    variants = { { "weft", run.http_idle } },
    checks = {
      function(rounds)
        local r = rounds[1].weft
        return { what = ("memory (without them %.1f MB)"):format(r.before), measured = ("%.1f MB"):format(r.rss), value = r.rss, limit = 60,
          bar = "< 60 MB" }
      end,
    },
  }
end
