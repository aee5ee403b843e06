-- SPDX-License-Identifier: MIT
-- Runs the specs: lua5.4 spec/run.lua [--mode MODE] [--name WORDS] [--valgrind] [-- PATTERN...]
--
-- Each spec file is a process of its own: a C spec is build/MODE/spec/NAME, a Lua spec runs inside
-- build/MODE/weft. Both keep one contract: `not ok` lines, then `N passed, N failed`. A file that ends
-- without that line, by a signal, too late or with a status its counts do not explain (a leak report,
-- say) counts as one more failure. This program starts no module of Weft, so that it can tell.

package.path = (arg[0]:match("^(.*)/spec/[^/]*$") or ".") .. "/?.lua;" .. package.path

local shell = require "spec.support.shell"
local servers = require "spec.support.servers"
local quote = shell.quote

local options = { mode = "release", name = "", patterns = {} }

local function parse(args)
  local i = 1
  while i <= #args do
    local word = args[i]
    if word == "--mode" or word == "--name" then
      options[word:sub(3)] = args[i + 1]
      i = i + 1
    elseif word == "--valgrind" or word == "--clean" then
      options[word:sub(3)] = true
    elseif word == "--" then
      table.move(args, i + 1, #args, 1, options.patterns)
      break
    else
      error("unknown argument " .. word, 0)
    end
    i = i + 1
  end
end

local root = shell.root()
local build
local complaints = {}

local function show(line)
  if line:find("^not ok %- ") then complaints[#complaints + 1] = line end
  print(line)
end

---Spec files below `folder` in order; every pattern is a plain part of the path.
local function find(command)
  local list = {}
  for path in shell.must("cd " .. quote(root) .. " && " .. command .. " | LC_ALL=C sort"):gmatch("[^\n]+") do
    local wanted = #options.patterns == 0
    for _, pattern in ipairs(options.patterns) do
      wanted = wanted or path:find((pattern:gsub("^%./", "")), 1, true) ~= nil
    end
    if wanted then list[#list + 1] = path end
  end
  return list
end

---What stands before the program: a limit of time, and what the mode needs.
local function prefix()
  local words = { "timeout", "--foreground", "--signal=ABRT", "--kill-after=5", os.getenv("SPEC_TIMEOUT") or "300" }
  local function add(...)
    for _, word in ipairs { ... } do words[#words + 1] = word end
  end
  -- The thread sanitizer wants its shadow memory where address randomization may have put the program.
  if options.mode == "tsan" and shell.run("setarch -R true") then add("setarch", "-R") end
  if options.valgrind then
    add("valgrind", "-q", "--error-exitcode=97", "--leak-check=full", "--show-leak-kinds=definite,indirect",
      "--errors-for-leak-kinds=definite,indirect", "--suppressions=" .. root .. "/spec/support/valgrind.supp")
  end
  return shell.words(words)
end

local function environment(folder)
  local support = root .. "/spec/support/"
  return shell.words { "env", "WEFT_SPEC_RUN=" .. folder, "WEFT_SPEC_BUILD=" .. build,
    "WEFT_SPEC_MODE=" .. (options.valgrind and "valgrind" or options.mode),
    "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:" .. (os.getenv("ASAN_OPTIONS") or ""),
    "LSAN_OPTIONS=suppressions=" .. support .. "lsan.supp:print_suppressions=0",
    "UBSAN_OPTIONS=print_stacktrace=1",
    "TSAN_OPTIONS=suppressions=" .. support .. "tsan.supp:" .. (os.getenv("TSAN_OPTIONS") or "") }
end

local function explain(how, code)
  if how == "signal" or code > 128 then
    return ("ended by signal %d"):format(how == "signal" and code or code - 128)
  elseif code == 124 then
    return "took too long"
  end
  return ("ended with status %d"):format(code)
end

---Runs one file, passing its output on; returns how many facts passed and failed.
local function run_file(path, command)
  local passed, failed
  local pipe = assert(io.popen("exec " .. command .. " 2>&1 </dev/null", "r"))
  for line in pipe:lines() do
    local p, f = line:match("^(%d+) passed, (%d+) failed$")
    if p then passed, failed = tonumber(p), tonumber(f) else show(line) end
  end
  local ok, how, code = pipe:close()
  if how == "signal" and code == 2 then error("interrupted", 0) end
  if not passed or (not ok and failed == 0) then
    show(("not ok - %s: %s%s"):format(path, explain(how, code), passed and "" or ", its counts are missing"))
    failed = (failed or 0) + 1
  end
  return passed or 0, failed
end

local function clock()
  return tonumber((shell.read("/proc/uptime") or "0"):match("^[%d.]+"))
end

local function run_all()
  local folder = servers.begin()
  local before, env = prefix(), environment(folder)
  local total_passed, total_failed = 0, 0
  local function one(path, program)
    local start = clock()
    local passed, failed = run_file(path, ("%s %s %s"):format(env, before, program))
    print(("%-6s %5d  %s  %.1f s"):format(failed == 0 and "ok" or "not ok", passed, path, clock() - start))
    total_passed, total_failed = total_passed + passed, total_failed + failed
  end
  local files = 0
  for _, path in ipairs(find("find spec/c -name '*_spec.c'")) do
    files = files + 1
    one(path, quote(build .. "/spec/" .. path:match("([^/]*)_spec%.c$")))
  end
  for _, path in ipairs(find("find spec -name '*_spec.lua'")) do
    files = files + 1
    one(path, shell.words { build .. "/weft", "run", root .. "/spec/support/file.lua", path, options.name })
  end
  if files == 0 then
    print("not ok - no spec file matches " .. table.concat(options.patterns, " "))
    total_failed = 1
  end
  return total_passed, total_failed
end

io.stdout:setvbuf("line")
parse(arg)
build = root .. "/build/" .. options.mode
if options.clean then
  servers.clean()
  os.exit(0)
end
local ok, passed, failed = xpcall(run_all, function(message)
  return tostring(message):find("interrupted", 1, true) and "interrupted" or debug.traceback(message)
end)
servers.finish()
if not ok then
  io.stderr:write(tostring(passed), "\n")
  os.exit(1, true)
end
if #complaints > 0 then print("\nWhat failed:\n" .. table.concat(complaints, "\n")) end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1, true)
