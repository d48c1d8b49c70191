// SPDX-License-Identifier: Apache-2.0
/* schedule.h - what a storm does, when and to whom: decided by its seed alone, before it begins. Pure.
 *
 * A deed is due when so many measurements were told, and then some milliseconds later: the first spreads the deeds over the
 * whole campaign however fast the machine is, the second lets them meet every moment between two results. */
#ifndef PRF_CHAOS_SCHEDULE_H
#define PRF_CHAOS_SCHEDULE_H

#include <stdbool.h>

#include "base/status.h"
#include "proxy.h"

typedef enum {
    DEED_KILL,      /* SIGKILL, and started again */
    DEED_FREEZE,    /* SIGSTOP, SIGCONT */
    DEED_CUT,       /* half the workers' messages are lost at the proxy */
    DEED_UNPLUG,    /* half the hosts' cables are pulled out */
    DEED_FILL_DISK, /* the store's disk is full */
    DEED_DAMAGE     /* a kill, and a bad disk has got at the store or the spool when it is started again */
} deed_kind_t;

typedef struct {
    size_t at; /* measurements told */
    unsigned after_ms;
    deed_kind_t kind;
    int who;             /* KILL, FREEZE, DAMAGE: as in rack.h */
    unsigned for_ms;     /* of what lasts */
    unsigned directions; /* CUT: PROXY_UP, PROXY_DOWN */
    uint64_t seed;       /* of what the deed itself leaves to chance */
} deed_t;

typedef struct {
    const char *name, *help;
    unsigned kill_percent, freeze_percent, damage_percent; /* of the number of kills that was asked for */
    bool cuts, unplugs, fills, faults, clock_jumps;
} scenario_t;

extern const scenario_t scenarios[];
extern const size_t scenario_count;
const scenario_t *scenario_find(const char *name); /* NULL: there is none */

typedef struct {
    deed_t *deeds; /* owned, in the order in which they are due */
    size_t count, kills;
    proxy_faults_t faults;
} schedule_t;

typedef struct {
    const scenario_t *scenario; /* borrowed */
    unsigned kills;
    size_t points; /* measurements of the undisturbed campaign */
    size_t workers;
    unsigned hold_ms; /* how long a partition or a full disk lasts */
    uint64_t seed;
} schedule_options_t;

/* Release it after use. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t schedule_make(schedule_t *out, const schedule_options_t *options, prf_error_t *err);
void schedule_release(schedule_t *self);

#endif
