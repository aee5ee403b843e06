/* SPDX-License-Identifier: MIT */
/* Look-ups by primary key. A finder is what a base query becomes for one relation: the plan for one
   key, and the plan for a list of keys when look-ups may merge. Finding it again costs a hash
   look-up and the proof that the shape is the same.

   Merging: a look-up that is made while another task is runnable is held until the turn's end;
   those of one finder then become one statement, distinct keys once, LIMIT_KEYS at a time.
   Invariants:
   - a key was converted to its column's type before it is held, so that a bad one fails alone;
   - finders merge only where equal bytes (or integers) are what the database calls equal, and where
     the result carries the key, which leads its row to the callers;
   - a caller that gives up leaves its flight; the others do not notice. A flight without callers
     ends.
   - when the merged statement fails for what it says, each key runs by itself. */
#include <stdio.h>
#include <stdlib.h>

#include "db_private.h"
#include "hash.h"

enum { LIMIT_KEYS = 500, LIMIT_FINDERS = 512 };

struct weft_finder {
  struct weft_hook hook; /* the turn's end, while calls are held */
  struct weft_db *db;
  struct weft_query *base;
  struct weft_table *table;
  struct weft_plan *one, *many; /* many: NULL when look-ups do not merge */
  bool simple;                  /* the key is all that the statement takes */
  struct weft_list held;        /* struct weft_call.link */
  uint32_t nheld;
};

struct flight {
  struct weft_call run;
  struct weft_plan *one;
  struct weft_list callers; /* struct weft_call.link; .slot is the caller's key */
  struct weft_slice column; /* the key's name, in one->table */
  uint32_t nkeys;
  struct weft_value *keys;  /* distinct; in run.arena, as is: */
  uint32_t *table, mask;    /* hash table of key numbers from 1, 0: free */
};

/* ---- finders ---- */

/* A value of the column's own type, so that the plan's parameter gets that type. */
static struct weft_value sample(const struct weft_table_column *c) {
  return c->type.type == WEFT_INT ? weft_int(1) : weft_text("", 0);
}

static const struct weft_expr *list_sample(struct weft_arena *a,
                                           const struct weft_table_column *c) {
  struct weft_array *list = weft_arena_alloc(a, sizeof *list + 2 * sizeof list->v[0]);
  list->n = 2;
  list->elem = c->type.type;
  list->v[0] = list->v[1] = sample(c);
  return weft_expr_value(a, (struct weft_value){.type = WEFT_LIST, .u.array = list});
}

/* base WHERE key = ? [AND ...], or WHERE key IN (?). Owned. */
static struct weft_query *keyed(struct weft_query *base, const struct weft_table *t, bool list,
                                const struct weft_value *keys, struct weft_error *err) {
  struct weft_query *c = weft_query_begin(base, WEFT_C_WHERE);
  struct weft_arena *a = &c->arena;
  const struct weft_expr **kids = weft_arena_alloc(a, t->nkey * sizeof *kids);
  for (uint32_t i = 0; i < t->nkey; i++) {
    const struct weft_table_column *col = &t->columns[t->key[i]];
    const struct weft_expr *x = weft_expr_column(a, col->name);
    const struct weft_expr *v =
        list ? list_sample(a, col) : weft_expr_value(a, keys ? keys[i] : sample(col));
    if (weft_expr_binary(a, list ? WEFT_E_IN : WEFT_E_EQ, x, v, &kids[i], err)) {
      weft_query_unref(c);
      return NULL;
    }
  }
  c->expr = weft_expr_logic(a, WEFT_E_AND, kids, t->nkey);
  return weft_query_end(c);
}

static struct weft_plan *plan_keyed(struct weft_finder *f, bool list, struct weft_error *err) {
  struct weft_plan *plan = NULL;
  struct weft_query *q = keyed(f->base, f->table, list, NULL, err);
  if (q && weft_plans_get(&f->db->plans, q, &plan, err) == 0) weft_plan_ref(plan);
  if (q) weft_query_unref(q);
  return plan;
}

static bool selects_key(const struct weft_query *q, struct weft_slice key) {
  for (uint32_t i = 0; i < q->nitems; i++) {
    const struct weft_item *item = &q->items[i];
    struct weft_slice name = item->name.n || !item->expr ? item->name : item->expr->name;
    if (!weft_slice_equal(name, key)) continue;
    return item->expr && item->expr->kind == WEFT_E_COLUMN &&
           weft_slice_equal(item->expr->name, key);
  }
  return q->nitems == 0;
}

/* Only what equality of bytes decides, and only a base that every row answers alike. */
static bool may_merge(const struct weft_finder *f) {
  const struct weft_table *t = f->table;
  if (t->nkey != 1 || !f->simple) return false;
  const struct weft_table_column *c = &t->columns[t->key[0]];
  bool plain = c->type.type == WEFT_INT || c->type.type == WEFT_UUID ||
               (c->type.type == WEFT_TEXT &&
                (c->collation == WEFT_COLLATE_BINARY || c->collation == WEFT_COLLATE_EQUAL));
  bool selected = false;
  for (const struct weft_query *q = f->base; q && plain; q = q->prev) {
    if (q->clause == WEFT_C_SELECT && !selected) {
      plain = selects_key(q, c->name);
      selected = true;
    } else if (q->clause != WEFT_C_FROM && q->clause != WEFT_C_NOTE && q->clause != WEFT_C_SELECT) {
      plain = false;
    }
  }
  return plain && (selected || !c->lazy);
}

static void finder_free(struct weft_finder *f) {
  weft_query_unref(f->base);
  weft_table_unref(f->table);
  if (f->one) weft_plan_unref(f->one);
  if (f->many) weft_plan_unref(f->many);
  free(f);
}

static void close_batch(struct weft_hook *hook);

/* base is of r's newest table. */
static struct weft_finder *finder_new(struct weft_relation *r, struct weft_query *base,
                                      struct weft_error *err) {
  struct weft_finder *f = weft_zalloc(sizeof *f);
  weft_list_init(&f->hook.link);
  weft_list_init(&f->held);
  f->hook.run = close_batch;
  f->db = r->db;
  f->base = weft_query_ref(base);
  f->table = weft_table_ref(r->table);
  f->one = plan_keyed(f, false, err);
  if (!f->one) {
    finder_free(f);
    return NULL;
  }
  f->simple = f->one->nslots == f->table->nkey && f->one->slots[0].form == WEFT_SLOT_VALUE;
  if (may_merge(f)) {
    struct weft_error ignored;
    f->many = plan_keyed(f, true, &ignored);
    if (f->many && f->many->nslots != 1) {
      weft_plan_unref(f->many);
      f->many = NULL;
    }
  }
  return f;
}

void weft_finders_clear(struct weft_db *db) {
  struct weft_map old = db->finders;
  struct weft_map_entry *e;
  if (old.count == 0) return;
  weft_map_init(&db->finders);
  for (size_t i = 0; (e = weft_map_next(&old, &i));) {
    struct weft_finder *f = e->value;
    weft_list_remove(&f->hook.link);
    if (f->nheld) close_batch(&f->hook);
    finder_free(f);
  }
  weft_map_release(&old);
}

void weft_finders_release(struct weft_db *db) {
  weft_finders_clear(db);
  weft_map_release(&db->finders);
}

static struct weft_query *rebased(struct weft_relation *r, struct weft_query *base,
                                  struct weft_error *err) {
  if (base->table == r->table) return weft_query_ref(base);
  struct weft_query *q = weft_query_rebase(base, r->table);
  if (weft_query_check_all(q, err) == 0) return q;
  weft_query_unref(q);
  return NULL;
}

static struct weft_finder *finder_of(struct weft_relation *r, struct weft_query *base,
                                     struct weft_error *err) {
  struct weft_db *db = r->db;
  uint64_t key = weft_hash_mix(base->shape, (uintptr_t)r);
  struct weft_finder *f = weft_map_get_int(&db->finders, key);
  if (f && f->table == r->table && (f->base == base || weft_query_same_shape(f->base, base)))
    return f;
  struct weft_query *q = rebased(r, base, err);
  if (!q) return NULL;
  key = weft_hash_mix(q->shape, (uintptr_t)r);
  f = weft_map_get_int(&db->finders, key);
  if (!f || f->table != r->table || !weft_query_same_shape(f->base, q)) {
    if (f || db->finders.count >= LIMIT_FINDERS) weft_finders_clear(db);
    f = finder_new(r, q, err);
    if (f) weft_map_set_int(&db->finders, key, f);
  }
  weft_query_unref(q);
  return f;
}

/* ---- one look-up ---- */

static void run_alone(struct weft_call *call, struct weft_plan *one) {
  call->op.plan = weft_plan_ref(one);
  call->op.params = call->keys;
  call->op.nparams = call->nkeys;
  weft_call_submit(call);
}

static int check_key(const struct weft_call *call, const struct weft_table *t,
                     struct weft_error *err) {
  char names[200] = "";
  size_t n = 0;
  if (t->nkey == call->nkeys && t->nkey > 0) return 0;
  if (t->nkey == 0)
    return weft_fail(err, WEFT_USAGE, "%.*s has no primary key", (int)t->name.n, t->name.p);
  for (uint32_t i = 0; i < t->nkey && n < sizeof names - 1; i++) {
    struct weft_slice name = t->columns[t->key[i]].name;
    n += (size_t)snprintf(names + n, sizeof names - n, "%s%.*s", i ? ", " : "", (int)name.n,
                          name.p);
  }
  return weft_fail(err, WEFT_USAGE, "find of %.*s takes %u key%s (%s), got %u", (int)t->name.n,
                   t->name.p, (unsigned)t->nkey, t->nkey == 1 ? "" : "s", names,
                   (unsigned)call->nkeys);
}

/* The base has parameters of its own: the general way. */
static int find_slowly(struct weft_call *call, struct weft_error *err) {
  struct weft_query *base = rebased(call->relation, call->query, err);
  if (!base) return -1;
  struct weft_query *q = keyed(base, call->relation->table, false, call->keys, err);
  weft_query_unref(base);
  if (!q) return -1;
  weft_query_unref(call->query);
  call->query = q;
  call->step = weft_query_step;
  return weft_query_step(call, err);
}

static bool batching_off(const struct weft_query *q) {
  for (; q; q = q->prev)
    if (q->clause == WEFT_C_NOTE && (q->number & WEFT_NOTE_BATCH_OFF)) return true;
  return false;
}

static bool worth_holding(const struct weft_call *call, const struct weft_finder *f) {
  struct weft_loop *loop = call->db->context->loop;
  if (!call->batch || !f->many || batching_off(call->query)) return false;
  return weft_loop_running(loop) && (f->nheld > 0 || weft_loop_busy(loop));
}

static void hold(struct weft_call *call, struct weft_finder *f) {
  call->place = WEFT_AT_BATCH;
  call->ride = f;
  weft_context_watch(call->db->context, call);
  weft_list_push(&f->held, &call->link);
  if (f->nheld++ == 0) weft_loop_at_end(call->db->context->loop, &f->hook);
}

int weft_find_step(struct weft_call *call, struct weft_error *err) {
  struct weft_relation *r = call->relation;
  if (!r->table->known) {
    weft_schema_discover(call);
    return 0;
  }
  if (check_key(call, r->table, err)) return -1;
  struct weft_finder *f = finder_of(r, call->query, err);
  if (!f) return -1;
  if (!f->simple) return find_slowly(call, err);
  for (uint32_t i = 0; i < call->nkeys; i++) {
    const struct weft_slot *slot = &f->one->slots[i];
    if (weft_value_convert(&call->arena, call->keys[i], &slot->type, &call->keys[i], err) == 0)
      continue;
    size_t n = slot->column.n < sizeof err->column ? slot->column.n : sizeof err->column - 1;
    if (n) memcpy(err->column, slot->column.p, n);
    err->column[n] = 0;
    return -1;
  }
  call->version = r->table->id;
  if (worth_holding(call, f)) hold(call, f);
  else run_alone(call, f->one);
  return 0;
}

/* ---- flights ---- */

static void flight_free(struct flight *f) {
  weft_plan_unref(f->one);
  weft_call_reset(&f->run);
  free(f);
}

static void flight_finished(struct weft_call *run) {
  flight_free(WEFT_CONTAINER(run, struct flight, run));
}

/* The key's number from 0; *added when it was not there. -1 when it is not there and !added. */
static int64_t key_number(struct flight *f, struct weft_value v, bool *added) {
  uint32_t at = (uint32_t)weft_value_hash(0, v) & f->mask;
  while (f->table[at]) {
    uint32_t number = f->table[at] - 1;
    if (weft_value_equal(f->keys[number], v)) return number;
    at = (at + 1) & f->mask;
  }
  if (!added) return -1;
  *added = true;
  f->keys[f->nkeys] = weft_value_copy(&f->run.arena, v); /* callers may leave before the end */
  f->table[at] = ++f->nkeys;
  return f->nkeys - 1;
}

/* Would the next caller's failure be the same? Then nobody is sent out alone. */
static bool fails_everyone(enum weft_kind kind) {
  switch (kind) {
    case WEFT_TIMEOUT:
    case WEFT_CANCELLED:
    case WEFT_POOL_TIMEOUT:
    case WEFT_CONNECT:
    case WEFT_DISCONNECT:
    case WEFT_AUTH:
    case WEFT_CLOSED: return true;
    default: return false;
  }
}

static void land_failed(struct flight *f, const struct weft_error *err) {
  bool all = fails_everyone(err->kind);
  struct weft_list callers;
  weft_list_init(&callers);
  weft_list_splice(&callers, &f->callers);
  for (struct weft_list *at; (at = weft_list_take(&callers));) {
    struct weft_call *call = WEFT_CONTAINER(at, struct weft_call, link);
    if (all) weft_call_end(call, NULL, err);
    else run_alone(call, f->one);
  }
}

/* rows_of[key number] becomes its row's number from 1. */
static void assign(struct flight *f, const struct weft_rows *rows, uint32_t *rows_of) {
  uint32_t column = 0;
  if (rows->nrows == 0) return;
  if (f->nkeys == 1) {
    rows_of[0] = 1;
    return;
  }
  while (column < rows->ncols && !weft_slice_equal(rows->columns->v[column].name, f->column))
    column++;
  for (uint32_t i = 0; i < rows->nrows && column < rows->ncols; i++) {
    int64_t number = key_number(f, weft_rows_row(rows, i)[column], NULL);
    if (number >= 0) rows_of[number] = i + 1;
  }
}

static void landed(struct weft_call *run, struct weft_rows *rows, const struct weft_error *err) {
  struct flight *f = WEFT_CONTAINER(run, struct flight, run);
  if (err) {
    land_failed(f, err);
    weft_call_end(run, NULL, NULL);
    return;
  }
  uint32_t *rows_of = weft_arena_alloc(&run->arena, f->nkeys * sizeof *rows_of);
  memset(rows_of, 0, f->nkeys * sizeof *rows_of);
  assign(f, rows, rows_of);
  for (struct weft_list *at; (at = weft_list_take(&f->callers));) {
    struct weft_call *call = WEFT_CONTAINER(at, struct weft_call, link);
    uint32_t row = rows_of[call->slot];
    weft_call_end(call, weft_rows_view(rows, row ? row - 1 : 0, row ? 1 : 0), NULL);
  }
  weft_call_end(run, rows, NULL); /* frees f */
}

static struct flight *flight_new(const struct weft_finder *finder, uint32_t n) {
  struct flight *f = weft_zalloc(sizeof *f);
  uint32_t size = 4;
  while (size < n * 2) size *= 2;
  weft_list_init(&f->callers);
  weft_call_init(&f->run, flight_finished, NULL);
  f->one = weft_plan_ref(finder->one);
  f->column = finder->table->columns[finder->table->key[0]].name;
  weft_call_begin(&f->run, finder->db, NULL);
  f->run.answered = landed;
  f->mask = size - 1;
  f->keys = weft_arena_alloc(&f->run.arena, n * sizeof *f->keys);
  f->table = weft_arena_alloc(&f->run.arena, size * sizeof *f->table);
  memset(f->table, 0, size * sizeof *f->table);
  return f;
}

/* false: the flight is full. */
static bool board(struct flight *f, struct weft_call *call) {
  bool added = false;
  int64_t number = key_number(f, call->keys[0], f->nkeys < LIMIT_KEYS ? &added : NULL);
  if (number < 0) return false;
  bool first = weft_list_empty(&f->callers);
  if (first) f->run.origin = call->origin;
  if (first || (f->run.deadline && call->deadline > f->run.deadline) || !call->deadline)
    f->run.deadline = call->deadline; /* the latest; 0 is none */
  call->slot = (uint32_t)number;
  call->place = WEFT_AT_FLIGHT;
  call->ride = f;
  weft_list_push(&f->callers, &call->link);
  return true;
}

static void depart(struct flight *f, struct weft_plan *many) {
  struct weft_arena *a = &f->run.arena;
  struct weft_value *param = weft_arena_alloc(a, sizeof *param);
  if (f->nkeys == 1) {
    *param = f->keys[0];
  } else {
    struct weft_array *list = weft_arena_alloc(a, sizeof *list + f->nkeys * sizeof list->v[0]);
    list->n = f->nkeys;
    list->elem = f->keys[0].type;
    memcpy(list->v, f->keys, f->nkeys * sizeof list->v[0]);
    *param = (struct weft_value){.type = WEFT_LIST, .u.array = list};
  }
  f->run.op.plan = weft_plan_ref(f->nkeys == 1 ? f->one : many);
  f->run.op.params = param;
  f->run.op.nparams = 1;
  weft_call_submit(&f->run);
}

/* The finder may be gone as soon as something is submitted: what runs then may forget tables. */
static void close_batch(struct weft_hook *hook) {
  struct weft_finder *finder = WEFT_CONTAINER(hook, struct weft_finder, hook);
  struct weft_db *db = weft_db_ref(finder->db);
  struct weft_plan *one = weft_plan_ref(finder->one), *many = weft_plan_ref(finder->many);
  struct weft_list calls, flights, *at;
  struct flight *f = NULL;
  uint32_t left = finder->nheld;
  bool merge = left > 1;
  weft_list_init(&calls);
  weft_list_init(&flights);
  weft_list_splice(&calls, &finder->held);
  finder->nheld = 0;
  if (merge) db->batched += left;
  for (; merge && (at = weft_list_take(&calls)); left--) {
    struct weft_call *call = WEFT_CONTAINER(at, struct weft_call, link);
    if (f && board(f, call)) continue;
    f = flight_new(finder, left < LIMIT_KEYS ? left : LIMIT_KEYS);
    weft_list_push(&flights, &f->run.link);
    board(f, call);
    db->batches++;
  }
  while ((at = weft_list_take(&calls))) run_alone(WEFT_CONTAINER(at, struct weft_call, link), one);
  while ((at = weft_list_take(&flights)))
    depart(WEFT_CONTAINER(at, struct flight, run.link), many);
  weft_plan_unref(one);
  weft_plan_unref(many);
  weft_db_unref(db);
}

void weft_batch_leave(struct weft_call *call) {
  struct weft_finder *f = call->ride;
  weft_list_remove(&call->link);
  if (f->nheld && --f->nheld == 0) weft_list_remove(&f->hook.link);
}

void weft_flight_leave(struct weft_call *call) {
  struct flight *f = call->ride;
  weft_list_remove(&call->link);
  if (weft_list_empty(&f->callers)) weft_call_abort(&f->run, WEFT_CANCELLED);
}

const struct weft_op *weft_flight_op(const struct weft_call *call) {
  return &((const struct flight *)call->ride)->run.op;
}
