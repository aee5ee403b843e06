-- SPDX-License-Identifier: MIT
---@meta
-- What editors know of a repository: see weft.lua.
-- luacheck: ignore

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
