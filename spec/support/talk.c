/* SPDX-License-Identifier: MIT */
/*
 * talk ADDRESS: one raw connection to 127.0.0.1:PORT, [::1]:PORT or unix:PATH, for specs of servers.
 *
 * Answers each line of stdin with one line; TEXT has \r \n \\ and \xHH. What the server says is collected meanwhile.
 *   send TEXT        "ok", or "gone" when the server takes no more
 *   each TEXT        the same, a byte at a time
 *   many N TEXT      N times, for as long as the server takes them
 *   fill N           up to N bytes, until the server has taken none for 300 ms; how many, without reading
 *   shut             ends our side
 *   reset            resets the connection
 *   read             what came up to the end: "BYTES eof", "BYTES reset", or "BYTES open" after 10 s without a byte,
 *                    and the bytes
 *   until N TEXT     likewise, but only until TEXT has come N times
 *   idle N           opens N connections more and keeps them; "ok"
 *   quit
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE = 10000, FULL = 300, LINE = 8 << 20 };

static int fd;
static char *got;
static size_t n_got, cap_got;
static const char *how = "open";

static _Noreturn void die(const char *what) {
  perror(what);
  exit(1);
}

static int dial(const char *address) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  struct sockaddr_in in = {.sin_family = AF_INET};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
  const char *port = strrchr(address, ':');
  const struct sockaddr *a = (void *)&in;
  socklen_t n = sizeof in;
  if (!port) die("address");
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  in.sin_port = six.sin6_port = htons((unsigned short)atoi(port + 1));
  if (strncmp(address, "unix:", 5) == 0) {
    strncpy(un.sun_path, address + 5, sizeof un.sun_path - 1);
    a = (void *)&un, n = sizeof un;
  } else if (*address == '[') {
    a = (void *)&six, n = sizeof six;
  }
  int s = socket(a->sa_family, SOCK_STREAM, 0);
  if (s < 0 || connect(s, a, n) < 0) die("connect");
  return s;
}

static size_t unescape(char *text) {
  char *out = text;
  for (char *p = text; *p; p++) {
    unsigned byte;
    if (*p != '\\') *out++ = *p;
    else if (*++p == 'r') *out++ = '\r';
    else if (*p == 'n') *out++ = '\n';
    else if (*p == 'x' && sscanf(p + 1, "%2x", &byte) == 1) *out++ = (char)byte, p += 2;
    else *out++ = *p;
  }
  return (size_t)(out - text);
}

/* What is there to be read; false at the end. */
static bool take(void) {
  if (cap_got - n_got < 65536) {
    char *more = realloc(got, cap_got = cap_got * 2 + 65536);
    if (!more) die("no memory");
    got = more;
  }
  ssize_t n = recv(fd, got + n_got, cap_got - n_got, MSG_DONTWAIT);
  if (n > 0) n_got += (size_t)n;
  else if (n == 0) how = "eof";
  else if (errno != EAGAIN) how = "reset";
  return strcmp(how, "open") == 0;
}

/* Sends all of it and reads meanwhile; false when the server takes no more. */
static bool say(const char *text, size_t n) {
  while (n) {
    bool open = strcmp(how, "open") == 0;
    struct pollfd p = {.fd = fd, .events = (short)(POLLOUT | (open ? POLLIN : 0))};
    if (poll(&p, 1, PATIENCE) <= 0) return false;
    if (open && (p.revents & POLLIN)) take();
    if (!(p.revents & (POLLOUT | POLLERR | POLLHUP))) continue;
    ssize_t sent = send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent > 0) text += sent, n -= (size_t)sent;
  }
  return true;
}

static bool say_each(const char *text, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!say(text + i, 1)) return false;
  return true;
}

static bool say_many(long times, const char *text, size_t n) {
  while (times-- > 0)
    if (!say(text, n)) return false;
  return true;
}

static size_t fill(size_t limit) {
  static const char bytes[65536] = {'x'};
  struct pollfd p = {.fd = fd, .events = POLLOUT};
  size_t sent = 0;
  while (sent < limit && poll(&p, 1, FULL) > 0) {
    ssize_t n = send(fd, bytes, limit - sent < sizeof bytes ? limit - sent : sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) break;
    if (n > 0) sent += (size_t)n;
  }
  return sent;
}

static long count(const char *text, size_t n) {
  long times = 0;
  for (char *p = got, *end = got + n_got; p && (p = memmem(p, (size_t)(end - p), text, n)); p += n) times++;
  return times;
}

static void hear(long times, const char *text, size_t n) {
  while (strcmp(how, "open") == 0 && (times == 0 || count(text, n) < times)) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, PATIENCE) <= 0) break;
    take();
  }
  printf("%zu %s\n", n_got, how);
  fwrite(got, 1, n_got, stdout);
  n_got = 0;
}

static void reset(void) {
  struct linger now = {.l_onoff = 1};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(fd);
}

static void more(const char *address, long n) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  while (n-- > 0) dial(address);
}

static void run(const char *address, char *word) {
  char *rest = strchr(word, ' ');
  long n = 0;
  if (rest) *rest++ = 0;
  else rest = word + strlen(word);
  if (strcmp(word, "many") == 0 || strcmp(word, "until") == 0) n = strtol(rest, &rest, 10), rest += *rest == ' ';
  size_t length = unescape(rest);
  const char *answer = "ok";
  if (strcmp(word, "send") == 0) answer = say(rest, length) ? "ok" : "gone";
  else if (strcmp(word, "each") == 0) answer = say_each(rest, length) ? "ok" : "gone";
  else if (strcmp(word, "many") == 0) answer = say_many(n, rest, length) ? "ok" : "gone";
  else if (strcmp(word, "fill") == 0) printf("%zu\n", fill(strtoul(rest, NULL, 10))), answer = NULL;
  else if (strcmp(word, "read") == 0) hear(0, NULL, 0), answer = NULL;
  else if (strcmp(word, "until") == 0) hear(n, rest, length), answer = NULL;
  else if (strcmp(word, "shut") == 0) shutdown(fd, SHUT_WR);
  else if (strcmp(word, "reset") == 0) reset();
  else if (strcmp(word, "idle") == 0) more(address, strtol(rest, NULL, 10));
  else exit(0);
  if (answer) puts(answer);
  fflush(stdout);
}

int main(int argc, char **argv) {
  int one = 1;
  static char line[LINE];
  if (argc != 2) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  fd = dial(argv[1]);
  setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    run(argv[1], line);
  }
  return 0;
}
