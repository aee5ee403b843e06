-- SPDX-License-Identifier: MIT
-- weft console [--app DIR]: Lua and SQL by hand, on the databases of an app (--help)

local usage = [[
usage: weft console [--app DIR]

A prompt for Lua with the models of an app: weft, db, models and services are there. Expressions are printed, rows as tables, a query as
its first rows. An input goes on over several lines until it is whole. Lines that begin with a colon:

  :sql TEXT             runs SQL        :use DATABASE         which database db, models and :sql mean
  :schema [TABLE]       describes       :trace                where the last error came from
  :help                 this            :quit                 or Ctrl-D

Tab completes names, Ctrl-R searches the history, which is ~/.weft_history (WEFT_HISTORY names another file); Ctrl-C drops a line, or
cancels what runs. Without a terminal it reads lines and prints values, nothing else.

  --app DIR             folder with weft.lua, which returns what weft.configure takes (the working folder)

Exits 0, 1 when the app does not load, 2 when this was not understood. Without a terminal 1 also when an input failed.
]]

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/?.lua;" .. package.path
local app = require "app.app"
local weft = require "weft"
local core = require "weft.core"
local line = require "weft.line"
local show = require "console.show"

local state = { failed = false } -- name: the current database; trace: of the last error

-- Running ---------------------------------------------------------------------------------------

local function width() return line.columns() end

local function say(text) io.stdout:write(text, "\n") end

---One line. A place in the console's own files says nothing to who typed.
local function report(raised)
  local text = tostring(raised)
  local from, to = text:find(folder .. "/", 1, true)
  local place = from and text:match("^[%w_/]+%.lua:%d+: ()", to + 1)
  if place then text = text:sub(1, from - 1) .. text:sub(place) end
  io.stdout:flush()
  io.stderr:write(show.plain(text), "\n")
  state.failed = true
end

local function caught(raised)
  state.trace = debug.traceback(tostring(raised), 2)
  return raised
end

---Calls fn in a task; Ctrl-C cancels it.
local function run(fn)
  local interrupts = line.interrupts()
  local results = table.pack(pcall(weft.run, function()
    local task = weft.spawn(function() return xpcall(fn, caught) end)
    local watch = core.spawn_background(function()
      core.readable(interrupts)
      task:cancel()
    end)
    local ended = table.pack(pcall(task.await, task))
    watch:cancel()
    if not ended[1] then error(ended[2], 0) end
    if not ended[2] then error(ended[3], 0) end
    return table.unpack(ended, 3, ended.n)
  end))
  line.interrupted()
  if not results[1] then report(results[2]) end
  return table.unpack(results, 1, results.n)
end

---Prints what an input gave. Touching an association of a row may wait: a part of the task.
local function evaluate(chunk)
  run(function()
    local values = table.pack(chunk())
    for i = 1, values.n do say(show.value(values[i], width())) end
  end)
end

-- Commands --------------------------------------------------------------------------------------

local function use(name)
  state.name = app.one_database { database = name }
  _G.db, _G.models = weft.database(state.name), weft.models(state.name)
end

local commands = {}

function commands.help() io.stdout:write(usage) end

function commands.trace() say(state.trace or "no error yet") end

function commands.use(name)
  if name == "" then return say(table.concat(app.databases {}, "\n")) end
  use(name)
end

local reads = { select = true, with = true, values = true, show = true, explain = true, pragma = true, table = true, describe = true, desc = true }

function commands.sql(text)
  run(function()
    local first = text:match "^[%s(]*(%a+)"
    if reads[(first or ""):lower()] or text:lower():find "%f[%a]returning%f[%A]" then
      local rows = _G.db:query(text)
      return say(#rows == 0 and "(no rows)" or show.value(rows, width()))
    end
    local written = _G.db:execute(text)
    say(("(%d row%s affected)"):format(written.affected, written.affected == 1 and "" or "s"))
  end)
end

function commands.schema(name)
  run(function()
    local schema = _G.db:schema()
    local relations = require "weft.inspect.relations".of(state.name)
    local describe = require "weft.inspect.describe"
    if name == "" then return io.stdout:write(describe.overview(schema, relations, { width = width() })) end
    local entry = schema:table(name) and relations.by_key[schema:table(name).key]
    if not entry then error(("there is no table '%s' in %s; :schema lists them"):format(name, state.name), 0) end
    io.stdout:write(describe.table(schema, entry, { width = width() }))
  end)
end

local names = { "help", "quit", "schema", "sql", "trace", "use" }

---@return boolean goes_on
local function command(text)
  local name, rest = text:match "^:(%a*)%s*(.-)%s*$"
  if name == "quit" or name == "q" then return false end
  if not commands[name] then
    local near = core.nearest(name, names)
    report(("there is no command ':%s'%s"):format(name, near and ("; did you mean ':%s'?"):format(near) or "; :help lists them"))
    return true
  end
  local ok, err = pcall(commands[name], rest)
  if not ok then report(type(err) == "table" and err.text or err) end -- a misuse has a text
  return true
end

-- Inputs ----------------------------------------------------------------------------------------

---The chunk of a text; nil and true when more has to come.
local function compile(text)
  local chunk = load("return " .. text, "=(console)", "t") or load("return " .. text:gsub("^%s*=", ""), "=(console)", "t")
  if chunk then return chunk end
  local why
  chunk, why = load(text, "=(console)", "t")
  if chunk then return chunk end
  if why:find "<eof>[\"']?$" then return nil, true end
  report(why)
end

---One input, read by `next_line(prompt)`, which gives nil at the end and false when the line was dropped.
---@return boolean goes_on
local function turn(next_line)
  local text = next_line "weft> "
  if text == nil then return false end
  if not text or not text:find "%S" then return true end
  if text:find "^%s*:" then return command(text:match "^%s*(.*)$") end
  local chunk, more = compile(text)
  while more do
    local added = next_line "  ... "
    if added == false then return true end
    if added == nil then
      report "the input ends before it is whole"
      return false
    end
    text = text .. "\n" .. added
    chunk, more = compile(text)
  end
  if chunk then evaluate(chunk) end
  return true
end

---What stands behind a command.
local function arguments(name)
  if name == "use" then return app.databases {} end
  local schema = package.loaded["weft.schema"] and name ~= "quit" and _G.db:schema()
  local list = {}
  for i, entry in ipairs(schema and schema:tables() or {}) do list[i] = entry.name end
  return list
end

local function complete(text)
  return require "console.complete".words(text, { name = state.name, models = _G.models, commands = names, argument = arguments })
end

---Reads from a person.
local function editor()
  if (os.setlocale("", "ctype") or "C") == "C" then os.setlocale("C.UTF-8", "ctype") end
  local home = os.getenv "HOME"
  local path = os.getenv "WEFT_HISTORY" or home and home .. "/.weft_history"
  local made = line.new { name = "weft", history = path, complete = complete }
  return function(prompt)
    local text = made:read(prompt)
    if text and text:find "%S" then made:add(text) end
    if text == nil then io.stdout:write "\n" end
    return text
  end
end

local function from_pipe() return io.read "l" end

local function main()
  local options, words = app.parse(arg, { app = "text" }, usage)
  if words[1] then app.misuse("console takes no words, not '%s'", words[1]) end
  app.load(options)
  _G.weft, _G.services = weft, weft.services
  use(app.databases {}[1])
  local lively = line.is_terminal()
  local next_line = lively and editor() or from_pipe
  if lively then say(("%s, database %s (:help, :quit)"):format(weft._VERSION, state.name)) end
  repeat local goes_on = turn(next_line) until not goes_on
  return not lively and state.failed and 1 or 0
end

app.run(main, usage)
