-- SPDX-License-Identifier: MIT
-- Hostile and odd input: no table is touched by it, no condition vanishes, no value is cut or leaks into
-- an error's text.

local weft = require "weft"
local backends = require "spec.support.backends"
local servers = require "spec.support.servers"
local raises = require "spec.support.raises"

local null = weft.null

local schema = {
  sqlite = [[
    create table t (id integer primary key, name text, n integer, price numeric(10,2), attrs json, data blob,
      constraint n_small check (n < 1000), constraint name_once unique (name));]],
  postgres = [[
    create table t (id integer primary key, name text, n integer, price numeric(10,2), attrs jsonb, data bytea,
      constraint n_small check (n < 1000), constraint name_once unique (name));]],
}
for dialect, text in pairs(schema) do
  schema[dialect] = text .. [[
    insert into t (id, name, n, price, attrs) values (1, 'one', 1, 1.50, '{"color":"red"}'), (2, 'two', 2, null, null);
    create table victim (id integer primary key, secret text);
    insert into victim values (1, 'alive');]]
end

local texts = {
  "' or 1=1 --", "' or '1'='1", "'; drop table victim; --", "\"; drop table victim; --", "\\", "\\'; drop table victim; --",
  "'", "''", "\"", "`", "$1", "$$", "$tag$", "?", "??", ":name", "@name", "/*", "*/", "--", "%", "_", "%%", "\\%", "[a]", "*",
  "\n", "\r\n", "\t", " ", "", "null", "NULL", "true", "0x27", "1 or 1=1", "1; delete from victim", "' || (select secret from victim) || '",
  "\u{1F600}", "\u{202E}evil", "é", "\u{FEFF}x", "{}", "[]", "{1,2}", "(1,2)", "$.x", "a.b", "attrs.color", ("x"):rep(70000),
}

backends.each(function(backend)
  local db, models, T, name

  setup(function()
    db, name = backend.open(schema, { pool = { max = 2, wait = 10 } })
    models = weft.models(name)
    T = models.t
    T:first()
  end)

  ---Everything that the tables hold, as text.
  local function contents()
    local v = db:query("select count(*) as n, min(secret) as s from victim")[1]
    local lines = { v.n .. " " .. v.s }
    for _, row in ipairs(T:order("id"):all()) do lines[#lines + 1] = weft.encode(row) end
    return table.concat(lines, "\n")
  end

  ---Calls fn, which must raise one of `kinds` without any statement, and leaves everything as it was.
  local function refused(label, fn, kinds)
    local sent = 0
    local off = weft.on("query", function() sent = sent + 1 end)
    local ok, err = pcall(fn)
    off()
    if ok then error(label .. ": nothing was raised", 0) end
    if type(err) ~= "table" or not (kinds or "usage"):find(err.kind or "-", 1, true) then
      error(label .. ": " .. tostring(err), 0)
    end
    if sent > 0 then error(("%s: %d statements were sent"):format(label, sent), 0) end
    return err
  end

  local before
  before_each(function() before = contents() end)
  after_each(function() assert.equal(before, contents()) end)

  describe("a hostile text", function()
    it("as a value finds nothing that is not it, by no operator", function()
      local seen = {}
      local off = weft.on("query", function(info) seen[info.sql] = true end)
      for _, text in ipairs(texts) do
        for _, op in ipairs { "=", "<=", "in", "like", "ilike", "begins_with", "ends_with", "contains", "between" } do
          local value = text
          if op == "in" then value = { text, text .. "x" } end
          if op == "between" then value = { text, text } end
          if op == "<=" then value = "" end
          local ok, rows = pcall(function() return T:where("name", op, value):where("id", "<", 0):all() end)
          if ok then assert.same({}, rows)
          elseif rows.kind ~= "type" and rows.code ~= "22025" then -- a pattern may end in its escape character
            error(("%s %q: %s"):format(op, text, tostring(rows)))
          end
        end
        assert.equal(0, T:where { name = text }:count())
        assert.equal(0, T:where(weft.path("attrs", "color"), "=", text):count())
        assert.equal(0, T:where(weft.raw("name = ?", text)):count())
        assert.same({}, db:query("select id from t where name = ?", text))
        assert.is_false(T:where { name = text }:exists())
      end
      off()
      for sql in pairs(seen) do
        for _, text in ipairs(texts) do
          if #text > 4 and text ~= "null" and text ~= "NULL" and text ~= "true" and text ~= "a.b" then
            assert.is_nil(sql:find(text, 1, true), sql)
          end
        end
      end
    end)

    it("is stored and read back as it is", function()
      for i, text in ipairs(texts) do
        db:transaction(function(tx)
          local row = T:create { id = 100 + i, name = text, attrs = { [text] = text } }
          assert.equal(text, row.name)
          assert.equal(text, T:find(100 + i).name)
          assert.equal(text, T:find(100 + i).attrs[text])
          assert.equal(100 + i, T:where { name = text }:one().id)
          local found = text ~= "" and not (backend.dialect == "mysql" and text:find "^%-") -- MariaDB finds no such key
          if found then assert.equal(1, T:where(weft.path("attrs", text), "=", text):count(), text) end
          assert.equal(1, T:where("name", "contains", text):where { id = 100 + i }:count())
          assert.equal(1, T:where("name", "begins_with", text):where { id = 100 + i }:count())
          assert.equal(1, T:where { id = 100 + i }:update { name = text .. "2" })
          assert.equal(text .. "2", db:query("select name from t where id = ?", 100 + i)[1].name)
          tx:rollback()
        end)
      end
    end)

    it("as a name is unknown, and nothing is sent", function()
      pcall(function() T:where("none.x", "=", 1):all() end) -- reads what foreign keys there are
      for _, text in ipairs(texts) do
        if text ~= "attrs.color" then
          refused("where key " .. text, function() T:where { [text] = 1 }:all() end)
          refused("where " .. text, function() T:where(text, "=", 1):all() end)
          refused("order " .. text, function() T:order(text):all() end)
          refused("select " .. text, function() T:select(text):all() end)
          refused("group " .. text, function() T:group(text):select { n = weft.count() }:all() end)
          refused("pluck " .. text, function() T:pluck(text) end)
          refused("sum " .. text, function() T:sum(text) end)
          refused("create " .. text, function() T:create { [text] = 1 } end)
          refused("update " .. text, function() T:where { id = 1 }:update { [text] = 1 } end)
          refused("increment " .. text, function() T:where { id = 1 }:increment(text, 1) end)
          refused("upsert on " .. text, function() T:upsert({ id = 1, name = "x" }, { on = text }) end)
          refused("having " .. text, function()
            T:group("n"):select { "n", c = weft.count() }:having(text, ">", 1):all()
          end)
        end
        refused("operator " .. text, function()
          if text == "" then error(setmetatable({ kind = "usage" }, {})) end
          T:where("n", text, 1):all()
        end)
        refused("direction " .. text, function() T:order("n", text == "" and "x" or text):all() end)
        refused("nulls " .. text, function() T:order("n", "asc", text == "" and "x" or text):all() end)
        refused("lock " .. text, function() T:lock(text):all() end)
        refused("limit " .. text, function() T:limit(text):all() end)
        refused("offset " .. text, function() T:offset(text):all() end)
        refused("isolation " .. text, function()
          db:transaction(function() T:first() end, { isolation = text })
        end)
      end
    end)

    it("as a model's name touches nothing", function()
      for _, text in ipairs(texts) do
        if text ~= "" and #text < 1000 then
          local ok, err = pcall(function() return models[text]:first() end)
          assert.is_false(ok, text)
          assert.is_table(err)
          assert.is_string(err.kind)
        end
      end
    end)

    it("as an alias is quoted", function()
      for _, text in ipairs { "\"; drop table victim; --", "a\"b", "a'b", "a b", "n", "select" } do
        local rows = T:where { id = 1 }:select { "id", [text] = weft.raw "41 + 1" }:all()
        assert.equal(42, rows[1][text])
      end
    end)
  end)

  describe("a condition that would vanish", function()
    local cases = {
      { "where {}", function() T:where {} end },
      { "where nil", function() T:where(nil) end },
      { "where without arguments", function() T:where() end },
      { "where number", function() T:where(1) end },
      { "where true", function() T:where(true) end },
      { "where list", function() T:where { 1 } end },
      { "where text alone", function() T:where("id = 1") end },
      { "where column nil", function() T:where("id", nil) end },
      { "where = nil", function() T:where("id", "=", nil) end },
      { "where != nil", function() T:where("id", "!=", nil) end },
      { "where in nil", function() T:where("id", "in", nil) end },
      { "where not_in nil", function() T:where("id", "not_in", nil) end },
      { "where between nil", function() T:where("id", "between", nil) end },
      { "where between one", function() T:where("id", "between", { 1 }) end },
      { "where between three", function() T:where("id", "between", { 1, 2, 3 }) end },
      { "where a named key that is absent", function() T:where({ id = 1 }, { "id", "name" }) end },
      { "where a named key alone", function() T:where({}, { "id" }) end },
      { "find nil", function() T:find(nil) end },
      { "find nothing", function() T:find() end },
      { "find two for one", function() T:find(1, 2) end },
      { "get nil", function() T:get(nil) end },
      { "any_of {}", function() T:where(weft.any_of {}) end },
      { "all_of {}", function() T:where(weft.all_of {}) end },
      { "negate {}", function() T:where(weft.negate {}) end },
      { "any_of { {} }", function() T:where(weft.any_of { {} }) end },
      { "any_of { { column } }", function() T:where(weft.any_of { { "id" } }) end },
      { "any_of { { column, op } }", function() T:where(weft.any_of { { "id", "=" } }) end },
      { "all_of { {} }", function() T:where(weft.all_of { { id = 1 }, {} }) end },
      { "update all", function() T:update { n = 0 } end },
      { "update nothing", function() T:where { id = 1 }:update {} end },
      { "update nil", function() T:where { id = 1 }:update(nil) end },
      { "delete all", function() T:delete() end },
      { "delete all by order", function() T:order("id"):delete() end },
      { "delete { all = false }", function() T:delete { all = false } end },
      { "update { all = 1 }", function() T:update({ n = 0 }, { all = nil }) end },
      { "increment all", function() T:increment("n", 1) end },
      { "raw of nothing", function() T:where(weft.raw "") end },
      { "raw with too few parameters", function() T:where(weft.raw("id = ? and n = ?", 1)):all() end },
      { "raw with too many parameters", function() T:where(weft.raw("id = ?", 1, 2)):all() end },
      { "raw with nil", function() T:where(weft.raw("id = ?", nil)):all() end, "usage type" },
      { "query with too few parameters", function() db:query("select ?, ?", 1) end },
      { "query with too many parameters", function() db:query("select ?", 1, 2) end },
      { "execute of nothing", function() db:execute "" end, "usage syntax" },
      { "execute of nil", function() db:execute(nil) end },
      { "a misspelt column", function() T:where { nam = "x" }:delete() end },
      { "a misspelt operator", function() T:where("id", "=>", 1):delete() end },
    }
    for _, case in ipairs(cases) do
      it("is usage: " .. case[1], function() refused(case[1], case[2], case[3]) end)
    end

    it("names the nearest valid word at the caller's line", function()
      local err = refused("column", function() T:where { nam = "x" }:all() end)
      assert.is_truthy(err.message:find("did you mean 'name'", 1, true), err.message)
      assert.is_truthy(err.message:find("hostile_spec.lua:", 1, true), err.message)
      err = refused("operator", function() T:where("name", "begin_with", "x"):all() end)
      assert.is_truthy(err.message:find("did you mean 'begins_with'", 1, true), err.message)
    end)

    it("is kept: an empty list finds, changes and deletes nothing", function()
      assert.equal(0, T:where { id = {} }:count())
      assert.equal(0, T:where { id = {} }:update { n = 0 })
      assert.equal(0, T:where { id = {} }:delete())
      assert.equal(0, T:where("id", "in", {}):delete())
      assert.equal(0, T:where(weft.any_of { { "id", "in", {} } }):delete())
      assert.equal(0, T:where(weft.all_of { { "id", "=", 1 }, { "n", "in", {} } }):delete())
      assert.equal(0, T:where(weft.negate { id = { 1, 2 } }):delete())
    end)
  end)

  describe("a limit", function()
    it("is a whole number from 0", function()
      for _, bad in ipairs { -1, 1.5, 0 / 0, 1 / 0, -1 / 0, "1; drop table victim", "x", true, {}, null, 2 ^ 63, math.mininteger } do
        refused("limit " .. tostring(bad), function() T:limit(bad):all() end)
        refused("offset " .. tostring(bad), function() T:offset(bad):all() end)
        refused("page " .. tostring(bad), function() T:page { size = bad } end)
      end
      assert.equal(0, #T:limit(0):all())
      assert.equal(2, #T:limit(math.maxinteger):all())
    end)
  end)

  describe("an odd number", function()
    it("is a clear error or the right answer: NaN and infinities", function()
      for _, value in ipairs { 0 / 0, 1 / 0, -1 / 0 } do
        for _, column in ipairs { "n", "price", "id" } do
          local ok, err = pcall(function() return T:where(column, "=", value):count() end)
          if ok then assert.equal(0, err) else assert.is_truthy(("type usage"):find(err.kind, 1, true), tostring(err)) end
        end
        for _, fn in ipairs {
          function() T:create { id = 50, n = value } end,
          function() T:where { id = 1 }:update { n = value } end,
          function() T:create { id = 50, attrs = { x = value } } end,
          function() weft.encode { value } end,
        } do
          local ok, err = pcall(fn)
          assert.is_false(ok)
          assert.is_truthy(("type usage"):find(err.kind, 1, true), tostring(err))
        end
      end
    end)

    it("out of range is a clear error, never another number", function()
      for _, value in ipairs { 2 ^ 31, 2 ^ 63, -2 ^ 64, 1e300, 1.5, "99999999999999999999", "1e400", "12abc", "0x10", " 1", "1 ", "" } do
        local ok, err = pcall(function() return T:create { id = 50, n = value } end)
        if ok then error(("%s was stored"):format(tostring(value))) end
        assert.is_truthy(("type usage check"):find(err.kind, 1, true), tostring(err))
      end
      for _, value in ipairs { math.maxinteger, math.mininteger, 2147483647 } do
        local ok, err = pcall(function() return T:where { n = value }:count() end)
        if ok then assert.equal(0, err) else assert.equal("type", err.kind) end
      end
      for _, value in ipairs { math.maxinteger, math.mininteger, 2 ^ 53 | 0, (2 ^ 53 | 0) + 1 } do
        assert.equal(value, T:where { id = 1 }:select { v = weft.raw(backend.dialect == "postgres" and "?::bigint" or "?", value) }:all()[1].v)
      end
    end)

    it("with more digits than its column is a type error", function()
      for _, value in ipairs { "123456789012.5", weft.decimal "99999999999", 1e15 } do
        local ok, err = pcall(function() T:create { id = 50, price = value } end)
        if ok then T:where { id = 50 }:delete() end
        assert.is_false(ok, tostring(value))
        assert.is_truthy(("type check"):find(err.kind, 1, true), tostring(err))
      end
    end)
  end)

  describe("a text that is no UTF-8", function()
    for _, bytes in ipairs { "\xff\xfe", "a\xc3", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xc0\xaf", "a\0b", "\0" } do
      it(("is refused or kept as it is: %q"):format(bytes), function()
        for _, fn in ipairs {
          function() return T:create { id = 60, name = bytes }.name end,
          function() T:create { id = 60, name = "x" } T:where { id = 60 }:update { name = bytes } return T:find(60).name end,
          function() return T:create { id = 60, attrs = { a = bytes } }.attrs.a end,
          function()
            return db:query(backend.dialect == "postgres" and "select ?::text as v" or "select ? as v", bytes)[1].v
          end,
        } do
          local ok, got = pcall(db.transaction, db, function(tx) tx:rollback(fn()) end)
          if ok then assert.equal(bytes, got)
          else
            assert.is_truthy(("type usage syntax"):find(got.kind or "-", 1, true), tostring(got))
          end
        end
        local ok, got = pcall(function() return T:where { name = bytes }:count() end)
        if ok then assert.equal(0, got) else assert.is_string(got.kind) end
        assert.is_true(db:ping())
      end)
    end

    it("is kept in a column of bytes", function()
      local all = {}
      for i = 0, 255 do all[#all + 1] = string.char(i) end
      local bytes = table.concat(all)
      db:transaction(function(tx)
        assert.equal(bytes, T:create { id = 60, data = bytes }.data)
        assert.equal(1, T:where { data = bytes }:count())
        tx:rollback()
      end)
    end)

    it("in SQL text is a syntax error", function()
      for _, sql in ipairs { "select 1\0; drop table victim", "select '\xff'", "select \xfe", "\0" } do
        local ok, err = pcall(db.query, db, sql)
        if not ok then assert.is_truthy(("syntax usage type"):find(err.kind, 1, true), tostring(err)) end
      end
      assert.is_true(db:ping())
    end)
  end)

  describe("a value of the wrong kind", function()
    it("is refused at the call", function()
      local cycle = {}
      cycle.self = cycle
      local deep = {}
      for _ = 1, 100000 do deep = { deep } end
      for label, value in pairs { ["function"] = print, thread = coroutine.create(print), userdata = io.stdout } do
        refused("where " .. label, function() T:where { name = value }:all() end, "usage type")
        refused("create " .. label, function() T:create { id = 70, name = value } end, "usage type")
        refused("param " .. label, function() db:query("select ?", value) end, "usage type")
        refused("json " .. label, function() T:create { id = 70, attrs = { value } } end, "usage type")
      end
      refused("cycle", function() T:create { id = 70, attrs = cycle } end, "usage type")
      refused("deep", function() T:create { id = 70, attrs = deep } end, "usage type")
      refused("encode cycle", function() weft.encode(cycle) end, "usage type")
      refused("decode deep", function() weft.decode(("["):rep(100000)) end, "usage type syntax")
      refused("decode rubbish", function() weft.decode "{\"a\":" end, "usage type syntax")
    end)

    it("calls by a dot are told", function()
      raises("usage", function() T.where { id = 1 } end)
      raises("usage", function() db.query "select 1" end, "colon")
    end)
  end)

  describe("a long list", function()
    it("of 70,000 values is one parameter and finds the right rows", function()
      local numbers, words = {}, {}
      for i = 1, 70000 do
        numbers[i] = i + 1
        words[i] = "w" .. i
      end
      words[35000] = "one"
      assert.equal(1, T:where { id = numbers }:count())
      assert.equal(1, T:where("id", "not_in", numbers):count())
      assert.equal("one", T:where { name = words }:one().name)
      words[70001] = null
      assert.equal(1, T:where { name = words }:count())
    end)

    it("of rows in create_many is stored or refused as a whole", function()
      local rows = {}
      for i = 1, 20000 do rows[i] = { id = 1000 + i, name = "n" .. i, n = i % 1000 } end
      db:transaction(function(tx)
        assert.equal(20000, T:create_many(rows, { returning = false }))
        assert.equal(20002, T:count())
        tx:rollback()
      end)
      rows[19999].n = 5000 -- against the check
      raises("check", function() T:create_many(rows, { returning = false }) end)
    end)
  end)

  describe("2,000 columns", function()
    it("are read, or the database's limit is told", function()
      local list = {}
      for i = 1, 2000 do list[i] = ("%d as c%d"):format(i, i) end
      local sql = "select " .. table.concat(list, ", ")
      local ok, rows = pcall(db.query, db, sql)
      if ok then
        for i = 1, 2000 do assert.equal(i, rows[1]["c" .. i]) end
      else
        assert.equal("postgres", backend.dialect)
        assert.is_truthy(tostring(rows):find("1664", 1, true), tostring(rows))
      end
      local wide = ({ postgres = 1600, mysql = 1000 })[backend.dialect] or 2000
      local columns, row = {}, { c1 = 1, c777 = 777 }
      for i = 1, wide do columns[i] = ("c%d integer"):format(i) end
      columns[1] = "c1 integer primary key"
      db:script("create table wide (" .. table.concat(columns, ", ") .. ")")
      row["c" .. wide] = wide
      local W = models.wide
      local made = W:create(row)
      assert.equal(wide, made["c" .. wide])
      assert.equal(777, W:find(1).c777)
      assert.is_nil(W:find(1).c2)
      assert.equal(wide, #weft.columns(W:first()))
      db:script "drop table wide"
    end)
  end)

  describe("a value of 100 MB", function()
    it("goes there and back", function()
      local size = 100 * 2 ^ 20 | 0
      local big = ("0123456789abcdef"):rep(size // 16)
      db:transaction(function(tx)
        T:where { id = 1 }:update { data = big }
        assert.equal(size, tx:query("select length(data) as n from t where id = 1")[1].n)
        local back = T:select("data"):where { id = 1 }:first().data
        assert.is_true(back == big)
        tx:rollback()
      end)
      big = nil
      collectgarbage()
      collectgarbage()
    end)

    it("that the database refuses is a clear error", function()
      local size = (backend.dialect == "postgres" and 300 or 100) * 2 ^ 20 | 0
      local ok, err = pcall(db.query, db, "select length(?)", ("x"):rep(size))
      if ok then assert.is_table(err) else assert.is_string(err.kind) end
      collectgarbage()
      assert.is_true(db:ping())
    end)
  end)

  describe("a secret", function()
    local secret = "hunter2secret"

    ---Every text in the error, and the error as text.
    local function search(value, seen)
      seen = seen or {}
      if type(value) == "string" then
        assert.is_nil(value:find(secret, 1, true), value)
      elseif type(value) == "table" and not seen[value] then
        seen[value] = true
        for k, v in pairs(value) do
          search(k, seen)
          search(v, seen)
        end
      end
      if type(value) == "table" then assert.is_nil(tostring(value):find(secret, 1, true), tostring(value)) end
    end

    local function fails(label, fn)
      local told = {}
      local off = weft.on("query", function(info) told[#told + 1] = { info.sql, info.error } end)
      local off2 = weft.on("error", function(info) told[#told + 1] = { info.message, info.error } end)
      local ok, err = pcall(fn)
      off()
      off2()
      if ok then error(label .. ": nothing was raised", 0) end
      if type(err) ~= "table" then error(label .. ": " .. tostring(err), 0) end
      search(err)
      search(told)
      return err
    end

    it("in a value is in no error's text", function()
      local pg = backend.dialect == "postgres"
      fails("unique", function()
        db:transaction(function() T:create { id = 80, name = secret } T:create { id = 81, name = secret } end)
      end)
      fails("unique of many", function()
        T:create_many { { id = 80, name = secret }, { id = 81, name = secret } }
      end)
      fails("type of an integer", function() T:create { id = 80, n = secret } end)
      fails("type in where", function() T:where { n = secret }:all() end)
      fails("type in find", function() T:find(secret) end)
      fails("type in a list", function() T:where { n = { 1, secret } }:all() end)
      fails("type of a decimal", function() T:create { id = 80, price = secret } end)
      fails("check", function() T:create { id = 80, n = 5000, name = secret } end)
      fails("not a decimal", function() weft.decimal(secret) end)
      fails("not JSON", function() weft.decode(secret) end)
      fails("raw, unknown function", function() db:query("select no_such_function(?)", secret) end)
      fails("raw, syntax", function() db:query("selec ?", secret) end)
      fails("count", function() db:query("select ?", secret, secret) end)
      fails("limit", function() T:limit(secret) end)
      fails("page cursor", function() T:order("id"):page { size = 1, after = secret } end)
      if pg then
        fails("cast", function() db:query("select ?::integer", secret) end)
        fails("cast to uuid", function() db:query("select ?::uuid", secret) end)
        fails("cast to date", function() db:query("select ?::date", secret) end)
        fails("cast to json", function() db:query("select ?::jsonb", secret) end)
        fails("cast to numeric", function() db:query("select ?::numeric", secret) end)
        fails("cast to inet", function() db:query("select ?::inet", secret) end)
        fails("cast to interval", function() db:query("select ?::interval", secret) end)
        fails("cast to array", function() db:query("select ?::int[]", "{" .. secret .. "}") end)
        fails("raised with the value", function()
          db:query("select 1 / (length(?::text) - ?)", secret, #secret)
        end)
        fails("regexp", function() db:query("select 'x' ~ ?", secret .. "(") end)
        fails("to_number", function() db:query("select to_date(?, 'YYYY')", secret) end)
      end
    end)

    it("in a url is in no error's text, nor in what a handle prints", function()
      if backend.dialect == "postgres" then
        local pg = servers.postgres()
        local user = servers.users.scram.name
        for i, url in ipairs {
          pg.url("postgres", { user = user, password = secret }),
          pg.url("postgres", { user = user, password = secret, port = 1 }),
          pg.url("postgres", { user = user, password = secret, host = "no-such-host.invalid" }),
          pg.url("no_such_database", { password = secret }),
          pg.url("postgres", { user = user, query = "password=" .. secret }),
          pg.url("postgres", { user = user, password = secret, query = "sslmod=x" }),
          "postgres://u:" .. secret .. "@h:port/x", "postgres:/u:" .. secret .. "@h/x", "postgress://u:" .. secret .. "@h/x",
        } do
          fails("url " .. i, function()
            weft.configure { databases = { hostile_url = url } }
            local handle = weft.database "hostile_url"
            search(tostring(handle))
            handle:query "select 1"
          end)
        end
        fails("option", function()
          weft.configure { databases = { hostile_url = { url = pg.url "postgres", pasword = secret } } }
          weft.database("hostile_url"):ping()
        end)
      else
        fails("url", function()
          weft.configure { databases = { hostile_url = "sqlite:/nowhere/" .. "x?key=" .. secret } }
          weft.database("hostile_url"):ping()
        end)
      end
    end)
  end)
end)
