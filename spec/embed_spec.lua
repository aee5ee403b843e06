-- SPDX-License-Identifier: MIT
-- weft.h as a user has it: everything here is built against an installed Weft (make install below build/MODE/installed)
-- by what pkg-config says, and run from there.

local backends = require "spec.support.backends"
local installed = require "spec.support.installed"
local shell = require "spec.support.shell"

local quote, must = shell.quote, shell.must
local mode, prefix = installed.mode, installed.prefix
local folder

---@return string path of the program
local function compile(source, name, link, compiler, words)
  local path = name:find "^/" and name or folder .. "/" .. name
  installed.compile(source, path, link, compiler, words)
  return path
end

local function source(name, text)
  shell.write(folder .. "/" .. name, text)
  return folder .. "/" .. name
end

lazy_setup(function()
  folder = must("mktemp -d"):gsub("%s+$", "")
  installed.install()
end)

lazy_teardown(function()
  installed.remove()
  shell.run("rm -rf " .. quote(folder))
end)

describe("libweft.so", function()
  local path = quote(prefix .. "/lib/libweft.so")

  it("exports what weft.h declares and nothing else", function()
    local header = shell.read(prefix .. "/include/weft.h"):gsub("/%*.-%*/", ""):gsub("typedef[^;]*;", "")
    local declared, exported = {}, {}
    for name in header:gmatch "[%s%*](weft_[%w_]+)%(" do declared[#declared + 1] = name end
    for name in must("nm -D --defined-only " .. path):gmatch " T ([%w_]+)" do exported[#exported + 1] = name end
    table.sort(declared)
    table.sort(exported)
    assert.is_true(#declared > 10)
    assert.same(declared, exported)
    assert.falsy(must("nm -D --defined-only " .. path):find " [BDRVW] ")
  end)

  it("has a name of its own, finds the rest beside it, and no database's library with it", function()
    local entries = must("readelf -d " .. path)
    assert.truthy(entries:find("soname: [libweft.so.0]", 1, true))
    assert.truthy(entries:find("[$ORIGIN/weft]", 1, true))
    for _, name in ipairs { "sqlite", "libpq", "maria" } do assert.falsy(must("ldd " .. path):find(name)) end
  end)
end)

describe("libweft.a", function()
  it("has no names but Weft's", function()
    local strange = {}
    for name in must("nm -g --defined-only " .. quote(prefix .. "/lib/libweft.a")):gmatch " [A-Z] ([%w_.]+)" do
      local own = name:find "^weft_" or name == "luaopen_weft_core" or name:find "^__odr_asan" or name:find "^%.?DW%.ref"
      if not own then strange[#strange + 1] = name end
    end
    assert.same({}, strange)
  end)
end)

describe("weft.h", function()
  it("is plain C11 and C++", function()
    local c = source("plain.c", '#include <weft.h>\nint main(void) { return weft_host_free(0); }\n')
    local cpp = source("plain.cpp", [[
#include <weft.h>
int main() {
  weft_host_options options{};
  options.size = sizeof options;
  options.folder = ".";
  weft_host *host = weft_host_new(&options);
  return host && weft_host_free(host) == 0 ? 0 : 1;
}
]])
    for _, link in ipairs { "shared", "static" } do
      must(quote(compile(c, "plain", link, "cc -std=c11 -Wpedantic")))
      must(installed.lua_path .. quote(compile(cpp, "plain++", link, "c++ -std=c++11 -Wpedantic")))
    end
  end)
end)

---Runs a program of spec/embed in a fresh folder of an app.
local function holds(name, link)
  local program = compile(("%s/spec/embed/%s.c"):format(shell.root(), name), ("%s_%s"):format(name, link), link)
  local app = ("%s/app_%s_%s"):format(folder, name, link)
  must(("cp -r %s %s"):format(quote(shell.root() .. "/spec/embed/app"), quote(app)))
  local static = link == "static" -- such a program may be anywhere, and has to be told where Weft's Lua files are
  local ok, output = shell.run(("cd / && WEFT_DATABASE_SERVER=%s %s%s %s %s"):format(quote(backends.postgres.url()),
    static and installed.lua_path or "", quote(program), quote(app), quote(static and prefix .. "/share/weft/lua" or "")))
  assert.is_true(ok, output)
  assert.truthy(output:find "%d+ passed, 0 failed\n$", output)
  assert.equal(name == "calls" or name == "threads", shell.exists(app .. "/data.db")) -- what is relative in weft.lua begins in its folder
end

local programs = mode == "tsan" and { "threads" } or { "host", "calls", "state", "threads" }
for _, name in ipairs(programs) do
  for _, link in ipairs { "shared", "static" } do
    it(("holds what spec/embed/%s.c says, linked %s"):format(name, link), function() holds(name, link) end)
  end
end

describe("the guide's program", function()
  it("is one", function()
    local chapter = shell.read(shell.root() .. "/docs/guide.md"):match "\n## In a C program\n(.*)$"
    local lines = {}
    for line in chapter:gmatch "[^\n]*\n" do lines[#lines + 1] = line:match "^    (.*)$" or (line == "\n" and #lines > 0 and line) or "" end
    must("mkdir -p " .. quote(folder .. "/services"))
    source("services/cart.lua", 'return { total = function(lines) return require "weft".decimal "19.90" * lines[1].n end }')
    local program = compile(source("guide.c", table.concat(lines)), "guide", "shared")
    assert.equal("39.80\n", must(("cd %s && %s"):format(quote(folder), quote(program))))
  end)
end)

describe("a program that libweft.a is a part of", function()
  local program = [[
#include <stdio.h>
#include <weft.h>
int main(void) {
  struct weft_host_error err;
  struct weft_host_options options = {.size = sizeof options, .error = &err};
  weft_host *host = weft_host_new(&options);
  if (!host) return printf("%s: %s\n", err.kind, err.message), 0;
  if (weft_host_load(host, "open.lua", &err)) printf("%s: %s\n", err.kind, err.message);
  return weft_host_free(host);
}
]]

  it("is told when a driver cannot use what it keeps to itself", function()
    local c = source("naked.c", program)
    source("open.lua", 'print(require "weft".database "memory":query "select 7 as n"[1].n)')
    local function run(path) return must(("cd %s && WEFT_DATABASE_MEMORY=sqlite::memory: %s"):format(quote(folder), quote(path))) end
    local naked = compile(c, prefix .. "/bin/naked", "bare")
    assert.truthy(run(naked):find("unsupported: .*%-Wl,%-u,weft_driver_sqlite.*%-rdynamic"))
    assert.equal("7\n", run(compile(c, prefix .. "/bin/open", "bare", nil, "-rdynamic")))
  end)

  it("is told when what it takes for Weft is the weft.lua of its folder", function()
    local path = compile(source("lost.c", program), "lost", "bare") -- from here Weft's own files are not found
    must("mkdir " .. quote(folder .. "/app"))
    source("app/weft.lua", "return { databases = {} }")
    local output = must(("cd %s && LUA_PATH='./?.lua' %s"):format(quote(folder .. "/app"), quote(path)))
    assert.truthy(output:find('require "weft" found ./weft.lua, which is not Weft: LUA_PATH', 1, true), output)
  end)
end)

describe("examples/embed", function()
  local example

  lazy_setup(function()
    example = folder .. "/example"
    must(("cp -r %s %s"):format(quote(shell.root() .. "/examples/embed"), quote(example)))
    installed.make_example(example)
  end)

  it("prints what its README shows", function()
    local shown = shell.read(example .. "/README.md"):match "```text\n(.-)```"
    local output = must(("cd %s && ./warehouse 2>log"):format(quote(example)))
    assert.equal(shown, (output:gsub(example:gsub("%p", "%%%0") .. "/", "")))
    local log = shell.read(example .. "/log")
    assert.truthy(log:find("did you mean", 1, true) == nil and log:find("stock.lend", 1, true))
    assert.truthy(log:find("not enough memory", 1, true))
  end)

  if mode == "release" then
    it("leaves not a byte behind", function()
      local path = compile(example .. "/warehouse.c", "warehouse", "static")
      local report = must(("cd %s && %svalgrind --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all --error-exitcode=9 %s")
        :format(quote(example), installed.lua_path, quote(path)))
      assert.truthy(report:find("in use at exit: 0 bytes", 1, true), report)
      assert.truthy(report:find("ERROR SUMMARY: 0 errors", 1, true), report)
    end)
  end
end)
