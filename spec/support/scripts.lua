-- SPDX-License-Identifier: MIT
-- Model scripts of a spec: a folder of their own that weft.configure is told.

local weft = require "weft"
local shell = require "spec.support.shell"

local M = {}

local folder

---Writes models/<database>/<name>.lua, each `return weft.model { <text> }`.
---@param database string
---@param models table<string, string> what stands between the braces, by name
function M.write(database, models)
  if not folder then folder = shell.must("mktemp -d"):gsub("%s+$", "") end
  local own = folder .. "/" .. database
  shell.must("mkdir -p " .. shell.quote(own))
  for name, text in pairs(models) do
    shell.write(("%s/%s.lua"):format(own, name), ('local weft = require "weft"\nreturn weft.model { %s }\n'):format(text))
  end
  weft.configure { models = folder }
end

---Removes what was written.
function M.remove()
  if folder then shell.run("rm -rf " .. shell.quote(folder)) end
  folder = nil
  weft.configure { models = "models" }
end

return M
