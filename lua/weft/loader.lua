-- SPDX-License-Identifier: MIT
-- Scripts that are loaded when they are touched: once, by a task of their own, so that a script may wait and
-- whoever touches it meanwhile waits for that task. A script that failed is tried again at the next touch.

local core = require "weft.core"
local errors = require "weft.errors"

local M = {}

---Is there a file that can be read?
---@param path string
function M.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

---Runs a script and returns its result. Weft's errors keep their kind; whatever else it raises is usage.
---@param path string
---@param what string "model script of product_service.Product", for messages
function M.run(path, what)
  local chunk, why = loadfile(path, "t")
  if not chunk then errors.raise("usage", ("%s does not load: %s"):format(what, why)) end
  local ok, result = pcall(chunk)
  if ok then return result end
  if not core.is_error(result) then
    errors.raise("usage", ("%s failed: %s"):format(what, tostring(result):match "^[^\n]*"), { cause = result })
  end
  if result.kind == "usage" and not result.message:find(path, 1, true) then -- a tail call hides the line
    result.message = path .. ": " .. result.message
  end
  error(result, 0)
end

---What scripts of one kind have made, by key.
---@class weft.Loader
---@field loaded table<string, any>
local Loader = {}
Loader.__index = Loader

---@param prefix string what stands before a key in messages, as "product_service."
---@return weft.Loader
function M.new(prefix) return setmetatable({ prefix = prefix, loaded = {}, loading = {} }, Loader) end

---The end of a load. One that was forgotten or overtaken meanwhile leaves no trace.
local function conclude(self, key, entry, ok, value)
  if self.loading[key] == entry then
    self.loading[key] = nil
    if ok then self.loaded[key] = value end
  end
  if not ok then error(value, 0) end
  return self.loaded[key] or value
end

---The function that loads it, and its entry among what is being loaded.
local function begin(self, key, make)
  local entry = {}
  self.loading[key] = entry
  return function() return conclude(self, key, entry, pcall(make, key)) end, entry
end

---A load without a task is one of a place where nothing can wait: what touches it runs inside of it.
local function check_circle(self, key, entry)
  if entry.task and not core.waits_for_us(entry.task) then return end
  errors.usage("%s%s is being loaded and waits for the script that touches it here: touch it in a function that "
    .. "is called later (associations name models by text)", self.prefix, key)
end

---What was loaded for `key`, else what `make(key)` returns, which is never nil.
---@param key string
---@param make fun(key: string): any
function Loader:get(key, make)
  local value = self.loaded[key]
  if value then return value end
  local entry = self.loading[key]
  if entry then check_circle(self, key, entry) end
  if not pcall(core.may_wait) then return begin(self, key, make)() end
  if not entry then
    local fn
    fn, entry = begin(self, key, make)
    entry.task = core.spawn_apart(fn)
  end
  return entry.task:await()
end

---The next touch loads it anew; a load that is under way ends for those who wait for it.
---@param key string
function Loader:forget(key)
  self.loaded[key], self.loading[key] = nil, nil
end

return M
