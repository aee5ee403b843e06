-- Who asks for what, and which service answers.

local weft = require "weft"

local app = weft.app()
local notes = weft.services.notes

app:get("/", function(_, res)
  res:html "<!doctype html><title>Notes</title><h1>Notes</h1><p>They are at <a href=\"/notes\">/notes</a>.</p>"
end)

app:get("/notes", function(req) return notes.list(req.query) end)

app:get("/notes/:id", function(req) return notes.get { id = req.params.id } end)

app:post("/notes", function(req, res)
  res.status = 201
  return notes.add(req:json())
end)

app:delete("/notes/:id", function(req)
  notes.remove { id = req.params.id }
  return 204
end)

return app
