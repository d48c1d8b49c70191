// SPDX-License-Identifier: Apache-2.0
/* doctor.h - what `prfarm doctor` finds, check by check. Main thread only. */
#ifndef PRF_CLI_DOCTOR_H
#define PRF_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef enum { PRF_GOOD = 0, PRF_NOTE, PRF_WARN, PRF_BAD } prf_health_t;

enum { PRF_DOCTOR_TEXT = 200, PRF_DOCTOR_CHECKS = 32 };

typedef struct {
    const char *name, *advice; /* static texts; advice "" when nothing is to be done */
    prf_health_t state;
    char found[PRF_DOCTOR_TEXT];
} prf_finding_t;

typedef struct {
    const char *dir, *root; /* borrowed: of campaigns; of the system's files (base/sysfile.h) */
    prf_finding_t findings[PRF_DOCTOR_CHECKS];
    size_t count;
} prf_doctor_t;

void prf_doctor_add(prf_doctor_t *d, const char *name, prf_health_t state, const char *advice, const char *fmt, ...)
    PRF_PRINTF(5, 6);
/* What stands behind the colon in the first line of such a file as /proc/meminfo that begins with `key`; false: no such line. */
bool prf_doctor_field(const char *path, const char *key, char *value, size_t cap);

/* What bears on the steadiness of a board, and what can be done about it by its worker: clock, heat, processors, pages, power. */
void prf_doctor_care(prf_doctor_t *d);

#endif
