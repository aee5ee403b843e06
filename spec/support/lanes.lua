-- SPDX-License-Identifier: MIT
-- Several command lines at a time, each with its output in a file of its own. xargs keeps the lanes busy and says on
-- one pipe which job begins and which ends; a job whose end it never told has ended badly, whatever became of it.

local shell = require "spec.support.shell"
local quote = shell.quote

local lanes = {}

local job = [[echo "$1"; sh "$0/$1.sh" >"$0/$1.out" 2>&1 </dev/null; echo "$1 $?"]]

local function write(folder, commands)
  shell.must("mkdir -p " .. quote(folder))
  for i, command in ipairs(commands) do shell.write(("%s/%d.sh"):format(folder, i), "exec " .. command .. "\n") end
end

---Runs the commands in their order, `count` at a time, and returns when all have ended.
---@param folder string for this run's files alone
---@param count integer
---@param commands string[]
---@param began fun(i: integer)
---@param ended fun(i: integer, status: integer?, output: string) as each ends; no status: nobody knows how
function lanes.run(folder, count, commands, began, ended)
  write(folder, commands)
  local open = {}
  local function close(i, status)
    open[i] = nil
    ended(i, status, shell.read(("%s/%d.out"):format(folder, i)) or "")
  end
  for i in ipairs(commands) do open[i] = true end
  local pipe = assert(io.popen(("seq %d | xargs -n 1 -P %d sh -c %s %s"):format(#commands, count, quote(job), quote(folder))))
  for line in pipe:lines() do
    local i, status = line:match("^(%d+) ?(%d*)$")
    if status == "" then began(tonumber(i)) else close(tonumber(i), tonumber(status)) end
  end
  pipe:close()
  for i in ipairs(commands) do
    if open[i] then close(i) end
  end
end

return lanes
