// SPDX-License-Identifier: Apache-2.0
/* summary.h - what a campaign came to, for people: quality a board kind, the staircase, the networks. Main thread only. */
#ifndef PRF_CLI_SUMMARY_H
#define PRF_CLI_SUMMARY_H

#include <jansson.h>

#include "output.h"

/* `summary` as in docs/summary.md; borrowed. What is missing in it is shown as "-". */
void prf_summary_print(const json_t *summary, const prf_terminal_t *terminal);

#endif
