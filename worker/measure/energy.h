// SPDX-License-Identifier: Apache-2.0
/* energy.h - the energy of something that is run again and again while a meter is read. Blocks until done; one thread. */
#ifndef PRF_MEASURE_ENERGY_H
#define PRF_MEASURE_ENERGY_H

#include "measure/meter.h"

/* Runs it `iterations` times. */
typedef prf_status_t prf_energy_step_t(void *arg, uint32_t iterations, prf_error_t *err);

/* Who tells the energy of a board with these flags (PRF_BOARD_*), for people: "the board", "rapl, 1 package", "nobody: why". */
enum { PRF_ENERGY_WORDS = 320 };
void prf_energy_words(uint32_t flags, const char *root, char text[PRF_ENERGY_WORDS]);

typedef struct {
    prf_energy_step_t *step;
    void *arg;                /* borrowed */
    uint64_t (*now_ns)(void); /* monotonic */
    uint32_t ms;              /* how long */
    uint32_t batch_us;        /* so many iterations at a time, at most, as take half of that or one */
} prf_energy_loop_t;

/* Of one iteration. */
typedef struct {
    double energy_nj; /* 0: the sensor had too little to tell in that time */
    double wall_ns;   /* likewise; whatever others had of the processor meanwhile included */
} prf_energy_t;

/* Runs it from one news of the sensor to another, so that the sensor's steps in time do not count. Errors: those of the step and of
 * the meter; then *out is untouched. */
PRF_CHECKED prf_status_t prf_energy_measure(prf_meter_t *meter, const prf_energy_loop_t *loop, prf_energy_t *out, prf_error_t *err);

#endif
