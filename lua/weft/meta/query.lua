-- SPDX-License-Identifier: MIT
---@meta
-- What editors know of queries: see weft.lua.
-- luacheck: ignore

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
