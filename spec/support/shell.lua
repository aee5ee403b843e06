-- SPDX-License-Identifier: MIT
-- What the spec machinery needs of the operating system, with io and os alone: no module of Weft
-- and no C module may be broken or missing when servers are started and stopped.

local shell = {}

---Quotes one argument for sh.
function shell.quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

---Quotes a list of arguments.
function shell.words(list)
  local out = {}
  for i, word in ipairs(list) do out[i] = shell.quote(word) end
  return table.concat(out, " ")
end

---Runs a command line; true, or false with what it printed.
function shell.run(command)
  local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1 </dev/null", "r"))
  local text = pipe:read("a")
  local ok = pipe:close()
  return ok == true, text
end

---Runs a command line and returns its output; raises with that output when it fails.
function shell.must(command)
  local ok, text = shell.run(command)
  if not ok then error("command failed: " .. command .. "\n" .. text, 2) end
  return text
end

function shell.sleep(seconds)
  os.execute("sleep " .. seconds)
end

---The whole file, or nil.
function shell.read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

function shell.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

function shell.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

function shell.is_root()
  return (shell.read("/proc/self/status") or ""):match("\nUid:%s+(%d+)") == "0"
end

---The absolute path of the project.
function shell.root()
  local here = debug.getinfo(1, "S").source:match("^@(.*)/spec/support/[^/]*$") or "."
  if here:sub(1, 1) == "/" then return here end
  return (shell.must("cd " .. shell.quote(here) .. " && pwd"):gsub("%s+$", ""))
end

---Identifies a running process: its start time, which a later process of the same number has not.
---@return string? ticks nil when it is gone (a zombie counts as gone)
function shell.process(pid)
  local stat = shell.read("/proc/" .. pid .. "/stat")
  local rest = stat and stat:match("^.*%) (.*)$")
  if not rest or rest:sub(1, 1) == "Z" then return nil end
  local n = 0
  for field in rest:gmatch("%S+") do
    n = n + 1
    if n == 20 then return field end
  end
end

function shell.own_pid()
  return (shell.read("/proc/self/stat"):match("^(%d+)"))
end

---Whether the process runs and `mark` is in its command line.
function shell.is(pid, mark)
  return shell.process(pid) ~= nil
    and (shell.read("/proc/" .. pid .. "/cmdline") or ""):gsub("%z", " "):find(mark, 1, true) ~= nil
end

---Waits until the processes are gone; false after about `seconds`.
function shell.await_end(pids, seconds)
  for _ = 1, seconds * 50 do
    local left = false
    for _, pid in ipairs(pids) do left = left or shell.process(pid) ~= nil end
    if not left then return true end
    shell.sleep(0.02)
  end
  return false
end

---A TCP port of the loopback address that nobody listens on, below the range the kernel deals out.
function shell.free_port()
  local used = {}
  for _, file in ipairs { "/proc/net/tcp", "/proc/net/tcp6" } do
    for port in (shell.read(file) or ""):gmatch("\n%s*%d+: %x+:(%x+)") do used[tonumber(port, 16)] = true end
  end
  local random = io.open("/dev/urandom", "rb")
  local seed = random and string.unpack("I4", random:read(4)) or os.time()
  if random then random:close() end
  for i = 0, 9999 do
    local port = 20000 + (seed + i * 7) % 12000
    if not used[port] then return port end
  end
  error("no free port")
end

return shell
