// SPDX-License-Identifier: Apache-2.0
/* parallel.h - runs independent pieces of work on a few threads. The pieces write to places of their own, so the outcome does
 * not depend on who ran what. */
#ifndef PRF_MODEL_PARALLEL_H
#define PRF_MODEL_PARALLEL_H

#include <stddef.h>

/* Calls work(context, i) once for each i below `count`, on up to `threads` threads (0: as many as there are processors), and
 * returns when all are done. If no further thread can be had, the calling one does the rest. */
void prf_parallel(size_t count, unsigned threads, void (*work)(void *context, size_t index), void *context);

#endif
