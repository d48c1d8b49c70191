// SPDX-License-Identifier: Apache-2.0
/* bytes.c - writes what has to be the same on every architecture into a folder, a file each, for tests/arm64/check to compare:
 * a frame of each sort, a stored record, the identities of points, draws of the random generator, models of each regressor and one
 * that was trained, and what these models estimate, to the last bit.
 *
 *   prfarm-bytes FOLDER          makes everything here
 *   prfarm-bytes FOLDER FROM     reads frames, record and models of the other architecture, and writes what it has understood */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "model/train.h"
#include "support/made_model.h"
#include "support/must.h"
#include "wire/record.h"

enum { LAYERS = 150, FITTED = 60, DRAWS = 1000, MOST = 4 << 20, SEED = 20261127 };

static const char *folder, *from;
static prf_layer_t layers[LAYERS];

static void keep(const char *name, const void *bytes, size_t len)
{
    char path[4096];
    prf_error_t err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    MUST(!prf_file_write(path, bytes, len, &err), "%s", err.text);
}

/* Replaces what was made by what the other architecture made. */
static void fetch(const char *name, char **bytes, size_t *len)
{
    char path[4096];
    prf_error_t err = {0};
    snprintf(path, sizeof path, "%s/%s", from, name);
    free(*bytes);
    MUST(!prf_file_read(path, MOST, bytes, len, &err), "%s", err.text);
}

static void keep_text(const char *name, prf_text_t *text)
{
    MUST(!text->failed, "memory");
    keep(name, prf_text_get(text), text->len);
    prf_text_release(text);
}

/* A board that slopes, saturates and has steps in two parameters. */
static double latency_of(const prf_layer_t *layer)
{
    double tiles = ceil(layer->p[PRF_P_C] / 16.0) * ceil(layer->p[PRF_P_K] / 32.0);
    double compute = tiles * layer->p[PRF_P_H] * layer->p[PRF_P_H] * layer->p[PRF_P_R] * layer->p[PRF_P_R];
    return 1500 + fmax(compute, prf_layer_bytes(layer, PRF_I8) / 3) * (1 + 0.03 * sqrt(layer->p[PRF_P_H]));
}

static prf_space_t space_of(void)
{
    static const prf_dim_t channels = {.kind = PRF_DIM_RANGE, .lo = 1, .hi = 256, .log = true};
    prf_space_t space = {.kind = PRF_CONV2D, .dtype = PRF_I8};
    space.dims[PRF_P_C] = space.dims[PRF_P_K] = channels;
    space.dims[PRF_P_H] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 4, .values = {7, 14, 28, 56}};
    space.dims[PRF_P_R] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 3, .values = {1, 3, 5}};
    space.dims[PRF_P_PAD] = (prf_dim_t){.kind = PRF_DIM_TIED, .source = PRF_P_R, .divisor = 2};
    return space;
}

static prf_block_t block_of(size_t i)
{
    return (prf_block_t){.dtype = PRF_I8, .count = 1, .layers = {layers[i % LAYERS]}};
}

/* -- numbers and identities -- */

static void make_draws(void)
{
    prf_rng_t rng;
    prf_text_t text;
    prf_text_init(&text);
    prf_rng_init(&rng, SEED, 1);
    for (int i = 0; i < DRAWS; i++) {
        double even = prf_rng_double(&rng);
        prf_text_add(&text, "%a %a\n", even, prf_rng_normal(&rng));
    }
    keep_text("draws", &text);
}

static prf_digest_t point_of(size_t i)
{
    prf_protocol_t protocol;
    prf_protocol_default(&protocol);
    prf_block_t block = block_of(i);
    prf_digest_t point;
    prf_point_id(&point, "made", "arm64 or amd64: it is one runtime", &protocol, &(prf_chain_t){.blocks = &block, .count = 1});
    return point;
}

static void make_points(void)
{
    prf_text_t text;
    prf_text_init(&text);
    for (size_t i = 0; i < LAYERS; i++) {
        char hex[PRF_DIGEST_HEX], block_text[PRF_BLOCK_TEXT];
        prf_digest_t point = point_of(i);
        prf_block_t block = block_of(i);
        prf_digest_hex(&point, hex);
        prf_block_format(&block, block_text);
        prf_text_add(&text, "%s %s\n", hex, block_text);
    }
    keep_text("points", &text);
}

/* -- frames and records -- */

static prf_sample_t sample_of(size_t i)
{
    double latency = latency_of(&layers[i]);
    return (prf_sample_t){.latency_ns = latency,
                          .min_ns = latency / 3,
                          .ci_percent = 0.1,
                          .repeats = 17,
                          .taint = PRF_TAINT_LOADED,
                          .temperature_mc = 45000,
                          .clock_khz = 1800000,
                          .load_percent = 3,
                          .wall_ms = 1700000000000U + i,
                          .busy_ns = UINT64_MAX};
}

static void pass_frame(const prf_frame_t *frame)
{
    char name[64], *bytes = NULL;
    size_t len;
    prf_frame_t back;
    prf_error_t err = {0};
    snprintf(name, sizeof name, "%s.frame", prf_frame_name(frame->type));
    MUST(!prf_frame_encode(frame, (uint8_t **)&bytes, &len, &err), "%s: %s", name, err.text);
    if (from) {
        fetch(name, &bytes, &len);
        MUST(!prf_frame_decode(&back, (uint8_t *)bytes, len, &err), "%s: %s", name, err.text);
        free(bytes);
        MUST(!prf_frame_encode(&back, (uint8_t **)&bytes, &len, &err), "%s: %s", name, err.text);
        prf_frame_release(&back);
    }
    keep(name, bytes, len);
    free(bytes);
}

static void make_batches(void)
{
    enum { COUNT = 16 };
    prf_block_t blocks[COUNT];
    prf_edge_t edges[COUNT];
    prf_job_t jobs[COUNT];
    prf_result_t results[COUNT];
    uint64_t ids[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        ids[i] = UINT64_MAX - i * i;
        blocks[i] = block_of(i);
        edges[i] = (prf_edge_t){.to = (int32_t)i, .from = (int32_t)i / 2 - 1};
        jobs[i] = (prf_job_t){.id = ids[i],
                              .epoch = 7,
                              .point = point_of(i),
                              .deadline_ms = 5000,
                              .blocks = blocks,
                              .block_count = i + 1,
                              .edges = edges,
                              .edge_count = i + 1};
        prf_protocol_default(&jobs[i].protocol);
        results[i] = (prf_result_t){.id = ids[i], .epoch = 7, .point = point_of(i), .attempt = 1, .sample = sample_of(i)};
    }
    results[1] = (prf_result_t){.id = 5, .point = point_of(1), .outcome = PRF_EUNSUPPORTED, .error = "kernel 5×5"};
    pass_frame(&(prf_frame_t){.type = PRF_FRAME_JOB_BATCH, .u.jobs = {jobs, COUNT}});
    pass_frame(&(prf_frame_t){.type = PRF_FRAME_RESULT_BATCH, .u.results = {results, COUNT}});
    pass_frame(&(prf_frame_t){.type = PRF_FRAME_COMMITTED, .u.ids = {.items = ids, .count = COUNT}});
    pass_frame(&(prf_frame_t){.type = PRF_FRAME_HEARTBEAT, .u.ids = {.session = 9, .takes = 3, .items = ids, .count = COUNT}});
}

static void make_frames(void)
{
    static uint8_t chunk[1000];
    const prf_model_version_t model = {.kind = "made", .version = 7, .digest = point_of(0), .bytes = 123456789012};
    for (size_t i = 0; i < sizeof chunk; i++)
        chunk[i] = (uint8_t)(i * 37);
    make_batches();
    pass_frame(&(prf_frame_t){
        .type = PRF_FRAME_HELLO,
        .u.hello = {"rack1-3", "made", "runtime 1.0, 16×16", "0.1.0", .kinds = 0xfff, .dtypes = 9, .flags = 2, .model = model}});
    pass_frame(&(prf_frame_t){.type = PRF_FRAME_WELCOME, .u.welcome = {UINT64_MAX, 1000, model, 3}});
    pass_frame(&(prf_frame_t){.type = PRF_FRAME_REFUSAL, .u.refusal = {PRF_EVERSION, "too new"}});
    pass_frame(&(prf_frame_t){.type = PRF_FRAME_CREDIT, .u.credit = 200});
    pass_frame(&(prf_frame_t){.type = PRF_FRAME_MODEL_OFFER, .u.model = model});
    pass_frame(&(prf_frame_t){.type = PRF_FRAME_FETCH, .u.fetch = {point_of(2), 1 << 20}});
    pass_frame(&(prf_frame_t){.type = PRF_FRAME_CHUNK, .u.chunk = {point_of(2), 1 << 20, 1 << 21, chunk, sizeof chunk}});
    pass_frame(&(prf_frame_t){.type = PRF_FRAME_REQUEST, .u.request = {1, "submit", (char[]){"{\"yaml\": \"ä\"}"}}});
}

static void make_record(void)
{
    prf_record_t record = {.point = point_of(3), .attempt = 2, .board = "rack1-3", .sample = sample_of(3)};
    prf_error_t err = {0};
    uint8_t bytes[PRF_RECORD_BYTES];
    if (from) {
        char *theirs = NULL;
        size_t len;
        fetch("record", &theirs, &len);
        MUST(!prf_record_decode(&record, theirs, len, &err), "%s", err.text);
        free(theirs);
    }
    keep("record", bytes, prf_record_encode(&record, bytes));
}

/* -- models -- */

static void estimate(const char *name, const prf_model_t *model)
{
    char file[80];
    prf_text_t text;
    prf_text_init(&text);
    for (size_t i = 0; i < LAYERS; i++) {
        prf_block_t block = block_of(i);
        prf_estimate_t e;
        MUST(!prf_model_estimate(model, &block, NULL, &e, NULL), "%s", name);
        prf_text_add(&text, "%a %a %a %d\n", e.latency_ns, e.low_ns, e.high_ns, e.outside);
    }
    snprintf(file, sizeof file, "%s.estimates", name);
    keep_text(file, &text);
}

/* Takes the model; NULL where it is the other architecture's that counts. */
static void pass_model(const char *sort, prf_model_t *model)
{
    char name[64], *bytes = NULL;
    size_t len;
    prf_error_t err = {0};
    snprintf(name, sizeof name, "%s.prfm", sort);
    for (char *c = strchr(name, '/'); c; c = strchr(c, '/'))
        *c = '-';
    if (!model) {
        fetch(name, &bytes, &len);
        MUST(!prf_model_decode(&model, bytes, len, &err), "%s: %s", name, err.text);
        free(bytes);
    }
    MUST(!prf_model_encode(model, (void **)&bytes, &len, &err), "%s: %s", name, err.text);
    keep(name, bytes, len);
    estimate(name, model);
    free(bytes);
    prf_model_destroy(&model);
}

static void make_models(void)
{
    for (size_t s = 0; s < MADE_SORTS; s++) {
        prf_model_t *model = NULL;
        if (!from) {
            model = made_model("made", 1);
            model->parts[0].space = space_of();
            made_part(&model->parts[0], &made_sorts[s], latency_of, FITTED);
        }
        pass_model(made_sorts[s].name, model);
    }
}

static void train_model(void)
{
    static prf_observation_t seen[LAYERS];
    for (size_t i = 0; i < LAYERS; i++)
        seen[i] = (prf_observation_t){.layer = layers[i], .latency_ns = latency_of(&layers[i])};
    prf_train_layer_t part = {.space = space_of(), .train = seen, .train_count = FITTED, .validation = seen + FITTED};
    part.validation_count = LAYERS - FITTED;
    part.mapping = PRF_MAP_IF_BETTER;
    prf_steps_none(&part.steps);
    part.steps.width[PRF_P_C] = 16;
    part.steps.width[PRF_P_K] = 32;
    prf_train_input_t input = {.kind = "made", .layers = &part, .layer_count = 1, .seed = SEED, .threads = 1};
    input.provenance = (prf_provenance_t){"bytes", "", "none", SEED, FITTED, 0, .repeatability_percent = NAN};
    input.provenance.random_baseline_percent = NAN;
    prf_model_t *model = NULL;
    prf_error_t err = {0};
    MUST(from || !prf_model_train(&model, &input, &err), "%s", err.text);
    pass_model("trained", model);
}

int main(int argc, char **argv)
{
    MUST(argc == 2 || argc == 3, "usage: prfarm-bytes FOLDER [FROM]");
    folder = argv[1];
    from = argc == 3 ? argv[2] : NULL;
    MUST(!prf_file_mkdirs(folder, 0755, NULL), "%s", folder);
    prf_space_t space = space_of();
    prf_rng_t rng;
    prf_rng_init(&rng, SEED, 0);
    for (size_t i = 0; i < LAYERS; i++)
        MUST(!prf_space_draw(&space, &rng, &layers[i], NULL), "a layer");
    make_draws();
    make_points();
    make_frames();
    make_record();
    make_models();
    train_model();
    return 0;
}
