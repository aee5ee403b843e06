-- SPDX-License-Identifier: MIT
---@meta
-- What editors and type checkers know of Weft. Never required at run time; spec/annotations_spec.lua holds
-- it against what exists there. Every failure raises a weft.Error; "raises" names the kinds that a caller
-- may want to handle. Where nothing is said, a call raises usage for misuse and nothing else.
-- luacheck: ignore

---Seconds, fractions allowed.
---@alias weft.Seconds number

---@alias weft.NamingStyle "snake_case"|"camelCase"|"as is"
---A plain Lua value that a column takes: weft.null is NULL.
---@alias weft.Value string|number|boolean|weft.Decimal|weft.Null|weft.Array|weft.Json|table
---What stands for a column: its name, "attrs.color" for a json path, weft.path or weft.raw.
---@alias weft.Operand string|weft.Path|weft.Raw
---@alias weft.Operator "="|"!="|"<"|"<="|">"|">="|"in"|"not_in"|"between"|"like"|"ilike"|"begins_with"|"ends_with"|"contains"|"is_null"|"not_null"
---A table of column = value (a list is IN, weft.null IS NULL), {column, operator, value}, or a mark.
---@alias weft.Conditions table|weft.Condition|weft.Raw
---@alias weft.ErrorKind "usage"|"validation"|"many"|"not_found"|"stale"|"unique"|"foreign_key"|"not_null"|"check"|"type"|"syntax"|"serialization"|"deadlock"|"lock_timeout"|"timeout"|"cancelled"|"pool_timeout"|"connect"|"disconnect"|"auth"|"throttled"|"condition_failed"|"unsupported"|"closed"|"internal"
---@alias weft.Event "query"|"slow_query"|"warning"|"connect"|"disconnect"|"retry"|"schema_change"|"migrate"|"n_plus_one"|"error"
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

---Columns to order by: "created_at", { "created_at", "desc" } or a list of those.
---@alias weft.Order string|(string|string[])[]
---One column, or the columns of a composite key.
---@alias weft.Key string|string[]
---@alias weft.AssociationType "has_many"|"has_one"|"belongs_to"|"many_to_many"

---An association as weft.has_many and its like define it, for `associations` of a model.
---@class weft.Association

---What weft.include returns: what query:include takes.
---@class weft.IncludeSpec

-- ---- the module ----

---@class weft
---@field null weft.Null NULL where it must be said: in conditions, values, lists, json
---@field services weft.Service functions that are scripts: weft.services.cart.add(input)
---@field trace weft.trace
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

---Many rows of another model that carry the key of this one. Loads nothing: the other end may be named by
---text and come later, in whichever database. What is left out is found by convention or from foreign keys
---when the association is first used.
---
---    variants = weft.has_many { model = "ProductVariant", foreign_key = "product_id", order = "sku" }
---@param options weft.HasMany
---@return weft.Association
function weft.has_many(options) end

---One row of another model that carries the key of this one; of several the first in `order`.
---@param options weft.HasOne
---@return weft.Association
function weft.has_one(options) end

---The row of another model whose key this one carries.
---
---    seller = weft.belongs_to { model = "seller_service.SellerInfo", foreign_key = "seller_id" }
---@param options weft.BelongsTo
---@return weft.Association
function weft.belongs_to(options) end

---Rows of another model through a table that has the keys of both.
---
---    tags = weft.many_to_many { model = "Tag", through = "product_tags", foreign_key = "product_id", other_key = "tag_id" }
---@param options weft.ManyToMany
---@return weft.Association
function weft.many_to_many(options) end

---Defines an association at run time, once, however often it is said, and returns what query:include takes.
---The same name with another definition raises usage.
---
---    local variants = weft.include { from = Product, to = "shop.Variant", as = "variants", foreign_key = "product_id" }
---    Product:include(variants):all()
---@param options weft.RuntimeInclude
---@return weft.IncludeSpec
function weft.include(options) end

---Forgets what weft.include has defined and how associations were wired: they are wired anew when they are used.
function weft.reset_associations() end

---Puts rows of other models, wherever they live, below the rows of a list: one statement for each batch_size
---distinct keys. Keys of one meaning match whatever their type (1, "1", a uuid in capitals). The list and its
---rows stay as they are. Raises what statements of the other databases raise.
---
---    weft.cross_join(orders, { { model = Seller, key = "seller_id", as = "seller", select = { "name" } } })
---@generic T
---@param rows T[] rows of queries, or plain tables
---@param joins weft.CrossJoin[]|weft.CrossJoin
---@return T[] rows copies in the same order, each with the fields that `as` names
function weft.cross_join(rows, joins) end

---An app without routes: what `weft serve` and `weft lambda` run. app.lua returns it.
---
---    local app = weft.app()
---    app:get("/products/:id", function(req) return Product:find(req.params.id) or 404 end)
---    return app
---@param options? { views?: string, dev?: boolean } views: the folder of templates ("views"); dev: errors tell their details
---@return weft.App
function weft.app(options) end

---A template of a text, as a function that gives its HTML: {{ value }} escaped for where it stands, {{{ html }}} as it
---is, {% Lua %}, {# remark #}. Raises usage with the line for one that is broken, or that puts a value where no escaping
---would make it safe.
---@param text string
---@return fun(data?: table): string
function weft.template(text) end

---Forgets loaded service scripts: the next call loads them anew, calls that are under way end with the old code.
---@param name? string of a script, as "cart"; all of them unless given
function weft.reload_services(name) end

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

---Raises one of Weft's errors for a program's own reasons: weft.fail("validation", "only 3 are left").
---@param kind weft.ErrorKind
---@param message string holds no values of parameters
---@param fields? table further fields of the error, as { errors = { ... }, column = "quantity" }; status = 403: of the answer, in an app
function weft.fail(kind, message, fields) end

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

---A condition: some row of the association holds this; without a condition, there is one.
---
---    Product:where(weft.some("variants.images", { position = 1 }))
---@param association string a name, or a path of names
---@param conditions? weft.Conditions names in it are those of the association's rows
---@return weft.Condition
function weft.some(association, conditions) end

---A condition: no row of the association holds this; without a condition, there is none.
---@param association string a name, or a path of names
---@param conditions? weft.Conditions
---@return weft.Condition
function weft.none(association, conditions) end

---A condition: every row of the association holds this; so it is when there is none. A row for which the
---condition is NULL does not hold it.
---@param association string a name, or a path of names
---@param conditions weft.Conditions
---@return weft.Condition
function weft.every(association, conditions) end

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
---changed: no statement. Associations that depend on a written column are loaded anew when they are touched. Raises not_found, stale, validation, unique, foreign_key, not_null, check, type.
---@param row weft.Row
---@return weft.Row row the same table, as stored
function weft.save(row) end

---Sets fields and saves. Raises as save does.
---@param row weft.Row
---@param values table<string, weft.Value>
---@return weft.Row row the same table, as stored
function weft.update(row, values) end

---Deletes the row, or notes that it is deleted where the model says so. Raises not_found when it is gone
---already, stale, foreign_key.
---@param row weft.Row
---@param options? { force?: boolean } force: really, where the model only notes it
function weft.delete(row, options) end

---Reads the row again, with the columns that it has; associations are loaded anew when they are touched. Raises
---not_found.
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
---@param options { level?: "debug"|"info"|"warn"|"error", sink?: string|fun(line: string, level: string) } level "info"; sink is a function, a file's path, or stderr
---@return fun() stop
function weft.log(options) end

---Figures of the open databases: { databases = { NAME = db:stats() } }; with "prometheus" the same as text for /metrics.
---@param format? "prometheus"
---@return table|string
function weft.metrics(format) end

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
---@field started? integer microseconds since 1970
---@field scope? integer number of the request that it ran for, under weft serve
---@field span? integer of weft.trace, for what reads spans
---@field count? integer n_plus_one: how often the look-up ran in a row
---@field place? string n_plus_one: "file:line" of the program, told of once
---@field model? string n_plus_one
---@field association? string n_plus_one: the one that was touched
---@field instead? string n_plus_one: what to write there
---@field request_id? string of a request that failed, as are the following
---@field trace_id? string
---@field method? string
---@field route? string the path of its route as it was written
---@field status? integer
---@field traceback? string

-- ---- traces ----

---Spans of requests, of statements and of what a program calls so.
---@class weft.trace
local trace = {}

---Begins to measure and tell. What the options leave open the variables OTEL_EXPORTER_OTLP_ENDPOINT,
---OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say. `weft serve` does it by itself.
---@param options? weft.TraceOptions
---@return boolean started false: neither the options nor the environment say where to
function trace.start(options) end

---Sends what was not sent yet, and ends the measuring. Without it a program's last second is not told.
---@param seconds? weft.Seconds that this may take at most (4)
function trace.stop(seconds) end

---Calls fn(span, ...), and tells how long it took and whether it failed; statements inside belong to it. Before start
---it just calls.
---@param name string|{ name: string, traceparent?: string, tracestate?: string } with those of a message: what it belongs to
---@param fn fun(span: weft.Span, ...): ...
---@param ... any
---@return ... what fn returns
function trace.span(name, fn, ...) end

---The id of the trace that runs, nil when there is none.
---@return string?
function trace.id() end

---The headers traceparent and tracestate with which another program continues the trace that runs; empty when there
---is none.
---@return table<string, string>
function trace.headers() end

---Spans that wait, were sent, were dropped, and posts that failed; nil when nothing is sent.
---@return { queued: integer, sent: integer, dropped: integer, failures: integer }?
function trace.stats() end

---@class weft.TraceOptions
---@field otlp? string URL of a collector that takes OTLP over HTTP, http://127.0.0.1:4318; spans are posted to /v1/traces below it
---@field log? boolean|fun(line: string) writes spans as lines of JSON, true: to stderr
---@field service? string what the collector calls this program
---@field sample? number from 0 to 1, of the traces that begin here (1)
---@field headers? table<string, string> sent to the collector; secrets

---One thing that took time.
---@class weft.Span
local Span = {}

---A fact about it; it is sent as it is. nil is none.
---@param name string
---@param value string|number|boolean|nil
---@return weft.Span
function Span:set(name, value) end

-- ---- configuration ----

---@class weft.Options
---@field databases? table<string, string|weft.DatabaseOptions> name = url, or a table
---@field migrate? "auto"|false for development: pending migrations run when a database is opened; where there are none, tables follow the models
---@field migrations? string the folder of migrations, migrations/<version>_<name>.lua or .sql ("migrations")
---@field models? string the folder of model scripts, models/<database>/<Model>.lua ("models")
---@field services? string the folder of service scripts, services/<name>.lua ("services")
---@field slow_query? weft.Seconds statements that take at least so long are slow (0.2)
---@field strict? boolean true: nothing is loaded on touch, anywhere; see weft.Query:strict (false)

---A database that is more than its url. Options of the other database's kind raise usage.
---@class weft.DatabaseOptions
---@field url string "sqlite:path", "sqlite::memory:", "postgres://user:password@host:port/name?option=value"
---@field pool? weft.PoolOptions
---@field statement_timeout? weft.Seconds a statement that takes longer raises timeout
---@field decimals? "string"|"number" how NUMERIC is shown (weft.decimal)
---@field zone? "utc" timestamps declared without a zone are in UTC
---@field naming? weft.NamingStyle|{ style?: weft.NamingStyle, plural?: fun(word: string): string } how associations found from foreign keys are named: in snake_case unless a style is given; plural of a singular
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

-- ---- a repository ----

---What a repository reads: any of these may be left out.
---@class weft.FindOptions
---@field where? weft.Conditions
---@field order? weft.Order
---@field include? string|weft.IncludeOptions|weft.IncludeSpec|(string|weft.IncludeOptions|weft.IncludeSpec)[]
---@field select? string|string[]
---@field limit? integer
---@field offset? integer

---What paginate reads.
---@class weft.PaginateOptions
---@field page? integer from 1 (1)
---@field size? integer rows of a page (20)
---@field where? weft.Conditions
---@field order? weft.Order the primary key decides between equals, and alone where nothing is said
---@field include? string|weft.IncludeOptions|weft.IncludeSpec|(string|weft.IncludeOptions|weft.IncludeSpec)[]
---@field select? string|string[]

---One page of a repository's rows.
---@class weft.Pages
---@field rows weft.Row[] none behind the last page
---@field total integer rows of all pages
---@field pages integer
---@field page integer
---@field size integer

---What is done most with one table. A model script of the table holds here, too: hooks, validation, versions, soft
---deletes. An id is the value of the key; of a composite key a list of values, or a table of column = value.
---Beside these there is a finder for each column, repository:find_by_<column>(value), as the column is spelled or
---in snake_case: the first row of that value, or nil. An unknown finder raises usage.
---@class weft.Repository
---@field model weft.Query the model underneath, for everything else
local Repository = {}

---All rows, or those that the options say.
---@param options? weft.FindOptions
---@return weft.Row[]
function Repository:find_all(options) end

---@param id weft.Value|weft.Value[]|table<string, weft.Value>
---@return weft.Row?
function Repository:find(id) end

---The first row of these values, by primary key. An empty table raises usage.
---@param values table<string, weft.Value|weft.Value[]>
---@return weft.Row?
function Repository:find_by(values) end

---The row of a key with its associations.
---@param id weft.Value|weft.Value[]|table<string, weft.Value>
---@param what string|weft.IncludeOptions|weft.IncludeSpec|(string|weft.IncludeOptions|weft.IncludeSpec)[] as { "posts.comments", "profile" }
---@return weft.Row?
function Repository:find_with(id, what) end

---The number of rows.
---@param conditions? weft.Conditions
---@return integer
function Repository:count(conditions) end

---Is there a row of this key, or one of these values? Without an argument: is there any?
---@param ... weft.Value|weft.Value[]|table<string, weft.Value>
---@return boolean
function Repository:exists(...) end

---One page, and how many there are. A table without a primary key needs an order.
---@param options? weft.PaginateOptions
---@return weft.Pages
function Repository:paginate(options) end

---Inserts a row. Raises validation, unique, foreign_key, not_null, check, type.
---@param values table<string, weft.Value|weft.Raw>
---@return weft.Row row as stored
function Repository:create(values) end

---Sets columns of the row of a key. Raises not_found, and as create does.
---@param id weft.Value|weft.Value[]|table<string, weft.Value>
---@param values table<string, weft.Value>
---@return weft.Row row as stored
function Repository:update(id, values) end

---Deletes the row of a key, or notes that it is deleted where the model says so. Raises foreign_key.
---@param id weft.Value|weft.Value[]|table<string, weft.Value>
---@return boolean # whether there was one
function Repository:delete(id) end

-- ---- a schema ----

---A database as it was last read. Lists are in an order that is always the same; their elements are also found by key
---or name: schema:tables().users, t.columns.id. Nothing in them is to be changed.
---@class weft.Schema
---@field db weft.Database
---@field dialect "sqlite"|"postgres"|"mysql"
---@field database string its name in weft.configure
local Schema = {}

---Tables, without partitions: those that a bare name finds first.
---@return weft.Table[]
function Schema:tables() end

---Views and materialized views.
---@return weft.Table[]
function Schema:views() end

---A table or view by "name" or "schema.name", without regard to case when none is spelled so.
---@param name string
---@return weft.Table?
function Schema:table(name) end

---Types that are enums (PostgreSQL; columns of MySQL have `values`).
---@return weft.Enum[]
function Schema:enums() end

---@return weft.Domain[]
function Schema:domains() end

---Composite types.
---@return weft.RowType[]
function Schema:types() end

---@return weft.Sequence[]
function Schema:sequences() end

---Names of the schemas that have something in them.
---@return string[]
function Schema:schemas() end

---What could not be read, and why; everything else is there.
---@return { what: string, why: string }[]
function Schema:left_out() end

---Everything as a plain table. A later change of the database makes a new one.
---@return weft.Model
function Schema:model() end

---Looks for changes since the last refresh or, the first time, since it was first read.
---@return weft.Change[]
function Schema:refresh() end

---@class weft.Model
---@field tables weft.Table[]
---@field views weft.Table[]
---@field enums weft.Enum[]
---@field domains weft.Domain[]
---@field types weft.RowType[]
---@field sequences weft.Sequence[]
---@field schemas string[]
---@field left_out { what: string, why: string }[]

---A table or view. SQL texts are the database's own.
---@class weft.Table
---@field name string
---@field schema? string nil where it need not be said
---@field key string "name", or "schema.name" when a bare name does not find it
---@field visible? boolean whether a bare name finds it
---@field kind "table"|"partitioned"|"foreign"|"virtual"|"view"|"materialized_view"
---@field comment? string
---@field columns weft.Column[]
---@field primary_key string[] names of columns, {} without one
---@field primary_key_name? string
---@field primary_key_conflict? string SQLite: on conflict
---@field foreign_keys weft.ForeignKey[]
---@field uniques weft.Unique[]
---@field indexes weft.Index[] those that back no key
---@field checks weft.Check[]
---@field exclusions { name: string, definition: string }[] PostgreSQL
---@field triggers weft.Trigger[]
---@field inherits? string[] keys of tables
---@field partition_by? string
---@field partitions? weft.Partition[]
---@field without_rowid? boolean SQLite
---@field strict? boolean SQLite
---@field module? string SQLite: of a virtual table
---@field engine? string MySQL
---@field charset? string MySQL
---@field collation? string MySQL
---@field create_options? string MySQL
---@field options? string[] PostgreSQL: storage
---@field definition? string the select of a view
---@field columns_of? table<string, { table: string, column: string }> the columns that a view's are

---@class weft.Column
---@field name string
---@field position integer
---@field type string as the database spells it, "" where there is none
---@field kind "integer"|"number"|"decimal"|"boolean"|"string"|"bytes"|"json"|"array"|"timestamp"|"timestamptz"|"date"|"time"|"interval"|"uuid"|"any" of its values in Lua
---@field elem? string the kind of an array's elements
---@field length? integer
---@field precision? integer
---@field scale? integer
---@field nullable? boolean
---@field default? string
---@field generated? "stored"|"virtual"
---@field expression? string of a generated column
---@field identity? "always"|"by default"
---@field auto_increment? boolean
---@field rowid? boolean SQLite: it is the rowid
---@field on_update? string MySQL
---@field on_conflict? string SQLite: of its not null
---@field collation? string where it is not the usual one
---@field comment? string
---@field enum? string key of its enum
---@field domain? string key of its domain
---@field values? string[] MySQL: of an ENUM or SET
---@field unsigned? boolean
---@field hidden? boolean not among the columns of select *
---@field inherited? boolean
---@field key? integer its place in the primary key

---@class weft.ForeignKey
---@field name? string
---@field columns string[]
---@field schema? string the target's, where it has to be said
---@field table string the target
---@field key string the target's key
---@field target string[] its columns, pairwise equal to columns
---@field on_update string
---@field on_delete string
---@field set_columns? string[] those that on_delete sets
---@field match? "full"
---@field deferrable? boolean
---@field initially_deferred? boolean
---@field valid boolean
---@field missing? boolean there is no such table

---@class weft.Unique
---@field name? string
---@field columns string[]
---@field include? string[]
---@field nulls_distinct? false
---@field deferrable? boolean
---@field initially_deferred? boolean
---@field on_conflict? string SQLite

---@class weft.Index
---@field name string
---@field unique? boolean
---@field method? string
---@field parts weft.IndexPart[]
---@field include? string[]
---@field where? string
---@field valid boolean
---@field options? string[]
---@field nulls_distinct? false
---@field comment? string

---@class weft.IndexPart
---@field column? string
---@field expression? string
---@field order? "desc"
---@field nulls? "first"|"last" where that is not usual
---@field collation? string
---@field opclass? string
---@field length? integer MySQL: so much of the text

---@class weft.Check
---@field name? string
---@field expression string
---@field column? string of the column that it was written at
---@field valid boolean
---@field no_inherit? boolean

---@class weft.Trigger
---@field name string
---@field timing string
---@field events string
---@field statement? string

---@class weft.Partition
---@field name string
---@field schema? string
---@field bound string
---@field partition_by? string
---@field partitions? weft.Partition[]

---@class weft.Enum
---@field name string
---@field schema? string
---@field key string
---@field visible? boolean
---@field values string[]
---@field comment? string

---@class weft.Domain
---@field name string
---@field schema? string
---@field key string
---@field visible? boolean
---@field type string
---@field nullable? boolean
---@field default? string
---@field checks { name: string, expression: string }[]
---@field comment? string

---@class weft.RowType
---@field name string
---@field schema? string
---@field key string
---@field visible? boolean
---@field attributes { name: string, type: string }[]
---@field comment? string

---@class weft.Sequence
---@field name string
---@field schema? string
---@field key string
---@field visible? boolean
---@field type? string
---@field start? integer
---@field increment? integer
---@field min? integer
---@field max? integer
---@field cycle? boolean
---@field owned_by? { table: string, column: string }

---@class weft.Change
---@field op "added"|"removed"|"altered"|"renamed"
---@field what string "table", "view", "column", "primary_key", "foreign_key", "unique", "index", "check", "enum" and so on
---@field table? string key of the table that has it
---@field name? string
---@field from? table the object as it was
---@field to? table the object as it is
---@field fields? string[] those that differ

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

---A service, by its name. The first call loads its script, services/cart.lua or services/cart/add.lua for
---services.cart.add; it may wait. The script returns a function(input, context) or a table of them; context is
---{ service = "cart.add" } unless the caller gives one.
---@class weft.Service: { [string]: weft.Service }
---@overload fun(input?: any, context?: table): ...

---@class weft.ModelDefinition
---@field table? string the table (found from the model's name)
---@field schema? string PostgreSQL: the schema (found by the search path)
---@field primary_key? string|string[] (discovered)
---@field columns? table<string, weft.ColumnOptions|weft.ColumnAs> only what differs
---@field associations? table<string, weft.Association> by name; a definition goes before what foreign keys give
---@field strict? boolean true: rows of this model load nothing on touch; see weft.Query:strict
---@field scopes? table<string, fun(query: weft.Query, ...): weft.Query> further steps of its queries
---@field methods? table<string, fun(row: weft.Row, ...): any> what its rows can do
---@field timestamps? boolean|weft.Timestamps true: created_at and updated_at, where the table has them
---@field version? string an integer column, NOT NULL best, that counts the changes of a row; a row in memory of another version is stale
---@field soft_delete? string the column that notes when a row was deleted; NULL: it was not. In a boolean one true notes that it was. Deleted rows are found nowhere: not by associations, joins or conditions, and as rows in between they lead nowhere
---@field validate? table<string|integer, weft.Rules|fun(row: table): ...> rules by column; functions at positions, over whole rows
---@field hooks? weft.Hooks

---Options of weft.has_many. Keys are columns, or lists of columns in the same order on both sides.
---@class weft.HasMany
---@field model? string|weft.Query "Variant", "database.Variant" or a model (found from the association's name)
---@field foreign_key? weft.Key columns there that carry this key
---@field source_key? weft.Key columns here that they point to (the primary key)
---@field order? weft.Order
---@field where? weft.Conditions which of the rows belong to it

---Options of weft.has_one.
---@class weft.HasOne: weft.HasMany
---@field model? string|weft.Query
---@field foreign_key? weft.Key columns there that carry this key
---@field source_key? weft.Key columns here that they point to (the primary key)
---@field order? weft.Order of several rows the first
---@field where? weft.Conditions

---Options of weft.belongs_to.
---@class weft.BelongsTo
---@field model? string|weft.Query
---@field foreign_key? weft.Key columns here that carry the key of the other
---@field target_key? weft.Key columns there that they point to (the primary key)
---@field where? weft.Conditions

---Options of weft.many_to_many.
---@class weft.ManyToMany
---@field model? string|weft.Query
---@field through string|weft.Query the table in between, "table" or "database.table", or its model
---@field foreign_key? weft.Key columns in between that carry the key of this one
---@field other_key? weft.Key columns in between that carry the key of the other
---@field source_key? weft.Key columns here (the primary key)
---@field target_key? weft.Key columns there (the primary key)
---@field order? weft.Order
---@field where? weft.Conditions of the other's rows

---What an include says of one association. It holds for each parent.
---@class weft.IncludeOptions
---@field [1] string a name, or a path of names
---@field where? weft.Conditions
---@field order? weft.Order instead of the association's own
---@field select? string|string[]|table<string|integer, weft.Operand> columns; keys that are needed are read, not shown
---@field limit? integer rows for each parent
---@field offset? integer rows of each parent that are left out at the start
---@field scope? string|fun(query: weft.Query): weft.Query a scope of the other model, or further steps
---@field through? true|string many_to_many within one database: each row gets the row in between, under the singular of its table or this name
---@field include? string|weft.IncludeOptions|weft.IncludeSpec|(string|weft.IncludeOptions|weft.IncludeSpec)[] what is included below

---What weft.include takes: a definition, and what an include of it says.
---@class weft.RuntimeInclude
---@field from string|weft.Query the model that gets it, or its name as "database.Model"
---@field to string|weft.Query the model of its rows
---@field as? string its name (found from the other model's)
---@field type? weft.AssociationType "has_many"
---@field foreign_key? weft.Key as of weft.has_many and its like
---@field source_key? weft.Key
---@field target_key? weft.Key
---@field through? string|weft.Query many_to_many: the table in between
---@field other_key? weft.Key many_to_many
---@field order? weft.Order
---@field where? weft.Conditions
---@field select? string|string[]
---@field limit? integer rows for each parent
---@field offset? integer
---@field scope? string|fun(query: weft.Query): weft.Query
---@field include? string|weft.IncludeOptions|weft.IncludeSpec|(string|weft.IncludeOptions|weft.IncludeSpec)[]

---One join of weft.cross_join.
---@class weft.CrossJoin
---@field model string|weft.Query a model, or its name as "database.Model"
---@field key weft.Key fields of the given rows
---@field foreign_key? weft.Key columns of the model that equal them (called as the fields are)
---@field as string the field under which the rows are put
---@field many? boolean true: a list, empty when there is none; else one row, absent when there is none (false)
---@field select? string|string[]
---@field where? weft.Conditions
---@field order? weft.Order
---@field limit? integer rows for each given row
---@field batch_size? integer distinct keys of one statement (500)

---Columns that hold when a row was made and changed last, in the form of their type: text, or seconds since
---1970 in a column of numbers (microseconds as "us"). A value that is given stays. false: none.
---@class weft.Timestamps
---@field created? string|false "created_at", if there is one
---@field updated? string|false "updated_at", if there is one

---What a column must be. A value that is NULL or absent is subject to required alone, an expression to
---none. All failures of a write are raised at once, as one error of kind validation.
---@class weft.Rules
---@field required? boolean not absent, NULL or "" in a new row; neither NULL nor "" when it is set
---@field min? number|weft.Decimal of a text the characters, of a number the value
---@field max? number|weft.Decimal
---@field length? integer|{ min?: integer, max?: integer } characters, exactly or from { 2, 5 } to
---@field pattern? string a Lua pattern
---@field one_of? weft.Value[]
---@field integer? boolean a whole number
---@field format? "email"|"url"|"uuid" name@domain.tld; scheme://host...; 8-4-4-4-12 hexadecimal digits
---@field check? fun(value: any, row: table): boolean, string? false, and why; it may wait
---@field message? string instead of the rules' own

---Functions, or lists of them, around writes and reads. They may wait. save means create and update, outside
---of these. What one raises is raised by the call, and undoes what the call and its hooks have written. A
---new row is a copy of the given values before it is written: a hook may change it. An upsert counts as a
---create. A query's update, increment and delete read and lock their rows and write them one by one where
---there are such hooks, or functions of validate ({ hooks = false }: at once, without). Not run when nothing
---changes.
---
---Hooks of queries hold wherever rows of the model are read: by its own queries, by include, touch and
---cross_join, in conditions and joins through associations, as rows in between. Inside of another statement what
---before_query adds is said as conditions; there a query that joins, groups or asks for deleted rows raises
---unsupported, and order and limit do not count. after_query is told of rows that are given to somebody: those of a
---level once what is below them is linked, in a list of its own, levels below first; never of an empty one, of text
---(json) or of keys. Writes of a query, reading a lazy column and checking a version ask neither.
---@class weft.Hooks
---@field before_create? weft.Hook|weft.Hook[] with the values
---@field after_create? weft.Hook|weft.Hook[] with the row as stored
---@field before_update? weft.Hook|weft.Hook[] with the row and its changes
---@field after_update? weft.Hook|weft.Hook[]
---@field before_delete? weft.Hook|weft.Hook[]
---@field after_delete? weft.Hook|weft.Hook[]
---@field before_save? weft.Hook|weft.Hook[]
---@field after_save? weft.Hook|weft.Hook[]
---@field before_query? weft.QueryHook|weft.QueryHook[] of every read; may return another query of the model
---@field after_query? weft.RowsHook|weft.RowsHook[] of rows that were read; one row is a list of one

---@alias weft.Hook fun(row: weft.Row|table<string, any>)
---@alias weft.QueryHook fun(query: weft.Query): weft.Query?
---@alias weft.RowsHook fun(rows: weft.Row[], query: weft.Query)

---How a column is shown: text; a float; seconds since 1970; integer microseconds since 1970; decoded json.
---@alias weft.ColumnAs "string"|"number"|"epoch"|"us"|"json"

---@class weft.ColumnOptions
---@field as? weft.ColumnAs
---@field lazy? boolean left out until it is touched, then fetched for the rows around it as well
---@field type? string what the column is made as: a portable word as "decimal(10,2)", or a type of the database. A model with
---such columns describes its table wholly; what follows is said of them
---@field null? boolean false: takes no NULL
---@field default? any a value, or weft.raw
---@field unique? boolean
---@field index? boolean|table true, or options as those of an index in a migration
---@field references? string|table a table, or { "users", target = column, on_delete = "cascade", on_update = "cascade" }
---@field comment? string
---@field check? string|weft.Raw a condition in SQL

---A row: a plain table of its columns (NULL is absent) whose metatable knows its model. An association that was
---not included is loaded when it is touched, for the 500 rows around this one at once. A column or
---association of one of these names hides the method; weft.save(row) and the others work always.
---@class weft.Row: { [string]: any }
---@field save fun(self: weft.Row): weft.Row writes what changed; see weft.save
---@field update fun(self: weft.Row, values: table<string, weft.Value>): weft.Row see weft.update
---@field delete fun(self: weft.Row, options?: { force?: boolean }) see weft.delete
---@field reload fun(self: weft.Row): weft.Row see weft.reload
---@field changed fun(self: weft.Row): string[], table<string, any> see weft.changed

---A model, or a query of it: immutable; every step returns a new one; nothing runs before a terminal call.
---Unknown columns raise usage, at the step when the table is known, else at the terminal call; values that
---cannot become the column's type raise type. Terminals raise what statements of weft.Database raise.
---@class weft.Query
local Query = {}

---A further condition: a table, a mark, or a column, an operator and a value. A second argument behind a
---table names keys that must be present in it. A column may be one of an association, "seller.rating": some
---such row exists. Those of one call speak of the same row, those of several need not. Where it lives in another
---database its keys travel; more than 100,000 raise unsupported.
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

---The rows of associations come with the rows of the query: a statement for each, whichever database they
---live in. Names may be paths; a table has options, which hold for each parent. What has many rows
---is a list (empty: none), what has one is absent when there is none. Repeated includes are merged. An unknown
---name raises usage.
---
---    Product:include("variants.images", { "reviews", limit = 3, order = { "created_at", "desc" } }, "seller")
---@param ... string|weft.IncludeOptions|weft.IncludeSpec
---@return weft.Query
function Query:include(...) end

---Joins an association, or a path of them: its name is a prefix in later steps, parents repeat per match. Raises
---unsupported when it lives in another database.
---
---    Product:join("variants"):where("variants.sku", "=", "X")
---@param association string
---@return weft.Query
function Query:join(association) end

---As join; a parent without a match stays, once.
---@param association string
---@return weft.Query
function Query:left_join(association) end

---Rows of this query load nothing on touch: an association that was not included, or a lazy column, raises usage.
---@return weft.Query
function Query:strict() end

---Equal rows once.
---@return weft.Query
function Query:distinct() end

---Rows that the model counts as deleted (soft_delete) too.
---@return weft.Query
function Query:with_deleted() end

---Those rows alone. Raises usage when the model has no soft_delete.
---@return weft.Query
function Query:only_deleted() end

---Locks the rows; inside a transaction only, else usage. SQLite has one writer: nothing to lock.
---@param mode? weft.LockMode "update"
---@return weft.Query
function Query:lock(mode) end

---batch(false): this look-up by key never joins those of other tasks.
---@param on boolean
---@return weft.Query
function Query:batch(on) end

---How included levels of one database are asked for: all in one round trip where the database can ("together"),
---each by the keys of the rows above it ("keyed"). Unless said, as seems cheaper.
---@param how "together"|"keyed"
---@return weft.Query
function Query:fetch(how) end

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

---Inserts one row. Raises validation, unique, foreign_key, not_null, check, type.
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
---@param options? { all?: boolean, hooks?: boolean } hooks = false: in one statement, without them
---@return integer rows
function Query:update(values, options) end

---Deletes the rows of the query. Without a condition it raises usage unless { all = true }.
---@param options? { all?: boolean, hooks?: boolean, force?: boolean } force: really, where the model only notes it
---@return integer rows
function Query:delete(options) end

---Adds to a column in the database. Without a condition it raises usage unless { all = true }.
---@param column string
---@param by? number|weft.Decimal 1
---@param options? { all?: boolean, hooks?: boolean }
---@return integer rows
function Query:increment(column, by, options) end

-- ---- apps ----

---What a handler returns: a table (JSON), a text, a query (its rows as JSON), a status, or a status and a body.
---@alias weft.Handler fun(req: weft.Request, res: weft.Response): any, any
---What stands around handlers. next() goes on and returns what the handler returned.
---@alias weft.Middleware fun(req: weft.Request, res: weft.Response, next: fun(): any, any): any, any

---The verbs of apps and groups. A path's ":id" is a parameter, "*rest" at its end the rest of a path.
---@class weft.Routes
local Routes = {}

---Answers GET, and HEAD, which it answers without a body.
---@param path string
---@param fn weft.Handler
function Routes:get(path, fn) end

---Answers POST.
---@param path string
---@param fn weft.Handler
function Routes:post(path, fn) end

---Answers PUT.
---@param path string
---@param fn weft.Handler
function Routes:put(path, fn) end

---Answers PATCH.
---@param path string
---@param fn weft.Handler
function Routes:patch(path, fn) end

---Answers DELETE.
---@param path string
---@param fn weft.Handler
function Routes:delete(path, fn) end

---Answers HEAD otherwise than GET does.
---@param path string
---@param fn weft.Handler
function Routes:head(path, fn) end

---Answers OPTIONS otherwise than with the methods that are allowed.
---@param path string
---@param fn weft.Handler
function Routes:options(path, fn) end

---Answers every method that has no route of its own there.
---@param path string
---@param fn weft.Handler
function Routes:all(path, fn) end

---Answers a method by its name.
---@param method string "GET", "PURGE" ...
---@param path string
---@param fn weft.Handler
function Routes:route(method, path, fn) end

---Calls fn(group): routes below a prefix, with middleware of their own.
---@param prefix string
---@param fn fun(group: weft.Group)
function Routes:group(prefix, fn) end

---Adds middleware: of all requests of an app, those without a route, too; of the routes of a group. It runs in the
---order of use. With a path: for that one and below.
---@param path string|weft.Middleware
---@param fn? weft.Middleware
function Routes:use(path, fn) end

---@class weft.Group: weft.Routes

---What weft.app makes.
---@class weft.App: weft.Routes
---@field dev boolean whether errors tell their details
---@field views string the folder of templates
local App = {}

---Hands requests to a prefix and below to another app, which sees them by the rest of their path.
---@param prefix string
---@param other weft.App
function App:mount(prefix, other) end

---Serves the plain files of a folder below a prefix; nothing outside of the folder, no name that begins with a dot.
---@param prefix string
---@param folder string
---@param options? { max_age?: integer, index?: string|false } max_age: seconds for which clients keep them; index: "index.html"
function App:static(prefix, folder, options) end

---Sessions in a signed cookie: req.session is a table, kept when it was changed; {} ends it. Clients can read it.
---@param options weft.SessionOptions
function App:sessions(options) end

---Lets pages of other origins use the app.
---@param options weft.CorsOptions
function App:cors(options) end

---Answers 403 where a page of another site sends a request that is neither GET, HEAD nor OPTIONS.
---@param options? { origins?: string|string[]|fun(origin: string): boolean } which may all the same
function App:csrf(options) end

---Answers what is raised with what fn returns; nothing: as without it. res.status is what it would be.
---@param fn fun(err: any, req: weft.Request, res: weft.Response): any, any
function App:on_error(fn) end

---Answers requests without a route, and those whose handler returns 404 alone, with what fn returns.
---@param fn weft.Handler
function App:not_found(fn) end

---The HTML of a template of the folder `views`.
---@param name string "products/show" is views/products/show.html
---@param data? table what its expressions see
---@return string
function App:template(name, data) end

---Calls fn() before the first request of a worker. What it raises keeps the worker from starting.
---@param fn fun()
function App:on_start(fn) end

---Calls fn() after the last request of a worker.
---@param fn fun()
function App:on_stop(fn) end

---Runs what on_start was given; for who serves the app.
function App:start() end

---Runs what on_stop was given, the last one first; for who serves the app.
function App:stop() end

---Answers one request; for who serves the app. Never raises.
---@param exchange table
---@return string? route the path of the route that answered, as it was written
function App:dispatch(exchange) end

---Answers a request in this process: what specs are written with.
---
---    assert(app:test({ method = "POST", path = "/products", json = { title = "Lamp" } }).status == 201)
---@param given weft.TestRequest|string a path, or a table
---@return weft.TestResponse
function App:test(given) end

---@class weft.TestRequest
---@field method? string GET
---@field path? string with a query: "/products?page=2"
---@field query? table<string, string|string[]>
---@field headers? table<string, string>
---@field cookies? table<string, string>
---@field body? string
---@field json? any a body of JSON
---@field form? table<string, any> a body as forms send it: texts, files as { name =, type =, data = }, lists of them
---@field id? string
---@field remote? string
---@field scheme? string
---@field left? weft.Seconds until the deadline

---@class weft.TestResponse
---@field status integer
---@field headers table<string, string> names in lower case; several lines of one name are joined by ", "
---@field cookies table<string, string> what was set
---@field body string
---@field json any of a body that is JSON

---A request. Middleware may set further fields.
---@class weft.Request
---@field method string
---@field path string decoded
---@field target string as it was sent
---@field params table<string, string> of the route
---@field query table<string, string|string[]> a name that comes several times has a list; raises type (400) when it is broken
---@field headers table<string, string> names in any case
---@field cookies table<string, string>
---@field body string
---@field id string
---@field trace_id? string of W3C Trace Context: the one that came, or that begins here; nil when there is none
---@field remote string the client's address
---@field scheme "http"|"https"
---@field host string
---@field deadline? weft.Seconds that are left
---@field route? string the path of its route as it was written
---@field session? table with app:sessions
---@field app weft.App that answers
local Request = {}

---The value of one header, nil when it did not come.
---@param name string in any case
---@return string?
function Request:header(name) end

---The body, a JSON object or array. Raises type, which is answered with 400 (415 for another content type).
---@param names? string[] the fields that an object may have; another one raises type, too
---@return table
function Request:json(names) end

---A whole number of the route's parameters or the query. Raises type (400) for one that is none, is out of range, or,
---without a default, did not come.
---@param name string
---@param default? integer
---@param least? integer
---@param most? integer
---@return integer
function Request:integer(name, default, least, most) end

---The fields of a form, urlencoded or multipart. Raises type, which is answered with 400 (415 for another content type).
---@return table<string, string|weft.File|(string|weft.File)[]>
function Request:form() end

---Whether the client would rather have this type of content than JSON.
---@param kind string "text/html"
---@return boolean
function Request:prefers(kind) end

---A file of a form.
---@class weft.File
---@field name string without folders
---@field type string as the client says
---@field data string

---Names in any case; a list for several lines. What could split a response raises usage.
---@class weft.Headers: { [string]: string|number|string[] }

---@class weft.Response
---@field status integer 200
---@field headers weft.Headers
local Response = {}

---Answers with plain text.
---@param text string
---@param code? integer status
---@return weft.Response
function Response:text(text, code) end

---Answers with HTML as it is.
---@param text string
---@param code? integer status
---@return weft.Response
function Response:html(text, code) end

---Answers with a value as JSON.
---@param value any what weft.encode takes, or a query
---@param code? integer status
---@return weft.Response
function Response:json(value, code) end

---Answers with a template of the app's folder `views`.
---@param name string "products/show" is views/products/show.html
---@param data? table
---@param code? integer status
---@return weft.Response
function Response:render(name, data, code) end

---Answers with a file of the disk: its type by its name, ETag, ranges; 404 when there is none.
---@param path string
---@return weft.Response
function Response:file(path) end

---Answers with a redirect to a path of this site, or to a whole http:// or https:// address; "//host" raises usage.
---@param target string
---@param code? integer 302; 303 behind a method that is neither GET nor HEAD
---@return weft.Response
function Response:redirect(target, code) end

---Sets a cookie; raises usage for what no browser would take. A max_age of 0 takes it away.
---@param name string
---@param value string
---@param options? weft.CookieOptions
function Response:cookie(name, value, options) end

---Sends a part of the body, waiting while the client is slow. Raises closed when it is gone.
---@param chunk string
function Response:write(chunk) end

---Sends a server-sent event.
---@param event { event?: string, data?: any, id?: string|integer, retry?: integer, comment?: string } data: text, else JSON; retry: milliseconds
function Response:event(event) end

---Calls fn(res) before the head leaves, the last moment to set a header; what was given last is called first.
---@param fn fun(res: weft.Response)
function Response:before_head(fn) end

---@class weft.CookieOptions
---@field path? string "/"
---@field domain? string
---@field max_age? integer seconds
---@field expires? integer seconds since 1970
---@field secure? boolean
---@field http_only? boolean
---@field same_site? "strict"|"lax"|"none"

---@class weft.SessionOptions
---@field secret string|string[] 32 bytes at least; of a list the first signs and all are accepted
---@field name? string of the cookie ("session")
---@field max_age? integer seconds (two weeks)
---@field same_site? "strict"|"lax"|"none" lax
---@field secure? boolean when the request came by https, unless given
---@field domain? string
---@field path? string "/"

---@class weft.CorsOptions
---@field origins "*"|string[]|fun(origin: string): boolean
---@field methods? string|string[] GET, HEAD, POST, PUT, PATCH, DELETE
---@field headers? string|string[] what the browser asks for, unless given
---@field expose? string|string[]
---@field credentials? boolean
---@field max_age? integer seconds for which browsers remember the answer

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
---@field errors? { column: string, rule: string, message: string, index: integer? }[] of validation; index: of the row in create_many
---@field context? any
---@field cause? any what a model script raised
---@field status? integer of the answer to a request, where weft.fail gave it
---@field retry_after? integer seconds, likewise

return weft
