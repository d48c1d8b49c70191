// SPDX-License-Identifier: Apache-2.0
/* fleet_slurm_control.h - the controller of `prfarm fleet slurm`: one round after the other it looks at the farm and at Slurm,
 * plans (fleet_slurm_plan.h) and acts. What it must know to go on is all in Slurm's queue, in its jobs' names; so it can be ended
 * and started anew at any time. Main thread only. */
#ifndef PRF_CLI_FLEET_SLURM_CONTROL_H
#define PRF_CLI_FLEET_SLURM_CONTROL_H

#include "farm.h"
#include "fleet_slurm_queue.h"

typedef struct {
    const prf_slurm_file_t *file; /* borrowed */
    prf_farm_t *farm;             /* borrowed */
    bool dry;                     /* say what would be done, and do nothing */
    prf_slurm_memory_t memory[PRF_SLURM_KINDS];
    uint64_t *known; /* owned, sorted: our jobs that had not ended when we looked last */
    size_t known_count;
} prf_slurm_control_t;

/* One round at `now_ms`. *out, a new reference, tells what was seen and done (docs/howto/slurm.md). A submission that was refused
 * is told in there. Errors: the coordinator or Slurm do not answer: then nothing was done. */
PRF_CHECKED prf_status_t prf_slurm_round(prf_slurm_control_t *self, uint64_t now_ms, json_t **out, prf_error_t *err);
void prf_slurm_control_release(prf_slurm_control_t *self);

#endif
