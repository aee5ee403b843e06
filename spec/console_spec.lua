-- SPDX-License-Identifier: MIT
-- weft console, through a pipe and in a terminal.

local line = require "weft.line"
local backends = require "spec.support.backends"
local program = require "spec.support.program"
local shell = require "spec.support.shell"

local quote = shell.quote
local binary = os.getenv "WEFT_SPEC_BUILD" .. "/weft"

local ddl = [[create table products (id integer primary key, title text, price numeric(10,2));
  create table reviews (id integer primary key, product_id integer references products, body text);
  insert into products values (1, 'Lämp 日本', 1.5), (2, null, 20)]]

local function app()
  return program.app({ shop = backends["sqlite file"].url(ddl), other = "sqlite::memory:" }, {
    ["models/shop/Product.lua"] = "return require 'weft'.model { table = 'products' }",
    ["services/echo.lua"] = "return function(input) return input end",
  })
end

describe("weft console on a pipe", function()
  local folder
  before_each(function() folder = app() end)
  after_each(function() program.remove(folder) end)

  ---What is printed and said of some lines, and the exit code.
  local function given(...)
    shell.write(folder .. "/input", table.concat({ ... }, "\n"))
    local command = ("cd %s && %s console <input 2>err; echo $?"):format(quote(folder), quote(binary))
    local out, status = shell.must(command):match "^(.-)(%d+)\n$"
    local err = shell.read(folder .. "/err")
    assert.is_nil((out .. err):find "\27")
    return out, err, tonumber(status)
  end

  local function prints(text, ...)
    local out, err, status = given(...)
    assert.same({ text, "", 0 }, { out, err, status })
  end

  it("prints what expressions give", function()
    prints("2\n", "1 + 1")
    prints('"a\\nb\\x00\\xff"\n', [["a\nb\0\xff"]])
    prints('"ä\\u009b"\n', [["ä\u{9b}"]])
    prints("{ 1, { b = 2 }, [3.5] = true, a = {} }\n", "{ 1, { b = 2 }, a = {}, [3.5] = true }")
    prints("1\n2\n", "1, 2")
    prints("nil\n", "nil")
    prints("5\n5\n", "x = 5", "x", "= x", "")
    prints("1.10\n", 'weft.decimal "1.10"')
    prints("{ { { { {...} } } } }\n", "{{{{{{}}}}}}")
    prints("", "", "   ", "local y = 1")
  end)

  it("reads on until an input is whole", function()
    prints("3\n6\n", "function f()", "  return 3", "end", "f()", "(function()", "return 6", "end)()")
    local out, err, status = given("1", "for i = 1, 2 do")
    assert.same({ "1\n", 1 }, { out, status })
    assert.truthy(err:find("before it is whole", 1, true))
  end)

  it("shows rows as tables", function()
    local grid = "id | title     | price\n---+-----------+------\n 1 | Lämp 日本 |  1.50\n 2 | NULL      | 20.00\n(2 rows)\n"
    prints(grid, ":use shop", "models.Product")
    prints(grid, ":use shop", "models.Product:order('id'):all()")
    prints(grid, ":use shop", ":sql select * from products;")
    prints("column | value\n-------+----------\nid     | 1\ntitle  | Lämp 日本\nprice  | 1.50\n", ":use shop", "models.Product:find(1)")
    prints("(no rows)\n", ":use shop", "models.Product:where { id = 9 }")
    prints("title     | n\n----------+--\nNULL      | 1\nLämp 日本 | 1\n(2 rows)\n", ":use shop",
      "models.Product:group('title'):select { 'title', n = weft.count() }:order('title', 'asc', 'nulls first')")
    prints("nil\n", ":use shop", "models.Product:find(9)")
  end)

  it("shows the first twenty rows of a query, and no more than it asks for", function()
    local out = given(":use shop", "for i = 3, 40 do models.Product:create { id = i } end", "models.Product")
    assert.equal(2 + 20 + 1, select(2, out:gsub("\n", "")))
    assert.truthy(out:find("(the first 20 rows)", 1, true))
    out = given(":use shop", "models.Product:limit(1)")
    assert.truthy(out:find("(1 row)", 1, true))
  end)

  it("has the app", function()
    prints('{ a = 1 }\n"other"\n"shop"\n', "services.echo { a = 1 }", "db:query(\"select 'other' as x\")[1].x", ":use shop",
      "weft.models('shop') == models and 'shop'")
    prints("true\n", "select('#', weft.all { function() weft.sleep(0.001) return 1 end }) == 1 and coroutine.isyieldable()")
  end)

  it("runs SQL", function()
    prints("(1 row affected)\n(2 rows affected)\n(no rows)\n", ":use shop", ":sql insert into reviews (id, body) values (1, 'x')",
      ":sql insert into reviews values (2, 1, 'y'), (3, 1, 'z')", ":sql select * from reviews where id = 9")
    prints("id\n--\n 7\n(1 row)\n", ":use shop", ":sql insert into reviews (id) values (7) returning id")
  end)

  it("describes the schema", function()
    local out = given(":use shop", ":schema")
    assert.truthy(out:find("shop: sqlite, 2 tables", 1, true))
    out = given(":use shop", ":schema reviews")
    assert.truthy(out:find("product_id", 1, true))
    prints("other\nshop\n", ":use")
  end)

  it("says in one line what went wrong, and goes on", function()
    for input, what in pairs { ["error 'boom'"] = "(console):1: boom", ["x y"] = "syntax error near 'y'",
      [":hlp"] = "did you mean ':help'", ["models.Nothing:all()"] = "usage: (console):1: no table 'Nothing'",
      ["models.Nothing"] = "usage: no table 'Nothing'", [":use shp"] = "did you mean 'shop'", [":schema nope"] = "there is no table 'nope'",
      [":sql selct"] = "syntax: ", ["error(setmetatable({}, { __tostring = function() return 'a\\nb' end }))"] = "a\\nb",
      ["weft.spawn(function() error 'lost' end)"] = "lost", ["error()"] = "nil" } do
      local out, err, status = given(input, "1")
      assert.equal("1\n", out:match "1\n$", input)
      assert.equal(1, status)
      assert.truthy(err:find(what, 1, true), err)
      assert.equal(1, select(2, err:gsub("\n", "")), err)
    end
    local out = given("local function deep() error 'boom' end deep()", ":trace")
    assert.truthy(out:find("stack traceback", 1, true))
    assert.truthy(out:find("(console):1: in local 'deep'", 1, true) or out:find("in upvalue 'deep'", 1, true), out)
    prints("no error yet\n", ":trace")
  end)

  it("ends with :quit", function() prints("1\n", "1", ":quit", "2") end)

  it("says how it is used", function()
    assert.equal(0, (program.run(folder, "console", "--help")))
    assert.equal(2, (program.run(folder, "console", "x")))
    assert.equal(2, (program.run(folder, "console", "--ap", "x")))
    assert.equal(2, (program.run("/", "console")))
    assert.equal(0, (program.run("/", "console", "--app", folder)))
    shell.write(folder .. "/weft.lua", "nonsense")
    assert.equal(1, (program.run(folder, "console")))
  end)
end)

describe("weft console in a terminal", function()
  local folder, tmux
  before_each(function()
    folder = app()
    tmux = ("tmux -S %s/tmux -f /dev/null "):format(quote(folder))
    shell.must(("cd %s && HOME=%s LC_ALL=C.UTF-8 TERM=xterm %s new-session -d -x 44 -y 40 'weft() { %s console; echo ended $?; cat; }; weft'"):format(
      quote(folder), quote(folder), tmux, binary))
  end)
  after_each(function()
    shell.run(tmux .. "kill-server")
    program.remove(folder)
  end)

  local function screen() return shell.must(tmux .. "capture-pane -p"):gsub("\n+$", "\n") end

  ---Waits until the screen holds a text.
  local function sees(text)
    for _ = 1, 500 do
      if screen():find(text, 1, true) then return end
    end
    error(("'%s' is not on the screen:\n%s"):format(text, screen()), 2)
  end

  local function keys(...) shell.must(tmux .. "send-keys " .. shell.words { ... }) end

  it("edits lines, remembers them for oneself alone, and ends with Ctrl-D", function()
    sees "weft>"
    keys("\"ä日本x\"", "Left", "Left", "BSpace", "Enter")
    sees '\n"ä日x"\n'
    keys("Up", "C-a", "C-k", "\"again\"", "Enter")
    sees '\n"again"\n'
    keys("Up", "Up", "Enter")
    sees '"again"\nweft> "ä日x"\n"ä日x"'
    keys "C-d"
    sees "ended 0"
    assert.truthy(shell.read(folder .. "/.weft_history"):find("again", 1, true))
    assert.equal("600", shell.must("stat -c %a " .. quote(folder .. "/.weft_history")):match "%d+")
  end)

  it("drops a line on Ctrl-C, and cancels what runs", function()
    sees "weft>"
    keys("nonsense", "C-c", "1 + 1", "Enter")
    sees "nonsense^C\nweft> 1 + 1\n2\n"
    keys("for i = 1, 2 do", "Enter")
    sees "  ..."
    keys("C-c", "'on'", "Enter")
    sees '\n"on"\n'
    keys("weft.sleep(1000)", "Enter")
    sees "weft.sleep(1000)\n"
    keys "C-c"
    sees "cancelled: "
    keys("'goes on'", "Enter")
    sees '\n"goes on"\n'
  end)

  it("completes names", function()
    sees "weft>"
    keys(":us", "Tab", " sh", "Tab", "Enter", "models.Pr", "Tab", ":fin", "Tab", "_m", "Tab")
    sees "weft> :use shop\nweft> models.Product:find_many"
    keys("C-u", "weft.decim", "Tab", "C-u", "weft.cross", "Tab")
    sees "weft> weft.cross_join"
    keys("C-u", "models.Product:first()", "Enter")
    sees "price  | 1.50"
    keys("models.Product:where('pri", "Tab", "C-u", "models.Product:order(\"pri", "Tab")
    sees "models.Product:order(\"price"
    keys("C-u", "services.e", "Tab")
    sees "weft> services.echo"
    keys("C-u", ":", "Tab", "Tab")
    sees ":help  :quit  :schema  :sql  :trace  :use"
    keys("C-u", "nothing.at.all.", "Tab", "C-u", "'fine'", "Enter")
    sees '\n"fine"\n'
  end)

  it("cuts tables to its width", function()
    sees "weft>"
    keys("db:query \"select 1 as id, hex(zeroblob(50)) as long, 'x' as y\"", "Enter")
    sees "(1 row)"
    assert.truthy(screen():find("id | long%s+| y"))
    assert.truthy(screen():find("\n 1 | 0+… | x\n"))
    for text in screen():gmatch "[^\n]+" do assert.is_true(line.width(text) <= 44) end
  end)
end)

describe("weft.line", function()
  it("knows how wide a text is", function()
    for text, width in pairs { [""] = 0, abc = 3, ["ä"] = 1, ["日本"] = 4, ["e\u{301}"] = 1, ["\xff\xfe"] = 2, ["a\0b"] = 3 } do
      assert.equal(width, line.width(text), text)
    end
    assert.same({ "日本…", "abc", "ab…", "…", "" }, { line.cut("日本語", 5), line.cut("abc", 3), line.cut("abcd", 3), line.cut("日本", 1), line.cut("", 1) })
  end)
end)
