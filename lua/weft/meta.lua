-- SPDX-License-Identifier: MIT
---@meta
-- What editors and type checkers know of Weft. Never required at run time; spec/annotations_spec.lua holds
-- it against what exists there. Every failure raises a weft.Error; "raises" names the kinds that a caller
-- may want to handle. Where nothing is said, a call raises usage for misuse and nothing else.
-- luacheck: ignore

---Seconds, fractions allowed.
---@alias weft.Seconds number
---A plain Lua value that a column takes: weft.null is NULL.
---@alias weft.Value string|number|boolean|weft.Decimal|weft.Null|weft.Array|weft.Json|table
---What stands for a column: its name, "attrs.color" for a json path, weft.path or weft.raw.
---@alias weft.Operand string|weft.Path|weft.Raw
---@alias weft.Operator "="|"!="|"<"|"<="|">"|">="|"in"|"not_in"|"between"|"like"|"ilike"|"begins_with"|"ends_with"|"contains"|"is_null"|"not_null"
---A table of column = value (a list is IN, weft.null IS NULL), {column, operator, value}, or a mark.
---@alias weft.Conditions table|weft.Condition|weft.Raw
---@alias weft.ErrorKind "usage"|"validation"|"many"|"not_found"|"stale"|"unique"|"foreign_key"|"not_null"|"check"|"type"|"syntax"|"serialization"|"deadlock"|"lock_timeout"|"timeout"|"cancelled"|"pool_timeout"|"connect"|"disconnect"|"auth"|"throttled"|"condition_failed"|"unsupported"|"closed"|"internal"
---@alias weft.Event "query"|"slow_query"|"connect"|"disconnect"|"retry"|"error"
---@alias weft.LockMode "update"|"share"|"no key update"|"key share"|"update skip locked"|"update nowait"|"share skip locked"|"share nowait"

---The one NULL. Compared with ==; tostring gives "null".
---@class weft.Null

---A list that stays a JSON array or an SQL array, also when it is empty.
---@class weft.Array: { [integer]: any }

---A value that is written as json whatever it looks like.
---@class weft.Json

---SQL text with its parameters.
---@class weft.Raw

---A place inside a json column.
---@class weft.Path

---What any_of, all_of and negate make.
---@class weft.Condition

---What count, sum and the others make, for select and having.
---@class weft.Aggregate

-- ---- the module ----

---@class weft
---@field null weft.Null NULL where it must be said: in conditions, values, lists, json
local weft = {}

---Sets databases and folders. A second call replaces the databases that it names and closes their handles.
---WEFT_DATABASE_<NAME> in the environment overrides a url. Connects nothing.
---@param options weft.Options
function weft.configure(options) end

---The handle of a configured database; the same one each time. Connects at its first statement.
---@param name string
---@return weft.Database
function weft.database(name) end

---The models of a database, loaded as they are touched. Touches neither disk nor database itself.
---@param name string a configured database
---@return weft.Models
function weft.models(name) end

---The definition of a model, as a model script returns it.
---@param definition weft.ModelDefinition
---@return weft.ModelDefinition
function weft.model(definition) end

---Runs fn under the scheduler and returns its results when all tasks that it started have ended. Raises
---what fn raises, else the error of a task that nobody awaited.
---@generic T
---@param fn fun(...): T
---@param ... any arguments of fn
---@return T
function weft.run(fn, ...) end

---Starts a task; outside weft.run it goes on whenever something waits. It never inherits a transaction.
---@param fn fun(...): ...
---@param ... any arguments of fn
---@return weft.Task
function weft.spawn(fn, ...) end

---Runs functions side by side and returns their first results in a list with n. The first error cancels
---the others, waits for them, and is raised. Inside a transaction they share it, statement by statement.
---@param functions (fun(): any)[]
---@return { n: integer, [integer]: any }
function weft.all(functions) end

---Waits. Raises cancelled, or timeout at the deadline of weft.timeout.
---@param seconds weft.Seconds 0 or more
function weft.sleep(seconds) end

---Calls fn; whatever it waits for after so many seconds raises timeout. Returns its results.
---@generic T
---@param seconds weft.Seconds
---@param fn fun(...): T
---@param ... any arguments of fn
---@return T
function weft.timeout(seconds, fn, ...) end

---Calls fn; returns its results, or nil and the error when Weft raised one that a program can handle.
---Raises on: usage, cancelled, internal, and errors that are not Weft's.
---@generic T
---@param fn fun(...): T
---@param ... any arguments of fn
---@return T? result
---@return weft.Error? error
function weft.try(fn, ...) end

---Marks a list as an array: [] in JSON when empty, an array parameter in SQL. The table itself is returned.
---@param list table
---@return weft.Array
function weft.array(list) end

---A value to be written as json: text, numbers and weft.null included.
---@param value any
---@return weft.Json
function weft.json(value) end

---An exact decimal of at most 38 digits. A float raises usage: it is not what it prints as.
---@param value string|integer|weft.Decimal
---@return weft.Decimal
function weft.decimal(value) end

---SQL text with ? for each parameter: the only way to say SQL. A nil parameter raises usage.
---@param sql string
---@param ... weft.Value
---@return weft.Raw
function weft.raw(sql, ...) end

---A place inside a json column: keys are strings, positions integers from 0.
---@param column string
---@param ... string|integer
---@return weft.Path
function weft.path(column, ...) end

---JSON text. Integers and decimals keep their digits, weft.null is null, a row has its columns in order.
---Raises usage for functions, cycles, NaN and infinities.
---@param value any
---@return string
function weft.encode(value) end

---The value of JSON text: null is weft.null, arrays stay arrays, integers are exact, longer numbers are
---decimals. Raises type when it is not JSON.
---@param text string
---@return any
function weft.decode(text) end

---The wall clock as RFC 3339 text in UTC with six fraction digits.
---@return string
function weft.now() end

---A condition: at least one of the entries holds. An empty table raises usage.
---@param conditions weft.Conditions[]|table<string, weft.Value>
---@return weft.Condition
function weft.any_of(conditions) end

---A condition: every entry holds. An empty table raises usage.
---@param conditions weft.Conditions[]|table<string, weft.Value>
---@return weft.Condition
function weft.all_of(conditions) end

---A condition: the given one is false (NULL stays NULL). An empty table raises usage.
---@param conditions weft.Conditions
---@return weft.Condition
function weft.negate(conditions) end

---Rows, or values that are not NULL.
---@param column? weft.Operand
---@return weft.Aggregate
function weft.count(column) end

---Different values that are not NULL.
---@param column weft.Operand
---@return weft.Aggregate
function weft.count_distinct(column) end

---@param column weft.Operand
---@return weft.Aggregate
function weft.sum(column) end

---@param column weft.Operand
---@return weft.Aggregate
function weft.avg(column) end

---@param column weft.Operand
---@return weft.Aggregate
function weft.min(column) end

---@param column weft.Operand
---@return weft.Aggregate
function weft.max(column) end

---All column names of a row in the order of its result, NULL ones included.
---@param row weft.Row
---@return string[]
function weft.columns(row) end

---The model of a row; nil when it came from db:query.
---@param row weft.Row
---@return weft.Query?
function weft.model_of(row) end

---Writes the changed columns of a row and reads it back; a field that was set to nil writes NULL. Nothing
---changed: no statement. Raises not_found, unique, foreign_key, not_null, check, type.
---@param row weft.Row
---@return weft.Row row the same table, as stored
function weft.save(row) end

---Sets fields and saves. Raises as save does.
---@param row weft.Row
---@param values table<string, weft.Value>
---@return weft.Row row the same table, as stored
function weft.update(row, values) end

---Deletes the row. Raises not_found when it is gone already, foreign_key.
---@param row weft.Row
function weft.delete(row) end

---Reads the row again, with the columns that it has. Raises not_found.
---@param row weft.Row
---@return weft.Row row the same table
function weft.reload(row) end

---The columns that differ from what was read, in order, and their values (weft.null for NULL).
---@param row weft.Row
---@return string[] names
---@return table<string, any> values
function weft.changed(row) end

---Calls fn(info) at each event. A handler that fails harms nothing.
---@param event weft.Event
---@param fn fun(info: weft.EventInfo)
---@return fun() off takes the handler off again
function weft.on(event, fn) end

---Writes events as JSON lines; a second call replaces the first.
---@param options { level?: "debug"|"info"|"warn"|"error", sink?: string|fun(line: string) } level "info"; sink is a function, a file's path, or stderr
---@return fun() stop
function weft.log(options) end

---What a handler of weft.on is given.
---@class weft.EventInfo
---@field database? string
---@field sql? string
---@field seconds? weft.Seconds
---@field rows? integer
---@field affected? integer of a write
---@field parameters? integer their number: values are never told
---@field error? weft.Error
---@field message? string of an error in a handler
---@field event? string the event whose handler failed

-- ---- configuration ----

---@class weft.Options
---@field databases? table<string, string|weft.DatabaseOptions> name = url, or a table
---@field models? string the folder of model scripts, models/<database>/<Model>.lua ("models")
---@field slow_query? weft.Seconds statements that take at least so long are slow (0.2)

---A database that is more than its url. Options of the other database's kind raise usage.
---@class weft.DatabaseOptions
---@field url string "sqlite:path", "sqlite::memory:", "postgres://user:password@host:port/name?option=value"
---@field pool? weft.PoolOptions
---@field statement_timeout? weft.Seconds a statement that takes longer raises timeout
---@field decimals? "string"|"number" how NUMERIC is shown (weft.decimal)
---@field zone? "utc" timestamps declared without a zone are in UTC
---@field path? string SQLite: the file, instead of the url's
---@field mode? "ro"|"rw"|"rwc" SQLite: read only, existing files only, or create ("rwc")
---@field journal? "wal"|"delete"|"truncate"|"persist"|"memory"|"off" SQLite: as found; WAL for files that Weft creates
---@field synchronous? "off"|"normal"|"full"|"extra" SQLite
---@field busy_timeout? weft.Seconds SQLite: how long other processes are waited out (5)
---@field cache_size? integer SQLite: pages, or KiB when negative
---@field foreign_keys? boolean SQLite (true)
---@field host? string PostgreSQL
---@field port? integer PostgreSQL (5432)
---@field user? string PostgreSQL
---@field password? string PostgreSQL
---@field passfile? string PostgreSQL
---@field database? string PostgreSQL
---@field socket? string PostgreSQL: the folder of its unix socket
---@field ssl? "disable"|"prefer"|"require"|"verify-ca"|"verify-full" PostgreSQL
---@field sslmode? "disable"|"prefer"|"require"|"verify-ca"|"verify-full" PostgreSQL: the same as ssl
---@field sslrootcert? string PostgreSQL: path of the certificates that are trusted
---@field sslcert? string PostgreSQL
---@field sslkey? string PostgreSQL
---@field application_name? string PostgreSQL ("weft")
---@field connect_timeout? weft.Seconds PostgreSQL
---@field prepare? boolean PostgreSQL: false behind PgBouncer in transaction mode (true)
---@field search_path? string PostgreSQL
---@field options? string PostgreSQL: settings of the session, as "-c work_mem=64MB"

---@class weft.PoolOptions
---@field max? integer connections at most, from 1
---@field wait? weft.Seconds how long a statement waits for a connection before it raises pool_timeout
---@field idle? weft.Seconds a connection that is not used for so long is closed
---@field lifetime? weft.Seconds a connection that is older is replaced

-- ---- a database ----

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

-- ---- models and queries ----

---The models of a database by class name or by table name.
---@class weft.Models: { [string]: weft.Query }
local Models = {}

---Is there a script or a table of that name? Asks the database when there is no script.
---@param name string
---@return boolean
function Models:exists(name) end

---@class weft.ModelDefinition
---@field table? string the table (found from the model's name)
---@field schema? string PostgreSQL: the schema (found by the search path)
---@field primary_key? string|string[] (discovered)
---@field columns? table<string, weft.ColumnOptions|weft.ColumnAs> only what differs
---@field scopes? table<string, fun(query: weft.Query, ...): weft.Query> further steps of its queries
---@field methods? table<string, fun(row: weft.Row, ...): any> what its rows can do

---How a column is shown: text; a float; seconds since 1970; integer microseconds since 1970; decoded json.
---@alias weft.ColumnAs "string"|"number"|"epoch"|"us"|"json"

---@class weft.ColumnOptions
---@field as? weft.ColumnAs
---@field lazy? boolean left out until it is touched, then fetched for the rows around it as well

---A row: a plain table of its columns (NULL is absent) whose metatable knows its model. A column of one of
---these names hides the method; weft.save(row) and the others work always.
---@class weft.Row: { [string]: any }
---@field save fun(self: weft.Row): weft.Row writes what changed; see weft.save
---@field update fun(self: weft.Row, values: table<string, weft.Value>): weft.Row see weft.update
---@field delete fun(self: weft.Row) see weft.delete
---@field reload fun(self: weft.Row): weft.Row see weft.reload
---@field changed fun(self: weft.Row): string[], table<string, any> see weft.changed

---A model, or a query of it: immutable; every step returns a new one; nothing runs before a terminal call.
---Unknown columns raise usage, at the step when the table is known, else at the terminal call; values that
---cannot become the column's type raise type. Terminals raise what statements of weft.Database raise.
---@class weft.Query
local Query = {}

---A further condition: a table, a mark, or a column, an operator and a value. A second argument behind a
---table names keys that must be present in it.
---@param condition weft.Operand|weft.Conditions
---@param operator? weft.Operator|string[]
---@param value? weft.Value|weft.Value[]
---@return weft.Query
---@overload fun(self: weft.Query, conditions: weft.Conditions, present?: string[]): weft.Query
function Query:where(condition, operator, value) end

---A condition on groups; it may name aliases of select. Written as where is.
---@param condition weft.Operand|weft.Conditions
---@param operator? weft.Operator
---@param value? weft.Value|weft.Value[]
---@return weft.Query
function Query:having(condition, operator, value) end

---The columns of the rows: names, or one table of names and alias = expression.
---@param ... weft.Operand|weft.Aggregate|table<string|integer, weft.Operand|weft.Aggregate>
---@return weft.Query
function Query:select(...) end

---@param ... weft.Operand
---@return weft.Query
function Query:group(...) end

---A further column to order by.
---@param column weft.Operand|weft.Aggregate
---@param direction? "asc"|"desc" "asc"
---@param nulls? "nulls first"|"nulls last" as the database does
---@return weft.Query
function Query:order(column, direction, nulls) end

---@param count integer 0 or more
---@return weft.Query
function Query:limit(count) end

---@param count integer 0 or more
---@return weft.Query
function Query:offset(count) end

---Equal rows once.
---@return weft.Query
function Query:distinct() end

---Locks the rows; inside a transaction only, else usage. SQLite has one writer: nothing to lock.
---@param mode? weft.LockMode "update"
---@return weft.Query
function Query:lock(mode) end

---batch(false): this look-up by key never joins those of other tasks.
---@param on boolean
---@return weft.Query
function Query:batch(on) end

---@return weft.Row[]
function Query:all() end

---The first row in the query's order, else by primary key.
---@return weft.Row?
function Query:first() end

---The only row. Raises not_found for none, many for several.
---@return weft.Row
function Query:one() end

---The row of a key; a composite key has several values. nil raises usage.
---@param key weft.Value
---@param ... weft.Value
---@return weft.Row?
function Query:find(key, ...) end

---The row of a key. Raises not_found.
---@param key weft.Value
---@param ... weft.Value
---@return weft.Row
function Query:get(key, ...) end

---The first row of these values, or nil. An empty table raises usage.
---@param values table<string, weft.Value|weft.Value[]>
---@return weft.Row?
function Query:find_by(values) end

---Rows in the order of their keys; a key without a row leaves a hole.
---@param keys weft.Value[]|weft.Value[][] lists of values for a composite key
---@return { n: integer, [integer]: weft.Row }
function Query:find_many(keys) end

---The number of rows; ignores select and order, honours limit.
---@return integer
function Query:count() end

---nil over no row. An integer or a decimal stays exact.
---@param column weft.Operand
---@return integer|number|weft.Decimal|nil
function Query:sum(column) end

---nil over no row.
---@param column weft.Operand
---@return number|weft.Decimal|nil
function Query:avg(column) end

---nil over no row.
---@param column weft.Operand
---@return any
function Query:min(column) end

---nil over no row.
---@param column weft.Operand
---@return any
function Query:max(column) end

---@return boolean
function Query:exists() end

---One column: the list of its values (NULL leaves a hole, see n). Several: a list of lists.
---@param ... string
---@return { n: integer, [integer]: any }
function Query:pluck(...) end

---for row in query:each(size) do ... end holds one page at a time, by primary key after the order.
---@param size? integer rows of a page (500)
---@return fun(): weft.Row?
function Query:each(size) end

---One page, found by where the last one ended. Orders by the query's order, then by primary key. A cursor
---of another order raises usage; so do limit and offset.
---@param options? { size?: integer, after?: string, before?: string } size 20
---@return { rows: weft.Row[], next: string?, previous: string? }
function Query:page(options) end

---JSON text of the same rows, without building tables.
---@return string
function Query:json() end

---The SQL text and its parameters; runs nothing (the first time, the table is looked up).
---@return string text
---@return weft.Value[] parameters
function Query:sql() end

---How the database would run it, in lines.
---@return string
function Query:explain() end

---Inserts one row. Raises unique, foreign_key, not_null, check, type.
---@param values table<string, weft.Value|weft.Raw>
---@return weft.Row row as stored
function Query:create(values) end

---Inserts many rows, all or none. Raises as create does.
---@param rows table<string, weft.Value>[]
---@param options? { returning?: boolean } false: only their number is wanted
---@return weft.Row[]|integer rows as stored, in the order given; or their number
function Query:create_many(rows, options) end

---Inserts a row or, where one with equal `on` columns exists, updates it with `update` (all given columns
---unless given). Raises as create does.
---@param values table<string, weft.Value|weft.Raw>
---@param options { on: string|string[], update?: table<string, weft.Value|weft.Raw> }
---@return weft.Row row as stored
function Query:upsert(values, options) end

---Updates the rows of the query. Without a condition it raises usage unless { all = true }.
---@param values table<string, weft.Value|weft.Raw>
---@param options? { all?: boolean }
---@return integer rows
function Query:update(values, options) end

---Deletes the rows of the query. Without a condition it raises usage unless { all = true }.
---@param options? { all?: boolean }
---@return integer rows
function Query:delete(options) end

---Adds to a column in the database. Without a condition it raises usage unless { all = true }.
---@param column string
---@param by? number|weft.Decimal 1
---@param options? { all?: boolean }
---@return integer rows
function Query:increment(column, by, options) end

-- ---- values, tasks, errors ----

---An immutable exact number of at most 38 digits. A float operand raises usage; more digits raise type.
---@class weft.Decimal
---@operator add(weft.Decimal|integer): weft.Decimal
---@operator sub(weft.Decimal|integer): weft.Decimal
---@operator mul(weft.Decimal|integer): weft.Decimal
---@operator unm: weft.Decimal
local Decimal = {}

---The nearest float; an integer when it is one.
---@return number
function Decimal:tonumber() end

---Rounded half away from zero.
---@param scale? integer digits behind the point, 0 to 38 (0)
---@return weft.Decimal
function Decimal:round(scale) end

---@class weft.Task
local Task = {}

---Waits for its end and returns its results; raises what it raised, cancelled when it was cancelled,
---deadlock when it waits for the transaction that is open here.
---@return any ...
function Task:await() end

---Asks it to end: what it waits for raises cancelled, again at each later wait.
function Task:cancel() end

---Whether it has ended.
---@return boolean
function Task:done() end

---What every failure raises. tostring gives one clear line. Values of parameters never appear in it.
---@class weft.Error
---@field kind weft.ErrorKind
---@field message string
---@field op? string what was called: "find", "query" ...
---@field model? string "product_service.Product"
---@field database? string
---@field code? string SQLSTATE, or the database's own code
---@field constraint? string
---@field column? string
---@field retryable boolean the same call may succeed if made again, and cannot have happened
---@field outcome_unknown boolean the statement may or may not have been carried out
---@field errors? { column: string, rule: string, message: string }[] of validation
---@field context? any
---@field cause? any what a model script raised

return weft
