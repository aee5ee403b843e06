-- SPDX-License-Identifier: MIT
-- lua/weft/meta declares what exists, no less and no more. Its text is read here as an editor would
-- read it: classes, their fields and their functions.

local weft = require "weft"
local core = require "weft.core"
local backends = require "spec.support.backends"
local luacats = require "spec.support.luacats"
local shell = require "spec.support.shell"

local text = luacats.own()

---Classes by name: { fields = name -> "?" or "", functions = name -> { parameters, comment, colon }, operators }.
local function read_classes()
  local classes, aliases, class_of, comment, class = {}, {}, {}, {}, nil
  for line in text:gmatch "([^\n]*)\n" do
    local name = line:match "^%-%-%-@class ([%w_.]+)"
    local field, optional = line:match "^%-%-%-@field ([%w_]+)(%??) "
    local operator = line:match "^%-%-%-@operator (%l+)"
    local alias, value = line:match "^%-%-%-@alias ([%w_.]+) (.*)$"
    local local_name = line:match "^local (%w+) = {}$"
    local owner, method, parameters = line:match "^function (%w+)[.:]([%w_]+)%((.-)%) end$"
    if name then
      class = { name = name, fields = {}, functions = {}, operators = {} }
      assert(not classes[name], "declared twice: " .. name)
      classes[name] = class
    elseif field then
      class.fields[field] = optional
    elseif operator then
      class.operators[operator] = true
    elseif alias then
      aliases[alias] = value
    elseif local_name then
      class_of[local_name] = class
    elseif method then
      local functions = class_of[owner].functions
      assert(not functions[method], "declared twice: " .. owner .. "." .. method)
      local colon = line:find(":" .. method, 1, true) ~= nil
      functions[method] = { parameters = parameters, comment = comment, colon = colon }
    end
    if line:find "^%-%-%-" then comment[#comment + 1] = line else comment = {} end
  end
  return classes, aliases
end

local classes, aliases = read_classes()

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

---Names of a table, without metamethods.
local function public(...)
  local set = {}
  for _, from in ipairs { ... } do
    for name in pairs(from) do
      if type(name) == "string" and not name:find "^_" then set[name] = true end
    end
  end
  return sorted(set)
end

local function list_to_set(list)
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

---A local that a function of Weft's Lua files uses.
local function upvalue(fn, wanted)
  for i = 1, math.huge do
    local name, value = debug.getupvalue(fn, i)
    if name == wanted then return value end
    assert(name, "no local " .. wanted)
  end
end

---Words of an alias.
local function words_of(alias)
  local set = {}
  for word in aliases[alias]:gmatch '"([^"]+)"' do set[word] = true end
  return set
end

---fn(...) raises usage, with these words.
local function refused(words, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok, words)
  assert.truthy(core.is_error(err) and err.kind == "usage" and err.message:find(words, 1, true), tostring(err))
end

---Names in a table of options of a driver's source.
local function driver_options(file)
  local list = shell.read(shell.root() .. "/core/driver/" .. file):match "options%[%] = (%b{})"
  local set = {}
  for name in list:gmatch '{"([%l_]+)"' do set[name] = true end
  return set
end

local function members(class)
  local set = {}
  for name in pairs(class.fields) do set[name] = true end
  for name in pairs(class.functions) do set[name] = true end
  return sorted(set)
end

describe("the annotations", function()
  it("are Lua that defines nothing when it runs, and are never required", function()
    local before = sorted(_G)
    for _, path in ipairs(luacats.files()) do assert(loadfile(path, "t"))() end
    assert.same(before, sorted(_G))
    for name in pairs(package.loaded) do assert.is_nil(name:find "^weft%.meta%f[.\0]", name) end
  end)

  it("declare every name of weft", function()
    local lazily = upvalue(getmetatable(weft).__index, "files")
    for name in pairs(lazily) do assert.is_not_nil(weft[name], name) end
    assert.same(public(weft, lazily), members(classes["weft"]))
    for name in pairs(classes["weft"].functions) do assert.equal("function", type(weft[name]), name) end
  end)

  it("declare what traces are made by", function()
    assert.same(public(weft.trace), members(classes["weft.trace"]))
    assert.same({ "set" }, members(classes["weft.Span"]))
  end)

  it("declare every method of a query", function()
    require "weft.query"
    assert.same(public(core.query_methods), members(classes["weft.Query"]))
  end)

  it("declare every method of databases, transactions, tasks, decimals and models", function()
    local db, name = backends["sqlite memory"].open()
    assert.same(public(core.database_methods), members(classes["weft.Database"]))
    db:transaction(function(tx) assert.same(public(getmetatable(tx)), members(classes["weft.Transaction"])) end)
    db:session(function(s) assert.same(public(getmetatable(s)), members(classes["weft.Transaction"])) end)
    assert.same(public(db:stats()), members(classes["weft.Stats"]))
    local schema = db:schema()
    assert.same(sorted(list_to_set(public({ db = 1, dialect = 1, database = 1 }, getmetatable(schema)))), members(classes["weft.Schema"]))
    assert.same(public(schema:model()), members(classes["weft.Model"]))
    assert.same(public(require "weft.repository".methods, { model = 1 }), members(classes["weft.Repository"]))
    local task = weft.spawn(function() end)
    task:await()
    assert.same(public(getmetatable(task)), members(classes["weft.Task"]))
    assert.same({ "exists" }, members(classes["weft.Models"]))
    assert.same({ "exists" }, public(weft.models(name)))
    local Decimal = getmetatable(weft.decimal "1")
    assert.same(public(Decimal), members(classes["weft.Decimal"]))
    for operator in pairs(classes["weft.Decimal"].operators) do assert.is_function(Decimal["__" .. operator]) end
    for _, operator in ipairs { "add", "sub", "mul", "unm", "div", "mod", "pow", "idiv" } do
      assert.equal(Decimal["__" .. operator] ~= nil, classes["weft.Decimal"].operators[operator] == true, operator)
    end
  end)

  it("declare apps, groups, requests and responses", function()
    local application, routes = require "weft.app", members(classes["weft.Routes"])
    local app_names, group_names = public(application.methods), public(application.group_methods, getmetatable(application.group_methods).__index)
    local own = members(classes["weft.App"])
    assert.same({ "dev", "views" }, sorted(classes["weft.App"].fields))
    for _, name in ipairs(routes) do own[#own + 1] = name end
    local declared = list_to_set(own)
    declared.dev, declared.views = nil, nil
    assert.same(app_names, sorted(declared))
    assert.same(group_names, routes)
    local request, response = require "weft.app.request", require "weft.app.response"
    local set_here = { "method", "path", "deadline", "route", "app" }
    assert.same(public(request.methods, request.fields, list_to_set(set_here)), members(classes["weft.Request"]))
    assert.same(public(response.methods, { headers = 1, status = 1 }), members(classes["weft.Response"]))
    assert.same(sorted(list_to_set(upvalue(require "weft.app.cookies".write, "options_known"))), members(classes["weft.CookieOptions"]))
    assert.same(sorted(list_to_set(upvalue(require "weft.app.sessions".new, "known"))), members(classes["weft.SessionOptions"]))
    local check = upvalue(require "weft.app.cors".middleware, "check_options")
    assert.same(sorted(list_to_set(upvalue(check, "known"))), members(classes["weft.CorsOptions"]))
    local test = require "weft.app.test"
    assert.same(sorted(list_to_set(upvalue(upvalue(test.request, "exchange_of"), "known"))), members(classes["weft.TestRequest"]))
    assert.same({ "body", "cookies", "headers", "json", "status" }, members(classes["weft.TestResponse"]))
    assert.same({ "data", "name", "type" }, members(classes["weft.File"]))
  end)

  it("declare what rows can do", function()
    local db, name = backends["sqlite memory"].open "create table things (id integer primary key)"
    local row = weft.models(name).Thing:create { id = 1 }
    local declared = members(classes["weft.Row"])
    assert.same({ "changed", "delete", "reload", "save", "update" }, declared)
    for _, method in ipairs(declared) do
      assert.is_function(row[method])
      assert.is_function(weft[method])
    end
    assert.is_nil(db:query("select 1 as id")[1].nothing_else)
  end)

  it("declare the options of configure, databases and pools", function()
    local database = require "weft.database"
    local open = upvalue(database.database, "open")
    local known = {}
    for option in pairs(upvalue(open, "own_options")) do known[option] = true end
    for _, file in ipairs { "sqlite_config.c", "postgres_config.c" } do
      for option in pairs(driver_options(file)) do known[option] = true end
    end
    assert.same(sorted(known), members(classes["weft.DatabaseOptions"]))
    local check = upvalue(database.configure, "check_database")
    assert.same(sorted(list_to_set(upvalue(check, "pool_options"))), members(classes["weft.PoolOptions"]))
    local given = { databases = {}, models = "models", services = "services", slow_query = 0.2, strict = false, migrate = false,
      migrations = "migrations" }
    assert.same(sorted(given), members(classes["weft.Options"]))
    weft.configure(given)
    for option, value in pairs(given) do
      refused("unknown option of configure 'nonsense'", weft.configure, { [option] = value, nonsense = 1 })
    end
  end)

  it("declare the options of associations", function()
    local association = require "weft.association"
    local options_of = upvalue(association.define, "options_of")
    local class_of = { has_many = "HasMany", has_one = "HasOne", belongs_to = "BelongsTo", many_to_many = "ManyToMany" }
    assert.same(sorted(options_of), sorted(class_of))
    assert.same(sorted(class_of), sorted(words_of "weft.AssociationType"))
    local given = { model = "Other", through = "others", order = "id", where = { a = 1 } }
    for kind, class in pairs(class_of) do
      local fields = classes["weft." .. class].fields
      assert.same(sorted(list_to_set(options_of[kind])), sorted(fields), kind)
      local all = {}
      for option in pairs(fields) do all[option] = given[option] or { "a", "b" } end
      assert.is_true(association.is_definition(weft[kind](all)), kind)
      for option, optional in pairs(fields) do
        local value = all[option]
        all[option] = nil
        assert.equal(optional == "?", (pcall(weft[kind], all)), kind .. "." .. option)
        all[option] = value
      end
      all.nonsense = 1
      refused("unknown option of " .. kind .. " 'nonsense'", weft[kind], all)
    end
  end)

  it("declare the options of include, weft.include and cross_join", function()
    local include = require "weft.association.include"
    local read = upvalue(upvalue(include.add, "tree_of"), "read")
    local check_options = upvalue(upvalue(upvalue(read, "read_table"), "node_of_table"), "check_options")
    assert.same(sorted(list_to_set(upvalue(check_options, "options"))), sorted(classes["weft.IncludeOptions"].fields))
    assert.same(sorted(list_to_set(upvalue(include.include, "spec_options"))), sorted(classes["weft.RuntimeInclude"].fields))
    assert.same(sorted(list_to_set(upvalue(upvalue(weft.cross_join, "check"), "known"))), sorted(classes["weft.CrossJoin"].fields))
    assert.same(sorted(list_to_set(upvalue(include.include, "kinds"))), sorted(words_of "weft.AssociationType"))
  end)

  it("declare options of include, weft.include and cross_join that do something", function()
    local db, name = backends["sqlite memory"].open [[create table authors (id integer primary key, name text);
      create table books (id integer primary key, author_id integer references authors, title text);
      create table books_by (author integer, book integer, primary key (author, book));
      insert into authors values (1, 'A'), (2, 'B');
      insert into books values (1, 1, 'w'), (2, 1, 'x'), (3, 1, 'y'), (4, 1, 'z');
      insert into books_by values (2, 3)]]
    local Author, Book = weft.models(name).Author, weft.models(name).Book
    local function titles(row, field)
      local list = {}
      for i, book in ipairs(row[field]) do list[i] = book.title end
      return table.concat(list)
    end

    -- What an include may say, and the titles that author 1 has then. What each option does alone:
    local options = {
      where = { weft.negate { title = "z" }, "wxy" }, order = { { "title", "desc" }, "zyxw" }, select = { "title", "wxyz" },
      limit = { 2, "wx" }, offset = { 1, "xyz" }, include = { "author", "wxyz" },
      scope = { function(query) return query:where("id", ">", 3) end, "z" },
    }
    local own = { through = true } -- tried below: of a many_to_many
    for option in pairs(options) do own[option] = true end
    assert.same(sorted(classes["weft.IncludeOptions"].fields), sorted(own))
    for option, what in pairs(options) do
      assert.equal(what[2], titles(Author:include({ "books", [option] = what[1] }):order("id"):first(), "books"), option)
    end
    local book = Author:include({ "books", select = "title", include = "author" }):first().books[1]
    assert.same({ "title" }, weft.columns(book))
    assert.equal("A", rawget(book, "author").name)

    -- The same of an association that is made at run time, and what makes it.
    local keys = {
      from = { Author, "wxyz" }, to = { Book, "wxyz" }, as = { "own", "wxyz" }, type = { "has_many", "wxyz" },
      foreign_key = { "author_id", "wxyz" }, source_key = { "id", "wxyz" },
    }
    local made = 0
    local function at_run_time(more)
      made = made + 1
      local spec = { from = Author, to = Book, as = "made" .. made }
      for option, value in pairs(more) do spec[option] = value end
      return Author:include(weft.include(spec)):order("id"), spec.as
    end
    for _, set in ipairs { options, keys } do
      for option, what in pairs(set) do
        local query, as = at_run_time { [option] = what[1] }
        assert.equal(what[2], titles(query:first(), as), option)
      end
    end
    local query, as = at_run_time { type = "many_to_many", through = "books_by", foreign_key = "author", other_key = "book",
      source_key = "id", target_key = "id" }
    assert.equal("y", titles(query:all()[2], as))
    assert.equal(3, query:include({ as, through = true }):all()[2][as][1].books_by.book)
    assert.equal(3, query:include({ as, through = "link" }):all()[2][as][1].link.book)
    local writer = weft.include { from = Book, to = Author, type = "belongs_to", as = "writer", foreign_key = "author_id",
      target_key = "id" }
    assert.equal("A", rawget(Book:include(writer):find(1), "writer").name)
    refused("unknown type of association 'has'", at_run_time, { type = "has" })

    -- And below any rows.
    local joins = {
      model = { Book, "wxyz" }, key = { "id", "wxyz" }, foreign_key = { "author_id", "wxyz" }, as = { "books", "wxyz" },
      many = { true, "wxyz" }, batch_size = { 1, "wxyz" },
      select = options.select, where = options.where, order = options.order, limit = options.limit,
    }
    assert.same(sorted(classes["weft.CrossJoin"].fields), sorted(joins))
    for option, what in pairs(joins) do
      local spec = { model = Book, key = "id", foreign_key = "author_id", as = "books", many = true, [option] = what[1] }
      assert.equal(what[2], titles(weft.cross_join({ { id = "1" }, { id = 2 } }, spec)[1], "books"), option)
    end
    db:close()
  end)

  it("declare the options of a model and of its columns", function()
    local known = upvalue(weft.model, "known")
    assert.same(sorted(list_to_set(known)), members(classes["weft.ModelDefinition"]))
    assert.is_table(weft.model { columns = { price = { as = "number", lazy = true } } })
    local options = upvalue(upvalue(weft.model, "check_columns"), "column_options")
    assert.same(sorted(list_to_set(options)), members(classes["weft.ColumnOptions"]))
    local lifecycle = require "weft.lifecycle"
    assert.same(sorted(list_to_set(upvalue(upvalue(lifecycle.read, "read_hooks"), "hook_names"))), members(classes["weft.Hooks"]))
    local rules = upvalue(upvalue(require "weft.lifecycle.validate".read, "read_rules"), "rule_names")
    assert.same(sorted(list_to_set(rules)), members(classes["weft.Rules"]))
    for what in pairs(classes["weft.Timestamps"].fields) do assert.is_table(weft.model { timestamps = { [what] = "at" } }) end
    local db, name = backends["sqlite memory"].open [[create table things (id integer primary key, at text);
      insert into things (id) values (1)]]
    local function columns_of(as)
      local definition = weft.model { table = "things", columns = { at = as } }
      return weft.columns(require "weft.model".bind(db, name .. ".Thing", definition, { "things" }, {}):first())
    end
    for as in pairs(words_of "weft.ColumnAs") do assert.same({ "id", "at" }, columns_of(as), as) end
    refused("cannot be shown as 'odd'", weft.model, { columns = { at = "odd" } })
  end)

  it("declare the kinds and the fields of errors", function()
    local source = shell.read(shell.root() .. "/core/error.c"):match "weft_kind_name.-{(.-)\n}"
    local kinds = {}
    for kind in source:gmatch '"([%l_]+)"' do kinds[kind] = true end
    kinds.ok = nil
    local declared = {}
    for kind in aliases["weft.ErrorKind"]:gmatch '"([%l_]+)"' do declared[kind] = true end
    assert.same(sorted(kinds), sorted(declared))
    local db, name = backends["sqlite memory"].open [[create table things (id integer primary key, a text unique);
      insert into things values (1, 'x')]]
    local things = weft.models(name).things
    for _, fails in ipairs {
      function() things:create { a = "x" } end, function() db:query "selct" end,
      function() things:where { b = 1 }:all() end, function() things:get(7) end,
      function() weft.timeout(0, weft.sleep, 1) end,
    } do
      local ok, err = pcall(fails)
      assert.is_false(ok)
      assert.is_true(declared[err.kind])
      for field in pairs(err) do assert.is_not_nil(classes["weft.Error"].fields[field], field) end
      for _, field in ipairs { "kind", "message", "retryable", "outcome_unknown" } do
        assert.is_not_nil(err[field], field)
        assert.equal("", classes["weft.Error"].fields[field], field .. " is never absent")
      end
    end
  end)

  it("declare the events and what they tell", function()
    local known = upvalue(weft.on, "names")
    local declared = {}
    for event in aliases["weft.Event"]:gmatch '"([%l_]+)"' do declared[event] = true end
    assert.same(sorted(list_to_set(known)), sorted(declared))
    local db = backends["sqlite memory"].open()
    local seen = {}
    local off = weft.on("query", function(info)
      for field in pairs(info) do seen[field] = true end
    end)
    db:query "select 1"
    pcall(db.query, db, "selct")
    off()
    assert.is_true(seen.sql and seen.error)
    for field in pairs(seen) do assert.is_not_nil(classes["weft.EventInfo"].fields[field], field) end
  end)

  it("declare the operators and the locks", function()
    local db, name = backends["sqlite memory"].open "create table things (id integer primary key, a text)"
    local things = weft.models(name).things
    things:count()
    local values = { ["in"] = { "x" }, not_in = { "x" }, between = { "a", "b" }, is_null = false, not_null = false }
    for operator in aliases["weft.Operator"]:gmatch '"([^"]+)"' do
      local value = values[operator]
      if value == nil then value = "x" end
      assert.equal(0, things:where("a", operator, value or nil):count(), operator)
    end
    for mode in aliases["weft.LockMode"]:gmatch '"([^"]+)"' do
      db:transaction(function() assert.same({}, things:lock(mode):all()) end)
    end
  end)

  it("describe every function and all of its parameters", function()
    for name, class in pairs(classes) do
      for method, declared in pairs(class.functions) do
        local where = name .. "." .. method
        local comment = table.concat(declared.comment, "\n")
        assert.is_true(#declared.comment > 0, where .. " has no comment")
        assert.equal(name ~= "weft" and name ~= "weft.trace", declared.colon, where)
        for parameter in declared.parameters:gmatch "[^, ]+" do
          assert.truthy(comment:find("@param " .. parameter, 1, true), where .. " " .. parameter)
        end
        for parameter in comment:gmatch "@param ([%w_.]+)" do
          local list = ", " .. declared.parameters .. ","
          assert.truthy(list:find(", " .. parameter .. ",", 1, true), where .. " " .. parameter)
        end
      end
    end
  end)

  it("hold when a function is called wrongly: it raises usage", function()
    local fine = { ["weft now"] = true, ["weft metrics"] = true, ["weft app"] = true, ["weft count"] = true, ["weft reload_services"] = true,
      ["weft reset_associations"] = true }
    local db = backends["sqlite memory"].open()
    local function wrong(name, from)
      for method in pairs(classes[name].functions) do
        -- A method meets no object at all, then one that is not Weft's; a function no argument.
        for arguments = 0, name == "weft" and 0 or 1 do
          local ok, err = pcall(from[method], table.unpack({ io.stdout }, 1, arguments))
          if not ok or not fine[name .. " " .. method] then
            assert.is_false(ok, name .. "." .. method)
            assert.is_true(core.is_error(err), name .. "." .. method .. ": " .. tostring(err))
            assert.equal("usage", err.kind)
          end
        end
      end
    end
    wrong("weft", weft)
    wrong("weft.Query", core.query_methods)
    wrong("weft.Database", core.database_methods)
    wrong("weft.Decimal", getmetatable(weft.decimal "1"))
    local application = require "weft.app"
    wrong("weft.App", application.methods)
    wrong("weft.Routes", application.methods)
    wrong("weft.Routes", application.group_methods)
    wrong("weft.Request", require "weft.app.request".methods)
    wrong("weft.Response", require "weft.app.response".methods)
    local task = weft.spawn(function() end)
    wrong("weft.Task", getmetatable(task))
    task:await()
    db:transaction(function(tx) wrong("weft.Transaction", tx) end)
    local ok, err = pcall(weft.decimal "1".round, weft.decimal "1", "x")
    assert.is_false(ok)
    assert.equal("usage", err.kind)
  end)

  it("name only types that are declared", function()
    for name in text:gmatch "weft%.(%u%w*)" do
      assert.is_true(classes["weft." .. name] ~= nil or aliases["weft." .. name] ~= nil, "weft." .. name)
    end
  end)
end)
