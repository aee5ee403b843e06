/* SPDX-License-Identifier: MIT */
#include "arena.h"
#include "buf.h"
#include "clock.h"
#include "error.h"
#include "hash.h"
#include "list.h"
#include "map.h"
#include "spec.h"

struct item {
  int n;
  struct weft_list link;
};

static int sum_in_order(struct weft_list *head) {
  int sum = 0;
  for (struct weft_list *l = head->next; l != head; l = l->next)
    sum = sum * 10 + WEFT_CONTAINER(l, struct item, link)->n;
  return sum;
}

static void lists(void) {
  struct item items[4];
  for (int i = 0; i < 4; i++) items[i].n = i + 1, weft_list_init(&items[i].link);
  struct weft_list head, other;
  weft_list_init(&head);
  weft_list_init(&other);
  it ("keeps the order of pushes at either end") {
    weft_list_push(&head, &items[0].link);
    weft_list_push(&head, &items[1].link);
    weft_list_push_front(&head, &items[2].link);
    expect_int(sum_in_order(&head), 312);
  }
  it ("removes an item twice without harm") {
    weft_list_remove(&items[0].link);
    weft_list_remove(&items[0].link);
    expect_int(sum_in_order(&head), 32);
    expect(weft_list_empty(&items[0].link));
  }
  it ("moves all items of another list behind its own") {
    weft_list_push(&other, &items[0].link);
    weft_list_push(&other, &items[3].link);
    weft_list_splice(&head, &other);
    expect_int(sum_in_order(&head), 3214);
    expect(weft_list_empty(&other));
    weft_list_splice(&head, &other);
    expect_int(sum_in_order(&head), 3214);
  }
  it ("takes from the front until it is empty") {
    int taken = 0;
    for (struct weft_list *l; (l = weft_list_take(&head));)
      taken = taken * 10 + WEFT_CONTAINER(l, struct item, link)->n;
    expect_int(taken, 3214);
  }
}

static void errors(void) {
  struct weft_error err = {.code = "23505", .column = "id"};
  it ("names every kind") {
    for (int k = 0; k < WEFT_KIND_COUNT; k++) expect(weft_kind_name((enum weft_kind)k)[0] != 0);
    expect_str(weft_kind_name(WEFT_NOT_FOUND), "not_found");
    expect_str(weft_kind_name(WEFT_CONDITION_FAILED), "condition_failed");
    expect_str(weft_kind_name((enum weft_kind)999), "internal");
  }
  it ("clears what was said before and returns -1") {
    expect_int(weft_fail(&err, WEFT_DEADLOCK, "%s %d", "two", 2), -1);
    expect_str(err.message, "two 2");
    expect_str(err.code, "");
    expect_str(err.column, "");
    expect(err.retryable && !err.outcome_unknown);
  }
  it ("may quote the message that it replaces") {
    weft_fail(&err, WEFT_USAGE, "in a list: %s", err.message);
    expect_str(err.message, "in a list: two 2");
    expect(!err.retryable);
  }
  it ("cuts a long message, but no UTF-8 sequence") {
    char text[600];
    memset(text, 'x', sizeof text);
    for (size_t at = 470; at < 490; at += 2) memcpy(text + at, "\xC3\xA4", 2);
    text[599] = 0;
    weft_fail(&err, WEFT_USAGE, "%s", text);
    expect_int(strlen(err.message), 478); /* 479 would hold half of the letter */
    weft_fail(&err, WEFT_USAGE, "y%s", text);
    expect_int(strlen(err.message), 479);
  }
  it ("does not mind a NULL error") expect_int(weft_fail(NULL, WEFT_USAGE, "x"), -1);
}

static const char *name_at(const void *ud, size_t i, size_t *len) {
  const char *const *names = ud;
  *len = strlen(names[i]);
  return names[i];
}

static void nearest(void) {
  static const char *const names[] = {"title", "price",    "seller_id",
                                      "id",    "ArtistId", "created_at"};
  static const struct {
    const char *word, *found;
  } rows[] = {
      {"titel", "title"},
      {"prise", "price"},
      {"sellerid", "seller_id"},
      {"artistid", "ArtistId"},
      {"di", "id"},
      {"creatde_at", "created_at"},
      {"completely_else", NULL},
      {"x", NULL},
      {"", NULL},
      {"id", "id"},
      {"zz", NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].word) {
      size_t len = 0;
      const char *found = weft_nearest(rows[i].word, strlen(rows[i].word), 6, name_at, names, &len);
      expect_str(found, rows[i].found);
      if (found) expect_int(len, strlen(found));
    }
  }
  it ("gives up on words longer than any name") {
    char word[500];
    memset(word, 'a', sizeof word);
    expect(weft_nearest(word, sizeof word, 6, name_at, names, NULL) == NULL);
  }
}

static void arenas(void) {
  it ("uses the caller's memory first, aligned") {
    char first[256];
    struct weft_arena a;
    weft_arena_init(&a, first, sizeof first);
    weft_arena_bytes(&a, 3);
    char *p = weft_arena_alloc(&a, 16);
    expect(p > first && p < first + sizeof first);
    expect_int((size_t)p % 8, 0);
    expect(a.blocks == NULL);
    char *q = weft_arena_alloc(&a, 300);
    memset(q, 1, 300);
    expect(q < first || q >= first + sizeof first);
    weft_arena_release(&a);
  }
  it ("keeps thousands of pieces apart") {
    struct weft_arena a;
    weft_arena_init(&a, NULL, 0);
    uint32_t *pieces[3000];
    for (uint32_t i = 0; i < 3000; i++) {
      uint32_t n = 1 + i % 300 + (i % 1000 == 0) * 50000;
      pieces[i] = weft_arena_alloc(&a, n * sizeof **pieces);
      for (uint32_t k = 0; k < n; k++) pieces[i][k] = i;
    }
    bool kept = true;
    for (uint32_t i = 0; i < 3000; i++)
      for (uint32_t k = 0; k < 1 + i % 300; k++) kept &= pieces[i][k] == i;
    expect(kept);
    expect(a.total > 3000 * 150 * sizeof(uint32_t));
    weft_arena_release(&a);
    expect(a.total == 0);
  }
  it ("leaves the room of its block alone when a large piece comes") {
    struct weft_arena a;
    weft_arena_init(&a, NULL, 0);
    char *p = weft_arena_bytes(&a, 1);
    weft_arena_bytes(&a, 100000);
    expect(weft_arena_bytes(&a, 1) == p + 1);
    weft_arena_release(&a);
  }
  it ("refuses a size above the limit, or beyond all memory") {
    struct weft_arena a;
    weft_arena_init(&a, NULL, 0);
    expect(weft_arena_try(&a, 101, 100) == NULL);
    expect(weft_arena_try(&a, SIZE_MAX - 4, SIZE_MAX) == NULL);
    char *p = weft_arena_try(&a, 100, 100);
    if (expect(p != NULL)) memset(p, 7, 100);
    expect(weft_arena_try(&a, 40, 100) != NULL);
    weft_arena_release(&a);
  }
  it ("ends copies with a zero byte") {
    struct weft_arena a;
    weft_arena_init(&a, NULL, 0);
    expect_str(weft_arena_copy(&a, "abc", 2), "ab");
    expect_str(weft_arena_copy(&a, NULL, 0), "");
    struct weft_slice s = weft_arena_slice(&a, WEFT_LIT("a\0b"));
    expect_mem(s.p, s.n, "a\0b", 3);
    weft_arena_release(&a);
  }
  it ("copies strings to the heap") {
    char *s = weft_strdup(WEFT_LIT("weft"));
    expect_str(s, "weft");
    free(s);
  }
}

static void bufs(void) {
  struct weft_buf b;
  weft_buf_init(&b);
  it ("is an empty string at first") expect_str(weft_buf_cstr(&b), "");
  it ("adds bytes, literals, characters, numbers and formats") {
    weft_buf_lit(&b, "a");
    weft_buf_str(&b, "bc");
    weft_buf_char(&b, ' ');
    weft_buf_int(&b, INT64_MIN);
    weft_buf_char(&b, ' ');
    weft_buf_int(&b, 0);
    weft_buf_fmt(&b, " %s-%d", "x", 7);
    expect_str(weft_buf_cstr(&b), "abc -9223372036854775808 0 x-7");
    expect_int(weft_buf_slice(&b).n, 30);
  }
  it ("grows by formats of any length") {
    weft_buf_reset(&b);
    for (int i = 0; i < 500; i++) weft_buf_fmt(&b, "%0*d", i, 1);
    expect_int(b.n, 500 * 499 / 2 + 1);
    expect(b.p[b.n - 1] == '1');
  }
  it ("writes every width of number") {
    char want[32];
    uint64_t u = 1;
    for (int i = 0; i < 63; i++, u = u * 2 + (uint64_t)i % 2) {
      for (int neg = 0; neg < 2; neg++) {
        int64_t v = neg ? -(int64_t)(u >> 1) : (int64_t)(u >> 1);
        snprintf(want, sizeof want, "%" PRId64, v);
        weft_buf_reset(&b);
        weft_buf_int(&b, v);
        expect_str(weft_buf_cstr(&b), want);
      }
    }
  }
  weft_buf_release(&b);
  it ("fails for good when it would pass its limit") {
    weft_buf_init(&b);
    b.limit = 1000;
    for (int i = 0; i < 1000; i++) weft_buf_char(&b, 'x');
    expect(!weft_buf_failed(&b));
    expect_int(strlen(weft_buf_cstr(&b)), 1000);
    weft_buf_char(&b, 'y');
    expect(weft_buf_failed(&b));
    weft_buf_fmt(&b, "%d", 1);
    weft_buf_char(&b, 'y');
    expect(weft_buf_failed(&b));
    expect_str(weft_buf_cstr(&b), "");
    expect(weft_buf_room(&b, SIZE_MAX) == NULL);
  }
  it ("is usable again after a reset") {
    weft_buf_reset(&b);
    weft_buf_lit(&b, "again");
    expect_str(weft_buf_cstr(&b), "again");
    weft_buf_release(&b);
    weft_buf_lit(&b, "and again");
    expect_str(weft_buf_cstr(&b), "and again");
    weft_buf_release(&b);
  }
}

static void maps(void) {
  enum { N = 5000 };
  static char keys[N][16];
  struct weft_map m;
  weft_map_init(&m);
  it ("finds nothing in an empty map") {
    expect(weft_map_get(&m, WEFT_LIT("a")) == NULL);
    expect(weft_map_remove(&m, WEFT_LIT("a")) == NULL);
  }
  it ("keeps thousands of keys") {
    for (int i = 0; i < N; i++) {
      snprintf(keys[i], sizeof keys[i], "key%d", i);
      expect(weft_map_set(&m, weft_slice_of(keys[i]), keys[i]) == NULL);
    }
    int found = 0;
    for (int i = 0; i < N; i++) found += weft_map_get(&m, weft_slice_of(keys[i])) == keys[i];
    expect_int(found, N);
    expect_int(m.count, N);
  }
  it ("hands back the value that is replaced") {
    expect(weft_map_set(&m, WEFT_LIT("key7"), keys[8]) == keys[7]);
    expect(weft_map_get(&m, WEFT_LIT("key7")) == keys[8]);
    expect_int(m.count, N);
  }
  it ("takes apart integers, bytes, and the empty string") {
    expect(weft_map_set_int(&m, 0, keys[1]) == NULL);
    expect(weft_map_set(&m, weft_slice(NULL, 0), keys[2]) == NULL);
    expect(weft_map_get_int(&m, 0) == keys[1]);
    expect(weft_map_get(&m, WEFT_LIT("")) == keys[2]);
    expect(weft_map_remove_int(&m, 0) == keys[1]);
    expect(weft_map_get(&m, WEFT_LIT("")) == keys[2]);
    expect(weft_map_remove(&m, WEFT_LIT("")) == keys[2]);
  }
  it ("lets a walk remove what it meets") {
    size_t at = 0;
    int seen = 0;
    for (struct weft_map_entry *e; (e = weft_map_next(&m, &at)); seen++)
      weft_map_remove(&m, e->key);
    expect_int(seen, N);
    expect_int(m.count, 0);
  }
  it ("does not grow when keys come and go") {
    size_t cap = m.cap;
    for (uint64_t i = 0; i < 100000; i++) {
      weft_map_set_int(&m, i, keys[0]);
      if (i >= 10) weft_map_remove_int(&m, i - 10);
    }
    expect_int(m.count, 10);
    expect(m.cap <= cap);
    for (uint64_t i = 99990; i < 100000; i++) expect(weft_map_get_int(&m, i) == keys[0]);
  }
  weft_map_release(&m);
}

int main(void) {
  describe ("list") lists();
  describe ("error") errors();
  describe ("nearest name") nearest();
  describe ("arena") arenas();
  describe ("buf") bufs();
  describe ("map") maps();
  describe ("clock") {
    it ("goes forward") {
      int64_t then = weft_clock_ns();
      expect(weft_clock_ns() >= then);
      expect(weft_clock_wall_us() > 1700000000000000);
      expect(weft_clock_random() != weft_clock_random());
    }
  }
  describe ("hash") {
    it ("tells keys apart by every byte and by length") {
      char key[40] = {0};
      uint64_t seen[80];
      for (size_t i = 0; i < 40; i++) {
        seen[i] = weft_hash_bytes(1, key, i);
        key[i] = 1;
        seen[40 + i] = weft_hash_bytes(1, key, 40);
        key[i] = 0;
      }
      int same = 0;
      for (size_t i = 0; i < 80; i++)
        for (size_t k = 0; k < i; k++) same += seen[i] == seen[k];
      expect_int(same, 0);
    }
  }
  return spec_end();
}
