/* SPDX-License-Identifier: MIT */
/* Statements that write. A clause that a statement cannot honour is refused: a condition never
   vanishes. */
#include "association.h"
#include "render.h"

static void name_list(struct weft_renderer *r, const struct weft_slice *names, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    if (i) weft_render_lit(r, ", ");
    weft_render_name(r, names[i]);
  }
}

static void returning_names(struct weft_renderer *r, const struct weft_query *verb) {
  if (!verb->non || !r->d->update_returning) return;
  weft_render_lit(r, " returning ");
  name_list(r, verb->on, verb->non);
}

static void returning(struct weft_renderer *r) {
  const struct weft_table *t = r->parts->table;
  weft_buf_str(r->out, r->d->returning[0]);
  for (uint32_t i = 0; i < t->ncolumns; i++) {
    if (i) weft_render_lit(r, ", ");
    weft_render_name(r, t->columns[i].name);
  }
  if (!t->ncolumns) weft_render_lit(r, "*");
  weft_buf_str(r->out, r->d->returning[1]);
}

/* ---- insert ---- */

/* A cell that is left to the database is left out of the statement. */
static bool given(const struct weft_query *verb, uint32_t i) {
  return verb->items[i].expr || (verb->nrows && verb->values[i].type != WEFT_ANY);
}

static uint32_t columns(struct weft_renderer *r, const struct weft_query *verb) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < verb->nitems; i++) {
    if (!given(verb, i)) continue;
    weft_buf_str(r->out, n++ ? ", " : " (");
    weft_render_name(r, verb->items[i].name);
  }
  if (n) weft_render_lit(r, ")");
  return n;
}

static void values(struct weft_renderer *r, const struct weft_query *verb) {
  uint32_t n = 0, cell = verb->source;
  weft_render_lit(r, " values (");
  for (uint32_t i = 0; i < verb->nitems; i++) {
    if (!given(verb, i)) continue;
    const struct weft_item *it = &verb->items[i];
    const struct weft_table_column *c = weft_render_column(r, it->name);
    const struct weft_column_type *type = c ? &c->type : NULL;
    if (n++) weft_render_lit(r, ", ");
    if (it->expr) weft_render_right(r, it->expr, (struct weft_typed){type, c});
    else weft_render_param(r, cell++, type, c, WEFT_SLOT_VALUE);
  }
  weft_render_lit(r, ")");
}

void weft_render_assigned(struct weft_renderer *r, const struct weft_item *it) {
  const struct weft_table_column *c = weft_render_column(r, it->name);
  if (it->expr->kind == WEFT_E_LIST)
    weft_render_fail(r, WEFT_USAGE, "column '%.*s' is given a list; weft.array makes an array",
                     it->name.n > 80 ? 80 : (int)it->name.n, it->name.p);
  weft_render_right(r, it->expr, (struct weft_typed){c ? &c->type : NULL, c});
}

static void assignment(struct weft_renderer *r, const struct weft_item *it) {
  weft_render_name(r, it->name);
  weft_render_lit(r, " = ");
  weft_render_assigned(r, it);
}

static bool listed(const struct weft_slice *names, uint32_t n, struct weft_slice name) {
  for (uint32_t i = 0; i < n; i++)
    if (weft_slice_equal(names[i], name)) return true;
  return false;
}

/* Every inserted column that does not identify the row, as items without an expression. */
static struct weft_item *excluded(struct weft_renderer *r, const struct weft_query *verb,
                                  const struct weft_slice *on, uint32_t non, uint32_t *n) {
  struct weft_item *set = weft_arena_alloc(r->arena, (verb->nitems + 1) * sizeof *set);
  *n = 0;
  for (uint32_t i = 0; i < verb->nitems; i++)
    if (given(verb, i) && !listed(on, non, verb->items[i].name))
      set[(*n)++] = (struct weft_item){.name = verb->items[i].name};
  return set;
}

static void on_conflict(struct weft_renderer *r, const struct weft_slice *on, uint32_t non,
                        const struct weft_item *set, uint32_t n) {
  weft_render_lit(r, " on conflict (");
  name_list(r, on, non);
  weft_render_lit(r, ")");
  r->qualify = r->parts->table->name; /* beside excluded a bare name says too little */
  for (uint32_t i = 0; i < n; i++) {
    weft_buf_str(r->out, i ? ", " : " do update set ");
    if (set[i].expr) {
      assignment(r, &set[i]);
      continue;
    }
    weft_render_name(r, set[i].name);
    weft_render_lit(r, " = excluded.");
    weft_render_name(r, set[i].name);
  }
  r->qualify = weft_slice(NULL, 0);
  if (!n) weft_render_lit(r, " do nothing");
}

static void conflict(struct weft_renderer *r, const struct weft_query *verb) {
  const struct weft_table *t = r->parts->table;
  const struct weft_slice *on = verb->on;
  const struct weft_item *set = verb->updates;
  uint32_t non = verb->non, n = verb->nupdates;
  if (!non) { /* the primary key */
    struct weft_slice *key = weft_arena_alloc(r->arena, (t->nkey + 1) * sizeof *key);
    for (uint32_t i = 0; i < t->nkey; i++) key[i] = t->columns[t->key[i]].name;
    on = key;
    non = t->nkey;
  }
  if (!non) {
    weft_render_fail(r, WEFT_USAGE,
                     "upsert into %.*s needs { on = column }: no primary key is known",
                     t->name.n > 80 ? 80 : (int)t->name.n, t->name.p);
    return;
  }
  if (!set) set = excluded(r, verb, on, non, &n);
  (r->d->conflict ? r->d->conflict : on_conflict)(r, on, non, set, n);
}

static void refuse_clauses(struct weft_renderer *r, const char *verb) {
  const struct weft_parts *p = r->parts;
  if (p->where || p->having || p->ngroup || p->norder || p->distinct || p->limit >= 0 ||
      p->offset >= 0)
    weft_render_fail(r, WEFT_USAGE, "%s takes no condition, order, group or limit", verb);
}

void weft_render_insert(struct weft_renderer *r) {
  const struct weft_query *verb = r->parts->verb;
  bool upsert = verb->clause == WEFT_C_UPSERT;
  refuse_clauses(r, upsert ? "upsert" : "create");
  if (!verb->nrows) weft_render_fail(r, WEFT_USAGE, "no row to create");
  weft_render_lit(r, "insert into ");
  weft_render_table(r, r->parts->table);
  if (verb->nrows > 1 && r->d->rows) {
    columns(r, verb);
    r->d->rows(r, verb);
  } else if (columns(r, verb)) {
    values(r, verb);
  } else {
    weft_buf_str(r->out, r->d->no_columns);
  }
  if (upsert) conflict(r, verb);
  if (!verb->quiet) returning(r);
}

/* ---- update, delete ---- */

static void need_condition(struct weft_renderer *r, const char *word) {
  const struct weft_parts *p = r->parts;
  struct weft_slice name = p->table->name;
  if (!p->verb->conditioned && !p->verb->all)
    weft_render_fail(r, WEFT_USAGE,
                     "%s of %.*s without a condition changes every row: pass { all = true } if you "
                     "mean it",
                     word, name.n > 80 ? 80 : (int)name.n, name.p);
  if (p->ngroup || p->having || p->distinct)
    weft_render_fail(r, WEFT_USAGE, "%s takes no group, having or distinct", word);
}

/* The rows are found first, by their key. why: what makes that necessary. */
static void found_first(struct weft_renderer *r, const char *word, const char *why) {
  const struct weft_table *t = r->parts->table;
  if (!t->nkey) {
    weft_render_fail(r, WEFT_USAGE, "%s %s needs a primary key, and none of %.*s is known", word, why,
                     t->name.n > 80 ? 80 : (int)t->name.n, t->name.p);
    return;
  }
  struct weft_slice *key = weft_arena_alloc(r->arena, t->nkey * sizeof *key);
  for (uint32_t i = 0; i < t->nkey; i++) key[i] = t->columns[t->key[i]].name;
  weft_buf_str(r->out, t->nkey > 1 ? " where (" : " where ");
  name_list(r, key, t->nkey);
  weft_buf_str(r->out, t->nkey > 1 ? ") in (" : " in (");
  if (r->d->derives_limits) weft_render_lit(r, "select * from (");
  weft_render_lit(r, "select ");
  name_list(r, key, t->nkey);
  weft_render_lit(r, " from ");
  weft_render_table(r, t);
  weft_render_tail(r, true);
  weft_buf_str(r->out, r->d->derives_limits ? ") as q)" : ")");
}

/* What the condition looks rows up in. */
struct looks {
  const struct weft_table *table; /* that is written */
  bool up;                        /* in a list or a select */
  bool same;                      /* in the table itself, which then must be the statement's only one */
};

static void look(const struct weft_expr *e, struct looks *l);

static void look_into(const struct weft_table *t, struct looks *l) {
  struct weft_slice name = l->table->name;
  l->same = l->same || (t->name.n == name.n && strncasecmp(t->name.p, name.p, name.n) == 0);
}

static void look_inside(const struct weft_query *q, struct looks *l) {
  l->up = true;
  look_into(q->table, l);
  for (; q; q = q->prev) {
    if (q->association) look_into(q->association->to, l);
    look(q->expr, l);
  }
}

static void look(const struct weft_expr *e, struct looks *l) {
  if (!e) return;
  if (e->kind == WEFT_E_LIST) l->up = true;
  if (e->kind == WEFT_E_QUERY) look_inside(e->query, l);
  if (e->kind == WEFT_E_SOME) look_into(e->association->to, l);
  for (uint32_t i = 0; i < e->nkids; i++) look(e->kids[i], l);
}

struct target {
  const char *first; /* why the rows must be found first, by their key; NULL: they need not */
  bool own;          /* the statement has a limit of its own */
  bool sub;          /* rows are looked up through a select: sub_update, sub_delete */
};

static struct target target_of(struct weft_renderer *r, const char *word) {
  const struct weft_parts *p = r->parts;
  if (weft_render_is_parted(p))
    weft_render_fail(r, WEFT_UNSUPPORTED, "%s with a limit for each part", word);
  bool limited = p->limit >= 0 || p->offset >= 0;
  struct target t = {.own = limited && r->d->limits_writes && p->offset < 0};
  struct looks l = {.table = p->table};
  look(p->where, &l);
  if (limited && !t.own) t.first = "with a limit";
  else if (l.same && r->d->row_by_row && p->verb->clause == WEFT_C_UPDATE)
    t.first = "by a condition on other rows of its table";
  t.sub = !t.own && (t.first || l.up) && !l.same;
  return t;
}

static void which(struct weft_renderer *r, struct target t, const char *word) {
  if (t.first) found_first(r, word, t.first);
  else if (t.own) weft_render_tail(r, true);
  else weft_render_where(r);
}

void weft_render_update(struct weft_renderer *r) {
  const struct weft_query *verb = r->parts->verb;
  need_condition(r, "update");
  struct target t = target_of(r, "update");
  weft_render_lit(r, "update ");
  weft_render_table(r, r->parts->table);
  if (t.sub && r->d->sub_update) weft_buf_str(r->out, r->d->sub_update);
  for (uint32_t i = 0; i < verb->nitems; i++) {
    weft_buf_str(r->out, i ? ", " : " set ");
    assignment(r, &verb->items[i]);
  }
  which(r, t, "update");
  returning_names(r, verb);
}

void weft_render_delete(struct weft_renderer *r) {
  need_condition(r, "delete");
  struct target t = target_of(r, "delete");
  weft_render_lit(r, "delete from ");
  weft_render_table(r, r->parts->table);
  if (t.sub && r->d->sub_delete) {
    weft_buf_str(r->out, r->d->sub_delete);
    weft_render_table(r, r->parts->table);
  }
  which(r, t, "delete");
}
