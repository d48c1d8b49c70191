// SPDX-License-Identifier: Apache-2.0
/* near.h - what somebody may have meant who wrote a name that there is not. Pure; any thread. */
#ifndef PRF_BASE_NEAR_H
#define PRF_BASE_NEAR_H

#include <stddef.h>

/* The nearest name so far. Begin with {.word = what was written}, offer each name that there is; `best` then is the one that is
 * few slips of the pen away (a letter left out, added, exchanged, or two swapped), or NULL. Everything borrowed. */
typedef struct {
    const char *word;
    const char *best;
    size_t slips;
} prf_near_t;

void prf_near_offer(prf_near_t *self, const char *name);

#endif
