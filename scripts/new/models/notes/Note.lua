-- A row of the table notes: columns are discovered, here is what they do not say.

local weft = require "weft"

return weft.model {
  table = "notes",
  timestamps = true,
  validate = { title = { required = true, max = 200 } },
  scopes = {
    latest = function(query) return query:order("id", "desc") end,
  },
}
