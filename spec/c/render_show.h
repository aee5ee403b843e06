/* SPDX-License-Identifier: MIT */
/* A query as the text that render_spec compares: its SQL, where {rows} and {stored} stand for the
   two long lists of columns and ` for the quote of names, and its parameters. */
#ifndef WEFT_SPEC_RENDER_SHOW_H
#define WEFT_SPEC_RENDER_SHOW_H

#include "render_cases.h"

#define SHOW_HEAD \
  "`product_id`, `seller_id`, `title`, `sku`, `price`, `weight`, `stock`, `active`, `attrs`, "
#define SHOW_TAIL "`photo`, `tags`, `created_at`"

SPEC_UNUSED static void show_sql(struct weft_buf *out, char quote, const char *text) {
  static const char rows_text[] = SHOW_HEAD SHOW_TAIL;
  static const char stored_text[] = SHOW_HEAD "`body`, " SHOW_TAIL;
  struct weft_buf plain;
  weft_buf_init(&plain);
  for (; *text; text++) weft_buf_char(&plain, *text == quote ? '`' : *text);
  const char *sql = weft_buf_cstr(&plain);
  while (*sql) {
    if (!strncmp(sql, rows_text, sizeof rows_text - 1)) {
      weft_buf_str(out, "{rows}");
      sql += sizeof rows_text - 1;
    } else if (!strncmp(sql, stored_text, sizeof stored_text - 1)) {
      weft_buf_str(out, "{stored}");
      sql += sizeof stored_text - 1;
    } else {
      weft_buf_char(out, *sql++);
    }
  }
  weft_buf_release(&plain);
}

/* decimal 5|[integer 1, null]; bytes in hex */
SPEC_UNUSED static void show_value(struct weft_buf *out, struct weft_value v) {
  if (v.type == WEFT_LIST) {
    for (uint32_t i = 0; i < v.u.array->n; i++) {
      weft_buf_str(out, i ? ", " : "[");
      show_value(out, v.u.array->v[i]);
    }
    weft_buf_char(out, ']');
    return;
  }
  weft_buf_str(out, weft_type_name(v.type));
  if (v.type == WEFT_NULL) return;
  weft_buf_char(out, ' ');
  if (v.type != WEFT_BYTES) weft_value_text(out, v);
  else for (uint32_t i = 0; i < v.n; i++) weft_buf_fmt(out, "%02x", (unsigned char)v.u.s[i]);
}

SPEC_UNUSED static void show_query(const struct weft_dialect *d, const struct render_query *which,
                                   struct weft_buf *sql, struct weft_buf *params) {
  struct weft_table *t = products(d);
  struct weft_query *q = which->build(t);
  struct weft_plan *p = NULL;
  struct weft_arena arena;
  struct weft_error err;
  weft_error_clear(&err);
  weft_arena_init(&arena, NULL, 0);
  if (weft_plan_render(d, q, &p, &err)) {
    weft_buf_fmt(sql, "%s: %s", weft_kind_name(err.kind), err.message);
  } else {
    uint32_t n = p->nslots * weft_plan_runs(p, q);
    struct weft_value *v = weft_arena_alloc(&arena, (n + 1) * sizeof *v);
    show_sql(sql, d->quote, p->sql.p);
    if (weft_plan_bind(p, q, &arena, v, &err)) weft_buf_str(params, err.message);
    else
      for (uint32_t i = 0; i < n; i++) {
        if (i) weft_buf_char(params, '|');
        show_value(params, v[i]);
      }
  }
  weft_plan_unref(p);
  weft_arena_release(&arena);
  weft_query_unref(q);
  build_forget();
  weft_table_unref(t);
}

#endif
