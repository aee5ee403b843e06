/* SPDX-License-Identifier: MIT */
/* What the statements of a catalog cost alone: each line of a file is run, every cell of its rows fetched.
   catalog pg CONNINFO FILE MILLISECONDS | catalog my DATABASE FILE MILLISECONDS | catalog sqlite PATH FILE
   MILLISECONDS; prints {"time": ms} of one round, the median. MySQL's server is that of env.sh. */
#include <libpq-fe.h>
#include <mysql.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STATEMENTS = 64, ROUNDS = 4096 };

static char *statements[STATEMENTS];
static int nstatements;
static volatile size_t seen;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void fail(const char *what) {
  fprintf(stderr, "catalog: %s\n", what);
  exit(1);
}

static void read_file(const char *path) {
  size_t size = 0;
  FILE *f = fopen(path, "r");
  if (!f) fail(path);
  while (nstatements < STATEMENTS) {
    ssize_t n = getline(&statements[nstatements], &size, f);
    if (n <= 0) break;
    statements[nstatements][n - 1] = 0;
    nstatements++;
    size = 0;
  }
  fclose(f);
}

/* Sent together, and not prepared, as Weft's are when a schema is read. */
static void round_pg(PGconn *c) {
  for (int i = 0; i < nstatements; i++)
    PQsendQueryParams(c, statements[i], 0, NULL, NULL, NULL, NULL, 1);
  PQpipelineSync(c);
  for (int left = nstatements; left > 0;) {
    PGresult *r = PQgetResult(c);
    if (!r) continue;
    if (PQresultStatus(r) != PGRES_TUPLES_OK) fail(PQerrorMessage(c));
    for (int i = 0; i < PQntuples(r); i++)
      for (int j = 0; j < PQnfields(r); j++) seen += (size_t)PQgetlength(r, i, j);
    PQclear(r);
    left--;
  }
  for (PGresult *r; !(r = PQgetResult(c)) || PQresultStatus(r) != PGRES_PIPELINE_SYNC;) PQclear(r);
}

static PGconn *open_pg(const char *conninfo) {
  PGconn *c = PQconnectdb(conninfo);
  if (PQstatus(c) != CONNECTION_OK) fail(PQerrorMessage(c));
  PQenterPipelineMode(c);
  return c;
}

static void round_sqlite(sqlite3 *db) {
  for (int i = 0; i < nstatements; i++) {
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, statements[i], -1, &s, NULL)) fail(sqlite3_errmsg(db));
    while (sqlite3_step(s) == SQLITE_ROW)
      for (int j = 0; j < sqlite3_column_count(s); j++) seen += (size_t)sqlite3_column_bytes(s, j);
    sqlite3_finalize(s);
  }
}

static void round_my(MYSQL *c) {
  for (int i = 0; i < nstatements; i++) {
    if (mysql_query(c, statements[i])) fail(mysql_error(c));
    MYSQL_RES *r = mysql_store_result(c);
    if (!r) fail(mysql_error(c));
    while (mysql_fetch_row(r))
      for (unsigned j = 0; j < mysql_num_fields(r); j++) seen += mysql_fetch_lengths(r)[j];
    mysql_free_result(r);
  }
}

static MYSQL *open_my(const char *database) {
  MYSQL *c = mysql_init(NULL);
  mysql_options(c, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  if (!mysql_real_connect(c, getenv("PB_HOST"), getenv("PB_USER"), NULL, database, (unsigned)atoi(getenv("PB_MY_PORT")), NULL, 0))
    fail(mysql_error(c));
  return c;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  static double times[ROUNDS];
  int n = 0, pg, my;
  PGconn *c = NULL;
  MYSQL *m = NULL;
  sqlite3 *db = NULL;
  if (argc < 5) fail("pg|my|sqlite WHERE FILE MILLISECONDS");
  pg = strcmp(argv[1], "pg") == 0;
  my = strcmp(argv[1], "my") == 0;
  read_file(argv[3]);
  if (pg) c = open_pg(argv[2]);
  else if (my) m = open_my(argv[2]);
  else if (sqlite3_open(argv[2], &db)) fail(sqlite3_errmsg(db));
  double end = now() + atof(argv[4]);
  do {
    double start = now();
    if (pg) round_pg(c);
    else if (my) round_my(m);
    else round_sqlite(db);
    times[n++] = now() - start;
  } while ((now() < end || n < 3) && n < ROUNDS);
  qsort(times, (size_t)n, sizeof times[0], compare);
  printf("{\"time\": %.3f}\n", times[n / 2]);
  return 0;
}
