/* SPDX-License-Identifier: MIT */
/* The whole text is read, because a key that occurs twice (databases differ in which one counts)
   and text that is no JSON (the statement fails) must both be seen. */
#include "eval_path.h"

#include "decimal.h"
#include "json.h"
#include "semantics.h"

struct search {
  struct weft_json_reader reader;
  struct weft_arena *arena;
  const struct weft_value *steps;
  uint32_t nsteps;
  struct weft_value found;
  bool digits;
};

static int next(struct search *s) {
  return weft_json_read(&s->reader, NULL);
}

static bool opens(int event) {
  return event == WEFT_JSON_ARRAY_BEGIN || event == WEFT_JSON_OBJECT_BEGIN;
}

/* Past the value that event began. */
static bool skip(struct search *s, int event) {
  int open = opens(event);
  while (open && (event = next(s)) > WEFT_JSON_END) {
    open += opens(event);
    open -= event == WEFT_JSON_ARRAY_END || event == WEFT_JSON_OBJECT_END;
  }
  return event > WEFT_JSON_END;
}

static bool keep_number(struct search *s) {
  struct weft_slice text = s->reader.text;
  struct weft_decimal *d = weft_arena_alloc(s->arena, sizeof *d);
  double f;
  s->found = s->reader.value;
  if (s->found.type == WEFT_INT) return true;
  s->digits = true;
  if (weft_decimal_parse(text, d) == 0)
    s->found = (struct weft_value){.type = WEFT_DECIMAL, .u.dec = d};
  else if (weft_float_parse(text, &f) == 0) s->found = weft_float(f);
  else return false;
  return true;
}

static bool keep(struct search *s, int event) {
  struct weft_slice text = s->reader.text;
  switch (event) {
  case WEFT_JSON_NULL:
    s->found = weft_null();
    return true;
  case WEFT_JSON_BOOL:
    s->found = s->reader.value;
    return true;
  case WEFT_JSON_NUMBER:
    return keep_number(s);
  case WEFT_JSON_STRING:
    s->found = weft_text(weft_arena_copy(s->arena, text.p, text.n), text.n);
    return !text.n || !memchr(text.p, 0, text.n);
  default:
    s->found = (struct weft_value){.type = WEFT_JSON};
    return skip(s, event);
  }
}

static bool find(struct search *s, uint32_t depth, int event);

static bool find_key(struct search *s, uint32_t depth) {
  struct weft_value step = s->steps[depth];
  bool seen = false;
  int event;
  while ((event = next(s)) == WEFT_JSON_KEY) {
    bool ours = weft_slice_equal(s->reader.text, weft_slice(step.u.s, step.n));
    if (ours && seen) return false;
    seen |= ours;
    event = next(s);
    if (event <= WEFT_JSON_END || !(ours ? find(s, depth + 1, event) : skip(s, event)))
      return false;
  }
  return event == WEFT_JSON_OBJECT_END;
}

static bool find_place(struct search *s, uint32_t depth) {
  int64_t place = 0;
  int event;
  while ((event = next(s)) > WEFT_JSON_END && event != WEFT_JSON_ARRAY_END) {
    bool ours = place++ == s->steps[depth].u.i;
    if (!(ours ? find(s, depth + 1, event) : skip(s, event))) return false;
  }
  return event == WEFT_JSON_ARRAY_END;
}

/* The value that event began, with the steps from depth on. A place in what is neither array nor
   object is nothing on one database and the value itself on another. */
static bool find(struct search *s, uint32_t depth, int event) {
  if (depth == s->nsteps) return keep(s, event);
  uint8_t step = s->steps[depth].type;
  if (step == WEFT_TEXT && event == WEFT_JSON_OBJECT_BEGIN) return find_key(s, depth);
  if (step == WEFT_INT && event == WEFT_JSON_ARRAY_BEGIN) return find_place(s, depth);
  return (step == WEFT_TEXT || opens(event)) && skip(s, event);
}

static bool has_type(struct weft_value v, enum weft_path_as as) {
  switch (as) {
  case WEFT_PATH_BARE:
    return true;
  case WEFT_PATH_NUMBER:
    return v.type == WEFT_INT || v.type == WEFT_FLOAT || v.type == WEFT_DECIMAL;
  case WEFT_PATH_TEXT:
    return v.type == WEFT_TEXT;
  case WEFT_PATH_BOOL:
    return v.type == WEFT_BOOL;
  default:
    return false;
  }
}

/* Steps from the end would need the length first. */
static bool from_the_end(const struct weft_expr *e) {
  for (uint32_t i = 0; i < e->npath; i++)
    if (e->path[i].type == WEFT_INT && e->path[i].u.i < 0) return true;
  return false;
}

bool weft_eval_path(const struct weft_dialect *d, const struct weft_expr *e, struct weft_value cell,
                    enum weft_path_as as, struct weft_arena *arena, struct weft_value *out,
                    bool *digits) {
  struct search s = {.arena = arena, .steps = e->path, .nsteps = e->npath, .found = weft_null()};
  struct weft_slice text = {cell.u.s, cell.n};
  if ((cell.type != WEFT_JSON && cell.type != WEFT_TEXT) || as == WEFT_PATH_JSON) return false;
  if (from_the_end(e) || text.n == 0) return false;
  if (!d->semantics->json_escapes && memchr(text.p, '\\', text.n)) return false;
  weft_json_reader_init(&s.reader, text);
  int event = next(&s);
  bool known = event > WEFT_JSON_END && find(&s, 0, event) && next(&s) == WEFT_JSON_END;
  weft_json_reader_release(&s.reader);
  *out = has_type(s.found, as) ? s.found : weft_null();
  *digits = s.digits;
  return known;
}
