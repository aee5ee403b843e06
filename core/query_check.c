/* SPDX-License-Identifier: MIT */
/* What can be refused before a database is asked. A clause is checked when it is added, so that the
   caller's own line is blamed, and the whole chain again before it is rendered, when the table is
   known and every alias is there. */
#include "query.h"

static int shown(struct weft_slice s) { return s.n > 80 ? 80 : (int)s.n; }

struct check {
  const struct weft_query *top; /* aliases are looked for from here down */
  const struct weft_query *c;
  bool whole;                   /* nothing will be added any more */
  struct weft_error *err;
};

static int check_name(struct weft_slice name, struct weft_error *err) {
  if (!name.n) return weft_fail(err, WEFT_USAGE, "a column needs a name");
  if (memchr(name.p, 0, name.n))
    return weft_fail(err, WEFT_USAGE, "the name '%.*s' holds a zero byte", shown(name), name.p);
  return 0;
}

static int check_column(const struct weft_query *c, struct weft_slice name,
                        struct weft_error *err) {
  if (check_name(name, err)) return -1;
  if (!c->table->known || weft_table_column(c->table, name) >= 0) return 0;
  return weft_table_unknown_column(c->table, name, err);
}

static bool takes_alias(const struct weft_query *c) {
  return c->clause == WEFT_C_ORDER || c->clause == WEFT_C_HAVING || c->clause == WEFT_C_GROUP;
}

/* Before the last step an alias of a later SELECT may still come, in a grouped query. */
static bool is_alias(const struct check *k, struct weft_slice name) {
  bool grouped = false;
  for (const struct weft_query *q = k->top; q; q = q->prev) {
    if (q->clause == WEFT_C_GROUP) grouped = true;
    if (q->clause != WEFT_C_SELECT) continue;
    for (uint32_t i = 0; i < q->nitems; i++)
      if (weft_slice_equal(q->items[i].name, name)) return true;
  }
  return grouped && !k->whole;
}

static int check_path(const struct weft_expr *e, struct weft_error *err) {
  if (e->nkids != 1 || e->kids[0]->kind != WEFT_E_COLUMN)
    return weft_fail(err, WEFT_USAGE, "a path begins with a column");
  if (!e->npath) return weft_fail(err, WEFT_USAGE, "a path needs at least one step");
  for (uint32_t i = 0; i < e->npath; i++) {
    struct weft_value s = e->path[i];
    if (s.type == WEFT_INT) continue;
    if (s.type != WEFT_TEXT)
      return weft_fail(err, WEFT_USAGE, "a step of a path is a text or an integer, not %s",
                       weft_type_name(s.type));
    if (memchr(s.u.s, 0, s.n) || !weft_utf8_valid(s.u.s, s.n))
      return weft_fail(err, WEFT_USAGE, "a step of a path holds a zero byte or invalid UTF-8");
  }
  return 0;
}

static int check_expr(const struct check *k, const struct weft_expr *e) {
  struct weft_error *err = k->err;
  if (e->depth > WEFT_EXPR_DEPTH)
    return weft_fail(err, WEFT_USAGE, "a condition is nested deeper than %d", WEFT_EXPR_DEPTH);
  if (e->kind == WEFT_E_COLUMN) {
    if (e->name.n && takes_alias(k->c) && is_alias(k, e->name)) return check_name(e->name, err);
    return check_column(k->c, e->name, err);
  }
  if (e->kind == WEFT_E_PATH && check_path(e, err)) return -1;
  if (k->c->clause == WEFT_C_WHERE && e->kind >= WEFT_E_COUNT && e->kind <= WEFT_E_MAX)
    return weft_fail(err, WEFT_USAGE, "an aggregate in where; it belongs in having");
  for (uint32_t i = 0; i < e->nkids; i++)
    if (check_expr(k, e->kids[i])) return -1;
  return 0;
}

static int check_items(const struct check *k) {
  for (uint32_t i = 0; i < k->c->nitems; i++) {
    const struct weft_item *item = &k->c->items[i];
    if (item->name.n && check_name(item->name, k->err)) return -1;
    if (item->expr && check_expr(k, item->expr)) return -1;
    if ((item->flags & WEFT_NULLS_FIRST) && (item->flags & WEFT_NULLS_LAST))
      return weft_fail(k->err, WEFT_USAGE, "nulls come first or last, not both");
  }
  return 0;
}

static int check_assigned(const struct check *k, const struct weft_item *items, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    if (check_column(k->c, items[i].name, k->err)) return -1;
    if (items[i].expr && check_expr(k, items[i].expr)) return -1;
    for (uint32_t j = 0; j < i; j++)
      if (weft_slice_equal(items[i].name, items[j].name))
        return weft_fail(k->err, WEFT_USAGE, "column '%.*s' is given twice",
                         shown(items[i].name), items[i].name.p);
  }
  return 0;
}

static const char *const locks[] = {
    "update", "update skip locked", "update nowait", "no key update", "no key update skip locked",
    "no key update nowait", "share", "share skip locked", "share nowait", "key share",
    "key share skip locked", "key share nowait"};
enum { NLOCKS = sizeof locks / sizeof *locks };

static const char *lock_name(const void *ud, size_t i, size_t *len) {
  (void)ud;
  *len = strlen(locks[i]);
  return locks[i];
}

static int check_lock(struct weft_slice name, struct weft_error *err) {
  for (size_t i = 0; i < NLOCKS; i++)
    if (weft_slice_equal(name, weft_slice_of(locks[i]))) return 0;
  size_t len;
  const char *near = weft_nearest(name.p, name.n, NLOCKS, lock_name, NULL, &len);
  if (!near) near = locks[0], len = strlen(near);
  return weft_fail(err, WEFT_USAGE, "unknown lock '%.*s'; did you mean '%.*s'?", shown(name),
                   name.p, (int)len, near);
}

static int check_insert(const struct check *k) {
  const struct weft_query *c = k->c;
  if (check_assigned(k, c->items, c->nitems)) return -1;
  for (uint32_t i = 0; i < c->non; i++)
    if (check_column(c, c->on[i], k->err)) return -1;
  return check_assigned(k, c->updates, c->nupdates);
}

static int check_aggregate(const struct check *k) {
  const struct weft_query *c = k->c;
  const struct weft_expr *e = c->nitems == 1 ? c->items[0].expr : NULL;
  if (!e || e->kind < WEFT_E_COUNT || e->kind > WEFT_E_MAX)
    return weft_fail(k->err, WEFT_USAGE, "one aggregate expected");
  return check_items(k);
}

/* A row has one value under each name. */
static int check_select(const struct check *k) {
  if (check_items(k)) return -1;
  for (uint32_t i = 1; i < k->c->nitems; i++) {
    struct weft_slice name = weft_item_name(&k->c->items[i]);
    for (uint32_t j = 0; name.n && j < i; j++)
      if (weft_slice_equal(name, weft_item_name(&k->c->items[j])))
        return weft_fail(k->err, WEFT_USAGE,
                         "two selected columns are called '%.*s'; give one another name, as in "
                         "select { other_name = ... }",
                         shown(name), name.p);
  }
  return 0;
}

static int check_clause(const struct check *k) {
  const struct weft_query *c = k->c;
  if (c->prev && weft_query_verb(c->prev))
    return weft_fail(k->err, WEFT_USAGE, "nothing can follow the end of a query");
  switch (c->clause) {
    case WEFT_C_WHERE:
    case WEFT_C_HAVING: return check_expr(k, c->expr);
    case WEFT_C_SELECT: return check_select(k);
    case WEFT_C_ORDER:
    case WEFT_C_GROUP: return check_items(k);
    case WEFT_C_LIMIT:
    case WEFT_C_OFFSET:
      if (c->number >= 0) return 0;
      return weft_fail(k->err, WEFT_USAGE, "%s must be 0 or more",
                       c->clause == WEFT_C_LIMIT ? "limit" : "offset");
    case WEFT_C_LOCK: return check_lock(c->name, k->err);
    case WEFT_C_AGGREGATE: return check_aggregate(k);
    case WEFT_C_INSERT:
    case WEFT_C_UPSERT: return check_insert(k);
    case WEFT_C_UPDATE:
      if (!c->nitems) return weft_fail(k->err, WEFT_USAGE, "update of no column");
      return check_assigned(k, c->items, c->nitems);
    default: return 0;
  }
}

/* The NOTEs above a verb are as harmless as those below. */
int weft_query_check(const struct weft_query *q, struct weft_error *err) {
  if (q->clause == WEFT_C_NOTE) return 0;
  struct check k = {.top = q, .c = q, .err = err};
  return check_clause(&k);
}

int weft_query_check_all(const struct weft_query *q, struct weft_error *err) {
  struct check k = {.top = q, .whole = true, .err = err};
  for (k.c = q; k.c; k.c = k.c->prev)
    if (k.c->clause != WEFT_C_NOTE && check_clause(&k)) return -1;
  return 0;
}
