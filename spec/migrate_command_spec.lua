-- SPDX-License-Identifier: MIT
-- weft migrate: words, questions and exit codes, in an app of its own.

local backends = require "spec.support.backends"
local shell = require "spec.support.shell"

local configured, close = require "spec.support.configured" "migrate_command_spec"
after_each(close)
local quote = shell.quote
local program = quote(os.getenv "WEFT_SPEC_BUILD" .. "/weft")

backends.each(function(backend)
  if backend.memory then return end
  local folder, url

  local function write(name, text)
    local path = folder .. "/" .. name
    shell.must("mkdir -p " .. quote(path:match "^(.*)/"))
    shell.write(path, text)
  end

  ---Exit code and output of a command.
  local function run(words)
    local _, text = shell.run(("cd %s && { %s %s; echo \"exit $?\"; }"):format(quote(folder), program, words))
    return tonumber(text:match "exit (%d+)\n$"), (text:gsub("exit %d+\n$", ""))
  end
  local function expect(code, words, ...)
    local got, text = run(words)
    assert.equal(code, got, text)
    for _, part in ipairs { ... } do
      assert.truthy(text:find(part, 1, true), ("'%s' expected in: %s"):format(part, text))
    end
    return text
  end

  before_each(function()
    folder, url = shell.must("mktemp -d"):gsub("%s+$", ""), backend.url()
    write("weft.lua", ("return { databases = { shop = { url = %q, statement_timeout = 1 } } }"):format(url))
  end)
  after_each(function() shell.run("rm -rf " .. quote(folder)) end)

  describe("weft migrate", function()
    it("says how it is used", function()
      for _, words in ipairs { "", "upp", "up --stpes 1", "up --steps", "up --steps x", "up --database shp", "new", "mark 1" } do
        expect(2, "migrate " .. words, "usage: weft migrate")
      end
      expect(0, "migrate --help", "--dry-run")
      expect(0, "--help", "weft migrate new|up|down")
      expect(2, "migrate status --app nowhere", "nowhere/weft.lua")
    end)

    it("says, when Ctrl-C ends it, what is applied and how to go on", function()
      if backend.dialect == "sqlite" then return end
      local mysql = backend.dialect == "mysql"
      local db = configured(url)
      db:script "create table held (n integer)"
      write("migrations/1_a.sql", "-- up\ncreate table a (x integer)")
      write("migrations/2_b.sql", "-- up\ncreate table b (x integer);\nalter table held add column m integer")
      local err = folder .. "/err"
      db:session(function(s)
        for _, sql in ipairs(mysql and { "lock tables held write" } or { "begin", "lock table held" }) do s:execute(sql) end
        local pid = shell.must(("cd %s && exec env --default-signal=INT %s migrate up >/dev/null 2>%s & echo $!"):format(
          quote(folder), program, quote(err))):match "%d+"
        local waits = mysql and "select count(*) from information_schema.processlist where db = database() and state like '%metadata lock'"
          or "select count(*) from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())"
        while s:rows(waits)[1][1] ~= 1 do shell.sleep(0.05) end
        shell.must("kill -INT " .. pid)
        shell.await_end({ pid }, 30)
        s:execute(mysql and "unlock tables" or "rollback")
      end)
      local text = shell.read(err)
      assert.truthy(text:find("applied 1_a", 1, true), text)
      assert.truthy(text:find(mysql and "interrupted: shop: migration 2_b stopped in statement 2 of 2; those before it are applied"
        or "interrupted: shop: migration 2_b stopped in its transaction: nothing of it is applied", 1, true), text)
      expect(0, "migrate up", "applied 2_b")
      assert.same({}, db:rows "select m from held")
      assert.same({}, db:rows "select x from b")
    end)

    it("writes, applies and takes back", function()
      expect(0, "migrate new 'Add users!'", "wrote migrations/", "_Add_users.lua")
      expect(0, "migrate new more --sql", "_more.sql")
      expect(1, "migrate status --check", "pending")
      write("migrations/2_a.sql", "-- up\ncreate table a (x integer);\n-- down\ndrop table a;\n")
      shell.must("rm " .. quote(folder) .. "/migrations/*_more.sql")
      expect(0, "migrate up --dry-run", "create table a (x integer);")
      expect(1, "migrate status --check", "pending    2_a")
      expect(0, "migrate up 2", "applied 2_a")
      assert.equal("", expect(0, "migrate up --quiet"))
      expect(0, "migrate up", "shop: nothing to apply")
      expect(0, "migrate status a", "applied    2_a", " a\n")
      assert.is_nil(expect(0, "migrate status b"):find "2_a")
      expect(0, "migrate status --json --check", [["state":"applied"]])
      expect(0, "migrate down 2", "reverted")
      expect(0, "migrate down --yes", "reverted 2_a")
    end)

    it("reports what failed", function()
      write("migrations/1_a.sql", "create table a (x integer);\ncreate tabel b (x integer);\n")
      expect(1, "migrate up", "weft: syntax", "statement 2 of 2")
      if backend.dialect == "mysql" then return end -- what it did stays
      write("migrations/1_a.sql", "")
      expect(0, "migrate up --app " .. quote(folder))
      write("migrations/1_a.sql", "select 1;")
      expect(1, "migrate up", "was changed after it had been applied", "weft migrate mark 1 applied")
      expect(0, "migrate mark 1 applied", "1 is applied")
      expect(0, "migrate status --check")
    end)

    it("keeps several databases apart", function()
      write("weft.lua", ("return { databases = { shop = %q, log = %q } }"):format(url, backend.url()))
      write("migrations/shop/1_a.sql", "create table a (x integer)")
      write("migrations/log/1_b.sql", "create table b (x integer)")
      expect(0, "migrate up", "log: applied 1_b", "shop: applied 1_a")
      expect(2, "migrate new x", "--database says which one: log, shop")
      expect(0, "migrate new x --database log", "migrations/log/2_x.lua")
      expect(2, "migrate down", "--database")
    end)

    it("writes the way to the models, and asks what is a rename", function()
      write("models/shop/User.lua", [[return require "weft".model { columns = { name = { type = "string(80)" }, age = { type = "integer" } } }]])
      expect(0, "migrate diff first", "_first.sql")
      assert.truthy(expect(0, "migrate diff again", "1 pending"):find "_again.sql")
      shell.must("rm " .. quote(folder) .. "/migrations/*_again.sql")
      expect(0, "migrate up", "applied")
      expect(0, "migrate diff", "no difference")
      write("models/shop/User.lua", [[return require "weft".model { columns = { full_name = { type = "string(80)" }, age = { type = "integer" } } }]])
      expect(1, "migrate diff", "lose data", "--allow-destructive", "--rename", "users.name -> users.full_name")
      expect(0, "migrate diff --dry-run", "-- up", "-- Loses data:", "-- down")
      expect(1, "migrate diff --rename users.nam=users.full_name", "did you mean 'users.name'")
      expect(0, "migrate diff named --rename users.name=users.full_name", "_named.sql")
      expect(0, "migrate up", "applied")
      expect(0, "migrate diff", "no difference")
      expect(0, "migrate down", "reverted")
      expect(0, "migrate diff --rename users.name=users.full_name --dry-run", "full_name")
    end)

    it("asks for a rename on a terminal", function()
      write("models/shop/User.lua", [[return require "weft".model { columns = { name = { type = "string(80)" } } }]])
      expect(0, "migrate diff first")
      expect(0, "migrate up")
      write("models/shop/User.lua", [[return require "weft".model { columns = { full_name = { type = "string(80)" } } }]])
      local line = ("cd %s && %s migrate diff named"):format(quote(folder), program)
      local text = shell.must(("printf 'y\\n' | script -qec %s /dev/null"):format(quote(line)))
      assert.truthy(text:find("Is users.name now called users.full_name?", 1, true))
      expect(0, "migrate up --dry-run", "rename")
    end)

    it("writes the way to another database", function()
      local other = backend.url "create table a (id integer primary key, x varchar(10) not null); create index a_x on a (x);"
      expect(0, "migrate diff copy --from " .. quote(other), "_copy.sql")
      expect(0, "migrate up", "applied")
      expect(0, "migrate diff --from " .. quote(other), "no difference")
    end)
  end)

  describe("weft backup and weft restore", function()
    it("write a table to a file and read it", function()
      write("migrations/1_a.sql", "create table a (x integer primary key, y varchar(9));\ninsert into a values (1, 'one'), (2, 'two');")
      expect(0, "migrate up --quiet")
      expect(0, "backup shop a --out a.jsonl.gz", "backup a: 2 rows in")
      assert.equal("", expect(0, "backup shop a --where 'x > 1' --quiet"))
      expect(1, "restore shop a.jsonl.gz", "unique")
      expect(0, "restore shop a.jsonl.gz --upsert", "restore a: 2 rows in")
      expect(0, "restore shop a.jsonl --replace", "1 rows")
      expect(2, "backup shop", "usage: weft backup")
      expect(2, "restore shp a.jsonl", "did you mean 'shop'")
      expect(1, "backup shop b", "no table 'b'")
    end)
  end)

  describe("migrate = \"auto\"", function()
    local function program_of(more)
      write("p.lua", ([[
        local weft = require "weft"
        weft.on("migrate", function(info) print(info.database, info.message) end)
        weft.configure { databases = { shop = %q }, migrate = "auto" %s }
        local users = weft.models.shop.User
      ]]):format(url, ""):gsub("weft.models.shop", 'weft.models "shop"') .. (more or ""))
    end

    it("applies what is pending at the first use", function()
      write("migrations/1_a.sql", "create table users (id integer primary key)")
      program_of "print(users:count())"
      expect(0, "run p.lua", "shop\tapplied 1_a", "\n0\n")
      assert.equal("0\n", expect(0, "run p.lua"))
      write("migrations/2_b.sql", "create tabel b")
      expect(1, "run p.lua", "migration 2_b")
    end)

    it("follows the models where there are no migrations, and loses nothing", function()
      write("models/shop/User.lua", [[return require "weft".model { columns = { name = { type = "string(80)" } } }]])
      program_of "print(users:create { name = 'Ada' }.name)"
      expect(0, "run p.lua", "users", "Ada")
      write("models/shop/User.lua", [[return require "weft".model { columns = { name = { type = "string(80)" }, age = { type = "integer" } } }]])
      expect(0, "run p.lua", "age")
      assert.equal("Ada\n", expect(0, "run p.lua"))
      write("models/shop/User.lua", [[return require "weft".model { columns = { age = { type = "integer" } } }]])
      expect(1, "run p.lua", "lose data", "weft migrate diff")
    end)
  end)
end)
