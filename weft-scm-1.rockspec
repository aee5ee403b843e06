rockspec_format = "3.0"
package = "weft"
version = "scm-1"
source = { url = "git+file://." }
description = {
  summary = "Many databases woven into one Lua program",
  detailed = "An ORM with a C core: models, associations and services over SQLite, PostgreSQL, MySQL and MariaDB, joined across databases.",
  license = "MIT",
}
dependencies = { "lua ~> 5.4" }
supported_platforms = { "linux" }
external_dependencies = { LIBUV = { header = "uv.h" }, SQLITE = { header = "sqlite3.h" } }
build = {
  type = "make",
  build_target = "module",
  build_variables = { CFLAGS = "$(CFLAGS)" },
  install_target = "install-module",
  install_variables = { LUADIR = "$(LUADIR)", CMODDIR = "$(LIBDIR)" },
}
