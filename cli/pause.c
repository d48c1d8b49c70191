// SPDX-License-Identifier: Apache-2.0
/* pause.c - `prfarm pause`: a campaign asks for no more measurements until it is resumed. */
#include "cli.h"
#include "order.h"

static const prf_usage_t usage = {
    .name = "pause",
    .synopsis = "CAMPAIGN [--farm FARM | --dir DIR]",
    .purpose = "Pauses a campaign: its boards finish what they are measuring and get no more of it.",
    .text = "The campaign stays paused, also over restarts of the coordinator, until 'prfarm resume'\n"
            "sets it going again; then nothing is measured twice. The boards are free for other\n"
            "campaigns meanwhile.\n\n"
            "  prfarm pause nightly --farm tcp://127.0.0.1:7700\n",
    .least = 1,
    .most = 1,
};

int prf_cmd_pause(int argc, char **argv)
{
    return prf_order_run(&usage, "campaign", argc, argv);
}
