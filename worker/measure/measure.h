// SPDX-License-Identifier: Apache-2.0
/* measure.h - times a block or a chain of blocks on an opened board, the same way for every backend. Runs in the backend's
 * child process, on its only thread. Source of the protocol: docs/measuring.md. */
#ifndef PRF_MEASURE_H
#define PRF_MEASURE_H

#include "backends/backend.h"

/* Whether the state of this machine's processors bears on what a board of these flags measures. */
bool prf_measured_here(uint32_t flags);

/* Prepares the blocks, warms up, repeats until the median's 95 % interval is within protocol->ci_percent or limit_ms is over,
 * stamps the environment. A chain of several blocks is timed as a whole: back to back, or, where its edges are told, as the one
 * network that the backend builds of it. *out is untouched on failure. Errors: PRF_EUNSUPPORTED (also edges, on a board that builds
 * no networks), PRF_ENOMEM and whatever the backend reports, prefixed with the block's text. */
PRF_CHECKED prf_status_t prf_measure(const prf_backend_t *backend, prf_board_t *board, const prf_protocol_t *protocol,
                                     const prf_chain_t *chain, prf_sample_t *out, prf_error_t *err);

#endif
