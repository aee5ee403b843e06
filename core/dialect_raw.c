/* SPDX-License-Identifier: MIT */
/* Raw SQL is cut into just enough tokens to tell marks from text, and to see what a statement is
   by its words. Nothing is parsed beyond that: the database does it, and what it refuses is its
   own error.

   The tokens of a text, one after another, are the text. */
#include <stdlib.h>

#include "render.h"

static bool digit(char c) { return c >= '0' && c <= '9'; }

static bool word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool word_part(char c) { return word_start(c) || digit(c) || c == '$'; }

static bool space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Each scan_ function takes the place of a token's first byte and returns the place behind its last
   one, or 0 when the text ends before it does. */

static size_t scan_quoted(struct weft_slice s, size_t i, bool backslash) {
  char close = s.p[i] == '[' ? ']' : s.p[i];
  for (i++; i < s.n; i++) {
    if (backslash && s.p[i] == '\\') i++;
    else if (s.p[i] != close) continue;
    else if (close != ']' && i + 1 < s.n && s.p[i + 1] == close) i++;
    else return i + 1;
  }
  return 0;
}

static size_t scan_block(struct weft_slice s, size_t i, bool nested) {
  int depth = 1;
  for (i += 2; i + 1 < s.n; i++) {
    if (s.p[i] == '*' && s.p[i + 1] == '/') {
      i++;
      if (--depth == 0) return i + 1;
    } else if (nested && s.p[i] == '/' && s.p[i + 1] == '*') {
      i++;
      depth++;
    }
  }
  return 0;
}

static size_t scan_line(struct weft_slice s, size_t i) {
  const char *end = memchr(s.p + i, '\n', s.n - i);
  return end ? (size_t)(end - s.p) + 1 : s.n;
}

/* The tag of a dollar quote at i, dollars included, or nothing. */
static struct weft_slice dollar_tag(struct weft_slice s, size_t i) {
  size_t j = i + 1;
  while (j < s.n && s.p[j] != '$' && (word_start(s.p[j]) || (j > i + 1 && digit(s.p[j])))) j++;
  if (j >= s.n || s.p[j] != '$') return weft_slice(NULL, 0);
  return weft_slice(s.p + i, j + 1 - i);
}

static size_t scan_dollar(struct weft_slice s, size_t i, struct weft_slice tag) {
  size_t from = i + tag.n;
  const char *end = memmem(s.p + from, s.n - from, tag.p, tag.n);
  return end ? (size_t)(end - s.p) + tag.n : 0;
}

/* The own placeholder at i, or i when there is none. */
static size_t scan_own(const struct weft_dialect *d, struct weft_slice s, size_t i) {
  size_t j = i + 1;
  if (d->numbered && s.p[i] == '$') {
    while (j < s.n && digit(s.p[j])) j++;
    return j > i + 1 ? j : i;
  }
  if (!d->named_parameters) return i;
  if (s.p[i] == '?') {
    while (j < s.n && digit(s.p[j])) j++;
    return j > i + 1 ? j : i;
  }
  if (s.p[i] != ':' && s.p[i] != '@' && s.p[i] != '$') return i;
  while (j < s.n && (word_part(s.p[j]) ||
                     (s.p[i] == '$' && s.p[j] == ':' && j + 1 < s.n && s.p[j + 1] == ':' && ++j)))
    j++;
  return j > i + 1 ? j : i;
}

static size_t scan_word(const struct weft_dialect *d, struct weft_slice s, size_t i, int *token) {
  size_t j = i;
  while (j < s.n && word_part(s.p[j])) j++;
  if (!d->escape_strings || j != i + 1 || (s.p[i] | 32) != 'e' || j >= s.n || s.p[j] != '\'')
    return j;
  *token = WEFT_TOKEN_QUOTED;
  return scan_quoted(s, j, true);
}

static bool starts_line_comment(const struct weft_dialect *d, struct weft_slice s, size_t i) {
  if (d->hash_comments && s.p[i] == '#') return true;
  if (s.n - i < 2 || s.p[i] != '-' || s.p[i + 1] != '-') return false;
  return !d->hash_comments || s.n - i == 2 || (unsigned char)s.p[i + 2] <= ' ';
}

/* The database runs what stands in a comment that begins like this. */
static bool starts_code(const struct weft_dialect *d, struct weft_slice s, size_t i) {
  if (!d->hash_comments || s.n - i < 3) return false;
  return s.p[i + 2] == '!' || (s.p[i + 2] == 'M' && s.n - i > 3 && s.p[i + 3] == '!');
}

static bool starts_block(const struct weft_dialect *d, struct weft_slice s, size_t i) {
  return s.n - i >= 2 && s.p[i] == '/' && s.p[i + 1] == '*' && !starts_code(d, s, i);
}

static size_t scan_space(const struct weft_dialect *d, struct weft_slice s, size_t i) {
  if (starts_line_comment(d, s, i)) return scan_line(s, i);
  if (starts_block(d, s, i)) return scan_block(s, i, d->nested_comments);
  while (i < s.n && space(s.p[i])) i++;
  return i;
}

static size_t scan_number(struct weft_slice s, size_t i) {
  while (i < s.n && (digit(s.p[i]) || word_start(s.p[i]) || s.p[i] == '.')) i++;
  return i;
}

static bool starts_space(const struct weft_dialect *d, struct weft_slice s, size_t i) {
  return space(s.p[i]) || starts_line_comment(d, s, i) || starts_block(d, s, i);
}

/* Behind the version that such a comment may begin with. */
static size_t scan_code(struct weft_slice s, size_t i) {
  i += s.p[i + 2] == '!' ? 3 : 4;
  while (i < s.n && digit(s.p[i])) i++;
  return i;
}

/* The end of the token at i; 0: unterminated. */
static size_t scan(const struct weft_dialect *d, struct weft_slice s, size_t i, int *token) {
  char c = s.p[i];
  size_t own;
  *token = WEFT_TOKEN_SPACE;
  if (starts_space(d, s, i)) return scan_space(d, s, i);
  *token = WEFT_TOKEN_QUOTED;
  if (c && strchr(d->quotes, c)) return scan_quoted(s, i, d->backslash_strings && c != d->quote);
  if (d->dollar_quotes && c == '$') {
    struct weft_slice tag = dollar_tag(s, i);
    if (tag.n) return scan_dollar(s, i, tag);
  }
  *token = WEFT_TOKEN_OWN;
  if ((own = scan_own(d, s, i)) > i) return own;
  *token = WEFT_TOKEN_WORD;
  if (word_start(c)) return scan_word(d, s, i, token);
  *token = WEFT_TOKEN_OTHER;
  if (c == '/' && i + 1 < s.n && s.p[i + 1] == '*') return scan_code(s, i);
  if (digit(c)) return scan_number(s, i);
  if (d->numbered && c == ':' && i + 1 < s.n && s.p[i + 1] == ':') return i + 2;
  if (c != '?') return i + 1;
  *token = i + 1 < s.n && s.p[i + 1] == '?' ? WEFT_TOKEN_MARKS : WEFT_TOKEN_MARK;
  return *token == WEFT_TOKEN_MARKS ? i + 2 : i + 1;
}

int weft_token(const struct weft_dialect *d, struct weft_slice text, size_t *at,
               struct weft_slice *piece, struct weft_error *err) {
  int token = WEFT_TOKEN_END;
  size_t from = *at, to = from;
  if (from < text.n) {
    if (!text.p[from]) return weft_fail(err, WEFT_USAGE, "SQL text holds a zero byte");
    to = scan(d, text, from, &token);
  }
  if (token != WEFT_TOKEN_END && (!to || to > text.n))
    return weft_fail(err, WEFT_USAGE, "SQL text ends inside a %s that begins at byte %zu",
                     token == WEFT_TOKEN_SPACE ? "comment" : "quote", from + 1);
  *piece = weft_slice(text.p + from, to - from);
  if (memchr(piece->p ? piece->p : "", 0, piece->n))
    return weft_fail(err, WEFT_USAGE, "SQL text holds a zero byte");
  *at = to;
  return token;
}

/* ---- placeholders ---- */

struct names {
  struct weft_slice *v;
  uint32_t n, cap;
};

/* Counts one own placeholder as the database numbers it: ?5 makes five, a new name one more. */
static int count_own(const struct weft_dialect *d, struct weft_slice piece, struct names *names,
                     uint32_t *count) {
  if (piece.p[0] == '?' || (d->numbered && piece.p[0] == '$')) {
    int64_t i;
    if (weft_int_parse(weft_slice(piece.p + 1, piece.n - 1), &i) || i < 1 || i > d->max_params)
      return -1;
    if ((uint32_t)i > *count) *count = (uint32_t)i;
    return 0;
  }
  for (uint32_t i = 0; i < names->n; i++)
    if (weft_slice_equal(names->v[i], piece)) return 0;
  if (names->n == names->cap) {
    names->cap = names->cap ? names->cap * 2 : 8;
    names->v = weft_realloc(names->v, names->cap * sizeof *names->v);
  }
  names->v[names->n++] = piece;
  ++*count;
  return 0;
}

static void add_piece(const struct weft_dialect *d, struct weft_buf *out, int token,
                      struct weft_slice piece, uint32_t *marks) {
  if (token == WEFT_TOKEN_MARKS) weft_buf_char(out, '?');
  else if (token == WEFT_TOKEN_MARK && d->numbered) weft_buf_fmt(out, "$%u", ++*marks);
  else if (token == WEFT_TOKEN_MARK) weft_buf_char(out, '?'), ++*marks;
  else weft_buf_slice_add(out, piece);
}

int weft_dialect_raw(const struct weft_dialect *d, struct weft_slice text, struct weft_buf *out,
                     uint32_t *count, struct weft_error *err) {
  struct names names = {0};
  struct weft_slice piece;
  uint32_t marks = 0, own = 0;
  size_t at = 0;
  int token, result = -1;
  while ((token = weft_token(d, text, &at, &piece, err)) > 0) {
    add_piece(d, out, token, piece, &marks);
    if (token == WEFT_TOKEN_OWN && count_own(d, piece, &names, &own)) {
      weft_fail(err, WEFT_USAGE, "placeholder '%.*s' is out of range",
                piece.n > 20 ? 20 : (int)piece.n, piece.p);
      goto end;
    }
  }
  if (token < 0) goto end;
  *count = own ? own : marks;
  if (own && marks)
    weft_fail(err, WEFT_USAGE, "SQL text mixes ? with the database's own placeholders");
  else if (marks > d->max_params)
    weft_fail(err, WEFT_USAGE, "%u parameters; %s takes %u", marks, d->name, d->max_params);
  else if (weft_buf_failed(out))
    weft_fail(err, WEFT_USAGE, "SQL text is too long");
  else result = 0;
end:
  free(names.v);
  return result;
}

/* ---- what a statement is ---- */

struct words {
  const struct weft_dialect *d;
  struct weft_slice text;
  size_t at;
};

/* The next word, lower-cased and cut to the buffer; false at the end (or at an error, which the
   database will report). */
static bool next_word(struct words *w, char out[24]) {
  struct weft_slice piece;
  int token;
  while ((token = weft_token(w->d, w->text, &w->at, &piece, NULL)) > 0) {
    if (token != WEFT_TOKEN_WORD) continue;
    size_t n = piece.n < 23 ? piece.n : 23;
    for (size_t i = 0; i < n; i++)
      out[i] = (char)(piece.p[i] >= 'A' && piece.p[i] <= 'Z' ? piece.p[i] + 32 : piece.p[i]);
    out[n] = 0;
    return true;
  }
  return false;
}

static bool among(const char *word, const char *const *list) {
  for (; *list; list++)
    if (!strcmp(word, *list)) return true;
  return false;
}

/* The first byte that is no white space or comment. */
static char next_char(const struct words *w) {
  size_t at = w->at;
  struct weft_slice piece;
  int token;
  while ((token = weft_token(w->d, w->text, &at, &piece, NULL)) == WEFT_TOKEN_SPACE) continue;
  return token > 0 ? piece.p[0] : 0;
}

static const char *const write_words[] = {"insert", "update", "delete", "merge", "replace", "into",
                                          NULL};

/* Whether a word that writes stands anywhere behind the first one. replace(...) is a function. */
static bool writes(struct words *w) {
  char word[24];
  while (next_word(w, word))
    if (among(word, write_words) && (strcmp(word, "replace") || next_char(w) != '(')) return true;
  return false;
}

static bool selects_into(struct words *w) {
  char word[24];
  while (next_word(w, word))
    if (!strcmp(word, "into")) return true;
  return false;
}

static enum weft_statement_class explain(struct words *w) {
  static const char *const verbs[] = {"select", "insert", "update",  "delete",  "with", "values",
                                      "merge",  "create", "execute", "declare", "table", NULL};
  char word[24];
  while (next_word(w, word)) {
    if (!strcmp(word, "analyze") || !strcmp(word, "analyse")) return WEFT_S_WRITE;
    if (among(word, verbs)) break;
  }
  return WEFT_S_READ;
}

static enum weft_statement_class pragma(struct words *w) {
  static const char *const asks[] = {
      "table_info", "table_xinfo",      "table_list",        "index_list",  "index_info",
      "index_xinfo", "foreign_key_list", "foreign_key_check", "integrity_check", "quick_check",
      NULL};
  static const char *const acts[] = {"wal_checkpoint", "optimize", "incremental_vacuum",
                                     "shrink_memory", NULL};
  char word[24];
  if (!next_word(w, word)) return WEFT_S_WRITE;
  if (next_char(w) == '.' && !next_word(w, word)) return WEFT_S_WRITE;
  if (among(word, acts)) return WEFT_S_WRITE;
  if (next_char(w) == '=') return WEFT_S_CONTROL;
  return next_char(w) != '(' || among(word, asks) ? WEFT_S_READ : WEFT_S_CONTROL;
}

static bool is_local(const struct weft_dialect *d, const char *word, struct words *w) {
  char next[24];
  if (!d->locals) return false;
  if (strcmp(word, "set") != 0) return among(word, d->locals);
  return next_word(w, next) && among(next, d->local_sets);
}

enum weft_statement_class weft_dialect_classify(const struct weft_dialect *d,
                                                struct weft_slice text) {
  static const char *const reads[] = {"values", "table", "show", "describe", "desc", NULL};
  static const char *const controls[] = {
      "begin",  "start",  "commit",   "end",        "rollback", "abort",  "savepoint", "release",
      "set",    "reset",  "discard",  "listen",     "unlisten", "attach", "detach",    "copy",
      "declare", "fetch", "move",     "close",      "deallocate", "use",  NULL};
  struct words w = {d, text, 0};
  struct weft_slice piece;
  char word[24];
  for (;;) { /* to the first token that says something */
    size_t before = w.at;
    int token = weft_token(d, text, &w.at, &piece, NULL);
    if (token == WEFT_TOKEN_END) return WEFT_S_EMPTY;
    bool skipped = token == WEFT_TOKEN_SPACE ||
                   (token == WEFT_TOKEN_OTHER && (piece.p[0] == '(' || piece.p[0] == ';' ||
                                                  piece.p[0] == '/' || piece.p[0] == '*'));
    if (skipped) continue;
    if (token != WEFT_TOKEN_WORD) return WEFT_S_WRITE;
    w.at = before;
    break;
  }
  next_word(&w, word);
  if (among(word, reads)) return WEFT_S_READ;
  if (is_local(d, word, &w)) return WEFT_S_LOCAL;
  if (among(word, controls) || (d->controls && among(word, d->controls))) return WEFT_S_CONTROL;
  if (!strcmp(word, "select")) return selects_into(&w) ? WEFT_S_WRITE : WEFT_S_READ;
  if (!strcmp(word, "with")) return writes(&w) ? WEFT_S_WRITE : WEFT_S_READ;
  if (!strcmp(word, "explain")) return explain(&w);
  if (!strcmp(word, "pragma")) return pragma(&w);
  if (!strcmp(word, "prepare")) return WEFT_S_CONTROL;
  return WEFT_S_WRITE;
}
