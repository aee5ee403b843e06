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

---What is said of any value that was raised: of a plain table its fields, since its address would say nothing.
---@param raised any
---@return string
function errors.text(raised)
  if type(raised) == "table" and not getmetatable(raised) then
    local encoded, json = pcall(core.encode, raised)
    if encoded then return json end
  end
  return tostring(raised)
end

---Raises one of Weft's errors for a program's own reasons: fail("validation", "only 3 left").
---@param kind weft.ErrorKind
---@param message string
---@param fields? table further fields of the error, as { errors = { ... } }
function errors.fail(kind, message, fields)
  if type(kind) ~= "string" or type(message) ~= "string" then errors.usage("fail takes a kind and a message") end
  if fields ~= nil and type(fields) ~= "table" then errors.usage("fail: further fields are a table") end
  errors.check_names({ [kind] = true }, core.kinds, "kind of error")
  local copy = {}
  for name, value in pairs(fields or {}) do copy[name] = value end
  errors.raise(kind, message, copy)
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

---Raises usage for a key of `values` that is no column of the model's table, with the nearest one.
---@param values table<string, any>
---@param known table what core.table gives
---@param info table the model info
function errors.check_columns(values, known, info)
  for name in pairs(values) do
    if type(name) ~= "string" then errors.usage("keys are column names of %s; a list is given", known.name) end
    if not known.types[name] then
      if info.associations[name] then
        errors.usage("'%s' is an association of %s, not a column: its rows are written by themselves", name, known.name)
      end
      local near = core.nearest(name, known.columns)
      errors.usage("unknown column '%s' of %s%s", tostring(name), known.name,
        near and ("; did you mean '%s'?"):format(near) or "")
    end
  end
end

local never = { usage = true, cancelled = true, internal = true }

---Calls `fn`; returns its results, or nil and the error when Weft raised one that a program can
---handle. Errors of use, cancellation, internal errors and errors that are not Weft's go on.
---@generic T
---@param fn fun(...): T
---@return T? result
---@return weft.Error? error
function errors.try(fn, ...)
  local meta = getmetatable(fn)
  if type(fn) ~= "function" and not (type(meta) == "table" and meta.__call) then errors.usage("try takes a function, got %s", type(fn)) end
  local results = table.pack(pcall(fn, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local err = results[2]
  if core.is_error(err) and not never[err.kind] then return nil, err end
  error(err, 0)
end

return errors
