/* SPDX-License-Identifier: MIT */
/* What the specs of fetching share: two scripted servers whose tables are known, levels in a few words, and
   a fetch that is driven to its end. */
#ifndef WEFT_SPEC_FETCH_SUPPORT_H
#define WEFT_SPEC_FETCH_SUPPORT_H

#include "build.h"
#include "db_private.h"
#include "db_support.h"
#include "driver/fake.h"
#include "fetch.h"

enum { PIPELINED = WEFT_DRIVER_PIPELINES | WEFT_DRIVER_CANCELS, ONE_BY_ONE = WEFT_DRIVER_CANCELS };

/* Two databases of one context. A statement answers with `per` rows for each key that it asks for (or with
   `roots` rows): the asked column is the key, every other one the row's own number. What it asks for by a
   sub-select are the rows of that many levels. */
struct servers {
  struct world w; /* db is that of the first */
  struct weft_db *db[2];
  struct weft_fake *fake[2];
  uint32_t roots, per;
  int answers, fails_at; /* from 1; 0: none */
  const char *fails;     /* answers that begin so fail, NULL: none */
  enum weft_kind fails_as;
  char log[8192];        /* "0:begin 0:shops 1:items/3", in the order of the answers; the number of keys */
};

/* Replaces what is known of the table. */
SPEC_UNUSED static struct weft_relation *teach(struct weft_db *db, const char *table,
                                               const char *columns) {
  struct weft_relation *r = relation(db, table);
  struct weft_table_column c[16];
  uint32_t n = 0;
  for (const char *p = columns; *p; p += strspn(p, " ")) {
    size_t len = strcspn(p, " ");
    c[n] = (struct weft_table_column){.name = weft_slice(p, len),
                                      .declared = WEFT_LIT("integer"),
                                      .type = {.type = WEFT_INT, .precision = -1, .scale = -1},
                                      .nullable = n > 0,
                                      .key = n == 0};
    n++;
    p += len;
  }
  weft_table_unref(r->table);
  r->table = weft_table_new(weft_slice("", 0), weft_slice_of(table), c, n);
  return r;
}

/* ---- the servers ---- */

static int spec_server_of(const struct servers *s, const struct weft_op *op) {
  return op->conn->settings == &s->fake[1]->settings;
}

SPEC_UNUSED static void note(struct servers *s, const char *text) {
  size_t used = strlen(s->log);
  snprintf(s->log + used, sizeof s->log - used, "%s%s", used ? " " : "", text);
}

static struct weft_slice spec_quoted(const char *from) { /* the next "name" */
  const char *p = strchr(from, '"') + 1;
  return weft_slice(p, strcspn(p, "\""));
}

struct spec_answer {
  struct weft_column columns[16];
  struct weft_slice source[16], table, asked;
  uint32_t n, nested; /* columns; sub-selects inside of each other */
};

static void spec_read(const char *sql, struct spec_answer *a) {
  const char *from = strstr(sql, " from \""), *where = strstr(sql, " where \"");
  a->table = spec_quoted(from);
  if (where) a->asked = spec_quoted(where);
  for (const char *p = sql; (p = strstr(p, "(select \"")); p++) a->nested++;
  for (const char *p = sql + strlen("select "); p < from;) {
    struct weft_slice source = spec_quoted(p), name = source;
    p = source.p + source.n + 1;
    if (strncmp(p, " as ", 4) == 0) {
      name = spec_quoted(p);
      p = name.p + name.n + 1;
    }
    a->source[a->n] = source;
    a->columns[a->n++] = (struct weft_column){.name = name, .type = WEFT_INT};
    p += strspn(p, ", ");
  }
}

static void spec_add(struct weft_rows *rows, const struct spec_answer *a, int64_t key, int64_t own) {
  struct weft_value *v = weft_rows_add(rows);
  for (uint32_t i = 0; i < a->n; i++)
    v[i] = weft_int(weft_slice_equal(a->source[i], a->asked) ? key : own);
}

static struct weft_rows *spec_rows(const struct servers *s, const struct weft_op *op,
                                   const struct spec_answer *a) {
  const struct weft_value *key = op->params;
  struct weft_columns *columns = weft_columns_new(a->columns, a->n);
  struct weft_rows *rows = weft_rows_new(columns, 8);
  weft_columns_unref(columns);
  bool list = a->asked.n && !a->nested && key->type == WEFT_LIST;
  uint32_t n = list ? key->u.array->n : a->asked.n && !a->nested ? 1 : s->roots, first = 1;
  for (uint32_t i = 1; i < a->nested; i++) n *= s->per, first *= s->per;
  for (uint32_t i = 0; i < n; i++) {
    int64_t k = list ? key->u.array->v[i].u.i : a->asked.n && !a->nested ? key->u.i : first + i;
    for (uint32_t j = 0; j < (a->asked.n ? s->per : 1); j++)
      spec_add(rows, a, k, a->asked.n ? k * s->per + j : k);
  }
  return rows;
}

static int spec_answer(void *ud, const struct weft_op *op, struct weft_rows **rows,
                       struct weft_error *err) {
  struct servers *s = ud;
  const char *sql = op->plan->sql.p;
  struct spec_answer a = {.n = 0};
  char text[80];
  bool select = strncmp(sql, "select", 6) == 0;
  if (select) spec_read(sql, &a);
  uint32_t keys = !select || !a.asked.n || a.nested ? 0 : op->params[0].type == WEFT_LIST ? op->params[0].u.array->n : 1;
  int n = snprintf(text, sizeof text, "%d:%.*s", spec_server_of(s, op), select ? (int)a.table.n : (int)strcspn(sql, " "),
                   select ? a.table.p : sql);
  if (select && a.nested) snprintf(text + n, sizeof text - (size_t)n, "+%u", (unsigned)a.nested);
  if (keys) snprintf(text + n, sizeof text - (size_t)n, "/%u", (unsigned)keys);
  note(s, text);
  if (++s->answers == s->fails_at || (s->fails && strncmp(text, s->fails, strlen(s->fails)) == 0)) {
    if (op->conn->tx == WEFT_TX_OPEN) op->conn->tx = WEFT_TX_FAILED;
    return weft_fail(err, s->fails_as, "it failed");
  }
  if (select) *rows = spec_rows(s, op, &a);
  return 0;
}

SPEC_UNUSED static bool servers_open(struct servers *s, uint32_t caps, const struct weft_db_options *o) {
  static const char *const names[] = {"one", "two"};
  struct weft_error err;
  memset(s, 0, sizeof *s);
  s->roots = 3;
  s->per = 1;
  s->fails_as = WEFT_CHECK;
  if (!expect(weft_context_new(NULL, &s->w.context, &err) == 0)) return false;
  s->w.loop = weft_context_loop(s->w.context);
  for (int i = 0; i < 2; i++) {
    s->fake[i] = weft_fake_new(s->w.loop, caps);
    s->fake[i]->answer = spec_answer;
    s->fake[i]->ud = s;
    s->fake[i]->writer = names[i];
    s->db[i] = weft_db_new(s->w.context, weft_slice_of(names[i]), &s->fake[i]->settings, o);
    teach(s->db[i], "shops", "shop_id owner_id");
    teach(s->db[i], "items", "item_id shop_id kind_id");
    teach(s->db[i], "parts", "part_id item_id");
    teach(s->db[i], "owners", "owner_id town_id");
  }
  s->w.db = s->db[0];
  return true;
}

SPEC_UNUSED static void servers_close(struct servers *s) {
  world_close(&s->w);
  for (int i = 0; i < 2; i++) weft_fake_free(s->fake[i]);
}

/* ---- levels ---- */

struct spec_level {
  struct weft_db *db;
  const char *name, *table, *parent, *asked;
  bool one; /* not many */
  uint32_t chunk;
  int64_t limit;         /* for each parent; 0: none */
  const char *select;    /* one column, NULL: all */
  const char *wants;     /* a condition that a number is that text, NULL: none */
  bool passed, direct;
  int64_t pass_limit, pass_offset; /* of what is passed; 0: none */
  struct weft_level *below[2]; /* taken over */
};

static const struct weft_table_column *spec_column(struct weft_relation *r, const char *name) {
  return &r->table->columns[weft_table_column(r->table, weft_slice_of(name))];
}

static struct weft_query *spec_level_query(const struct spec_level *l, struct weft_relation *r) {
  struct weft_query *q = weft_query_from(r->table);
  if (l->select) {
    q = step(q, WEFT_C_SELECT);
    struct weft_item *it = weft_arena_alloc(&q->arena, sizeof *it);
    *it = (struct weft_item){.expr = weft_expr_column(&q->arena, weft_slice_of(l->select))};
    q->items = it;
    q->nitems = 1;
    q = weft_query_end(q);
  }
  if (l->wants) q = where(q, op(WEFT_E_EQ, col(l->asked), txt(l->wants)));
  return l->limit ? limit(q, l->limit) : q;
}

/* parent and asked: names of columns, separated by spaces. */
SPEC_UNUSED static struct weft_level *level(struct spec_level l) {
  struct weft_relation *r = relation(l.db, l.table);
  struct weft_level *made = NULL;
  struct weft_error err;
  char parent[64], asked[64], *p, *q, *save[2];
  struct weft_level_options o = {.name = weft_slice_of(l.name),
                                 .many = !l.one,
                                 .relation = r,
                                 .query = spec_level_query(&l, r),
                                 .chunk = l.chunk,
                                 .passed = l.passed,
                                 .direct = l.direct,
                                 .limit = l.pass_limit ? l.pass_limit : -1,
                                 .offset = l.pass_offset ? l.pass_offset : -1,
                                 .below = l.below,
                                 .nbelow = !l.below[0] ? 0 : l.below[1] ? 2 : 1};
  snprintf(parent, sizeof parent, "%s", l.parent);
  snprintf(asked, sizeof asked, "%s", l.asked);
  for (p = strtok_r(parent, " ", &save[0]), q = strtok_r(asked, " ", &save[1]); p && q;
       p = strtok_r(NULL, " ", &save[0]), q = strtok_r(NULL, " ", &save[1])) {
    o.parent[o.nkey] = weft_slice_of(p);
    o.parent_side[o.nkey] = weft_key_side(NULL);
    o.asked[o.nkey++] = spec_column(r, q);
  }
  if (weft_level_new(&o, &made, &err)) printf("%s: %s\n", l.name, err.message);
  weft_query_unref(o.query);
  for (uint32_t i = 0; i < o.nbelow; i++) weft_level_unref(l.below[i]);
  return made;
}
#define LEVEL(...) level((struct spec_level){__VA_ARGS__})

/* ---- fetching ---- */

static int finished_fetches; /* how often finished was called */

SPEC_UNUSED static void note_fetched(struct weft_fetch *f) {
  (void)f;
  finished_fetches++;
}

SPEC_UNUSED static void start_fetch(struct weft_fetch *f, struct weft_db *db, const char *table,
                                    struct weft_level *const *levels, uint32_t n) {
  struct weft_relation *r = relation(db, table);
  struct weft_query *q = weft_query_from(r->table);
  weft_fetch_query(f, r, q, levels, n);
  weft_query_unref(q);
}

/* The same in one round trip. */
SPEC_UNUSED static void start_flight(struct weft_fetch *f, struct weft_db *db, const char *table,
                                     struct weft_level *const *levels, uint32_t n) {
  struct weft_relation *r = relation(db, table);
  struct weft_query *q = number(weft_query_from(r->table), WEFT_C_NOTE, WEFT_NOTE_TOGETHER);
  weft_fetch_query(f, r, q, levels, n);
  weft_query_unref(q);
}

/* Everything that the servers owe is answered. */
SPEC_UNUSED static void answer_all(struct servers *s) {
  for (int round = 0; round < 64; round++) {
    int before = s->answers + (int)(s->fake[0]->opened + s->fake[1]->opened);
    for (int i = 0; i < 2; i++) {
      while (weft_fake_open(s->fake[i])) continue;
      weft_fake_answer_all(s->fake[i]);
    }
    turn(&s->w);
    if (before == s->answers + (int)(s->fake[0]->opened + s->fake[1]->opened)) return;
  }
}

/* One answer, or one connection; false: nothing is left to happen. */
SPEC_UNUSED static bool answer_one(struct servers *s) {
  for (int i = 0; i < 2; i++) {
    struct weft_conn *c;
    if (weft_fake_open(s->fake[i])) return true;
    for (uint32_t k = 0; (c = weft_fake_conn(s->fake[i], k)); k++)
      if (weft_fake_answer(c)) return true;
  }
  return false;
}

/* The fetch gave everything back. */
SPEC_UNUSED static void expect_clean(struct weft_fetch *f) {
  struct weft_live live;
  weft_fetch_reset(f);
  weft_live(&live);
  expect_int(live.leases, 0);
  expect_int(live.calls, 0);
  expect_int(live.rows, 0);
}

/* "1(2 3) 2()": the numbers of children, from 1, under each parent. */
SPEC_UNUSED static const char *shown(const struct weft_links *l) {
  static char text[2048];
  size_t used = 0;
  text[0] = 0;
  for (uint32_t i = 0; i < l->nparents && used < sizeof text - 32; i++) {
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%u(", i ? " " : "", (unsigned)i + 1);
    for (uint32_t k = l->start[i]; k < l->start[i + 1] && used < sizeof text - 32; k++)
      used += (size_t)snprintf(text + used, sizeof text - used, "%s%u", k > l->start[i] ? " " : "",
                               (unsigned)l->child[k] + 1);
    used += (size_t)snprintf(text + used, sizeof text - used, ")");
  }
  return text;
}

/* ---- trees ---- */

/* shops -> items -> parts, each in the database whose number is given. */
SPEC_UNUSED static struct weft_level *items_and_parts(struct servers *s, int items, int parts) {
  return LEVEL(.db = s->db[items], .name = "items", .table = "items", .parent = "shop_id", .asked = "shop_id",
               .below = {LEVEL(.db = s->db[parts], .name = "parts", .table = "parts",
                               .parent = "item_id", .asked = "item_id")});
}

SPEC_UNUSED static bool answered(struct servers *s, const char *want) {
  bool same = expect_str(s->log, want);
  s->log[0] = 0;
  return same;
}

struct tree_case {
  const char *name;
  int items, parts, root;
};
SPEC_UNUSED static const struct tree_case cases[] = {
    {"one database", 0, 0, 0}, {"there and back", 1, 0, 0}, {"two levels elsewhere", 1, 1, 0}};

/* shops -> items -> parts and shops -> owners, in chunks of two; levels are given to out. */
SPEC_UNUSED static void levels_of(struct servers *s, const struct tree_case *c, struct weft_level *out[2]) {
  out[0] = LEVEL(.db = s->db[c->items], .name = "items", .table = "items", .parent = "shop_id",
                 .asked = "shop_id", .chunk = 2, .direct = true,
                 .below = {LEVEL(.db = s->db[c->parts], .name = "parts", .table = "parts", .direct = true,
                                 .parent = "item_id", .asked = "item_id", .chunk = 2)});
  out[1] = LEVEL(.db = s->db[1], .name = "owner", .table = "owners", .parent = "owner_id",
                 .asked = "owner_id", .one = true);
}

SPEC_UNUSED static void unref_levels(struct weft_level *v[2]) {
  weft_level_unref(v[0]);
  weft_level_unref(v[1]);
}

/* How a fetch is driven. */
struct way {
  uint32_t caps;
  bool eager; /* answers come by themselves */
  bool together;
};
SPEC_UNUSED static const struct way ways[] = {{PIPELINED, false, false},
                                  {PIPELINED, true, false},
                                  {PIPELINED, false, true},
                                  {PIPELINED, true, true},
                                  {ONE_BY_ONE, false, false},
                                  {ONE_BY_ONE, true, false},
                                  {WEFT_DRIVER_ONE_WRITER, false, false},
                                  {WEFT_DRIVER_ONE_WRITER, true, false}};
enum { WAYS = sizeof ways / sizeof *ways };

SPEC_UNUSED static void start_way(struct servers *s, struct weft_fetch *f, const struct way *way, int db,
                      struct weft_level *v[2]) {
  s->fake[0]->eager = s->fake[1]->eager = way->eager;
  finished_fetches = 0;
  weft_fetch_init(f, note_fetched, NULL);
  if (way->together) start_flight(f, s->db[db], "shops", v, 2);
  else start_fetch(f, s->db[db], "shops", v, 2);
}

#endif
