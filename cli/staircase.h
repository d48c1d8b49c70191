// SPDX-License-Identifier: Apache-2.0
/* staircase.h - a picture of a sweep in text: latency over one parameter, with the edges of its steps. Main thread only. */
#ifndef PRF_CLI_STAIRCASE_H
#define PRF_CLI_STAIRCASE_H

#include <jansson.h>

#include "output.h"

/* One picture a board kind, of the first parameter that was found to have steps; a board without any has none. `boards` is that
 * of summary.json ("steps" and "sweeps"); borrowed. */
void prf_staircase_print(const json_t *boards, const prf_terminal_t *terminal);
/* One picture for each step of one board. */
void prf_staircase_print_all(const json_t *board, const prf_terminal_t *terminal);

#endif
