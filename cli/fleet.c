// SPDX-License-Identifier: Apache-2.0
/* fleet.c - `prfarm fleet`: workers on many machines, by whatever starts programs there. Each way is a command with a line here
 * (the manual pages are made of these lines, too), a prototype in fleet.h and a file of its name. */
#include "fleet.h"

#include "cli.h"

static const prf_command_t fleet_commands[] = {
    {"slurm", "keep as many workers allocated by Slurm as there is work for", prf_cmd_fleet_slurm},
    {NULL, NULL, NULL},
};

static const prf_usage_t usage = {
    .name = "fleet",
    .synopsis = "COMMAND [ARGUMENTS]",
    .purpose = "Starts and ends workers on machines that something else manages.",
    .text = "A coordinator takes whatever workers come. These commands bring them, and let them go:\n\n"
            "  prfarm fleet slurm fleet.yaml        as many as there is work for, as jobs of Slurm\n\n"
            "'prfarm fleet COMMAND --help' explains each.\n",
    .most = 1,
};

int prf_cmd_fleet(int argc, char **argv)
{
    return prf_dispatch(&usage, fleet_commands, argc, argv);
}
