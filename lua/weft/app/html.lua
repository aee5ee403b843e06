-- SPDX-License-Identifier: MIT
-- What stands where in HTML: text, an attribute's value, a script. A value that is put somewhere is escaped for that
-- place, and refused where no escaping would do.

local core = require "weft.core"

local M = {}

-- ---- escaping ----

local entities = { ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;", ["`"] = "&#96;" }

---Bytes that are no UTF-8 become U+FFFD, so that none of them swallows what follows.
---@param text string
---@return string
function M.valid(text)
  if utf8.len(text) then return text end
  local out, from = {}, 1
  while from <= #text do
    local _, wrong = utf8.len(text, from)
    out[#out + 1] = text:sub(from, (wrong or #text + 1) - 1)
    if not wrong then break end
    out[#out + 1] = "\u{FFFD}"
    from = wrong + 1
  end
  return table.concat(out)
end

---Text as it may stand between tags and in quotes, made valid.
---@type fun(text: string): string
M.escape = core.escape_html

---HTML as it may stand in quotes: its entities stay.
function M.escape_quotes(text) return (text:gsub("[<>\"'`]", entities)) end

local schemes = { http = true, https = true, mailto = true, tel = true, ftp = true }

---Browsers pass over blanks and control characters.
local function is_safe(target)
  local scheme = target:gsub("[%c ]", ""):match "^(%a[%w+.-]*):"
  return not scheme or schemes[scheme:lower()] ~= nil
end

---A link's target, unless its scheme is one that could run something.
---@param text string
---@return string
function M.safe_url(text) return is_safe(text) and text or "about:invalid" end

---JSON as it may stand in a script.
---@param text string
---@return string
function M.script(text)
  return (text:gsub("[<>&]", function(c) return ("\\u%04x"):format(c:byte()) end)
    :gsub("\u{2028}", "\\u2028"):gsub("\u{2029}", "\\u2029"))
end

-- ---- places ----

---@class weft.HtmlPlace
---@field state string
---@field tag? string in which we are, or which a raw text ends
---@field attribute? string
---@field value? string the literal text that its value has so far
---@field pending string the beginning of a tag at the end of the text, as "<"

local raw_text = { script = true, style = true, textarea = true, title = true, xmp = true, iframe = true, noembed = true,
  noframes = true }
local links = { href = true, src = true, action = true, formaction = true, poster = true, cite = true, background = true,
  data = true, to = true, from = true, values = true, ["xlink:href"] = true, ping = true, manifest = true }

local states = {}

---@return weft.HtmlPlace
function M.begin() return { state = "text", pending = "" } end

function states.text(place, text, i)
  local at = text:find("<", i, true)
  if not at then return #text + 1 end
  if text:find("^</?$", at) or text:find("^<!%-?$", at) then
    place.pending = text:sub(at)
    return #text + 1
  end
  if text:sub(at, at + 3) == "<!--" then
    place.state = "comment"
    return at + 4
  end
  local close, name = text:match("^<(/?)(%a[^%s/>]*)", at)
  if not name then return at + 1 end
  place.state, place.tag, place.closing = "tag", name:lower(), close == "/"
  return at + 1 + #close + #name
end

function states.comment(place, text, i)
  local _, stop = text:find("-->", i, true)
  if stop then place.state = "text" end
  return (stop or #text) + 1
end

function states.tag(place, text, i)
  i = text:match("^[%s/]*()", i)
  if text:sub(i, i) == ">" then
    place.state = raw_text[place.tag] and not place.closing and "raw" or "text"
    return i + 1
  end
  local name = text:match("^[^%s/>][^%s/>=]*", i)
  if not name then return i end
  place.state, place.attribute = "name", name:lower()
  return i + #name
end

function states.name(place, text, i)
  i = text:match("^%s*()", i)
  if i > #text then return i end
  place.state = text:sub(i, i) == "=" and "value" or "tag"
  return place.state == "value" and i + 1 or i
end

local quotes = { ['"'] = "double", ["'"] = "single" }

function states.value(place, text, i)
  i = text:match("^%s*()", i)
  if i > #text then return i end
  place.value = ""
  place.state = quotes[text:sub(i, i)] or "unquoted"
  return place.state == "unquoted" and i or i + 1
end

local function until_end(pattern, skip)
  return function(place, text, i)
    local at = text:find(pattern, i)
    place.value = place.value .. text:sub(i, (at or #text + 1) - 1)
    if not at then return #text + 1 end
    place.state = "tag"
    return at + skip
  end
end

states.double, states.single, states.unquoted = until_end('"', 1), until_end("'", 1), until_end("[%s>]", 0)

function states.raw(place, text, i)
  local at, stop = text:lower():find("</" .. place.tag .. "%f[^%w]", i)
  if not at then return #text + 1 end
  place.state, place.closing = "tag", true
  return stop + 1
end

---Goes on to the place behind a piece of HTML.
---@param place weft.HtmlPlace
---@param text string
function M.go(place, text)
  text = place.pending .. text
  place.pending = ""
  local i = 1
  while i <= #text do i = states[place.state](place, text, i) end
end

---Goes on behind HTML that nobody knows: behind a "<" it is taken for the name of a tag.
---@param place weft.HtmlPlace
function M.go_raw(place)
  if place.pending ~= "" then M.go(place, "x") end
end

local advice = {
  comment = "nothing is put into a comment",
  tag = "put the name of an attribute there, and the value into quotes behind it",
  name = "put the name of an attribute there, and the value into quotes behind it",
  value = "put quotes around it", unquoted = "put quotes around it",
}
local quoted = { double = true, single = true }

---How a value is to be escaped here: "text", "attribute" or "link"; or nil and why nothing may stand here.
---@param place weft.HtmlPlace
---@return string?
---@return string? why
function M.kind_of(place)
  local state, name = place.state, place.attribute
  if place.pending ~= "" then return nil, "it would be the name of a tag; write '&lt;' for a '<'" end
  if state == "text" then return "text" end
  if state == "raw" then
    if place.tag == "textarea" or place.tag == "title" then return "text" end
    return nil, ("inside of <%s> it would be read as code; {{{ json(value) }}} is safe there, outside of quotes")
      :format(place.tag)
  end
  if not quoted[state] then return nil, advice[state] end
  if name:find "^on" or name == "style" or name == "srcdoc" or name == "srcset" then
    return nil, ("%s is read as code; put it into a data- attribute"):format(name)
  end
  if not links[name] then return "attribute" end
  if not is_safe(place.value) then return nil, "a link of this scheme would run it" end
  return place.value == "" and "link" or "attribute"
end

return M
