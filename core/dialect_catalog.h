/* SPDX-License-Identifier: MIT */
/* The catalog half of each dialect: how columns are found, and what their types and collations
   mean. See dialect.h for the result's columns. */
#ifndef WEFT_DIALECT_CATALOG_H
#define WEFT_DIALECT_CATALOG_H

#include "dialect.h"
#include "dialect_schema.h"

extern const char weft_postgres_catalog[], weft_postgres_keys[];
void weft_postgres_column_type(const struct weft_catalog_type *t, struct weft_column_type *out);
enum weft_collation weft_postgres_collation(struct weft_slice told, struct weft_slice name);
/* The type's name without length or precision, for a cast that changes no value: "integer", "varchar".
   Nothing is written, and false returned, when it is not known. */
bool weft_postgres_type_name(struct weft_buf *out, const struct weft_column_type *type,
                             struct weft_slice declared);

extern const char weft_sqlite_catalog[], weft_sqlite_keys[];
void weft_sqlite_column_type(const struct weft_catalog_type *t, struct weft_column_type *out);
enum weft_collation weft_sqlite_collation(struct weft_slice told, struct weft_slice name);

extern const char weft_mysql_catalog[], weft_mysql_keys[];
void weft_mysql_column_type(const struct weft_catalog_type *t, struct weft_column_type *out);
enum weft_collation weft_mysql_collation(struct weft_slice told, struct weft_slice name);

#endif
