/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>
#include <uv.h>

#include "spec.h"

enum { MS = 1000000 };

static struct weft_error err;

static struct weft_loop *new_loop(void) {
  struct weft_loop *l = NULL;
  weft_loop_new(NULL, &l, &err);
  return l;
}

/* ---- hooks ---- */

struct note {
  struct weft_hook hook;
  struct weft_loop *loop;
  char *log;
  char name;
  int again; /* defers itself that often; -1 for ever */
  bool at_end, *done;
  struct weft_hook *also;
};

static void write_name(struct weft_hook *hook) {
  struct note *n = WEFT_CONTAINER(hook, struct note, hook);
  if (n->log) strncat(n->log, &n->name, 1);
  if (n->also) weft_loop_defer(n->loop, n->also);
  if (n->again) {
    if (n->again > 0) n->again--;
    if (n->at_end) weft_loop_at_end(n->loop, hook);
    else weft_loop_defer(n->loop, hook);
  }
  if (n->done) *n->done = true;
}

static struct note note(struct weft_loop *l, char *log, char name) {
  struct note n = {.loop = l, .log = log, .name = name};
  n.hook.run = write_name;
  return n;
}

static void hooks(void) {
  struct weft_loop *l = new_loop();
  char log[64] = "";
  bool done = false;
  struct note a = note(l, log, 'a'), b = note(l, log, 'b'), e = note(l, log, 'e');
  weft_list_init(&a.hook.link);
  weft_list_init(&b.hook.link);
  weft_list_init(&e.hook.link);
  it("runs deferred items in order, then the turn's end, then what that deferred") {
    struct note late = note(l, log, 'l');
    weft_list_init(&late.hook.link);
    late.done = &done;
    e.also = &late.hook;
    weft_loop_at_end(l, &e.hook);
    weft_loop_defer(l, &a.hook);
    weft_loop_defer(l, &b.hook);
    weft_loop_defer(l, &a.hook); /* linked already */
    expect(weft_loop_busy(l));
    expect_int(weft_loop_pump(l, &done, &err), 0);
    expect_str(log, "abel");
    expect(!weft_loop_busy(l));
    e.also = NULL;
  }
  it("puts what an item defers into the next round") {
    log[0] = 0, done = false;
    a.again = 2, b.done = &done;
    b.again = 1;
    weft_loop_defer(l, &a.hook);
    weft_loop_defer(l, &b.hook);
    weft_loop_pump(l, &done, &err);
    expect_str(log, "ababa");
  }
  it("takes an item back") {
    log[0] = 0, done = false;
    b.again = 0;
    weft_loop_defer(l, &a.hook);
    weft_loop_defer(l, &b.hook);
    weft_list_remove(&a.hook.link);
    weft_loop_pump(l, &done, &err);
    expect_str(log, "b");
  }
  weft_loop_free(l);
}

static void set_true(void *ud) { *(bool *)ud = true; }

static void starving(void) {
  struct weft_loop *l = new_loop();
  bool done = false;
  int fds[2];
  it("lets timers and sockets through an item that defers itself for ever") {
    struct note a = note(l, NULL, 'a'), e = note(l, NULL, 'e');
    weft_list_init(&a.hook.link);
    weft_list_init(&e.hook.link);
    bool ended = false, read = false;
    a.again = -1, e.again = -1, e.at_end = true, e.done = &ended;
    struct weft_timer *t = weft_timer_new(l, set_true, &done);
    weft_timer_start(t, weft_loop_now(l) + 5 * MS);
    weft_loop_defer(l, &a.hook);
    weft_loop_at_end(l, &e.hook);
    expect_int(weft_loop_pump(l, &done, &err), 0);
    expect(ended);
    if (!expect(pipe(fds) == 0 && write(fds[1], "x", 1) == 1)) continue;
    struct weft_watch *w =
        weft_watch_new(l, fds[0], (void (*)(void *, int))(void *)set_true, &read);
    weft_watch_events(w, WEFT_READABLE);
    weft_loop_pump(l, &read, &err);
    expect(read);
    weft_watch_free(w);
    close(fds[0]);
    close(fds[1]);
    weft_list_remove(&a.hook.link);
    weft_list_remove(&e.hook.link);
    weft_timer_free(t);
  }
  weft_loop_free(l);
}

/* ---- pump ---- */

struct nested {
  struct weft_loop *loop;
  int rc;
  bool running, done;
};

static void pump_inside(void *ud) {
  struct nested *n = ud;
  bool never = false;
  n->running = weft_loop_running(n->loop);
  n->rc = weft_loop_pump(n->loop, &never, &err);
  n->done = true;
}

static void pumping(void) {
  struct weft_loop *l = new_loop();
  it("is never nested") {
    struct nested n = {.loop = l};
    struct weft_timer *t = weft_timer_new(l, pump_inside, &n);
    expect(!weft_loop_running(l));
    weft_timer_start(t, 0);
    expect_int(weft_loop_pump(l, &n.done, &err), 0);
    expect(n.running);
    expect_int(n.rc, -1);
    expect_int(err.kind, WEFT_USAGE);
    expect(!weft_loop_running(l));
    weft_timer_free(t);
  }
  it("returns at once when it is done already") {
    bool done = true;
    expect_int(weft_loop_pump(l, &done, &err), 0);
  }
  it("counts its open handles") {
    expect_int(weft_loop_handles(l), 0);
    struct weft_timer *t = weft_timer_new(l, set_true, NULL);
    expect_int(weft_loop_handles(l), 1);
    weft_timer_free(t);
    expect_int(weft_loop_handles(l), 0);
  }
  weft_loop_free(l);
}

/* ---- timers ---- */

struct fired {
  struct weft_loop *loop;
  int64_t at;
  int n;
  bool done;
};

static void on_fired(void *ud) {
  struct fired *f = ud;
  f->at = weft_loop_clock(f->loop);
  f->n++;
  f->done = true;
}

static void timers(void) {
  struct weft_loop *l = new_loop();
  struct fired f = {.loop = l};
  struct weft_timer *t = weft_timer_new(l, on_fired, &f);
  it("never fires early") {
    for (int i = 0; i < 40; i++) {
      int64_t at = weft_loop_now(l) + (i % 8) * MS / 4 + i;
      f.done = false;
      weft_timer_start(t, at);
      weft_loop_pump(l, &f.done, &err);
      expect(f.at >= at);
    }
  }
  it("fires once, and not when stopped") {
    bool done = false;
    struct weft_timer *end = weft_timer_new(l, set_true, &done);
    f.n = 0;
    weft_timer_start(t, weft_loop_now(l) + MS);
    weft_timer_start(t, weft_loop_now(l) + 2 * MS);
    weft_timer_start(end, weft_loop_now(l) + 6 * MS);
    weft_loop_pump(l, &done, &err);
    expect_int(f.n, 1);
    done = false;
    weft_timer_start(t, weft_loop_now(l) + MS);
    weft_timer_start(end, weft_loop_now(l) + 4 * MS);
    weft_timer_stop(t);
    weft_loop_pump(l, &done, &err);
    expect_int(f.n, 1);
    weft_timer_free(end);
  }
  it("stands still but for the time that is skipped") {
    struct fired later = {.loop = l};
    struct weft_timer *t2 = weft_timer_new(l, on_fired, &later);
    int64_t before = weft_loop_now(l), hour = INT64_C(3600) * 1000 * MS;
    f.done = false;
    weft_timer_start(t, before + hour);
    weft_loop_skip(l, hour);
    int64_t now = weft_loop_now(l);
    expect(now >= before + hour);
    weft_timer_start(t2, now + 1);
    weft_loop_pump(l, &f.done, &err);
    expect(f.at == now && !later.done);
    weft_loop_skip(l, 1);
    weft_loop_pump(l, &later.done, &err);
    expect_int(later.at, now + 1);
    weft_timer_free(t2);
  }
  weft_timer_free(t);
  weft_loop_free(l);
}

/* ---- watches ---- */

struct seen {
  int fd, events, calls;
  char byte;
  bool done;
  struct weft_watch *watch;
};

static void on_events(void *ud, int events) {
  struct seen *s = ud;
  s->events = events;
  s->calls++;
  if ((events & WEFT_READABLE) && s->fd >= 0 && read(s->fd, &s->byte, 1) == 1) s->done = true;
  if (events & WEFT_WRITABLE) s->done = true;
}

static void on_events_free(void *ud, int events) {
  struct seen *s = ud;
  (void)events;
  s->done = true;
  s->calls++;
  weft_watch_free(s->watch);
}

static void watches(void) {
  struct weft_loop *l = new_loop();
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) return;
  struct seen s = {.fd = fds[0]};
  struct weft_watch *w = weft_watch_new(l, fds[0], on_events, &s);
  it("tells that something can be read") {
    weft_watch_events(w, WEFT_READABLE);
    expect_int(write(fds[1], "ab", 2), 2);
    weft_loop_pump(l, &s.done, &err);
    expect_int(s.byte, 'a');
    expect_int(s.events, WEFT_READABLE);
  }
  it("tells it again while something is left") {
    s.done = false;
    weft_loop_pump(l, &s.done, &err);
    expect_int(s.byte, 'b');
  }
  it("pauses and changes its events") {
    bool end = false;
    struct weft_timer *t = weft_timer_new(l, set_true, &end);
    weft_watch_events(w, 0);
    s.calls = 0;
    expect_int(write(fds[1], "c", 1), 1);
    weft_timer_start(t, weft_loop_now(l) + 2 * MS);
    weft_loop_pump(l, &end, &err);
    expect_int(s.calls, 0);
    s.done = false;
    weft_watch_events(w, WEFT_WRITABLE);
    weft_loop_pump(l, &s.done, &err);
    expect_int(s.events, WEFT_WRITABLE);
    weft_timer_free(t);
  }
  it("may be freed in its own call back, and the fd used again") {
    struct seen once = {.fd = -1};
    bool end = false;
    struct weft_timer *t = weft_timer_new(l, set_true, &end);
    weft_watch_free(w);
    once.watch = weft_watch_new(l, fds[0], on_events_free, &once);
    weft_watch_events(once.watch, WEFT_READABLE);
    weft_loop_pump(l, &once.done, &err);
    weft_timer_start(t, weft_loop_now(l) + 2 * MS);
    weft_loop_pump(l, &end, &err);
    expect_int(once.calls, 1);
    s.done = false;
    w = weft_watch_new(l, fds[0], on_events, &s);
    weft_watch_events(w, WEFT_READABLE);
    weft_loop_pump(l, &s.done, &err);
    expect_int(s.byte, 'c');
    weft_timer_free(t);
  }
  it("cannot be made for a file") {
    int file = open("/proc/self/exe", O_RDONLY);
    expect(weft_watch_new(l, file, on_events, &s) == NULL);
    close(file);
  }
  weft_watch_free(w);
  close(fds[0]);
  close(fds[1]);
  expect_int(weft_loop_handles(l), 0);
  weft_loop_free(l);
}

/* ---- threads ---- */

enum { SENDERS = 4, SENDS = 2000 };

struct wakes {
  struct weft_wake *wake;
  pthread_mutex_t lock;
  int sent, seen, calls;
  bool done;
};

static void *send_many(void *ud) {
  struct wakes *w = ud;
  for (int i = 0; i < SENDS; i++) {
    pthread_mutex_lock(&w->lock);
    w->sent++;
    pthread_mutex_unlock(&w->lock);
    weft_wake_send(w->wake);
  }
  return NULL;
}

static void on_wake(void *ud) {
  struct wakes *w = ud;
  pthread_mutex_lock(&w->lock);
  w->seen = w->sent;
  pthread_mutex_unlock(&w->lock);
  w->calls++;
  w->done = w->seen == SENDERS * SENDS;
}

static void waking(void) {
  struct weft_loop *l = new_loop();
  it("is woken by other threads and loses no call") {
    struct wakes w = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[SENDERS];
    w.wake = weft_wake_new(l, on_wake, &w);
    for (int i = 0; i < SENDERS; i++) pthread_create(&threads[i], NULL, send_many, &w);
    weft_loop_pump(l, &w.done, &err);
    expect_int(w.seen, SENDERS * SENDS);
    expect(w.calls >= 1 && w.calls <= SENDERS * SENDS);
    for (int i = 0; i < SENDERS; i++) pthread_join(threads[i], NULL);
    weft_wake_free(w.wake);
  }
  weft_loop_free(l);
}

struct job {
  struct weft_loop *loop;
  int *left;
  bool *all, ran, cancelled, ended;
  int64_t sum;
};

static void job_run(void *ud) {
  struct job *j = ud;
  for (int64_t i = 0; i < 20000; i++) j->sum += i;
  j->ran = true;
}

static void job_done(void *ud, bool cancelled) {
  struct job *j = ud;
  j->ended = true;
  j->cancelled = cancelled;
  if (--*j->left == 0) *j->all = true;
}

static void working(void) {
  struct weft_loop *l = new_loop();
  enum { JOBS = 200 };
  static struct job jobs[JOBS];
  static struct weft_work *work[JOBS];
  it("runs work on threads and cancels what has not begun") {
    int left = JOBS, said = 0, cancelled = 0, ran = 0;
    bool all = false;
    for (int i = 0; i < JOBS; i++) {
      jobs[i] = (struct job){.loop = l, .left = &left, .all = &all};
      work[i] = weft_loop_work(l, job_run, job_done, &jobs[i]);
    }
    for (int i = JOBS - 1; i >= 0; i -= 2) said += weft_work_cancel(work[i]);
    weft_loop_pump(l, &all, &err);
    for (int i = 0; i < JOBS; i++) {
      expect(jobs[i].ended && jobs[i].cancelled == !jobs[i].ran);
      cancelled += jobs[i].cancelled;
      ran += jobs[i].ran;
    }
    expect_int(cancelled, said);
    expect_int(ran, JOBS - said);
    expect_int(weft_loop_handles(l), 0);
  }
  it("waits for work when it is freed") {
    int left = 1;
    bool all = false;
    struct job j = {.loop = l, .left = &left, .all = &all};
    weft_loop_work(l, job_run, job_done, &j);
    weft_loop_free(l);
    expect(j.ended);
  }
}

/* ---- names ---- */

struct names {
  size_t n;
  bool ok, done;
  char first[64];
  struct weft_error err;
};

static void on_names(void *ud, const char *const *addresses, size_t n, const struct weft_error *e) {
  struct names *r = ud;
  r->n = n;
  r->ok = !e;
  if (e) r->err = *e;
  if (n) snprintf(r->first, sizeof r->first, "%s", addresses[0]);
  r->done = true;
}

static void resolving(void) {
  struct weft_loop *l = new_loop();
  static const char *const numeric[] = {"127.0.0.1", "::1"};
  for (int i = 0; i < 2; i++) {
    it("takes a numeric address as it is") {
      struct names r = {0};
      weft_loop_resolve(l, numeric[i], on_names, &r);
      expect(!r.done);
      weft_loop_pump(l, &r.done, &err);
      expect(r.ok && r.n == 1);
      expect_str(r.first, numeric[i]);
    }
  }
  it("finds localhost") {
    struct names r = {0};
    weft_loop_resolve(l, "localhost", on_names, &r);
    weft_loop_pump(l, &r.done, &err);
    expect(r.ok && r.n >= 1);
  }
  it("says which host it did not find") {
    struct names r = {0};
    weft_loop_resolve(l, "no-such-host.invalid", on_names, &r);
    weft_loop_pump(l, &r.done, &err);
    expect(!r.ok);
    expect_int(r.err.kind, WEFT_CONNECT);
    expect(strstr(r.err.message, "no-such-host.invalid") != NULL);
  }
  it("does not call back once it was dropped") {
    struct names r = {0}, r2 = {0}, last = {0};
    weft_loop_resolve_drop(weft_loop_resolve(l, "localhost", on_names, &r));
    weft_loop_resolve_drop(weft_loop_resolve(l, "127.0.0.1", on_names, &r2));
    weft_loop_resolve(l, "localhost", on_names, &last);
    weft_loop_pump(l, &last.done, &err);
    expect(!r.done && !r2.done);
  }
  it("fails for a name that is too long") {
    struct names r = {0};
    char name[400];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = 0;
    weft_loop_resolve(l, name, on_names, &r);
    weft_loop_pump(l, &r.done, &err);
    expect(!r.ok);
  }
  weft_loop_free(l);
}

/* ---- an embedder's loop ---- */

static void release_loop(void *ud) { weft_loop_release(ud); }

static void embedded(void) {
  uv_loop_t uv;
  struct weft_loop *l = NULL;
  uv_loop_init(&uv);
  expect_int(weft_loop_new(&uv, &l, &err), 0);
  it("does not keep an embedder's loop alive when idle") {
    struct weft_timer *t = weft_timer_new(l, set_true, NULL);
    weft_timer_start(t, weft_loop_now(l) + INT64_C(3600000) * MS);
    expect_int(uv_run(&uv, UV_RUN_DEFAULT), 0);
    weft_timer_free(t);
  }
  it("keeps it alive while held") {
    struct weft_timer *t = weft_timer_new(l, release_loop, l);
    weft_loop_hold(l);
    weft_timer_start(t, weft_loop_now(l) + 2 * MS);
    int64_t before = weft_loop_now(l);
    uv_run(&uv, UV_RUN_DEFAULT);
    expect(weft_loop_now(l) - before >= 2 * MS);
    weft_timer_free(t);
  }
  it("runs what was deferred from outside") {
    char log[8] = "";
    struct note a = note(l, log, 'a'), e = note(l, log, 'e');
    weft_list_init(&a.hook.link);
    weft_list_init(&e.hook.link);
    weft_loop_at_end(l, &e.hook);
    weft_loop_defer(l, &a.hook);
    uv_run(&uv, UV_RUN_DEFAULT);
    expect_str(log, "ae");
  }
  it("pumps it") {
    bool done = false;
    struct weft_timer *t = weft_timer_new(l, set_true, &done);
    weft_timer_start(t, weft_loop_now(l) + MS);
    expect_int(weft_loop_pump(l, &done, &err), 0);
    weft_timer_free(t);
  }
  weft_loop_free(l);
  it("leaves nothing in it") {
    expect_int(uv_loop_close(&uv), 0);
  }
}

int main(void) {
  describe("loop") {
    describe("hooks") {
      hooks();
      starving();
    }
    describe("pump") {
      pumping();
    }
    describe("timer") {
      timers();
    }
    describe("watch") {
      watches();
    }
    describe("wake") {
      waking();
    }
    describe("work") {
      working();
    }
    describe("resolve") {
      resolving();
    }
    describe("an embedder's uv_loop_t") {
      embedded();
    }
  }
  return spec_end();
}
