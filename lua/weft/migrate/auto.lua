-- SPDX-License-Identifier: MIT
-- configure { migrate = "auto" }, for development: what is pending runs when a database is opened. Where there are no
-- migrations, tables of models that say their types are made, and changed as far as nothing is lost.

local builder = require "weft.builder"
local errors = require "weft.errors"
local events = require "weft.events"
local files = require "weft.migrate.files"
local migrate = require "weft.migrate"

local M = {}

local function tell(name, text) events.emit("migrate", { database = name, message = text }) end

local function follow_models(db, name)
  local found = require "weft.migrate.diff".find(db)
  local lost = found:destructive()
  if #lost > 0 then
    errors.usage("the models of %s differ from its tables, and these steps lose data: %s (`weft migrate diff` writes them)", name,
      table.concat(lost, "; "))
  end
  if #found.steps == 0 then return end
  builder.run(db, found.steps)
  for _, change in ipairs(found.changes) do tell(name, tostring(change)) end
end

---@param db weft.Database
---@param name string
---@param dir string the folder of migrations
function M.run(db, name, dir)
  if #files.list(files.folder_of(dir, name)) == 0 then return follow_models(db, name) end
  migrate.up(db, { dir = dir, say = function(text) tell(name, text) end })
end

return M
