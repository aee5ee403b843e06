-- SPDX-License-Identifier: MIT
-- What associations follow from foreign keys, and their names: tables of cases for every database.

local foreign_keys = require "weft.association.foreign_keys"
local associations = require "spec.support.associations"
local backends = require "spec.support.backends"

---A text for all databases, and what MySQL has instead.
local function any(text)
  return function(mysql) return { sqlite = text, postgres = text, mysql = mysql } end
end

-- What both databases understand: a title, the tables, and everything that follows.
local cases = {
  { "a column's stem, the source's plural", [[
      create table artist (artist_id integer primary key);
      create table album (album_id integer primary key, artist_id integer not null references artist)]],
    { album = { "artist belongs_to artist artist_id=artist_id" },
      artist = { "albums has_many album artist_id=artist_id" } } },
  { "names of tables that are plurals already", [[
      create table categories (id integer primary key);
      create table products (id integer primary key, category_id integer references categories)]],
    { products = { "category belongs_to categories category_id=id ?" },
      categories = { "products has_many products id=category_id ?" } } },
  { "every ending, one of them cut off", [[
      create table t (id integer primary key);
      create table u (a_fk integer not null references t, b_uuid integer not null references t, c_id_fk integer not null references t)]],
    { u = { "a belongs_to t a_fk=id", "b belongs_to t b_uuid=id", "c_id belongs_to t c_id_fk=id" },
      t = { "us_by_a has_many u id=a_fk", "us_by_b has_many u id=b_uuid", "us_by_c_id has_many u id=c_id_fk" } } },
  { "the target's singular when nothing is cut off", [[
      create table people (id integer primary key);
      create table cars (owner integer not null references people, _id integer not null)]],
    { cars = { "person belongs_to people owner=id" }, people = { "cars has_many cars id=owner" } } },
  { "the target's singular when the stem is a column", [[
      create table artist (artist_id integer primary key);
      create table album (artist_id integer not null references artist, painter_id integer not null references artist, painter text)]],
    { album = { "artist belongs_to artist artist_id=artist_id", "artist_by_painter_id belongs_to artist painter_id=artist_id" },
      artist = { "albums_by_artist has_many album artist_id=artist_id",
        "albums_by_artist_by_painter_id has_many album artist_id=painter_id" } } },
  { "the column behind a name that a column has", [[
      create table artist (artist_id integer primary key, albums text);
      create table album (artist text, artist_id integer not null references artist)]],
    { album = { "artist_by_artist_id belongs_to artist artist_id=artist_id" },
      artist = { "albums_by_artist_by_artist_id has_many album artist_id=artist_id" } } },
  { "a number when everything else is taken", [[
      create table t (id integer primary key, us text, us_by_t text);
      create table u (t_id integer not null references t, t_by_x_id text, t text, x integer, x_id integer not null references t);
      create table v (t_id integer not null references t);
      create table vs (t_id integer not null references t)]],
    { t = { "us_by_t_by_t_id has_many u id=t_id", "us_by_t_by_x_id_2 has_many u id=x_id",
        "vs has_many v id=t_id", "vs_by_t has_many vs id=t_id" },
      u = { "t_by_t_id belongs_to t t_id=id", "t_by_x_id_2 belongs_to t x_id=id" },
      v = { "t belongs_to t t_id=id" }, vs = { "t belongs_to t t_id=id" } } },
  { "a table and itself", [[
      create table employee (employee_id integer primary key, reports_to integer references employee);
      create table category (id integer primary key, parent_id integer references category);
      create table node (id integer primary key, up_id integer references node, next_id integer not null unique references node)]],
    { employee = { "employee belongs_to employee reports_to=employee_id ?", "employees has_many employee employee_id=reports_to ?" },
      category = { "categories has_many category id=parent_id ?", "parent belongs_to category parent_id=id ?" },
      node = { "next belongs_to node next_id=id", "node_by_next has_one node id=next_id",
        "nodes_by_up has_many node id=up_id ?", "up belongs_to node up_id=id ?" } } },
  { "several keys between two tables", [[
      create table address (id integer primary key);
      create table customer (id integer primary key, billing_id integer not null references address,
        shipping_id integer references address, home integer references address)]],
    { customer = { "address belongs_to address home=id ?", "billing belongs_to address billing_id=id",
        "shipping belongs_to address shipping_id=id ?" },
      address = { "customers_by_address has_many customer id=home ?", "customers_by_billing has_many customer id=billing_id",
        "customers_by_shipping has_many customer id=shipping_id ?" } } },
  { "keys in both directions", [[
      create table a (id integer primary key, b_id integer);
      create table b (id integer primary key, a_id integer not null references a)]],
    { a = { "bs has_many b id=a_id" }, b = { "a belongs_to a a_id=id" } } },
  { "one row for a unique key and for the primary key", [[
      create table users (id integer primary key);
      create table profiles (user_id integer not null unique references users);
      create table settings (id integer primary key references users);
      create table logins (user_id integer not null references users, at text, unique (user_id, at))]],
    { users = { "logins has_many logins id=user_id", "profile has_one profiles id=user_id", "setting has_one settings id=id" },
      profiles = { "user belongs_to users user_id=id" }, settings = { "user belongs_to users id=id" },
      logins = { "user belongs_to users user_id=id" } } },
  { "several rows for an index that is partial, of an expression, or not unique", any [[
      create table users (id integer primary key);
      create table posts (user_id integer not null references users, pinned integer);
      create unique index one on posts (user_id) where pinned = 1;
      create unique index two on posts ((user_id + 1));
      create index three on posts (user_id)]] [[
      create table users (id integer primary key);
      create table posts (user_id integer not null references users (id), pinned integer);
      create unique index one on posts (user_id, pinned);
      create index three on posts (user_id)]],
    { users = { "posts has_many posts id=user_id" }, posts = { "user belongs_to users user_id=id" } } },
  { "a target that is unique and not the primary key", [[
      create table country (id integer primary key, code text not null unique);
      create table city (country_code text not null references country (code))]],
    { city = { "country belongs_to country country_code=code" }, country = { "cities has_many city code=country_code" } } },
  { "keys of several columns", [[
      create table invoice_lines (invoice_id integer, number integer, primary key (invoice_id, number));
      create table returns (id integer primary key, invoice_id integer not null, line_number integer,
        foreign key (invoice_id, line_number) references invoice_lines);
      create unique index other on invoice_lines (number, invoice_id);
      create table complaints (number integer not null, invoice_id integer not null, unique (number, invoice_id),
        foreign key (number, invoice_id) references invoice_lines (number, invoice_id))]],
    { returns = { "invoice_line belongs_to invoice_lines invoice_id=invoice_id,line_number=number ?" },
      complaints = { "invoice_line belongs_to invoice_lines number=number,invoice_id=invoice_id" },
      invoice_lines = { "complaint has_one complaints number=number,invoice_id=invoice_id",
        "returns has_many returns invoice_id=invoice_id,number=line_number ?" } } },
  { "two keys of several columns", [[
      create table seat (row_no integer, seat_no integer, primary key (row_no, seat_no));
      create table swap (r1 integer not null, s1 integer not null, r2 integer not null, s2 integer not null, seat text,
        foreign key (r2, s2) references seat, foreign key (r1, s1) references seat)]],
    { swap = { "seat_by_r1_and_s1 belongs_to seat r1=row_no,s1=seat_no", "seat_by_r2_and_s2 belongs_to seat r2=row_no,s2=seat_no" },
      seat = { "swaps_by_seat_by_r1_and_s1 has_many swap row_no=r1,seat_no=s1",
        "swaps_by_seat_by_r2_and_s2 has_many swap row_no=r2,seat_no=s2" } } },
  { "the same key said twice", [[
      create table a (id integer primary key);
      create table b (a_id integer not null references a, foreign key (a_id) references a (id))]],
    { a = { "bs has_many b id=a_id" }, b = { "a belongs_to a a_id=id" } } },
  { "one column that points to two tables", any [[
      create table a (id integer primary key);
      create table b (id integer primary key);
      create table c (thing_id integer not null references a references b)]] [[
      create table a (id integer primary key);
      create table b (id integer primary key);
      create table c (thing_id integer not null, foreign key (thing_id) references a (id), foreign key (thing_id) references b (id))]],
    { a = { "cs has_many c id=thing_id" }, b = { "cs has_many c id=thing_id" },
      c = { "b_by_thing_id belongs_to b thing_id=id", "thing belongs_to a thing_id=id" } } },
  { "a table between two", [[
      create table playlist (playlist_id integer primary key);
      create table track (track_id integer primary key);
      create table playlist_track (playlist_id integer not null references playlist, track_id integer not null references track,
        primary key (track_id, playlist_id))]],
    { playlist = { "playlist_tracks has_many playlist_track playlist_id=playlist_id",
        "tracks many_to_many track playlist_id=playlist_id playlist_track track_id=track_id" },
      track = { "playlist_tracks has_many playlist_track track_id=track_id",
        "playlists many_to_many playlist track_id=track_id playlist_track playlist_id=playlist_id" },
      playlist_track = { "playlist belongs_to playlist playlist_id=playlist_id", "track belongs_to track track_id=track_id" } } },
  { "no way through a table that holds more, or has another key", [[
      create table p (id integer primary key);
      create table t (id integer primary key);
      create table extra (p_id integer not null references p, t_id integer not null references t, place integer, primary key (p_id, t_id));
      create table keyed (p_id integer not null unique references p, t_id integer not null references t, unique (p_id, t_id));
      create table half (p_id integer primary key references p, t_id integer not null references t)]],
    { p = { "extras has_many extra id=p_id", "half has_one half id=p_id", "keyed has_one keyed id=p_id" },
      t = { "extras has_many extra id=t_id", "halves has_many half id=t_id", "keyeds has_many keyed id=t_id" },
      extra = { "p belongs_to p p_id=id", "t belongs_to t t_id=id" },
      keyed = { "p belongs_to p p_id=id", "t belongs_to t t_id=id" },
      half = { "p belongs_to p p_id=id", "t belongs_to t t_id=id" } } },
  { "a table between a table and itself", [[
      create table person (id integer primary key);
      create table friendship (person_id integer not null references person, friend_id integer not null references person,
        primary key (person_id, friend_id));
      create table blocked (person_id integer not null references person, foe_id integer not null references person,
        primary key (person_id, foe_id))]],
    { person = { "blockeds_by_foe has_many blocked id=foe_id", "blockeds_by_person has_many blocked id=person_id",
        "friendships_by_friend has_many friendship id=friend_id", "friendships_by_person has_many friendship id=person_id",
        "people_by_foe many_to_many person id=foe_id blocked person_id=id",
        "people_by_friend many_to_many person id=friend_id friendship person_id=id",
        "people_by_friendship_person many_to_many person id=person_id friendship friend_id=id",
        "people_by_person many_to_many person id=person_id blocked foe_id=id" },
      friendship = { "friend belongs_to person friend_id=id", "person belongs_to person person_id=id" },
      blocked = { "foe belongs_to person foe_id=id", "person belongs_to person person_id=id" } } },
  { "two tables between the same two", [[
      create table post (id integer primary key);
      create table tag (id integer primary key, posts text);
      create table mark (post_id integer not null references post, tag_id integer not null references tag, primary key (post_id, tag_id));
      create table hint (tag_id integer not null references tag, post_id integer not null references post, primary key (tag_id, post_id))]],
    { post = { "hints has_many hint id=post_id", "marks has_many mark id=post_id",
        "tags many_to_many tag id=post_id hint tag_id=id", "tags_by_mark many_to_many tag id=post_id mark tag_id=id" },
      tag = { "hints has_many hint id=tag_id", "marks has_many mark id=tag_id",
        "posts_by_hint many_to_many post id=tag_id hint post_id=id", "posts_by_mark many_to_many post id=tag_id mark post_id=id" },
      mark = { "post belongs_to post post_id=id", "tag belongs_to tag tag_id=id" },
      hint = { "post belongs_to post post_id=id", "tag belongs_to tag tag_id=id" } } },
  { "a table between two by keys of several columns", [[
      create table seat (a integer, b integer, primary key (a, b));
      create table "show" (id integer primary key);
      create table booking (seat_a integer not null, seat_b integer not null, show_id integer not null references "show",
        primary key (show_id, seat_a, seat_b), foreign key (seat_a, seat_b) references seat)]],
    { seat = { "bookings has_many booking a=seat_a,b=seat_b",
        "shows many_to_many show a=seat_a,b=seat_b booking show_id=id" },
      show = { "bookings has_many booking id=show_id", "seats many_to_many seat id=show_id booking seat_a=a,seat_b=b" },
      booking = { "seat belongs_to seat seat_a=a,seat_b=b", "show belongs_to show show_id=id" } } },
  { "tables and columns in capitals", [[
      create table "MediaType" ("MediaTypeId" integer primary key);
      create table "Track" ("TrackID" integer primary key, "MediaTypeId" integer not null references "MediaType",
        "originalUUID" integer references "Track")]],
    { Track = { "media_type belongs_to MediaType MediaTypeId=MediaTypeId", "original belongs_to Track originalUUID=TrackID ?",
        "tracks has_many Track TrackID=originalUUID ?" },
      MediaType = { "tracks has_many Track MediaTypeId=MediaTypeId" } } },
  { "names with spaces, quotes and dots", [[
      create table "order" ("the id" integer primary key);
      create table "odd.""name" (id integer primary key, "x;y" integer);
      create table "order line" ("order's ""id" integer not null references "order", "a.b_id" integer not null references "odd.""name")]],
    { ["order line"] = { 'a_b belongs_to odd."name a.b_id=id', [[order_s belongs_to order order's "id=the id]] },
      ['odd."name'] = { "order_lines has_many order line id=a.b_id" },
      order = { [[order_lines has_many order line the id=order's "id]] } } },
  { "names beyond ASCII", [[
      create table "größe" (id integer primary key);
      create table "hemd" ("größe_id" integer not null references "größe")]],
    { hemd = { "größe belongs_to größe größe_id=id" }, ["größe"] = { "hemds has_many hemd id=größe_id" } } },
  { "tables without a primary key", [[
      create table a (code integer not null unique);
      create table b (a_code integer references a (code))]],
    { a = { "bs has_many b code=a_code ?" }, b = { "a belongs_to a a_code=code ?" } } },
  { "nothing where there are no keys", "create table a (id integer primary key); create table b (a_id integer)", {} },
  { "nothing in an empty database", "select 1", {} },
}

backends.each(function(backend)
  describe("foreign keys give", function()
    for _, case in ipairs(cases) do
      local title, ddl, expected = table.unpack(case)
      it(title, function()
        local db = backend.open(ddl)
        assert.same(expected, associations.all(foreign_keys.associations(db)))
      end)
    end
  end)
end)
