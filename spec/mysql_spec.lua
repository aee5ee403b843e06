-- SPDX-License-Identifier: MIT
-- What only MySQL has: its types, exact; ways to reach it; what it says of itself; statements that it does not prepare.

local weft = require "weft"
local backends = require "spec.support.backends"
local servers = require "spec.support.servers"
local raises = require "spec.support.raises"

local mysql = backends.mysql

local configured, close = require "spec.support.configured" "mysql_spec"
after_each(close)

---The one value of a one-row, one-column query.
local function one(db, sql, ...)
  return db:rows(sql, ...)[1][1]
end

describe("a value that MySQL holds", function()
  local facts = {
    { "bigint unsigned", "18446744073709551615", "18446744073709551615" },
    { "bigint unsigned", "9223372036854775807", "9223372036854775807" },
    { "bigint", "-9223372036854775808", "-9223372036854775808" },
    { "int unsigned", "4294967295", "4294967295" },
    { "tinyint(1)", "1", "true" },
    { "tinyint(1)", "0", "false" },
    { "tinyint", "-5", "-5" },
    { "decimal(40,10)", "'123456789012345678901234567890.0123456789'", "123456789012345678901234567890.0123456789" },
    { "enum('a','b''s')", "'b''s'", "b's" },
    { "set('x','y','z')", "'z,x'", "x,z" },
    { "datetime(6)", "'2024-02-29 12:00:00.123456'", "2024-02-29T12:00:00.123456" },
    { "datetime", "'2024-02-29 12:00:00'", "2024-02-29T12:00:00" },
    { "timestamp(6)", "'2024-02-29 12:00:00.5'", "2024-02-29T12:00:00.500000Z" },
    { "date", "'9999-12-31'", "9999-12-31" },
    { "time(6)", "'12:30:00.25'", "12:30:00.250000" },
    { "time", "'-838:59:59'", "-838:59:59" },
    { "year", "2024", "2024" },
    { "double", "1e300", "1e+300" },
    { "float", "1.1", "1.1" },
    { "text", "'é😀'", "é😀" },
    { "blob", "x'00ff27'", "\0\xff'" },
    { "uuid", "'123e4567-e89b-12d3-a456-426614174000'", "123e4567-e89b-12d3-a456-426614174000" },
    { "inet6", "'::1'", "::1" },
    { "varchar(5)", "null", "nil" },
  }
  it("is read exactly, with parameters and without", function()
    local db = mysql.open()
    for i, fact in ipairs(facts) do
      local declared, literal, expected = table.unpack(fact)
      db:script(("create table t%d (id int primary key, v %s null); insert into t%d values (1, %s)")
        :format(i, declared, i, literal))
      assert.equal(expected, tostring(one(db, ("select v from t%d where id = ?"):format(i), 1)), declared)
      assert.equal(expected, tostring(one(db, ("select v from t%d"):format(i))), declared)
    end
  end)

  it("comes back as it went in", function()
    local db = mysql.open "create table t (id int primary key, u bigint unsigned, d decimal(30,5), b varbinary(300))"
    local bytes = {}
    for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
    db:execute("insert into t values (1, ?, ?, ?)", "18446744073709551615", "-1234567890123456789012345.00001",
      table.concat(bytes))
    assert.equal(1, one(db, "select count(*) from t where u = 18446744073709551615"))
    assert.equal("-1234567890123456789012345.00001", tostring(one(db, "select d from t")))
    assert.equal(table.concat(bytes), one(db, "select b from t"))
  end)

  it("is a span of time beyond a day, through a model, too", function()
    local db, name = mysql.open "create table t (id int primary key, span time(6))"
    local T = weft.models(name).t
    for i, span in ipairs { "-838:59:59", "100:00:00.500000", "-00:00:01", "23:59:59" } do
      assert.equal(span, T:create { id = i, span = span }.span)
      assert.equal(span, T:find(i).span)
      assert.equal(i, T:where { span = { span, "00:00:00" } }:one().id)
    end
    for _, span in ipairs { "839:00:00", "100:60:00", "100:00", "-1", "100:00:00 x" } do
      raises("type", function() T:create { id = 9, span = span } end)
    end
    assert.equal(4, one(db, "select count(*) from t"))
  end)

  it("of more bytes than fit beside a cell is whole", function()
    local db = mysql.open()
    for _, n in ipairs { 127, 128, 129, 70000, 3000000 } do
      assert.equal(("x"):rep(n), one(db, "select repeat('x', ?)", n))
    end
  end)

  it("is NULL where it is a date with zeros, and a warning says so once for each statement", function()
    local db, name = mysql.open "create table t (id int primary key, d date null, at datetime(6) null)"
    db:session(function(s)
      s:execute "set sql_mode = ''"
      s:execute "insert into t values (1, '0000-00-00', '0000-00-00'), (2, '2024-00-10', '2024-01-00'), (3, null, '2024-01-02 03:04:05.000006')"
    end)
    local told = {}
    local off = weft.on("warning", function(info) told[#told + 1] = ("%s: %s: %s"):format(info.database, info.sql, info.message) end)
    finally(off)
    local rows = db:rows "select d, at from t order by id"
    for i = 1, 2 do assert.same({}, { rows[i][1], rows[i][2] }) end
    assert.equal("2024-01-02T03:04:05.000006", rows[3][2])
    assert.same({ name .. ": select d, at from t order by id: 4 dates with zeros, as 0000-00-00, are read as NULL" }, told)
    assert.is_nil(weft.models(name).t:where { id = 1 }:first().d)
    assert.truthy(told[2]:find("2 dates", 1, true))
    db:rows "select d, at from t where id = 3"
    db:script "select d from t"
    assert.equal(2, #told)
  end)
end)

describe("a way to MySQL", function()
  it("is TLS where it is asked for, with a certificate that is looked at", function()
    local my = servers.mysql { ssl = true }
    local user = servers.users.mysql.tls
    local function url(query) return my.url("mysql", { user = user.name, password = user.password, query = query }) end
    for _, query in ipairs { "ssl=require", "ssl=verify-full&ssl_ca=" .. my.ca } do
      local row = configured(url(query)):rows("show status like 'Ssl_version'")[1]
      assert.truthy(row[2]:find("TLSv1", 1, true), query)
    end
    raises("connect", function() configured(url "ssl=verify-full"):ping() end)
    raises("auth", function() configured(url "ssl=disable"):ping() end)
  end)

  it("is a socket", function()
    local my = servers.mysql()
    if not my.socket then return end
    local db = configured("mysql+unix://weft@" .. my.socket .. "/mysql")
    assert.equal("mysql", one(db, "select database()"))
  end)

  it("is refused without the right password, which no message holds", function()
    local my, user = servers.mysql(), servers.users.mysql.native
    assert.equal(1, one(configured(my.url("mysql", { user = user.name, password = user.password })), "select 1"))
    local err = raises("auth", function()
      configured(my.url("mysql", { user = user.name, password = "hunter2" })):ping()
    end)
    assert.is_nil(tostring(err):find("hunter2", 1, true))
  end)

  it("has options whose names are known", function()
    raises("usage", function() configured(servers.mysql().url("mysql", { query = "sl=require" })):ping() end, "ssl")
  end)
end)

describe("an error of MySQL", function()
  it("has its kind, its constraint and column, and no value", function()
    local db = mysql.open [[
      create table a (id int primary key, name varchar(40) not null, n int, unique key by_name (name),
        constraint positive check (n > 0));
      create table b (a_id int, constraint b_to_a foreign key (a_id) references a (id));
      insert into a values (1, 'it''s for key secret', 1);
      insert into b values (1)]]
    local err = raises("unique", function() db:execute("insert into a values (2, ?, 1)", "it's for key secret") end)
    assert.equal("by_name", err.constraint)
    assert.is_nil(tostring(err):find("secret", 1, true), tostring(err))
    assert.equal("b_to_a", raises("foreign_key", function() db:execute "insert into b values (77)" end).constraint)
    assert.equal("b_to_a", raises("foreign_key", function() db:execute "delete from a" end).constraint)
    assert.equal("positive", raises("check", function() db:execute "insert into a values (3, 'c', 0)" end).constraint)
    assert.equal("name", raises("not_null", function() db:execute "insert into a values (4, null, 1)" end).column)
    assert.equal("name", raises("not_null", function() db:execute "insert into a (id) values (4)" end).column)
    raises("syntax", function() db:query "selec 1" end)
    raises("syntax", function() db:query "select * from nowhere" end)
    raises("syntax", function() db:query "select nothing from a" end)
  end)

  it("has a kind where its number has none of its own, and no value that a trigger quotes", function()
    local db = mysql.open [[
      create table a (name varchar(40), n int);
      create table p (n int) partition by range (n) (partition p0 values less than (5));
      create trigger look before insert on a for each row begin
        declare words varchar(80) default concat('no ', new.name, ' here');
        signal sqlstate '45000' set message_text = words; end]]
    local err = raises("check", function() db:execute("insert into a values (?, 1)", "secret") end)
    assert.equal("no ...", err.message:match "no %.*")
    assert.is_nil(tostring(err):find("secret", 1, true))
    err = raises("check", function() db:execute("insert into p values (?)", 987654) end)
    assert.is_nil(tostring(err):find("987654", 1, true))
    err = raises("type", function() db:execute "create table `secret 😀` (n int)" end)
    assert.is_nil(tostring(err):find("F0", 1, true), tostring(err))
    raises("syntax", function() db:execute "create table b (n varchar(70000))" end)
    raises("syntax", function() db:execute "create table b (n int, foreign key (n) references a (n))" end)
    raises("syntax", function() db:execute "alter table a drop column name, drop column n" end)
    raises("usage", function() db:query "select (select 1 union select 2) as n" end)
  end)
end)

describe("a statement", function()
  it("has its rows after a script and after a reset session, at once", function()
    local db = mysql.open(nil, { pool = { max = 1 } })
    db:script "create table t (id int primary key); insert into t values (1); select * from t"
    assert.same({ { id = 1 } }, db:query "select id from t")
    db:session(function(s) s:execute "set @x = 1" end)
    assert.same({ { id = 1 } }, db:query "select id from t where id = 1")
  end)

  it("that MySQL does not prepare is carried out all the same", function()
    local db = mysql.open "create table t (id int primary key)"
    for _ = 1, 3 do db:execute "analyze table t" end
    db:session(function(s)
      s:execute "lock tables t read"
      s:execute "unlock tables"
    end)
  end)

  it("of a script is named when it fails; those before it were carried out", function()
    local db = mysql.open "create table t (id int primary key)"
    raises("unique", function()
      db:script "insert into t values (1); select * from t; insert into t values (1); insert into t values (2)"
    end, "statement 3")
    assert.equal(1, one(db, "select count(*) from t"))
  end)

  it("is prepared again when its table has changed", function()
    local db = mysql.open("create table t (id int primary key); insert into t values (1)", { pool = { max = 1 } })
    assert.same({ { id = 1 } }, db:query "select * from t")
    db:script "alter table t add column more text"
    db:execute "update t set more = 'x'"
    assert.same({ { id = 1, more = "x" } }, db:query "select * from t")
  end)
end)

describe("a statement that is given up", function()
  it("is stopped at the server, and the connection goes on", function()
    local db = mysql.open(nil, { pool = { max = 1 } })
    local id = one(db, "select connection_id()")
    for _, sql in ipairs { "select sleep(20)", "select sleep(20) from (select 1 union select 2) as t",
      "select count(*) from seq_1_to_100000 a, seq_1_to_100000 b" } do
      raises("timeout", function() weft.timeout(0.05, function() db:query(sql) end) end)
      assert.equal(id, one(db, "select connection_id()"))
    end
  end)
end)

describe("a session", function()
  it("is a fresh one when it is lent again", function()
    local db = mysql.open(nil, { pool = { max = 1 } })
    local before = one(db, "select concat(@@sql_mode, @@time_zone, @@collation_connection)")
    db:session(function(s)
      s:execute "set sql_mode = '', time_zone = '+05:00', @x = 1"
      s:execute "create temporary table tt (a int)"
    end)
    assert.equal(before, one(db, "select concat(@@sql_mode, @@time_zone, @@collation_connection)"))
    assert.is_nil(one(db, "select @x"))
    raises("syntax", function() db:query "select * from tt" end)
  end)

  it("that the server ends is replaced", function()
    local db = mysql.open(nil, { pool = { max = 1 } })
    local id = one(db, "select connection_id()")
    servers.mysql().sql("kill " .. id)
    local ok, err = pcall(one, db, "select connection_id()") -- raw text is not run twice
    assert.is_true(ok or err.kind == "disconnect", tostring(err))
    assert.is_true(one(db, "select connection_id()") ~= id)
  end)
end)

describe("a list of integers", function()
  local db, T
  before_each(function()
    local name
    db, name = mysql.open("create table t (id int primary key, n int)", { pool = { max = 1 } })
    db:execute "insert into t select seq, seq % 2 from seq_1_to_600"
    T = weft.models(name).t
  end)
  local function upto(n)
    local list = {}
    for i = 1, n do list[i] = i end
    return list
  end
  local function prepared() return tonumber(db:rows("show session status like 'Com_stmt_prepare'")[1][2]) end

  it("finds what is in it, whatever its length", function()
    for _, n in ipairs { 0, 1, 7, 8, 9, 16, 17, 511, 512, 513, 600 } do
      assert.equal(n, T:where { id = upto(n) }:count(), n)
      assert.equal(600 - n, T:where("id", "not_in", upto(n)):count(), n)
    end
    assert.equal(0, T:where { id = { 601, -1, 2147483647, -2147483648 } }:count())
    assert.equal(2, T:where { id = { 1, 2, 2, weft.null } }:count())
    assert.equal(3, T:where { id = upto(6), n = 1 }:count())
    assert.equal(5, T:where { id = upto(5) }:update { n = 3 })
  end)

  it("is prepared for few lengths", function()
    T:where { id = upto(9) }:count()
    prepared()
    local before = prepared()
    for n = 9, 16 do assert.equal(n, T:where { id = upto(n) }:count()) end
    assert.equal(before, prepared())
  end)
end)

describe("an insert of many rows", function()
  local T
  local columns = { "v", "d", "f", "b", "at", "n" }
  before_each(function()
    local _, name = mysql.open [[create table t (id bigint primary key, v varchar(300), d decimal(40,5), f float, b varbinary(9),
      at datetime(6), n int)]]
    T = weft.models(name).t
  end)

  ---Every row reads back as the same row that was created alone.
  local function as_alone(rows)
    assert.equal(#rows, T:create_many(rows, { returning = false }))
    for i, row in ipairs(rows) do
      local alone = { id = 1000 + i }
      for _, column in ipairs(columns) do alone[column] = row[column] end
      T:create(alone)
      local a, b = T:find(row.id), T:find(alone.id)
      for _, column in ipairs(columns) do assert.equal(tostring(b[column]), tostring(a[column]), column) end
    end
  end

  it("stores each value as it would be alone", function()
    local at = "2024-02-29 12:00:00.123456"
    as_alone {
      { id = 1, v = "", d = "1.5", f = 1.1, b = "\0\xff", at = at, n = weft.null },
      { id = 2, v = weft.null, d = weft.null, f = weft.null, b = weft.null, at = weft.null, n = weft.null },
      { id = 3, v = ("é"):rep(300), d = 3, f = -0.5, b = "", at = at, n = weft.null },
    }
  end)

  it("takes values of several types in one column", function()
    as_alone {
      { id = 1, v = "a", d = "123456789012345678901234567890123.00001", f = 1, b = "x", at = "2024-01-01", n = 1 },
      { id = 2, v = "b", d = 7, f = 2.25, b = "y", at = "2024-01-01 10:00:00", n = 2 },
    }
  end)

  it("says which column does not take a value, and stores nothing", function()
    local rows = {}
    for i = 1, 10 do rows[i] = { id = i, v = ("x"):rep(i == 7 and 301 or 3), n = i } end
    local ok, err = pcall(T.create_many, T, rows, { returning = false })
    assert.is_false(ok)
    assert.truthy(tostring(err):find("'v'", 1, true), tostring(err))
    assert.equal(0, T:count())
  end)

  it("leaves the statement fit for one row", function()
    T:create_many({ { id = 1, n = 1 }, { id = 2, n = 2 } }, { returning = false })
    assert.equal(1, T:create_many({ { id = 3, n = 3 } }, { returning = false }))
    T:create_many({ { id = 4, n = 4 }, { id = 5, n = 5 } }, { returning = false })
    assert.equal(5, T:count())
  end)
end)
