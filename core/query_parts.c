/* SPDX-License-Identifier: MIT */
/* Clauses are gathered newest first and laid down from the end of arrays that were counted before,
   so that every list comes out in the order in which it was said. */
#include "association.h"
#include "query.h"

struct counts {
  uint32_t where, having, order, group, select, joins;
};

static bool aggregates(const struct weft_query *c) {
  for (uint32_t i = 0; i < c->nitems; i++)
    if (!c->items[i].expr || c->items[i].expr->kind < WEFT_E_COUNT ||
        c->items[i].expr->kind > WEFT_E_MAX)
      return false;
  return c->nitems > 0;
}

/* The last SELECT wins; one of aggregates alone adds to what was selected before. An ORDER that says all
   replaces those before it. */
static struct counts count(const struct weft_query *q) {
  struct counts n = {0};
  bool decided = false, ordered = false;
  for (; q; q = q->prev) switch (q->clause) {
      case WEFT_C_WHERE: n.where++; break;
      case WEFT_C_HAVING: n.having++; break;
      case WEFT_C_ORDER:
        if (ordered) break;
        n.order += q->nitems;
        ordered = q->all;
        break;
      case WEFT_C_GROUP: n.group += q->nitems; break;
      case WEFT_C_JOIN: n.joins++; break;
      case WEFT_C_SELECT:
        if (decided) break;
        n.select += q->nitems;
        decided = !aggregates(q);
        break;
      default: break;
    }
  return n;
}

struct gather {
  const struct weft_expr **where, **having; /* the end of what is still free */
  struct weft_item *order, *group, *select, *order_start, *select_start;
  const struct weft_query **joins;
  bool deleted; /* was said */
};

static void prepend(struct weft_item **end, const struct weft_query *c) {
  *end -= c->nitems;
  if (c->nitems) memcpy(*end, c->items, c->nitems * sizeof **end);
}

static void gather_clause(struct gather *g, const struct weft_query *c, struct weft_parts *out) {
  switch (c->clause) {
    case WEFT_C_WHERE: *--g->where = c->expr; break;
    case WEFT_C_HAVING: *--g->having = c->expr; break;
    case WEFT_C_ORDER:
      if (g->order > g->order_start) prepend(&g->order, c);
      break;
    case WEFT_C_GROUP: prepend(&g->group, c); break;
    case WEFT_C_SELECT:
      if (g->select > g->select_start) prepend(&g->select, c);
      break;
    case WEFT_C_LIMIT:
      if (out->limit < 0) out->limit = c->number;
      break;
    case WEFT_C_OFFSET:
      if (out->offset >= 0) break;
      out->offset = c->number;
      out->offset_source = c->source;
      break;
    case WEFT_C_DISTINCT: out->distinct = true; break;
    case WEFT_C_JOIN: *--g->joins = c; break;
    case WEFT_C_PER:
      if (out->per) break;
      out->per = c->items;
      out->nper = c->nitems;
      break;
    case WEFT_C_DELETED:
      if (!g->deleted) out->deleted = (uint32_t)c->number;
      g->deleted = true;
      break;
    case WEFT_C_LOCK:
      if (!out->lock.n) out->lock = c->name;
      break;
    case WEFT_C_NOTE: out->notes |= (uint32_t)c->number; break;
    default: break;
  }
}

/* A name that is joined once more is joined once, and for good when one of them says so. */
static uint32_t join_once(const struct weft_query **joins, uint32_t n) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t k = 0;
    while (k < kept && !weft_slice_equal(joins[k]->name, joins[i]->name)) k++;
    if (k == kept) joins[kept++] = joins[i];
    else if (joins[k]->number) joins[k] = joins[i];
  }
  return kept;
}

/* Whether rows that are marked as deleted count. */
static const struct weft_expr *undeleted(struct weft_arena *a, const struct weft_parts *p) {
  const struct weft_query *verb = p->verb;
  bool insert = verb && (verb->clause == WEFT_C_INSERT || verb->clause == WEFT_C_UPSERT);
  if (p->table->soft < 0 || insert || p->deleted == WEFT_DELETED_WITH) return weft_expr_true();
  const struct weft_expr *soft = weft_expr_column(a, p->table->columns[p->table->soft].name);
  bool only = p->deleted == WEFT_DELETED_ONLY;
  if (weft_table_flags_deleted(p->table)) return only ? soft : weft_expr_unary(a, WEFT_E_UNTRUE, soft);
  return weft_expr_unary(a, only ? WEFT_E_NOT_NULL : WEFT_E_IS_NULL, soft);
}

static struct weft_item *room(struct weft_arena *a, uint32_t n) {
  return weft_arena_alloc(a, (n ? n : 1) * sizeof(struct weft_item));
}

void weft_query_parts(const struct weft_query *q, struct weft_arena *a, struct weft_parts *out) {
  struct counts n = count(q);
  const struct weft_expr **where = weft_arena_alloc(a, (n.where + 1) * sizeof *where);
  const struct weft_expr **having = weft_arena_alloc(a, (n.having + 1) * sizeof *having);
  const struct weft_query **joins = weft_arena_alloc(a, (n.joins + 1) * sizeof *joins);
  struct weft_item *order = room(a, n.order), *group = room(a, n.group);
  struct weft_item *select = room(a, n.select);
  struct gather g = {where + n.where, having + n.having, order + n.order, group + n.group,
                     select + n.select, order, select, joins + n.joins, false};
  *out = (struct weft_parts){.table = q->table,    .verb = weft_query_verb(q), .select = select,
                             .order = order,       .group = group,             .nselect = n.select,
                             .norder = n.order,    .ngroup = n.group,          .limit = -1,
                             .offset = -1,         .joins = joins};
  for (; q; q = q->prev) gather_clause(&g, q, out);
  out->njoins = join_once(joins, n.joins);
  where[n.where] = undeleted(a, out);
  bool all = n.where == 0 && where[0]->kind == WEFT_E_TRUE;
  if (!all) out->where = weft_expr_logic(a, WEFT_E_AND, where, n.where + 1);
  if (n.having) out->having = weft_expr_logic(a, WEFT_E_AND, having, n.having);
}

int weft_query_condition(const struct weft_query *q, struct weft_arena *a,
                         const struct weft_expr **out, struct weft_error *err) {
  const struct weft_expr **kids = weft_arena_alloc(a, (count(q).where + 1) * sizeof *kids);
  uint32_t n = 0;
  for (; q; q = q->prev) switch (q->clause) {
      case WEFT_C_WHERE: kids[n++] = q->expr; break;
      case WEFT_C_JOIN:
      case WEFT_C_GROUP:
      case WEFT_C_HAVING:
      case WEFT_C_DELETED:
        return weft_fail(err, WEFT_UNSUPPORTED, "a query that joins, groups or asks for deleted rows is no condition");
      default: break;
    }
  *out = weft_expr_logic(a, WEFT_E_AND, kids, n);
  return 0;
}

uint32_t weft_parts_join(const struct weft_parts *p, struct weft_slice name) {
  uint32_t i = 0;
  while (i < p->njoins && !weft_slice_equal(p->joins[i]->name, name)) i++;
  return i;
}

const struct weft_table_column *weft_parts_column(const struct weft_parts *p,
                                                  const struct weft_expr *e) {
  const struct weft_table *t = p->table;
  if (e->kind != WEFT_E_COLUMN) return NULL;
  if (e->qualifier.n) {
    uint32_t i = weft_parts_join(p, e->qualifier);
    if (i == p->njoins) return NULL;
    t = p->joins[i]->association->to;
  }
  int i = weft_table_column(t, e->name);
  return i < 0 ? NULL : &t->columns[i];
}

struct weft_slice weft_item_name(const struct weft_item *item) {
  const struct weft_expr *e = item->expr;
  if (item->name.n) return item->name;
  if (e->kind == WEFT_E_COLUMN) return e->name;
  if (e->kind == WEFT_E_PATH)
    for (uint32_t i = e->npath; i-- > 0;)
      if (e->path[i].type == WEFT_TEXT && e->path[i].n)
        return weft_slice(e->path[i].u.s, e->path[i].n);
  return weft_slice_of(weft_expr_aggregate(e->kind));
}
