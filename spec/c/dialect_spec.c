/* SPDX-License-Identifier: MIT */
#include "build.h"
#include "dialect_catalog.h"

#define PG (&weft_dialect_postgres)
#define LITE (&weft_dialect_sqlite)

static const struct type_case {
  const struct weft_dialect *d;
  const char *declared;
  uint32_t oid, elem;
  int32_t typmod;
  const char *kind;
  int type, elem_type, size, precision, scale;
  const char *cast; /* PostgreSQL: the name without a length */
} types[] = {
    {PG, "bigint", 20, 0, -1, "N", WEFT_INT, 0, 8, -1, -1, "bigint"},
    {PG, "smallint", 21, 0, -1, "N", WEFT_INT, 0, 2, -1, -1, "smallint"},
    {PG, "numeric(10,2)", 1700, 0, 655366, "N", WEFT_DECIMAL, 0, 0, 10, 2, "numeric"},
    {PG, "numeric(3,-2)", 1700, 0, 198654, "N", WEFT_DECIMAL, 0, 0, -1, -1, "numeric"},
    {PG, "numeric", 1700, 0, -1, "N", WEFT_DECIMAL, 0, 0, -1, -1, "numeric"},
    {PG, "character varying(3)", 1043, 0, 7, "S", WEFT_TEXT, 0, 0, 3, -1, "varchar"},
    {PG, "character(4)", 1042, 0, 8, "S", WEFT_TEXT, 0, 0, 4, -1, "bpchar"},
    {PG, "real", 700, 0, -1, "N", WEFT_FLOAT, 0, 4, -1, -1, "real"},
    {PG, "timestamp(3) with time zone", 1184, 0, 3, "D", WEFT_TIMESTAMPTZ, 0, 0, -1, -1,
     "timestamptz"},
    {PG, "integer[]", 1007, 23, -1, "A", WEFT_ARRAY, WEFT_INT, 4, -1, -1, "integer[]"},
    {PG, "numeric(5,1)[]", 1231, 1700, 327685, "A", WEFT_ARRAY, WEFT_DECIMAL, 0, -1, -1,
     "numeric[]"},
    {PG, "mood", 16390, 0, -1, "enum", WEFT_TEXT, 0, 0, -1, -1, "mood"},
    {PG, "\"My (Type)\"(3)", 16391, 0, -1, "U", WEFT_ANY, 0, 0, -1, -1, "\"My (Type)\""},
    {PG, "x; drop table y", 16392, 0, -1, "U", WEFT_ANY, 0, 0, -1, -1, ""},
    {PG, "citext", 16393, 0, -1, "S", WEFT_TEXT, 0, 0, -1, -1, "citext"},
    {PG, "json", 114, 0, -1, "U", WEFT_JSON, 0, 0, -1, -1, "json"},
    {LITE, "INTEGER", 0, 0, -1, "", WEFT_INT, 0, 8, -1, -1, NULL},
    {LITE, "unsigned big int", 0, 0, -1, "", WEFT_INT, 0, 8, -1, -1, NULL},
    {LITE, "boolean", 0, 0, -1, "", WEFT_BOOL, 0, 0, -1, -1, NULL},
    {LITE, "Decimal(10, 2)", 0, 0, -1, "", WEFT_DECIMAL, 0, 0, 10, 2, NULL},
    {LITE, "numeric(5)", 0, 0, -1, "", WEFT_DECIMAL, 0, 0, 5, 0, NULL},
    {LITE, "numeric", 0, 0, -1, "", WEFT_DECIMAL, 0, 0, -1, -1, NULL},
    {LITE, "varchar(40)", 0, 0, -1, "", WEFT_TEXT, 0, 0, -1, -1, NULL},
    {LITE, "clob", 0, 0, -1, "", WEFT_TEXT, 0, 0, -1, -1, NULL},
    {LITE, "BLOB", 0, 0, -1, "", WEFT_BYTES, 0, 0, -1, -1, NULL},
    {LITE, "double precision", 0, 0, -1, "", WEFT_FLOAT, 0, 8, -1, -1, NULL},
    {LITE, "json", 0, 0, -1, "", WEFT_JSON, 0, 0, -1, -1, NULL},
    {LITE, "datetime", 0, 0, -1, "", WEFT_ANY, 0, 0, -1, -1, NULL},
    {LITE, "point", 0, 0, -1, "", WEFT_ANY, 0, 0, -1, -1, NULL},
    {LITE, "", 0, 0, -1, "", WEFT_ANY, 0, 0, -1, -1, NULL},
};

static void type_is(const struct type_case *c) {
  struct weft_catalog_type t = {weft_slice_of(c->declared), c->oid, c->elem, c->typmod,
                                weft_slice_of(c->kind)};
  struct weft_column_type out;
  c->d->column_type(&t, &out);
  expect_int(out.type, c->type);
  expect_int(out.elem, c->elem_type);
  expect_int(out.size, c->size);
  expect_int(out.precision, c->precision);
  expect_int(out.scale, c->scale);
  expect_int(out.oid, c->oid);
  if (!c->cast) return;
  struct weft_buf name;
  weft_buf_init(&name);
  expect_int(weft_postgres_type_name(&name, &out, t.declared), *c->cast != 0);
  expect_str(weft_buf_cstr(&name), c->cast);
  weft_buf_release(&name);
}

static const char create[] =
    "CREATE TABLE t(id integer primary key, name text not null collate NoCase /* , */ default ',',"
    " \"odd \"\"x\" varchar(20, 3) default (lower('a') collate nocase) COLLATE 'RTRIM',"
    " [br] text collate binary, `own` text collate mine,"
    " e text check (e collate nocase <> ','), \"Id2\" int, unique(name collate rtrim))";

static const struct collation_case {
  const char *told, *name;
  int want;
} collations[] = {
    {"binary", "x", WEFT_COLLATE_BINARY},      {create, "id", WEFT_COLLATE_BINARY},
    {create, "name", WEFT_COLLATE_NOCASE},     {create, "NAME", WEFT_COLLATE_NOCASE},
    {create, "odd \"x", WEFT_COLLATE_RTRIM},   {create, "br", WEFT_COLLATE_BINARY},
    {create, "own", WEFT_COLLATE_UNKNOWN},     {create, "e", WEFT_COLLATE_BINARY},
    {create, "id2", WEFT_COLLATE_BINARY},      {create, "nothing", WEFT_COLLATE_UNKNOWN},
    {"unknown", "x", WEFT_COLLATE_UNKNOWN},    {"create table t(a 'x", "a", WEFT_COLLATE_BINARY},
    {"create table x as select 1 collate nocase", "a", WEFT_COLLATE_UNKNOWN},
};

int main(void) {
  describe("a column's type") {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
      it(types[i].declared) { type_is(&types[i]); }
  }
  describe("a column's collation") {
    for (size_t i = 0; i < sizeof collations / sizeof *collations; i++)
      it(collations[i].name) {
        expect_int(LITE->collation(weft_slice_of(collations[i].told),
                                   weft_slice_of(collations[i].name)),
                   collations[i].want);
      }
    it("is told by PostgreSQL in a word") {
      expect_int(PG->collation(WEFT_LIT("binary"), WEFT_LIT("x")), WEFT_COLLATE_BINARY);
      expect_int(PG->collation(WEFT_LIT("equal"), WEFT_LIT("x")), WEFT_COLLATE_EQUAL);
      expect_int(PG->collation(WEFT_LIT("unknown"), WEFT_LIT("x")), WEFT_COLLATE_UNKNOWN);
      expect_int(PG->collation(WEFT_LIT(""), WEFT_LIT("x")), WEFT_COLLATE_UNKNOWN);
    }
  }
  describe("dialects") {
    it("are found by name") {
      expect(weft_dialect_find("postgres") == PG);
      expect(weft_dialect_find("sqlite") == LITE);
      expect(weft_dialect_find("oracle") == NULL);
    }
    it("begin transactions in their own words") {
      expect_str(PG->begin[0][0], "begin");
      expect_str(PG->begin[1][3], "begin isolation level serializable read only");
      expect_str(LITE->begin[0][3], "begin immediate");
      expect_str(LITE->begin[1][0], "begin deferred");
    }
  }
  build_end();
  return spec_end();
}
