// SPDX-License-Identifier: Apache-2.0
/* estimate.c - how fast libprfarm answers: a layer, and a whole network, on one core and through its public door.
 *
 * The network is a ResNet-50 (He and others 2016), written here as ONNX: 53 convolutions, a fully connected layer, two pools, 16
 * additions. What an answer costs depends on the sort of regressor, so there is a row for each sort, of the size that training
 * makes them; training would choose one of them. With --model the rows are one: the model that is in the file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/order.h"
#include "bench.h"
#include "prfarm.h"
#include "support/made_model.h"
#include "support/onnx_builder.h"
#include "swarm.h"

enum { KINDS = 5, PATH = 256, LAYERS = 64, LAYER_CALLS = 200, NETWORK_CALLS = 200, ROUND_NS = 100000000 };

/* As in common/model/regressor.c. */
#define FOREST                                                                                                                     \
    {                                                                                                                              \
        .members = 100, .rounds = 1, .shrink = 1, .row_share = 1, .bootstrap = true, .feature_share = 0.34, .min_leaf = 1          \
    }
#define BOOSTED                                                                                                                    \
    {                                                                                                                              \
        .members = 4, .rounds = 300, .shrink = 0.08, .row_share = 0.7, .feature_share = 0.5, .min_leaf = 3, .max_depth = 7         \
    }

static const made_sort_t sorts[] = {
    {"terms", PRF_SCALE_TERMS, PRF_ADDITIVE_POSITIVE, {0}, false},
    {"max-terms", PRF_SCALE_TERMS, PRF_ADDITIVE_MAX_POSITIVE, {0}, false},
    {"gauss/roofline", PRF_SCALE_ROOFLINE, PRF_ADDITIVES, {0}, true},
    {"forest", PRF_SCALE_NONE, PRF_ADDITIVES, FOREST, false},
    {"boosted/terms", PRF_SCALE_TERMS, PRF_ADDITIVE_POSITIVE, BOOSTED, false},
    {"mixed/max-terms", PRF_SCALE_TERMS, PRF_ADDITIVE_MAX_POSITIVE, BOOSTED, true},
};
enum { SORTS = sizeof sorts / sizeof *sorts };

static const struct {
    prf_layer_kind_t kind;
    size_t layers; /* that the model is fitted to */
} kinds[KINDS] = {{PRF_CONV2D, 500}, {PRF_FC, 200}, {PRF_MAXPOOL2D, 150}, {PRF_AVGPOOL2D, 150}, {PRF_ADD, 150}};

static volatile double kept; /* answers go here, so that none is left out */

/* --- the model --------------------------------------------------------------------------------------------------------- */

/* Tiles or moving data, whichever takes longer, and what neither explains. */
static double latency_ns(const prf_layer_t *l)
{
    prf_shape_t out = prf_layer_out_shape(l);
    double tiles = ceil((double)out.c / 16) * ceil((double)(out.n * out.h * out.w) / 32);
    double ripple = 1 + 0.05 * sin((double)out.c / 20) + 0.03 * sin((double)out.h);
    return (2000 + fmax(0.04 * tiles * prf_layer_macs(l) / prf_layer_outputs(l), 0.05 * prf_layer_bytes(l, PRF_F32))) * ripple;
}

static void set_space(prf_space_t *space, prf_layer_kind_t kind)
{
    static const prf_dim_t size = {.kind = PRF_DIM_RANGE, .lo = 3, .hi = 2048, .log = true};
    static const prf_dim_t extent = {.kind = PRF_DIM_RANGE, .lo = 7, .hi = 224, .log = true};
    static const prf_dim_t kernel = {.kind = PRF_DIM_LIST, .value_count = 4, .values = {1, 3, 5, 7}};
    static const prf_dim_t stride = {.kind = PRF_DIM_LIST, .value_count = 2, .values = {1, 2}};
    static const prf_dim_t padding = {.kind = PRF_DIM_TIED, .divisor = 2, .source = PRF_P_R};
    size_t count;
    const prf_param_info_t *params = prf_layer_params(kind, &count);
    *space = (prf_space_t){.kind = kind, .dtype = PRF_F32, .max_macs = 1e10};
    for (size_t i = 0; i < count; i++) {
        prf_param_t p = params[i].param;
        if (p == PRF_P_H)
            space->dims[p] = extent;
        else if (p == PRF_P_R)
            space->dims[p] = kernel;
        else if (p == PRF_P_STRIDE)
            space->dims[p] = stride;
        else if (p == PRF_P_PAD)
            space->dims[p] = padding;
        else if (params[i].fallback == PRF_REQUIRED)
            space->dims[p] = size;
    }
}

static void write_model(const made_sort_t *sort, const char *path)
{
    prf_error_t err = {0};
    void *bytes;
    size_t len;
    prf_model_t *model = made_model("bench", KINDS);
    for (size_t i = 0; i < KINDS; i++) {
        set_space(&model->parts[i].space, kinds[i].kind);
        made_part(&model->parts[i], sort, latency_ns, kinds[i].layers);
    }
    if (prf_model_encode(model, &bytes, &len, &err) || prf_file_write(path, bytes, len, &err))
        die(path, err.text);
    free(bytes);
    prf_model_destroy(&model);
}

/* --- the network ------------------------------------------------------------------------------------------------------- */

typedef struct {
    onnx_builder_t builder;
    int made; /* values so far; the newest is what the next node reads */
} writer_t;

static int put_conv(writer_t *w, int input, int c, int k, int r, int stride)
{
    char weight[32], in[64], out[32];
    snprintf(weight, sizeof weight, "w%d", ++w->made);
    snprintf(in, sizeof in, "v%d %s", input, weight);
    snprintf(out, sizeof out, "v%d", w->made);
    onnx_weight(&w->builder, weight, k, c, r, r, 0);
    onnx_node(&w->builder, "Conv", in, out);
    onnx_attr_ints(&w->builder, "kernel_shape", 2, r, r);
    onnx_attr_ints(&w->builder, "strides", 2, stride, stride);
    onnx_attr_ints(&w->builder, "pads", 4, r / 2, r / 2, r / 2, r / 2);
    return w->made;
}

/* An operator of one or two values (`b`: 0 for one). */
static int put(writer_t *w, const char *op, int a, int b)
{
    char in[64], out[32];
    snprintf(in, sizeof in, b ? "v%d v%d" : "v%d", a, b);
    snprintf(out, sizeof out, "v%d", ++w->made);
    onnx_node(&w->builder, op, in, out);
    return w->made;
}

static int put_relu_conv(writer_t *w, int input, int c, int k, int r, int stride)
{
    return put(w, "Relu", put_conv(w, input, c, k, r, stride), 0);
}

static int put_bottleneck(writer_t *w, int x, int c, int k, int stride)
{
    int y = put_relu_conv(w, x, c, k, 1, 1);
    y = put_relu_conv(w, y, k, k, 3, stride);
    y = put_conv(w, y, k, 4 * k, 1, 1);
    if (c != 4 * k)
        x = put_conv(w, x, c, 4 * k, 1, stride);
    return put(w, "Relu", put(w, "Add", y, x), 0);
}

static void write_resnet50(const char *path)
{
    static const int depths[] = {3, 4, 6, 3};
    writer_t w = {.made = 0};
    char in[64];
    prf_error_t err = {0};
    onnx_begin(&w.builder, 17);
    onnx_input(&w.builder, "v0", 1, 3, 224, 224, 0);
    int x = put_relu_conv(&w, 0, 3, 64, 7, 2), c = 64;
    x = put(&w, "MaxPool", x, 0);
    onnx_attr_ints(&w.builder, "kernel_shape", 2, 3, 3);
    onnx_attr_ints(&w.builder, "strides", 2, 2, 2);
    onnx_attr_ints(&w.builder, "pads", 4, 1, 1, 1, 1);
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < depths[stage]; i++) {
            x = put_bottleneck(&w, x, c, 64 << stage, stage && i == 0 ? 2 : 1);
            c = 4 * (64 << stage);
        }
    x = put(&w, "Flatten", put(&w, "GlobalAveragePool", x, 0), 0);
    onnx_weight(&w.builder, "classes", c, 1000, 0);
    snprintf(in, sizeof in, "v%d classes", x);
    onnx_node(&w.builder, "Gemm", in, "out");
    onnx_output(&w.builder, "out");
    size_t len;
    char *bytes = onnx_end(&w.builder, &len);
    if (prf_file_write(path, bytes, len, &err))
        die(path, err.text);
    free(bytes);
}

/* --- asking ------------------------------------------------------------------------------------------------------------ */

/* Different convolutions, as a search over networks would ask for them. */
static void draw_layers(prfarm_layer layers[LAYERS])
{
    prf_space_t space;
    prf_rng_t rng;
    char text[PRF_BLOCK_TEXT], error[PRFARM_ERROR];
    set_space(&space, PRF_CONV2D);
    prf_rng_init(&rng, 3, 0);
    for (size_t i = 0; i < LAYERS; i++) {
        prf_block_t block = {.dtype = space.dtype, .count = 1};
        if (prf_space_draw(&space, &rng, &block.layers[0], NULL))
            die("layers", "none can be drawn");
        prf_block_format(&block, text);
        if (prfarm_layer_parse(&layers[i], text, error))
            die(text, error);
    }
}

static double layer_ns(const prfarm_model *model, const prfarm_layer layers[LAYERS])
{
    prfarm_estimate e = {0};
    char error[PRFARM_ERROR];
    uint64_t began = thread_ns(), took, calls = 0;
    do {
        for (size_t i = 0; i < LAYERS; i++, calls++) {
            if (prfarm_estimate_layer(model, &layers[i], &e, error))
                die("a layer", error);
            kept = e.latency_ns;
        }
        took = thread_ns() - began;
    } while (took < ROUND_NS);
    return (double)took / (double)calls;
}

static double networks_per_second(const prfarm_model *model, const prfarm_network *network, prfarm_estimate *e)
{
    char error[PRFARM_ERROR];
    uint64_t began = thread_ns(), took, calls = 0;
    do {
        for (size_t i = 0; i < 10; i++, calls++) {
            if (prfarm_estimate_network(model, network, e, error))
                die("the network", error);
            kept = e->latency_ns;
        }
        took = thread_ns() - began;
    } while (took < ROUND_NS);
    return (double)calls * 1e9 / (double)took;
}

static void put_row(json_t *json, const char *name, double ns, double rate, const prfarm_estimate *e)
{
    printf("%-20s %16.3f %14.0f %14.6g %10zu of %zu\n", name, ns / 1e3, rate, e->latency_ns / 1e3, e->covered, e->blocks);
    json_object_set_new(json, name,
                        json_pack("{s:f, s:f, s:f, s:I, s:I}", "layer_us", ns / 1e3, "networks_per_second", rate, "estimate_ns",
                                  e->latency_ns, "covered", (json_int_t)e->covered, "blocks", (json_int_t)e->blocks));
}

json_t *bench_estimate(const bench_options_t *o)
{
    static double single[SORTS][ROUNDS_MOST], whole[SORTS][ROUNDS_MOST];
    prfarm_layer layers[LAYERS];
    prfarm_model *models[SORTS];
    prfarm_network *network;
    prfarm_estimate e[SORTS] = {{0}};
    char path[PATH], error[PRFARM_ERROR];
    size_t count = o->model ? 1 : SORTS;
    snprintf(path, sizeof path, "%.200s/prfarm-bench-%d", o->scratch, (int)getpid());
    write_resnet50(path);
    if (prfarm_network_load(&network, path, "f32", 1, error))
        die("resnet50", error);
    for (size_t s = 0; s < count; s++) {
        if (!o->model)
            write_model(&sorts[s], path);
        if (prfarm_model_load(&models[s], o->model ? o->model : path, error))
            die(o->model ? o->model : sorts[s].name, error);
    }
    unlink(path);
    draw_layers(layers);
    for (size_t r = 0; r < o->rounds; r++)
        for (size_t s = 0; s < count; s++) {
            single[s][r] = layer_ns(models[s], layers);
            whole[s][r] = networks_per_second(models[s], network, &e[s]);
        }
    printf("estimate: ResNet-50, %.3g GMACs, one core, its own time, medians of %zu rounds in turn\n\n",
           prfarm_network_macs(network) / 1e9, o->rounds);
    printf("%-20s %16s %14s %14s %10s\n", "", "us, one conv2d", "networks/s", "estimate, us", "blocks");
    json_t *json = json_pack("{s:s, s:I}", "bench", "estimate", "rounds", (json_int_t)o->rounds);
    for (size_t s = 0; s < count; s++) {
        put_row(json, o->model ? prfarm_model_board(models[s]) : sorts[s].name, prf_median(single[s], o->rounds),
                prf_median(whole[s], o->rounds), &e[s]);
        prfarm_model_free(models[s]);
    }
    prfarm_network_free(network);
    return json;
}
