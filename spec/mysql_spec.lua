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

  it("of more bytes than fit beside a cell is whole", function()
    local db = mysql.open()
    for _, n in ipairs { 127, 128, 129, 70000, 3000000 } do
      assert.equal(("x"):rep(n), one(db, "select repeat('x', ?)", n))
    end
  end)

  it("is NULL where it is a date with zeros", function()
    local db = mysql.open "create table t (id int primary key, d date null, at datetime(6) null)"
    db:session(function(s)
      s:execute "set sql_mode = ''"
      s:execute "insert into t values (1, '0000-00-00', '0000-00-00'), (2, '2024-00-10', '2024-01-00')"
    end)
    for _, row in ipairs(db:rows "select d, at from t order by id") do
      assert.is_nil(row[1])
      assert.is_nil(row[2])
    end
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
    my.stop()
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
