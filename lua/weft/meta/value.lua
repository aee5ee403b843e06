-- SPDX-License-Identifier: MIT
---@meta
-- What editors know of values, tasks and errors: see weft.lua.
-- luacheck: ignore

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
