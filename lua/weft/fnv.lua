-- SPDX-License-Identifier: MIT
-- FNV-1a with 64 bits: tells that a text was changed by accident or by its author, not by an attacker.

local PRIME = 0x100000001b3
local START = 0xcbf29ce484222325

---@param text string
---@param before? string the sum of what came before
---@return string sum 16 hexadecimal digits
return function(text, before)
  local sum = before and math.tointeger(tonumber(before, 16)) or START
  for at = 1, #text, 4096 do
    for _, byte in ipairs { text:byte(at, math.min(at + 4095, #text)) } do sum = (sum ~ byte) * PRIME end
  end
  return ("%016x"):format(sum)
end
