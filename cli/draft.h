// SPDX-License-Identifier: Apache-2.0
/* draft.h - a campaign file that is being written (`prfarm init`): its boards, the layers that each of them can run, and the text
 * with its comments. Main thread only. */
#ifndef PRF_CLI_DRAFT_H
#define PRF_CLI_DRAFT_H

#include "base/text.h"
#include "campaign/campaign.h"
#include "network/network.h"

enum { PRF_DRAFT_WORDS = 512, PRF_DRAFT_PARAMS = 2048, PRF_DRAFT_PATH = 1024 };

/* Whether a board can run a layer at all; NULL: nobody knows before it is tried. */
typedef bool (*prf_draft_runs_t)(const prf_layer_t *layer);

typedef struct {
    char kind[PRF_NAME];
    const char *backend;           /* static */
    char options[PRF_DRAFT_WORDS]; /* "board: zcu102", as within YAML's braces */
    const char *note;              /* static; a comment behind it */
    bool simulated;
    prf_draft_runs_t runs;
} prf_draft_board_t;

/* One entry of `layers:`. */
typedef struct {
    prf_layer_kind_t kind;
    unsigned weight;
    double max_macs;               /* 0: no limit */
    char params[PRF_DRAFT_PARAMS]; /* lines "c: 1..64", each with its newline */
    uint32_t boards;               /* bit i: boards[i] of the draft */
} prf_draft_layer_t;

typedef struct {
    char name[PRF_NAME];
    const char *file;       /* as it will be run; borrowed */
    const char *layers_are; /* static; what the layers were chosen after, a comment */
    prf_dtype_t dtype;
    prf_draft_board_t boards[PRF_CAMPAIGN_BOARDS];
    size_t board_count;
    prf_draft_layer_t layers[PRF_CAMPAIGN_LAYERS];
    size_t layer_count;
    char networks[PRF_CAMPAIGN_NETWORKS][PRF_DRAFT_PATH]; /* relative to the file, or absolute */
    size_t network_count;
    uint32_t samples;
    double minutes; /* 0: no limit */
} prf_draft_t;

/* `cpu`, `cpu:THREADS`, `sim:BOARD`, `exec:PROGRAM ARGUMENT...` or `plugin:FILE`: one board more. Errors: PRF_EUSAGE (what can be
 * said), PRF_ENOTFOUND (no such program or file), PRF_EINVAL (too many). */
PRF_CHECKED prf_status_t prf_draft_add_board(prf_draft_t *draft, const char *text, prf_error_t *err);
/* A blank between all that `sim:` can be followed by. */
extern const char prf_draft_simulated[];

/* The usual layers of a sort of network, "cnn" or "transformer", as far as the boards run them. Errors: PRF_EUSAGE (no such sort),
 * PRF_EUNSUPPORTED (a board can run none of them). */
PRF_CHECKED prf_status_t prf_draft_usual_layers(prf_draft_t *draft, const char *sort, prf_error_t *err);
/* What the networks consist of, as far as the boards run it. Errors: PRF_EUNSUPPORTED (a board can run none of it), PRF_EINVAL (too
 * many kinds), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_draft_network_layers(prf_draft_t *draft, const prf_network_t *networks, size_t count,
                                                  prf_error_t *err);

/* The campaign file's text. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_draft_write(const prf_draft_t *draft, prf_text_t *out, prf_error_t *err);
/* A text as YAML takes it: plain where that is safe, else in double quotes. */
void prf_draft_quote(const char *text, char *out, size_t cap);

#endif
