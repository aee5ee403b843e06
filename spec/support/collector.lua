-- SPDX-License-Identifier: MIT
-- A collector of traces for specs: a `weft serve` that keeps what is posted to it.

local weft = require "weft"
local served = require "spec.support.served"
local shell = require "spec.support.shell"

local M = {}

-- What it does with a post is in the file "how": lines of Lua.
local app = served.app [[
app:post("/v1/traces", function(req, res)
  local file = io.open("how")
  local how = file and load(file:read "a", "how", "t", { sleep = weft.sleep })
  if file then file:close() end
  local status, body
  if how then status, body = how() end
  status, body = status or 200, body or "{}"
  local kept = io.open(status == 200 and "bodies" or "refused", "a")
  kept:write(req:header "content-type", " ", req:header "x-token" or "-", " ", req.body, "\n")
  kept:close()
  res.headers["retry-after"] = status == 503 and "0" or nil
  return status, body
end)]]

---What it does with each post from now on: Lua that returns a status and a body, and may sleep(seconds).
local function does(self, lines) self:write("how", lines) end

local function add(list, resource, kind, token)
  for _, scope in ipairs(resource.scopeSpans) do
    for _, span in ipairs(scope.spans) do
      span.content_type, span.token, span.named = kind, token, {}
      for _, a in ipairs(span.attributes) do span.named[a.key] = a.value.stringValue or math.tointeger(tonumber(a.value.intValue)) end
      for _, a in ipairs(resource.resource.attributes) do span.named["resource." .. a.key] = a.value.stringValue end
      list[#list + 1] = span
    end
  end
end

---The spans that it has taken ("refused": those of posts that it did not answer with 200), and all bytes of them.
local function spans(self, file)
  local list, text = {}, shell.read(self.folder .. "/" .. (file or "bodies")) or ""
  for kind, token, body in text:gmatch "(%S+) (%S+) ([^\n]*)\n" do
    for _, resource in ipairs(weft.decode(body).resourceSpans) do add(list, resource, kind, token) end
  end
  return list, text
end

---Ends it at once, with what it hangs in.
local function kill(self)
  self:signal "KILL"
  self:status()
  shell.must("rm -rf " .. shell.quote(self.folder))
end

---The spans of a name.
function M.named(list_of, name)
  local list = {}
  for _, span in ipairs(list_of) do
    if span.name == name then list[#list + 1] = span end
  end
  return list
end

---@return spec.Served with does(lines), spans(file) and kill()
function M.start()
  local self = served.start { app = app, words = { "--workers", "1" } }
  self.does, self.spans, self.kill = does, spans, kill
  return self
end

return M
