-- SPDX-License-Identifier: MIT
-- Tasks: run, spawn, all, sleep, timeout, cancel, and the user's own coroutines in and around them.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"

-- The thread sanitizer never forgets a frame that Lua's longjmp left, and has room for 65,536.
local many = os.getenv "WEFT_SPEC_MODE" == "tsan" and 1000 or 10000

---Keeps to itself what it is given, and gives back what was kept.
local function recorder()
  local list = {}
  return list, function(value) list[#list + 1] = value end
end

describe("run", function()
  it("returns the results of its function, holes included", function()
    local r = table.pack(weft.run(function(a, b) return a, nil, b, nil end, 1, 2))
    assert.same({ 1, nil, 2, nil, n = 4 }, r)
  end)

  it("returns when all its tasks have ended", function()
    local list, note = recorder()
    weft.run(function()
      weft.spawn(function()
        weft.sleep(0.002)
        weft.spawn(function() weft.sleep(0.002) note "grandchild" end)
        note "child"
      end)
      note "main"
    end)
    assert.same({ "main", "child", "grandchild" }, list)
  end)

  it("raises the error of its function as it is", function()
    local what = {}
    local ok, err = pcall(weft.run, function() error(what) end)
    assert.is_false(ok)
    assert.equal(what, err)
  end)

  it("raises the error of a task that nobody awaited", function()
    local finished = false
    local ok, err = pcall(weft.run, function()
      weft.spawn(function() error("lost", 0) end)
      weft.sleep(0.003)
      finished = true
      return 1
    end)
    assert.is_false(ok)
    assert.equal("lost", err)
    assert.is_true(finished)
  end)

  it("does not raise the error of a task that was awaited later", function()
    local got = weft.run(function()
      local task = weft.spawn(function() error("seen", 0) end)
      weft.sleep(0.001)
      return select(2, pcall(task.await, task))
    end)
    assert.equal("seen", got)
  end)

  it("raises its function's own error rather than a lost one", function()
    local _, err = pcall(weft.run, function()
      weft.spawn(function() error("lost", 0) end)
      weft.sleep(0.001)
      error("own", 0)
    end)
    assert.equal("own", err)
  end)

  it("runs inside itself without nesting the loop", function()
    local got = weft.run(function()
      local other = 0
      weft.spawn(function() weft.sleep(0.001) other = 1 end)
      local inner = weft.run(function() weft.sleep(0.004) return other end)
      return inner
    end)
    assert.equal(1, got)
  end)

  it("takes functions only", function()
    raises("usage", function() weft.run(1) end, "run takes a function", "task_spec.lua:")
    raises("usage", function() weft.spawn() end, "spawn takes a function")
    raises("usage", function() weft.all { function() end, 3 } end, "a list of functions")
    raises("usage", function() weft.sleep(-1) end, "seconds")
    raises("usage", function() weft.sleep(0 / 0) end, "seconds")
    raises("usage", function() weft.timeout("x", print) end, "seconds")
  end)
end)

describe("spawn", function()
  it("gives a task whose await returns all its results, again and again", function()
    weft.run(function()
      local task = weft.spawn(function(...) weft.sleep(0) return ... end, 1, nil, "x", nil)
      assert.same({ 1, nil, "x", nil, n = 4 }, table.pack(task:await()))
      assert.same({ 1, nil, "x", nil, n = 4 }, table.pack(task:await()))
    end)
  end)

  it("is awaited by many", function()
    local got = weft.run(function()
      local task = weft.spawn(function() weft.sleep(0.001) return 7 end)
      local list = {}
      for i = 1, 50 do list[i] = function() return task:await() end end
      return weft.all(list)
    end)
    for i = 1, 50 do assert.equal(7, got[i]) end
  end)

  it("works at top level, where await pumps", function()
    local task = weft.spawn(function() weft.sleep(0.001) return "done" end)
    assert.equal("done", task:await())
  end)

  it("raises in every one who awaits", function()
    weft.run(function()
      local task = weft.spawn(function() error("e", 0) end)
      for _ = 1, 3 do
        local ok, err = pcall(task.await, task)
        assert.is_false(ok)
        assert.equal("e", err)
      end
    end)
  end)

  it("cannot await itself", function()
    weft.run(function()
      local task
      task = weft.spawn(function()
        raises("usage", function() task:await() end, "itself")
      end)
      task:await()
    end)
  end)

  it("holds 10,000 tasks", function()
    local sum = 0
    weft.run(function()
      local tasks = {}
      for i = 1, many do
        tasks[i] = weft.spawn(function() weft.sleep(0.001) sum = sum + 1 return i end)
      end
      local total = 0
      for i = 1, many do total = total + tasks[i]:await() end
      assert.equal(many * (many + 1) // 2, total)
    end)
    assert.equal(many, sum)
  end)
end)

describe("all", function()
  it("returns a list with n, one result each, holes included", function()
    local got = weft.all { function() return 1, 2 end, function() end, function() weft.sleep(0.001) return 3 end,
      function() return nil end }
    assert.same({ 1, nil, 3, nil, n = 4 }, got)
    assert.same({ n = 0 }, weft.all {})
  end)

  it("runs them side by side", function()
    local list, note = recorder()
    weft.all {
      function() note "a1" weft.sleep(0.03) note "a2" end,
      function() note "b1" weft.sleep(0.001) note "b2" end,
    }
    assert.same({ "a1", "b1", "b2", "a2" }, list)
  end)

  it("raises the first error after it has cancelled the others and waited for them", function()
    local list, note = recorder()
    local ok, err = pcall(weft.all, {
      function()
        local fine, why = pcall(weft.sleep, 60)
        note(tostring(fine) .. " " .. why.kind)
        error("second", 0)
      end,
      function() weft.sleep(0.001) error("first", 0) end,
      function()
        local _ <close> = setmetatable({}, { __close = function() pcall(weft.sleep, 0) note "closed" end })
        weft.sleep(60)
      end,
    })
    assert.is_false(ok)
    assert.equal("first", err)
    assert.same({ "false cancelled", "closed" }, list)
  end)

  it("does not begin what was cancelled before its turn", function()
    local begun = false
    local ok = pcall(weft.all, { function() error "x" end, function() begun = true end })
    assert.is_false(ok)
    assert.is_false(begun)
  end)

  it("nests", function()
    local function tree(depth)
      if depth == 0 then weft.sleep(0) return 1 end
      local both = weft.all { function() return tree(depth - 1) end, function() return tree(depth - 1) end }
      return both[1] + both[2]
    end
    assert.equal(1024, tree(10))
    assert.equal(1024, weft.run(tree, 10))
  end)

  it("nests 150 deep in one line", function()
    local function chain(depth)
      if depth == 0 then weft.sleep(0.001) return 0 end
      return weft.all { function() return chain(depth - 1) end }[1] + 1
    end
    assert.equal(150, chain(150))
  end)

  it("is cancelled as a whole", function()
    local list, note = recorder()
    weft.run(function()
      local function long()
        local _, err = pcall(weft.sleep, 60)
        note(err.kind)
        error(err)
      end
      local task = weft.spawn(function() weft.all { long, long } end)
      weft.sleep(0.001)
      task:cancel()
      raises("cancelled", function() task:await() end)
    end)
    assert.same({ "cancelled", "cancelled" }, list)
  end)
end)

describe("cancel", function()
  it("is no failure of the run: its error is nobody's loss, but what the task raises instead is", function()
    local function cancelled(fn)
      return pcall(weft.run, function()
        local early, late = weft.spawn(weft.sleep, 5), weft.spawn(fn)
        early:cancel()
        weft.sleep(0.001)
        late:cancel()
        return "fine"
      end)
    end
    assert.same({ true, "fine" }, { cancelled(function() weft.sleep(5) end) })
    assert.same({ false, "lost" }, { cancelled(function()
      pcall(weft.sleep, 5)
      error("lost", 0)
    end) })
  end)

  it("is raised at the wait, and again at every next one that pcall swallowed", function()
    local kinds, note = recorder()
    weft.run(function()
      local task = weft.spawn(function()
        for _ = 1, 3 do
          local _, err = pcall(weft.sleep, 60)
          note(err.kind)
        end
        return "ended by itself"
      end)
      weft.sleep(0.001)
      task:cancel()
      task:cancel()
      assert.equal("ended by itself", task:await())
    end)
    assert.same({ "cancelled", "cancelled", "cancelled" }, kinds)
  end)

  it("is not caught by try", function()
    weft.run(function()
      local after = false
      local task = weft.spawn(function()
        weft.try(weft.sleep, 60)
        after = true
      end)
      weft.sleep(0.001)
      task:cancel()
      raises("cancelled", function() task:await() end)
      assert.is_false(after)
    end)
  end)

  it("keeps a task from beginning", function()
    local begun = false
    weft.run(function()
      local task = weft.spawn(function() begun = true end)
      task:cancel()
      raises("cancelled", function() task:await() end)
    end)
    assert.is_false(begun)
  end)

  it("of an ended task does nothing", function()
    weft.run(function()
      local task = weft.spawn(function() return 1 end)
      assert.equal(1, task:await())
      task:cancel()
      assert.equal(1, task:await())
    end)
  end)

  it("of the one who awaits leaves the awaited task alone", function()
    weft.run(function()
      local inner = weft.spawn(function() weft.sleep(0.005) return "fine" end)
      local outer = weft.spawn(function() return inner:await() end)
      weft.sleep(0.001)
      outer:cancel()
      raises("cancelled", function() outer:await() end)
      assert.equal("fine", inner:await())
    end)
  end)

  it("of oneself is raised at the next wait", function()
    weft.run(function()
      local task
      task = weft.spawn(function()
        task:cancel()
        return raises("cancelled", function() weft.sleep(0) end)
      end)
      task:await()
    end)
  end)
end)

describe("timeout", function()
  it("returns what its function returns", function()
    assert.same({ 1, nil, 3, n = 3 }, table.pack(weft.timeout(5, function(...) weft.sleep(0) return ... end, 1, nil, 3)))
  end)

  it("raises kind timeout at the wait, at top level and in a task", function()
    raises("timeout", function() weft.timeout(0.002, weft.sleep, 60) end)
    weft.run(function() raises("timeout", function() weft.timeout(0.002, weft.sleep, 60) end) end)
    assert.equal(1, weft.timeout(5, function() return 1 end))
  end)

  it("is over with its function", function()
    weft.run(function()
      weft.timeout(0.02, function() end)
      weft.sleep(0.03)
    end)
  end)

  it("inside another one never gives more time", function()
    raises("timeout", function()
      weft.timeout(0.002, function() weft.timeout(60, weft.sleep, 60) end)
    end)
  end)

  it("holds for awaiting and for the functions of all", function()
    weft.run(function()
      local slow = weft.spawn(function() weft.sleep(0.02) return "late" end)
      raises("timeout", function() weft.timeout(0.002, function() return slow:await() end) end)
      assert.equal("late", slow:await())
      raises("timeout", function()
        weft.timeout(0.002, function() weft.all { function() weft.sleep(60) end } end)
      end)
    end)
  end)

  it("hands on an error", function()
    local _, err = pcall(weft.timeout, 5, function() error("x", 0) end)
    assert.equal("x", err)
  end)

  it("is caught by try", function()
    local got, err = weft.try(weft.timeout, 0.001, weft.sleep, 60)
    assert.is_nil(got)
    assert.equal("timeout", err.kind)
  end)
end)

describe("a user's own coroutine", function()
  local function suite(around)
    it("waits inside, and yields and resumes values as ever", function()
      around(function()
        local co = coroutine.create(function(a)
          weft.sleep(0.001)
          local b = coroutine.yield(a + 1)
          weft.sleep(0.001)
          local c = coroutine.yield(b + 1, nil)
          weft.sleep(0)
          return c, nil
        end)
        assert.equal("suspended", coroutine.status(co))
        assert.same({ true, 2, n = 2 }, table.pack(coroutine.resume(co, 1)))
        assert.same({ true, 11, nil, n = 3 }, table.pack(coroutine.resume(co, 10)))
        assert.same({ true, 5, nil, n = 3 }, table.pack(coroutine.resume(co, 5)))
        assert.equal("dead", coroutine.status(co))
        local ok, why = coroutine.resume(co)
        assert.is_false(ok)
        assert.equal("cannot resume dead coroutine", why)
      end)
    end)

    it("is wrapped, as an iterator", function()
      around(function()
        local list = {}
        for value in coroutine.wrap(function()
          for i = 1, 3 do weft.sleep(0) coroutine.yield(i) end
        end) do list[#list + 1] = value end
        assert.same({ 1, 2, 3 }, list)
        local failing = coroutine.wrap(function() weft.sleep(0) error { code = 7 } end)
        local ok, err = pcall(failing)
        assert.is_false(ok)
        assert.equal(7, err.code)
      end)
    end)

    it("fails as ever", function()
      around(function()
        local co = coroutine.create(function() weft.sleep(0) error("inside", 0) end)
        assert.same({ false, "inside", n = 2 }, table.pack(coroutine.resume(co)))
        assert.equal("dead", coroutine.status(co))
      end)
    end)

    it("is closed where it yielded", function()
      around(function()
        local closed = false
        local co = coroutine.create(function()
          local _ <close> = setmetatable({}, { __close = function() closed = true end })
          weft.sleep(0)
          coroutine.yield()
        end)
        coroutine.resume(co)
        assert.is_true(coroutine.close(co))
        assert.is_true(closed)
        assert.equal("dead", coroutine.status(co))
      end)
    end)

    it("nests 30 deep", function()
      around(function()
        local function level(n)
          if n == 0 then weft.sleep(0.001) return "bottom" end
          local co = coroutine.create(function() return level(n - 1) end)
          local _, value = coroutine.resume(co)
          return value
        end
        assert.equal("bottom", level(30))
      end)
    end)

    it("runs tasks and transactions of weft.all", function()
      around(function()
        local co = coroutine.wrap(function()
          local got = weft.all { function() weft.sleep(0.001) return 1 end, function() return 2 end }
          coroutine.yield(got[1] + got[2])
        end)
        assert.equal(3, co())
      end)
    end)

    it("passes on pcall, close variables and deep yields", function()
      around(function()
        local co = coroutine.wrap(function()
          local ok, err = pcall(function()
            coroutine.yield(1)
            weft.sleep(0)
            error("e", 0)
          end)
          coroutine.yield(ok, err)
          return "end"
        end)
        assert.equal(1, co())
        assert.same({ false, "e" }, { co() })
        assert.equal("end", co())
      end)
    end)
  end

  describe("at top level", function() suite(function(fn) fn() end) end)
  describe("inside a task", function() suite(function(fn) weft.run(fn) end) end)

  it("that waits can be neither resumed nor closed by another task, and is 'normal'", function()
    weft.run(function()
      local co = coroutine.create(function() weft.sleep(0.003) return "mine" end)
      local task = weft.spawn(function() return select(2, coroutine.resume(co)) end)
      weft.sleep(0.001)
      assert.equal("normal", coroutine.status(co))
      local ok, why = coroutine.resume(co)
      assert.is_false(ok)
      assert.truthy(why:find("waits inside a call of Weft", 1, true))
      assert.is_false((pcall(coroutine.close, co)))
      assert.equal("mine", task:await())
    end)
  end)

  it("lets the other tasks run while it waits", function()
    local list, note = recorder()
    weft.run(function()
      weft.spawn(function() note "other" end)
      local co = coroutine.wrap(function() weft.sleep(0.002) note "co" end)
      co()
      note "main"
    end)
    assert.same({ "other", "co", "main" }, list)
  end)

  it("is cancelled with its task", function()
    weft.run(function()
      local task = weft.spawn(function()
        local co = coroutine.create(function() weft.sleep(60) end)
        local ok, err = coroutine.resume(co)
        assert.is_false(ok)
        assert.equal("dead", coroutine.status(co))
        error(err)
      end)
      weft.sleep(0.001)
      task:cancel()
      raises("cancelled", function() task:await() end)
    end)
  end)

  it("lets the others run at a plain yield of the task itself", function()
    local list, note = recorder()
    weft.run(function()
      weft.spawn(function() note "b" end)
      note "a"
      coroutine.yield()
      note "c"
    end)
    assert.same({ "a", "b", "c" }, list)
  end)

  it("keeps isyieldable and running as they are", function()
    weft.run(function()
      assert.is_true(coroutine.isyieldable())
      local _, main = coroutine.running()
      assert.is_false(main)
    end)
    assert.equal(coroutine.resume, require("coroutine").resume)
  end)
end)

-- Where Lua cannot yield: how such a place calls fn.
local places = {
  { "a sort comparator", function(fn) table.sort({ 3, 2, 1 }, function(a, b) fn() return a < b end) end },
  { "a gsub callback", function(fn) ("abc"):gsub("b", function() fn() end) end },
  { "a require body", function(fn)
    package.preload["spec.body"] = fn
    package.loaded["spec.body"] = nil
    local ok, err = pcall(require, "spec.body")
    package.preload["spec.body"] = nil
    if not ok then error(err, 0) end
  end },
  { "a finalizer", function(fn)
    local failure
    setmetatable({}, { __gc = function() failure = select(2, pcall(fn)) end })
    collectgarbage()
    collectgarbage()
    if failure then error(failure, 0) end
  end },
  { "a coroutine inside a sort comparator", function(fn)
    table.sort({ 3, 2, 1 }, function(a, b)
      local ok, err = coroutine.resume(coroutine.create(fn))
      if not ok then error(err, 0) end
      return a < b
    end)
  end },
}

backends.each(function(backend)
  describe("a place where Lua cannot yield", function()
    for _, place in ipairs(places) do
      it("raises usage inside a task: " .. place[1], function()
        local db = backend.open()
        local pumped = false
        weft.run(function()
          weft.spawn(function() pumped = true end)
          for _, fn in ipairs {
            function() weft.sleep(0) end,
            function() db:query("select 1 as one") end,
            function() weft.all { function() end } end,
            function() weft.run(function() end) end,
            function() weft.spawn(function() end):await() end,
            function() db:transaction(function() db:execute "select 1" end) end,
          } do
            raises("usage", function() place[2](fn) end, "nothing can wait inside a sort comparator")
          end
          assert.is_false(pumped)
        end)
        assert.is_true(pumped)
        assert.equal(1, db:query("select 1 as one")[1].one)
      end)
    end

    it("blocks at top level, where nothing runs that could be held up", function()
      local db = backend.open()
      for _, place in ipairs(places) do
        local got
        place[2](function() got = db:query("select 1 as one")[1].one end)
        assert.equal(1, got, place[1])
      end
    end)

    it("is an event handler as well, in a task and at top level", function()
      local db = backend.open()
      local errors = {}
      local off = weft.on("query", function() errors[#errors + 1] = select(2, pcall(weft.sleep, 0)) end)
      weft.run(function() db:query("select 1") end)
      db:query("select 1")
      off()
      assert.is_true(#errors >= 2)
      for _, err in ipairs(errors) do assert.equal("usage", err.kind) end
    end)
  end)

  describe("a statement", function()
    it("runs in the user's own coroutine at top level and in a task", function()
      local db = backend.open("create table t (n integer); insert into t values (1), (2), (3)")
      local function walk()
        local list = {}
        for n in coroutine.wrap(function()
          for i = 1, 3 do coroutine.yield(db:query("select n from t where n = ?", i)[1].n) end
        end) do list[#list + 1] = n end
        return list
      end
      assert.same({ 1, 2, 3 }, walk())
      assert.same({ 1, 2, 3 }, weft.run(walk))
    end)

    it("is cancelled and times out, and the database goes on", function()
      local db = backend.open(nil, { pool = { max = 2 } })
      local slow = backend.dialect == "mysql" and "select benchmark(10000000000, md5('x'))"
        or "with recursive c(n) as (select 1 union all select n + 1 from c where n < 1000000000) select count(*) from c"
      raises("timeout", function() weft.timeout(0.05, function() db:query(slow) end) end)
      weft.run(function()
        local task = weft.spawn(function() db:query(slow) end)
        weft.sleep(0.05)
        task:cancel()
        raises("cancelled", function() task:await() end)
      end)
      assert.equal(1, db:query("select 1 as one")[1].one)
    end)

    it("is run by 10,000 tasks", function()
      local db = backend.open("create table t (n integer); insert into t values (1)", { pool = { max = 4, wait = 60 } })
      local done = 0
      weft.run(function()
        for _ = 1, many do
          weft.spawn(function()
            local n = db:query("select n from t")[1].n
            done = done + n
          end)
        end
      end)
      assert.equal(many, done)
    end)
  end)
end)
