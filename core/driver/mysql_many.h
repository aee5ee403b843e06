/* SPDX-License-Identifier: MIT */
/* An insert of many rows, see mysql_many.c; and what it needs of mysql_run.c. */
#ifndef WEFT_DRIVER_MYSQL_MANY_H
#define WEFT_DRIVER_MYSQL_MANY_H

#include "mysql.h"

void weft_my_many(struct weft_my_conn *c);      /* st->stmt is prepared: the first rows */
void weft_my_many_next(struct weft_my_conn *c); /* the statement was carried out: more rows, or the end */
void weft_my_many_undo(struct weft_my_conn *c); /* it failed: takes the others back */

/* Executes stmt, which belongs to the run's statement, with n parameters. */
void weft_my_execute(struct weft_my_conn *c, MYSQL_STMT *stmt, const struct weft_value *params,
                     uint32_t n);
/* Executes the run's statement once for each of rows; false when the server or the values do not allow it. */
bool weft_my_execute_bulk(struct weft_my_conn *c, const struct weft_value *params, unsigned rows);
void weft_my_run_failed(struct weft_my_conn *c, unsigned number, const char *state,
                        const char *message);

#endif
