-- SPDX-License-Identifier: MIT
-- The weft program as a user calls it in a folder of an app, for specs.

local shell = require "spec.support.shell"

local program = {}

local weft = shell.quote(os.getenv "WEFT_SPEC_BUILD" .. "/weft")

---A folder with weft.lua and other files.
---@param databases table<string, string> name -> url
---@param files? table<string, string>
---@return string folder
function program.app(databases, files)
  local folder = shell.must("mktemp -d"):gsub("%s+$", "")
  local lines = {}
  for name, url in pairs(databases) do lines[#lines + 1] = ("%s = %q"):format(name, url) end
  table.sort(lines)
  shell.write(folder .. "/weft.lua", ("return { databases = { %s } }\n"):format(table.concat(lines, ", ")))
  for path, text in pairs(files or {}) do
    shell.must("mkdir -p " .. shell.quote((folder .. "/" .. path):match "^(.*)/"))
    shell.write(folder .. "/" .. path, text)
  end
  return folder
end

---Runs the program in a folder.
---@param folder string
---@param ... string words
---@return integer status, string out, string err
function program.run(folder, ...)
  local err = os.tmpname()
  local pipe = io.popen(("cd %s && %s %s 2>%s </dev/null; echo $?"):format(shell.quote(folder), weft, shell.words { ... }, err), "r")
  local out, status = pipe:read("a"):match("^(.-)(%d+)\n$")
  pipe:close()
  local text = shell.read(err)
  os.remove(err)
  return tonumber(status), out, text
end

---Removes a folder.
function program.remove(folder) shell.must("rm -rf " .. shell.quote(folder)) end

return program
