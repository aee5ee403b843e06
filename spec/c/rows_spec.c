/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include <pthread.h>

#include "decimal.h"
#include "json.h"
#include "spec.h"

static struct weft_columns *columns_of(uint32_t n, const char *const *names) {
  struct weft_column v[200];
  char made[200][8];
  for (uint32_t i = 0; i < n; i++) {
    if (!names) snprintf(made[i], sizeof made[i], "c%u", i % 1000);
    v[i] =
        (struct weft_column){.name = weft_slice_of(names ? names[i] : made[i]), .type = WEFT_ANY};
  }
  return weft_columns_new(v, n);
}

/* A row set that alone refers to its columns. */
static struct weft_rows *rows_of(uint32_t n, const char *const *names, uint32_t expected) {
  struct weft_columns *c = columns_of(n, names);
  struct weft_rows *r = weft_rows_new(c, expected);
  weft_columns_unref(c);
  return r;
}

static struct weft_value keep(struct weft_rows *r, const char *s) {
  return weft_text(weft_arena_copy(&r->arena, s, strlen(s)), strlen(s));
}

static void columns(void) {
  static const char *const names[] = {"id", "title"};
  it ("copies the names") {
    char name[] = "id";
    struct weft_column v = {.name = weft_slice_of(name), .type = WEFT_INT, .oid = 23};
    struct weft_columns *c = weft_columns_new(&v, 1);
    name[0] = 'x';
    expect_mem(c->v[0].name.p, c->v[0].name.n, "id", 2);
    expect_int(c->v[0].oid, 23);
    weft_columns_unref(c);
  }
  it ("compares names, types and order") {
    static const char *const turned[] = {"title", "id"};
    struct weft_columns *a = columns_of(2, names), *b = columns_of(2, names),
                        *c = columns_of(2, turned), *d = columns_of(1, names);
    expect(weft_columns_equal(a, b) && weft_columns_equal(a, a) && weft_columns_equal(NULL, NULL));
    expect(!weft_columns_equal(a, c) && !weft_columns_equal(a, d) && !weft_columns_equal(a, NULL));
    b->v[1].type = WEFT_TEXT;
    expect(!weft_columns_equal(a, b));
    weft_columns_unref(a);
    weft_columns_unref(b);
    weft_columns_unref(c);
    weft_columns_unref(d);
    weft_columns_unref(NULL);
  }
}

static void building(void) {
  static const uint32_t hints[] = {0, 1, 2, 50, 5000, 4000000000u};
  for (size_t h = 0; h < sizeof hints / sizeof *hints; h++) {
    it ("keeps all rows, whatever number was expected") {
      struct weft_rows *r = rows_of(3, NULL, hints[h]);
      for (int i = 0; i < 3000; i++) {
        struct weft_value *row = weft_rows_add(r);
        expect(row[0].type == WEFT_NULL && row[1].type == WEFT_NULL && row[2].type == WEFT_NULL);
        row[0] = weft_int(i);
        char text[16];
        snprintf(text, sizeof text, "row %d", i);
        row[2] = keep(r, text);
      }
      expect_int(r->nrows, 3000);
      bool kept = true;
      for (uint32_t i = 0; i < r->nrows; i++) {
        const struct weft_value *row = weft_rows_row(r, i);
        kept &= row[0].u.i == i && row[1].type == WEFT_NULL && atoi(row[2].u.s + 4) == (int)i;
      }
      expect(kept);
      expect(weft_rows_bytes(r) > 3000 * (3 * sizeof(struct weft_value) + 5));
      weft_rows_unref(r);
    }
  }
  it ("takes one block of about 1 KB for a row found by key") {
    struct weft_rows *r = rows_of(10, NULL, 1);
    struct weft_value *row = weft_rows_add(r);
    for (int i = 0; i < 10; i++) row[i] = keep(r, "some text of thirty characters");
    expect(r->arena.blocks == NULL);
    expect(weft_rows_bytes(r) <= 1024);
    expect_int(r->affected, -1);
    weft_rows_unref(r);
  }
  it ("holds rows without columns, columns without rows, and nothing at all") {
    struct weft_rows *r = weft_rows_new(NULL, 5);
    for (int i = 0; i < 100; i++) expect(weft_rows_add(r) != NULL);
    expect_int(r->nrows, 100);
    expect(r->columns == NULL);
    weft_rows_unref(r);
    weft_rows_unref(NULL);
    r = rows_of(200, NULL, 1);
    expect_int(r->ncols, 200);
    expect_int(r->columns->n, 200);
    weft_rows_unref(r);
  }
  it ("refuses to pass 2^31 cells") {
    struct weft_rows *r = rows_of(1, NULL, 0);
    r->nrows = r->cap = 1u << 31; /* as if they were there */
    expect(weft_rows_add(r) == NULL);
    r->nrows = r->cap = 0;
    weft_rows_unref(r);
  }
}

static void *share(void *arg) {
  struct weft_rows *r = arg;
  for (int i = 0; i < 20000; i++) weft_rows_unref(weft_rows_ref(r));
  weft_rows_unref(r);
  return NULL;
}

static void counting(void) {
  it ("counts row sets alive, and frees each with its last reference") {
    long before = weft_rows_live();
    struct weft_rows *a = rows_of(1, NULL, 0), *b = weft_rows_ref(a);
    struct weft_columns *c = weft_columns_ref(a->columns);
    expect_int(weft_rows_live(), before + 1);
    weft_rows_unref(a);
    expect_int(weft_rows_live(), before + 1);
    weft_rows_unref(b);
    expect_int(weft_rows_live(), before);
    expect_int(c->n, 1);
    weft_columns_unref(c);
  }
  it ("may be handed between threads") {
    struct weft_rows *r = rows_of(1, NULL, 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, share, weft_rows_ref(r));
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    expect_int(r->refs, 1);
    weft_rows_unref(r);
    expect_int(weft_rows_live(), 0);
  }
}

/* Rows from first on: a number and its text, which is in the row set's arena. */
static struct weft_rows *numbered(struct weft_columns *c, int first, int n) {
  struct weft_rows *r = weft_rows_new(c, (uint32_t)n);
  for (int i = first; i < first + n; i++) {
    char text[40];
    snprintf(text, sizeof text, "this is row number %d", i);
    struct weft_value *row = weft_rows_add(r);
    row[0] = weft_int(i);
    row[1] = keep(r, text);
  }
  return r;
}

static bool is_numbered(const struct weft_rows *r, uint32_t row, int number) {
  const struct weft_value *v = weft_rows_row(r, row);
  return v[0].u.i == number && atoi(v[1].u.s + strlen("this is row number ")) == number;
}

static void concat(void) {
  static const char *const names[] = {"id", "title"};
  struct weft_columns *c = columns_of(2, names);
  it ("puts row sets behind each other and keeps alive what they point at") {
    static const int sizes[] = {0, 3, 500, 0, 1, 4000};
    struct weft_rows *v[6];
    for (int i = 0, at = 0; i < 6; at += sizes[i++]) v[i] = numbered(c, at, sizes[i]);
    v[0]->affected = 7;
    v[0]->last_id = 8;
    size_t bytes = 0;
    for (int i = 0; i < 6; i++) bytes += weft_rows_bytes(v[i]);
    struct weft_rows *all = weft_rows_concat(v, 6);
    for (int i = 0; i < 6; i++) weft_rows_unref(v[i]);
    expect_int(all->nrows, 4504);
    expect(all->columns == c && all->affected == 7 && all->last_id == 8);
    expect(weft_rows_bytes(all) > bytes + 4504 * 2 * sizeof(struct weft_value));
    bool kept = true;
    for (uint32_t i = 0; i < all->nrows; i++) kept &= is_numbered(all, i, (int)i);
    expect(kept);
    struct weft_rows *view = weft_rows_view(all, 502, 3), *again = weft_rows_concat(&view, 1);
    weft_rows_unref(all);
    weft_rows_unref(view);
    expect(is_numbered(again, 0, 502) && is_numbered(again, 2, 504));
    expect_int(again->nrows, 3);
    weft_rows_unref(again);
    expect_int(weft_rows_live(), 0);
  }
  it ("takes the same row set several times, and a thousand of them") {
    struct weft_rows *one = numbered(c, 5, 1), *v[1000];
    for (int i = 0; i < 1000; i++) v[i] = one;
    struct weft_rows *all = weft_rows_concat(v, 1000);
    expect_int(one->refs, 1001);
    weft_rows_unref(one);
    expect(is_numbered(all, 0, 5) && is_numbered(all, 999, 5));
    weft_rows_unref(all);
  }
  it ("has the width of the first, whatever the others have") {
    struct weft_rows *two = numbered(c, 1, 2), *three = rows_of(3, NULL, 1);
    struct weft_rows *none = weft_rows_new(NULL, 0);
    for (int i = 0; i < 3; i++) weft_rows_add(three)[i] = weft_int(i);
    weft_rows_add(none);
    struct weft_rows *all = weft_rows_concat((struct weft_rows *[]){two, three, none}, 3);
    expect_int(all->nrows, 6);
    expect_int(all->ncols, 2);
    expect_int(weft_rows_row(all, 3)[1].u.i, 1);
    expect(weft_rows_row(all, 4)[0].type == WEFT_NULL);
    expect(weft_rows_row(all, 5)[0].type == WEFT_NULL && weft_rows_row(all, 5)[1].type == WEFT_NULL);
    weft_rows_unref(all);
    all = weft_rows_concat((struct weft_rows *[]){none, two}, 2);
    expect_int(all->nrows, 3);
    expect(all->ncols == 0 && all->columns == NULL);
    weft_rows_unref(all);
    weft_rows_unref(two);
    weft_rows_unref(three);
    weft_rows_unref(none);
  }
  it ("refuses to pass 2^31 cells") {
    struct weft_rows *r = numbered(c, 0, 1), *v[] = {r, r};
    r->nrows = 1u << 30; /* as if they were there */
    expect(weft_rows_concat(v, 2) == NULL);
    r->nrows = 1;
    expect_int(r->refs, 1);
    weft_rows_unref(r);
  }
  weft_columns_unref(c);
}

static void project(void) {
  it ("takes columns by number, in that order, under other names") {
    static const char *const names[] = {"id", "title"}, *const others[] = {"t", "i", "t2"};
    struct weft_columns *c = columns_of(2, names), *d = columns_of(3, others);
    struct weft_rows *r = numbered(c, 0, 700);
    r->affected = 4;
    struct weft_rows *p = weft_rows_project(r, d, (uint32_t[]){1, 0, 1});
    size_t bytes = weft_rows_bytes(r);
    weft_rows_unref(r);
    weft_columns_unref(c);
    expect_int(p->nrows, 700);
    expect_int(p->ncols, 3);
    expect(p->columns == d && p->affected == 4);
    expect(weft_rows_bytes(p) > bytes + 700 * 3 * sizeof(struct weft_value));
    struct weft_rows *view = weft_rows_view(p, 699, 1);
    weft_rows_unref(p);
    const struct weft_value *row = weft_rows_row(view, 0);
    expect_int(row[1].u.i, 699);
    expect(row[0].u.s == row[2].u.s && atoi(row[0].u.s + 19) == 699);
    expect(weft_rows_bytes(view) < 1024);
    weft_rows_unref(view);
    weft_columns_unref(d);
  }
  it ("takes no column, and no row") {
    struct weft_columns *none = weft_columns_new(NULL, 0);
    struct weft_rows *r = rows_of(2, NULL, 1), *p = weft_rows_project(r, none, NULL);
    expect_int(p->nrows, 0);
    weft_rows_unref(p);
    weft_rows_add(r);
    p = weft_rows_project(r, none, NULL);
    expect(p->nrows == 1 && p->ncols == 0);
    weft_rows_unref(p);
    weft_rows_unref(r);
    weft_columns_unref(none);
  }
}

static struct weft_value day(enum weft_type type, int64_t i) {
  return (struct weft_value){.type = (uint8_t)type, .u.i = i};
}

static void presentation(void) {
  struct weft_decimal d;
  weft_decimal_parse(WEFT_LIT("1.10"), &d);
  struct weft_value dec = {.type = WEFT_DECIMAL, .u.dec = &d};
  const struct {
    struct weft_value in;
    uint32_t as;
    const char *json;
  } rows[] = {
      {dec, WEFT_AS_IS, "1.10"},
      {dec, WEFT_AS_STRING, "\"1.10\""},
      {dec, WEFT_AS_NUMBER, "1.1"},
      {weft_int(5), WEFT_AS_STRING, "\"5\""},
      {weft_int(5), WEFT_AS_NUMBER, "5"},
      {weft_null(), WEFT_AS_STRING, "null"},
      {day(WEFT_TIMESTAMPTZ, 1500000), WEFT_AS_IS, "\"1970-01-01T00:00:01.500000Z\""},
      {day(WEFT_TIMESTAMPTZ, 1500000), WEFT_AS_EPOCH, "1.5"},
      {day(WEFT_TIMESTAMP, -2000000), WEFT_AS_EPOCH, "-2"},
      {day(WEFT_TIMESTAMP, 1500000), WEFT_AS_US, "1500000"},
      {day(WEFT_DATE, 2), WEFT_AS_EPOCH, "172800"},
      {day(WEFT_DATE, 2), WEFT_AS_US, "172800000000"},
      {day(WEFT_DATE, -WEFT_INFINITY), WEFT_AS_US, "\"-infinity\""},
      {weft_text("x", 1), WEFT_AS_EPOCH, "\"x\""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].json) {
      struct weft_column c = {.name = WEFT_LIT("v"), .type = WEFT_ANY, .as = rows[i].as};
      struct weft_columns *cols = weft_columns_new(&c, 1);
      struct weft_rows *r = weft_rows_new(cols, 1);
      weft_rows_add(r)[0] = rows[i].in;
      struct weft_buf out;
      weft_buf_init(&out);
      weft_json_row(&out, r, 0);
      char want[64];
      snprintf(want, sizeof want, "{\"v\":%s}", rows[i].json);
      expect_str(weft_buf_cstr(&out), want);
      weft_buf_release(&out);
      weft_rows_unref(r);
      weft_columns_unref(cols);
    }
  }
}

static void json(void) {
  struct weft_buf out;
  weft_buf_init(&out);
  it ("writes rows as an array of objects, columns in order") {
    static const char *const names[] = {"id",   "na\"me", "ok",  "price",
                                        "data", "raw",    "day", "tags"};
    struct weft_rows *r = rows_of(8, names, 2);
    struct weft_value *row = weft_rows_add(r);
    struct weft_decimal *d = weft_arena_alloc(&r->arena, sizeof *d);
    weft_decimal_parse(WEFT_LIT("9.90"), d);
    struct weft_array *tags = weft_arena_alloc(&r->arena, sizeof *tags + 2 * sizeof *tags->v);
    tags->n = 2;
    tags->elem = WEFT_TEXT;
    tags->v[0] = keep(r, "a");
    tags->v[1] = weft_null();
    row[0] = weft_int(9007199254740993);
    row[1] = keep(r, "line\nbreak");
    row[2] = weft_bool(true);
    row[3] = (struct weft_value){.type = WEFT_DECIMAL, .u.dec = d};
    row[4] = keep(r, "{\"k\": [1]}");
    row[4].type = WEFT_JSON;
    row[5] = keep(r, "hi");
    row[5].type = WEFT_BYTES;
    row[6] = day(WEFT_DATE, 0);
    row[7] = (struct weft_value){.type = WEFT_ARRAY, .u.array = tags};
    weft_rows_add(r)[0] = weft_float(3);
    weft_json_rows(&out, r);
    expect_str(
        weft_buf_cstr(&out),
        "[{\"id\":9007199254740993,\"na\\\"me\":\"line\\nbreak\",\"ok\":true,\"price\":9.90,"
        "\"data\":{\"k\": [1]},\"raw\":\"aGk=\",\"day\":\"1970-01-01\",\"tags\":[\"a\",null]},"
        "{\"id\":3.0,\"na\\\"me\":null,\"ok\":null,\"price\":null,\"data\":null,\"raw\":null,"
        "\"day\":null,\"tags\":null}]");
    weft_rows_unref(r);
  }
  it ("writes no row as an empty array, no column as an empty object") {
    struct weft_rows *r = rows_of(2, NULL, 0);
    weft_buf_reset(&out);
    weft_json_rows(&out, r);
    expect_str(weft_buf_cstr(&out), "[]");
    weft_rows_unref(r);
    r = weft_rows_new(NULL, 0);
    weft_rows_add(r);
    weft_rows_add(r);
    weft_buf_reset(&out);
    weft_json_rows(&out, r);
    expect_str(weft_buf_cstr(&out), "[{},{}]");
    weft_rows_unref(r);
  }
  it ("knows the keys of hundreds of columns") {
    struct weft_rows *r = rows_of(200, NULL, 3);
    for (int i = 0; i < 3; i++) weft_rows_add(r)[199] = weft_int(i);
    struct weft_buf one;
    weft_buf_init(&one);
    weft_buf_char(&one, '[');
    for (uint32_t i = 0; i < 3; i++) {
      if (i) weft_buf_char(&one, ',');
      weft_json_row(&one, r, i);
    }
    weft_buf_char(&one, ']');
    weft_buf_reset(&out);
    weft_json_rows(&out, r);
    expect_mem(out.p, out.n, one.p, one.n);
    expect(strstr(weft_buf_cstr(&out), ",\"c199\":2}]") != NULL);
    weft_buf_release(&one);
    weft_rows_unref(r);
  }
  it ("fails softly at the buffer's limit, at every one") {
    struct weft_rows *r = rows_of(3, NULL, 3);
    for (int i = 0; i < 3; i++) {
      struct weft_value *row = weft_rows_add(r);
      row[0] = weft_int(i);
      row[1] = keep(r, "text with \"quotes\"");
      row[2] = keep(r, "plain");
    }
    weft_buf_reset(&out);
    weft_json_rows(&out, r);
    size_t all = out.n;
    for (size_t limit = 0; limit < all; limit++) {
      struct weft_buf small;
      weft_buf_init(&small);
      small.limit = limit;
      weft_json_rows(&small, r);
      expect(weft_buf_failed(&small));
      weft_buf_release(&small);
    }
    weft_rows_unref(r);
  }
  weft_buf_release(&out);
}

int main(void) {
  describe ("columns") columns();
  describe ("rows") building();
  describe ("rows references") counting();
  describe ("rows behind each other") concat();
  describe ("rows of other columns") project();
  describe ("presentation") presentation();
  describe ("rows as json") json();
  it ("leaves no row set behind") expect_int(weft_rows_live(), 0);
  return spec_end();
}
