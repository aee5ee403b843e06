-- SPDX-License-Identifier: MIT
-- How foreign keys are read: when, by whom, and what each database has of its own. Names are in discovered_spec.

local weft = require "weft"
local core = require "weft.core"
local foreign_keys = require "weft.association.foreign_keys"
local naming = require "weft.naming"
local associations = require "spec.support.associations"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local servers = require "spec.support.servers"
local shell = require "spec.support.shell"

local all_lines, lines = associations.all, associations.lines

local function catalog_counter()
  local n = 0
  local off = weft.on("query", function(info)
    if info.sql:find("foreign_key_list", 1, true) or info.sql:find("confrelid", 1, true)
      or info.sql:find("key_column_usage", 1, true) then n = n + 1 end
  end)
  return function() return n end, off
end

backends.each(function(backend)
  local mysql = backend.dialect == "mysql"
  local db

  before_each(function()
    db = backend.open [[
      create table artist (artist_id integer primary key);
      create table album (album_id integer primary key, artist_id integer not null references artist)]]
  end)

  local function names(table_name)
    local list = {}
    for i, entry in ipairs(foreign_keys.associations(db)[table_name] or {}) do list[i] = entry.name end
    return table.concat(list, " ")
  end

  describe("associations of views", function()
    it("follow from the keys of their tables", function()
      local other, name = backend.open [[
        create table artist (id integer primary key, name varchar(20));
        create table album (id integer primary key, artist_id integer references artist, title varchar(20));
        create view recent as select al.id, al.artist_id, al.title from album al join artist ar on ar.id = al.artist_id where al.id > 1]]
      other:script "insert into artist values (1, 'a'), (2, 'b'); insert into album values (1, 1, 'x'), (2, 2, 'y'), (3, 1, 'z')"
      local models = weft.models(name)
      assert.same({ "y b", "z a" }, (function()
        local list = {}
        for i, row in ipairs(models.recent:include("artist"):order("id"):all()) do list[i] = row.title .. " " .. row.artist.name end
        return list
      end)())
      assert.equal("a", models.recent:where { id = 3 }:one().artist.name)
    end)
  end)

  describe("names of associations", function()
    local ddl = [[create table employee (employee_id integer primary key);
      create table customer (customer_id integer primary key, support_rep_id integer references employee);
      create table order_line (id integer primary key, customer_id integer references customer, other_id integer references customer)]]

    local function found(style)
      local other = backend.open(ddl, { naming = style })
      local list = {}
      for table_name, entries in pairs(foreign_keys.associations(other, { style = style })) do
        for _, entry in ipairs(entries) do list[#list + 1] = table_name .. "." .. entry.name end
      end
      table.sort(list)
      return table.concat(list, " ")
    end

    it("are in snake_case, in camelCase, or as the tables are called", function()
      assert.equal("customer.order_lines_by_customer customer.order_lines_by_other customer.support_rep employee.customers "
        .. "order_line.customer order_line.other", found(nil))
      assert.equal("customer.orderLinesByCustomer customer.orderLinesByOther customer.supportRep employee.customers "
        .. "order_line.customer order_line.other", found "camelCase")
      assert.equal("customer.order_line_by_customer customer.order_line_by_other customer.support_rep employee.customer "
        .. "order_line.customer order_line.other", found "as is")
    end)

    it("never shadow a column, however that is spelled", function()
      local other = backend.open([[create table author (id integer primary key);
        create table post (id integer primary key, "authorId" integer references author, "AUTHOR" integer)]], { naming = "camelCase" })
      local all = foreign_keys.associations(other, { style = "camelCase" })
      assert.equal("authorByAuthorId", all.post[1].name)
    end)

    it("are used by models of a database that says so", function()
      local other, name = backend.open(ddl, { naming = { style = "camelCase" } })
      other:script "insert into employee values (1); insert into customer values (5, 1)"
      assert.equal(1, weft.models(name).customer:find(5).supportRep.employee_id)
    end)

    it("are of no other style", function()
      raises("usage", function() backend.open(ddl, { naming = "kebab" }) end, "snake_case")
    end)
  end)

  describe("discovered associations", function()
    it("are read with one statement, once for everybody", function()
      local count, off = catalog_counter()
      finally(off)
      weft.run(function()
        local list = {}
        for i = 1, 20 do list[i] = weft.spawn(foreign_keys.associations, db) end
        for i = 1, 20 do list[i] = list[i]:await() end
        for i = 2, 20 do assert.equal(list[1], list[i]) end
      end)
      assert.equal(1, count())
      assert.equal(foreign_keys.associations(db), foreign_keys.associations(db))
      assert.equal(1, count())
    end)

    it("are read again after the schema changed", function()
      assert.equal("albums", names "artist")
      local epoch = core.epoch(db)
      db:execute "create table song (artist_id integer references artist (artist_id))"
      assert.is_true(core.epoch(db) > epoch)
      assert.equal("albums songs", names "artist")
      db:script "create table concert (artist_id integer references artist (artist_id))"
      assert.equal("albums concerts songs", names "artist")
      db:execute "drop table song"
      assert.equal("albums concerts", names "artist")
    end)

    it("are not read again for rows", function()
      local first = foreign_keys.associations(db)
      db:execute "insert into artist values (1)"
      db:rows "select * from album"
      assert.equal(first, foreign_keys.associations(db))
    end)

    it("of a transaction's own tables end with it", function()
      if mysql then return end -- a create statement commits
      db:transaction(function(tx)
        tx:execute "create table song (artist_id integer references artist (artist_id))"
        assert.equal("albums songs", names "artist")
        tx:rollback()
      end)
      assert.equal("albums", names "artist")
      db:transaction(function(tx)
        pcall(tx.transaction, tx, function(inner)
          inner:execute "create table song (artist_id integer references artist (artist_id))"
          assert.equal("albums songs", names "artist")
          error "no"
        end)
        assert.equal("albums", names "artist")
        tx:execute "create table concert (artist_id integer references artist (artist_id))"
      end)
      assert.equal("albums concerts", names "artist")
    end)

    it("are read on the connection of the transaction or session, which may be the only one", function()
      local url = backend.url()
      weft.configure { databases = { spec_single = { url = url, pool = { max = 1, wait = 1 } } } }
      db = weft.database "spec_single"
      finally(function() db:close() end)
      db:script "create table a (id integer primary key); create table b (a_id integer references a (id))"
      db:transaction(function() assert.equal("bs", names "a") end)
      core.forget_tables(db)
      db:session(function() assert.equal("bs", names "a") end)
      core.forget_tables(db)
      weft.run(function()
        db:transaction(function()
          weft.all { function() assert.equal("bs", names "a") end, function() assert.equal("bs", names "a") end }
        end)
      end)
    end)

    it("leave those who wait when a waiter is cancelled", function()
      weft.run(function()
        local first = weft.spawn(foreign_keys.associations, db)
        local second = weft.spawn(foreign_keys.associations, db)
        weft.spawn(function() first:cancel() end):await()
        assert.equal("albums", second:await().artist[1].name)
        raises("cancelled", function() first:await() end)
      end)
      assert.equal("albums", names "artist")
    end)

    it("raise usage where nothing can wait, and when the database is closed", function()
      weft.run(function()
        raises("usage", function()
          table.sort({ 1, 2 }, function(a, b) foreign_keys.associations(db) return a < b end)
        end)
      end)
      assert.equal("albums", names "artist")
      core.forget_tables(db)
      db:close()
      raises("closed", function() foreign_keys.associations(db) end)
    end)

    it("take plurals from a function", function()
      local asked = {}
      local function plural(word)
        asked[#asked + 1] = word
        return word .. "en"
      end
      local found = foreign_keys.associations(db, { plural = plural })
      assert.equal("albumen", found.artist[1].name)
      assert.same({ "album", "artist" }, asked)
      assert.equal(found, foreign_keys.associations(db, { plural = plural }))
      assert.equal("albums", names "artist")
      for _, wrong in ipairs { 1, false, "" } do
        raises("usage", function() foreign_keys.associations(db, { plural = function() return wrong end }) end, "plural", "album")
      end
      raises("usage", function() foreign_keys.associations(db, { plural = function() end }) end, "plural")
    end)

    it("tell the constraint's name where the database does", function()
      local entry = foreign_keys.associations(db).artist[1]
      assert.equal(({ postgres = "album_artist_id_fkey", mysql = "album_ibfk_1" })[backend.dialect], entry.constraint)
    end)

    it("of 200 tables take one statement", function()
      local text = { "begin; create table t1 (id integer primary key);" }
      for i = 2, 200 do
        text[i] = ("create table t%d (id integer primary key, name text, up_id integer references t%d (id), t1_id integer not null unique "
          .. "references t1 (id), pair_id integer references t%d (id));"):format(i, i - 1, i // 2)
      end
      text[#text + 1] = "commit"
      db:script(table.concat(text, "\n"))
      local count, off = catalog_counter()
      finally(off)
      local found = foreign_keys.associations(db)
      assert.equal(1, count())
      assert.equal(3 + 2 + 197, #found.t1)
      assert.same({ "pair belongs_to t75 pair_id=id ?", "t1 belongs_to t1 t1_id=id", "t151s has_many t151 id=up_id ?",
        "up belongs_to t149 up_id=id ?" }, lines(found.t150))
    end)
  end)
end)

backends.each(function(backend)
  local db
  before_each(function() db = backend.open() end)

  it("foreign keys to a table that is not there are left out", function()
    db:script [[
      set foreign_key_checks = 0;
      create table a (id integer primary key, gone_id integer, b_id integer, foreign key (gone_id) references gone (id),
        foreign key (b_id) references b (id));
      create table b (id integer primary key);]]
    assert.same({ a = { "b belongs_to b b_id=id ?" }, b = { "as has_many a id=b_id ?" } },
      all_lines(foreign_keys.associations(db)))
  end)

  it("foreign keys to a table of another database are said with its name", function()
    local other = backend.url("create table far (x integer, y integer, primary key (x, y))"):match "[^/]*$"
    db:script(("create table near (id integer primary key, x integer not null, y integer not null, foreign key (x, y) "
      .. "references %s.far (x, y))"):format(other))
    local found = foreign_keys.associations(db)
    assert.equal(1, #found.near)
    assert.same({ other, "far" }, { found.near[1].schema, found.near[1].table:match "[^.]*$" })
    db:execute "drop table near"
  end)

  it("foreign keys are unique by an index that holds the whole value, and no part of it", function()
    db:script [[
      create table codes (code varchar(40) primary key);
      create table whole (code varchar(40) not null, unique (code), foreign key (code) references codes (code));
      create table part (code varchar(40) not null, unique (code(3)), key (code), foreign key (code) references codes (code));]]
    assert.same({ "has_many part", "has_one whole" },
      { lines(foreign_keys.associations(db).codes)[1]:match "%S+ (%S+ %S+)", lines(foreign_keys.associations(db).codes)[2]:match "%S+ (%S+ %S+)" })
  end)
end, "mysql")

describe("foreign keys of SQLite", function()
  local function of(ddl)
    return all_lines(foreign_keys.associations((backends["sqlite memory"].open(ddl))))
  end

  it("are found whatever the spelling of names", function()
    assert.same({ Album = { "artist belongs_to Artist ArtistId=ArtistId ?" }, Artist = { "albums has_many Album ArtistId=ArtistId ?" } }, of [[
      create table Artist (ArtistId integer primary key);
      create table Album (ArtistId integer, foreign key (ARTISTID) references aRTIST (artistID))]])
  end)

  it("are those of a view that a model calls by another case", function()
    local db, name = backends["sqlite memory"].open()
    db:script [[create table users (id integer primary key); create table posts (id integer primary key, user_id integer references users);
      create view latest as select * from posts; insert into users values (1); insert into posts values (2, 1)]]
    assert.equal(1, weft.models(name).Latest:include("user"):one().user.id)
  end)

  it("to a table, column or key that is not there are left out", function()
    assert.same({ ok = { "c belongs_to c c_id=id ?" }, c = { "oks has_many ok id=c_id ?" } }, of [[
      create table c (id integer primary key, x integer, y integer, unique (x, y));
      create table d (a integer, b integer, primary key (a, b));
      create table e (a integer);
      create view v as select 1 as id;
      create table bad (a integer references missing, b integer references c (z), d integer references d,
        e integer references e, x integer references c (x), v integer references v (id),
        foreign key (a, b) references c);
      create table ok (c_id integer references c)]])
  end)

  local join = [[
    create table p (id integer primary key);
    create table t (id integer primary key);
    create table pt (p_id integer references p, t_id integer references t%s, primary key (p_id, t_id))%s]]

  it("know that a primary key is never NULL in a table without rowid only", function()
    local p = { "pts has_many pt id=p_id", "ts many_to_many t id=p_id pt t_id=id" }
    assert.same(p, of(join:format("", " without rowid")).p)
    for i, text in ipairs(p) do p[i] = text .. " ?" end
    assert.same(p, of(join:format("", "")).p)
    assert.same({ "p belongs_to p id=id" }, of [[
      create table p (id integer primary key); create table q (id integer primary key references p)]].q)
  end)

  it("count a generated column as one", function()
    assert.same({ "pts has_many pt id=p_id ?" }, of(join:format(", both generated always as (p_id + t_id)", "")).p)
  end)

  it("know temporary tables, and those they hide by their full names", function()
    local db = backends["sqlite memory"].open [[
      create table artist (id integer primary key); create table album (artist_id integer not null references artist)]]
    db:execute "create temp table album (artist_id integer not null references artist)"
    local found = foreign_keys.associations(db)
    assert.same({ artist = { "albums has_many main.album id=artist_id" },
      ["main.album"] = { "artist belongs_to artist artist_id=id" } }, all_lines(found))
    assert.equal("main", found.artist[1].schema)
    assert.is_nil(found["main.album"][1].schema)
    db:execute "create temp table artist (id integer primary key)"
    assert.same({ artist = { "albums has_many album id=artist_id" }, album = { "artist belongs_to artist artist_id=id" },
      ["main.artist"] = { "albums has_many main.album id=artist_id" },
      ["main.album"] = { "artist belongs_to main.artist artist_id=id" } },
      all_lines(foreign_keys.associations(db)))
  end)

  it("are found beside views that are broken and virtual tables", function()
    assert.same({ a = { "a belongs_to a a_id=id ?", "as has_many a id=a_id ?" } }, of [[
      create table a (id integer primary key, a_id integer references a);
      create view v as select * from nowhere;
      create virtual table f using fts5 (body)]])
  end)
end)

describe("foreign keys of PostgreSQL", function()
  local db
  local function of(ddl)
    db = backends.postgres.open(ddl)
    return all_lines(foreign_keys.associations(db))
  end

  it("are not those of a table whose name differs in case", function()
    local own, name = backends.postgres.open()
    own:script [[create table users (id integer primary key); create table posts (id integer primary key, user_id integer references users);
      create table "Posts" (id integer primary key); insert into "Posts" values (1)]]
    local models = weft.models(name)
    raises("usage", function() models.Posts:include "user":all() end, "unknown association 'user'")
    assert.equal(0, #models.posts:include("user"):all())
  end)

  it("know schemas, and equal names in several", function()
    local found = of [[
      create schema b; create schema a;
      create table album (id integer primary key);
      create table a.artist (id integer primary key);
      create table a.album (artist_id integer not null references a.artist);
      create table b.album (artist_id integer not null references a.artist, album_id integer not null references album);
      create table a.tag (id integer primary key);
      create table a.artist_tag (artist_id integer references a.artist, tag_id integer references a.tag, primary key (artist_id, tag_id))]]
    assert.same({
      ["a.artist"] = { "albums has_many a.album id=artist_id", "albums_by_artist has_many b.album id=artist_id",
        "artist_tags has_many a.artist_tag id=artist_id", "tags many_to_many a.tag id=artist_id a.artist_tag tag_id=id" },
      ["a.album"] = { "artist belongs_to a.artist artist_id=id" },
      ["b.album"] = { "album belongs_to album album_id=id", "artist belongs_to a.artist artist_id=id" },
      album = { "albums has_many b.album id=album_id" },
      ["a.tag"] = { "artist_tags has_many a.artist_tag id=tag_id", "artists many_to_many a.artist id=tag_id a.artist_tag artist_id=id" },
      ["a.artist_tag"] = { "artist belongs_to a.artist artist_id=id", "tag belongs_to a.tag tag_id=id" },
    }, found)
    local tags = foreign_keys.associations(db)["a.artist"][4]
    assert.same({ "a", "a" }, { tags.schema, tags.through_schema })
  end)

  it("leave out a table whose full name another one has", function()
    assert.same({ ["a.b"] = { "a_bs has_many a.b id=up_id ?", "up belongs_to a.b up_id=id ?" } }, of [[
      create schema a;
      create table "a.b" (id integer primary key, up_id integer references "a.b");
      create table a.b (id integer primary key, up_id integer references a.b);
      create table c (b_id integer references a.b)]])
  end)

  it("are those of a partitioned table, not those of its parts", function()
    assert.same({
      artist = { "albums has_many album id=artist_id" },
      album = { "artist belongs_to artist artist_id=id", "songs has_many song id=album_id,artist_id=artist_id ?" },
      song = { "album belongs_to album album_id=id,artist_id=artist_id ?" },
    }, of [[
      create table artist (id integer primary key);
      create table genre (id integer primary key);
      create table album (id integer, artist_id integer not null references artist, primary key (id, artist_id))
        partition by list (artist_id);
      create table album_1 partition of album for values in (1);
      create table album_2 (genre_id integer references genre, id integer not null, artist_id integer not null references artist,
        primary key (id, artist_id));
      alter table album_2 drop column genre_id;
      alter table album attach partition album_2 for values in (2);
      create table song (album_id integer, artist_id integer, foreign key (album_id, artist_id) references album);]])
  end)

  it("are not those of a table that inherits", function()
    assert.same({ a = { "bs has_many b id=a_id ?" }, b = { "a belongs_to a a_id=id ?" } }, of [[
      create table a (id integer primary key);
      create table b (a_id integer references a);
      create table c (x integer) inherits (b)]])
  end)

  it("hold though they are not valid, deferred, or not of columns in order", function()
    assert.same({ a = { "b has_one b x=ax,y=ay" }, b = { "a belongs_to a ax=x,ay=y" } }, of [[
      create table a (gone integer, y integer, x integer, primary key (x, y));
      create domain filled as integer not null;
      create table b (gone integer, ay filled, ax integer not null, unique (ay) include (ax), unique (ay, ax));
      alter table a drop column gone;
      alter table b drop column gone;
      alter table b add foreign key (ax, ay) references a deferrable initially deferred not valid]])
  end)

  it("are found by whom the tables are not his", function()
    local pg = servers.postgres()
    local name = pg.create_database()
    pg.psql([[create table a (id integer primary key); create table b (a_id integer references a); create role spec_fk login]], name)
    finally(function()
      db:close()
      pg.drop_database(name)
      pg.psql "drop role spec_fk"
    end)
    weft.configure { databases = { spec_fk = pg.url(name, { user = "spec_fk" }) } }
    db = weft.database "spec_fk"
    assert.equal("bs", foreign_keys.associations(db).a[1].name)
    pg.psql("revoke select on pg_catalog.pg_constraint from public", name)
    core.forget_tables(db)
    assert.same({}, foreign_keys.associations(db))
    core.forget_tables(db)
    db:transaction(function(tx)
      assert.same({}, foreign_keys.associations(db))
      assert.equal(1, tx:rows("select 1")[1][1])
    end)
  end)

  it("raise what is wrong with the connection", function()
    weft.configure { databases = { spec_gone = "postgres://nobody@127.0.0.1:1/x" } }
    db = weft.database "spec_gone"
    finally(function() db:close() end)
    raises("connect", function() foreign_keys.associations(db) end)
    raises("connect", function() foreign_keys.associations(db) end)
    local pg, user = servers.postgres(), servers.users.scram
    weft.configure { databases = { spec_gone = pg.url(nil, { user = user.name, password = "wrong" }) } }
    db = weft.database "spec_gone"
    raises("auth", function() foreign_keys.associations(db) end)
    raises("auth", function() foreign_keys.associations(db) end)
  end)
end)

local chinook = shell.root() .. "/../shared/data/chinook"

-- In PostgreSQL's names.
local chinook_expected = {
  album = { "artist belongs_to artist artist_id=artist_id", "tracks has_many track album_id=album_id ?" },
  artist = { "albums has_many album artist_id=artist_id" },
  customer = { "invoices has_many invoice customer_id=customer_id", "support_rep belongs_to employee support_rep_id=employee_id ?" },
  employee = { "customers has_many customer employee_id=support_rep_id ?", "employee belongs_to employee reports_to=employee_id ?",
    "employees has_many employee employee_id=reports_to ?" },
  genre = { "tracks has_many track genre_id=genre_id ?" },
  invoice = { "customer belongs_to customer customer_id=customer_id", "invoice_lines has_many invoice_line invoice_id=invoice_id" },
  invoice_line = { "invoice belongs_to invoice invoice_id=invoice_id", "track belongs_to track track_id=track_id" },
  media_type = { "tracks has_many track media_type_id=media_type_id" },
  playlist = { "playlist_tracks has_many playlist_track playlist_id=playlist_id",
    "tracks many_to_many track playlist_id=playlist_id playlist_track track_id=track_id" },
  playlist_track = { "playlist belongs_to playlist playlist_id=playlist_id", "track belongs_to track track_id=track_id" },
  track = { "album belongs_to album album_id=album_id ?", "genre belongs_to genre genre_id=genre_id ?",
    "invoice_lines has_many invoice_line track_id=track_id", "media_type belongs_to media_type media_type_id=media_type_id",
    "playlist_tracks has_many playlist_track track_id=track_id",
    "playlists many_to_many playlist track_id=track_id playlist_track playlist_id=playlist_id" },
}

---Everything in snake_case, constraints aside.
local function snake(found)
  local function one(value)
    if type(value) == "string" then return naming.snake_case(value) end
    if type(value) ~= "table" then return value end
    local copy = {}
    for key, inner in pairs(value) do copy[key] = key ~= "constraint" and one(inner) or nil end
    return copy
  end
  local out = {}
  for name, list in pairs(found) do out[naming.snake_case(name)] = one(list) end
  return out
end

describe("Chinook's associations", function()
  if not shell.exists(chinook .. "/sqlite.sql") then
    it("are not on this machine", function() assert.is_false(shell.exists(chinook .. "/postgres.sql")) end)
    return
  end

  it("are the same on all databases", function()
    local db = backends["sqlite memory"].open()
    db:script(shell.read(chinook .. "/sqlite.sql"))
    local pg = servers.postgres()
    pg.psql(shell.read(chinook .. "/postgres.sql"))
    weft.configure { databases = { chinook = pg.url "chinook" } }
    local other = weft.database "chinook"
    finally(function()
      other:close()
      pg.drop_database "chinook"
    end)
    local found = { snake(foreign_keys.associations(db)), snake(foreign_keys.associations(other)) }
    assert.same(chinook_expected, all_lines(found[1]))
    assert.same(found[1], found[2])
    if not backends.mysql then return end
    local mysql = backends.mysql.open()
    mysql:script((shell.read(chinook .. "/mysql.sql"):gsub("^.*USE `Chinook`;", "")))
    assert.same(found[1], snake(foreign_keys.associations(mysql)))
  end)
end)
