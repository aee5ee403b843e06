/* SPDX-License-Identifier: MIT */
/* JSON: what is read is written again, and reads the same. */
#include "buf.h"
#include "fuzz.h"
#include "json.h"

static void write_event(struct weft_buf *out, const struct weft_json_reader *r, int event) {
  static const char brackets[] = "[]{}";
  if (event == WEFT_JSON_NULL) weft_buf_lit(out, "null");
  else if (event == WEFT_JSON_BOOL) weft_json_value(out, r->value);
  else if (event == WEFT_JSON_NUMBER && r->value.type == WEFT_INT) weft_json_value(out, r->value);
  else if (event == WEFT_JSON_NUMBER) weft_buf_slice_add(out, r->text);
  else if (event == WEFT_JSON_STRING || event == WEFT_JSON_KEY) weft_json_string(out, r->text);
  else weft_buf_char(out, brackets[event - WEFT_JSON_ARRAY_BEGIN]);
}

static bool ends_value(int event) {
  return event != WEFT_JSON_KEY && event != WEFT_JSON_ARRAY_BEGIN && event != WEFT_JSON_OBJECT_BEGIN;
}

static bool begins(int event) { return event != WEFT_JSON_ARRAY_END && event != WEFT_JSON_OBJECT_END; }

/* 0, or -1 when it is no JSON. */
static int copy(struct weft_buf *out, struct weft_slice text) {
  struct weft_json_reader r;
  struct weft_error err;
  int event, before = WEFT_JSON_ARRAY_BEGIN;
  weft_json_reader_init(&r, text);
  while ((event = weft_json_read(&r, &err)) > WEFT_JSON_END) {
    if (before == WEFT_JSON_KEY) weft_buf_char(out, ':');
    else if (ends_value(before) && begins(event)) weft_buf_char(out, ',');
    write_event(out, &r, event);
    before = event;
  }
  weft_json_reader_release(&r);
  return event;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct weft_slice text = weft_slice((const char *)data, size);
  struct weft_buf once, twice;
  weft_buf_init(&once);
  weft_buf_init(&twice);
  int rc = copy(&once, text);
  MUST((rc == 0) == weft_json_valid(text));
  if (rc == 0) {
    MUST(copy(&twice, weft_buf_slice(&once)) == 0);
    MUST(weft_slice_equal(weft_buf_slice(&once), weft_buf_slice(&twice)));
  }
  weft_buf_release(&once);
  weft_buf_release(&twice);
  return 0;
}
