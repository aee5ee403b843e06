-- SPDX-License-Identifier: MIT
-- The stand-in of the Lambda Runtime API (runtime_api.c), started for a spec.

local curl = require "weft.curl"
local shell = require "spec.support.shell"

local Api = {}
Api.__index = Api

local M = {}

---Starts one. It ends with :stop(), or with this process.
function M.start()
  local portfile = os.tmpname()
  os.remove(portfile)
  local program = os.getenv "WEFT_SPEC_BUILD" .. "/spec/runtime_api"
  local api = setmetatable({ pipe = io.popen(("%s %s"):format(shell.quote(program), shell.quote(portfile)), "w"),
    client = curl.new { timeout = 120, proxy = false } }, Api)
  for _ = 1, 500 do
    api.port = tonumber(shell.read(portfile) or "")
    if api.port then break end
    shell.sleep(0.01)
  end
  os.remove(portfile)
  assert(api.port, "the stand-in did not start")
  api.host = "127.0.0.1:" .. api.port
  api.url = "http://" .. api.host
  return api
end

function Api:stop()
  self.client:close()
  self.pipe:close()
end

function Api:request(method, path, body, headers)
  return self.client:request { method = method, url = self.url .. path, body = body, headers = headers }
end

---Queues an event; its id.
function Api:event(body, headers) return self:request("POST", "/test/event", body, headers).body end

---What the runtime answered, waiting for it: kind "response" or "error", the body, the error's type, the content type.
function Api:result(id)
  local got = self:request("GET", id and "/test/result/" .. id or "/test/init")
  return got.headers["x-kind"], got.body, got.headers["x-error-type"], got.headers["x-content-type"]
end

---What GET /raw is answered with.
function Api:raw(bytes, headers) assert(self:request("POST", "/test/raw", bytes, headers).status == 202) end

---How many connections and requests there were.
function Api:count()
  local connections, requests = self:request("GET", "/test/count").body:match "(%d+) (%d+)"
  return tonumber(connections), tonumber(requests)
end

return M
