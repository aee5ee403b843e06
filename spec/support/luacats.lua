-- SPDX-License-Identifier: MIT
-- Annotations (LuaCATS) as an editor reads them, for specs: every line is parsed, every type down to its names.

local shell = require "spec.support.shell"

local luacats = {}

-- Types ---------------------------------------------------------------------------------------

local Parser = {}
Parser.__index = Parser

local function fail(self, what) error(("%s expected at %d of: %s"):format(what, self.at, self.text), 0) end

function Parser:skip() self.at = self.text:find("%S", self.at) or #self.text + 1 end

---Takes a symbol when it comes next.
function Parser:take(symbol)
  self:skip()
  if self.text:sub(self.at, self.at + #symbol - 1) ~= symbol then return false end
  self.at = self.at + #symbol
  return true
end

function Parser:need(symbol) if not self:take(symbol) then fail(self, "'" .. symbol .. "'") end end

function Parser:match(pattern)
  self:skip()
  local word = self.text:match("^" .. pattern, self.at)
  if word then self.at = self.at + #word end
  return word
end

---A literal between quotes, as Lua reads it.
function Parser:string()
  self:skip()
  if self.text:sub(self.at, self.at) ~= '"' then return nil end
  local to = self.at + 1
  while self.text:sub(to, to) ~= '"' do
    if to > #self.text then fail(self, "end of a text") end
    to = to + (self.text:sub(to, to) == "\\" and 2 or 1)
  end
  local quoted = self.text:sub(self.at, to)
  self.at = to + 1
  return assert(load("return " .. quoted))()
end

function Parser:list(close, read)
  if self:take(close) then return end
  repeat read() until not self:take ","
  self:need(close)
end

function Parser:parameter()
  local literal
  if not self:take "..." then
    if not self:match "[%a_][%w_]*" then fail(self, "parameter") end
    self:take "?"
  end
  if self:take ":" then literal = self:type() end
  self.literals[#self.literals + 1] = literal or false
end

function Parser:fun()
  self:need "("
  local outer = self.literals
  self.literals = {}
  self:list(")", function() self:parameter() end)
  local literals = self.literals
  self.literals = outer
  if self:take ":" then self:type() end
  return literals
end

function Parser:shape()
  self:list("}", function()
    if self:take "[" then
      self:type()
      self:need "]"
    else
      if not self:match "[%a_][%w_]*" then fail(self, "field") end
      self:take "?"
    end
    self:need ":"
    self:type()
  end)
end

function Parser:unit()
  local literal = self:string()
  if literal then return literal end
  if self:take "{" then self:shape()
  elseif self:take "(" then
    self:type()
    self:need ")"
  else
    local name = self:match "[%a_][%w_.]*"
    if not name then fail(self, "type") end
    if name == "fun" then self.fun_literals = self:fun()
    else
      self.names[name] = true
      if self:take "<" then self:list(">", function() self:type() end) end
    end
  end
  repeat local more = self:take "[]" or self:take "?" until not more
end

---A union; the literal when it is one alone.
function Parser:type()
  local literal = self:unit()
  while self:take "|" do
    self:unit()
    literal = nil
  end
  return literal
end

local function parser(text, at) return setmetatable({ text = text, at = at or 1, names = {}, literals = {} }, Parser) end

-- Lines ---------------------------------------------------------------------------------------

local readers = {}

local function finish(p)
  p:skip()
  if p.at <= #p.text and p.text:sub(p.at, p.at) ~= "#" then fail(p, "end") end
end

function readers.meta(_, rest) assert(rest == "", rest) end

function readers.class(state, rest)
  local p = parser(rest)
  local name = p:match "[%a_][%w_.]*" or fail(p, "class")
  local class = state.classes[name] or { fields = {}, order = {}, parents = {}, declared = 0 }
  state.classes[name], state.class, class.declared = class, class, class.declared + 1
  if p:take ":" then
    repeat class.parents[#class.parents + 1] = p:match "[%a_][%w_.]*" or fail(p, "class") until not p:take ","
  end
  finish(p)
end

function readers.field(state, rest)
  local p = parser(rest)
  local name
  if p:take "[" then
    name = p:string() or fail(p, "text")
    p:need "]"
  else
    name = p:match "[%a_][%w_]*" or fail(p, "field")
  end
  local optional = p:take "?"
  p:skip()
  local from = p.at
  p:type()
  local type = p.text:sub(from, p.at - 1):gsub("%s+$", "")
  finish(p)
  local event = p.fun_literals and (p.fun_literals[1] or p.fun_literals[2])
  local key = event and name .. "\0" .. event or name
  assert(state.class, "a field of no class: " .. rest)
  assert(not state.class.fields[key], "a field twice: " .. rest)
  state.class.fields[key] = type .. (optional and "?" or "")
  table.insert(state.class.order, name)
  for used in pairs(p.names) do state.used[used] = rest end
end

function readers.alias(state, rest)
  local name = rest:match "^([%a_][%w_.]*)$" or error("an alias: " .. rest, 0)
  assert(not state.aliases[name], "an alias twice: " .. name)
  state.aliases[name] = {}
  state.alias = state.aliases[name]
end

local function read_line(state, line)
  local tag, rest = line:match "^%-%-%-%s*@(%a+)%s*(.*)$"
  local value = line:match "^%-%-%-|(.*)$"
  if tag then
    assert(readers[tag], "an unknown tag: " .. line)(state, rest)
  elseif value then
    local p = parser(value)
    local literal = p:type()
    finish(p)
    table.insert(assert(state.alias, line), literal) -- of an empty one it is string
  elseif line == "" then state.class, state.alias = nil, nil
  elseif not line:find "^%-%-" then error("no comment: " .. line, 0)
  end
end

---What a file declares, added to what others do.
---@param text string
---@param state? table { classes, aliases, used }
---@return table state
function luacats.read(text, state)
  state = state or { classes = {}, aliases = {}, used = {} }
  for line in text:gmatch "([^\n]*)\n" do read_line(state, line) end
  return state
end

---The files of Weft's own annotations.
function luacats.files()
  local files = {}
  for path in shell.must("ls " .. shell.quote(shell.root()) .. "/lua/weft/meta/*.lua"):gmatch "[^\n]+" do files[#files + 1] = path end
  return files
end

---The text of those that tell of `weft`: modules that are required by a name of their own have one each.
function luacats.own()
  local parts = {}
  for i, path in ipairs(luacats.files()) do
    local text = shell.read(path)
    parts[i] = text:find "^%-%-%-@meta %S" and "" or text
  end
  return table.concat(parts)
end

local builtin = {}
for name in ("any nil boolean number integer string table"):gmatch "%a+" do builtin[name] = true end

---Every name that is used is declared, here or in Weft's own annotations.
---@param own string luacats.own()
function luacats.check(state, own)
  local known = {}
  for name in own:gmatch "%-%-%-@%l+ ([%w_.]+)" do known[name] = true end
  local function check(name, where)
    assert(builtin[name] or known[name] or state.classes[name] or state.aliases[name], ("unknown type %s in: %s"):format(name, where))
  end
  for name, where in pairs(state.used) do check(name, where) end
  for class, entry in pairs(state.classes) do
    for _, parent in ipairs(entry.parents) do check(parent, class) end
  end
end

return luacats
