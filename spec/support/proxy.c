/* SPDX-License-Identifier: MIT */
/*
 * proxy LISTENPORT HOST PORT DELAY_MS: a TCP proxy for the fault specs (LISTENPORT 0 picks a port).
 *
 * Prints its port, then answers each line of stdin with one, after which the command holds:
 *   cut         resets every connection          delay N     delays each direction by N ms
 *   pause       forwards nothing                 resume      ends pause, mute and refuse
 *   mute        drops what the server says       refuse      closes the listening socket
 *   count       "OPEN ACCEPTED SENT": connections now, ever, and bytes that came from clients
 *   quit        ends the proxy
 * It also ends with stdin and with its parent, so that it never outlives the spec that started it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 1024, CHUNK = 16384, MAX_QUEUED = 4 << 20 };

struct chunk {
  struct chunk *next;
  int64_t due; /* ms */
  size_t at, len;
  char bytes[CHUNK];
};

/* One direction: what was read from `from` and waits to be written to the other side. */
struct flow {
  struct chunk *first, *last;
  size_t queued;
  bool ended, shut; /* end of input was read; it was passed on */
};

struct pair {
  int client, server;
  struct flow up, down;
};

static struct pair *pairs[MAX_CONNECTIONS];
static int n_pairs;
static int listener = -1, port;
static int64_t delay;
static long accepted;
static long long client_bytes;
static bool paused, mute;
static struct sockaddr_in target;

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void prepare(int fd) {
  int one = 1;
  fcntl(fd, F_SETFL, O_NONBLOCK);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static int listen_on(int wanted) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)wanted)};
  socklen_t len = sizeof a;
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 256) ||
      getsockname(fd, (struct sockaddr *)&a, &len)) {
    perror("proxy: listen");
    exit(1);
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  port = ntohs(a.sin_port);
  return fd;
}

static void drop_flow(struct flow *f) {
  while (f->first) {
    struct chunk *c = f->first;
    f->first = c->next;
    free(c);
  }
  f->last = NULL;
  f->queued = 0;
}

static void drop_pair(int i, bool reset) {
  struct pair *p = pairs[i];
  struct linger hard = {.l_onoff = 1, .l_linger = 0};
  if (reset) {
    setsockopt(p->client, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    setsockopt(p->server, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  close(p->client);
  close(p->server);
  drop_flow(&p->up);
  drop_flow(&p->down);
  free(p);
  pairs[i] = pairs[--n_pairs];
}

static void accept_one(void) {
  int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (client < 0) return;
  accepted++;
  int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct pair *p = calloc(1, sizeof *p);
  if (!p || server < 0 || n_pairs == MAX_CONNECTIONS ||
      connect(server, (struct sockaddr *)&target, sizeof target)) {
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(client);
    if (server >= 0) close(server);
    free(p);
    return;
  }
  prepare(client);
  prepare(server);
  p->client = client;
  p->server = server;
  pairs[n_pairs++] = p;
}

/* False when the connection is broken. */
static bool take(struct flow *f, int fd, bool from_client) {
  struct chunk *c = malloc(sizeof *c);
  if (!c) return false;
  ssize_t n = read(fd, c->bytes, CHUNK);
  if (n <= 0) {
    free(c);
    if (n == 0) f->ended = true;
    return n == 0 || errno == EAGAIN || errno == EINTR;
  }
  if (from_client) client_bytes += n;
  if (mute && !from_client) {
    free(c);
    return true;
  }
  c->next = NULL;
  c->at = 0;
  c->len = (size_t)n;
  c->due = now_ms() + delay;
  f->queued += c->len;
  if (f->last) f->last->next = c;
  else f->first = c;
  f->last = c;
  return true;
}

static bool give(struct flow *f, int fd, int64_t now) {
  while (f->first && f->first->due <= now) {
    struct chunk *c = f->first;
    ssize_t n = send(fd, c->bytes + c->at, c->len - c->at, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    c->at += (size_t)n;
    f->queued -= (size_t)n;
    if (c->at < c->len) return true;
    f->first = c->next;
    if (!f->first) f->last = NULL;
    free(c);
  }
  if (!f->first && f->ended && !f->shut) {
    f->shut = true;
    shutdown(fd, SHUT_WR);
  }
  return true;
}

static void command(char *line) {
  if (strncmp(line, "cut", 3) == 0) {
    while (n_pairs) drop_pair(n_pairs - 1, true);
  } else if (strncmp(line, "delay ", 6) == 0) {
    delay = atoi(line + 6);
  } else if (strncmp(line, "pause", 5) == 0) {
    paused = true;
  } else if (strncmp(line, "mute", 4) == 0) {
    mute = true;
  } else if (strncmp(line, "refuse", 6) == 0) {
    if (listener >= 0) close(listener);
    listener = -1;
  } else if (strncmp(line, "resume", 6) == 0) {
    paused = mute = false;
    if (listener < 0) listener = listen_on(port);
  } else if (strncmp(line, "count", 5) == 0) {
    printf("%d %ld %lld\n", n_pairs, accepted, client_bytes);
    return;
  } else if (strncmp(line, "quit", 4) == 0) {
    exit(0);
  } else {
    printf("unknown\n");
    return;
  }
  printf("ok\n");
}

/* False at the end of stdin. A line that has only come in part is kept. */
static bool commands(void) {
  static char held[256];
  static size_t len;
  ssize_t n = read(0, held + len, sizeof held - 1 - len);
  if (n <= 0) return n < 0 && errno == EINTR;
  len += (size_t)n;
  held[len] = '\0';
  for (char *end; (end = strchr(held, '\n'));) {
    *end = '\0';
    command(held);
    len -= (size_t)(end + 1 - held);
    memmove(held, end + 1, len + 1);
  }
  return len < sizeof held - 1;
}

static int64_t wait_for(const struct flow *f, int64_t now, int64_t wait) {
  if (!f->first || f->first->due <= now) return wait;
  int64_t left = f->first->due - now;
  return wait < 0 || left < wait ? left : wait;
}

static short events(const struct flow *in, const struct flow *out, int64_t now) {
  short e = 0;
  if (paused) return 0;
  if (!in->ended && in->queued < MAX_QUEUED) e |= POLLIN;
  if (out->first && out->first->due <= now) e |= POLLOUT;
  return e;
}

static void move_bytes(struct pollfd *fds) {
  int64_t now = now_ms();
  for (int i = n_pairs - 1; i >= 0; i--) {
    struct pair *p = pairs[i];
    short c = fds[2 + 2 * i].revents, s = fds[3 + 2 * i].revents;
    bool ok = true;
    if (!paused) {
      if (c & (POLLIN | POLLHUP | POLLERR) && !p->up.ended) ok = take(&p->up, p->client, true);
      if (ok && s & (POLLIN | POLLHUP | POLLERR) && !p->down.ended)
        ok = take(&p->down, p->server, false);
      if (ok) ok = give(&p->up, p->server, now) && give(&p->down, p->client, now);
    }
    if (!ok) drop_pair(i, true);
    else if (p->up.shut && p->down.shut) drop_pair(i, false);
  }
}

int main(int argc, char **argv) {
  static struct pollfd fds[2 + 2 * MAX_CONNECTIONS];
  if (argc != 5) {
    fprintf(stderr, "usage: proxy LISTENPORT HOST PORT DELAY_MS\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  /* The end of stdin alone does not do: a server that the spec starts later inherits the other end. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  target.sin_family = AF_INET;
  target.sin_port = htons((uint16_t)atoi(argv[3]));
  if (inet_pton(AF_INET, argv[2], &target.sin_addr) != 1) {
    fprintf(stderr, "proxy: HOST is an IPv4 address\n");
    return 2;
  }
  delay = atoi(argv[4]);
  setvbuf(stdout, NULL, _IOLBF, 0);
  listener = listen_on(atoi(argv[1]));
  printf("%d\n", port);
  for (;;) {
    int64_t now = now_ms(), wait = -1;
    fds[0] = (struct pollfd){.fd = 0, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (int i = 0; i < n_pairs; i++) {
      struct pair *p = pairs[i];
      short c = events(&p->up, &p->down, now), s = events(&p->down, &p->up, now);
      fds[2 + 2 * i] = (struct pollfd){.fd = c ? p->client : -1, .events = c};
      fds[3 + 2 * i] = (struct pollfd){.fd = s ? p->server : -1, .events = s};
      if (!paused) wait = wait_for(&p->up, now, wait_for(&p->down, now, wait));
    }
    if (poll(fds, 2 + 2 * (nfds_t)n_pairs, (int)wait) < 0 && errno != EINTR) return 1;
    move_bytes(fds);
    if (fds[1].revents & POLLIN) accept_one();
    if (fds[0].revents && !commands()) return 0;
  }
}
