/* SPDX-License-Identifier: MIT */
/* A list of integers that is all a statement takes goes as so many placeholders, where the dialect wrote
   json_table: the server looks keys up faster than it reads JSON. Sizes are powers of two, filled up with the last
   integer, so that few statements are prepared. An empty list, one with NULL in it and a long one stay JSON. */
#include "mysql_many.h"

enum { LEAST = 8, MOST = 512 };

static const struct weft_slice head = WEFT_LIT("(select weft_v from json_table(?"), tail = WEFT_LIT(") as weft_list)");

/* What of the text is the list. */
static struct weft_slice find_list(struct weft_slice sql) {
  const char *from = memmem(sql.p, sql.n, head.p, head.n), *to;
  if (!from) return weft_slice(NULL, 0);
  to = memmem(from, (size_t)(sql.p + sql.n - from), tail.p, tail.n);
  return to ? weft_slice(from, (size_t)(to + tail.n - from)) : weft_slice(NULL, 0);
}

static bool all_integers(const struct weft_array *list) {
  for (uint32_t i = 0; i < list->n; i++)
    if (list->v[i].type != WEFT_INT) return false;
  return list->n > 0;
}

uint32_t weft_my_list_size(const struct weft_op *op) {
  const struct weft_plan *p = op->plan;
  uint32_t size = LEAST;
  if (p->nslots != 1 || !p->slots || p->slots->form != WEFT_SLOT_JSON_TEXT || op->repeat > 1) return 0;
  if (p->slots->type.type != WEFT_INT || op->params->type != WEFT_LIST) return 0;
  const struct weft_array *list = op->params->u.array;
  if (list->n > MOST || !all_integers(list) || !find_list(p->sql).n) return 0;
  while (size < list->n) size *= 2;
  return size;
}

struct weft_slice weft_my_list_text(struct weft_slice sql, uint32_t size, struct weft_arena *arena) {
  struct weft_slice list = find_list(sql);
  size_t before = (size_t)(list.p - sql.p);
  struct weft_buf b;
  weft_buf_init(&b);
  weft_buf_add(&b, sql.p, before);
  weft_buf_lit(&b, "(?");
  for (uint32_t i = 1; i < size; i++) weft_buf_lit(&b, ",?");
  weft_buf_lit(&b, ")");
  weft_buf_add(&b, list.p + list.n, sql.n - before - list.n);
  struct weft_slice text = weft_slice(weft_arena_copy(arena, b.p, b.n), b.n);
  weft_buf_release(&b);
  return text;
}

const struct weft_value *weft_my_list_values(const struct weft_op *op, uint32_t size, struct weft_arena *arena) {
  const struct weft_array *list = op->params->u.array;
  struct weft_value *v = weft_arena_alloc(arena, size * sizeof *v);
  for (uint32_t i = 0; i < size; i++) v[i] = list->v[i < list->n ? i : list->n - 1];
  return v;
}
