/* SPDX-License-Identifier: MIT */
/* Hosts in threads. See support.h. */
#include "support.h"

static void *thread(void *ud) {
  int *good = ud;
  struct weft_host_options o = plain();
  weft_host *host = weft_host_new(&o);
  if (!host || weft_host_load(host, "setup.lua", NULL)) return NULL;
  static const char *const services[] = {"spec.rows", "spec.server_sleep", "spec.sleep", "spec.long"};
  for (int i = 0; i < 8; i++) {
    char *json = weft_host_call_wait(host, services[i % 4], "0.002", 5, NULL, NULL);
    *good += json != NULL;
    free(json);
  }
  weft_host_free(host);
  return NULL;
}

static void thread_facts(void) {
  it("lives in its own thread beside others") {
    enum { THREADS = 4 };
    pthread_t ids[THREADS];
    int good[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) pthread_create(&ids[i], NULL, thread, &good[i]);
    for (int i = 0; i < THREADS; i++) pthread_join(ids[i], NULL);
    for (int i = 0; i < THREADS; i++) expect_int(good[i], 8);
  }
}

int main(int argc, char **argv) {
  arguments(argc, argv);
  describe("a host") thread_facts();
  return spec_end();
}
