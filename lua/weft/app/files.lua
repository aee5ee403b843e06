-- SPDX-License-Identifier: MIT
-- Files that an app answers with where no server of ours sends them: in app:test and behind a gateway.

local M = {}

local types = { html = "text/html; charset=utf-8", css = "text/css; charset=utf-8", js = "text/javascript; charset=utf-8",
  mjs = "text/javascript; charset=utf-8", txt = "text/plain; charset=utf-8", md = "text/markdown; charset=utf-8",
  csv = "text/csv; charset=utf-8", json = "application/json", xml = "application/xml", pdf = "application/pdf",
  wasm = "application/wasm", svg = "image/svg+xml", png = "image/png", jpg = "image/jpeg", jpeg = "image/jpeg",
  gif = "image/gif", webp = "image/webp", avif = "image/avif", ico = "image/x-icon", woff2 = "font/woff2" }

---The text of a file and its content type by its name; nil for what is no plain file.
---@param path string
---@return string?
---@return string?
function M.read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a" -- nil: a folder
  if file then file:close() end
  return text, types[path:match "%.(%w+)$"] or "application/octet-stream"
end

return M
