-- SPDX-License-Identifier: MIT
-- weft run work.lua WORKLOAD DB CONCURRENCY: one JSON line, like the raw program pb_c, whose letters name
-- the same work. Settings come from the environment: PB_WARM and PB_SECS, WEFT_BENCH_BATCH=off,
-- WEFT_BENCH_MODEL (Track), WEFT_BENCH_OPS (that many operations, no clock: for callgrind).

local weft = require "weft"
local pbtime = require "pbtime"
local draw = require "draw"
local place = require "place"

local work, db_kind, concurrency = arg[1], arg[2], tonumber(arg[3] or 1)
place.configure(db_kind)

local crossing = db_kind:find("+", 1, true) ~= nil
local models = weft.models(crossing and "shop_a" or "chinook")
local Track = not crossing and models[os.getenv "WEFT_BENCH_MODEL" or "Track"]
local db = weft.database(crossing and "shop_a" or "chinook")
local unbatched = os.getenv "WEFT_BENCH_BATCH" == "off"

---Each operation returns what it adds to the check.
local operations = {}

local draw_track = draw.track
if unbatched then
  function operations.a() return Track:batch(false):find(draw_track()).milliseconds end
else
  function operations.a() return Track:find(draw_track()).milliseconds end
end

function operations.b()
  local rows = Track:where { genre_id = draw.genre() }:order("name"):limit(50):all()
  local sum = #rows
  if place.checking then for _, row in ipairs(rows) do sum = sum + #row.name end end
  return sum
end

function operations.j() return #Track:where { genre_id = draw.genre() }:order("name"):limit(50):json() end

local Artist
function operations.c()
  Artist = Artist or models.Artist
  local from = 1 + draw.below(256)
  local rows = Artist:where("artist_id", "between", { from, from + 19 }):include("albums.tracks"):all()
  local sum = #rows
  if not place.checking then return sum end
  for _, artist in ipairs(rows) do
    for _, album in ipairs(artist.albums) do
      sum = sum + 1000
      for _, track in ipairs(album.tracks) do sum = sum + track.milliseconds end
    end
  end
  return sum
end

local Product
function operations.f()
  Product = Product or models.ShopProduct
  local rows = Product:where("id", ">=", 1 + draw.below(19500)):order("id"):limit(500):include("seller"):all()
  local sum = #rows
  if not place.checking then return sum end
  for _, product in ipairs(rows) do sum = sum + #product.seller.store_name end
  return sum
end

local bulk, BulkItem
function operations.d()
  if not bulk then bulk, BulkItem = draw.bulk(), models.BulkItem end
  return BulkItem:create_many(bulk, { returning = false })
end

local prices = { [0] = "0.99", "1.29" }
function operations.e()
  local id, bytes, price = draw.track(), 1 + draw.below(1000000000), prices[draw.below(2)]
  return db:transaction(function()
    return Track:where { track_id = id }:update { bytes = bytes, unit_price = price }
  end)
end

local operation = operations[work] or error("no workload " .. tostring(work))
local checks = ({ a = 50, b = 20, j = 20, d = 1 })[work] or 5

local warm = tonumber(os.getenv "PB_WARM" or 0.5)
local secs = tonumber(os.getenv "PB_SECS" or 2)

local phase, until_ns, first, last = 0, 0, 0, 0

-- The phase ends at `until_ns`: warming up, measuring, over.
local function turn(now)
  if phase == 0 then
    phase, first, until_ns = 1, now, now + secs * 1e9 // 1
    pbtime.reset()
  elseif phase == 1 then
    phase, last = 2, now
  end
end

local since = pbtime.since
local function loop()
  local at = pbtime.now()
  while phase < 2 do
    operation()
    at = since(at)
    if at >= until_ns then turn(at) end
  end
end

draw.seed(42)
place.checking = true
local check = 0
for _ = 1, checks do check = check + operation() end
place.checking = false
draw.seed(7)

local count = tonumber(os.getenv "WEFT_BENCH_OPS")
if count then
  for _ = 1, count do operation() end
  return
end

until_ns = pbtime.now() + warm * 1e9 // 1
if concurrency == 1 then
  loop()
else
  weft.run(function()
    for _ = 1, concurrency do weft.spawn(loop) end
  end)
end
local total = pbtime.count()
local stats = db:stats()
print(('{"workload":"%s","peer":"weft","db":"%s","concurrency":%d,"ops_s":%.1f,"p50_us":%.2f,"p99_us":%.2f,'
  .. '"rss_mb":%.1f,"ops":%d,"check":%d,"connections":%d}'):format(work, db_kind, concurrency,
  total / ((last - first) / 1e9), pbtime.pct(0.5) / 1e3, pbtime.pct(0.99) / 1e3, pbtime.hwm_mb(), total, check,
  stats.opened))
