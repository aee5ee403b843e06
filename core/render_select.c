/* SPDX-License-Identifier: MIT */
/* Statements that read. A count, an aggregate of a query that limits, groups or deduplicates reads
   from a sub-select, so that it speaks of the rows that the query would give. */
#include "render.h"

static void item(struct weft_renderer *r, const struct weft_item *it) {
  weft_render_operand(r, it->expr);
  struct weft_slice alias = weft_item_name(it);
  bool same = it->expr->kind == WEFT_E_COLUMN && weft_slice_equal(it->expr->name, alias);
  if (!alias.n || same) return;
  weft_render_lit(r, " as ");
  weft_render_name(r, alias);
}

static void items(struct weft_renderer *r, const struct weft_item *v, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    if (i) weft_render_lit(r, ", ");
    item(r, &v[i]);
  }
}

static void all_columns(struct weft_renderer *r) {
  const struct weft_table *t = r->parts->table;
  uint32_t written = 0;
  for (uint32_t i = 0; i < t->ncolumns; i++) {
    if (t->columns[i].lazy) continue;
    if (written++) weft_render_lit(r, ", ");
    weft_render_reference(r, &(struct weft_expr){.name = t->columns[i].name}, false);
  }
  if (written) return; /* else not known yet, or all of them lazy */
  if (r->qualify.n) weft_render_name(r, r->qualify);
  weft_buf_str(r->out, r->qualify.n ? ".*" : "*");
}

void weft_render_list(struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  if (p->nselect) items(r, p->select, p->nselect);
  else if (p->ngroup) items(r, p->group, p->ngroup);
  else all_columns(r);
}

static void group(struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  r->aliases = true;
  for (uint32_t i = 0; i < p->ngroup; i++) {
    weft_buf_str(r->out, i ? ", " : " group by ");
    const struct weft_expr *e = p->group[i].expr;
    r->aliases = !weft_parts_column(r->parts, e);
    weft_render_operand(r, e);
  }
  r->aliases = true;
  if (p->having && p->having->kind != WEFT_E_TRUE) {
    weft_render_lit(r, " having ");
    weft_render_condition(r, p->having);
  }
  r->aliases = false;
}

static bool is_alias(const struct weft_renderer *r, const struct weft_expr *e) {
  if (e->kind != WEFT_E_COLUMN || e->qualifier.n) return false;
  for (uint32_t i = 0; i < r->parts->nselect; i++)
    if (weft_slice_equal(r->parts->select[i].name, e->name)) return true;
  return false;
}

static void ordered(struct weft_renderer *r, const struct weft_expr *e, bool sub) {
  bool alias = is_alias(r, e);
  r->aliases = sub && alias;
  if (alias && !sub) weft_render_name(r, e->name);
  else weft_render_operand(r, e);
  r->aliases = false;
}

/* Whether the place that NULL is wanted in takes an order of its own: there are no words for it, and it is
   not the place where NULL stands anyway. */
static bool nulls_apart(const struct weft_renderer *r, const struct weft_item *it) {
  bool desc = it->flags & WEFT_ORDER_DESC;
  return !r->d->nulls_order && it->flags & (desc ? WEFT_NULLS_FIRST : WEFT_NULLS_LAST);
}

void weft_render_order(struct weft_renderer *r, bool sub) {
  const struct weft_parts *p = r->parts;
  for (uint32_t i = 0; i < p->norder; i++) {
    const struct weft_item *it = &p->order[i];
    bool desc = it->flags & WEFT_ORDER_DESC;
    weft_buf_str(r->out, i ? ", " : " order by ");
    if (nulls_apart(r, it)) {
      ordered(r, it->expr, sub);
      weft_buf_str(r->out, desc ? " is null desc, " : " is null, ");
    }
    ordered(r, it->expr, sub);
    if (desc) weft_render_lit(r, " desc");
    if (!r->d->nulls_order) continue;
    if (it->flags & WEFT_NULLS_FIRST) weft_render_lit(r, " nulls first");
    if (it->flags & WEFT_NULLS_LAST) weft_render_lit(r, " nulls last");
  }
}

static void limit(struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  if (p->limit >= 0) {
    weft_render_lit(r, " limit ");
    weft_buf_int(r->out, p->limit);
  } else if (p->offset >= 0 && r->d->no_limit) {
    weft_render_lit(r, " ");
    weft_buf_str(r->out, r->d->no_limit);
  }
  if (p->offset < 0) return;
  weft_render_lit(r, " offset ");
  weft_render_param(r, p->offset_source, &r->d->count, NULL, WEFT_SLOT_VALUE);
}

void weft_render_where(struct weft_renderer *r) {
  const struct weft_expr *where = r->parts->where;
  if (!where || where->kind == WEFT_E_TRUE) return;
  weft_render_lit(r, " where ");
  weft_render_condition(r, where);
}

static void tail(struct weft_renderer *r, bool ordered, bool sub) {
  weft_render_where(r);
  group(r);
  if (ordered) weft_render_order(r, sub);
  limit(r);
}

void weft_render_tail(struct weft_renderer *r, bool order) { tail(r, order, true); }

void weft_render_select(struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  if (weft_render_is_parted(p)) {
    weft_render_parted(r);
    return;
  }
  weft_buf_str(r->out, p->distinct ? "select distinct " : "select ");
  weft_render_list(r);
  weft_render_from(r);
  tail(r, true, false);
  if (!p->lock.n || !r->d->row_locks) return;
  if (p->distinct || p->ngroup || p->having)
    weft_render_fail(r, WEFT_USAGE, "grouped or distinct rows cannot be locked");
  if (r->d->lock) {
    r->d->lock(r, p->lock);
    return;
  }
  weft_render_lit(r, " for ");
  weft_buf_slice_add(r->out, p->lock); /* one of a fixed list, see query_check.c */
}

static bool limited(const struct weft_parts *p) { return p->limit >= 0 || p->offset >= 0; }

static void count_named(struct weft_renderer *r) {
  weft_render_lit(r, "select count(*) as ");
  weft_render_name(r, WEFT_LIT("count"));
}

void weft_render_count(struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  if (weft_render_is_parted(p)) {
    count_named(r);
    weft_render_lit(r, " from (");
    weft_render_parted(r);
    weft_render_lit(r, ") as q");
    return;
  }
  if (!p->distinct && !p->ngroup && !p->having && !limited(p)) {
    count_named(r);
    weft_render_from(r);
    tail(r, false, false);
    return;
  }
  count_named(r);
  weft_render_lit(r, " from (select ");
  if (p->distinct) weft_render_lit(r, "distinct ");
  if (p->distinct) weft_render_list(r);
  else weft_render_lit(r, "1");
  weft_render_from(r);
  tail(r, false, true);
  weft_render_lit(r, ") as q");
}

void weft_render_exists(struct weft_renderer *r) {
  weft_render_lit(r, "select exists(");
  if (weft_render_is_parted(r->parts)) {
    weft_render_parted(r);
  } else {
    weft_render_lit(r, "select 1");
    weft_render_from(r);
    tail(r, false, true);
  }
  weft_render_lit(r, ") as ");
  weft_render_name(r, WEFT_LIT("exists"));
}

/* The aggregate over the rows of a sub-select: its operand is found there under a name. */
static void outer_aggregate(struct weft_renderer *r, const struct weft_item *it,
                            struct weft_slice name) {
  struct weft_arena *a = r->arena;
  struct weft_item outer = {.name = it->name};
  const struct weft_expr *x = it->expr->kids[0];
  if (x->kind != WEFT_E_STAR) x = weft_expr_column(a, name);
  outer.expr = weft_expr_unary(a, it->expr->kind, x);
  struct weft_slice inner = r->qualify;
  r->qualify = weft_slice(NULL, 0);
  item(r, &outer);
  r->qualify = inner;
}

/* What the distinct rows call the aggregated operand. */
static struct weft_slice distinct_name(struct weft_renderer *r, const struct weft_expr *x) {
  const struct weft_parts *p = r->parts;
  if (x->kind == WEFT_E_STAR) return weft_slice(NULL, 0);
  bool column = x->kind == WEFT_E_COLUMN, own = column && !x->qualifier.n;
  if (own && !p->nselect) return x->name;
  for (uint32_t i = 0; column && i < p->nselect; i++) {
    const struct weft_item *it = &p->select[i];
    bool alias = own && it->name.n;
    if (alias ? weft_slice_equal(it->name, x->name) : weft_expr_same_shape(it->expr, x))
      return weft_item_name(it);
  }
  weft_render_fail(r, WEFT_USAGE, "an aggregate of distinct rows takes a column that they select");
  return WEFT_LIT("?");
}

void weft_render_aggregate(struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  const struct weft_item *it = &p->verb->items[0];
  const struct weft_expr *x = it->expr->kids[0];
  if (p->ngroup || p->having) {
    weft_render_fail(r, WEFT_USAGE, "a grouped query selects its aggregates: select { n = ... }");
    return;
  }
  if (weft_render_is_parted(p))
    weft_render_fail(r, WEFT_UNSUPPORTED, "an aggregate of rows with a limit for each part");
  weft_render_lit(r, "select ");
  if (!p->distinct && !limited(p)) {
    item(r, it);
    weft_render_from(r);
    tail(r, false, false);
    return;
  }
  bool number = x->kind == WEFT_E_PATH && it->expr->kind > WEFT_E_COUNT_DISTINCT;
  struct weft_slice name = p->distinct ? distinct_name(r, x) : WEFT_LIT("x");
  outer_aggregate(r, it, name);
  weft_buf_str(r->out, p->distinct ? " from (select distinct " : " from (select ");
  if (p->distinct) weft_render_list(r);
  else if (x->kind == WEFT_E_STAR) weft_render_lit(r, "1");
  else if (number) r->d->path(r, x, WEFT_PATH_NUMBER);
  else weft_render_operand(r, x);
  if (!p->distinct && x->kind != WEFT_E_STAR) {
    weft_render_lit(r, " as ");
    weft_render_name(r, WEFT_LIT("x"));
  }
  weft_render_from(r);
  tail(r, true, true);
  weft_render_lit(r, ") as q");
}
