-- What can be done with notes, whoever asks: a request, another service, a spec, the console.

local weft = require "weft"

local M = {}

---The latest notes; `q` is a word in their titles.
function M.list(input)
  local query = weft.models("notes").Note:latest():limit(50)
  if input and input.q then query = query:where("title", "contains", input.q) end
  return query
end

function M.get(input) return weft.models("notes").Note:get(input.id) end

function M.add(input) return weft.models("notes").Note:create { title = input.title, body = input.body } end

function M.remove(input) M.get(input):delete() end

return M
