/* SPDX-License-Identifier: MIT */
/* One writer per file, whichever pool it belongs to: who wants to write takes the file's place
   before a connection, first come first served. A waiter that gets the place goes on in its own
   pool. */
#include <stdlib.h>

#include "pool_private.h"

struct file {
  struct weft_slice key;
  bool taken, granting;
  struct weft_list ops, leases; /* waiting, each in order of tickets */
};

struct weft_writers {
  struct weft_map files;
  uint64_t tickets;
};

struct weft_writers *weft_writers_new(void) {
  struct weft_writers *w = weft_zalloc(sizeof *w);
  weft_map_init(&w->files);
  return w;
}

void weft_writers_free(struct weft_writers *w) {
  if (!w) return;
  struct weft_map_entry *e;
  for (size_t i = 0; (e = weft_map_next(&w->files, &i));) {
    struct file *f = e->value;
    free((char *)f->key.p);
    free(f);
  }
  weft_map_release(&w->files);
  free(w);
}

uint64_t *writers_tickets(struct weft_writers *w) { return &w->tickets; }

struct file *writers_file(struct weft_writers *w, struct weft_slice key) {
  struct file *f = weft_map_get(&w->files, key);
  if (f) return f;
  f = weft_zalloc(sizeof *f);
  f->key = weft_slice(weft_strdup(key), key.n);
  weft_list_init(&f->ops);
  weft_list_init(&f->leases);
  weft_map_set(&w->files, f->key, f);
  return f;
}

struct weft_list *writers_ops(struct weft_pool *p) {
  return &p->file->ops;
}
struct weft_list *writers_leases(struct weft_pool *p) {
  return &p->file->leases;
}

static bool take(struct file *f) {
  if (f->taken || !weft_list_empty(&f->ops) || !weft_list_empty(&f->leases)) return false;
  return f->taken = true;
}

static int64_t queued(struct weft_pool *p) {
  int64_t now = weft_loop_now(p->loop);
  p->nwriters++;
  p->stats.waited++;
  time_note(p, now + p->o.wait_ns);
  pool_wants(p);
  return now;
}

bool writers_take_op(struct weft_pool *p, struct weft_op *op) {
  if (take(p->file)) return true;
  op->state = WEFT_OP_QUEUED;
  op->ticket = ++*p->tickets;
  op->queued_at = queued(p);
  if (op->deadline) time_note(p, op->deadline);
  weft_list_push(&p->file->ops, &op->link);
  return false;
}

bool writers_take_lease(struct weft_pool *p, struct weft_lease *lease) {
  if (take(p->file)) return true;
  lease->ticket = ++*p->tickets;
  lease->queued_at = queued(p);
  if (lease->deadline) time_note(p, lease->deadline);
  weft_list_push(&p->file->leases, &lease->link);
  return false;
}

static void grant(struct file *f) {
  struct weft_op *op = WEFT_CONTAINER(f->ops.next, struct weft_op, link);
  struct weft_lease *lease = WEFT_CONTAINER(f->leases.next, struct weft_lease, link);
  bool op_first =
      !weft_list_empty(&f->ops) && (weft_list_empty(&f->leases) || op->ticket < lease->ticket);
  f->taken = true;
  if (op_first) {
    weft_list_remove(&op->link);
    op->pool->nwriters--;
    pool_writer_op(op);
  } else {
    weft_list_remove(&lease->link);
    lease->pool->nwriters--;
    pool_writer_lease(lease);
  }
}

void writers_free(struct weft_pool *p) { p->file->taken = false; }

void writers_grant(struct weft_pool *p) {
  struct file *f = p->file;
  if (f->granting) return; /* a short write gave the place back inside: no recursion */
  f->granting = true;
  while (!f->taken && !(weft_list_empty(&f->ops) && weft_list_empty(&f->leases))) grant(f);
  f->granting = false;
}
