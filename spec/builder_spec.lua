-- SPDX-License-Identifier: MIT
-- The schema builder: what it makes is in the database afterwards, what it undoes is gone, and what makes no sense is
-- refused at the call.

local weft = require "weft"
local backends = require "spec.support.backends"
local builder = require "weft.builder"
local diff = require "weft.schema.diff"
local raises = require "spec.support.raises"

---A migration that says most of what can be said.
local function whole(s)
  s:create_table("users", function(t)
    t:id()
    t:string("name", 80, { null = false, default = [[it's a "quote" \ backslash]] })
    t:decimal("price", 10, 2, { default = weft.decimal "1.50" })
    t:boolean("ok", { default = true, null = false })
    t:json("attrs", { default = { a = 1 } })
    t:enum("status", { "new", "it's" }, { default = "new" })
    t:integer("n", { check = "n > 0" })
    t:integer("twice", { generated = "n * 2" })
    t:timestamps()
    t:index { "name", { "n", "desc" }, unique = true }
    t:references("users", { column = "boss_id", on_delete = "set null" })
  end)
  s:create_table("posts", function(t)
    t:id()
    t:references("users", { on_delete = "cascade", null = false })
    t:string("title")
    t:timestamptz("at", { default = weft.raw "current_timestamp" })
  end)
  s:alter_table("posts", function(t)
    t:integer("votes", { default = 0, null = false })
    t:rename_column("title", "headline")
    t:index "votes"
    t:enum("mood", { "sad", "ok" })
  end)
  s:add_index("posts", { "user_id", "votes" })
  s:create_view("popular", "select id from posts")
  s:add_check("posts", "votes >= 0", { name = "votes_count" })
  s:drop_view("popular", "select id from posts")
  s:rename_table("posts", "articles")
end

backends.each(function(backend)
  local db
  before_each(function() db = backend.open() end)

  local function columns(name)
    local list = {}
    for i, column in ipairs(db:schema():table(name).columns) do list[i] = column.name end
    return table.concat(list, " ")
  end

  describe("the schema builder", function()
    it("makes what it is told, as values and not as SQL", function()
      whole(builder.new(db))
      assert.equal("id user_id headline at votes mood", columns "articles")
      db:execute "insert into users (n, created_at, updated_at) values (2, '2024-01-01 00:00:00', '2024-01-01 00:00:00')"
      local row = db:query("select name, twice, status from users")[1]
      assert.same({ [[it's a "quote" \ backslash]], 4, "new" }, { row.name, row.twice, row.status })
      raises("check", function() db:execute "update users set n = 0" end)
      raises("foreign_key", function() db:execute "insert into articles (user_id) values (77)" end)
    end)

    it("says the same to an empty database at once and when it only makes statements", function()
      local s = builder.new(db, { dry = true })
      whole(s)
      assert.is_nil(db:schema():table "users")
      local live = builder.new(db)
      whole(live)
      assert.same(s:statements(), live:statements())
    end)

    it("undoes everything that has a reverse", function()
      local empty = db:schema():model()
      whole(builder.new(db))
      builder.new(db):revert(whole)
      assert.same({}, diff.changes(empty, db:schema():model()))
    end)

    it("changes columns of a table with rows, keys and indexes, and keeps them", function()
      whole(builder.new(db))
      db:execute "insert into users (n, created_at, updated_at) values (2, '2024-01-01 00:00:00', '2024-01-01 00:00:00')"
      db:execute "insert into articles (user_id, headline) select id, '12' from users"
      builder.new(db):alter_table("articles", function(t)
        t:change_column("headline", "string(200)", { null = false, default = "none" })
        t:drop_default "votes"
        t:set_null "votes"
      end)
      builder.new(db):alter_table("users", function(t) t:set_not_null "n" end)
      assert.equal(1, db:rows("select count(*) from articles")[1][1])
      local t = db:schema():table "articles"
      assert.same({ 200, nil, true }, { t.columns.headline.length, t.columns.votes.default, t.columns.votes.nullable })
      assert.is_falsy(db:schema():table("users").columns.n.nullable)
      assert.equal("cascade", t.foreign_keys[1].on_delete)
      raises("foreign_key", function() db:execute "insert into articles (user_id, headline) values (77, 'x')" end)
    end)

    it("takes names that are words, quotes, lines and emoji", function()
      local odd = { "order", 'a "b" `c`', "two\nlines", backend.dialect == "mysql" and "naïve €" or "naïve 🚀", "it's", ("x"):rep(60) }
      local s = builder.new(db)
      for i, name in ipairs(odd) do
        s:create_table(name, function(t)
          t:id()
          for _, column in ipairs(odd) do t:integer(column, { default = i, unique = column == "order" }) end
          t:index(odd)
        end)
      end
      for _, name in ipairs(odd) do assert.equal("id " .. table.concat(odd, " "), columns(name)) end
      for _, name in ipairs(odd) do s:drop_table(name) end
      assert.equal(0, #db:schema():tables())
    end)

    it("makes two tables that point to each other", function()
      local s = builder.new(db)
      s:create_table("hens", function(t) t:id() end)
      s:create_table("eggs", function(t) t:id() t:references "hens" end)
      s:alter_table("hens", function(t) t:references "eggs" end)
      assert.equal("eggs", db:schema():table("hens").foreign_keys[1].table)
      db:execute "insert into hens (egg_id) values (null)"
      assert.equal("hens", db:schema():table("eggs").foreign_keys[1].table)
    end)

    it("runs in the transaction that is open, which undoes it where the database can", function()
      if backend.dialect == "mysql" then return end -- commits by itself
      db:transaction(function(tx)
        builder.new(db):create_table("users", function(t) t:id() end)
        tx:rollback()
      end)
      assert.is_nil(db:schema():table "users")
    end)

    it("sees what was done beside it", function()
      if backend.dialect == "mysql" then return end -- whose transactions end with the first step
      db:transaction(function()
        local s = builder.new(db)
        s:create_table("users", function(t) t:id() end)
        s:execute("create table " .. "notes (id integer primary key)")
        s:add_column("notes", "body", "text")
        s:alter_table("notes", function(t) t:index "id" t:set_not_null "body" end)
        raises("usage", function() s:add_column("note", "x", "text") end, "did you mean 'notes'")
      end)
      assert.equal("id body", columns "notes")
      assert.is_falsy(db:schema():table("notes").columns.body.nullable)
    end)

    it("refuses what makes no sense, with the nearest name", function()
      local s = builder.new(db)
      s:create_table("users", function(t) t:id() t:string "name" end)
      raises("usage", function() s:alter_table("user", function() end) end, "did you mean 'users'")
      raises("usage", function() s:alter_table("users", function(t) t:drop_column "nam" end) end, "did you mean 'name'")
      raises("usage", function() s:alter_table("users", function(t) t:string "name" end) end, "already")
      raises("usage", function() s:create_table("users", function() end) end, "already")
      raises("usage", function() s:create_table("x", function(t) t:text("a", { nul = false }) end) end, "did you mean 'null'")
      raises("usage", function() s:create_table("x", function(t) t:references("users", { on_delete = "cascad" }) end) end, "did you mean 'cascade'")
      raises("usage", function() s:create_table("x", function(t) t:id() t:index "idd" end) end, "did you mean 'id'")
      raises("usage", function() s:create_table("x", function(t) t:integer("n", { default = 0 / 0 }) end) end, "finite")
      assert.is_nil(db:schema():table "x")
    end)

    it("says which step has no reverse", function()
      local s = builder.new(db)
      s:create_table("users", function(t) t:id() end)
      raises("unsupported", function() s:revert(function(r) r:execute "select 1" end) end, "execute", "down")
      raises("unsupported", function() s:revert(function(r) r:drop_table "users" end) end, "drop_table")
      raises("unsupported", function()
        s:revert(function(r) r:alter_table("users", function(t) t:drop_column "id" end) end)
      end, "drop_column")
      assert.truthy(db:schema():table "users")
    end)
  end)
end)

describe("the schema builder of PostgreSQL", function()
  it("makes indexes beside writers, and looks at old rows of keys later", function()
    local s = builder.new "postgres"
    s:add_index("posts", "at", { concurrently = true })
    s:add_foreign_key("posts", "user_id", "users", { valid = false, target = "id" })
    s:validate_foreign_key("posts", { "user_id" })
    local list = s:statements()
    assert.same({ 'create index concurrently "posts_at_idx" on "posts" using btree ("at")', false }, { list[1].sql, list[1].transactional })
    assert.truthy(list[2].sql:find "not valid$")
    assert.equal('alter table "posts" validate constraint "posts_user_id_fkey"', list[3].sql)
  end)

  it("has enums of its own, which the others refuse", function()
    local s = builder.new "postgres"
    s:create_enum("mood", { "sad", "it's" })
    s:alter_enum_add("mood", "ok", { before = "sad" })
    assert.equal([[create type "mood" as enum ('sad', 'it''s')]], s:statements()[1].sql)
    assert.equal([[alter type "mood" add value 'ok' before 'sad']], s:statements()[2].sql)
    raises("unsupported", function() builder.new("sqlite"):create_enum("mood", { "sad" }) end, "t:enum")
  end)
end)

describe("names that nobody gave", function()
  local names = require "weft.ddl.names"
  it("are cut to what every database takes, each to another, never in the middle of a character", function()
    local long = ("é"):rep(40)
    local one, two = names.of(long, { "a" }, "idx"), names.of(long, { "b" }, "idx")
    assert.is_true(#one <= 63 and utf8.len(one) ~= nil)
    assert.not_equal(one, two)
    assert.equal(one, names.of(long, { "a" }, "idx"))
    assert.equal("users_email_idx", names.of("users", { "email" }, "idx"))
  end)
end)
