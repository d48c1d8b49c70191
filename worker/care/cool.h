// SPDX-License-Identifier: Apache-2.0
/* cool.h - waiting until the machine is cool enough to be measured. The backend's process, on its only thread. */
#ifndef PRF_CARE_COOL_H
#define PRF_CARE_COOL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t below_mc; /* thousandths of a degree Celsius; 0: nobody waits */
    uint64_t wait_ms;  /* at most, each time */
} prf_cool_t;

/* Where temperature and time come from: prf_cool_machine for this machine's; tests have their own. */
typedef struct {
    void *arg;
    uint32_t (*temperature_mc)(void *arg); /* of the hottest zone; 0: not told */
    uint64_t (*now_ms)(void *arg);
    void (*sleep_ms)(void *arg, unsigned ms);
} prf_cool_world_t;

/* *root as in base/sysfile.h; borrowed, and so is where it is kept. */
prf_cool_world_t prf_cool_machine(const char **root);
/* Returns once the hottest zone is below the limit; false: it was not within the time. */
bool prf_cool_down(const prf_cool_t *self, const prf_cool_world_t *world);

#endif
