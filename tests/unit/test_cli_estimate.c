// SPDX-License-Identifier: Apache-2.0
/* `prfarm estimate`, `prfarm model show`, `explain` and `export`, called as the program calls them, with a model trained here. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "cli.h"
#include "model/parts.h"
#include "model/train.h"

enum { LAYERS = 40, RESNET18 = 31 };

static char folder[] = "/tmp/prfarm-estimate-XXXXXX";
static char model_path[64], out_path[64], err_path[64];

static void draw_convolutions(prf_train_layer_t *layer, prf_observation_t *into)
{
    prf_rng_t rng;
    prf_rng_init(&rng, 1, 0);
    prf_space_t *s = &layer->space;
    *s = (prf_space_t){.kind = PRF_CONV2D, .dtype = PRF_F32};
    s->dims[PRF_P_C] = s->dims[PRF_P_K] = (prf_dim_t){.kind = PRF_DIM_RANGE, .lo = 1, .hi = 256, .log = true};
    s->dims[PRF_P_H] = (prf_dim_t){.kind = PRF_DIM_RANGE, .lo = 4, .hi = 256, .log = true};
    s->dims[PRF_P_R] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 2, .values = {1, 3}};
    for (size_t i = 0; i < LAYERS; i++) {
        cr_assert_eq(prf_space_draw(s, &rng, &into[i].layer, NULL), PRF_OK);
        into[i].latency_ns = 1000 + prf_layer_ops(&into[i].layer) / 100;
    }
    prf_steps_none(&layer->steps);
    layer->train = into;
    layer->train_count = LAYERS;
}

static void make_model(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(model_path, sizeof model_path, "%s/toy.prfm", folder);
    snprintf(out_path, sizeof out_path, "%s/out", folder);
    snprintf(err_path, sizeof err_path, "%s/err", folder);
    prf_observation_t observations[LAYERS] = {0};
    prf_train_layer_t layer = {0};
    draw_convolutions(&layer, observations);
    prf_train_input_t input = {.kind = "toy", .layers = &layer, .layer_count = 1, .seed = 1, .threads = 1};
    input.provenance.repeatability_percent = input.provenance.random_baseline_percent = NAN;
    snprintf(input.provenance.campaign, sizeof input.provenance.campaign, "made-here");
    prf_model_t *model;
    void *bytes;
    size_t len;
    prf_error_t err = {0};
    cr_assert_eq(prf_model_train(&model, &input, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_model_encode(model, &bytes, &len, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_file_write(model_path, bytes, len, &err), PRF_OK, "%s", err.text);
    free(bytes);
    prf_model_destroy(&model);
}

static void clean_up(void)
{
    unlink(model_path);
    unlink(out_path);
    unlink(err_path);
    rmdir(folder);
}

TestSuite(estimate, .init = make_model, .fini = clean_up);

/* Runs the command with its output in files; each test is a process of its own, so nothing has to be put back. */
static char *run(int (*command)(int, char **), int expected, int argc, char **argv)
{
    cr_assert_not_null(freopen(out_path, "w", stdout));
    cr_assert_not_null(freopen(err_path, "w", stderr));
    int code = command(argc, argv);
    fflush(stdout);
    fflush(stderr);
    cr_assert_eq(code, expected, "exit code %d", code);
    char *text;
    size_t len;
    cr_assert_eq(prf_file_read(code ? err_path : out_path, 1 << 20, &text, &len, NULL), PRF_OK);
    return text;
}

static json_t *run_json(int (*command)(int, char **), int argc, char **argv)
{
    char *text = run(command, 0, argc, argv);
    json_t *document = json_loads(text, 0, NULL);
    cr_assert_not_null(document, "no JSON: %.200s", text);
    free(text);
    return document;
}

#define ARGS(...)                                                                                                                  \
    (int)(sizeof(char *[]){__VA_ARGS__} / sizeof(char *)), (char *[])                                                              \
    {                                                                                                                              \
        __VA_ARGS__, NULL                                                                                                          \
    }

/* The model with something between the blocks of a network. */
static void put_between(double ns)
{
    prf_model_t *model;
    void *bytes;
    size_t len;
    cr_assert_eq(prf_model_load(&model, model_path, NULL), PRF_OK);
    model->between_ns = ns;
    cr_assert_eq(prf_model_encode(model, &bytes, &len, NULL), PRF_OK);
    cr_assert_eq(prf_file_write(model_path, bytes, len, NULL), PRF_OK);
    free(bytes);
    prf_model_destroy(&model);
}

static char example[] = PRF_SOURCE_DIR "/docs/examples/networks/resnet18.onnx";

Test(estimate, a_network_in_json_has_every_layer_and_what_is_missing)
{
    json_t *d = run_json(prf_cmd_estimate, ARGS("estimate", "--model", model_path, example, "--json"));
    json_t *layers = json_object_get(d, "layers");
    cr_assert_eq(json_integer_value(json_object_get(d, "total_macs")), 1814073344);
    cr_assert_eq(json_array_size(layers), RESNET18);
    json_t *first = json_object_get(json_array_get(layers, 0), "params");
    cr_assert_eq(json_integer_value(json_object_get(first, "k")), 64);
    cr_assert_eq(json_integer_value(json_object_get(first, "pad")), 3);
    double sum = 0;
    for (size_t i = 0; i < RESNET18; i++) {
        json_t *l = json_array_get(layers, i);
        bool known = strcmp(json_string_value(json_object_get(l, "kind")), "conv2d") == 0;
        cr_assert_eq(json_is_number(json_object_get(l, "estimate_ns")), known);
        cr_assert_str_neq(json_string_value(json_object_get(l, "name")), "");
        sum += json_number_value(json_object_get(l, "estimate_ns"));
    }
    cr_assert_float_eq(json_number_value(json_object_get(d, "total_ns")), sum, 1e-3 * sum);
    json_t *unsupported = json_object_get(d, "unsupported");
    cr_assert_eq(json_array_size(unsupported), RESNET18 - 20u, "all but the 20 convolutions");
    cr_assert_str_eq(json_string_value(json_object_get(json_array_get(unsupported, 0), "op")), "maxpool2d");
    json_decref(d);
}

Test(estimate, the_batch_that_the_network_leaves_open_can_be_chosen)
{
    json_t *d = run_json(prf_cmd_estimate, ARGS("estimate", "--model", model_path, "--batch=4", example, "--json"));
    cr_assert_eq(json_integer_value(json_object_get(d, "total_macs")), 4 * 1814073344LL);
    json_decref(d);
}

Test(estimate, single_layers_are_a_network_of_their_own)
{
    json_t *d = run_json(prf_cmd_estimate, ARGS("estimate", "--json", "--model", model_path, "--layer",
                                                "conv2d n=1 c=64 k=64 h=56 w=56 r=3 s=3 stride=1 pad=1 dtype=f32", "--layer",
                                                "conv2d c=4 k=4 h=8 r=1 + activation c=4 h=8 fn=1"));
    json_t *layers = json_object_get(d, "layers");
    cr_assert_eq(json_array_size(layers), 2u);
    cr_assert_eq(json_integer_value(json_object_get(d, "total_macs")), 115605504 + 1024);
    cr_assert_eq(json_array_size(json_object_get(d, "unsupported")), 0u);
    json_t *first = json_array_get(layers, 0), *second = json_array_get(layers, 1);
    cr_assert(json_is_true(json_object_get(first, "outside")), "pad=1 was never trained on");
    cr_assert_str_eq(json_string_value(json_array_get(json_object_get(second, "with"), 0)), "relu6");
    json_decref(d);
}

Test(estimate, the_table_tells_the_total_and_what_is_not_in_it)
{
    char *text = run(prf_cmd_estimate, 0, ARGS("estimate", "--model", model_path, example));
    static const char *const wanted[] = {"conv2d+relu",
                                         "c=64 k=64 h=56 r=3 pad=1",
                                         "not in the model",
                                         "resnet18 on toy: ",
                                         "1814073344 MACs, 20 of 31 layers estimated",
                                         "outside the range"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        cr_assert(strstr(text, wanted[i]), "'%s' is not in:\n%s", wanted[i], text);
    free(text);
}

static void fails(int (*command)(int, char **), int code, const char *because, int argc, char **argv)
{
    char *text = run(command, code, argc, argv);
    cr_assert(strstr(text, because), "said '%s', not '%s'", text, because);
    free(text);
}

Test(estimate, wrong_requests_end_with_one_clear_line)
{
    fails(prf_cmd_estimate, 2, "give --model FILE or --board KIND", ARGS("estimate", example));
    fails(prf_cmd_estimate, 2, "give a network or --layer", ARGS("estimate", "--model", model_path));
    fails(prf_cmd_estimate, 2, "give a network or --layer",
          ARGS("estimate", "--model", model_path, "--layer", "fc in=1 out=1", example));
    fails(prf_cmd_estimate, 4, "nowhere.prfm", ARGS("estimate", "--model", "nowhere.prfm", example));
    fails(prf_cmd_estimate, 4, "nowhere.onnx", ARGS("estimate", "--model", model_path, "nowhere.onnx"));
    fails(prf_cmd_estimate, 3, "truncated, or not an ONNX file", ARGS("estimate", "--model", model_path, model_path));
    fails(prf_cmd_estimate, 3, example, ARGS("estimate", "--model", example, example));
    fails(prf_cmd_estimate, 3, "--layer: conv2d: parameter 'k' is missing",
          ARGS("estimate", "--model", model_path, "--layer", "conv2d c=1"));
    fails(prf_cmd_estimate, 6, "knows no softmax", ARGS("estimate", "--model", model_path, "--layer", "softmax features=4"));
    fails(prf_cmd_estimate, 4, "unknown data type 'f64'", ARGS("estimate", "--model", model_path, "--dtype", "f64", example));
    fails(prf_cmd_model, 2, "use 'model show FILE.prfm'", ARGS("model", "paint", model_path));
    fails(prf_cmd_model, 2, "too little", ARGS("model", "show"));
    fails(prf_cmd_model, 2, "too little", ARGS("model", "explain"));
    fails(prf_cmd_model, 4, "nowhere.prfm", ARGS("model", "explain", "nowhere.prfm"));
    fails(prf_cmd_model, 4, "unknown layer kind 'conv9d'", ARGS("model", "explain", model_path, "--layer", "conv9d"));
    fails(prf_cmd_model, 6, "knows no softmax", ARGS("model", "explain", model_path, "--layer", "softmax"));
    fails(prf_cmd_model, 3, example, ARGS("model", "explain", example));
    fails(prf_cmd_model, 2, "too little", ARGS("model", "export"));
    fails(prf_cmd_model, 2, "--c model.c", ARGS("model", "export", model_path));
    fails(prf_cmd_model, 4, "nowhere.prfm", ARGS("model", "export", "nowhere.prfm", "--c", out_path));
    fails(prf_cmd_model, 3, folder, ARGS("model", "export", model_path, "--c", folder));
    fails(prf_cmd_model, 2, "--c belongs to 'model export'", ARGS("model", "show", model_path, "--c", out_path));
    fails(prf_cmd_model, 2, "--layer belongs to 'model explain'", ARGS("model", "export", model_path, "--layer", "fc"));
    fails(prf_cmd_model, 4, "/nowhere/model.c", ARGS("model", "export", model_path, "--c", "/nowhere/model.c"));
}

Test(estimate, model_show_tells_what_the_model_knows)
{
    json_t *d = run_json(prf_cmd_model, ARGS("model", "show", model_path, "--json"));
    cr_assert_str_eq(json_string_value(json_object_get(d, "kind")), "toy");
    cr_assert_str_eq(json_string_value(json_object_get(d, "campaign")), "made-here");
    cr_assert(json_is_null(json_object_get(d, "repeatability_percent")));
    json_t *layer = json_array_get(json_object_get(d, "layers"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(layer, "layer")), "conv2d");
    cr_assert_eq(json_integer_value(json_array_get(json_object_get(json_object_get(layer, "range"), "c"), 1)), 256);
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(layer, "steps"), "c")), 1);
    json_decref(d);
    char *text = run(prf_cmd_model, 0, ARGS("model", "show", model_path));
    cr_assert(strstr(text, "Model of 'toy'"), "%s", text);
    cr_assert(strstr(text, "c=1..256 k=1..256 h=4..256 r=1..3"), "%s", text);
    free(text);
}

Test(estimate, model_explain_tells_what_estimates_are_made_of)
{
    json_t *d = run_json(prf_cmd_model, ARGS("model", "explain", model_path, "--layer", "conv2d", "--json"));
    json_t *layer = json_array_get(json_object_get(d, "layers"), 0), *terms = json_object_get(layer, "terms");
    cr_assert_eq(json_array_size(json_object_get(d, "layers")), 1u);
    cr_assert_str_eq(json_string_value(json_object_get(layer, "layer")), "conv2d");
    double total = 0;
    for (size_t i = 0; i < json_array_size(terms); i++)
        total += json_number_value(json_object_get(json_array_get(terms, i), "share_percent"));
    cr_assert_eq(json_array_size(terms), 2u);
    cr_assert_float_eq(total, 100, 1e-6);
    cr_assert_eq(json_array_size(json_object_get(layer, "steps")), 4u);
    json_decref(d);
    char *text = run(prf_cmd_model, 0, ARGS("model", "explain", model_path));
    static const char *const wanted[] = {"Model of 'toy'", "conv2d f32", "terms, from 40 layers", "C x K x rows x taps", "no step"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        cr_assert(strstr(text, wanted[i]), "'%s' is not in:\n%s", wanted[i], text);
    free(text);
}

Test(estimate, model_export_writes_c_that_tells_where_it_comes_from)
{
    char c_path[80], *text;
    size_t len;
    snprintf(c_path, sizeof c_path, "%s/toy.c", folder);
    text = run(prf_cmd_model, 0, ARGS("model", "export", model_path, "--c", c_path));
    cr_assert(strstr(text, "the model of 'toy' as C"), "%s", text);
    free(text);
    cr_assert_eq(prf_file_read(c_path, 1 << 22, &text, &len, NULL), PRF_OK);
    char *printed = run(prf_cmd_model, 0, ARGS("model", "export", model_path, "--c", "-"));
    cr_assert_str_eq(printed, text, "- is standard output");
    free(printed);
    static const char *const wanted[] = {"SPDX-License-Identifier: Apache-2.0", "Latency of layers on 'toy'", PRF_VERSION,
                                         "Campaign   made-here", "int prfarm_estimate(const char *block"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        cr_assert(strstr(text, wanted[i]), "'%s' is not in:\n%.600s", wanted[i], text);
    free(text);
    unlink(c_path);
}

Test(estimate, what_lies_between_blocks_has_a_line_of_its_own_where_it_takes_time)
{
    char *text = run(prf_cmd_estimate, 0, ARGS("estimate", "--model", model_path, example));
    cr_assert_null(strstr(text, "between blocks"), "%s", text);
    free(text);
    put_between(12000);
    text = run(prf_cmd_estimate, 0, ARGS("estimate", "--model", model_path, example));
    cr_assert(strstr(text, "between blocks"), "%s", text);
    cr_assert(strstr(text, "times 12.0 us"), "%s", text);
    free(text);
    text = run(prf_cmd_model, 0, ARGS("model", "explain", model_path));
    cr_assert(strstr(text, "in a network each block after the first takes 12.0 us besides its own time"), "%s", text);
    free(text);
}
