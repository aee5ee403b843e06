/* SPDX-License-Identifier: MIT */
/* How long a Lambda function takes from the start of its process until its first invocation is answered.
   lambda FRAGMENT COMMAND...: starts the command with AWS_LAMBDA_RUNTIME_API, hands it one event, checks that the
   response holds FRAGMENT, ends it; prints {"time": ms, "rss": MB}. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 65536 };

static pid_t child;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void fail(const char *what) {
  fprintf(stderr, "lambda: %s\n", what);
  if (child > 0) kill(child, SIGKILL);
  exit(1);
}

/* Reads one whole request of fd; its connection may bring another one later. */
static const char *request(int fd, char text[ROOM]) {
  size_t n = 0;
  for (;;) {
    ssize_t got = read(fd, text + n, ROOM - 1 - n);
    if (got <= 0) fail("the runtime has closed its connection");
    n += (size_t)got;
    text[n] = 0;
    const char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
    if (body && n >= (size_t)(body + 4 - text) + (length && length < body ? (size_t)atol(length + 15) : 0)) return body + 4;
  }
}

static int listen_somewhere(int *port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) || listen(fd, 4) || getsockname(fd, (struct sockaddr *)&at, &len))
    fail("cannot listen");
  *port = ntohs(at.sin_port);
  return fd;
}

int main(int argc, char **argv) {
  static const char event[] = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: one\r\n"
                              "Lambda-Runtime-Deadline-Ms: 32503680000000\r\nContent-Length: 2\r\n\r\n{}";
  char text[ROOM], api[64];
  int port, on = 1, listener;
  if (argc < 3) fail("usage: lambda FRAGMENT COMMAND...");
  listener = listen_somewhere(&port);
  snprintf(api, sizeof api, "127.0.0.1:%d", port);
  setenv("AWS_LAMBDA_RUNTIME_API", api, 1);
  alarm(30);
  double start = now();
  child = fork();
  if (child == 0) {
    execvp(argv[2], argv + 2);
    _exit(127);
  }
  int fd = accept(listener, NULL, NULL);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (strncmp((request(fd, text), text), "GET /2018-06-01/runtime/invocation/next ", 40) != 0) fail("no event was asked for");
  if (write(fd, event, sizeof event - 1) != sizeof event - 1) fail("the event was not taken");
  const char *body = request(fd, text);
  double time = now() - start;
  if (strncmp(text, "POST /2018-06-01/runtime/invocation/one/response ", 49) != 0 || !strstr(body, argv[1])) fail(text);
  struct rusage used;
  kill(child, SIGKILL);
  wait4(child, NULL, 0, &used);
  printf("{\"time\": %.3f, \"rss\": %.1f, \"check\": \"answered\"}\n", time, (double)used.ru_maxrss / 1024);
  return 0;
}
