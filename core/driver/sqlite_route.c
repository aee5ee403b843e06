/* SPDX-License-Identifier: MIT */
/* Loop's thread or thread pool: what a plan's runs have taught, and what follows for the next one.
   Everything is a guess that the progress handler or the next measurement puts right. */
#include <stdlib.h>
#include <string.h>

#include "sqlite.h"

enum {
  MS = 1000 * 1000,
  SLOW = 2 * MS, /* a read that takes longer goes to the thread pool */
  SHORT = MS,    /* a write that takes less may run on the loop's thread */
  CALM = 8       /* short runs until a slow read is tried on the loop's thread again */
};

/* For all connections of the plan's database. */
struct sqlite_learned {
  bool slow;
  uint8_t calm;     /* short runs in a row on the thread pool */
  int64_t write_ns; /* running mean of one write; 0: never run */
};

static struct sqlite_learned *learned(struct weft_plan *plan) {
  if (!plan->driver_data) {
    plan->driver_data = weft_zalloc(sizeof(struct sqlite_learned));
    plan->driver_free = free;
  }
  return plan->driver_data;
}

void weft_sqlite_learn(struct sqlite_conn *c, bool pooled) {
  struct sqlite_run *r = &c->run;
  struct sqlite_learned *l = learned(r->op->plan);
  if (!r->st || r->rc != SQLITE_DONE) return;
  if (r->st->kind == KIND_READ && pooled) {
    l->calm = r->ticks == 0 && r->took < SHORT ? (uint8_t)(l->calm + 1) : 0;
    if (l->calm >= CALM) l->slow = false, l->calm = 0;
  } else if (r->st->kind == KIND_WRITE) {
    int64_t one = r->took / (r->op->repeat > 1 ? r->op->repeat : 1) + 1;
    l->write_ns = l->write_ns ? (3 * l->write_ns + one) / 4 : one;
  }
}

/* Other processes' readers and the disk make a commit slow; memory and synchronous=off do not. */
static bool durable(const struct sqlite_config *config) {
  return !config->memory && !(config->synchronous && strcmp(config->synchronous, "off") == 0);
}

bool weft_sqlite_inline(struct sqlite_conn *c) {
  struct sqlite_run *r = &c->run;
  struct weft_plan *plan = r->op->plan;
  struct sqlite_learned *l = learned(plan);
  if (r->op->flags & WEFT_OP_NO_INLINE) return false;
  if (!weft_loop_running(c->base.loop)) return true; /* nobody else is there to wait */
  if (!r->st) return false;
  switch ((enum sqlite_kind)r->st->kind) {
    case KIND_READ:
      if (plan->estimate_ns > SLOW || (plan->runs == 0 && r->st->counts)) l->slow = true;
      return !l->slow;
    case KIND_WRITE:
      return (r->in_tx || !durable(&c->config)) && l->write_ns &&
             l->write_ns * (int64_t)(r->op->repeat ? r->op->repeat : 1) < SHORT;
    case KIND_COMMIT:
    case KIND_ROLLBACK: return !c->wrote || !durable(&c->config);
    case KIND_BEGIN:
    case KIND_CONTROL: break;
  }
  return true;
}

void weft_sqlite_was_long(struct sqlite_conn *c) {
  struct sqlite_learned *l = learned(c->run.op->plan);
  l->slow = true;
  l->calm = 0;
}
