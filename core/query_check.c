/* SPDX-License-Identifier: MIT */
/* What can be refused before a database is asked. A clause is checked when it is added, so that the
   caller's own line is blamed, and the whole chain again before it is rendered, when the table is
   known, every alias is there and every association was looked up. */
#include "association.h"
#include "query.h"

static int shown(struct weft_slice s) { return s.n > 80 ? 80 : (int)s.n; }

struct check {
  const struct weft_query *top; /* aliases are looked for from here down */
  const struct weft_query *c;
  const struct weft_table *table; /* whose columns are meant: the query's, inside SOME the association's */
  bool inside;                    /* some SOME */
  bool whole;                     /* nothing will be added any more */
  struct weft_error *err;
};

static int check_name(struct weft_slice name, struct weft_error *err) {
  if (!name.n) return weft_fail(err, WEFT_USAGE, "a column needs a name");
  if (memchr(name.p, 0, name.n))
    return weft_fail(err, WEFT_USAGE, "the name '%.*s' holds a zero byte", shown(name), name.p);
  return 0;
}

static int check_column(const struct weft_table *t, struct weft_slice name, struct weft_error *err) {
  if (check_name(name, err)) return -1;
  if (!t->known || weft_table_column(t, name) >= 0) return 0;
  return weft_table_unknown_column(t, name, err);
}

/* ---- associations ---- */

static const struct weft_query *nth_join(const struct weft_query *q, size_t n) {
  for (; q; q = q->prev)
    if (q->clause == WEFT_C_JOIN && n-- == 0) return q;
  return NULL;
}

static const char *join_name(const void *ud, size_t i, size_t *len) {
  struct weft_slice name = nth_join(ud, i)->name;
  *len = name.n;
  return name.p;
}

static const struct weft_query *find_join(const struct weft_query *q, struct weft_slice name) {
  for (; q; q = q->prev)
    if (q->clause == WEFT_C_JOIN && weft_slice_equal(q->name, name)) return q;
  return NULL;
}

static int not_joined(const struct check *k, struct weft_slice name) {
  size_t n = 0, len;
  while (nth_join(k->top, n)) n++;
  const char *near = k->inside ? NULL : weft_nearest(name.p, name.n, n, join_name, k->top, &len);
  if (!near)
    return weft_fail(k->err, WEFT_USAGE, "'%.*s' is not joined to %.*s", shown(name), name.p,
                     shown(k->table->name), k->table->name.p);
  return weft_fail(k->err, WEFT_USAGE, "'%.*s' is not joined to %.*s; did you mean '%.*s'?",
                   shown(name), name.p, shown(k->table->name), k->table->name.p, (int)len, near);
}

static int check_joined(const struct check *k, const struct weft_expr *e) {
  const struct weft_query *join = k->inside ? NULL : find_join(k->top, e->qualifier);
  if (!join) return not_joined(k, e->qualifier);
  if (!join->association) return check_name(e->name, k->err);
  return check_column(join->association->to, e->name, k->err);
}

static int unknown_association(const struct check *k, struct weft_slice name) {
  return weft_fail(k->err, WEFT_USAGE, "unknown association '%.*s' of %.*s", shown(name), name.p,
                   shown(k->table->name), k->table->name.p);
}

static int elsewhere(const struct check *k, const struct weft_association *a, const char *hint) {
  return weft_fail(k->err, WEFT_UNSUPPORTED,
                   "'%.*s' of %.*s cannot be joined: the two tables live in different databases%s",
                   shown(a->name), a->name.p, shown(k->table->name), k->table->name.p, hint);
}

static int check_expr(const struct check *k, const struct weft_expr *e);

/* A condition that speaks of the association's rows. */
static int check_of(const struct check *k, const struct weft_association *a, const struct weft_expr *e) {
  struct check inner = *k;
  inner.table = a->to;
  inner.inside = true;
  return check_expr(&inner, e);
}

static int check_join(const struct check *k) {
  const struct weft_query *c = k->c;
  if (!c->association) return k->whole ? unknown_association(k, c->name) : 0;
  if (c->association->remote)
    return elsewhere(k, c->association, "; include(...) and weft.some(...) work across them");
  if (c->expr && check_of(k, c->association, c->expr)) return -1;
  if (!c->non || !c->on[0].n || find_join(c->prev, c->on[0])) return 0;
  return not_joined(&(struct check){.top = c->prev, .table = k->table, .err = k->err}, c->on[0]);
}

/* Before the last step it may wait to be looked up. */
static int check_some(const struct check *k, const struct weft_expr *e) {
  const struct weft_association *a = e->association;
  if (!a) return k->whole ? unknown_association(k, e->name) : 0;
  if (a->remote && k->whole) return elsewhere(k, a, "");
  return check_of(k, a, e->kids[0]);
}

/* ---- sub-selects ---- */

static uint32_t width(const struct weft_query *q) {
  char scratch[1024];
  struct weft_arena arena;
  struct weft_parts p;
  uint32_t n = 0;
  weft_arena_init(&arena, scratch, sizeof scratch);
  weft_query_parts(q, &arena, &p);
  weft_arena_release(&arena);
  if (p.nselect || p.ngroup) return p.nselect ? p.nselect : p.ngroup;
  for (uint32_t i = 0; i < q->table->ncolumns; i++) n += !q->table->columns[i].lazy;
  return n;
}

static int check_query(const struct check *k, const struct weft_query *q) {
  if (weft_query_verb(q))
    return weft_fail(k->err, WEFT_USAGE, "a query inside a condition selects rows");
  return q->loose && !k->whole ? 0 : weft_query_check_all(q, k->err);
}

static int check_member(const struct check *k, const struct weft_expr *e) {
  uint32_t have = e->kids[0]->kind == WEFT_E_TUPLE ? e->kids[0]->nkids : 1;
  uint32_t want = width(e->kids[1]->query);
  if (have == want || !want) return 0;
  return weft_fail(k->err, WEFT_USAGE,
                   "a query that selects %u columns is compared with %u: select as many", want, have);
}

/* ---- expressions ---- */

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

static int check_name_of(const struct check *k, const struct weft_expr *e) {
  if (e->qualifier.n) return check_joined(k, e);
  bool alias = e->name.n && !k->inside && takes_alias(k->c) && is_alias(k, e->name);
  return alias ? check_name(e->name, k->err) : check_column(k->table, e->name, k->err);
}

static int check_expr(const struct check *k, const struct weft_expr *e) {
  struct weft_error *err = k->err;
  if (e->depth > WEFT_EXPR_DEPTH)
    return weft_fail(err, WEFT_USAGE, "a condition is nested deeper than %d", WEFT_EXPR_DEPTH);
  if (e->kind == WEFT_E_COLUMN) return check_name_of(k, e);
  if (e->kind == WEFT_E_SOME) return check_some(k, e);
  if (e->kind == WEFT_E_QUERY) return check_query(k, e->query);
  if (e->kind == WEFT_E_PATH && check_path(e, err)) return -1;
  if ((k->inside || k->c->clause == WEFT_C_WHERE) && e->kind >= WEFT_E_COUNT &&
      e->kind <= WEFT_E_MAX)
    return weft_fail(err, WEFT_USAGE, "an aggregate in where; it belongs in having");
  for (uint32_t i = 0; i < e->nkids; i++)
    if (check_expr(k, e->kids[i])) return -1;
  bool member = e->kind == WEFT_E_IN || e->kind == WEFT_E_NOT_IN;
  return member && e->kids[1]->kind == WEFT_E_QUERY ? check_member(k, e) : 0;
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
    if (check_column(k->table, items[i].name, k->err)) return -1;
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
    if (check_column(k->table, c->on[i], k->err)) return -1;
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

static const struct weft_query *below(const struct weft_query *c, enum weft_clause clause) {
  while (c && c->clause != clause) c = c->prev;
  return c;
}

static bool groups(const struct weft_query *c) {
  return c->clause == WEFT_C_DISTINCT || c->clause == WEFT_C_GROUP || c->clause == WEFT_C_HAVING;
}

/* What cannot stand beside what was said before. */
static int check_company(const struct check *k) {
  const struct weft_query *c = k->c, *prev = c->prev;
  if (!prev) return 0;
  if (weft_query_verb(prev))
    return weft_fail(k->err, WEFT_USAGE, "nothing can follow the end of a query");
  bool parted = c->clause == WEFT_C_PER &&
                (below(prev, WEFT_C_DISTINCT) || below(prev, WEFT_C_GROUP) ||
                 below(prev, WEFT_C_HAVING));
  if (parted || (groups(c) && below(prev, WEFT_C_PER)))
    return weft_fail(k->err, WEFT_USAGE, "a limit for each part takes no distinct, group or having");
  if (c->clause >= WEFT_C_INSERT && below(prev, WEFT_C_JOIN))
    return weft_fail(k->err, WEFT_USAGE, c->clause <= WEFT_C_UPSERT
                         ? "create takes no join"
                         : "joined rows are not written: write through where(...) on the association");
  return 0;
}

/* "Only the deleted ones" of a table that marks none would be all. */
static int check_deleted(const struct check *k) {
  struct weft_slice name = k->table->name;
  if (k->c->number != WEFT_DELETED_ONLY || !k->table->known || k->table->soft >= 0) return 0;
  return weft_fail(k->err, WEFT_USAGE, "only_deleted: the model of %.*s has no soft_delete",
                   shown(name), name.p);
}

static int check_clause(const struct check *k) {
  const struct weft_query *c = k->c;
  if (check_company(k)) return -1;
  switch (c->clause) {
    case WEFT_C_WHERE:
    case WEFT_C_HAVING: return check_expr(k, c->expr);
    case WEFT_C_SELECT: return check_select(k);
    case WEFT_C_ORDER:
    case WEFT_C_PER:
    case WEFT_C_GROUP: return check_items(k);
    case WEFT_C_LIMIT:
    case WEFT_C_OFFSET:
      if (c->number >= 0) return 0;
      return weft_fail(k->err, WEFT_USAGE, "%s must be 0 or more",
                       c->clause == WEFT_C_LIMIT ? "limit" : "offset");
    case WEFT_C_JOIN: return check_join(k);
    case WEFT_C_DELETED: return check_deleted(k);
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
  struct check k = {.top = q, .c = q, .table = q->table, .err = err};
  return check_clause(&k);
}

int weft_query_check_all(const struct weft_query *q, struct weft_error *err) {
  struct check k = {.top = q, .table = q->table, .whole = true, .err = err};
  for (k.c = q; k.c; k.c = k.c->prev)
    if (k.c->clause != WEFT_C_NOTE && check_clause(&k)) return -1;
  return 0;
}
