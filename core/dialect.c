/* SPDX-License-Identifier: MIT */
#include "dialect.h"

const struct weft_dialect *weft_dialect_find(const char *name) {
  const struct weft_dialect *const all[] = {&weft_dialect_postgres, &weft_dialect_sqlite,
                                            &weft_dialect_mysql};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (!strcmp(all[i]->name, name)) return all[i];
  return NULL;
}
