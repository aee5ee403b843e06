/* SPDX-License-Identifier: MIT */
/* Intrusive doubly linked ring. A head and an unlinked item both point at themselves, so that
   weft_list_remove is safe twice and needs no head. */
#ifndef WEFT_LIST_H
#define WEFT_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct weft_list {
  struct weft_list *next, *prev;
};

#define WEFT_CONTAINER(ptr, type, member) \
  ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void weft_list_init(struct weft_list *l) { l->next = l->prev = l; }

static inline bool weft_list_empty(const struct weft_list *l) { return l->next == l; }

static inline void weft_list_insert_before(struct weft_list *at, struct weft_list *item) {
  item->next = at;
  item->prev = at->prev;
  at->prev->next = item;
  at->prev = item;
}

static inline void weft_list_push(struct weft_list *head, struct weft_list *item) {
  weft_list_insert_before(head, item); /* at the tail */
}

static inline void weft_list_push_front(struct weft_list *head, struct weft_list *item) {
  weft_list_insert_before(head->next, item);
}

static inline void weft_list_remove(struct weft_list *item) {
  item->prev->next = item->next;
  item->next->prev = item->prev;
  weft_list_init(item);
}

/* The first item, unlinked; NULL when the list is empty. */
static inline struct weft_list *weft_list_take(struct weft_list *head) {
  struct weft_list *item = head->next;
  if (item == head) return NULL;
  weft_list_remove(item);
  return item;
}

/* Moves all items of from to the tail of head. */
static inline void weft_list_splice(struct weft_list *head, struct weft_list *from) {
  if (weft_list_empty(from)) return;
  from->next->prev = head->prev;
  head->prev->next = from->next;
  from->prev->next = head;
  head->prev = from->prev;
  weft_list_init(from);
}

#endif
