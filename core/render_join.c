/* SPDX-License-Identifier: MIT */
/* Statements that name several tables: joins, and selects inside a select. As long as a query names
   its own table alone nothing says so; beside others every column says whose it is. Tables that are
   joined or reached through an association are called j1, j2 ... in the order in which they are met,
   so that a table may be met again in its own statement; the query's own keeps its name. */
#include <stdio.h>
#include <strings.h>

#include "association.h"
#include "render.h"

/* ---- scopes ---- */

/* The only other name that could be meant beside it is that of the query's own table. */
struct weft_slice weft_render_alias(struct weft_renderer *r) {
  struct weft_slice own = r->parts->table->name;
  char name[16];
  size_t n;
  do n = (size_t)snprintf(name, sizeof name, "j%u", ++r->naliases);
  while (n == own.n && strncasecmp(name, own.p, n) == 0);
  return weft_arena_slice(r->arena, weft_slice(name, n));
}

struct weft_scope weft_render_enter(struct weft_renderer *r, const struct weft_parts *parts,
                                    struct weft_slice qualify) {
  struct weft_scope outer = {r->parts, r->qualify, r->joined, r->aliases};
  struct weft_slice *names = weft_arena_alloc(r->arena, (parts->njoins + 1) * sizeof *names);
  r->parts = parts;
  r->qualify = parts->njoins && !qualify.n ? parts->table->name : qualify;
  r->joined = names;
  r->aliases = false;
  for (uint32_t i = 0; i < parts->njoins; i++) names[i] = weft_render_alias(r);
  return outer;
}

void weft_render_leave(struct weft_renderer *r, struct weft_scope outer) {
  r->parts = outer.parts;
  r->qualify = outer.qualify;
  r->joined = outer.joined;
  r->aliases = outer.aliases;
}

/* ---- associations ---- */

static void column_of(struct weft_renderer *r, struct weft_slice table,
                      const struct weft_table *t, uint32_t number) {
  weft_render_name(r, table);
  weft_render_lit(r, ".");
  weft_render_name(r, t->columns[number].name);
}

/* The rows called `to` that belong to the one called `from`. */
static void belong(struct weft_renderer *r, const struct weft_association *a,
                   struct weft_slice from, struct weft_slice to) {
  for (uint32_t i = 0; i < a->nkey; i++) {
    if (i) weft_render_lit(r, " and ");
    column_of(r, to, a->to, a->to_key[i]);
    weft_render_lit(r, " = ");
    column_of(r, from, a->from, a->from_key[i]);
  }
  if (a->to->soft < 0) return;
  weft_render_lit(r, " and ");
  column_of(r, to, a->to, (uint32_t)a->to->soft);
  weft_buf_str(r->out, weft_table_flags_deleted(a->to) ? " is not true" : " is null");
}

static struct weft_slice side_of(const struct weft_renderer *r, const struct weft_query *join) {
  if (!join->non || !join->on[0].n) return r->qualify;
  return r->joined[weft_parts_join(r->parts, join->on[0])];
}

/* And e, which speaks of the rows called `to`. */
static void and_of(struct weft_renderer *r, const struct weft_association *a, struct weft_slice to,
                   const struct weft_expr *e) {
  struct weft_parts parts = {.table = a->to, .limit = -1, .offset = -1};
  if (!e || e->kind == WEFT_E_TRUE) return;
  struct weft_scope outer = weft_render_enter(r, &parts, to);
  weft_render_lit(r, " and (");
  weft_render_condition(r, e);
  weft_render_lit(r, ")");
  weft_render_leave(r, outer);
}

static void joined_table(struct weft_renderer *r, uint32_t i) {
  weft_render_table(r, r->parts->joins[i]->association->to);
  weft_render_lit(r, " as ");
  weft_render_name(r, r->joined[i]);
}

static void joined_on(struct weft_renderer *r, uint32_t i) {
  const struct weft_query *join = r->parts->joins[i];
  weft_render_lit(r, " on ");
  belong(r, join->association, side_of(r, join), r->joined[i]);
  and_of(r, join->association, r->joined[i], join->expr);
}

void weft_render_from(struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  weft_render_lit(r, " from ");
  weft_render_table(r, p->table);
  for (uint32_t i = 0; i < p->njoins; i++) {
    bool left = p->joins[i]->number;
    weft_buf_str(r->out, left ? " left join " : " join ");
    if (left && p->joins[i]->all) { /* a row in between comes with what it leads to, or not at all */
      weft_render_lit(r, "(");
      joined_table(r, i);
      weft_render_lit(r, " join ");
      joined_table(r, i + 1);
      joined_on(r, i + 1);
      weft_render_lit(r, ")");
      joined_on(r, i++);
    } else {
      joined_table(r, i);
      joined_on(r, i);
    }
  }
}

void weft_render_some(struct weft_renderer *r, const struct weft_expr *e) {
  const struct weft_association *a = e->association;
  struct weft_slice from = r->qualify.n ? r->qualify : r->parts->table->name;
  struct weft_slice to = weft_render_alias(r);
  weft_render_lit(r, "exists(select 1 from ");
  weft_render_table(r, a->to);
  weft_render_lit(r, " as ");
  weft_render_name(r, to);
  weft_render_lit(r, " where ");
  belong(r, a, from, to);
  and_of(r, a, to, e->kids[0]);
  weft_render_lit(r, ")");
}

void weft_render_query(struct weft_renderer *r, const struct weft_query *q) {
  struct weft_parts parts;
  weft_query_parts(q, r->arena, &parts);
  struct weft_scope outer = weft_render_enter(r, &parts, q->table->name);
  bool deeper = r->d->derives_limits && (parts.limit >= 0 || parts.offset >= 0);
  weft_buf_str(r->out, deeper ? "(select * from (" : "(");
  weft_render_select(r);
  weft_buf_str(r->out, deeper ? ") as q)" : ")");
  weft_render_leave(r, outer);
}

/* ---- a limit for each part ---- */

bool weft_render_is_parted(const struct weft_parts *p) {
  return p->nper && (p->limit >= 0 || p->offset >= 0);
}

static void outer_name(struct weft_renderer *r, struct weft_slice name) {
  if (weft_slice_equal(name, WEFT_LIT("weft_n")))
    weft_render_fail(r, WEFT_UNSUPPORTED, "a limit for each part beside a column that is called weft_n");
  weft_render_name(r, name);
}

static void outer_names(struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  const struct weft_table *t = p->table;
  uint32_t n = 0;
  for (uint32_t i = 0; i < p->nselect; i++) {
    struct weft_slice name = weft_item_name(&p->select[i]);
    if (n++) weft_render_lit(r, ", ");
    if (name.n) outer_name(r, name);
    else weft_render_fail(r, WEFT_UNSUPPORTED, "a limit for each part with raw text that has no name");
  }
  for (uint32_t i = 0; !p->nselect && i < t->ncolumns; i++) {
    if (t->columns[i].lazy) continue;
    if (n++) weft_render_lit(r, ", ");
    outer_name(r, t->columns[i].name);
  }
  if (!n) weft_render_fail(r, WEFT_UNSUPPORTED, "a limit for each part of columns that are not known");
}

static void number_rows(struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  const struct weft_table *t = p->table;
  weft_render_lit(r, ", row_number() over (partition by ");
  for (uint32_t i = 0; i < p->nper; i++) {
    if (i) weft_render_lit(r, ", ");
    weft_render_operand(r, p->per[i].expr);
  }
  weft_render_order(r, true);
  for (uint32_t i = 0; !p->norder && i < t->nkey; i++) {
    weft_buf_str(r->out, i ? ", " : " order by ");
    weft_render_reference(r, &(struct weft_expr){.name = t->columns[t->key[i]].name}, false);
  }
  weft_render_lit(r, ") as weft_n");
}

static void offset(struct weft_renderer *r) {
  weft_render_param(r, r->parts->offset_source, &r->d->count, NULL, WEFT_SLOT_VALUE);
}

void weft_render_parted(struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  if (p->lock.n && r->d->row_locks)
    weft_render_fail(r, WEFT_USAGE, "rows with a limit for each part cannot be locked");
  weft_render_lit(r, "select ");
  outer_names(r);
  weft_render_lit(r, " from (select ");
  weft_render_list(r);
  number_rows(r);
  weft_render_from(r);
  weft_render_where(r);
  weft_render_lit(r, ") as q where ");
  if (p->offset >= 0) {
    weft_render_lit(r, "weft_n > ");
    offset(r);
  }
  if (p->limit >= 0) {
    weft_buf_str(r->out, p->offset >= 0 ? " and weft_n <= " : "weft_n <= ");
    if (p->offset >= 0) offset(r);
    if (p->offset >= 0) weft_render_lit(r, " + ");
    weft_buf_int(r->out, p->limit);
  }
  weft_render_lit(r, " order by weft_n");
}
