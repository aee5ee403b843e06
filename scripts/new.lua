-- SPDX-License-Identifier: MIT
-- weft new folder: writes an app that runs at once (--help)

local usage = [[
usage: weft new FOLDER

Writes an app into FOLDER, which is made if it is not there and has to be empty: weft.lua with a SQLite database, app.lua, a model, a
service, a migration, a spec and a README that says what to do with them.

Exits 0 when all is well, 1 when something failed, 2 when this was not understood.
]]

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/?.lua;" .. package.path
local app = require "app.app"
local core = require "weft.core"

local files = { "weft.lua", "app.lua", "models/notes/Note.lua", "services/notes.lua", "migrations/1_notes.lua", "spec/notes_spec.lua",
  "README.md", "gitignore" }

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

---Makes a folder and those above it.
local function make(path)
  if not os.execute("mkdir -p -- " .. quote(path) .. " 2>/dev/null") then error("cannot make the folder " .. path, 0) end
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write(path, text)
  local file <close> = io.open(path, "wb") or error("cannot write " .. path, 0)
  if not file:write(text) then error("cannot write " .. path, 0) end
end

---Is there anything, also what is hidden?
local function is_empty(path)
  local pipe = io.popen("ls -A -- " .. quote(path) .. " 2>/dev/null", "r")
  local text = pipe:read "a"
  pipe:close()
  return text == ""
end

local exists = require "weft.loader".exists

local function main()
  local _, words = app.parse(arg, {}, usage)
  local target = words[1]
  if not target or target == "" then app.misuse "a folder is needed" end
  if words[2] then app.misuse("one folder, not '%s' too", words[2]) end
  if exists(target) and not (core.files(target) and is_empty(target)) then app.misuse("%s is not empty", target) end
  for _, name in ipairs(files) do
    local path = target .. "/" .. (name == "gitignore" and ".gitignore" or name)
    make(path:match "^(.*)/")
    local text = read(folder .. "/new/" .. name)
    write(path, (text:gsub("@NAME@", function() return target:match "([^/]+)/*$" or target end)))
  end
  io.stderr:write(("wrote an app into %s; now:\n\n  cd %s\n  weft migrate up\n  weft serve\n\nand look at http://127.0.0.1:8080/notes\n"):format(
    target, target:find "^[%w_./-]+$" and target or quote(target)))
end

app.run(main, usage)
