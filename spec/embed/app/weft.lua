-- SPDX-License-Identifier: MIT
-- Relative to this folder; the environment says where the server is (WEFT_DATABASE_SERVER).
return { databases = { file = "sqlite:data.db", memory = { url = "sqlite::memory:" }, server = "postgres://nowhere" } }
