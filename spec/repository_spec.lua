-- SPDX-License-Identifier: MIT
-- Repositories: a table by its key, with and without a model script.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local zoo = require "spec.support.zoo"

local schema = [[
  create table users (id integer primary key, name text not null, email text unique, age integer);
  create table posts (id integer primary key, user_id integer not null references users, title text);
  create table comments (id integer primary key, post_id integer references posts, body text);
  create table seats (hall text, place integer, taken text, primary key (hall, place));
  create table notes (body text, n integer);
  create table "odd name" ("UserId" integer primary key, "a ""b""" text, "save" text, "find_by" text);
  create view adults as select id, name, age from users where age >= 18;
  insert into users values (1, 'Ada', 'ada@x', 36), (2, 'Bob', 'bob@x', 17), (3, 'Cy', null, 36);
  insert into posts values (10, 1, 'p'), (11, 1, 'q'), (12, 2, 'r');
  insert into comments values (100, 10, 'x'), (101, 10, 'y'), (102, 12, 'z');
  insert into seats values ('a', 1, 'Ada'), ('a', 2, null), ('b', 1, null);
  insert into notes values ('n', 2), ('m', 1);
  insert into "odd name" values (1, 'x', 's', 'f');]]

local moment = { sqlite = "datetime", postgres = "timestamptz", mysql = "datetime(6)" }

local function ids(rows)
  local list = {}
  for i, row in ipairs(rows) do list[i] = row.id end
  return list
end

backends.each(function(backend)
  describe("a repository", function()
    local db, users

    before_each(function()
      db = backend.open(schema)
      users = db:repository "users"
    end)

    it("is the same one each time, by any of the table's names", function()
      assert.equal(users, db:repository "users")
      assert.equal(users, db:repository "USERS")
    end)

    it("raises usage for a table that is not there, with the nearest one", function()
      raises("usage", function() db:repository "user" end, "no table 'user'", "did you mean 'users'?")
      for _, wrong in ipairs { "", 1, true, {} } do
        raises("usage", function() db:repository(wrong) end, "name of a table")
      end
      raises("usage", function() db:repository() end, "name of a table")
      raises("usage", function() db:repository("users").find(1) end, "repository:find(", "repository_spec.lua:")
      raises("usage", function() db:repository "users'; drop table users; --" end, "no table")
      assert.equal(3, users:count())
    end)

    it("finds rows by key", function()
      assert.equal("Ada", users:find(1).name)
      assert.equal("Ada", users:find { id = 1 }.name)
      assert.is_nil(users:find(9))
      for _, wrong in ipairs { {}, { 1, 2 }, { id = 1, name = "Ada" }, { name = "Ada" }, { { 1 } } } do
        raises("usage", function() users:find(wrong) end, "the key of users is (id)")
      end
      raises("usage", function() users:find() end, "the key of users is (id)")
    end)

    it("finds all rows, or those that the options say", function()
      assert.equal(3, #users:find_all())
      assert.same({ 3, 1 }, ids(users:find_all { where = { age = 36 }, order = { "id", "desc" } }))
      assert.same({ 2 }, ids(users:find_all { order = "id", limit = 1, offset = 1 }))
      assert.same({ 2, 3, 1 }, ids(users:find_all { order = { "age", { "id", "desc" } } }))
      assert.same({ "id", "name" }, weft.columns(users:find_all { select = { "id", "name" } }[1]))
      local ada = users:find_all { where = { id = 1 }, include = { { "posts", order = "id" } } }[1]
      assert.same({ 10, 11 }, ids(rawget(ada, "posts")))
      raises("usage", function() users:find_all { wher = {} } end, "did you mean 'where'?")
      raises("usage", function() users:find_all "name" end, "table of options")
    end)

    it("finds rows by values", function()
      assert.equal(1, users:find_by { age = 36 }.id)
      assert.is_nil(users:find_by { age = 36, name = "Bob" })
      raises("usage", function() users:find_by {} end)
      raises("usage", function() users:find_by { nmae = "Ada" } end, "did you mean 'name'?")
    end)

    it("has a finder for each column", function()
      assert.equal("Bob", users:find_by_email("bob@x").name)
      assert.equal(3, users:find_by_email(weft.null).id)
      assert.is_nil(users:find_by_email "nobody")
      raises("usage", function() return users:find_by_email(nil) end, "weft.null")
      raises("usage", function() return users.find_by_emial end, "unknown finder 'find_by_emial'", "'find_by_email'")
      raises("usage", function() return users.find_al end, "'find_all'")
      raises("usage", function() return users["find_by_"] end, "unknown finder")
      assert.is_nil(users.anything)
      assert.is_nil(users[1])
    end)

    it("has finders of columns that are no names of Lua's, and of names in snake_case", function()
      local odd = db:repository "odd name"
      assert.equal(1, odd['find_by_a "b"'](odd, "x").UserId)
      assert.equal("x", odd:find_by_user_id(1)['a "b"'])
      assert.equal("x", odd:find_by_UserId(1)['a "b"'])
      assert.equal(1, odd:find_by_save("s").UserId)
      assert.equal(1, odd:find_by_find_by("f").UserId)
    end)

    it("finds a row with what belongs to it", function()
      local ada = users:find_with(1, { "posts.comments" })
      local statements = 0
      local off = weft.on("query", function() statements = statements + 1 end)
      local comments = 0
      for _, post in ipairs(ada.posts) do comments = comments + #post.comments end
      off()
      assert.same({ 2, 2, 0 }, { #ada.posts, comments, statements })
      assert.equal(2, #users:find_with(1, "posts").posts)
      assert.is_nil(users:find_with(9, { "posts" }))
      raises("usage", function() users:find_with(1) end, "what to include")
      raises("usage", function() users:find_with(1, { "post" }) end, "did you mean 'posts'?")
    end)

    it("counts, and says whether there is a row", function()
      assert.same({ 3, 2 }, { users:count(), users:count { age = 36 } })
      assert.same({ true, false, true, false }, { users:exists(1), users:exists(9), users:exists { age = 17 },
        users:exists { age = 18 } })
      assert.is_true(users:exists())
      raises("usage", function() users:exists(nil) end, "the key of users")
      db:execute "delete from notes"
      assert.is_false(db:repository("notes"):exists())
    end)

    it("gives pages", function()
      local page = users:paginate { page = 2, size = 2 }
      assert.same({ 3, 2, 2, 2 }, { page.total, page.pages, page.page, page.size })
      assert.same({ 3 }, ids(page.rows))
      assert.same({ 1, 2, 3 }, ids(users:paginate().rows))
      assert.same({ 2, 1 }, ids(users:paginate { size = 2, order = "age" }.rows))
      local none = users:paginate { where = { age = 99 } }
      assert.same({ 0, 0, 0 }, { #none.rows, none.total, none.pages })
      assert.same({ 0, 3 }, { #users:paginate { page = 9 }.rows, users:paginate { page = 9 }.total })
      for _, wrong in ipairs { { page = 0 }, { page = 1.5 }, { size = -1 }, { size = "2" }, { limit = 3 },
        { page = math.maxinteger }, { size = math.maxinteger } } do
        raises("usage", function() users:paginate(wrong) end)
      end
    end)

    it("creates, updates and deletes rows", function()
      local eve = users:create { id = 4, name = "Eve" }
      assert.equal("Eve", eve.name)
      assert.equal(5, users:update(4, { age = 5 }).age)
      assert.equal(5, users:find(4).age)
      assert.is_true(users:delete(4))
      assert.is_false(users:delete(4))
      raises("not_found", function() users:update(4, { age = 6 }) end)
      raises("usage", function() users:delete { 1, 2 } end, "the key of users")
      raises("usage", function() users:delete {} end, "the key of users")
      raises("usage", function() users:delete(nil) end, "the key of users")
      raises("usage", function() users:update(1, { agee = 1 }) end)
      raises("unique", function() users:update(2, { email = "ada@x" }) end)
      assert.same({ 1, 2, 3 }, ids(users:find_all { order = "id" }))
    end)

    it("knows composite keys as lists and by name", function()
      local seats = db:repository "seats"
      assert.equal("Ada", seats:find({ "a", 1 }).taken)
      assert.equal("Ada", seats:find({ place = 1, hall = "a" }).taken)
      assert.equal("Bob", seats:update({ "a", 2 }, { taken = "Bob" }).taken)
      assert.is_true(seats:delete { hall = "b", place = 1 })
      assert.same({ true, false, 2 }, { seats:exists { "a", 2 }, seats:exists { "b", 1 }, seats:count() })
      for _, wrong in ipairs { "a", { "a" }, { "a", 1, 2 }, { "a", { 1 } } } do
        raises("usage", function() seats:find(wrong) end, "the key of seats is (hall, place)")
      end
    end)

    it("reads tables without a key and views, and says what cannot be", function()
      local notes, adults = db:repository "notes", db:repository "adults"
      assert.equal(2, notes:find_by_body("n").n)
      assert.equal("m", notes:paginate { order = "n" }.rows[1].body)
      raises("usage", function() notes:find(1) end, "no primary key")
      raises("usage", function() notes:delete(1) end, "no primary key")
      raises("usage", function() notes:paginate() end, "say order")
      assert.equal(2, adults:count())
      assert.equal(1, adults:find_by_name("Ada").id)
    end)

    it("learns what has changed", function()
      db:execute "alter table users add column nick text"
      assert.equal(users, db:repository "users")
      assert.is_nil(users:find_by_nick "x")
      db:execute "create table later (id integer primary key)"
      assert.equal(0, db:repository("later"):count())
      db:execute "drop table later"
      raises("usage", function() db:repository "later" end, "no table")
    end)

    it("finds a table that another program made since the schema was read", function()
      if backend.memory then return end
      local _, _, url = backend.open()
      weft.configure { databases = { repository_one = url, repository_other = url } }
      local one, other = weft.database "repository_one", weft.database "repository_other"
      finally(function() one:close() other:close() end)
      raises("usage", function() one:repository "late" end, "no table")
      other:script "create table late (id integer primary key); insert into late values (4)"
      assert.equal(4, one:repository("late"):find(4).id)
      assert.same({ "added table late" }, { tostring(one:schema():refresh()[1]) })
    end)

    it("takes part in transactions", function()
      raises("usage", function()
        db:transaction(function()
          users:create { id = 5, name = "Eve" }
          assert.is_true(db:repository("users"):exists(5))
          weft.fail("usage", "no")
        end)
      end)
      assert.is_false(users:exists(5))
    end)

    it("is one for all tasks that ask at once", function()
      local write, remove = zoo.folder()
      finally(remove)
      local fresh, name = backend.open(schema) -- whose scripts nobody has looked for
      write(("models/%s/Post.lua"):format(name), 'weft.sleep(0.01); return weft.model {}')
      local function ask() return fresh:repository "posts" end
      local found = weft.all { ask, ask, ask }
      assert.equal(found[1], found[2])
      assert.equal(found[1], found[3])
      assert.equal(weft.models(name).Post, found[1].model)
    end)

    it("takes nothing for a key that names no row, or more than one", function()
      local all = weft.raw("id or 1 = 1")
      for _, wrong in ipairs { weft.null, all, weft.array { 1, 2 }, weft.json { 1 }, weft.any_of { { id = 1 } }, { all },
        { id = weft.null }, { id = { 1, 2 } } } do
        for _, method in ipairs { "find", "delete", "update", "find_with" } do
          raises("usage", function() users[method](users, wrong, method == "update" and { age = 1 } or "posts") end)
        end
      end
      raises("usage", function() users:exists(all) end, "the key of users")
      assert.same({ 1, 2, 3 }, ids(users:find_all { order = "id", where = { id = { 1, 2, 3 } } }))
    end)

    it("takes no empty table for a condition", function()
      for _, wrong in ipairs { "exists", "count", "find_by" } do
        raises("usage", function() users[wrong](users, {}) end)
      end
      raises("usage", function() users:find_all { where = {} } end)
    end)

    it("raises usage for a method that is called without it", function()
      for _, method in ipairs { "find_all", "find", "find_by", "find_with", "count", "exists", "paginate", "create", "update",
        "delete" } do
        assert.is_false(pcall(users[method], 1), method)
      end
    end)

    it("raises closed when its database is", function()
      db:close()
      raises("closed", function() users:find(1) end)
      raises("closed", function() db:repository "posts" end)
    end)
  end)

  describe("a repository of a table that has a model script", function()
    it("does what the script says", function()
      local write, remove = zoo.folder()
      finally(remove)
      local db, name = backend.open(([[
        create table accounts (id integer primary key, name text, version integer not null default 1, deleted_at %s);
        insert into accounts (id, name) values (1, 'Ada'), (2, 'Bob');]]):format(moment[backend.dialect]))
      write(("models/%s/Account.lua"):format(name), [[
        return weft.model {
          version = "version", soft_delete = "deleted_at",
          hooks = { before_save = function(row) row.name = row.name .. "!" end },
        }]])
      local accounts = db:repository "accounts"
      assert.equal(weft.models(name).Account, accounts.model)
      assert.equal("Eve!", accounts:create({ id = 3, name = "Eve" }).name)
      local changed = accounts:update(1, { name = "Ann" })
      assert.same({ "Ann!", 2 }, { changed.name, changed.version })
      assert.is_true(accounts:delete(2))
      assert.is_nil(accounts:find(2))
      assert.is_false(accounts:delete(2))
      assert.equal(3, db:query("select count(*) as n from accounts")[1].n)
      assert.equal(2, accounts:paginate().total)
    end)
  end)
end)

backends.each(function(backend)
  it("finds tables of other schemas by their full names, whatever tables have the same name", function()
    local db = backend.open [[
      create schema b; create schema "c.d";
      create table users (id integer primary key, name text);
      create table b.users (id integer primary key, name text);
      create table "c.d".logs (id integer primary key);
      insert into users values (1, 'here');
      insert into b.users values (1, 'there');
      insert into "c.d".logs values (7);]]
    assert.equal("here", db:repository("users"):find(1).name)
    assert.equal("there", db:repository("b.users"):find(1).name)
    assert.equal(db:repository "users", db:repository "public.users")
    assert.equal(7, db:repository("c.d.logs"):find(7).id)
    raises("usage", function() db:repository "b.user" end, "did you mean 'b.users'?")
  end)

  it("knows the script of a table that says the schema which need not be said", function()
    local write, remove = zoo.folder()
    finally(remove)
    local db, name = backend.open "create table users (id integer primary key, name text)"
    write(("models/%s/User.lua"):format(name), 'return weft.model { table = "users", schema = "public", validate = { name = { required = true } } }')
    assert.equal(weft.models(name).User, db:repository("users").model)
    assert.equal(weft.models(name).User, db:repository("public.users").model)
    raises("validation", function() db:repository("users"):create { id = 1 } end)
  end)
end, "postgres")
