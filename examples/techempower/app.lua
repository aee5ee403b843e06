-- SPDX-License-Identifier: MIT
-- The six tests of the TechEmpower framework benchmarks, with models: weft serve examples/techempower

local weft = require "weft"

local app = weft.app()
local models = weft.models "hello_world"

local WORLDS = 10000

-- The rules want a statement for each look-up: none shares one with what other requests look up meanwhile.
local World = models.World:select { "id", randomNumber = "randomnumber" }:batch(false)
local Fortune = models.Fortune

local function random_id() return math.random(WORLDS) end
local function find() return World:find(random_id()) end

---How many are asked for: 1 unless it is a number, 500 at most.
local function count(req)
  local text = req.query.queries or req.query.n
  local n = type(text) == "string" and text:find "^%d+$" and tonumber(text) or 1
  return math.max(1, math.min(n, 500))
end

---Different ids in order: whoever updates several rows locks them as everybody does.
local function random_ids(n)
  local ids, taken = {}, {}
  while #ids < n do
    local id = random_id()
    if not taken[id] then
      taken[id] = true
      ids[#ids + 1] = id
    end
  end
  table.sort(ids)
  return ids
end

---Gives each row a number and stores them all by one statement.
local function renumber(worlds)
  local numbers, ids = {}, {}
  for i, world in ipairs(worlds) do
    world.randomNumber = random_id()
    ids[i], numbers[2 * i - 1], numbers[2 * i] = world.id, world.id, world.randomNumber
  end
  local whens = (" when ? then ?"):rep(#ids)
  models.World:where { id = ids }:update { randomnumber = weft.raw("case id" .. whens .. " else randomnumber end", table.unpack(numbers)) }
  return weft.array(worlds)
end

app:get("/plaintext", function() return "Hello, World!" end)
app:get("/json", function() return { message = "Hello, World!" } end)
app:get("/db", find)

app:get("/queries", function(req)
  local finds = {}
  for i = 1, count(req) do finds[i] = find end
  return weft.array(weft.all(finds))
end)

app:get("/updates", function(req)
  local finds = {}
  for i, id in ipairs(random_ids(count(req))) do
    finds[i] = function() return World:find(id) end
  end
  return renumber(weft.all(finds))
end)

-- The same, one statement after another.
app:get("/serial/queries", function(req)
  local worlds = {}
  for i = 1, count(req) do worlds[i] = find() end
  return weft.array(worlds)
end)

app:get("/serial/updates", function(req)
  local worlds = {}
  for i, id in ipairs(random_ids(count(req))) do worlds[i] = World:find(id) end
  return renumber(worlds)
end)

app:get("/fortunes", function(_, res)
  local fortunes = Fortune:all()
  fortunes[#fortunes + 1] = { id = 0, message = "Additional fortune added at request time." }
  table.sort(fortunes, function(a, b) return a.message < b.message end)
  return res:render("fortunes", { fortunes = fortunes })
end)

return app
