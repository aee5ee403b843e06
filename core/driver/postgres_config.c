/* SPDX-License-Identifier: MIT */
/* Settings: each name of Weft's, what libpq calls it, and whether its value makes sense. What is
   not given is left to libpq (PGPASSWORD, PGSSLMODE, the password file ...), except that nothing
   may block or need a round trip of its own.

   PgBouncer refuses startup parameters that it does not know, so only client_encoding and
   application_name are always sent; search_path and options travel as `options` when given. */
#include <stdio.h>
#include <stdlib.h>

#include "postgres.h"

static const struct option {
  const char *name, *keyword; /* keyword NULL: not libpq's, or put together below */
} options[] = {
    {"host", NULL},
    {"port", "port"},
    {"user", "user"},
    {"password", "password"},
    {"passfile", "passfile"},
    {"database", "dbname"},
    {"socket", NULL},
    {"ssl", "sslmode"},
    {"sslmode", "sslmode"},
    {"sslrootcert", "sslrootcert"},
    {"sslcert", "sslcert"},
    {"sslkey", "sslkey"},
    {"application_name", "application_name"},
    {"connect_timeout", NULL},
    {"prepare", NULL},
    {"search_path", NULL},
    {"options", NULL},
};
enum { NOPTIONS = sizeof options / sizeof *options };

static const char *const ssl_modes[] = {"disable", "prefer", "require", "verify-ca", "verify-full"};
enum { NMODES = sizeof ssl_modes / sizeof *ssl_modes };

static const char *option_name(const void *ud, size_t i, size_t *len) {
  (void)ud;
  *len = strlen(options[i].name);
  return options[i].name;
}

static const char *mode_name(const void *ud, size_t i, size_t *len) {
  (void)ud;
  *len = strlen(ssl_modes[i]);
  return ssl_modes[i];
}

static int unknown(struct weft_error *err, const char *what, const char *word, size_t n,
                   const char *(*name)(const void *, size_t, size_t *)) {
  size_t len;
  const char *near = weft_nearest(word, strlen(word), n, name, NULL, &len);
  if (near)
    return weft_fail(err, WEFT_USAGE, "unknown %s '%.80s' for PostgreSQL; did you mean '%.*s'?",
                     what, word, (int)len, near);
  return weft_fail(err, WEFT_USAGE, "unknown %s '%.80s' for PostgreSQL", what, word);
}

static void set(struct weft_pg_settings *pg, const char *keyword, const char *value) {
  pg->keywords[pg->n] = keyword;
  pg->values[pg->n++] = value;
}

static const char *get(struct weft_settings *s, const char *name) {
  const struct weft_setting *v = weft_setting(s, name);
  return v ? weft_arena_copy(&s->arena, v->value.p, v->value.n) : NULL;
}

static int check(const char *name, const char *value, struct weft_error *err) {
  if (strcmp(name, "ssl") == 0 || strcmp(name, "sslmode") == 0) {
    for (int i = 0; i < NMODES; i++)
      if (strcmp(value, ssl_modes[i]) == 0) return 0;
    return unknown(err, "value of ssl", value, NMODES, mode_name);
  }
  if (strcmp(name, "port") == 0) {
    char *end;
    long port = strtol(value, &end, 10);
    if (!*value || *end || port < 1 || port > 65535)
      return weft_fail(err, WEFT_USAGE, "port must be between 1 and 65535");
  }
  return 0;
}

static int read_prepare(const char *value, bool *out, struct weft_error *err) {
  static const char *const yes[] = {"true", "1", "on", "yes"}, *const no[] = {"false", "0", "off",
                                                                              "no"};
  for (int i = 0; i < 4; i++) {
    if (strcmp(value, yes[i]) == 0) return *out = true, 0;
    if (strcmp(value, no[i]) == 0) return *out = false, 0;
  }
  return weft_fail(err, WEFT_USAGE, "prepare must be true or false");
}

static int read_timeout(const char *value, int64_t *out, struct weft_error *err) {
  double seconds;
  if (weft_float_parse(weft_slice_of(value), &seconds) != 0 || !(seconds > 0 && seconds <= 3600))
    return weft_fail(err, WEFT_USAGE, "connect_timeout must be seconds, above 0 and at most 3600");
  *out = (int64_t)(seconds * 1e9);
  return 0;
}

/* An absolute path or an abstract name is a socket (its folder, in fact); anything else is looked
 * up. */
static int read_host(struct weft_settings *s, struct weft_pg_settings *pg, struct weft_error *err) {
  const char *host = get(s, "host"), *socket = get(s, "socket");
  if (host && socket) return weft_fail(err, WEFT_USAGE, "host and socket cannot both be given");
  if (!host) host = socket;
  if (!host) host = getenv("PGHOST");
  if (!host || !*host) return 0;
  if (strchr(host, ','))
    return weft_fail(err, WEFT_USAGE, "one host at a time: a list of hosts is not supported");
  size_t n = strlen(host);
  if (*host == '[' && host[n - 1] == ']') host = weft_arena_copy(&s->arena, host + 1, n - 2);
  set(pg, "host", host);
  if (*host != '/' && *host != '@') pg->host = host;
  return 0;
}

/* -c search_path=a\,\ b : libpq's options are split at spaces unless they are escaped. */
static void add_options(struct weft_settings *s, struct weft_pg_settings *pg) {
  const char *path = get(s, "search_path"), *more = get(s, "options");
  struct weft_buf b;
  if (!path && !more) return;
  weft_buf_init(&b);
  if (path) weft_buf_lit(&b, "-c search_path=");
  for (; path && *path; path++) {
    if (*path == ' ' || *path == '\\') weft_buf_char(&b, '\\');
    weft_buf_char(&b, *path);
  }
  if (more) weft_buf_fmt(&b, "%s%s", b.n ? " " : "", more);
  set(pg, "options", weft_arena_copy(&s->arena, b.p ? b.p : "", b.n));
  weft_buf_release(&b);
}

static int check_names(const struct weft_settings *s, struct weft_error *err) {
  for (uint32_t i = 0; i < s->n; i++) {
    size_t k = 0;
    while (k < NOPTIONS && strcmp(options[k].name, s->v[i].name) != 0) k++;
    if (k == NOPTIONS) return unknown(err, "option", s->v[i].name, NOPTIONS, option_name);
    if (s->v[i].value.n && memchr(s->v[i].value.p, 0, s->v[i].value.n))
      return weft_fail(err, WEFT_USAGE, "%s holds a zero byte", s->v[i].name);
  }
  return 0;
}

int weft_pg_configure(struct weft_settings *s, struct weft_error *err) {
  struct weft_pg_settings *pg = weft_arena_alloc(&s->arena, sizeof *pg);
  *pg = (struct weft_pg_settings){.prepare = true, .timeout_ns = 5 * WEFT_PG_SECOND};
  const char *value;
  if (check_names(s, err) != 0 || read_host(s, pg, err) != 0) return -1;
  for (size_t i = 0; i < NOPTIONS; i++) {
    if (!options[i].keyword || !(value = get(s, options[i].name))) continue;
    if (check(options[i].name, value, err) != 0) return -1;
    set(pg, options[i].keyword, value);
  }
  if ((value = get(s, "prepare")) && read_prepare(value, &pg->prepare, err) != 0) return -1;
  if ((value = get(s, "connect_timeout")) && read_timeout(value, &pg->timeout_ns, err) != 0)
    return -1;
  if (!weft_setting(s, "application_name")) set(pg, "application_name", "weft");
  add_options(s, pg);
  set(pg, "client_encoding", "UTF8");
  /* Kerberos would look for tickets, which blocks; and a dead peer is found out by the kernel. */
  set(pg, "gssencmode", "disable");
  set(pg, "tcp_user_timeout", "30000");
  s->data = pg;
  return 0;
}
