/* SPDX-License-Identifier: MIT */
/* Files of the disk. A file is opened and looked at on the loop's thread; what the page cache holds of it is read
   there, too, and what it does not hold is read on the thread pool, so that a slow disk holds nobody else up.

   From weft_exchange_file on the exchange is this file's: it fills the client's buffer up to the high water, once a
   turn, and ends the exchange when all is there, when the client is gone or when the file turns out to be shorter. */
#include "http_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BLOCK = 64 * 1024, PART = 4 * BLOCK /* of one turn */, DATE = 32, TAG = 48 };

struct weft_file {
  struct weft_exchange *x;
  struct stat st;
  uint64_t at, left; /* of the bytes to be sent */
  int fd;
  bool busy;    /* the block is read on the thread pool */
  ssize_t got;
  size_t size;  /* of the block */
  char block[];
};

static struct weft_file *file_new(struct weft_exchange *x, int fd, const struct stat *st) {
  size_t size = st->st_size < BLOCK ? (size_t)st->st_size : BLOCK;
  struct weft_file *f = weft_alloc(sizeof *f + size);
  *f = (struct weft_file){.x = x, .st = *st, .left = (uint64_t)st->st_size, .fd = fd, .size = size};
  return f;
}

static void file_free(struct weft_file *f) {
  close(f->fd);
  free(f);
}

/* A plain file, or -1. A pipe would wait for its other end. */
static int open_plain(const char *path, struct stat *st) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode)) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

/* ---- sending ---- */

static void give_up(struct weft_exchange *x) {
  struct weft_client *c = x->client;
  file_free(x->file);
  x->file = NULL;
  if (!c) {
    weft_exchange_finish(x);
    return;
  }
  weft_exchange_drop(x);
}

static void take(struct weft_exchange *x, const char *p, size_t n) {
  x->file->at += n, x->file->left -= n;
  if (x->zip) weft_zip_write(x, weft_slice(p, n));
  else weft_respond_piece(x, weft_slice(p, n));
}

static void on_thread(void *ud) {
  struct weft_file *f = ud;
  size_t n = f->left < f->size ? f->left : f->size;
  do f->got = pread(f->fd, f->block, n, (off_t)f->at);
  while (f->got < 0 && errno == EINTR);
}

static void on_read(void *ud, bool cancelled) {
  struct weft_file *f = ud;
  struct weft_exchange *x = f->x;
  f->busy = false;
  if (cancelled || !x->client || f->got <= 0) {
    give_up(x);
    return;
  }
  take(x, f->block, (size_t)f->got);
  weft_file_go_on(x);
}

/* What the page cache holds: 1, 0: nothing of it, -1: the file is shorter than it was. */
static int read_cached(struct weft_exchange *x) {
  struct weft_file *f = x->file;
  struct iovec to = {f->block, f->left < f->size ? f->left : f->size};
  ssize_t n = preadv2(f->fd, &to, 1, (off_t)f->at, RWF_NOWAIT);
  if (n < 0) return 0;
  if (n == 0) return -1;
  take(x, f->block, (size_t)n);
  return 1;
}

static void all_there(struct weft_exchange *x) {
  file_free(x->file);
  x->file = NULL;
  weft_exchange_end(x);
}

void weft_file_go_on(struct weft_exchange *x) {
  struct weft_file *f = x->file;
  uint64_t enough = f->left < PART ? 0 : f->left - PART;
  size_t high = x->http->o.high_water;
  int rc = 1;
  while (f->left > enough && weft_client_waiting(x->client) < high && (rc = read_cached(x)) > 0) continue;
  weft_http_dirty(x->client);
  if (rc < 0) {
    give_up(x);
  } else if (!f->left) {
    all_there(x);
  } else if (rc == 0) {
    f->busy = true;
    weft_loop_work(x->http->loop, on_thread, on_read, f);
  } else {
    x->held = true;
  }
}

void weft_file_lose(struct weft_exchange *x) {
  if (!x->file->busy) give_up(x);
}

/* ---- what is asked for ---- */

struct facts {
  char tag[TAG], date[DATE];
};

static void describe(const struct stat *st, struct facts *facts) {
  snprintf(facts->tag, sizeof facts->tag, "\"%" PRIx64 "-%" PRIx64 "\"",
           (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec, (uint64_t)st->st_size);
  weft_head_date(facts->date, st->st_mtim.tv_sec);
}

/* One of "a", W/"b", ... or *. Weakly: the same content is enough to keep what one has. */
static bool tag_listed(struct weft_slice list, const char *tag) {
  if (weft_slice_equal(list, WEFT_LIT("*"))) return true;
  return list.n && memmem(list.p, list.n, tag, strlen(tag)) != NULL;
}

static bool unchanged(struct weft_exchange *x, const struct stat *st, const struct facts *facts) {
  struct weft_slice tags = weft_exchange_header(x, WEFT_LIT("if-none-match"));
  if (tags.p) return tag_listed(tags, facts->tag);
  int64_t since = weft_head_read_date(weft_exchange_header(x, WEFT_LIT("if-modified-since")));
  return since >= 0 && st->st_mtim.tv_sec <= since;
}

/* A range of another version would be worse than none. */
static bool range_holds(struct weft_exchange *x, const struct facts *facts) {
  struct weft_slice condition = weft_exchange_header(x, WEFT_LIT("if-range"));
  return !condition.p || weft_slice_equal(condition, weft_slice_of(facts->tag)) ||
         weft_slice_equal(condition, weft_slice_of(facts->date));
}

static const char *read_number(const char *p, const char *end, uint64_t *n) {
  const char *start = p;
  for (*n = 0; p < end && *p >= '0' && *p <= '9'; p++) {
    if (*n > UINT64_MAX / 10 - 1) return NULL;
    *n = *n * 10 + (uint64_t)(*p - '0');
  }
  return p > start ? p : NULL;
}

/* "bytes=1-2", "bytes=1-", "bytes=-2": 1. 0: none, or one that is passed over. -1: beyond the end. */
static int read_range(struct weft_slice s, uint64_t size, uint64_t *first, uint64_t *count) {
  const char *p = s.p + 6, *end = s.p + s.n;
  uint64_t last = UINT64_MAX;
  if (s.n < 8 || memcmp(s.p, "bytes=", 6) != 0) return 0;
  if (*p == '-') {
    if (read_number(p + 1, end, &last) != end) return 0;
    if (last > size) last = size;
    *first = size - last, *count = last;
    return last ? 1 : -1;
  }
  p = read_number(p, end, first);
  if (!p || p == end || *p++ != '-' || (p < end && read_number(p, end, &last) != end)) return 0;
  if (last < *first) return 0;
  if (*first >= size) return -1;
  *count = (last < size ? last + 1 : size) - *first;
  return 1;
}

static void add(struct weft_exchange *x, const char *name, const char *value) {
  weft_exchange_add(x, weft_slice_of(name), weft_slice_of(value), NULL);
}

static void end_with(struct weft_exchange *x, int status) {
  weft_exchange_status(x, status);
  file_free(x->file);
  x->file = NULL;
  weft_exchange_body_of(x, weft_slice(NULL, 0));
}

/* What of the file is wanted. False: nothing of it, which is said already. */
static bool choose_range(struct weft_exchange *x, const struct facts *facts) {
  struct weft_file *f = x->file;
  struct weft_slice range = weft_exchange_header(x, WEFT_LIT("range"));
  uint64_t size = f->left, first, count;
  char text[80];
  int rc = range.p && !x->head_request && range_holds(x, facts) ? read_range(range, size, &first, &count) : 0;
  if (rc == 0) return true;
  if (rc < 0) {
    snprintf(text, sizeof text, "bytes */%" PRIu64, size);
    add(x, "Content-Range", text);
    end_with(x, 416);
    return false;
  }
  snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first, first + count - 1, size);
  add(x, "Content-Range", text);
  weft_exchange_status(x, 206);
  f->at = first, f->left = count;
  return true;
}

static void begin(struct weft_exchange *x) {
  struct weft_file *f = x->file;
  if (x->status == 200 && f->left >= x->http->o.gzip_min) weft_zip_stream(x);
  weft_head_write(x, weft_client_out(x->client), x->zip ? -1 : (int64_t)f->left);
  if (weft_head_bodiless(x)) all_there(x);
  else weft_file_go_on(x);
}

static void answer(struct weft_exchange *x) {
  struct facts facts = {0};
  bool asked = x->status == 200 && (x->head_request || x->parser.method == HTTP_GET);
  describe(&x->file->st, &facts);
  if (!x->etag) add(x, "ETag", facts.tag);
  add(x, "Last-Modified", facts.date);
  if (asked && unchanged(x, &x->file->st, &facts)) {
    end_with(x, 304);
    return;
  }
  if (asked) add(x, "Accept-Ranges", "bytes");
  if (!asked || choose_range(x, &facts)) begin(x);
}

/* ---- which file ---- */

/* The compressed one beside it, unless it is older than what it stands for. */
static int open_beside(struct weft_exchange *x, const char *path, const struct stat *original, struct stat *st) {
  char name[4096];
  int n = snprintf(name, sizeof name, "%s.gz", path);
  struct stat found;
  if (x->encoded || n < 0 || n >= (int)sizeof name || stat(name, &found) < 0) return -1;
  if (!S_ISREG(found.st_mode) || found.st_mtim.tv_sec < original->st_mtim.tv_sec) return -1;
  weft_zip_vary(x);
  if (!weft_zip_accepts(weft_exchange_header(x, WEFT_LIT("accept-encoding")))) return -1;
  return open_plain(name, st);
}

int weft_exchange_file(struct weft_exchange *x, const char *path, struct weft_error *err) {
  struct stat st;
  if (x->answered) return weft_fail(err, WEFT_USAGE, "the response has begun");
  int fd = open_plain(path, &st);
  if (fd < 0) return weft_fail(err, WEFT_NOT_FOUND, "there is no such file");
  if (!x->typed) weft_exchange_add(x, WEFT_LIT("Content-Type"), weft_file_type(path), NULL);
  int beside = open_beside(x, path, &st, &st);
  if (beside >= 0) {
    close(fd);
    add(x, "Content-Encoding", "gzip");
  }
  x->file = file_new(x, beside >= 0 ? beside : fd, &st);
  if (x->client) answer(x);
  else give_up(x);
  return 0;
}
