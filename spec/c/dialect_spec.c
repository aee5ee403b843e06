/* SPDX-License-Identifier: MIT */
#include "build.h"
#include "dialect_catalog.h"

#define PG (&weft_dialect_postgres)
#define LITE (&weft_dialect_sqlite)
#define MY (&weft_dialect_mysql)

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
    {MY, "tinyint(1)", 0, 0, -1, "tinyint", WEFT_BOOL, 0, 0, -1, -1, NULL},
    {MY, "tinyint(4)", 0, 0, -1, "tinyint", WEFT_INT, 0, 2, -1, -1, NULL},
    {MY, "smallint(5) unsigned", 0, 0, -1, "smallint", WEFT_INT, 0, 4, -1, -1, NULL},
    {MY, "int(10) unsigned", 0, 0, -1, "int", WEFT_INT, 0, 8, -1, -1, NULL},
    {MY, "int", 0, 0, -1, "int", WEFT_INT, 0, 4, -1, -1, NULL},
    {MY, "bigint(20)", 0, 0, -1, "bigint", WEFT_INT, 0, 8, -1, -1, NULL},
    {MY, "bigint(20) unsigned", 0, 0, -1, "bigint", WEFT_DECIMAL, 0, 0, 20, 0, NULL},
    {MY, "bit(63)", 0, 0, -1, "bit", WEFT_INT, 0, 8, -1, -1, NULL},
    {MY, "bit(64)", 0, 0, -1, "bit", WEFT_DECIMAL, 0, 0, 20, 0, NULL},
    {MY, "year(4)", 0, 0, -1, "year", WEFT_INT, 0, 2, -1, -1, NULL},
    {MY, "decimal(65,38) unsigned zerofill", 0, 0, -1, "decimal", WEFT_DECIMAL, 0, 65, 65, 38, NULL},
    {MY, "float", 0, 0, -1, "float", WEFT_FLOAT, 0, 4, -1, -1, NULL},
    {MY, "double unsigned", 0, 0, -1, "double", WEFT_FLOAT, 0, 8, -1, -1, NULL},
    {MY, "varchar(80) collate utf8mb4_bin", 0, 0, -1, "varchar", WEFT_TEXT, 0, 0, 80, -1, NULL},
    {MY, "enum('a(1','b') collate utf8mb4_bin", 0, 0, -1, "enum", WEFT_TEXT, 0, 0, -1, -1, NULL},
    {MY, "longtext collate utf8mb4_bin", 0, 0, -1, "longtext", WEFT_TEXT, 0, 0, -1, -1, NULL},
    {MY, "longtext collate utf8mb4_bin", 0, 0, -1, "json", WEFT_JSON, 0, 0, -1, -1, NULL},
    {MY, "varbinary(16)", 0, 0, -1, "varbinary", WEFT_BYTES, 0, 0, -1, -1, NULL},
    {MY, "datetime(6)", 0, 0, -1, "datetime", WEFT_TIMESTAMP, 0, 0, -1, -1, NULL},
    {MY, "timestamp", 0, 0, -1, "timestamp", WEFT_TIMESTAMPTZ, 0, 0, -1, -1, NULL},
    {MY, "uuid", 0, 0, -1, "uuid", WEFT_UUID, 0, 0, -1, -1, NULL},
    {MY, "point", 0, 0, -1, "point", WEFT_ANY, 0, 0, -1, -1, NULL},
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
  describe("MySQL's collations") {
    static const struct collation_case named[] = {
        {"binary", "x", WEFT_COLLATE_BINARY},          {"utf8mb4_nopad_bin", "x", WEFT_COLLATE_BINARY},
        {"utf8mb4_0900_bin", "x", WEFT_COLLATE_BINARY}, {"utf8mb4_bin", "x", WEFT_COLLATE_RTRIM},
        {"utf8mb3_bin", "x", WEFT_COLLATE_RTRIM},      {"ascii_bin", "x", WEFT_COLLATE_RTRIM},
        {"latin1_bin", "x", WEFT_COLLATE_UNKNOWN},     {"utf8mb4_general_ci", "x", WEFT_COLLATE_UNKNOWN},
        {"utf8mb4_0900_as_cs", "x", WEFT_COLLATE_UNKNOWN}, {"", "x", WEFT_COLLATE_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
      it(named[i].told) {
        expect_int(MY->collation(weft_slice_of(named[i].told), weft_slice_of(named[i].name)), named[i].want);
      }
  }
  describe("dialects") {
    it("are found by name") {
      expect(weft_dialect_find("postgres") == PG);
      expect(weft_dialect_find("sqlite") == LITE);
      expect(weft_dialect_find("mysql") == MY);
      expect(weft_dialect_find("oracle") == NULL);
    }
    it("begin transactions in their own words") {
      expect_str(PG->begin[0][0], "begin");
      expect_str(PG->begin[1][3], "begin isolation level serializable read only");
      expect_str(LITE->begin[0][3], "begin immediate");
      expect_str(LITE->begin[1][0], "begin deferred");
      expect_str(MY->begin[0][0], "start transaction");
      expect_str(MY->begin[1][2],
                 "set transaction isolation level repeatable read; start transaction read only");
    }
  }
  build_end();
  return spec_end();
}
