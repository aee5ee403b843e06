/* SPDX-License-Identifier: MIT */
/* require "weft.line": lines that a person types, edited by libedit, and what a terminal shows of a text.

   line.new { name=, history= path or nil, complete= fn or nil } -> editor; editor:read(prompt) -> text, false (Ctrl-C), nil (the
   end); editor:add(text) remembers. complete(text before the cursor) -> list of words, how many bytes of the text they replace.
   line.width(text), line.cut(text, columns), line.columns(). line.interrupts() -> a descriptor that is readable after Ctrl-C
   outside of read; line.interrupted() takes that back.

   One editor and one person for a process: that of the main coroutine. While a line is edited Ctrl-C is a key. */
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include <histedit.h>
#include <lauxlib.h>
#include <lua.h>

enum { HISTORY = 1000, SHOWN = 100 };

struct editor { /* user value 1: complete */
  EditLine *el;
  History *history;
  lua_State *L; /* who reads */
  char *prompt, *path;
  bool cancelled;
};

/* ---- what is shown ---- */

/* The next character of p and its columns; bytes that are none count as one. */
static size_t next_width(const char *p, size_t n, int *columns) {
  mbstate_t state = {0};
  wchar_t c;
  size_t used = mbrtowc(&c, p, n, &state);
  *columns = 1;
  if (used == 0 || used > n) return 1;
  int width = wcwidth(c);
  if (width >= 0) *columns = width;
  return used;
}

/* Widths are those of UTF-8, whatever the locale of the program is. */
static locale_t begin_utf8(locale_t *made) {
  *made = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
  return *made ? uselocale(*made) : (locale_t)0;
}

static void end_utf8(locale_t before, locale_t made) {
  if (!made) return;
  uselocale(before);
  freelocale(made);
}

/* How many bytes of p take up at most `most` columns, and how many these are. */
static size_t fit(const char *p, size_t n, lua_Integer most, lua_Integer *columns) {
  locale_t made, before = begin_utf8(&made);
  size_t at = 0;
  *columns = 0;
  while (at < n) {
    int width;
    size_t used = next_width(p + at, n - at, &width);
    if (*columns + width > most) break;
    *columns += width;
    at += used;
  }
  end_utf8(before, made);
  return at;
}

static int l_width(lua_State *L) {
  size_t n;
  lua_Integer columns;
  const char *p = luaL_checklstring(L, 1, &n);
  fit(p, n, LUA_MAXINTEGER / 2, &columns);
  lua_pushinteger(L, columns);
  return 1;
}

static int l_cut(lua_State *L) { /* the text, or as much of it as fits with an ellipsis behind it */
  size_t n;
  lua_Integer columns, most = luaL_checkinteger(L, 2);
  const char *p = luaL_checklstring(L, 1, &n);
  if (most < 1) most = 1;
  if (fit(p, n, most, &columns) == n) return lua_pushvalue(L, 1), 1;
  lua_pushlstring(L, p, fit(p, n, most - 1, &columns));
  lua_pushliteral(L, "\u2026");
  lua_concat(L, 2);
  return 1;
}

static int l_columns(lua_State *L) { /* of the terminal that standard output is, or nil */
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return lua_pushnil(L), 1;
  lua_pushinteger(L, size.ws_col ? size.ws_col : 80);
  return 1;
}

static int l_is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
  return 1;
}

/* ---- Ctrl-C while a program runs ---- */

/* Of the process, as signals are. A second one that meets the first untaken ends the program. */
static int interrupts = -1;
static volatile sig_atomic_t pending;

static void on_interrupt(int number) {
  uint64_t one = 1;
  if (pending) {
    signal(number, SIG_DFL);
    raise(number);
    return;
  }
  pending = 1;
  if (write(interrupts, &one, sizeof one) < 0) signal(number, SIG_DFL);
}

static int l_interrupts(lua_State *L) {
  struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
  if (interrupts < 0) interrupts = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (interrupts < 0) return luaL_error(L, "no descriptor is left");
  sigaction(SIGINT, &action, NULL);
  lua_pushinteger(L, interrupts);
  return 1;
}

static int l_interrupted(lua_State *L) {
  uint64_t n;
  lua_pushboolean(L, interrupts >= 0 && read(interrupts, &n, sizeof n) > 0);
  pending = 0;
  return 1;
}

/* ---- completion ---- */

static struct editor *editor_of(EditLine *el) {
  void *e = NULL;
  el_get(el, EL_CLIENTDATA, &e);
  return e;
}

static size_t common(const char *a, const char *b) {
  size_t n = 0;
  while (a[n] && a[n] == b[n]) n++;
  while (n > 0 && ((unsigned char)a[n] & 0xC0) == 0x80) n--; /* whole characters */
  return n;
}

/* The words of the list at idx, in a line of their own. */
static void show_words(lua_State *L, int idx) {
  lua_Integer n = luaL_len(L, idx);
  putchar('\n');
  for (lua_Integer i = 1; i <= n && i <= SHOWN; i++) {
    lua_rawgeti(L, idx, i);
    printf("%s%s", i > 1 ? "  " : "", lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  puts(n > SHOWN ? "  \u2026" : "");
  fflush(stdout);
}

/* Stack: list of words, bytes that they replace. Inserts what all words begin with. */
static unsigned char insert_words(lua_State *L, EditLine *el) {
  int list = lua_gettop(L) - 1;
  size_t typed = (size_t)lua_tointeger(L, -1);
  lua_Integer n = lua_istable(L, list) ? luaL_len(L, list) : 0;
  if (n == 0) return CC_ERROR;
  lua_rawgeti(L, list, 1);
  char *word = strdup(luaL_tolstring(L, -1, NULL));
  if (!word) return CC_ERROR;
  for (lua_Integer i = 2; i <= n; i++) {
    lua_rawgeti(L, list, i);
    word[common(word, luaL_tolstring(L, -1, NULL))] = 0;
    lua_pop(L, 2);
  }
  bool more = strlen(word) > typed;
  if (more) el_insertstr(el, word + typed);
  free(word);
  if (n > 1 && !more) show_words(L, list);
  return n > 1 && !more ? CC_REDISPLAY : CC_REFRESH;
}

static unsigned char on_tab(EditLine *el, int key) {
  struct editor *e = editor_of(el);
  lua_State *L = e->L;
  int top = lua_gettop(L);
  unsigned char result = CC_ERROR;
  (void)key;
  lua_getiuservalue(L, 1, 1); /* read has the editor at 1 */
  if (lua_isfunction(L, -1)) {
    const LineInfo *line = el_line(el);
    lua_pushlstring(L, line->buffer, (size_t)(line->cursor - line->buffer));
    if (lua_pcall(L, 1, 2, 0) == LUA_OK) result = insert_words(L, el);
  }
  lua_settop(L, top);
  return result;
}

/* ---- editors ---- */

static unsigned char on_cancel(EditLine *el, int key) {
  (void)key;
  editor_of(el)->cancelled = true;
  return CC_NEWLINE;
}

static char *prompt_of(EditLine *el) { return editor_of(el)->prompt; }

static void release(struct editor *e) {
  if (e->el) el_end(e->el);
  if (e->history) history_end(e->history);
  free(e->prompt);
  free(e->path);
  memset(e, 0, sizeof *e);
}

static int editor_gc(lua_State *L) {
  release(lua_touserdata(L, 1));
  return 0;
}

static struct editor *check_editor(lua_State *L) {
  struct editor *e = luaL_checkudata(L, 1, "weft.line");
  luaL_argcheck(L, e->el, 1, "the editor is closed");
  return e;
}

static void set_up(struct editor *e) {
  EditLine *el = e->el;
  el_set(el, EL_CLIENTDATA, e);
  el_set(el, EL_PROMPT, prompt_of);
  el_set(el, EL_SIGNAL, 1);
  el_set(el, EL_HIST, history, e->history);
  el_set(el, EL_EDITOR, "emacs");
  el_wset(el, EL_ADDFN, L"weft-complete", L"completes a name", on_tab); /* el_set would lose copies of these */
  el_wset(el, EL_ADDFN, L"weft-cancel", L"drops the line", on_cancel);
  el_set(el, EL_BIND, "^I", "weft-complete", NULL);
  el_set(el, EL_BIND, "^C", "weft-cancel", NULL);
  el_set(el, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el_set(el, EL_BIND, "\033[3~", "ed-delete-next-char", NULL);
  el_set(el, EL_BIND, "\033[1~", "ed-move-to-beg", NULL);
  el_set(el, EL_BIND, "\033[4~", "ed-move-to-end", NULL);
  el_set(el, EL_SETTY, "-d", "-isig", NULL);
  el_source(el, NULL);
}

static void begin_history(struct editor *e, const char *path) {
  HistEvent event;
  history(e->history, &event, H_SETSIZE, HISTORY);
  history(e->history, &event, H_SETUNIQUE, 1);
  if (!path) return;
  e->path = strdup(path);
  history(e->history, &event, H_LOAD, path);
}

static int l_new(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "name");
  lua_getfield(L, 1, "history");
  const char *name = luaL_optstring(L, 2, "weft"), *path = luaL_optstring(L, 3, NULL);
  struct editor *e = lua_newuserdatauv(L, sizeof *e, 1);
  memset(e, 0, sizeof *e);
  luaL_setmetatable(L, "weft.line");
  lua_getfield(L, 1, "complete");
  lua_setiuservalue(L, -2, 1);
  e->history = history_init();
  e->el = el_init(name, stdin, stdout, stderr);
  if (!e->history || !e->el) return luaL_error(L, "the terminal cannot be used");
  begin_history(e, path);
  set_up(e);
  return 1;
}

static int l_read(lua_State *L) {
  struct editor *e = check_editor(L);
  int n = 0;
  free(e->prompt);
  e->prompt = strdup(luaL_checkstring(L, 2));
  lua_settop(L, 1);
  e->L = L;
  e->cancelled = false;
  fflush(stdout);
  const char *text = el_gets(e->el, &n);
  if (e->cancelled) {
    fputs("^C\n", stdout);
    return lua_pushboolean(L, 0), 1;
  }
  if (!text || n <= 0) return lua_pushnil(L), 1;
  lua_pushlstring(L, text, (size_t)(n - (text[n - 1] == '\n')));
  return 1;
}

/* Kept at once: a program may end in any way. Nobody else reads what was typed. */
static int l_add(lua_State *L) {
  struct editor *e = check_editor(L);
  HistEvent event;
  history(e->history, &event, H_ENTER, luaL_checkstring(L, 2));
  if (!e->path) return 0;
  mode_t before = umask(077);
  history(e->history, &event, H_SAVE, e->path);
  umask(before);
  chmod(e->path, 0600);
  return 0;
}

__attribute__((visibility("default"))) int luaopen_weft_line(lua_State *L);

int luaopen_weft_line(lua_State *L) {
  static const luaL_Reg methods[] = {{"read", l_read}, {"add", l_add}, {"close", editor_gc}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"new", l_new},         {"width", l_width},
                                       {"cut", l_cut},         {"columns", l_columns},
                                       {"interrupts", l_interrupts}, {"interrupted", l_interrupted},
                                       {"is_terminal", l_is_terminal}, {NULL, NULL}};
  luaL_newmetatable(L, "weft.line");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, editor_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, functions);
  return 1;
}
