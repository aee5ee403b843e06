/* SPDX-License-Identifier: MIT */
/* Connecting: on the thread pool, for Connector/C looks names up and shakes hands of TLS without the loop.
   The session's settings are sent there, too.

   The job has its own handle; a connection that is closed meanwhile leaves it to end by itself. A failure is
   told from the loop, so that open never frees what its caller is about to get. */
#include "mysql.h"

#include <pthread.h>
#include <stdlib.h>

/* Numbers for a key are what they say, too large ones are errors, and times have no zone of their own. */
const char weft_my_session[] =
    "set names utf8mb4, time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'";

struct weft_my_connect {
  struct weft_arena arena;
  struct weft_my_settings set; /* in arena: the job may outlive the database */
  struct weft_my_conn *conn; /* NULL: nobody waits any more */
  MYSQL *my;
  bool ok;
  struct weft_work *work;
};

void weft_my_settings_copy(const struct weft_my_settings *from, struct weft_arena *a,
                           struct weft_my_settings *to) {
  const char **texts[] = {&to->host,   &to->user, &to->password, &to->database, &to->socket,
                          &to->ca, &to->cert, &to->key,      &to->program};
  *to = *from;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (*texts[i]) *texts[i] = weft_arena_copy(a, *texts[i], strlen(*texts[i]));
}

static void initialize(void) { mysql_library_init(0, NULL, NULL); }

MYSQL *weft_my_handle(const struct weft_my_settings *set) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, initialize);
  MYSQL *my = mysql_init(NULL);
  if (!my) abort(); /* memory is out */
  unsigned long protocol = set->socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
  my_bool verify = set->ssl == WEFT_MY_SSL_VERIFY, enforce = set->ssl >= WEFT_MY_SSL_REQUIRE, no = 0;
  mysql_optionsv(my, MYSQL_OPT_CONNECT_TIMEOUT, &set->timeout);
  /* Those of calls that block: of connecting, when it goes on, and of goodbyes. */
  mysql_optionsv(my, MYSQL_OPT_READ_TIMEOUT, &set->timeout);
  mysql_optionsv(my, MYSQL_OPT_WRITE_TIMEOUT, &set->timeout);
  mysql_optionsv(my, MYSQL_OPT_PROTOCOL, &protocol);
  mysql_optionsv(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  mysql_optionsv(my, MYSQL_OPT_RECONNECT, &no);
  mysql_optionsv(my, MYSQL_OPT_LOCAL_INFILE, &(unsigned int){0}); /* a server must not ask for files */
  mysql_optionsv(my, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", set->program);
  if (set->ssl != WEFT_MY_SSL_DISABLE && !(set->ssl == WEFT_MY_SSL_PREFER && set->socket))
    mysql_ssl_set(my, set->key, set->cert, set->ca, NULL, NULL);
  if (enforce) mysql_optionsv(my, MYSQL_OPT_SSL_ENFORCE, &enforce);
  mysql_optionsv(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
  return my;
}

bool weft_my_real_connect(MYSQL *my, const struct weft_my_settings *set) {
  weft_my_forget_tls_errors();
  return mysql_real_connect(my, set->host, set->user, set->password, set->database, set->port, set->socket,
                            CLIENT_FOUND_ROWS | CLIENT_MULTI_STATEMENTS | CLIENT_MULTI_RESULTS) != NULL;
}

static void run(void *ud) {
  struct weft_my_connect *job = ud;
  mysql_optionsv(job->my, MYSQL_OPT_NONBLOCK, NULL);
  job->ok = weft_my_real_connect(job->my, &job->set) && mysql_query(job->my, weft_my_session) == 0;
  mysql_thread_end();
}

static void free_job(struct weft_my_connect *job) {
  weft_arena_release(&job->arena);
  free(job);
}

static void fail_open(struct weft_my_conn *c, const struct weft_error *err) {
  weft_conn_opened(&c->base, err);
  weft_my_free(c);
}

static void ended(void *ud, bool cancelled) {
  struct weft_my_connect *job = ud;
  struct weft_my_conn *c = job->conn;
  struct weft_error err;
  (void)cancelled;
  if (!c) {
    mysql_close(job->my);
    free_job(job);
    return;
  }
  c->connecting = NULL;
  c->my = job->my;
  bool ok = job->ok;
  free_job(job);
  if (!ok) {
    weft_my_fail_connect(c, &err, mysql_errno(c->my), mysql_sqlstate(c->my), mysql_error(c->my));
    fail_open(c, &err);
  } else if (!weft_my_watch(c)) {
    weft_conn_fail(&c->base, &err, WEFT_CONNECT, "the socket cannot be watched");
    fail_open(c, &err);
  } else {
    weft_conn_opened(&c->base, NULL);
  }
}

void weft_my_connect(struct weft_my_conn *c) {
  struct weft_my_connect *job = weft_zalloc(sizeof *job);
  weft_arena_init(&job->arena, NULL, 0);
  weft_my_settings_copy(c->set, &job->arena, &job->set);
  job->conn = c;
  job->my = weft_my_handle(&job->set);
  c->connecting = job;
  job->work = weft_loop_work(c->base.loop, run, ended, job);
}

void weft_my_stop_connecting(struct weft_my_conn *c) {
  struct weft_my_connect *job = c->connecting;
  if (!job) return;
  c->connecting = NULL;
  job->conn = NULL;
  weft_work_cancel(job->work);
}
