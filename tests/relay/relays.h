// SPDX-License-Identifier: Apache-2.0
/* relays.h - a farm with keys, and a site that reaches it over two relays: the real programs. Asserts through Criterion; every wait
 * has an end. Main thread only. */
#ifndef PRF_TESTS_RELAYS_H
#define PRF_TESTS_RELAYS_H

#include "tests/support/farm.h"

enum { RELAYS_WORKERS = 3 };
extern const char *const relays_workers[RELAYS_WORKERS]; /* names of boards, and of their keys */

typedef struct {
    farm_t farm;
    prf_process_t accept, site; /* pid 0: not running */
    char at[FARM_PATH];         /* what sites' relays dial */
    char door[FARM_PATH];       /* what the site's workers dial: the farm's word there */
    const char *via;            /* what the site's relay dials; NULL: `at`. Borrowed, as the next */
    const char *const *host;    /* words before the site's programs, as "ip netns exec HOST"; NULL: none */
} relays_t;

/* Coordinator and accepting relay at `address` (NULL: 127.0.0.1). The list has w0 to w2, operator, and "site" as a relay. */
void relays_start(relays_t *self, const char *address, const char *const *options);
void relays_stop(relays_t *self);
void relays_start_accept(relays_t *self);
/* At `address` (NULL: 127.0.0.1) the first time, then where it was. Does not wait for its link. */
void relays_start_site(relays_t *self, const char *address);
void relays_kill(prf_process_t *relay);
int relays_end(prf_process_t *relay); /* SIGTERM; the exit code */
/* Workers w0 to w2 of a kind at the site, with slow boards or with fast ones; waits until they are welcome. */
void relays_add_workers(relays_t *self, bool slow);

/* A campaign on that kind, "site"; `samples` layers. */
void relays_submit(farm_t *farm, unsigned samples);
void relays_wait_measured(farm_t *farm, json_int_t points);
/* Waits for its end, which must be a good one. Returns {"POINT.ATTEMPT": latency} of what counts, having asserted that nothing
 * counts twice; *duplicates (may be NULL) were measured in vain. New reference. */
json_t *relays_outcome(farm_t *farm, size_t *duplicates);
/* Results in the spools of all workers. */
size_t relays_spooled(const relays_t *self);

/* Lines of dir/NAME.log with this in them; and waits until there are so many. */
size_t relays_said(const farm_t *farm, const char *name, const char *text);
void relays_wait_said(const farm_t *farm, const char *name, const char *text, size_t times);
void relays_pause(unsigned ms); /* between two looks at something */

#endif
