/* SPDX-License-Identifier: MIT */
/* Few connections for many tasks. One pool per database and loop; the pool's thread only.

   Two ways in. weft_pool_submit runs one statement: short reads share a connection's pipeline, the
   others take an idle connection alone for their time. weft_pool_lease lends a connection for a
   transaction or a session. Both wait in one queue, first come first served, at most options.wait;
   a statement that may share does not wait behind those that may not.

   Sharing policy (DESIGN.md section 4): a plan shares when it is READ, not RAW, not LOCKS, and its
   running estimate is short (below 2 ms; 200 ms for KEY plans, which need not have been measured).
   When max > 1 one connection is never given to statements and leases that do not share. At most
   64 operations in flight on one connection (128 for one that is alone); a pipeline whose oldest
   operation is older than 20 ms takes no more while another has room or may be opened.

   With WEFT_DRIVER_ONE_WRITER, statements that write and leases that may write first take the
   place of the one writer of that file (struct weft_writers, shared by all pools of a host).

   The pool never hands out a connection that is inside a transaction or has unread results: such a
   one is rolled back, and closed if that fails. A broken one is replaced; connecting again waits
   exponentially (50 ms to 5 s, with jitter) while it fails, and whoever waits gets that failure
   after the attempt that they waited for. */
#ifndef WEFT_POOL_H
#define WEFT_POOL_H

#include "driver.h"

#pragma GCC visibility push(default)

struct weft_pool;

/* What pools of one thread may have open together, as those of an app and of the app that takes its place. The last
   pool to be made says how much that is. */
struct weft_budget {
  struct weft_slice name;
  uint32_t max, open;
  struct weft_list pools, starved; /* all; those that wait to open another connection */
};
struct weft_budgets;
struct weft_budgets *weft_budgets_new(void);
void weft_budgets_free(struct weft_budgets *b); /* after the pools */
struct weft_budget *weft_budgets_get(struct weft_budgets *b, struct weft_slice name);

struct weft_pool_options {
  uint32_t max;        /* connections; 0: 8 */
  int64_t wait_ns;     /* 0: 5 s */
  int64_t idle_ns;     /* 0: 60 s; negative: never closed for idleness */
  int64_t lifetime_ns; /* 0: 1800 s; negative: for ever */
  int64_t statement_timeout_ns; /* 0: none; becomes the deadline of operations that have none */
  struct weft_budget *budget; /* max holds for all pools of it together; NULL: for this one */
};

struct weft_writers; /* who writes which file: one per host */
struct weft_writers *weft_writers_new(void);
void weft_writers_free(struct weft_writers *w);

enum weft_pool_event { WEFT_POOL_CONNECT, WEFT_POOL_DISCONNECT, WEFT_POOL_RETRY };

/* settings and writers outlive the pool. event may be NULL. */
struct weft_pool *weft_pool_new(struct weft_loop *l, struct weft_settings *settings,
                                struct weft_writers *writers, const struct weft_pool_options *o,
                                void (*event)(void *ud, enum weft_pool_event what,
                                              const struct weft_error *err),
                                void *ud);
/* New work fails with WEFT_CLOSED, waiting work as well; what is in flight is ended by closing its
   connection unless it is done within grace_ns (the loop must be pumped by the caller when > 0).
   Memory goes with the last operation. */
void weft_pool_close(struct weft_pool *p, int64_t grace_ns);

/* After the process stood still, longer than its clock may know: idle connections are used again once they
   have answered, those that do not answer soon are replaced. */
void weft_pool_check(struct weft_pool *p);

void weft_pool_submit(struct weft_pool *p, struct weft_op *op);
/* Gives op up, wherever it is: done is called with why (at once unless a server must confirm). */
void weft_pool_abort(struct weft_op *op, enum weft_kind why);

/* A connection of one's own. */
enum weft_lease_kind { WEFT_LEASE_WRITE, WEFT_LEASE_READ, WEFT_LEASE_SESSION };
struct weft_lease {
  struct weft_list link;
  struct weft_pool *pool;
  struct weft_conn *conn;  /* set when granted; NULL again when the connection was lost */
  uint8_t kind;
  bool waiting, writer;    /* writer: holds the place of the file's writer */
  uint64_t ticket;         /* place in the pool's queues */
  int64_t deadline;        /* of the waiting; 0: options.wait alone */
  int64_t queued_at;
  void (*granted)(struct weft_lease *lease, const struct weft_error *err); /* possibly at once */
  void (*lost)(struct weft_lease *lease, const struct weft_error *err);    /* may be NULL */
};
void weft_pool_lease(struct weft_pool *p, struct weft_lease *lease);
/* Runs op on the leased connection, after the lease's earlier ones. flush: send now. */
void weft_lease_submit(struct weft_lease *lease, struct weft_op *op, bool flush);
/* Gives it back (or up, while waiting). A connection inside a transaction is rolled back first,
   one of a session is reset; the caller need not wait. */
void weft_lease_release(struct weft_lease *lease);

struct weft_pool_stats {
  uint32_t max, open, opening, idle, leased, sharing, waiting, inflight;
  uint64_t opened, closed, failed, waited, timeouts, statements, replayed;
};
void weft_pool_stats(const struct weft_pool *p, struct weft_pool_stats *out);
/* Open connections in the process (specs count them). */
long weft_pool_live(void);

#pragma GCC visibility pop

#endif
