-- weft run spec/notes_spec.lua: the app, asked as a client would, on a database of its own.

local weft = require "weft"

weft.configure { databases = { notes = "sqlite::memory:" }, models = "models", services = "services" }
require "weft.migrate".up(weft.database "notes", { dir = "migrations" })

local app = dofile "app.lua"

local function expect(status, given)
  local answer = app:test(given)
  assert(answer.status == status, ("%s: %d, not %d: %s"):format(given.path or given, answer.status, status, answer.body))
  return answer.json
end

weft.run(function()
  expect(200, "/")
  assert(#expect(200, "/notes") == 0)

  local note = expect(201, { method = "POST", path = "/notes", json = { title = "Milk", body = "two litres" } })
  assert(note.id == 1 and note.title == "Milk")
  assert(expect(200, "/notes/1").body == "two litres")
  assert(#expect(200, "/notes?q=ilk") == 1)
  assert(#expect(200, "/notes?q=Bread") == 0)

  expect(400, { method = "POST", path = "/notes", json = { body = "no title" } })
  expect(404, "/notes/2")

  expect(204, { method = "DELETE", path = "/notes/1" })
  expect(404, "/notes/1")
end)

print "ok"
