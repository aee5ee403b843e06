-- SPDX-License-Identifier: MIT
-- weft.on and weft.log: what happens can be watched, and a watcher harms nothing.

local weft = require "weft"
local backends = require "spec.support.backends"
local raises = require "spec.support.raises"
local shell = require "spec.support.shell"

backends.each(function(backend)
  local db, name, T
  local offs

  before_each(function()
    db, name = backend.open "create table t (id integer primary key, name text); insert into t values (1, 'a'), (2, 'b')"
    T = weft.models(name).t
    T:first()
    offs = {}
  end)

  after_each(function()
    for _, off in ipairs(offs) do off() end
    weft.configure { slow_query = 0.2 }
  end)

  local function watch(event, fn)
    local list = {}
    offs[#offs + 1] = weft.on(event, fn or function(info) list[#list + 1] = info end)
    return list
  end

  describe("on query", function()
    it("tells of each statement", function()
      local list = watch "query"
      db:query("select * from t where id > ?", 0)
      T:where({ id = 1 }):update { name = "x" }
      assert.equal(2, #list)
      assert.equal(name, list[1].database)
      assert.truthy(list[1].sql:find("select * from t where id >", 1, true))
      assert.equal(2, list[1].rows)
      assert.equal(1, list[1].parameters)
      assert.is_true(list[1].seconds >= 0)
      assert.equal(1, list[2].affected)
      assert.is_nil(list[1].error)
    end)

    it("tells no values", function()
      local list = watch "query"
      T:where({ name = "private" }):all()
      db:query(backend.dialect == "postgres" and "select ?::text as x" or "select ? as x", "private")
      assert.equal(2, #list)
      for _, info in ipairs(list) do
        for _, value in pairs(info) do assert.falsy(tostring(value):find("private", 1, true)) end
      end
    end)

    it("tells of statements that fail, which are errors too", function()
      local list, errors = watch "query", watch "error"
      raises("unique", function() T:create { id = 1 } end)
      assert.equal(1, #list)
      assert.equal("unique", list[1].error.kind)
      assert.equal(1, #errors)
      assert.equal("unique", errors[1].error.kind)
    end)

    it("tells of transactions", function()
      local list = watch "query"
      db:transaction(function() T:first() end)
      local text = ""
      for _, info in ipairs(list) do text = text .. info.sql:lower() .. ";" end
      assert.truthy(text:find("select", 1, true))
    end)
  end)

  describe("on slow_query", function()
    it("tells of what took longer than slow_query", function()
      local slow = watch "slow_query"
      T:first()
      assert.equal(0, #slow)
      weft.configure { slow_query = 0 }
      T:first()
      assert.equal(1, #slow)
      assert.truthy(slow[1].sql:find("select", 1, true))
    end)
  end)

  describe("on connect", function()
    it("tells of a new connection, once it is there", function()
      local list = watch "connect"
      local other, other_name = backend.open()
      assert.equal(0, #list)
      other:ping()
      other:ping()
      assert.equal(1, #list)
      assert.equal(other_name, list[1].database)
    end)
  end)

  if backend.dialect == "postgres" then
    describe("on disconnect", function()
      it("tells of a connection that was lost while it was used", function()
        local list = watch "disconnect"
        raises("disconnect", function() db:query "select pg_terminate_backend(pg_backend_pid())" end)
        assert.equal(1, #list)
        assert.equal(name, list[1].database)
        assert.equal("a", T:find(1).name)
      end)
    end)
  end

  describe("a handler", function()
    it("is called in the order of on until it is taken off", function()
      local calls = {}
      local off = weft.on("query", function() calls[#calls + 1] = "a" end)
      watch("query", function() calls[#calls + 1] = "b" end)
      T:first()
      off()
      off()
      T:first()
      assert.same({ "a", "b", "b" }, calls)
    end)

    it("may take itself off and put others on", function()
      local calls, off = 0, nil
      off = weft.on("query", function()
        calls = calls + 1
        off()
        watch("query", function() calls = calls + 10 end)
      end)
      T:first()
      assert.equal(1, calls)
      T:first()
      assert.equal(11, calls)
    end)

    it("that fails harms nothing and is reported once", function()
      local errors, after = watch "error", 0
      watch("query", function() error "broken handler" end)
      watch("query", function() after = after + 1 end)
      watch("error", function() error "broken too" end)
      assert.equal("a", T:find(1).name)
      assert.equal(1, after)
      assert.equal(1, #errors)
      assert.equal("query", errors[1].event)
      assert.truthy(errors[1].message:find("broken handler", 1, true))
    end)

    it("cannot wait", function()
      local err
      watch("query", function() err = select(2, pcall(T.first, T)) end)
      T:find(1)
      assert.equal("usage", err.kind)
    end)
  end)

  it("raises usage for an unknown event and for no function", function()
    raises("usage", function() weft.on("querry", print) end, "did you mean 'query'?")
    raises("usage", function() weft.on "query" end, "function")
    raises("usage", function() weft.on() end)
  end)

  describe("log", function()
    it("writes JSON lines to a function", function()
      local lines = {}
      local stop = weft.log { level = "debug", sink = function(line) lines[#lines + 1] = line end }
      offs[#offs + 1] = stop
      T:where({ name = "private" }):all()
      assert.equal(1, #lines)
      local entry = weft.decode(lines[1])
      assert.equal("query", entry.event)
      assert.equal("debug", entry.level)
      assert.equal(name, entry.database)
      assert.truthy(entry.sql:find("select", 1, true))
      assert.truthy(entry.time:find "Z$")
      assert.falsy(lines[1]:find("private", 1, true))
      assert.falsy(lines[1]:find("\n", 1, true))
      stop()
      T:first()
      assert.equal(1, #lines)
    end)

    it("writes what is at its level or above", function()
      local levels = {}
      local function log(level)
        levels = {}
        offs[#offs + 1] = weft.log { level = level, sink = function(line) levels[#levels + 1] = weft.decode(line).level end }
        weft.configure { slow_query = 0 }
        T:first()
        pcall(T.create, T, { id = 1 })
        weft.configure { slow_query = 0.2 }
        return levels
      end
      assert.same({ "error", "warn", "warn" }, (function() local l = log "info" table.sort(l) return l end)())
      assert.same({ "error", "warn", "warn" }, (function() local l = log "warn" table.sort(l) return l end)())
      assert.same({ "error" }, log "error")
      local all = log "debug"
      table.sort(all)
      assert.same({ "debug", "error", "warn", "warn" }, all)
    end)

    it("writes to a file", function()
      local path = os.tmpname()
      local stop = weft.log { level = "debug", sink = path }
      T:first()
      T:first()
      stop()
      local text = shell.read(path)
      os.remove(path)
      local count = 0
      for line in text:gmatch "[^\n]+" do
        assert.equal("query", weft.decode(line).event)
        count = count + 1
      end
      assert.equal(2, count)
    end)

    it("replaces the log before", function()
      local first, second = 0, 0
      weft.log { level = "debug", sink = function() first = first + 1 end }
      offs[#offs + 1] = weft.log { level = "debug", sink = function() second = second + 1 end }
      T:first()
      assert.same({ 0, 1 }, { first, second })
    end)

    it("raises usage for what it does not know", function()
      raises("usage", function() weft.log() end)
      raises("usage", function() weft.log { level = "loud" } end, "loud")
      raises("usage", function() weft.log { lewel = "info" } end, "did you mean 'level'?")
      raises("usage", function() weft.log { sink = 3 } end, "sink")
      raises("usage", function() weft.log { sink = "/nonexistent/folder/log" } end, "/nonexistent/folder/log")
    end)

    it("goes on when its sink fails", function()
      offs[#offs + 1] = weft.log { level = "debug", sink = function() error "full" end }
      assert.equal("a", T:find(1).name)
    end)
  end)
end)
