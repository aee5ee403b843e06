-- SPDX-License-Identifier: MIT
-- What differs between two schemas, on plain models. That databases tell them so is in schema_spec and ddl_*_spec.

local diff = require "weft.schema.diff"
local raises = require "spec.support.raises"
local sql_text = require "weft.schema.sql_text"

local function column(name, type, more)
  local made = { name = name, type = type, kind = "string", nullable = true }
  for key, value in pairs(more or {}) do made[key] = value end
  return made
end

local function users(more)
  local t = {
    name = "users", key = "users", kind = "table", visible = true, primary_key = { "id" },
    columns = { column("id", "integer", { nullable = false, kind = "integer" }), column("name", "text"), column("team_id", "integer") },
    indexes = { { name = "users_name", method = "btree", parts = { { column = "name" } } } },
    uniques = { { name = "users_name_key", columns = { "name" } } },
    checks = { { name = "named", expression = "(name <> ''::text)" } },
    foreign_keys = { { columns = { "team_id" }, table = "teams", key = "teams", target = { "id" }, on_update = "no action",
      on_delete = "cascade" } },
  }
  for key, value in pairs(more or {}) do t[key] = value end
  return t
end

local function teams(name)
  return { name = name or "teams", key = name or "teams", kind = "table", visible = true, primary_key = { "id" },
    columns = { column("id", "integer", { nullable = false, kind = "integer" }) } }
end

local function model(...) return { tables = { ... }, views = {} } end

local function lines(old, new, options)
  local list = {}
  for i, change in ipairs(diff.changes(old, new, options)) do list[i] = tostring(change) end
  return list
end

describe("changes of a schema", function()
  it("are none between equal schemas, whatever the absent booleans are", function()
    local other = users()
    other.indexes[1].unique, other.columns[2].auto_increment, other.foreign_keys[1].deferrable = false, false, false
    assert.same({}, lines(model(users(), teams()), model(teams(), other)))
  end)

  it("name tables that came and went once, without their parts", function()
    assert.same({ "removed table users", "added table teams" }, lines(model(users()), model(teams())))
  end)

  it("say for each object what differs", function()
    local other = users { comment = "people" }
    other.columns = { other.columns[1], column("name", "varchar(80)", { nullable = false }), column("age", "integer") }
    other.indexes = { { name = "users_name", method = "btree", unique = true, parts = { { expression = "lower(name)" } } } }
    other.primary_key, other.uniques = { "id", "name" }, {}
    other.checks, other.foreign_keys = { { name = "named", expression = "name <> 'x'" } }, {}
    assert.same({
      "altered table users: comment nil -> people",
      "removed column users.team_id",
      "altered column users.name: type text -> varchar(80), nullable true -> false",
      "added column users.age",
      "altered primary key users.(id, name): columns (id) -> (id, name)",
      "removed unique users.users_name_key",
      "altered index users.users_name: parts (...) -> (...), unique nil -> true",
      "altered check users.named: expression (name <> ''::text) -> name <> 'x'",
      "removed foreign key users.(team_id)",
    }, lines(model(users(), teams()), model(other, teams())))
  end)

  it("tell objects without a name by what they say", function()
    local old, new = users(), users()
    old.uniques = { { columns = { "name" } }, { columns = { "team_id", "name" } } }
    new.uniques = { { columns = { "name" } }, { columns = { "name", "team_id" } } }
    new.foreign_keys[1].on_delete = "restrict"
    assert.same({
      "removed unique users.(team_id, name)", "added unique users.(name, team_id)",
      "altered foreign key users.(team_id): on_delete cascade -> restrict",
    }, lines(model(old), model(new)))
  end)

  it("keep two unnamed objects that are equal apart", function()
    local one, two = users(), users()
    one.checks, two.checks = { { expression = "a > 0" } }, { { expression = "a > 0" }, { expression = "(a>0)" } }
    assert.equal(1, #lines(model(one), model(two)))
  end)

  it("leave the order of columns alone unless it is asked for", function()
    local old, new = users(), users()
    new.columns[2], new.columns[3] = new.columns[3], new.columns[2]
    assert.same({}, lines(model(old), model(new)))
    assert.equal(2, #lines(model(old), model(new), { positions = true }))
  end)

  it("are told by the key, so that equal names in two schemas are two tables", function()
    local far = teams()
    far.schema, far.visible, far.key = "far", false, "far.teams"
    assert.same({ "removed table far.teams" }, lines(model(teams(), far), model(teams())))
  end)

  it("of enums, domains, types, sequences and views come with them", function()
    local function whole(labels, definition)
      return { tables = {}, views = { { name = "v", key = "v", kind = "view", columns = {}, definition = definition } },
        enums = { { name = "mood", key = "mood", values = labels } } }
    end
    assert.same({ "altered enum mood: values (sad) -> (sad, ok)", "altered view v: definition select 1 -> select 2" },
      lines(whole({ "sad" }, "select 1"), whole({ "sad", "ok" }, "select 2")))
    assert.same({}, lines(whole({ "sad" }, "select 1"), whole({ "sad" }, " SELECT  1 ")))
  end)
end)

describe("renames", function()
  local function members()
    local t = users { name = "members", key = "members", primary_key = { "member_id" } }
    t.columns[1].name, t.columns[2].name = "member_id", "full name"
    t.indexes[1].parts[1].column, t.uniques[1].columns = "full name", { "full name" }
    t.checks[1].expression = "(\"full name\" <> ''::text)"
    return t
  end

  it("are never guessed", function()
    assert.same({ "removed table users", "added table members" }, lines(model(users(), teams()), model(members(), teams())))
  end)

  it("are one change each, and nothing else, where they are told", function()
    local renames = { users = "members", ["users.id"] = "members.member_id", ["users.name"] = "members.full name" }
    assert.same({
      "renamed table members (was users)",
      "renamed column members.member_id (was id)",
      "renamed column members.full name (was name)",
    }, lines(model(users(), teams()), model(members(), teams()), { renames = renames }))
  end)

  it("are followed by the foreign keys that point there", function()
    local new = users()
    new.foreign_keys[1].key, new.foreign_keys[1].table = "groups", "groups"
    assert.same({ "renamed table groups (was teams)" },
      lines(model(users(), teams()), model(new, teams "groups"), { renames = { teams = "groups" } }))
  end)

  it("name what exists", function()
    local old, new = model(users(), teams()), model(members(), teams())
    raises("usage", function() diff.changes(old, new, { renames = { user = "members" } }) end, "did you mean 'users'")
    raises("usage", function() diff.changes(old, new, { renames = { users = "member" } }) end, "did you mean 'members'")
    raises("usage", function()
      diff.changes(old, new, { renames = { users = "members", ["users.nick"] = "members.full name" } })
    end, "no table or column 'users.nick'")
  end)

  it("leave the two models as they were", function()
    local old = model(users(), teams())
    diff.changes(old, model(members(), teams()), { renames = { users = "members" } })
    assert.equal("users", old.tables[1].key)
  end)
end)

describe("SQL texts of a catalog", function()
  local equal = {
    { "((a > 0) and (b))", "(a > 0) AND b" }, { "f((a))", "f ( a )" }, { "'x'::text", "'x'" }, { '"a" = 1', "A=1" },
    { "now()", "CURRENT_TIMESTAMP" }, { "current_timestamp()", "CURRENT_TIMESTAMP" }, { "a /* b */ = 1 -- c", "a = 1" },
    { "(price >= (0)::numeric)", "price >= 0" }, { "'it''s'::character varying(20)", "'it''s'" },
  }
  for _, pair in ipairs(equal) do
    it(("%s is %s"):format(pair[1], pair[2]), function()
      assert.equal(sql_text.canonical(pair[1]), sql_text.canonical(pair[2]))
    end)
  end

  local different = {
    { "'A'", "'a'" }, { '"A"', '"a"' }, { "f(a)", "f a" }, { "(a + b) * c", "a + b * c" }, { "'a' 'b'", "'a''b'" },
    { "1 2", "12" }, { "'1'::integer", "'1'" }, { "'it\\'s A'", "'it\\'s a'" }, { "a in (1)", "a in 1" }, { "now(3)", "now()" },
    { "'a -- b'", "'a'" }, { "a - -b", "a" }, { "a = 1::numeric / 2", "a = 1 / 2" },
  }
  for _, pair in ipairs(different) do
    it(("%s is not %s"):format(pair[1], pair[2]), function()
      assert.not_equal(sql_text.canonical(pair[1]), sql_text.canonical(pair[2]))
    end)
  end

  it("may be defaults of a type", function()
    local function default(text, type, kind) return sql_text.default { default = text, type = type, kind = kind } end
    assert.equal(default("-1", "integer", "integer"), default("'-1'::integer", "integer", "integer"))
    assert.equal(default("0", "numeric(10,2)", "decimal"), default("0.00", "numeric(10,2)", "decimal"))
    assert.equal(default("true", "boolean", "boolean"), default("1", "tinyint(1)", "boolean"))
    assert.equal(default("'{}'", "jsonb", "json"), default("'{}'::jsonb", "jsonb", "json"))
    assert.is_nil(default("NULL", "text", "string"))
    assert.not_equal(default("'0'", "text", "string"), default("'0.0'", "text", "string"))
    assert.not_equal(default("'null'", "text", "string"), nil)
  end)

  it("take other names, quoted as they were or need be", function()
    assert.equal("nick > 3 and \"nick\" < `nick` and 'a' = b.nick", sql_text.rename("a > 3 and \"a\" < `a` and 'a' = b.a", { a = "nick" }))
    assert.equal('"x ""y" > 3', sql_text.rename("a > 3", { a = 'x "y' }))
  end)
end)
