-- SPDX-License-Identifier: MIT
-- weft inspect DB [table] [--json | --diagram [mermaid|dot]]: describes a database or one of its tables (--help)

local usage = [[
usage: weft inspect DB [TABLE] [options]

DB is a database of weft.lua or a url, as sqlite:shop.db or postgres://me@localhost/shop. Without TABLE there is an overview of
its tables, views and types; with one, its columns, keys, indexes, checks, triggers and associations.

  --json                one JSON document: all of the database, or of the table
  --diagram[=KIND]      the relations as a diagram, KIND is mermaid (unless said otherwise) or dot
  --app DIR             folder with weft.lua, which returns what weft.configure takes (the working folder)

What could not be read is said on stderr. Exits 0 when all is well, 1 when something failed, 2 when this was not understood.
]]

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/?.lua;" .. package.path
local app = require "app.app"
local weft = require "weft"
local core = require "weft.core"
local describe = require "weft.inspect.describe"
local relations_of = require "weft.inspect.relations"

local kinds = { mermaid = true, dot = true }

---`--diagram dot` is as good as --diagram=dot, and --diagram alone is Mermaid.
local function with_kind(list)
  local words, i = {}, 1
  while i <= #list do
    local word = list[i]
    if word == "--diagram" then
      local kind = kinds[list[i + 1]] and list[i + 1]
      word = "--diagram=" .. (kind or "mermaid")
      if kind then i = i + 1 end
    end
    words[#words + 1] = word
    i = i + 1
  end
  return words
end

local flags = { json = true, diagram = "text", app = "text" }

---The name of the database that is meant; a url is configured as one.
local function database_of(options, word)
  if not word:find "^[%a][%w+.-]*:" then
    app.load(options)
    return app.one_database { database = word }
  end
  weft.configure { databases = { inspected = word } }
  return "inspected"
end

local function table_of(schema, relations, name)
  local t = schema:table(name)
  if t then return relations.by_key[t.key] end
  local names = {}
  for i, entry in ipairs(relations.list) do names[i] = entry.table.key end
  local near = core.nearest(name, names)
  app.misuse("there is no table '%s' in %s%s", name, schema.database,
    near and ("; did you mean '%s'?"):format(near) or "; without a table, its tables are listed")
end

local function tell_left_out(schema, relations)
  for _, list in ipairs { schema:left_out(), relations.left_out } do
    for _, entry in ipairs(list) do io.stderr:write(("weft: %s: left out: %s\n"):format(entry.what, entry.why)) end
  end
end

local function terminal()
  if not os.execute "test -t 1" then return {} end
  local pipe = io.popen "stty size </dev/tty 2>/dev/null"
  local width = tonumber(os.getenv "COLUMNS" or pipe:read "a":match "^%d+ (%d+)")
  pipe:close()
  return { bold = os.getenv "NO_COLOR" == nil and os.getenv "TERM" ~= "dumb", width = width and width > 20 and width or nil }
end

---Only the table, and those that it has to do with.
local function around(relations, entry)
  local near = { [entry] = true }
  for _, other in ipairs(relations.list) do
    for _, key in ipairs(other.table.foreign_keys) do
      local to = relations.by_key[key.key]
      if to == entry then near[other] = true end
      if other == entry and to then near[to] = true end
    end
  end
  local part = { database = relations.database, list = {}, by_key = {} }
  for _, other in ipairs(relations.list) do
    if near[other] then
      part.list[#part.list + 1] = other
      part.by_key[other.table.key] = other
    end
  end
  return part
end

local function text_of(options, schema, relations, entry)
  if options.diagram then
    return require "weft.inspect.diagram"[options.diagram](entry and around(relations, entry) or relations)
  end
  if options.json then
    return weft.encode(entry and describe.table_data(entry) or describe.data(schema, relations)) .. "\n"
  end
  if entry then return describe.table(schema, entry, terminal()) end
  return describe.overview(schema, relations, terminal())
end

local function main()
  local options, words = app.parse(with_kind(arg), flags, usage)
  if not words[1] then app.misuse "a database is needed: its name in weft.lua, or a url" end
  if words[3] then app.misuse("one table at most, not '%s' too", words[3]) end
  if options.diagram and not kinds[options.diagram] then app.misuse("a diagram is mermaid or dot, not '%s'", options.diagram) end
  if options.diagram and options.json then app.misuse "either --json or --diagram" end
  local name = database_of(options, words[1])
  local schema = weft.database(name):schema()
  local relations = relations_of.of(name)
  tell_left_out(schema, relations)
  io.stdout:write(text_of(options, schema, relations, words[2] and table_of(schema, relations, words[2])))
end

app.run(main, usage)
