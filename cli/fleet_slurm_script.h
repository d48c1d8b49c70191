// SPDX-License-Identifier: Apache-2.0
/* fleet_slurm_script.h - the job that Slurm runs: one worker on one node. Pure. */
#ifndef PRF_CLI_FLEET_SLURM_SCRIPT_H
#define PRF_CLI_FLEET_SLURM_SCRIPT_H

#include "base/text.h"
#include "fleet_slurm_file.h"
#include "point/point.h"

/* "prfarm:FLEET:KIND", or with ":stay" for a worker that does not end by itself: the job's name, by which a controller knows its
 * own. `name` has PRF_SLURM_NAME bytes and is returned. */
enum { PRF_SLURM_NAME = 2 * PRF_NAME + 16 };
char *prf_slurm_job_name(const prf_slurm_file_t *file, const prf_slurm_kind_t *kind, bool stays, char name[PRF_SLURM_NAME]);

/* Appends the script; that memory ran out shows in *out. */
void prf_slurm_script(const prf_slurm_file_t *file, const prf_slurm_kind_t *kind, bool stays, prf_text_t *out);

#endif
