/* SPDX-License-Identifier: MIT */
/* Settings: which options there are, and whether their values make sense. What is not given is Connector/C's
   default; no option file is read. */
#include <stdlib.h>

#include "mysql.h"

static const char *const options[] = {
    "host",    "port",   "user",    "password", "database",         "socket",
    "ssl",     "ssl_ca", "ssl_cert", "ssl_key", "application_name", "connect_timeout",
};
enum { NOPTIONS = sizeof options / sizeof *options };

static const struct mode {
  const char *name;
  enum weft_my_ssl ssl;
} modes[] = {
    {"disable", WEFT_MY_SSL_DISABLE}, {"prefer", WEFT_MY_SSL_PREFER},
    {"require", WEFT_MY_SSL_REQUIRE}, {"verify-ca", WEFT_MY_SSL_VERIFY}, /* the name is looked at, too */
    {"verify-full", WEFT_MY_SSL_VERIFY},
};
enum { NMODES = sizeof modes / sizeof *modes };

static const char *option_name(const void *ud, size_t i, size_t *len) {
  (void)ud;
  *len = strlen(options[i]);
  return options[i];
}

static const char *mode_name(const void *ud, size_t i, size_t *len) {
  (void)ud;
  *len = strlen(modes[i].name);
  return modes[i].name;
}

static int unknown(struct weft_error *err, const char *what, const char *word, size_t n,
                   const char *(*name)(const void *, size_t, size_t *)) {
  size_t len;
  const char *near = weft_nearest(word, strlen(word), n, name, NULL, &len);
  if (near)
    return weft_fail(err, WEFT_USAGE, "unknown %s '%.80s' for MySQL; did you mean '%.*s'?", what, word,
                     (int)len, near);
  return weft_fail(err, WEFT_USAGE, "unknown %s '%.80s' for MySQL", what, word);
}

static int check_names(const struct weft_settings *s, struct weft_error *err) {
  for (uint32_t i = 0; i < s->n; i++) {
    size_t k = 0;
    while (k < NOPTIONS && strcmp(options[k], s->v[i].name) != 0) k++;
    if (k == NOPTIONS) return unknown(err, "option", s->v[i].name, NOPTIONS, option_name);
    if (s->v[i].value.n && memchr(s->v[i].value.p, 0, s->v[i].value.n))
      return weft_fail(err, WEFT_USAGE, "%s holds a zero byte", s->v[i].name);
  }
  return 0;
}

static const char *get(struct weft_settings *s, const char *name) {
  const struct weft_setting *v = weft_setting(s, name);
  return v ? weft_arena_copy(&s->arena, v->value.p, v->value.n) : NULL;
}

static int read_ssl(const char *value, struct weft_my_settings *my, struct weft_error *err) {
  if (!value) return 0;
  for (int i = 0; i < NMODES; i++)
    if (strcmp(value, modes[i].name) == 0) return my->ssl = modes[i].ssl, 0;
  return unknown(err, "value of ssl", value, NMODES, mode_name);
}

static int read_port(const char *value, struct weft_my_settings *my, struct weft_error *err) {
  char *end;
  if (!value) return 0;
  long port = strtol(value, &end, 10);
  if (!*value || *end || port < 1 || port > 65535)
    return weft_fail(err, WEFT_USAGE, "port must be between 1 and 65535");
  my->port = (unsigned)port;
  return 0;
}

static int read_timeout(const char *value, struct weft_my_settings *my, struct weft_error *err) {
  double seconds;
  if (!value) return 0;
  if (weft_float_parse(weft_slice_of(value), &seconds) != 0 || !(seconds > 0 && seconds <= 3600))
    return weft_fail(err, WEFT_USAGE, "connect_timeout must be seconds, above 0 and at most 3600");
  my->timeout = seconds < 1 ? 1 : (unsigned)seconds;
  return 0;
}

/* "localhost" would be a socket to Connector/C, whose place it guesses; here it is a name like any other. */
static const char *host_of(const char *host) {
  return !host || strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
}

int weft_my_configure(struct weft_settings *s, struct weft_error *err) {
  struct weft_my_settings *my = weft_arena_alloc(&s->arena, sizeof *my);
  if (check_names(s, err)) return -1;
  const char *program = get(s, "application_name"), *host = get(s, "host");
  *my = (struct weft_my_settings){.user = get(s, "user"),
                                  .password = get(s, "password"),
                                  .database = get(s, "database"),
                                  .socket = get(s, "socket"),
                                  .ca = get(s, "ssl_ca"),
                                  .cert = get(s, "ssl_cert"),
                                  .key = get(s, "ssl_key"),
                                  .program = program ? program : "weft",
                                  .port = 3306,
                                  .timeout = 5,
                                  .ssl = WEFT_MY_SSL_PREFER};
  if (host && my->socket) return weft_fail(err, WEFT_USAGE, "host and socket cannot both be given");
  if (!my->socket) my->host = host_of(host);
  if (read_ssl(get(s, "ssl"), my, err) || read_port(get(s, "port"), my, err) ||
      read_timeout(get(s, "connect_timeout"), my, err))
    return -1;
  s->data = my;
  return 0;
}
