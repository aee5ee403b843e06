/* SPDX-License-Identifier: MIT */
/* A database that does what a spec tells it. Nothing happens at the fake server by itself unless
   `eager` is set: openings, answers and confirmations of cancelled statements wait for the calls
   below, so that a spec decides every interleaving. With eager, all of them come in the same turn
   (or at once where the capabilities are those of SQLite: a short read ends inside submit). */
#ifndef WEFT_FAKE_H
#define WEFT_FAKE_H

#include "driver.h"

#pragma GCC visibility push(default)

struct weft_fake {
  struct weft_driver driver;     /* this server's own, with the capabilities asked for */
  struct weft_settings settings; /* for weft_pool_new */
  struct weft_loop *loop;
  bool eager;
  bool dead;           /* attempts to connect fail with `refusal` */
  bool reset_fails, silent_peer; /* silent_peer: what `alive` denies */
  enum weft_kind refusal;
  int64_t latency;     /* eager answers come this much later, loop time */
  uint32_t limit;      /* what max_connections says */
  const char *writer;  /* what writer_key says */
  /* Called for each answer; may fill *rows (else there is none) or fail. NULL: an empty result. */
  int (*answer)(void *ud, const struct weft_op *op, struct weft_rows **rows,
                struct weft_error *err);
  void *ud;
  struct weft_list conns; /* struct weft_conn.link is the pool's; see weft_fake_conn */
  uint32_t open, opening, most, opened, refused, closed; /* connections; most: open at one time */
  uint32_t submitted, flushes, answered, cancels, dropped, resets, rollbacks;
};

struct weft_fake *weft_fake_new(struct weft_loop *l, uint32_t caps);
void weft_fake_free(struct weft_fake *f);

/* Ends the oldest attempt to connect; false when there is none. */
bool weft_fake_open(struct weft_fake *f);
/* The i-th open connection in order of opening, or NULL. */
struct weft_conn *weft_fake_conn(struct weft_fake *f, uint32_t i);
/* Answers the oldest sent statement of c (a dropped one too; an aborted one confirms); false:
   none. */
bool weft_fake_answer(struct weft_conn *c);
/* Answers everything that was sent on all connections, until nothing is left. */
void weft_fake_answer_all(struct weft_fake *f);
/* The server goes away under the connection. */
void weft_fake_lose(struct weft_conn *c);
uint32_t weft_fake_sent(const struct weft_conn *c); /* statements that wait for an answer */

#pragma GCC visibility pop

#endif
