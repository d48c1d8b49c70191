// SPDX-License-Identifier: Apache-2.0
/* campaign.h - a campaign file: what to measure on which boards, and when it is good enough. docs/campaign-file.md is its
 * reference. Pure apart from reading the file; every error is `file:line: what is wrong and what would be right`. */
#ifndef PRF_CAMPAIGN_H
#define PRF_CAMPAIGN_H

#include "point/point.h"
#include "pr/space.h"
#include "pr/steps.h"

enum {
    PRF_CAMPAIGN_BYTES = 256 << 10, /* a campaign file at most */
    PRF_CAMPAIGN_BOARDS = 32,
    PRF_CAMPAIGN_LAYERS = 32,
    PRF_CAMPAIGN_NETWORKS = 32,
    PRF_CAMPAIGN_OPTIONS = 32,
    PRF_CAMPAIGN_PASSES = 8,          /* of one measurement */
    PRF_CAMPAIGN_WORKERS = 256,       /* of one kind that `prfarm run` starts */
    PRF_CAMPAIGN_OLDS = 8,            /* boards that begin with a model, */
    PRF_CAMPAIGN_OLD_BYTES = 4 << 20, /* each of so many bytes at most: all of them are stored with the campaign */
};

/* A kind of board. backend, options, care and workers matter to `prfarm run`, which starts the workers; on a farm they are there.
 */
typedef struct {
    char kind[PRF_NAME];
    char backend[PRF_NAME];
    char *options[PRF_CAMPAIGN_OPTIONS], *care[PRF_CAMPAIGN_OPTIONS]; /* owned "key=value"; of the backend, and of the worker */
    size_t option_count, care_count;
    uint32_t workers;
    char *from; /* owned path, as written, relative to the campaign file: a model to begin with; NULL: none */
} prf_campaign_board_t;

/* One layer kind to be modelled on some of the boards. */
typedef struct {
    prf_space_t space;
    prf_knowledge_t knowledge;
    uint32_t boards; /* bit i: boards[i] of the campaign */
    uint32_t weight; /* its share of the sample budget, relative to the other layers of a board; default 1 */
} prf_campaign_layer_t;

typedef struct {
    char name[PRF_NAME];
    uint64_t seed;
    prf_campaign_board_t *boards; /* owned */
    size_t board_count;
    prf_campaign_layer_t *layers; /* owned */
    size_t layer_count;
    uint32_t samples;     /* budget of measured layers a board kind: sweeps and training layers; not validation */
    uint32_t seconds;     /* time budget of the campaign's measuring; 0: none */
    double target_mape;   /* percent: stop sampling below it; 0: use the whole budget */
    uint32_t validation;  /* layers a board kind, drawn from the original space */
    uint32_t repeats;     /* independent measurements of each validation layer; 2 gives the repeatability */
    uint32_t passes;      /* every measurement is taken this often at least, well apart in time; the fastest stands, */
    uint32_t most_passes; /* and so often at most: once more while its fastest passes disagree */
    bool baseline;        /* also measure and train the random baseline at equal cost */
    prf_protocol_t protocol;
    char *networks[PRF_CAMPAIGN_NETWORKS]; /* owned paths, as written; relative ones are relative to the campaign file */
    size_t network_count;
    prf_digest_t digest; /* of the file's text */
} prf_campaign_t;

/* `name` stands for the file in messages. On failure *out is untouched. Errors: PRF_EPARSE, PRF_EINVAL, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_campaign_parse(prf_campaign_t *out, const char *text, size_t len, const char *name, prf_error_t *err);
/* Reads the file; *text (owned by the caller, may be NULL) receives its content for submitting. */
PRF_CHECKED prf_status_t prf_campaign_load(prf_campaign_t *out, const char *path, char **text, prf_error_t *err);
void prf_campaign_release(prf_campaign_t *self); /* NULL-safe */

#endif
