// SPDX-License-Identifier: Apache-2.0
/* workload.h - what the farm is asked to do: one campaign for three kinds of simulated boards, as many points as are wanted. Pure.
 */
#ifndef PRF_CHAOS_WORKLOAD_H
#define PRF_CHAOS_WORKLOAD_H

#include <stddef.h>

enum { WORKLOAD_KINDS = 3, WORKLOAD_OPTIONS = 4, WORKLOAD_TEXT = 4096 };

/* How a worker of a kind is started. */
typedef struct {
    const char *kind;
    const char *options[WORKLOAD_OPTIONS]; /* of the sim backend; NULL where there are fewer */
} workload_board_t;

extern const workload_board_t workload_boards[WORKLOAD_KINDS];
#define WORKLOAD_NAME "storm"

/* The campaign file, for `points` measurements give or take a few percent. */
void workload_write(char text[WORKLOAD_TEXT], size_t points, unsigned seed);

#endif
