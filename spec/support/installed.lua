-- SPDX-License-Identifier: MIT
-- A Weft that was installed below build/MODE/installed, for this spec file alone, and programs that are built against it.

local shell = require "spec.support.shell"

local quote, must = shell.quote, shell.must
local installed = { mode = os.getenv "WEFT_SPEC_MODE", prefix = os.getenv "WEFT_SPEC_BUILD" .. "/installed/" .. shell.own_pid() }

local prefix = installed.prefix
local flags = ({ asan = "-fsanitize=address,undefined", tsan = "-fsanitize=thread" })[installed.mode] or ""
local pkg_config_path = "PKG_CONFIG_PATH=" .. quote(prefix .. "/lib/pkgconfig") .. " "
local rpath = "-Wl,-rpath," .. quote(prefix .. "/lib")

---What goes before a command so that Lua finds the installed module.
installed.lua_path = ("LUA_PATH=%s LUA_CPATH=%s "):format(
  quote(("%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua"):format(prefix, prefix)), quote(prefix .. "/lib/lua/5.4/?.so"))

---Runs make in the project, for the mode that is tested.
---@param words string
function installed.make(words)
  return must(("cd %s && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make MODE=%s %s"):format(quote(shell.root()), installed.mode, words))
end

function installed.install() installed.make("install PREFIX=" .. quote(prefix)) end

function installed.remove() shell.run("rm -rf " .. quote(prefix)) end

local function pkg_config(words)
  return (must(pkg_config_path .. "pkg-config " .. words):gsub("\n", " "))
end

local function archive()
  return (pkg_config "--cflags --libs --static weft libuv lua5.4":gsub("%-lweft", "-l:libweft.a"))
end

---How a program is linked: to the library, with everything in it, or with all but drivers in it.
local links = {
  shared = function() return pkg_config "--cflags --libs weft libuv lua5.4" .. rpath end,
  static = function() return archive() .. "-Wl,-u,weft_driver_sqlite,-u,weft_driver_postgres -lsqlite3 -lpq" end,
  bare = archive,
}

---@param source string
---@param path string of the program
---@param link "shared"|"static"|"bare"
---@param compiler? string
---@param words? string more for the compiler
function installed.compile(source, path, link, compiler, words)
  must(("%s -g -Wall -Wextra -Werror %s -o %s %s %s -pthread %s"):format(compiler or "cc -std=gnu11", flags, quote(path),
    quote(source), links[link](), words or ""))
end

---Builds a copy of examples/embed by its own Makefile.
function installed.make_example(folder)
  must(("cd %s && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS %s make CFLAGS=%s LDFLAGS=%s"):format(quote(folder), pkg_config_path,
    quote("-Werror " .. flags), quote(rpath)))
end

return installed
