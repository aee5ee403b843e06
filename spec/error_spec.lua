-- SPDX-License-Identifier: MIT
-- Every failure raises one table: its kind, its fields, its one line; and weft.try catches what a program
-- can handle.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local servers = require "spec.support.servers"

local schema = {
  sqlite = [[
    create table parents (id integer primary key, name text constraint parents_name_key unique not null,
      age integer constraint age_is_sane check (age < 200));
    create table children (id integer primary key, parent_id integer references parents (id));
    insert into parents values (1, 'Ann', 50), (2, 'Bob', 40);]],
  postgres = [[
    create table parents (id integer primary key, name text not null constraint parents_name_key unique,
      age integer constraint age_is_sane check (age < 200));
    create table children (id integer primary key, parent_id integer references parents (id));
    insert into parents values (1, 'Ann', 50), (2, 'Bob', 40);]],
  mysql = [[
    create table parents (id integer primary key, name varchar(80) not null, age integer,
      constraint parents_name_key unique (name), constraint age_is_sane check (age < 200));
    create table children (id integer primary key, parent_id integer references parents (id));
    insert into parents values (1, 'Ann', 50), (2, 'Bob', 40);]],
}

local fields = { kind = "string", message = "string", op = "string", model = "string", database = "string", code = "string",
  constraint = "string", column = "string", retryable = "boolean", outcome_unknown = "boolean" }

---A function that returns to each of n tasks once all have called it.
local function meeting(n)
  local here = 0
  return function()
    here = here + 1
    while here < n do weft.sleep(0) end
  end
end

local function check_shape(err)
  for key, value in pairs(err) do assert.equal(fields[key], type(value), key) end
  assert.is_boolean(err.retryable)
  assert.is_boolean(err.outcome_unknown)
  local line = tostring(err)
  assert.falsy(line:find "[\r\n]")
  assert.equal(1, (line:find(err.kind .. ": ", 1, true)))
  assert.truthy(line:find(err.message:match "^[^\n]*", 1, true))
end

backends.each(function(backend)
  local db, name, Parent, Child
  local postgres = backend.dialect == "postgres"

  before_each(function()
    db, name = backend.open(schema)
    Parent, Child = weft.models(name).Parent, weft.models(name).children
    Parent:first()
    Child:first()
  end)

  describe("an error", function()
    -- kind, what raises it, fields that it has, on one dialect only
    local secret = "s3cret-value"
    local cases = {
      { "usage", function() Parent:where { nam = 1 } end, {} },
      { "not_found", function() Parent:get(99) end, { op = "get" } },
      { "not_found", function() Parent:where({ id = 99 }):one() end, { op = "one" } },
      { "many", function() Parent:where("id", ">", 0):one() end, { op = "one" } },
      { "unique", function() Parent:create { id = 3, name = "Ann" } end, { op = "create" } },
      { "unique", function() Parent:where({ id = 2 }):update { name = "Ann" } end, { op = "update" } },
      { "unique", function() db:execute("insert into parents values (1, ?, 3)", secret) end, { op = "execute" } },
      { "foreign_key", function() Child:create { id = 1, parent_id = 99 } end, { op = "create" } },
      { "not_null", function() Parent:create { id = 3 } end, { op = "create", column = "name" } },
      { "check", function() Parent:create { id = 3, name = "Old", age = 300 } end, { op = "create", constraint = "age_is_sane" } },
      { "type", function() Parent:create { id = "x", name = "y" } end, { op = "create" } },
      { "type", function() Parent:find(secret) end, { op = "find" } },
      { "syntax", function() db:query "select from where" end, { op = "query" } },
      { "usage", function() weft.models(name).Nothing:all() end, { op = "all" } },
      { "closed", function()
        weft.configure { databases = { spec_closed = "sqlite::memory:" } }
        local other = weft.database "spec_closed"
        other:close()
        other:ping()
      end, { database = "spec_closed" } },
      { "timeout", function()
        weft.timeout(0.05, function()
          db:query(postgres and "select pg_sleep(20)" or backend.dialect == "mysql" and "select sleep(20)"
            or "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c")
        end)
      end, {} },
    }
    for i, case in ipairs(cases) do
      it(("of kind %s has its fields and one line (%d)"):format(case[1], i), function()
        local err = raises(case[1], case[2])
        check_shape(err)
        for key, value in pairs(case[3]) do assert.equal(value, err[key], key .. " in " .. tostring(err)) end
        for _, value in pairs(err) do assert.falsy(tostring(value):find(secret, 1, true)) end
      end)
    end

    it("names model, database and the database's own code", function()
      local err = raises("unique", function() Parent:create { id = 3, name = "Ann" } end)
      assert.equal(name .. ".Parent", err.model)
      assert.equal(name, err.database)
      assert.equal(({ postgres = "23505", mysql = "23000", sqlite = "2067" })[backend.dialect], err.code)
      if postgres then assert.equal("parents_name_key", err.constraint) end
      assert.equal(("unique: %s (create, %s.Parent, %s)"):format(err.message, name, err.code), tostring(err))
    end)

    it("shows no value of a row, however the database says it", function()
      local value = "a-very-private-name"
      Parent:create { id = 7, name = value }
      local err = raises("unique", function() Parent:create { id = 8, name = value } end)
      assert.falsy(tostring(err):find(value, 1, true))
      err = raises("check", function() Parent:create { id = 9, name = value .. "2", age = 12345 } end)
      assert.falsy(tostring(err):find("12345", 1, true))
      if postgres then
        err = raises("type", function() db:query("select ?::integer", value) end)
        assert.falsy(tostring(err):find(value, 1, true))
      end
    end)

    it("leaves the connection usable", function()
      for _ = 1, 20 do raises("unique", function() Parent:create { id = 1, name = "x" } end) end
      assert.equal(2, Parent:count())
      assert.is_true(db:stats().opened <= 2)
    end)

    it("has no fields but its own", function()
      local err = raises("usage", function() Parent:limit(-1) end)
      assert.is_nil(err.nothing)
      assert.is_nil(err.errors)
    end)

    it("names the line of the caller through functions of the user", function()
      local function helper() return Parent:where { nam = 1 } end
      local line = debug.getinfo(helper, "S").linedefined
      local err = raises("usage", helper)
      assert.truthy(err.message:find("error_spec.lua:" .. line .. ":", 1, true), tostring(err))
    end)

    it("is raised from tasks as it is", function()
      local err = raises("not_found", function() weft.run(function() Parent:get(99) end) end)
      assert.equal("get", err.op)
      err = raises("not_found", function()
        weft.run(function() return weft.all { function() return Parent:first() end, function() return Parent:get(99) end } end)
      end)
      check_shape(err)
    end)
  end)

  describe("a deadlock and a serialization failure", function()
    if not postgres then return end

    it("are told apart and are retryable", function()
      local meet = meeting(2)
      local function cross(first, second)
        return function()
          db:transaction(function()
            Parent:where({ id = first }):update { age = 1 }
            meet()
            Parent:where({ id = second }):update { age = 2 }
          end)
        end
      end
      local err = raises("deadlock", function() weft.run(function() weft.all { cross(1, 2), cross(2, 1) } end) end)
      assert.is_true(err.retryable)
      assert.equal("40P01", err.code)
      check_shape(err)
    end)

    it("have a code each", function()
      local meet = meeting(2)
      local function add(id)
        return function()
          db:transaction(function()
            local n = Parent:sum "age"
            meet()
            Parent:create { id = id, name = "n" .. id, age = n }
          end, { isolation = "serializable" })
        end
      end
      local err = raises("serialization", function() weft.run(function() weft.all { add(10), add(11) } end) end)
      assert.is_true(err.retryable)
      assert.equal("40001", err.code)
    end)

    it("lock_timeout is one of its own", function()
      local err = raises("lock_timeout", function()
        db:transaction(function()
          Parent:lock("update"):find(1)
          weft.run(function()
            weft.spawn(function()
              db:transaction(function() Parent:lock("update nowait"):find(1) end)
            end):await()
          end)
        end)
      end)
      check_shape(err)
    end)
  end)

  describe("try", function()
    it("returns what its function returns", function()
      assert.same({ 1, nil, 3, n = 3 }, table.pack(weft.try(function(...) return ... end, 1, nil, 3)))
      assert.equal("Ann", weft.try(Parent.find, Parent, 1).name)
    end)

    it("returns nil and the error where a program can go on", function()
      local row, err = weft.try(function() return Parent:get(99) end)
      assert.is_nil(row)
      assert.equal("not_found", err.kind)
      row, err = weft.try(Parent.create, Parent, { id = 1, name = "x" })
      assert.is_nil(row)
      assert.equal("unique", err.kind)
      assert.equal("syntax", select(2, weft.try(db.query, db, "selec")).kind)
    end)

    it("lets errors of use and cancellation go on", function()
      raises("usage", function() weft.try(function() Parent:where { nam = 1 } end) end)
      raises("usage", function() weft.try() end)
      local ended
      weft.run(function()
        local task = weft.spawn(function()
          weft.try(weft.sleep, 60)
          ended = true
        end)
        weft.sleep(0)
        task:cancel()
        raises("cancelled", function() task:await() end)
      end)
      assert.is_nil(ended)
    end)

    it("lets errors go on that are not Weft's", function()
      local mine = {}
      local ok, err = pcall(weft.try, function() error(mine) end)
      assert.is_false(ok)
      assert.equal(mine, err)
      ok, err = pcall(weft.try, function() error("text", 0) end)
      assert.is_false(ok)
      assert.equal("text", err)
    end)

    it("works where its function waits", function()
      weft.run(function()
        local _, err = weft.try(function()
          weft.sleep(0)
          return Parent:get(99)
        end)
        assert.equal("not_found", err.kind)
      end)
    end)
  end)
end)

describe("an error of the pool", function()
  it("is pool_timeout when no connection came free", function()
    local db = backends["postgres"].open("create table t (id integer)", { pool = { max = 1, wait = 0.05 } })
    local meet, err = meeting(2), nil
    weft.run(function()
      weft.all {
        function()
          db:session(function(s)
            s:query "select 1"
            meet()
            while not err do weft.sleep(0) end
          end)
        end,
        function()
          meet()
          err = raises("pool_timeout", function() db:query "select 1" end)
        end,
      }
    end)
    check_shape(err)
  end)

  it("is connect when nobody listens, and auth for a wrong password", function()
    weft.configure { databases = { spec_dead = "postgres://nobody@127.0.0.1:1/x" } }
    local db = weft.database "spec_dead"
    check_shape(raises("connect", function() db:ping() end))
    db:close()
    local user, pg = servers.users.md5, servers.postgres()
    weft.configure { databases = { spec_auth = pg.url("postgres", { user = user.name, password = "no" }) } }
    db = weft.database "spec_auth"
    check_shape(raises("auth", function() db:ping() end))
    db:close()
  end)

  it("is disconnect when the server cut the line, with an unknown outcome for a write", function()
    local db = backends["postgres"].open("create table t (id integer)")
    local err = raises("disconnect", function()
      db:execute "insert into t select 1 where pg_terminate_backend(pg_backend_pid())"
    end)
    check_shape(err)
    assert.is_true(err.outcome_unknown)
    assert.is_false(err.retryable)
    assert.equal(0, db:query("select count(*) as n from t")[1].n)
  end)

  it("is timeout after statement_timeout, and the connection is good again", function()
    local db = backends["postgres"].open(nil, { statement_timeout = 0.05, pool = { max = 1 } })
    local err = raises("timeout", function() db:query "select pg_sleep(20)" end)
    check_shape(err)
    assert.equal(1, db:query("select 1 as x")[1].x)
  end)
end)

describe("fail", function()
  it("raises an error of the program's own", function()
    local given = { column = "quantity", retryable = 1, kind = "other" }
    local err = raises("validation", function() weft.fail("validation", "only 3 are left", given) end)
    check_shape(err)
    assert.same({ "only 3 are left", "quantity", true }, { err.message, err.column, err.retryable })
    assert.equal("validation: only 3 are left", tostring(err))
    assert.equal("other", given.kind)
    assert.equal("stale", select(2, weft.try(weft.fail, "stale", "changed meanwhile")).kind)
    err = raises("usage", function() weft.fail("usage", "no") end)
    assert.truthy(err.message:find("error_spec.lua:", 1, true))
  end)

  it("takes the kinds that there are", function()
    raises("usage", function() weft.fail("stalle", "x") end, "unknown kind of error 'stalle'; did you mean 'stale'?")
    raises("usage", function() weft.fail("ok", "x") end, "unknown kind")
    raises("usage", function() weft.fail() end)
    raises("usage", function() weft.fail("stale") end)
    raises("usage", function() weft.fail("stale", "x", 1) end)
  end)
end)
