-- SPDX-License-Identifier: MIT
-- A value never changes because it passed through Weft: marks, decimals, JSON, times, arrays, conversions.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"

local null, decimal, encode, decode = weft.null, weft.decimal, weft.encode, weft.decode

describe("null", function()
  it("is one value that prints as null and is not nil", function()
    assert.equal("null", tostring(null))
    assert.equal("userdata", type(null))
    assert.is_true(null == weft.null)
    assert.equal("null", encode(null))
    assert.equal(null, decode "null")
  end)
end)

describe("decimal", function()
  it("keeps the digits it is given", function()
    for _, text in ipairs { "0", "1.10", "-0.05", "99999999999999999999999999999999999999", "0.00000000000000000000000000000000000001" } do
      assert.equal(text, tostring(decimal(text)))
    end
    assert.equal("3", tostring(decimal(3)))
    assert.equal("-9223372036854775808", tostring(decimal(math.mininteger)))
    assert.equal("1200", tostring(decimal "1.2e3"))
    assert.equal("0.012", tostring(decimal "1.2e-2"))
    local one = decimal "1"
    assert.equal(one, decimal(one))
  end)

  it("refuses what is no exact number", function()
    for _, value in ipairs { "", "x", ".", "1,5", "1 ", "0x10", "nan", "inf", "1e", "--1", "1e99", ("9"):rep(39) } do
      raises("usage", function() decimal(value) end, "decimal")
    end
    for _, value in ipairs { 1.5, true, {}, print } do
      raises("usage", function() decimal(value) end, "decimal")
    end
    raises("usage", function() decimal() end)
    raises("usage", function() decimal(null) end)
  end)

  it("counts exactly", function()
    assert.equal("0.30", tostring(decimal "0.10" + decimal "0.20"))
    assert.equal("1.10", tostring(decimal "0.10" + 1))
    assert.equal("0.90", tostring(1 - decimal "0.10"))
    assert.equal("-0.10", tostring(-decimal "0.10"))
    assert.equal("0.0200", tostring(decimal "0.10" * decimal "0.20"))
    assert.equal("3.30", tostring(3 * decimal "1.10"))
    assert.equal("123456789012345678901234567890", tostring(decimal "123456789012345678901234567889" + 1))
    raises("type", function() return decimal(("9"):rep(38)) * 10 end, "38")
    raises("type", function() return decimal(("9"):rep(38)) + 1 end, "38")
  end)

  it("compares exactly", function()
    assert.is_true(decimal "1.10" == decimal "1.1")
    assert.is_true(decimal "-0" == decimal "0")
    assert.is_true(decimal "1.10" < decimal "1.11")
    assert.is_true(decimal "9007199254740993" > 9007199254740992)
    assert.is_true(decimal "2" <= 2 and decimal "2" >= 2)
    assert.is_true(3 > decimal "2.99")
    assert.is_false(decimal "2.5" == decimal "2")
  end)

  it("does not mix with floats or text", function()
    for _, fn in ipairs {
      function() return decimal "1" + 0.5 end, function() return 0.5 * decimal "1" end, function() return decimal "1" < 1.5 end,
      function() return decimal "1" - "1" end, function() return decimal "1" < "2" end, function() return decimal "1" + {} end,
    } do
      local err = raises("usage", fn, "mix")
      assert.truthy(err.message:find("value_spec.lua:", 1, true))
    end
  end)

  it("becomes a number when asked", function()
    assert.equal(1.5, decimal("1.50"):tonumber())
    assert.equal(7, decimal("7.00"):tonumber())
    assert.equal("integer", math.type(decimal("7.00"):tonumber()))
  end)

  it("is a JSON number", function()
    assert.equal("[1.10,-3]", encode { decimal "1.10", decimal "-3" })
  end)

  it("is immutable", function()
    assert.is_false(pcall(function() decimal("1").x = 1 end))
  end)
end)

describe("encode", function()
  it("is exact and deterministic", function()
    for _, case in ipairs {
      { { 1, 2, 3 }, "[1,2,3]" }, { {}, "{}" }, { weft.array {}, "[]" }, { weft.array { 1, null }, "[1,null]" },
      { { b = 1, a = { c = true } }, '{"a":{"c":true},"b":1}' }, { 9007199254740993, "9007199254740993" },
      { math.mininteger, "-9223372036854775808" }, { 1.5, "1.5" }, { 1e100, "1e+100" }, { 0.1, "0.1" }, { 1.0, "1.0" },
      { "a\"\\\n\t\0é", '"a\\"\\\\\\n\\t\\u0000é"' }, { true, "true" }, { { null, 1 }, "[null,1]" }, { weft.json { x = 1 }, '{"x":1}' },
      { { 1, nil, 3, n = 4 }, "[1,null,3,null]" }, { { n = 2 }, '{"n":2}' }, { weft.array { n = 2 }, "[null,null]" },
      { "", '""' }, { { [""] = 1 }, '{"":1}' },
    } do
      assert.equal(case[2], encode(case[1]))
    end
  end)

  it("raises for what has no JSON form", function()
    raises("usage", function() encode(print) end, "function")
    raises("usage", function() encode { a = coroutine.create(print) } end, "thread")
    raises("usage", function() encode { 1, 2, x = 3 } end)
    raises("usage", function() encode { [1.5] = 1 } end)
    raises("usage", function() encode { [true] = 1 } end)
    raises("type", function() encode { "\xff" } end, "UTF-8")
    local cycle = {}
    cycle.self = cycle
    raises("usage", function() encode(cycle) end, "cycle")
    assert.is_false(pcall(encode))
  end)

  it("does not write NaN or infinity as something else", function()
    for _, number in ipairs { 0 / 0, 1 / 0, -1 / 0 } do
      raises("usage", function() encode { number } end)
    end
  end)
end)

describe("decode", function()
  it("is the inverse of encode", function()
    for _, text in ipairs {
      "[]", "{}", "null", "true", "0", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775808", '""', '"é"',
      '[[],{},null,[null]]', '{"a":[],"b":{}}', "1.5", "[1,[2,[3]]]", "123456789012345678901234567890", "0.1234567890123456789012345",
      '"\\u0000"', '"\\"\\\\"',
    } do
      assert.equal(text, encode(decode(text)))
    end
  end)

  it("reads numbers exactly", function()
    assert.equal("integer", math.type(decode "9223372036854775807"))
    assert.equal("float", math.type(decode "0.5"))
    assert.equal(0.1, decode "0.1")
    assert.equal("9223372036854775808", tostring(decode "9223372036854775808"))
    assert.is_true(decode "12345678901234567.5" == decimal "12345678901234567.5")
  end)

  it("reads strings in every spelling", function()
    assert.equal("é😀\n/", decode '"\\u00e9\\ud83d\\ude00\\n\\/"')
    assert.equal(3, #decode ' [ 1 ,\n2, 3 ] ')
  end)

  it("raises type, with the place, for what is no JSON", function()
    for _, text in ipairs {
      "", "nul", "[1,]", "{\"a\"}", "{a:1}", "'a'", "[1", "01", "1 2", "\"a", "\"\\x\"", "\"\n\"", "+1", ".5", "NaN", "[1]]",
      "\"\\ud800\"", "\"\xff\"",
    } do
      raises("type", function() decode(text) end, "JSON")
    end
    raises("type", function() decode(("["):rep(100000)) end)
    raises("usage", function() decode(1) end)
    raises("usage", function() decode() end)
  end)
end)

describe("array and json", function()
  it("take one value", function()
    assert.is_false(pcall(weft.array))
    assert.is_false(pcall(weft.array, "x"))
    assert.is_false(pcall(weft.json))
    assert.equal("null", encode(weft.json(nil)))
  end)

  it("leave a table usable", function()
    local list = weft.array { 1, 2 }
    list[3] = 3
    assert.equal(3, #list)
    assert.is_nil(list.x)
  end)
end)

describe("now", function()
  it("is a time in UTC with six digits", function()
    local text = weft.now()
    assert.truthy(text:find "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ$")
    assert.equal(os.date("!%Y-%m-%d", os.time()):sub(1, 4), text:sub(1, 4))
  end)
end)

local schema = {
  sqlite = [[
    create table things (id integer primary key, n bigint, small integer, f double precision, flag boolean, price numeric(10,2),
      amount numeric, txt text, body blob, attrs json, made datetime);
    create table bare (id integer primary key, any_value);]],
  mysql = [[
    create table things (id integer auto_increment primary key, n bigint, small integer, f double, flag boolean, price numeric(10,2),
      amount numeric(65,20), txt longtext, body longblob, attrs json, made timestamp(6) null);
    create table more (id integer auto_increment primary key, local_time datetime(6), day date, clock time(6));]],
  postgres = [[
    create table things (id integer generated by default as identity primary key, n bigint, small integer, f double precision,
      flag boolean, price numeric(10,2), amount numeric, txt text, body bytea, attrs jsonb, made timestamptz);
    create table more (id integer generated by default as identity primary key, tiny smallint, r real, plain json, local_time timestamp,
      day date, clock time, span interval, who uuid, list integer[], words text[], stamps timestamptz[], prices numeric(8,2)[],
      grid integer[][], flags boolean[], addr inet, code char(4), name varchar(5), xbits bit(3));]],
}

backends.each(function(backend)
  local db, name, Thing, More
  local sqlite, mysql = backend.dialect == "sqlite", backend.dialect == "mysql"

  setup(function()
    db, name = backend.open(schema)
    Thing = weft.models(name).Thing
    More = not sqlite and weft.models(name).more
  end)

  ---What is read after a value was created, and found again by it.
  local function pass(column, value)
    local row = Thing:create { [column] = value }
    local found = Thing:find(row.id)
    assert.equal(encode(row), encode(found))
    return found[column], found
  end

  describe("a model", function()
    it("keeps integers of 64 bits", function()
      for _, value in ipairs { 0, -1, 9007199254740993, math.maxinteger, math.mininteger } do
        local got, row = pass("n", value)
        assert.equal(value, got)
        assert.equal("integer", math.type(got))
        assert.equal(row.id, Thing:where { n = value }:order("id", "desc"):first().id)
        assert.equal(value, decode(Thing:where { id = row.id }:json())[1].n)
      end
      assert.equal(12, (pass("n", "12")))
      assert.equal(3, (pass("n", 3.0)))
      assert.equal(3, (pass("n", decimal "3.00")))
    end)

    it("refuses integers that are none or out of range", function()
      for _, value in ipairs { 1.5, "1.5", "9223372036854775808", 2 ^ 63, decimal "0.5", "", "1e", "0x10", 0 / 0, 1 / 0, true, {} } do
        raises("type", function() Thing:create { n = value } end, "'n'")
      end
      if not sqlite then
        raises("type", function() Thing:create { small = 2147483648 } end, "small")
        raises("type", function() Thing:where({ small = 2147483648 }):all() end)
      end
    end)

    it("keeps floats", function()
      for _, value in ipairs { 0.1, 1e300, -2.5e-308, 1 / 3, 123456789.123, 5e-324 } do
        assert.equal(value, (pass("f", value)))
      end
      assert.equal(3.0, (pass("f", 3)))
      assert.equal(0.5, (pass("f", "0.5")))
      assert.equal("float", math.type((pass("f", 3))))
      if mysql then raises("type", function() Thing:create { f = 1 / 0 } end, "column f")
      else assert.equal(1 / 0, (pass("f", 1 / 0))) end
    end)

    it("keeps NaN where the database has it", function()
      if sqlite or mysql then
        raises("type", function() Thing:create { f = 0 / 0 } end, "NaN")
      else
        local got, row = pass("f", 0 / 0)
        assert.is_true(got ~= got)
        assert.same({}, (row:changed()))
      end
    end)

    it("refuses an integer that a float cannot hold", function()
      raises("type", function() Thing:create { f = 9007199254740993 } end, "'f'")
    end)

    it("keeps booleans", function()
      assert.equal(true, (pass("flag", true)))
      assert.equal(false, (pass("flag", false)))
      assert.equal(false, Thing:where { flag = false }:first().flag)
      raises("type", function() Thing:create { flag = "maybe" } end, "'flag'")
      raises("type", function() Thing:create { flag = 2 } end, "'flag'")
    end)

    it("gives NUMERIC as decimals of the declared scale", function()
      for given, want in pairs { ["1.10"] = "1.10", ["1.1"] = "1.10", ["3"] = "3.00", ["-0.05"] = "-0.05", ["99999999.99"] = "99999999.99" } do
        assert.equal(want, tostring((pass("price", decimal(given)))))
        assert.equal(want, tostring((pass("price", given))))
      end
      assert.equal("7.00", tostring((pass("price", 7))))
      assert.equal("0.10", tostring((pass("price", 0.1))))
      assert.is_true(Thing:where { price = decimal "1.1" }:first().price == decimal "1.10")
      assert.truthy(Thing:select("price"):where { price = 7 }:json():find('"price":7.00', 1, true))
    end)

    it("refuses decimals that would be rounded or cut", function()
      for _, value in ipairs { decimal "1.234", "1.234", 1.234, decimal "100000000", "123456789.1", "x", 1 / 0 } do
        raises("type", function() Thing:create { price = value } end, "price")
      end
    end)

    it("keeps long decimals, or says that it cannot", function()
      if sqlite then
        assert.equal("123456789.125", tostring((pass("amount", decimal "123456789.125"))))
        raises("type", function() Thing:create { amount = decimal "12345678901234567890.5" } end, "amount", "digits")
        raises("type", function() Thing:create { amount = decimal "0.1234567890123456789" } end, "amount", "digits")
      elseif mysql then
        for _, text in ipairs { "12345678901234567.5", "0.1234567890123456789", "1.0", "-" .. ("9"):rep(18) .. ".50" } do
          assert.is_true((pass("amount", decimal(text))) == decimal(text))
        end
        assert.equal(("9"):rep(45) .. "." .. ("0"):rep(20), (pass("amount", ("9"):rep(45))))
      else
        for _, text in ipairs { "12345678901234567890.5", "0.1234567890123456789", "1.0", ("9"):rep(38), "-" .. ("9"):rep(20) .. ".50" } do
          assert.equal(text, tostring((pass("amount", decimal(text)))))
        end
        assert.equal(("9"):rep(50), (pass("amount", ("9"):rep(50))))
        assert.equal("NaN", (pass("amount", "NaN")))
      end
    end)

    it("keeps text", function()
      for _, value in ipairs { "", "é😀", "a'b\"c\\d", "%_?$1", ("x"):rep(100000), "12", "null", "true", " \t\n" } do
        local got, row = pass("txt", value)
        assert.equal(value, got)
        assert.equal(row.id, Thing:where { txt = value }:order("id", "desc"):first().id)
      end
      assert.equal("12", (pass("txt", 12)))
    end)

    it("refuses text that the database cannot hold, or keeps it", function()
      for _, value in ipairs { "a\0b", "\xff\xfe" } do
        if sqlite or (mysql and value == "a\0b") then
          assert.equal(value, (pass("txt", value)))
          assert.equal(value, Thing:where { txt = value }:first().txt)
        else
          raises("type", function() Thing:create { txt = value } end, "txt")
          raises("type", function() Thing:where({ txt = value }):all() end)
        end
      end
    end)

    it("keeps bytes", function()
      for _, value in ipairs { "\0\1\255", "", ("\0"):rep(70000), "plain" } do
        local got = pass("body", value)
        assert.equal(value, got)
        assert.is_true(Thing:where { body = value }:exists())
      end
    end)

    it("reads NULL as an absent column everywhere", function()
      local row = Thing:create { n = 1 }
      for _, column in ipairs(weft.columns(row)) do
        if column ~= "id" and column ~= "n" then assert.is_nil(row[column]) end
      end
    end)
  end)

  describe("a json column", function()
    local cases = {
      '{"a":1}', "[]", "{}", "[[],{}]", '{"big":9007199254740993,"neg":-9223372036854775808}', '[null,true,false,"x"]',
      '{"deep":{"list":[{"x":null}]}}', "[1.5,0.1]", '["é"]', '{"money":123456789.12345678901}', '[12345678901234567890]',
    }
    it("gives back what was put in", function()
      for _, text in ipairs(cases) do
        local got, row = pass("attrs", decode(text))
        assert.equal(text, encode(got))
        assert.same({}, (row:changed()))
        assert.equal(text, encode((pass("attrs", text))))
      end
    end)

    it("tells empty arrays from empty objects", function()
      assert.equal('{"a":[],"o":{}}', encode((pass("attrs", { a = weft.array {}, o = {} }))))
    end)

    it("takes any value by weft.json", function()
      assert.equal("text", (pass("attrs", weft.json "text")))
      assert.equal(12, (pass("attrs", weft.json(12))))
      assert.equal("12", (pass("attrs", weft.json "12")))
      assert.equal(true, (pass("attrs", weft.json(true))))
      assert.equal(null, (pass("attrs", weft.json(null))))
      assert.is_nil((pass("attrs", null)))
    end)

    it("refuses text that is no JSON", function()
      raises("type", function() Thing:create { attrs = "{broken" } end, "attrs")
      raises("usage", function() Thing:create { attrs = { print } } end)
    end)

    it("keeps json exact in the text of rows", function()
      local row = Thing:create { attrs = decode '{"big":9007199254740993,"none":[]}' }
      local text = Thing:select("attrs"):where { id = row.id }:json()
      assert.equal("9007199254740993", tostring(decode(text)[1].attrs.big))
      assert.equal("[]", encode(decode(text)[1].attrs.none))
    end)

    if sqlite then
      it("shows text that is no JSON as text", function()
        db:execute("insert into things (id, attrs) values (9001, '{broken')")
        assert.equal("{broken", Thing:find(9001).attrs)
        assert.equal('[{"attrs":"{broken"}]', Thing:select("attrs"):where { id = 9001 }:json())
        assert.equal('{"attrs":"{broken"}', encode(Thing:select("attrs"):where({ id = 9001 }):one()))
      end)
    end
  end)

  describe("a time", function()
    if sqlite then
      it("is text that nobody touches", function()
        for _, value in ipairs { "2024-01-02 03:04:05", "2024-01-02T03:04:05Z", "yesterday" } do
          assert.equal(value, (pass("made", value)))
        end
      end)
      return
    end

    it("with zone is RFC 3339 in UTC", function()
      for given, want in pairs {
        ["2024-01-02T03:04:05Z"] = "2024-01-02T03:04:05Z", ["2024-01-02 03:04:05+02:00"] = "2024-01-02T01:04:05Z",
        ["2024-01-02T03:04:05.5Z"] = "2024-01-02T03:04:05.500000Z", ["2024-02-29T00:00:00-11:30"] = "2024-02-29T11:30:00Z",
        ["1969-12-31T23:59:59.999999Z"] = not mysql and "1969-12-31T23:59:59.999999Z" or nil, -- TIMESTAMP begins in 1970
        infinity = not mysql and "infinity" or nil, ["-infinity"] = not mysql and "-infinity" or nil,
      } do
        local got, row = pass("made", given)
        assert.equal(want, got)
        assert.same({}, (row:changed()))
        assert.is_true(Thing:where { made = given, id = row.id }:exists())
      end
      local now = weft.now()
      assert.equal(now, (pass("made", now)))
      for _, value in ipairs { "yesterday", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", 5.5, true, {} } do
        raises("type", function() Thing:create { made = value } end, "made")
      end
    end)

    it("without zone has none, and a value with a zone is refused", function()
      assert.equal("2024-01-02T03:04:05", More:create({ local_time = "2024-01-02 03:04:05" }).local_time)
      assert.equal("2024-01-02T03:04:05.000001", More:create({ local_time = "2024-01-02T03:04:05.000001" }).local_time)
      raises("type", function() More:create { local_time = "2024-01-02T03:04:05Z" } end, "zone")
    end)

    it("dates, clocks and intervals are text", function()
      local row = More:create { day = "2024-02-29", clock = "23:59:59.5", span = not mysql and "1 day 02:00:00" or nil }
      assert.equal("2024-02-29", row.day)
      assert.equal("23:59:59.500000", row.clock)
      if mysql then
        raises("type", function() More:create { day = "infinity" } end, "day")
      else
        assert.is_string(row.span)
        assert.equal(row.span, More:create({ span = row.span }).span)
        assert.equal("infinity", More:create({ day = "infinity" }).day)
      end
      raises("type", function() More:create { day = "2024-02-30" } end, "day")
    end)
  end)

  describe("a text of decimals or zones in the configuration", function()
    it("shows decimals as text or numbers", function()
      for as, want in pairs { string = "1.10", number = 1.1 } do
        local other, other_name = backend.open(schema, { decimals = as })
        local Other = weft.models(other_name).Thing
        local row = Other:create { price = decimal "1.10" }
        assert.equal(want, row.price)
        assert.same({}, (row:changed()))
        assert.equal(want, other:query("select price from things")[1].price)
        assert.equal(as == "string" and '[{"price":"1.10"}]' or '[{"price":1.1}]', Other:select("price"):json())
        row.price = "2.50"
        row:save()
        assert.equal(as == "string" and "2.50" or 2.5, row.price)
      end
    end)

    if not sqlite then
      it("takes times without zone as UTC", function()
        local _, other_name = backend.open(schema, { zone = "utc" })
        local Other = weft.models(other_name).more
        local row = Other:create { local_time = "2024-01-02T03:04:05+01:00" }
        assert.equal("2024-01-02T02:04:05", row.local_time)
        assert.equal("2024-01-02T02:04:05", Other:first().local_time)
      end)
    end
  end)

  if sqlite then
    describe("a column without a type", function()
      it("gives what is stored", function()
        local Bare = weft.models(name).bare
        for _, value in ipairs { 1, 1.5, "x", "12", math.maxinteger } do
          local row = Bare:create { any_value = value }
          assert.equal(value, row.any_value)
          assert.equal(math.type(value), math.type(row.any_value))
        end
        assert.equal("\0\1", db:query("select x'0001' as b")[1].b)
      end)
    end)
  end
  if backend.dialect ~= "postgres" then return end

  describe("PostgreSQL's other types", function()
    it("arrays are tables, NULL inside is weft.null", function()
      local row = More:create { list = { 1, 2, 3 }, words = { "a", null, "c,\"{}\\", "" }, flags = { true, false },
        stamps = { "2024-01-02T03:04:05Z" }, prices = { decimal "1.10", 2 }, grid = { weft.array { 1, 2 }, weft.array { 3, 4 } } }
      row = More:find(row.id)
      assert.equal("[1,2,3]", encode(row.list))
      assert.equal(null, row.words[2])
      assert.equal("c,\"{}\\", row.words[3])
      assert.equal("", row.words[4])
      assert.equal("[true,false]", encode(row.flags))
      assert.equal('["2024-01-02T03:04:05Z"]', encode(row.stamps))
      assert.equal("[1.10,2.00]", encode(row.prices))
      assert.equal("[[1,2],[3,4]]", encode(row.grid))
      assert.same({}, (row:changed()))
      row.list[4] = 4
      assert.same({ "list" }, (row:changed()))
      row:save()
      assert.equal("[1,2,3,4]", encode(More:find(row.id).list))
    end)

    it("arrays of enums, domains and other types that are not its own are tables, too", function()
      local _, other = backend.open [[create type mood as enum ('sad', 'ok', 'a,"b\'); create domain email as text;
        create table most (id integer primary key, moods mood[], grid mood[][], mails email[], nets inet[], boxes box[], ids int2vector)]]
      local Most = weft.models(other).most
      local row = Most:create { id = 1, moods = { "sad", null, 'a,"b\\' }, grid = weft.array { weft.array { "ok" } }, mails = { "a@b" },
        nets = { "10.0.0.1" }, boxes = weft.raw "'{(1,2),(0,0);(3,4),(1,1)}'", ids = weft.raw "'1 2'" }
      for _, it in ipairs { row, Most:find(1) } do
        assert.equal('["sad",null,"a,\\"b\\\\"]', encode(it.moods))
        assert.equal('[["ok"]]["a@b"]["10.0.0.1"]', encode(it.grid) .. encode(it.mails) .. encode(it.nets))
        assert.same({ "{(1,2),(0,0);(3,4),(1,1)}", "1 2" }, { it.boxes, it.ids })
      end
      row.moods[1] = "ok"
      row:save()
      assert.equal(1, Most:where("moods", "=", { "ok", null, 'a,"b\\' }):count())
    end)

    it("empty arrays stay empty arrays", function()
      local row = More:create { list = {}, words = weft.array {} }
      assert.equal("[]", encode(row.list))
      assert.equal("[]", encode(More:find(row.id).words))
      assert.is_true(More:where { id = row.id, list = weft.array {} }:exists())
    end)

    it("arrays are compared as a whole", function()
      local row = More:create { list = { 7, 8 } }
      assert.equal(row.id, More:where { list = { 7, 8 } }:one().id)
      assert.equal(row.id, More:where("list", "=", weft.array { 7, 8 }):one().id)
      assert.equal(1, #db:query("select id from more where list = ?", weft.array { 7, 8 }))
    end)

    it("rectangular arrays only, elements of their type", function()
      raises("type", function() More:create { list = { 1, "x" } } end, "list")
      raises("type", function() More:create { list = { 1.5 } } end, "list")
      raises("type", function() More:create { list = 5 } end, "list")
      raises("type", function() More:create { list = "x" } end, "list")
    end)

    it("uuids are in small letters", function()
      local row = More:create { who = "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11" }
      assert.equal("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", row.who)
      assert.equal(row.id, More:where { who = "A0EEBC999C0B4EF8BB6D6BB9BD380A11" }:one().id)
      raises("type", function() More:create { who = "not a uuid" } end, "who")
    end)

    it("json keeps its text, jsonb its value", function()
      local row = More:create { plain = decode '{"b":[],"a":9007199254740993}' }
      assert.equal('{"a":9007199254740993,"b":[]}', encode(row.plain))
      db:execute([[insert into more (id, plain) values (5001, '{"x" :  1, "x": 2}')]])
      assert.equal('[{"plain":{"x" :  1, "x": 2}}]', More:select("plain"):where { id = 5001 }:json())
      assert.equal('{"plain":{"x" :  1, "x": 2}}', encode(More:select("plain"):where({ id = 5001 }):one()))
    end)

    it("small numbers are checked", function()
      assert.equal(32767, More:create({ tiny = 32767 }).tiny)
      raises("type", function() More:create { tiny = 32768 } end, "tiny")
      assert.equal(0.5, More:create({ r = 0.5 }).r)
    end)

    it("what Weft does not know is text both ways", function()
      local row = More:create { addr = "10.0.0.1", code = "ab", name = "short", xbits = "101" }
      row = More:find(row.id)
      assert.equal("10.0.0.1", row.addr)
      assert.equal("ab  ", row.code)
      assert.equal("101", row.xbits)
      assert.equal(row.id, More:where { addr = "10.0.0.1" }:one().id)
      raises("type", function() More:create { name = "too long" } end)
      raises("type", function() More:create { addr = "nowhere" } end)
    end)
  end)
end)
