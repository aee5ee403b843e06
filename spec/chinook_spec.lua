-- SPDX-License-Identifier: MIT
-- A database that somebody else made: Chinook, in the names of SQLite and MySQL ("AlbumId") and of PostgreSQL
-- (album_id), read through models that no script describes. Answers equal those of the database's own SQL
-- and those of the other databases.

local weft = require "weft"
local backends = require "spec.support.backends"
local mixes = require "spec.support.mixes"
local servers = require "spec.support.servers"
local shell = require "spec.support.shell"
local raises = require "spec.support.raises"

local folder = shell.root() .. "/../shared/data/chinook"

local function camel(name) return (("_" .. name):gsub("_(%l)", string.upper)) end

-- table -> its columns in order, as PostgreSQL names them
local tables = {
  album = { "album_id", "title", "artist_id" },
  artist = { "artist_id", "name" },
  customer = { "customer_id", "first_name", "last_name", "company", "address", "city", "state", "country",
    "postal_code", "phone", "fax", "email", "support_rep_id" },
  employee = { "employee_id", "last_name", "first_name", "title", "reports_to", "birth_date", "hire_date", "address",
    "city", "state", "country", "postal_code", "phone", "fax", "email" },
  genre = { "genre_id", "name" },
  invoice = { "invoice_id", "customer_id", "invoice_date", "billing_address", "billing_city", "billing_state",
    "billing_country", "billing_postal_code", "total" },
  invoice_line = { "invoice_line_id", "invoice_id", "track_id", "unit_price", "quantity" },
  media_type = { "media_type_id", "name" },
  playlist = { "playlist_id", "name" },
  playlist_track = { "playlist_id", "track_id" },
  track = { "track_id", "name", "album_id", "media_type_id", "genre_id", "composer", "milliseconds", "bytes",
    "unit_price" },
}
local names = {}
for name in pairs(tables) do names[#names + 1] = name end
table.sort(names)

---A cell as text that is the same for both databases: numbers by value, times with a T.
local function cell(value)
  if value == nil or value == weft.null then return "NULL" end
  local number = type(value) ~= "string" and tonumber(tostring(value))
  if number then return ("%.6f"):format(number) end
  return (tostring(value):gsub("^(%d%d%d%d%-%d%d%-%d%d) (%d%d:%d%d:%d%d)$", "%1T%2"))
end

local function line(values, n)
  local cells = {}
  for i = 1, n do cells[i] = cell(values[i]) end
  return table.concat(cells, "|")
end

-- Each fact: what it is, the columns of its answer, the database's own SQL in PostgreSQL's names, and the
-- query; m has the models, n makes a column's name of this database.
local facts = {
  { "equality", "album_id title", "select album_id, title from album where artist_id = 90 order by album_id",
    function(m, n) return m.Album:where { [n "artist_id"] = 90 }:order(n "album_id") end },
  { "several conditions", "track_id", [[select track_id from track where genre_id = 1 and milliseconds > 300000
      and unit_price = 0.99 order by track_id]],
    function(m, n)
      return m.Track:where { [n "genre_id"] = 1, [n "unit_price"] = weft.decimal "0.99" }
        :where(n "milliseconds", ">", 300000):order(n "track_id")
    end },
  { "a list", "customer_id country", [[select customer_id, country from customer
      where country in ('Brazil', 'Portugal', 'Nowhere') order by customer_id]],
    function(m, n)
      return m.Customer:where(n "country", "in", { "Brazil", "Portugal", "Nowhere" }):order(n "customer_id")
    end },
  { "IS NULL and not equal", "customer_id", [[select customer_id from customer where company is null
      and country <> 'USA' order by customer_id]],
    function(m, n)
      return m.Customer:where { [n "company"] = weft.null }:where(n "country", "!=", "USA"):order(n "customer_id")
    end },
  { "any_of, all_of and negate", "track_id", [[select track_id from track where (genre_id = 2 or (composer is null
      and bytes < 4000000)) and not (media_type_id = 1 and milliseconds >= 250000) order by track_id]],
    function(m, n)
      local unknown = weft.all_of { { n "composer", "is_null" }, { n "bytes", "<", 4000000 } }
      return m.Track:where(weft.any_of { { [n "genre_id"] = 2 }, unknown })
        :where(weft.negate { { n "media_type_id", "=", 1 }, { n "milliseconds", ">=", 250000 } })
        :order(n "track_id")
    end },
  { "between", "invoice_id total", [[select invoice_id, total from invoice where total between 5 and 8.91
      order by invoice_id]],
    function(m, n) return m.Invoice:where(n "total", "between", { 5, weft.decimal "8.91" }):order(n "invoice_id") end },
  { "ilike", "track_id name", "select track_id, name from track where lower(name) like '%love%' order by track_id",
    function(m, n) return m.Track:where(n "name", "ilike", "%LoVe%"):order(n "track_id") end },
  { "begins_with", "artist_id name", [[select artist_id, name from artist where substr(name, 1, 2) = 'Th'
      order by artist_id]],
    function(m, n) return m.Artist:where(n "name", "begins_with", "Th"):order(n "artist_id") end },
  { "contains beyond ASCII", "track_id name", [[select track_id, name from track
      where replace(name, 'ã', '') <> name order by track_id]],
    function(m, n) return m.Track:where(n "name", "contains", "ã"):order(n "track_id") end },
  { "a condition in SQL", "invoice_line_id", [[select invoice_line_id from invoice_line
      where quantity * unit_price > 1.5 order by invoice_line_id]],
    function(m, n)
      return m.InvoiceLine:where(weft.raw("quantity * " .. n "unit_price" .. " > ?", weft.decimal "1.5"))
        :order(n "invoice_line_id")
    end },
  { "order by text, descending, a part", "customer_id last_name country", [[select customer_id, last_name, country
      from customer order by country desc, last_name limit 12 offset 7]],
    function(m, n) return m.Customer:order(n "country", "desc"):order(n "last_name"):limit(12):offset(7) end },
  { "nulls first", "track_id composer", [[select track_id, composer from track where album_id in (1, 2, 3, 4, 200)
      order by case when composer is null then 0 else 1 end, composer, track_id]],
    function(m, n)
      return m.Track:where { [n "album_id"] = { 1, 2, 3, 4, 200 } }:order(n "composer", "asc", "nulls first")
        :order(n "track_id")
    end },
  { "nulls last", "customer_id company", [[select customer_id, company from customer
      order by case when company is null then 1 else 0 end, company desc, customer_id]],
    function(m, n) return m.Customer:order(n "company", "desc", "nulls last"):order(n "customer_id") end },
  { "distinct", "billing_country", "select distinct billing_country from invoice order by billing_country",
    function(m, n) return m.Invoice:select(n "billing_country"):distinct():order(n "billing_country") end },
  { "groups", "genre_id n longest shortest", [[select genre_id, count(*), max(milliseconds), min(milliseconds)
      from track group by genre_id order by genre_id]],
    function(m, n)
      return m.Track:group(n "genre_id"):select { n "genre_id", n = weft.count(), longest = weft.max(n "milliseconds"),
        shortest = weft.min(n "milliseconds") }:order(n "genre_id")
    end },
  { "having", "customer_id spent average", [[select customer_id, sum(total), avg(total) from invoice
      group by customer_id having sum(total) > 40 order by customer_id]],
    function(m, n)
      return m.Invoice:group(n "customer_id")
        :select { n "customer_id", spent = weft.sum(n "total"), average = weft.avg(n "total") }
        :having("spent", ">", 40):order(n "customer_id")
    end },
  { "distinct values counted", "album_id composers", [[select album_id, count(distinct composer) from track
      group by album_id having count(distinct composer) >= 5 order by album_id]],
    function(m, n)
      return m.Track:group(n "album_id"):select { n "album_id", composers = weft.count_distinct(n "composer") }
        :having("composers", ">=", 5):order(n "album_id")
    end },
}

-- Single values: the name, the database's own SQL, the terminal.
local values = {
  { "count with a condition", "select count(*) from track where unit_price > 1",
    function(m, n) return m.Track:where(n "unit_price", ">", 1):count() end },
  { "count within a limit", "select count(*) from (select 1 from track limit 100 offset 3450) as part",
    function(m) return m.Track:limit(100):offset(3450):count() end },
  { "sum", "select sum(total) from invoice", function(m, n) return m.Invoice:sum(n "total") end },
  { "avg", "select avg(total) from invoice", function(m, n) return m.Invoice:avg(n "total") end },
  { "min of text", "select min(name) from track", function(m, n) return m.Track:min(n "name") end },
  { "max of a time", "select max(invoice_date) from invoice",
    function(m, n) return m.Invoice:max(n "invoice_date") end },
  { "sum of nothing", "select sum(total) from invoice where invoice_id < 0",
    function(m, n) return m.Invoice:where(n "invoice_id", "<", 0):sum(n "total") end },
}

-- A model, what its rows include by the associations that its foreign keys make, and for each level the pairs of
-- keys above and below that the database's own SQL gives.
local trees = {
  { "artist", "albums.tracks", {
    { "artist_id", "albums", "album_id", "select artist_id, album_id from album" },
    { "album_id", "tracks", "track_id", "select album_id, track_id from track" } } },
  { "album", "artist", { { "album_id", "artist", "artist_id", "select album_id, artist_id from album" } } },
  { "playlist", "tracks.genre", {
    { "playlist_id", "tracks", "track_id", "select playlist_id, track_id from playlist_track" },
    { "track_id", "genre", "genre_id", [[select t.track_id, genre_id from track t join playlist_track p on p.track_id = t.track_id
      where genre_id is not null]] } } },
  { "customer", "invoices.invoice_lines.track", {
    { "customer_id", "invoices", "invoice_id", "select customer_id, invoice_id from invoice" },
    { "invoice_id", "invoice_lines", "invoice_line_id", "select invoice_id, invoice_line_id from invoice_line" },
    { "invoice_line_id", "track", "track_id", "select invoice_line_id, track_id from invoice_line" } } },
  { "employee", "employees.customers", {
    { "employee_id", "employees", "employee_id", "select reports_to, employee_id from employee where reports_to is not null" },
    { "employee_id", "customers", "customer_id", [[select e.employee_id, customer_id from employee e
      join customer c on c.support_rep_id = e.employee_id where e.reports_to is not null]] } } },
}

---Pairs of keys as lines in order.
local function pairs_of(list)
  for i, pair in ipairs(list) do list[i] = ("%d %d"):format(pair[1], pair[2]) end
  table.sort(list)
  return list
end

local function load_sqlite()
  local db, name = backends["sqlite memory"].open()
  db:script("\u{FEFF}" .. shell.read(folder .. "/sqlite.sql")) -- a mark before the text does no harm
  return { db = db, m = weft.models(name), n = camel, sql = function(text) return (text:gsub("(%l)_(%l)", "%1%2")) end }
end

local function load_postgres()
  local pg = servers.postgres()
  pg.psql("\u{FEFF}" .. shell.read(folder .. "/postgres.sql"))
  weft.configure { databases = { chinook = pg.url "chinook" } }
  local function same(text) return text end
  return { db = weft.database "chinook", m = weft.models "chinook", n = same, sql = same, pg = pg }
end

---MySQL tells tables apart by case. Its script does not double a backslash, and says nothing of collations: they are
---made the bytes' order, which the others have.
local function load_mysql()
  local db, name = backends.mysql.open()
  db:script((shell.read(folder .. "/mysql.sql"):gsub("^.*USE `Chinook`;", ""):gsub("\\ ", "\\\\ ")))
  for _, own in ipairs(names) do
    db:execute(("alter table %s convert to character set utf8mb4 collate utf8mb4_nopad_bin"):format(camel(own)))
  end
  local function sql(text)
    text = text:gsub("(%l)_(%l)", "%1%2")
    for _, own in ipairs(names) do text = text:gsub("%f[%w_]" .. own:gsub("_", "") .. "%f[^%w_]", camel(own)) end
    return text
  end
  return { db = db, m = weft.models(name), n = camel, sql = sql }
end

---Two lists of lines are equal; says where they part, since some have thousands.
local function assert_same(expected, got)
  for i = 1, math.max(#expected, #got) do
    if expected[i] ~= got[i] then assert.same({ i, expected[i] }, { i, got[i] }) end
  end
end

---The scripts differ in one city that ends with a space.
local function trimmed(list)
  local out = {}
  for i, text in ipairs(list) do out[i] = text:gsub(" +|", "|") end
  return out
end

local function suite()
  local sides = {} -- sqlite, postgres, mysql

  setup(function() sides = { load_sqlite(), load_postgres(), backends.mysql and load_mysql() } end)

  teardown(function()
    sides[2].db:close()
    sides[2].pg.drop_database "chinook"
    sides = {}
  end)

  ---Runs a fact on all; each side's lines equal its own SQL's, and all sides' are equal.
  local function equal_on_all(sql, ask, n)
    local answers = {}
    for i, side in ipairs(sides) do
      local own = {}
      for k, row in ipairs(side.db:rows(side.sql(sql))) do own[k] = line(row, n) end
      answers[i] = ask(side)
      assert_same(own, answers[i])
      assert.is_true(#own > 0)
    end
    for i, list in ipairs(answers) do answers[i] = trimmed(list) end
    for i = 2, #sides do assert_same(answers[1], answers[i]) end
  end

  ---The rows' columns, named as PostgreSQL does, as lines.
  local function lines(side, rows, columns)
    local list = {}
    for i, row in ipairs(rows) do
      local cells = {}
      for k, column in ipairs(columns) do
        local own = rawget(row, column) -- an alias
        if own == nil then own = rawget(row, side.n(column)) end
        cells[k] = own
      end
      list[i] = line(cells, #columns)
    end
    return list
  end

  for _, name in ipairs(names) do
    it("reads all of " .. name, function()
      local columns = tables[name]
      local sql = ("select %s from %s order by %s"):format(table.concat(columns, ", "), name,
        name == "playlist_track" and "playlist_id, track_id" or columns[1])
      equal_on_all(sql, function(side)
        local query = side.m[camel(name)]:order(side.n(columns[1]))
        if name == "playlist_track" then query = query:order(side.n "track_id") end
        local rows = query:all()
        local own = {}
        for i, column in ipairs(columns) do own[i] = side.n(column) end
        assert.same(own, weft.columns(rows[1]))
        local list = {}
        for i, row in ipairs(rows) do
          local cells = {}
          for k = 1, #own do cells[k] = row[own[k]] end
          list[i] = line(cells, #own)
        end
        assert.equal(#rows, side.m[camel(name)]:count())
        return list
      end, #columns)
    end)
  end

  for _, fact in ipairs(facts) do
    local name, wanted, sql, query = table.unpack(fact)
    local columns = {}
    for column in wanted:gmatch "%S+" do columns[#columns + 1] = column end
    it("answers " .. name, function()
      equal_on_all(sql, function(side)
        return lines(side, query(side.m, side.n):all(), columns)
      end, #columns)
    end)
    it("writes the JSON of " .. name, function()
      local decoded = {}
      for i, side in ipairs(sides) do
        local q = query(side.m, side.n)
        local text = q:json()
        assert.equal(weft.encode(weft.array(q:all())), text)
        decoded[i] = lines(side, weft.decode(text), columns)
      end
      for i = 2, #sides do assert_same(decoded[1], decoded[i]) end
    end)
  end

  for _, fact in ipairs(values) do
    local name, sql, ask = table.unpack(fact)
    it("answers " .. name, function()
      equal_on_all(sql, function(side) return { line({ ask(side.m, side.n) }, 1) } end, 1)
    end)
  end

  for _, tree in ipairs(trees) do
    local name, path, levels = table.unpack(tree)
    it("gives the tree of " .. name .. " with " .. path, function()
      for _, side in ipairs(sides) do
        local query, rows = side.m[camel(name)]:include(path)
        local sent = mixes.statements(function() rows = query:all() end)
        local most = 1 -- and one for each level, or for 500 of its keys
        for _, level in ipairs(levels) do
          local above, association, below, sql = table.unpack(level)
          local own, found, next_rows = {}, {}, {}
          most = most + (#rows + 499) // 500
          for i, row in ipairs(side.db:rows(side.sql(sql))) do own[i] = row end
          for _, row in ipairs(rows) do
            local there = row[association]
            for _, other in ipairs(association:find "s$" and there or { there }) do
              found[#found + 1] = { row[side.n(above)], other[side.n(below)] }
              next_rows[#next_rows + 1] = other
            end
          end
          assert.is_true(#own > 0)
          assert_same(pairs_of(own), pairs_of(found))
          rows = next_rows
        end
        assert.is_true(#sent <= most, #sent .. " statements")
      end
    end)
  end

  it("keeps money exact", function()
    for _, side in ipairs(sides) do
      assert.equal(weft.decimal "2328.60", side.m.Invoice:sum(side.n "total"))
      local total = weft.decimal "0"
      for row in side.m.Invoice:each(100) do total = total + row[side.n "total"] end
      assert.equal("2328.60", tostring(total))
    end
  end)

  it("walks all tracks page by page, forwards and back", function()
    local all = {}
    for i, side in ipairs(sides) do
      local query = side.m.Track:select(side.n "track_id", side.n "composer")
        :order(side.n "composer", "desc", "nulls last")
      local seen, pages, after, previous = {}, 0
      repeat
        local page = query:page { size = 500, after = after }
        pages, after, previous = pages + 1, page.next, page.previous
        for _, row in ipairs(page.rows) do seen[#seen + 1] = row[side.n "track_id"] end
      until not after
      assert.equal(8, pages)
      local whole = query:order(side.n "track_id"):pluck(side.n "track_id")
      whole.n = nil
      assert_same(whole, seen)
      local before = query:page { size = 500, before = previous }
      assert.equal(seen[3001], before.rows[1][side.n "track_id"])
      all[i] = seen
    end
    for i = 2, #sides do assert_same(all[1], all[i]) end
  end)

  it("finds by key, single and composite", function()
    for _, side in ipairs(sides) do
      local m, n = side.m, side.n
      assert.equal("Restless and Wild", m.Album:find(3)[n "title"])
      assert.is_nil(m.Album:find(1000))
      raises("not_found", function() m.Album:get(1000) end)
      assert.equal(3402, m.PlaylistTrack:find(1, 3402)[n "track_id"])
      assert.is_nil(m.PlaylistTrack:find(2, 3402))
      local found = m.Genre:find_many { 5, 99, 1 }
      assert.same({ 3, "Rock And Roll", "Rock" }, { found.n, found[1][n "name"], found[3][n "name"] })
      assert.is_nil(found[2])
      assert.equal(1, m.Album:first()[n "album_id"])
      assert.equal("Leonie", m.Customer:where { [n "last_name"] = "Köhler" }:one()[n "first_name"])
      raises("many", function() m.Customer:where { [n "country"] = "USA" }:one() end)
      assert.is_true(m.Track:where(n "name", "=", "Balls to the Wall"):exists())
    end
  end)

  it("has one model per table, by the table's name and by the class name", function()
    for _, side in ipairs(sides) do
      for _, name in ipairs(names) do
        assert.is_true(side.m:exists(camel(name)), name)
        assert.equal(side.m[camel(name)]:count(), side.m[side.n(name)]:count())
      end
      assert.is_false(side.m:exists "Song")
    end
  end)

  it("names the nearest column when one is wrong", function()
    raises("usage", function() sides[1].m.Album:where { Titel = "x" }:all() end, "Titel", "did you mean 'Title'")
    raises("usage", function() sides[2].m.Album:where { titel = "x" }:all() end, "titel", "did you mean 'title'")
  end)
end

describe("Chinook", function()
  if shell.exists(folder .. "/sqlite.sql") then
    suite()
  else
    it("is not on this machine", function() assert.is_false(shell.exists(folder .. "/sqlite.sql")) end)
  end
end)
