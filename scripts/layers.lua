-- SPDX-License-Identifier: MIT
-- Checks every #include "..." and require "..." of the tree against .layers: no use of a higher floor,
-- no circle, no library header outside the files that own it. lua5.4 scripts/layers.lua [FOLDER]

local folder = arg[1] or "."

local function shell_quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function read(path)
  local file = io.open(folder .. "/" .. path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

local function pattern(glob)
  return "^" .. glob:gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*", ".*") .. "$"
end

local floors, headers, count = {}, {}, 0

local function parse()
  local numbers = {}
  for line in assert(read(".layers"), "there is no .layers here"):gmatch("[^\n]+") do
    local words = {}
    for word in line:gsub("#.*", ""):gmatch("%S+") do words[#words + 1] = word end
    if words[1] == "header" then
      headers[words[2]] = {}
      for i = 3, #words do table.insert(headers[words[2]], pattern(words[i])) end
    elseif words[1] then
      if not numbers[words[1]] then
        count = count + 1
        numbers[words[1]] = count
      end
      for i = 3, #words do
        floors[#floors + 1] = { name = words[1], number = numbers[words[1]], pattern = pattern(words[2] .. words[i]),
          exact = not words[i]:find("*", 1, true), length = #words[2] + #words[i] }
      end
    end
  end
end

---The floor of a file (its path without the ending): the longest name that fits it, an exact one first.
local function floor_of(name)
  local best
  for _, floor in ipairs(floors) do
    if name:find(floor.pattern) then
      local better = not best or (floor.exact and not best.exact)
        or (floor.exact == best.exact and floor.length > best.length)
      if better then best = floor end
    end
  end
  return best
end

local function source_files()
  local command = "cd " .. shell_quote(folder) .. " && find . \\( -name build -o -name '.?*' \\) -prune -o "
    .. "\\( -name '*.c' -o -name '*.h' -o -name '*.lua' \\) -type f -print | LC_ALL=C sort"
  local list = {}
  local pipe = assert(io.popen(command, "r"))
  for line in pipe:lines() do list[#list + 1] = (line:gsub("^%./", "")) end
  assert(pipe:close())
  return list
end

local failures = {}
local function fail(path, line, text, ...)
  failures[#failures + 1] = ("%s:%d: "):format(path, line) .. text:format(...)
end

local known, uses, where = {}, {}, {} -- known: path -> true; uses: name -> list of names

---x.h, x.c and x_private.h are one file.
local function without_ending(path) return (path:gsub("%.%w+$", ""):gsub("_private$", "")) end

local function found(...)
  for _, path in ipairs { ... } do
    if known[path] then return path end
  end
end

local function c_target(path, include)
  local here = path:match("^(.*/)") or ""
  return found(here .. include, "core/" .. include, "bindings/lua/" .. include, "spec/c/" .. include, include)
end

local function lua_target(module)
  local file = module:gsub("%.", "/")
  if module == "weft.core" then return found("bindings/lua/core.c", "bindings/lua/module.c", "bindings/lua/init.c") end
  return found("lua/" .. file .. ".lua", "lua/" .. file .. "/init.lua", file .. ".lua")
end

local function check_use(path, line, target)
  local from, to = without_ending(path), without_ending(target)
  if from == to then return end
  local high, low = floor_of(from), floor_of(to)
  if high and low and low.number > high.number then
    fail(path, line, "%s is on the floor '%s', above '%s'", target, low.name, high.name)
  end
  uses[from] = uses[from] or {}
  if not uses[from][to] then
    uses[from][to] = true
    table.insert(uses[from], to)
    where[from .. " " .. to] = { path, line }
  end
end

local function check_header(path, line, header)
  local allowed = headers[header]
  if not allowed then return end
  for _, glob in ipairs(allowed) do
    if path:find(glob) then return end
  end
  fail(path, line, "<%s> does not belong here (.layers says where)", header)
end

local function scan(path)
  local is_lua, number = path:find("%.lua$") ~= nil, 0
  if not floor_of(without_ending(path)) then fail(path, 1, "is on no floor; name it in .layers") end
  for line in (read(path) .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    if is_lua then
      if not line:find("^%s*%-%-") then
        for _, module in line:gmatch("require%s*%(?%s*([\"'])([%w_.]+)%1") do
          local target = lua_target(module)
          if target then check_use(path, number, target) end
        end
      end
    else
      local include = line:match('^%s*#%s*include%s+"([^"]+)"')
      local target = include and c_target(path, include)
      if target then check_use(path, number, target) end
      local header = line:match("^%s*#%s*include%s+<([^>]+)>") or (include and not target and include)
      if header then check_header(path, number, header) end
    end
  end
end

---Walks depth first; a name that is met while it is still open closes a circle.
local state, trail = {}, {}
local function walk(name)
  state[name] = "open"
  trail[#trail + 1] = name
  for _, target in ipairs(uses[name] or {}) do
    if state[target] == "open" then
      local at = where[name .. " " .. target]
      local first = 1
      while trail[first] ~= target do first = first + 1 end
      fail(at[1], at[2], "a circle: %s -> %s", table.concat(trail, " -> ", first), target)
    elseif not state[target] then
      walk(target)
    end
  end
  trail[#trail] = nil
  state[name] = "closed"
end

parse()
local files = source_files()
for _, path in ipairs(files) do known[path] = true end
for _, path in ipairs(files) do scan(path) end
for _, path in ipairs(files) do
  local name = without_ending(path)
  if not state[name] then walk(name) end
end
table.sort(failures)
for _, text in ipairs(failures) do print("not ok - " .. text) end
print(("layers: %d files, %d failures"):format(#files, #failures))
os.exit(#failures == 0 and 0 or 1)
