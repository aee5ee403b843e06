/* SPDX-License-Identifier: MIT */
#include "build.h"

#define PG &weft_dialect_postgres
#define LITE &weft_dialect_sqlite
#define MY &weft_dialect_mysql

static const struct raw_case {
  const struct weft_dialect *d;
  const char *text, *want; /* want NULL: usage */
  int count;
} cases[] = {
    {PG, "select ? + ?", "select $1 + $2", 2},
    {LITE, "select ? + ?", "select ? + ?", 2},
    {PG, "select 1", "select 1", 0},
    {PG, "select '?' , \"?\", ?", "select '?' , \"?\", $1", 1},
    {PG, "select 'it''s ?', ?", "select 'it''s ?', $1", 1},
    {PG, "select E'it\\'s ?', ?", "select E'it\\'s ?', $1", 1},
    {PG, "select e'\\\\', ?", "select e'\\\\', $1", 1},
    {PG, "select 'a\\', ?", "select 'a\\', $1", 1},
    {PG, "select type'\\', ?", "select type'\\', $1", 1},
    {LITE, "select E'\\', ?", "select E'\\', ?", 1},
    {PG, "-- what?\nselect ? -- and?", "-- what?\nselect $1 -- and?", 1},
    {PG, "/* ? /* ? */ ? */ ?", "/* ? /* ? */ ? */ $1", 1},
    {LITE, "/* ? /* ? */ ?", "/* ? /* ? */ ?", 1},
    {PG, "/**/?/*/*/", NULL, 0},
    {LITE, "/*/?*/?", "/*/?*/?", 1},
    {PG, "select $$ ? $$, $a$ $$ ? $b$ $a$, ?", "select $$ ? $$, $a$ $$ ? $b$ $a$, $1", 1},
    {PG, "select a$b$c, ?", "select a$b$c, $1", 1},
    {PG, "attrs ?? 'a' and x = ?", "attrs ? 'a' and x = $1", 1},
    {PG, "attrs ??| array['a'] and ?::int = 1", "attrs ?| array['a'] and $1::int = 1", 1},
    {PG, "select $1, $3", "select $1, $3", 3},
    {PG, "select x[1:2], y::text, ?", "select x[1:2], y::text, $1", 1},
    {PG, "select $1, ?", NULL, 0},
    {PG, "select $0", NULL, 0},
    {PG, "select $99999", NULL, 0},
    {PG, "select $99999999999999999999", NULL, 0},
    {LITE, "select ?1, ?3, ?2", "select ?1, ?3, ?2", 3},
    {LITE, "select :a, @b, $c, :a", "select :a, @b, $c, :a", 3},
    {LITE, "select ?5, :a", "select ?5, :a", 6},
    {LITE, "select $a::b::c, $a", "select $a::b::c, $a", 2},
    {LITE, "select :a, ?", NULL, 0},
    {LITE, "select [a ? ' b], `?`, ?", "select [a ? ' b], `?`, ?", 1},
    {LITE, "select x'00?', ?", "select x'00?', ?", 1},
    {LITE, "select ':a', ?", "select ':a', ?", 1},
    {PG, "select 1e5, 0x1F, 1.5?", "select 1e5, 0x1F, 1.5$1", 1},
    {PG, "select '", NULL, 0},
    {PG, "select \"a", NULL, 0},
    {PG, "select /* ", NULL, 0},
    {PG, "select $x$ $y$", NULL, 0},
    {PG, "select E'\\", NULL, 0},
    {PG, "select E'\\'", NULL, 0},
    {LITE, "select [a", NULL, 0},
    {PG, "", "", 0},
    {PG, "?", "$1", 1},
    {PG, "???", "?$1", 1},
    {PG, "sélect ? é", "sélect $1 é", 1},
    {PG, "- ? / ? $ ?", "- $1 / $2 $ $3", 3},
    {PG, "a # ?", "a # $1", 1},
    {MY, "select `a?`, \"b?\", 'c\\'?', ?", "select `a?`, \"b?\", 'c\\'?', ?", 1},
    {MY, "select `a\\`, ?", "select `a\\`, ?", 1},
    {MY, "select \"a\\\"?\", ?", "select \"a\\\"?\", ?", 1},
    {MY, "select ? # ? '\n, ?", "select ? # ? '\n, ?", 2},
    {MY, "select 1 -- ? '\n, 1--?, 1 --", "select 1 -- ? '\n, 1--?, 1 --", 1},
    {MY, "select 1 /* ? /* ' */, ?", "select 1 /* ? /* ' */, ?", 1},
    {MY, "/*!50701 select ? */ /*M! , '?' , ? */", "/*!50701 select ? */ /*M! , '?' , ? */", 2},
    {MY, "select @a := ?, @@b, :c, $1", "select @a := ?, @@b, :c, $1", 1},
    {MY, "select '", NULL, 0},
    {MY, "select 'a\\'", NULL, 0},
    {MY, "select `a", NULL, 0},
};

static const struct class_case {
  const struct weft_dialect *d;
  const char *text;
  int want;
} classes[] = {
    {PG, "select 1", WEFT_S_READ},
    {PG, "  -- begin\n /* delete */ ((select 1))", WEFT_S_READ},
    {PG, "SELECT 1 into t", WEFT_S_WRITE},
    {PG, "select 'into'", WEFT_S_READ},
    {PG, "values (1)", WEFT_S_READ},
    {PG, "table t", WEFT_S_READ},
    {PG, "show all", WEFT_S_READ},
    {PG, "explain select 1", WEFT_S_READ},
    {PG, "explain (costs off, Analyze) select 1", WEFT_S_WRITE},
    {PG, "explain analyze delete from t", WEFT_S_WRITE},
    {PG, "explain select analyze from t", WEFT_S_READ},
    {PG, "with x as (select 1) select * from x", WEFT_S_READ},
    {PG, "with x as (delete from t returning *) select * from x", WEFT_S_WRITE},
    {PG, "with x as (select 'delete', \"update\") select * from x", WEFT_S_READ},
    {PG, "with x as (select replace(a, 'b', 'c') from t) select * from x", WEFT_S_READ},
    {LITE, "with x as (select 1) replace into t select * from x", WEFT_S_WRITE},
    {PG, "insert into t values (1)", WEFT_S_WRITE},
    {PG, "update t set a = 1", WEFT_S_WRITE},
    {PG, "merge into t using s on true when matched then delete", WEFT_S_WRITE},
    {PG, "create table t (x int)", WEFT_S_WRITE},
    {PG, "notify x", WEFT_S_WRITE},
    {PG, "lock table t", WEFT_S_WRITE},
    {PG, "begin", WEFT_S_CONTROL},
    {PG, ";; Start transaction", WEFT_S_CONTROL},
    {PG, "commit", WEFT_S_CONTROL},
    {PG, "end", WEFT_S_CONTROL},
    {PG, "rollback to x", WEFT_S_CONTROL},
    {PG, "abort", WEFT_S_CONTROL},
    {PG, "prepare transaction 'x'", WEFT_S_CONTROL},
    {PG, "set local x = 1", WEFT_S_LOCAL},
    {PG, "set x = 1", WEFT_S_CONTROL},
    {PG, "declare c cursor for select 1", WEFT_S_LOCAL},
    {LITE, "fetch 1", WEFT_S_CONTROL},
    {PG, "reset all", WEFT_S_CONTROL},
    {PG, "discard all", WEFT_S_CONTROL},
    {PG, "listen x", WEFT_S_CONTROL},
    {PG, "copy t from stdin", WEFT_S_CONTROL},
    {LITE, "attach 'x' as y", WEFT_S_CONTROL},
    {LITE, "pragma journal_mode", WEFT_S_READ},
    {LITE, "pragma main.journal_mode = wal", WEFT_S_CONTROL},
    {LITE, "pragma foreign_keys(off)", WEFT_S_CONTROL},
    {LITE, "pragma table_info(t)", WEFT_S_READ},
    {LITE, "pragma main.table_info ('t')", WEFT_S_READ},
    {LITE, "pragma wal_checkpoint(truncate)", WEFT_S_WRITE},
    {PG, "load 'x'", WEFT_S_CONTROL},
    {MY, "# delete\n select 1", WEFT_S_READ},
    {MY, "describe t", WEFT_S_READ},
    {MY, "desc t", WEFT_S_READ},
    {MY, "show tables", WEFT_S_READ},
    {MY, "explain format=json select 1", WEFT_S_READ},
    {MY, "analyze select 1", WEFT_S_WRITE},
    {MY, "select 1 into outfile 'x'", WEFT_S_WRITE},
    {MY, "/*!40101 set names utf8 */", WEFT_S_CONTROL},
    {MY, "/*!50701 delete from t */", WEFT_S_WRITE},
    {MY, "replace into t values (1)", WEFT_S_WRITE},
    {MY, "call p()", WEFT_S_WRITE},
    {MY, "load data infile 'x' into table t", WEFT_S_WRITE},
    {MY, "lock tables t write", WEFT_S_CONTROL},
    {MY, "unlock tables", WEFT_S_CONTROL},
    {MY, "handler t open", WEFT_S_CONTROL},
    {MY, "xa start 'x'", WEFT_S_CONTROL},
    {MY, "use d", WEFT_S_CONTROL},
    {MY, "set autocommit = 0", WEFT_S_CONTROL},
    {MY, "# nothing", WEFT_S_EMPTY},
    {PG, "", WEFT_S_EMPTY},
    {PG, " ; -- nothing", WEFT_S_EMPTY},
    {PG, "'x", WEFT_S_WRITE},
};

static void raw_cases(void) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    it(cases[i].text) {
      struct weft_buf out;
      struct weft_error err;
      uint32_t count = 0;
      weft_buf_init(&out);
      weft_error_clear(&err);
      int rc = weft_dialect_raw(cases[i].d, weft_slice_of(cases[i].text), &out, &count, &err);
      if (!cases[i].want) {
        expect_int(rc, -1);
        expect_int(err.kind, WEFT_USAGE);
      } else {
        expect_int(rc, 0);
        expect_str(weft_buf_cstr(&out), cases[i].want);
        expect_int(count, cases[i].count);
      }
      weft_buf_release(&out);
    }
}

static void zero_bytes(void) {
  static const char *const texts[] = {"select \0", "'a\0b' ", "-- a\0b ", "$$ \0 $$ ", "a\0 b   "};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct weft_buf out;
    uint32_t count;
    weft_buf_init(&out);
    expect_int(weft_dialect_raw(PG, weft_slice(texts[i], 8), &out, &count, NULL), -1);
    weft_buf_release(&out);
  }
}

/* Every text cut short anywhere is either understood or refused. */
static void cut_short(void) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (size_t n = 0; n <= strlen(cases[i].text); n++) {
      char *copy = malloc(n + 1); /* exactly n bytes, for the sanitizer */
      memcpy(copy, cases[i].text, n);
      char *exact = realloc(copy, n ? n : 1);
      struct weft_buf out;
      uint32_t count;
      weft_buf_init(&out);
      weft_dialect_raw(cases[i].d, weft_slice(exact, n), &out, &count, NULL);
      weft_dialect_classify(cases[i].d, weft_slice(exact, n));
      weft_buf_release(&out);
      free(exact);
    }
}

int main(void) {
  describe("raw SQL") {
    raw_cases();
    it("refuses zero bytes wherever they are") { zero_bytes(); }
    it("reads no further than the text") { cut_short(); }
  }
  describe("the class of a statement") {
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
      it(classes[i].text) {
        expect_int(weft_dialect_classify(classes[i].d, weft_slice_of(classes[i].text)),
                   classes[i].want);
      }
  }
  return spec_end();
}
