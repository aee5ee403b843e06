-- SPDX-License-Identifier: MIT
-- Templates: HTML with {{ expressions }}, escaped for the place where they stand, {{{ raw HTML }}}, {% Lua %} and
-- {# remarks #}. A template becomes a Lua function whose lines are the template's lines, so that errors name those.

local core = require "weft.core"
local errors = require "weft.errors"
local html = require "weft.app.html"

local M = {}

-- ---- values ----

local Safe = { __name = "weft.html" }
function Safe.__tostring(self) return self.html end

---HTML that is put in as it is.
local function raw(value)
  if getmetatable(value) == Safe then return value end
  return setmetatable({ html = value == nil and "" or tostring(value) }, Safe)
end

---@return string text
---@return boolean? safe whether it is HTML already
local function text_of(value)
  if value == nil or value == core.null then return "" end
  if getmetatable(value) == Safe then return value.html, true end
  local meta = getmetatable(value)
  if type(value) == "table" and not (type(meta) == "table" and meta.__tostring) or type(value) == "function" then
    error(("a %s has no text; json(value) gives its JSON"):format(type(value)), 3)
  end
  return tostring(value)
end

local put, escape = {}, html.escape

function put.text(value)
  if type(value) == "string" then return escape(value) end
  if math.type(value) == "integer" then return value end
  local text, safe = text_of(value)
  return safe and text or escape(text)
end

function put.attribute(value)
  local text, safe = text_of(value)
  return safe and html.escape_quotes(text) or html.escape(text)
end

function put.link(value) return html.escape(html.safe_url((text_of(value)))) end
function put.raw(value) return (text_of(value)) end

local function json(value) return html.script(core.is_query(value) and value:json() or core.encode(value)) end

local functions = { raw = raw, json = json, ipairs = ipairs, pairs = pairs, next = next, select = select,
  tostring = tostring, tonumber = tonumber, type = type, string = string, table = table, math = math,
  utf8 = utf8, date = os.date, null = core.null }

-- ---- compiling ----

local closing = { ["{{{"] = "}}}", ["{{"] = "}}", ["{%"] = "%}", ["{#"] = "#}" }

local function line_of(text, at) return select(2, text:sub(1, at - 1):gsub("\n", "\n")) + 1 end

local function refuse(self, at, why) errors.usage("%s:%d: %s", self.name, line_of(self.text, at), why) end

---The next mark from i on: what opens it, its inside, where it begins and ends.
local function next_mark(self, i)
  local at = self.text:find("{[{%%#]", i)
  if not at then return nil end
  local open = self.text:sub(at, at + 2) == "{{{" and "{{{" or self.text:sub(at, at + 1)
  local stop, after = self.text:find(closing[open], at + #open, true)
  if not stop then refuse(self, at, ("'%s' has no '%s'"):format(open, closing[open])) end
  return open, self.text:sub(at + #open, stop - 1), at, after
end

---@param self table
local function add_text(self, text)
  if text == "" then return end
  html.go(self.place, text)
  self.code[#self.code + 1] = ("__n=__n+1 __out[__n]=%q "):format(text)
end

local function check_expression(self, inside, at)
  if not inside:find "%S" then refuse(self, at, "an expression is missing") end
  local line = line_of(self.text, at)
  local ok, why = load(("\n"):rep(line - 1) .. "return " .. inside .. "\n", "@" .. self.name, "t")
  if not ok then errors.usage("%s", why) end
end

local add = {}

local function add_put(self, inside, at, kind)
  check_expression(self, inside, at)
  self.code[#self.code + 1] = ("__n=__n+1 __out[__n]=__put.%s(%s) "):format(kind, inside)
end

add["{{"] = function(self, inside, at)
  local kind, why = html.kind_of(self.place)
  if not kind then refuse(self, at, why) end
  add_put(self, inside, at, kind)
end

add["{{{"] = function(self, inside, at)
  html.go_raw(self.place)
  add_put(self, inside, at, "raw")
end

add["{%"] = function(self, inside)
  local before, last = inside:match "^(.-)([^\n]*)$"
  last = last:gsub("^([^\"']-)%-%-.*$", "%1") -- a remark there would swallow what follows
  self.code[#self.code + 1] = before .. last .. " "
end

add["{#"] = function(self, inside) self.code[#self.code + 1] = inside:gsub("[^\n]", "") end

---The text before a mark, and where the text behind it begins. One of Lua or a remark that has lines for itself takes
---its indentation and the end of its last line with it.
local function around(self, i, open, at, after)
  local text = self.text:sub(i, at - 1)
  if open == "{{" or open == "{{{" then return text, after + 1 end
  local indent = (i == 1 and "\n" .. text or text):match "\n([ \t]*)$"
  local rest = self.text:match("^[ \t]*\r?\n()", after + 1)
  if not indent or not rest then return text, after + 1 end
  return text:sub(1, #text - #indent), rest
end

local function translate(self)
  local i = 1
  while true do
    local open, inside, at, after = next_mark(self, i)
    if not open then break end
    local before
    before, i = around(self, i, open, at, after)
    add_text(self, before)
    add[open](self, inside, at)
    if i > after + 1 then self.code[#self.code + 1] = "\n" end
  end
  add_text(self, self.text:sub(i))
  if self.place.state ~= "text" then refuse(self, #self.text, "it ends inside of a tag, a remark or a script") end
end

---A function of an environment that gives the template's text.
---@param text string
---@param name string for messages: "views/show.html"
---@return fun(env: table): string
local function compile(text, name)
  local head = "local __put, __concat = ... return function(_ENV) local __out, __n = {}, 0 "
  local self = { text = text, name = name, code = { head }, place = html.begin() }
  translate(self)
  self.code[#self.code + 1] = " return __concat(__out) end"
  local chunk, why = load(table.concat(self.code), "@" .. name, "t", {})
  if not chunk then errors.usage("%s", why) end
  return chunk(put, table.concat)
end

-- ---- rendering ----

local function check_data(data, who)
  if data ~= nil and type(data) ~= "table" then errors.usage("%s takes a table of data, got %s", who, type(data)) end
end

---What expressions see: the functions of templates, then the data.
local function environment(own, data)
  return setmetatable(own, { __index = function(_, name)
    local value = functions[name]
    if value == nil and data then value = data[name] end
    return value
  end })
end

---Templates of a folder.
---@class weft.Templates
local Templates = {}
Templates.__index = Templates

---@param folder string
---@return weft.Templates
function M.folder(folder) return setmetatable({ path = folder, known = {} }, Templates) end

local function check_name(name)
  if type(name) ~= "string" then errors.usage("a template's name is a text, not a %s", type(name)) end
  if not ("/" .. name):find "^/[%w_-]" or ("/" .. name):find "/[^%w_-]" or name:find "[^%w_./-]" then
    errors.usage("'%s' names no template: words with '/' between", name:gsub("%c", "?"):sub(1, 80))
  end
end

---Reads and compiles what is not known; in development also what has changed.
function Templates:get(name, dev)
  local known = self.known[name]
  if known and not dev then return known.render end
  check_name(name)
  local path = ("%s/%s.html"):format(self.path, name)
  local file, why = io.open(path, "rb")
  if not file then errors.usage("there is no template '%s': %s", name, why) end
  local text = file:read "a"
  file:close()
  if known and known.text == text then return known.render end
  self.known[name] = { text = text, render = compile(text, path) }
  return self.known[name].render
end

local MAX_DEPTH = 50

---@param name string
---@param data? table
---@param dev? boolean whether files may have changed
---@param content? table what a layout is around
---@param depth? integer
---@return string
function Templates:render(name, data, dev, content, depth)
  check_data(data, "render")
  depth = depth or 1
  if depth > MAX_DEPTH then errors.usage("the template '%s' includes itself", name) end
  local outer
  local own = { content = content }
  function own.include(other, more) return raw(self:render(other, more or data, dev, nil, depth + 1)) end
  function own.layout(other, more) outer = { name = other, data = more or data } end
  local text = self:get(name, dev)(environment(own, data))
  return outer and self:render(outer.name, outer.data, dev, raw(text), depth + 1) or text
end

---A template of a text, as a function of its data.
---@param text string
---@return fun(data?: table): string
function M.template(text)
  if type(text) ~= "string" then errors.usage("template takes a text, got %s", type(text)) end
  local render = compile(text, "template")
  return function(data)
    check_data(data, "a template")
    return render(environment({}, data))
  end
end

return M
