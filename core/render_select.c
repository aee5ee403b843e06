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
    weft_render_name(r, t->columns[i].name);
  }
  if (!written) weft_render_lit(r, "*"); /* not known yet, or all of them lazy */
}

static void list(struct weft_renderer *r) {
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
    bool column = e->kind == WEFT_E_COLUMN && weft_render_column(r, e->name);
    r->aliases = !column;
    weft_render_operand(r, e);
  }
  r->aliases = true;
  if (p->having && p->having->kind != WEFT_E_TRUE) {
    weft_render_lit(r, " having ");
    weft_render_condition(r, p->having);
  }
  r->aliases = false;
}

static bool is_alias(const struct weft_renderer *r, struct weft_slice name) {
  for (uint32_t i = 0; i < r->parts->nselect; i++)
    if (weft_slice_equal(r->parts->select[i].name, name)) return true;
  return false;
}

static void order_by(struct weft_renderer *r, bool sub) {
  const struct weft_parts *p = r->parts;
  for (uint32_t i = 0; i < p->norder; i++) {
    const struct weft_item *it = &p->order[i];
    weft_buf_str(r->out, i ? ", " : " order by ");
    /* In a sub-select with a list of its own an alias is not there to be named. */
    bool alias = it->expr->kind == WEFT_E_COLUMN && is_alias(r, it->expr->name);
    r->aliases = sub && alias;
    weft_render_operand(r, it->expr);
    r->aliases = false;
    if (it->flags & WEFT_ORDER_DESC) weft_render_lit(r, " desc");
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

static void tail(struct weft_renderer *r, bool ordered, bool sub) {
  const struct weft_parts *p = r->parts;
  if (p->where && p->where->kind != WEFT_E_TRUE) {
    weft_render_lit(r, " where ");
    weft_render_condition(r, p->where);
  }
  group(r);
  if (ordered) order_by(r, sub);
  limit(r);
}

void weft_render_tail(struct weft_renderer *r, bool order) { tail(r, order, true); }

static void from(struct weft_renderer *r) {
  weft_render_lit(r, " from ");
  weft_render_table(r);
}

void weft_render_select(struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  weft_buf_str(r->out, p->distinct ? "select distinct " : "select ");
  list(r);
  from(r);
  tail(r, true, false);
  if (!p->lock.n || !r->d->row_locks) return;
  if (p->distinct || p->ngroup || p->having)
    weft_render_fail(r, WEFT_USAGE, "grouped or distinct rows cannot be locked");
  weft_render_lit(r, " for ");
  weft_buf_slice_add(r->out, p->lock); /* one of a fixed list, see query_check.c */
}

static bool limited(const struct weft_parts *p) { return p->limit >= 0 || p->offset >= 0; }

void weft_render_count(struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  if (!p->distinct && !p->ngroup && !p->having && !limited(p)) {
    weft_render_lit(r, "select count(*) as \"count\"");
    from(r);
    tail(r, false, false);
    return;
  }
  weft_render_lit(r, "select count(*) as \"count\" from (select ");
  if (p->distinct) weft_render_lit(r, "distinct ");
  if (p->distinct) list(r);
  else weft_render_lit(r, "1");
  from(r);
  tail(r, false, true);
  weft_render_lit(r, ") as q");
}

void weft_render_exists(struct weft_renderer *r) {
  weft_render_lit(r, "select exists(select 1");
  from(r);
  tail(r, false, true);
  weft_render_lit(r, ") as \"exists\"");
}

/* The aggregate over the rows of a sub-select: its operand is found there under a name. */
static void outer_aggregate(struct weft_renderer *r, const struct weft_item *it,
                            struct weft_slice name) {
  struct weft_arena *a = r->arena;
  struct weft_item outer = {.name = it->name};
  const struct weft_expr *x = it->expr->kids[0];
  if (x->kind != WEFT_E_STAR) x = weft_expr_column(a, name);
  outer.expr = weft_expr_unary(a, it->expr->kind, x);
  item(r, &outer);
}

/* What the distinct rows call the aggregated operand. */
static struct weft_slice distinct_name(struct weft_renderer *r, const struct weft_expr *x) {
  const struct weft_parts *p = r->parts;
  if (x->kind == WEFT_E_STAR) return weft_slice(NULL, 0);
  if (x->kind == WEFT_E_COLUMN && !p->nselect) return x->name;
  for (uint32_t i = 0; x->kind == WEFT_E_COLUMN && i < p->nselect; i++) {
    const struct weft_item *it = &p->select[i];
    struct weft_slice name = it->name.n ? it->name
                             : it->expr->kind == WEFT_E_COLUMN ? it->expr->name
                                                               : it->name;
    if (weft_slice_equal(name, x->name)) return name;
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
  weft_render_lit(r, "select ");
  if (!p->distinct && !limited(p)) {
    item(r, it);
    from(r);
    tail(r, false, false);
    return;
  }
  bool number = x->kind == WEFT_E_PATH && it->expr->kind > WEFT_E_COUNT_DISTINCT;
  struct weft_slice name = p->distinct ? distinct_name(r, x) : WEFT_LIT("x");
  outer_aggregate(r, it, name);
  weft_buf_str(r->out, p->distinct ? " from (select distinct " : " from (select ");
  if (p->distinct) list(r);
  else if (x->kind == WEFT_E_STAR) weft_render_lit(r, "1");
  else if (number) r->d->path(r, x, WEFT_PATH_NUMBER);
  else weft_render_operand(r, x);
  if (!p->distinct && x->kind != WEFT_E_STAR) weft_render_lit(r, " as \"x\"");
  from(r);
  tail(r, true, true);
  weft_render_lit(r, ") as q");
}
