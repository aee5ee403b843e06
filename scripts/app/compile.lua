-- SPDX-License-Identifier: MIT
-- Weft's own Lua files, compiled: what `require` would otherwise compile at each start. The program takes one that is
-- not older than its source.

---FROM/weft/query.lua becomes TO/weft/query.luac, which says that it is AS/weft/query.lua.
---@param from string
---@param as string
---@param to string
return function(from, as, to)
  local list <close> = assert(io.popen(("cd '%s' && find weft -name '*.lua' ! -path 'weft/meta/*'"):format(from)))
  for path in list:lines() do
    local source <close> = assert(io.open(from .. "/" .. path, "rb"))
    local chunk = assert(load(source:read "a", ("@%s/%s"):format(as, path), "t"))
    local compiled = ("%s/%sc"):format(to, path)
    assert(os.execute(("mkdir -p '%s'"):format(compiled:match "^(.*)/")))
    local file <close> = assert(io.open(compiled, "wb"))
    assert(file:write(string.dump(chunk)))
  end
end
