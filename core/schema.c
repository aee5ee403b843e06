/* SPDX-License-Identifier: MIT */
/* What is known of tables: learned with one catalog statement when a relation is first used,
   forgotten after DDL, looked up again when a statement fails as if the table had changed.

   Invariants: at most one probe per relation is under way outside of transactions, and every call
   that waits for it is in relation->waiting. A call inside a transaction asks on its own
   connection: the table may exist only there, and the pool may have no other connection. A table
   that turns out to be what it was keeps its identity, so that plans stay good. */
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "db_private.h"

void weft_relation_forget(struct weft_relation *r) {
  r->again = r->probe != NULL; /* its answer may be older than the change */
  if (!r->table->known) return;
  weft_table_unref(r->last);
  r->last = r->table;
  r->table = weft_table_unknown(r->o.schema, r->o.table);
}

void weft_relation_free(struct weft_relation *r) {
  weft_table_unref(r->table);
  weft_table_unref(r->last);
  weft_arena_release(&r->arena);
  free(r);
}

/* ---- what the catalog says ---- */

enum catalog_column { /* see dialect.h */
                      NAME,
                      DECLARED,
                      OID,
                      ELEM_OID,
                      NOT_NULL,
                      HAS_DEFAULT,
                      GENERATED,
                      KEY,
                      UNIQUE,
                      COLLATION,
                      TYPMOD,
                      KIND,
                      CATALOG_COLUMNS
};

static struct weft_slice text(struct weft_value v) {
  return weft_is_text(v) ? weft_slice(v.u.s, v.n) : weft_slice(NULL, 0);
}

static int64_t number(struct weft_value v) {
  return v.type == WEFT_INT || v.type == WEFT_BOOL ? v.u.i : 0;
}

static void read_column(const struct weft_dialect *d, const struct weft_value *cell,
                        struct weft_table_column *out) {
  struct weft_catalog_type t = {.declared = text(cell[DECLARED]),
                                .oid = (uint32_t)number(cell[OID]),
                                .elem_oid = (uint32_t)number(cell[ELEM_OID]),
                                .typmod = (int32_t)number(cell[TYPMOD]),
                                .kind = text(cell[KIND])};
  *out = (struct weft_table_column){.name = text(cell[NAME]),
                                    .declared = t.declared,
                                    .nullable = !number(cell[NOT_NULL]),
                                    .has_default = number(cell[HAS_DEFAULT]),
                                    .generated = number(cell[GENERATED]),
                                    .key = (uint8_t)number(cell[KEY]),
                                    .unique = number(cell[UNIQUE])};
  d->column_type(&t, &out->type);
  out->collation = (uint8_t)d->collation(text(cell[COLLATION]), out->name);
}

static const char *column_name(const void *ud, size_t i, size_t *len) {
  const struct weft_table_column *c = ud;
  *len = c[i].name.n;
  return c[i].name.p;
}

/* A column that a model speaks of; -1 and a usage error when there is none. */
static int model_column(const struct weft_relation *r, const struct weft_table_column *c,
                        uint32_t n, struct weft_slice name, const char *where,
                        struct weft_error *err) {
  for (uint32_t i = 0; i < n; i++)
    if (weft_slice_equal(c[i].name, name)) return (int)i;
  size_t len;
  const char *near = weft_nearest(name.p, name.n, n, column_name, c, &len);
  if (!near)
    return weft_fail(err, WEFT_USAGE, "unknown column '%.*s' of %.*s in the model's %s",
                     (int)name.n, name.p, (int)r->o.table.n, r->o.table.p, where);
  return weft_fail(err, WEFT_USAGE,
                   "unknown column '%.*s' of %.*s in the model's %s; did you mean '%.*s'?",
                   (int)name.n, name.p, (int)r->o.table.n, r->o.table.p, where, (int)len, near);
}

static int apply_model(const struct weft_relation *r, struct weft_table_column *c, uint32_t n,
                       struct weft_error *err) {
  for (uint32_t i = 0; i < r->o.noverrides; i++) {
    const struct weft_override *o = &r->o.overrides[i];
    int at = model_column(r, c, n, o->name, "columns", err);
    if (at < 0) return -1;
    if (o->as == WEFT_AS_JSON) c[at].type.type = WEFT_JSON;
    c[at].as = o->as;
    c[at].lazy = o->lazy;
  }
  for (uint32_t i = 0; i < n; i++) {
    if (c[i].type.type == WEFT_DECIMAL && !c[i].as) c[i].as = r->o.decimals;
    if (c[i].type.type == WEFT_TIMESTAMP) c[i].type.zone_utc = r->o.zone_utc;
    c[i].type.clock = c[i].as == WEFT_AS_EPOCH ? 1 : c[i].as == WEFT_AS_US ? 1000000 : 0;
  }
  for (uint32_t i = 0; i < n && r->o.nkey; i++) c[i].key = 0;
  for (uint32_t i = 0; i < r->o.nkey; i++) {
    int at = model_column(r, c, n, r->o.key[i], "primary_key", err);
    if (at < 0) return -1;
    c[at].key = (uint8_t)(i + 1);
  }
  return 0;
}

/* The column that the model marks deleted rows in; -1: none. */
static int soft_column(const struct weft_relation *r, const struct weft_table_column *c, uint32_t n,
                       int *out, struct weft_error *err) {
  *out = r->o.soft.n ? model_column(r, c, n, r->o.soft, "soft_delete", err) : -1;
  return r->o.soft.n && *out < 0 ? -1 : 0;
}

static bool same_column(const struct weft_table_column *a, const struct weft_table_column *b) {
  const struct weft_column_type *x = &a->type, *y = &b->type;
  return weft_slice_equal(a->name, b->name) && weft_slice_equal(a->declared, b->declared) &&
         a->collation == b->collation && a->nullable == b->nullable &&
         a->has_default == b->has_default && a->generated == b->generated && a->key == b->key &&
         a->unique == b->unique && a->lazy == b->lazy && a->as == b->as && x->type == y->type &&
         x->elem == y->elem && x->size == y->size && x->oid == y->oid &&
         x->elem_oid == y->elem_oid && x->precision == y->precision && x->scale == y->scale &&
         x->zone_utc == y->zone_utc && x->clock == y->clock;
}

static bool same_table(const struct weft_table *a, const struct weft_table *b) {
  if (!a || !a->known || a->ncolumns != b->ncolumns || !weft_slice_equal(a->name, b->name))
    return false;
  for (uint32_t i = 0; i < a->ncolumns; i++)
    if (!same_column(&a->columns[i], &b->columns[i])) return false;
  return true;
}

static void publish(struct weft_relation *r, struct weft_table *t) {
  struct weft_table *old = r->table;
  if (same_table(r->last, t)) {
    weft_table_unref(t);
    t = weft_table_ref(r->last);
  } else if (same_table(old, t)) {
    weft_table_unref(t);
    return;
  }
  r->table = t;
  weft_table_unref(old);
}

/* The name that is asked for: slot counts the alternatives asked for in vain. */
static struct weft_slice asked_for(const struct weft_call *call) {
  const struct weft_relation_options *o = &call->relation->o;
  return call->slot ? o->alternatives[call->slot - 1] : o->table;
}

static int learn(const struct weft_call *call, const struct weft_rows *rows,
                 struct weft_error *err) {
  struct weft_relation *r = call->relation;
  if (rows->ncols < CATALOG_COLUMNS)
    return weft_fail(err, WEFT_INTERNAL, "the catalog of %s has %u columns", r->db->label,
                     (unsigned)rows->ncols);
  struct weft_table_column *c = weft_alloc(rows->nrows * sizeof *c);
  for (uint32_t i = 0; i < rows->nrows; i++)
    read_column(r->db->dialect, weft_rows_row(rows, i), &c[i]);
  int soft, status = apply_model(r, c, rows->nrows, err);
  if (status == 0) status = soft_column(r, c, rows->nrows, &soft, err);
  if (status == 0) {
    struct weft_table *t = weft_table_new(r->o.schema, asked_for(call), c, rows->nrows);
    t->soft = soft;
    publish(r, t);
  }
  free(c);
  return status;
}

/* ---- asking ---- */

static struct weft_plan *catalog_plan(struct weft_plan **plan, const struct weft_dialect *d,
                                      const char *sql) {
  struct weft_buf text;
  uint32_t nparams = 0;
  weft_buf_init(&text);
  if (!*plan && weft_dialect_raw(d, weft_slice_of(sql), &text, &nparams, NULL) == 0)
    *plan = weft_plan_raw(d, weft_buf_slice(&text), nparams, WEFT_PLAN_READ);
  weft_buf_release(&text);
  return weft_plan_ref(*plan);
}

static void ask(struct weft_call *call, struct weft_plan *plan,
                void (*answered)(struct weft_call *, struct weft_rows *,
                                 const struct weft_error *)) {
  const struct weft_relation_options *o = &call->relation->o;
  struct weft_slice table = asked_for(call);
  struct weft_value *params = weft_arena_alloc(&call->arena, (plan->nslots + 1) * sizeof *params);
  for (uint32_t i = 0; i < plan->nslots; i++)
    params[i] = i % 2 ? weft_text(table.p, table.n) : weft_text(o->schema.p ? o->schema.p : "", o->schema.n);
  call->op.plan = plan;
  call->op.params = params;
  call->op.nparams = plan->nslots;
  call->answered = answered;
  weft_call_submit(call);
}

/* call learned what it could: those who waited go on. */
static void settle(struct weft_call *call, const struct weft_error *err) {
  struct weft_relation *r = call->relation;
  call->answered = weft_call_answered;
  if (call != r->probe) {
    if (err) weft_call_end(call, NULL, err);
    else weft_call_step(call);
    return;
  }
  struct weft_list waiting;
  struct weft_error why;
  if (err) why = *err;
  r->probe = NULL;
  weft_list_init(&waiting);
  weft_list_splice(&waiting, &r->waiting);
  for (struct weft_list *at; (at = weft_list_take(&waiting));) {
    struct weft_call *waiter = WEFT_CONTAINER(at, struct weft_call, link);
    if (err) weft_call_end(waiter, NULL, &why);
    else weft_call_step(waiter);
  }
  weft_call_end(call, NULL, NULL); /* frees the probe */
}

static const char *table_name(const void *ud, size_t i, size_t *len) {
  const struct weft_rows *rows = ud;
  struct weft_slice s = text(weft_rows_row(rows, (uint32_t)i)[0]);
  *len = s.n;
  return s.p;
}

static void tables_answered(struct weft_call *call, struct weft_rows *rows,
                            const struct weft_error *listing) {
  const struct weft_relation *r = call->relation;
  struct weft_slice s = r->o.schema, t = r->o.table;
  struct weft_error err;
  const char *near = NULL;
  size_t len = 0;
  if (!listing && rows->ncols > 0)
    near = weft_nearest(t.p, t.n, rows->nrows, table_name, rows, &len);
  /* Alternatives: a model without a script, whose name is a word of the program. */
  weft_fail(&err, r->o.nalternatives ? WEFT_USAGE : WEFT_SYNTAX, "no table '%.*s%s%.*s' in %s%s%.*s%s", (int)s.n, s.p ? s.p : "",
            s.n ? "." : "", (int)t.n, t.p, r->db->label, near ? "; did you mean '" : "", (int)len,
            near ? near : "", near ? "'?" : "");
  weft_rows_unref(rows);
  settle(call, &err);
}

static void catalog_answered(struct weft_call *call, struct weft_rows *rows,
                             const struct weft_error *failure);

static void ask_catalog(struct weft_call *call) {
  struct weft_db *db = call->db;
  ask(call, catalog_plan(&db->catalog, db->dialect, db->dialect->catalog), catalog_answered);
}

static void catalog_answered(struct weft_call *call, struct weft_rows *rows,
                             const struct weft_error *failure) {
  struct weft_relation *r = call->relation;
  struct weft_db *db = r->db;
  struct weft_error err;
  if (failure) {
    settle(call, failure);
  } else if (call == r->probe && r->again) {
    r->again = false;
    weft_rows_unref(rows);
    ask_catalog(call);
  } else if (rows->nrows == 0 && call->slot < r->o.nalternatives) {
    call->slot++;
    weft_rows_unref(rows);
    ask_catalog(call);
  } else if (rows->nrows == 0) {
    call->slot = 0;
    weft_rows_unref(rows);
    ask(call, catalog_plan(&db->tables, db->dialect, db->dialect->tables), tables_answered);
  } else {
    int status = learn(call, rows, &err);
    weft_rows_unref(rows);
    settle(call, status ? &err : NULL);
  }
}

static void probe_finished(struct weft_call *probe) {
  weft_call_reset(probe);
  free(probe);
}

void weft_schema_discover(struct weft_call *call) {
  struct weft_relation *r = call->relation;
  struct weft_db *db = call->db;
  struct weft_error err;
  struct weft_call *asking = call;
  if (!call->tx) {
    if (!db->pool) {
      weft_call_closed(db, &err);
      weft_call_end(call, NULL, &err);
      return;
    }
    call->place = WEFT_AT_DISCOVERY;
    weft_context_watch(db->context, call);
    weft_list_push(&r->waiting, &call->link);
    if (r->probe) return;
    asking = r->probe = weft_alloc(sizeof *asking);
    r->again = false;
    weft_call_init(asking, probe_finished, NULL);
    weft_call_begin(asking, db, NULL);
    asking->relation = r;
    asking->origin = call->origin;
  }
  asking->slot = 0;
  ask_catalog(asking);
}

static int discover_step(struct weft_call *call, struct weft_error *err) {
  (void)err;
  if (call->relation->table->known) weft_call_end(call, NULL, NULL);
  else weft_schema_discover(call);
  return 0;
}

void weft_db_discover(struct weft_relation *r, struct weft_tx *tx, struct weft_call *call) {
  if (weft_call_admit(call, r->db, tx)) return;
  call->relation = r;
  call->step = discover_step;
  weft_call_run(call);
}

/* ---- a table that changed behind our back ---- */

/* After the second look: the failure stands when the table is what it was. */
static int once_more(struct weft_call *call, struct weft_error *err,
                     int (*step)(struct weft_call *, struct weft_error *)) {
  if (call->relation->table->known && call->relation->table->id == call->version) {
    weft_call_end(call, NULL, &call->error);
    return 0;
  }
  call->step = step;
  return step(call, err);
}

static int query_once_more(struct weft_call *call, struct weft_error *err) {
  return once_more(call, err, weft_query_step);
}

static int find_once_more(struct weft_call *call, struct weft_error *err) {
  return once_more(call, err, weft_find_step);
}

bool weft_schema_suspect(struct weft_call *call, const struct weft_error *err) {
  struct weft_relation *r = call->relation;
  bool suspect = err->kind == WEFT_SYNTAX || strcmp(err->code, "0A000") == 0;
  if (!suspect || !r || !call->query || call->tx || call->retried || !call->version) return false;
  call->retried = true;
  call->error = *err;
  call->step = call->step == weft_find_step ? find_once_more : query_once_more;
  if (r->table->known && r->table->id == call->version) weft_relation_forget(r);
  if (r->table->known) weft_call_step(call); /* somebody else has looked already */
  else weft_schema_discover(call);
  return true;
}

/* ---- DDL ---- */

static size_t skip_blank(struct weft_slice t, size_t i) {
  while (i < t.n) {
    if (t.p[i] == ' ' || (t.p[i] >= '\t' && t.p[i] <= '\r') || t.p[i] == ';' || t.p[i] == '(') {
      i++;
    } else if (t.p[i] == '#' || (t.p[i] == '-' && i + 1 < t.n && t.p[i + 1] == '-')) {
      while (i < t.n && t.p[i] != '\n') i++;
    } else if (t.p[i] == '/' && i + 1 < t.n && t.p[i + 1] == '*') {
      for (i += 2; i + 1 < t.n && !(t.p[i] == '*' && t.p[i + 1] == '/');) i++;
      i += 2;
    } else {
      break;
    }
  }
  return i;
}

bool weft_schema_is_ddl(struct weft_slice t) {
  static const char *const words[] = {"create", "alter", "drop", "rename"};
  size_t at = skip_blank(t, 0);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    size_t n = strlen(words[i]);
    if (at >= t.n || t.n - at <= n || strncasecmp(t.p + at, words[i], n) != 0) continue;
    char next = t.p[at + n];
    if (next != '_' && !isalnum((unsigned char)next)) return true;
  }
  return false;
}
