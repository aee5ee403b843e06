/* SPDX-License-Identifier: MIT */
/* Pools of one thread that share what they may have open. A pool that may not open because of the others is starved:
   it takes an idle connection's place away from another, else it is given the next that would become idle there. */
#include <stdlib.h>

#include "map.h"
#include "pool_private.h"

struct weft_budgets {
  struct weft_map map; /* name -> struct weft_budget */
};

struct weft_budgets *weft_budgets_new(void) {
  struct weft_budgets *b = weft_zalloc(sizeof *b);
  weft_map_init(&b->map);
  return b;
}

void weft_budgets_free(struct weft_budgets *b) {
  struct weft_map_entry *e;
  if (!b) return;
  for (size_t i = 0; (e = weft_map_next(&b->map, &i));) {
    struct weft_budget *one = e->value;
    free((char *)one->name.p);
    free(one);
  }
  weft_map_release(&b->map);
  free(b);
}

struct weft_budget *weft_budgets_get(struct weft_budgets *b, struct weft_slice name) {
  struct weft_budget *one = weft_map_get(&b->map, name);
  if (one) return one;
  one = weft_zalloc(sizeof *one);
  one->name = weft_slice(weft_strdup(name), name.n);
  weft_list_init(&one->pools);
  weft_list_init(&one->starved);
  weft_map_set(&b->map, one->name, one);
  return one;
}

/* ---- who is starved, first come first served ---- */

static struct weft_pool *first(const struct weft_budget *b) {
  return weft_list_empty(&b->starved) ? NULL : WEFT_CONTAINER(b->starved.next, struct weft_pool, hunger);
}

static bool has_room(const struct weft_budget *b) { return b->open < b->max; }

static void feed_first(struct weft_budget *b) {
  struct weft_pool *p = first(b);
  if (p && has_room(b)) weft_loop_defer(p->loop, &p->fed);
}

static void go_on(struct weft_hook *hook) {
  struct weft_pool *p = WEFT_CONTAINER(hook, struct weft_pool, fed);
  struct weft_budget *b = p->o.budget;
  pool_enter(p);
  pool_serve(p);
  if (first(b) == p && has_room(b)) weft_list_remove(&p->hunger); /* those who waited have given up */
  feed_first(b);
  pool_leave(p);
}

void budget_join(struct weft_pool *p) {
  weft_list_init(&p->sharer);
  weft_list_init(&p->hunger);
  weft_list_init(&p->fed.link);
  p->fed.run = go_on;
  if (p->keep) p->o.budget = NULL;
  if (!p->o.budget) return;
  p->o.budget->max = p->o.max;
  weft_list_push(&p->o.budget->pools, &p->sharer);
}

void budget_leave(struct weft_pool *p) {
  weft_list_remove(&p->sharer);
  weft_list_remove(&p->hunger);
  weft_list_remove(&p->fed.link);
  if (p->o.budget) feed_first(p->o.budget);
}

void budget_count(struct weft_pool *p, int more) {
  if (!p->o.budget || !more) return;
  p->o.budget->open += (uint32_t)more;
  feed_first(p->o.budget);
}

bool budget_owes(const struct weft_pool *p) { return p->o.budget && first(p->o.budget) && first(p->o.budget) != p; }

/* ---- taking ---- */

/* The connection that was idle for longest; pipelines are asked to run dry. */
static void take_from(struct weft_pool *q) {
  pool_enter(q);
  if (q->count[PLACE_IDLE] > 0)
    place_close(WEFT_CONTAINER(q->places[PLACE_IDLE].prev, struct place, link));
  else if (q->count[PLACE_SHARED] > 0)
    WEFT_CONTAINER(q->places[PLACE_SHARED].next, struct place, link)->draining = true;
  pool_leave(q);
}

static bool take_from_others(struct weft_pool *p) {
  struct weft_budget *b = p->o.budget;
  for (struct weft_list *at = b->pools.next, *next; at != &b->pools && !has_room(b); at = next) {
    struct weft_pool *q = WEFT_CONTAINER(at, struct weft_pool, sharer);
    next = at->next; /* a closed pool may go with its last connection */
    if (q != p) take_from(q);
  }
  return has_room(b);
}

bool budget_allows(struct weft_pool *p) {
  struct weft_budget *b = p->o.budget;
  if (!b) return true;
  if (weft_list_empty(&p->hunger)) weft_list_push(&b->starved, &p->hunger);
  if (first(b) != p || !take_from_others(p)) return false;
  weft_list_remove(&p->hunger);
  return true;
}
