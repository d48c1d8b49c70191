// SPDX-License-Identifier: Apache-2.0
/* meter.h - how much energy this machine's own processor takes, as Linux tells it. Reads /sys below `root` ("" on a real machine;
 * tests give a folder of their own). What is read is that of the whole package or board, whoever uses it, idle power included;
 * docs/energy.md tells the sources. One thread. */
#ifndef PRF_MEASURE_METER_H
#define PRF_MEASURE_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { PRF_METER_CHANNELS = 16, PRF_METER_PATH = 256 };

typedef enum {
    PRF_METER_COUNTER = 0, /* microjoules since some time, which begin anew behind `range` */
    PRF_METER_POWER,       /* microwatts */
    PRF_METER_SHUNT        /* millivolts in one file, milliamperes in the other */
} prf_meter_kind_t;

typedef struct {
    char path[PRF_METER_PATH], current[PRF_METER_PATH]; /* the second of PRF_METER_SHUNT only */
    uint64_t range, last;                               /* of PRF_METER_COUNTER; a range of 0 never begins anew */
} prf_meter_channel_t;

typedef struct {
    char name[64]; /* for people: "rapl, 2 packages", "ina3221 VDD_IN" */
    prf_meter_kind_t kind;
    prf_meter_channel_t channels[PRF_METER_CHANNELS];
    size_t count;
    double total_nj, power_w; /* since it was opened; of the last reading */
    uint64_t last_ns;
    bool begun;
} prf_meter_t;

/* Finds what tells the energy of the processor: the packages of RAPL, else what a board takes in all by its INA sensors. Errors:
 * PRF_ENOTFOUND (nothing does), PRF_EIO (it is there, but may not be read). */
PRF_CHECKED prf_status_t prf_meter_open(prf_meter_t *out, const char *root, prf_error_t *err);
/* Nanojoules since the first reading, which gives 0. *moved tells whether the sensor had anything new. `now_ns`: monotonic time.
 * Errors: PRF_EIO. */
PRF_CHECKED prf_status_t prf_meter_read(prf_meter_t *self, uint64_t now_ns, double *total_nj, bool *moved, prf_error_t *err);

#endif
