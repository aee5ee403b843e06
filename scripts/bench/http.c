/* SPDX-License-Identifier: MIT */
/* http start PATH COMMAND...: starts a server that prints a line with http://ADDRESS, asks it for PATH until it answers;
   prints {"time": ms} from the start of the process to the first answer, and ends it.
   http await PORT: waits until something listens there, 10 s at most.
   http idle PORT N: opens N connections, asks for /plaintext once on each, keeps them; prints a line when all have been
   answered and ends when its input does. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

_Noreturn static void fail(const char *what) {
  fprintf(stderr, "http: %s\n", what);
  if (child > 0) kill(child, SIGKILL);
  exit(1);
}

static int try_dial(int port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0) fail("no more sockets");
  if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0) return fd;
  close(fd);
  return -1;
}

static int dial(int port) {
  int fd = try_dial(port);
  if (fd < 0) fail("cannot connect");
  return fd;
}

static void ask(int fd, const char *path) {
  char text[4096];
  int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path);
  if (write(fd, text, (size_t)n) != n) fail("cannot send");
}

static void answered(int fd) {
  char text[4096];
  ssize_t n = read(fd, text, sizeof text - 1);
  if (n <= 0) fail("no answer");
  text[n] = '\0';
  if (strncmp(text, "HTTP/1.1 200", 12)) fail(text);
}

static int start(const char *path, char **command) {
  char line[1024];
  int out[2], port = 0;
  char *at;
  if (pipe(out)) fail("no pipe");
  double from = now();
  child = fork();
  if (child == 0) {
    dup2(out[1], 2);
    close(out[0]);
    execv(command[0], command);
    _exit(127);
  }
  close(out[1]);
  FILE *said = fdopen(out[0], "r");
  while (!port && fgets(line, sizeof line, said))
    if ((at = strstr(line, "http://127.0.0.1:"))) port = atoi(at + 17);
  if (!port) fail("the server does not say where it listens");
  int fd = dial(port);
  ask(fd, path);
  answered(fd);
  printf("{\"time\": %.3f}\n", now() - from);
  kill(child, SIGTERM);
  waitpid(child, NULL, 0);
  return 0;
}

static int await(int port) {
  for (int i = 0; i < 1000; i++) {
    int fd = try_dial(port);
    if (fd >= 0) return 0;
    usleep(10000);
  }
  fail("nothing listens there");
}

static int idle(int port, int count) {
  struct rlimit most = {(rlim_t)count + 64, (rlim_t)count + 64};
  int *fd = calloc((size_t)count, sizeof *fd);
  if (!fd || setrlimit(RLIMIT_NOFILE, &most)) fail("cannot open so many connections");
  for (int i = 0; i < count; i++) {
    fd[i] = dial(port);
    ask(fd[i], "/plaintext");
    answered(fd[i]);
  }
  printf("ready\n");
  fflush(stdout);
  while (getchar() != EOF) continue;
  free(fd);
  return 0;
}

int main(int argc, char **argv) {
  if (argc >= 4 && !strcmp(argv[1], "start")) return start(argv[2], argv + 3);
  if (argc == 3 && !strcmp(argv[1], "await")) return await(atoi(argv[2]));
  if (argc == 4 && !strcmp(argv[1], "idle")) return idle(atoi(argv[2]), atoi(argv[3]));
  fail("usage: http start PATH COMMAND... | http await PORT | http idle PORT N");
}
