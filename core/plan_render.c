/* SPDX-License-Identifier: MIT */
/* A plan is rendered from a skeleton of the query that first had its shape, and keeps it: to tell
   equal hashes from equal shapes, and to hold no value of anybody's. Its sources are the walk of
   that skeleton, so any query of the shape can be walked to fill its slots. */
#include "render.h"

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
  if (!parts->where || parts->njoins) return false;
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
  if (insert ? verb->quiet : !verb->non || !r->d->update_returning) flags |= WEFT_PLAN_NOROWS;
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
  p->flags = flags_of(r) | (p->sql.n > WEFT_PLAN_LONG ? WEFT_PLAN_VOLATILE : 0);
}

int weft_plan_render(const struct weft_dialect *d, struct weft_query *q, struct weft_plan **out,
                     struct weft_error *err) {
  if (weft_query_check_all(q, err)) return -1;
  char scratch[4096];
  struct weft_arena arena;
  struct weft_buf text;
  struct weft_parts parts;
  struct weft_plan *p = weft_plan_new(d, 0);
  p->query = weft_query_skeleton(q, &p->nsources);
  p->shape = q->shape;
  p->table = weft_table_ref(q->table);
  weft_arena_init(&arena, scratch, sizeof scratch);
  weft_buf_init(&text);
  weft_query_parts(p->query, &arena, &parts);
  struct weft_renderer r = {.d = d, .out = &text, .arena = &arena, .err = err};
  weft_render_enter(&r, &parts, weft_slice(NULL, 0));
  statement(&r);
  check_size(&r);
  if (!r.failed) {
    keep(p, &r);
    p->bytes = weft_plan_bytes(p);
    *out = p;
  } else {
    weft_plan_unref(p);
  }
  weft_buf_release(&text);
  weft_arena_release(&arena);
  return r.failed ? -1 : 0;
}
