-- SPDX-License-Identifier: MIT
-- Runners that are killed at every statement, that run at once, that meet an index which was not finished: what they
-- leave is finished by running again, and nothing runs twice.

local backends = require "spec.support.backends"
local migrate = require "weft.migrate"
local raises = require "spec.support.raises"
local shell = require "spec.support.shell"
local weft = require "weft"

local quote = shell.quote
local program = quote(os.getenv "WEFT_SPEC_BUILD" .. "/weft")
local stride = os.getenv "WEFT_SPEC_MODE" == "release" and 1 or 4 -- every statement, or every fourth under a sanitizer

---A runner that kills itself at the end of its `at`th statement that is no question: the database has run it, and nobody
---was told.
local runner = [[
local weft = require "weft"
local url, folder, way, at = ...
weft.configure { databases = { d = url } }
local count = 0
weft.on("query", function(info)
  if not info.sql:find "^%s*[abcdiprsu]%l+" or info.sql:find "^%s*select" or info.sql:find "^pragma [^f]" then return end
  count = count + 1
  if count == tonumber(at) then
    local pid = io.open "/proc/self/stat":read "n"
    os.execute("kill -9 " .. pid)
  end
end)
require "weft.migrate"[way](weft.database "d", { dir = folder })
print("statements " .. count)
]]

local migrations = {
  ["1_users.sql"] = "-- up\ncreate table users (id integer primary key, name varchar(20));\ninsert into users values (1, 'a');\n"
    .. "create index users_name on users (name);\n-- down\ndrop table users;\n",
  ["2_posts.lua"] = [[return { change = function(s)
    s:create_table("posts", function(t) t:id() t:integer "n" end)
    s:execute("insert into posts (n) values (7)", "delete from posts")
    s:add_index("posts", "n")
  end }]],
  ["3_apart.sql"] = "-- transaction: false\n-- up\ncreate table apart (n integer);\ninsert into apart values (1);\n"
    .. "alter table apart add column m integer;\nupdate apart set n = n + 1;\ncreate index apart_n on apart (n);\n"
    .. "insert into apart (n) values (10);\n-- down\ndelete from apart;\ndrop index apart_n;\ndrop table apart;\n",
}
local indexes = { mysql = "drop index apart_n on apart", postgres = "drop index concurrently apart_n", sqlite = "drop index apart_n" }

backends.each(function(backend)
  if backend.memory then return end
  local folder

  before_each(function()
    folder = shell.must("mktemp -d"):gsub("%s+$", "")
    shell.write(folder .. "/run.lua", runner)
    shell.must("mkdir " .. quote(folder .. "/m"))
    for name, text in pairs(migrations) do
      text = text:gsub("drop index apart_n;", indexes[backend.dialect] .. ";")
      if backend.dialect == "postgres" then text = text:gsub("create index apart_n", "create index concurrently apart_n") end
      shell.write(folder .. "/m/" .. name, text)
    end
  end)
  after_each(function() shell.run("rm -rf " .. quote(folder)) end)

  local function command(url, way, at)
    return ("%s run %s/run.lua %s %s/m %s %d"):format(program, quote(folder), quote(url), quote(folder), way, at or 0)
  end

  local function check_all(db)
    assert.same({ { 1, "a" } }, db:rows "select id, name from users")
    assert.same({ { 7 } }, db:rows "select n from posts")
    assert.same({ { 2 }, { 10 } }, db:rows "select n from apart order by n")
    local schema = db:schema()
    schema:refresh()
    local index = schema:table("apart").indexes[1]
    assert.same({ "apart_n", true, 2 }, { index.name, index.valid ~= false, #schema:table("apart").columns })
    for _, entry in ipairs(migrate.status(db, { dir = folder .. "/m" })) do assert.equal("applied", entry.state) end
  end

  ---How many statements the way up or down takes, found by going it.
  local function statements(url, way) return tonumber(shell.must(command(url, way)):match "statements (%d+)") end

  describe("a runner", function()
    it("that is killed at any statement is finished by another one", function()
      local _, _, measured = backend.open()
      local count = statements(measured, "up")
      assert.is_true(count > 15, count)
      for at = 1, count, stride do
        local db, _, url = backend.open()
        assert.is_false((shell.run(command(url, "up", at))))
        migrate.up(db, { dir = folder .. "/m" })
        check_all(db)
      end
    end)

    it("that is killed on the way back is finished by another one", function()
      local db, _, url = backend.open()
      migrate.up(db, { dir = folder .. "/m" })
      local count = statements(url, "down")
      for at = 1, count, stride do
        migrate.up(db, { dir = folder .. "/m" })
        shell.run(command(url, "down", at))
        migrate.down(db, { dir = folder .. "/m", to = "2" })
        assert.equal(0, #db:rows "select 1 from weft_migrations where version = '3'")
        db:schema():refresh()
        assert.is_nil(db:schema():table "apart")
      end
    end)

    it("shares the work with others that run at once", function()
      for i = 4, 12 do
        shell.write(("%s/m/%d_x.sql"):format(folder, i), ("create table x%d (n integer);\ninsert into x%d values (%d)"):format(i, i, i))
      end
      local db, _, url = backend.open()
      local all = {}
      for i = 1, 4 do all[i] = command(url, "up") .. " & p" .. i .. "=$!" end
      shell.must(table.concat(all, "\n") .. "\nwait $p1 && wait $p2 && wait $p3 && wait $p4")
      check_all(db)
      for i = 4, 12 do assert.same({ { i } }, db:rows("select n from x" .. i)) end
    end)
  end)

  if backend.dialect == "sqlite" then
    it("a runner says that it waits for another program that writes", function()
      local db, _, url = backend.open("create table held (n integer)", { busy_timeout = 0.05 })
      weft.configure { databases = { migrate_writer = url } }
      local writer, said = weft.database "migrate_writer", {}
      finally(function() writer:close() end)
      migrate.mark(db, "1", "pending", { dir = folder .. "/m" }) -- the table of migrations is there
      writer:session(function(s)
        s:execute "begin immediate"
        raises("lock_timeout", function()
          migrate.up(db, { dir = folder .. "/m", wait = 0.2, say = function(text) said[#said + 1] = text end })
        end, "nothing of migration 1_users is applied")
        s:execute "rollback"
      end)
      assert.truthy(said[1]:find "waiting for it")
      assert.equal(3, #migrate.up(db, { dir = folder .. "/m" }))
    end)
  end

  if backend.dialect == "postgres" then
    it("a runner says that it waits for another one, and for how long", function()
      local db, _, url = backend.open()
      weft.configure { databases = { migrate_other = url } }
      local other, said = weft.database "migrate_other", {}
      finally(function() other:close() end)
      local options = { dir = folder .. "/m", wait = 0.1, say = function(text) said[#said + 1] = text end }
      db:session(function(s)
        s:query "select pg_advisory_lock(8387229316184109412)"
        raises("lock_timeout", function() migrate.up(other, options) end, "another runner")
      end)
      assert.equal(1, #said)
      assert.truthy(said[1]:find "waiting for it")
      assert.equal(3, #migrate.up(other, options))
    end)

    it("a runner that is interrupted leaves nothing, nor does its statement go on", function()
      local db, _, url = backend.open()
      shell.write(folder .. "/m/4_long.sql", "create table long (n integer);\nselect pg_sleep(600)")
      local pid = shell.must(("exec env --default-signal=INT %s >/dev/null 2>&1 & echo $!"):format(command(url, "up"))):match "%d+"
      local sleeping = "select count(*) from pg_stat_activity where datname = current_database() and query = 'select pg_sleep(600)'"
      repeat shell.sleep(0.05) until db:rows(sleeping)[1][1] == 1
      shell.must("kill -INT " .. pid)
      shell.write(folder .. "/m/4_long.sql", "create table long (n integer);")
      assert.equal(1, #migrate.up(db, { dir = folder .. "/m", wait = 60 }))
      assert.equal(0, db:rows(sleeping)[1][1])
    end)

    it("an index that was left invalid is made again", function()
      local db = backend.open()
      db:execute "create table apart (n integer, m integer)"
      db:execute "insert into apart values (1, 1), (1, 1)"
      shell.run("rm " .. quote(folder) .. "/m/*")
      shell.write(folder .. "/m/1_u.sql", "-- transaction: false\n-- up\ncreate unique index concurrently apart_u on apart (n)")
      local ok, err = pcall(migrate.up, db, { dir = folder .. "/m" })
      assert.is_false(ok)
      assert.truthy(tostring(err):find("none of its statements is applied", 1, true))
      assert.is_false(db:rows("select indisvalid from pg_index where indexrelid = 'apart_u'::regclass")[1][1])
      db:execute "delete from apart"
      migrate.up(db, { dir = folder .. "/m" })
      assert.is_true(db:rows("select indisvalid from pg_index where indexrelid = 'apart_u'::regclass")[1][1])
    end)
  end
end)
