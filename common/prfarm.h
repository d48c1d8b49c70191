/* SPDX-License-Identifier: Apache-2.0 */
/* prfarm.h - libprfarm: load a latency model and ask it, from C or anything that calls C.
 *
 * A model and a network never change once loaded: any number of threads may use them at once. Estimating allocates nothing.
 * Functions that can fail return 0, or an exit code of docs/manual/exit-codes.md with a sentence in `error` (PRFARM_ERROR bytes, or
 * NULL). Latencies are nanoseconds. */
#ifndef PRFARM_H
#define PRFARM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PRFARM_API __attribute__((visibility("default")))
#else
#define PRFARM_API
#endif

enum { PRFARM_ERROR = 512, PRFARM_LAYER = 512 };

typedef struct prfarm_model prfarm_model;     /* one kind of board */
typedef struct prfarm_network prfarm_network; /* blocks of an ONNX file */

/* A parsed block; plain memory that the caller provides and may copy. */
typedef struct {
    union {
        unsigned char bytes[PRFARM_LAYER];
        double align;
    } opaque;
} prfarm_layer;

typedef struct {
    double latency_ns;      /* networks: of the blocks, and between them (docs/models.md) */
    double low_ns, high_ns; /* 90 % interval */
    int outside;            /* 1: some parameter lies outside the trained range; networks: how many blocks do */
    size_t blocks, covered; /* networks: blocks in all, and those the model knows; others are not in the total */
} prfarm_estimate;

PRFARM_API const char *prfarm_version(void);

/* Reads a model file (*.prfm). The caller frees *out. */
PRFARM_API int prfarm_model_load(prfarm_model **out, const char *path, char *error);
PRFARM_API void prfarm_model_free(prfarm_model *model);
PRFARM_API const char *prfarm_model_board(const prfarm_model *model);

/* Parses a layer's text: "conv2d n=1 c=64 k=64 h=56 w=56 r=3 s=3 stride=1 pad=1 dtype=f32". */
PRFARM_API int prfarm_layer_parse(prfarm_layer *out, const char *text, char *error);
PRFARM_API int prfarm_estimate_layer(const prfarm_model *model, const prfarm_layer *layer, prfarm_estimate *out, char *error);

/* Reads an ONNX file; dtype is "f32", "f16", "bf16" or "i8"; a batch dimension left open becomes `batch`. The caller frees *out. */
PRFARM_API int prfarm_network_load(prfarm_network **out, const char *path, const char *dtype, unsigned batch, char *error);
PRFARM_API void prfarm_network_free(prfarm_network *network);
PRFARM_API double prfarm_network_macs(const prfarm_network *network);
PRFARM_API int prfarm_estimate_network(const prfarm_model *model, const prfarm_network *network, prfarm_estimate *out, char *error);

#ifdef __cplusplus
}
#endif

#endif
