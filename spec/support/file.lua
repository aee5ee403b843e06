-- SPDX-License-Identifier: MIT
-- Runs one busted spec file inside the weft program: weft run spec/support/file.lua FILE [WORDS].
-- Prints `not ok` lines and, last, `N passed, N failed`; a pending fact is a failed one. WORDS selects
-- the facts whose full name contains them.
--
-- After the file everything that it could hold is dropped, two collections are made, and what the core
-- still counts as alive (connections, row sets, leases, tasks) is one failure of its own.

local root = arg[0]:match("^(.*)/spec/support/[^/]*$") or "."
package.path = root .. "/?.lua;" .. package.path
local path, words = ...

-- Loaded before busted, whose insulation forgets what a spec file has loaded: the counts outlive that.
local has_core, core = pcall(require, "weft.core")
local servers = require "spec.support.servers"
local backends = require "spec.support.backends"

local passed, failed = 0, 0

local function not_ok(where, name, text)
  failed = failed + 1
  print(("not ok - %s: %s"):format(where, name))
  for line in (text or ""):gmatch("[^\n]+") do print("    " .. line) end
end

local function place_of(trace)
  return trace and trace.short_src and ("%s:%d"):format(trace.short_src, trace.currentline) or path
end

local function listen(busted)
  function backends.inside_fact()
    local element = busted.context.get()
    return element ~= nil and (element.descriptor == "it" or element.descriptor == "before_each")
  end
  local function full_name(element)
    local names = {}
    while element and element.descriptor ~= "file" and (element.name or element.descriptor) do
      table.insert(names, 1, element.name or element.descriptor)
      element = busted.context.parent(element)
    end
    return table.concat(names, " ")
  end
  busted.subscribe({ "test", "end" }, function(element, _, status)
    backends.next_fact()
    if status == "success" then
      passed = passed + 1
    elseif status == "pending" then
      not_ok(place_of(element.trace), full_name(element), "pending")
    end
    return nil, true
  end)
  for _, kind in ipairs { "failure", "error" } do
    busted.subscribe({ kind }, function(element, _, message, trace)
      local name = full_name(element)
      not_ok(place_of(element.trace or trace), name ~= "" and name or "the file", tostring(message)
        .. (kind == "error" and trace and trace.traceback and "\n" .. trace.traceback or ""))
      return nil, true
    end)
  end
end

---Leaves out the facts that were not asked for.
local function select_facts(busted)
  if words == nil or words == "" then return end
  require "busted.modules.filter_loader"()(busted, { tags = {}, excludeTags = {}, filterOut = {},
    filter = { (words:gsub("%p", "%%%0")) }, nokeepgoing = false })
end

---Cuts the tree of elements, whose closures would keep everything alive that the spec's locals hold.
local function forget(busted)
  local function wipe(element)
    for _, child in ipairs(busted.context.children(element)) do
      wipe(child)
    end
    for key in pairs(element) do element[key] = nil end
  end
  wipe(busted.context.get())
end

local function run()
  local busted = require "busted.core"()
  require "busted"(busted)
  listen(busted)
  select_facts(busted)
  local load = require "busted.modules.test_file_loader"(busted, { "lua" })
  load({ path }, { "_spec" }, { excludes = {}, recursive = true })
  require "busted.execute"(busted)(1, { seed = 1, shuffle = false, sort = false })
  busted.publish({ "exit" })
  forget(busted)
end

local function leftovers()
  if not has_core or type(core) ~= "table" or not core.live then return end
  collectgarbage()
  collectgarbage()
  local names, list = {}, core.live()
  for name, count in pairs(list) do
    if count ~= 0 then names[#names + 1] = ("%s: %d"):format(name, count) end
  end
  table.sort(names)
  if #names > 0 then
    not_ok(path, "leaves nothing alive after two collections", table.concat(names, ", "))
  else
    passed = passed + 1
  end
end

io.stdout:setvbuf("line")
local ok, message = xpcall(run, debug.traceback)
if not ok then not_ok(path, "the spec runner", tostring(message)) end
ok, message = pcall(backends.close_all)
if not ok then not_ok(path, "closing the databases", tostring(message)) end
leftovers()
servers.finish()
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1, true)
