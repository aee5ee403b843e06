/* SPDX-License-Identifier: MIT */
/* What tx.c (the lease, the queue, what goes in front of statements) and tx_verbs.c (savepoints,
   commit, rollback) share. */
#ifndef WEFT_TX_PRIVATE_H
#define WEFT_TX_PRIVATE_H

#include "db_private.h"

enum verb { SAVEPOINT, RELEASE, ROLLBACK_TO };

struct savepoint;

struct control {
  struct weft_op op;
  struct weft_tx *tx;
  struct savepoint *of; /* NULL: BEGIN */
  int64_t started;
  struct weft_origin origin;
  bool sent;
};

struct savepoint {
  int refs; /* the transaction's stack, control statements under way */
  struct control begin, end;
  struct savepoint *below;
  uint32_t number;
};

struct weft_tx {
  int refs; /* the owner, the lease, running calls, control statements under way */
  struct weft_db *db;
  struct weft_tx_options options;
  struct weft_lease lease;
  struct weft_list queue;
  struct weft_call *current;
  struct control begin;
  struct savepoint *top;
  uint32_t depth, unanswered;
  bool leased, granted; /* asked for; has it */
  bool ready;           /* current's operation waits to be sent */
  bool advancing, sending;
  bool lost, told, ended, owned, ddl;
  struct weft_error doom;
  struct weft_error reply; /* memory for weft_tx_answer */
};

const char *tx_word(const struct weft_tx *tx); /* "transaction" or "session" */
bool tx_pipelines(const struct weft_tx *tx);
/* The plan of a control statement, an owned reference. */
int tx_plan(struct weft_tx *tx, const char *text, struct weft_plan **out, struct weft_error *err);
int tx_savepoint_plan(struct weft_tx *tx, enum verb verb, uint32_t number, struct weft_plan **out,
                      struct weft_error *err);
/* Sends a control statement of the transaction's own, which call makes necessary; plan: an owned reference. */
void tx_send_control(struct weft_tx *tx, struct control *c, struct weft_plan *plan,
                     const struct weft_call *call, int64_t deadline, bool flush);
/* Sends call's operation at once, without what goes in front of statements. */
void tx_submit(struct weft_tx *tx, struct weft_call *call, bool flush);

/* From here no statement can succeed. The first failure counts. */
void tx_doom(struct weft_tx *tx, const struct weft_error *err);
/* The error of whoever comes after the failure; the first one to hear of it gets the failure
 * itself. */
const struct weft_error *tx_doomed(struct weft_tx *tx);

struct savepoint *tx_pop(struct weft_tx *tx); /* the stack's reference */
void tx_savepoint_unref(struct savepoint *sp);
/* Gives up what waits, and what runs. */
void tx_drop_all(struct weft_tx *tx);
/* No statement follows: gives the connection back. */
void tx_end(struct weft_tx *tx);

#endif
