// SPDX-License-Identifier: Apache-2.0
/* resume.c - `prfarm resume`: sets a paused campaign going again. */
#include "cli.h"
#include "order.h"

static const prf_usage_t usage = {
    .name = "resume",
    .synopsis = "CAMPAIGN [--farm FARM | --dir DIR]",
    .purpose = "Sets a paused campaign going again, where it stopped.",
    .text = "With --dir of a 'prfarm run' that is over, 'prfarm run' with the same file does this and\n"
            "starts the workers, too.\n\n"
            "  prfarm resume nightly --farm tcp://127.0.0.1:7700\n",
    .least = 1,
    .most = 1,
};

int prf_cmd_resume(int argc, char **argv)
{
    return prf_order_run(&usage, "campaign", argc, argv);
}
