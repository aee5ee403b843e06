/* SPDX-License-Identifier: MIT */
/* A write whose rows the database does not hand back (see dialect.h: returning, update_returning) is followed
   by a select of each row by its key. Outside of a transaction another write may come in between: then a row
   is what it is by then, and an updated one may be gone.

   The driver tells the keys that the database made: rows->last_id for one row, one cell per row in a column
   without a name for several. */
#include "db_private.h"

struct weft_again {
  struct weft_query *write; /* owned, as all below */
  struct weft_rows *made;   /* the answer to it */
  struct weft_rows **found; /* the rows, as they are read; in the call's arena */
  uint32_t n, at;
};

/* ---- the key of a written row ---- */

/* The value that the conditions, all of which hold, give this column; NULL: none of them does. */
static const struct weft_expr *fixed(const struct weft_expr *where, struct weft_slice name) {
  const struct weft_expr *const *kids = where->kind == WEFT_E_AND ? where->kids : &where;
  uint32_t n = where->kind == WEFT_E_AND ? where->nkids : 1;
  for (uint32_t i = 0; i < n; i++)
    if (kids[i]->kind == WEFT_E_EQ && kids[i]->kids[0]->kind == WEFT_E_COLUMN &&
        kids[i]->kids[1]->kind == WEFT_E_VALUE && weft_slice_equal(kids[i]->kids[0]->name, name))
      return kids[i]->kids[1];
  return NULL;
}

static const struct weft_expr *set_to(const struct weft_query *verb, struct weft_slice name) {
  for (uint32_t i = 0; i < verb->nitems; i++)
    if (verb->items[i].expr && weft_slice_equal(verb->items[i].name, name)) return verb->items[i].expr;
  return NULL;
}

static int64_t made_id(const struct weft_again *again) {
  const struct weft_rows *made = again->made;
  return made->ncols && again->at < made->nrows ? weft_rows_row(made, again->at)[0].u.i : made->last_id;
}

/* NULL: that cannot be told. */
static const struct weft_expr *inserted(struct weft_arena *a, const struct weft_again *again,
                                        const struct weft_query *verb, struct weft_slice name) {
  const struct weft_value *row = verb->values + (size_t)again->at * verb->nitems;
  for (uint32_t i = 0; i < verb->nitems; i++)
    if (!verb->items[i].expr && row[i].type != WEFT_ANY && weft_slice_equal(verb->items[i].name, name))
      return weft_expr_value(a, weft_value_copy(a, row[i]));
  const struct weft_expr *e = set_to(verb, name);
  int64_t id = made_id(again);
  return !e && id ? weft_expr_value(a, weft_int(id)) : e;
}

static const struct weft_expr *key_value(struct weft_arena *a, const struct weft_again *again,
                                         const struct weft_parts *p, struct weft_slice name) {
  if (p->verb->clause != WEFT_C_UPDATE) return inserted(a, again, p->verb, name);
  const struct weft_expr *e = set_to(p->verb, name);
  return e || !p->where ? e : fixed(p->where, name);
}

/* The columns that find the row: those that an upsert names, else the primary key. */
static uint32_t key_names(struct weft_arena *a, const struct weft_parts *p, struct weft_slice **out) {
  const struct weft_table *t = p->table;
  bool named = p->verb->clause == WEFT_C_UPSERT && p->verb->non;
  uint32_t n = named ? p->verb->non : t->nkey;
  *out = weft_arena_alloc(a, (n + 1) * sizeof **out);
  for (uint32_t i = 0; i < n; i++) (*out)[i] = named ? p->verb->on[i] : t->columns[t->key[i]].name;
  return n;
}

static int by_key(struct weft_query *c, const struct weft_again *again, const struct weft_parts *p,
                  struct weft_error *err) {
  struct weft_slice *names;
  uint32_t n = key_names(&c->arena, p, &names);
  const struct weft_expr **kids = weft_arena_alloc(&c->arena, (n + 1) * sizeof *kids);
  for (uint32_t i = 0; i < n; i++) {
    const struct weft_expr *v = key_value(&c->arena, again, p, names[i]);
    if (!v || v->kind != WEFT_E_VALUE)
      return weft_fail(err, WEFT_UNSUPPORTED, "the row was written, but its key '%.*s' is not known to read it again",
                       names[i].n > 63 ? 63 : (int)names[i].n, names[i].p);
    v = weft_expr_copy(&c->arena, v);
    if (weft_expr_binary(&c->arena, WEFT_E_EQ, weft_expr_column(&c->arena, names[i]), v, &kids[i], err)) return -1;
  }
  c->expr = weft_expr_logic(&c->arena, WEFT_E_AND, kids, n);
  return n ? 0 : weft_fail(err, WEFT_UNSUPPORTED, "the row was written, but has no key to read it again");
}

/* ---- the select ---- */

/* What the write would have handed back: the columns that an update names, all of an insert's. */
static void select_stored(struct weft_query *c, const struct weft_parts *p) {
  bool update = p->verb->clause == WEFT_C_UPDATE;
  uint32_t n = update ? p->verb->non : p->table->ncolumns;
  struct weft_item *items = weft_arena_alloc(&c->arena, (n + 1) * sizeof *items);
  for (uint32_t i = 0; i < n; i++) {
    struct weft_slice name = update ? p->verb->on[i] : p->table->columns[i].name;
    items[i] = (struct weft_item){.expr = weft_expr_column(&c->arena, name)};
  }
  c->items = items;
  c->nitems = n;
}

/* A new step, in place of q. */
static struct weft_query *step(struct weft_query *q, enum weft_clause clause) {
  struct weft_query *c = weft_query_begin(q, clause);
  weft_query_unref(q);
  return c;
}

static int select_row(const struct weft_again *again, struct weft_arena *a, struct weft_query **out,
                      struct weft_error *err) {
  struct weft_parts p;
  weft_query_parts(again->write, a, &p);
  struct weft_query *q = step(weft_query_from(again->write->table), WEFT_C_WHERE);
  if (by_key(q, again, &p, err)) {
    weft_query_unref(q);
    return -1;
  }
  q = step(weft_query_end(q), WEFT_C_SELECT);
  select_stored(q, &p);
  q = weft_query_end(q);
  if (p.table->soft >= 0) {
    q = step(q, WEFT_C_DELETED);
    q->number = WEFT_DELETED_WITH;
    q = weft_query_end(q);
  }
  *out = q;
  return 0;
}

/* ---- one row after the other ---- */

static void row_answered(struct weft_call *call, struct weft_rows *rows, const struct weft_error *err) {
  struct weft_again *again = call->again;
  struct weft_error large;
  if (err) {
    weft_call_end(call, NULL, err);
    return;
  }
  again->found[again->at++] = rows;
  if (again->at < again->n) {
    weft_call_step(call);
    return;
  }
  rows = again->n == 1 ? weft_rows_ref(rows) : weft_rows_concat(again->found, again->n);
  if (!rows) weft_fail(&large, WEFT_UNSUPPORTED, "the rows were written, but are too many to hand back");
  weft_call_end(call, rows, rows ? NULL : &large);
}

static int read_row(struct weft_call *call, struct weft_error *err) {
  struct weft_query *q;
  if (select_row(call->again, &call->arena, &q, err)) return -1;
  if (call->query) weft_query_unref(call->query);
  call->query = q;
  call->answered = row_answered;
  return weft_query_step(call, err);
}

/* Rows are wanted, and none came, or the made keys alone. */
static bool wanted(const struct weft_call *call, const struct weft_rows *rows) {
  const struct weft_query *verb = call->query ? weft_query_verb(call->query) : NULL;
  if (!verb || !rows || (rows->ncols && rows->columns->v[0].name.n)) return false;
  if (verb->clause == WEFT_C_UPDATE) return verb->non && rows->affected > 0;
  return (verb->clause == WEFT_C_INSERT || verb->clause == WEFT_C_UPSERT) && !verb->quiet;
}

bool weft_again(struct weft_call *call, struct weft_rows *rows) {
  if (!wanted(call, rows)) return false;
  const struct weft_query *verb = weft_query_verb(call->query);
  struct weft_again *again = weft_arena_alloc(&call->arena, sizeof *again);
  *again = (struct weft_again){.write = call->query, .made = rows,
                               .n = verb->clause == WEFT_C_UPDATE ? 1 : verb->nrows};
  again->found = weft_arena_alloc(&call->arena, again->n * sizeof *again->found);
  call->query = NULL;
  call->again = again;
  call->step = read_row;
  weft_call_step(call);
  return true;
}

void weft_again_end(struct weft_call *call) {
  struct weft_again *again = call->again;
  if (!again) return;
  for (uint32_t i = 0; i < again->at; i++) weft_rows_unref(again->found[i]);
  weft_rows_unref(again->made);
  weft_query_unref(again->write);
  call->again = NULL;
}
