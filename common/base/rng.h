// SPDX-License-Identifier: Apache-2.0
/* rng.h - seeded random numbers, the same on every machine: xoshiro256** (Blackman and Vigna, 2018) seeded by splitmix64.
 * Not for keys. No shared state; the caller owns the generator. */
#ifndef PRF_BASE_RNG_H
#define PRF_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t s[4];
} prf_rng_t;

/* `stream` separates independent uses of one seed (a tree's index, a stage's number). */
void prf_rng_init(prf_rng_t *rng, uint64_t seed, uint64_t stream);
uint64_t prf_rng_u64(prf_rng_t *rng);
double prf_rng_double(prf_rng_t *rng);                  /* uniform in [0, 1) */
uint64_t prf_rng_below(prf_rng_t *rng, uint64_t bound); /* uniform in [0, bound), bound > 0, unbiased */
double prf_rng_normal(prf_rng_t *rng);                  /* mean 0, standard deviation 1 */
/* Fisher-Yates over `count` elements of `size` bytes each. */
void prf_rng_shuffle(prf_rng_t *rng, void *array, size_t count, size_t size);
/* 64-bit mix of a text, to derive stream numbers from names. */
uint64_t prf_rng_stream(const char *name);

#endif
