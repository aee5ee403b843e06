-- SPDX-License-Identifier: MIT
-- How far long work is: a bar when stderr is a terminal, a plain line every few seconds otherwise.
--
--   backfill [###########-------]  61%  6,100 of 10,000  2,033/s  2 s left

local core = require "weft.core"

local M = {}

---@class weft.Progress
local Progress = {}
Progress.__index = Progress
Progress.__name = "weft.progress"

local BAR_EVERY, LINE_EVERY = 0.1, 5 -- seconds
local NARROW = 20 -- columns below which no bar is drawn

-- What is written -------------------------------------------------------------------------------

local function number(n)
  local text = ("%d"):format(math.floor(n + 0.5)):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

---@param seconds number
local function duration(seconds)
  local s = math.ceil(seconds)
  if s < 60 then return s .. " s" end
  if s < 3600 then return ("%d:%02d min"):format(s // 60, s % 60) end
  return ("%d:%02d h"):format(s // 3600, s % 3600 // 60)
end

---The first `width` columns of a text: each character of UTF-8 is taken for one, what is none and what would move the
---cursor for a "?".
local function cut(text, width)
  if not utf8.len(text) then text = text:gsub("[\x80-\xff]", "?") end
  text = text:gsub("%c", "?")
  if utf8.len(text) <= width then return text end
  return text:sub(1, utf8.offset(text, math.max(width, 0) + 1) - 1)
end

local function facts(self, now)
  local seconds = now - self.start
  local rate = seconds > 0 and self.count / seconds or 0
  local list = { self.total and ("%s of %s"):format(number(self.count), number(self.total)) or number(self.count) }
  if rate > 0 then list[#list + 1] = number(rate) .. "/s" end
  if self.total and rate > 0 and self.count < self.total then list[#list + 1] = duration((self.total - self.count) / rate) .. " left" end
  if self.text then list[#list + 1] = self.text end
  return table.concat(list, "  ")
end

local function share(self) return self.total > 0 and math.min(self.count / self.total, 1) or 1 end

---One line of at most `width` columns.
local function line(self, now, width)
  local tail = facts(self, now)
  if not self.total then return cut(self.what .. "  " .. tail, width) end
  local percent = ("%3d%%"):format(math.floor(share(self) * 100))
  local room = width - utf8.len(cut(self.what, width)) - utf8.len(cut(tail, width)) - #percent - 6
  if room < 5 then return cut(("%s %s  %s"):format(self.what, percent, tail), width) end
  room = math.min(room, 40)
  local full = math.floor(share(self) * room)
  return cut(("%s [%s%s] %s  %s"):format(self.what, ("#"):rep(full), ("-"):rep(room - full), percent, tail), width)
end

-- The terminal ----------------------------------------------------------------------------------

local function terminal_width()
  if not os.execute "test -t 2" or os.getenv "TERM" == "dumb" then return end
  local pipe = io.popen "stty size <&2 2>/dev/null"
  local size = pipe and pipe:read "a" or ""
  if pipe then pipe:close() end
  local width = tonumber(os.getenv "COLUMNS" or size:match "^%d+ (%d+)")
  return width and width > 0 and width or 80
end

local known -- the width of the terminal, or false: asked once

local function width_of_stderr()
  if known == nil then known = terminal_width() or false end
  return known
end

-- The object ------------------------------------------------------------------------------------

---@class weft.ProgressOptions
---@field quiet boolean? nothing is written
---@field width integer|false|nil columns of the terminal, false: lines (found out)
---@field write fun(text: string)? (stderr)
---@field now fun(): number? seconds (the clock)

---@param what string
---@param total? integer how many there are; nil when nobody knows
---@param options? weft.ProgressOptions
---@return weft.Progress
function M.new(what, total, options)
  options = options or {}
  local width = options.width
  if width == nil and not options.quiet then width = width_of_stderr() end
  local self = setmetatable({ what = what, total = total, count = 0, quiet = options.quiet, now = options.now or core.clock,
    width = width and width >= NARROW and width, write = options.write or function(text) io.stderr:write(text) end }, Progress)
  self.start = self.now()
  self.shown = self.start
  return self
end

local function show(self, now)
  self.shown = now
  if self.width then self.write("\r" .. line(self, now, self.width - 1) .. "\27[K")
  else self.write(self.what .. ": " .. facts(self, now) .. "\n") end
end

---`n` more are done.
---@param n integer
---@param text? string what is being worked at
function Progress:step(n, text)
  self.count = self.count + n
  self.text = text or self.text
  if self.quiet or self.ended then return end
  local now = self.now()
  if now - self.shown >= (self.width and BAR_EVERY or LINE_EVERY) then show(self, now) end
end

---Everything is done: the bar gives way to one line.
---@param text? string
function Progress:done(text)
  if self.ended then return end
  self.ended = true
  if self.quiet then return end
  local now = self.now()
  local last = ("%s: %s in %s"):format(self.what, text or number(self.count), duration(now - self.start))
  self.write(self.width and "\r" .. cut(last, self.width - 1) .. "\27[K\n" or last .. "\n")
end

---Takes the bar away, so that something else can be written (a failure, a question).
function Progress:clear()
  if self.width and not self.quiet and not self.ended and self.shown > self.start then self.write "\r\27[K" end
end

return M
