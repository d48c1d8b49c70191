// SPDX-License-Identifier: Apache-2.0
/* tiny_model.h - the bytes of a small but real model file, for tests that move models about. */
#ifndef PRF_TESTS_TINY_MODEL_H
#define PRF_TESTS_TINY_MODEL_H

#include <stdint.h>

#include "wire/wire.h"

/* A model of fc layers for boards of `kind`; another seed gives other bytes. Caller frees. `version`: describes it, may be NULL.
 * Aborts when it cannot be made. */
void *tiny_model(const char *kind, uint64_t seed, size_t *len, prf_model_version_t *version);

#endif
