/* SPDX-License-Identifier: MIT */
/* The renderer's inside, for render*.c and the dialects' hooks. A renderer writes one plan: text
   goes to out, parameters become slots in the order in which they are written. Failure is sticky:
   write freely, the caller asks once. */
#ifndef WEFT_RENDER_H
#define WEFT_RENDER_H

#include "plan.h"

#pragma GCC visibility push(default)

struct weft_renderer {
  const struct weft_dialect *d;
  struct weft_buf *out;
  struct weft_arena *arena;        /* the plan's */
  const struct weft_parts *parts;
  struct weft_slot *slots;
  uint32_t nslots, cap;
  struct weft_slice qualify;       /* written before names of parts' own columns when not empty */
  const struct weft_slice *joined; /* what parts->joins are called here */
  uint32_t naliases;               /* of joined and inner tables: j1, j2 ... unique in the statement */
  bool aliases;                    /* a name may be an alias of the select list */
  uint32_t flags;                  /* WEFT_PLAN_RAW once raw text was written */
  bool failed;
  struct weft_error *err;
};

/* Sets the error once. */
void weft_render_fail(struct weft_renderer *r, enum weft_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A query inside: what is written between enter and leave speaks of parts, whose own table is called
   qualify (empty: its name goes without saying). */
struct weft_scope {
  const struct weft_parts *parts;
  struct weft_slice qualify;
  const struct weft_slice *joined;
  bool aliases;
};
struct weft_scope weft_render_enter(struct weft_renderer *r, const struct weft_parts *parts,
                                    struct weft_slice qualify);
void weft_render_leave(struct weft_renderer *r, struct weft_scope outer);
/* A name that no other table of the statement has. */
struct weft_slice weft_render_alias(struct weft_renderer *r);

#define weft_render_lit(r, s) weft_buf_lit((r)->out, s)
void weft_render_name(struct weft_renderer *r, struct weft_slice name);
/* A string literal that is the same text whatever the session's settings. */
void weft_render_literal(struct weft_renderer *r, struct weft_slice s);
void weft_render_table(struct weft_renderer *r, const struct weft_table *t);
/* A column's name: the only place that knows when its table has to be said as well. always: say it. */
void weft_render_reference(struct weft_renderer *r, const struct weft_expr *column, bool always);

/* A placeholder. With numbered placeholders the same source in the same type and form is the same
   number; without, it is bound again. column: for messages, NULL: none. */
void weft_render_param(struct weft_renderer *r, uint32_t source,
                       const struct weft_column_type *type, const struct weft_table_column *column,
                       enum weft_slot_form form);

/* What a parameter beside an operand should be: the column's type, a count, or WEFT_ANY. */
struct weft_typed {
  const struct weft_column_type *type;
  const struct weft_table_column *column; /* NULL: none */
};
struct weft_typed weft_render_type(const struct weft_renderer *r, const struct weft_expr *e);
/* Of parts' own table; NULL: it is not known. */
const struct weft_table_column *weft_render_column(const struct weft_renderer *r,
                                                   struct weft_slice name);

void weft_render_operand(struct weft_renderer *r, const struct weft_expr *e);
/* A parameter or any other operand, on the side that takes its type from the other one. */
void weft_render_right(struct weft_renderer *r, const struct weft_expr *e, struct weft_typed as);
/* The left side of a comparison with right; returns what right's parameters become. */
struct weft_typed weft_render_left(struct weft_renderer *r, const struct weft_expr *x,
                                   const struct weft_expr *right);
void weft_render_condition(struct weft_renderer *r, const struct weft_expr *e);
/* What a column is set to. */
void weft_render_assigned(struct weft_renderer *r, const struct weft_item *it);
/* Which form of a path compares with this right side. Fails on lists of several JSON types. */
enum weft_path_as weft_render_path_as(struct weft_renderer *r, const struct weft_expr *right);
/* The expression that an alias stands for, or e. */
const struct weft_expr *weft_render_resolve(const struct weft_renderer *r,
                                            const struct weft_expr *e);

/* render_join.c */
/* " from table join ..." */
void weft_render_from(struct weft_renderer *r);
void weft_render_some(struct weft_renderer *r, const struct weft_expr *e);
void weft_render_query(struct weft_renderer *r, const struct weft_query *q);
/* Whether each part of the rows is limited by itself, and the select that does it. */
bool weft_render_is_parted(const struct weft_parts *p);
void weft_render_parted(struct weft_renderer *r);

/* render_select.c */
void weft_render_select(struct weft_renderer *r);
/* The selected columns, and their order. sub: an alias is not there to be named. */
void weft_render_list(struct weft_renderer *r);
void weft_render_order(struct weft_renderer *r, bool sub);
void weft_render_where(struct weft_renderer *r);
/* " where ... order by ... limit ..." of a select; order: whether it matters. */
void weft_render_tail(struct weft_renderer *r, bool order);
void weft_render_count(struct weft_renderer *r);
void weft_render_exists(struct weft_renderer *r);
void weft_render_aggregate(struct weft_renderer *r);

/* render_write.c */
void weft_render_insert(struct weft_renderer *r);
void weft_render_update(struct weft_renderer *r);
void weft_render_delete(struct weft_renderer *r);

/* Raw text, piece by piece (dialect_raw.c). */
enum weft_token {
  WEFT_TOKEN_END,
  WEFT_TOKEN_SPACE,  /* white space and comments */
  WEFT_TOKEN_WORD,
  WEFT_TOKEN_QUOTED, /* strings, quoted names, dollar quotes */
  WEFT_TOKEN_MARK,   /* ? */
  WEFT_TOKEN_MARKS,  /* ??, a question mark */
  WEFT_TOKEN_OWN,    /* the database's own placeholder */
  WEFT_TOKEN_OTHER
};
/* The token at *at, which moves behind it; -1 with WEFT_USAGE on an unterminated quote or comment or a
   zero byte. */
int weft_token(const struct weft_dialect *d, struct weft_slice text, size_t *at,
               struct weft_slice *piece, struct weft_error *err);

#pragma GCC visibility pop

#endif
