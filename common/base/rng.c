// SPDX-License-Identifier: Apache-2.0
/* rng.c - xoshiro256** and what is drawn from it. Written from the authors' description; integer arithmetic only, so the
 * sequences agree on every machine. The normal draw uses libm and agrees wherever log and cos do. */
#include "base/rng.h"

#include <math.h>
#include <string.h>

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void prf_rng_init(prf_rng_t *rng, uint64_t seed, uint64_t stream)
{
    uint64_t mixed = stream;
    uint64_t state = seed ^ splitmix(&mixed);
    for (size_t i = 0; i < 4; i++)
        rng->s[i] = splitmix(&state);
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t prf_rng_u64(prf_rng_t *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

double prf_rng_double(prf_rng_t *rng)
{
    return (double)(prf_rng_u64(rng) >> 11) * 0x1.0p-53;
}

uint64_t prf_rng_below(prf_rng_t *rng, uint64_t bound)
{
    uint64_t x, rest;
    do { /* again where x is behind the last whole multiple of the bound */
        x = prf_rng_u64(rng);
        rest = x % bound;
    } while (x - rest > UINT64_MAX - bound);
    return rest;
}

double prf_rng_normal(prf_rng_t *rng)
{
    double u = 1.0 - prf_rng_double(rng);
    double v = prf_rng_double(rng);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void prf_rng_shuffle(prf_rng_t *rng, void *array, size_t count, size_t size)
{
    unsigned char *bytes = array;
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)prf_rng_below(rng, i);
        unsigned char *a = bytes + (i - 1) * size, *b = bytes + j * size;
        for (size_t k = 0; k < size; k++) {
            unsigned char t = a[k];
            a[k] = b[k];
            b[k] = t;
        }
    }
}

uint64_t prf_rng_stream(const char *name)
{
    uint64_t state = 0xcbf29ce484222325u;
    for (; *name; name++)
        state = (state ^ (unsigned char)*name) * 0x100000001b3u;
    return splitmix(&state);
}
