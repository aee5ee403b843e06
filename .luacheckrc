-- SPDX-License-Identifier: MIT
std = "lua54"
max_line_length = 150
cache = false
files["spec/**/*_spec.lua"] = { std = "lua54+busted" }
files["spec/support/**"] = { std = "lua54" }
exclude_files = { "build/**" }
