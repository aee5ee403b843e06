/* SPDX-License-Identifier: MIT */
/* Dates and times as text. The calendar is proleptic Gregorian with astronomical years: 0000 is 1
   BC, -0001 is 2 BC. A year has four digits, or a sign and four or more (ISO 8601, expanded), so
   that every value of a database reads back. Midnight of the day after ("24:00:00") is a TIME only.
 */
#include "value.h"

static const int64_t DAY = 86400000000, SECOND = 1000000;

struct civil {
  int64_t year;
  unsigned month, day;
};

/* A year that begins in March has its odd day at the end; 400 of them have 146097 days. */
enum { ERA = 146097, EPOCH = 719468 /* days from 0000-03-01 to 1970-01-01 */ };

static int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0);
}

static struct civil civil_of(int64_t days) {
  days += EPOCH;
  int64_t era = floor_div(days, ERA);
  unsigned in_era = (unsigned)(days - era * ERA);
  unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
  unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
  unsigned month = (5 * in_year + 2) / 153; /* from March */
  return (struct civil){
      .year = era * 400 + year + (month >= 10),
      .month = month < 10 ? month + 3 : month - 9,
      .day = in_year - (153 * month + 2) / 5 + 1,
  };
}

static int64_t days_of(struct civil c) {
  int64_t year = c.year - (c.month <= 2), era = floor_div(year, 400), in_era = year - era * 400;
  unsigned month = c.month > 2 ? c.month - 3 : c.month + 9;
  int64_t in_year = (153 * month + 2) / 5 + c.day - 1;
  return era * ERA + in_era * 365 + in_era / 4 - in_era / 100 + in_year - EPOCH;
}

static unsigned month_days(int64_t year, unsigned month) {
  static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : days[month - 1];
}

int weft_time_of_day(unsigned year, unsigned month, unsigned day, enum weft_type type, int64_t us,
                     struct weft_value *out) {
  struct civil c = {.year = year, .month = month, .day = day};
  if (month == 0 || month > 12 || day == 0 || day > month_days(year, month)) return -1;
  int64_t days = days_of(c);
  *out = (struct weft_value){.type = (uint8_t)type, .u.i = type == WEFT_DATE ? days : days * DAY + us};
  return 0;
}

static char *put2(char *p, unsigned v) {
  p[0] = (char)('0' + v / 10);
  p[1] = (char)('0' + v % 10);
  return p + 2;
}

static char *put_year(char *p, int64_t year) {
  if (year >= 0 && year <= 9999) return put2(put2(p, (unsigned)year / 100), (unsigned)year % 100);
  *p++ = year < 0 ? '-' : '+';
  uint64_t size = year < 0 ? 0 - (uint64_t)year : (uint64_t)year;
  for (uint64_t pad = 1000; pad > size && pad > 1; pad /= 10) *p++ = '0';
  return p + weft_int_text(p, (int64_t)size);
}

static char *put_date(char *p, int64_t days) {
  struct civil c = civil_of(days);
  p = put_year(p, c.year);
  *p++ = '-';
  p = put2(p, c.month);
  *p++ = '-';
  return put2(p, c.day);
}

static char *put_time(char *p, int64_t us) {
  unsigned seconds = (unsigned)(us / SECOND), part = (unsigned)(us % SECOND);
  p = put2(p, seconds / 3600);
  *p++ = ':';
  p = put2(p, seconds / 60 % 60);
  *p++ = ':';
  p = put2(p, seconds % 60);
  if (part == 0) return p;
  *p++ = '.';
  return put2(put2(put2(p, part / 10000), part / 100 % 100), part % 100);
}

size_t weft_time_text(char out[40], struct weft_value v) {
  char *p = out;
  if (v.type == WEFT_TIME) return (size_t)(put_time(p, v.u.i) - out);
  if (v.u.i == WEFT_INFINITY) return memcpy(out, "infinity", 8), 8;
  if (v.u.i == -WEFT_INFINITY) return memcpy(out, "-infinity", 9), 9;
  if (v.type == WEFT_DATE) return (size_t)(put_date(p, v.u.i) - out);
  int64_t days = floor_div(v.u.i, DAY);
  p = put_date(p, days);
  *p++ = 'T';
  /* In two steps, for days * DAY may be below INT64_MIN on the first day of all. */
  int64_t in_day = v.u.i % DAY;
  p = put_time(p, in_day < 0 ? in_day + DAY : in_day);
  if (v.type == WEFT_TIMESTAMPTZ) *p++ = 'Z';
  return (size_t)(p - out);
}

/* What is left of the text; a failed step leaves p == NULL and every later one passes it on. */
struct scan {
  const char *p, *end;
};

static bool at(const struct scan *s, char c) {
  return s->p && s->p < s->end && *s->p == c;
}

static bool skip(struct scan *s, char c) {
  if (!at(s, c)) return false;
  s->p++;
  return true;
}

static bool digit(const struct scan *s) {
  return s->p && s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

/* Between min and max digits, all that there are. */
static int64_t number(struct scan *s, int min, int max) {
  int64_t v = 0;
  int n = 0;
  for (; digit(s) && n < max; n++) v = v * 10 + (*s->p++ - '0');
  if (n < min || digit(s)) s->p = NULL;
  return v;
}

static unsigned two(struct scan *s, unsigned max) {
  unsigned v = 0;
  for (int i = 0; i < 2; i++) {
    if (!digit(s)) s->p = NULL;
    else v = v * 10 + (unsigned)(*s->p++ - '0');
  }
  if (v > max) s->p = NULL;
  return v;
}

static int64_t scan_date(struct scan *s) {
  bool neg = at(s, '-'), sign = skip(s, '+') || skip(s, '-');
  struct civil c = {.year = number(s, 4, sign ? 7 : 4)};
  if (neg) c.year = -c.year;
  if (!skip(s, '-')) s->p = NULL;
  c.month = two(s, 12);
  if (!skip(s, '-')) s->p = NULL;
  c.day = two(s, 31);
  if (!s->p || c.month == 0 || c.day == 0 || c.day > month_days(c.year, c.month)) {
    s->p = NULL;
    return 0;
  }
  return days_of(c);
}

/* Nine digits at most, and none but zeros behind the sixth: finer than a microsecond is not exact.
 */
static int64_t scan_fraction(struct scan *s) {
  int64_t us = 0;
  int n = 0;
  for (; digit(s) && n < 9; n++) {
    int v = *s->p++ - '0';
    if (n < 6) us = us * 10 + v;
    else if (v != 0) return s->p = NULL, 0;
  }
  if (n == 0 || digit(s)) s->p = NULL;
  for (; n < 6; n++) us *= 10;
  return us;
}

static int64_t scan_time(struct scan *s) {
  int64_t hour = two(s, 24), seconds = 0, us = 0;
  if (!skip(s, ':')) s->p = NULL;
  int64_t minute = two(s, 59);
  if (skip(s, ':')) {
    seconds = two(s, 59);
    if (skip(s, '.')) us = scan_fraction(s);
  }
  int64_t all = ((hour * 60 + minute) * 60 + seconds) * SECOND + us;
  if (all > DAY) s->p = NULL;
  return all;
}

bool weft_time_is_span(struct weft_slice text) {
  struct scan s = {text.p, text.p + text.n};
  skip(&s, '-');
  int64_t hours = number(&s, 2, 3);
  if (!skip(&s, ':')) s.p = NULL;
  two(&s, 59);
  if (!skip(&s, ':')) s.p = NULL;
  two(&s, 59);
  if (skip(&s, '.')) scan_fraction(&s);
  return s.p == s.end && hours <= 838;
}

/* Z, +hh, +hh:mm, +hhmm; microseconds east of Greenwich. */
static int64_t scan_zone(struct scan *s, bool *had) {
  *had = true;
  if (skip(s, 'Z') || skip(s, 'z')) return 0;
  bool west = at(s, '-');
  if (!skip(s, '+') && !skip(s, '-')) return *had = false, 0;
  int64_t minutes = (int64_t)two(s, 15) * 60;
  if (skip(s, ':') || digit(s)) minutes += two(s, 59);
  return (west ? -minutes : minutes) * 60 * SECOND;
}

/* A date alone is its midnight. */
static int scan_timestamp(struct scan *s, bool *had_zone, int64_t *out) {
  int64_t days = scan_date(s), us = 0, zone = 0;
  *had_zone = false;
  if (skip(s, 'T') || skip(s, 't') || skip(s, ' ')) {
    us = scan_time(s);
    if (us == DAY) s->p = NULL;
    zone = scan_zone(s, had_zone);
  }
  if (!s->p || s->p != s->end) return -1;
  /* The first day of all begins before INT64_MIN; the sum of a later hour does not. */
  __int128 sum = (__int128)days * DAY + us - zone;
  if (sum >= INT64_MAX || sum <= -INT64_MAX) return -1;
  *out = (int64_t)sum;
  return 0;
}

static bool scan_infinity(struct weft_slice text, int64_t *out) {
  bool neg = weft_slice_equal(text, WEFT_LIT("-infinity"));
  if (!neg && !weft_slice_equal(text, WEFT_LIT("infinity"))) return false;
  *out = neg ? -WEFT_INFINITY : WEFT_INFINITY;
  return true;
}

int weft_time_parse(struct weft_slice text, enum weft_type type, bool *had_zone,
                    struct weft_value *out) {
  struct scan s = {text.p, text.p + text.n};
  int64_t v = 0;
  *had_zone = false;
  if (text.n == 0) return -1;
  switch (type) {
  case WEFT_TIME: v = scan_time(&s); break;
  case WEFT_DATE:
    if (scan_infinity(text, &v)) s.p = s.end;
    else v = scan_date(&s);
    break;
  case WEFT_TIMESTAMP:
  case WEFT_TIMESTAMPTZ:
    if (scan_infinity(text, &v)) s.p = s.end;
    else if (scan_timestamp(&s, had_zone, &v) != 0) return -1;
    break;
  default: return -1;
  }
  if (s.p != s.end) return -1;
  *out = (struct weft_value){.type = (uint8_t)type, .u.i = v};
  return 0;
}
