-- SPDX-License-Identifier: MIT
-- W3C Trace Context: the headers traceparent and tracestate, read and written as the recommendation says.

local M = {}

local MEMBERS, LENGTH = 32, 512 -- of a tracestate, at most

---@class weft.TraceParent
---@field trace_id string 32 hexadecimal digits
---@field id string 16, of the caller's span
---@field sampled boolean
---@field state? string tracestate

local function all_zero(text) return not text:find "[^0]" end

---What a traceparent says; nothing when it is none. Later versions are read as far as this one knows them.
---@param text any
---@return string? trace_id
---@return string? id
---@return boolean? sampled
local function read_parent(text)
  if type(text) ~= "string" then return nil end
  local version, trace_id, id, flags, rest = text:match "^(%x%x)%-(%x+)%-(%x+)%-(%x%x)(.*)$"
  if not version or #trace_id ~= 32 or #id ~= 16 or text:sub(1, 55):find "%u" then return nil end
  if version == "ff" or all_zero(trace_id) or all_zero(id) then return nil end
  if rest ~= "" and (version == "00" or rest:sub(1, 1) ~= "-") then return nil end
  return trace_id, id, tonumber(flags, 16) & 1 == 1
end

local function is_key(key)
  local tenant, system = key:match "^(.-)@(.*)$"
  if tenant then
    return #tenant <= 241 and #system <= 14 and tenant:find "^[%l%d][%l%d_%-*/]*$" ~= nil and system:find "^%l[%l%d_%-*/]*$" ~= nil
  end
  return #key <= 256 and key:find "^%l[%l%d_%-*/]*$" ~= nil
end

local function is_value(value) return #value <= 256 and value:find "^[^%c,=\x7f-\xff]*[^%c,= \x7f-\xff]$" ~= nil end

---A tracestate that is one, whole; else nothing.
---@param text any
---@return string?
local function read_state(text)
  if type(text) ~= "string" or #text > LENGTH then return nil end
  local seen, n = {}, 0
  for member in (text .. ","):gmatch "([^,]*)," do
    member = member:match "^[ \t]*(.-)[ \t]*$"
    local key, value = member:match "^(.-)=(.*)$"
    if member ~= "" then
      if not key or seen[key] or not is_key(key) or not is_value(value) then return nil end
      seen[key], n = true, n + 1
    end
  end
  return n > 0 and n <= MEMBERS and text or nil
end

---The caller's span; nothing when the traceparent is invalid, without the tracestate when that is.
---@param parent any of the header traceparent
---@param state any of the header tracestate
---@return weft.TraceParent?
function M.read(parent, state)
  local trace_id, id, sampled = read_parent(parent)
  if not trace_id then return nil end
  return { trace_id = trace_id, id = id, sampled = sampled, state = read_state(state) }
end

---@param span { trace_id: string, id: string, sampled: boolean }
---@return string
function M.write(span) return ("00-%s-%s-%s"):format(span.trace_id, span.id, span.sampled and "01" or "00") end

---AWS X-Ray's Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1 as a traceparent.
---@param text? string
---@return string?
function M.of_xray(text)
  local epoch, rest = (text or ""):match "Root=1%-(%x+)%-(%x+)"
  local parent = (text or ""):match "Parent=(%x+)"
  if not parent or #epoch ~= 8 or #rest ~= 24 or #parent ~= 16 then return nil end
  return ("00-%s%s-%s-%s"):format(epoch, rest, parent, text:find("Sampled=1", 1, true) and "01" or "00"):lower()
end

return M
