// SPDX-License-Identifier: Apache-2.0
/* fleet_slurm_plan.h - how many workers of a kind there should be, and what to do about it. Pure: no I/O, no clock; time is an
 * argument, in milliseconds of any monotonic clock.
 *
 * Workers leave by themselves when they are idle, so the plan only ever adds workers and takes back what Slurm has not started:
 * nothing that measures is ever ended. */
#ifndef PRF_CLI_FLEET_SLURM_PLAN_H
#define PRF_CLI_FLEET_SLURM_PLAN_H

#include "fleet_slurm_file.h"

enum {
    PRF_SLURM_BURST = 32,            /* jobs submitted in one round */
    PRF_SLURM_SETTLED_MS = 60000,    /* a worker that runs for so long has joined, or cannot */
    PRF_SLURM_FIRST_HOLD_MS = 15000, /* after a failure; twice as long after each that follows, */
    PRF_SLURM_LAST_HOLD_MS = 900000  /* up to this */
};

/* What a round finds. */
typedef struct {
    size_t queued;           /* points that campaigns want and do not know yet */
    bool waits;              /* a campaign waits for the first board of the kind, and cannot tell yet how many points it wants */
    size_t live;             /* boards of the kind that the coordinator hears */
    uint64_t done;           /* jobs that boards of the kind have done */
    size_t pending, running; /* our jobs */
    size_t staying;          /* of both, those without an idle time-out */
    size_t settled;          /* of the running ones */
} prf_slurm_seen_t;

/* What is remembered of a kind from round to round; zeros to begin with. */
typedef struct {
    uint64_t done, progress_ms; /* when `done` last grew */
    unsigned failures;          /* in a row */
    uint64_t hold_until_ms;
} prf_slurm_memory_t;

typedef enum {
    PRF_SLURM_GO,
    PRF_SLURM_HOLD,    /* after failures */
    PRF_SLURM_UNJOINED /* workers run, and none joins */
} prf_slurm_verdict_t;

typedef struct {
    size_t wanted;
    size_t submit, stay; /* new jobs; how many of them stay */
    size_t cancel;       /* pending jobs, of those that do not stay */
    prf_slurm_verdict_t verdict;
    uint64_t hold_ms; /* that are left */
} prf_slurm_plan_t;

typedef enum {
    PRF_SLURM_END_WELL,  /* completed: the worker was idle, or was asked to end */
    PRF_SLURM_END_TAKEN, /* time limit, preemption, a dead node, scancel: nobody's mistake */
    PRF_SLURM_END_FAILED /* the worker or the script did not work */
} prf_slurm_end_t;

/* A submission was refused. */
void prf_slurm_note_refusal(prf_slurm_memory_t *memory, uint64_t now_ms);
/* One of our jobs ended that ran for `ran_ms`. One that ended well without a single job done meanwhile counts as a failure: the
 * next one would fare no better. Call prf_slurm_note_done before. */
void prf_slurm_note_end(prf_slurm_memory_t *memory, prf_slurm_end_t end, uint64_t ran_ms, uint64_t now_ms);
void prf_slurm_note_done(prf_slurm_memory_t *memory, uint64_t done, uint64_t now_ms);

prf_slurm_plan_t prf_slurm_plan(const prf_slurm_kind_t *kind, const prf_slurm_seen_t *seen, const prf_slurm_memory_t *memory,
                                uint64_t now_ms);

#endif
