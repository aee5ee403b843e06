-- SPDX-License-Identifier: MIT
-- Runs the specs: lua5.4 spec/run.lua [--mode MODE] [--name WORDS] [--jobs N] [--valgrind] [-- PATTERN...]
--
-- Each spec file is a process of its own: a C spec is build/MODE/spec/NAME, a Lua spec runs inside
-- build/MODE/weft. Both keep one contract: `not ok` lines, then `N passed, N failed`. A file that ends
-- without that line, by a signal, too late or with a status its counts do not explain (a leak report,
-- say) counts as one more failure. This program starts no module of Weft, so that it can tell.
--
-- Files run side by side, as many as there are processors, and share the servers of the run. A file that must not be
-- disturbed says so among its first lines, `-- alone: why`, and runs when the others are through.

package.path = (arg[0]:match("^(.*)/spec/[^/]*$") or ".") .. "/?.lua;" .. package.path

local shell = require "spec.support.shell"
local servers = require "spec.support.servers"
local lanes = require "spec.support.lanes"
local quote = shell.quote

local options = { mode = "release", name = "", patterns = {} }

local function parse(args)
  local i = 1
  while i <= #args do
    local word = args[i]
    if word == "--mode" or word == "--name" or word == "--jobs" then
      options[word:sub(3)] = assert(args[i + 1], word)
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

---What the sanitizers are told. intercept_tls_get_addr: libasan 12 takes a thread-local block at the beginning of a page for
---one of glibc 2.19, and its leak checker dies of what it reads there; such blocks are found without, by the thread's table.
local function environment(folder)
  local support = root .. "/spec/support/"
  return shell.words { "env", "WEFT_SPEC_RUN=" .. folder, "WEFT_SPEC_BUILD=" .. build,
    "WEFT_SPEC_MODE=" .. (options.valgrind and "valgrind" or options.mode),
    "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:intercept_tls_get_addr=0:" .. (os.getenv("ASAN_OPTIONS") or ""),
    "LSAN_OPTIONS=suppressions=" .. support .. "lsan.supp:print_suppressions=0",
    "UBSAN_OPTIONS=print_stacktrace=1",
    "TSAN_OPTIONS=suppressions=" .. support .. "tsan.supp:" .. (os.getenv("TSAN_OPTIONS") or "") }
end

local function explain(status)
  if not status then return "nobody knows how it ended" end
  if status > 128 then return ("ended by signal %d"):format(status - 128) end
  return status == 124 and "took too long" or ("ended with status %d"):format(status)
end

local function clock()
  return tonumber((shell.read("/proc/uptime") or "0"):match("^[%d.]+"))
end

---A file's run: its lines are taken in one after another, then its end.
---@param job { path: string, command: string, start: number, passed: integer?, failed: integer? }
local function take_line(job, line)
  local passed, failed = line:match("^(%d+) passed, (%d+) failed$")
  if passed then job.passed, job.failed = tonumber(passed), tonumber(failed) else show(line) end
end

---@param status integer? as a shell says it
local function take_end(job, status)
  if not job.passed or (status ~= 0 and job.failed == 0) then
    show(("not ok - %s: %s%s"):format(job.path, explain(status), job.passed and "" or ", its counts are missing"))
    job.failed = (job.failed or 0) + 1
  end
  print(("%-6s %5d  %s  %.1f s"):format(job.failed == 0 and "ok" or "not ok", job.passed or 0, job.path, clock() - job.start))
end

---One file, whose output is passed on line by line.
local function run_one(job)
  job.start = clock()
  local pipe = assert(io.popen("exec " .. job.command .. " 2>&1 </dev/null", "r"))
  for line in pipe:lines() do take_line(job, line) end
  local _, how, code = pipe:close()
  if how == "signal" and code == 2 then error("interrupted", 0) end
  take_end(job, how == "signal" and 128 + code or code)
end

---Files side by side; the output of each is passed on whole when it has ended.
local function run_lanes(folder, jobs)
  local commands = {}
  for i, job in ipairs(jobs) do commands[i] = job.command end
  lanes.run(folder .. "/lanes", options.jobs, commands, function(i) jobs[i].start = clock() end, function(i, status, output)
    jobs[i].start = jobs[i].start or clock()
    for line in output:gmatch("[^\n]+") do take_line(jobs[i], line) end
    take_end(jobs[i], status)
  end)
end

---Whether a file says among its first lines that it runs alone.
local function is_alone(path)
  local head = (shell.read(root .. "/" .. path) or ""):sub(1, 500)
  return head:find("\n%-%- alone: ") ~= nil or head:find("\n/%* alone: ") ~= nil
end

---The files that were asked for: those that may run side by side, and those that run one by one.
local function sort_jobs(folder)
  local together, single = {}, {}
  local before = environment(folder) .. " " .. prefix() .. " "
  local function add(path, program)
    local list = (options.jobs == 1 or is_alone(path)) and single or together
    list[#list + 1] = { path = path, command = before .. program }
  end
  for _, path in ipairs(find("find spec/c -name '*_spec.c'")) do
    add(path, quote(build .. "/spec/" .. path:match("([^/]*)_spec%.c$")))
  end
  for _, path in ipairs(find("find spec -name '*_spec.lua'")) do
    add(path, shell.words { build .. "/weft", "run", root .. "/spec/support/file.lua", path, options.name })
  end
  if #together == 1 then single[#single + 1] = table.remove(together) end
  return together, single
end

local function run_all()
  local folder = servers.begin()
  local together, single = sort_jobs(folder)
  if #together + #single == 0 then
    show("not ok - no spec file matches " .. table.concat(options.patterns, " "))
    return 0, 1
  end
  if #together > 0 then run_lanes(folder, together) end
  for _, job in ipairs(single) do run_one(job) end
  local passed, failed = 0, 0
  for _, job in ipairs(table.move(single, 1, #single, #together + 1, together)) do
    passed, failed = passed + (job.passed or 0), failed + job.failed
  end
  return passed, failed
end

io.stdout:setvbuf("line")
parse(arg)
build = root .. "/build/" .. options.mode
options.jobs = (options.valgrind or options.mode == "tsan") and 1 or tonumber(options.jobs) or tonumber(shell.must("nproc"))
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
