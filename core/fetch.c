/* SPDX-License-Identifier: MIT */
/* Fetching a tree. A part is one level below one parent part: its statements run, at most WINDOW of them
   at a time, then its rows are joined to the rows above and the parts below begin.

   Invariants:
   - fetch->nrunning counts the statements under way, and one for code of this file that may start more;
     the fetch ends where fetch_leave() takes it to zero.
   - A snapshot (a transaction of the fetch's own) is open while a part of its database is not joined. A
     part of another database begins when the snapshot is closed in which its parent was read.
   - After the first failure no statement starts; those under way are given up. */
#include <stdlib.h>

#include "db_private.h"
#include "fetch_private.h"

enum { WINDOW = 8 };

struct fetch_group { /* a snapshot */
  struct fetch_group *next;
  struct weft_db *db;
  struct weft_tx *tx;
  uint32_t nparts;         /* that are not joined yet */
  struct weft_list parked; /* parts that wait for its end */
};

struct statement {
  struct weft_call call;
  struct fetch_part *part;
  uint32_t chunk;
  struct weft_list link; /* of fetch->statements */
  bool given_up;
};

static bool stopped(const struct weft_fetch *f) { return f->error.kind || f->why; }

/* ---- places ---- */

static struct weft_db *db_of(const struct fetch_part *p) {
  return weft_relation_db(p->level ? p->level->relation : p->fetch->relation);
}

bool fetch_any_of(struct weft_level *const *levels, uint32_t n, const struct weft_db *db) {
  for (uint32_t i = 0; i < n; i++)
    if (weft_relation_db(levels[i]->relation) == db) return true;
  return false;
}

static bool goes_on_below(const struct fetch_part *p, const struct weft_db *db) {
  return p->level ? fetch_any_of(p->level->below, p->level->nbelow, db)
                  : fetch_any_of(p->fetch->levels, p->fetch->nlevels, db);
}

static struct fetch_group *group_new(struct weft_fetch *f, struct weft_db *db) {
  static const struct weft_tx_options snapshot = {
      .isolation = WEFT_REPEATABLE_READ, .read_only = true, .quiet = true};
  struct fetch_group *g = weft_arena_alloc(&f->arena, sizeof *g);
  *g = (struct fetch_group){.next = f->groups, .db = db, .tx = weft_tx_new(db, &snapshot)};
  weft_list_init(&g->parked);
  f->groups = g;
  return g;
}

/* Rows are locked in the caller's transaction or not at all: a snapshot only reads. */
static bool locks(const struct fetch_part *p) {
  const struct weft_query *q = p->level ? NULL : p->fetch->query;
  while (q && q->clause != WEFT_C_LOCK) q = q->prev;
  return q != NULL;
}

/* In the caller's transaction, in the snapshot of the part above, in one of its own when parts below
   belong to it, or anywhere. */
static void choose_place(struct fetch_part *p) {
  struct weft_fetch *f = p->fetch;
  struct weft_db *db = db_of(p);
  for (uint32_t i = 0; i < f->nplaces; i++)
    if (f->places[i].db == db) p->place = &f->places[i];
  if (p->place) return;
  if (!p->group && goes_on_below(p, db) && !locks(p)) p->group = group_new(f, db);
  if (p->group) p->group->nparts++;
}

static void start(struct fetch_part *p);

/* When the last part is joined, what waited for the end begins. */
static void group_leave(struct fetch_group *g) {
  if (!g || --g->nparts) return;
  weft_tx_free(g->tx);
  g->tx = NULL;
  for (struct weft_list *at; (at = weft_list_take(&g->parked));)
    start(WEFT_CONTAINER(at, struct fetch_part, link));
}

/* ---- the end ---- */

static void pass(struct weft_fetch *f, struct weft_branch *b, const struct weft_level *l) {
  if (weft_branch_pass(b, l->limit, l->offset) == 0 || f->error.kind) return;
  weft_fail(&f->error, WEFT_USAGE, "more than 2^31 rows below other rows");
  f->failed = l;
}

/* Keys that were read for joining only are taken away, and rows that only lead to others. */
static void show(struct weft_fetch *f, struct weft_tree *t, uint32_t nshown,
                 struct weft_level *const *levels) {
  struct weft_rows *r = t->rows;
  for (uint32_t i = 0; i < t->nbranches; i++) {
    show(f, t->branches[i].tree, levels[i]->nshown, levels[i]->below);
    if (levels[i]->passed) pass(f, &t->branches[i], levels[i]);
  }
  if (nshown >= r->ncols) return;
  t->rows = weft_rows_first(r, nshown);
  weft_rows_unref(r);
}

static void release(struct weft_fetch *f) {
  for (struct fetch_group *g = f->groups; g; g = g->next)
    if (g->tx) weft_tx_free(g->tx);
  for (struct fetch_part *p = f->parts; p; p = p->next)
    for (uint32_t i = 0; i < p->nchunks; i++) weft_rows_unref(p->rows[i]);
  for (uint32_t i = 0; i < f->nplaces; i++) weft_tx_unref(f->places[i].tx);
  if (f->query) weft_query_unref(f->query);
  f->groups = NULL;
  f->parts = NULL;
  f->query = NULL;
}

void fetch_leave(struct weft_fetch *f) {
  if (--f->nrunning) {
    if (f->moved && !stopped(f)) f->moved(f);
    return;
  }
  release(f);
  if (f->why && !f->error.kind) weft_fail(&f->error, f->why, "%s", weft_kind_name(f->why));
  if (!f->error.kind) show(f, f->tree, f->nshown, f->levels);
  if (f->error.kind) {
    weft_tree_free(f->tree);
    f->tree = NULL;
  }
  f->running = false;
  f->done = true;
  f->finished(f);
}

static void give_up(struct weft_fetch *f, enum weft_kind why) {
  struct weft_list *at = f->statements.next;
  while (at != &f->statements) {
    struct statement *s = WEFT_CONTAINER(at, struct statement, link);
    at = at->next;
    if (s->given_up) continue;
    s->given_up = true;
    weft_call_abort(&s->call, why);
    at = f->statements.next; /* others may have ended meanwhile */
  }
}

static void fail(struct fetch_part *p, const struct weft_error *err) {
  struct weft_fetch *f = p->fetch;
  if (f->error.kind) return;
  f->error = *err;
  f->failed = p->level;
  give_up(f, WEFT_CANCELLED);
}

/* ---- joining ---- */

/* Rows that are none have no columns either. */
static int keyed(const struct weft_rows *rows, const struct weft_slice *names, uint32_t n,
                 struct weft_keyed *out, struct weft_error *err) {
  *out = (struct weft_keyed){.rows = rows};
  for (uint32_t i = 0; i < n && rows->nrows; i++) {
    uint32_t at = 0;
    while (at < rows->ncols && !weft_slice_equal(rows->columns->v[at].name, names[i])) at++;
    if (at == rows->ncols)
      return weft_fail(err, WEFT_USAGE, "the rows have no column '%.*s', which include needs",
                       (int)names[i].n, names[i].p);
    out->columns[i] = at;
  }
  return 0;
}

static int join(struct fetch_part *p, struct weft_error *err) {
  const struct weft_level *l = p->level;
  struct weft_keyed parents, children;
  if (keyed(p->above->rows, p->parent, l->nkey, &parents, err) ||
      keyed(p->tree->rows, l->result, l->nkey, &children, err))
    return -1;
  p->branch->links = weft_join(&parents, &children, l->form, l->nkey, l->many);
  return p->branch->links ? 0 : weft_fail(err, WEFT_USAGE, "more than 2^31 rows below other rows");
}

/* The rows of all chunks, owned. */
static int gather(struct fetch_part *p, struct weft_error *err) {
  uint32_t n = p->nchunks;
  if (n == 0) p->tree->rows = weft_rows_new(NULL, 0);
  else p->tree->rows = n == 1 ? weft_rows_ref(p->rows[0]) : weft_rows_concat(p->rows, n);
  for (uint32_t i = 0; i < n; i++) weft_rows_unref(p->rows[i]);
  p->nchunks = 0;
  return p->tree->rows ? 0 : weft_fail(err, WEFT_USAGE, "the rows are more than 2^31 cells");
}

static void start_below(struct fetch_part *p);

static void part_done(struct fetch_part *p) {
  struct weft_error err;
  if (gather(p, &err) || (p->level && join(p, &err))) fail(p, &err);
  else start_below(p);
  group_leave(p->group);
}

/* ---- statements ---- */

/* The query of one chunk, owned. */
static struct weft_query *asking(const struct weft_level *l, const struct weft_key_chunk *k,
                                 struct weft_error *err) {
  struct weft_query *c = weft_query_begin(l->query, WEFT_C_WHERE);
  const struct weft_expr *kids[WEFT_KEY_COLUMNS];
  for (uint32_t i = 0; i < l->nkey; i++) {
    const struct weft_array *list = k->list[i].u.array;
    bool one = list->n == 1;
    const struct weft_expr *right = weft_expr_value(&c->arena, one ? list->v[0] : k->list[i]);
    if (weft_expr_binary(&c->arena, one ? WEFT_E_EQ : WEFT_E_IN, fetch_asked(&c->arena, l, i),
                         right, &kids[i], err)) {
      weft_query_unref(c);
      return NULL;
    }
  }
  c->expr = weft_expr_logic(&c->arena, WEFT_E_AND, kids, l->nkey);
  return weft_query_end(c);
}

static void submit(struct statement *s) {
  struct fetch_part *p = s->part;
  struct weft_fetch *f = p->fetch;
  struct weft_error err;
  s->chunk = p->nstarted++;
  struct weft_query *q =
      p->level ? asking(p->level, &p->chunks[s->chunk], &err) : weft_query_ref(f->query);
  if (!q) {
    fail(p, &err);
    return;
  }
  f->nrunning++;
  p->nrunning++;
  weft_list_push(&f->statements, &s->link);
  s->call.deadline = f->deadline;
  s->call.origin = f->origin;
  s->call.level = p->place ? p->place->level : 0;
  weft_db_query(p->level ? p->level->relation : f->relation,
                p->place ? p->place->tx : p->group ? p->group->tx : NULL, q, &s->call);
  weft_query_unref(q);
}

static void answered(struct weft_call *call);

static struct statement *statement_new(struct fetch_part *p) {
  struct statement *s = weft_arena_alloc(&p->fetch->arena, sizeof *s);
  weft_call_init(&s->call, answered, NULL);
  weft_list_init(&s->link);
  s->part = p;
  s->given_up = false;
  return s;
}

/* idle: a statement that may be used again, or NULL. Statements that end at once do not recurse. */
static void pump(struct fetch_part *p, struct statement *idle) {
  if (p->pumping) return;
  p->pumping = true;
  while (!stopped(p->fetch) && p->nstarted < p->nchunks && p->nrunning < WINDOW) {
    struct statement *s = idle ? idle : statement_new(p);
    submit(s);
    idle = weft_list_empty(&s->link) ? s : NULL;
  }
  p->pumping = false;
  if (!stopped(p->fetch) && p->nrunning == 0) part_done(p);
}

static void answered(struct weft_call *call) {
  struct statement *s = WEFT_CONTAINER(call, struct statement, call);
  struct fetch_part *p = s->part;
  struct weft_fetch *f = p->fetch;
  p->nrunning--;
  weft_list_remove(&s->link);
  if (call->error.kind) fail(p, &call->error);
  else p->rows[s->chunk] = call->rows;
  call->rows = NULL;
  weft_call_reset(call);
  pump(p, s);
  fetch_leave(f);
}

/* ---- parts ---- */

static struct fetch_part *part_new(struct weft_fetch *f, const struct weft_level *level,
                                   struct weft_tree *tree) {
  struct fetch_part *p = weft_arena_alloc(&f->arena, sizeof *p);
  *p = (struct fetch_part){.next = f->parts, .fetch = f, .level = level, .tree = tree};
  weft_list_init(&p->link);
  f->parts = p;
  return p;
}

static struct weft_level *const *levels_below(const struct fetch_part *p, uint32_t *n) {
  *n = p->level ? p->level->nbelow : p->fetch->nlevels;
  return p->level ? p->level->below : p->fetch->levels;
}

struct fetch_part *fetch_part_new(struct weft_fetch *f, struct fetch_part *above, uint32_t i) {
  uint32_t n;
  struct weft_level *const *levels = levels_below(above, &n);
  struct weft_branch *b = &above->tree->branches[i];
  struct fetch_part *p = part_new(f, levels[i], b->tree);
  const struct weft_slice *names = above->level ? above->level->below_keys : above->parent;
  p->above = above->tree;
  p->branch = b;
  p->parent = names + (size_t)i * WEFT_KEY_COLUMNS;
  return p;
}

static void room_for_rows(struct fetch_part *p, uint32_t n) {
  p->rows = weft_arena_alloc(&p->fetch->arena, (n + 1) * sizeof *p->rows);
  memset(p->rows, 0, (n + 1) * sizeof *p->rows);
  p->nchunks = n;
}

static int find_keys(struct fetch_part *p, struct weft_error *err) {
  const struct weft_level *l = p->level;
  struct weft_keyed parents;
  uint32_t n = 0;
  if (keyed(p->above->rows, p->parent, l->nkey, &parents, err)) return -1;
  if (p->above->rows->nrows)
    weft_join_keys(&parents, l->form, l->side, l->nkey, l->chunk, &p->fetch->arena, &p->chunks, &n);
  room_for_rows(p, n);
  return 0;
}

void fetch_part_rows(struct fetch_part *p, struct weft_rows *rows) {
  if (!p->rows) room_for_rows(p, 1);
  p->rows[0] = rows;
}

static void start(struct fetch_part *p) {
  struct weft_error err;
  if (stopped(p->fetch)) return;
  choose_place(p);
  if (p->level && find_keys(p, &err)) fail(p, &err);
  else pump(p, NULL);
}

static void start_below(struct fetch_part *p) {
  uint32_t n;
  levels_below(p, &n);
  for (uint32_t i = 0; i < n && !stopped(p->fetch); i++) {
    struct fetch_part *flown = p->flown ? p->flown[i] : NULL;
    struct fetch_part *below = flown ? flown : fetch_part_new(p->fetch, p, i);
    if (flown) {
      part_done(below);
    } else if (!p->group || p->group->db == db_of(below)) {
      below->group = p->group;
      start(below);
    } else {
      weft_list_push(&p->group->parked, &below->link);
    }
  }
}

void fetch_landed(struct weft_fetch *f, bool again, const struct weft_error *err,
                  struct fetch_part *failed) {
  struct fetch_part *root = f->root;
  if (again && !stopped(f)) {
    for (struct fetch_part *p = f->parts; p; p = p->next) {
      if (p->rows) weft_rows_unref(p->rows[0]);
      p->rows = NULL;
      p->nchunks = 0;
      p->flown = NULL;
    }
    room_for_rows(root, 1);
    start(root);
  } else if (err) {
    fail(failed ? failed : root, err);
  } else if (!stopped(f)) {
    part_done(root);
  }
  fetch_leave(f);
}

/* ---- from outside ---- */

static struct weft_tree *tree_of(struct weft_level *const *levels, uint32_t n) {
  struct weft_tree *t = weft_tree_new(NULL, n);
  for (uint32_t i = 0; i < n; i++) {
    struct weft_branch *b = &t->branches[i];
    b->name = levels[i]->name;
    b->many = levels[i]->many;
    b->tree = tree_of(levels[i]->below, levels[i]->nbelow);
  }
  return t;
}

void weft_fetch_init(struct weft_fetch *f, void (*finished)(struct weft_fetch *), void *ud) {
  memset(f, 0, sizeof *f);
  f->finished = finished;
  f->ud = ud;
  weft_list_init(&f->statements);
  weft_arena_init(&f->arena, NULL, 0);
}

void weft_fetch_reset(struct weft_fetch *f) {
  weft_tree_free(f->tree);
  f->tree = NULL;
  while (f->nlevels) weft_level_unref(f->levels[--f->nlevels]);
  weft_arena_release(&f->arena);
}

static void begin(struct weft_fetch *f, struct weft_level *const *levels, uint32_t n) {
  f->levels = weft_arena_alloc(&f->arena, (n + 1) * sizeof *f->levels);
  while (f->nlevels < n) {
    f->levels[f->nlevels] = weft_level_ref(levels[f->nlevels]);
    f->nlevels++;
  }
  f->running = true;
  f->done = false;
  f->nrunning = 1;
  f->tree = tree_of(levels, n);
  for (uint32_t i = 0; i < f->nplaces; i++) weft_tx_ref(f->places[i].tx);
}

static int prepare_root(struct weft_fetch *f, struct weft_query *query, struct fetch_part *root,
                        struct weft_error *err) {
  uint32_t n = f->nlevels;
  struct fetch_wanted *w = weft_arena_alloc(&f->arena, (n * WEFT_KEY_COLUMNS + 1) * sizeof *w);
  uint32_t wanted = fetch_wanted_below(w, f->levels, n);
  struct weft_query *q;
  if (weft_relation_current(f->relation, query, &q, err)) return -1;
  int status = fetch_select(q, f->levels, n, w, wanted, &f->query, &f->nshown, err);
  weft_query_unref(q);
  if (status) return -1;
  f->query = fetch_complete_order(f->query);
  root->parent = fetch_names_below(&f->arena, w, f->levels, n);
  room_for_rows(root, 1);
  return 0;
}

void weft_fetch_query(struct weft_fetch *f, struct weft_relation *r, struct weft_query *query,
                      struct weft_level *const *levels, uint32_t n) {
  struct weft_error err;
  begin(f, levels, n);
  f->relation = r;
  struct fetch_part *root = f->root = part_new(f, NULL, f->tree);
  if (prepare_root(f, query, root, &err)) fail(root, &err);
  else if (!fetch_may_fly(f) || !fetch_fly(f, root)) start(root);
  fetch_leave(f);
}

void weft_fetch_below(struct weft_fetch *f, struct weft_rows *rows,
                      struct weft_level *const *levels, uint32_t n) {
  begin(f, levels, n);
  f->nshown = UINT32_MAX;
  f->tree->rows = weft_rows_ref(rows);
  f->root = part_new(f, NULL, f->tree);
  struct weft_slice *names =
      weft_arena_alloc(&f->arena, (n * WEFT_KEY_COLUMNS + 1) * sizeof *names);
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = 0; k < levels[i]->nkey; k++)
      names[i * WEFT_KEY_COLUMNS + k] = levels[i]->parent[k];
  f->root->parent = names;
  start_below(f->root);
  fetch_leave(f);
}

static void forget(struct weft_level *const *levels, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    weft_relation_forget(levels[i]->relation);
    forget(levels[i]->below, levels[i]->nbelow);
  }
}

bool weft_fetch_suspect(struct weft_fetch *f) {
  bool suspect = f->error.kind == WEFT_SYNTAX || strcmp(f->error.code, "0A000") == 0;
  if (!suspect || f->nplaces) return false;
  if (f->relation) weft_relation_forget(f->relation);
  forget(f->levels, f->nlevels);
  return true;
}

void weft_fetch_abort(struct weft_fetch *f, enum weft_kind why) {
  if (!f->running || f->why) return;
  f->why = why;
  f->nrunning++;
  if (f->flight) fetch_flight_abort(f->flight, why);
  give_up(f, why);
  fetch_leave(f);
}

bool weft_fetch_runs(const struct weft_fetch *f, const struct weft_op *op) {
  if (f->flight && fetch_flight_runs(f->flight, op)) return true;
  for (const struct weft_list *at = f->statements.next; at != &f->statements; at = at->next)
    if (&WEFT_CONTAINER(at, struct statement, link)->call.op == op) return true;
  return false;
}

bool weft_fetch_waits_for(const struct weft_fetch *f, const struct weft_tx *tx) {
  if (f->flight && fetch_flight_waits_for(f->flight, tx)) return true;
  for (const struct weft_list *at = f->statements.next; at != &f->statements; at = at->next)
    if (weft_call_waits_for(&WEFT_CONTAINER(at, struct statement, link)->call, tx)) return true;
  return false;
}
