-- SPDX-License-Identifier: MIT
-- make install, make uninstall and the rockspec.

local installed = require "spec.support.installed"
local shell = require "spec.support.shell"

local quote, must = shell.quote, shell.must
local folder

local function files(path)
  local list = {}
  for name in must(("cd %s && find . -type f -o -type l | LC_ALL=C sort"):format(quote(path))):gmatch "[^\n]+" do list[#list + 1] = name end
  return list
end

local function has(path, name) return shell.exists(path .. "/" .. name) end

before_each(function()
  folder = must("mktemp -d"):gsub("%s+$", "")
  shell.write(folder .. "/program.lua", [[
    local weft = require "weft"
    weft.configure { databases = { memory = "sqlite::memory:" } }
    print(weft.database "memory":query "select 7 as n"[1].n)]])
end)

after_each(function() shell.run("rm -rf " .. quote(folder)) end)

describe("make install", function()
  it("puts a program, libraries, Lua files and what describes them where they belong", function()
    local prefix = folder .. "/prefix"
    local said = installed.make("-s install PREFIX=" .. quote(prefix))
    assert.equal("", said)
    for _, name in ipairs { "bin/weft", "include/weft.h", "lib/libweft.so.0", "lib/libweft.so", "lib/libweft.a", "lib/pkgconfig/weft.pc",
      "lib/weft/core.so", "lib/weft/driver_sqlite.so", "lib/weft/driver_postgres.so", "lib/weft/driver_mysql.so",
      "share/weft/lua/weft/init.lua", "share/weft/scripts/migrate.lua", "share/lua/5.4/weft/init.lua", "lib/lua/5.4/weft/core.so" } do
      assert.is_true(has(prefix, name), name)
    end
  end)

  it("leaves a program that works in a place of its own", function()
    local prefix = folder .. "/prefix"
    installed.make("install PREFIX=" .. quote(prefix))
    must(("mv %s %s"):format(quote(prefix), quote(folder .. "/moved")))
    local weft = quote(folder .. "/moved/bin/weft")
    assert.equal("7\n", must(("cd / && %s run %s/program.lua"):format(weft, quote(folder))))
    assert.truthy(must(weft .. " --help"):find("weft migrate", 1, true))
    must(("%s new %s"):format(weft, quote(folder .. "/app")))
    assert.is_true(has(folder, "app/app.lua"))
  end)

  it("takes compiled Lua files while they are not older than their sources", function()
    local prefix = folder .. "/prefix"
    installed.make("install PREFIX=" .. quote(prefix))
    local source, run = prefix .. "/share/weft/lua/weft/init.lua", ("cd / && %s/bin/weft run %s/program.lua"):format(quote(prefix), quote(folder))
    shell.write(source, "no Lua")
    assert.is_false((shell.run(run)))
    must("touch -d 2000-01-01 " .. quote(source))
    assert.equal("7\n", must(run))
  end)

  it("stages below DESTDIR, and make uninstall takes it all away", function()
    local where = ("DESTDIR=%s PREFIX=/opt/weft LIBDIR=/opt/weft/lib/some-machine"):format(quote(folder .. "/stage"))
    installed.make("install " .. where)
    local pc = shell.read(folder .. "/stage/opt/weft/lib/some-machine/pkgconfig/weft.pc")
    assert.is_true(has(folder .. "/stage/opt/weft", "lib/weft/driver_sqlite.so")) -- the program looks there
    assert.truthy(pc:find("libdir=/opt/weft/lib/some-machine\n", 1, true))
    assert.falsy(pc:find("stage", 1, true))
    assert.is_true(has(folder .. "/stage/opt/weft", "share/lua/5.4/weft/init.lua"))
    installed.make("uninstall " .. where)
    assert.same({}, files(folder .. "/stage"))
  end)

  it("refuses a folder that depends on where it is called", function()
    local ok, output = pcall(installed.make, "install PREFIX=prefix")
    assert.is_false(ok)
    assert.truthy(tostring(output):find("'prefix' is no absolute path", 1, true))
  end)
end)

if installed.mode == "release" then -- plain lua5.4 knows no sanitizer
  describe("plain lua5.4", function()
    it("finds what was installed", function()
      finally(installed.remove)
      installed.install()
      assert.equal("7\n", must(("cd / && %s lua5.4 %s/program.lua"):format(installed.lua_path, quote(folder))))
    end)

    it("finds what luarocks make has built", function()
      local tree = folder .. "/rocks"
      must(("cd %s && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS luarocks --lua-version 5.4 --tree %s make"):format(quote(shell.root()), quote(tree)))
      local paths = ("LUA_PATH='%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua' LUA_CPATH='%s/lib/lua/5.4/?.so'"):format(tree, tree, tree)
      assert.equal("7\n", must(("cd / && %s lua5.4 %s/program.lua"):format(paths, quote(folder))))
    end)
  end)
end
