/* SPDX-License-Identifier: MIT */
/* From a url to a driver and its settings, without I/O beyond opening the driver's shared object.

   A scheme names its driver: NAME is linked in (weft_driver_NAME is defined) or found as
   driver_NAME.so beside this module. Drivers stay open for the life of the process, so that
   nothing is remembered here. No message holds a part of the url that may be secret. */
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dialect.h"
#include "driver.h"

typedef const struct weft_driver *driver_fn(void);

/* Present when the program was linked with the driver's object. */
__attribute__((weak)) driver_fn weft_driver_sqlite, weft_driver_postgres, weft_driver_mysql,
    weft_driver_dynamodb;

static const struct linked {
  const char *name;
  driver_fn *driver;
} linked[] = {{"sqlite", weft_driver_sqlite},
              {"postgres", weft_driver_postgres},
              {"mysql", weft_driver_mysql},
              {"dynamodb", weft_driver_dynamodb}};
enum { LINKED = sizeof linked / sizeof linked[0], NAME_MAX_ = 32, NAMES_MAX = 32 };

static const char *const aliases[][2] = {
    {"postgresql", "postgres"}, {"sqlite3", "sqlite"}, {"mariadb", "mysql"}};
enum { ALIASES = sizeof aliases / sizeof aliases[0] };

/* ---- shared objects ---- */

/* The folder of the file that this code is in; false when the system does not tell. */
static bool module_folder(char out[PATH_MAX]) {
  Dl_info info;
  struct link_map *map = NULL;
  char path[PATH_MAX];
  if (!dladdr1(__extension__(void *) module_folder, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
    return false;
  if (!realpath(map->l_name[0] ? map->l_name : "/proc/self/exe", path)) return false;
  char *slash = strrchr(path, '/');
  if (!slash) return false;
  *slash = 0;
  memcpy(out, path, (size_t)(slash - path) + 1);
  return true;
}

/* A module that was loaded privately (Lua does) must show the core's functions to its drivers. */
static void publish_core(void) {
  Dl_info info;
  struct link_map *map = NULL;
  if (dladdr1(__extension__(void *) module_folder, &info, (void **)&map, RTLD_DL_LINKMAP) && map &&
      map->l_name[0])
    dlopen(map->l_name, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
}

/* Beside the module; below a program; beside the folder of a program. */
static const char *const places[] = {"", "/lib/weft", "/../lib/weft"};
enum { PLACES = sizeof places / sizeof places[0] };

static int open_at(const char *path, const char *name, const struct weft_driver **out,
                   struct weft_error *err) {
  char symbol[sizeof "weft_driver_" + NAME_MAX_];
  publish_core();
  if (!dlsym(RTLD_DEFAULT, "weft_conn_init"))
    return weft_fail(err, WEFT_UNSUPPORTED, "this program keeps Weft's functions to itself: link the %s driver in "
                     "(-Wl,-u,weft_driver_%s), or export them (-rdynamic)", name, name);
  void *so = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  if (!so)
    return weft_fail(err, WEFT_UNSUPPORTED, "cannot open the %s driver: %s", name, dlerror());
  snprintf(symbol, sizeof symbol, "weft_driver_%s", name);
  driver_fn *driver;
  *(void **)(void *)&driver = dlsym(so, symbol);
  if (!driver) return weft_fail(err, WEFT_UNSUPPORTED, "%s is not a driver of Weft", path);
  const struct weft_driver *d = driver();
  if (d->abi != WEFT_DRIVER_ABI)
    return weft_fail(err, WEFT_UNSUPPORTED, "the %s driver was built for another version of Weft",
                     name);
  *out = d;
  return 0;
}

/* The names that would do, for "did you mean". */
struct names {
  uint32_t n;
  char v[NAMES_MAX][NAME_MAX_];
};

static void add_name(struct names *names, const char *name, size_t len) {
  if (names->n == NAMES_MAX || len >= NAME_MAX_) return;
  memcpy(names->v[names->n], name, len);
  names->v[names->n++][len] = 0;
}

static void list_folder(const char *folder, struct names *names) {
  DIR *dir = opendir(folder);
  if (!dir) return;
  for (struct dirent *e; (e = readdir(dir));) {
    size_t len = strlen(e->d_name);
    if (len > 10 && memcmp(e->d_name, "driver_", 7) == 0 && strcmp(e->d_name + len - 3, ".so") == 0)
      add_name(names, e->d_name + 7, len - 10);
  }
  closedir(dir);
}

static const char *name_at(const void *ud, size_t i, size_t *len) {
  const struct names *names = ud;
  *len = strlen(names->v[i]);
  return names->v[i];
}

static int unknown_scheme(const char *scheme, const char *name, const char *folder,
                          struct weft_error *err) {
  struct names names = {0};
  char path[PATH_MAX + 16];
  for (size_t i = 0; i < LINKED; i++)
    if (strcmp(name, linked[i].name) == 0)
      return weft_fail(err, WEFT_UNSUPPORTED, "driver_%s.so is not installed beside Weft's module",
                       name);
  for (size_t i = 0; i < LINKED; i++)
    if (linked[i].driver) add_name(&names, linked[i].name, strlen(linked[i].name));
  for (size_t i = 0; folder && i < PLACES; i++) {
    snprintf(path, sizeof path, "%s%s", folder, places[i]);
    list_folder(path, &names);
  }
  size_t n;
  const char *near = weft_nearest(scheme, strlen(scheme), names.n, name_at, &names, &n);
  if (near)
    return weft_fail(err, WEFT_USAGE, "unknown database '%s' in a url; did you mean '%s'?", scheme,
                     near);
  return weft_fail(err, WEFT_USAGE, "unknown database '%s' in a url: no driver of that name",
                   scheme);
}

static int find_driver(const char *scheme, const struct weft_driver **out, struct weft_error *err) {
  char folder[PATH_MAX], path[PATH_MAX + 64];
  const char *name = scheme;
  for (size_t i = 0; i < ALIASES; i++)
    if (strcmp(scheme, aliases[i][0]) == 0) name = aliases[i][1];
  for (size_t i = 0; i < LINKED; i++)
    if (linked[i].driver && strcmp(name, linked[i].name) == 0) return *out = linked[i].driver(), 0;
  bool known = module_folder(folder);
  for (size_t i = 0; known && i < PLACES; i++) {
    snprintf(path, sizeof path, "%s%s/driver_%s.so", folder, places[i], name);
    if (access(path, F_OK) == 0) return open_at(path, name, out, err);
  }
  return unknown_scheme(scheme, name, known ? folder : NULL, err);
}

/* ---- urls ---- */

struct parser {
  struct weft_settings *s;
  uint32_t cap;
  struct weft_error *err;
};

static void add(struct parser *p, const char *name, struct weft_slice value) {
  struct weft_settings *s = p->s;
  for (uint32_t i = 0; i < s->n; i++)
    if (strcmp(s->v[i].name, name) == 0) {
      s->v[i].value = value;
      return;
    }
  if (s->n == p->cap) {
    struct weft_setting *more = weft_arena_alloc(&s->arena, 2 * p->cap * sizeof *more);
    memcpy(more, s->v, s->n * sizeof *more);
    s->v = more;
    p->cap *= 2;
  }
  s->v[s->n++] = (struct weft_setting){name, value};
}

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes %XX. The copy ends in a zero byte; a zero byte inside is refused. */
static int decode(struct parser *p, struct weft_slice text, const char *what,
                  struct weft_slice *out) {
  char *to = weft_arena_bytes(&p->s->arena, text.n + 1);
  size_t n = 0;
  for (size_t i = 0; i < text.n; i++) {
    int c = (unsigned char)text.p[i];
    if (c == '%') {
      int high = -1, low = -1;
      if (text.n - i > 2) high = hex(text.p[i + 1]), low = hex(text.p[i + 2]);
      if (high < 0 || low < 0)
        return weft_fail(p->err, WEFT_USAGE, "the %s of a url has a %% without two hex digits",
                         what);
      c = high * 16 + low;
      i += 2;
    }
    if (c == 0) return weft_fail(p->err, WEFT_USAGE, "the %s of a url holds a zero byte", what);
    to[n++] = (char)c;
  }
  to[n] = 0;
  *out = weft_slice(to, n);
  return 0;
}

static int add_decoded(struct parser *p, const char *name, struct weft_slice text) {
  struct weft_slice value;
  if (decode(p, text, name, &value) < 0) return -1;
  add(p, name, value);
  return 0;
}

/* Splits at the first (or last) c: what stands before is returned, *rest is what follows; without c
   everything is before and rest->p is NULL. */
static struct weft_slice split(struct weft_slice text, char c, bool last, struct weft_slice *rest) {
  const char *at = text.n == 0 ? NULL
                   : last      ? memrchr(text.p, c, text.n)
                               : memchr(text.p, c, text.n);
  *rest = weft_slice(NULL, 0);
  if (!at) return text;
  size_t n = (size_t)(at - text.p);
  *rest = weft_slice(at + 1, text.n - n - 1);
  return weft_slice(text.p, n);
}

static int parse_query(struct parser *p, struct weft_slice query) {
  while (query.p) {
    struct weft_slice rest, value, name;
    struct weft_slice pair = split(query, '&', false, &rest);
    query = rest;
    if (pair.n == 0) continue;
    struct weft_slice raw = split(pair, '=', false, &value);
    if (!value.p) return weft_fail(p->err, WEFT_USAGE, "a url's options look like name=value");
    if (decode(p, raw, "option", &name) < 0 || add_decoded(p, name.p, value) < 0) return -1;
  }
  return 0;
}

static int parse_port(struct parser *p, struct weft_slice port) {
  unsigned long n = 0;
  for (size_t i = 0; i < port.n; i++) {
    if (port.p[i] < '0' || port.p[i] > '9' || n > 65535) n = 65536;
    else n = n * 10 + (unsigned long)(port.p[i] - '0');
  }
  if (n == 0 || n > 65535)
    return weft_fail(p->err, WEFT_USAGE, "the port of a url is a number from 1 to 65535");
  return add_decoded(p, "port", port);
}

static int parse_host(struct parser *p, struct weft_slice host) {
  struct weft_slice port;
  if (host.n > 0 && host.p[0] == '[') {
    struct weft_slice inside = split(weft_slice(host.p + 1, host.n - 1), ']', false, &port);
    if (!port.p || (port.n > 0 && port.p[0] != ':'))
      return weft_fail(p->err, WEFT_USAGE, "an IPv6 address in a url looks like [::1]:5432");
    port = port.n > 0 ? weft_slice(port.p + 1, port.n - 1) : weft_slice(NULL, 0);
    host = inside;
  } else {
    host = split(host, ':', true, &port);
  }
  if (host.n > 0 && add_decoded(p, "host", host) < 0) return -1;
  return port.p ? parse_port(p, port) : 0;
}

/* user:password@host:port/database */
static int parse_authority(struct parser *p, struct weft_slice text) {
  struct weft_slice database, host, password;
  struct weft_slice authority = split(text, '/', false, &database);
  struct weft_slice user = split(authority, '@', true, &host);
  if (!host.p) host = authority, user = weft_slice(NULL, 0);
  user = split(user, ':', false, &password);
  if (user.n > 0 && add_decoded(p, "user", user) < 0) return -1;
  if (password.p && add_decoded(p, "password", password) < 0) return -1;
  if (parse_host(p, host) < 0) return -1;
  return database.n > 0 ? add_decoded(p, "database", database) : 0;
}

/* scheme+unix://user:password@/run/server.sock/database: the socket is the path up to the last
   part. */
static int parse_socket(struct parser *p, struct weft_slice text) {
  struct weft_slice path, database;
  struct weft_slice authority = split(text, '/', false, &path);
  if (!path.p) return weft_fail(p->err, WEFT_USAGE, "a url of a local socket holds its path");
  struct weft_slice socket = split(weft_slice(path.p - 1, path.n + 1), '/', true, &database);
  if (parse_authority(p, authority) < 0 || add_decoded(p, "socket", socket) < 0) return -1;
  return database.n > 0 ? add_decoded(p, "database", database) : 0;
}

/* A file's name is taken as it is; "//" before an absolute one is a habit from other urls. */
static int parse_path(struct parser *p, struct weft_slice path) {
  if (path.n > 2 && memcmp(path.p, "///", 3) == 0) path = weft_slice(path.p + 2, path.n - 2);
  if (path.n == 0) return weft_fail(p->err, WEFT_USAGE, "the url names no file");
  if (memchr(path.p, 0, path.n))
    return weft_fail(p->err, WEFT_USAGE, "the path of a url holds a zero byte");
  add(p, "path", weft_arena_slice(&p->s->arena, path));
  return 0;
}

static int parse_rest(struct parser *p, struct weft_slice rest, bool socket) {
  struct weft_slice query;
  rest = split(rest, '?', false, &query);
  if (parse_query(p, query) < 0) return -1;
  if (p->s->driver->caps & WEFT_DRIVER_ONE_WRITER) return parse_path(p, rest);
  if (rest.n < 2 || memcmp(rest.p, "//", 2) != 0)
    return weft_fail(p->err, WEFT_USAGE, "a url of %s begins with %s://", p->s->driver->name,
                     p->s->driver->name);
  rest = weft_slice(rest.p + 2, rest.n - 2);
  return socket ? parse_socket(p, rest) : parse_authority(p, rest);
}

/* "postgres://app@127.0.0.1:5432/seller": everything but passwords and options. */
static void make_label(struct weft_settings *s) {
  static const char *const parts[][2] = {{"user", ""},   {"host", "@"}, {"port", ":"},
                                         {"socket", ""}, {"path", ""},  {"database", "/"}};
  struct weft_buf text;
  weft_buf_init(&text);
  weft_buf_str(&text, s->driver->name);
  weft_buf_str(&text, s->driver->caps & WEFT_DRIVER_ONE_WRITER ? ":" : "://");
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    const struct weft_setting *v = weft_setting(s, parts[i][0]);
    if (!v) continue;
    if (i != 1 || weft_setting(s, "user")) weft_buf_str(&text, parts[i][1]);
    weft_buf_slice_add(&text, v->value);
  }
  s->label = weft_arena_slice(&s->arena, weft_buf_slice(&text));
  weft_buf_release(&text);
}

static int parse_scheme(struct weft_slice url, char out[NAME_MAX_], bool *socket,
                        struct weft_slice *rest, struct weft_error *err) {
  struct weft_slice with;
  struct weft_slice scheme = split(url, ':', false, rest);
  if (!rest->p || scheme.n == 0 || scheme.n >= NAME_MAX_)
    return weft_fail(err, WEFT_USAGE,
                     "a database's url begins with its kind, as in \"sqlite:file.db\"");
  scheme = split(scheme, '+', false, &with);
  *socket = weft_slice_equal(with, WEFT_LIT("unix"));
  if (with.p && !*socket)
    return weft_fail(err, WEFT_USAGE, "only +unix may follow the kind of a database in a url");
  for (size_t i = 0; i < scheme.n; i++) {
    char c = scheme.p[i];
    if (c >= 'A' && c <= 'Z') c |= 0x20;
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
      return weft_fail(err, WEFT_USAGE, "the kind of a database in a url is letters and digits");
    out[i] = c;
  }
  out[scheme.n] = 0;
  return 0;
}

const struct weft_setting *weft_setting(const struct weft_settings *s, const char *name) {
  for (uint32_t i = 0; i < s->n; i++)
    if (strcmp(s->v[i].name, name) == 0) return &s->v[i];
  return NULL;
}

int weft_settings_new(struct weft_slice url, const struct weft_setting *options, uint32_t n,
                      struct weft_settings **out, struct weft_error *err) {
  char scheme[NAME_MAX_];
  bool socket = false;
  struct weft_slice rest;
  const struct weft_driver *driver;
  if (parse_scheme(url, scheme, &socket, &rest, err) < 0 || find_driver(scheme, &driver, err) < 0)
    return -1;
  struct weft_settings *s = weft_zalloc(sizeof *s);
  struct parser p = {.s = s, .cap = 16, .err = err};
  weft_arena_init(&s->arena, NULL, 0);
  s->driver = driver;
  s->v = weft_arena_alloc(&s->arena, p.cap * sizeof *s->v);
  if (parse_rest(&p, rest, socket) < 0) goto fail;
  for (uint32_t i = 0; i < n; i++)
    add(&p, weft_arena_copy(&s->arena, options[i].name, strlen(options[i].name)),
        weft_arena_slice(&s->arena, options[i].value));
  make_label(s);
  if (driver->configure(s, err) < 0) goto fail;
  *out = s;
  return 0;
fail:
  weft_settings_free(s);
  return -1;
}

void weft_settings_free(struct weft_settings *s) {
  if (!s) return;
  weft_arena_release(&s->arena);
  free(s);
}
