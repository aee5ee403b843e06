-- SPDX-License-Identifier: MIT
-- The shop as somebody runs it who has just built Weft: the program, in a process of its own, on a copy of
-- the example in build/, with a terminal's output read back as text.

local weft = require "weft"
local servers = require "spec.support.servers"
local recycle = require "spec.support.recycle"
local shell = require "spec.support.shell"
local quote = shell.quote

local build = os.getenv "WEFT_SPEC_BUILD"
local program = quote(build .. "/weft")
local files = { "product.db", "seller.db", "policy.db" }

describe("the shop", function()
  local folder -- the copy

  setup(function()
    folder = ("%s/demo-%s"):format(build, shell.own_pid())
    shell.must(("rm -rf %s && cp -r %s %s && rm -rf %s"):format(quote(folder),
      quote(shell.root() .. "/examples/shop"), quote(folder), quote(folder .. "/var")))
  end)

  teardown(function() shell.run("rm -rf " .. quote(folder)) end)

  ---@return boolean ok, string out what it printed
  local function run(arguments, environment)
    return shell.run(("cd / && env NO_COLOR=1 %s %s run %s %s"):format(environment or "", program,
      quote(folder .. "/demo.lua"), arguments or ""))
  end

  ---The JSON text between the service's heading and the statements.
  local function json_of(out)
    local text = ("\n" .. out):match "\nproduct_detail\n(.-)\n\n%d+ statements"
    assert.is_string(text, out)
    return text
  end

  local function stamps()
    local list = {}
    for _, file in ipairs(files) do
      list[#list + 1] = shell.must("stat -c '%s %y' " .. quote(folder .. "/var/" .. file))
    end
    return table.concat(list)
  end

  it("creates its data once and shows a whole product", function()
    local ok, first = run()
    assert.is_true(ok, first)
    assert.truthy(first:find "^Created three databases with %d+ rows")
    local rows = tonumber(first:match "with (%d+) rows")
    assert.is_true(rows > 50000, first:match "^[^\n]*")

    local product = weft.decode(json_of(first))
    assert.equal(17, product.product_id)
    assert.equal("active", product.status)
    assert.equal("table", type(product.attrs))
    assert.equal(3, #product.variants)
    for i, variant in ipairs(product.variants) do
      assert.equal(17, variant.product_id)
      assert.equal(("SKU-%06d"):format(16 * 3 + i), variant.sku)
      assert.equal(2, #variant.images)
      for k, image in ipairs(variant.images) do
        assert.same({ variant.variant_id, k }, { image.variant_id, image.position })
        assert.equal(("https://img.example/%d/%d.jpg"):format(variant.variant_id, k), image.url)
      end
    end
    assert.equal(product.seller_id, product.seller.seller_id)
    assert.is_string(product.seller.store_name)
    assert.equal(product.policy_id, product.return_policy.policy_id)
    assert.equal(14 + 2 * product.policy_id, product.return_policy.days)
    local guidelines = product.return_policy.guidelines
    assert.equal(3, #guidelines)
    assert.truthy(guidelines[2].text:find(("rule 2 of policy %d"):format(product.policy_id), 1, true))
    assert.same({ "care", "material" }, { product.attributes[1].name, product.attributes[2].name })
    assert.equal(2, #product.categories)
    assert.is_true(product.categories[1].name < product.categories[2].name)

    local before = stamps()
    local again, second = run()
    assert.is_true(again, second)
    assert.is_nil(second:find("Created", 1, true))
    assert.equal(json_of(first), json_of(second))
    assert.equal(before, stamps())
  end)

  it("shows the statements, no table asked twice, and what they took", function()
    run()
    local ok, out = run "18"
    assert.is_true(ok, out)
    local count, ms = out:match "(%d+) statements, ([%d.]+) ms in all"
    local shown, databases, tables = 0, {}, {}
    for database, sql in out:gmatch "\n +%d+%.%d+ ms  (%w+_service) +%d+ rows? +(select [^\n]*)" do
      shown = shown + 1
      databases[database] = true
      assert.truthy(sql:find("?", 1, true), sql)
      local from = sql:match ' from "([%w_]+)"'
      assert.is_nil(tables[from], from)
      tables[from] = true
    end
    assert.same({ 8, 8 }, { tonumber(count), shown })
    assert.is_true(tonumber(ms) > 0)
    assert.same({ product_service = true, seller_service = true, policy_service = true }, databases)
    assert.equal(18, weft.decode(json_of(out)).product_id)
  end)

  it("ends with 1 when there is no such product", function()
    run()
    local ok, out = run("999999; echo \"status $?\"")
    assert.is_true(ok)
    assert.truthy(out:find("no active product 999999", 1, true), out)
    assert.truthy(out:find "status 1\n$", out)
  end)

  it("says the same with its products in PostgreSQL", function()
    run()
    local ok, sqlite = run "23"
    assert.is_true(ok, sqlite)
    local pg = servers.postgres()
    local database = recycle.take(pg)
    finally(function()
      shell.run("rm -rf " .. quote(folder .. "/var"))
      recycle.give(pg, database)
    end)
    shell.must("rm -rf " .. quote(folder .. "/var"))
    local environment = "WEFT_DATABASE_PRODUCT_SERVICE=" .. quote(pg.url(database))
    local made, first = run("23", environment)
    assert.is_true(made, first)
    assert.truthy(first:find("Created", 1, true))
    assert.equal("15000", pg.psql("select count(*) from product_variants", database))
    assert.is_false(shell.exists(folder .. "/var/product.db"))
    local again, second = run("23", environment)
    assert.is_true(again, second)
    assert.is_nil(second:find("Created", 1, true))
    assert.equal(json_of(sqlite), json_of(first))
    assert.equal(json_of(sqlite), json_of(second))
  end)
end)
