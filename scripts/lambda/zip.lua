-- SPDX-License-Identifier: MIT
-- weft lambda --zip: an app as a function that AWS Lambda runs. The same files give the same bytes.
--
--   bootstrap                       starts weft/bin/weft
--   weft/bin, weft/lib/weft         the program; its compiled Lua files, drivers and modules
--   weft/lib/client                 the libraries that those need, but the C library
--   weft/share/weft                 Lua files and scripts
--   ...                             the app

local app = require "app.app"
local compile = require "app.compile"

local M = {}

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function must(format, ...)
  local words = { ... }
  for i, word in ipairs(words) do words[i] = quote(word) end
  local pipe = io.popen("{ " .. format:format(table.unpack(words)) .. " ; } 2>&1", "r")
  local text = pipe:read "a"
  if not pipe:close() then error("the archive cannot be made: " .. text:gsub("%s+$", ""), 0) end
  return text
end

local exists = require "weft.loader".exists

-- What goes in ----------------------------------------------------------------------------------

local driver_of = { postgresql = "postgres", sqlite3 = "sqlite", mariadb = "mysql" }

---The drivers that the databases of weft.lua need, or those that were asked for.
local function drivers_of(options, folder)
  local list, seen = {}, {}
  local function add(name)
    name = driver_of[name] or name
    if not seen[name] then list[#list + 1], seen[name] = name, true end
  end
  for name in (options.drivers or ""):gmatch "[^,%s]+" do add(name) end
  local path = folder .. "/weft.lua"
  if #list == 0 and exists(path) then
    local settings = require "weft.loader".run(path, path)
    for _, entry in pairs(type(settings) == "table" and settings.databases or {}) do
      local url = type(entry) == "table" and entry.url or entry
      add(tostring(url):match "^([%w]+)" or "")
    end
  end
  if #list == 0 then app.misuse("--drivers says which databases the app uses: there is no %s to tell", path) end
  table.sort(list)
  return list
end

---Where this program and what belongs to it are, whichever of its two layouts it has.
local function places(scripts)
  local program = must("readlink -f /proc/$PPID/exe"):gsub("%s+$", "")
  local bin = program:match "^(.*)/[^/]*$"
  local libraries = exists(bin .. "/lib/weft/curl.so") and bin .. "/lib/weft" or bin .. "/../lib/weft"
  return { program = program, libraries = libraries, scripts = scripts, lua = scripts .. "/../lua" }
end

-- Libraries -------------------------------------------------------------------------------------

local of_the_c_library = { libc = true, libm = true, libdl = true, libpthread = true, librt = true, libresolv = true, libutil = true }

---The shared libraries that files need, but for those that come with the C library.
local function libraries_of(files)
  local list, seen = {}, {}
  for _, file in ipairs(files) do
    for name, path in must("ldd %s", file):gmatch "(%S+) => (/%S+)" do
      if not seen[name] and not of_the_c_library[name:match "^[^.]*"] then list[#list + 1] = { name = name, path = path } end
      seen[name] = true
    end
  end
  return list
end

---The newest version of the C library that a symbol of the files is of.
local function c_library(files)
  local newest = 0
  for _, path in ipairs(files) do
    local file = io.open(path, "rb")
    for minor in file:read("a"):gmatch "GLIBC_2%.(%d+)" do newest = math.max(newest, tonumber(minor)) end
    file:close()
  end
  return newest
end

-- The archive -----------------------------------------------------------------------------------

local never = { core = true, weft_core = true, line = true } -- the program has the core inside, and nobody types

---What of the program's shared objects is needed: the drivers, and modules that a function may ask for.
local function objects_of(from, drivers)
  local list = {}
  for name in must("ls %s", from.libraries):gmatch "([%w_]+)%.so\n" do
    if not name:find "^driver_" and not never[name] then list[#list + 1] = name end
  end
  for _, name in ipairs(drivers) do
    list[#list + 1] = "driver_" .. name
  end
  return list
end

local function copy_program(from, drivers, to)
  must("mkdir -p %s/bin %s/lib/weft %s/lib/client", to, to, to)
  local files = { to .. "/bin/weft" }
  must("cp %s %s", from.program, files[1])
  for _, name in ipairs(objects_of(from, drivers)) do
    files[#files + 1] = ("%s/lib/weft/%s.so"):format(to, name)
    must("cp %s/%s.so %s", from.libraries, name, files[#files])
  end
  for _, library in ipairs(libraries_of(files)) do
    files[#files + 1] = to .. "/lib/client/" .. library.name
    must("cp -L %s %s", library.path, files[#files])
  end
  must("strip --strip-unneeded %s/bin/weft %s/lib/weft/*.so", to, to)
  return files
end

---Weft's Lua files, and compiled ones that say where AWS puts them.
local function copy_lua(from, to)
  must("mkdir -p %s/share/weft/scripts && cp -r %s %s/share/weft/lua", to, from.lua, to)
  must("cp -r %s/app %s/lambda.lua %s/share/weft/scripts", from.scripts, from.scripts, to)
  compile(from.lua, "/var/task/weft/share/weft/lua", to .. "/lib/weft/lua")
end

---The app's own files; what begins with a dot is none.
local function copy_app(folder, to)
  must("cd %s && tar --no-wildcards-match-slash --exclude='.[!/]*' --exclude=./build --exclude=./spec -cf - . | tar -xf - -C %s", folder, to)
end

---Files as old as an archive can say.
local function set_times(to) must("TZ=UTC find %s -exec touch -h -d '1980-01-01 00:00:00' {} +", to) end

---@param options table zip, output, drivers
---@param scripts string the folder of the subcommands
---@return integer status
function M.write(options, scripts)
  local folder, output = options.zip, options.output or "build/lambda.zip"
  if not os.execute(("test -d %s"):format(quote(folder))) then app.misuse("there is no folder %s", folder) end
  local drivers, from = drivers_of(options, folder), places(scripts)
  for _, name in ipairs(drivers) do
    if not exists(("%s/driver_%s.so"):format(from.libraries, name)) then app.misuse("there is no driver '%s' beside this program", name) end
  end
  local stage = must("mktemp -d"):gsub("%s+$", "")
  local ok, err = pcall(function()
    copy_app(folder, stage)
    must("cp %s/lambda/bootstrap %s/bootstrap && chmod 755 %s/bootstrap", scripts, stage, stage)
    local files = copy_program(from, drivers, stage .. "/weft")
    copy_lua(from, stage .. "/weft")
    set_times(stage)
    must("cd %s && find . -type f -o -type l | LC_ALL=C sort | TZ=UTC zip -q -X -y %s -@", stage, stage .. ".zip")
    must("mkdir -p \"$(dirname %s)\" && mv %s %s", output, stage .. ".zip", output)
    io.stderr:write(("wrote %s (%s, %s; needs glibc 2.%d)\n"):format(output, must("uname -m"):gsub("%s+$", ""), table.concat(drivers, ", "),
      c_library(files)))
  end)
  must("rm -rf %s %s", stage, stage .. ".zip")
  if not ok then error(err, 0) end
  return 0
end

return M
