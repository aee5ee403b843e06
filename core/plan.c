/* SPDX-License-Identifier: MIT */
/* A plan is rendered from a skeleton of the query that first had its shape, and keeps it: to tell
   equal hashes from equal shapes, and to hold no value of anybody's. Its sources are the walk of
   that skeleton, so any query of the shape can be walked to fill its slots. */
#include <stdlib.h>

#include "plan.h"
#include "render.h"

enum { LONG_TEXT = 65536 };

static struct weft_plan *plan_new(const struct weft_dialect *d, uint32_t flags) {
  static uint64_t counter;
  struct weft_plan *p = weft_zalloc(sizeof *p);
  weft_arena_init(&p->arena, NULL, 0);
  weft_list_init(&p->lru);
  p->refs = 1;
  p->flags = flags;
  p->id = __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
  p->dialect = d;
  return p;
}

struct weft_plan *weft_plan_ref(struct weft_plan *p) {
  __atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
  return p;
}

void weft_plan_unref(struct weft_plan *p) {
  if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL)) return;
  if (p->driver_free) p->driver_free(p->driver_data);
  weft_columns_unref(p->columns);
  weft_query_unref(p->query);
  weft_table_unref(p->table);
  weft_arena_release(&p->arena);
  free(p);
}

static size_t plan_bytes(const struct weft_plan *p) {
  size_t n = sizeof *p + p->arena.total;
  for (const struct weft_query *q = p->query; q; q = q->prev) n += sizeof *q + 448 + q->arena.total;
  return n;
}

void weft_plan_measured(struct weft_plan *p, int64_t ns) {
  p->estimate_ns = p->runs ? p->estimate_ns + (ns - p->estimate_ns) / 8 : ns;
  if (p->runs < UINT32_MAX) p->runs++;
}

/* ---- rendering ---- */

/* Whether the conditions that must all hold give this column one value. */
static bool fixed(const struct weft_expr *where, struct weft_slice name) {
  const struct weft_expr *const *kids = where->kind == WEFT_E_AND ? where->kids : &where;
  uint32_t n = where->kind == WEFT_E_AND ? where->nkids : 1;
  for (uint32_t i = 0; i < n; i++)
    if (kids[i]->kind == WEFT_E_EQ && kids[i]->kids[0]->kind == WEFT_E_COLUMN &&
        kids[i]->kids[1]->kind == WEFT_E_VALUE && weft_slice_equal(kids[i]->kids[0]->name, name))
      return true;
  return false;
}

static bool by_key(const struct weft_parts *parts) {
  const struct weft_table *t = parts->table;
  uint32_t found = 0;
  if (!parts->where) return false;
  for (uint32_t i = 0; i < t->nkey; i++) found += fixed(parts->where, t->columns[t->key[i]].name);
  if (t->nkey && found == t->nkey) return true;
  for (uint32_t i = 0; i < t->ncolumns; i++)
    if (t->columns[i].unique && fixed(parts->where, t->columns[i].name)) return true;
  return false;
}

static uint32_t flags_of(const struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  const struct weft_query *verb = p->verb;
  uint32_t flags = r->flags;
  if (by_key(p)) flags |= WEFT_PLAN_KEY;
  if (!verb && p->lock.n) flags |= WEFT_PLAN_LOCKS;
  if (!verb || verb->clause < WEFT_C_INSERT)
    return flags & WEFT_PLAN_LOCKS && r->d->row_locks ? flags : flags | WEFT_PLAN_READ;
  bool insert = verb->clause == WEFT_C_INSERT || verb->clause == WEFT_C_UPSERT;
  if (!insert || verb->quiet) flags |= WEFT_PLAN_NOROWS;
  if (insert && verb->nrows > 1 && r->d->repeats_inserts) flags |= WEFT_PLAN_REPEAT;
  return flags;
}

static void statement(struct weft_renderer *r) {
  const struct weft_query *verb = r->parts->verb;
  switch (verb ? verb->clause : WEFT_C_FROM) {
    case WEFT_C_COUNT: weft_render_count(r); break;
    case WEFT_C_AGGREGATE: weft_render_aggregate(r); break;
    case WEFT_C_EXISTS: weft_render_exists(r); break;
    case WEFT_C_INSERT:
    case WEFT_C_UPSERT: weft_render_insert(r); break;
    case WEFT_C_UPDATE: weft_render_update(r); break;
    case WEFT_C_DELETE: weft_render_delete(r); break;
    default: weft_render_select(r);
  }
}

static void check_size(struct weft_renderer *r) {
  if (r->nslots > r->d->max_params)
    weft_render_fail(r, WEFT_USAGE, "%u parameters; %s takes %u", r->nslots, r->d->name,
                     r->d->max_params);
  if (weft_buf_failed(r->out)) weft_render_fail(r, WEFT_USAGE, "the statement is too long");
}

static void keep(struct weft_plan *p, const struct weft_renderer *r) {
  struct weft_slot *slots = weft_arena_alloc(&p->arena, (r->nslots + 1) * sizeof *slots);
  for (uint32_t i = 0; i < r->nslots; i++) {
    slots[i] = r->slots[i];
    slots[i].column = weft_arena_slice(&p->arena, slots[i].column);
  }
  p->slots = slots;
  p->nslots = r->nslots;
  p->sql = weft_slice(weft_arena_copy(&p->arena, r->out->p, r->out->n), r->out->n);
  p->flags = flags_of(r) | (p->sql.n > LONG_TEXT ? WEFT_PLAN_VOLATILE : 0);
}

int weft_plan_render(const struct weft_dialect *d, struct weft_query *q, struct weft_plan **out,
                     struct weft_error *err) {
  if (weft_query_check_all(q, err)) return -1;
  char scratch[4096];
  struct weft_arena arena;
  struct weft_buf text;
  struct weft_parts parts;
  struct weft_plan *p = plan_new(d, 0);
  p->query = weft_query_skeleton(q, &p->nsources);
  p->shape = q->shape;
  p->table = weft_table_ref(q->table);
  weft_arena_init(&arena, scratch, sizeof scratch);
  weft_buf_init(&text);
  weft_query_parts(p->query, &arena, &parts);
  struct weft_renderer r = {.d = d, .out = &text, .arena = &arena, .parts = &parts, .err = err};
  statement(&r);
  check_size(&r);
  if (!r.failed) {
    keep(p, &r);
    p->bytes = plan_bytes(p);
    *out = p;
  } else {
    weft_plan_unref(p);
  }
  weft_buf_release(&text);
  weft_arena_release(&arena);
  return r.failed ? -1 : 0;
}

struct weft_plan *weft_plan_raw(const struct weft_dialect *d, struct weft_slice sql,
                                uint32_t nparams, uint32_t flags) {
  struct weft_plan *p = plan_new(d, flags | WEFT_PLAN_RAW);
  struct weft_slot *slots = weft_arena_alloc(&p->arena, (nparams + 1) * sizeof *slots);
  for (uint32_t i = 0; i < nparams; i++)
    slots[i] = (struct weft_slot){
        .source = i, .type = {.type = WEFT_ANY, .precision = -1, .scale = -1}, .column = {"", 0}};
  p->slots = slots;
  p->nslots = p->nsources = nparams;
  p->sql = weft_slice(weft_arena_copy(&p->arena, sql.p, sql.n), sql.n);
  if (sql.n > LONG_TEXT) p->flags |= WEFT_PLAN_VOLATILE;
  p->bytes = plan_bytes(p);
  return p;
}

void weft_plan_present(const struct weft_plan *p, struct weft_columns *columns) {
  columns->presented = true;
  for (uint32_t i = 0; p->table && i < columns->n; i++) {
    int at = weft_table_column(p->table, columns->v[i].name);
    if (at >= 0) columns->v[i].as = p->table->columns[at].as;
  }
}

bool weft_plan_aggregate(const struct weft_plan *p, uint32_t i, struct weft_column_type *out) {
  char scratch[512];
  struct weft_arena arena;
  struct weft_parts parts;
  const struct weft_expr *e = NULL;
  if (!p->query || !p->table) return false;
  weft_arena_init(&arena, scratch, sizeof scratch);
  weft_query_parts(p->query, &arena, &parts);
  if (parts.verb && parts.verb->clause == WEFT_C_AGGREGATE) e = i ? NULL : parts.verb->items[0].expr;
  else if (!parts.verb && i < parts.nselect) e = parts.select[i].expr;
  int at = -1;
  if (e && e->kind >= WEFT_E_SUM && e->kind <= WEFT_E_MAX && e->kids[0]->kind == WEFT_E_COLUMN)
    at = weft_table_column(p->table, e->kids[0]->name);
  if (at >= 0) *out = p->table->columns[at].type;
  if (at >= 0 && e->kind == WEFT_E_AVG) out->scale = -1;
  weft_arena_release(&arena);
  return at >= 0 && out->type == WEFT_DECIMAL;
}
