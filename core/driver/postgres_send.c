/* SPDX-License-Identifier: MIT */
/* Sending. An operation that is alone and needs no Parse goes out in plain mode; otherwise the
   connection is in pipeline mode, where a sync point ends what fails together.
   - BEGIN, and what is chained, shares the one of the operation behind it: they travel, and fail, together.
   - Short reads that share the connection form groups. To the server a group is one transaction and
   one answer, which halves its work and the system calls on both sides. When one of them fails,
   those behind it were not run, and run again, each with a sync point of its own: it fails alone.
   - Everything else has its own.
   Without prepared statements there may be a pooler that gives the session to another client at
   every ReadyForQuery that it did not expect a message after (PgBouncer before 1.21 does, in the
   middle of the next message: answers then reach the wrong client). There, a group goes out when
   the one before it has ended, and is larger.

   Nothing is sent while a cancel request is under way, for it could hit what is sent. */
#include <stdlib.h>
#include <strings.h>

#include "postgres.h"

enum { GROUP = 16, POOLED_GROUP = 64 /* operations */ };
/* A group's first answer comes with its last: what is expected to take longer is not added. */
static const int64_t GROUP_NS = 500000, POOLED_NS = 2000000, UNMEASURED_NS = 50000;
/* op->driver_data of an operation that is held again. */
static char again;

static struct weft_pg_flight *new_flight(struct weft_pg_conn *c, enum weft_pg_kind kind) {
  struct weft_list *spare = weft_list_take(&c->spare);
  struct weft_pg_flight *f =
      spare ? WEFT_CONTAINER(spare, struct weft_pg_flight, link) : weft_alloc(sizeof *f);
  *f = (struct weft_pg_flight){.kind = (uint8_t)kind};
  weft_list_init(&f->link);
  return f;
}

void weft_pg_recycle(struct weft_pg_conn *c, struct weft_pg_flight *f) {
  weft_rows_unref(f->rows);
  weft_pg_shape_unref(f->shape);
  free(f->err);
  f->rows = NULL;
  f->shape = NULL;
  f->err = NULL;
  weft_list_remove(&f->link);
  weft_list_push(&c->spare, &f->link);
}

/* ---- the queue of what is held ---- */
void weft_pg_submit(struct weft_conn *base, struct weft_op *op) {
  struct weft_pg_conn *c = weft_pg_of(base);
  weft_conn_take(base, op);
  op->state = WEFT_OP_QUEUED;
  op->driver_data = NULL;
  if (c->held++ == 0) c->first_held = &op->link;
}

void weft_pg_hold_again(struct weft_pg_conn *c, struct weft_op *op) {
  struct weft_list *at = c->held ? c->first_held : &c->base.ops;
  weft_list_remove(&op->link);
  for (uint32_t i = 0; i < c->held; i++, at = at->next)
    if (WEFT_CONTAINER(at, struct weft_op, link)->driver_data != &again) break;
  bool first = c->held == 0 || at == c->first_held;
  weft_list_insert_before(at, &op->link);
  if (first) c->first_held = &op->link;
  c->held++;
  c->ready++;
  op->driver_data = &again;
  op->state = WEFT_OP_QUEUED;
}

static struct weft_op *first_held(const struct weft_pg_conn *c) {
  return WEFT_CONTAINER(c->first_held, struct weft_op, link);
}

void weft_pg_unhold(struct weft_pg_conn *c, struct weft_op *op) {
  struct weft_list *at = c->first_held;
  for (uint32_t i = 0; i < c->ready; i++, at = at->next) {
    if (at != &op->link) continue;
    c->ready--;
    break;
  }
  if (c->first_held == &op->link) c->first_held = op->link.next;
  c->held--;
}

/* ---- one statement ---- */
static bool is_begin(const struct weft_plan *p) {
  if (!(p->flags & WEFT_PLAN_CONTROL) || p->sql.n < 5) return false;
  return strncasecmp(p->sql.p, "begin", 5) == 0 || strncasecmp(p->sql.p, "start", 5) == 0;
}

static bool is_commit(const struct weft_plan *p) {
  return p->sql.n == 6 && strncasecmp(p->sql.p, "commit", 6) == 0;
}

/* Raw text may run once only: it is prepared when it comes a second time. Of what controls a session only
   the frame of a transaction is. */
static bool is_prepared(const struct weft_pg_conn *c, const struct weft_plan *p) {
  if (p->flags & (WEFT_PLAN_VOLATILE | WEFT_PLAN_SCRIPT)) return false;
  if ((p->flags & WEFT_PLAN_CONTROL) && !is_begin(p) && !is_commit(p)) return false;
  return !c->pooled && !((p->flags & (WEFT_PLAN_RAW | WEFT_PLAN_CONTROL)) && p->runs == 0);
}

static bool needs_parse(struct weft_pg_conn *c, const struct weft_plan *p) {
  return is_prepared(c, p) && !weft_statements_get(&c->statements, p->id);
}

/* Binary when the answer's columns are known to have decoders. They can have changed unless this
   connection has seen this very statement's answer; only a read that changes nothing may be asked
   again then, so that raw text is prudent for one run where it is prepared. */
static int result_format(const struct weft_pg_flight *f, const struct weft_plan *p, bool prepared) {
  const struct weft_pg_shape *known = f->shape ? f->shape : p->driver_data;
  if (f->retried || !known || !known->binary) return 0;
  if (f->shape) return 1;
  return (p->flags & WEFT_PLAN_READ) && !(prepared && (p->flags & WEFT_PLAN_RAW));
}

static bool send_prepared(struct weft_pg_conn *c, struct weft_pg_flight *f,
                          const struct weft_plan *p) {
  const struct weft_pg_params *e = &c->params;
  struct weft_pg_statement *st =
      (struct weft_pg_statement *)weft_statements_get(&c->statements, p->id);
  char name[WEFT_PG_NAME];
  bool parse = st == NULL;
  if (parse) st = weft_pg_prepare(c, p->id);
  weft_pg_name(c, st->serial, name);
  f->serial = st->serial;
  f->shape = weft_pg_shape_ref(st->shape);
  if (parse) {
    if (!PQsendPrepare(c->pg, name, p->sql.p, e->n, e->types)) {
      weft_pg_forget(c, st, false);
      return false;
    }
    f->parse = true;
    f->left++;
  }
  if (!PQsendQueryPrepared(c->pg, name, e->n, e->values, e->lengths, e->formats,
                           result_format(f, p, true)))
    return false;
  f->left++;
  return true;
}

static bool send_unprepared(struct weft_pg_conn *c, struct weft_pg_flight *f,
                            const struct weft_plan *p) {
  const struct weft_pg_params *e = &c->params;
  if (!PQsendQueryParams(c->pg, p->sql.p, e->n, e->types, e->values, e->lengths, e->formats,
                         result_format(f, p, !c->pooled)))
    return false;
  f->left++;
  return true;
}

/* false: it failed, err says why; what went out of it is counted in f->left. */
static bool send_statement(struct weft_pg_conn *c, struct weft_pg_flight *f,
                           const struct weft_op *op, struct weft_error *err) {
  const struct weft_plan *p = op->plan;
  bool ok;
  if (p->flags & WEFT_PLAN_SCRIPT) {
    f->script = true;
    ok = PQsendQuery(c->pg, p->sql.p);
    f->left = ok;
  } else {
    if (weft_pg_encode(&c->params, p->slots, p->nslots, op->params, op->nparams, err) != 0)
      return false;
    ok = is_prepared(c, p) ? send_prepared(c, f, p) : send_unprepared(c, f, p);
    if (c->params.total > WEFT_PG_GREAT) c->base.broken = true;
    weft_pg_params_done(&c->params);
  }
  if (ok) return true;
  weft_fail(err, WEFT_INTERNAL, "libpq cannot send the statement");
  return false;
}

static void set_mode(struct weft_pg_conn *c, bool pipeline) {
  if (c->pipeline == pipeline) return;
  if (pipeline ? PQenterPipelineMode(c->pg) : PQexitPipelineMode(c->pg)) c->pipeline = pipeline;
}

static void sync_point(struct weft_pg_conn *c) {
  struct weft_pg_flight *f = WEFT_CONTAINER(c->flights.prev, struct weft_pg_flight, link);
  f->sync = PQpipelineSync(c->pg);
  c->open_group = false;
}

static void launch(struct weft_pg_conn *c, struct weft_pg_flight *f, struct weft_op *op) {
  struct weft_error err;
  f->plan = op->plan->id;
  f->maybe_hit = c->cancel != NULL;
  f->retried = op->driver_data == &again;
  if (!send_statement(c, f, op, &err)) {
    if (f->left) weft_list_push(&c->flights, &f->link), c->open_group = true; /* Parse went out */
    else weft_pg_recycle(c, f);
    if (PQstatus(c->pg) == CONNECTION_BAD) {
      weft_pg_fail_lost(c, &err);
      weft_pg_lost(c, &err);
      return;
    }
    op->driver_data = NULL;
    weft_conn_finish(&c->base, op, NULL, &err);
    return;
  }
  f->op = op;
  op->driver_data = f;
  op->state = WEFT_OP_SENT;
  op->sent_at = weft_loop_clock(c->base.loop);
  weft_list_push(&c->flights, &f->link);
  c->open_group = c->pipeline;
}

/* ---- everything that may go ---- */
static bool may_group(const struct weft_op *op) {
  uint32_t flags = op->plan->flags;
  return (op->flags & WEFT_OP_SHARED) && (flags & WEFT_PLAN_READ) &&
         !(flags & (WEFT_PLAN_RAW | WEFT_PLAN_CONTROL | WEFT_PLAN_SCRIPT));
}

/* Does the next operation go into the group that op ended? */
static bool group_goes_on(struct weft_pg_conn *c, bool chained, bool grouped) {
  if (!c->ready) return false;
  if (chained) return true;
  if (!grouped || c->group_n >= (c->pooled ? POOLED_GROUP : GROUP)) return false;
  if (c->group_ns >= (c->pooled ? POOLED_NS + c->base.rtt : GROUP_NS)) return false;
  if (c->solo) return c->solo--, false;
  return may_group(first_held(c));
}

/* At the start of a group; there was an eviction because statements are being prepared, in pipeline
   mode therefore. */
static void deallocate(struct weft_pg_conn *c) {
  char text[WEFT_PG_NAME + 16] = "deallocate ";
  if (c->evicted.n == 0 || c->open_group || c->base.tx == WEFT_TX_FAILED) return;
  struct weft_pg_flight *f = new_flight(c, WEFT_PG_DEALLOCATE);
  for (size_t at = 0; at < c->evicted.n; at += sizeof(uint32_t)) {
    uint32_t serial;
    memcpy(&serial, c->evicted.p + at, sizeof serial);
    weft_pg_name(c, serial, text + sizeof "deallocate " - 1);
    f->left += PQsendQueryParams(c->pg, text, 0, NULL, NULL, NULL, NULL, 0);
  }
  weft_buf_reset(&c->evicted);
  weft_list_push(&c->flights, &f->link);
  sync_point(c);
}

/* The connection is ending or closing a session: chores come before operations. */
static bool has_chore(const struct weft_pg_conn *c) {
  return c->rolling_back || c->discarding || c->settling;
}

static bool send_next(struct weft_pg_conn *c) {
  struct weft_op *op = first_held(c);
  const struct weft_plan *p = op->plan;
  bool idle = weft_list_empty(&c->flights), script = p->flags & WEFT_PLAN_SCRIPT;
  bool plain = script || (idle && c->ready == 1 && !needs_parse(c, p));
  if (!idle && (plain || !c->pipeline)) return false;
  if (!idle && c->pooled && !c->open_group) return false;
  set_mode(c, !plain);
  if (!plain) deallocate(c);
  c->first_held = op->link.next;
  c->held--;
  c->ready--;
  bool chained = is_begin(p) || op->flags & WEFT_OP_CHAINED, grouped = may_group(op);
  if (!c->open_group) c->group_ns = c->group_n = 0;
  c->group_n++;
  c->group_ns += p->estimate_ns ? p->estimate_ns : UNMEASURED_NS;
  launch(c, new_flight(c, WEFT_PG_OPERATION), op);
  if (c->open_group && !group_goes_on(c, chained, grouped)) sync_point(c);
  return true;
}

static void send_chore(struct weft_pg_conn *c) {
  struct weft_pg_flight *f;
  const char *text;
  if (c->rolling_back) {
    f = new_flight(c, WEFT_PG_ROLLBACK);
    text = "rollback";
  } else if (c->discarding) {
    f = new_flight(c, WEFT_PG_DISCARD);
    text = "discard all";
  } else {
    f = new_flight(c, WEFT_PG_SETTLE);
    text = c->set->prepare ? "set datestyle = 'ISO'; set intervalstyle = 'postgres'"
                           : "set datestyle = 'ISO'";
  }
  set_mode(c, false);
  f->script = true;
  f->left = 1;
  weft_list_push(&c->flights, &f->link);
  PQsendQuery(c->pg, text); /* a failure shows as the end of the connection */
}

void weft_pg_pump(struct weft_pg_conn *c) {
  if (c->sending || c->lost) return;
  c->sending = true;
  while (!c->cancel && !has_chore(c) && c->ready && !c->lost && send_next(c)) continue;
  if (c->open_group && !c->lost) sync_point(c);
  if (has_chore(c) && !c->lost && weft_list_empty(&c->flights)) send_chore(c);
  c->sending = false;
  if (c->lost) return;
  int left = PQflush(c->pg);
  if (left < 0 || PQstatus(c->pg) == CONNECTION_BAD) {
    struct weft_error err;
    weft_pg_fail_lost(c, &err);
    weft_pg_lost(c, &err);
    return;
  }
  weft_pg_watch(c, left ? WEFT_READABLE | WEFT_WRITABLE : WEFT_READABLE);
  weft_pg_maybe_cancel(c);
}

void weft_pg_flush(struct weft_conn *base) {
  struct weft_pg_conn *c = weft_pg_of(base);
  c->ready = c->held;
  weft_pg_pump(c);
}

void weft_pg_reset(struct weft_conn *base) {
  struct weft_pg_conn *c = weft_pg_of(base);
  c->rolling_back = base->tx != WEFT_TX_NONE;
  c->discarding = c->resetting = true;
  weft_pg_pump(c);
}
