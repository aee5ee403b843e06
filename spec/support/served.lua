-- SPDX-License-Identifier: MIT
-- `weft serve` with an app, for specs.

local http = require "spec.support.http"
local program = require "spec.support.program"
local shell = require "spec.support.shell"
local quote = shell.quote

local served = {}

local weft = quote((os.getenv "WEFT_SPEC_BUILD" or shell.root() .. "/build/release") .. "/weft")

---@class spec.Served
---@field folder string
---@field address string "127.0.0.1:PORT"
---@field pid integer
local Served = {}
Served.__index = Served

---What it said on stderr, and its access log.
function Served:said() return shell.read(self.folder .. "/.err") or "" end
function Served:log() return shell.read(self.folder .. "/.out") or "" end

---Status, body and head of one request by curl.
---@param path string
---@param ... string further words of curl
---@return integer status 0: no answer
---@return string body
---@return string head
function Served:ask(path, ...)
  local text = http.curl("-i", "http://" .. self.address .. path, ...)
  local head, body = text:match "^(HTTP/.-\r\n)\r\n(.*)$"
  while head and head:find "^HTTP/1.1 1%d%d" do head, body = body:match "^(HTTP/.-\r\n)\r\n(.*)$" end
  return head and tonumber(head:match " (%d%d%d)") or 0, body or text, head or ""
end

---Status and body alone.
function Served:get(path, ...)
  local status, body = self:ask(path, ...)
  return status, body
end

function Served:signal(name) shell.must(("kill -%s %d"):format(name, self.pid)) end

---Waits until it has said something, 20 s at most.
function Served:await(text)
  for _ = 1, 1000 do
    if self:said():find(text, 1, true) then return true end
    shell.sleep(0.02)
  end
  error(("it did not say '%s', but:\n%s"):format(text, self:said()), 2)
end

---Its exit status once it has ended, 40 s at most.
function Served:status()
  for _ = 1, 2000 do
    local status = shell.read(self.folder .. "/.status")
    if status and status ~= "" then return tonumber(status) end
    shell.sleep(0.02)
  end
  error("it does not end; it said:\n" .. self:said(), 2)
end

---Ends it, and asserts that it ended well (a sanitizer that complains makes it end otherwise).
function Served:stop()
  if not shell.read(self.folder .. "/.status") then self:signal "TERM" end
  local status = self:status()
  if status ~= 0 then error(("it ended with %d; it said:\n%s"):format(status, self:said()), 2) end
  program.remove(self.folder)
end

---Replaces a file of the app.
function Served:write(path, text)
  shell.write(self.folder .. "/.new", text)
  shell.must(("mv %s/.new %s/%s"):format(quote(self.folder), quote(self.folder), quote(path)))
end

---Starts it with an app; waits until it listens.
---copy: a folder, in place of an app's text.
---@param options { app: string?, copy: string?, databases: table?, files: table?, words: string[]?, environment: table?, fails: boolean? }
---@return spec.Served
function served.start(options)
  local self = setmetatable({ folder = program.app(options.databases or {}, options.files) }, Served)
  if options.copy then shell.must(("cp -r %s/. %s && rm -rf %s/var"):format(quote(options.copy), quote(self.folder), quote(self.folder))) end
  if options.app then shell.write(self.folder .. "/app.lua", options.app) end
  local words = { "serve", "--port", "0" }
  for _, word in ipairs(options.words or {}) do words[#words + 1] = word end
  local environment = {}
  for name, value in pairs(options.environment or {}) do environment[#environment + 1] = name .. "=" .. quote(value) end
  shell.must(("cd %s && { (env %s sh -c 'echo $$ >.pid; exec \"$0\" \"$@\" >.out 2>.err' %s %s; echo $? >.status) </dev/null >/dev/null 2>&1 & }")
    :format(quote(self.folder), table.concat(environment, " "), weft, shell.words(words)))
  assert(http.await(function() return (shell.read(self.folder .. "/.pid") or ""):find "\n" end), "it does not start")
  self.pid = tonumber((shell.read(self.folder .. "/.pid"):match "%d+"))
  if options.fails then return self end
  self:await "listening on"
  self.address = self:said():match "listening on http://(%S+)" or self:said():match "listening on (unix:%S+)"
  return self
end

---An app.lua with these lines.
function served.app(lines) return "local weft = require \"weft\"\nlocal app = weft.app()\n" .. lines .. "\nreturn app\n" end

return served
