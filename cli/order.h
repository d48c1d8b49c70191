// SPDX-License-Identifier: Apache-2.0
/* order.h - what `prfarm pause`, `resume`, `cancel`, `release` and `power-cycle` share: the name of a campaign or a board goes to
 * the coordinator, the state that it is in then comes back. Main thread only. */
#ifndef PRF_CLI_ORDER_H
#define PRF_CLI_ORDER_H

#include "base/options.h"

/* Parses the command line, sends the request that is named like the command, tells the outcome. `what` the name is of: "campaign"
 * or "board". Returns the exit code. */
int prf_order_run(const prf_usage_t *usage, const char *what, int argc, char **argv);

#endif
