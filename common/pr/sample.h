// SPDX-License-Identifier: Apache-2.0
/* sample.h - which layers to measure: Performance Representatives spread over the grid (or, without steps, layers spread over the
 * original space), layers at random from the original space (validation), or those of them that promise most. Pure, seeded. */
#ifndef PRF_PR_SAMPLE_H
#define PRF_PR_SAMPLE_H

#include "pr/steps.h"

/* Up to `count` distinct PRs, space-filling, none of them among `taken` (may be NULL). Writes *got <= count; fewer when the grid
 * has no more. The first m of a call for n > m are those of a call for m, so a sample can be extended.
 * Errors: PRF_ENOMEM, PRF_EINVAL. */
PRF_CHECKED prf_status_t prf_sample_representatives(const prf_space_t *space, const prf_steps_t *steps, uint64_t seed,
                                                    const prf_layer_t *taken, size_t taken_count, size_t count, prf_layer_t *out,
                                                    size_t *got, prf_error_t *err);
/* The same for distinct layers drawn from the original space. */
PRF_CHECKED prf_status_t prf_sample_random(const prf_space_t *space, uint64_t seed, const prf_layer_t *taken, size_t taken_count,
                                           size_t count, prf_layer_t *out, size_t *got, prf_error_t *err);
/* How many layers the original space has, at most `most`: of one with more than 2^20 combinations of values, `most`. */
size_t prf_sample_room(const prf_space_t *space, size_t most);

/* How much measuring a layer promises; above zero, else it is not chosen. */
typedef double (*prf_promise_fn)(void *arg, const prf_layer_t *layer);
/* Up to `count` distinct layers of the original space, mapped to their representatives where `steps` is given (may be NULL), each
 * drawn with a probability that is proportional to its promise: what is drawn follows the space's density as well, and no two are
 * alike. *got as above. Errors: PRF_ENOMEM, PRF_EINVAL. */
PRF_CHECKED prf_status_t prf_sample_promising(const prf_space_t *space, const prf_steps_t *steps, uint64_t seed,
                                              const prf_layer_t *taken, size_t taken_count, prf_promise_fn promise, void *arg,
                                              size_t count, prf_layer_t *out, size_t *got, prf_error_t *err);

#endif
