/* SPDX-License-Identifier: MIT */
/* Two maps into one list, least recently used first. A plan is in exactly one map and holds the
   key: its shape, or the user's own text. Two shapes of one hash take turns in one place. */
#include "plan.h"

void weft_plans_init(struct weft_plans *c, const struct weft_dialect *d, size_t limit) {
  memset(c, 0, sizeof *c);
  c->dialect = d;
  c->limit = limit;
  weft_map_init(&c->shapes);
  weft_map_init(&c->texts);
  weft_list_init(&c->lru);
}

static void drop(struct weft_plans *c, struct weft_plan *p) {
  if (p->query) weft_map_remove_int(&c->shapes, p->shape);
  else weft_map_remove(&c->texts, p->text);
  weft_list_remove(&p->lru);
  c->bytes -= p->bytes;
  weft_plan_unref(p);
}

void weft_plans_clear(struct weft_plans *c) {
  while (!weft_list_empty(&c->lru)) drop(c, WEFT_CONTAINER(c->lru.next, struct weft_plan, lru));
}

void weft_plans_release(struct weft_plans *c) {
  weft_plans_clear(c);
  weft_map_release(&c->shapes);
  weft_map_release(&c->texts);
}

static void use(struct weft_plans *c, struct weft_plan *p) {
  c->hits++;
  if (c->lru.prev == &p->lru) return;
  weft_list_remove(&p->lru);
  weft_list_push(&c->lru, &p->lru);
}

/* Takes the caller's reference. The newest plan stays, however large it is. */
static void add(struct weft_plans *c, struct weft_plan *p) {
  c->misses++;
  c->bytes += p->bytes;
  weft_list_push(&c->lru, &p->lru);
  while (c->bytes > c->limit && c->lru.next != &p->lru) {
    drop(c, WEFT_CONTAINER(c->lru.next, struct weft_plan, lru));
    c->evictions++;
  }
}

int weft_plans_get(struct weft_plans *c, struct weft_query *q, struct weft_plan **out,
                   struct weft_error *err) {
  struct weft_plan *p = weft_map_get_int(&c->shapes, q->shape), *fresh;
  if (p && weft_query_same_shape(p->query, q)) {
    use(c, p);
    *out = p;
    return 0;
  }
  if (weft_plan_render(c->dialect, q, &fresh, err)) return -1;
  if (p) drop(c, p);
  weft_map_set_int(&c->shapes, fresh->shape, fresh);
  add(c, fresh);
  *out = fresh;
  return 0;
}

static uint32_t raw_flags(enum weft_statement_class class) {
  if (class == WEFT_S_READ) return WEFT_PLAN_READ;
  if (class == WEFT_S_LOCAL) return WEFT_PLAN_CONTROL | WEFT_PLAN_LOCAL;
  return class == WEFT_S_CONTROL ? WEFT_PLAN_CONTROL : 0;
}

static int raw_new(struct weft_plans *c, struct weft_slice text, struct weft_plan **out,
                   struct weft_error *err) {
  struct weft_buf sql;
  uint32_t count = 0;
  enum weft_statement_class class = weft_dialect_classify(c->dialect, text);
  if (class == WEFT_S_EMPTY) return weft_fail(err, WEFT_USAGE, "the statement is empty");
  weft_buf_init(&sql);
  int failed = weft_dialect_raw(c->dialect, text, &sql, &count, err);
  if (!failed) {
    *out = weft_plan_raw(c->dialect, weft_buf_slice(&sql), count, raw_flags(class));
    (*out)->text = weft_arena_slice(&(*out)->arena, text);
    (*out)->bytes += text.n;
  }
  weft_buf_release(&sql);
  return failed;
}

static int check_raw(const struct weft_plan *p, uint32_t n, uint32_t allowed,
                     struct weft_error *err) {
  bool control = p->flags & WEFT_PLAN_CONTROL && !(p->flags & allowed);
  if (control && allowed)
    return weft_fail(err, WEFT_USAGE,
                     "this statement ends the transaction or changes more than it: return or raise to end it, nest "
                     "transaction for a savepoint, or use session or script");
  if (control)
    return weft_fail(err, WEFT_USAGE,
                     "this statement changes the session or its transaction: use transaction, "
                     "session or script");
  if (p->nslots == n) return 0;
  return weft_fail(err, WEFT_USAGE, "the statement takes %u parameters, not %u", p->nslots, n);
}

int weft_plans_verbatim(const struct weft_plans *c, struct weft_slice text, uint32_t allowed,
                        struct weft_plan **out, struct weft_error *err) {
  enum weft_statement_class class = weft_dialect_classify(c->dialect, text);
  if (class == WEFT_S_EMPTY) return weft_fail(err, WEFT_USAGE, "the statement is empty");
  *out = weft_plan_raw(c->dialect, text, 0, raw_flags(class) | WEFT_PLAN_VOLATILE);
  if (check_raw(*out, 0, allowed, err) == 0) return 0;
  weft_plan_unref(*out);
  return -1;
}

int weft_plans_raw(struct weft_plans *c, struct weft_slice text, uint32_t n, uint32_t allowed,
                   struct weft_plan **out, struct weft_error *err) {
  struct weft_plan *p = weft_map_get(&c->texts, text), *fresh = NULL;
  if (p) {
    if (check_raw(p, n, allowed, err)) return -1;
    use(c, p);
    *out = p;
    return 0;
  }
  if (raw_new(c, text, &fresh, err)) return -1;
  if (check_raw(fresh, n, allowed, err)) {
    weft_plan_unref(fresh);
    return -1;
  }
  weft_map_set(&c->texts, fresh->text, fresh);
  add(c, fresh);
  *out = fresh;
  return 0;
}
