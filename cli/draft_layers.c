// SPDX-License-Identifier: Apache-2.0
/* draft_layers.c - which layers to measure: the usual ones of a sort of network, or what given networks consist of. Either way a
 * board is asked only for what it can run, and boards that are asked for the same share an entry. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cover.h"
#include "draft.h"

typedef struct {
    prf_layer_kind_t kind;
    unsigned weight;
    double max_macs;
    const char *params;
} usual_t;

static const usual_t cnn[] = {
    {PRF_CONV2D, 6, 250e6,
     "c: {from: 3, to: 1024, scale: log}\nk: {from: 16, to: 1024, scale: log}\nh: [7, 14, 28, 56, 112, 224]\nw: h\n"
     "r: [1, 3, 5, 7]\ns: r\nstride: [1, 2]\npad: r/2\n"},
    {PRF_DWCONV2D, 3, 0,
     "c: {from: 16, to: 1024, scale: log}\nh: [7, 14, 28, 56, 112]\nw: h\nr: [3, 5]\nstride: [1, 2]\npad: r/2\n"},
    {PRF_FC, 1, 0, "in: {from: 64, to: 4096, scale: log}\nout: {from: 10, to: 1024, scale: log}\n"},
    {PRF_MAXPOOL2D, 1, 0, "c: {from: 16, to: 512, scale: log}\nh: [14, 28, 56, 112]\nr: [2, 3]\nstride: 2\npad: [0, 1]\n"},
    {PRF_AVGPOOL2D, 1, 0, "c: {from: 64, to: 2048, scale: log}\nh: [4, 7, 14]\nr: h\n"},
    {PRF_ADD, 1, 0, "c: {from: 16, to: 1024, scale: log}\nh: [7, 14, 28, 56]\n"},
};

static const usual_t transformer[] = {
    {PRF_FC, 4, 1e9,
     "n: [1, 16, 64, 128, 197, 256]\nin: {from: 64, to: 3072, scale: log}\nout: {from: 64, to: 3072, scale: log}\n"},
    {PRF_MATMUL, 4, 500e6,
     "b: [1, 3, 6, 8, 12]\nm: {from: 16, to: 512, scale: log}\nn: {from: 16, to: 512, scale: log}\nk: {from: 16, to: 512, scale: "
     "log}\n"},
    {PRF_SOFTMAX, 1, 0, "n: [16, 128, 512, 1024, 2048]\nfeatures: {from: 16, to: 512, scale: log}\n"},
    {PRF_LAYERNORM, 1, 0, "n: [1, 16, 64, 128, 197, 256]\nfeatures: {from: 64, to: 1024, scale: log}\n"},
    {PRF_ADD, 1, 0, "c: {from: 16, to: 512, scale: log}\nh: 1\nw: {from: 64, to: 1024, scale: log}\n"},
    {PRF_ACTIVATION, 1, 0, "c: {from: 16, to: 512, scale: log}\nh: 1\nw: {from: 64, to: 3072, scale: log}\nfn: [relu, gelu]\n"},
};

/* For a board that runs one-dimensional layers only, and small ones. */
static const usual_t small[] = {
    {PRF_CONV1D, 3, 0, "c: 1..128\nk: 1..128\nw: 16..128\nf: [1, 3, 5, 9]\nstride: [1, 2]\npad: f/2\n"},
    {PRF_FC, 1, 0, "in: 1..128\nout: 1..128\n"},
};

/* An entry that is there already gets one board more. */
static prf_status_t add_layer(prf_draft_t *draft, const prf_draft_layer_t *layer, prf_error_t *err)
{
    for (size_t i = 0; i < draft->layer_count; i++) {
        prf_draft_layer_t *same = &draft->layers[i];
        if (same->kind == layer->kind && same->max_macs == layer->max_macs && strcmp(same->params, layer->params) == 0) {
            same->boards |= layer->boards;
            return PRF_OK;
        }
    }
    if (draft->layer_count == PRF_CAMPAIGN_LAYERS)
        return prf_fail(err, PRF_EINVAL, "the boards need more than %d entries of layers: write a campaign for each of them",
                        (int)PRF_CAMPAIGN_LAYERS);
    draft->layers[draft->layer_count++] = *layer;
    return PRF_OK;
}

/* Of a kind with parameters as the usual layers have them: what a board's limits are about is within them, or the board has a list
 * of its own. */
static bool runs_kind(const prf_draft_board_t *board, prf_layer_kind_t kind)
{
    prf_layer_t layer;
    size_t count;
    const prf_param_info_t *infos = prf_layer_params(kind, &count);
    prf_layer_init(&layer, kind);
    for (size_t i = 0; i < count; i++)
        if (infos[i].fallback == PRF_REQUIRED)
            layer.p[infos[i].param] = infos[i].min;
    return !board->runs || (prf_layer_complete(&layer, NULL) == PRF_OK && board->runs(&layer));
}

static prf_status_t add_usual(prf_draft_t *draft, size_t board, const usual_t *usual, size_t count, prf_error_t *err)
{
    size_t added = 0;
    for (size_t i = 0; i < count; i++) {
        if (!runs_kind(&draft->boards[board], usual[i].kind))
            continue;
        prf_draft_layer_t layer = {.kind = usual[i].kind, .weight = usual[i].weight, .max_macs = usual[i].max_macs};
        layer.boards = UINT32_C(1) << board;
        snprintf(layer.params, sizeof layer.params, "%s", usual[i].params);
        prf_status_t status = add_layer(draft, &layer, err);
        if (status)
            return status;
        added++;
    }
    return added ? PRF_OK
                 : prf_fail(err, PRF_EUNSUPPORTED, "board %s can run none of these layers: leave it out, or choose other layers",
                            draft->boards[board].kind);
}

prf_status_t prf_draft_usual_layers(prf_draft_t *draft, const char *sort, prf_error_t *err)
{
    static const struct {
        const char *name, *is;
        const usual_t *layers;
        size_t count;
    } sorts[] = {{"cnn", "those of convolutional networks", cnn, sizeof cnn / sizeof *cnn},
                 {"transformer", "those of transformers", transformer, sizeof transformer / sizeof *transformer}};
    for (size_t s = 0; s < sizeof sorts / sizeof *sorts; s++) {
        if (strcmp(sort, sorts[s].name) != 0)
            continue;
        draft->layers_are = sorts[s].is;
        for (size_t i = 0; i < draft->board_count; i++) {
            bool one_dimensional = runs_kind(&draft->boards[i], PRF_CONV1D) && !runs_kind(&draft->boards[i], PRF_CONV2D);
            prf_status_t status = one_dimensional ? add_usual(draft, i, small, sizeof small / sizeof *small, err)
                                                  : add_usual(draft, i, sorts[s].layers, sorts[s].count, err);
            if (status)
                return status;
        }
        return PRF_OK;
    }
    return prf_fail(err, PRF_EUSAGE, "--layers %.40s: use cnn or transformer, or name your networks with --network FILE.onnx",
                    sort);
}

/* Layers that a board can run, each once. */
typedef struct {
    prf_layer_t *items; /* owned */
    size_t count, cap;
} layers_t;

static prf_status_t take_layer(layers_t *to, const prf_layer_t *layer, prf_error_t *err)
{
    for (size_t i = 0; i < to->count; i++)
        if (prf_layer_equal(&to->items[i], layer))
            return PRF_OK;
    if (to->count == to->cap) {
        size_t cap = to->cap ? 2 * to->cap : 64;
        prf_layer_t *grown = realloc(to->items, cap * sizeof *grown);
        if (!grown)
            return prf_fail(err, PRF_ENOMEM, "the networks' layers");
        to->items = grown;
        to->cap = cap;
    }
    to->items[to->count++] = *layer;
    return PRF_OK;
}

/* An activation behind another layer is no layer of its own: what it adds is found out by the campaign's fusion rules. */
static prf_status_t take_network(layers_t *to, const prf_network_t *network, prf_draft_runs_t runs, prf_error_t *err)
{
    for (size_t i = 0; i < network->block_count; i++) {
        const prf_block_t *block = &network->blocks[i].block;
        for (uint32_t k = 0; k < block->count; k++) {
            const prf_layer_t *layer = &block->layers[k];
            if ((k > 0 && layer->kind == PRF_ACTIVATION) || (runs && !runs(layer)))
                continue;
            prf_status_t status = take_layer(to, layer, err);
            if (status)
                return status;
        }
    }
    return PRF_OK;
}

static void format_space(const prf_space_t *space, char text[PRF_DRAFT_PARAMS])
{
    size_t count, used = 0;
    const prf_param_info_t *infos = prf_layer_params(space->kind, &count);
    text[0] = '\0';
    for (size_t i = 0; i < count && used < PRF_DRAFT_PARAMS; i++) {
        char values[PRF_COVER_TEXT];
        if (space->dims[infos[i].param].kind == PRF_DIM_DEFAULT)
            continue;
        prf_cover_format(&space->dims[infos[i].param], infos[i].param, values);
        used += (size_t)snprintf(text + used, PRF_DRAFT_PARAMS - used, "%s: %s\n", prf_param_name(infos[i].param), values);
    }
}

static int by_kind(const void *a, const void *b)
{
    return (int)((const prf_layer_t *)a)->kind - (int)((const prf_layer_t *)b)->kind;
}

/* How many of the sorted layers from `at` on are of one kind. */
static size_t count_same(const layers_t *layers, size_t at)
{
    size_t same = 1;
    while (at + same < layers->count && layers->items[at + same].kind == layers->items[at].kind)
        same++;
    return same;
}

/* One entry a kind; one of which the networks have many different layers gets more of the samples. */
static prf_status_t add_covers(prf_draft_t *draft, size_t board, const layers_t *layers, prf_error_t *err)
{
    size_t most = 0;
    prf_status_t status = PRF_OK;
    if (layers->count == 0)
        return prf_fail(err, PRF_EUNSUPPORTED,
                        "board %s can run no layer of these networks: leave it out, or choose other networks",
                        draft->boards[board].kind);
    qsort(layers->items, layers->count, sizeof *layers->items, by_kind);
    for (size_t i = 0; i < layers->count; i += count_same(layers, i))
        most = count_same(layers, i) > most ? count_same(layers, i) : most;
    for (size_t i = 0; i < layers->count && !status; i += count_same(layers, i)) {
        prf_space_t space;
        size_t same = count_same(layers, i);
        prf_cover(&layers->items[i], same, draft->dtype, &space);
        prf_draft_layer_t layer = {.kind = space.kind, .max_macs = space.max_macs, .boards = UINT32_C(1) << board};
        layer.weight = 1 + (unsigned)(7 * (same - 1) / most);
        format_space(&space, layer.params);
        status = add_layer(draft, &layer, err);
    }
    return status;
}

prf_status_t prf_draft_network_layers(prf_draft_t *draft, const prf_network_t *networks, size_t count, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    draft->layers_are = "those of the networks below, and all between them";
    for (size_t i = 0; i < draft->board_count && !status; i++) {
        layers_t layers = {.items = NULL};
        for (size_t n = 0; n < count && !status; n++)
            status = take_network(&layers, &networks[n], draft->boards[i].runs, err);
        if (!status)
            status = add_covers(draft, i, &layers, err);
        free(layers.items);
    }
    return status;
}
