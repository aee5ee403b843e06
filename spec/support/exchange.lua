-- SPDX-License-Identifier: MIT
-- exchange(given) is what an app gets from whoever serves, in plain Lua: given = { method, path, headers, body ... }.
-- It keeps what it is given: status, sent_headers, chunks, ended.

return require "weft.app.test".exchange
