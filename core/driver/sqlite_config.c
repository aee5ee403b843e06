/* SPDX-License-Identifier: MIT */
/* From url and options to an open handle. Opening is quick and happens on the loop's thread; it
   reads the file only where a pragma makes it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../value.h"
#include "sqlite.h"

enum { BUSY_SECONDS = 5, BUSY_MAX = 86400 };

/* ---- options ---- */

static const char *const modes[] = {"ro", "rw", "rwc", NULL};
static const char *const journals[] = {"wal",    "delete", "truncate", "persist",
                                       "memory", "off",    NULL};
static const char *const syncs[] = {"off", "normal", "full", "extra", NULL};
static const char *const switches[] = {"on", "off", "true", "false", "1", "0", "yes", "no", NULL};

static const struct option {
  const char *name;
  const char *const *words; /* NULL: a number, or a path */
} options[] = {
    {"path", NULL},          {"mode", modes},      {"journal", journals}, {"synchronous", syncs},
    {"busy_timeout", NULL},  {"cache_size", NULL}, {"foreign_keys", switches},
};
enum { OPTIONS = sizeof options / sizeof *options };

static const char *option_name(const void *ud, size_t i, size_t *len) {
  (void)ud;
  *len = strlen(options[i].name);
  return options[i].name;
}

static int unknown_option(struct weft_slice name, struct weft_error *err) {
  size_t n = 0;
  const char *near = weft_nearest(name.p, name.n, OPTIONS, option_name, NULL, &n);
  if (!near)
    return weft_fail(err, WEFT_USAGE, "unknown option '%.*s' of a sqlite database", (int)name.n,
                     name.p);
  return weft_fail(err, WEFT_USAGE,
                   "unknown option '%.*s' of a sqlite database; did you mean '%.*s'?", (int)name.n,
                   name.p, (int)n, near);
}

/* The place of value in words, or -1. */
static int word(const char *const *words, struct weft_slice value) {
  for (int i = 0; words[i]; i++)
    if (weft_slice_equal(value, weft_slice_of(words[i]))) return i;
  return -1;
}

static int check_word(const struct option *o, struct weft_slice value, struct weft_error *err) {
  if (word(o->words, value) >= 0) return 0;
  char list[128] = "";
  size_t n = 0;
  for (int i = 0; o->words[i] && n < sizeof list; i++)
    n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", o->words[i]);
  return weft_fail(err, WEFT_USAGE, "option %s of a sqlite database is one of %s", o->name, list);
}

static int check_options(const struct weft_settings *s, struct weft_error *err) {
  for (uint32_t i = 0; i < s->n; i++) {
    const struct option *o = options;
    while (o < options + OPTIONS &&
           !weft_slice_equal(weft_slice_of(s->v[i].name), weft_slice_of(o->name)))
      o++;
    if (o == options + OPTIONS) return unknown_option(weft_slice_of(s->v[i].name), err);
    if (o->words && check_word(o, s->v[i].value, err)) return -1;
  }
  return 0;
}

static struct weft_slice value_of(const struct weft_settings *s, const char *name) {
  const struct weft_setting *o = weft_setting(s, name);
  return o ? o->value : (struct weft_slice){0};
}

static int set_numbers(struct weft_settings *s, struct sqlite_config *c, struct weft_error *err) {
  struct weft_slice busy = value_of(s, "busy_timeout"), cache = value_of(s, "cache_size");
  double seconds = BUSY_SECONDS;
  if (busy.p && (weft_float_parse(busy, &seconds) || !(seconds >= 0 && seconds <= BUSY_MAX)))
    return weft_fail(err, WEFT_USAGE, "option busy_timeout is a number of seconds from 0 to %d",
                     BUSY_MAX);
  c->busy_ns = (int64_t)(seconds * 1e9);
  int64_t pages;
  if (!cache.p) return 0;
  if (weft_int_parse(cache, &pages) || pages > INT32_MAX || pages < INT32_MIN)
    return weft_fail(err, WEFT_USAGE, "option cache_size is a number of pages, or of -KiB");
  c->cache_size = weft_arena_copy(&s->arena, cache.p, cache.n);
  return 0;
}

static void set_words(struct weft_settings *s, struct sqlite_config *c) {
  static const int flags[] = {SQLITE_OPEN_READONLY, SQLITE_OPEN_READWRITE,
                              SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE};
  struct weft_slice mode = value_of(s, "mode"), journal = value_of(s, "journal");
  struct weft_slice sync = value_of(s, "synchronous"), fk = value_of(s, "foreign_keys");
  c->flags = flags[mode.p ? word(modes, mode) : 2] | SQLITE_OPEN_NOMUTEX;
  c->foreign_keys = !fk.p || word(switches, fk) % 2 == 0;
  if (journal.p) c->journal = journals[word(journals, journal)];
  if (sync.p) c->synchronous = syncs[word(syncs, sync)];
}

/* ---- the file ---- */

/* dir and path without "." and ".." and doubled slashes. Symbolic links are left alone: two names
   of one file only lose the courtesy of one queue. */
static struct weft_slice absolute(struct weft_arena *a, const char *dir, struct weft_slice path) {
  struct weft_slice parts[2] = {path.n && path.p[0] == '/' ? weft_slice("", 0) : weft_slice_of(dir),
                                path};
  char *out = weft_arena_bytes(a, parts[0].n + path.n + 3);
  size_t n = 0;
  for (int k = 0; k < 2; k++)
    for (size_t i = 0; i <= parts[k].n;) {
      const char *at = parts[k].p + i;
      const char *slash = i < parts[k].n ? memchr(at, '/', parts[k].n - i) : NULL;
      size_t len = slash ? (size_t)(slash - at) : parts[k].n - i;
      i += len + 1;
      if (len == 0 || (len == 1 && at[0] == '.')) continue;
      if (len == 2 && at[0] == '.' && at[1] == '.') {
        while (n > 0 && out[--n] != '/') continue;
        continue;
      }
      out[n++] = '/';
      memcpy(out + n, at, len);
      n += len;
    }
  out[n] = 0;
  return weft_slice(out, n);
}

static int set_path(struct weft_settings *s, struct sqlite_config *c, struct weft_error *err) {
  struct weft_slice path = value_of(s, "path");
  if (path.n == 0)
    return weft_fail(err, WEFT_USAGE,
                     "a sqlite url names a file (sqlite:var/app.db) or is sqlite::memory:");
  if (memchr(path.p, 0, path.n))
    return weft_fail(err, WEFT_USAGE, "the path of a sqlite url holds a zero byte");
  c->memory = weft_slice_equal(path, WEFT_LIT(":memory:"));
  c->writer = weft_slice("", 0);
  if (c->memory) {
    c->path = ":memory:";
    c->flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    c->flags &= ~SQLITE_OPEN_READONLY;
    return 0;
  }
  if (path.p[path.n - 1] == '/')
    return weft_fail(err, WEFT_USAGE, "the path of a sqlite url is a directory");
  char dir[PATH_MAX];
  if (!getcwd(dir, sizeof dir)) dir[0] = 0;
  c->writer = absolute(&s->arena, dir, path);
  /* An absolute path stays right when the program changes its directory, and is never taken for one
     of SQLite's own file: names. */
  c->path = c->writer.p;
  return 0;
}

int weft_sqlite_configure(struct weft_settings *s, struct weft_error *err) {
  struct sqlite_config *c = weft_arena_alloc(&s->arena, sizeof *c);
  memset(c, 0, sizeof *c);
  if (check_options(s, err) || set_numbers(s, c, err)) return -1;
  set_words(s, c);
  if (set_path(s, c, err)) return -1;
  s->data = c;
  return 0;
}

/* ---- opening ---- */

static int open_failed(const struct weft_conn *c, const struct sqlite_config *config, sqlite3 *db,
                       int rc, struct weft_error *err) {
  struct stat st;
  const char *slash = strrchr(config->path, '/');
  int dir = slash && slash > config->path ? (int)(slash - config->path) : 1;
  char parent[PATH_MAX];
  snprintf(parent, sizeof parent, "%.*s", dir, config->path);
  int why = db ? sqlite3_system_errno(db) : 0;
  if (stat(parent, &st) != 0 && errno == ENOENT)
    weft_conn_fail(c, err, WEFT_CONNECT, "the directory %s does not exist", parent);
  else if (stat(config->path, &st) == 0 && S_ISDIR(st.st_mode))
    weft_conn_fail(c, err, WEFT_CONNECT, "%s is a directory", config->path);
  else if (stat(config->path, &st) != 0 && errno == ENOENT && !(config->flags & SQLITE_OPEN_CREATE))
    weft_conn_fail(c, err, WEFT_CONNECT, "the file does not exist and mode is not rwc");
  else if (why)
    weft_conn_fail(c, err, WEFT_CONNECT, "unable to open the file: %s", strerror(why));
  else
    weft_conn_fail(c, err, WEFT_CONNECT, "unable to open the file");
  snprintf(err->code, sizeof err->code, "%d", rc);
  return rc;
}

static int pragma(sqlite3 *db, const char *name, const char *value) {
  char text[96];
  snprintf(text, sizeof text, "pragma %s=%s", name, value);
  return sqlite3_exec(db, text, NULL, NULL, NULL);
}

/* The journal mode that is wanted is not always to be had; the pragma answers with the one there
 * is. */
static int set_journal(sqlite3 *db, const char *mode, bool *refused) {
  char text[64];
  sqlite3_stmt *stmt = NULL;
  snprintf(text, sizeof text, "pragma journal_mode=%s", mode);
  int rc = sqlite3_prepare_v2(db, text, -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW) {
    const char *now = (const char *)sqlite3_column_text(stmt, 0);
    *refused = !now || sqlite3_stricmp(now, mode) != 0;
    rc = SQLITE_OK;
  }
  int last = sqlite3_finalize(stmt);
  return rc == SQLITE_OK ? last : rc;
}

int weft_sqlite_setup(sqlite3 *db, const struct sqlite_config *config) {
  sqlite3_busy_timeout(db, 0); /* others are waited out on the loop */
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, (int)config->foreign_keys, NULL);
  /* A misspelt column in double quotes must not become a text that compares unequal to everything.
   */
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
  int rc = SQLITE_OK;
  if (config->synchronous) rc = pragma(db, "synchronous", config->synchronous);
  if (rc == SQLITE_OK && config->cache_size) rc = pragma(db, "cache_size", config->cache_size);
  return rc;
}

static bool created_by_us(const struct sqlite_config *config) {
  struct stat st;
  if (config->memory || !(config->flags & SQLITE_OPEN_READWRITE)) return false;
  if (stat(config->path, &st) != 0) return errno == ENOENT;
  return S_ISREG(st.st_mode) && st.st_size == 0;
}

int weft_sqlite_open(const struct weft_conn *c, const struct sqlite_config *config, sqlite3 **out,
                     struct weft_error *err) {
  const char *journal = config->journal ? config->journal : created_by_us(config) ? "wal" : NULL;
  sqlite3 *db = NULL;
  bool refused = false;
  int rc = sqlite3_open_v2(config->path, &db, config->flags, NULL);
  if ((rc & 0xff) == SQLITE_CANTOPEN) {
    open_failed(c, config, db, rc, err);
    goto fail;
  }
  if (rc == SQLITE_OK) {
    sqlite3_extended_result_codes(db, 1);
    rc = weft_sqlite_setup(db, config);
  }
  if (rc == SQLITE_OK && journal && !config->memory) rc = set_journal(db, journal, &refused);
  if (rc != SQLITE_OK) {
    weft_sqlite_fail(c, db, rc, false, err);
    goto fail;
  }
  if (refused && config->journal) {
    rc = SQLITE_CANTOPEN;
    weft_conn_fail(c, err, WEFT_CONNECT, "the file cannot be put into journal mode %s", journal);
    goto fail;
  }
  *out = db;
  return SQLITE_OK;
fail:
  sqlite3_close(db);
  return rc;
}

/* ---- a fresh session in memory ---- */

/* The first answer of sql as a statement to run, until there is none. */
static bool exec_each(sqlite3 *db, const char *sql) {
  for (int n = 0; n < 10000; n++) {
    char *text = NULL;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
      text = sqlite3_mprintf("%s", sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    if (!text) return rc == SQLITE_OK;
    rc = sqlite3_exec(db, text, NULL, NULL, NULL);
    sqlite3_free(text);
    if (rc != SQLITE_OK) return false;
  }
  return false;
}

bool weft_sqlite_clean(sqlite3 *db, const struct sqlite_config *config) {
  return exec_each(db, "select format('detach \"%w\"', name) from pragma_database_list "
                       "where name not in ('main', 'temp')") &&
         exec_each(db, "select format('drop %s temp.\"%w\"', type, name) from temp.sqlite_schema "
                       "where type <> 'index' and name not like 'sqlite~_%' escape '~' "
                       "order by type = 'table'") &&
         sqlite3_exec(db, "pragma query_only=off; pragma defer_foreign_keys=off", NULL, NULL,
                      NULL) == SQLITE_OK &&
         weft_sqlite_setup(db, config) == SQLITE_OK;
}
