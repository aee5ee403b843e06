-- SPDX-License-Identifier: MIT
-- Raising and catching Weft's error tables.

local core = require "weft.core"

local errors = {}

---Raises an error table.
---@param kind string one of the kinds of errors
---@param message string never holds a parameter's value
---@param fields? table further fields of the error
function errors.raise(kind, message, fields)
  local err = fields or {}
  err.kind, err.message = kind, message
  core.error(err)
end

---Raises kind "usage", naming the caller's line.
---@param format string
function errors.usage(format, ...)
  core.error { kind = "usage", message = format:format(...) }
end

---Raises usage for a key of `given` that is not among `known`, with the nearest valid name.
---@param given table
---@param known string[] valid names
---@param what string "option of transaction"
function errors.check_names(given, known, what)
  local valid = {}
  for _, name in ipairs(known) do valid[name] = true end
  local wrong
  for name in pairs(given) do -- the first wrong one by name, whatever pairs gives first
    if not valid[name] and (not wrong or tostring(name) < tostring(wrong)) then wrong = name end
  end
  if wrong == nil then return end
  local near = type(wrong) == "string" and core.nearest(wrong, known)
  errors.usage("unknown %s '%s'%s", what, tostring(wrong),
    near and ("; did you mean '%s'?"):format(near) or "")
end

local never = { usage = true, cancelled = true, internal = true }

---Calls `fn`; returns its results, or nil and the error when Weft raised one that a program can
---handle. Errors of use, cancellation, internal errors and errors that are not Weft's go on.
---@generic T
---@param fn fun(...): T
---@return T? result
---@return weft.Error? error
function errors.try(fn, ...)
  if type(fn) ~= "function" then errors.usage("try takes a function, got %s", type(fn)) end
  local results = table.pack(pcall(fn, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local err = results[2]
  if core.is_error(err) and not never[err.kind] then return nil, err end
  error(err, 0)
end

return errors
