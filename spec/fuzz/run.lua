-- SPDX-License-Identifier: MIT
-- lua5.4 spec/fuzz/run.lua SECONDS TARGET...: runs the fuzz targets of build/fuzz one after another, each for its share
-- of the time. What they learn stays in build/fuzz/corpus; an input that breaks one is kept beside it and named.

local seconds = assert(math.tointeger(arg[1]), "SECONDS is a whole number")
local share = math.max(1, seconds // (#arg - 1))
local failed = false

local function run(command) return (os.execute(command)) end

for i = 2, #arg do
  local name = arg[i]
  local corpus, log = "build/fuzz/corpus/" .. name, "build/fuzz/" .. name .. ".log"
  assert(run("mkdir -p " .. corpus))
  local ok = run(("build/fuzz/fuzz/%s -max_total_time=%d -timeout=5 -rss_limit_mb=1024 -max_len=8192 -dict=spec/fuzz/words.dict " ..
    "-artifact_prefix=build/fuzz/%s- -print_final_stats=1 %s >%s 2>&1"):format(name, share, name, corpus, log))
  local text = assert(io.open(log)):read "a"
  local runs = text:match "stat::number_of_executed_units: (%d+)" or "?"
  print(("%-6s %s: %s inputs in %d s"):format(ok and "ok" or "not ok", name, runs, share))
  if not ok then
    failed = true
    print(text:sub(-4000))
  end
end
os.exit(not failed)
