// SPDX-License-Identifier: Apache-2.0
/* cancel.c - `prfarm cancel`: ends a campaign; what it measured stays in the store. */
#include "cli.h"
#include "order.h"

static const prf_usage_t usage = {
    .name = "cancel",
    .synopsis = "CAMPAIGN [--farm FARM | --dir DIR]",
    .purpose = "Ends a campaign for good: no more of its layers are measured.",
    .text = "What was measured stays in the farm's store, and other campaigns use it. To stop for a\n"
            "while only, use 'prfarm pause'.\n\n"
            "  prfarm cancel quickstart --dir first\n",
    .least = 1,
    .most = 1,
};

int prf_cmd_cancel(int argc, char **argv)
{
    return prf_order_run(&usage, "campaign", argc, argv);
}
