-- SPDX-License-Identifier: MIT
-- dump.lua OUT FILE...: what `require` would have compiled at each start, compiled once (make runs it).
-- lua/weft/query.lua becomes OUT/weft/query.luac; the program takes it while it is newer than its source.

local out = table.remove(arg, 1)
for _, file in ipairs(arg) do
  local path = file:match "lua/(.*)%.lua$"
  local name = path:gsub("/init$", ""):gsub("/", ".")
  local source = assert(package.searchpath(name, package.path))
  local chunk = assert(loadfile(source, "t"))
  local to = ("%s/%s.luac"):format(out, path)
  assert(os.execute("mkdir -p '" .. to:match "^(.*)/" .. "'"))
  local target <close> = assert(io.open(to, "wb"))
  assert(target:write(string.dump(chunk)))
end
