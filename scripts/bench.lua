-- SPDX-License-Identifier: MIT
-- weft bench [names] [options]: measures against raw C clients (--help)

local usage = [[
usage: weft bench [names] [options]

Measures Weft against the raw C programs of ../shared/bench in one run: the programs take turns, and what is
printed is the median of the rounds' ratios, beside what it has to be. names picks rows by a part of
their name (find, sixteen, rows, tree, cross, json, insert, update, dispatch, cold, lambda, http, crowd, discovery, types;
_pg or _sqlite).

  --rounds N     rounds (7)             --secs S     seconds that a program is measured in a round (0.4)
  --warm S       seconds before (0.15)  --json       one JSON document instead of the table
  --callgrind    instructions and allocations of one find too (slow; needs valgrind)
  --realtime     run before everything else on this machine (from root): steadier where others work too
  --keep         leave the servers running
  --list         the names
]]

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/bench/?.lua;" .. package.path
local weft = require "weft"
local setup = require "setup"

local function parse(words)
  local options = { rounds = 7, secs = 0.4, warm = 0.15, names = {} }
  local i = 1
  while i <= #words do
    local word = words[i]
    local name = word:match "^%-%-(%a+)$"
    if not name then
      table.insert(options.names, word)
    elseif name == "rounds" or name == "secs" or name == "warm" then
      i = i + 1
      options[name] = tonumber(words[i])
      if not options[name] or options[name] <= 0 then setup.fail("--%s takes a number above 0", name) end
    elseif name == "json" or name == "realtime" or name == "callgrind" or name == "keep" or name == "list" then
      options[name] = true
    else
      io.write(usage)
      os.exit(name == "help" and 0 or 2, true)
    end
    i = i + 1
  end
  return options
end

local options = parse(arg)
local lively = os.execute "test -t 2"

local function say(...)
  if lively then io.stderr:write("\r\27[K", string.format(...)) end
end

local function selected(rows)
  if #options.names == 0 then return rows end
  local list = {}
  for _, row in ipairs(rows) do
    for _, name in ipairs(options.names) do
      if row.name:find(name, 1, true) then
        list[#list + 1] = row
        break
      end
    end
  end
  if #list == 0 then setup.fail("no row has '%s' in its name; --list shows the names", options.names[1]) end
  return list
end

local function measure(row)
  local rounds = {}
  for i = 1, row.once and 1 or options.rounds do
    rounds[i] = {}
    for _, variant in ipairs(row.variants) do
      say("%s: round %d of %d, %s", row.name, i, row.once and 1 or options.rounds, variant[1])
      if row.before then row.before() end
      rounds[i][variant[1]] = variant[2]()
    end
  end
  return rounds
end

local function times(row, rounds, median)
  local list = {}
  for _, variant in ipairs(row.variants) do
    local all = {}
    for i, round in ipairs(rounds) do all[i] = round[variant[1]].time end
    if #all == #rounds then
      list[#list + 1] = { name = variant[1], time = median(all) }
    end
  end
  return list
end

local function judge(row, rounds)
  local results = {}
  for i, check in ipairs(row.checks) do
    local result = check(rounds)
    if result.limit then result.ok = result.value <= result.limit end
    results[i] = result
  end
  return results
end

local function print_row(row, results, list)
  local parts = {}
  for i, entry in ipairs(list) do parts[i] = ("%s %.2f"):format(entry.name, entry.time) end
  print(row.title .. (#parts > 0 and ("  [%s %s]"):format(table.concat(parts, ", "), row.unit or "us") or ""))
  for _, result in ipairs(results) do
    local verdict = result.ok == nil and "" or result.ok and "ok" or "MISS"
    print(("    %-32s %18s   %-14s %s"):format(result.what, result.measured, result.bar, verdict))
  end
end

local function count_instructions(run, row, results)
  if not options.callgrind or not row.counted then return end
  say("%s: callgrind", row.name)
  local instructions, allocations = run.counted(row.counted)
  if not instructions then
    say ""
    io.stderr:write "weft bench: valgrind is not there, or the program does not run in it\n"
    return
  end
  table.insert(results, { what = "instructions of a find", measured = ("%.0f"):format(instructions), value = instructions, bar = "-" })
  table.insert(results, { what = "heap allocations of a find", measured = ("%.2f"):format(allocations or 0 / 0),
    value = allocations, bar = "-" })
end

local function all_rows(run, rows, median)
  local document, held, judged = {}, 0, 0
  for _, row in ipairs(rows) do
    local rounds = measure(row)
    local results = judge(row, rounds)
    count_instructions(run, row, results)
    local list = times(row, rounds, median)
    say ""
    if not options.json then print_row(row, results, list) end
    for _, result in ipairs(results) do
      if result.ok ~= nil then judged = judged + 1 end
      if result.ok then held = held + 1 end
    end
    document[#document + 1] = { name = row.name, title = row.title, unit = row.unit or "us", times = list, checks = results }
  end
  if options.json then print(weft.encode { rounds = options.rounds, secs = options.secs, rows = document, held = held, judged = judged })
  else print(("%d of %d bars hold (medians of %d rounds of %g s)"):format(held, judged, options.rounds, options.secs)) end
end

local place = setup.place(arg[0], arg[-1])
local run = require "run" (place, options)
local rows, median = require "rows" (run)
if options.list then
  for _, row in ipairs(rows) do print(("%-14s %s"):format(row.name, row.title)) end
  return
end
rows = selected(rows)
setup.compile(place, say)
local started = setup.start(place, say)
setup.load(place, say)
if options.realtime then setup.schedule(place, "-f", 1) end
local ok, why = xpcall(all_rows, debug.traceback, run, rows, median)
run.stop_servers()
setup.pin(place, place.cpus)
if options.realtime then setup.schedule(place, "-o", 0) end
if started and not options.keep then setup.stop(place) end
if not ok then error(why, 0) end
