-- SPDX-License-Identifier: MIT
-- raises(kind, fn, words...) calls fn, which must raise one of Weft's errors of that kind whose text holds
-- all the words; returns the error.

local assert = require "luassert"

return function(kind, fn, ...)
  local ok, err = pcall(fn)
  assert.is_false(ok, "nothing was raised")
  if type(err) ~= "table" or err.kind == nil then
    error("not one of Weft's errors: " .. tostring(err), 2)
  end
  if err.kind ~= kind then error(("kind %s expected, got %s"):format(kind, tostring(err)), 2) end
  for _, words in ipairs { ... } do
    if not tostring(err):find(words, 1, true) then
      error(("'%s' expected in: %s"):format(words, tostring(err)), 2)
    end
  end
  return err
end
