-- SPDX-License-Identifier: MIT
---@meta
-- What editors know of models: see weft.lua.
-- luacheck: ignore

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
