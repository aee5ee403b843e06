-- SPDX-License-Identifier: MIT
-- The server of spec/support/httpd.c and raw connections to servers, for specs.

local shell = require "spec.support.shell"
local quote = shell.quote

local http = {}

local bin = (os.getenv "WEFT_SPEC_BUILD" or shell.root() .. "/build/release") .. "/spec/"

---A program that is talked to: write(line), and what it says as a file.
local function start(words)
  local fifo = os.tmpname()
  shell.must(("rm -f %s && mkfifo -m 600 %s"):format(quote(fifo), quote(fifo)))
  local input = assert(io.popen(("exec %s >%s"):format(shell.words(words), quote(fifo)), "w"))
  local output = assert(io.open(fifo, "r"))
  os.remove(fifo)
  return {
    output = output,
    ask = function(text)
      input:write(text, "\n")
      input:flush()
      return (assert(output:read("l"), words[1] .. " has ended"))
    end,
    close = function()
      if not input then return end
      input:write("quit\n")
      local ok, how, code = input:close()
      output:close()
      input = nil
      assert(ok, ("%s: %s %s"):format(words[1], how, code))
    end,
  }
end

local names = { "connections", "requests", "refused", "bytes_in", "bytes_out", "timeouts", "resets", "open", "idle", "in_flight",
  "ended", "drained" }

---Starts a server.
---@param options? table<string, string|integer> of httpd.c
---@param address? string "127.0.0.1:0" unless given
function http.serve(options, address)
  local words = { bin .. "httpd", address or "127.0.0.1:0" }
  for name, value in pairs(options or {}) do words[#words + 1] = ("%s=%s"):format(name, value) end
  local program = start(words)
  local server = { close = program.close }
  server.address, server.pid = assert(program.output:read "l", "the server does not start"):match "^(%S+) (%d+)$"
  server.ask = program.ask
  function server.next() return program.output:read "l" end
  function server.stats()
    local stats, i = {}, 0
    for number in program.ask "stats":gmatch "%d+" do
      i = i + 1
      stats[names[i]] = tonumber(number)
    end
    return stats
  end
  ---Bytes of memory: what it has now, and at most had.
  function server.memory()
    local status = shell.read("/proc/" .. server.pid .. "/status")
    return tonumber(status:match "VmRSS:%s+(%d+)") * 1024, tonumber(status:match "VmHWM:%s+(%d+)") * 1024
  end
  return server
end

local function escape(text)
  return (text:gsub("[%c\\\127-\255]", function(c) return ("\\x%02x"):format(c:byte()) end))
end

---A raw connection. `read` and `up_to` return what came, and whether the connection is open, at its end or reset.
---@param address string
function http.talk(address)
  local program = start { bin .. "talk", address }
  local talk = { close = program.close }
  local function hear(command)
    local n, how = program.ask(command):match "^(%d+) (%l+)$"
    return n == "0" and "" or program.output:read(tonumber(n)), how -- reading nothing would wait for something
  end
  function talk.send(text) return program.ask("send " .. escape(text)) end
  function talk.each(text) return program.ask("each " .. escape(text)) end
  function talk.many(n, text) return program.ask(("many %d %s"):format(n, escape(text))) end
  function talk.fill(n) return tonumber(program.ask("fill " .. n)) end
  function talk.shut() return program.ask "shut" end
  function talk.reset() return program.ask "reset" end
  function talk.idle(n) return program.ask("idle " .. n) end
  function talk.read() return hear "read" end
  function talk.up_to(n, text) return hear(("until %d %s"):format(n, escape(text))) end
  return talk
end

---Says something on a connection of its own and reads to the end.
---@param address string
---@param text string
---@return string answer, string how
function http.once(address, text)
  local talk = http.talk(address)
  talk.send(text)
  local answer, how = talk.read()
  talk.close()
  return answer, how
end

---The statuses of the responses in a text, in order.
function http.statuses(text)
  local list = {}
  for status in text:gmatch "HTTP/1%.1 (%d%d%d) [^\r\n]*\r\n" do list[#list + 1] = tonumber(status) end
  return list
end

---Runs curl; the whole of what it says.
---@param ... string words
function http.curl(...)
  local _, text = shell.run("curl -sS --max-time 20 " .. shell.words { ... })
  return text
end

---Waits until a condition holds, 10 s at most.
function http.await(condition)
  for _ = 1, 500 do
    if condition() then return true end
    shell.sleep(0.02)
  end
  return false
end

return http
