/* SPDX-License-Identifier: MIT */
/* Statements that write. A clause that a statement cannot honour is refused: a condition never
   vanishes. */
#include <strings.h>

#include "association.h"
#include "render.h"

static void name_list(struct weft_renderer *r, const struct weft_slice *names, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    if (i) weft_render_lit(r, ", ");
    weft_render_name(r, names[i]);
  }
}

static void returning_names(struct weft_renderer *r, const struct weft_query *verb) {
  if (!verb->non) return;
  weft_render_lit(r, " returning ");
  name_list(r, verb->on, verb->non);
}

static void returning(struct weft_renderer *r) {
  const struct weft_table *t = r->parts->table;
  weft_render_lit(r, " returning ");
  for (uint32_t i = 0; i < t->ncolumns; i++) {
    if (i) weft_render_lit(r, ", ");
    weft_render_name(r, t->columns[i].name);
  }
  if (!t->ncolumns) weft_render_lit(r, "*");
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

static void assignment(struct weft_renderer *r, const struct weft_item *it) {
  const struct weft_table_column *c = weft_render_column(r, it->name);
  weft_render_name(r, it->name);
  weft_render_lit(r, " = ");
  if (it->expr->kind == WEFT_E_LIST)
    weft_render_fail(r, WEFT_USAGE, "column '%.*s' is given a list; weft.array makes an array",
                     it->name.n > 80 ? 80 : (int)it->name.n, it->name.p);
  weft_render_right(r, it->expr, (struct weft_typed){c ? &c->type : NULL, c});
}

static bool listed(const struct weft_slice *names, uint32_t n, struct weft_slice name) {
  for (uint32_t i = 0; i < n; i++)
    if (weft_slice_equal(names[i], name)) return true;
  return false;
}

/* Every inserted column that does not identify the row; returns how many. */
static uint32_t excluded(struct weft_renderer *r, const struct weft_query *verb,
                         const struct weft_slice *on, uint32_t non) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < verb->nitems; i++) {
    struct weft_slice name = verb->items[i].name;
    if (!given(verb, i) || listed(on, non, name)) continue;
    weft_buf_str(r->out, n++ ? ", " : " do update set ");
    weft_render_name(r, name);
    weft_render_lit(r, " = excluded.");
    weft_render_name(r, name);
  }
  return n;
}

static void conflict(struct weft_renderer *r, const struct weft_query *verb) {
  const struct weft_table *t = r->parts->table;
  const struct weft_slice *on = verb->on;
  uint32_t non = verb->non, n = verb->nupdates;
  if (!non) { /* the primary key */
    struct weft_slice *key = weft_arena_alloc(r->arena, (t->nkey + 1) * sizeof *key);
    for (uint32_t i = 0; i < t->nkey; i++) key[i] = t->columns[t->key[i]].name;
    on = key;
    non = t->nkey;
  }
  if (!non)
    weft_render_fail(r, WEFT_USAGE,
                     "upsert into %.*s needs { on = column }: no primary key is known",
                     t->name.n > 80 ? 80 : (int)t->name.n, t->name.p);
  weft_render_lit(r, " on conflict (");
  name_list(r, on, non);
  weft_render_lit(r, ")");
  if (!verb->updates) n = excluded(r, verb, on, non);
  r->qualify = t->name; /* beside excluded a bare name says too little */
  for (uint32_t i = 0; i < verb->nupdates; i++) {
    weft_buf_str(r->out, i ? ", " : " do update set ");
    assignment(r, &verb->updates[i]);
  }
  r->qualify = weft_slice(NULL, 0);
  if (!n) weft_render_lit(r, " do nothing");
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
    weft_render_lit(r, " default values");
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

/* Does the condition look at rows of the table that is written? */
static bool reads(const struct weft_expr *e, struct weft_slice table) {
  if (e->kind == WEFT_E_SOME) {
    struct weft_slice to = e->association->to->name;
    if (to.n == table.n && strncasecmp(to.p, table.p, to.n) == 0) return true;
  }
  for (uint32_t i = 0; i < e->nkids; i++)
    if (reads(e->kids[i], table)) return true;
  return false;
}

static bool sees_itself(const struct weft_renderer *r) {
  const struct weft_parts *p = r->parts;
  return r->d->row_by_row && p->where && p->verb->clause == WEFT_C_UPDATE && reads(p->where, p->table->name);
}

/* With a limit, or where rows written before would count, the rows are found first, by their key. */
static void which(struct weft_renderer *r, const char *word) {
  const struct weft_parts *p = r->parts;
  const struct weft_table *t = p->table;
  if (weft_render_is_parted(p))
    weft_render_fail(r, WEFT_UNSUPPORTED, "%s with a limit for each part", word);
  bool limited = p->limit >= 0 || p->offset >= 0;
  if (!limited && !sees_itself(r)) {
    weft_render_where(r);
    return;
  }
  if (!t->nkey) {
    weft_render_fail(r, WEFT_USAGE, "%s %s needs a primary key, and none of %.*s is known", word,
                     limited ? "with a limit" : "by a condition on other rows of its table",
                     t->name.n > 80 ? 80 : (int)t->name.n, t->name.p);
    return;
  }
  struct weft_slice *key = weft_arena_alloc(r->arena, t->nkey * sizeof *key);
  for (uint32_t i = 0; i < t->nkey; i++) key[i] = t->columns[t->key[i]].name;
  weft_buf_str(r->out, t->nkey > 1 ? " where (" : " where ");
  name_list(r, key, t->nkey);
  weft_buf_str(r->out, t->nkey > 1 ? ") in (select " : " in (select ");
  name_list(r, key, t->nkey);
  weft_render_lit(r, " from ");
  weft_render_table(r, r->parts->table);
  weft_render_tail(r, true);
  weft_render_lit(r, ")");
}

void weft_render_update(struct weft_renderer *r) {
  const struct weft_query *verb = r->parts->verb;
  need_condition(r, "update");
  weft_render_lit(r, "update ");
  weft_render_table(r, r->parts->table);
  for (uint32_t i = 0; i < verb->nitems; i++) {
    weft_buf_str(r->out, i ? ", " : " set ");
    assignment(r, &verb->items[i]);
  }
  which(r, "update");
  returning_names(r, verb);
}

void weft_render_delete(struct weft_renderer *r) {
  need_condition(r, "delete");
  weft_render_lit(r, "delete from ");
  weft_render_table(r, r->parts->table);
  which(r, "delete");
}
