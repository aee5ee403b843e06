-- SPDX-License-Identifier: MIT
-- Services that spec/embed/program.c calls, hostile ones among them.
local weft = require "weft"

local spec = {}
local kept, hoarded

function spec.echo(input) return input end
function spec.context(_, context) return context end
function spec.nothing() end
function spec.helped() return require "helpful".word end
function spec.keep(value) kept = value end
function spec.kept() return kept end
function spec.c(input) return _G.from_c(input) end

function spec.boom() error "boom" end
function spec.throws_nil() error(nil) end
function spec.throws_table() error { 1 } end
function spec.throws_long() error(("ä"):rep(1000), 0) end
function spec.absent() weft.fail("not_found", "no such thing") end
function spec.no_json() return print end
function spec.no_text() return "\xff" end
function spec.cries() warn("all ", "is lost") end
function spec.deep()
  local function down() return 1 + down() end
  return down()
end

function spec.buffer() return #("x"):rep(1000000) end

function spec.fill()
  local list = {}
  for i = 1, math.huge do list[i] = ("x"):rep(300000) .. i end
  return list
end

function spec.eat()
  local list = {}
  for i = 1, math.huge do list[i] = { i } end
  return list
end
function spec.hoard()
  hoarded = hoarded or {}
  for i = #hoarded + 1, math.huge do hoarded[i] = ("x"):rep(100) .. i end
end

function spec.sleep(seconds)
  weft.sleep(seconds)
  return seconds
end
function spec.swallow()
  pcall(weft.sleep, 1000)
  return "swallowed"
end

function spec.rows() return weft.models "memory".Thing:order "thing_id" end
function spec.twice() return weft.models "memory".Thing:create { name = "one" } end
function spec.server_sleep(seconds) return weft.database "server":query("select 1 as one from pg_sleep(?)", seconds) end
function spec.long()
  return weft.database "file":query [[
    with recursive n(i) as (select 1 union all select i + 1 from n where i < 500000) select count(*) as n from n]]
end
function spec.count() return weft.database "file":query "select count(*) as n from notes"[1].n end
function spec.notes() weft.database "file":script "drop table if exists notes; create table notes (text text)" end
function spec.write_and_wait()
  local file = weft.database "file"
  file:transaction(function()
    file:execute "insert into notes values ('x')"
    weft.sleep(1000)
  end)
end

return spec
