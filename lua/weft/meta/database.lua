-- SPDX-License-Identifier: MIT
---@meta
-- What editors know of a database and its transactions: see weft.lua.
-- luacheck: ignore

---Statements raise syntax, unique, foreign_key, not_null, check, type, serialization, deadlock, lock_timeout,
---timeout, cancelled, pool_timeout, connect, disconnect, auth, closed.
---@class weft.Database
local Database = {}

---Runs one statement; its rows as tables. ? is a parameter, ?? a literal ?. Two columns of one name raise
---usage; so do statements that begin, commit or change the session.
---@param sql string
---@param ... weft.Value
---@return weft.Row[]
function Database:query(sql, ...) end

---Runs one statement; its rows as arrays in the order of the columns.
---@param sql string
---@param ... weft.Value
---@return any[][]
function Database:rows(sql, ...) end

---Runs one statement that writes.
---@param sql string
---@param ... weft.Value
---@return { affected: integer, last_id: integer? } last_id on SQLite, after an insert
function Database:execute(sql, ...) end

---Runs many statements on a connection of their own, without parameters.
---@param text string
function Database:script(text) end

---Runs fn(tx) in a transaction: commits on return, rolls back on error; inside another one of this
---database it is a savepoint. Returns fn's results. retries: how often fn runs again, whole, on
---serialization and deadlock (0).
---@generic T
---@param fn fun(tx: weft.Transaction): T
---@param options? { isolation?: "read uncommitted"|"read committed"|"repeatable read"|"serializable", read_only?: boolean, retries?: integer }
---@return T
function Database:transaction(fn, options) end

---Lends one connection to fn(session) for SET, LISTEN, advisory locks; it is reset afterwards. Returns
---fn's results. Inside a transaction of this database it raises usage.
---@generic T
---@param fn fun(session: weft.Transaction): T
---@return T
function Database:session(fn) end

---Asks the server for a sign of life; raises connect, auth or timeout.
---@return true
function Database:ping() end

---Counters of the pool and of the plan cache.
---@return weft.Stats
function Database:stats() end

---The schema: tables, views and types as they are, read whole at the first question that is asked of it and again after
---its tables were changed through Weft. The same object each time.
---@return weft.Schema
function Database:schema() end

---Calls fn(changes) when the schema has changed, whoever changed it. It is looked every few seconds (5) while the program
---waits for anything, by one cheap statement when nothing has changed. Reads the schema, so it may wait. Returns a
---function that stops it.
---@param fn fun(changes: weft.Change[])
---@param options? { every?: weft.Seconds }
---@return fun() stop
function Database:on_schema_change(fn, options) end

---The repository of a table or view, which needs no model script: what is done most with one table, by its key. The same
---object each time. Reads the schema, so it may wait. An unknown name raises usage.
---@param name string "users" or "schema.users"
---@return weft.Repository
function Database:repository(name) end

---Closes its connections; statements that are under way end first. Closing twice is allowed; any other
---use afterwards raises closed.
function Database:close() end

---@class weft.Stats
---@field max integer connections at most
---@field open integer connections now
---@field opening integer connections that are being made
---@field idle integer connections without work
---@field leased integer connections that one caller has alone
---@field sharing integer connections whose pipeline is shared
---@field waiting integer callers in the queue
---@field inflight integer statements under way
---@field opened integer connections made so far
---@field closed integer connections closed so far
---@field failed integer connections that could not be made
---@field waited integer statements that had to wait for a connection
---@field timeouts integer waits that took too long
---@field statements integer statements so far
---@field replayed integer reads that ran again on another connection
---@field plans integer plans in the cache
---@field plan_hits integer
---@field plan_misses integer
---@field plan_evictions integer
---@field plan_bytes integer
---@field batches integer statements that stand for several look-ups
---@field batched integer look-ups in them

---A transaction or a session. Valid inside its function, in its own lineage of coroutines: elsewhere its
---methods raise usage.
---@class weft.Transaction
local Transaction = {}

---As the database's, inside this transaction.
---@param sql string
---@param ... weft.Value
---@return weft.Row[]
function Transaction:query(sql, ...) end

---As the database's, inside this transaction.
---@param sql string
---@param ... weft.Value
---@return any[][]
function Transaction:rows(sql, ...) end

---As the database's, inside this transaction.
---@param sql string
---@param ... weft.Value
---@return { affected: integer, last_id: integer? }
function Transaction:execute(sql, ...) end

---A savepoint: undone alone when fn raises.
---@generic T
---@param fn fun(tx: weft.Transaction): T
---@param options? table isolation and retries belong to the outermost one: here they raise usage
---@return T
function Transaction:transaction(fn, options) end

---Leaves the transaction quietly: everything is rolled back and db:transaction returns these values.
---@param ... any
function Transaction:rollback(...) end

---Calls fn once the outermost transaction has committed; never when it does not.
---@param fn fun()
function Transaction:after_commit(fn) end
