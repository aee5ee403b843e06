-- SPDX-License-Identifier: MIT
-- The commands that measure. Each gives a table of numbers; one that fails ends the run with its output.

local weft = require "weft"
local setup = require "setup"
local quote = setup.quote

---@class bench.run
---@param options { secs: number, warm: number }
return function(place, options)
  local run = {}
  local at_work = {}
  for name, value in pairs(place.env) do at_work[#at_work + 1] = name .. "=" .. quote(value) end
  table.sort(at_work)
  local home = place.root .. "/scripts/bench"
  local environment = table.concat(at_work, " ")
    .. (" PB_PEER=c PB_WARM=%g PB_SECS=%g WEFT_BENCH_HOME=%s LUA_PATH=%s LUA_CPATH=%s WEFT_BENCH_DRIVERS=%s "):format(
      options.warm, options.secs, quote(home), quote(home .. "/?.lua;;"), quote(place.build .. "/?.so;;"),
      quote(place.weft:match "^(.*)/" .. "/lib/weft"))
  local checks = {} -- work -> what the peers agree on

  local first = options.realtime and "chrt -f 1 " or ""
  local function free(command) return first .. command end
  local function pinned(command)
    return place.cpu and ("%staskset -c %d %s"):format(first, place.cpu, command) or free(command)
  end

  local function output(command)
    local log = quote(place.build .. "/run.log")
    local text, ok = setup.capture(("env %s %s 2>%s"):format(environment, command, log))
    if not ok or text == "" then
      setup.fail("this failed:\n  %s\n%s%s", command, text, (setup.capture("cat " .. log)))
    end
    return text
  end

  -- Peers that do not do the same work cannot be compared.
  local function measured(command, key)
    local line = weft.decode(output(command))
    if checks[key] and checks[key] ~= line.check then
      setup.fail("%s: the check is %s, other programs have %s\n  %s", key, tostring(line.check), tostring(checks[key]), command)
    end
    checks[key] = line.check
    line.time = 1e6 / line.ops_s
    return line
  end

  -- Client and server share one processor, else the figures have two modes.
  local function place_for(how)
    local one = how ~= "free"
    setup.pin(place, one and place.cpu or place.cpus)
    return one and pinned or free
  end

  function run.raw(work, db, concurrency, extra, how)
    local put = place_for(how)
    return measured(put(("%s/pb_c %s %s %s %d"):format(quote(place.build), table.concat(extra, " "), work, db, concurrency)), work)
  end

  function run.json(db)
    return measured(place_for()(("%s/raw_json %s"):format(quote(place.build), db)), "j " .. db)
  end

  function run.work(work, db, concurrency, env, how)
    local words = {}
    for name, value in pairs(env or {}) do words[#words + 1] = name .. "=" .. quote(value) end
    local put = place_for(how)
    return measured(("env %s %s"):format(table.concat(words, " "),
      put(("%s run %s/work.lua %s %s %d"):format(quote(place.weft), quote(home), work, db, concurrency))),
      work == "j" and "j " .. db or work)
  end

  ---The target of the inserts is empty before each of them.
  function run.empty(db)
    if db == "pg" then
      setup.sql(place, "truncate bulk_item")
    elseif db == "my" then
      setup.mysql(place, "truncate chinook.bulk_item")
    else
      setup.capture(("sqlite3 %s/chinook.db 'delete from bulk_item; pragma wal_checkpoint(truncate)'"):format(quote(place.env.PB_SQLITE)))
    end
  end

  ---Connector/C counts the rows that an update changed, not those that it met: each has to change.
  function run.unset(db)
    if db == "my" then setup.mysql(place, "update chinook.track set bytes = 0") end
  end

  function run.dispatch(what)
    local count = math.max(20000, options.secs * 400000 // 1)
    return { time = tonumber(output(pinned(("%s run %s/dispatch.lua %s %d"):format(quote(place.weft), quote(home), what, count)))) }
  end

  ---Instructions and heap allocations of one operation, by the difference of two runs; nil without valgrind.
  function run.counted(what)
    local function once(tool, pattern, count)
      local text = setup.capture(("env %s valgrind --tool=%s %s run %s/dispatch.lua %s %d 2>&1"):format(
        environment, tool, quote(place.weft), quote(home), what, count))
      local number = text:match(pattern)
      return number and tonumber((number:gsub(",", "")))
    end
    local function each(tool, pattern)
      local few, many = once(tool, pattern, 2000), once(tool, pattern, 12000)
      return few and many and (many - few) / 10000
    end
    return each("callgrind --callgrind-out-file=/dev/null", "Collected : (%d+)"), each("memcheck", "total heap usage: ([%d,]+) allocs")
  end

  local function timed(command)
    local list = {}
    for i = 1, 10 do list[i] = tonumber(output(free(("%s/pbrun %s 3>&1 >/dev/null"):format(quote(place.build), command)))) end
    table.sort(list)
    return list[5]
  end

  function run.cold_raw(db)
    setup.pin(place, place.cpus)
    return { time = timed(("%s/pb_c g %s 1"):format(quote(place.build), db)) }
  end

  function run.cold(db)
    setup.pin(place, place.cpus)
    local command = ("%s run %s/cold.lua %s"):format(quote(place.weft), quote(home), db)
    return { time = timed(command), rss = tonumber(output(command .. " rss")) }
  end

  ---A Lambda function with one row of SQLite, the middle one of ten starts.
  function run.lambda()
    setup.pin(place, place.cpus)
    local list = {}
    for i = 1, 10 do
      list[i] = weft.decode(output(free(([[%s/lambda '"track_id":1' %s lambda %s/lambda_handler.lua]]):format(quote(place.build),
        quote(place.weft), quote(home)))))
    end
    table.sort(list, function(a, b) return a.time < b.time end)
    return list[5]
  end

  ---The schema of n tables, read by Weft, in milliseconds.
  function run.discovery(db, n)
    setup.many_tables(place, db, n)
    local put = place_for()
    return weft.decode(output(put(("%s run %s/discovery.lua %s %d %g"):format(quote(place.weft), quote(home), db, n, options.secs))))
  end

  ---The statements that it is read by, alone.
  function run.statements(db, n)
    setup.many_tables(place, db, n)
    local file = ("%s/%s_%d.statements"):format(place.build, db, n)
    output(free(("sh -c '%s run %s/discovery.lua %s %d statements >%s && echo done'"):format(place.weft, home, db, n, file)))
    local name = "things_" .. n
    local where = db == "pg" and setup.conninfo(place, name) or db == "my" and name or setup.file(place, name)
    return weft.decode(output(place_for()(("%s/raw_catalog %s %s %s %g"):format(quote(place.build), db, quote(where), quote(file),
      options.secs * 1000))))
  end

  ---The type files of n tables, written by Weft, in milliseconds.
  function run.types(db, n)
    setup.many_tables(place, db, n)
    return weft.decode(output(place_for()(("%s run %s/types.lua %s %d %g %s/types_%s_%d"):format(quote(place.weft), quote(home), db, n,
      options.secs, place.build, db, n))))
  end

  function run.tree()
    setup.pin(place, place.cpus)
    return weft.decode(output(free(("%s run %s/tree.lua"):format(quote(place.weft), quote(home)))))
  end

  function run.crowd(db, max, tasks)
    setup.pin(place, place.cpus)
    return weft.decode(output(("%s run %s/crowd.lua %s %d %d"):format(quote(place.weft), quote(home), db, max, tasks)))
  end

  require "http" (run, { place = place, options = options, environment = environment, free = free, output = output })
  return run
end
