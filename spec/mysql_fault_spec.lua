-- SPDX-License-Identifier: MIT
-- MySQL that goes away, is told to stop, or refuses: whatever is under way ends with the right kind, nothing of a
-- failed insert stays, and whoever comes next is served.

local weft = require "weft"
local backends = require "spec.support.backends"
local servers = require "spec.support.servers"
local raises = require "spec.support.raises"
local clock = require "spec.support.clock"

local mysql = backends.mysql

local configured, close = require "spec.support.configured" "mysql_fault_spec"
after_each(close)

---The one value of a one-row, one-column query.
local function one(db, sql, ...)
  return db:rows(sql, ...)[1][1]
end

local large = "select seq, repeat('x', 5000) as t from seq_1_to_20000"

describe("a socket that is cut on the way to MySQL", function()
  local my, proxy, db
  before_each(function()
    my = servers.mysql()
    proxy = servers.proxy(my)
    local database = my.create_database()
    my.sql("create table t (id int primary key, n int); insert into t values (1, 10)", database)
    db = configured((proxy.url(database):gsub("^postgres:", "mysql:")), { pool = { max = 2, wait = 10 } })
  end)
  after_each(function() proxy.close() end)

  local function cut_during(fn, how)
    return weft.run(function()
      if how then proxy[how]() end
      local task = weft.spawn(function() return pcall(fn) end)
      weft.sleep(0.05)
      proxy.cut()
      proxy.resume()
      return task:await()
    end)
  end

  for _, how in ipairs { "mute", "pause" } do
    it("fails a write that is executed or prepared, its outcome unknown (" .. how .. ")", function()
      local function write() db:execute("update t set n = n + 1 where id = ?", 1) end
      write()
      for _, fn in ipairs { write, function() db:execute "update t set n = n + 2" end } do
        local ok, err = cut_during(fn, how)
        assert.is_false(ok)
        assert.equal("disconnect", err.kind, tostring(err))
        assert.is_true(err.outcome_unknown)
        assert.equal(1, one(db, "select 1"))
      end
    end)
  end

  it("in the middle of a large answer, prepared, as text, and of a procedure", function()
    local database = one(db, "select database()")
    my.sql(("delimiter //\ncreate procedure lots() begin %s; %s; end//"):format(large, large), database)
    for _, sql in ipairs { large, large .. " where seq > ?", "call lots()" } do
      proxy.delay(20)
      local params = sql:find("?", 1, true) and { 0 } or {}
      local ok, err = cut_during(function() return db:query(sql, table.unpack(params)) end)
      proxy.delay(0)
      assert.is_true(ok or err.kind == "disconnect", tostring(err))
      assert.equal(1, one(db, "select 1"))
    end
  end)

  it("amid a wide insert", function()
    local url = proxy.url(one(db, "select database()")):gsub("^postgres:", "mysql:")
    local T = weft.models(select(2, configured(url))).t
    local rows = {}
    for i = 1, 5000 do rows[i] = { id = i + 10, n = i } end
    assert.equal(1, T:count())
    local ok, err = cut_during(function() T:create_many(rows, { returning = false }) end, "mute")
    assert.is_false(ok)
    assert.equal("disconnect", err.kind, tostring(err))
    assert.is_true(T:count() == 1 or T:count() == 5001)
  end)

  it("a server that does not greet, or not to the end, costs no more than connect_timeout", function()
    proxy.pause()
    local start = clock()
    local quick = configured((proxy.url "mysql":gsub("^postgres:", "mysql:")), { connect_timeout = 1 })
    raises("connect", function() quick:ping() end)
    assert.is_true(clock() - start < 4, clock() - start)
  end)
end)

describe("a database that is closed", function()
  it("while statements are under way", function()
    for _, sql in ipairs { "select sleep(5)", large, "insert into t select seq, 1 from seq_1_to_200000" } do
      local db = mysql.open "create table t (id int primary key, n int)"
      weft.run(function()
        local task = weft.spawn(function() return pcall(db.query, db, sql) end)
        weft.sleep(0.02)
        db:close()
        local ok, err = task:await()
        assert.is_true(ok or type(err) == "table", tostring(err))
      end)
    end
  end)

  it("over TLS, after the server ended its session, idle or not", function()
    local my = servers.mysql { ssl = true }
    for _, sql in ipairs { "select 1", "select sleep(5)" } do
      local db = configured(my.url("mysql", { query = "ssl=require" }), { pool = { max = 1 } })
      local id = one(db, "select connection_id()")
      weft.run(function()
        local task = weft.spawn(function() return pcall(db.query, db, sql) end)
        weft.sleep(0.05)
        my.sql("kill " .. id)
        local there = "select count(*) from information_schema.processlist where id = " .. id
        while my.sql(there) ~= "0" do weft.sleep(0.01) end
        task:await()
        weft.sleep(0.05)
      end)
      local fine, why = pcall(one, db, "select 1")
      if not fine then -- the server has forgotten the session before its socket closes
        assert.equal("disconnect", why.kind, sql .. ": " .. tostring(why))
        fine, why = pcall(one, db, "select 1")
      end
      assert.is_true(fine, sql .. ": " .. tostring(why))
    end
  end)
end)

describe("a storm", function()
  it("of timeouts hits nobody else, and every statement ends", function()
    local db = mysql.open("create table t (id int primary key)", { pool = { max = 3, wait = 20 } })
    local odd, ended = {}, 0
    weft.run(function()
      for i = 1, 60 do
        weft.spawn(function()
          if i % 3 == 0 then
            local ok, value = pcall(one, db, "select ?", i)
            if not ok or value ~= i then odd[#odd + 1] = tostring(value) end
          else
            local ok, err = pcall(weft.timeout, 0.002 * (i % 7), function() db:query "select sleep(0.01)" end)
            if not ok and err.kind ~= "timeout" then odd[#odd + 1] = tostring(err) end
          end
          ended = ended + 1
        end)
      end
    end)
    assert.same({}, odd)
    assert.equal(60, ended)
    assert.equal(1, one(db, "select 1"))
  end)
end)

describe("a connection's memory of statements", function()
  it("lets the oldest go, and prepares them again", function()
    local db = mysql.open("create table t (id int primary key)", { pool = { max = 1 } })
    for _ = 1, 2 do
      for i = 1, 300 do assert.equal(i + 1, one(db, ("select %d + ?"):format(i), 1)) end
    end
    local count = {}
    for _, row in ipairs(db:rows "show session status like 'Com_stmt_%'") do count[row[1]] = tonumber(row[2]) end
    assert.is_true(count.Com_stmt_prepare > 300)
    assert.is_true(count.Com_stmt_prepare - count.Com_stmt_close <= 300)
  end)

  it("sees that columns have other names or types", function()
    local schema = "create table t (id int primary key, n int); insert into t values (1, 2)"
    local db = mysql.open(schema, { pool = { max = 1 } })
    assert.same({ { id = 1, n = 2 } }, db:query "select * from t")
    servers.mysql().sql("alter table t change n m int", one(db, "select database()"))
    assert.same({ { id = 1, m = 2 } }, db:query "select * from t")
    servers.mysql().sql("alter table t modify m varchar(20)", one(db, "select database()"))
    assert.same({ { id = 1, m = "2" } }, db:query "select * from t")
  end)
end)

describe("a procedure", function()
  it("gives its first result, whatever follows; an error behind it is raised", function()
    local db = mysql.open("create table t (id int primary key)", { pool = { max = 1 } })
    local database = one(db, "select database()")
    servers.mysql().sql([[delimiter //
      create procedure p() begin select 1 as a; select 'x' as b, 2 as c; insert into t values (1); end//]], database)
    assert.same({ { a = 1 } }, db:query "call p()")
    raises("unique", function() db:query "call p()" end)
    assert.same({ { id = 1 } }, db:query "select * from t")
  end)
end)

describe("a packet that is too large", function()
  it("is an error, and the next statement has a connection", function()
    local my = servers.mysql()
    local db = mysql.open("create table t (id int primary key, t longtext)", { pool = { max = 1 } })
    local ok, err = pcall(db.execute, db, "insert into t values (1, ?)", ("x"):rep(257 << 20))
    assert.is_false(ok)
    assert.is_true(err.kind == "unsupported" or err.kind == "disconnect", tostring(err))
    assert.is_true(my.running())
    assert.equal(0, one(db, "select count(*) from t"))
  end)
end)

describe("an insert of many rows that fails in the middle", function()
  local db, T
  before_each(function()
    local name
    db, name = mysql.open "create table t (id int primary key, n int not null, s longtext)"
    T = weft.models(name).t
    T:create { id = 49000, n = 1 }
  end)
  local function rows()
    local list = {}
    for i = 1, 50000 do list[i] = { id = i, n = i } end
    return list
  end

  it("is taken back", function()
    raises("unique", function() T:create_many(rows(), { returning = false }) end)
    assert.equal(1, T:count())
    assert.equal(2, T:create { id = 2, n = 2 }.id)
  end)

  it("is taken back in a transaction, whose rest stays", function()
    db:transaction(function(tx)
      tx:execute "insert into t (id, n) values (60000, 1)"
      raises("unique", function() T:create_many(rows(), { returning = false }) end)
      tx:execute "insert into t (id, n) values (60001, 1)"
    end)
    assert.equal(3, T:count())
  end)
end)

describe("a deadlock", function()
  it("ends the transaction for who goes on in it, too", function()
    local db = mysql.open("create table t (id int primary key, n int); insert into t values (1, 0), (2, 0)")
    local met, kinds, swallowed = 0, {}, nil
    local function part(first, second)
      return function()
        local ok, err = pcall(db.transaction, db, function(tx)
          tx:execute("update t set n = n + 1 where id = ?", first)
          met = met + 1
          while met < 2 do weft.sleep(0.001) end
          local fine, why = pcall(tx.execute, tx, "update t set n = n + 1 where id = ?", second)
          if not fine then
            kinds[#kinds + 1] = why.kind
            swallowed = { pcall(tx.execute, tx, "insert into t values (?, 9)", first + 10) }
          end
        end)
        if not ok then kinds[#kinds + 1] = err.kind end
      end
    end
    weft.run(function() weft.all { part(1, 2), part(2, 1) } end)
    assert.equal("deadlock", kinds[1])
    assert.is_false(swallowed[1])
    assert.equal(2, #kinds)
    assert.equal("1:1 2:1", one(db, "select group_concat(concat(id, ':', n) order by id separator ' ') from t"))
  end)
end)
