-- SPDX-License-Identifier: MIT
-- From one schema to another, with rows in it: random pairs of schemas on every database, and what each step says of itself.

local backends = require "spec.support.backends"
local builder = require "weft.builder"
local ddl = require "weft.ddl"
local diff = require "weft.schema.diff"
local raises = require "spec.support.raises"
local random = require "spec.support.random_schema"
local lists = require "spec.support.statements"

local steps, lines = lists.steps, lists.lines

local function column(name, type, more)
  local made = { name = name, type = type, nullable = true }
  for key, value in pairs(more or {}) do made[key] = value end
  return made
end

---@param columns table[] besides id
local function table_of(name, columns, more)
  local t = { name = name, key = name, kind = "table", visible = true, primary_key = { "id" },
    columns = { column("id", "integer", { key = 1, rowid = true }) }, uniques = {}, indexes = {}, checks = {}, foreign_keys = {}, triggers = {} }
  t.columns[1].nullable = nil
  for _, entry in ipairs(columns) do t.columns[#t.columns + 1] = entry end
  for key, value in pairs(more or {}) do t[key] = value end
  return t
end

local function model(...) return { tables = { ... }, views = {}, enums = {} } end

local function alter(old, new, dialect, options)
  return ddl.alter(diff.changes(old, new, options), dialect)
end

local function sql_of(list)
  local texts = {}
  for i, step in ipairs(list) do texts[i] = step.sql end
  return texts
end

backends.each(function(backend)
  describe("steps between random schemas", function()
    for seed = 1, 12 do
      it(("lead there and keep the rows (%d)"):format(seed), function()
        local a, b = random.model(seed, backend.dialect), random.model(seed + 1000, backend.dialect)
        local one, other = backend.open(), backend.open()
        builder.run(one, steps(ddl.create(a, backend.dialect)))
        builder.run(one, steps(random.rows(a, backend.dialect)))
        builder.run(other, steps(ddl.create(b, backend.dialect)))
        local from, to = one:schema():model(), other:schema():model()
        builder.run(one, alter(from, to, backend.dialect))
        assert.same({}, lines(diff.changes(one:schema(), to)))
        for _, t in ipairs(from.tables) do
          if to.tables[t.key] then
            assert.equal(3, one:rows("select count(*) from " .. ddl.dialect(backend.dialect):name_of(t))[1][1])
          end
        end
      end)
    end
  end)

  describe("renames", function()
    it("keep rows, keys and indexes", function()
      local db = backend.open()
      local s = builder.new(db)
      s:create_table("users", function(t) t:id() t:string("name", { index = true }) end)
      s:create_table("posts", function(t) t:id() t:references("users", { on_delete = "cascade" }) end)
      db:execute "insert into users (name) values ('ann')"
      db:execute "insert into posts (user_id) select id from users"
      local old = db:schema():model()
      s:rename_table("users", "members")
      s:rename_column("members", "name", "nick")
      local new = db:schema():model()
      assert.same({ "renamed table members (was users)", "renamed column members.nick (was name)" },
        lines(diff.changes(old, new, { renames = { users = "members", ["users.name"] = "members.nick" } })))
      assert.same({ "ann" }, db:rows("select nick from members join posts on members.id = user_id")[1])
    end)
  end)
end)

backends.each(function(backend)
  it("renames go with other changes of the same tables", function()
    local function make(s, users, name, type)
      s:create_table(users, function(t)
        t:id()
        t:column(name, type, { null = false, default = 1 })
        t:integer("twice", { generated = name .. " * 2" })
        t:index { name, name = "by_name" }
        t:check(name .. " > 0", { name = "positive" })
      end)
      s:create_table("posts", function(t)
        t:id()
        t:references(users, { column = "owner_id", on_delete = "cascade" })
      end)
      s:create_view("owners", ("select %s from %s"):format(name, users))
    end
    local one, other = backend.open(), backend.open()
    make(builder.new(one), "users", "n", "integer")
    make(builder.new(other), "members", "points", "bigint")
    one:execute "insert into users (n) values (7)"
    one:execute "insert into posts (owner_id) select id from users"
    local to = other:schema():model()
    builder.run(one, alter(one:schema(), to, backend.dialect, { renames = { users = "members", ["users.n"] = "members.points" } }))
    local rest = lines(diff.changes(one:schema(), to))
    for i = #rest, 1, -1 do -- the names of constraints stay
      if rest[i]:find "primary key" then table.remove(rest, i) end
    end
    assert.same({}, rest)
    assert.same({ 7, 14, 7 }, one:rows("select points, twice, (select points from owners) from members join posts on owner_id = members.id")[1])
  end)
end)

describe("steps on SQLite", function()
  local teams = table_of("teams", {})
  local function users(columns, more) return table_of("users", columns, more) end

  it("alter the table where that can be done", function()
    assert.same({ 'alter table "users" drop column "b"', 'alter table "users" add column "a" text default \'x\' not null' },
      sql_of(alter(model(users { column("b", "text") }), model(users { column("a", "text", { default = "'x'", nullable = false }) }), "sqlite")))
  end)

  it("say that a dropped column is lost, and that one more is not", function()
    local list = alter(model(users { column("b", "text") }), model(users { column("a", "text") }), "sqlite")
    assert.same({ true, false }, { list[1].destructive, list[2].destructive })
  end)

  local pointing = { foreign_keys = { { columns = { "team_id" }, table = "teams", key = "teams", target = { "id" }, on_delete = "cascade" } } }

  backends.each(function(backend)
    it("refuse to make a table anew in a transaction that enforces keys, and lose nothing", function()
      local db = backend.open "create table teams (id integer primary key, n text);\z
        create table users (id integer primary key, team_id integer references teams on delete cascade);\z
        insert into teams values (1, 'a'); insert into users values (1, 1)"
      local s = builder.new(db)
      raises("check", function()
        db:transaction(function() s:alter_table("teams", function(t) t:set_not_null "n" end) end)
      end, "foreign_keys is off")
      assert.equal(1, db:rows("select count(*) from users")[1][1])
      builder.new(db):alter_table("teams", function(t) t:set_not_null "n" end)
      assert.equal(1, db:rows("select count(*) from users")[1][1])
      assert.is_falsy(db:schema():table("teams").columns.n.nullable)
      assert.equal(1, db:rows("select foreign_keys from pragma_foreign_keys")[1][1])
    end)

    it("go on counting where the table counted before", function()
      local db = backend.open "create table t (id integer primary key autoincrement, n text); insert into t values (7, 'a'); delete from t"
      builder.new(db):alter_table("t", function(t) t:set_not_null "n" end)
      db:execute "insert into t (n) values ('b')"
      assert.equal(8, db:rows("select id from t")[1][1])
    end)

    it("refuse rows that a new key does not allow", function()
      local db = backend.open "create table teams (id integer primary key); create table users (id integer primary key, team_id integer);\z
        insert into users values (1, 5)"
      raises("check", function()
        builder.new(db):alter_table("users", function(t)
          t:foreign_key("team_id", "teams")
          t:foreign_key("id", "users", { name = "self" })
        end)
      end, "foreign keys hold")
      assert.equal(0, #db:schema():table("users").foreign_keys)
      assert.equal(1, db:rows("select foreign_keys from pragma_foreign_keys")[1][1])
    end)
  end, "sqlite")

  it("need no pragma for a table that no key points to", function()
    local list = alter(model(teams, users({ column("team_id", "integer") }, pointing)), model(teams, users { column("team_id", "text") }), "sqlite")
    for _, step in ipairs(list) do assert.is_true(step.transactional) end
  end)
end)

describe("steps on PostgreSQL", function()
  local function users(columns, more) return table_of("users", columns, more) end

  it("say what narrows", function()
    local rows = {
      { "integer", "integer", "bigint", false }, { "integer", "bigint", "integer", true }, { "string", "text", "character varying(9)", true },
    }
    for _, row in ipairs(rows) do
      local list = alter(model(users { column("a", row[2], { kind = row[1] }) }), model(users { column("a", row[3], { kind = row[1] }) }), "postgres")
      assert.equal(row[4], list[1].destructive, row[2] .. " to " .. row[3])
    end
  end)

  it("make indexes beside writers and validate keys apart when they are told to", function()
    local index = { name = "by_a", method = "btree", parts = { { column = "a" } } }
    local key = { name = "k", columns = { "a" }, table = "users", key = "users", target = { "id" } }
    local new = users({ column("a", "integer") }, { indexes = { index }, foreign_keys = { key } })
    local changes = diff.changes(model(users { column("a", "integer") }), model(new))
    local list = ddl.alter(changes, "postgres", { concurrently = true, not_valid = true })
    assert.same({ 'create index concurrently "by_a" on "users" using btree ("a")',
      'alter table "users" add constraint "k" foreign key ("a") references "users" ("id") not valid',
      'alter table "users" validate constraint "k"' }, sql_of(list))
    assert.same({ false, true, true }, { list[1].transactional, list[2].transactional, list[3].transactional })
  end)

  it("look at old rows of a key, and note a comment, where they stand", function()
    local function whole(valid, comment)
      return model(users({ column("a", "integer") }, {
        indexes = { { name = "by_a", method = "btree", parts = { { column = "a" } }, comment = comment } },
        foreign_keys = { { name = "k", columns = { "a" }, table = "users", key = "users", target = { "id" }, valid = valid } } }))
    end
    assert.same({ [[comment on index "by_a" is 'it''s']], 'alter table "users" validate constraint "k"' },
      sql_of(alter(whole(false, nil), whole(true, "it's"), "postgres")))
    assert.equal(2, #alter(whole(true, nil), whole(false, nil), "postgres"))
  end)

  it("have no name that the server would cut", function()
    raises("usage", function() ddl.create(model(table_of(("x"):rep(64), {})), "postgres") end, "63 bytes")
  end)

  it("add labels to an enum in place, and make it anew where one goes", function()
    local function moods(labels)
      local whole = model(users { column("mood", "mood", { enum = "mood" }) })
      whole.enums = { { name = "mood", key = "mood", visible = true, values = labels } }
      return whole
    end
    assert.same({ [[alter type "mood" add value 'b' before 'c']] }, sql_of(alter(moods { "a", "c" }, moods { "a", "b", "c" }, "postgres")))
    local list = alter(moods { "a", "b" }, moods { "a" }, "postgres")
    assert.equal('alter type "mood" rename to "mood__old"', list[1].sql)
    assert.equal('drop type "mood__old"', list[#list].sql)
  end)
end)

backends.each(function(backend)
  it("make a type and a column anew with all that speaks of them", function()
    local text = [[create type mood as enum (%s);
      create table t (id integer primary key, m mood default 'ok', ms mood[], a %s, g integer generated always as (a * 2) stored,
        check (m <> 'ok' or a > 0), unique (g, a));
      create index i on t (a) where m = 'ok'; create index j on t (g); create index k on t (m);
      create view v as select id, m, a from t where m = 'ok'; create view w as select * from v;]]
    local one = backend.open(text:format("'sad', 'ok', 'new'", "integer") .. "insert into t (id, m, ms, a) values (1, 'sad', '{sad,ok}', 3)")
    local other = backend.open(text:format("'ok', 'sad'", "bigint"))
    builder.run(one, alter(one:schema(), other:schema(), "postgres"))
    assert.same({}, lines(diff.changes(one:schema(), other:schema())))
    assert.same({ 1, "sad", 6 }, one:rows("select id, m, g from t")[1])
  end)
end, "postgres")

describe("steps on MySQL", function()
  it("are one statement for all of a table, which no transaction undoes", function()
    local function users(columns, more) return table_of("users", columns, more) end
    local index = { name = "by_a", method = "btree", parts = { { column = "a", length = 10 } } }
    local list = alter(model(users { column("b", "int(11)") }),
      model(users({ column("a", "text", { comment = [[it's \ x]] }) }, { indexes = { index } })), "mysql")
    assert.same({ "alter table `users`\n  drop column `b`,\n  add column `a` text null comment 'it''s \\\\ x' after `id`,\n  "
      .. "add index `by_a` (`a`(10)) using btree" }, sql_of(list))
    assert.same({ false, true }, { list[1].transactional, list[1].destructive })
  end)
end)

describe("steps", function()
  it("are of changes whose schemas are known", function()
    raises("usage", function() ddl.alter({}, "sqlite") end, "options.old")
    raises("usage", function() ddl.alter(diff.changes(model(), model()), "sqlite", { concurently = true }) end, "concurrently")
  end)

  it("are none where nothing changes", function()
    for _, dialect in ipairs { "sqlite", "postgres", "mysql" } do
      local t = table_of("users", { column("a", "text") })
      assert.same({}, alter(model(t), model(t), dialect))
    end
  end)
end)
