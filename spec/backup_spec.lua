-- SPDX-License-Identifier: MIT
-- Backup, restore and backfill: exact values, all or nothing, and no file that is not whole.

local backends = require "spec.support.backends"
local backup = require "weft.backup"
local migrate = require "weft.migrate"
local raises = require "spec.support.raises"
local shell = require "spec.support.shell"
local weft = require "weft"

local everything = {
  sqlite = [[create table things (id integer primary key, big bigint, price decimal(10,2), f real, ok boolean, name text, data blob,
    attrs json, untyped, "two
lines" text); create index things_name on things (name);]],
  postgres = [[create table things (id integer generated always as identity primary key, big bigint, price numeric(40,20), f double precision,
    ok boolean, name text, data bytea, attrs jsonb, tags text[], at timestamptz, span interval, untyped int4range, "two
lines" text, twice bigint generated always as (big) stored); create index things_name on things (name);]],
  mysql = [[create table things (id integer primary key auto_increment, big bigint, price decimal(10,2), f double, ok boolean, name varchar(200),
    data blob, attrs json, at datetime(6), untyped varchar(20), `two
lines` text);]],
}
local rows = {
  sqlite = [[insert into things values (1, 9223372036854775807, 1.10, 0.1, true, 'it''s "q" \ 🚀', x'00ff80', '{"a":[1,null]}', x'00', 'x'),
    (2, -9223372036854775808, null, 1e300, false, '', x'', 'null', 7, null), (3, null, null, 9e999, null, null, null, null, 0.1, null),
    (4, 4, 4, -0.0, 0, '4', '4', '4', '4', '4')]],
  postgres = [[insert into things (big, price, f, ok, name, data, attrs, tags, at, span, untyped, "two
lines") values (9223372036854775807, 1.10000000000000000001, 0.1, true, 'it''s "q" \ 🚀', '\x00ff80', '{"a":[1,null]}', '{a,"b c",null}',
    '2024-02-29 12:00:00.123456+02', '1 mon 3 days', '[1,5)', 'x'), (-9223372036854775808, 'NaN', '-Infinity', false, '', '', 'null', '{}',
    'infinity', null, 'empty', null), (null, null, null, null, null, null, null, null, null, null, null, null)]],
  mysql = [[insert into things values (1, 9223372036854775807, 1.10, 0.1, true, 'it''s 🚀', x'00ff80', '{"a":[1,null]}', '2024-02-29 12:00:00.123456',
    '7', 'x'), (2, null, null, null, false, '', x'', null, null, null, null)]],
}

backends.each(function(backend)
  local db, folder, path
  before_each(function()
    db = backend.open(everything)
    folder = shell.must("mktemp -d"):gsub("%s+$", "")
    path = folder .. "/things.jsonl"
  end)
  after_each(function() shell.run("rm -rf " .. shell.quote(folder)) end)

  local quiet = { quiet = true }
  local function text_of(handle)
    local casts = { sqlite = "select quote(%s) from things order by id", postgres = "select things::text from things order by id",
      mysql = "select hex(%s) from things order by id" }
    local out = {}
    local names = { sqlite = { "id", "big", "price", "f", "ok", "name", "data", "attrs", "untyped" }, postgres = { "x" },
      mysql = { "id", "big", "price", "f", "ok", "name", "data", "attrs", "at", "untyped" } }
    for _, name in ipairs(names[backend.dialect]) do
      for _, row in ipairs(handle:rows((casts[backend.dialect]:gsub("%%s", name)))) do out[#out + 1] = row[1] end
    end
    return table.concat(out, "\n")
  end
  local function restore(options)
    options = options or {}
    options.quiet = true
    return backup.restore(db, path, options)
  end

  describe("a backup", function()
    it("gives back every value, into a new database and over the old rows", function()
      db:execute(rows[backend.dialect])
      local before = text_of(db)
      local count = backup.write(db, "things", path, quiet)
      raises("unique", function() restore() end)
      db:execute "update things set name = 'changed'"
      assert.equal(count, restore { replace = true })
      assert.equal(before, text_of(db))
      db:execute "update things set name = 'changed'"
      restore { upsert = true }
      assert.equal(before, text_of(db))
      local other = backend.open()
      assert.equal(count, backup.restore(other, path, quiet))
      assert.equal(before, text_of(other))
      assert.equal(db:schema():table("things").columns.big.type, other:schema():table("things").columns.big.type)
      if backend.dialect == "postgres" then other:execute "insert into things (big) values (1)" end
    end)

    it("has pages, a condition and gzip", function()
      local list = {}
      for i = 1, 2500 do list[i] = ("(%d)"):format(i) end
      db:execute(("insert into things (big) values %s"):format(table.concat(list, ", ")))
      assert.equal(2500, backup.write(db, "things", path .. ".gz", quiet))
      assert.is_true(#shell.read(path .. ".gz") < 50000)
      backup.restore(db, path .. ".gz", { quiet = true, replace = true })
      assert.same({ { 2500, 2500 * 2501 // 2 } }, db:rows "select count(*), cast(sum(big) as integer) from things")
      assert.equal(10, backup.write(db, "things", path, { quiet = true, where = "big <= 10" }))
      db:execute "create table loose (n integer)"
      db:execute(("insert into loose values %s"):format(table.concat(list, ", ")))
      assert.equal(2500, backup.write(db, "loose", path, quiet))
      assert.equal(2500, restore { replace = true })
    end)

    it("goes back where rows point to later ones, and to those that are there", function()
      db:script("create table staff (id integer primary key, boss_id integer, foreign key (boss_id) references staff (id))")
      local list = {}
      for i = 1, 900 do list[i] = { id = i } end
      db:repository("staff").model:create_many(list, { returning = false })
      db:script("update staff set boss_id = id + 1 where id < 900; update staff set boss_id = 900 where id % 3 = 0")
      local ask = "select id, boss_id from staff order by id"
      local before = weft.encode(db:query(ask))
      backup.write(db, "staff", path, quiet)
      restore { replace = true }
      assert.equal(before, weft.encode(db:query(ask)))
      restore { upsert = true }
      local other = backend.open()
      assert.equal(900, backup.restore(other, path, quiet))
      assert.equal(before, weft.encode(other:query(ask)))
      backup.write(db, "staff", path, { quiet = true, where = "id < 800" })
      other:script "update staff set boss_id = null; delete from staff where id < 800"
      assert.equal(799, backup.restore(other, path, quiet))
      assert.same({ { 800 } }, other:rows "select boss_id from staff where id = 799")
    end)

    if backend.dialect == "mysql" then
      it("has bits, shapes and floats as they are", function()
        db:script [[create table odd (id integer primary key, b bit(8), wide bit(64), p point, f float, e enum('point'));
          insert into odd values (1, b'11111111', ~0, point(1.5, -2), 16777217.0, 'point'), (2, b'101', 0, null, 0.123456789, null)]]
        local ask = "select id, b, wide, hex(p) as p, cast(f as double) as f, e from odd order by id"
        local before = weft.encode(db:query(ask))
        backup.write(db, "odd", path, quiet)
        restore { replace = true }
        assert.equal(before, weft.encode(db:query(ask)))
      end)
    end

    if backend.dialect == "postgres" then
      it("goes back where the table was dropped and its enum was not", function()
        db:script [[create type mood as enum ('sad', 'ok'); create table moods (id serial primary key, m mood); insert into moods (m) values ('ok')]]
        backup.write(db, "moods", path, quiet)
        db:execute "drop table moods"
        assert.equal(1, restore())
        assert.equal(2, db:repository("moods"):create({ m = "sad" }).id)
      end)

      it("has each row of a large table without a key once", function()
        db:script "create table large (n integer, t text); insert into large select i, repeat('x', 400) from generate_series(1, 60000) i"
        for _ = 1, 2 do
          assert.equal(60000, backup.write(db, "large", path, quiet))
          local seen, count = {}, 0
          for line in io.lines(path) do
            local n = line:match "^%[(%d+),"
            if n and not seen[n] then seen[n], count = true, count + 1 end
          end
          assert.equal(60000, count)
        end
      end)
    end

    it("that is not whole is refused, and nothing of it stays", function()
      db:execute(rows[backend.dialect])
      local before = text_of(db)
      backup.write(db, "things", path, quiet)
      local whole = shell.read(path)
      local last = whole:match "\n([^\n]*\n)$"
      for _, text in ipairs { whole:sub(1, -#last - 1), whole:sub(1, #whole // 2), "", "x\n", whole .. "x", whole:gsub("7", "8", 1),
        (whole:gsub("\n%[[^\n]*\n", "\n", 1)) } do
        shell.write(path, text)
        raises("usage", function() restore { replace = true } end, "no whole backup")
        assert.equal(before, text_of(db))
      end
      raises("usage", function() backup.restore(db, folder .. "/none", quiet) end, "cannot open")
      raises("usage", function() backup.write(db, "thing", path, quiet) end, "no table 'thing'")
      raises("usage", function() backup.write(db, "things", folder .. "/no/x", quiet) end, "cannot open")
    end)

    it("goes into another kind of database where the types fit", function()
      db:execute "create table plain (id integer primary key, name varchar(20), n bigint)"
      db:execute "insert into plain values (1, 'a', 9007199254740993), (2, null, null)"
      backup.write(db, "plain", path, quiet)
      for _, other_backend in ipairs(backends.list) do
        local other = other_backend.open "create table plain (id integer primary key, name varchar(20), n bigint)"
        assert.equal(2, backup.restore(other, path, quiet))
        assert.same({ { 9007199254740993 }, {} }, other:rows "select n from plain order by id")
      end
    end)
  end)

  describe("a backfill", function()
    it("goes by any key, and is another one where its condition or the end of its words is", function()
      local uuid = backend.dialect == "postgres" and "uuid" or "varchar(36)"
      db:script("create table named (id " .. uuid .. " primary key, n integer default 0, flag integer)")
      local list = {}
      for i = 1, 9 do list[i] = { id = ("00000000-0000-0000-0000-%012d"):format(i), flag = i % 3 } end
      db:repository("named").model:create_many(list, { returning = false })
      local function fill(set, where)
        return migrate.backfill(db, { table = "named", set = set, where = where, batch = 2, progress = false })
      end
      assert.same({ 3, 3, 0 }, { fill("n = n + 1", "flag = 1"), fill("n = n + 1", "flag = 2"), fill("n = n + 1", "flag = 2") })
      local long = "n = n" .. (" + 0"):rep(60)
      assert.same({ 9, 9, 0 }, { fill(long), fill(long .. " + 1"), fill(long .. " + 1") })
      assert.equal(15, db:query("select sum(n) as n from named")[1].n)
    end)

    local function fill(n)
      local list = {}
      for i = 1, n do list[i] = ("(%d)"):format(i) end
      db:execute(("insert into things (big) values %s"):format(table.concat(list, ", ")))
    end

    it("reaches every row in batches, once", function()
      fill(2345)
      local batches = 0
      local off = weft.on("query", function(info)
        if info.sql:find "^update .?things" then batches = batches + 1 end
      end)
      local options = { table = "things", set = "big = big + 1", batch = 100, progress = false }
      assert.equal(2345, migrate.backfill(db, options))
      off()
      assert.equal(24, batches)
      assert.equal(0, migrate.backfill(db, options))
      assert.same({ { 2, 2346 } }, db:rows "select min(big), max(big) from things")
    end)

    it("that was cut off goes on where it was", function()
      fill(1000)
      local set = "big = big + 1 / (case when big = 777 and name is null then 0 else 1 end)"
      if backend.dialect == "sqlite" then set = "big = case when big = 777 and name is null then abs(-9223372036854775808) else big + 1 end" end
      local options = { table = "things", set = set, batch = 10, progress = false, where = "big > 0", name = "x" }
      assert.is_false((pcall(migrate.backfill, db, options)))
      assert.equal(770, db:query("select done from weft_backfills")[1].done)
      db:execute "update things set name = 'ok' where big = 777"
      assert.equal(230, migrate.backfill(db, options))
      assert.same({ { 2, 1001 } }, db:rows "select min(big), max(big) from things")
    end)

    it("is refused when it makes no sense", function()
      raises("usage", function() migrate.backfill(db, { table = "thing", set = "a = 1" }) end, "no table 'thing'")
      raises("usage", function() migrate.backfill(db, { table = "things" }) end, "set is text")
      if backend.dialect == "mysql" then
        raises("usage", function() db:transaction(function() migrate.backfill(db, { table = "things", set = "big = 1" }) end) end, "outside")
      end
      raises("usage", function() migrate.backfill(db, { table = "things", set = "x", batch = 0 }) end, "batch")
      db:execute "create table loose (n integer)"
      raises("usage", function() migrate.backfill(db, { table = "loose", set = "n = 1" }) end, "no primary key")
    end)
  end)
end)
