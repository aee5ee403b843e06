/* SPDX-License-Identifier: MIT */
/*
 * The harness of the C specs: one program per spec/c/NAME_spec.c.
 *
 *   #include "spec.h"
 *   int main(void) {
 *     describe("arena") {
 *       it("hands out aligned memory") {
 *         expect(p != NULL);
 *         expect_int(len, 3);
 *       }
 *     }
 *     return spec_end();
 *   }
 *
 * A fact (`it`) fails when one of its expectations fails; the rest of it still runs, so a fact that
 * cannot go on says `if (!expect(p != NULL)) return ...` or `continue` (which leaves only this fact).
 * Each failed expectation prints `not ok - FILE:LINE: ...`; the last line is `N passed, N failed`,
 * which together with the exit status is all that the spec runner reads.
 */
#ifndef WEFT_SPEC_H
#define WEFT_SPEC_H

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPEC_UNUSED __attribute__((unused))

static struct spec_run {
  int passed, failed, depth;
  bool open, bad;
  const char *group[8];
  const char *fact;
} spec_run;

SPEC_UNUSED static void spec_close(void) {
  if (!spec_run.open) return;
  spec_run.open = false;
  if (spec_run.bad) spec_run.failed++;
  else spec_run.passed++;
}

/* A crash prints the fact it happened in; the default action then gives the runner its signal. */
SPEC_UNUSED static void spec_crash(int sig) {
  const char *head = "not ok - crashed in: ", *fact = spec_run.fact ? spec_run.fact : "(no fact)";
  if (write(1, head, strlen(head)) < 0 || write(1, fact, strlen(fact)) < 0 || write(1, "\n", 1) < 0)
    _exit(1);
  signal(sig, SIG_DFL);
  raise(sig);
}

SPEC_UNUSED static bool spec_group_begin(const char *name) {
  if (spec_run.depth == 0 && spec_run.passed + spec_run.failed == 0) {
    setvbuf(stdout, NULL, _IOLBF, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    signal(SIGSEGV, spec_crash);
    signal(SIGBUS, spec_crash);
#endif
    signal(SIGABRT, spec_crash);
  }
  if (spec_run.depth < 8) spec_run.group[spec_run.depth] = name;
  spec_run.depth++;
  return true;
}

SPEC_UNUSED static bool spec_group_end(void) {
  spec_close();
  spec_run.depth--;
  return false;
}

SPEC_UNUSED static bool spec_fact_begin(const char *fact) {
  spec_close(); /* the fact before may have been left by `return` */
  spec_run.open = true;
  spec_run.bad = false;
  spec_run.fact = fact;
  return true;
}

SPEC_UNUSED static bool spec_fact_end(void) {
  spec_close();
  return false;
}

SPEC_UNUSED static void spec_not_ok(const char *file, int line) {
  spec_run.bad = true;
  printf("not ok - %s:%d:", file, line);
  for (int i = 0; i < spec_run.depth && i < 8; i++) printf(" %s", spec_run.group[i]);
  printf(" %s: ", spec_run.fact ? spec_run.fact : "");
}

SPEC_UNUSED static bool spec_true(const char *file, int line, bool ok, const char *text) {
  if (!ok) {
    spec_not_ok(file, line);
    printf("%s\n", text);
  }
  return ok;
}

SPEC_UNUSED static bool spec_int(const char *file, int line, int64_t got, int64_t want,
                                 const char *text) {
  if (got != want) {
    spec_not_ok(file, line);
    printf("%s is %" PRId64 ", not %" PRId64 "\n", text, got, want);
  }
  return got == want;
}

SPEC_UNUSED static bool spec_mem(const char *file, int line, const void *got, size_t got_len,
                                 const void *want, size_t want_len, const char *text) {
  bool same = got_len == want_len && (want_len == 0 || (got && memcmp(got, want, want_len) == 0));
  if (!same) {
    spec_not_ok(file, line);
    printf("%s is \"%.*s\" (%zu), not \"%.*s\" (%zu)\n", text, (int)(got_len < 400 ? got_len : 400),
           got ? (const char *)got : "", got_len, (int)(want_len < 400 ? want_len : 400),
           want ? (const char *)want : "", want_len);
  }
  return same;
}

SPEC_UNUSED static bool spec_str(const char *file, int line, const char *got, const char *want,
                                 const char *text) {
  if (!got || !want) {
    if (got != want) {
      spec_not_ok(file, line);
      printf("%s is %s, not %s\n", text, got ? got : "NULL", want ? want : "NULL");
    }
    return got == want;
  }
  return spec_mem(file, line, got, strlen(got), want, strlen(want), text);
}

SPEC_UNUSED static bool spec_near(const char *file, int line, double got, double want, double by,
                                  const char *text) {
  bool ok = fabs(got - want) <= by;
  if (!ok) {
    spec_not_ok(file, line);
    printf("%s is %.17g, not %.17g\n", text, got, want);
  }
  return ok;
}

/* Prints the counts; the value is the exit status of the program. */
SPEC_UNUSED static int spec_end(void) {
  spec_close();
  printf("%d passed, %d failed\n", spec_run.passed, spec_run.failed);
  return spec_run.failed ? 1 : 0;
}

/* A name that is only known at run time (a table row) may be any string that lives on. */
#define SPEC_CAT_(a, b) a##b
#define SPEC_CAT(a, b) SPEC_CAT_(a, b)
#define describe(name)                                                                         \
  for (bool SPEC_CAT(spec_g, __LINE__) = spec_group_begin(name); SPEC_CAT(spec_g, __LINE__);   \
       SPEC_CAT(spec_g, __LINE__) = spec_group_end())
#define it(fact)                                                                               \
  for (bool SPEC_CAT(spec_i, __LINE__) = spec_fact_begin(fact); SPEC_CAT(spec_i, __LINE__);    \
       SPEC_CAT(spec_i, __LINE__) = spec_fact_end())

/* Each is an expression: true when it held. */
#define expect(condition) spec_true(__FILE__, __LINE__, (condition), #condition)
#define expect_int(got, want) spec_int(__FILE__, __LINE__, (int64_t)(got), (int64_t)(want), #got)
#define expect_str(got, want) spec_str(__FILE__, __LINE__, (got), (want), #got)
#define expect_mem(got, len, want, want_len) \
  spec_mem(__FILE__, __LINE__, (got), (len), (want), (want_len), #got)
#define expect_near(got, want, by) spec_near(__FILE__, __LINE__, (got), (want), (by), #got)

#endif
