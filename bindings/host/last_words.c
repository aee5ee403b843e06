/* SPDX-License-Identifier: MIT */
/* What the program says on stderr when Ctrl-C or SIGTERM ends it. It is written down ahead: a handler may do little
   more than write. One text for the process, as there is one stderr; set by the main thread. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "host.h"

enum { LENGTH = 2000 };
static char texts[2][LENGTH]; /* the handler may come while the other one is being written */
static size_t lengths[2];
static volatile sig_atomic_t current;

static void say(int number) { /* SA_RESETHAND: the signal that is raised ends the process */
  ssize_t said = write(STDERR_FILENO, texts[current], lengths[current]);
  (void)said;
  raise(number);
}

static void listen_to(int number, bool on) {
  struct sigaction old, now = {.sa_flags = SA_RESETHAND | SA_RESTART};
  now.sa_handler = on ? say : SIG_DFL;
  if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN) sigaction(number, &now, NULL);
}

int host_last_words(lua_State *L) { /* host.last_words(text): nil for none */
  size_t n = 0;
  const char *text = luaL_optlstring(L, 1, "", &n);
  int other = !current;
  if (n > LENGTH) n = LENGTH;
  memcpy(texts[other], text, n);
  lengths[other] = n;
  current = other;
  listen_to(SIGINT, n > 0);
  listen_to(SIGTERM, n > 0);
  return 0;
}
