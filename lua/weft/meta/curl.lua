---@meta weft.curl
-- SPDX-License-Identifier: MIT
-- What editors know of bindings/modules/curl.c.
-- luacheck: ignore

---An HTTP client over libcurl. In a task it lets other tasks run while it waits.
local M = {}

---@class weft.HttpClientOptions
---@field timeout? number|false seconds that a request may take (30); false: any time
---@field connect_timeout? number|false seconds that connecting may take (10)
---@field max_body? integer bytes of an answer at most (64 MiB)
---@field ca? string file of the certificates that are trusted (those of the system)
---@field proxy? boolean whether proxies of the environment are used (true)

---@class weft.HttpRequest
---@field url string http or https
---@field method? string GET, or POST with a body
---@field headers? table<string, string>
---@field body? string
---@field timeout? number|false instead of the client's

---@class weft.HttpResponse
---@field status integer
---@field headers table<string, string> names in lower case; several lines of one name are joined by ", "
---@field body string

---@class weft.HttpClient
local Client = {}

---Sends a request and waits for the whole answer, whatever its status. Raises kinds connect (retryable), disconnect, timeout,
---unsupported (no HTTP, larger than max_body), usage; outcome_unknown when the request had left.
---@param request weft.HttpRequest
---@return weft.HttpResponse
function Client:request(request) end

---Closes idle connections; the client may be used again.
function Client:close() end

---A client. It keeps connections that were used for the next requests.
---@param options? weft.HttpClientOptions
---@return weft.HttpClient
function M.new(options) end

return M
