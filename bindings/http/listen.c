/* SPDX-License-Identifier: MIT */
#include "http_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ACCEPTS = 64 }; /* of one turn: the connections that are there have their turn, too */
#define PAUSE_NS INT64_C(100000000) /* without descriptors or memory nothing is accepted so long */

struct weft_listener {
  struct weft_list link; /* of http->listeners */
  struct weft_http *http;
  struct weft_watch *watch;
  int fd;
};

/* ---- binding ---- */

static int fail_bind(const char *address, int number, int fd, struct weft_error *err) {
  if (fd >= 0) close(fd);
  return weft_fail(err, WEFT_CONNECT, "cannot listen on %s: %s", address, strerror(number));
}

/* The file of a socket whose process is gone stays: whoever is refused there may take it over. */
static bool abandoned(const struct sockaddr_un *a) {
  struct stat st;
  if (lstat(a->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode)) return false;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof *a) < 0 && errno == ECONNREFUSED;
  if (fd >= 0) close(fd);
  return refused;
}

static int bind_unix(const char *address, const char *path, int backlog, int *out, struct weft_error *err) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  if (!*path || strlen(path) >= sizeof a.sun_path)
    return weft_fail(err, WEFT_USAGE, "cannot listen on %s: a path of 1 to %zu bytes is needed", address,
                     sizeof a.sun_path - 1);
  memcpy(a.sun_path, path, strlen(path));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail_bind(address, errno, fd, err);
  int rc = bind(fd, (struct sockaddr *)&a, sizeof a);
  if (rc < 0 && errno == EADDRINUSE) {
    if (!abandoned(&a)) return fail_bind(address, EADDRINUSE, fd, err);
    unlink(path);
    rc = bind(fd, (struct sockaddr *)&a, sizeof a);
  }
  if (rc < 0 || listen(fd, backlog) < 0) return fail_bind(address, errno, fd, err);
  *out = fd;
  return 0;
}

static int bind_address(const struct addrinfo *a, bool any, bool shared, int backlog) {
  int one = 1, zero = 0, fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (a->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, any ? &zero : &one, sizeof one);
  if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, backlog) == 0) return fd;
  int number = errno;
  close(fd);
  errno = number;
  return -1;
}

/* "[::1]:80", "127.0.0.1:80", "localhost:80", ":80" */
static int split(const char *address, char host[256], const char **port) {
  const char *colon = strrchr(address, ':');
  if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) || atoi(colon + 1) > 65535) return -1;
  size_t n = (size_t)(colon - address);
  bool quoted = n >= 2 && address[0] == '[' && colon[-1] == ']';
  if (quoted) address++, n -= 2;
  if (n >= 256 || (!quoted && memchr(address, ':', n))) return -1;
  memcpy(host, address, n);
  host[n] = 0;
  *port = colon + 1;
  return 0;
}

/* ":80" is a socket for both families, or for the one there is. */
static int bind_first(const struct addrinfo *list, bool any, bool shared, int backlog) {
  int fd = -1;
  if (any)
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
      if (a->ai_family == AF_INET6) fd = bind_address(a, any, shared, backlog);
  if (any && fd < 0 && errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) return fd;
  for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) fd = bind_address(a, any, shared, backlog);
  return fd;
}

int weft_http_bind(const char *address, bool shared, int backlog, int *out, struct weft_error *err) {
  char host[256];
  const char *port;
  if (backlog <= 0) backlog = SOMAXCONN;
  if (strncmp(address, "unix:", 5) == 0) return bind_unix(address, address + 5, backlog, out, err);
  if (split(address, host, &port) < 0)
    return weft_fail(err, WEFT_USAGE, "'%s' is no address to listen on: HOST:PORT, [IPv6]:PORT, :PORT or unix:PATH",
                     address);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *list;
  int rc = getaddrinfo(*host ? host : NULL, port, &hints, &list);
  if (rc != 0) return weft_fail(err, WEFT_CONNECT, "cannot listen on %s: %s", address, gai_strerror(rc));
  errno = EAFNOSUPPORT;
  int fd = bind_first(list, !*host, shared, backlog), number = errno;
  freeaddrinfo(list);
  if (fd < 0) return fail_bind(address, number, fd, err);
  *out = fd;
  return 0;
}

void weft_http_name(int fd, char *out, size_t size) {
  struct sockaddr_storage a = {0};
  socklen_t n = sizeof a;
  char text[INET6_ADDRSTRLEN];
  out[0] = 0;
  if (getsockname(fd, (struct sockaddr *)&a, &n) < 0) return;
  if (a.ss_family == AF_INET) {
    const struct sockaddr_in *in = (const void *)&a;
    snprintf(out, size, "%s:%d", inet_ntop(AF_INET, &in->sin_addr, text, sizeof text), ntohs(in->sin_port));
  } else if (a.ss_family == AF_INET6) {
    const struct sockaddr_in6 *in = (const void *)&a;
    snprintf(out, size, "[%s]:%d", inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof text), ntohs(in->sin6_port));
  } else if (a.ss_family == AF_UNIX) {
    snprintf(out, size, "unix:%s", ((const struct sockaddr_un *)&a)->sun_path);
  }
}

/* ---- accepting ---- */

static bool exhausted(int number) {
  return number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM;
}

/* False: nobody waits any more, or nobody can be let in. */
static bool accept_one(struct weft_listener *l) {
  int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    weft_http_take(l->http, fd);
  } else if (exhausted(errno)) {
    weft_watch_events(l->watch, 0);
    weft_phase_wake(l->http, weft_loop_now(l->http->loop) + PAUSE_NS);
    return false;
  }
  return fd >= 0 || errno == ECONNABORTED || errno == EINTR;
}

static void on_accept(void *ud, int events) {
  (void)events;
  for (int i = 0; i < ACCEPTS && accept_one(ud); i++) continue;
}

void weft_listen_resume(struct weft_http *h) {
  for (struct weft_list *at = h->listeners.next; at != &h->listeners; at = at->next)
    weft_watch_events(WEFT_CONTAINER(at, struct weft_listener, link)->watch, WEFT_READABLE);
}

int weft_http_listen(struct weft_http *h, int fd, struct weft_error *err) {
  struct weft_listener *l = weft_zalloc(sizeof *l);
  l->http = h, l->fd = fd;
  l->watch = weft_watch_new(h->loop, fd, on_accept, l);
  if (!l->watch) {
    free(l);
    return weft_fail(err, WEFT_INTERNAL, "the listening socket cannot be watched");
  }
  weft_list_push(&h->listeners, &l->link);
  weft_watch_events(l->watch, WEFT_READABLE);
  return 0;
}

/* What the kernel has accepted already would be reset when the last listener closes it. */
void weft_listen_stop(struct weft_http *h) {
  for (struct weft_list *at; (at = weft_list_take(&h->listeners));) {
    struct weft_listener *l = WEFT_CONTAINER(at, struct weft_listener, link);
    while (accept_one(l)) continue;
    weft_watch_free(l->watch);
    free(l);
  }
}
