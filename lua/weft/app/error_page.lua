-- SPDX-License-Identifier: MIT
-- What a browser is shown of an error in development.

local core = require "weft.core"
local status = require "weft.app.status"
local template = require "weft.app.template"

local page = template.template [[
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ code }} {{ reason }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222 }
h1 { font-size: 1.25rem; color: #a11 } h2 { font-size: 1rem; margin-top: 2rem }
.message { font-size: 1.25rem; white-space: pre-wrap; overflow-wrap: anywhere }
pre { background: #f5f5f5; padding: 1rem; overflow-x: auto; font-size: .875rem }
th { text-align: left; padding-right: 2rem; font-weight: 600 }
.here { background: #fdd }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818 } pre { background: #262626 } .here { background: #622 } h1 { color: #f77 }
}
</style>
</head>
<body>
<h1>{{ code }} {{ reason }}</h1>
<p class="message">{{ message }}</p>
{% if source then %}
<h2>{{ source.file }}</h2>
<pre>
{% for _, line in ipairs(source) do %}
<span class="{{ line.here and "here" or "" }}">{{ string.format("%5d  %s", line.number, line.text) }}</span>
{% end %}
</pre>
{% end %}
<table>
{% for _, field in ipairs(fields) do %}
<tr><th>{{ field[1] }}</th><td>{{ field[2] }}</td></tr>
{% end %}
</table>
{% if errors then %}
<ul>
{% for _, entry in ipairs(errors) do %}
<li>{{ entry.message }}</li>
{% end %}
</ul>
{% end %}
{% if traceback then %}
<h2>Traceback</h2>
<pre>{{ traceback }}</pre>
{% end %}
</body>
</html>
]]

---The lines around the one that the message names.
local function source_of(message)
  local file, number = message:match "([^%s:][^:]*%.%w+):(%d+):"
  local handle = file and io.open(file, "r")
  if not handle then return nil end
  local source, i, wanted = { file = file .. ":" .. number }, 0, tonumber(number)
  for line in handle:lines() do
    i = i + 1
    if i > wanted + 4 then break end
    if i >= wanted - 4 then source[#source + 1] = { number = i, text = line, here = i == wanted } end
  end
  handle:close()
  return #source > 0 and source or nil
end

---@param req weft.Request
---@param code integer
---@param failure { err: any, traceback: string? }
---@param message string
---@return string
return function(req, code, failure, message)
  local err = core.is_error(failure.err) and failure.err or {}
  local fields = { { "request", req.method .. " " .. req.path }, { "route", rawget(req, "route") }, { "id", req.id } }
  for _, name in ipairs { "kind", "op", "model", "database", "code", "constraint", "column" } do
    fields[#fields + 1] = { name, err[name] }
  end
  local told = {}
  for _, field in ipairs(fields) do
    if field[2] ~= nil then told[#told + 1] = { field[1], tostring(field[2]) } end
  end
  return page {
    code = code, reason = status.reason(code), message = message, fields = told,
    errors = type(err.errors) == "table" and err.errors or nil,
    traceback = failure.traceback, source = source_of(message),
  }
end
