-- SPDX-License-Identifier: MIT
-- dump.lua FROM AS TO: compiles Weft's own Lua files (app/compile.lua); make and make install run it.

package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
require "app.compile"(table.unpack(arg, 1, 3))
