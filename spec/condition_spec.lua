-- SPDX-License-Identifier: MIT
-- Conditions on rows that associations lead to, within one database. Those of other databases are in
-- remote_condition_spec, random ones in condition_random_spec, joins in join_spec.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local mysql_text = require "spec.support.mysql_text"
local scripts = require "spec.support.scripts"

local null, some, none, every = weft.null, weft.some, weft.none, weft.every
local any_of, all_of, negate = weft.any_of, weft.all_of, weft.negate

-- Author 4 has no book, author 5 is nobody's student and has one deleted book; book 6 has no author; book 7 is deleted.
-- Book 3 has no review, book 4 one whose stars are NULL.
local schema = [[
  create table authors (id integer primary key, name text not null, mentor_id integer references authors);
  create table books (id integer primary key, author_id integer references authors, title text, pages integer, attrs %s,
    gone_at text);
  create table reviews (id integer primary key, book_id integer not null references books, stars integer, words text);
  create table replies (id integer primary key, review_id integer not null references reviews, words text);
  create table tags (id integer primary key, name text);
  create table book_tags (book_id integer references books, tag_id integer references tags, primary key (book_id, tag_id));
  create table covers (id integer primary key, book_id integer unique references books, color text);
  create table rooms (house text, number integer, floor integer, primary key (house, number));
  create table beds (id integer primary key, house text, number integer, wide integer,
    foreign key (house, number) references rooms);
  create table notes (id integer unique, parent_id integer references notes (id), line text);
  insert into notes values (1, null, 'a'), (2, 1, 'a');]]

local filling = [[
  insert into authors values (1, 'Ann', null), (2, 'Ben', 1), (3, 'Cat', 1), (4, 'Dan', 2), (5, 'Eve', null);
  insert into books values (1, 1, 'one', 100, '{"lang":"de","author":"x"}', null), (2, 1, 'two', 200, '{"lang":"fr"}', null),
    (3, 2, 'three', null, null, null), (4, 2, 'four', 400, '{"lang":"de"}', null), (5, 3, 'five', 500, null, null),
    (6, null, 'six', 600, null, null), (7, 5, 'seven', 700, null, 'now');
  insert into reviews values (1, 1, 5, 'fine'), (2, 1, 1, 'bad'), (3, 2, 5, 'bad'), (4, 4, null, 'fine'), (5, 5, 3, null),
    (6, 5, 5, 'fine'), (7, 7, 5, 'lost'), (8, 6, 2, 'bad');
  insert into replies values (1, 1, 'thanks'), (2, 2, 'no'), (3, 4, 'thanks'), (4, 7, 'thanks');
  insert into tags values (1, 'red'), (2, 'green'), (3, 'blue'), (4, 'idle');
  insert into book_tags values (1, 1), (1, 2), (2, 2), (4, 1), (5, 3), (7, 3), (7, 4);
  insert into covers values (1, 1, 'black'), (2, 2, null), (3, 7, 'black');
  insert into rooms values ('a', 1, 0), ('a', 2, 1), ('b', 1, 0), ('b', 2, 2);
  insert into beds values (1, 'a', 1, 90), (2, 'a', 1, 140), (3, 'b', 1, 90), (4, 'b', null, 140), (5, null, 2, 140);]]

local tables = { sqlite = schema:format "json", postgres = schema:format "jsonb",
  mysql = mysql_text.of(schema:format "json") }

local definitions = {
  Book = [[soft_delete = "gone_at", associations = {
    praise = weft.has_many { model = "Review", where = { { "stars", ">=", 4 } } },
    critics = weft.has_many { model = "Review", where = { { "replies.words", "=", "no" } } },
  }, scopes = { praised = function(q) return q:where("reviews.stars", "=", 5) end }]],
  Author = [[associations = {
    students = weft.has_many { model = "Author", foreign_key = "mentor_id" },
    colleagues = weft.many_to_many { model = "Author", through = "books", foreign_key = "author_id", other_key = "author_id" },
  }]],
}

-- The model, what the fact says, keys of the rows that match, the query's conditions.
local facts = {
  { "Book", "a column of belongs_to", "1 2", function(q) return q:where("author.name", "=", "Ann") end },
  { "Book", "belongs_to of a row without one", "5",
    function(q) return q:where("author.name", "!=", "Ann"):where("pages", ">", 400) end },
  { "Book", "has_many: some such row", "1 2 5", function(q) return q:where("reviews.stars", "=", 5) end },
  { "Book", "a table with a dotted name", "1 2 5", function(q) return q:where { ["reviews.stars"] = 5 } end },
  { "Book", "has_one", "1", function(q) return q:where("cover.color", "=", "black") end },
  { "Book", "IS NULL in has_one is of a row that is there", "2",
    function(q) return q:where("cover.color", "is_null") end },
  { "Book", "IS NULL in has_one, negated: rows without one too", "1 3 4 5 6",
    function(q) return q:where(negate { { "cover.color", "is_null" } }) end },
  { "Book", "NOT NULL in has_one, negated", "2 3 4 5 6", function(q) return q:where(negate { { "cover.color", "not_null" } }) end },
  { "Book", "not negated twice", "1 2",
    function(q) return q:where { { "reviews.words", "=", "bad" }, negate { negate { { "reviews.stars", "=", 5 } } } } end },
  { "Book", "weft.null in a table", "2", function(q) return q:where { ["cover.color"] = null } end },
  { "Book", "NOT NULL", "1", function(q) return q:where("cover.color", "not_null") end },
  { "Book", "a list", "1 2 4", function(q) return q:where("tags.name", "in", { "red", "green" }) end },
  { "Book", "an empty list", "", function(q) return q:where("tags.name", "in", {}) end },
  { "Book", "not in an empty list is any row", "1 2 4 5", function(q) return q:where("tags.name", "not_in", {}) end },
  { "Book", "not_in is of some row, not of all", "1 2 5",
    function(q) return q:where("tags.name", "not_in", { "red" }) end },
  { "Book", "NULL in a list", "4 5", function(q) return q:where("reviews.stars", "in", { 3, null }) end },
  { "Book", "NULL in a list, of the same row", "4",
    function(q) return q:where { { "reviews.stars", "in", { 3, null } }, { "reviews.words", "=", "fine" } } end },
  { "Book", "NULL not in a list, of the same row", "6",
    function(q) return q:where { { "reviews.stars", "not_in", { 1, 5, null } }, { "reviews.words", "=", "bad" } } end },
  { "Book", "an empty list of the same row", "",
    function(q) return q:where { { "reviews.stars", "in", {} }, { "reviews.words", "=", "fine" } } end },
  { "Book", "an empty list in some", "", function(q) return q:where(some("reviews", { stars = {} })) end },
  { "Book", "an empty list in every: rows without", "3",
    function(q) return q:where(every("reviews", { stars = {} })) end },
  { "Book", "between", "5 6", function(q) return q:where("reviews.stars", "between", { 2, 4 }) end },
  { "Book", "begins_with", "1 2 6", function(q) return q:where("reviews.words", "begins_with", "ba") end },
  { "Book", "ilike", "1 4 5", function(q) return q:where("reviews.words", "ilike", "FIN_") end },
  { "Author", "a path through two", "1", function(q) return q:where("books.reviews.words", "=", "bad") end },
  { "Author", "a path through three", "1", function(q) return q:where("books.reviews.replies.words", "=", "no") end },
  { "Review", "a path upwards", "4",
    function(q)
      return q:where("book.author.mentor.name", "=", "Ann"):where("words", "=", "fine"):where("stars", "is_null")
    end },
  { "Book", "json behind an association", "1 2", function(q) return q:where("author.books.attrs.lang", "=", "fr") end },
  { "Book", "json of its own column first", "1 4", function(q) return q:where("attrs.lang", "=", "de") end },
  { "Book", "json whose key is called like an association", "1",
    function(q) return q:where("attrs.author", "=", "x") end },

  -- the same row
  { "Book", "one where speaks of one row", "2",
    function(q) return q:where { { "reviews.stars", "=", 5 }, { "reviews.words", "=", "bad" } } end },
  { "Book", "one where, names as keys", "2",
    function(q) return q:where { ["reviews.stars"] = 5, ["reviews.words"] = "bad" } end },
  { "Book", "two wheres need not", "1 2",
    function(q) return q:where("reviews.stars", "=", 5):where("reviews.words", "=", "bad") end },
  { "Author", "one where speaks of one row along a path", "1",
    function(q)
      return q:where { { "books.pages", "=", 200 }, { "books.reviews.words", "=", "bad" }, { "books.reviews.stars", "=", 5 } }
    end },
  { "Author", "one where, no such path", "",
    function(q) return q:where { { "books.pages", "=", 100 }, { "books.tags.name", "=", "blue" } } end },
  { "Book", "all_of inside speaks of the same row", "2",
    function(q) return q:where(all_of { { "reviews.stars", "=", 5 }, { "reviews.words", "=", "bad" } }) end },
  { "Book", "a list inside a list speaks of the same row", "2",
    function(q) return q:where { { { "reviews.stars", "=", 5 }, { "reviews.words", "=", "bad" } }, { "pages", ">", 0 } } end },
  { "Book", "each of any_of speaks of its own row", "1 2 6",
    function(q)
      local both = { { "reviews.stars", "=", 5 }, { "reviews.words", "=", "bad" } }
      return q:where(any_of { { "reviews.words", "=", "bad" }, both })
    end },
  { "Book", "any_of of which one entry is left speaks of its own row, too", "1 2", function(q)
    return q:where { { "reviews.words", "=", "bad" }, any_of { { "reviews.stars", "=", 5 }, { "title", "in", {} } } }
  end },
  { "Book", "any_of of lists in json", "1 2 4", function(q)
    return q:where(any_of { { "attrs.lang", "in", {} }, { "attrs.lang", "in", { "de" } }, { "attrs.lang", "=", "fr" } })
      :where("attrs.lang", "not_in", {})
  end },
  { "Book", "negate of several on one row", "1 3 4 5 6",
    function(q) return q:where(negate { { "reviews.stars", "=", 5 }, { "reviews.words", "=", "bad" } }) end },
  { "Book", "a scope", "1 2 5", function(q) return q:praised() end },

  -- some, none, every
  { "Book", "some without a condition", "1 2 4 5 6", function(q) return q:where(some "reviews") end },
  { "Book", "none without a condition", "3", function(q) return q:where(none "reviews") end },
  { "Book", "some", "1 2 5", function(q) return q:where(some("reviews", { stars = 5 })) end },
  { "Book", "some with several on one row", "2",
    function(q) return q:where(some("reviews", { stars = 5, words = "bad" })) end },
  { "Book", "two somes on two rows", "1 2",
    function(q) return q:where { some("reviews", { stars = 5 }), some("reviews", { words = "bad" }) } end },
  { "Book", "a dotted name beside some is of another row", "1 2",
    function(q) return q:where { some("reviews", { stars = 5 }), { "reviews.words", "=", "bad" } } end },
  { "Book", "none: NULL does not match", "3 4 6",
    function(q) return q:where(none("reviews", { stars = 5 })):where(none("reviews", { stars = 3 })) end },
  { "Book", "every: true without rows, false with a NULL", "2 3",
    function(q) return q:where(every("reviews", { stars = 5 })) end },
  { "Book", "every: a negation of NULL is not true", "2 3 6",
    function(q) return q:where(every("reviews", { { "words", "!=", "fine" } })) end },
  { "Book", "every over IS NULL", "3 4", function(q) return q:where(every("reviews", { { "stars", "is_null" } })) end },
  { "Book", "negated some is none", "3 4 6",
    function(q) return q:where(negate { some("reviews", { { "stars", "in", { 3, 5 } } }) }) end },
  { "Book", "negated none is some", "1 2 5",
    function(q) return q:where(negate { none("reviews", { stars = 5 }) }) end },
  { "Book", "negated every", "1 4 5 6", function(q) return q:where(negate { every("reviews", { stars = 5 }) }) end },
  { "Book", "negate inside some", "4",
    function(q) return q:where(some("reviews", { negate { { "words", "=", "bad" } }, { "stars", "is_null" } })) end },
  { "Book", "negate of NULL inside some does not hold", "5",
    function(q) return q:where(some("reviews", negate { { "stars", "in", { 1, 2, 5 } } })) end },
  { "Book", "any_of inside some", "1 4 5",
    function(q) return q:where(some("reviews", any_of { { words = "fine" }, { "stars", "between", { 3, 4 } } })) end },
  { "Book", "any_of around", "1 2 3 5",
    function(q) return q:where(any_of { { "reviews.stars", "=", 5 }, none "reviews" }) end },
  { "Book", "any_of with a column", "1 2 4 6",
    function(q) return q:where(any_of { { "author.name", "=", "Ann" }, { "title", "in", { "four", "six" } } }) end },
  { "Book", "negated belongs_to: rows without one too", "3 4 5 6",
    function(q) return q:where(negate { { "author.name", "=", "Ann" } }) end },
  { "Book", "negated any_of", "3 4",
    function(q) return q:where(negate { any_of { { "reviews.stars", ">=", 2 }, { "title", "=", "six" } } }) end },
  { "Author", "some of a path", "1", function(q) return q:where(some("books.reviews", { words = "bad" })) end },
  { "Author", "none of a path", "2 3 4 5", function(q) return q:where(none("books.reviews", { words = "bad" })) end },
  { "Author", "every of a path", "4 5", function(q) return q:where(every("books.reviews", { stars = 5 })) end },
  { "Author", "some inside some", "1",
    function(q) return q:where(some("books", { some("reviews", { stars = 1 }) })) end },
  { "Author", "none inside some", "2", function(q) return q:where(some("books", none "reviews")) end },
  { "Author", "every inside every", "3 4 5",
    function(q) return q:where(every("books", every("reviews", { { "stars", "not_null" } }))):where("id", ">", 2) end },
  { "Author", "none inside none: nobody lacks", "1 3 4 5",
    function(q) return q:where(none("books", none "reviews")) end },
  { "Author", "dotted names inside some", "1",
    function(q) return q:where(some("books", { { "reviews.words", "=", "bad" }, { "tags.name", "=", "red" } })) end },
  { "Author", "both sides of a diamond", "2",
    function(q) return q:where(some("books", { { "tags.name", "=", "red" }, { "reviews.stars", "is_null" } })) end },

  -- many_to_many
  { "Book", "many_to_many", "1 4", function(q) return q:where("tags.name", "=", "red") end },
  { "Book", "many_to_many, one where", "",
    function(q) return q:where { { "tags.name", "=", "red" }, { "tags.id", "=", 2 } } end },
  { "Book", "many_to_many, two wheres", "1",
    function(q) return q:where("tags.name", "=", "red"):where("tags.name", "=", "green") end },
  { "Book", "none of many_to_many", "3 6", function(q) return q:where(none "tags") end },
  { "Book", "every of many_to_many", "3 4 6", function(q) return q:where(every("tags", { name = "red" })) end },
  { "Tag", "many_to_many from the other side", "1 2", function(q) return q:where("books.author.name", "=", "Ann") end },
  { "Tag", "there and back", "1 2", function(q) return q:where("books.tags.name", "=", "red") end },
  { "Book", "the table in between", "1 2", function(q) return q:where("book_tags.tag_id", "=", 2) end },

  -- the same table again
  { "Author", "itself upwards", "2 3", function(q) return q:where("mentor.name", "=", "Ann") end },
  { "Author", "itself downwards", "1", function(q) return q:where("students.name", "=", "Cat") end },
  { "Author", "itself twice", "4", function(q) return q:where("mentor.mentor.name", "=", "Ann") end },
  { "Author", "itself there and back", "2 3", function(q) return q:where("mentor.students.name", "=", "Cat") end },
  { "Author", "none of itself", "3 4 5", function(q) return q:where(none "students") end },
  { "Author", "every of itself", "2 3 4 5",
    function(q) return q:where(every("students", { { "name", "=", "Dan" } })) end },
  { "Author", "itself through another table", "1", function(q) return q:where("colleagues.name", "=", "Ann") end },

  -- what a model says of its rows
  { "Author", "deleted rows do not count", "4 5", function(q) return q:where(none "books") end },
  { "Author", "nor do they on the way", "", function(q) return q:where("books.title", "=", "seven") end },
  { "Tag", "nor at the far side", "4", function(q) return q:where(none "books") end },
  { "Tag", "nor those below them", "3",
    function(q) return q:where("books.reviews.stars", "=", 3):where(none("books.reviews", { words = "lost" })) end },
  { "Author", "every looks at rows that are there", "1 2 3 4 5",
    function(q) return q:where(every("books", { { "title", "!=", "seven" } })) end },
  { "Book", "deleted rows when they are wanted", "7",
    function(q) return q:with_deleted():where("reviews.words", "=", "lost") end },
  { "Book", "only deleted rows", "7", function(q) return q:only_deleted():where("author.name", "=", "Eve") end },
  { "Book", "the association's own where", "1 2 5", function(q) return q:where(some "praise") end },
  { "Book", "the association's own where, same row", "2", function(q) return q:where("praise.words", "=", "bad") end },
  { "Book", "every within the association's own where", "1 3 4 5 6",
    function(q) return q:where(every("praise", { words = "fine" })) end },
  { "Book", "an own where that goes on", "1", function(q) return q:where(some "critics") end },

  -- composite keys
  { "Room", "a composite key", "a1 b1", function(q) return q:where("beds.wide", "=", 90) end },
  { "Room", "a composite key, a part is NULL", "a2 b2", function(q) return q:where(none "beds") end },
  { "Bed", "a composite key upwards", "1 2 3", function(q) return q:where("room.floor", "=", 0) end },
  { "Bed", "a composite key that is NULL", "4 5", function(q) return q:where(none "room") end },

  -- raw text inside
  { "Book", "raw text of the association's table", "1 5",
    function(q) return q:where(some("reviews", weft.raw("stars - ? > 2 and words <> ?", 1, "bad"))) end },
}

backends.each(function(backend)
  local sqlite = backend.dialect == "sqlite"
  local db, name, m

  setup(function()
    db, name = backend.open(tables, not backend.memory and { pool = { max = 4, wait = 20 } } or nil)
    scripts.write(name, definitions)
    m = weft.models(name)
  end)

  teardown(scripts.remove)

  before_each(function()
    db:execute "update authors set mentor_id = null"
    for table_name in ("beds rooms covers book_tags tags replies reviews books authors"):gmatch "%S+" do
      db:execute("delete from " .. table_name)
    end
    db:script(filling)
  end)

  local function key(row) return row.house and row.number and not row.wide and row.house .. row.number or tostring(row.id) end

  local function keys(rows)
    local list = {}
    for i, row in ipairs(rows) do list[i] = key(row) end
    table.sort(list)
    return table.concat(list, " ")
  end

  describe("a condition through an association", function()
    for _, fact in ipairs(facts) do
      local model, what, expected, conditions = table.unpack(fact)
      it("says " .. what, function()
        assert.equal(expected, keys(conditions(m[model]):all())) -- the table is not known yet
        assert.equal(expected, keys(conditions(m[model]):all()))
      end)
    end
  end)

  describe("conditions through associations", function()
    local function titles(rows)
      local list = {}
      for i, row in ipairs(rows) do list[i] = row.title end
      return table.concat(list, " ")
    end

    it("hold in count, exists, pluck, sum and first", function()
      local praised = m.Book:where("reviews.stars", "=", 5)
      assert.equal(3, praised:count())
      assert.is_true(praised:exists())
      assert.is_false(praised:where(none "tags"):exists())
      assert.same({ 1, 2, 5, n = 3 }, praised:order "id":pluck "id")
      assert.equal(800, weft.decode(weft.encode(praised:sum "pages")))
      assert.equal("five", praised:order("pages", "desc"):first().title)
      assert.equal("two", praised:where("tags.name", "=", "green"):where("title", "!=", "one"):one().title)
      assert.equal("one", praised:find(1).title)
      assert.is_nil(praised:find(4))
      assert.equal("one", m.Book:find_by({ ["author.name"] = "Ann", ["reviews.words"] = "fine" }).title)
      assert.same({ 1, 2 }, weft.decode(weft.encode(m.Book:where("author.name", "=", "Ann"):order "id":pluck "id")))
    end)

    it("hold in groups", function()
      local rows = m.Book:where(some "reviews"):group "author_id":select { "author_id", n = weft.count() }
        :having("n", ">", 1):all()
      assert.same({ { author_id = 1, n = 2 } }, weft.decode(weft.encode(rows)))
    end)

    it("hold in page and each", function()
      local query = m.Book:where(some "reviews"):order("pages", "desc")
      local page = query:page { size = 2 }
      assert.equal("six five", titles(page.rows))
      page = query:page { size = 2, after = page.next }
      assert.equal("four two", titles(page.rows))
      assert.equal("six five", titles(query:page { size = 2, before = page.previous }.rows))
      local list = {}
      for row in query:each(2) do list[#list + 1] = row.title end
      assert.equal("six five four two one", table.concat(list, " "))
    end)

    it("hold in json and sql", function()
      local query = m.Book:where("reviews.stars", "=", 5):where("pages", ">", 100):select "id":order("id", "desc")
      assert.equal('[{"id":5},{"id":2}]', query:json())
      local sql, params = m.Book:where("reviews.stars", "=", 5):where("author.name", "=", "Ann"):select "id":sql()
      assert.same({ 5, "Ann" }, params)
      assert.equal(1, select(2, sql:gsub("exists%(select 1 from [^(]*reviews", "")), sql)
      assert.same({ { 1 }, { 2 } }, (function()
        local rows = db:rows(sql .. " order by 1", table.unpack(params))
        for i, row in ipairs(rows) do rows[i] = { row[1] } end
        return rows
      end)())
    end)

    it("hold in update and delete", function()
      assert.equal(2, m.Book:where("author.name", "=", "Ann"):update { pages = 1 })
      assert.equal(2, m.Book:where("pages", "=", 1):count())
      assert.equal(1, m.Review:where("book.author.name", "=", "Ben"):update { words = "Ben's" })
      assert.equal(1, m.Review:where(none "replies"):where("book.title", "=", "two"):update { stars = 4 })
      assert.equal(4, m.Review:find(3).stars)
      assert.equal(1, m.Book:where("reviews.stars", "=", 3):increment("pages", 5))
      assert.equal(1, m.Book:where("cover.color", "=", "black"):increment("pages", -1))
      assert.same({ 0, 505 }, { m.Book:find(1).pages, m.Book:find(5).pages })
      assert.equal(3, m.Reply:where("review.words", "!=", "bad"):delete())
      assert.equal(1, m.Reply:count())
      assert.equal(1, m.Book:where("reviews.stars", "=", 3):delete())
      assert.equal(0, m.Book:where("title", "=", "five"):count())
      assert.equal(1, m.Author:where(none "students"):where(none "books"):where("mentor.mentor.name", "=", "Ann"):delete())
      assert.is_nil(m.Author:find(4))
    end)

    -- SQLite updates row by row: one that was written must not count for the next.
    it("look at rows of their own table as they were before an update", function()
      assert.equal(2, m.Author:where("mentor.name", "=", "Ann"):update { name = "Ann" })
      assert.same({ "Ann", "Ann", "Ann", "Dan", "Eve", n = 5 }, m.Author:order "id":pluck "name")
      assert.equal(3, m.Author:where(some "mentor"):update { mentor_id = null })
      assert.equal(2, m.Room:where(none("beds", { { "room.floor", ">", 0 } })):where("floor", "=", 0):update { floor = 1 })
      assert.equal(2, m.Bed:where("room.beds.wide", "=", 140):increment("wide", 1))
      assert.equal(4, m.Bed:where(none("room.beds", { wide = 90 })):increment("wide", 1))
      assert.same({ 92, 142, 90, 141, 141, n = 5 }, m.Bed:order "id":pluck "wide")
    end)

    it("look at rows of their own table as they were before they are deleted, or marked so", function()
      assert.equal(2, m.Book:where("author.books.reviews.stars", "=", 1):delete())
      assert.same({ 3, 4, 5, 6, n = 4 }, m.Book:order "id":pluck "id")
      db:execute "delete from replies"
      assert.equal(2, m.Review:where("book_id", "=", 1):where(any_of { some "book.reviews", none "book" }):delete())
      db:execute "update books set author_id = null"
      db:execute "update authors set mentor_id = null where id > 3"
      assert.equal(2, m.Author:where(any_of { { "id", "=", 5 }, { "id", "=", 4 } }):where(none "mentor"):delete())
    end)

    it("of a table without a key are refused where other rows of it count", function()
      local query = m.Note:where("parent.line", "=", "a")
      if sqlite then
        raises("usage", function() query:update { line = "b" } end, "primary key", "notes")
      else
        assert.equal(1, query:update { line = "b" })
      end
    end)

    it("hold inside include options", function()
      local rows = m.Author:order "id":include { "books", where = { { "reviews.stars", "=", 5 } }, order = "id" }:all()
      local list = {}
      for i, row in ipairs(rows) do list[i] = titles(row.books) end
      assert.same({ "one two", "", "five", "", "" }, list)
      rows = m.Author:where(none("books.reviews", { words = "bad" })):order "id"
        :include { "books", where = any_of { none "reviews", { "tags.name", "=", "red" } }, order = { "id", "desc" },
          limit = 1 }:all()
      list = {}
      for i, row in ipairs(rows) do list[i] = row.id .. titles(row.books) end
      assert.same({ "2four", "3", "4", "5" }, list)
      rows = m.Tag:order "id":include { "books", where = { ["author.name"] = "Ann" }, order = "id" }:all()
      list = {}
      for i, row in ipairs(rows) do list[i] = titles(row.books) end
      assert.same({ "one", "one two", "", "" }, list)
      local book = m.Book:include { "praise", where = { { "replies.words", "=", "thanks" } } }:include "critics":find(1)
      assert.same({ 1, 1 }, { #book.praise, book.praise[1].id })
      assert.same({ 1, 2 }, { #book.critics, book.critics[1].id })
    end)

    it("hold in scopes of includes and on touch", function()
      local author = m.Author:include { "books", scope = "praised", order = "id" }:find(1)
      assert.equal("one two", titles(author.books))
      local book = m.Book:find(1)
      assert.same({ 1, 1 }, { #book.praise, #book.critics })
    end)

    it("see what their transaction wrote", function()
      db:transaction(function(tx)
        m.Review:create { id = 100, book_id = 3, stars = 5 }
        assert.is_true(m.Book:where("reviews.stars", "=", 5):where("id", "=", 3):exists())
        tx:rollback()
      end)
      assert.is_false(m.Book:where("reviews.stars", "=", 5):where("id", "=", 3):exists())
    end)

    it("hold in tasks that run side by side", function()
      weft.run(function()
        local list = {}
        for i = 1, 20 do list[i] = function() return m.Book:where("reviews.stars", "=", i % 5 + 1):count() end end
        local counts = weft.all(list)
        for i = 1, 20 do assert.equal(({ 1, 1, 1, 0, 3 })[i % 5 + 1], counts[i]) end
      end)
    end)

    it("convert values to the column's type", function()
      assert.equal("1 2 5", keys(m.Book:where("reviews.stars", "=", "5"):all()))
      assert.equal("1 2 5", keys(m.Book:where(some("reviews", { stars = { "5", "7" } })):all()))
      local err = raises("type", function() m.Book:where("reviews.stars", "=", "secret"):all() end, "stars")
      assert.is_nil(tostring(err):find("secret", 1, true))
    end)

    it("have plans that are used again", function()
      local first = m.Book:where("reviews.stars", "=", 5):where(none("tags", { name = "red" }))
      assert.equal("2 5", keys(first:all()))
      assert.equal("5", keys(m.Book:where("reviews.stars", "=", 3):where(none("tags", { name = "red" })):all()))
      assert.equal("1", keys(m.Book:where("reviews.stars", "=", 1):where(none("tags", { name = "blue" })):all()))
      assert.equal("2 5", keys(first:all()))
    end)

    it("follow a table that changes", function()
      assert.equal("1 2 5", keys(m.Book:where("reviews.stars", "=", 5):all()))
      local query = m.Book:where("reviews.stars", "=", 5)
      db:execute "alter table reviews add column extra text"
      db:execute "update reviews set extra = 'x' where id = 4"
      assert.equal("1 2 5", keys(query:all()))
      assert.equal("4", keys(m.Book:where("reviews.extra", "=", "x"):all()))
      db:execute "alter table reviews drop column extra"
      raises("usage", function() m.Book:where("reviews.extra", "=", "x"):all() end, "extra")
    end)
  end)

  describe("a condition that names", function()
    local this = "condition_spec.lua:"
    -- what it is, the condition, what the error says
    local wrong = {
      { "no association",
        function(q) return q:where("reviewz.stars", "=", 5) end, "'reviewz'", ".Book", "did you mean 'reviews'?" },
      { "no association, with an empty list",
        function(q) return q:where("reviewz.stars", "in", {}) end, "'reviewz'", "did you mean 'reviews'?" },
      { "no association in some",
        function(q) return q:where(some "revews") end, "'revews'", ".Book", "did you mean 'reviews'?" },
      { "no association deep inside",
        function(q) return q:where(any_of { { "id", "=", 1 }, negate { none("authr", { name = "x" }) } }) end,
        "'authr'", ".Book", "did you mean 'author'?" },
      { "no association of the other side",
        function(q) return q:where("author.boks.title", "=", "x") end, "'boks'", ".Author", "did you mean 'books'?" },
      { "no column of the other side",
        function(q) return q:where("reviews.star", "=", 5) end, "'star'", "reviews", "did you mean 'stars'?" },
      { "no column in some",
        function(q) return q:where(some("reviews", { wrds = "x" })) end, "'wrds'", "reviews", "did you mean 'words'?" },
      { "no column two steps away",
        function(q) return q:where("author.mentor.nme", "=", "x") end, "'nme'", "authors", "did you mean 'name'?" },
      { "an association as if it were a column",
        function(q) return q:where("author", "=", "x") end, "'author'", "books" },
      { "an association of an association as a column",
        function(q) return q:where("author.books", "=", "x") end, "'books'", "authors" },
      { "an empty path", function(q) return q:where(some "") end, "path" },
      { "half a path", function(q) return q:where(some "reviews.") end, "path" },
      { "a path with a hole", function(q) return q:where(some "author..books") end, "path" },
      { "an empty condition", function(q) return q:where(some("reviews", {})) end, "empty" },
      { "no operator that there is",
        function(q) return q:where("reviews.stars", "==", 5) end, "'=='", "did you mean '='?" },
      { "nil", function(q) return q:where("reviews.stars", "=", nil) end, "nil" },
      { "a number for an association", function(q) return q:where(some(3)) end, "some" },
    }
    for _, case in ipairs(wrong) do
      it(case[1] .. " raises usage at its line", function()
        local err = raises("usage", function() return case[2](m.Book):all() end, table.unpack(case, 3))
        assert.truthy(tostring(err):find(this, 1, true), tostring(err))
      end)
    end

    it("what is known to be none raises at the call", function()
      m.Book:include "author":first() -- all associations are known from now on
      local book = m.Book:where("author.id", "=", 1)
      book:first()
      for _, step in ipairs {
        function() return book:where("reviewz.stars", "=", 5) end,
        function() return book:where(some "reviewz") end,
        function() return book:where(negate { { "reviewz.stars", "=", 5 } }) end,
      } do
        local err = raises("usage", step, "'reviewz'", "did you mean 'reviews'?")
        assert.truthy(tostring(err):find(this, 1, true), tostring(err))
      end
    end)

    it("a column of a known other side that is none raises at the call", function()
      m.Book:where("reviews.stars", "=", 5):first()
      local err = raises("usage", function() return m.Book:where("reviews.starz", "=", 5) end, "'starz'", "reviews",
        "did you mean 'stars'?")
      assert.truthy(tostring(err):find(this, 1, true), tostring(err))
    end)

    it("an association that cannot be wired says what is wrong with it, and of whom", function()
      scripts.write(name, {
        Odd = [[table = "reviews", associations = {
          writer = weft.belongs_to { model = "Author", foreign_key = "author_id" },
          lost = weft.has_many { model = "Nothing", foreign_key = "odd_id" },
          far = weft.belongs_to { model = "nowhere.Thing", foreign_key = "book_id" } }]],
      })
      raises("usage", function() m.Odd:where("writer.name", "=", "x"):all() end, "'writer'", ".Odd", "author_id", "reviews")
      raises("usage", function() m.Odd:where(some "lost"):all() end, "'lost'", ".Odd", "Nothing")
      raises("usage", function() m.Odd:where(some "far"):all() end, "'far'", ".Odd", "nowhere")
    end)

    it("an association by fifty names nested is refused, not overrun", function()
      local path = ("author.books."):rep(40) .. "title"
      local ok, err = pcall(function() return m.Book:where(path, "=", "x"):all() end)
      assert.is_true(ok or err.kind == "usage" or err.kind == "unsupported" or err.kind == "syntax", tostring(err))
      local condition = { title = "x" }
      for _ = 1, 60 do condition = some("author", some("books", condition)) end
      ok, err = pcall(function() return m.Book:where(condition):all() end)
      assert.is_true(ok or err.kind == "usage" or err.kind == "unsupported" or err.kind == "syntax", tostring(err))
    end)
  end)
end)
