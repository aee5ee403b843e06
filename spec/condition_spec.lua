-- SPDX-License-Identifier: MIT
-- Conditions on rows that associations lead to, within one database. Random ones, here and in other databases, are in
-- include_random_spec.

local weft = require "weft"
local backends = require "spec.support.backends"
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
    foreign key (house, number) references rooms);]]

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

local tables = { sqlite = schema:format "json", postgres = schema:format "jsonb" }

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
  { "Book", "belongs_to of a row without one", "5", function(q) return q:where("author.name", "!=", "Ann"):where("pages", ">", 400) end },
  { "Book", "has_many: some such row", "1 2 5", function(q) return q:where("reviews.stars", "=", 5) end },
  { "Book", "a table with a dotted name", "1 2 5", function(q) return q:where { ["reviews.stars"] = 5 } end },
  { "Book", "has_one", "1", function(q) return q:where("cover.color", "=", "black") end },
  { "Book", "IS NULL in has_one is of a row that is there", "2", function(q) return q:where("cover.color", "is_null") end },
  { "Book", "weft.null in a table", "2", function(q) return q:where { ["cover.color"] = null } end },
  { "Book", "NOT NULL", "1", function(q) return q:where("cover.color", "not_null") end },
  { "Book", "a list", "1 2 4", function(q) return q:where("tags.name", "in", { "red", "green" }) end },
  { "Book", "an empty list", "", function(q) return q:where("tags.name", "in", {}) end },
  { "Book", "not in an empty list is any row", "1 2 4 5", function(q) return q:where("tags.name", "not_in", {}) end },
  { "Book", "not_in is of some row, not of all", "1 2 5", function(q) return q:where("tags.name", "not_in", { "red" }) end },
  { "Book", "NULL in a list", "4 5", function(q) return q:where("reviews.stars", "in", { 3, null }) end },
  { "Book", "NULL in a list, of the same row", "4",
    function(q) return q:where { { "reviews.stars", "in", { 3, null } }, { "reviews.words", "=", "fine" } } end },
  { "Book", "NULL not in a list, of the same row", "6",
    function(q) return q:where { { "reviews.stars", "not_in", { 1, 5, null } }, { "reviews.words", "=", "bad" } } end },
  { "Book", "an empty list of the same row", "", function(q) return q:where { { "reviews.stars", "in", {} }, { "reviews.words", "=", "fine" } } end },
  { "Book", "an empty list in some", "", function(q) return q:where(some("reviews", { stars = {} })) end },
  { "Book", "an empty list in every: rows without", "3", function(q) return q:where(every("reviews", { stars = {} })) end },
  { "Book", "between", "5 6", function(q) return q:where("reviews.stars", "between", { 2, 4 }) end },
  { "Book", "begins_with", "1 2 6", function(q) return q:where("reviews.words", "begins_with", "ba") end },
  { "Book", "ilike", "1 4 5", function(q) return q:where("reviews.words", "ilike", "FIN_") end },
  { "Author", "a path through two", "1", function(q) return q:where("books.reviews.words", "=", "bad") end },
  { "Author", "a path through three", "1", function(q) return q:where("books.reviews.replies.words", "=", "no") end },
  { "Review", "a path upwards", "4",
    function(q) return q:where("book.author.mentor.name", "=", "Ann"):where("words", "=", "fine"):where("stars", "is_null") end },
  { "Book", "json behind an association", "1 2", function(q) return q:where("author.books.attrs.lang", "=", "fr") end },
  { "Book", "json of its own column first", "1 4", function(q) return q:where("attrs.lang", "=", "de") end },
  { "Book", "json whose key is called like an association", "1", function(q) return q:where("attrs.author", "=", "x") end },

  -- the same row
  { "Book", "one where speaks of one row", "2", function(q) return q:where { { "reviews.stars", "=", 5 }, { "reviews.words", "=", "bad" } } end },
  { "Book", "one where, names as keys", "2", function(q) return q:where { ["reviews.stars"] = 5, ["reviews.words"] = "bad" } end },
  { "Book", "two wheres need not", "1 2", function(q) return q:where("reviews.stars", "=", 5):where("reviews.words", "=", "bad") end },
  { "Author", "one where speaks of one row along a path", "1",
    function(q) return q:where { { "books.pages", "=", 200 }, { "books.reviews.words", "=", "bad" }, { "books.reviews.stars", "=", 5 } } end },
  { "Author", "one where, no such path", "", function(q) return q:where { { "books.pages", "=", 100 }, { "books.tags.name", "=", "blue" } } end },
  { "Book", "all_of inside speaks of the same row", "2",
    function(q) return q:where(all_of { { "reviews.stars", "=", 5 }, { "reviews.words", "=", "bad" } }) end },
  { "Book", "a list inside a list speaks of the same row", "2",
    function(q) return q:where { { { "reviews.stars", "=", 5 }, { "reviews.words", "=", "bad" } }, { "pages", ">", 0 } } end },
  { "Book", "each of any_of speaks of its own row", "1 2 6",
    function(q) return q:where(any_of { { "reviews.words", "=", "bad" }, { { "reviews.stars", "=", 5 }, { "reviews.words", "=", "bad" } } }) end },
  { "Book", "negate of several on one row", "1 3 4 5 6",
    function(q) return q:where(negate { { "reviews.stars", "=", 5 }, { "reviews.words", "=", "bad" } }) end },
  { "Book", "a scope", "1 2 5", function(q) return q:praised() end },

  -- some, none, every
  { "Book", "some without a condition", "1 2 4 5 6", function(q) return q:where(some "reviews") end },
  { "Book", "none without a condition", "3", function(q) return q:where(none "reviews") end },
  { "Book", "some", "1 2 5", function(q) return q:where(some("reviews", { stars = 5 })) end },
  { "Book", "some with several on one row", "2", function(q) return q:where(some("reviews", { stars = 5, words = "bad" })) end },
  { "Book", "two somes on two rows", "1 2", function(q) return q:where { some("reviews", { stars = 5 }), some("reviews", { words = "bad" }) } end },
  { "Book", "a dotted name beside some is of another row", "1 2",
    function(q) return q:where { some("reviews", { stars = 5 }), { "reviews.words", "=", "bad" } } end },
  { "Book", "none: NULL does not match", "3 4 6",
    function(q) return q:where(none("reviews", { stars = 5 })):where(none("reviews", { stars = 3 })) end },
  { "Book", "every: true without rows, false with a NULL", "2 3",
    function(q) return q:where(every("reviews", { stars = 5 })) end },
  { "Book", "every: a negation of NULL is not true", "2 3 6", function(q) return q:where(every("reviews", { { "words", "!=", "fine" } })) end },
  { "Book", "every over IS NULL", "3 4", function(q) return q:where(every("reviews", { { "stars", "is_null" } })) end },
  { "Book", "negated some is none", "3 4 6", function(q) return q:where(negate { some("reviews", { { "stars", "in", { 3, 5 } } }) }) end },
  { "Book", "negated none is some", "1 2 5", function(q) return q:where(negate { none("reviews", { stars = 5 }) }) end },
  { "Book", "negated every", "1 4 5 6", function(q) return q:where(negate { every("reviews", { stars = 5 }) }) end },
  { "Book", "negate inside some", "4",
    function(q) return q:where(some("reviews", { negate { { "words", "=", "bad" } }, { "stars", "is_null" } })) end },
  { "Book", "negate of NULL inside some does not hold", "5",
    function(q) return q:where(some("reviews", negate { { "stars", "in", { 1, 2, 5 } } })) end },
  { "Book", "any_of inside some", "1 4 5",
    function(q) return q:where(some("reviews", any_of { { words = "fine" }, { "stars", "between", { 3, 4 } } })) end },
  { "Book", "any_of around", "1 2 3 5", function(q) return q:where(any_of { { "reviews.stars", "=", 5 }, none "reviews" }) end },
  { "Book", "any_of with a column", "1 2 4 6",
    function(q) return q:where(any_of { { "author.name", "=", "Ann" }, { "title", "in", { "four", "six" } } }) end },
  { "Book", "negated belongs_to: rows without one too", "3 4 5 6", function(q) return q:where(negate { { "author.name", "=", "Ann" } }) end },
  { "Book", "negated any_of", "3 4", function(q) return q:where(negate { any_of { { "reviews.stars", ">=", 2 }, { "title", "=", "six" } } }) end },
  { "Author", "some of a path", "1", function(q) return q:where(some("books.reviews", { words = "bad" })) end },
  { "Author", "none of a path", "2 3 4 5", function(q) return q:where(none("books.reviews", { words = "bad" })) end },
  { "Author", "every of a path", "4 5", function(q) return q:where(every("books.reviews", { stars = 5 })) end },
  { "Author", "some inside some", "1", function(q) return q:where(some("books", { some("reviews", { stars = 1 }) })) end },
  { "Author", "none inside some", "2", function(q) return q:where(some("books", none "reviews")) end },
  { "Author", "every inside every", "3 4 5",
    function(q) return q:where(every("books", every("reviews", { { "stars", "not_null" } }))):where("id", ">", 2) end },
  { "Author", "none inside none: nobody lacks", "1 3 4 5", function(q) return q:where(none("books", none "reviews")) end },
  { "Author", "dotted names inside some", "1",
    function(q) return q:where(some("books", { { "reviews.words", "=", "bad" }, { "tags.name", "=", "red" } })) end },
  { "Author", "both sides of a diamond", "2",
    function(q) return q:where(some("books", { { "tags.name", "=", "red" }, { "reviews.stars", "is_null" } })) end },

  -- many_to_many
  { "Book", "many_to_many", "1 4", function(q) return q:where("tags.name", "=", "red") end },
  { "Book", "many_to_many, one where", "", function(q) return q:where { { "tags.name", "=", "red" }, { "tags.id", "=", 2 } } end },
  { "Book", "many_to_many, two wheres", "1", function(q) return q:where("tags.name", "=", "red"):where("tags.name", "=", "green") end },
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
  { "Author", "every of itself", "2 3 4 5", function(q) return q:where(every("students", { { "name", "=", "Dan" } })) end },
  { "Author", "itself through another table", "1", function(q) return q:where("colleagues.name", "=", "Ann") end },

  -- what a model says of its rows
  { "Author", "deleted rows do not count", "4 5", function(q) return q:where(none "books") end },
  { "Author", "nor do they on the way", "", function(q) return q:where("books.title", "=", "seven") end },
  { "Tag", "nor at the far side", "4", function(q) return q:where(none "books") end },
  { "Tag", "nor those below them", "3",
    function(q) return q:where("books.reviews.stars", "=", 3):where(none("books.reviews", { words = "lost" })) end },
  { "Author", "every looks at rows that are there", "1 2 3 4 5", function(q) return q:where(every("books", { { "title", "!=", "seven" } })) end },
  { "Book", "deleted rows when they are wanted", "7", function(q) return q:with_deleted():where("reviews.words", "=", "lost") end },
  { "Book", "only deleted rows", "7", function(q) return q:only_deleted():where("author.name", "=", "Eve") end },
  { "Book", "the association's own where", "1 2 5", function(q) return q:where(some "praise") end },
  { "Book", "the association's own where, same row", "2", function(q) return q:where("praise.words", "=", "bad") end },
  { "Book", "every within the association's own where", "1 3 4 5 6", function(q) return q:where(every("praise", { words = "fine" })) end },
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
  local db, name, m

  setup(function()
    db, name = backend.open(tables, not backend.memory and { pool = { max = 4, wait = 20 } } or nil)
    scripts.write(name, definitions)
    m = weft.models(name)
  end)

  teardown(scripts.remove)

  before_each(function()
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
      it("says " .. what, function() assert.equal(expected, keys(conditions(m[model]):all())) end)
    end
  end)
end)
