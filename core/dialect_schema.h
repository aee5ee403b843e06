/* SPDX-License-Identifier: MIT */
/* The statements that tell a whole database, a handful of each dialect, none of them per table. Each part
   has the same columns on every database, so that whoever reads its rows need not ask which one it is. A
   column that a database knows nothing of is left out or NULL: the reader treats both alike.

   Column names say how a cell is to be read: `x?` is a boolean (0 and 1 where there are none), `x[]` JSON
   text of a list, anything else is what it is. Rows are in an order of their own making, those of a table
   in the table's order. `owner` is the `id` of a table; `columns`, `target` and `include` list the `number`s
   or the names of columns.

     version       version: text or a number that is another one whenever anything that follows here is; it may
                   also be when nothing did. Cheap: it is asked again and again. The first part.
     tables        id, schema (NULL: none that need be said), name, visible?, kind (table partitioned foreign
                   virtual view materialized_view), comment, options, inherits (ids), partition_by,
                   without_rowid?, strict?, engine, charset, collation, create_options, definition (of a view),
                   sql (as it was created, for weft.schema_sqlite)
     partitions    owner, id, schema, name, bound, partition_by, parent_by (partition_by of the owner); a
                   partition before its own partitions
     columns       owner, number, name, type (text, or the id of one of types), nullable?, default, generated (stored, virtual), expression,
                   identity (always, by default), auto_increment?, on_update, collation, comment, key (place
                   in the primary key), hidden?, inherited?
     view_columns  the same, of views where these are told apart
     definitions   owner, definition (of a view), where the tables do not have it
     json_columns  owner, name of a column that is json though its type says text
     types         id, type; oid, elem_oid, typmod, category: what dialect.column_type wants; base (what a
                   domain is in the end), domain, enum (ids), not_null?, collation (that columns have by it)
     keys          owner, name, primary?, columns, include, deferrable?, initially_deferred?,
                   nulls_not_distinct?
     foreign_keys  owner, name, columns, target_id or schema and table (elsewhere?: in a schema that is not
                   read), target (of nulls: the primary key), on_update, on_delete, set_columns, match (full), deferrable?,
                   initially_deferred?, not_valid?
     indexes       owner, name, unique?, method, parts[] ({column | expression, order, nulls, collation, opclass,
                   length}) or columns; orders (a number for each: 1 descending, 2 NULL first), include,
                   where, invalid?, options, comment, nulls_not_distinct?, sql
     checks        owner, name, expression, column, not_valid?, no_inherit?
     exclusions    owner, name, definition
     triggers      owner, name, timing, events, statement, function (its definition, unless it is the
                   server's own)
     enums         id, schema, name, visible?, values, comment
     domains       id, schema, name, visible?, type, nullable?, default, checks[] ({name, expression}), comment
     row_types     id, schema, name, visible?, attributes[] ({name, type}), comment
     sequences     id, schema, name, visible?, type, start, increment, min, max, cycle?, owner, number

   No object of the database itself, of an extension, or that is temporary. */
#ifndef WEFT_DIALECT_SCHEMA_H
#define WEFT_DIALECT_SCHEMA_H

#pragma GCC visibility push(default)

struct weft_schema_part {
  const char *what, *sql; /* no parameters */
  const char *one;        /* the same of one object (its id is the parameter), for when sql fails as one of
                             many cannot be told; NULL: there is none */
};

/* Each ends with a part that is called NULL. */
extern const struct weft_schema_part weft_postgres_schema[], weft_sqlite_schema[], weft_mysql_schema[];

#pragma GCC visibility pop

#endif
