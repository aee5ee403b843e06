-- SPDX-License-Identifier: MIT
-- db:schema(): what it tells of a database is what the database itself says.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local schemas = require "spec.support.schemas"
local servers = require "spec.support.servers"
local shell = require "spec.support.shell"

local lines, names = schemas.lines, schemas.names

---What each dialect says of the same thing; a string is for all.
local function per_dialect(backend, expected)
  if type(expected) == "table" and expected[backend.dialect] ~= nil then return expected[backend.dialect] end
  return expected
end

local function statements(fn)
  local texts = {}
  local off = weft.on("query", function(info) texts[#texts + 1] = info.sql end)
  fn()
  off()
  return texts
end

backends.each(function(backend)
  local db

  local function open(ddl)
    db = backend.open(ddl)
    return db:schema()
  end

  local function table_of(ddl, name) return open(ddl):table(name or "t") end

  describe("the schema of a database", function()
    it("is one object, and asks nothing before the first question", function()
      db = backend.open "create table t (id integer primary key)"
      local schema
      assert.equal(0, #statements(function() schema = db:schema() end))
      assert.equal(schema, db:schema())
      assert.equal(db, schema.db)
      assert.equal(backend.dialect, schema.dialect)
      assert.equal("t", schema:tables()[1].name)
    end)

    it("is read once, with as many statements for many tables as for one", function()
      local one = open "create table t (id integer primary key)"
      local for_one = #statements(function() one:tables() end)
      local text = {}
      for i = 1, 30 do text[i] = ("create table t%d (id integer primary key, a integer);"):format(i) end
      local many = open(table.concat(text))
      assert.equal(for_one, #statements(function() assert.equal(30, #many:tables()) end))
      assert.equal(0, #statements(function()
        many:tables() many:views() many:enums() many:table "t7" many:schemas() many:left_out()
      end))
    end)

    it("is read again after its tables were changed through Weft", function()
      local schema = open "create table t (id integer primary key)"
      local before = schema:tables()
      db:execute "create table u (id integer)"
      assert.same({ "t", "u" }, names(schema:tables()))
      assert.same({ "t" }, names(before))
    end)

    it("of an empty database is empty", function()
      local schema = open ""
      for _, list in ipairs { "tables", "views", "enums", "domains", "types", "sequences", "left_out" } do
        assert.same({}, schemas.plain(schema[list](schema)), list)
      end
    end)

    it("is seen from inside of a transaction as the transaction has made it", function()
      if backend.dialect == "mysql" then return end -- create table commits there
      local schema = open "create table t (id integer primary key)"
      db:transaction(function(tx)
        tx:execute "create table u (id integer)"
        assert.same({ "t", "u" }, names(schema:tables()))
        tx:rollback()
      end)
      assert.same({ "t" }, names(schema:tables()))
    end)

    it("is read by many tasks at once", function()
      local schema = open "create table t (id integer primary key)"
      weft.run(function()
        local tasks = {}
        for i = 1, 20 do tasks[i] = weft.spawn(function() return schema:tables() end) end
        for i = 1, 20 do assert.same({ "t" }, names(tasks[i]:await())) end
      end)
    end)

    describe("while another one has the only connection", function()
      local schema

      before_each(function()
        db = backend.open("create table t (id integer primary key)", { pool = { max = 1 } })
        schema = db:schema()
      end)

      ---fn(task) while a task that reads the schema waits for what a session holds.
      local function held_up(fn)
        weft.run(function()
          db:session(function(s)
            s:query "select 1"
            local reader = weft.spawn(function() return names(schema:tables()) end)
            weft.sleep(0)
            fn(reader)
          end)
        end)
        assert.same({ "t" }, names(schema:tables()))
      end

      it("waits for it", function()
        local reader
        held_up(function(task) reader = task end)
        assert.same({ "t" }, reader:await())
      end)

      it("is given up with its task, and read by the next who asks", function()
        held_up(function(task)
          task:cancel()
          raises("cancelled", function() task:await() end)
        end)
      end)

      it("is given up when its time is over", function()
        local reader
        held_up(function(task)
          task:cancel()
          pcall(task.await, task)
          reader = weft.spawn(function()
            raises("timeout", function() weft.timeout(0.01, function() schema:tables() end) end)
            return true
          end)
          weft.sleep(0.05)
          assert.is_true(reader:done())
        end)
        assert.is_true(reader:await())
      end)

      it("raises deadlock when the one who has it waits for the reader", function()
        held_up(function(task)
          raises("deadlock", function() task:await() end)
        end)
      end)

      it("fails when the database is closed", function()
        local reader
        weft.run(function()
          db:session(function(s)
            s:query "select 1"
            reader = weft.spawn(function() raises("closed", function() schema:tables() end) return true end)
            weft.sleep(0)
            db:close()
          end)
        end)
        assert.is_true(reader:await())
      end)
    end)

    it("raises what any statement raises when the database is closed", function()
      local schema = open "create table t (id integer primary key)"
      db:close()
      raises("closed", function() schema:tables() end)
    end)

    it("finds tables by name, first as it is spelled, then in any case", function()
      local users = 'create table "Users" (id integer); create table other (id integer)'
      local schema = open { sqlite = users, postgres = users, mysql = (users:gsub('"', "`")) }
      assert.equal("Users", schema:table("Users").name)
      assert.equal("Users", schema:table("users").name)
      assert.equal("Users", schema:tables().Users.name)
      assert.is_nil(schema:tables().users)
      assert.is_nil(schema:table "nobody")
      raises("usage", function() schema:table(7) end, "table takes a name")
    end)

    it("is the same for equal databases, in every order and number", function()
      local ddl = [[create table b (id integer primary key, x integer);
        create table a (id integer primary key, b_id integer references b (id), n varchar(5) unique);
        create index i2 on a (n, b_id); create index i1 on a (b_id)]]
      local first = schemas.plain(open(ddl):model())
      assert.same(first, schemas.plain(open(ddl):model()))
    end)
  end)

  describe("columns", function()
    it("come in their order, with type, null and default", function()
      local t = table_of {
        sqlite = [[create table t (id integer primary key, name varchar(80) not null default 'it''s', price decimal(10,2) default 1.50,
          at timestamp, note text, any_thing, flag boolean not null default false, raw blob, "f" double)]],
        postgres = [[create table t (id integer primary key, name varchar(80) not null default 'it''s', price decimal(10,2) default 1.50,
          at timestamp, note text, any_thing point, flag boolean not null default false, raw bytea, "f" double precision)]],
        mysql = [[create table t (id integer primary key, name varchar(80) not null default 'it''s', price decimal(10,2) default 1.50,
          at datetime(6), note text, any_thing point, flag boolean not null default false, raw blob, f double)]],
      }
      assert.same(per_dialect(backend, {
        sqlite = { "id INTEGER integer key1", "name varchar(80) string default 'it''s'", "price decimal(10,2) decimal null default 1.50",
          "at timestamp any null", "note TEXT string null", "any_thing - any null", "flag boolean boolean default false",
          "raw BLOB bytes null", "f double number null" },
        postgres = { "id integer integer key1", "name character varying(80) string default 'it''s'::character varying",
          "price numeric(10,2) decimal null default 1.50", "at timestamp without time zone timestamp null", "note text string null",
          "any_thing point any null", "flag boolean boolean default false", "raw bytea bytes null", "f double precision number null" },
        mysql = { "id int(11) integer key1", "name varchar(80) string default 'it''s'", "price decimal(10,2) decimal null default 1.50",
          "at datetime(6) timestamp null", "note text string null", "any_thing point any null", "flag tinyint(1) boolean default 0",
          "raw blob bytes null", "f double number null" },
      }), lines("column", t.columns))
      assert.equal(80, t.columns.name.length)
      assert.equal(10, t.columns.price.precision)
      assert.equal(2, t.columns.price.scale)
      assert.equal(3, t.columns.price.position)
      assert.is_nil(t.columns.nobody)
    end)

    it("that are generated have their expression and no default", function()
      local t = table_of {
        sqlite = "create table t (a integer, b integer generated always as (a * 2) stored, c integer as (a + 1) virtual)",
        postgres = "create table t (a integer, b integer generated always as (a * 2) stored)",
        mysql = "create table t (a integer, b integer generated always as (a * 2) stored)",
      }
      assert.same(per_dialect(backend, { sqlite = "b INTEGER integer null stored (a * 2)",
        postgres = "b integer integer null stored ((a * 2))", mysql = "b int(11) integer null stored (`a` * 2)" }),
        schemas.column(t.columns.b))
      if backend.dialect == "sqlite" then assert.equal("c INTEGER integer null virtual (a + 1)", schemas.column(t.columns.c)) end
    end)
  end)

  describe("keys", function()
    it("primary: of one column, of several in their own order, of none", function()
      local schema = open [[create table one (id integer primary key);
        create table several (a integer, b integer, c integer, primary key (c, a)); create table none (a integer)]]
      assert.same({ "id" }, schema:table("one").primary_key)
      assert.same({ "c", "a" }, schema:table("several").primary_key)
      assert.same({}, schema:table("none").primary_key)
      assert.equal(2, schema:table("several").columns.a.key)
      assert.is_nil(schema:table("several").columns.b.key)
    end)

    it("foreign: their columns pairwise, their actions, to themselves, around in circles", function()
      local schema = open [[
        create table p (a integer, b integer, primary key (a, b), unique (b, a));
        create table c (id integer primary key, x integer, y integer, up integer references c (id) on delete set null,
          foreign key (y, x) references p (b, a) on update cascade on delete restrict);
        create table d (id integer primary key references c (id))]]
      local found = lines("foreign_key", schema:table("c").foreign_keys)
      table.sort(found)
      local restrict = backend.dialect == "mysql" and "" or " delete restrict" -- what it does anyway there
      assert.same({ "up -> c(id) delete set null", "y,x -> p(b,a) update cascade" .. restrict }, found)
      assert.same({ "id -> c(id)" }, lines("foreign_key", schema:table("d").foreign_keys))
    end)

    it("foreign: to a unique that is no primary key", function()
      local schema = open [[create table p (id integer primary key, code varchar(5) not null unique);
        create table c (code varchar(5) references p (code))]]
      assert.same({ "code -> p(code)" }, lines("foreign_key", schema:table("c").foreign_keys))
    end)

    it("foreign: deferrable ones", function()
      if backend.dialect == "mysql" then return end -- has none
      local t = open([[create table p (id integer primary key);
        create table t (a integer references p deferrable initially deferred, b integer references p deferrable, c integer references p)]])
        :table "t"
      local found = lines("foreign_key", t.foreign_keys)
      table.sort(found)
      assert.same({ "a -> p(id) deferrable deferred", "b -> p(id) deferrable", "c -> p(id)" }, found)
    end)

    it("unique: constraints with their names, apart from indexes", function()
      local t = table_of [[create table t (a integer, b integer, constraint ab unique (a, b)); create unique index single on t (b)]]
      local is_one = backend.dialect == "mysql" -- a unique index is a unique constraint
      assert.same(is_one and { "a,b", "b" } or { "a,b" }, lines("unique", t.uniques))
      assert.equal("ab", t.uniques[1].name)
      assert.same(is_one and {} or { "single (b) unique" }, lines("index", t.indexes))
    end)

    it("have the names that they were given", function()
      local t = open([[create table p (id integer primary key);
        create table t (a integer, b integer, constraint own primary key (b), constraint to_p foreign key (a) references p (id),
          constraint positive check (a > 0))]]):table "t"
      assert.equal("to_p", t.foreign_keys[1].name)
      assert.equal(backend.dialect ~= "mysql" and "own" or nil, t.primary_key_name) -- PRIMARY, whatever it is called
      assert.equal("positive", t.checks[1].name)
    end)
  end)

  describe("indexes", function()
    it("are partial, of expressions, descending, unique", function()
      local three = [[create table t (a integer, b varchar(9), c integer);
        create index i1 on t (a, c desc); create index i2 on t (lower(b)); create unique index i3 on t (c) where a > 3]]
      local t = table_of { sqlite = three, postgres = three,
        mysql = "create table t (a integer, b varchar(9), c integer); create index i1 on t (a, c desc); create index i2 on t (b(3))" }
      assert.same(per_dialect(backend, {
        mysql = { "i1 (a, c desc)", "i2 (b first 3)" },
        sqlite = { "i1 (a, c desc)", "i2 ((lower(b)))", "i3 (c) unique where a > 3" },
        postgres = { "i1 (a, c desc)", "i2 ((lower((b)::text)))", "i3 (c) unique where (a > 3)" },
      }), lines("index", t.indexes))
    end)

    it("that back keys are not told again", function()
      local t = table_of "create table t (id integer, a integer unique, primary key (id))"
      assert.same({}, lines("index", t.indexes))
    end)
  end)

  describe("checks", function()
    it("have their expression", function()
      local t = table_of "create table t (a integer check (a > 0), b integer, constraint larger check (b > a))"
      local found = lines("check", t.checks)
      table.sort(found)
      assert.same(per_dialect(backend, {
        sqlite = { "a > 0", "larger: b > a" },
        postgres = { "larger: (b > a)", "t_a_check: (a > 0)" },
        mysql = { "`a` > 0", "larger: `b` > `a`" },
      }), found)
    end)
  end)

  describe("views", function()
    it("have columns with types, and are no tables", function()
      local schema = open [[create table t (id integer primary key, name varchar(9) not null);
        create view v as select id as number, name from t where id > 1]]
      assert.same({ "t" }, names(schema:tables()))
      assert.same({ "v" }, names(schema:views()))
      local v = schema:table "v"
      assert.equal("view", v.kind)
      assert.same({ "number", "name" }, names(v.columns))
      assert.equal("integer", v.columns.number.kind)
      assert.equal("string", v.columns.name.kind)
      assert.is_truthy(v.definition:lower():find("select", 1, true))
    end)

    it("tell of the columns that theirs follow from", function()
      local schema = open [[create table t (id integer primary key, name varchar(9));
        create table u (id integer primary key, t_id integer references t (id));
        create view v as select u.id as number, t.name, u.t_id, t.id + 1 as more, count(*) as many
          from u join t on t.id = u.t_id group by u.id, t.name, u.t_id, t.id]]
      local from = schema:table("v").columns_of
      assert.same({ table = "u", column = "id" }, from.number)
      assert.same({ table = "t", column = "name" }, from.name)
      assert.same({ table = "u", column = "t_id" }, from.t_id)
      assert.is_nil(from.more)
      assert.is_nil(from.many)
    end)
  end)

  describe("triggers", function()
    it("have names, times and events", function()
      local t = table_of {
        mysql = "create table t (a integer); create trigger tr after insert on t for each row set @x = 1",
        sqlite = "create table t (a integer); create trigger tr after insert on t begin select 1; end",
        postgres = [[create table t (a integer); create function f() returns trigger language plpgsql as 'begin return new; end';
          create trigger tr after insert on t for each row execute function f()]],
      }
      assert.equal("tr", t.triggers[1].name)
      assert.equal("after", t.triggers[1].timing)
      assert.equal("insert", t.triggers[1].events)
    end)
  end)

  if not backend.memory then
    it("of Chinook has the same tables and keys on every database", function()
      local folder = shell.root() .. "/../shared/data/chinook"
      local naming = require "weft.naming"
      local url = backend.url(shell.read(("%s/%s.sql"):format(folder, backend.dialect)))
      if backend.dialect ~= "sqlite" then -- the script makes a database
        url = servers[backend.dialect]().url(backend.dialect == "mysql" and "Chinook" or "chinook")
      end
      weft.configure { databases = { schema_chinook = url } }
      db = weft.database "schema_chinook"
      finally(function() db:close() end)
      local found = {}
      for _, t in ipairs(db:schema():tables()) do
        local keys = {}
        for i, key in ipairs(t.foreign_keys) do
          keys[i] = naming.snake_case(("%s->%s(%s)"):format(key.columns[1], key.table, key.target[1]))
        end
        table.sort(keys)
        found[#found + 1] = ("%s %s %s"):format(naming.snake_case(t.name), naming.snake_case(table.concat(t.primary_key, ",")),
          table.concat(keys, " ")):gsub(" $", "")
      end
      table.sort(found)
      assert.same({ "album album_id artist_id->artist(artist_id)", "artist artist_id",
        "customer customer_id support_rep_id->employee(employee_id)", "employee employee_id reports_to->employee(employee_id)",
        "genre genre_id", "invoice invoice_id customer_id->customer(customer_id)",
        "invoice_line invoice_line_id invoice_id->invoice(invoice_id) track_id->track(track_id)", "media_type media_type_id",
        "playlist playlist_id",
        "playlist_track playlist_id,track_id playlist_id->playlist(playlist_id) track_id->track(track_id)",
        "track track_id album_id->album(album_id) genre_id->genre(genre_id) media_type_id->media_type(media_type_id)" }, found)
    end)
  end
end)
