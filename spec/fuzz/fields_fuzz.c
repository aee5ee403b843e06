/* SPDX-License-Identifier: MIT */
/* What an app reads out of a request: cookies, query strings, forms of both kinds. A text is read or refused with
   kind "type" by a message that holds nothing of it; what was read can be written and read again. */
#include <lauxlib.h>
#include <lualib.h>

#include "fuzz.h"

int luaopen_weft_core(lua_State *L);

/* The first byte says as what the rest is read. */
static const char script[] =
    "local cookies, multipart, url, core = require 'weft.app.cookies', require 'weft.app.multipart',\n"
    "  require 'weft.app.url', require 'weft.core'\n"
    "local function strings(fields)\n"
    "  for name, value in pairs(fields) do assert(type(name) == 'string' and type(value) ~= 'nil') end\n"
    "  return fields\n"
    "end\n"
    "local readers = {\n"
    "  function(text) strings(cookies.read(text)) end,\n"
    "  function(text)\n"
    "    local fields, plain = strings(url.fields(text, 'form')), true\n"
    "    for _, value in pairs(fields) do plain = plain and type(value) == 'string' end\n"
    "    if not plain then return end\n"
    "    local again = url.fields(url.form(fields), 'form')\n"
    "    for name, value in pairs(fields) do assert(again[name] == value, 'it reads otherwise') end\n"
    "  end,\n"
    "  function(text) strings(multipart.read(text, 'multipart/form-data; boundary=x')) end,\n"
    "  function(text)\n"
    "    local head, body = text:match '^([^\\n]*)\\n(.*)$'\n"
    "    if head then strings(multipart.read(body, 'multipart/form-data; ' .. head)) end\n"
    "  end,\n"
    "}\n"
    "return function(text)\n"
    "  local ok, err = pcall(readers[(text:byte() or 0) % #readers + 1], text:sub(2))\n"
    "  if ok then return end\n"
    "  assert(core.is_error(err) and err.kind == 'type', tostring(err))\n"
    "  local odd = #text >= 20 and text:find('[^ -~]', 2)\n" /* the fuzzer guesses the words of our messages, too */
    "  assert(not odd or not err.message:find(text:sub(2), 1, true), 'the message tells what was sent')\n"
    "end\n";

static lua_State *begin(void) {
  lua_State *L = luaL_newstate();
  MUST(L);
  luaL_openlibs(L);
  luaL_requiref(L, "weft.core", luaopen_weft_core, 0);
  MUST(!luaL_dostring(L, "package.path = 'lua/?.lua;lua/?/init.lua;' .. package.path"));
  lua_settop(L, 0);
  if (luaL_loadstring(L, script) || lua_pcall(L, 0, 1, 0)) fprintf(stderr, "%s\n", lua_tostring(L, -1)), abort();
  return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  if (!L) L = begin();
  lua_pushvalue(L, 1);
  lua_pushlstring(L, (const char *)data, size);
  if (lua_pcall(L, 1, 0, 0)) fprintf(stderr, "%s\n", lua_tostring(L, -1)), abort();
  return 0;
}
