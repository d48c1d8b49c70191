// SPDX-License-Identifier: Apache-2.0
/* model_explain.h - `prfarm model explain`: what drives the latency of a board. Main thread only. */
#ifndef PRF_CLI_MODEL_EXPLAIN_H
#define PRF_CLI_MODEL_EXPLAIN_H

#include <stdbool.h>

/* `layer`: only this kind; NULL: all. `energy`: instead of the latency. Returns the exit code. */
int prf_model_explain_file(const char *path, const char *layer, bool energy, bool json);

#endif
