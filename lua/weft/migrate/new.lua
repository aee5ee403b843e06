-- SPDX-License-Identifier: MIT
-- Writes new migration files.

local errors = require "weft.errors"
local files = require "weft.migrate.files"

local M = {}

local templates = {
  lua = [[
return {
  up = function(s, db)
  end,
  down = function(s, db)
  end,
}
]],
  sql = "-- up\n\n-- down\n",
}

---A version behind all others: the time, unless the folder counts otherwise.
local function next_version(list)
  local last = list[#list] and list[#list].version
  local now = os.date "!%Y%m%d%H%M%S"
  if not last then return now end
  if #last >= 14 then return files.before(last, now) and now or ("%d"):format(math.tointeger(last) + 1) end
  return ("%0" .. #last .. "d"):format(math.tointeger(last) + 1)
end

local function words_of(name)
  local plain = name:gsub("[^%w_]+", "_"):gsub("^_+", ""):gsub("_+$", "")
  if plain == "" then errors.usage "a migration is named by words of letters and digits" end
  return plain
end

---Writes a migration and returns its path.
---@param dir string the folder of migrations, which is made
---@param database string
---@param name string
---@param ending "lua"|"sql"
---@param text? string
function M.write(dir, database, name, ending, text)
  os.execute("mkdir -p '" .. dir:gsub("'", "'\\''") .. "'")
  local folder = files.folder_of(dir, database)
  local path = ("%s/%s_%s.%s"):format(folder, next_version(files.list(folder)), words_of(name), ending)
  local file, why = io.open(path, "wb")
  if not file then errors.raise("usage", why) end
  assert(file:write(text or templates[ending]))
  assert(file:close())
  return path
end

return M
