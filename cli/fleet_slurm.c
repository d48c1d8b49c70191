// SPDX-License-Identifier: Apache-2.0
/* fleet_slurm.c - `prfarm fleet slurm`: its command line. */
#include "cli.h"
#include "fleet.h"

static const prf_usage_t usage = {
    .name = "fleet slurm",
    .synopsis = "FILE.yaml",
    .purpose = "Keeps as many workers allocated by Slurm as there is work for.",
    .text = "",
    .least = 1,
    .most = 1,
};

int prf_cmd_fleet_slurm(int argc, char **argv)
{
    const prf_option_t options[] = {{.name = NULL}};
    prf_words_t words;
    int code;
    if (!prf_options_parse(&usage, options, argc, argv, &words, &code))
        return code;
    prf_error_t err;
    prf_fail(&err, PRF_EUNSUPPORTED, "not yet: come back later");
    return prf_report(&err);
}
