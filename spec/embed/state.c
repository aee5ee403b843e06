/* SPDX-License-Identifier: MIT */
/* Weft in a Lua state of one's own. See support.h. */
#include "support.h"

static const char tasks[] = "local weft = require 'weft' weft.configure { databases = { d = 'sqlite::memory:' } } "
                            "return weft.run(function() local r = weft.all { function() weft.sleep(0.01) return 'a' end, "
                            "function() return weft.database 'd':query('select 7 as n')[1].n end } return r[1] .. r[2] end)";

static void state_facts(void) {
  it("gives tasks to a state of one's own") {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "weft", weft_open, 0);
    expect(lua_istable(L, -1));
    expect_int(weft_open(L), 1);
    expect(lua_rawequal(L, -1, -2));
    if (!expect_int(luaL_dostring(L, tasks), LUA_OK)) puts(lua_tostring(L, -1));
    expect_str(lua_tostring(L, -1), "a7");
    lua_close(L);
  }
  it("runs a state on the program's loop") {
    uv_loop_t loop;
    struct clock clock;
    uv_loop_init(&loop);
    start_clock(&loop, &clock, NULL);
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    weft_open_on(L, &loop);
    expect_int(luaL_dostring(L, "require 'weft'.sleep(0.05)"), LUA_OK);
    expect(clock.ticks >= 3);
    lua_close(L);
    uv_close((uv_handle_t *)&clock.timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    expect_int(uv_loop_close(&loop), 0);
  }
  it("needs the standard libraries") {
    lua_State *L = luaL_newstate();
    lua_pushcfunction(L, weft_open);
    expect(lua_pcall(L, 0, 0, 0) != LUA_OK);
    expect(strstr(lua_tostring(L, -1), "luaL_openlibs") != NULL);
    lua_close(L);
  }
}

int main(int argc, char **argv) {
  arguments(argc, argv);
  describe("weft_open") state_facts();
  return spec_end();
}
