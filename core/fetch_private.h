/* SPDX-License-Identifier: MIT */
/* What fetch.c (statements, snapshots, joining) and fetch_level.c (what a level selects) share. */
#ifndef WEFT_FETCH_PRIVATE_H
#define WEFT_FETCH_PRIVATE_H

#include "fetch.h"

struct fetch_group;
struct fetch_flight;

/* One level below one part of the tree that is being fetched, or the root. */
struct fetch_part {
  struct fetch_part *next; /* of fetch->parts */
  struct weft_list link;   /* of a group's parked */
  struct weft_fetch *fetch;
  const struct weft_level *level;  /* NULL: the root */
  const struct weft_slice *parent; /* what the rows above call the level's keys; of the root: what it calls
                                      those of its levels */
  struct weft_tree *above, *tree;
  struct weft_branch *branch;
  struct fetch_group *group;            /* the snapshot it reads in, NULL: none */
  const struct weft_fetch_place *place; /* or the caller's transaction */
  struct weft_key_chunk *chunks;
  struct weft_rows **rows; /* of each chunk; owned until they are joined */
  uint32_t nchunks, nstarted, nrunning;
  struct fetch_part **flown; /* parts below whose rows have come already, or NULL; by level */
  bool pumping;
};

/* ---- fetch.c ---- */
/* The part of the i-th level below above. */
struct fetch_part *fetch_part_new(struct weft_fetch *f, struct fetch_part *above, uint32_t i);
/* All rows of a part that was not asked in chunks; owned by it from now on. */
void fetch_part_rows(struct fetch_part *p, struct weft_rows *rows);
/* The flight is over: its parts have their rows, or failed (whose statement: NULL, none of its own) and
   may be asked again by keys. */
void fetch_landed(struct weft_fetch *f, bool again, const struct weft_error *err,
                  struct fetch_part *failed);
/* One that counted in f->nrunning has ended. f may be gone. */
void fetch_leave(struct weft_fetch *f);

/* Is one of the levels of that database? */
bool fetch_any_of(struct weft_level *const *levels, uint32_t n, const struct weft_db *db);

/* ---- fetch_flight.c ---- */
/* Can the root and levels below it go out together, and does that pay? */
bool fetch_may_fly(struct weft_fetch *f);
/* Starts; false: nothing was started. */
bool fetch_fly(struct weft_fetch *f, struct fetch_part *root);
void fetch_flight_abort(struct fetch_flight *fl, enum weft_kind why);
bool fetch_flight_runs(const struct fetch_flight *fl, const struct weft_op *op);
/* As weft_fetch_waits_for. */
bool fetch_flight_waits_for(const struct fetch_flight *fl, const struct weft_tx *tx);

/* ---- fetch_level.c ---- */
/* A column that joining needs, and what the result calls it. */
struct fetch_wanted {
  struct weft_slice column, qualifier, result;
};
/* q with the wanted columns selected; none that it shows may be called like one of the nlevels below. *nshown:
   how many columns of the result were asked for, UINT32_MAX when all are shown. *out is owned; results live as long as it. */
int fetch_select(struct weft_query *q, struct weft_level *const *levels, uint32_t nlevels,
                 struct fetch_wanted *w, uint32_t n, struct weft_query **out, uint32_t *nshown,
                 struct weft_error *err);
/* The keys that levels take from the rows above them; room for n * WEFT_KEY_COLUMNS. */
uint32_t fetch_wanted_below(struct fetch_wanted *w, struct weft_level *const *levels, uint32_t n);
/* What they are called in the result, by level and key column. */
struct weft_slice *fetch_names_below(struct weft_arena *a, const struct fetch_wanted *w,
                                     struct weft_level *const *levels, uint32_t n);
bool fetch_is_limited(const struct weft_query *q);
/* The primary key makes the order of a limited query complete, so that it gives the same rows however often it is
   repeated. Takes over q's reference. */
struct weft_query *fetch_complete_order(struct weft_query *q);
/* The i-th column that a level is asked by. */
const struct weft_expr *fetch_asked(struct weft_arena *a, const struct weft_level *l, uint32_t i);

#endif
