-- SPDX-License-Identifier: MIT
-- Suites about rows of two databases, which may be one: near and far are names of databases. Model scripts are
-- written into a folder that goes away with its fact, or with the file when it was made outside a fact.

local weft = require "weft"
local backends = require "spec.support.backends"
local shell = require "spec.support.shell"

local M = {}

-- Every driver on either side; the pairs that are marked as plain take no other way through C than the rest, and are
-- left out where a sanitizer looks on.
local rows = {
  { near = "sqlite memory" },
  { near = "postgres" },
  { near = "mysql" },
  { near = "sqlite memory", far = "sqlite file", plain = true },
  { near = "sqlite file", far = "postgres" },
  { near = "postgres", far = "sqlite memory", plain = true },
  { near = "postgres", far = "postgres", plain = true },
  { near = "mysql", far = "sqlite memory", plain = true },
  { near = "postgres", far = "mysql" },
}
local sanitized = os.getenv "WEFT_SPEC_MODE" ~= "release"

---@class spec.Mix
---@field near string the name of the near database
---@field far string the same, or that of another one
---@field apart boolean are they two?
local Mix = {}
Mix.__index = Mix

---Opens fresh databases; the far one gets its tables in the near one where they are one.
---@param near string|table tables of the near database, see backends.open
---@param far string|table tables of the far one
---@param options? table of both databases, see backends.open
function Mix:open(near, far, options)
  self.near_db, self.near = backends[self.row.near].open(near, options)
  self.far_db, self.far = self.near_db, self.near
  if self.apart then
    self.far_db, self.far = backends[self.row.far].open(far, options)
  else
    if far then self.near_db:script(backends[self.row.near].text(far)) end
  end
  self.folder = shell.must(("d=$(mktemp -d) && mkdir -p $d/%s $d/%s && echo $d"):format(self.near, self.far)):gsub("%s+$", "")
  weft.configure { models = self.folder }
end

function Mix:close()
  weft.configure { models = "models" }
  shell.run("rm -rf " .. shell.quote(self.folder))
end

---Runs statements in one of the two, written as for all databases.
---@param side "near"|"far"
---@param sql string
function Mix:run(side, sql) self[side .. "_db"]:script(backends[self.row[side] or self.row.near].text(sql)) end

---Writes a model script: `options` is what stands between the braces of weft.model; NEAR and FAR are the databases.
---@param side "near"|"far"
---@param name string
---@param options string
function Mix:script(side, name, options)
  options = options:gsub("NEAR", self.near):gsub("FAR", self.far)
  shell.write(("%s/%s/%s.lua"):format(self.folder, self[side], name),
    ('local weft = require "weft"\nreturn weft.model { %s }\n'):format(options))
end

---A model of one side, found the usual way.
function Mix:model(side, name) return weft.models(self[side])[name] end

---Describes a suite once per mix of databases.
---@param suite fun(mix: spec.Mix)
---@param wanted? fun(row: table): boolean only those
function M.each(suite, wanted)
  local describe = require "busted".describe
  for _, row in ipairs(rows) do
    if not (sanitized and row.plain) and (not wanted or wanted(row)) then
      local mix = setmetatable({ row = row, apart = row.far ~= nil }, Mix)
      describe(row.far and ("on %s and %s"):format(row.near, row.far) or "on one " .. row.near, function() suite(mix) end)
    end
  end
end

---The numbers 1 to n as the column n of a table in a FROM; by recursion MariaDB counts to 1,000 only.
---@param n integer
function M.series(n)
  local digits, sum, from, size = "(select 0 as d" .. (" union all select %d"):rep(9) .. ")", "1", {}, 1
  digits = digits:format(1, 2, 3, 4, 5, 6, 7, 8, 9)
  while size < n do
    local name = "d" .. #from
    sum = ("%s + %d * %s.d"):format(sum, size, name)
    from[#from + 1] = ("%s as %s"):format(digits, name)
    size = size * 10
  end
  return ("(select * from (select %s as n from %s) as every_n where n <= %d) as i"):format(sum, table.concat(from, ", "), n)
end

---The statements that fn sends, without those that read the catalog: a list of { database =, sql =, rows = }.
function M.statements(fn)
  local list = {}
  local off = weft.on("query", function(info)
    local sql = info.sql:lower()
    if not (sql:find("pragma", 1, true) or sql:find("pg_", 1, true) or sql:find("sqlite_", 1, true)
      or sql:find("information_schema", 1, true)) then
      list[#list + 1] = info
    end
  end)
  local ok, err = pcall(fn)
  off()
  if not ok then error(err, 0) end
  return list
end

return M
