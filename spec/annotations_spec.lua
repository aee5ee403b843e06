-- SPDX-License-Identifier: MIT
-- lua/weft/meta.lua declares what exists, no less and no more. Its text is read here as an editor would
-- read it: classes, their fields and their functions.

local weft = require "weft"
local core = require "weft.core"
local backends = require "spec.support.backends"
local shell = require "spec.support.shell"

local path = shell.root() .. "/lua/weft/meta.lua"
local text = shell.read(path)

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
    local chunk = assert(loadfile(path, "t"))
    assert.equal("table", type(chunk()))
    assert.same(before, sorted(_G))
    assert.is_nil(package.loaded["weft.meta"])
  end)

  it("declare every name of weft", function()
    local lazily = upvalue(getmetatable(weft).__index, "files")
    for name in pairs(lazily) do assert.is_not_nil(weft[name], name) end
    assert.same(public(weft, lazily), members(classes["weft"]))
    for name in pairs(classes["weft"].functions) do assert.equal("function", type(weft[name]), name) end
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
    assert.same({ "databases", "models", "slow_query" }, members(classes["weft.Options"]))
    for option in pairs(classes["weft.Options"].fields) do
      local ok, err = pcall(weft.configure, { [option] = option == "models" and "models" or nil, nonsense = 1 })
      assert.is_false(ok)
      assert.truthy(tostring(err):find("unknown option of configure 'nonsense'", 1, true))
    end
  end)

  it("declare the options of a model and of its columns", function()
    local known = upvalue(weft.model, "known")
    assert.same(sorted(list_to_set(known)), members(classes["weft.ModelDefinition"]))
    assert.is_table(weft.model { columns = { price = { as = "number", lazy = true } } })
    assert.same({ "as", "lazy" }, members(classes["weft.ColumnOptions"]))
    local db, name = backends["sqlite memory"].open "create table things (id integer primary key, at text)"
    local function bind(as)
      return require "weft.model".bind(db, name .. ".things", { columns = { at = as } }, { "things" }, {})
    end
    for as in aliases["weft.ColumnAs"]:gmatch '"(%l+)"' do bind(as) end
    assert.is_false(pcall(bind, "odd"))
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
        assert.equal(name ~= "weft", declared.colon, where)
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
    local fine = { ["weft now"] = true, ["weft count"] = true }
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
