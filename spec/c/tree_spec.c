/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include "decimal.h"
#include "json.h"
#include "spec.h"

static struct weft_buf out;

static struct weft_value text(const char *s) {
  return weft_text(s, strlen(s));
}

/* The names of at most ten columns, and their cells. */
static struct weft_rows *rows_of(const char *names, uint32_t nrows, const struct weft_value *v) {
  struct weft_column c[10];
  uint32_t n = 0;
  for (const char *p = names; *p; p += strspn(p, " "), n++) {
    c[n] = (struct weft_column){.name = weft_slice(p, strcspn(p, " ")), .type = WEFT_ANY};
    p += c[n].name.n;
  }
  struct weft_columns *columns = weft_columns_new(c, n);
  struct weft_rows *r = weft_rows_new(columns, nrows);
  weft_columns_unref(columns);
  for (uint32_t i = 0; i < nrows; i++) {
    struct weft_value *row = weft_rows_add(r);
    if (v && n) memcpy(row, v + (size_t)i * n, n * sizeof *v);
  }
  return r;
}
#define CELLS(...)        \
  (struct weft_value[]) { \
    __VA_ARGS__           \
  }
#define I weft_int
#define T text
#define NIL weft_null()

/* t's rows joined to below's by the columns of these numbers; below is t's then. */
static void branch(struct weft_tree *t, uint32_t i, const char *name, bool many, uint32_t column,
                   struct weft_tree *below, uint32_t other) {
  const struct weft_key_form each = {.type = WEFT_ANY};
  struct weft_keyed p = {t->rows, {column}}, c = {below->rows, {other}};
  t->branches[i] = (struct weft_branch){.name = weft_slice_of(name),
                                        .many = many,
                                        .links = weft_join(&p, &c, &each, 1, many),
                                        .tree = below};
}

/* The tree's text; frees it. */
static const char *json(struct weft_tree *t) {
  weft_buf_reset(&out);
  weft_json_tree(&out, t);
  weft_tree_free(t);
  return weft_buf_cstr(&out);
}

static void shapes(void) {
  it ("writes a tree without branches as its rows") {
    expect_str(json(weft_tree_new(rows_of("id", 2, CELLS(I(1), I(2))), 0)),
               "[{\"id\":1},{\"id\":2}]");
    expect_str(json(weft_tree_new(rows_of("id", 0, NULL), 0)), "[]");
    expect_str(json(weft_tree_new(NULL, 0)), "[]");
    weft_tree_free(NULL);
  }
  it ("writes branches behind the columns: many as an array, a missing single not at all") {
    struct weft_tree *t =
        weft_tree_new(rows_of("id artist", 3, CELLS(I(1), I(7), I(2), NIL, I(3), I(7))), 2);
    branch(t, 0, "artist_row", false, 1,
           weft_tree_new(rows_of("id name", 2, CELLS(I(7), T("Low"), I(8), T("High"))), 0), 0);
    branch(t, 1, "tracks", true, 0,
           weft_tree_new(rows_of("album t", 3, CELLS(I(3), T("a"), I(1), T("b"), I(3), T("c"))), 0),
           0);
    expect_str(json(t), "[{\"id\":1,\"artist\":7,\"artist_row\":{\"id\":7,\"name\":\"Low\"},"
                        "\"tracks\":[{\"album\":1,\"t\":\"b\"}]},"
                        "{\"id\":2,\"artist\":null,\"tracks\":[]},"
                        "{\"id\":3,\"artist\":7,\"artist_row\":{\"id\":7,\"name\":\"Low\"},"
                        "\"tracks\":[{\"album\":3,\"t\":\"a\"},{\"album\":3,\"t\":\"c\"}]}]");
  }
  it ("writes branches below branches, and the names of each once it knows them") {
    struct weft_tree *grand =
        weft_tree_new(rows_of("p x", 3, CELLS(I(10), I(1), I(12), I(2), I(10), I(3))), 0);
    struct weft_tree *kids =
        weft_tree_new(rows_of("id p", 3, CELLS(I(10), I(1), I(11), I(1), I(12), I(2))), 1);
    struct weft_tree *t = weft_tree_new(rows_of("id", 3, CELLS(I(0), I(1), I(2))), 1);
    branch(kids, 0, "one", false, 0, grand, 0);
    branch(t, 0, "kids", true, 0, kids, 1);
    expect_str(
        json(t),
        "[{\"id\":0,\"kids\":[]},"
        "{\"id\":1,\"kids\":[{\"id\":10,\"p\":1,\"one\":{\"p\":10,\"x\":1}},{\"id\":11,\"p\":1}]},"
        "{\"id\":2,\"kids\":[{\"id\":12,\"p\":2,\"one\":{\"p\":12,\"x\":2}}]}]");
  }
  it ("escapes names of branches, every time") {
    struct weft_tree *t = weft_tree_new(rows_of("id", 2, CELLS(I(1), I(1))), 1);
    branch(t, 0, "a\"\n", false, 0, weft_tree_new(rows_of("\"", 1, CELLS(I(1))), 0), 0);
    expect_str(json(t),
               "[{\"id\":1,\"a\\\"\\n\":{\"\\\"\":1}},{\"id\":1,\"a\\\"\\n\":{\"\\\"\":1}}]");
  }
  it ("follows the presentation that columns ask for") {
    struct weft_decimal d;
    weft_decimal_parse(WEFT_LIT("9.90"), &d);
    struct weft_value price = {.type = WEFT_DECIMAL, .u.dec = &d};
    struct weft_tree *below =
        weft_tree_new(rows_of("p price", 2, CELLS(I(1), price, I(1), price)), 0);
    struct weft_tree *t = weft_tree_new(rows_of("id", 1, CELLS(I(1))), 1);
    t->rows->columns->v[0].as = WEFT_AS_STRING;
    below->rows->columns->v[1].as = WEFT_AS_NUMBER;
    branch(t, 0, "kids", true, 0, below, 0);
    expect_str(json(t),
               "[{\"id\":\"1\",\"kids\":[{\"p\":1,\"price\":9.9},{\"p\":1,\"price\":9.9}]}]");
  }
  it ("writes rows without columns that have branches, some of them missing") {
    struct weft_tree *t = weft_tree_new(rows_of("", 3, NULL), 3);
    static const uint32_t at[] = {0, 0, 1, 1}, child[] = {0};
    for (uint32_t i = 0; i < 2; i++) {
      struct weft_links *l = weft_alloc(sizeof *l + sizeof at + sizeof child);
      *l = (struct weft_links){3, (uint32_t *)(l + 1), (uint32_t *)(l + 1) + 4};
      memcpy(l->start, at, sizeof at);
      memcpy(l->child, child, sizeof child);
      t->branches[i] = (struct weft_branch){i ? WEFT_LIT("y") : WEFT_LIT("x"), false, l,
                                            weft_tree_new(rows_of("", 1, NULL), 0)};
    }
    expect_str(json(t), "[{},{\"x\":{},\"y\":{}},{}]");
    t = weft_tree_new(rows_of("", 2, NULL), 2);
    t->branches[0] = (struct weft_branch){.name = WEFT_LIT("x"), .many = true};
    t->branches[1] = (struct weft_branch){.name = WEFT_LIT("y"), .many = true};
    expect_str(json(t), "[{\"x\":[],\"y\":[]},{\"x\":[],\"y\":[]}]");
  }
  it ("takes a branch without links for one without children") {
    struct weft_tree *t = weft_tree_new(rows_of("id", 1, CELLS(I(1))), 2);
    t->branches[0].name = WEFT_LIT("many");
    t->branches[0].many = true;
    t->branches[1].name = WEFT_LIT("single");
    t->branches[1].tree = weft_tree_new(NULL, 0);
    expect_str(json(t), "[{\"id\":1,\"many\":[]}]");
  }
  it ("knows the names of hundreds of columns") {
    struct weft_column c[200];
    char names[200][8], want[8000] = "[";
    for (uint32_t i = 0; i < 200; i++) {
      snprintf(names[i], sizeof names[i], "c%u", i);
      c[i] = (struct weft_column){.name = weft_slice_of(names[i]), .type = WEFT_ANY};
    }
    struct weft_columns *columns = weft_columns_new(c, 200);
    struct weft_rows *r = weft_rows_new(columns, 2);
    weft_columns_unref(columns);
    size_t n = 1;
    for (uint32_t row = 0; row < 2; row++) {
      weft_rows_add(r);
      for (uint32_t i = 0; i < 200; i++)
        n += (size_t)snprintf(want + n, sizeof want - n, "%s\"c%u\":null",
                              i     ? ","
                              : row ? ",{"
                                    : "{",
                              i);
      n += (size_t)snprintf(want + n, sizeof want - n, ",\"z\":[]}");
    }
    snprintf(want + n, sizeof want - n, "]");
    struct weft_tree *t = weft_tree_new(r, 1);
    t->branches[0] = (struct weft_branch){.name = WEFT_LIT("z"), .many = true};
    expect_str(json(t), want);
  }
}

static void sizes(void) {
  it ("writes a tree of a thousand levels") {
    enum { DEEP = 1000 };
    struct weft_tree *t = weft_tree_new(rows_of("i", 1, CELLS(I(1))), 0);
    for (int i = 1; i < DEEP; i++) {
      struct weft_tree *above = weft_tree_new(rows_of("i", 1, CELLS(I(1))), 1);
      branch(above, 0, "b", i % 2, 0, t, 0);
      t = above;
    }
    const char *p = json(t), *begin = "[{\"i\":1,\"b\":[{\"i\":1,\"b\":{\"i\":1,";
    size_t objects = 0;
    expect_mem(p, strlen(begin), begin, strlen(begin));
    for (; (p = strchr(p, '{')); p++) objects++;
    expect_int(objects, DEEP);
  }
  it ("writes a row that a hundred thousand parents share under each of them") {
    enum { N = 100000 };
    struct weft_rows *r = rows_of("k", N, NULL);
    for (uint32_t i = 0; i < N; i++) r->cells[i] = I(5);
    struct weft_tree *t = weft_tree_new(r, 1);
    branch(t, 0, "up", false, 0, weft_tree_new(rows_of("id", 1, CELLS(I(5))), 0), 0);
    const char *got = json(t), *one = "{\"k\":5,\"up\":{\"id\":5}}";
    size_t len = strlen(one);
    expect_int(out.n, N * (len + 1) + 1);
    bool same = true;
    for (size_t i = 0; i < N && same; i++) same = memcmp(got + 1 + i * (len + 1), one, len) == 0;
    expect(same);
  }
  it ("is the same in pieces of any size") {
    struct weft_tree *t = weft_tree_new(rows_of("id", 5, CELLS(I(1), I(1), I(2), I(3), I(4))), 1);
    branch(t, 0, "kids", true, 0,
           weft_tree_new(rows_of("p t", 3, CELLS(I(1), T("a\n"), I(1), NIL, I(1), T("c"))), 0), 0);
    weft_buf_reset(&out);
    weft_json_tree(&out, t);
    for (size_t size = 0; size <= out.n + 1; size++) {
      struct weft_buf piece, whole;
      uint32_t row = 0, pieces = 0;
      bool more = true;
      weft_buf_init(&piece);
      weft_buf_init(&whole);
      for (; more && pieces < 9; pieces++) {
        uint32_t before = row;
        weft_buf_reset(&piece);
        more = weft_json_tree_piece(&piece, t, &row, size ? size : 1);
        expect(!more || (row > before && piece.n >= size));
        weft_buf_slice_add(&whole, weft_buf_slice(&piece));
      }
      expect(weft_slice_equal(weft_buf_slice(&whole), weft_buf_slice(&out)));
      expect_int(pieces, size <= 1 ? 5 : size > out.n ? 1 : pieces);
      weft_buf_release(&piece);
      weft_buf_release(&whole);
    }
    weft_tree_free(t);
  }
  it ("of no rows is one piece") {
    struct weft_tree none = {.rows = NULL};
    uint32_t row = 0;
    weft_buf_reset(&out);
    expect(!weft_json_tree_piece(&out, &none, &row, 1));
    expect_str(weft_buf_cstr(&out), "[]");
  }
  it ("stops when the buffer is full") {
    struct weft_tree *t = weft_tree_new(rows_of("id", 3, CELLS(I(1), I(1), I(1))), 2);
    branch(t, 0, "kids", true, 0,
           weft_tree_new(rows_of("p t", 3, CELLS(I(1), T("a\n"), I(1), NIL, I(1), T("c"))), 0), 0);
    branch(t, 1, "one", false, 0, weft_tree_new(rows_of("p", 1, CELLS(I(1))), 0), 0);
    weft_buf_reset(&out);
    weft_json_tree(&out, t);
    bool failed = true;
    for (size_t limit = 0; limit < out.n; limit++) {
      struct weft_buf small;
      weft_buf_init(&small);
      small.limit = limit;
      weft_json_tree(&small, t);
      failed &= weft_buf_failed(&small);
      weft_buf_release(&small);
    }
    expect(out.n > 100 && failed);
    weft_tree_free(t);
  }
}

int main(void) {
  weft_buf_init(&out);
  describe ("a tree as json") {
    shapes();
    sizes();
  }
  it ("leaves no row set behind") expect_int(weft_rows_live(), 0);
  weft_buf_release(&out);
  return spec_end();
}
