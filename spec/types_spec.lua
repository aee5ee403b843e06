-- SPDX-License-Identifier: MIT
-- `weft types`, run as a user runs it. No lua-language-server is at hand: spec/support/luacats.lua reads what is
-- written as it would, every line and every type, and what is declared is held against what exists at run time.

local weft = require "weft"
local core = require "weft.core"
local association = require "weft.association"
local backends = require "spec.support.backends"
local foreign_keys = require "weft.association.foreign_keys"
local luacats = require "spec.support.luacats"
local program = require "spec.support.program"
local rich = require "spec.support.rich_schema"
local shell = require "spec.support.shell"

local own = luacats.own()

local function chinook(dialect)
  local text = shell.read(("%s/../shared/data/chinook/%s.sql"):format(shell.root(), dialect))
  return (text:gsub("^.*\\c chinook;", ""):gsub("^.*USE `Chinook`;", ""))
end

---The files of a folder by path.
local function files_of(folder)
  local files = {}
  for path in shell.must("cd " .. shell.quote(folder) .. " && find . -type f"):gmatch "%./([^\n]+)" do
    files[path] = shell.read(folder .. "/" .. path)
  end
  return files
end

local function paths_of(files)
  local list = {}
  for path in pairs(files) do list[#list + 1] = path end
  table.sort(list)
  return list
end

---Reads and checks all files as an editor would.
local function read(folder)
  local state
  for path, text in pairs(files_of(folder .. "/types")) do
    assert.is_truthy(text:find "^%-%- Written by `weft types` from [^\n]+\n%-%-%-@meta\n", path)
    assert.is_true(#text < 500000, path)
    assert(load(text, path, "t"))
    state = luacats.read(text, state)
  end
  luacats.check(state, own)
  return state
end

local function types(folder, ...)
  local status, out, err = program.run(folder, "types", "--quiet", ...)
  assert.same({ 0, "", "" }, { status, out, err })
end

---Every association and column that models have at run time is declared, and no other.
local function check_against_models(state, name, prefix)
  local models, count = weft.models(name), 0
  for field in pairs(state.classes[prefix .. ".models"].fields) do
    local query = state.classes[prefix .. ".models"].fields[field]
    local class = query:match "^(.*)%.Query$"
    local model = #state.aliases[class .. ".Column"] > 0 and models[field]
    if model then model:count() end
    local declared, there = {}, {}
    for _, word in ipairs(state.classes[class].order) do declared[word] = true end
    for _, column in ipairs(model and core.table(model).columns or {}) do there[column] = true end
    for _, word in ipairs(model and association.names(core.info(model)) or {}) do there[word] = true end
    assert.same(there, declared, class)
    count = count + 1
  end
  return count
end

backends.each(function(backend)
  if backend.memory then return end
  local folder, db, name

  local function open(ddl, files)
    local url
    db, name, url = backend.open(ddl)
    folder = program.app({ shop = url }, files)
    finally(function() program.remove(folder) end)
    return folder
  end

  describe("weft types", function()
    it("declares Chinook", function()
      open(chinook(backend.dialect))
      types(folder)
      local state = read(folder)
      local function n(snake) return backend.dialect == "postgres" and snake or (("_" .. snake):gsub("_(%l)", string.upper)) end
      local track = state.classes["shop.Track"].fields
      assert.equal("integer", track[n "track_id"])
      assert.equal("integer?", track[n "album_id"])
      assert.equal("weft.Decimal", track[n "unit_price"])
      assert.equal("shop.Album?", track.album)
      assert.equal("shop.MediaType", track.media_type)
      assert.equal("shop.InvoiceLine[]", track.invoice_lines)
      assert.equal("shop.Playlist[]", track.playlists)
      assert.equal("shop.Customer[]", state.classes["shop.Employee"].fields.customers)
      local create = state.classes["shop.Track.Create"].fields
      assert.is_nil(create[n "composer"])
      assert.is_truthy(create[n "milliseconds"])
      assert.same({ "shop.Track.Update" }, state.classes["shop.Track.Create"].parents)
      assert.equal("string|weft.Null|weft.Raw?", state.classes["shop.Track.Update"].fields[n "composer"])
      assert.same({ n "artist_id", n "name" }, state.aliases["shop.Artist.Column"])
      assert.same({ "artist", "tracks" }, state.aliases["shop.Album.Association"])
      local find = state.classes["shop.PlaylistTrack.Query"].fields.find
      assert.equal("fun(self: shop.PlaylistTrack.Query, playlist_id: integer, track_id: integer): shop.PlaylistTrack?", find)
      assert.is_truthy(state.classes["shop.Album.Repository"].fields.find_by_artist_id)
      assert.equal("fun(self: shop.database, name: \"" .. n "album" .. "\"): shop.Album.Repository",
        state.classes["shop.database"].fields["repository\0" .. n "album"])
      assert.equal('fun(name: "shop"): shop.models', state.classes.weft.fields["models\0shop"])
      assert.equal('fun(name: "shop"): shop.database', state.classes.weft.fields["database\0shop"])
      assert.is_true(check_against_models(state, name, "shop") >= 11)
    end)

    it("finds the associations that models find, without asking for more than the schema", function()
      local partial = backend.dialect == "mysql" and "" or " where x > 1"
      local small = ([[create table a (id integer primary key, b_id integer not null unique, x integer, y integer, unique (x, y));
        create unique index ux on a (y, x)%s; create table b (id integer primary key, a_id integer references a,
          c_id integer references a (b_id));
        create table ab (a_id integer references a, b_id integer references b, primary key (a_id, b_id))]]):format(partial)
      for _, ddl in ipairs { rich, chinook(backend.dialect), small } do
        local handle = backend.open(ddl)
        local found = foreign_keys.of_schema(handle:schema())
        for _, view in ipairs(handle:schema():views()) do found[view.key] = nil end
        assert.is_not_nil(next(found))
        for _, list in pairs(backend.dialect == "sqlite" and found or {}) do
          for _, entry in ipairs(list) do entry.constraint = nil end -- names that its catalog does not tell
        end
        assert.same(foreign_keys.associations(handle), found)
      end
    end)

    it("declares a schema that has everything, with odd names and comments, and nothing that models do not have", function()
      open(rich)
      types(folder)
      local state = read(folder)
      local order = state.classes["shop.Order"]
      local mysql = backend.dialect == "mysql"
      local odd = mysql and { "select", 'a "b" `c`', "new\nline", "naïve €", "t_id" } or { "select", 'a "b', "new\nline", "🚀", "t_id" }
      assert.same(odd, table.move(order.order, 1, 5, 1, {}))
      local update = state.classes[mysql and "shop.Team.Update" or "shop.Order.Update"]
      assert.is_nil(update.fields[mysql and "g" or "x"], "a generated column is not written")
      assert.is_nil(state.classes["shop.V1.Create"])
      assert.is_nil(state.classes["shop.V1.Query"].fields.create)
      assert.equal("shop.Team?", order.fields.t)
      check_against_models(state, name, "shop")
      if mysql then
        assert.same({ "sad", "it's" }, state.aliases["shop.Team.values.mood"])
        assert.equal("shop.Team.values.mood?", state.classes["shop.Team"].fields.mood)
        assert.equal("string?", state.classes["shop.Team"].fields.tags)
        assert.equal("boolean?", state.classes["shop.Team"].fields.tiny)
      elseif backend.dialect == "postgres" then
        assert.same({ "sad", "it's", "ok" }, state.aliases["shop.enums.mood"])
        assert.equal("shop.enums.mood?", state.classes["shop.Team"].fields.m)
        assert.equal("string[]?", state.classes["shop.Team"].fields.tags)
        local text = files_of(folder .. "/types")["shop.lua"]
        assert.is_truthy(text:find('\n---it\'s \\ "quoted" line two 🚀\n---@class shop.Team: weft.Row\n', 1, true))
        assert.is_truthy(text:find("\n---@field name string # n's\n", 1, true))
      end
    end)

    it("declares the types that values have", function()
      open {
        sqlite = [[create table kinds (i integer primary key, n real, d decimal(10,2), b boolean, s text, x blob, j json, at timestamp, day date);
          insert into kinds values (1, 1.5, 2.25, true, 'x', x'00', '{"a":1}', '2024-01-01 00:00:00', '2024-01-01')]],
        postgres = [[create type mood as enum ('ok');
          create table kinds (i bigint primary key, n float8, d decimal(10,2), b boolean, s text, x bytea, j jsonb, at timestamptz, day date,
            u uuid, list integer[], words text[], m mood, span interval);
          insert into kinds values (1, 1.5, 2.25, true, 'x', '\x00', '{"a":1}', now(), now(), gen_random_uuid(), '{1}', '{a}', 'ok', '1 day')]],
        mysql = [[create table kinds (i bigint primary key, n double, d decimal(10,2), b tinyint(1), s text, x blob, j json, at timestamp, day date,
            big bigint unsigned, bits bit(3), y year, m enum('ok'), words set('a', 'b'));
          insert into kinds values (1, 1.5, 2.25, true, 'x', x'00', '{"a":1}', now(), now(), 18446744073709551615, b'101', 2024, 'ok', 'a,b')]],
      }
      types(folder)
      local state = read(folder)
      local row = weft.models(name).Kind:find(1)
      local function fits(type, value)
        type = type:gsub("%?$", "")
        if type == "any" then return true end
        if type == "integer" then return math.type(value) == "integer" end
        if type == "weft.Decimal" then return getmetatable(value) == getmetatable(weft.decimal "1") end
        local element = type:match "^(.*)%[%]$"
        if element then return fits(element, value[1]) end
        local alias = state.aliases[type]
        if alias then return alias[1] == value end
        return _G.type(value) == type
      end
      for _, column in ipairs(weft.columns(row)) do
        local declared = state.classes["shop.Kind"].fields[column]
        assert.is_true(fits(declared, row[column]), ("%s is declared %s, but is %s"):format(column, declared, tostring(row[column])))
      end
    end)

    it("declares names that are words of Lua, of annotations, of rows or of nothing", function()
      local odd = { "end", "private", "public", "save", "two words", 'quo"te', "new\nline", "ta\tb", "back\\slash", "]]", "--", "@field x any",
        "|", "?", "1st",
        backend.dialect == "mysql" and "€" or "🚀", "é", "#", "self",
        "models", "database", "enums", "Query", "nil", "a.b", "a_b", "A B", ("n"):rep(55) }
      local ddl = {}
      for i, word in ipairs(odd) do
        local q = '"' .. word:gsub('"', '""') .. '"'
        ddl[i] = ("create table %s (%s integer primary key, up integer references %s);"):format(q, q, q)
      end
      local columns = {}
      for i, word in ipairs(odd) do columns[i] = '"' .. word:gsub('"', '""') .. '" text not null' end
      ddl[#ddl + 1] = ("create table all_of_them (%s);"):format(table.concat(columns, ", "))
      open(table.concat(ddl))
      types(folder)
      local state = read(folder)
      assert.same(odd, state.aliases["shop.AllOfThem.Column"])
      for _, word in ipairs(odd) do
        assert.equal("string", state.classes["shop.AllOfThem"].fields[word])
        assert.equal("string|weft.Raw", state.classes["shop.AllOfThem.Create"].fields[word])
        assert.is_truthy(state.classes["shop.AllOfThem.Repository"].fields["find_by_" .. word] or word:find "%u" , word)
        assert.is_truthy(state.classes["shop.database"].fields["repository\0" .. word], word)
      end
      check_against_models(state, name, "shop")
      assert.is_true(shell.run("luacheck --quiet " .. shell.quote(folder .. "/types")))
    end)

    it("writes the same each time, and nothing when nothing is to be written", function()
      open(rich)
      local status, out, err = program.run(folder, "types", "--check")
      assert.same({ 1, "new      types/shop.lua\n", "1 file, 1 out of date\n" }, { status, out, err })
      assert.is_false(shell.exists(folder .. "/types/shop.lua"))
      status, out, err = program.run(folder, "types")
      assert.same({ 0, "", "new      types/shop.lua\n1 file, 1 changed\n" }, { status, out, err })
      local before = files_of(folder .. "/types")
      assert.same({ 0, "", "1 file, 0 changed\n" }, { program.run(folder, "types") })
      assert.same({ 0, "", "1 file, 0 out of date\n" }, { program.run(folder, "types", "--check") })
      shell.must("rm -r " .. shell.quote(folder .. "/types"))
      types(folder)
      assert.same(before, files_of(folder .. "/types"))
      db:script "alter table teams add column added integer"
      assert.same({ 1, "changed  types/shop.lua\n", "1 file, 1 out of date\n" }, { program.run(folder, "types", "--check") })
      assert.same(before, files_of(folder .. "/types"))
      types(folder)
      assert.same({ "shop.lua" }, paths_of(files_of(folder .. "/types")))
      assert.is_truthy(files_of(folder .. "/types")["shop.lua"]:find("---@field added integer?\n", 1, true))
    end)

    it("splits what is large by schema, then by table, and joins it again", function()
      local many = dofile(shell.root() .. "/scripts/bench/many_tables.lua")
      local postgres = backend.dialect == "postgres"
      local set = many(backend.dialect, postgres and 50 or 100)
      local far = 'create schema far; set search_path = far;%s create schema "FAR"; create table "FAR".one (id integer)'
      open(postgres and set .. far:format(set) or set)
      types(folder)
      local files = files_of(folder .. "/types")
      local state = read(folder)
      if postgres then
        assert.same({ "shop.lua", "shop/FAR.lua", "shop/far_2.lua", "shop/public.lua" }, paths_of(files))
        assert.is_truthy(state.classes["shop.far_Things0050.Query"])
        assert.is_truthy(state.classes["shop.database"].fields["repository\0far.things_0050"])
        assert.equal("shop.far_Things0002?", state.classes["shop.far_Things0003"].fields.b)
      else
        assert.equal(101, #paths_of(files))
        assert.is_truthy(files["shop/main/things_0100.lua"])
      end
      assert.equal("shop.Things0002?", state.classes["shop.Things0003"].fields.b)
      types(folder, "--check")
      db:script(postgres and "drop schema far cascade" or "drop table things_0100")
      types(folder)
      local left = paths_of(files_of(folder .. "/types"))
      if postgres then assert.same({ "shop.lua" }, left) else assert.equal(100, #left) end
      read(folder)
    end)

    it("leaves files alone that it did not write, and removes those of databases that went", function()
      open "create table things (id integer primary key)"
      types(folder)
      shell.write(folder .. "/types/mine.lua", "return 1\n")
      shell.write(folder .. "/types/old.lua", "-- Written by `weft types` from old: what is changed here is lost.\n---@meta\n"
        .. "-- part: old/x.lua\n-- part: ../weft.lua\n")
      shell.must("mkdir " .. shell.quote(folder .. "/types/old"))
      shell.write(folder .. "/types/old/x.lua", "-- Written by `weft types` from old: what is changed here is lost.\n")
      shell.write(folder .. "/types/old/mine.lua", "return 2\n")
      local status, out = program.run(folder, "types", "--check")
      assert.same({ 1, "removed  types/old.lua\nremoved  types/old/x.lua\n" }, { status, out })
      assert.same({ 0, "", "" }, { program.run(folder, "types", "--check", "--quiet", "--database", "shop") })
      types(folder)
      assert.same({ "mine.lua", "old/mine.lua", "shop.lua" }, paths_of(files_of(folder .. "/types")))
      shell.write(folder .. "/types/shop.lua", "return 3\n")
      local err
      status, out, err = program.run(folder, "types")
      assert.same({ 1, "" }, { status, out })
      assert.is_truthy(err:find("types/shop.lua was not written by `weft types`", 1, true), err)
      assert.equal("return 3\n", shell.read(folder .. "/types/shop.lua"))
    end)

    it("says what model scripts say", function()
      local url = backend.url [[create table sellers (id integer primary key, name text not null)]]
      open([[create table products (id integer primary key, title text not null, price decimal(10,2) not null, seller_id integer not null,
          created_at timestamp not null, version integer not null);
        create table variants (id integer primary key, product_id integer not null references products);]], {
        ["models/shop/Product.lua"] = [[local weft = require "weft"
          return weft.model {
            columns = { price = { as = "number" } }, timestamps = true, version = "version",
            associations = { seller = weft.belongs_to { model = "sellers.Seller", foreign_key = "seller_id" },
              kinds = weft.has_many { model = "Variant", foreign_key = "product_id" } },
            scopes = { active = function(q) return q end }, methods = { label = function(self) return self.title end },
          }]],
      })
      local text = shell.read(folder .. "/weft.lua"):gsub("shop = ", ("sellers = %q, %%0"):format(url))
      shell.write(folder .. "/weft.lua", text)
      types(folder)
      local state = read(folder)
      local product = state.classes["shop.Product"].fields
      assert.equal("number", product.price)
      assert.equal("sellers.Seller", product.seller)
      assert.equal("shop.Variant[]", product.kinds)
      assert.equal("shop.Variant[]", product.variants)
      assert.equal("fun(self: shop.Product, ...: any): any", product.label)
      assert.equal("fun(self: shop.Product.Query, ...: any): shop.Product.Query", state.classes["shop.Product.Query"].fields.active)
      local create = state.classes["shop.Product.Create"].fields
      assert.same({ true, true, nil, nil }, { create.title ~= nil, create.seller_id ~= nil, create.created_at, create.version })
      types(folder, "--database", "shop")
      assert.is_truthy(files_of(folder .. "/types")["shop.lua"]:find("---@field seller weft.Row\n", 1, true))
    end)

    it("says what is wrong", function()
      open "create table things (id integer primary key)"
      local cases = { { { "--database", "shpo" }, 2, "did you mean 'shop'?" }, { { "extra" }, 2, "'extra'" },
        { { "--app", "nowhere" }, 2, "nowhere/weft.lua" },
        { { "--out", "weft.lua/x" }, 1, "cannot be written" }, { { "--chek" }, 2, "no option --chek" } }
      for _, case in ipairs(cases) do
        local status, out, err = program.run(folder, "types", table.unpack(case[1]))
        assert.same({ case[2], "" }, { status, out }, err)
        assert.is_truthy(err:find(case[3], 1, true), err)
        assert.is_nil(err:find("stack traceback", 1, true), err)
      end
      local status, out = program.run(folder, "types", "--help")
      assert.same({ 0, true }, { status, out:find("usage: weft types", 1, true) ~= nil })
    end)
  end)
end)

describe("weft types", function()
  it("keeps the classes of a database that is called weft apart from Weft's own", function()
    local folder = program.app { weft = backends["sqlite file"].url "create table queries (id integer primary key)",
      string = backends["sqlite file"].url "create table rows (id integer primary key)" }
    finally(function() program.remove(folder) end)
    types(folder)
    local state = read(folder)
    assert.is_truthy(state.classes["weft_database.Query"].fields.id)
    assert.is_nil(state.classes["weft.Query"])
    assert.equal('fun(name: "weft"): weft_database.models', state.classes.weft.fields["models\0weft"])
    assert.is_truthy(state.classes["string.Row"].fields.id)
  end)

  it("has the path of --out in the folder of the app, wherever it is started", function()
    local folder = program.app { shop = backends["sqlite file"].url "create table things (id integer primary key)" }
    finally(function() program.remove(folder) end)
    local status, _, err = program.run("/", "types", "--app", folder, "--out", "lib/types/")
    assert.same({ 0, ("new      %s/lib/types/shop.lua\n1 file, 1 changed\n"):format(folder) }, { status, err })
    assert.is_truthy(shell.read(folder .. "/lib/types/shop.lua"))
  end)
end)
