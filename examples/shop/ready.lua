-- SPDX-License-Identifier: MIT
-- The shop's databases are made once, and again when what makes them has changed; by one process or worker, while
-- others that begin at the same time wait for it.

local weft = require "weft"

local LOCK, PATIENCE = "var.lock", 60 -- seconds after which whoever makes them is taken for dead

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a" or ""
  if file then file:close() end
  return text
end

---@param here string the shop's folder, with a slash at its end
---@return integer? rows that were written now; nil: they were there
return function(here)
  local made_by = read(here .. "schema.lua") .. read(here .. "data.lua")
  local function done() return read(here .. "var/done") == made_by end
  local waited = 0
  while not done() do
    if os.execute(("mkdir '%s%s' 2>/dev/null"):format(here, LOCK)) then
      os.execute(("rm -rf '%svar' && mkdir -p '%svar'"):format(here, here))
      local fill = require "data"
      local ok, rows = pcall(fill)
      if ok then io.open(here .. "var/done", "wb"):write(made_by):close() end
      os.execute(("rmdir '%s%s'"):format(here, LOCK))
      if not ok then error(rows, 0) end
      return rows
    end
    weft.sleep(0.1)
    waited = waited + 0.1
    if waited > PATIENCE then os.execute(("rmdir '%s%s' 2>/dev/null"):format(here, LOCK)) end
  end
end
