// SPDX-License-Identifier: Apache-2.0
/* fleet_slurm_file.h - the file of `prfarm fleet slurm`: which farm, and for each kind of board what Slurm is asked for and what is
 * started there (docs/howto/slurm.md). Reads only; main thread only. */
#ifndef PRF_CLI_FLEET_SLURM_FILE_H
#define PRF_CLI_FLEET_SLURM_FILE_H

#include "fleet_file.h"

enum { PRF_SLURM_KINDS = 32, PRF_SLURM_FILE_BYTES = 1 << 18, PRF_SLURM_MAX = 10000 };

/* Texts are borrowed from the document; NULL: not given. */
typedef struct {
    const char *kind, *backend;
    prf_fleet_options_t options;
    const char *partition, *gres, *constraint, *account, *qos, *memory, *prologue;
    int64_t cpus, time_limit_minutes, signal_seconds;
    int64_t least, most;     /* workers */
    int64_t jobs_per_worker; /* one worker more for each so many that are queued */
    int64_t idle_seconds;    /* until a worker without work ends */
    int64_t credit;          /* jobs that it holds at a time; 0: its own default */
} prf_slurm_kind_t;

typedef struct {
    prf_yaml_t *document; /* owned */
    const char *fleet, *farm, *key, *server, *worker, *state, *log;
    int64_t poll_seconds;
    prf_slurm_kind_t kinds[PRF_SLURM_KINDS];
    size_t count;
} prf_slurm_file_t;

/* On failure *out is untouched. Errors: those of prf_yaml_open_file, PRF_EINVAL; all with file and line. */
PRF_CHECKED prf_status_t prf_slurm_file_read(prf_slurm_file_t *out, const char *path, prf_error_t *err);
/* The same from a text; `name` stands for it in messages. */
PRF_CHECKED prf_status_t prf_slurm_file_parse(prf_slurm_file_t *out, const char *text, const char *name, prf_error_t *err);
void prf_slurm_file_release(prf_slurm_file_t *self);

#endif
