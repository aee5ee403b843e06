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
---what fn raises, else the error of a task that nobody awaited (and nobody cancelled). Inside a transaction fn is in it.
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

return weft
