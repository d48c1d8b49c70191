// SPDX-License-Identifier: Apache-2.0
/* question_estimate.c - what a network, or blocks, would take on every kind of board that has a model: the same reading, the same
 * sum as `prfarm estimate`, and the same numbers.
 *
 * The file comes from anybody who may look, so it is small (the request is), the number of blocks is limited, and so is the size of
 * the answer. What reading such a file may cost is the side thread's time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "layer/layer_json.h"
#include "network/network.h"
#include "question.h"
#include "wire/printable.h"

enum {
    BLOCKS_MOST = 2048, /* of a network */
    ROWS_MOST = 20000,  /* in an answer: blocks times kinds */
    NOTES_MOST = 1000,  /* of unsupported operators in an answer */
    BATCH_MOST = 65536
};

typedef struct {
    prf_question_t question;
    void *onnx; /* owned; NULL: the network is there already */
    size_t len;
    char name[PRF_NETWORK_NAME]; /* "": its own */
    bool dtype_given;
    prf_dtype_t dtype;
    uint32_t batch;
    prf_network_t network;
} estimate_t;

static void release(prf_question_t *question)
{
    estimate_t *self = (estimate_t *)question;
    free(self->onnx);
    prf_network_release(&self->network);
    free(self);
}

static prf_status_t take_onnx(estimate_t *self, const json_t *onnx, prf_error_t *err)
{
    if (!json_is_string(onnx))
        return prf_fail(err, PRF_EINVAL,
                        "estimate: give \"onnx\", the bytes of the file as base64, or \"blocks\", a list of texts");
    prf_status_t status = prf_base64_decode(&self->onnx, &self->len, json_string_value(onnx), json_string_length(onnx), err);
    return status ? prf_fail_prefix(err, status, "estimate: onnx") : PRF_OK;
}

/* Whatever is wrong with what was handed in, it is the asker's fault, unless memory ran out. */
static prf_status_t blame(prf_error_t *err, prf_status_t status)
{
    if (status == PRF_OK || status == PRF_ENOMEM)
        return status;
    err->code = PRF_EINVAL;
    return prf_fail_prefix(err, PRF_EINVAL, "estimate");
}

static prf_status_t too_many(prf_error_t *err, size_t count)
{
    return prf_fail(err, PRF_EINVAL, "estimate: %zu blocks: a network may have %d", count, (int)BLOCKS_MOST);
}

static prf_status_t take_blocks(estimate_t *self, const json_t *blocks, prf_error_t *err)
{
    const char *texts[BLOCKS_MOST];
    size_t count = json_array_size(blocks);
    if (count == 0)
        return prf_fail(err, PRF_EINVAL, "estimate: \"blocks\": give a list of texts, such as \"fc in=64 out=10\"");
    if (count > BLOCKS_MOST)
        return too_many(err, count);
    for (size_t i = 0; i < count; i++) {
        texts[i] = json_string_value(json_array_get(blocks, i));
        if (!texts[i])
            return prf_fail(err, PRF_EINVAL, "estimate: block %zu is no text: give one, such as \"fc in=64 out=10\"", i + 1);
    }
    return blame(err, prf_network_of_texts(&self->network, texts, count, err));
}

static prf_status_t take_batch(estimate_t *self, const json_t *batch, prf_error_t *err)
{
    json_int_t number = json_integer_value(batch);
    self->batch = batch ? (uint32_t)number : 1;
    return !batch || (number >= 1 && number <= BATCH_MOST)
               ? PRF_OK
               : prf_fail(err, PRF_EINVAL, "estimate: \"batch\": use a whole number from 1 to %d", (int)BATCH_MOST);
}

static prf_status_t take_dtype(estimate_t *self, const json_t *dtype, prf_error_t *err)
{
    self->dtype_given = dtype && !json_is_null(dtype);
    return self->dtype_given ? blame(err, prf_dtype_parse(json_is_string(dtype) ? json_string_value(dtype) : "", &self->dtype, err))
                             : PRF_OK;
}

static prf_status_t parse(estimate_t *self, const json_t *args, prf_error_t *err)
{
    const json_t *blocks = json_object_get(args, "blocks"), *onnx = json_object_get(args, "onnx");
    const char *name = json_string_value(json_object_get(args, "name"));
    if (blocks && onnx)
        return prf_fail(err, PRF_EINVAL, "estimate: give \"onnx\" or \"blocks\", one of the two");
    prf_printable_copy(self->name, sizeof self->name, name ? name : "");
    prf_status_t status = take_batch(self, json_object_get(args, "batch"), err);
    if (!status)
        status = take_dtype(self, json_object_get(args, "dtype"), err);
    if (!status)
        status = blocks ? take_blocks(self, blocks, err) : take_onnx(self, onnx, err);
    return status;
}

/* From here on on the side thread. */

static prf_status_t read_network(estimate_t *self, prf_error_t *err)
{
    if (!self->onnx)
        return PRF_OK;
    return blame(err, prf_network_decode(&self->network, self->onnx, self->len, *self->name ? self->name : "network", self->dtype,
                                         self->batch, err));
}

/* The one that was asked for, or the one that the model was trained on. */
static void set_dtype(estimate_t *self, const prf_model_t *model)
{
    prf_model_layer_t layer;
    if (!self->onnx || self->dtype_given || prf_model_layer_count(model) == 0)
        return;
    prf_model_layer(model, 0, &layer);
    for (size_t i = 0; i < self->network.block_count; i++)
        self->network.blocks[i].block.dtype = layer.dtype;
}

static json_t *why_not(const prf_model_t *model, const prf_block_t *block)
{
    prf_estimate_t none;
    prf_error_t err = {0};
    (void)!prf_model_estimate(model, block, NULL, &none, &err);
    return json_pack("{s:n, s:n, s:n, s:b, s:s, s:n}", "latency_ns", "low_ns", "high_ns", "outside", 0, "why", err.text,
                     "energy_nj");
}

/* A network on one kind of board; energy has no blocks where the model knows none. */
typedef struct {
    prf_network_estimate_t latency, energy;
} sums_t;

static json_t *rows_json(const estimate_t *self, const prf_model_t *model, const sums_t *sums, size_t *outside)
{
    const prf_network_estimate_t *sum = &sums->latency;
    json_t *rows = json_array();
    for (size_t i = 0; i < sum->block_count; i++) {
        const prf_estimate_t *e = &sum->blocks[i];
        bool covered = !isnan(e->latency_ns);
        *outside += covered && e->outside;
        double nj = sums->energy.block_count ? sums->energy.blocks[i].latency_ns : (double)NAN;
        json_array_append_new(rows, covered ? json_pack("{s:f, s:f, s:f, s:b, s:s, s:o}", "latency_ns", e->latency_ns, "low_ns",
                                                        e->low_ns, "high_ns", e->high_ns, "outside", (int)e->outside, "why", "",
                                                        "energy_nj", prf_json_real(nj))
                                            : why_not(model, &self->network.blocks[i].block));
    }
    return rows;
}

/* A total of nothing is none. */
static json_t *total(const prf_network_estimate_t *sum, double ns)
{
    return sum->covered ? prf_json_real(ns) : json_null();
}

static json_t *board_json(const estimate_t *self, const prf_model_version_t *version, const prf_model_t *model, const sums_t *sums)
{
    size_t outside = 0;
    const prf_network_estimate_t *sum = &sums->latency, *energy = &sums->energy;
    json_t *rows = rows_json(self, model, sums, &outside);
    return json_pack("{s:s, s:I, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:I}", "kind", version->kind,
                     "version", (json_int_t)version->version, "dtype", prf_dtype_name(self->network.blocks[0].block.dtype),
                     "latency_ns", total(sum, sum->total_ns), "low_ns", total(sum, sum->low_ns), "high_ns",
                     total(sum, sum->high_ns), "blocks", (json_int_t)sum->block_count, "covered", (json_int_t)sum->covered,
                     "outside", (json_int_t)outside, "between_ns", total(sum, sum->between_ns), "layers", rows, "energy_nj",
                     total(energy, energy->total_ns), "energy_low_nj", total(energy, energy->low_ns), "energy_high_nj",
                     total(energy, energy->high_ns), "energy_covered", (json_int_t)energy->covered);
}

static prf_status_t ask_boards(estimate_t *self, json_t *boards, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && i < self->question.share_count; i++) {
        const prf_model_t *model;
        sums_t sums = {.latency = {0}};
        status = prf_model_share_get(self->question.shares[i], &model, err);
        if (!status)
            set_dtype(self, model);
        if (!status)
            status = prf_network_estimate(&sums.latency, model, &self->network, err);
        if (!status && prf_model_energy(model))
            status = prf_network_estimate(&sums.energy, prf_model_energy(model), &self->network, err);
        if (!status)
            json_array_append_new(boards, board_json(self, prf_model_share_version(self->question.shares[i]), model, &sums));
        prf_network_estimate_release(&sums.latency);
        prf_network_estimate_release(&sums.energy);
    }
    return status;
}

static json_t *layers_json(const prf_network_t *network)
{
    json_t *layers = json_array();
    for (size_t i = 0; i < network->block_count; i++) {
        const prf_network_block_t *b = &network->blocks[i];
        char text[PRF_BLOCK_TEXT];
        prf_block_format(&b->block, text);
        json_array_append_new(layers, json_pack("{s:s, s:s, s:s, s:o}", "name", b->name, "kind",
                                                prf_layer_kind_name(b->block.layers[0].kind), "block", text, "params",
                                                prf_layer_params_json(&b->block.layers[0])));
    }
    return layers;
}

static json_t *unsupported_json(const prf_network_t *network)
{
    json_t *list = json_array();
    for (size_t i = 0; i < network->note_count && json_array_size(list) < NOTES_MOST; i++) {
        const prf_network_note_t *n = &network->notes[i];
        if (n->unknown)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "op", n->op, "name", n->name, "why", n->treatment));
    }
    return list;
}

/* The layers as the first model sees them: of its data type. */
static prf_status_t describe(estimate_t *self, json_t **layers, prf_error_t *err)
{
    const prf_model_t *model;
    prf_status_t status = PRF_OK;
    if (self->question.share_count > 0 && (status = prf_model_share_get(self->question.shares[0], &model, err)) == PRF_OK)
        set_dtype(self, model);
    *layers = status ? NULL : layers_json(&self->network);
    return status;
}

static prf_status_t check_size(const estimate_t *self, prf_error_t *err)
{
    size_t blocks = self->network.block_count, kinds = self->question.share_count;
    if (blocks == 0)
        return prf_fail(err, PRF_EINVAL, "estimate: the network has no layer that takes time");
    if (blocks > BLOCKS_MOST)
        return too_many(err, blocks);
    return blocks * kinds <= ROWS_MOST ? PRF_OK
                                       : prf_fail(err, PRF_EINVAL,
                                                  "estimate: %zu blocks on %zu kinds of boards are too much for one answer: name a "
                                                  "\"kind\"",
                                                  blocks, kinds);
}

static prf_status_t answer(prf_question_t *question, json_t **out, prf_error_t *err)
{
    estimate_t *self = (estimate_t *)question;
    json_t *boards = json_array(), *layers = NULL;
    prf_status_t status = read_network(self, err);
    if (!status)
        status = check_size(self, err);
    if (!status)
        status = describe(self, &layers, err);
    if (!status)
        status = ask_boards(self, boards, err);
    if (status) {
        json_decref(boards);
        json_decref(layers);
        return status;
    }
    *out = json_pack("{s:s, s:f, s:o, s:o, s:o}", "network", *self->name ? self->name : self->network.name, "macs",
                     self->network.total_macs, "layers", layers, "unsupported", unsupported_json(&self->network), "boards", boards);
    return PRF_OK;
}

void prf_ask_estimate(const prf_queries_t *queries, const json_t *args, prf_reply_fn fn, void *arg)
{
    const char *kind = json_string_value(json_object_get(args, "kind"));
    prf_error_t err = {0};
    estimate_t *self = calloc(1, sizeof *self);
    if (!self) {
        fn(arg, PRF_ENOMEM, NULL, prf_status_name(PRF_ENOMEM));
        return;
    }
    self->question = (prf_question_t){.answer = answer, .release = release};
    prf_status_t status = parse(self, args, &err);
    if (!status)
        status = prf_question_about_current(&self->question, queries->hub, kind ? kind : "", &err);
    prf_question_put(&self->question, queries->hub, status, &err, fn, arg);
}
