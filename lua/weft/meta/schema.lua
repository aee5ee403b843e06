-- SPDX-License-Identifier: MIT
---@meta
-- What editors know of a schema: see weft.lua.
-- luacheck: ignore

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
