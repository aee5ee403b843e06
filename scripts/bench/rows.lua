-- SPDX-License-Identifier: MIT
-- What is measured and what it has to be. A row has variants (what to run, in turn, once a round) and
-- checks (what is computed from the rounds). A variant's run gives a table of numbers; time is
-- microseconds per operation unless a row says otherwise.

local function median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local n = #sorted
  if n == 0 then return 0 / 0 end
  return n % 2 == 1 and sorted[n // 2 + 1] or (sorted[n // 2] + sorted[n // 2 + 1]) / 2
end

---The median over the rounds of fn(round), where round[variant] is what the variant gave in that round.
local function over(rounds, fn)
  local list = {}
  for i, round in ipairs(rounds) do list[i] = fn(round) end
  return median(list)
end

local function time_of(rounds, name) return over(rounds, function(r) return r[name].time end) end

local databases = { pg = "PostgreSQL", my = "MySQL", sqlite = "SQLite" }

---@param run bench.run the commands, see run.lua
return function(run)
  local rows = {}
  local function add(row) rows[#rows + 1] = row end

  local function raw(work, db, ...) local extra = { ... }; return function() return run.raw(work, db, 1, extra) end end
  local function weft(work, db, env) return function() return run.work(work, db, 1, env) end end

  -- A ratio check and the times it comes from.
  local function ratio(name, what, below, bar)
    return function(rounds)
      local value = over(rounds, function(r) return r[name].time / r[below].time end)
      return { what = what, measured = ("%.2f x %s"):format(value, below), value = value, limit = bar,
        bar = bar and ("<= %.2f x"):format(bar) or "-" }
    end
  end

  for _, db in ipairs { "pg", "my", "sqlite" } do
    add {
      name = "find_" .. db, title = "find by key, one connection, " .. databases[db],
      variants = {
        { "raw", raw("a", db) }, { "tables", raw("a", db, "--lua") }, { "weft", weft("a", db) },
        { "decimal", weft("a", db, { WEFT_BENCH_MODEL = "TrackDecimal" }) },
      },
      checks = {
        function(rounds)
          local more = over(rounds, function(r) return r.weft.time - r.tables.time end)
          return { what = "above tables", measured = ("%+.2f us"):format(more), value = more, limit = 1.5, bar = "<= +1.50 us" }
        end,
        ratio("weft", "against raw", "raw"),
        ratio("tables", "tables against raw", "raw"),
        ratio("decimal", "with a decimal object", "raw"),
      },
    }
  end

  -- Two programs that take turns are slower on two processors than on one where waking up one is dear, so
  -- that all of a row is placed alike.
  local function sixteen(how, db, peers)
    return {
      { "raw", function() return run.raw("a", db, 1, {}, how) end },
      peers,
      { "off", function() return run.work("a", db, 16, { WEFT_BENCH_BATCH = "off" }, how) end },
      { "on", function() return run.work("a", db, 16, {}, how) end },
    }
  end
  local function pipelined(how) return { "pipelined", function() return run.raw("a", "pg", 16, { "--pipeline" }, how) end } end
  local function connections(rounds)
    local most = 0
    for _, r in ipairs(rounds) do most = math.max(most, r.on.connections, r.off.connections) end
    return { what = "connections", measured = ("%d"):format(most), value = most, limit = 4, bar = "<= 4" }
  end
  add {
    name = "sixteen", title = "find, 16 at a time, PostgreSQL", variants = sixteen("pinned", "pg", pipelined "pinned"),
    checks = {
      ratio("off", "batching off", "raw", 0.65), ratio("on", "batching on", "raw", 0.25),
      ratio("pipelined", "raw C in pipeline mode", "raw"), connections,
    },
  }
  add {
    name = "sixteen_free", title = "the same, client and server wherever the system puts them", variants = sixteen("free", "pg", pipelined "free"),
    checks = { ratio("off", "batching off", "raw"), ratio("on", "batching on", "raw"),
      ratio("pipelined", "raw C in pipeline mode", "raw") },
  }
  -- The protocol has no pipeline: a raw program needs a connection for each.
  add {
    name = "sixteen_my", title = "find, 16 at a time, MySQL",
    variants = sixteen("pinned", "my", { "sixteen", function() return run.raw("a", "my", 16, {}) end }),
    checks = { ratio("off", "batching off", "raw"), ratio("on", "batching on", "raw"),
      ratio("sixteen", "raw C on 16 connections", "raw"), connections },
  }

  for _, db in ipairs { "pg", "my", "sqlite" } do
    add {
      name = "rows_" .. db, title = "50 rows, one connection, " .. databases[db],
      variants = { { "raw", raw("b", db) }, { "tables", raw("b", db, "--lua") }, { "weft", weft("b", db) } },
      checks = { ratio("weft", "against tables", "tables", 1.05), ratio("weft", "against raw", "raw"),
        ratio("tables", "tables against raw", "raw") },
    }
  end
  for _, db in ipairs { "pg", "my", "sqlite" } do
    add {
      name = "tree_" .. db, title = "20 parents, children, grandchildren, " .. databases[db],
      variants = { { "raw", raw("c", db) }, { "tables", raw("c", db, "--lua") }, { "weft", weft("c", db) } },
      checks = { ratio("weft", "against tables", "tables", db == "pg" and 0.95 or 1.05), ratio("weft", "against raw", "raw"),
        ratio("tables", "tables against raw", "raw") },
    }
  end
  for _, db in ipairs { "pg+pg", "pg+sqlite", "sqlite+sqlite" } do
    add {
      name = "cross_" .. db:gsub("%+", "_"), title = "500 products with their seller of another database, " .. db,
      variants = { { "raw", raw("f", db) }, { "tables", raw("f", db, "--lua") }, { "weft", weft("f", db) } },
      checks = { ratio("weft", "against tables", "tables", 1.05), ratio("weft", "against raw", "raw"),
        ratio("tables", "tables against raw", "raw") },
    }
  end
  local function figure(what, format, read, limit, bar)
    return function(rounds)
      local value = over(rounds, function(r) return read(r.weft) end)
      return { what = what, measured = format:format(value), value = value, limit = limit, bar = bar or "-" }
    end
  end
  add {
    name = "tree_large", title = "100,000 parents with 10,000 children of another database, SQLite in memory", unit = "ms",
    variants = { { "weft", function()
      local result = run.tree()
      result.time = result.whole
      return result
    end } },
    checks = {
      figure("the join's share", "%.1f %%", function(r) return r.share * 100 end, 15, "< 15 %"),
      figure("as JSON", "%.0f ms", function(r) return r.json end),
      figure("a row of a tree in Lua", "%.0f bytes", function(r) return r.bytes end),
      figure("a row without a tree", "%.0f bytes", function(r) return r.plain end),
      figure("touching 10,000 rows", "%.1f ms", function(r) return r.touch end),
      figure("in statements", "%.0f", function(r) return r.statements end),
    },
  }
  for _, db in ipairs { "pg", "my", "sqlite" } do
    add {
      name = "discovery_" .. db, title = "the schema of 100 and of 1,000 tables, " .. databases[db], unit = "ms",
      variants = {
        { "statements", function() return run.statements(db, 100) end }, { "weft", function() return run.discovery(db, 100) end },
        { "statements_1000", function() return run.statements(db, 1000) end },
        { "weft_1000", function() return run.discovery(db, 1000) end },
      },
      checks = {
        ratio("weft", "against the statements alone", "statements", 2), ratio("weft_1000", "the same, 1,000", "statements_1000", 2),
        ratio("weft_1000", "1,000 tables", "weft", 10),
        figure("peak RSS", "%.1f MB", function(r) return r.rss end, 20, "< 20 MB"),
        figure("noticing that nothing changed", "%.2f ms", function(r) return r.unchanged end, 5, "< 5 ms"),
        function(rounds)
          local value = over(rounds, function(r) return r.weft_1000.rss end)
          return { what = "peak RSS, 1,000", measured = ("%.1f MB"):format(value), value = value, bar = "-" }
        end,
        function(rounds)
          local value = over(rounds, function(r) return r.weft_1000.unchanged end)
          return { what = "nothing changed, 1,000", measured = ("%.2f ms"):format(value), value = value, bar = "-" }
        end,
      },
    }
  end
  for _, db in ipairs { "pg", "my", "sqlite" } do
    local function told(what, format, field, variant, limit, bar)
      return function(rounds)
        local value = over(rounds, function(r) return r[variant][field] end)
        return { what = what, measured = format:format(value), value = value, limit = limit, bar = bar or "-" }
      end
    end
    add {
      name = "types_" .. db, title = "type files of 100 and of 1,000 tables, " .. databases[db], unit = "ms",
      variants = { { "weft", function() return run.types(db, 100) end }, { "weft_1000", function() return run.types(db, 1000) end } },
      checks = {
        told("discovered and written", "%.1f ms", "time", "weft", 50, "< 50 ms"), told("peak RSS", "%.1f MB", "rss", "weft", 20, "< 20 MB"),
        ratio("weft_1000", "1,000 tables", "weft", 10),
        told("the largest file", "%.0f KB", "largest", "weft_1000", 488, "< 488 KB"), told("peak RSS, 1,000", "%.1f MB", "rss", "weft_1000"),
      },
    }
  end
  for _, db in ipairs { "pg", "sqlite" } do
    add {
      name = "json_" .. db, title = ":json() of 50 rows, " .. databases[db],
      variants = { { "raw", function() return run.json(db) end }, { "weft", weft("j", db, { WEFT_BENCH_MODEL = "TrackDecimal" }) } },
      checks = { ratio("weft", "against raw C", "raw", 1.05) },
    }
  end
  for _, db in ipairs { "pg", "my", "sqlite" } do
    add {
      name = "insert_" .. db, title = "insert 1,000 rows, " .. databases[db],
      before = function() run.empty(db) end,
      variants = { { "raw", raw("d", db) }, { "tables", raw("d", db, "--lua") }, { "weft", weft("d", db) } },
      checks = { ratio("weft", "against raw", "raw", 1.05), ratio("tables", "tables against raw", "raw") },
    }
  end
  for _, db in ipairs { "pg", "my", "sqlite" } do
    add {
      name = "update_" .. db, title = "update in a transaction, " .. databases[db],
      before = function() run.unset(db) end,
      variants = { { "raw", raw("e", db) }, { "weft", weft("e", db) } },
      checks = { ratio("weft", "against raw", "raw", db ~= "sqlite" and 0.85 or nil) },
    }
  end

  local function dispatched(what) return function() return run.dispatch(what) end end
  local function alone(name, what, bar)
    return function(rounds)
      local value = over(rounds, function(r) return (r[name].time - r.empty.time) / 1000 end)
      return { what = what, measured = ("%.2f us"):format(value), value = value, limit = bar,
        bar = bar and ("< %.1f us"):format(bar) or "-" }
    end
  end
  add {
    name = "dispatch", title = "build + plan + dispatch of a repeated find (a driver that answers at once)", unit = "ns",
    variants = { { "empty", dispatched "empty" }, { "find", dispatched "find" }, { "task", dispatched "task" },
      { "row", dispatched "find_row" }, { "where", dispatched "where" } },
    checks = { alone("find", "find, no row", 0.8), alone("task", "the same in a task", 0.8), alone("row", "with its row"),
      alone("where", "where, order, limit, all") },
    counted = "find",
  }

  add {
    name = "cold_sqlite", title = "process start to first row, 12 models, SQLite", unit = "ms",
    variants = { { "raw", function() return run.cold_raw "sqlite" end }, { "weft", function() return run.cold "sqlite" end } },
    checks = {
      function(rounds)
        local t = time_of(rounds, "weft")
        return { what = "time", measured = ("%.2f ms"):format(t), value = t, limit = 4, bar = "< 4 ms" }
      end,
      function(rounds)
        local m = over(rounds, function(r) return r.weft.rss end)
        return { what = "peak memory", measured = ("%.1f MB"):format(m), value = m, limit = 6, bar = "< 6 MB" }
      end,
    },
  }
  add {
    name = "cold_pg", title = "process start to first row, 12 models, PostgreSQL", unit = "ms",
    variants = { { "raw", function() return run.cold_raw "pg" end }, { "weft", function() return run.cold "pg" end } },
    checks = {
      function(rounds)
        local more = over(rounds, function(r) return r.weft.time - r.raw.time end)
        return { what = "above raw", measured = ("%+.2f ms"):format(more), value = more, limit = 1, bar = "<= +1 ms" }
      end,
      function(rounds)
        local m = over(rounds, function(r) return r.weft.rss end)
        return { what = "peak memory", measured = ("%.1f MB"):format(m), value = m, limit = 12, bar = "< 12 MB" }
      end,
    },
  }

  add {
    name = "lambda", title = "process start to the first invocation of a Lambda function answered, one row of SQLite", unit = "ms",
    variants = { { "weft", run.lambda } },
    checks = {
      function(rounds)
        local t = time_of(rounds, "weft")
        return { what = "time", measured = ("%.2f ms"):format(t), value = t, limit = 15, bar = "< 15 ms" }
      end,
      figure("peak memory", "%.1f MB", function(r) return r.rss end),
    },
  }

  require "http_rows" (add, run, { over = over, ratio = ratio, time_of = time_of })

  for _, db in ipairs { "pg", "my", "sqlite" } do
    add {
      name = "crowd_" .. db, title = "1,000 concurrent tasks, max = 4, " .. databases[db], once = true,
      variants = { { "weft", function() return run.crowd(db, 4, 1000) end } },
      checks = {
        function(rounds)
          local n = rounds[1].weft.opened
          return { what = "connections opened", measured = ("%d"):format(n), value = n, limit = 4, bar = "<= 4" }
        end,
        function(rounds)
          local n = rounds[1].weft.closed + rounds[1].weft.failed
          return { what = "closed or failed", measured = ("%d"):format(n), value = n, limit = 0, bar = "0" }
        end,
      },
    }
  end
  return rows, median
end
