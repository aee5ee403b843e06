-- SPDX-License-Identifier: MIT
-- Databases of a fact's own on a url, closed behind it:
--
--   local configured, close = require "spec.support.configured" "fault_spec"
--   after_each(close)

---@param prefix string names them
return function(prefix)
  local weft = require "weft"
  local count, opened = 0, {}

  ---@param url string
  ---@param options? table more options of weft.configure for this database
  ---@return table db, string name
  local function configured(url, options)
    count = count + 1
    local entry = { url = url }
    for key, value in pairs(options or {}) do entry[key] = value end
    local name = ("%s_%d"):format(prefix, count)
    weft.configure { databases = { [name] = entry } }
    opened[#opened + 1] = weft.database(name)
    return opened[#opened], name
  end

  local function close()
    for i = #opened, 1, -1 do
      opened[i]:close()
      opened[i] = nil
    end
    weft.sleep(0) -- a broken connection goes in the next turn of the loop
  end

  return configured, close
end
