/* SPDX-License-Identifier: MIT */
/* From the server's numbers and messages to errors. Messages that quote a value lose it. Numbers from 2000 to
   2999 are Connector/C's own; 3000 and more are MySQL's, 1900 to 1999 and 4000 and more are MariaDB's. */
#include <stdio.h>
#include <stdlib.h>

#include "mysql.h"

static const struct number {
  uint16_t number;
  uint8_t kind;
} numbers[] = {
    {1022, WEFT_UNIQUE},       {1040, WEFT_CONNECT},     {1044, WEFT_AUTH},
    {1045, WEFT_AUTH},         {1048, WEFT_NOT_NULL},    {1049, WEFT_SYNTAX},
    {1050, WEFT_SYNTAX},       {1051, WEFT_SYNTAX},      {1052, WEFT_SYNTAX},
    {1053, WEFT_DISCONNECT},   {1054, WEFT_SYNTAX},      {1060, WEFT_SYNTAX},
    {1061, WEFT_SYNTAX},       {1062, WEFT_UNIQUE},      {1063, WEFT_SYNTAX},
    {1064, WEFT_SYNTAX},       {1065, WEFT_SYNTAX},      {1066, WEFT_SYNTAX},
    {1072, WEFT_SYNTAX},       {1091, WEFT_SYNTAX},      {1109, WEFT_SYNTAX},
    {1120, WEFT_SYNTAX},       {1129, WEFT_CONNECT},     {1130, WEFT_AUTH},
    {1136, WEFT_SYNTAX},       {1142, WEFT_AUTH},        {1143, WEFT_AUTH},
    {1146, WEFT_SYNTAX},       {1149, WEFT_SYNTAX},      {1153, WEFT_UNSUPPORTED},
    {1158, WEFT_DISCONNECT},   {1159, WEFT_DISCONNECT},  {1160, WEFT_DISCONNECT},
    {1161, WEFT_DISCONNECT},   {1203, WEFT_CONNECT},     {1205, WEFT_LOCK_TIMEOUT},
    {1213, WEFT_DEADLOCK},     {1216, WEFT_FOREIGN_KEY}, {1217, WEFT_FOREIGN_KEY},
    {1222, WEFT_SYNTAX},       {1226, WEFT_CONNECT},     {1227, WEFT_AUTH},
    {1231, WEFT_USAGE},        {1235, WEFT_UNSUPPORTED}, {1241, WEFT_SYNTAX},
    {1242, WEFT_USAGE},        {1263, WEFT_NOT_NULL},    {1264, WEFT_TYPE},
    {1265, WEFT_TYPE},         {1267, WEFT_TYPE},        {1292, WEFT_TYPE},
    {1295, WEFT_UNSUPPORTED},  {1305, WEFT_SYNTAX},      {1317, WEFT_CANCELLED},
    {1364, WEFT_NOT_NULL},     {1365, WEFT_TYPE},        {1366, WEFT_TYPE},
    {1370, WEFT_AUTH},         {1406, WEFT_TYPE},        {1411, WEFT_TYPE},
    {1451, WEFT_FOREIGN_KEY},  {1452, WEFT_FOREIGN_KEY}, {1525, WEFT_TYPE},
    {1568, WEFT_USAGE},        {1569, WEFT_UNIQUE},      {1586, WEFT_UNIQUE},
    {1690, WEFT_TYPE},         {1698, WEFT_AUTH},        {1761, WEFT_FOREIGN_KEY},
    {1762, WEFT_FOREIGN_KEY},  {1792, WEFT_USAGE},       {1820, WEFT_AUTH},
    {1916, WEFT_TYPE},         {1918, WEFT_TYPE},        {1927, WEFT_DISCONNECT},
    {1969, WEFT_TIMEOUT},      {2002, WEFT_CONNECT},     {2003, WEFT_CONNECT},
    {2005, WEFT_CONNECT},      {2006, WEFT_DISCONNECT},  {2013, WEFT_DISCONNECT},
    {2014, WEFT_DISCONNECT},   {2026, WEFT_CONNECT},     {2027, WEFT_DISCONNECT},
    {2020, WEFT_UNSUPPORTED},  {2055, WEFT_DISCONNECT},   {2059, WEFT_AUTH},        {3024, WEFT_TIMEOUT},
    {3140, WEFT_TYPE},         {3156, WEFT_TYPE},        {3572, WEFT_LOCK_TIMEOUT},
    {3819, WEFT_CHECK},        {4025, WEFT_CHECK},       {4031, WEFT_DISCONNECT},
};

/* What is not listed above, by the beginning of its SQLSTATE. HY000 says nothing: those of its numbers that the
   writer of a statement meets are here. */
static const struct class {
  char state[3];
  uint8_t kind;
} classes[] = {
    {"0A", WEFT_UNSUPPORTED}, {"21", WEFT_USAGE},  {"22", WEFT_TYPE},   {"23", WEFT_CHECK},
    {"25", WEFT_USAGE},       {"28", WEFT_AUTH},   {"42", WEFT_SYNTAX}, {"44", WEFT_CHECK},
    {"45", WEFT_CHECK},
};

static const struct span {
  uint16_t from, to;
  uint8_t kind;
} spans[] = {
    {1005, 1005, WEFT_SYNTAX},  /* a foreign key that is malformed */
    {1007, 1008, WEFT_SYNTAX},  /* databases that exist, or do not */
    {1093, 1093, WEFT_SYNTAX},  /* the target of an update is read */
    {1094, 1094, WEFT_USAGE},   {1111, 1111, WEFT_SYNTAX},  {1193, 1193, WEFT_SYNTAX},
    {1215, 1215, WEFT_SYNTAX},  {1243, 1243, WEFT_SYNTAX},  {1273, 1273, WEFT_SYNTAX},
    {1288, 1288, WEFT_USAGE},   /* not updatable */
    {1290, 1290, WEFT_USAGE},   {1291, 1291, WEFT_SYNTAX},  {1300, 1300, WEFT_TYPE},    {1321, 1321, WEFT_SYNTAX},
    {1347, 1356, WEFT_SYNTAX},  /* views */
    {1359, 1360, WEFT_SYNTAX},  {1369, 1369, WEFT_CHECK},   {1393, 1394, WEFT_USAGE},
    {1396, 1396, WEFT_AUTH},    {1419, 1419, WEFT_AUTH},    {1422, 1424, WEFT_USAGE},
    {1442, 1442, WEFT_USAGE},   {1449, 1449, WEFT_SYNTAX},  {1471, 1471, WEFT_USAGE},
    {1479, 1525, WEFT_SYNTAX},  /* partitions */
    {1526, 1526, WEFT_CHECK},   /* a row that has no partition */
    {1553, 1553, WEFT_USAGE},   /* an index that a foreign key needs */
    {1642, 1644, WEFT_CHECK},   /* signals of triggers and procedures */
    {1821, 1834, WEFT_SYNTAX},  /* foreign keys */
    {1836, 1836, WEFT_USAGE},   {1901, 1911, WEFT_SYNTAX},  /* generated columns */
    {3105, 3105, WEFT_SYNTAX},  {3780, 3780, WEFT_SYNTAX},  {4078, 4079, WEFT_SYNTAX},
    {4161, 4161, WEFT_SYNTAX},  /* a type that is not known */
};

static enum weft_kind kind_of(unsigned number) {
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (numbers[i].number == number) return numbers[i].kind;
  for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
    if (spans[i].from <= number && number <= spans[i].to) return spans[i].kind;
  return WEFT_INTERNAL;
}

static enum weft_kind kind_of_state(unsigned number, const char *state) {
  enum weft_kind kind = kind_of(number);
  for (size_t i = 0; kind == WEFT_INTERNAL && state && i < sizeof classes / sizeof *classes; i++)
    if (strncmp(state, classes[i].state, 2) == 0) kind = classes[i].kind;
  return kind;
}

bool weft_my_is_loss(unsigned number) { return kind_of(number) == WEFT_DISCONNECT; }

void ERR_clear_error(void) __attribute__((weak)); /* where Connector/C's TLS is OpenSSL */

void weft_my_forget_tls_errors(void) {
  if (ERR_clear_error) ERR_clear_error();
}

/* ---- values in messages ---- */

/* "Duplicate entry 'a' for key 'b'": a may hold quotes itself, so that its end is the last "' for " or
   "' in " or "' at "; without one the message ends before it. */
static void scrub(unsigned number, char *message) {
  static const uint16_t quoting[] = {1022, 1062, 1292, 1300, 1365, 1366, 1411, 1525, 1569,
                                     1586, 1690, 1761, 1762, 1916, 1918, 0};
  char *no_partition = number == 1526 ? strstr(message, " for value") : NULL;
  if (no_partition) *no_partition = 0;
  size_t i = 0;
  while (quoting[i] && quoting[i] != number) i++;
  char *from = quoting[i] ? strchr(message, '\'') : NULL, *to = NULL;
  if (!from) return;
  for (char *at = from + 1; (at = strstr(at, "' for ")); at++) to = at;
  for (char *at = to ? NULL : from + 1; at && (at = strstr(at, "' when ")); at++) to = at;
  if (from > message && from[-1] == ' ') from--;
  if (to) memmove(from, to + 1, strlen(to + 1) + 1);
  else *from = 0;
  size_t n = strlen(message);
  if (n && message[n - 1] == ':') message[n - 1] = 0;
}

/* ---- names in messages ---- */

/* The name behind word, in quotes of either kind; the last part of one with dots, where parts says so. */
static void name_behind(const char *message, const char *word, bool parts, char *out, size_t size) {
  const char *at = NULL;
  for (const char *p = message; (p = strstr(p, word)); p++) at = p + strlen(word);
  if (!at || (*at != '`' && *at != '\'')) return;
  const char quote = *at, *end = strchr(++at, quote);
  while (end && parts && end[1] == '.' && end[2] == quote) at = end + 3, end = strchr(at, quote);
  const char *dot = end && parts && quote == '\'' ? memchr(at, '.', (size_t)(end - at)) : NULL;
  if (dot) at = dot + 1;
  if (end) snprintf(out, size, "%.*s", (int)(end - at), at);
}

static void add_names(struct weft_error *err, const char *message) {
  char *constraint = err->constraint, *column = err->column;
  size_t n = sizeof err->constraint, m = sizeof err->column;
  switch (err->kind) {
    case WEFT_UNIQUE: name_behind(message, "for key ", true, constraint, n); break;
    case WEFT_FOREIGN_KEY: name_behind(message, "CONSTRAINT ", false, constraint, n); break;
    case WEFT_CHECK:
      name_behind(message, "CONSTRAINT ", true, constraint, n);
      name_behind(message, "Check constraint ", true, constraint, n);
      break;
    case WEFT_NOT_NULL:
      name_behind(message, "Column ", true, column, m);
      name_behind(message, "Field ", true, column, m);
      name_behind(message, "for column ", true, column, m);
      break;
    case WEFT_TYPE: name_behind(message, "for column ", true, column, m); break;
    default: break;
  }
}

static void tidy(const char *text, char *out, size_t size) {
  snprintf(out, size, "%s", text ? text : "");
  for (char *p = out; *p; p++)
    if ((unsigned char)*p < ' ') *p = ' ';
}

enum { TOO_LARGE = 1153, TOO_LARGE_TO_SEND = 2020 };

int weft_my_fail(struct weft_my_conn *c, struct weft_error *err, unsigned number,
                 const char *state, const char *message) {
  char text[sizeof err->message];
  tidy(message, text, sizeof text);
  scrub(number, text);
  if (number == TOO_LARGE || number == TOO_LARGE_TO_SEND) c->base.broken = true; /* it hangs up after that */
  enum weft_kind kind = kind_of_state(number, state);
  if (kind == WEFT_DISCONNECT || kind == WEFT_CONNECT) weft_conn_fail(&c->base, err, kind, "%s", text);
  else weft_fail(err, kind, "%s", text);
  snprintf(err->code, sizeof err->code, "%s", state && strcmp(state, "00000") != 0 ? state : "");
  add_names(err, text);
  return -1;
}

/* "Can't connect to server on 'h' (111)", "Access denied for user 'u'@'h' (using password: YES)". */
int weft_my_fail_connect(const struct weft_my_conn *c, struct weft_error *err, unsigned number,
                         const char *state, const char *message) {
  char text[sizeof err->message];
  tidy(message, text, sizeof text);
  enum weft_kind kind = kind_of(number);
  if (kind != WEFT_AUTH && number != 1049) kind = WEFT_CONNECT;
  if (number == 1049) kind = WEFT_CONNECT; /* there is no such database */
  weft_conn_fail(&c->base, err, kind, "cannot connect: %s", text);
  snprintf(err->code, sizeof err->code, "%s", state && strcmp(state, "00000") != 0 ? state : "");
  err->retryable = kind == WEFT_CONNECT && number != 1049;
  return -1;
}
