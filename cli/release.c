// SPDX-License-Identifier: Apache-2.0
/* release.c - `prfarm release`: a board gets work again. */
#include "cli.h"
#include "order.h"

static const prf_usage_t usage = {
    .name = "release",
    .synopsis = "BOARD [--farm FARM | --dir DIR]",
    .purpose = "Gives a board work again: ends its quarantine, however it came there.",
    .text = "The farm also forgets how long the board used to take: what it measures from now on is taken for\n"
            "normal, and the notes that it drifts or is odd are gone.\n\n"
            "  prfarm release rack1-07\n",
    .least = 1,
    .most = 1,
};

int prf_cmd_release(int argc, char **argv)
{
    return prf_order_run(&usage, "board", argc, argv);
}
