-- SPDX-License-Identifier: MIT
-- What a program does not pay for until it uses it: client libraries, connections, files, Lua modules. Each
-- fact is a process of its own: the weft program, and plain lua5.4 with the paths that `make env` prints.

local shell = require "spec.support.shell"
local servers = require "spec.support.servers"
local quote = shell.quote

local build = os.getenv "WEFT_SPEC_BUILD"
local mode = build:match "([^/]*)$"
local sanitized = mode == "asan" or mode == "tsan" -- their run-time must be in the program: not in lua5.4

local function make_env()
  return shell.must(("cd %s && env -u MAKEFLAGS -u MAKELEVEL make -s MODE=%s env"):format(quote(shell.root()), mode))
end

local hosts = { { name = "the program", command = function() return quote(build .. "/weft") .. " run" end } }
if not sanitized then
  hosts[2] = { name = "plain lua5.4", command = function() return make_env():gsub("%s+$", "") .. " && exec lua5.4" end }
end

-- What the child scripts share: weft is not loaded yet when they begin.
local prelude = [[
local folder, url = ...
local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end
local function mapped(...)
  local maps, found = read "/proc/self/maps", {}
  for _, name in ipairs { ... } do
    if maps:find("/" .. name, 1, true) then found[#found + 1] = name end
  end
  return table.concat(found, " ")
end
local function descriptors()
  local pipe = io.popen "ls -l /proc/$PPID/fd 2>/dev/null" -- one may close meanwhile
  local list, sockets = {}, 0
  for line in pipe:lines() do
    local target = line:match "%-> (.*)$"
    if target and not target:find "^pipe:" then
      list[#list + 1] = target
      if target:find "^socket:" then sockets = sockets + 1 end
    end
  end
  pipe:close()
  table.sort(list)
  return table.concat(list, "\n"), sockets
end
local function loaded()
  local list = {}
  for name in pairs(package.loaded) do
    if name:find "^weft" then list[#list + 1] = name end
  end
  table.sort(list)
  return table.concat(list, " ")
end
local function equal(expected, got, what)
  if expected == got then return end
  error(("%s: expected\n%s\ngot\n%s"):format(what or "?", tostring(expected), tostring(got)), 2)
end
local clients = { "libpq", "libcurl", "libcrypto", "libssl", "libmysqlclient", "libmariadb" }
]]

describe("a cold start of", function()
  local folder

  setup(function()
    folder = shell.must("mktemp -d"):gsub("%s+$", "")
    shell.must("mkdir -p " .. quote(folder .. "/models/shop"))
    shell.write(folder .. "/models/shop/Product.lua",
      'PRODUCT_LOADED = true\nreturn require "weft".model { table = "products" }\n')
    shell.write(folder .. "/models/shop/Broken.lua", "this is not Lua\n")
  end)

  teardown(function() shell.run("rm -rf " .. quote(folder)) end)

  ---Runs a script with the folder and a url; it must print "done" at its end.
  local function run(host, text, url)
    local path = folder .. "/script.lua"
    shell.write(path, prelude .. text .. "\nprint 'done'\n")
    local ok, out = shell.run(("%s %s"):format(host.command(), shell.words { path, folder, url or "" }))
    assert.is_true(ok, out)
    assert.equal("done\n", out)
  end

  for _, host in ipairs(hosts) do
    it(host.name .. " maps no other client library for SQLite", function()
      run(host, [[
        local weft = require "weft"
        weft.configure { databases = { shop = "sqlite:" .. folder .. "/maps.db", far = "postgres://127.0.0.1:1/x" } }
        equal("", mapped("libsqlite3", table.unpack(clients)), "mapped before a handle")
        local db = weft.database "shop"
        db:script "create table if not exists products (id integer primary key, title text)"
        local Product = weft.models("shop").products
        Product:create { title = "Lamp" }
        equal("Lamp", Product:first().title)
        equal("libsqlite3", mapped("libsqlite3", table.unpack(clients)), "mapped after a query")]])
    end)

    it(host.name .. " connects to PostgreSQL with the first statement", function()
      local pg = servers.postgres()
      run(host, [[
        local weft = require "weft"
        weft.configure { databases = { far = url } }
        equal("", mapped(table.unpack(clients)), "mapped before a handle")
        local before = descriptors()
        local db = weft.database "far"
        local models = weft.models "far"
        local users = models.users
        local query = users:where { id = 1 }:limit(3)
        local now, sockets = descriptors()
        equal(before, now, "descriptors")
        equal(0, sockets, "sockets")
        equal(1, db:query("select 1 as one")[1].one)
        now, sockets = descriptors()
        equal(1, sockets, "sockets after a query")
        assert(mapped("libpq") ~= "")]], pg.url())
    end)

    it(host.name .. " opens nothing with a handle", function()
      run(host, [[
        local weft = require "weft"
        local before, sockets = descriptors()
        equal(0, sockets)
        weft.configure { databases = {
          none = "sqlite:" .. folder .. "/no/such/folder/x.db", shop = "sqlite:" .. folder .. "/unborn.db",
          memory = "sqlite::memory:", far = "postgres://nobody@203.0.113.1/x" } }
        for _, name in ipairs { "none", "shop", "memory", "far" } do
          local db = weft.database(name)
          equal(db, weft.database(name), "the same handle")
          equal(0, db:stats().open, "connections")
        end
        equal(before, descriptors(), "descriptors")
        assert(not io.open(folder .. "/unborn.db"), "the file was made")]])
    end)

    it(host.name .. " touches neither disk nor database for a proxy", function()
      run(host, [[
        local weft = require "weft"
        weft.configure { models = folder .. "/models", databases = { shop = "sqlite:" .. folder .. "/no/folder/x.db" } }
        weft.models "shop" -- its file is loaded
        weft.configure { databases = { other = "sqlite:" .. folder .. "/no/such/folder/y.db" } }
        local opened, real_open, real_loadfile = 0, io.open, loadfile
        io.open = function(...) opened = opened + 1; return real_open(...) end
        loadfile = function(...) opened = opened + 1; return real_loadfile(...) end
        local models, other = weft.models "shop", weft.models "other"
        assert(models == weft.models "shop" and models ~= other)
        equal(0, opened, "files opened by a proxy")
        equal(nil, PRODUCT_LOADED)
        local Product = models.Product
        equal(true, PRODUCT_LOADED)
        local before = opened
        equal(Product, models.Product)
        equal(before, opened, "files opened by a second touch")
        local query = Product:where { id = 1 }
        equal(0, weft.database "shop":stats().open)
        local ok, err = pcall(function() return models.Broken end)
        assert(not ok and err.kind == "usage" and err.message:find("Broken.lua:1:", 1, true), tostring(err))
        ok, err = pcall(query.all, query)
        assert(not ok and err.kind == "connect", tostring(err))]])
    end)

    it(host.name .. " takes its names in any order", function()
      run(host, [[
        local weft = require "weft"
        local names = { "include", "cross_join", "has_many", "reset_associations", "save", "services", "on", "models" }
        for _, name in ipairs(names) do assert(weft[name], name) end
        weft.configure { databases = { shop = "sqlite::memory:" } }
        weft.database "shop":script [=[create table a (id integer primary key);
          create table b (id integer primary key, a_id integer references a); insert into a values (1); insert into b values (2, 1)]=]
        equal(2, weft.models("shop").a:include("bs"):first().bs[1].id)
        equal(1, weft.models("shop").b:include("a"):first().a.id)]])
    end)

    it(host.name .. " loads the Lua files as they are needed", function()
      run(host, [[
        equal("", loaded(), "before")
        local weft = require "weft"
        equal("weft weft.core", loaded(), "require")
        weft.encode { weft.decimal "1.10", weft.null }
        weft.run(function() return weft.all { function() return 1 end } end)
        equal("weft weft.core", loaded(), "values and tasks")
        weft.configure { databases = { shop = "sqlite::memory:" } }
        local db = weft.database "shop"
        equal("weft weft.configure weft.core weft.database weft.errors", loaded(), "a handle")
        db:script "create table products (id integer primary key, title text)"
        db:query "select 1"
        equal("weft weft.configure weft.core weft.database weft.errors", loaded(), "a query")
        local Product = weft.models("shop").Product
        Product:create { title = "Lamp" }
        local row = Product:where { title = "Lamp" }:first()
        for _, name in ipairs { "transaction", "row", "events" } do
          equal(nil, package.loaded["weft." .. name], name .. " before it is used")
        end
        row.title = "Vase"
        row:save()
        db:transaction(function() end)
        weft.on("query", print)()
        for _, name in ipairs { "transaction", "row", "events" } do
          assert(package.loaded["weft." .. name], name .. " after it was used")
        end
        equal(nil, package.loaded["weft.meta"], "the annotations")]])
    end)
  end
end)
