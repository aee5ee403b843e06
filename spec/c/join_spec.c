/* SPDX-License-Identifier: MIT */
#include "join.h"

#include "decimal.h"
#include "spec.h"

static struct weft_arena arena;

static const struct weft_key_side ANY = {.type = {.type = WEFT_ANY}},
                                  INT = {.type = {.type = WEFT_INT, .size = 8}},
                                  TEXT = {.type = {.type = WEFT_TEXT}},
                                  PGTEXT = {.type = {.type = WEFT_TEXT, .oid = 25}},
                                  CHAR = {.type = {.type = WEFT_TEXT, .oid = 1042}},
                                  UUID = {.type = {.type = WEFT_UUID, .oid = 2950}},
                                  DEC = {.type = {.type = WEFT_DECIMAL, .precision = -1}},
                                  NOCASE = {.type = {.type = WEFT_TEXT},
                                            .collation = WEFT_COLLATE_NOCASE};

static struct weft_value text(const char *s) {
  return weft_text(s, strlen(s));
}

/* Text that speaks of one number, a zero byte behind it. */
static struct weft_value made(const char *format, int64_t number) {
  char out[100];
  snprintf(out, sizeof out, format, (int)number);
  return weft_text(weft_arena_copy(&arena, out, strlen(out)), strlen(out));
}

static struct weft_value dec(const char *s) {
  struct weft_decimal *d = weft_arena_alloc(&arena, sizeof *d);
  expect_int(weft_decimal_parse(weft_slice_of(s), d), 0);
  return (struct weft_value){.type = WEFT_DECIMAL, .u.dec = d};
}

static struct weft_rows *rows_of(uint32_t ncols, uint32_t nrows, const struct weft_value *v) {
  struct weft_column c[WEFT_KEY_COLUMNS + 1];
  for (uint32_t i = 0; i < ncols; i++)
    c[i] = (struct weft_column){.name = WEFT_LIT("k"), .type = WEFT_ANY};
  struct weft_columns *columns = weft_columns_new(c, ncols);
  struct weft_rows *r = weft_rows_new(columns, nrows);
  weft_columns_unref(columns);
  for (uint32_t i = 0; i < nrows; i++) {
    struct weft_value *row = weft_rows_add(r);
    if (v) memcpy(row, v + (size_t)i * ncols, ncols * sizeof *v);
  }
  return r;
}
#define ROWS(ncols, ...)                                                                    \
  rows_of((ncols),                                                                          \
          sizeof((struct weft_value[]){__VA_ARGS__}) / sizeof(struct weft_value) / (ncols), \
          (struct weft_value[]){__VA_ARGS__})

/* The first nkey columns. */
static struct weft_keyed keyed(const struct weft_rows *r) {
  struct weft_keyed k = {.rows = r};
  for (uint32_t i = 0; i < WEFT_KEY_COLUMNS; i++) k.columns[i] = i;
  return k;
}

/* "0:1,2 1: 2:0": children by parent. Takes over the rows. */
static const char *join(struct weft_rows *parents, struct weft_key_side a,
                        struct weft_rows *children, struct weft_key_side b, uint32_t nkey,
                        bool many) {
  static char out[2000];
  struct weft_key_form forms[WEFT_KEY_COLUMNS];
  for (uint32_t i = 0; i < nkey; i++) weft_key_form(&a, &b, &forms[i]);
  struct weft_keyed p = keyed(parents), c = keyed(children);
  struct weft_links *l = weft_join(&p, &c, forms, nkey, many);
  struct weft_buf s;
  weft_buf_init(&s);
  expect_int(l->nparents, parents->nrows);
  expect_int(l->start[0], 0);
  for (uint32_t i = 0; i < l->nparents; i++) {
    weft_buf_fmt(&s, "%s%u:", i ? " " : "", i);
    for (uint32_t k = l->start[i]; k < l->start[i + 1]; k++)
      weft_buf_fmt(&s, "%s%u", k > l->start[i] ? "," : "", l->child[k]);
  }
  snprintf(out, sizeof out, "%s", weft_buf_cstr(&s));
  weft_buf_release(&s);
  weft_links_free(l);
  weft_rows_unref(parents);
  weft_rows_unref(children);
  return out;
}

#define I weft_int
#define T text
#define NIL weft_null()

static void links(void) {
  it ("links children in the order of their rows, also where both sides repeat") {
    expect_str(join(ROWS(1, I(1), I(2), I(1), I(3)), INT, ROWS(1, I(2), I(1), I(4), I(1), I(2)),
                    INT, 1, true),
               "0:1,3 1:0,4 2:1,3 3:");
  }
  it ("keeps the first child alone where there is one at most") {
    expect_str(join(ROWS(1, I(1), I(2), I(1)), INT, ROWS(1, I(2), I(1), I(1), I(2)), INT, 1, false),
               "0:1 1:0 2:1");
  }
  it ("gives no children to NULL and NaN, and none that are so") {
    expect_str(join(ROWS(1, NIL, I(1), weft_float(NAN)), ANY, ROWS(1, weft_float(NAN), NIL, I(1)),
                    ANY, 1, true),
               "0: 1:2 2:");
    expect_str(join(ROWS(1, NIL, NIL), INT, ROWS(1, NIL, NIL, NIL), INT, 1, false), "0: 1:");
    expect_str(
        join(ROWS(2, I(1), NIL, I(1), I(2)), INT, ROWS(2, NIL, I(1), I(1), I(2)), INT, 2, true),
        "0: 1:1");
  }
  it ("takes sides without rows") {
    expect_str(join(rows_of(1, 0, NULL), INT, ROWS(1, I(1)), INT, 1, true), "");
    expect_str(join(ROWS(1, I(1), I(2)), INT, rows_of(1, 0, NULL), INT, 1, true), "0: 1:");
    expect_str(join(rows_of(1, 0, NULL), INT, rows_of(1, 0, NULL), INT, 1, false), "");
    weft_links_free(NULL);
  }
  it ("knows a key by its normal form") {
    struct weft_rows *mixed =
        ROWS(1, I(1), weft_float(1), dec("1.00"), T("1"), weft_bool(true), T("01"));
    expect_str(join(mixed, ANY, ROWS(1, T("1"), I(1)), ANY, 1, true),
               "0:0,1 1:0,1 2:0,1 3:0,1 4:0,1 5:");
    expect_str(join(ROWS(1, T("ab  "), T("ab")), CHAR, ROWS(1, T("AB"), T("ab ")), NOCASE, 1, true),
               "0:0,1 1:0,1");
    expect_str(join(ROWS(1, weft_text("a\0b", 3), weft_text("a\0c", 3), weft_text("", 0)), TEXT,
                    ROWS(1, weft_text(NULL, 0), weft_text("a\0c", 3), T("a")), TEXT, 1, true),
               "0: 1:1 2:0");
    expect_str(join(ROWS(1, T("111111111111111111111111111111111111111111111111.10"),
                         T("111111111111111111111111111111111111111111111112.1")),
                    DEC, ROWS(1, T("111111111111111111111111111111111111111111111111.1")), DEC, 1,
                    true),
               "0:0 1:");
  }
  it ("tells composite keys apart by every column and by their order") {
    expect_str(join(ROWS(2, I(1), I(2), I(2), I(1), T("1"), T("2")), ANY,
                    ROWS(2, I(2), I(1), I(1), I(2), I(1), I(1)), ANY, 2, true),
               "0:1 1:0 2:1");
    expect_str(join(ROWS(2, T("ab"), T("c"), T("a"), T("bc")), TEXT, ROWS(2, T("a"), T("bc")), TEXT,
                    2, true),
               "0: 1:0");
  }
  it ("takes keys of sixteen columns, wherever they stand") {
    enum { N = WEFT_KEY_COLUMNS };
    struct weft_rows *p = rows_of(N + 1, 300, NULL), *c = rows_of(N, 300, NULL);
    struct weft_keyed left = {.rows = p}, right = {.rows = c};
    struct weft_key_form forms[N];
    for (uint32_t i = 0; i < N; i++) {
      weft_key_form(&INT, &INT, &forms[i]);
      left.columns[i] = N - i;
      right.columns[i] = i;
    }
    for (uint32_t row = 0; row < 300; row++)
      for (uint32_t i = 0; i < N; i++) {
        p->cells[row * (N + 1) + N - i] = I(i == 15 ? row : i);
        c->cells[row * N + i] = I(i == 15 ? 299 - row : i);
      }
    struct weft_links *l = weft_join(&left, &right, forms, N, true);
    expect_int(l->start[300], 300);
    for (uint32_t row = 0; row < 300; row++) expect_int(l->child[row], 299 - row);
    weft_links_free(l);
    weft_rows_unref(p);
    weft_rows_unref(c);
  }
}

static struct weft_rows *sequence(uint32_t n, int64_t step) {
  struct weft_rows *r = rows_of(1, n, NULL);
  for (uint32_t i = 0; i < n; i++) r->cells[i] = I(i * step);
  return r;
}

static void sizes(void) {
  enum { N = 100000 };
  const struct weft_key_form number = {.type = WEFT_DECIMAL};
  it ("gives one parent a hundred thousand children") {
    struct weft_rows *p = sequence(1, 0), *c = sequence(N, 0);
    struct weft_keyed left = keyed(p), right = keyed(c);
    struct weft_links *l = weft_join(&left, &right, &number, 1, true);
    bool ordered = l->start[1] == N;
    for (uint32_t i = 0; ordered && i < N; i++) ordered = l->child[i] == i;
    expect(ordered);
    weft_links_free(l);
    l = weft_join(&left, &right, &number, 1, false);
    expect(l->start[1] == 1 && l->child[0] == 0);
    weft_links_free(l);
    weft_rows_unref(p);
    weft_rows_unref(c);
  }
  it ("gives a hundred thousand parents one child, the same or each its own") {
    for (int64_t step = 0; step < 2; step++) {
      struct weft_rows *p = sequence(N, step), *c = sequence(step ? N : 1, step);
      struct weft_keyed left = keyed(p), right = keyed(c);
      struct weft_links *l = weft_join(&left, &right, &number, 1, true);
      bool right_ones = l->start[N] == N;
      for (uint32_t i = 0; right_ones && i < N; i++)
        right_ones = l->start[i] == i && l->child[i] == (step ? i : 0);
      expect(right_ones);
      weft_links_free(l);
      weft_rows_unref(p);
      weft_rows_unref(c);
    }
  }
  it ("refuses 2^31 links, unless one child is enough") {
    struct weft_rows *p = sequence(50000, 0), *c = sequence(50000, 0);
    struct weft_keyed left = keyed(p), right = keyed(c);
    expect(weft_join(&left, &right, &number, 1, true) == NULL);
    struct weft_links *l = weft_join(&left, &right, &number, 1, false);
    expect_int(l->start[50000], 50000);
    weft_links_free(l);
    weft_rows_unref(p);
    weft_rows_unref(c);
  }
}

/* ---- at random, against a nested loop ---- */

static uint64_t seed = 2024;

static uint32_t dice(uint32_t sides) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(seed >> 33) % sides;
}

/* A key is made from what it means, -1 for nothing, in one of the spellings that its side may have:
   two keys are equal when they mean the same. */
typedef struct weft_value (*spelling)(int64_t meaning);

static struct weft_value integer(int64_t m) {
  return weft_int(m - 5);
}
static struct weft_value number(int64_t m) {
  switch (dice(4)) {
  case 0:
    return weft_float((double)(m - 5));
  case 1:
    return weft_int(m - 5);
  case 2:
    return dec(made("%d.00", m - 5).u.s);
  default:
    return made("%d", m - 5);
  }
}
static struct weft_value digits(int64_t m) {
  static const char *const formats[] = {"%+03d", "%d", "%d.0", "%de0"};
  return made(formats[dice(4)], m - 5);
}
static struct weft_value plain(int64_t m) {
  return made("%d", m - 5);
}
static struct weft_value uuid(int64_t m) {
  struct weft_value v = made("abcdef01-2345-6789-abcd-%012x", m);
  v.type = WEFT_UUID;
  return v;
}
static struct weft_value uuid_text(int64_t m) {
  static const char *const formats[] = {
      "abcdef01-2345-6789-abcd-%012x", "ABCDEF01-2345-6789-ABCD-%012X",
      "{AbCdEf01-2345-6789-aBcD-%012x}", "abcdef0123456789abcd%012X"};
  return made(formats[dice(4)], m);
}
static struct weft_value word(int64_t m) {
  static const char *const formats[] = {"word%d", "WORD%d", "Word%d"};
  return made(formats[dice(3)], m);
}
static struct weft_value padded(int64_t m) {
  static const char *const formats[] = {"word%d", "word%d ", "word%d     "};
  return made(formats[dice(3)], m);
}

static const struct kind {
  const char *name;
  const struct weft_key_side *a, *b;
  spelling spell_a, spell_b;
} kinds[] = {
    {"integers", &INT, &INT, integer, integer},
    {"integers and texts", &INT, &TEXT, integer, digits},
    {"decimals and anything", &DEC, &ANY, number, number},
    {"anything and anything", &ANY, &ANY, plain, number},
    {"anything and texts", &ANY, &TEXT, number, plain},
    {"uuids and texts", &UUID, &TEXT, uuid, uuid_text},
    {"words without case", &NOCASE, &PGTEXT, word, word},
    {"padded words", &CHAR, &PGTEXT, padded, padded},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct random_side {
  struct weft_rows *rows;
  int64_t meaning[300][3];
};

static void fill(struct random_side *s, const uint8_t *kind, uint32_t nkey, bool left) {
  s->rows = rows_of(nkey, dice(300), NULL);
  uint32_t range = 1 + dice(60);
  for (uint32_t i = 0; i < s->rows->nrows; i++)
    for (uint32_t k = 0; k < nkey; k++) {
      const struct kind *how = &kinds[kind[k]];
      int64_t m = (int64_t)dice(range + 1 + range / 10) - 1;
      s->meaning[i][k] = m;
      s->rows->cells[i * nkey + k] = m < 0 ? weft_null() : (left ? how->spell_a : how->spell_b)(m);
    }
}

static bool mean_same(const struct random_side *p, uint32_t i, const struct random_side *c,
                      uint32_t j, uint32_t nkey) {
  for (uint32_t k = 0; k < nkey; k++)
    if (p->meaning[i][k] < 0 || p->meaning[i][k] != c->meaning[j][k]) return false;
  return true;
}

static bool agrees(const struct weft_links *l, const struct random_side *p,
                   const struct random_side *c, uint32_t nkey, bool many) {
  uint32_t at = 0;
  for (uint32_t i = 0; i < p->rows->nrows; i++) {
    if (l->start[i] != at) return false;
    for (uint32_t j = 0; j < c->rows->nrows; j++) {
      if (!mean_same(p, i, c, j, nkey)) continue;
      if (at >= l->start[i + 1] || l->child[at++] != j) return false;
      if (!many) break;
    }
  }
  return l->start[p->rows->nrows] == at;
}

static void at_random(void) {
  for (uint32_t first = 0; first < KINDS; first++) {
    it (kinds[first].name) {
      bool same = true;
      for (int round = 0; round < 40; round++) {
        uint32_t nkey = 1 + dice(3);
        uint8_t kind[3] = {(uint8_t)first, (uint8_t)dice(KINDS), (uint8_t)dice(KINDS)};
        struct weft_key_form forms[3];
        static struct random_side p, c;
        for (uint32_t k = 0; k < nkey; k++)
          weft_key_form(kinds[kind[k]].a, kinds[kind[k]].b, &forms[k]);
        fill(&p, kind, nkey, true);
        fill(&c, kind, nkey, false);
        struct weft_keyed left = keyed(p.rows), right = keyed(c.rows);
        bool many = round % 2;
        struct weft_links *l = weft_join(&left, &right, forms, nkey, many);
        same &= agrees(l, &p, &c, nkey, many);
        weft_links_free(l);
        weft_rows_unref(p.rows);
        weft_rows_unref(c.rows);
      }
      expect(same);
    }
  }
}

/* ---- what is asked for ---- */

/* "3[integer:1 integer:2|text:a] 1[...]": the number of keys and the lists of each chunk. Takes
   over the rows. */
static const char *keys(struct weft_rows *parents, struct weft_key_side a,
                        const struct weft_key_side *column, uint32_t nkey, uint32_t limit) {
  static char out[4000];
  struct weft_key_form forms[WEFT_KEY_COLUMNS];
  struct weft_keyed p = keyed(parents);
  struct weft_key_chunk *chunks;
  struct weft_buf s;
  uint32_t n;
  weft_buf_init(&s);
  for (uint32_t i = 0; i < nkey; i++) weft_key_form(&a, &column[i], &forms[i]);
  weft_join_keys(&p, forms, column, nkey, limit, &arena, &chunks, &n);
  for (uint32_t c = 0; c < n; c++) {
    weft_buf_fmt(&s, "%s%u[", c ? " " : "", chunks[c].nkeys);
    for (uint32_t i = 0; i < nkey; i++) {
      const struct weft_array *list = chunks[c].list[i].u.array;
      expect_int(chunks[c].list[i].type, WEFT_LIST);
      expect_int(list->elem, column[i].type.type);
      if (i) weft_buf_char(&s, '|');
      for (uint32_t k = 0; k < list->n; k++) {
        weft_buf_fmt(&s, "%s%s:", k ? " " : "", weft_type_name((enum weft_type)list->v[k].type));
        weft_value_text(&s, list->v[k]);
      }
    }
    weft_buf_char(&s, ']');
  }
  snprintf(out, sizeof out, "%s", weft_buf_cstr(&s));
  weft_buf_release(&s);
  weft_rows_unref(parents);
  return out;
}

static void asked(void) {
  it ("asks for distinct keys in the order of their first occurrence") {
    expect_str(keys(ROWS(1, I(3), I(1), I(3), NIL, I(2), I(1)), INT, &INT, 1, 500),
               "3[integer:3 integer:1 integer:2]");
  }
  it ("asks in chunks") {
    expect_str(keys(ROWS(1, I(3), I(1), I(3), I(2), I(1), I(4), I(5), I(4)), INT, &INT, 1, 2),
               "2[integer:3 integer:1] 2[integer:2 integer:4] 1[integer:5]");
    expect_str(keys(ROWS(1, I(1), I(2)), INT, &INT, 1, 2), "2[integer:1 integer:2]");
    expect_str(keys(ROWS(1, I(1), I(2), I(1)), INT, &INT, 1, 1), "1[integer:1] 1[integer:2]");
  }
  it ("asks for nothing where there is nothing to ask for") {
    expect_str(keys(rows_of(1, 0, NULL), INT, &INT, 1, 500), "");
    expect_str(keys(ROWS(1, NIL, weft_float(NAN), NIL), ANY, &INT, 1, 500), "");
    expect_str(keys(ROWS(1, T("abc"), T(""), T("1.5"), T("abc")), ANY, &INT, 1, 500), "");
  }
  it ("leaves out what the column cannot hold, and does not count it") {
    expect_str(keys(ROWS(1, T("x"), I(1), T("y"), I(2), T("x"), T("3")), ANY, &INT, 1, 2),
               "2[integer:1 integer:2] 1[integer:3]");
  }
  it ("counts a key once, however it is spelt") {
    expect_str(keys(ROWS(1, I(1), T("1"), weft_float(1), dec("1.0"), T("01"), weft_bool(true)), ANY,
                    &INT, 1, 500),
               "1[integer:1]");
    expect_str(keys(ROWS(1, T("12  "), T("12")), CHAR, &INT, 1, 500), "1[integer:12]");
  }
  it ("asks for every spelling that was met, in the chunk of its key") {
    expect_str(
        keys(ROWS(1, T("Bob"), T("eve"), T("BOB"), T("bob"), T("BOB")), NOCASE, &PGTEXT, 1, 1),
        "1[text:Bob text:bob text:BOB] 1[text:eve]");
    expect_str(keys(ROWS(1, T("ab  "), T("ab"), T("ab  ")), CHAR, &PGTEXT, 1, 500),
               "1[text:ab   text:ab]");
    expect_str(keys(ROWS(1, I(1), I(2), I(1)), INT, &ANY, 1, 500),
               "2[integer:1 text:1 integer:2 text:2]");
  }
  it ("asks a text column for a uuid in both cases") {
    struct weft_value v = T("0a1b2c3d-4e5f-6789-abcd-ef0123456789");
    v.type = WEFT_UUID;
    expect_str(keys(ROWS(1, v, v), UUID, &TEXT, 1, 500),
               "1[text:0a1b2c3d-4e5f-6789-abcd-ef0123456789 "
               "text:0A1B2C3D-4E5F-6789-ABCD-EF0123456789]");
  }
  it ("asks for composite keys by one list per column, each value once") {
    const struct weft_key_side columns[] = {INT, PGTEXT};
    expect_str(keys(ROWS(2, I(1), T("a"), I(1), T("b"), I(2), T("a"), I(1), T("a"), I(3), NIL), ANY,
                    columns, 2, 500),
               "3[integer:1 integer:2|text:a text:b]");
    expect_str(
        keys(ROWS(2, I(1), T("a"), I(1), T("b"), I(2), T("a"), I(1), T("a")), ANY, columns, 2, 2),
        "2[integer:1|text:a text:b] 1[integer:2|text:a]");
    expect_str(keys(ROWS(2, T("x"), T("a"), I(1), T("b")), ANY, columns, 2, 500),
               "1[integer:1|text:b]");
  }
  it ("asks for a hundred thousand keys") {
    struct weft_rows *r = sequence(100000, 3);
    struct weft_keyed p = keyed(r);
    const struct weft_key_form form = {.type = WEFT_DECIMAL};
    struct weft_key_chunk *chunks;
    uint32_t n;
    weft_join_keys(&p, &form, &INT, 1, 500, &arena, &chunks, &n);
    weft_rows_unref(r);
    expect_int(n, 200);
    bool all = true;
    for (uint32_t i = 0; i < 100000 && n == 200; i++)
      all &= chunks[i / 500].list[0].u.array->v[i % 500].u.i == i * 3;
    expect(all && chunks[199].nkeys == 500);
  }
}

int main(void) {
  describe ("a join") {
    links();
    sizes();
  }
  describe ("a join of random rows finds what a nested loop finds:") at_random();
  describe ("the keys of rows") asked();
  it ("leaves no row set behind") expect_int(weft_rows_live(), 0);
  weft_arena_release(&arena);
  return spec_end();
}
