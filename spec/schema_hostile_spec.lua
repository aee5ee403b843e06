-- SPDX-License-Identifier: MIT
-- Schemas that broke other tools: every fact here is one that was seen in a real database, or that somebody may make.

local weft = require "weft"
local core = require "weft.core"
local backends = require "spec.support.backends"
local foreign_keys = require "weft.association.foreign_keys"
local schemas = require "spec.support.schemas"

local lines, names = schemas.lines, schemas.names

local odd_names = {
  "select", "order", "two words", " blank ", 'quo"te', "apos'trophe", "new\nline", "dot.ted", "a.b.c", "back\\slash",
  "back`tick", "[bracket]",

    "smile\u{1F600}", "\u{FC}ml\u{E4}ut", "%s", "--comment", "/* comment", "semi;colon",
  "com,ma", "(paren", "paren)", "$1", "?", "??", ":name", "UPPER",
  ("n"):rep(63), "save", "constructor", "__index", "check", "primary", "constraint",
}

backends.each(function(backend)
  local sqlite, postgres, mysql = backend.dialect == "sqlite", backend.dialect == "postgres", backend.dialect == "mysql"
  local mark = mysql and "`" or '"'
  local db

  local function quoted(name) return mark .. name:gsub(mark, mark .. mark) .. mark end

  ---MySQL has no names with characters beyond U+FFFF or with a blank at their end.
  local function possible_names()
    local list = {}
    for _, name in ipairs(odd_names) do
      if not mysql or not name:find "[\xf0-\xff]" and not name:find " $" then list[#list + 1] = name end
    end
    return list
  end

  local function open(ddl)
    db = backend.open(ddl)
    return db:schema()
  end

  ---Of text that is for this database as it is.
  local function open_own(ddl) return open { [backend.dialect] = ddl } end

  describe("a hostile schema", function()
    it("of odd names for tables, columns, keys, indexes and checks is told as it is", function()
      local text, odd = {}, possible_names()
      for i, name in ipairs(odd) do
        local q = quoted(name)
        text[#text + 1] = ([[create table %s (%s integer primary key, up integer, other integer check (other > %d),
          constraint fk%d foreign key (up) references %s (%s));]]):format(q, q, i, i, q, q)
        text[#text + 1] = ("create index %s on %s (%s, other);"):format(quoted(("i%d %s"):format(i, name):sub(1, 63)), q, q)
        text[#text + 1] = ("create view %s as select %s from %s;"):format(quoted(("v%d %s"):format(i, name):sub(1, 63)), q, q)
      end
      local schema = open_own(table.concat(text))
      assert.equal(#odd, #schema:tables())
      assert.same({}, schemas.plain(schema:left_out()))
      for i, name in ipairs(odd) do
        local t = schema:tables()[name]
        assert.equal(name, t.name)
        assert.same({ name, "up", "other" }, names(t.columns))
        assert.same({ name }, t.primary_key)
        assert.equal(name, t.foreign_keys[1].table)
        assert.same({ name }, t.foreign_keys[1].target)
        assert.equal(1, #t.checks)
        assert.is_truthy(t.checks[1].expression:find(("other`? > %d%%f[%%D]"):format(i)))
        assert.same({ name, "other" }, names(t.indexes[("i%d %s"):format(i, name):sub(1, 63)].parts, "column"))
        local view = schema:table(("v%d %s"):format(i, name):sub(1, 63))
        assert.same({ table = name, column = name }, view.columns_of[name])
      end
    end)

    it("of names that differ in case alone has both, where the database has", function()
      if sqlite then return end
      local three = [[create table "Users" (id integer); create table users (x integer); create table "USERS" (y integer)]]
      local schema = open_own((three:gsub('"', mark)))
      assert.same({ "USERS", "Users", "users" }, names(schema:tables()))
      assert.equal("x", schema:table("users").columns[1].name)
      assert.equal("y", schema:table("USERS").columns[1].name)
    end)

    it("of tables whose keys go around in circles is told whole", function()
      local schema = open {
        sqlite = [[create table a (id integer primary key, b integer references b);
          create table b (id integer primary key, a integer references a)]],
        postgres = [[create table a (id integer primary key, b integer); create table b (id integer primary key, a integer references a);
          alter table a add foreign key (b) references b]],
        mysql = [[create table a (id integer primary key, b integer); create table b (id integer primary key, a integer references a (id));
          alter table a add foreign key (b) references b (id)]],
      }
      assert.same({ "b -> b(id)" }, lines("foreign_key", schema:table("a").foreign_keys))
      assert.same({ "a -> a(id)" }, lines("foreign_key", schema:table("b").foreign_keys))
    end)

    it("of a column that is called like what a row can do, or like its association, keeps the column", function()
      local name
      db, name = backend.open [[create table author (id integer primary key);
        create table post (id integer primary key, author_id integer references author (id), author varchar(9), save integer)]]
      db:execute "insert into author values (1)"
      db:execute "insert into post values (1, 1, 'text', 5)"
      local post = weft.models(name).post:find(1)
      assert.equal("text", post.author)
      assert.equal(5, post.save)
      local found = names(foreign_keys.associations(db).post)
      assert.same({ "author_by_author_id" }, found)
    end)

    it("of 5,000 tables is read whole", function()
      local n, text = mysql and 1000 or 5000, { "begin;" } -- MySQL makes a file for each
      for i = 1, n do
        text[#text + 1] = ("create table t%d (id integer primary key, up integer%s, name varchar(9) unique);"):format(i,
          i > 1 and (" references t%d (id)"):format(i - 1) or "")
      end
      text[#text + 1] = "commit;"
      local schema = open(table.concat(text, "\n"))
      assert.equal(n, #schema:tables())
      assert.equal("t" .. n - 1, schema:table("t" .. n).foreign_keys[1].table)
      assert.equal(3, #schema:table("t" .. n // 2).columns)
    end)
  end)

  if sqlite then
    describe("SQLite's own", function()
      it("columns without a type are of any kind, and stay without one", function()
        local t = open("create table t (a, b, c)"):table "t"
        assert.same({ "a - any null", "b - any null", "c - any null" }, lines("column", t.columns))
      end)

      it("keys that name no columns mean the primary key, in its order", function()
        local schema = open [[create table p (a integer, b integer, primary key (b, a));
          create table c (x integer, y integer, foreign key (x, y) references p)]]
        assert.same({ "x,y -> p(b,a)" }, lines("foreign_key", schema:table("c").foreign_keys))
      end)

      it("keys to a missing table are told, and marked", function()
        local t = open("create table c (x integer references nobody, y integer references nobody (id) on delete cascade)"):table "c"
        assert.same({ "x -> nobody() missing", "y -> nobody(id) delete cascade missing" }, lines("foreign_key", t.foreign_keys))
        assert.is_true(t.foreign_keys[1].missing)
      end)

      it("keys find their table in any case", function()
        local t = open('create table "Parent" ("Id" integer primary key); create table c (x integer references PARENT (id))'):table "c"
        assert.equal("Parent", t.foreign_keys[1].key)
        assert.is_falsy(t.foreign_keys[1].missing)
      end)

      it("virtual tables have their module and hidden columns; their shadow tables are left alone", function()
        local schema = open "create virtual table f using fts5(title, body, tokenize = 'porter ascii'); create table t (id integer primary key)"
        assert.same({ "f", "t" }, names(schema:tables()))
        local f = schema:table "f"
        assert.equal("virtual", f.kind)
        assert.equal("fts5(title, body, tokenize = 'porter ascii')", f.module)
        assert.same({ "title - any null", "body - any null", "f - any null hidden", "rank - any null hidden" }, lines("column", f.columns))
      end)

      it("tables without rowid and strict ones are told apart; NULL cannot be in their keys", function()
        local schema = open [[create table w (a text, b integer, primary key (a)) without rowid; create table s (a text primary key) strict;
          create table o (a text primary key); create table r (id integer primary key); create table d (id integer primary key desc)]]
        assert.is_true(schema:table("w").without_rowid)
        assert.is_true(schema:table("s").strict)
        local nullable = {}
        for _, t in ipairs(schema:tables()) do nullable[t.name] = t.columns[1].nullable or false end
        assert.same({ w = false, s = false, o = true, r = false, d = true }, nullable)
        assert.is_true(schema:table("r").columns.id.rowid)
      end)

      it("a view on a dropped column is left out with the reason, and nothing else is", function()
        local schema = open [[create table t (id integer primary key, name text); create view good as select id from t;
          create view bad as select name from t; pragma legacy_alter_table = on; pragma writable_schema = on;
          update sqlite_schema set sql = 'create table t (id integer primary key, title text)' where name = 't'; pragma writable_schema = reset]]
        assert.same({ "t" }, names(schema:tables()))
        assert.same({ "id" }, names(schema:table("good").columns))
        assert.same({}, schemas.plain(schema:table("bad").columns))
        assert.equal(1, #schema:left_out())
        assert.is_truthy(schema:left_out()[1].what:find("bad", 1, true))
        assert.is_truthy(schema:left_out()[1].why:find("name", 1, true))
      end)

      it("text of create statements is read as SQLite reads it", function()
        local t = open([[create table t (a integer constraint first check (a <> ')') not null on conflict ignore -- , check (x)
          , b text collate nocase /* , c text ( */ default ('(') unique on conflict replace,
          "c,d" integer constraint "to it" references t (a) deferrable initially deferred constraint last check ("c,d" > 0),
          [e f] as (a + length("b")) stored, constraint pk primary key (a) on conflict replace, unique (b, "c,d"),
          check (a in (1, 2, /* ) */ 3)))]]):table "t"
        assert.same({ "first: a <> ')'", 'last: "c,d" > 0', "a in (1, 2, /* ) */ 3)" }, lines("check", t.checks))
        assert.equal("nocase", t.columns.b.collation)
        assert.equal("ignore", t.columns.a.on_conflict)
        assert.equal('a + length("b")', t.columns["e f"].expression)
        assert.equal("pk", t.primary_key_name)
        assert.equal("replace", t.primary_key_conflict)
        assert.same({ "c,d -> t(a) deferrable deferred" }, lines("foreign_key", t.foreign_keys))
        assert.equal("to it", t.foreign_keys[1].name)
      end)

      it("indexes have collations and predicates of their own", function()
        local t = open([[create table t (a text, b text collate nocase); create index i1 on t (a collate nocase, b, b collate binary desc);
          create index "i 2" on t (lower(a) collate rtrim desc, b) where a is not null and b <> 'where (x)']]):table "t"
        assert.same({ "i 2 ((lower(a)) desc collate rtrim, b) where a is not null and b <> 'where (x)'",
          "i1 (a collate nocase, b, b desc collate binary)" }, lines("index", t.indexes))
      end)
    end)
  end

  if postgres then
    local make_guest = [[do $$ begin if not exists (select from pg_roles where rolname = 'schema_guest') then
      create role schema_guest login; end if; end $$]]

    local function pick_url(handle, _, url) return handle, url end

    describe("PostgreSQL's own", function()
      it("33 schemas with equal names are kept apart, those that the search path finds first", function()
        local text = {}
        for i = 1, 33 do
          text[i] = ([[create schema s%02d; create table s%02d.users (id integer primary key, n%d integer);
            create table s%02d.posts (id integer, user_id integer references s%02d.users);]]):format(i, i, i, i, i)
        end
        local schema = open(table.concat(text) .. "create table users (id integer primary key)")
        assert.equal(67, #schema:tables())
        assert.equal("users", schema:tables()[1].key)
        assert.equal("n17", schema:table("s17.users").columns[2].name)
        assert.equal("s17.users", schema:table("s17.posts").foreign_keys[1].key)
        assert.equal("s17", schema:table("s17.posts").foreign_keys[1].schema)
        assert.equal(34, #schema:schemas())
        assert.is_nil(schema:table "posts")
      end)

      it("keys go across schemas", function()
        local schema = open [[create schema a; create schema b; create table a.p (id integer primary key);
          create table b.c (p integer references a.p);
          create table d (p integer references a.p)]]
        assert.same({ "p -> a.p(id)" }, lines("foreign_key", schema:table("b.c").foreign_keys))
        assert.same({ "p -> a.p(id)" }, lines("foreign_key", schema:table("d").foreign_keys))
      end)

      it("partitions are in their parent, which has their keys once", function()
        local schema = open [[create table p (id integer primary key);
          create table m (id integer, at date, p_id integer references p, primary key (id, at)) partition by range (at);
          create table m1 partition of m for values from ('2024-01-01') to ('2025-01-01') partition by list (id);
          create table m11 partition of m1 for values in (1, 2); create table m1d partition of m1 default;
          create table to_m (id integer, at date, foreign key (id, at) references m)]]
        assert.same({ "m", "p", "to_m" }, names(schema:tables()))
        local m = schema:table "m"
        assert.equal("partitioned", m.kind)
        assert.equal("RANGE (at)", m.partition_by)
        assert.same({ "p_id -> p(id)" }, lines("foreign_key", m.foreign_keys))
        assert.same({ "id,at -> m(id,at)" }, lines("foreign_key", schema:table("to_m").foreign_keys))
        assert.same({ "m1" }, names(m.partitions))
        assert.equal("FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')", m.partitions.m1.bound)
        assert.same({ "m11", "m1d" }, names(m.partitions.m1.partitions))
        assert.equal("LIST (id)", m.partitions.m1.partition_by)
      end)

      it("tables that inherit name their parents", function()
        local schema = open "create table a (x integer); create table b (y integer); create table c (z integer) inherits (a, b)"
        local c = schema:table "c"
        assert.same({ "a", "b" }, c.inherits)
        assert.is_true(c.columns.x.inherited)
        assert.is_falsy(c.columns.z.inherited)
      end)

      it("enums, domains, composites and arrays of them are told, with the columns that have them", function()
        local schema = open [[create type mood as enum ('sad', 'it''s', 'a,b'); create domain positive as integer check (value > 0);
          create domain very as positive default 3 not null; create type pair as (a integer, b text[]);
          create table t (m mood default 'sad', ms mood[], p positive, v very, r pair, n integer[][], d numeric(8,2)[])]]
        local t = schema:table "t"
        assert.same({ "m mood string null default 'sad'::mood enum mood", "ms mood[] array/string null enum mood",
          "p positive integer null domain positive", "v very integer domain very", "r pair any null",
          "n integer[] array/integer null", "d numeric(8,2)[] array/decimal null" },
          lines("column", t.columns))
        assert.same({ "sad", "it's", "a,b" }, schemas.plain(schema:enums().mood.values))
        assert.equal("(VALUE > 0)", schema:domains().positive.checks[1].expression)
        assert.equal("3", schema:domains().very.default)
        assert.same({ { name = "a", type = "integer" }, { name = "b", type = "text[]" } }, schemas.plain(schema:types().pair.attributes))
      end)

      it("identity, serial, generated and collated columns, with comments, are told", function()
        local schema = open [[create table t (id bigint generated always as identity primary key, s serial, c text collate "C",
          at timestamptz(3), u uuid default gen_random_uuid(), iv interval, bits bit(3), x "char"); comment on table t is 'It''s t';
          comment on column t.c is 'see c'; create sequence alone increment 5 cycle]]
        local t = schema:table "t"
        assert.same({ "id bigint integer key1 identity always", "s integer integer default nextval('t_s_seq'::regclass)",
          "c text string null collate C -- see c",
          "at timestamp(3) with time zone timestamptz null", "u uuid uuid null default gen_random_uuid()", "iv interval interval null",
          "bits bit(3) any null", 'x "char" string null' }, lines("column", t.columns))
        assert.equal("It's t", t.comment)
        assert.equal(3, t.columns.at.precision)
        assert.same({ table = "t", column = "s" }, schema:sequences().t_s_seq.owned_by)
        assert.equal(5, schema:sequences().alone.increment)
        assert.is_true(schema:sequences().alone.cycle)
        assert.same({ "alone", "t_s_seq" }, names(schema:sequences()))
      end)

      it("indexes and constraints have everything that they can have", function()
        local t = open([[create table t (a integer, b text, c text, d integer, e int4range, unique (a) include (d),
            constraint late unique (b) deferrable,
            exclude using gist (e with &&), constraint nv check (a > 0) no inherit);
          alter table t add constraint later check (d > 0) not valid;
          create index i1 on t (a desc, b nulls first, c desc nulls last) include (d);
          create index i2 on t using gin (to_tsvector('simple', b)); create index i3 on t (b text_pattern_ops, c collate "C") where a > 3;
          create index i4 on t using hash (a); create unique index i5 on t ((a + d))]]):table "t"
        assert.same({ "i1 (a desc, b nulls first, c desc nulls last) include d", "i2 ((to_tsvector('simple'::regconfig, b))) using gin",
          "i3 (b text_pattern_ops, c collate C) where (a > 3)", "i4 (a) using hash", "i5 ((((a + d)))) unique" }, lines("index", t.indexes))
        assert.same({ "b deferrable", "a include d" }, lines("unique", t.uniques))
        assert.same({ "later: (d > 0) invalid", "nv: (a > 0)" }, lines("check", t.checks))
        assert.equal("EXCLUDE USING gist (e WITH &&)", t.exclusions[1].definition)
      end)

      it("materialized views and views on views say where their columns are from", function()
        local schema = open [[create table t (id integer primary key, name text); create materialized view m as select id, name from t;
          create view v as select m.id as mid, upper(m.name) as shout, x.name from m join t x using (id);
          create view u as select id from t union select id from t; create view w as with q as (select * from t) select id from q]]
        assert.equal("materialized_view", schema:table("m").kind)
        assert.same({ table = "t", column = "id" }, schema:table("v").columns_of.mid)
        assert.same({ table = "t", column = "name" }, schema:table("v").columns_of.name)
        assert.is_nil(schema:table("v").columns_of.shout)
        assert.is_nil(schema:table("u").columns_of)
        assert.is_nil(schema:table("w").columns_of)
      end)

      it("a user with rights on one table only is told what the catalog tells, and can use that table", function()
        local name, url
        db, name, url = backend.open [[create table mine (id integer primary key);
          create table theirs (id integer primary key, m integer references mine)]]
        db:execute(make_guest)
        db:script "grant select on mine to schema_guest; create schema hidden; create table hidden.t (id integer primary key)"
        weft.configure { databases = { schema_guest = url:gsub("//[^@]+@", "//schema_guest@") } }
        local guest = weft.database "schema_guest"
        finally(function() guest:close() end)
        assert.is_not_nil(guest:schema():table "mine")
        assert.same({ "m -> mine(id)" }, lines("foreign_key", guest:schema():table("theirs").foreign_keys))
        assert.equal(0, weft.models("schema_guest").mine:count())
        assert.equal(name, db:schema().database)
      end)

      it("a catalog that may not be read is left out, and says so; the rest is there", function()
        local url
        db, url = pick_url(backend.open [[create table t (id integer primary key, name text default 'x');
          create index i on t (name)]])
        db:execute(make_guest)
        db:script "revoke select on pg_catalog.pg_trigger from public; revoke select on pg_catalog.pg_index from public"
        weft.configure { databases = { schema_guest = url:gsub("//[^@]+@", "//schema_guest@") } }
        local guest = weft.database "schema_guest"
        finally(function()
          guest:close()
          db:script "grant select on pg_catalog.pg_trigger to public; grant select on pg_catalog.pg_index to public"
        end)
        local schema = guest:schema()
        assert.equal("'x'::text", schema:table("t").columns.name.default)
        local left_out = names(schema:left_out(), "what")
        table.sort(left_out)
        assert.same({ "indexes", "keys", "triggers", "version" }, left_out)
        assert.is_truthy(schema:left_out()[1].why:find("permission denied", 1, true))
        assert.same({}, schemas.plain(schema:refresh()))
      end)

      it("tables that come and go while it is read do no harm", function()
        db = backend.open "create table t (id integer primary key)"
        local schema = db:schema()
        local churn = {}
        for i = 1, 200 do
          churn[i] = ([[create table x%d (id serial primary key, v integer check (v > 0)); create view y%d as select * from x%d;
            drop view y%d; drop table x%d;]]):format(i, i, i, i, i)
        end
        weft.run(function()
          local writer = weft.spawn(function()
            for i = 1, 200 do db:script(churn[i]) end
          end)
          while not writer:done() do
            core.forget_tables(db)
            assert.is_not_nil(schema:table "t")
          end
          writer:await()
        end)
      end)
    end)
  end

  if mysql then
    describe("MySQL's own", function()
      it("defaults: the text NULL, an expression, a time that follows updates", function()
        local t = open_own([[create table t (a varchar(9) default 'NULL', b varchar(9) default null, c varchar(9) default (concat('a', 'b')),
          d datetime(6) default current_timestamp(6) on update current_timestamp(6), e bit(3) default b'101')]]):table "t"
        assert.same({ "a varchar(9) string null default 'NULL'", "b varchar(9) string null",
          "c varchar(9) string null default concat('a','b')" }, { table.unpack(lines("column", t.columns), 1, 3) })
        assert.equal("current_timestamp(6)", t.columns.d.default)
        assert.equal("current_timestamp(6)", t.columns.d.on_update)
        assert.equal("b'101'", t.columns.e.default)
      end)

      it("types: enums and sets with their labels, json, booleans, numbers without a sign", function()
        local t = open_own([[create table t (id bigint unsigned auto_increment primary key comment 'it''s', m enum('a', 'b''c', 'd,e', ''),
          s set('x', 'y'), j json, `o``d d` json, f tinyint(1), h int invisible, c varchar(9) collate latin1_bin) comment 'all']]):table "t"
        assert.same({ "a", "b'c", "d,e", "" }, t.columns.m.values)
        assert.same({ "x", "y" }, t.columns.s.values)
        assert.same({ "json", "json" }, { t.columns.j.type, t.columns.j.kind })
        assert.same({ "json", "json" }, { t.columns["o`d d"].type, t.columns["o`d d"].kind })
        assert.same({}, schemas.plain(t.checks))
        assert.equal("boolean", t.columns.f.kind)
        assert.is_true(t.columns.id.unsigned and t.columns.id.auto_increment)
        assert.is_true(t.columns.h.hidden)
        assert.equal("latin1_bin", t.columns.c.collation)
        assert.equal("it's", t.columns.id.comment)
        assert.equal("all", t.comment)
      end)

      it("text with a check that begins like json's is text", function()
        local t = open_own("create table t (a longtext, b longtext, check (json_valid(a) and json_valid(b)))"):table "t"
        assert.same({ "longtext", "longtext" }, { t.columns.a.type, t.columns.b.type })
        assert.equal(1, #t.checks)
      end)

      it("indexes: of the beginning of a text, full text, unique ones that are no constraint", function()
        local t = open_own([[create table t (a varchar(99), b integer, unique ab (a, b), unique a3 (a(3)), fulltext ft (a))]]):table "t"
        assert.same({ "a,b" }, lines("unique", t.uniques))
        assert.same({ "a3 (a first 3) unique", "ft (a) using fulltext" }, lines("index", t.indexes))
      end)

      it("a user who may only read sees keys, and is told that their actions are not to be seen", function()
        local _, url
        db, _, url = backend.open [[create table a (id integer primary key);
          create table b (id integer primary key, a_id integer, foreign key (a_id) references a (id) on delete cascade)]]
        db:script "create or replace user schema_reader@'%'; grant select on *.* to schema_reader@'%'"
        weft.configure { databases = { schema_reader = url:gsub("//[^@]+@", "//schema_reader@") } }
        local reader = weft.database "schema_reader"
        finally(function()
          reader:close()
          db:execute "drop user schema_reader@'%'"
        end)
        assert.same({ "a_id -> a(id)" }, lines("foreign_key", reader:schema():table("b").foreign_keys))
        assert.matches("actions of b.", reader:schema():left_out()[1].what, 1, true)
        assert.same({}, db:schema():left_out())
      end)

      it("partitions are their table's", function()
        local t = open_own([[create table t (id int) partition by range (id)
          (partition p0 values less than (10), partition p1 values less than maxvalue)]]):table "t"
        assert.equal("partitioned", t.kind)
        assert.equal("RANGE (`id`)", t.partition_by)
        assert.same({ "10", "MAXVALUE" }, names(t.partitions, "bound"))
      end)

      it("a view on a dropped column is left out with the reason, and nothing else is", function()
        local schema = open_own [[create table t (id integer primary key, gone integer); create view good as select id from t;
          create view bad as select gone from t; alter table t drop column gone]]
        assert.same({ "id" }, names(schema:table("good").columns))
        assert.equal(1, #schema:left_out())
        assert.is_truthy(schema:left_out()[1].what:find("bad", 1, true))
      end)
    end)
  end
end)
