-- SPDX-License-Identifier: MIT
-- weft.configure: the settings of databases, and what else follows from them.

local database = require "weft.database"

local M = {}

---Sets databases and folders. A second call replaces the databases that it names: their open handles are
---closed. WEFT_DATABASE_<NAME> in the environment overrides a url. Nothing connects here.
---@param options weft.Options strict: associations and lazy columns are never loaded on touch; migrate = "auto": what is pending
---of a database's migrations runs when it is opened
function M.configure(options)
  database.configure(options)
  if options.migrate ~= nil then
    database.on_open(options.migrate == "auto" and function(...) return require "weft.migrate.auto".run(...) end)
  end
end

return M
