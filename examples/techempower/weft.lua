-- SPDX-License-Identifier: MIT
-- A file of SQLite, which data.lua fills; WEFT_DATABASE_HELLO_WORLD in the environment is another place, as
-- postgres://benchmark@127.0.0.1/hello_world.

local here = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"

return {
  databases = { hello_world = "sqlite:" .. here .. "hello_world.db" },
  models = here .. "models",
}
