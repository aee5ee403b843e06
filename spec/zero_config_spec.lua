-- SPDX-License-Identifier: MIT
-- Chinook without any script: its repositories, and what belongs to their rows, equal the database's own SQL. Its tables
-- and associations are compared in schema_spec and foreign_keys_spec, its queries in chinook_spec.

local weft = require "weft"
local naming = require "weft.naming"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local servers = require "spec.support.servers"
local shell = require "spec.support.shell"

local folder = shell.root() .. "/../shared/data/chinook"

local function camel(name) return (("_" .. name):gsub("_(%l)", string.upper)) end

local function same(text) return text end

---SQL of this file in the names of PostgreSQL's script, and in those of the other scripts: "InvoiceLine".
local function in_snake(sql) return (sql:gsub("%f[%w]t_", "")) end
local function in_camel(sql) return (sql:gsub("%f[%w]t_(%l[%l_]*)", camel):gsub("%f[%w]%l+_[%l_]+", camel)) end

local load = {}

function load.sqlite(backend)
  local db = backend.open(shell.read(folder .. "/sqlite.sql"))
  return { db = db, n = camel, sql = in_camel }
end

---Its script makes a database of its own.
function load.postgres()
  local pg = servers.postgres()
  pg.psql(shell.read(folder .. "/postgres.sql"))
  weft.configure { databases = { zero_config = pg.url "chinook" } }
  return { db = weft.database "zero_config", n = same, sql = in_snake, drop = function() pg.drop_database "chinook" end }
end

function load.mysql(backend)
  local db = backend.open()
  db:script((shell.read(folder .. "/mysql.sql"):gsub("^.*USE `Chinook`;", "")))
  return { db = db, n = camel, sql = in_camel }
end

-- A table, the associations on the way with the columns that name their rows, and the database's own SQL for all rows:
-- the key of the row, then of what is below it, level by level. Tables are called t_name, for names may be columns'.
local trees = {
  { "artist", { { "albums", "album_id" }, { "tracks", "track_id" } },
    [[select a.artist_id, b.album_id, c.track_id from t_artist a left join t_album b on b.artist_id = a.artist_id
      left join t_track c on c.album_id = b.album_id]] },
  { "album", { { "artist", "artist_id" } }, "select a.album_id, a.artist_id from t_album a" },
  { "playlist", { { "tracks", "track_id" }, { "genre", "genre_id" } },
    [[select a.playlist_id, b.track_id, c.genre_id from t_playlist a left join t_playlist_track b on b.playlist_id = a.playlist_id
      left join t_track c on c.track_id = b.track_id]] },
  { "customer", { { "invoices", "invoice_id" }, { "invoice_lines", "invoice_line_id" }, { "track", "track_id" } },
    [[select a.customer_id, b.invoice_id, c.invoice_line_id, c.track_id from t_customer a
      left join t_invoice b on b.customer_id = a.customer_id left join t_invoice_line c on c.invoice_id = b.invoice_id]] },
  { "customer", { { "support_rep", "employee_id" }, { "employee", "employee_id" } },
    [[select a.customer_id, b.employee_id, b.reports_to from t_customer a
      left join t_employee b on b.employee_id = a.support_rep_id]] },
  { "employee", { { "employees", "employee_id" }, { "customers", "customer_id" } },
    [[select a.employee_id, b.employee_id, c.customer_id from t_employee a left join t_employee b on b.reports_to = a.employee_id
      left join t_customer c on c.support_rep_id = b.employee_id]] },
}

local keys = {
  album = "album_id", artist = "artist_id", customer = "customer_id", employee = "employee_id", genre = "genre_id",
  invoice = "invoice_id", invoice_line = "invoice_line_id", media_type = "media_type_id", playlist = "playlist_id",
  playlist_track = "playlist_id track_id", track = "track_id",
}

---A tree as lines, one for each way down: the keys of its rows, "-" where there is none.
local function ways(side, row, levels, depth, before, lines)
  local level = levels[depth]
  if not level then
    lines[#lines + 1] = before
    return
  end
  local there = row and rawget(row, level[1])
  local list = there and (there[1] or next(there) == nil) and there or { there }
  if #list == 0 then lines[#lines + 1] = before .. (" -"):rep(#levels - depth + 1) end
  for _, other in ipairs(list) do
    ways(side, other, levels, depth + 1, ("%s %d"):format(before, other[side.n(level[2])]), lines)
  end
end

---Rows of the database's own SQL as such lines.
local function told(side, sql, n)
  local lines = {}
  for i, row in ipairs(side.db:rows(side.sql(sql))) do
    local cells = {}
    for k = 1, n do cells[k] = (row[k] == nil or row[k] == weft.null) and "-" or ("%d"):format(row[k]) end
    lines[i] = table.concat(cells, " ")
  end
  table.sort(lines)
  return lines
end

---Says where two long lists part.
local function assert_same(expected, got)
  for i = 1, math.max(#expected, #got) do
    if expected[i] ~= got[i] then assert.same({ i, expected[i] }, { i, got[i] }) end
  end
end

local function suite(backend)
  local side

  setup(function() side = load[backend.dialect](backend) end)

  teardown(function()
    side.db:close()
    if side.drop then side.drop() end
  end)

  local function repository(name) return side.db:repository(side.n(name)) end

  it("has a repository for each of its tables", function()
    local found = {}
    for _, t in ipairs(side.db:schema():tables()) do
      local words = {}
      for i, column in ipairs(t.primary_key) do words[i] = naming.snake_case(column) end
      found[naming.snake_case(t.name)] = table.concat(words, " ")
      local own = side.db:repository(t.name)
      local rows = own:find_all { limit = 7 }
      local stored = side.db:rows(("select count(*) from %s"):format(t.name))[1][1]
      assert.same({ stored, math.min(7, stored), stored }, { own:count(), #rows, own:paginate({ size = 1 }).pages }, t.name)
    end
    assert.same(keys, found)
  end)

  for _, tree in ipairs(trees) do
    local name, levels, sql = table.unpack(tree)
    local path = {}
    for i, level in ipairs(levels) do path[i] = level[1] end
    path = table.concat(path, ".")
    it(("finds each %s with its %s"):format(name, path), function()
      local own, key, lines = repository(name), side.n(keys[name]), {}
      for _, row in ipairs(own:find_all { select = key }) do
        local id = row[key]
        ways(side, own:find_with(id, { path }), levels, 1, ("%d"):format(id), lines)
      end
      table.sort(lines)
      local expected = told(side, sql, #levels + 1)
      assert.is_true(#expected > 0)
      assert_same(expected, lines)
    end)
  end

  it("finds by each column in snake_case, and by composite keys", function()
    assert.equal("Leonie", repository("customer"):find_by_last_name("Köhler")[side.n "first_name"])
    assert.equal(90, repository("artist"):find_by_name("Iron Maiden")[side.n "artist_id"])
    assert.is_nil(repository("artist"):find_by_name "Nobody at all")
    assert.equal(3402, repository("playlist_track"):find({ 1, 3402 })[side.n "track_id"])
    assert.is_false(repository("playlist_track"):exists { 2, 3402 })
    raises("usage", function() return repository("customer").find_by_lastname end, "did you mean")
  end)

  it("gives all pages of a table, no row twice", function()
    local tracks, seen, total = repository "track", {}, 0
    local pages = tracks:paginate({ size = 500 }).pages
    assert.equal(8, pages)
    for page = 1, pages do
      for _, row in ipairs(tracks:paginate({ page = page, size = 500, order = side.n "composer" }).rows) do
        seen[row[side.n "track_id"]] = true
        total = total + 1
      end
    end
    local different = 0
    for _ in pairs(seen) do different = different + 1 end
    assert.same({ tracks:count(), tracks:count() }, { total, different })
  end)

  it("writes, and refuses what the keys forbid", function()
    local artists, id = repository "artist", side.n "artist_id"
    assert.equal(9000, artists:create({ [id] = 9000, [side.n "name"] = "New" })[id])
    assert.equal("Old", artists:update(9000, { [side.n "name"] = "Old" })[side.n "name"])
    assert.is_true(artists:delete(9000))
    assert.is_nil(artists:find(9000))
    raises("foreign_key", function() artists:delete(90) end)
    assert.is_true(artists:exists(90))
  end)
end

if shell.exists(folder .. "/sqlite.sql") then
  describe("Chinook without a script", function() backends.each(suite) end)
else
  describe("Chinook without a script", function()
    it("is not on this machine", function() assert.is_false(shell.exists(folder .. "/postgres.sql")) end)
  end)
end
