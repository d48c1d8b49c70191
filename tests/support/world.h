// SPDX-License-Identifier: Apache-2.0
/* world.h - what an engine meets, for tests: a store, boards that answer in random order, kills. Asserts through Criterion. */
#ifndef PRF_TESTS_WORLD_H
#define PRF_TESTS_WORLD_H

#include "base/map.h"
#include "base/rng.h"
#include "engine.h"

typedef struct {
    prf_map_t known;   /* points that "the store" has, with their latency */
    size_t fresh;      /* measured and not known before */
    size_t stop_after; /* fresh measurements; then the run is killed */
    prf_rng_t rng;
    bool poison;                           /* every point whose first byte is below 8 fails */
    double slow[5];                        /* factors of passes 0, 1, ... of each measurement, when the first is not 0 */
    uint32_t passes;                       /* attempts of one measurement */
    double disturbed;                      /* a pass this slow tells that it was disturbed; 0: none tells */
    double pace;                           /* of boards that drifted: what was not known before takes so many times longer; 0: 1 */
    char *decisions[PRF_ENGINE_DECISIONS]; /* that "the store" has; owned */
    double (*latency)(const prf_block_t *block); /* NULL: world_array */
    double (*energy)(const prf_block_t *block);  /* nanojoules; NULL: boards do not tell */
    uint32_t silent;                             /* of each so many points, all but one do not tell; 0: all tell */
    double between_ns;                           /* that a block of a chain after the first takes besides */
    bool stop_at_decision;                       /* killed when one is durable, before anything follows from it */
} world_t;

/* An array of 8 x 8 that knows no noise; of conv1d and fc. */
double world_array(const prf_block_t *block);

void world_init(world_t *w, uint64_t seed);
/* A prf_known_fn: "the store" of the world `w` has the point. */
bool world_knows(void *w, const prf_digest_t *point, uint32_t attempt);
/* Board and layers of a campaign file about that array. */
#define WORLD_LAYERS                                                                                                               \
    "boards:\n"                                                                                                                    \
    "  - {kind: array, backend: sim}\n"                                                                                            \
    "layers:\n"                                                                                                                    \
    "  - kind: conv1d\n"                                                                                                           \
    "    dtype: i8\n"                                                                                                              \
    "    knowledge: black\n"                                                                                                       \
    "    params: {c: 1..64, k: 1..64, w: 16..64, f: [1, 3, 5]}\n"                                                                  \
    "  - kind: fc\n"                                                                                                               \
    "    dtype: i8\n"                                                                                                              \
    "    knowledge: black\n"                                                                                                       \
    "    params: {in: 1..128, out: 1..128}\n"

/* A campaign, and what the engine is told of it. Borrowed. */
typedef struct {
    const char *text;           /* of its file */
    const char *const *network; /* blocks of its only network, as text; NULL: none */
    size_t block_count;
    uint32_t kinds;               /* that the board runs */
    const prf_refresh_t *refresh; /* NULL: none */
    uint32_t flags;               /* of the board; its network's blocks read one another in turn */
} world_campaign_t;

/* An engine as a coordinator that starts on this store would build it. */
prf_engine_t *world_engine(const world_campaign_t *campaign, const world_t *w);
/* The model of a whole campaign on a world like `board` (its latency and what lies between blocks), with answers in the order of
 * the seed; `fresh`: points measured. Asserts that there is nothing left to ask when the campaign is begun anew on the same store.
 * Caller frees. */
void *world_undisturbed(const world_campaign_t *campaign, const world_t *board, uint64_t seed, size_t *len, size_t *fresh);
/* Asserts that neither the order of answers nor kills change a byte of the model, or what is measured. */
void world_expect_same(const world_campaign_t *campaign, const world_t *board);
void world_release(world_t *w);
/* Runs until the model is there or the world is stopped; answers in random order. True when the model is final. */
bool world_run(prf_engine_t *e, world_t *w);
/* Its bytes; caller frees. */
void *world_model(prf_engine_t *e, size_t *len);

#endif
