-- SPDX-License-Identifier: MIT
-- `weft inspect`, run as a user runs it, on every database.

local weft = require "weft"
local backends = require "spec.support.backends"
local program = require "spec.support.program"
local rich = require "spec.support.rich_schema"
local servers = require "spec.support.servers"
local shell = require "spec.support.shell"

---Chinook's tables, without the database that its script makes.
local function chinook(dialect)
  local text = shell.read(("%s/../shared/data/chinook/%s.sql"):format(shell.root(), dialect))
  return (text:gsub("^.*\\c chinook;", ""):gsub("^.*USE `Chinook`;", ""))
end

---Lines by their first word, cells without the spaces between them.
local function has_line(text, ...)
  local words = { ... }
  for line in text:gmatch "[^\n]+" do
    local cells = {}
    for cell in (line:gsub("  +", "\0") .. "\0"):gmatch "(%Z+)%z" do cells[#cells + 1] = cell end
    local same = #cells == #words
    for i, word in ipairs(words) do same = same and cells[i] == word end
    if same then return true end
  end
  return false
end

---Mermaid's erDiagram as its grammar has it: every line is one of these.
local function check_mermaid(text)
  local lines = {}
  for line in text:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  assert.equal("erDiagram", table.remove(lines, 1))
  local entities, inside = {}, false
  local word = "%a[%w_]*"
  local quoted = '"[^"%%\\%c]+"'
  for _, line in ipairs(lines) do
    local name = line:match("^  (" .. word .. ")[ {]*$") or line:match("^  (" .. word .. ")%[" .. quoted .. "%][ {]*$")
    if inside then
      local attribute = "^    %a[%w_%-%(%)%[%]]* %a[%w_%-%(%)%[%]]*"
      local rest = line:match(attribute .. "(.*)$")
      if line == "  }" then inside = false
      else
        assert.is_truthy(rest, line)
        rest = rest:gsub(' "[^"%c]*"$', "")
        for key in rest:gmatch "[^%s,]+" do assert.is_truthy(key == "PK" or key == "FK" or key == "UK", line) end
      end
    elseif name then
      assert.is_nil(entities[name], line)
      entities[name] = true
      inside = line:find " {$" ~= nil
    else
      local to, from = line:match("^  (" .. word .. ") |[|o]%-%-o[{|] (" .. word .. ") : " .. quoted .. "$")
      assert.is_true(to ~= nil and entities[to] and entities[from], line)
    end
  end
  return entities
end

---Quotes and brackets of DOT outside of strings and HTML texts are in balance.
local function check_dot(text)
  assert.is_truthy(text:find '^digraph "' and text:find "\n}\n$")
  local plain = text:gsub("label=%b<>", "label=x"):gsub('\\"', ""):gsub('"[^"]*"', "s")
  for line in plain:gmatch "[^\n]+" do
    assert.is_truthy(line:find "^digraph s {$" or line:find "^  %a+=%a+;$" or line:find "^  node %[shape=plain%];$" or line == "}"
      or line:find "^  s %[label=x%];$" or line:find "^  s:c%d+ %-> s[:c%d]* %[label=s%];$", line)
  end
end

backends.each(function(backend)
  if backend.memory then return end

  local function app(ddl, files)
    local url = backend.url(ddl)
    local folder = program.app({ shop = url }, files)
    finally(function() program.remove(folder) end)
    return folder, url
  end

  describe("weft inspect", function()
    it("tells what is in Chinook, in a folder with weft.lua or by a url", function()
      local folder, url = app(chinook(backend.dialect))
      local status, out, err = program.run(folder, "inspect", "shop")
      assert.same({ 0, "" }, { status, err })
      assert.is_truthy(out:find("^shop: " .. backend.dialect .. ", 11 tables, 0 views\n"))
      local album = backend.dialect == "postgres" and "album" or "Album"
      local class = backend.dialect == "postgres" and "Album, album" or "Album"
      assert.is_true(has_line(out, album, "table", "3", backend.dialect == "postgres" and "album_id" or "AlbumId", "1", class), out)
      local empty = program.app {}
      finally(function() program.remove(empty) end)
      local _, same = program.run(empty, "inspect", url)
      assert.equal(out, (same:gsub("^inspected", "shop")))
    end)

    it("tells all of one table, whatever the case of its name", function()
      local folder = app(rich)
      local status, out, err = program.run(folder, "inspect", "shop", "TEAMS")
      assert.same({ 0, "" }, { status, err })
      for _, title in ipairs { "Columns", "Keys", "Referenced by", "Indexes", "Associations" } do
        assert.is_truthy(out:find("\n" .. title .. "\n", 1, true), title .. "\n" .. out)
      end
      assert.is_truthy(out:find(backend.dialect == "mysql" and "price desc, name (10)" or "'x''y'", 1, true), out)
      assert.is_truthy(out:find("orders%s+has_many%s+order%s+id = t_id"), out)
      out = select(2, program.run(folder, "inspect", "shop", "order"))
      assert.is_truthy(out:find("\n  new\\nline  ", 1, true), out)
      assert.is_truthy(out:find("fk_t%s+foreign key%s+t_id%s+teams %(id%)%s+on update set null, on delete cascade"), out)
      assert.equal(backend.dialect ~= "mysql", out:find("initially deferred", 1, true) ~= nil)
      out = select(2, program.run(folder, "inspect", "shop", "v 2"))
      assert.is_truthy(out:find("\nDefinition\n", 1, true), out)
      assert.is_nil(out:find "[ \t]\n")
    end)

    it("tells all of it as JSON that is the same each time", function()
      local folder = app(rich)
      local status, out, err = program.run(folder, "inspect", "shop", "--json")
      assert.same({ 0, "" }, { status, err })
      assert.same({ 0, out, "" }, { program.run(folder, "inspect", "--json", "shop") })
      local data = weft.decode(out)
      assert.equal(backend.dialect, data.dialect)
      local names = {}
      for _, t in ipairs(data.tables) do
        names[t.key] = t
        assert.is_truthy(weft.encode(t.triggers):find "^%[")
      end
      assert.equal("cascade", names.order.foreign_keys[1].on_delete)
      local found = {}
      for _, association in ipairs(names.order.associations) do found[association.name] = association.table end
      assert.equal("teams", found.t)
      assert.is_true(#data.views >= 2)
      out = select(2, program.run(folder, "inspect", "shop", "teams", "--json"))
      assert.same(names.teams, weft.decode(out))
    end)

    it("draws the relations of odd names", function()
      local folder = app { sqlite = rich.sqlite .. 'create table "title" ("pk" integer primary key, "%\\#" text);',
        postgres = rich.postgres .. ';create table "title" ("pk" integer primary key, "%\\#" text);',
        mysql = rich.mysql .. 'create table `title` (`pk` integer primary key, `%\\#` text);' }
      local status, out, err = program.run(folder, "inspect", "shop", "--diagram")
      assert.same({ 0, "" }, { status, err })
      local entities = check_mermaid(out)
      assert.is_true(entities.teams and entities.order and entities.t_title)
      assert.is_truthy(out:find("\n  teams |o--o{ order : ", 1, true))
      assert.is_truthy(out:lower():find('\n    text c__ "#37;#92;#35;"\n', 1, true), out)
      assert.same({ 0, out, "" }, { program.run(folder, "inspect", "shop", "--diagram=mermaid") })
      status, out, err = program.run(folder, "inspect", "shop", "--diagram", "dot")
      assert.same({ 0, "" }, { status, err })
      check_dot(out)
      out = select(2, program.run(folder, "inspect", "shop", "circle_a", "--diagram", "mermaid"))
      assert.same({ circle_a = true, circle_b = true }, check_mermaid(out))
    end)

    it("says what is wrong and what to do", function()
      local folder, url = app "create table customers (id integer primary key)"
      local cases = {
        { { "inspect" }, 2, "its name in weft.lua, or a url" },
        { { "inspect", "shpo" }, 2, "there is no database 'shpo'; did you mean 'shop'?" },
        { { "inspect", "shop", "custmers" }, 2, "there is no table 'custmers' in shop; did you mean 'customers'?" },
        { { "inspect", "shop", "--jsno" }, 2, "there is no option --jsno" },
        { { "inspect", "shop", "--diagram=svg" }, 2, "mermaid or dot, not 'svg'" },
        { { "inspect", "shop", "--json", "--diagram" }, 2, "either" },
        { { "inspect", "shop", "a", "b" }, 2, "one table" },
        { { "inspect", "shop", "--app", "nowhere" }, 2, "there is no nowhere/weft.lua" },
        { { "inspect", url:gsub("^(.*)/[^/]*$", "%1/nowhere/nothing") .. (backend.dialect == "sqlite" and "?mode=ro" or "") }, 1, "weft: " },
      }
      for _, case in ipairs(cases) do
        local status, out, err = program.run(folder, table.unpack(case[1]))
        assert.same({ case[2], "" }, { status, out }, table.concat(case[1], " "))
        assert.is_truthy(err:find(case[3], 1, true), err)
        assert.is_nil(err:find("stack traceback", 1, true), err)
      end
      local status, out = program.run(folder, "inspect", "--help")
      assert.equal(0, status)
      assert.is_truthy(out:find("usage: weft inspect DB [TABLE]", 1, true))
      assert.is_truthy(select(2, program.run(folder, "--help")):find("weft inspect DB [table]", 1, true))
    end)

    it("tells the associations that model scripts define, and names a script that fails", function()
      local folder = app({
        sqlite = "create table customers (id integer primary key); create table orders (id integer primary key, customer_id integer not null)",
        postgres = "create table customers (id integer primary key); create table orders (id integer primary key, customer_id integer not null)",
      }, {
        ["models/shop/Order.lua"] = [[local weft = require "weft"
          return weft.model { associations = { buyer = weft.belongs_to { model = "Customer", foreign_key = "customer_id" } } }]],
        ["models/shop/Customer.lua"] = "error 'broken'",
      })
      local status, out, err = program.run(folder, "inspect", "shop", "orders")
      assert.equal(0, status)
      assert.is_true(has_line(out, "buyer", "belongs_to", "customers", "customer_id = ?"), out)
      assert.is_truthy(err:find("weft: model script shop.Customer: left out: ", 1, true), err)
    end)
  end)
end)

describe("weft inspect and weft types", function()
  it("say what a user may not read, and tell the rest", function()
    local pg = servers.postgres()
    local database = pg.create_database()
    pg.psql([[create table things (id integer primary key); create role spec_inspect login; grant select on things to spec_inspect;
      revoke select on pg_catalog.pg_trigger from public]], database)
    local folder = program.app { shop = pg.url(database, { user = "spec_inspect" }) }
    finally(function()
      program.remove(folder)
      pg.drop_database(database)
      pg.psql "drop role spec_inspect"
    end)
    local status, out, err = program.run(folder, "inspect", "shop")
    assert.equal(0, status, err)
    assert.is_true(has_line(out, "things", "table", "1", "id", "0", "Thing, things"), out)
    assert.is_truthy(err:find("weft: triggers: left out: ", 1, true), err)
    status, out, err = program.run(folder, "types", "--quiet")
    assert.same({ 0, "" }, { status, out }, err)
    assert.is_truthy(err:find("weft: triggers: left out: ", 1, true), err)
    assert.is_truthy(shell.read(folder .. "/types/shop.lua"):find("---@field id integer", 1, true))
  end)
end)
