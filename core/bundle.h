/* SPDX-License-Identifier: MIT */
/* Reads of one database that see one snapshot: BEGIN, the statements, COMMIT, on a connection of their own.
   All of them are sent together where the driver pipelines, one after the other elsewhere. One thread.

   The bundle and its memory are the owner's until landed is called, which is once, when no operation is
   in the air any more; the connection has been given back then, rolled back after a failure. */
#ifndef WEFT_BUNDLE_H
#define WEFT_BUNDLE_H

#include "db_private.h"

struct weft_bundle_op {
  struct weft_op op;
  struct weft_bundle *bundle;
  void *mine;      /* of whoever added it; NULL: BEGIN, COMMIT */
  int64_t started;
  bool ended;
};

struct weft_bundle {
  struct weft_db *db; /* reference, held while it runs */
  struct weft_lease lease;
  struct weft_bundle_op *ops;
  uint32_t n, nsent, nended;
  int64_t deadline;
  struct weft_origin origin;
  bool leased, granted; /* asked for a connection; has had it */
  bool holding;         /* in the middle of sending: it does not land now */
  bool torn;            /* the driver had to ask one again, after COMMIT: it has not read the snapshot */
  struct weft_error error; /* of the first operation that failed */
  void *failed;            /* the mine of that one */
  void (*answered)(struct weft_bundle *b, void *mine, struct weft_rows *rows); /* rows is handed over */
  void (*landed)(struct weft_bundle *b);
};

/* max: how many will be added. The operations live in arena. */
void weft_bundle_init(struct weft_bundle *b, struct weft_db *db, struct weft_arena *arena,
                      uint32_t max);
/* Takes over the reference on plan; params live as long as the bundle. */
void weft_bundle_add(struct weft_bundle *b, struct weft_plan *plan, const struct weft_value *params,
                     void *mine);
/* Of a bundle that will not be started. */
void weft_bundle_forget(struct weft_bundle *b);
/* landed may be called before this returns. */
void weft_bundle_start(struct weft_bundle *b, int64_t deadline, const struct weft_origin *origin);
void weft_bundle_abort(struct weft_bundle *b, enum weft_kind why);
/* Does it wait for a connection that tx alone holds? */
bool weft_bundle_waits_for(const struct weft_bundle *b, const struct weft_tx *tx);

#endif
