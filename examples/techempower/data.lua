-- SPDX-License-Identifier: MIT
-- weft run examples/techempower/data.lua: makes the two tables anew, with the rows that the tests ask for.

local here = arg and arg[0]:find "data%.lua$" and (arg[0]:match "^(.*/)" or "./")
local weft = require "weft"
if here then weft.configure(dofile(here .. "weft.lua")) end

local WORLDS = 10000

local fortunes = {
  "fortune: No such file or directory",
  "A computer scientist is someone who fixes things that aren't broken.",
  "After enough decimal places, nobody gives a damn.",
  "A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1",
  "A computer program does what you tell it to do, not what you want it to do.",
  "Emacs is a nice operating system, but I prefer UNIX. — Tom Christaensen",
  "Any program that runs right is obsolete.",
  "A list is only as strong as its weakest link. — Donald Knuth",
  "Feature: A bug with seniority.",
  "Computers make very fast, very accurate mistakes.",
  "<script>alert(\"This should not be displayed in a browser alert box.\");</script>",
  "フレームワークのベンチマーク",
}

local db = weft.database "hello_world"
for _, statement in ipairs {
  "drop table if exists world", "drop table if exists fortune",
  "create table world (id integer not null primary key, randomnumber integer not null)",
  "create table fortune (id integer not null primary key, message varchar(2048) not null)",
} do db:execute(statement) end

local models = weft.models "hello_world"
local worlds, messages = {}, {}
for id = 1, WORLDS do worlds[id] = { id = id, randomnumber = math.random(WORLDS) } end
for id, message in ipairs(fortunes) do messages[id] = { id = id, message = message } end
models.World:create_many(worlds, { returning = false })
models.Fortune:create_many(messages, { returning = false })
