/* SPDX-License-Identifier: MIT */
/* PostgreSQL's decoders, encoders and messages, without a server. Expected bytes are what a server
   sends and takes; the suites on a real one prove the same values end to end. */
#include "spec.h"

/* The driver's symbols are hidden in its shared object; these files need no client library. */
#include "driver/postgres_types.c"

#include "driver/postgres_encode.c"
#include "driver/postgres_message.c"
#include "driver/postgres_number.c"
#include "driver/postgres_text.c"

#include "json.h"

static struct weft_arena arena;
static struct weft_buf shown;

/* A value as JSON, with its type before it: "integer 5". */
static const char *show(struct weft_value v) {
  weft_buf_reset(&shown);
  weft_buf_str(&shown, weft_type_name(v.type));
  weft_buf_char(&shown, ' ');
  weft_json_value(&shown, v);
  return weft_buf_cstr(&shown);
}

static const char *decode(uint32_t oid, bool binary, const char *p, size_t n) {
  struct weft_value v = weft_null();
  return weft_pg_cell(weft_pg_column(oid), binary, &arena, p, (uint32_t)n, &v) ? show(v)
                                                                               : "refused";
}

static const char *text(uint32_t oid, const char *p) {
  return decode(oid, false, p, strlen(p));
}

#define BINARY(oid, bytes) decode((oid), true, (bytes), sizeof(bytes) - 1)

static void binary_scalars(void) {
  describe ("a binary cell") {
    it ("is an integer of two, four or eight bytes") {
      expect_str(BINARY(PG_INT2, "\xff\xfe"), "integer -2");
      expect_str(BINARY(PG_INT4, "\x00\x01\x00\x00"), "integer 65536");
      expect_str(BINARY(PG_INT8, "\x7f\xff\xff\xff\xff\xff\xff\xff"),
                 "integer 9223372036854775807");
      expect_str(BINARY(PG_OID, "\xff\xff\xff\xff"), "integer 4294967295");
    }
    it ("is a boolean, bytes, json, a uuid") {
      expect_str(BINARY(PG_BOOL, "\x01"), "boolean true");
      expect_str(BINARY(PG_BYTEA, "\x00\xff"), "bytes \"AP8=\"");
      expect_str(BINARY(PG_JSONB, "\x01{\"a\": 1}"), "json {\"a\": 1}");
      expect_str(
          BINARY(PG_UUID, "\x6f\x96\x19\xff\x8b\x86\xd0\x11\xb4\x2d\x00\xcf\x4f\xc9\x64\xff"),
          "uuid \"6f9619ff-8b86-d011-b42d-00cf4fc964ff\"");
    }
    it ("shows a float4 as the shortest decimal that is it") {
      expect_str(BINARY(PG_FLOAT4, "\x40\x48\xf5\xc3"), "float 3.14");
      expect_str(BINARY(PG_FLOAT4, "\x3d\xcc\xcc\xcd"), "float 0.1");
      expect_str(BINARY(PG_FLOAT4, "\x7f\x7f\xff\xff"), "float 3.4028235e+38");
      expect_str(BINARY(PG_FLOAT4, "\x00\x00\x00\x01"), "float 1e-45");
      expect_str(BINARY(PG_FLOAT8, "\x3f\xb9\x99\x99\x99\x99\x99\x9a"), "float 0.1");
    }
    it ("is a date, a time, a moment, an infinity") {
      expect_str(BINARY(PG_DATE, "\x00\x00\x22\x79"), "date \"2024-02-29\"");
      expect_str(BINARY(PG_DATE, "\x7f\xff\xff\xff"), "date \"infinity\"");
      expect_str(BINARY(PG_TIME, "\x00\x00\x00\x14\x1d\xd7\x60\x00"), "time \"24:00:00\"");
      expect_str(BINARY(PG_TIMESTAMP, "\x80\x00\x00\x00\x00\x00\x00\x00"),
                 "timestamp \"-infinity\"");
      expect_str(BINARY(PG_TIMESTAMPTZ, "\x00\x00\x00\x00\x00\x00\x00\x01"),
                 "timestamptz \"2000-01-01T00:00:00.000001Z\"");
    }
    it ("keeps a moment that microseconds since 1970 cannot count as text") {
      const char last[] =
          "\x7f\xff\xfe\x7f\x53\x6b\xe3\xff"; /* PostgreSQL's last microsecond but few */
      expect(strncmp(BINARY(PG_TIMESTAMP, last), "text \"+2942", 11) == 0);
    }
    it ("is refused when its length is not its type's") {
      expect_str(BINARY(PG_INT4, "\x00\x01"), "refused");
      expect_str(BINARY(PG_UUID, "\x00"), "refused");
      expect_str(BINARY(PG_BOOL, ""), "refused");
      expect_str(BINARY(PG_JSONB, "\x02{}"), "refused");
      expect_str(BINARY(PG_TIME, "\xff\xff\xff\xff\xff\xff\xff\xff"), "refused");
    }
    it ("of an unknown type is refused, its text is text") {
      expect_str(BINARY(99999, "x"), "refused");
      expect_str(text(99999, "happy"), "text \"happy\"");
    }
  }
}

static void numerics(void) {
  describe ("a numeric") {
    it ("is exact in binary") {
      expect_str(BINARY(PG_NUMERIC, "\0\x02\0\0\0\0\0\x02\0\x01\x03\xe8"), "decimal 1.10");
      expect_str(BINARY(PG_NUMERIC, "\0\x01\xff\xff\x40\x00\0\x03\0\x0a"), "decimal -0.001");
      expect_str(BINARY(PG_NUMERIC, "\0\0\0\0\0\0\0\x02"), "decimal 0.00");
      expect_str(BINARY(PG_NUMERIC, "\0\x01\0\x01\0\0\0\0\0\x01"), "decimal 10000");
    }
    it ("is text beyond 38 digits, and where it is no number") {
      expect_str(BINARY(PG_NUMERIC, "\0\x01\0\x0a\0\0\0\0\0\x0c"),
                 "text \"120000000000000000000000000000000000000000\"");
      expect_str(BINARY(PG_NUMERIC, "\0\0\0\0\xc0\0\0\0"), "text \"NaN\"");
      expect_str(BINARY(PG_NUMERIC, "\0\0\0\0\xf0\0\0\0"), "text \"-Infinity\"");
      expect_str(text(PG_NUMERIC, "NaN"), "text \"NaN\"");
    }
    it ("keeps its scale in text form") {
      expect_str(text(PG_NUMERIC, "1.10"), "decimal 1.10");
      expect_str(text(PG_NUMERIC, "-0.001"), "decimal -0.001");
    }
    it ("is refused when digits are missing or wrong") {
      expect_str(BINARY(PG_NUMERIC, "\0\x02\0\0\0\0\0\0\0\x01"), "refused");
      expect_str(BINARY(PG_NUMERIC, "\0\x01\0\0\0\0\0\0\x27\x10"), "refused");
      expect_str(BINARY(PG_NUMERIC, "\0\x01"), "refused");
    }
  }
}

static void text_cells(void) {
  static const struct row {
    uint32_t oid;
    const char *in, *out;
  } rows[] = {
      {PG_BOOL, "t", "boolean true"},
      {PG_BOOL, "x", "refused"},
      {PG_INT4, "-5", "integer -5"},
      {PG_INT4, "5x", "refused"},
      {PG_FLOAT4, "3.14", "float 3.14"},
      {PG_FLOAT8, "-Infinity", "float null"},
      {PG_BYTEA, "\\x00ff", "bytes \"AP8=\""},
      {PG_BYTEA, "a\\\\\\377", "bytes \"YVz/\""},
      {PG_BYTEA, "\\xz", "refused"},
      {PG_DATE, "2024-02-29", "date \"2024-02-29\""},
      {PG_DATE, "0044-03-15 BC", "date \"-0043-03-15\""},
      {PG_DATE, "infinity", "date \"infinity\""},
      {PG_DATE, "29.02.2024", "refused"},
      {PG_TIME, "12:34:56.7", "time \"12:34:56.700000\""},
      {PG_TIMESTAMP, "20000-01-01 00:00:00", "timestamp \"+20000-01-01T00:00:00\""},
      {PG_TIMESTAMPTZ, "2024-02-29 12:34:56+09", "timestamptz \"2024-02-29T03:34:56Z\""},
      {PG_TIMESTAMPTZ, "2024-02-29 12:34:56.5-03:30",
       "timestamptz \"2024-02-29T16:04:56.500000Z\""},
      {PG_TIMESTAMPTZ, "1850-01-01 09:18:59+09:18:59", "timestamptz \"1850-01-01T00:00:00Z\""},
      {PG_TIMESTAMPTZ, "4713-01-02 00:00:00+00 BC", "timestamptz \"-4712-01-02T00:00:00Z\""},
      {PG_TIMESTAMPTZ, "294277-01-01 08:59:59+09", "text \"+294276-12-31T23:59:59Z\""},
      {PG_TIMESTAMPTZ, "2024-02-29 12:34:56", "refused"},
      {PG_INTERVAL, "1 day", "interval \"1 day\""},
      {1007, "{1,NULL,3}", "array [1,null,3]"},
      {1007, "[0:1]={1,2}", "array [1,2]"},
      {1007, "{{1,2},{3,4}}", "array [[1,2],[3,4]]"},
      {1009, "{}", "array []"},
      {1009, "{\"a,b\",NULL,\"NULL\",\"q\\\"\\\\\"}",
       "array [\"a,b\",null,\"NULL\",\"q\\\"\\\\\"]"},
      {1007, "{1,2", "refused"},
      {1007, "{1,}x", "refused"},
      {1007, "{{{{{{{1}}}}}}}", "refused"},
      {1009, "{\"a", "refused"},
      {1009, "{\"a\\", "refused"},
  };
  describe ("a text cell") {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
      it (rows[i].in) expect_str(text(rows[i].oid, rows[i].in), rows[i].out);
  }
}

static void intervals(void) {
  describe ("a binary interval") {
    it ("is written as intervalstyle postgres writes it") {
      expect_str(BINARY(PG_INTERVAL, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "interval \"00:00:00\"");
      expect_str(BINARY(PG_INTERVAL, "\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x0e"),
                 "interval \"1 year 2 mons 1 day\"");
      expect_str(BINARY(PG_INTERVAL, "\0\0\0\0\0\x1e\x84\x80\xff\xff\xff\xff\0\0\0\0"),
                 "interval \"-1 days +00:00:02\"");
      expect_str(BINARY(PG_INTERVAL, "\xff\xff\xff\xff\xff\xf8\x5e\xe0\0\0\0\0\0\0\0\0"),
                 "interval \"-00:00:00.5\"");
    }
  }
}

static void binary_arrays(void) {
  describe ("a binary array") {
    it ("has its elements and NULLs") {
      expect_str(BINARY(1007, "\0\0\0\x01\0\0\0\x01\0\0\0\x17\0\0\0\x02\0\0\0\x01"
                              "\0\0\0\x04\0\0\0\x07\xff\xff\xff\xff"),
                 "array [7,null]");
      expect_str(BINARY(1007, "\0\0\0\0\0\0\0\0\0\0\0\x17"), "array []");
    }
    it ("nests by its dimensions") {
      expect_str(BINARY(1000, "\0\0\0\x02\0\0\0\0\0\0\0\x10\0\0\0\x02\0\0\0\x01\0\0\0\x01\0\0\0\x01"
                              "\0\0\0\x01\x01\0\0\0\x01\0"),
                 "array [[true],[false]]");
    }
    it ("is refused when its claims pass its bytes") {
      expect_str(BINARY(1007, "\0\0\0\x01\0\0\0\0\0\0\0\x17\x7f\xff\xff\xff\0\0\0\x01"), "refused");
      expect_str(BINARY(1007, "\0\0\0\x07\0\0\0\0\0\0\0\x17"), "refused");
      expect_str(BINARY(1007, "\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x01\0\0\0\x01\0\0\0\0"),
                 "refused");
      expect_str(BINARY(1007, "\0\0\0\x01\0\0\0\0\0\0\0\x17\0\0\0\x01\0\0\0\x01\0\0\0\x09\0"),
                 "refused");
      expect_str(BINARY(1007, "\0\0"), "refused");
    }
  }
}

/* ---- parameters ---- */
static struct weft_pg_params params;
static struct weft_error err;

static struct weft_slot slot_of(uint32_t oid, uint8_t type) {
  return (struct weft_slot){.type = {.type = type, .oid = oid, .precision = -1, .scale = -1}};
}

static bool encode_as(struct weft_slot slot, struct weft_value v) {
  return weft_pg_encode(&params, &slot, 1, &v, 1, &err) == 0;
}

static bool sent_binary(const char *bytes, size_t n) {
  return params.formats[0] == 1 && params.lengths[0] == (int)n &&
         memcmp(params.values[0], bytes, n) == 0;
}

/* What a slot without a type sends. */
static const char *inferred(struct weft_value v) {
  if (weft_pg_encode(&params, NULL, 0, &v, 1, &err) != 0) return "refused";
  return params.formats[0] == 0 && params.types[0] == 0 ? params.values[0] : "binary";
}

static struct weft_value list_of(uint8_t type, struct weft_value *v, uint32_t n) {
  struct weft_array *a = weft_arena_alloc(&arena, sizeof *a + n * sizeof *v);
  a->n = n;
  a->elem = v[0].type;
  memcpy(a->v, v, n * sizeof *v);
  return (struct weft_value){.type = type, .u.array = a};
}

#define BYTES(s) sent_binary((s), sizeof(s) - 1)

static void typed_parameters(void) {
  describe ("a parameter of a typed slot") {
    it ("is sent in binary with its oid") {
      expect(encode_as(slot_of(PG_INT4, WEFT_INT), weft_int(-2)) && BYTES("\xff\xff\xff\xfe"));
      expect_int(params.types[0], PG_INT4);
      expect(encode_as(slot_of(PG_INT2, WEFT_INT), weft_int(5)) && BYTES("\0\x05"));
      expect(encode_as(slot_of(PG_BOOL, WEFT_BOOL), weft_bool(true)) && BYTES("\x01"));
      expect(encode_as(slot_of(PG_FLOAT8, WEFT_FLOAT), weft_float(1)) &&
             BYTES("\x3f\xf0\0\0\0\0\0\0"));
      expect(encode_as(slot_of(PG_TEXT, WEFT_TEXT), weft_text("a\0b", 3)) && BYTES("a\0b"));
      struct weft_value day = {.type = WEFT_DATE, .u.i = WEFT_INFINITY};
      expect(encode_as(slot_of(PG_DATE, WEFT_DATE), day) && BYTES("\x7f\xff\xff\xff"));
      struct weft_value uuid = {
          .type = WEFT_UUID, .n = 36, .u.s = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"};
      expect(encode_as(slot_of(PG_UUID, WEFT_UUID), uuid) &&
             BYTES("\x6f\x96\x19\xff\x8b\x86\xd0\x11\xb4\x2d\x00\xcf\x4f\xc9\x64\xff"));
    }
    it ("is text where its binary form cannot hold it, for the server to refuse") {
      expect(encode_as(slot_of(PG_INT2, WEFT_INT), weft_int(70000)));
      expect(params.formats[0] == 0);
      expect_str(params.values[0], "70000");
    }
    it ("is NULL when it is") {
      expect(encode_as(slot_of(PG_INT4, WEFT_INT), weft_null()));
      expect(params.values[0] == NULL && params.types[0] == PG_INT4);
    }
    it ("is text with its oid when the type has no binary form here") {
      struct weft_decimal d;
      weft_decimal_parse(WEFT_LIT("1.10"), &d);
      struct weft_value v = {.type = WEFT_DECIMAL, .u.dec = &d};
      expect(encode_as(slot_of(PG_NUMERIC, WEFT_DECIMAL), v) && params.types[0] == PG_NUMERIC);
      expect_str(params.values[0], "1.10");
    }
    it ("is an array when the slot takes a list") {
      struct weft_slot slot = slot_of(PG_INT4, WEFT_INT);
      slot.form = WEFT_SLOT_ARRAY;
      struct weft_value v[] = {weft_int(7), weft_null()};
      expect(encode_as(slot, list_of(WEFT_LIST, v, 2)));
      expect_int(params.types[0], 1007);
      expect(BYTES("\0\0\0\x01\0\0\0\x01\0\0\0\x17\0\0\0\x02\0\0\0\x01\0\0\0\x04\0\0\0\x07\xff\xff"
                   "\xff\xff"));
      expect_str(decode(1007, true, params.values[0], (size_t)params.lengths[0]), "array [7,null]");
    }
    it ("is a text array of literals when the list is one of arrays") {
      struct weft_slot slot = slot_of(1007, WEFT_ARRAY);
      slot.form = WEFT_SLOT_ARRAY_TEXT;
      struct weft_value v[] = {weft_int(1), weft_int(2)};
      struct weft_value lists[] = {list_of(WEFT_ARRAY, v, 2), weft_null()};
      expect(encode_as(slot, list_of(WEFT_LIST, lists, 2)));
      expect_int(params.types[0], 1009);
      expect_str(params.values[0], "{\"{1,2}\",NULL}");
    }
  }
}

static void inferred_parameters(void) {
  describe ("a parameter that the server infers") {
    it ("is text with oid 0") {
      expect_str(inferred(weft_int(INT64_MIN)), "-9223372036854775808");
      expect_str(inferred(weft_bool(false)), "f");
      expect_str(inferred(weft_float(0.1)), "0.1");
      expect_str(inferred(weft_float(2)), "2");
      expect_str(inferred(weft_float(-INFINITY)), "-Infinity");
      expect_str(inferred(weft_float(NAN)), "NaN");
      expect_str(inferred(weft_text("", 0)), "");
      expect_str(inferred((struct weft_value){.type = WEFT_BYTES, .n = 2, .u.s = "\0\xff"}),
                 "\\x00ff");
    }
    it ("writes years before 1 as PostgreSQL reads them") {
      expect_str(inferred((struct weft_value){.type = WEFT_DATE, .u.i = -719529}), "0002-12-31 BC");
      expect_str(inferred((struct weft_value){.type = WEFT_DATE, .u.i = -719163}), "0001-12-31 BC");
    }
    it ("quotes the elements of an array") {
      struct weft_value v[] = {weft_text("a\"b\\", 4), weft_null(), weft_text("", 0),
                               weft_text("NULL", 4)};
      expect_str(inferred(list_of(WEFT_ARRAY, v, 4)), "{\"a\\\"b\\\\\",NULL,\"\",\"NULL\"}");
    }
    it ("is never cut at a zero byte") {
      expect_str(inferred(weft_text("a\0b", 3)), "refused");
      expect_int(err.kind, WEFT_TYPE);
    }
  }
  describe ("parameters") {
    it ("number 65535 at most") {
      struct weft_value *v = weft_zalloc(65536 * sizeof *v);
      expect_int(weft_pg_encode(&params, NULL, 0, v, 65535, &err), 0);
      expect_int(weft_pg_encode(&params, NULL, 0, v, 65536, &err), -1);
      expect_int(err.kind, WEFT_USAGE);
      free(v);
    }
    it ("beyond the size of a message are a type error before anything is copied") {
      struct weft_value v = weft_text("x", 1);
      v.n = 1u << 30;
      expect_int(weft_pg_encode(&params, NULL, 0, &v, 1, &err), -1);
      expect_int(err.kind, WEFT_TYPE);
    }
  }
}

static const char *scrubbed(const char *state, const char *message, struct weft_value v) {
  static char out[200];
  snprintf(out, sizeof out, "%s", message);
  weft_pg_scrub(out, state, &v, 1);
  return out;
}

static void messages(void) {
  describe ("an error") {
    it ("has the kind of its SQLSTATE") {
      static const struct {
        const char *state;
        enum weft_kind kind;
      } rows[] = {
          {"23505", WEFT_UNIQUE},       {"23503", WEFT_FOREIGN_KEY},   {"23502", WEFT_NOT_NULL},
          {"23514", WEFT_CHECK},        {"22P02", WEFT_TYPE},          {"42601", WEFT_SYNTAX},
          {"42P01", WEFT_SYNTAX},       {"40001", WEFT_SERIALIZATION}, {"40P01", WEFT_DEADLOCK},
          {"55P03", WEFT_LOCK_TIMEOUT}, {"57014", WEFT_TIMEOUT},       {"28P01", WEFT_AUTH},
          {"57P01", WEFT_DISCONNECT},   {"08006", WEFT_DISCONNECT},    {"0A000", WEFT_UNSUPPORTED},
          {"25P02", WEFT_USAGE},        {"XX000", WEFT_INTERNAL}};
      for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_int(weft_pg_kind_of(rows[i].state), rows[i].kind);
    }
    it ("loses the values that its message quotes") {
      struct weft_value none = weft_null();
      expect_str(scrubbed("22P02", "invalid input syntax for type integer: \"s3cret\"", none),
                 "invalid input syntax for type integer");
      expect_str(scrubbed("22003", "value \"99999999999\" is out of range for type integer", none),
                 "value is out of range for type integer");
      expect_str(scrubbed("22021", "invalid byte sequence for encoding \"UTF8\": 0xff", none),
                 "invalid byte sequence for encoding");
      expect_str(scrubbed("P0001", "user s3cret is unknown", weft_text("s3cret", 6)), "user ...");
    }
    it ("keeps names") {
      expect_str(scrubbed("23505", "duplicate key value violates unique constraint \"t_pkey\"",
                          weft_text("t_pkey", 6)),
                 "duplicate key value violates unique constraint \"t_pkey\"");
    }
    it ("is one line") {
      char out[100];
      weft_pg_tidy("connection to server failed: FATAL:  no\tsuch \n\tIs it running?\n", out,
                   sizeof out);
      expect_str(out, "no such");
    }
  }
}

int main(void) {
  weft_arena_init(&arena, NULL, 0);
  weft_buf_init(&shown);
  weft_pg_params_init(&params);
  binary_scalars();
  numerics();
  text_cells();
  intervals();
  binary_arrays();
  typed_parameters();
  inferred_parameters();
  messages();
  weft_pg_params_release(&params);
  weft_buf_release(&shown);
  weft_arena_release(&arena);
  return spec_end();
}
