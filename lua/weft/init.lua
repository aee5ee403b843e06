-- SPDX-License-Identifier: MIT
-- The one public name: local weft = require "weft". Everything it offers is here or is loaded by the
-- first use of its name, so that a program pays for what it touches.

local core = require "weft.core"

-- Lines of Weft's own files are not a user's lines: errors of use name the first line outside.
local source = debug.getinfo(1, "S").source
core.prefix(source:match "^(.*)init%.lua$" or source)

---@class weft
local weft = {
  _VERSION = "Weft 0.1",
  null = core.null,
  array = core.array,
  json = core.json,
  raw = core.raw,
  path = core.path,
  decimal = core.decimal,
  encode = core.encode,
  decode = core.decode,
  now = core.now,
  run = core.run,
  spawn = core.spawn,
  all = core.all,
  sleep = core.sleep,
  timeout = core.timeout,
  any_of = core.any_of,
  all_of = core.all_of,
  negate = core.negate,
  some = core.some,
  none = core.none,
  every = core.every,
  count = core.count,
  count_distinct = core.count_distinct,
  sum = core.sum,
  avg = core.avg,
  min = core.min,
  max = core.max,
  columns = core.columns,
  model_of = core.model_of,
}

-- name -> the file that has it; the file returns a table of public names.
local files = {
  configure = "weft.configure",
  database = "weft.database",
  models = "weft.registry",
  model = "weft.model",
  has_many = "weft.association",
  has_one = "weft.association",
  belongs_to = "weft.association",
  many_to_many = "weft.association",
  reset_associations = "weft.association",
  include = "weft.association.include",
  cross_join = "weft.association.cross_join",
  services = "weft.services",
  app = "weft.app",
  template = "weft.app.template",
  reload_services = "weft.services",
  try = "weft.errors",
  fail = "weft.errors",
  on = "weft.events",
  log = "weft.events",
  metrics = "weft.metrics",
  trace = "weft.trace",
  save = "weft.row",
  update = "weft.row",
  delete = "weft.row",
  reload = "weft.row",
  changed = "weft.row",
}

-- What the core asks of Lua, loaded when it asks: what rows can do, what is loaded when one is touched, names of
-- associations in queries.
local row_methods = {}
for _, name in ipairs { "save", "update", "delete", "reload", "changed" } do
  row_methods[name] = function(...) return require "weft.row"[name](...) end
end
core.hook("row_methods", row_methods)
core.hook("association", function(...) return require "weft.association.touch".load(...) end)
core.hook("prepare", function(query) return require "weft.association.include".prepare(query) end)
core.hook("wired", function(info, name) return require "weft.association".wired(info, name) end)
core.hook("unknown", function(info, name) return require "weft.association".check(info, name) end)
function core.database_methods:repository(...) return require "weft.repository".repository(self, ...) end
function core.query_methods:include(...) return require "weft.association.include".add(self, ...) end

return setmetatable(weft, {
  names = files, -- for those who complete names
  __index = function(self, name)
    local file = files[name]
    if not file then return nil end
    local value = require(file)[name]
    rawset(self, name, value)
    return value
  end,
})
