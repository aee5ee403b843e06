/* SPDX-License-Identifier: MIT */
/* raw_json pg|sqlite: workload b of pb_c whose rows become JSON text instead of objects; one JSON line.
   The text is what :json() gives (`--print GENRE` prints it). Numbers are copied as the database
   wrote them, so that nothing is decoded: the least that a C program does for this text. */
#include "pbtime.h"
#include <arpa/inet.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 9 };
#define TRACK "track_id, name, album_id, media_type_id, genre_id, composer, milliseconds, bytes, unit_price"
static const char *const heads[COLUMNS] = {
    "{\"track_id\":", ",\"name\":", ",\"album_id\":", ",\"media_type_id\":", ",\"genre_id\":",
    ",\"composer\":", ",\"milliseconds\":", ",\"bytes\":", ",\"unit_price\":"};
static const char is_text[COLUMNS] = {0, 1, 0, 0, 0, 1, 0, 0, 0};
static const int genres[] = {1, 2, 3, 4, 6, 7, 8, 14, 19, 21, 24};

static char *text;
static size_t used, cap;

static void die(const char *why) {
  fprintf(stderr, "raw_json: %s\n", why);
  exit(1);
}

static char *room(size_t n) {
  if (used + n > cap) {
    cap = (used + n) * 2;
    text = realloc(text, cap);
    if (!text) die("memory");
  }
  return text + used;
}
static void put(const char *s, size_t n) {
  memcpy(room(n), s, n);
  used += n;
}
static void put_text(const char *s, size_t n) {
  static const char hex[] = "0123456789abcdef";
  char *o = room(6 * n + 2), *start = o;
  *o++ = '"';
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c >= 0x20 && c != '"' && c != '\\') *o++ = (char)c;
    else if (c >= 0x20) *o++ = '\\', *o++ = (char)c;
    else {
      const char *at = memchr("\bb\ff\nn\rr\tt", c, 10);
      *o++ = '\\';
      if (at) *o++ = at[1];
      else memcpy(o, "u00", 3), o[3] = hex[c >> 4], o[4] = hex[c & 15], o += 5;
    }
  }
  *o++ = '"';
  used += (size_t)(o - start);
}
static void put_cell(int column, const char *s, size_t n) {
  put(heads[column], strlen(heads[column]));
  if (!s) put("null", 4);
  else if (is_text[column]) put_text(s, n);
  else put(s, n);
}

/* ---- PostgreSQL ---- */
static PGconn *pg;
static void pg_start(void) {
  const char *k[] = {"host", "port", "user", "dbname", NULL};
  const char *v[] = {getenv("PB_HOST"), getenv("PB_PG_PORT"), getenv("PB_USER"), "chinook", NULL};
  static const Oid int4[1] = {23};
  pg = PQconnectdbParams(k, v, 0);
  if (PQstatus(pg) != CONNECTION_OK) die(PQerrorMessage(pg));
  PQclear(PQprepare(pg, "j", "select " TRACK " from track where genre_id = $1 order by name limit 50", 1, int4));
}
static void pg_operation(int genre) {
  int32_t be = (int32_t)htonl((uint32_t)genre);
  const char *v[1] = {(char *)&be};
  const int len[1] = {4}, format[1] = {1};
  PGresult *r = PQexecPrepared(pg, "j", 1, v, len, format, 0);
  if (PQresultStatus(r) != PGRES_TUPLES_OK) die(PQerrorMessage(pg));
  int n = PQntuples(r);
  for (int i = 0; i < n; i++) {
    put(",", i > 0);
    for (int j = 0; j < COLUMNS; j++)
      put_cell(j, PQgetisnull(r, i, j) ? NULL : PQgetvalue(r, i, j), (size_t)PQgetlength(r, i, j));
    put("}", 1);
  }
  PQclear(r);
}

/* ---- SQLite ---- */
static sqlite3 *lite;
static sqlite3_stmt *statement;
static void lite_start(void) {
  char path[1024];
  snprintf(path, sizeof path, "%s/chinook.db", getenv("PB_SQLITE"));
  if (sqlite3_open_v2(path, &lite, SQLITE_OPEN_READWRITE, NULL)) die(sqlite3_errmsg(lite));
  const char *sql = "select " TRACK " from track where genre_id = ? order by name limit 50";
  if (sqlite3_prepare_v3(lite, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL)) die(sqlite3_errmsg(lite));
}
static void lite_operation(int genre) {
  sqlite3_bind_int(statement, 1, genre);
  for (int i = 0; sqlite3_step(statement) == SQLITE_ROW; i++) {
    put(",", i > 0);
    for (int j = 0; j < COLUMNS; j++) {
      const char *s = (const char *)sqlite3_column_text(statement, j);
      put_cell(j, s, (size_t)sqlite3_column_bytes(statement, j));
    }
    put("}", 1);
  }
  sqlite3_reset(statement);
}

static void (*operation)(int genre);
static size_t one(int genre) {
  used = 0;
  put("[", 1);
  operation(genre);
  put("]", 1);
  return used;
}

static int64_t x = 42;
static int below(int n) {
  x = x * 16807 % 2147483647;
  return (int)(x % n);
}
static double setting(const char *name, double otherwise) {
  const char *v = getenv(name);
  return v && *v ? strtod(v, NULL) : otherwise;
}

int main(int argc, char **argv) {
  if (argc < 2) die("usage: raw_json pg|sqlite [--print GENRE]");
  int is_pg = strcmp(argv[1], "pg") == 0;
  if (is_pg) pg_start();
  else lite_start();
  operation = is_pg ? pg_operation : lite_operation;
  if (argc == 4) {
    size_t n = one(atoi(argv[3]));
    return fwrite(text, 1, n, stdout) != n;
  }
  size_t check = 0;
  for (int i = 0; i < 20; i++) check += one(genres[below(11)]);
  x = 7;
  uint64_t starts = pb_now() + (uint64_t)(setting("PB_WARM", 0.5) * 1e9), first = 0, ends = 0;
  for (uint64_t at = pb_now(), now;; at = now) {
    one(genres[below(11)]);
    now = pb_now();
    if (!first && now >= starts) {
      first = now;
      ends = now + (uint64_t)(setting("PB_SECS", 2) * 1e9);
    } else if (first) {
      pb_hist_rec(now - at);
      if (now >= ends) {
        printf("{\"workload\":\"j\",\"peer\":\"raw\",\"db\":\"%s\",\"ops_s\":%.1f,\"check\":%zu}\n", argv[1],
               (double)pb_hist_count() / ((double)(now - first) / 1e9), check);
        return 0;
      }
    }
  }
}
