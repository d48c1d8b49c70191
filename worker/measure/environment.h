// SPDX-License-Identifier: Apache-2.0
/* environment.h - what the system tells about the conditions of a measurement: clock, governor, temperature, throttling, load.
 * Reads /proc and /sys below `root` ("" on a real machine; tests give a folder of their own). What the system does not tell
 * is 0 or "". Any thread; nothing is kept. */
#ifndef PRF_MEASURE_ENVIRONMENT_H
#define PRF_MEASURE_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t temperature_mc;  /* the hottest zone, thousandths of a degree Celsius */
    uint32_t clock_khz;       /* of the processor that asks */
    uint64_t throttle_events; /* counted since the machine started */
    char governor[32];        /* "performance", "schedutil" */
} prf_environment_t;

void prf_environment_read(const char *root, prf_environment_t *out);
/* Between two moments the processor was slowed down: it counted such an event, or its clock fell by more than a tenth. */
bool prf_environment_throttled(const prf_environment_t *before, const prf_environment_t *after);

/* A moment in the accounts of the processors' time. */
typedef struct {
    uint64_t busy, total; /* ticks of all processors; time that a hypervisor gave to others is busy */
    uint64_t tick_ns;
    uint64_t own_ns; /* processor time of this process and those below it */
} prf_load_t;

void prf_load_read(const char *root, prf_load_t *out);
/* Share of the whole machine that others used between two moments, 0 to 100. */
uint32_t prf_load_percent(const prf_load_t *before, const prf_load_t *after);
/* That much load by others leaves `threads` busy threads on `processors` processors too little room: more than half of the
 * processors beyond theirs, and at least a tenth of the machine. */
bool prf_load_disturbs(uint32_t percent, unsigned processors, unsigned threads);

/* How often the threads of this process were made to give up a processor, and had to wait for it, so far. */
uint64_t prf_involuntary_switches(void);

#endif
