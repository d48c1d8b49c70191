// SPDX-License-Identifier: Apache-2.0
/* ensemble.h - regression trees and how they answer together. Immutable once made; any thread; predicting allocates nothing.
 *
 * An ensemble is a number of members whose mean is the answer and whose spread tells how far to trust it. A member is a sum of
 * trees: one tree in a forest, many small ones when boosted. Asking about many rows at once is cheaper, and the answers are the
 * same to the bit. */
#ifndef PRF_MODEL_ENSEMBLE_H
#define PRF_MODEL_ENSEMBLE_H

#include <stddef.h>
#include <stdint.h>

#include "layer/features.h"

enum {
    PRF_LEAF = 128, /* behind all features */
    PRF_MEMBERS = 1024,
    PRF_TREES = 65536,
    PRF_NODES = 1 << 24,
    PRF_LEVELS = 65536 /* below the roots, of all trees together: what one answer may cost, whoever made the file */
};

/* Trees lie one after another, each in breadth-first order: the children of its k-th inner node are its nodes 2k + 1 and
 * 2k + 2. So a child always lies behind its parent, and the file need not store children at all. */
typedef struct {
    float value;          /* inner node: x[feature] <= value goes left; leaf: what the tree adds */
    uint32_t feature : 8; /* PRF_LEAF: a leaf */
    uint32_t child : 24;  /* inner node: index of the left child, the right one follows; leaf: its own */
} prf_node_t;

typedef struct {
    uint32_t root, levels; /* levels: below the root, where the deepest leaf is */
} prf_tree_t;

typedef struct {
    uint32_t member_count, tree_count; /* tree t belongs to member t / (tree_count / member_count) */
    prf_tree_t *trees;                 /* owned */
    prf_node_t *nodes;                 /* owned */
    size_t node_count;
    size_t feature_count; /* of a row that is asked about */
    double base;          /* every member starts from it */
} prf_ensemble_t;

void prf_ensemble_release(prf_ensemble_t *self); /* NULL-safe */
/* Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_ensemble_copy(prf_ensemble_t *out, const prf_ensemble_t *from, prf_error_t *err);
/* Mean of the members and their standard deviation. */
void prf_ensemble_predict(const prf_ensemble_t *self, const float *x, double *mean, double *spread);
/* Likewise of many rows. */
void prf_ensemble_predict_many(const prf_ensemble_t *self, const float *const x[], size_t count, double mean[], double spread[]);
/* Leaves have their own index as child, and trees their levels: for trees whose roots and inner nodes are set. */
void prf_ensemble_close(prf_ensemble_t *self);
/* Fills in trees and children from the features and tree sizes, and checks that everything is as the type promises: for
 * ensembles that come out of a file. Errors: PRF_ECORRUPT. */
PRF_CHECKED prf_status_t prf_ensemble_link(prf_ensemble_t *self, const uint32_t *tree_sizes, size_t feature_count,
                                           prf_error_t *err);

#endif
