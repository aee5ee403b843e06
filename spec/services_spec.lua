-- SPDX-License-Identifier: MIT
-- weft.services: scripts that are functions, loaded when they are called, once, whoever calls.

local weft = require "weft"
local core = require "weft.core"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local shell = require "spec.support.shell"

local folder

---Writes services/NAME.lua.
local function script(name, text)
  shell.must("mkdir -p " .. shell.quote((folder .. "/services/" .. name):match "^(.*)/"))
  shell.write(("%s/services/%s.lua"):format(folder, name), 'local weft = require "weft"\n' .. text)
end

---How often scripts have run count().
local function counted()
  local n = rawget(_G, "loads") or 0
  _G.loads = nil
  return n
end
local count = "loads = (loads or 0) + 1\n"

local function both(fn)
  fn()
  weft.run(fn)
end

before_each(function()
  folder = shell.must("mktemp -d"):gsub("%s+$", "")
  shell.must("mkdir " .. folder .. "/services")
  weft.configure { services = folder .. "/services", models = folder .. "/models" }
end)

after_each(function()
  weft.configure { services = "services", models = "models" }
  shell.run("rm -rf " .. shell.quote(folder))
  _G.loads = nil
end)

describe("the names of services", function()
  it("touch no disk before a call", function()
    weft.configure { services = "/nonexistent" }
    local touched, undo = 0, {}
    for _, where in ipairs { { io, "open" }, { _G, "loadfile" }, { core, "scripts" } } do
      local real = where[1][where[2]]
      rawset(where[1], where[2], function(...)
        touched = touched + 1
        return real(...)
      end)
      undo[#undo + 1] = function() rawset(where[1], where[2], real) end
    end
    local text = tostring(weft.services.cart.add)
    assert.equal("weft.services.cart.add", text)
    assert.equal(0, touched)
    raises("usage", function() weft.services.cart.add() end)
    for _, fn in ipairs(undo) do fn() end
    assert.equal(3, touched)
  end)

  it("are the same value as long as somebody holds them, and leave nothing behind", function()
    local cart = weft.services.cart
    assert.equal(cart, weft.services.cart)
    collectgarbage()
    assert.equal(cart, weft.services.cart)
    local names = setmetatable({}, { __mode = "k" })
    for i = 1, 100 do names[weft.services["s" .. i].add] = true end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(names))
  end)

  it("are words", function()
    for _, name in ipairs { "", "../etc/passwd", "a.b", "a/b", "a b", "ä", "1" } do
      raises("usage", function() return weft.services[name] end, "named by")
      raises("usage", function() return weft.services.cart[name] end, "named by")
    end
    raises("usage", function() return weft.services[1] end)
    local cart = weft.services.cart
    raises("usage", function() weft.services.cart = print end, "services/cart.lua")
    assert.equal(cart, weft.services.cart)
    raises("usage", function() weft.services() end, "by their names")
  end)
end)

describe("a service", function()
  it("is the function that its script returns", function()
    script("greet", count .. 'return function(input) return "hello " .. input.name, 2, nil, 4 end')
    both(function()
      assert.same(table.pack("hello Ann", 2, nil, 4), table.pack(weft.services.greet { name = "Ann" }))
    end)
    assert.equal(1, counted())
  end)

  it("is a function of the table that its script returns", function()
    script("cart", count .. "return { add = function(n) return n + 1 end, show = function() return nil end }")
    both(function()
      assert.equal(3, weft.services.cart.add(2))
      assert.is_nil(weft.services.cart.show())
    end)
    assert.equal(1, counted())
  end)

  it("may be in folders", function()
    script("admin/users", "return { list = function() return 'list' end }")
    script("admin/tools/clean", "return function() return 'clean' end")
    script("admin", "return { status = function() return 'fine' end, users = 1 }")
    for _ = 1, 2 do
      assert.equal("fine", weft.services.admin.status())
      assert.equal("list", weft.services.admin.users.list())
      assert.equal("clean", weft.services.admin.tools.clean())
    end
    script("admin/status", "return function() return 'its own file' end")
    assert.equal("fine", weft.services.admin.status())
    weft.reload_services()
    assert.equal("its own file", weft.services.admin.status())
  end)

  it("gets the caller's context, or one that names it", function()
    script("cart", "return { add = function(...) return ... end }")
    script("plain", "return function(...) return ... end")
    local input, context = {}, { user = 7 }
    local got, given = weft.services.cart.add(input, context)
    assert.is_true(rawequal(input, got) and rawequal(context, given))
    assert.same({ user = 7 }, context)
    assert.same({ nil, { service = "cart.add" } }, { weft.services.cart.add() })
    assert.same({ false, { service = "plain" } }, { weft.services.plain(false) })
    assert.not_equal(select(2, weft.services.plain()), select(2, weft.services.plain()))
    for _, wrong in ipairs { "text", 1, false } do
      raises("usage", function() weft.services.plain({}, wrong) end, "context")
    end
    raises("usage", function() weft.services.cart:add(input) end, "with a dot: weft.services.cart.add")
  end)

  it("goes wherever a function goes", function()
    script("add", "return function(n) return n + 1 end")
    local add = weft.services.add
    assert.equal(2, weft.run(add, 1))
    assert.equal(2, weft.timeout(1, add, 1))
    assert.equal(2, weft.spawn(add, 1):await())
    assert.equal(2, weft.try(add, 1))
    assert.same({ false }, { (pcall(add, {})) })
    script("constant", "return function() return 3 end")
    assert.same({ 3, 3, n = 2 }, weft.all { weft.services.constant, weft.services.constant })
    for _, value in ipairs { {}, "text", 1, setmetatable({}, {}) } do
      for _, name in ipairs { "run", "spawn", "try" } do raises("usage", function() weft[name](value) end, "takes a function") end
      raises("usage", function() weft.all { value } end, "takes a function")
      raises("usage", function() weft.timeout(1, value) end, "takes a function")
    end
  end)

  it("raises what it raises, unchanged", function()
    script("fails", "return function(input) error(input, 0) end")
    local function why(input) return select(2, pcall(weft.services.fails, input)) end
    local value = {}
    both(function()
      assert.equal(value, why(value))
      assert.equal("text", why "text")
      local err = raises("usage", function() weft.configure { nonsense = 1 } end)
      assert.equal(err, why(err))
    end)
  end)

  it("belongs to the folder that is configured", function()
    script("greet", "return function() return 1 end")
    local greet = weft.services.greet
    assert.equal(1, greet())
    shell.must(("cp -r %s/services %s/others"):format(folder, folder))
    shell.write(folder .. "/others/greet.lua", "return function() return 2 end")
    weft.configure { services = folder .. "/others" }
    assert.equal(2, greet())
    weft.configure { services = folder .. "/services" }
    assert.equal(1, greet())
    raises("usage", function() weft.configure { services = 3 } end, "folder")
  end)

  it("may wait while it loads; 100 tasks share one load", function()
    script("slow", count .. "weft.sleep(0.001)\nreturn { add = function(n) weft.sleep(0) return n + 1 end }")
    local calls = {}
    for i = 1, 100 do calls[i] = function() return weft.services.slow.add(i) end end
    local results = weft.run(function() return weft.all(calls) end)
    for i = 1, 100 do assert.equal(i + 1, results[i]) end
    assert.equal(1, counted())
  end)

  it("can be called from a coroutine of the user's, in which its script waits too", function()
    script("slow", "weft.sleep(0.001)\nreturn function(n) weft.sleep(0) return coroutine.yield(n) end")
    both(function()
      weft.reload_services()
      local step = coroutine.wrap(function() return weft.services.slow(1) end)
      assert.equal(1, step())
      assert.equal("end", step "end")
    end)
  end)

  it("loads where nothing can wait, when its script need not", function()
    script("less", count .. "return function(pair) return pair[1] < pair[2] end")
    script("slow", count .. "weft.sleep(0)\nreturn function() end")
    weft.run(function()
      local list = { 3, 1, 2 }
      table.sort(list, function(a, b) return weft.services.less { a, b } end)
      assert.same({ 1, 2, 3 }, list)
      raises("usage", function() table.sort(list, function() return weft.services.slow() end) end, "sort comparator")
      weft.services.slow()
    end)
    assert.equal(3, counted())
  end)

  it("is loaded at once where nothing can wait, although others wait for it", function()
    script("both", count .. "if loads == 1 then weft.sleep(0.001) end\nreturn { key = {} , get = function() return 1 end }")
    weft.run(function()
      local task = weft.spawn(function() return weft.services.both.get() end)
      weft.sleep(0)
      table.sort({ 2, 1 }, function() return weft.services.both.get() == 2 end)
      assert.equal(1, task:await())
    end)
    assert.equal(2, counted())
    assert.equal(1, weft.services.both.get())
    assert.equal(0, counted())
  end)

  it("outlives the time and the end of whoever called it first", function()
    script("slow", count .. "weft.sleep(0.02)\nreturn function() return 'here' end")
    weft.run(function()
      local hasty = weft.spawn(function() return weft.timeout(0.001, weft.services.slow) end)
      weft.sleep(0)
      local patient = weft.spawn(function() return weft.services.slow() end)
      local cancelled = weft.spawn(function() return weft.services.slow() end)
      weft.sleep(0)
      cancelled:cancel()
      raises("timeout", function() hasty:await() end)
      raises("cancelled", function() cancelled:await() end)
      assert.equal("here", patient:await())
    end)
    assert.equal(1, counted())
  end)
end)

describe("a service that is not there", function()
  before_each(function()
    script("cart", "return { add = function() end, show = function() end, limit = 3 }")
    script("product_detail", "return function() end")
    script("admin/users", "return { list = function() end }")
  end)

  local missing = {
    { "a file", "product_details", "there is no service 'product_details'", "/services/product_details.lua", "did you mean 'product_detail'?" },
    { "a script of a table", "crt.add", "/services/crt/add.lua", "nor", "/services/crt.lua", "did you mean 'cart'?" },
    { "a function of a table", "cart.ad", "/services/cart.lua", "did you mean 'cart.add'?" },
    { "a function, as that is a number", "cart.limit", "/services/cart.lua" },
    { "a table, as that is a function", "product_detail.get", "one function" },
    { "a name of a function", "cart", "table of services", "add, show" },
    { "a file in a folder", "admin.user.list", "/services/admin/user.lua", "did you mean 'admin.users'?" },
    { "a file deep down", "a.b.c.d", "/services/a/b/c.lua", "there is no folder" },
    { "anything near", "xyz", "/services/xyz.lua" },
  }
  for _, case in ipairs(missing) do
    it("lacks " .. case[1] .. ": usage says where it was looked for", function()
      local service = weft.services
      for name in case[2]:gmatch "[^.]+" do service = service[name] end
      both(function()
        local err = raises("usage", function() service() end, table.unpack(case, 3))
        assert.truthy(err.message:find("services_spec.lua:", 1, true), err.message)
      end)
    end)
  end

  it("is found once its file is there", function()
    raises("usage", function() weft.services.late() end)
    script("late", "return function() return 'late' end")
    assert.equal("late", weft.services.late())
  end)

  it("lacks the whole folder", function()
    weft.configure { services = folder .. "/nowhere" }
    raises("usage", function() weft.services.cart.add() end, "there is no folder " .. folder .. "/nowhere")
  end)
end)

describe("a broken service script", function()
  local broken = {
    { "is no Lua", "local x =\nreturn", 3, "near" },
    { "raises", "\nerror 'no luck'", 3, "no luck" },
    { "raises a table", "error { 'no luck' }", nil, "service script of broken failed" },
    { "returns nothing", "local x = 1", nil, "returned nil" },
    { "returns text", "return 'x'", nil, "returned string" },
    { "misuses Weft", "local x = weft.configure { nonsense = 1 }", 2, "nonsense" },
    { "misuses Weft in a tail call", "return weft.configure { nonsense = 1 }", nil, "nonsense" },
  }
  for _, case in ipairs(broken) do
    it("that " .. case[1] .. " raises usage with its file, each time, until it is mended", function()
      script("broken", case[2])
      both(function()
        local err = raises("usage", function() weft.services.broken() end, case[4])
        local where = case[3] and ("/broken.lua:%d:"):format(case[3]) or "broken"
        assert.truthy(err.message:find(where, 1, true), tostring(err))
      end)
      script("broken", "return function() return 'mended' end")
      assert.equal("mended", weft.services.broken())
    end)
  end

  it("fails for everybody who waits for it, and is tried again by the next", function()
    script("broken", count .. "weft.sleep(0.001)\nif loads < 2 then error 'no luck' end\nreturn function() return loads end")
    local failures = weft.run(function()
      local n = 0
      local function touch()
        raises("usage", function() weft.services.broken() end, "no luck")
        n = n + 1
      end
      weft.all { touch, touch, function() coroutine.wrap(touch)() end }
      return n
    end)
    assert.equal(3, failures)
    assert.equal(2, weft.services.broken())
  end)

  it("keeps what it raised as the cause", function()
    script("broken", "error { answer = 42 }")
    assert.equal(42, raises("usage", function() weft.services.broken() end).cause.answer)
  end)
end)

describe("service scripts that load each other", function()
  local function pair(first, second)
    script("one", first)
    script("two", second)
  end

  it("raise usage instead of waiting for ever", function()
    pair("weft.services.two()\nreturn function() end", "weft.services.one()\nreturn function() end")
    both(function() raises("usage", function() weft.services.one() end, "services.one", "two.lua:2:") end)
  end)

  it("raise usage through weft.all and coroutines too", function()
    pair("weft.all { function() weft.services.two() end }\nreturn function() end",
      "coroutine.wrap(function() weft.services.one() end)()\nreturn function() end")
    both(function() raises("usage", function() weft.services.one() end, "services.one", "two.lua:2:") end)
    pair("weft.services.one()\nreturn function() end", "")
    both(function() raises("usage", function() weft.services.one() end, "services.one", "one.lua:2:") end)
  end)

  it("raise usage where nothing can wait", function()
    pair("weft.services.two()\nreturn function() end", "weft.services.one()\nreturn function() end")
    weft.run(function()
      table.sort({ 2, 1 }, function()
        raises("usage", function() weft.services.one() end, "services.one", "two.lua:2:")
        return false
      end)
    end)
  end)

  it("may call each other once they are loaded", function()
    pair("return function(n) return n == 0 and 'end' or weft.services.two(n - 1) end",
      "return function(n) return weft.services.one(n) end")
    assert.equal("end", weft.services.one(5))
    weft.reload_services()
    assert.equal("end", weft.run(weft.services.one, 5))
  end)

  it("may be waited for by a task that once loaded a script itself", function()
    pair("return function() return 1 end", "weft.sleep(0)\nreturn function() return 2 end")
    weft.run(function()
      for _ = 1, 50 do
        weft.reload_services()
        weft.all { weft.services.one, weft.services.two, function() return weft.services.one() end }
      end
    end)
  end)
end)

describe("reload_services", function()
  it("lets the next call load anew", function()
    script("one", count .. "return function() return loads end")
    script("two", "return function() return weft.services.one() end")
    assert.equal(1, weft.services.two())
    weft.reload_services "two"
    assert.equal(1, weft.services.two())
    weft.reload_services "one"
    assert.equal(2, weft.services.two())
    weft.reload_services()
    assert.equal(3, weft.services.two())
    weft.reload_services "nothing_of_the_kind"
    assert.equal(3, weft.services.two())
    raises("usage", function() weft.reload_services(3) end)
  end)

  it("says so when a script does not load any more", function()
    script("one", "return function() return 1 end")
    assert.equal(1, weft.services.one())
    script("one", "this is not Lua")
    assert.equal(1, weft.services.one())
    weft.reload_services()
    for _ = 1, 2 do raises("usage", function() weft.services.one() end, "service script of one does not load", "one.lua:2:") end
    os.remove(folder .. "/services/one.lua")
    weft.reload_services()
    raises("usage", function() weft.services.one() end, "no file")
  end)

  it("leaves calls and loads that are under way to their end", function()
    local text = "weft.sleep(0.002)\nreturn function(n) for _ = 1, n do weft.sleep(0) end return %q end"
    script("one", text:format "old")
    weft.run(function()
      local loading = weft.spawn(weft.services.one, 0)
      weft.sleep(0)
      script("one", text:format "new")
      weft.reload_services()
      local after = weft.spawn(weft.services.one, 0)
      assert.equal("old", loading:await())
      assert.equal("new", after:await())
      local running = weft.spawn(weft.services.one, 20)
      weft.sleep(0)
      script("one", text:format "newest")
      weft.reload_services()
      assert.equal("newest", weft.services.one(0))
      assert.equal("new", running:await())
    end)
  end)

  it("under load loses no call, and each script runs once for each reload that a call follows", function()
    script("one", count .. "weft.sleep(0)\nlocal mine = loads\nreturn function() weft.sleep(0) return mine end")
    local reloads, seen = 20, {}
    weft.run(function()
      local list = { function()
        for _ = 1, reloads do
          for _ = 1, 5 do weft.sleep(0) end
          weft.reload_services()
        end
      end }
      for _ = 1, 50 do
        list[#list + 1] = function()
          local last = 0
          for _ = 1, 40 do
            local version = weft.services.one()
            assert(version >= last, "an older script came back")
            last = version
            seen[version] = (seen[version] or 0) + 1
          end
        end
      end
      weft.all(list)
    end)
    local loads, calls = counted(), 0
    for _, n in pairs(seen) do calls = calls + n end
    assert.equal(50 * 40, calls)
    assert.is_true(loads > 3 and loads <= reloads + 1, "loads: " .. loads)
  end)
end)

describe("core.scripts", function()
  it("lists the scripts of a folder in order", function()
    for _, name in ipairs { "b.lua", "a.lua", "B.lua", "a_b.lua", "c.lua.txt", ".lua", ".hidden.lua", "lua", "a.b.lua" } do
      shell.write(folder .. "/services/" .. name, "")
    end
    assert.same({ "B", "a.b", "a", "a_b", "b" }, core.scripts(folder .. "/services"))
    assert.same({}, core.scripts(folder))
    assert.is_nil(core.scripts(folder .. "/nowhere"))
    assert.is_nil(core.scripts(folder .. "/services/a.lua"))
  end)
end)

backends.each(function(backend)
  local db, name

  before_each(function()
    db, name = backend.open "create table things (id integer primary key, title varchar(20)); insert into things values (1, 'one');"
    shell.must(("mkdir -p %s/models/%s"):format(folder, name))
    shell.write(("%s/models/%s/Thing.lua"):format(folder, name),
      'local weft = require "weft"\nweft.sleep(0)\nreturn weft.model { methods = { label = function(self) return "#" .. self.id end } }')
    script("things", ([[
      local things = weft.models(%q)
      local db = weft.database(%q)
      local function add(input) return things.Thing:create { id = input.id, title = input.title } end
      return {
        show = function(id) return things.Thing:get(id):label() end,
        add = function(input)
          return db:transaction(function()
            local row = add(input)
            if input.fails then error "fails" end
            return row
          end)
        end,
        count = function() return things.Thing:count() end,
      }]]):format(name, name))
  end)

  describe("a service", function()
    it("touches models, whose scripts load then", function()
      both(function() assert.equal("#1", weft.services.things.show(1)) end)
      local err = raises("not_found", function() weft.services.things.show(7) end)
      assert.equal(name .. ".Thing", err.model)
    end)

    it("may touch models and ask databases while it loads", function()
      script("eager", ([[
        local Thing = weft.models(%q).Thing
        local n = Thing:count()
        return function() return n end]]):format(name))
      local results = weft.run(function()
        return weft.all { weft.services.eager, weft.services.eager, function() return weft.models(name).Thing:count() end }
      end)
      assert.same({ 1, 1, 1, n = 3 }, results)
    end)

    it("runs transactions, and joins the caller's", function()
      both(function()
        local before = weft.services.things.count()
        weft.services.things.add { id = 10 + before, title = "x" }
        assert.is_false(pcall(weft.services.things.add, { id = 20, fails = true }))
        raises("unique", function() weft.services.things.add { id = 1 } end)
        db:transaction(function(tx)
          weft.services.things.add { id = 30 }
          weft.all { function() weft.services.things.add { id = 31 } end }
          assert.equal(before + 3, weft.services.things.count())
          tx:rollback()
        end)
        assert.equal(before + 1, weft.services.things.count())
      end)
    end)

    it("whose model loads the service raises usage", function()
      shell.write(("%s/models/%s/Odd.lua"):format(folder, name),
        'local weft = require "weft"\nweft.services.odd()\nreturn weft.model { table = "things" }')
      script("odd", ("local Odd = weft.models(%q).Odd\nreturn function() end"):format(name))
      both(function()
        raises("usage", function() weft.services.odd() end, "services.odd is being loaded", "Odd.lua:2:")
        raises("usage", function() return weft.models(name).Odd end, name .. ".Odd is being loaded", "odd.lua:2:")
      end)
    end)
  end)
end)
