// SPDX-License-Identifier: Apache-2.0
/* fleet_slurm_queue.h - Slurm as its commands tell it: squeue, sbatch, scancel, each with a limit on its time and output. Main
 * thread only, but for the parsing, which is pure. */
#ifndef PRF_CLI_FLEET_SLURM_QUEUE_H
#define PRF_CLI_FLEET_SLURM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "fleet_slurm_plan.h"
#include "fleet_slurm_script.h"

enum { PRF_SLURM_JOBS = 20000, PRF_SLURM_REASON = 48 };

typedef enum {
    PRF_SLURM_PENDING,
    PRF_SLURM_RUNNING,
    PRF_SLURM_LEAVING, /* it gives its node back */
    PRF_SLURM_ENDED
} prf_slurm_state_t;

typedef struct {
    uint64_t id;
    prf_slurm_state_t state;
    prf_slurm_end_t end; /* of an ended one */
    uint64_t ran_ms;
    bool stays;
    size_t kind;                   /* index in the file */
    char reason[PRF_SLURM_REASON]; /* why it is pending, in Slurm's word */
} prf_slurm_job_t;

typedef struct {
    prf_slurm_job_t *items; /* owned */
    size_t count;
} prf_slurm_jobs_t;

/* This user's jobs that bear the fleet's name and one of its kinds, the oldest first; those that ended are there for some minutes.
 * On failure *out is untouched. Errors: those of prf_command_run, with what helps. */
PRF_CHECKED prf_status_t prf_slurm_jobs(prf_slurm_jobs_t *out, const prf_slurm_file_t *file, prf_error_t *err);
void prf_slurm_jobs_release(prf_slurm_jobs_t *self);
/* Submits one. Errors: the same. */
PRF_CHECKED prf_status_t prf_slurm_submit(const prf_slurm_file_t *file, const prf_slurm_kind_t *kind, bool stays, uint64_t *id,
                                          prf_error_t *err);
/* Takes jobs back that are still pending; those that have begun meanwhile go on. Errors: the same. */
PRF_CHECKED prf_status_t prf_slurm_cancel(const uint64_t *ids, size_t count, prf_error_t *err);

/* What squeue printed. Lines that are not ours are passed over. Errors: PRF_EINVAL (more than PRF_SLURM_JOBS), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_slurm_jobs_parse(prf_slurm_jobs_t *out, const prf_slurm_file_t *file, const char *text,
                                              prf_error_t *err);
/* "1-02:03:04", "03:04"; 0 for what is no time. */
uint64_t prf_slurm_elapsed_ms(const char *text);
/* What sbatch --parsable printed, warnings among it: 0 when there is no number. */
uint64_t prf_slurm_submitted_id(const char *text);

#endif
