-- SPDX-License-Identifier: MIT
-- Migrations on every database: what runs, in which order, once; and what is refused.

local backends = require "spec.support.backends"
local migrate = require "weft.migrate"
local raises = require "spec.support.raises"
local shell = require "spec.support.shell"

local folder

---A fresh folder of migrations.
local function write(files)
  for name, text in pairs(files) do shell.write(folder .. "/" .. name, text) end
end

local users = "-- up\ncreate table users (id integer primary key, name varchar(20));\ninsert into users values (1, 'Ada;');\n"
  .. "-- down\ndrop table users;\n"
local posts = [[
return {
  up = function(s, db)
    s:create_table("posts", function(t) t:id() t:integer "votes" end)
    db:execute "insert into posts (votes) values (3)"
  end,
  down = function(s) s:drop_table "posts" end,
}]]

backends.each(function(backend)
  local db, said
  before_each(function()
    db = backend.open()
    folder = shell.must("mktemp -d"):gsub("%s+$", "")
    said = {}
  end)
  after_each(function() shell.run("rm -rf " .. shell.quote(folder)) end)

  local function options(more)
    local made = { dir = folder, say = function(text) said[#said + 1] = text end }
    for key, value in pairs(more or {}) do made[key] = value end
    return made
  end
  local function up(more) return migrate.up(db, options(more)) end
  local function down(more) return migrate.down(db, options(more)) end
  local function states()
    local list = {}
    for i, entry in ipairs(migrate.status(db, options())) do list[i] = entry.version .. " " .. entry.state end
    return list
  end
  local function versions(list)
    local out = {}
    for i, entry in ipairs(list) do out[i] = entry.version end
    return out
  end
  local function count(name) return db:rows("select count(*) from " .. name)[1][1] end
  local function has(name) return db:schema():table(name) ~= nil end

  describe("migrations", function()
    it("run once, in the order of their numbers, and are taken back", function()
      write { ["2_posts.lua"] = posts, ["0001_users.sql"] = users, ["10_more.sql"] = "insert into users values (2, 'Bob')" }
      assert.same({ "0001 pending", "2 pending", "10 pending" }, states())
      assert.is_false(has "weft_migrations")
      assert.same({ "0001", "2", "10" }, versions(up()))
      assert.same({}, up())
      assert.same({ 2, 1 }, { count "users", count "posts" })
      assert.equal("Ada;", db:rows("select name from users where id = 1")[1][1])
      raises("usage", down, "no way down")
      migrate.mark(db, "10", "pending", options())
      assert.same({ "2" }, versions(down()))
      assert.same({ "0001 applied", "2 pending", "10 pending" }, states())
      assert.same({ "0001" }, versions(down { to = "0" }))
      assert.is_false(has "users")
    end)

    it("go so far as they are told", function()
      write { ["1_users.sql"] = users, ["2_posts.lua"] = posts, ["3_x.sql"] = "create table x (a integer)" }
      assert.same({ "1" }, versions(up { steps = 1 }))
      assert.same({ "2" }, versions(up { to = "0002" }))
      raises("usage", function() up { to = "4" } end, "no migration 4")
      raises("usage", function() up { steps = 0 } end, "whole number")
      assert.same({ "2", "1" }, versions(down { steps = 5 }))
    end)

    it("tell what they would say, and say nothing", function()
      write { ["1_users.sql"] = users, ["2_posts.lua"] = posts, ["3_alter.lua"] = [[
        return { change = function(s) s:add_column("posts", "title", "string") end }]] }
      local list = up { dry = true }
      assert.equal("create table users (id integer primary key, name varchar(20))", list[1].statements[1])
      assert.truthy(list[2].statements[1]:find "posts" and list[2].statements[2]:find "insert into posts")
      assert.truthy(list[3].statements[1]:find "title")
      assert.is_false(has "weft_migrations" or has "users")
    end)

    it("tell what they would say about tables that only SQL makes, or why not", function()
      write { ["1_users.sql"] = users, ["2_age.lua"] = [[
        return { change = function(s) s:create_table("pets", function(t) t:id() end) s:add_column("users", "age", "integer") end }]],
        ["3_x.sql"] = "create table x (a integer)" }
      local list = up { dry = true }
      assert.equal(3, #list)
      assert.truthy(list[2].statements[1]:find "pets")
      if backend.dialect == "postgres" then assert.truthy(list[2].statements[2]:find "age")
      else assert.truthy(list[2].untold:find("there is no table 'users' yet", 1, true)) end
      assert.equal("create table x (a integer)", list[3].statements[1])
      assert.same({ "1", "2", "3" }, versions(up()))
    end)

    if backend.dialect == "postgres" then
      it("have no parameters: a ? is PostgreSQL's operator, $1 an argument", function()
        write { ["1_a.sql"] = [[
          create table t (id integer primary key, j jsonb);
          create index t_a on t (id) where j ? 'a';
          create function more(integer) returns integer begin atomic select $1 + 1; end;]],
          ["2_b.lua"] = [[return { change = function(s) s:add_index("t", "j", { name = "t_j", where = "j ? 'b'" }) end }]],
          ["3_c.sql"] = "-- transaction: false\ncreate index concurrently t_c on t (id) where j ?| array['c']" }
        up()
        assert.same({ { 2, "t_a", "t_c", "t_j" } }, db:rows [[select more(1), min(indexname), max(case when indexname = 't_c' then indexname end),
          max(case when indexname <> 't_pkey' then indexname end) from pg_indexes where tablename = 't' and indexname <> 't_pkey']])
      end)
    end

    if backend.dialect == "mysql" then
      it("are cut into statements as the client of MySQL cuts them", function()
        write { ["1_a.sql"] = [[
          # don't cut; here
          create table t (id integer primary key, name varchar(20));
          insert into t values (1, 'it\'s; so');
          DELIMITER $$
          create procedure p() begin insert into t values (2, 'a$$b'); if 1 then select 1; end if; end$$
          create trigger tr before insert on t for each row begin set new.name = concat(new.name, ';'); end $$
          delimiter ;
          call p();
          # nothing]] }
        up()
        assert.same({ { "it's; so" }, { "a$$b;" } }, db:rows "select name from t order by id")
      end)
    end

    it("that were applied stay as they are", function()
      write { ["1_users.sql"] = users, ["3_posts.lua"] = posts }
      up()
      write { ["1_users.sql"] = users .. "-- a word\n", ["2_late.sql"] = "create table late (a integer)" }
      raises("usage", up, "1_users.sql was changed after it had been applied", "new migration")
      assert.same({ "1 edited", "2 pending", "3 applied" }, states())
      assert.is_false(has "late")
      migrate.mark(db, "1", "applied", options())
      up()
      assert.equal("2_late is older than 3, which is applied already", said[#said - 1])
      shell.must("rm " .. shell.quote(folder .. "/3_posts.lua"))
      up()
      assert.truthy(said[#said]:find("3_posts is applied, but its file is missing", 1, true))
      raises("usage", down, "3_posts is missing")
    end)

    it("leave nothing when they fail, and say where", function()
      if backend.dialect == "mysql" then return end
      write { ["1_users.sql"] = users, ["2_bad.sql"] = "create table half (a integer);\nselect * from nowhere;\n" }
      local err = raises("syntax", up, "nothing of migration 2_bad is applied", "statement 2 of 2")
      assert.truthy(err.message)
      assert.same({ "1 applied", "2 pending" }, states())
      assert.is_false(has "half")
      write { ["2_bad.sql"] = "create table half (a integer);" }
      assert.same({ "2" }, versions(up()))
    end)

    it("that run statement by statement go on where they stopped", function()
      write { ["1_users.sql"] = users, ["2_bad.sql"] = "-- transaction: false\ncreate table half (a integer);\n"
        .. "insert into half values (1);\nselect * from nowhere;\ninsert into half values (2);\n" }
      raises("syntax", up, "stopped at statement 3 of 4", "statements 1 to 2 are applied", "3 to 4 are not", "weft migrate up")
      assert.same({ "1 applied", "2 running" }, states())
      raises("usage", down, "2_bad stopped in the middle", "weft migrate up")
      write { ["2_bad.sql"] = "-- transaction: false\ncreate table other (a integer);\n" }
      raises("usage", up, "put them back as they were")
      write { ["2_bad.sql"] = "-- transaction: false\ncreate table half (a integer);\ninsert into half values (1);\n"
        .. "insert into half values (3);\ninsert into half values (2);\n" }
      up()
      assert.same({ { 1 }, { 2 }, { 3 } }, db:rows "select a from half order by a")
      assert.same({ "1 applied", "2 applied" }, states())
    end)

    it("rebuild a table that others point to, and savepoints inside of them hold", function()
      write { ["1_a.lua"] = [[
        return { up = function(s, db)
          s:create_table("users", function(t) t:id() t:string "name" end)
          s:create_table("posts", function(t) t:id() t:references("users", { on_delete = "cascade" }) end)
          db:execute "insert into users (name) values ('x')"
          db:execute "insert into posts (user_id) select id from users"
        end }]], ["2_b.lua"] = [[
        return { up = function(s, db)
          s:alter_table("users", function(t) t:change_column("name", "text", { null = false }) end)
          if s.dialect == "mysql" then return end
          pcall(db.transaction, db, function() db:execute "delete from posts" error "no" end)
          db:transaction(function() db:execute "update users set name = 'y'" end)
        end }]] }
      up()
      assert.same({ 1, 1 }, { count "users", count "posts" })
      if backend.dialect ~= "mysql" then assert.equal("y", db:rows("select name from users")[1][1]) end
      raises("foreign_key", function() db:execute "insert into posts (user_id) values (99)" end)
      assert.same({ "posts", "users" }, migrate.status(db, options())[1].tables)
    end)

    it("are refused when they make no sense", function()
      write { ["1_a.sql"] = "begin; commit;" }
      raises("usage", up, "statement 1 is 'begin'", "transaction: false")
      write { ["1_a.sql"] = "select 1", ["1_b.lua"] = "return { up = function() end }" }
      raises("usage", up, "two migrations have version 1")
      shell.must("rm " .. shell.quote(folder) .. "/1_a.sql")
      for text, words in pairs { ["return 3"] = "not a number", ["return {}"] = "either up or change", ["return { upp = 1 }"] = "did you mean 'up'",
        ["return { up = 1 }"] = "up is a function", ["return {"] = "does not load" } do
        write { ["1_b.lua"] = text }
        raises("usage", up, words)
      end
      write { ["1_b.lua"] = "return { up = function() end }" }
      raises("usage", function() db:transaction(function() up() end) end, "outside of a transaction")
      raises("usage", function() migrate.up(db, { step = 1 }) end, "did you mean 'steps'")
    end)
  end)
end)
