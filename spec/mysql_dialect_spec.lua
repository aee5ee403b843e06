-- SPDX-License-Identifier: MIT
-- What MySQL's dialect has of its own: lists that find their index whatever the column's type, keys that meet,
-- statements that look rows up in their own table, types that other databases do not have.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"

local decimal = weft.decimal

-- name, type, two values that a row has, what else is in the list
local columns = {
  { "whole", "integer", 7, 70, { 8 } },
  { "tiny", "tinyint unsigned", 200, 255, { 101 } },
  { "large", "bigint unsigned", decimal "18446744073709551615", 5, { decimal "18446744073709551614" } },
  { "price", "decimal(10,2)", decimal "19.99", 20, { decimal "19.991", decimal "0.01" } },
  { "single", "float", 0.1, 2.5, { 0.25 } },
  { "double_", "double", 0.1, 1e300, { 1 / 3 } },
  { "flag", "boolean", true, true, { true } },
  { "ci", "varchar(40)", "Ärger", "b", { "x" } },
  { "bin", "varchar(40) collate utf8mb4_bin", "it's \"q\"\\", "é", { "É" } },
  { "latin", "varchar(40) character set latin1", "é", "ü", { "ж", "😀" } },
  { "short", "varchar(40) character set utf8mb3", "日本", "b", { "😀" } },
  { "raw", "varbinary(40)", "\0'\xff", "", { "\xfe" } },
  { "kind", "enum('one','two')", "one", "two", { "three" } },
  { "day", "date", "2024-02-29", "1999-12-31", { "2000-01-01" } },
  { "at", "timestamp(6) null", "2024-02-29T12:00:00.5Z", "1999-12-31T23:59:59Z", { "2000-01-01T00:00:00Z" } },
  { "plain", "datetime(6)", "2024-02-29T12:00:00.5", "0999-12-31T23:59:59", { "2000-01-01T00:00:00" } },
  { "clock", "time(3)", "12:00:01.5", "00:00:00", { "01:00:00" } },
  { "who", "uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000",
    { "ffffffff-ffff-ffff-ffff-ffffffffffff" } },
}

backends.each(function(backend)
  describe("a list on MySQL", function()
    local db, T

    setup(function()
      local lines, keys = {}, {}
      for i, column in ipairs(columns) do
        lines[i] = ("`%s` %s"):format(column[1], column[2])
        if column[1] ~= "flag" and column[1] ~= "kind" then keys[#keys + 1] = ("key (`%s`)"):format(column[1]) end
      end
      local name
      db, name = backend.open()
      db:execute(("create table t (id integer auto_increment primary key, %s, %s) default charset utf8mb4 "
        .. "collate utf8mb4_general_ci"):format(table.concat(lines, ", "), table.concat(keys, ", ")))
      T = weft.models(name).t
      local first, second = { id = 1 }, { id = 2 }
      for _, column in ipairs(columns) do first[column[1]], second[column[1]] = column[3], column[4] end
      T:create_many({ first, second }, { returning = false })
      db:execute [[insert into t (whole, tiny, price, single, double_, ci, bin, latin, short, day, at, plain, clock, who)
        select 1000 + seq, seq % 100, 1000 + seq, 1000 + seq, 1000 + seq, s, s, s, s,
        date '2010-01-01' + interval seq day,
        timestamp '2010-01-01 00:00:00' + interval seq hour, timestamp '2010-01-01 00:00:00' + interval seq hour,
        sec_to_time(seq + 50000), uuid() from (select seq, concat('s', seq) as s from seq_3_to_3000) as i]]
      db:execute "analyze table t"
    end)

    for _, column in ipairs(columns) do
      local name, kind, one, other, more = table.unpack(column)

      it("finds what equality finds in a column of " .. kind, function()
        local list = { one, other, table.unpack(more) }
        assert.equal(2, T:where { [name] = list }:count())
        assert.equal(1, T:where { [name] = { one } }:where { id = 1 }:count())
        local alone = T:where { [name] = one }:count()
        assert.equal(alone, T:where { [name] = { one, table.unpack(more) } }:count())
        assert.equal(0, T:where(name, "not_in", list):where { id = { 1, 2 } }:count())
      end)

      if not ("flag kind tiny raw large"):find(name, 1, true) then
        it("looks up the index of a column of " .. kind, function()
          local plan = T:where { [name] = { one, other } }:explain()
          assert.truthy(plan:find('"access_type": "e?q?_?ref"'), plan)
        end)
      end
    end

    it("folds what the column folds, and no more", function()
      assert.equal(1, T:where { ci = { "ärger" } }:count())
      assert.equal(0, T:where { bin = { "IT'S \"Q\"\\" } }:count())
      assert.equal(1, T:where { ci = "ÄRGER" }:count())
    end)

    it("is looked up by writes, too", function()
      local sql = T:where { whole = { 7, 70 } }:sql()
      local where = sql:match " where (.*)$"
      for _, text in ipairs {
        "delete from `t` using `t` where ", "update `t`, (select 1) as weft_one set `tiny` = 1 where ",
      } do
        local plan = db:rows("explain format=json " .. text .. where, "[7,70]")[1][1]
        assert.truthy(plan:find('"access_type": "ref"', 1, true), plan)
      end
      assert.equal(2, T:where { whole = { 7, 70, 71 } }:update { tiny = 3 })
      assert.equal(1, T:where { whole = { 1010 } }:delete())
      assert.same({ 3, 3 }, { T:find(1).tiny, T:find(2).tiny })
    end)
  end)

  describe("MySQL", function()
    local db, models

    before_each(function()
      local name
      db, name = backend.open [[
        create table people (id integer primary key, email varchar(80) unique, name varchar(80), boss_id integer);
        insert into people values (1, 'a@x', 'Ann', null), (2, 'b@x', 'Bob', 1), (3, 'c@x', 'Cid', 1),
          (4, 'd@x', null, 2);]]
      models = weft.models(name)
    end)

    local function names(query)
      local list = {}
      for i, row in ipairs(query:all()) do list[i] = row.name or "-" end
      return table.concat(list, " ")
    end

    it("refuses an upsert that meets a row through another key than the one named", function()
      local People = models.people
      assert.equal("Amy", People:upsert({ id = 1, email = "a@x", name = "Amy" }, { on = "id" }).name)
      local _, err = weft.try(function() People:upsert({ id = 9, email = "b@x", name = "Eve" }, { on = "id" }) end)
      assert.equal("unique", err.kind)
      assert.matches("another unique key than the one in `on`", err.message, 1, true)
      _, err = pcall(function() db:query "select (select id from people) as id" end)
      assert.equal("usage", err.kind)
      assert.same({ "Bob", 4 }, { People:find(2).name, People:count() })
      assert.equal("Ben", People:upsert({ id = 2, email = "b@x", name = "Ben" }, { on = "email" }).name)
      assert.equal("Eve", People:upsert({ id = 9, email = "e@x", name = "Eve" }, { on = "id" }).name)
    end)

    it("limits writes, in an order, behind others", function()
      local People = models.people
      assert.equal(2, People:where("id", ">", 0):order("name", "desc"):limit(2):update { boss_id = 9 })
      assert.equal("Bob Cid", names(People:where { boss_id = 9 }:order "id"))
      assert.equal(1, People:where("id", ">", 0):order("id"):limit(1):offset(3):delete())
      assert.is_nil(People:find(4))
    end)

    it("puts NULL where it is wanted", function()
      local People = models.people
      assert.equal("- Ann Bob Cid", names(People:order("name")))
      assert.equal("Ann Bob Cid -", names(People:order("name", "asc", "nulls last")))
      assert.equal("- Cid Bob Ann", names(People:order("name", "desc", "nulls first")))
      assert.equal("Cid Bob Ann -", names(People:order("name", "desc")))
    end)

    it("keeps JSON as it is, in the row that a write hands back as well", function()
      db:execute "create table docs (id integer auto_increment primary key, body json)"
      local Docs = models.docs
      local made = Docs:create { body = { n = 9007199254740993, list = weft.array {}, ["a\nb"] = "c" } }
      assert.equal(9007199254740993, made.body.n)
      assert.equal("c", Docs:where(weft.path("body", "a\nb"), "=", "c"):first().body["a\nb"])
      assert.equal(1, Docs:where(weft.path("body", "n"), ">", 9007199254740992):count())
      raises("unsupported", function() Docs:where(weft.path("body", "-a"), "=", 1):all() end, "begins with -")
      raises("unsupported", function() Docs:where("body.list", "=", weft.json { 1 }):all() end)
    end)

    it("tells unsigned numbers, bits, years and defaults apart", function()
      db:execute [[create table odd (id bigint unsigned auto_increment primary key, n int unsigned, b bit(3), y year,
        flag bit(1), label enum('a collate b', 'x'), made datetime default current_timestamp,
        word varchar(20) default 'NULL', twice bigint as (n * 2) stored)]]
      local made = models.odd:create { n = 4294967295, b = 5, y = 2024, flag = 1 }
      assert.same({ 1, 4294967295, 5, 2024, "NULL" }, { made.id, made.n, made.b, made.y, made.word })
      assert.equal(1, models.odd:find(1).id)
      assert.equal(1, models.odd:where { id = { 1, 2 } }:count())
      assert.equal(0, models.odd:where { label = { "a collate b", "c" } }:count())
      raises("type", function() models.odd:create { n = 4294967296 } end)
    end)
  end)
end, "mysql")
