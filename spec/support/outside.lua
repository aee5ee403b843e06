-- SPDX-License-Identifier: MIT
-- Databases that somebody else changes while Weft has them open.

local mysql_text = require "spec.support.mysql_text"
local servers = require "spec.support.servers"
local shell = require "spec.support.shell"

local outside = {}

local by_dialect = {
  sqlite = function(url)
    local path = url:match "^sqlite:(.*)$"
    return function(sql)
      shell.write(path .. ".sql", sql)
      shell.must(("sqlite3 -bail %s <%s"):format(shell.quote(path), shell.quote(path .. ".sql")))
      os.remove(path .. ".sql")
    end
  end,
  postgres = function(url)
    local database = url:match "/([^/?]+)[^/]*$"
    return function(sql) servers.postgres().psql(sql, database) end
  end,
  mysql = function(url)
    local database = url:match "/([^/?]+)[^/]*$"
    return function(sql) servers.mysql().sql(mysql_text.of(sql), database) end
  end,
}

---A database, its name, and a function that runs a script in it from another process; in memory, where there is no
---other process, past Weft as far as that is possible.
function outside.open(backend, ddl)
  local db, name, url = backend.open(ddl)
  if backend.memory then return db, name, function(sql) db:script(sql) end end
  return db, name, by_dialect[backend.dialect](url)
end

return outside
