-- SPDX-License-Identifier: MIT
-- PostgreSQL's pipeline: many statements on one connection, each failing alone, deadlines that harm nobody.

local weft = require "weft"
local backends = require "spec.support.backends"
local servers = require "spec.support.servers"
local clock = require "spec.support.clock"
local raises = require "spec.support.raises"

local backend = backends.postgres
local schema = [[create table t (id integer primary key, n integer);
  insert into t select i, i from generate_series(1, 200) i]]

---A pseudo-random sequence that is the same in each run.
local function random(seed)
  local state = seed
  return function(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return state // 65536 % n + 1
  end
end

describe("through a proxy that delays 20 ms each way", function()
  local proxy, db, name, T

  before_each(function()
    local pg = servers.postgres()
    proxy = servers.proxy(pg)
    local url = backend.url(schema)
    local database = url:match("/([^/]*)$")
    name = "delayed"
    weft.configure { databases = { delayed = { url = proxy.url(database), pool = { max = 1, wait = 20 } } } }
    db = weft.database(name)
    T = weft.models(name).t
  end)
  after_each(function()
    db:close()
    proxy.close()
  end)

  it("64 different short selects on one connection take less than three round trips", function()
    T:find(1)
    local shapes = {}
    local operators, values = { ">", ">=", "<", "<=", "!=", "not_in" }, { -1, 0, 999, 999, -5, { -7 } }
    for i = 1, 64 do -- a different set of conditions each
      local q = T:select("id", "n"):where { id = i }
      for bit = 0, 5 do
        if i >> bit & 1 == 1 then q = q:where("n", operators[bit + 1], values[bit + 1]) end
      end
      shapes[i] = q
    end
    for i = 1, 64 do -- prepared and measured
      for _ = 1, 2 do assert.equal(i, shapes[i]:all()[1].n) end
    end
    local texts, different = {}, 0
    for i = 1, 64 do
      local sql = shapes[i]:sql()
      if not texts[sql] then different = different + 1 end
      texts[sql] = true
    end
    assert.is_true(different >= 63, different .. " different texts") -- 64 has the bits of 0: no condition
    proxy.delay(20)
    local took = math.huge
    for _ = 1, 5 do -- others need the processors, too
      local start, sum = nil, 0
      weft.run(function()
        start = clock()
        for i = 1, 64 do
          weft.spawn(function()
            local n = shapes[i]:all()[1].n
            sum = sum + n
          end)
        end
      end)
      took = math.min(took, clock() - start)
      assert.equal(2080, sum)
    end
    proxy.delay(0)
    print(("# 64 different selects on one connection, 40 ms round trip: %.0f ms"):format(took * 1000))
    assert.equal(1, db:stats().open)
    assert.is_true(took < 0.12 + 0.08, ("took %.3f s"):format(took)) -- three round trips and slack
  end)

  it("a transaction of one update takes less than three round trips", function()
    T:where { id = 1 }:update { n = 1 }
    db:transaction(function() T:where { id = 1 }:update { n = 1 } end)
    proxy.delay(20)
    local took = math.huge
    for _ = 1, 5 do
      local start = clock()
      db:transaction(function() T:where { id = 1 }:update { n = 7 } end)
      took = math.min(took, clock() - start)
    end
    proxy.delay(0)
    print(("# BEGIN, UPDATE, COMMIT, 40 ms round trip: %.0f ms"):format(took * 1000))
    assert.is_true(took < 0.12 + 0.05, ("took %.3f s"):format(took))
    assert.equal(7, T:find(1).n)
  end)
end)

describe("a pipeline", function()
  it("lets a failing statement fail alone", function()
    local db, name = backend.open(schema, { pool = { max = 1, wait = 20 } })
    local T = weft.models(name).t
    local failing = T:select { "id", x = weft.raw "100 / (n - 50)" } -- fails where n = 50
    local right = {}
    for round = 1, 3 do
      for i = 1, 60 do
        if i ~= 50 then failing:where { id = i }:all() end
      end
      local good, bad = 0, 0
      weft.run(function()
        for i = 1, 60 do
          weft.spawn(function()
            local rows, err = weft.try(function() return T:select("n"):where { id = i }:all() end)
            if rows and rows[1].n == i then good = good + 1 else right[#right + 1] = tostring(err) end
            local more, why = weft.try(function() return failing:where { id = i }:all() end)
            if more then good = good + 1
            elseif why.code == "22012" then bad = bad + 1
            else right[#right + 1] = tostring(why) end
          end)
        end
      end)
      assert.same({}, right)
      assert.equal(119, good, "round " .. round)
      assert.equal(1, bad)
    end
    assert.equal(1, db:stats().open)
  end)

  it("lets a failing statement of a model fail alone, 1,000 times", function()
    local db, name = backend.open(schema .. [[;
      create function picky(i integer) returns integer language plpgsql immutable as $$
      begin if i % 10 = 0 then raise exception 'picky' using errcode = 'P0001'; end if; return i; end $$]],
      { pool = { max = 2, wait = 20 } })
    local T = weft.models(name).t
    local shape = T:select { "id", x = weft.raw "picky(n)" }
    for i = 1, 5 do shape:where { id = i }:all() end
    local good, bad, other = 0, 0, {}
    weft.run(function()
      for i = 1, 1000 do
        weft.spawn(function()
          local id = i % 200 + 1
          local rows, err = weft.try(function() return shape:where { id = id }:all() end)
          if rows and rows[1].x == id and id % 10 ~= 0 then good = good + 1
          elseif err and err.code == "P0001" and id % 10 == 0 then bad = bad + 1
          else other[#other + 1] = tostring(err) end
        end)
      end
    end)
    assert.same({}, other)
    assert.equal(900, good)
    assert.equal(100, bad)
    assert.is_true(db:stats().open <= 2)
  end)

  it("gives everyone his own answer, whatever its size", function()
    local db, name = backend.open([[create table t (id integer primary key, body text);
      insert into t select i, repeat(chr(64 + i), i * i * 40) from generate_series(1, 26) i]], { pool = { max = 2, wait = 20 } })
    local T = weft.models(name).t
    weft.run(function()
      for i = 1, 520 do
        weft.spawn(function()
          local id = i % 26 + 1
          local row = T:select("body"):where { id = id }:first()
          assert(row.body == string.rep(string.char(64 + id), id * id * 40), id)
        end)
      end
    end)
    assert.is_true(db:stats().open <= 2)
  end)
end)

describe("a deadline", function()
  ---n statements with random deadlines; each must give its own answer or time out itself.
  local function storm(n, max, seed)
    local db, name = backend.open(schema, { pool = { max = max, wait = 60 } })
    local T = weft.models(name).t
    local rnd = random(seed)
    local good, late, wrong = 0, 0, {}
    for i = 1, 20 do T:find(i) end
    local started = 0
    local function one()
      local which, id, seconds = rnd(10), rnd(200), rnd(200) / 10000
      local function work()
        if which <= 6 then -- a short read that shares a pipeline
          return T:batch(false):find(id).n
        elseif which == 7 then -- one that may take longer than its deadline, alone
          db:query("select pg_sleep(?::float8)", rnd(20) / 1000)
          return id
        elseif which == 8 then
          return T:where { id = id }:update { n = id } == 1 and id
        elseif which == 9 then
          return db:transaction(function()
            T:where { id = id }:update { n = id }
            return T:find(id).n
          end)
        end
        return db:query("select n, pg_sleep(0.001) from t where id = ?", id)[1].n
      end
      local got, err
      if rnd(4) == 1 then got, err = weft.try(work)
      else got, err = weft.try(weft.timeout, seconds, work) end
      if got == id then good = good + 1
      elseif err and err.kind == "timeout" then late = late + 1
      else wrong[#wrong + 1] = ("%d: %s"):format(which, tostring(err or got)) end
    end
    weft.run(function()
      for _ = 1, 32 do
        weft.spawn(function()
          while started < n do
            started = started + 1
            one()
          end
        end)
      end
    end)
    assert.same({}, wrong)
    for i = 1, 200 do assert.equal(i, T:find(i).n) end
    for _ = 1, 20 do assert.equal(1, db:query("select 1 as one")[1].one) end
    local s = db:stats()
    assert.is_true(s.open <= max)
    assert.equal(0, s.inflight)
    assert.equal(0, s.leased)
    return good, late, s
  end

  it("of one statement makes no other one fail: 10,000 random ones on shared and exclusive connections", function()
    local good, late, s = 0, 0, nil
    -- The thread sanitizer never forgets a frame that Lua's longjmp left, and has room for 65,536.
    local each = os.getenv "WEFT_SPEC_MODE" == "tsan" and 100 or 2500
    for _, max in ipairs { 1, 2, 4, 8 } do
      local g, l
      g, l, s = storm(each, max, max * 7919)
      good, late = good + g, late + l
    end
    print(("# of %d random deadlines %d statements answered, %d timed out; connections opened by the last pool: %d")
      :format(4 * each, good, late, s.opened))
    assert.is_true(late > each // 25)
    assert.is_true(good > each // 25)
  end)

  it("of an exclusive statement stops it at the server", function()
    local db = backend.open(schema, { pool = { max = 2 } })
    local pg = servers.postgres()
    local text = "select pg_sleep(30), 'stopped by deadline'"
    raises("timeout", function() weft.timeout(0.05, function() db:query(text) end) end)
    local function running()
      return pg.psql "select count(*) from pg_stat_activity where state = 'active' and query like 'select pg_sleep(30), ''stopped%'"
    end
    for _ = 1, 100 do
      if running() == "0" then break end
      weft.sleep(0.01)
    end
    assert.equal("0", running())
    assert.equal(1, db:query("select 1 as one")[1].one)
    assert.equal(1, db:execute("update t set n = n where id = 1").affected)
  end)

  it("of the database holds for each statement", function()
    local db = backend.open(schema, { statement_timeout = 0.05, pool = { max = 2 } })
    raises("timeout", function() db:query "select pg_sleep(30)" end)
    assert.equal(1, db:query("select 1 as one")[1].one)
    weft.run(function()
      raises("timeout", function() db:query "select pg_sleep(30)" end)
      assert.equal(1, db:query("select 1 as one")[1].one)
    end)
  end)

  it("inside a transaction rolls it back and leaves the connection usable", function()
    local db = backend.open(schema, { pool = { max = 1 } })
    raises("timeout", function()
      db:transaction(function()
        db:execute "update t set n = 0 where id = 1"
        weft.timeout(0.03, function() db:query "select pg_sleep(30)" end)
      end)
    end)
    assert.equal(1, db:query("select n from t where id = 1")[1].n)
    assert.equal(1, db:stats().open)
  end)

  it("inside a nested transaction rolls back to the savepoint", function()
    local db = backend.open(schema, { pool = { max = 1 } })
    db:transaction(function()
      db:execute "update t set n = 111 where id = 1"
      local _, err = weft.try(db.transaction, db, function()
        db:execute "update t set n = 222 where id = 2"
        weft.timeout(0.03, function() db:query "select pg_sleep(30)" end)
      end)
      assert.equal("timeout", err.kind)
      db:execute "update t set n = 333 where id = 3"
    end)
    assert.same({ { 111 }, { 2 }, { 333 } }, db:rows "select n from t where id <= 3 order by id")
  end)
end)
