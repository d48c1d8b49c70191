// SPDX-License-Identifier: Apache-2.0
/* access.h - whom a command asks: a farm named by --farm, by its keys if it has any, or the live or ended run in --dir. The options
 * for that are declared here once; every command that asks a coordinator takes them. Main thread only. */
#ifndef PRF_CLI_ACCESS_H
#define PRF_CLI_ACCESS_H

#include "base/options.h"
#include "private.h"

/* What was given on the command line; NULL: not. Borrowed. */
typedef struct {
    const char *farm, *dir, *key, *server;
} prf_where_t;

typedef struct {
    prf_farm_t *farm;   /* borrowed from `own` when that is set */
    prf_private_t *own; /* NULL: somebody else's coordinator; else that of a run that is not at work, woken for the question */
} prf_access_t;

/* What to tell of a campaign that such a run has begun and not ended. */
#define PRF_RUN_STOPPED "its run was stopped before the end, and none works in that folder: repeat 'prfarm run' to go on"

/* prf_options_parse for a command with `options` of its own and those of *where. */
PRF_CHECKED bool prf_where_parse(prf_where_t *where, const prf_usage_t *usage, const prf_option_t *options, int argc, char **argv,
                                 prf_words_t *words, int *exit_code);
/* What was not given comes from PRFARM_FARM, PRFARM_KEY and PRFARM_SERVER. Errors: PRF_EUSAGE, those of prf_private_open,
 * prf_farm_connect and of loading keys. */
PRF_CHECKED prf_status_t prf_access_open(prf_access_t *out, const prf_where_t *where, prf_error_t *err);
/* Both, with signals caught: all that most commands need. False: end with *exit_code; what was wrong has been said. */
PRF_CHECKED bool prf_access_start(prf_access_t *out, const prf_usage_t *usage, const prf_option_t *options, int argc, char **argv,
                                  prf_words_t *words, int *exit_code);
void prf_access_close(prf_access_t *self);

#endif
