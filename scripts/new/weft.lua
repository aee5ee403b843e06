-- Where the app keeps its data: what weft.configure takes. WEFT_DATABASE_NOTES in the environment is another place,
-- as postgres://app@127.0.0.1/notes.

local here = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"

return {
  databases = { notes = "sqlite:" .. here .. "notes.db" },
}
