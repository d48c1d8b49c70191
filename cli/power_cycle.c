// SPDX-License-Identifier: Apache-2.0
/* power_cycle.c - `prfarm power-cycle`: runs a board's hook by hand. */
#include "cli.h"
#include "order.h"

static const prf_usage_t usage = {
    .name = "power-cycle",
    .synopsis = "BOARD [--farm FARM | --dir DIR]",
    .purpose = "Runs a board's power-cycle command.",
    .text = "The command is the one that the coordinator's file of hooks has for the board; how often it may run\n"
            "in a day is told there. 'prfarm boards' shows what has become of it.\n\n"
            "  prfarm power-cycle rack1-07\n",
    .least = 1,
    .most = 1,
};

int prf_cmd_power_cycle(int argc, char **argv)
{
    return prf_order_run(&usage, "board", argc, argv);
}
