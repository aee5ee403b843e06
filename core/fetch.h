/* SPDX-License-Identifier: MIT */
/* A query's rows with everything that was included below them, as one call: the root's statement, then one
   statement per level (more only where there are more keys than one statement takes), joined by keys as
   the answers come. The levels of one database are read in one snapshot; those of other databases follow
   when that snapshot was given back, so that nobody waits for one database while holding another.

   A fetch belongs to one loop's thread. Its owner keeps the memory until finished was called. */
#ifndef WEFT_FETCH_H
#define WEFT_FETCH_H

#include "association.h"
#include "db.h"
#include "tree.h"

#pragma GCC visibility push(default)

enum { WEFT_FETCH_CHUNK = 500 /* keys of one statement */ };

/* One included association, as compiled for the tables that are known now. Immutable, reference-counted. */
struct weft_level {
  int refs;
  struct weft_slice name;            /* of the association: what the branch is called */
  bool many;
  bool passed, direct;               /* see the options */
  int64_t limit, offset;
  uint32_t chunk;
  struct weft_relation *relation;    /* of its rows; its database is referenced */
  uint64_t epoch;                    /* of that database */
  struct weft_query *query;          /* what is read, with its keys selected; owned */
  uint32_t nshown;                   /* columns of the result that are shown; those behind are keys */
  uint32_t nkey;
  struct weft_slice parent[WEFT_KEY_COLUMNS];   /* columns of the parents' table, but the first nbetween */
  uint32_t nbetween;                            /* of the table between those and theirs */
  struct weft_slice column[WEFT_KEY_COLUMNS];   /* what is asked for: a column, qualified when the keys */
  struct weft_slice qualifier;                  /* are those of a table in between */
  struct weft_slice result[WEFT_KEY_COLUMNS];   /* what the result calls it */
  struct weft_key_side side[WEFT_KEY_COLUMNS];  /* of the asked column */
  struct weft_key_form form[WEFT_KEY_COLUMNS];
  uint32_t nbelow;
  struct weft_level **below;         /* in the order of their names' bytes; owned references */
  struct weft_slice *below_keys;     /* what the result calls the parent columns of below, nbelow times
                                        WEFT_KEY_COLUMNS */
  struct weft_arena arena;
};

struct weft_level_options {
  struct weft_slice name;
  bool many;
  struct weft_relation *relation;
  struct weft_query *query;          /* selects, conditions, order, limit; on the relation's known table */
  uint32_t nkey;
  struct weft_slice parent[WEFT_KEY_COLUMNS];          /* columns of the rows above, the first nbetween of them */
  uint32_t nbetween;                                   /* of the table between those and the rows above them */
  struct weft_key_side parent_side[WEFT_KEY_COLUMNS];
  const struct weft_table_column *asked[WEFT_KEY_COLUMNS]; /* of the rows' table, or of the one between */
  const struct weft_association *between; /* from the rows' table to the one between, NULL: there is none */
  const struct weft_expr *guard;          /* what must hold there beside the keys; copied; NULL: nothing */
  uint32_t chunk;                    /* keys of one statement; 0: WEFT_FETCH_CHUNK */
  bool passed;                       /* the rows only lead to those of the one level below, which take their
                                        place: then limit and offset hold for them */
  bool direct;                       /* the database itself can compare the keys of both tables */
  int64_t limit, offset;             /* -1: none */
  struct weft_level *const *below;   /* references are taken */
  uint32_t nbelow;
};
/* WEFT_USAGE for a query that groups, locks or ends in a verb, for a key of none or more than
   WEFT_KEY_COLUMNS columns, and for what passes to other than one level. */
int weft_level_new(const struct weft_level_options *o, struct weft_level **out,
                   struct weft_error *err);
struct weft_level *weft_level_ref(struct weft_level *l);
void weft_level_unref(struct weft_level *l); /* NULL is fine */
/* Do all tables that it and those below it name still have the versions that they were compiled for? */
bool weft_level_fresh(const struct weft_level *l);

/* The transactions that the caller is in, by database. */
struct weft_fetch_place {
  struct weft_db *db;
  struct weft_tx *tx;
  uint32_t level; /* see struct weft_call */
};

struct weft_fetch {
  struct weft_tree *tree;    /* the answer; its names are those of the levels */
  struct weft_error error;   /* kind WEFT_OK when it went well */
  const struct weft_level *failed; /* whose statement failed, NULL: the root's; good until the reset */
  bool running, done;
  int64_t deadline;          /* set before the start, as of a call; as is: */
  struct weft_origin origin;
  struct weft_fetch_place *places; /* set before the start; in arena, transactions referenced by start */
  uint32_t nplaces;
  void (*finished)(struct weft_fetch *f); /* once; possibly before the start returns */
  void (*moved)(struct weft_fetch *f);    /* an answer came and others are waited for; may give up. NULL: none */
  void *ud;
  struct weft_level **levels; /* below the root; in arena, referenced until the reset */
  uint32_t nlevels;
  struct weft_query *query;  /* of the root; owned while running */
  struct weft_relation *relation;
  uint32_t nshown;           /* as of a level */
  enum weft_kind why;        /* it is being given up; WEFT_OK */
  uint32_t nrunning;         /* see fetch.c */
  struct weft_list statements; /* under way */
  struct fetch_group *groups;
  struct fetch_part *parts, *root;
  struct fetch_flight *flight; /* under way, or NULL */
  struct weft_arena arena;
};
void weft_fetch_init(struct weft_fetch *f, void (*finished)(struct weft_fetch *), void *ud);
/* Frees the answer and the arena; not while running. */
void weft_fetch_reset(struct weft_fetch *f);
/* The rows of query on r (which has no verb), and below them the levels. */
void weft_fetch_query(struct weft_fetch *f, struct weft_relation *r, struct weft_query *query,
                      struct weft_level *const *levels, uint32_t n);
/* Only what is below rows, which the answer takes a reference on. */
void weft_fetch_below(struct weft_fetch *f, struct weft_rows *rows, struct weft_level *const *levels,
                      uint32_t n);
/* May it have failed because a table changed behind our back? Then what is known of its tables is forgotten,
   levels must be made anew, and it may be tried once more. */
bool weft_fetch_suspect(struct weft_fetch *f);
void weft_fetch_abort(struct weft_fetch *f, enum weft_kind why);
/* Is op one of its statements that are under way? */
bool weft_fetch_runs(const struct weft_fetch *f, const struct weft_op *op);
/* Is one of its statements held up by tx? See weft_call_waits_for. */
bool weft_fetch_waits_for(const struct weft_fetch *f, const struct weft_tx *tx);

#pragma GCC visibility pop

#endif
