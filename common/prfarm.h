/* SPDX-License-Identifier: Apache-2.0 */
/* prfarm.h - libprfarm: load a latency model and ask it, from C or anything that calls C. docs/library.md tells how.
 *
 * Units       Latencies are nanoseconds of one inference, MACs are counts, errors of models are percent. What is not known is NaN.
 * Threads     A model and a network never change once loaded: any number of threads may ask the same ones at once, without a lock.
 *             Freeing one is for when nobody uses it any more.
 * Memory      Who loads frees, with the function of the same family. Everything else that is handed out (names, facts, blocks) is
 *             borrowed: it lives as long as the model or network that it was asked of, names of kinds for ever.
 *             The prfarm_estimate_* functions and prfarm_layer_parse allocate nothing, and take up to 256 KB of stack.
 * Errors      What can fail returns 0, or an exit code of docs/manual/exit-codes.md (3 a text or file that is not what it should
 *             be, 4 not found, 6 the model does not know such layers, 7 input/output, 9 out of memory) and a sentence in `error`,
 *             which is room for PRFARM_ERROR bytes, or NULL. Where something fails, what it should have filled stays untouched.
 * ABI         The soname (libprfarm.so.1) carries PRFARM_ABI. Within one ABI functions are only added; structs that the caller
 *             provides stay as they are; structs that are handed out may become longer at their end. */
#ifndef PRFARM_H
#define PRFARM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PRFARM_API __attribute__((visibility("default")))
#else
#define PRFARM_API
#endif

enum { PRFARM_ABI = 1, PRFARM_ERROR = 512, PRFARM_LAYER = 512 };

typedef struct prfarm_model prfarm_model;     /* one kind of board */
typedef struct prfarm_network prfarm_network; /* blocks of an ONNX file */

/* A parsed block: a layer, or layers that a board executes as one. Plain memory of PRFARM_LAYER bytes that the caller provides and
 * may copy. */
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

/* Where the estimates of many go, one array a number: `count` (layers, rows, blocks of the network) entries each. Every pointer may
 * be NULL. NaN stands for what the model does not cover. The caller owns the arrays. */
typedef struct {
    double *latency_ns, *low_ns, *high_ns;
    unsigned char *outside; /* 1: some parameter lies outside the trained range */
} prfarm_estimates;

/* Of the library that runs, "0.1.0", and its PRFARM_ABI. */
PRFARM_API const char *prfarm_version(void);
PRFARM_API int prfarm_abi(void);

/* ---- layers ---- */

/* Parses a block's text: "conv2d n=1 c=64 k=64 h=56 w=56 r=3 s=3 stride=1 pad=1 dtype=f32". What is left out has its usual default.
 * Layers of one block are joined by " + ", an activation may stand under its name: "conv2d c=64 k=64 h=56 r=3 pad=1 + relu". */
PRFARM_API int prfarm_layer_parse(prfarm_layer *out, const char *text, char *error);
/* The block's text with every parameter, ended by a NUL and cut to `cap` bytes. Returns its whole length; 1,024 bytes always do. */
PRFARM_API size_t prfarm_layer_format(const prfarm_layer *layer, char *text, size_t cap);
/* Multiply-accumulates of the block, biases not counted. */
PRFARM_API double prfarm_layer_macs(const prfarm_layer *layer);

/* A parameter of a kind of layer. */
typedef struct {
    const char *name;
    int32_t low, high;  /* what prfarm_layer_parse takes */
    int required;       /* 1: has no default */
    int32_t by_default; /* where it is not required and `like` is NULL */
    const char *like;   /* the parameter whose value it takes when it is left out, or NULL */
} prfarm_parameter;

/* What there is to write in a layer's text: the index-th, NULL behind the last. */
PRFARM_API const char *prfarm_layer_kind(size_t index); /* "conv2d" */
PRFARM_API const char *prfarm_dtype(size_t index);      /* "f32" */
PRFARM_API const char *prfarm_activation(size_t index); /* "relu"; the index is the parameter fn of an activation */
/* Parameters of a kind in their usual order, NULL behind the last and for a kind that there is not. */
PRFARM_API const prfarm_parameter *prfarm_layer_parameter(const char *kind, size_t index);

/* ---- models ---- */

/* Reads a model file (*.prfm), or its bytes, which may be freed afterwards. The caller frees *out. */
PRFARM_API int prfarm_model_load(prfarm_model **out, const char *path, char *error);
PRFARM_API int prfarm_model_decode(prfarm_model **out, const void *bytes, size_t len, char *error);
PRFARM_API void prfarm_model_free(prfarm_model *model); /* NULL: nothing happens */

/* Where a model comes from and how good it is, as measured on layers that it was not trained on. */
typedef struct {
    const char *board;                          /* the kind of board */
    const char *digest;                         /* of the file, 32 hexadecimal digits: names this version of the model */
    const char *campaign;                       /* that measured the layers; "" if unknown */
    const char *fingerprint;                    /* of the board's runtime; "" if unknown */
    const char *began_with;                     /* kind of board whose model it began with; "": none */
    uint64_t seed;                              /* of the campaign */
    uint32_t samples, sweep_samples;            /* layers measured; those of them that looked for steps */
    uint32_t validated;                         /* layers it was judged by */
    double mape_percent;                        /* mean of |estimate - measured| / measured */
    double rmspe_percent, median_percent;       /* root of the mean square, and median, of the same */
    double r2, spearman;                        /* coefficient of determination, rank correlation */
    double within_5_percent, within_10_percent; /* share of layers that are estimated that well */
    double repeatability_percent;   /* MAPE between two measurements of the same layers: no model can be told to be better */
    double random_baseline_percent; /* MAPE of the same kind of model from as many random layers */
    double between_ns;              /* what each block of a network after the first takes besides its own time */
} prfarm_model_facts;

/* What a model knows about one kind of layer and data type. */
typedef struct {
    const char *kind, *dtype;
    const char *regressor; /* what estimates: "max-terms", "forest/roofline", ... (docs/models.md) */
    int mapped;            /* 1: a layer is estimated by its Performance Representative */
    uint32_t samples;      /* layers trained on */
    uint32_t validated;    /* layers it was judged by */
    double mape_percent, rmspe_percent, median_percent, r2, spearman, within_5_percent, within_10_percent;
} prfarm_model_layer;

/* What a model knows about a parameter of a kind of layer. */
typedef struct {
    const char *name;
    int32_t low, high;      /* the range that it was trained on; estimates outside are marked and worth less */
    int32_t step_width;     /* the latency changes behind its multiples; 1: it has no steps */
    double step_confidence; /* 0 .. 1; 1 where the width was given */
} prfarm_model_parameter;

PRFARM_API const char *prfarm_model_board(const prfarm_model *model);
/* What the model knows of the energy of the same layers, as a model that every function takes and answers in nanojoules wherever a
 * name says nanoseconds; borrowed, do not free it. NULL: nothing. */
PRFARM_API const prfarm_model *prfarm_model_energy(const prfarm_model *model);
PRFARM_API const prfarm_model_facts *prfarm_model_get_facts(const prfarm_model *model);
/* The index-th kind of layer, NULL behind the last. */
PRFARM_API const prfarm_model_layer *prfarm_model_get_layer(const prfarm_model *model, size_t index);
/* Of the layer-th kind the index-th of the parameters that varied in training, NULL behind the last. */
PRFARM_API const prfarm_model_parameter *prfarm_model_get_parameter(const prfarm_model *model, size_t layer, size_t index);

/* ---- estimates ---- */

/* One block. Fails with 6 when the model does not know its layers: `error` says which. */
PRFARM_API int prfarm_estimate_layer(const prfarm_model *model, const prfarm_layer *layer, prfarm_estimate *out, char *error);

/* Many blocks, which costs less for each than one by one; the numbers are the same to the bit. Returns how many are covered. */
PRFARM_API size_t prfarm_estimate_layers(const prfarm_model *model, const prfarm_layer layers[], size_t count,
                                         const prfarm_estimates *out);

/* Integers in rows and columns, as numpy and tables have them: row i, column j is values[i * row_stride + j * column_stride].
 * Columns are parameters of a block's leading layer. Borrowed. */
typedef struct {
    const int64_t *values;
    ptrdiff_t row_stride, column_stride; /* in integers, not bytes */
    size_t rows, columns;
    const char *const *names; /* one a column: "c", "k", ... */
} prfarm_matrix;

/* A block for each row of a matrix, without any text. `pattern` is a block's text with what all rows have in common, and without
 * what the columns tell: "conv2d r=3 pad=1 dtype=i8 + relu" for a matrix with the columns c, k and h. *covered (may be NULL)
 * becomes the number of rows that the model covers. Fails with 3, and names the row, when one is no possible layer (a stride of 0,
 * an empty output); then *out may be partly filled. */
PRFARM_API int prfarm_estimate_matrix(const prfarm_model *model, const char *pattern, const prfarm_matrix *matrix,
                                      const prfarm_estimates *out, size_t *covered, char *error);
/* The same rows' multiply-accumulates, `rows` numbers. */
PRFARM_API int prfarm_macs_matrix(const char *pattern, const prfarm_matrix *matrix, double macs[], char *error);

/* ---- networks ---- */

/* Reads an ONNX file, or its bytes; dtype is one of prfarm_dtype(); a batch dimension left open becomes `batch`. `name` is what the
 * network is called in messages. The caller frees *out. */
PRFARM_API int prfarm_network_load(prfarm_network **out, const char *path, const char *dtype, unsigned batch, char *error);
PRFARM_API int prfarm_network_decode(prfarm_network **out, const void *bytes, size_t len, const char *name, const char *dtype,
                                     unsigned batch, char *error);
PRFARM_API void prfarm_network_free(prfarm_network *network); /* NULL: nothing happens */

PRFARM_API const char *prfarm_network_name(const prfarm_network *network);
PRFARM_API double prfarm_network_macs(const prfarm_network *network);
PRFARM_API size_t prfarm_network_blocks(const prfarm_network *network); /* at least 1 */

/* A block of a network. */
typedef struct {
    const char *name;          /* of its node in the file */
    const char *kind;          /* "conv2d+relu" */
    const char *text;          /* as prfarm_layer_parse takes it */
    const prfarm_layer *layer; /* as it gives it */
    double macs;
} prfarm_block;

/* An operator of the file that became no block of its own, and what was done about it. */
typedef struct {
    const char *op, *name;
    const char *treatment;
    int unknown; /* 1: it takes time that no block stands for, and is missing in every total */
} prfarm_note;

/* In the order of execution; NULL behind the last. */
PRFARM_API const prfarm_block *prfarm_network_get_block(const prfarm_network *network, size_t index);
PRFARM_API const prfarm_note *prfarm_network_get_note(const prfarm_network *network, size_t index);

/* The whole network. Blocks that the model does not cover are not in it: compare out->covered with out->blocks. */
PRFARM_API int prfarm_estimate_network(const prfarm_model *model, const prfarm_network *network, prfarm_estimate *out, char *error);
/* Block by block as well: `blocks` has room for prfarm_network_blocks() each. Why a block is not covered is what
 * prfarm_estimate_layer says of its layer. */
PRFARM_API int prfarm_estimate_network_blocks(const prfarm_model *model, const prfarm_network *network, prfarm_estimate *out,
                                              const prfarm_estimates *blocks, char *error);

#ifdef __cplusplus
}
#endif

#endif
