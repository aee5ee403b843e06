-- SPDX-License-Identifier: MIT
-- Transactions and sessions over the steps of the core. What is open is found by lineage (the chain of
-- resumers); nested is a savepoint.

local core = require "weft.core"
local errors = require "weft.errors"

local M = {}

-- Identity of the core's transaction -> its object. Weak: one whose coroutine was dropped is rolled back.
local open = setmetatable({}, { __mode = "v" })

---@class weft.Transaction
local Transaction = {}
Transaction.__index = Transaction
Transaction.__name = "weft.transaction"

local Rollback = { __name = "weft.rollback" } -- what tx:rollback raises

---The object of the transaction or session of db that runs here, or nil.
local function current(db)
  local id = core.tx_current(db)
  return id and open[id]
end
M.current = current

local function check_here(self)
  if getmetatable(self) ~= Transaction then
    errors.usage("a transaction is expected, got %s (use tx:query(...), with a colon)", type(self))
  end
  if self.ended then errors.usage("the %s has ended", self.what) end
  if current(self.db) ~= self then
    errors.usage("this %s belongs to another task: a task of weft.spawn never inherits it (weft.all does)", self.what)
  end
end

---The same as the database's, inside this transaction.
function Transaction:query(...) check_here(self) return self.db:query(...) end
function Transaction:rows(...) check_here(self) return self.db:rows(...) end
function Transaction:execute(...) check_here(self) return self.db:execute(...) end
function Transaction:transaction(...) check_here(self) return self.db:transaction(...) end

---Leaves the transaction quietly: everything is rolled back and db:transaction returns these values.
function Transaction:rollback(...)
  check_here(self)
  if self.what ~= "transaction" then errors.usage("a session has no rollback: execute \"rollback\"") end
  error(setmetatable({ of = self, level = core.tx_level(self.ud), values = table.pack(...) }, Rollback), 0)
end

---Calls `fn` once the outermost transaction has committed; never when it does not.
function Transaction:after_commit(fn)
  check_here(self)
  if type(fn) ~= "function" then errors.usage("after_commit takes a function, got %s", type(fn)) end
  if self.what ~= "transaction" then errors.usage("a session has no commit of its own") end
  local hooks = self.hooks or {}
  self.hooks = hooks
  hooks[#hooks + 1] = { fn = fn, level = core.tx_level(self.ud) }
end

local function new(db, ud, what)
  local id = core.tx_id(ud)
  local self = setmetatable({ db = db, ud = ud, id = id, what = what, hooks = false }, Transaction)
  open[id] = self
  return self
end

local function finish(self)
  self.ended = true
  open[self.id] = nil
  core.tx_end(self.ud)
end

---The values of a rollback of this level (1: the whole transaction), or false.
local function left_by(err, self, level)
  return getmetatable(err) == Rollback and err.of == self and err.level == level and err
end

---Calls all that waited for the commit, which nothing takes back any more; then raises what one of them did.
local function call_hooks(hooks)
  local failed, err = false, nil
  for _, hook in ipairs(hooks) do
    local ok, why = pcall(hook.fn)
    if not ok and not failed then failed, err = true, why end
  end
  if failed then error(err, 0) end
end

---What follows from fn's end.
local function conclude(self, ok, ...)
  if ok then
    local err
    ok, err = pcall(core.tx_commit, self.ud)
    if not ok then pcall(core.tx_rollback, self.ud) end -- a cancelled task's was not begun
    finish(self)
    if not ok then error(err, 0) end
    if self.hooks then call_hooks(self.hooks) end
    return ...
  end
  local err = ...
  pcall(core.tx_rollback, self.ud) -- a lost connection has rolled back already
  finish(self)
  local left = left_by(err, self, 1)
  if left then return table.unpack(left.values, 1, left.values.n) end
  error(err, 0)
end

local function attempt(db, fn, isolation, read_only)
  local self = new(db, core.tx_new(db, isolation, read_only, false), "transaction")
  return conclude(self, pcall(fn, self))
end

---What was to be called after the commit of a level now belongs to the level outside of it, or to nobody.
local function settle_hooks(self, level, keep)
  local rest = {}
  for _, hook in ipairs(self.hooks or rest) do
    local inside = hook.level >= level
    if inside and keep then hook.level = level - 1 end
    if keep or not inside then rest[#rest + 1] = hook end
  end
  self.hooks = self.hooks and rest
end

local function nested(self, fn)
  core.tx_savepoint(self.ud) -- waits while another function of a weft.all is inside of one
  local level = core.tx_level(self.ud)
  local results = table.pack(pcall(fn, self))
  settle_hooks(self, level, results[1])
  if results[1] then
    core.tx_release(self.ud)
    return table.unpack(results, 2, results.n)
  end
  local err = results[2]
  local ok, why = pcall(core.tx_rollback_to, self.ud)
  local left = left_by(err, self, level)
  if left and ok then return table.unpack(left.values, 1, left.values.n) end
  if left then error(why, 0) end
  error(err, 0)
end

---Nested ones are savepoints here, too. SQLite's must not find out at its first write that another one writes.
local function session_words(self)
  if self.open == 0 then return core.dialect(self.db) == "sqlite" and "begin immediate" or "begin", "commit", "rollback" end
  local name = "weft_session_" .. self.open
  return "savepoint " .. name, "release savepoint " .. name, "rollback to savepoint " .. name
end

---A transaction on a lent connection: plain statements, since the session may have begun its own.
local function in_session(self, fn)
  self.open = self.open or 0
  local begin, commit, undo = session_words(self)
  self.db:execute(begin)
  self.open = self.open + 1
  local results = table.pack(pcall(fn, self))
  local ok, err = results[1], results[2]
  if ok then ok, err = pcall(self.db.execute, self.db, commit) end
  self.open = self.open - 1
  if ok then return table.unpack(results, 2, results.n) end
  pcall(self.db.execute, self.db, undo)
  error(err, 0)
end

local again = { serialization = true, deadlock = true }
local option_names = { "isolation", "read_only", "retries" }
local no_options = {}

local function check_options(options)
  if type(options) ~= "table" then errors.usage("transaction: options are a table") end
  errors.check_names(options, option_names, "option of transaction")
  local retries = options.retries or 0
  if math.type(retries) ~= "integer" or retries < 0 then errors.usage("retries is a whole number from 0") end
  local read_only = options.read_only
  if read_only ~= nil and type(read_only) ~= "boolean" then errors.usage("read_only is true or false") end
  return options, retries
end

---Runs `fn(tx)` in a transaction: commits on return, rolls back on error; inside another one of this
---database it is a savepoint. Returns fn's results.
---@param db weft.Database
---@param fn fun(tx: weft.Transaction): ...
---@param options? weft.TransactionOptions retries: how often fn runs again, whole, on serialization and deadlock (0)
function M.transaction(db, fn, options)
  if type(fn) ~= "function" then errors.usage("transaction takes a function, got %s", type(fn)) end
  local retries = 0
  if options == nil then options = no_options else options, retries = check_options(options) end
  local outer = current(db)
  if outer then
    if outer.what == "session" then return in_session(outer, fn) end
    if options.isolation or options.retries then
      errors.usage("isolation and retries belong to the outermost transaction")
    end
    return nested(outer, fn)
  end
  for tries = 0, retries - 1 do
    local results = table.pack(pcall(attempt, db, fn, options.isolation, options.read_only))
    if results[1] then return table.unpack(results, 2, results.n) end
    local err = results[2]
    if not (core.is_error(err) and again[err.kind] and not err.outcome_unknown) then error(err, 0) end
    core.sleep(0.002 * 2 ^ tries * (0.5 + math.random())) -- apart from whoever it met
  end
  return attempt(db, fn, options.isolation, options.read_only)
end

---Lends one connection to `fn(session)` for SET, LISTEN, advisory locks; it is reset afterwards.
---@param db weft.Database
---@param fn fun(session: weft.Transaction): ...
function M.session(db, fn)
  if type(fn) ~= "function" then errors.usage("session takes a function, got %s", type(fn)) end
  if current(db) then errors.usage("a session cannot be opened inside a transaction or session of the same database") end
  local self = new(db, core.tx_new(db, nil, false, true), "session")
  local results = table.pack(pcall(fn, self))
  local ok, err = pcall(core.tx_commit, self.ud) -- gives the connection back
  finish(self)
  if not results[1] then error(results[2], 0) end
  if not ok then error(err, 0) end
  return table.unpack(results, 2, results.n)
end

return M
