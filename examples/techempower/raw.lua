-- SPDX-License-Identifier: MIT
-- The same tests with plain statements for PostgreSQL: weft serve examples/techempower/raw.lua

local weft = require "weft"

local app = weft.app()
local db = weft.database "hello_world"

local WORLDS = 10000

local function random_id() return math.random(WORLDS) end

local function find(id)
  return db:query('select id, randomnumber as "randomNumber" from world where id = ?', id)[1]
end

local function count(req)
  local text = req.query.queries or req.query.n
  local n = type(text) == "string" and text:find "^%d+$" and tonumber(text) or 1
  return math.max(1, math.min(n, 500))
end

local function random_ids(n)
  local ids = {}
  for i = 1, n do ids[i] = random_id() end
  return ids
end

---The rows of these ids, each by a statement of its own, all on their way at once.
local function find_all(ids)
  local finds = {}
  for i, id in ipairs(ids) do
    finds[i] = function() return find(id) end
  end
  return weft.array(weft.all(finds))
end

app:get("/plaintext", function() return "Hello, World!" end)
app:get("/json", function() return { message = "Hello, World!" } end)
app:get("/db", function() return find(random_id()) end)
app:get("/queries", function(req) return find_all(random_ids(count(req))) end)

app:get("/updates", function(req)
  local ids, numbers = random_ids(count(req)), {}
  table.sort(ids) -- one order of locks for all
  local worlds = find_all(ids)
  for i, world in ipairs(worlds) do
    numbers[i] = ids[i] == ids[i - 1] and numbers[i - 1] or random_id()
    world.randomNumber = numbers[i]
  end
  db:execute("update world set randomnumber = v.number from unnest(?::int[], ?::int[]) as v(id, number) where world.id = v.id",
    weft.array(ids), weft.array(numbers))
  return worlds
end)

app:get("/fortunes", function(_, res)
  local fortunes = db:query "select id, message from fortune"
  fortunes[#fortunes + 1] = { id = 0, message = "Additional fortune added at request time." }
  table.sort(fortunes, function(a, b) return a.message < b.message end)
  return res:render("fortunes", { fortunes = fortunes })
end)

return app
