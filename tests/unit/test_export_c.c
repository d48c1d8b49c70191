// SPDX-License-Identifier: Apache-2.0
/* Models as C sources: compiled with the system's compilers, they say what prfarm says, bit by bit. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "made_model.h"
#include "model/export_c.h"

enum { LAYERS = 200, TRAINED = 120, PATH = 96 };

static char folder[] = "/tmp/prfarm-export-XXXXXX";
static char source[PATH], program[PATH], asked[PATH], answered[PATH], complaints[PATH];

static void begin(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(source, PATH, "%s/model.c", folder);
    snprintf(program, PATH, "%s/model", folder);
    snprintf(asked, PATH, "%s/asked", folder);
    snprintf(answered, PATH, "%s/answered", folder);
    snprintf(complaints, PATH, "%s/complaints", folder);
}

static void end(void)
{
    const char *const all[] = {source, program, asked, answered, complaints};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        unlink(all[i]);
    rmdir(folder);
}

TestSuite(export_c, .init = begin, .fini = end);

static bool there(const char *compiler)
{
    char line[PATH];
    snprintf(line, sizeof line, "command -v %s >/dev/null 2>&1", compiler);
    return system(line) == 0;
}

/* Fails on any warning. False, with a word about it: there is no such compiler. */
static bool compile(const char *compiler)
{
    char line[6 * PATH];
    if (!there(compiler)) {
        cr_log_warn("SKIPPED: there is no '%s' to compile an exported model with", compiler);
        return false;
    }
    snprintf(line, sizeof line, "%s -std=c11 -Wall -Wextra -Werror -O2 %s -o %s -DPRFARM_MAIN -lm >%s 2>&1", compiler, source,
             program, complaints);
    int code = system(line);
    char *text = NULL;
    size_t len;
    if (code)
        cr_assert_eq(prf_file_read(complaints, 1 << 22, &text, &len, NULL), PRF_OK);
    cr_assert_eq(code, 0, "%s says: %.2000s", compiler, text);
    return true;
}

static void export(const prf_model_t *model)
{
    char *text;
    size_t len;
    prf_error_t err = {0};
    cr_assert_eq(prf_model_export_c(model, "0123456789abcdef", &text, &len, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(strlen(text), len);
    cr_assert_eq(prf_file_write(source, text, len, &err), PRF_OK, "%s", err.text);
    free(text);
}

static void same_bits(const prf_model_t *model, const prf_block_t *block, const char *line)
{
    prf_estimate_t e;
    double latency, low, high;
    char text[PRF_BLOCK_TEXT], outside[16] = "";
    cr_assert_eq(prf_model_estimate(model, block, NULL, &e, NULL), PRF_OK);
    prf_block_format(block, text);
    cr_assert_geq(sscanf(line, "%lf %lf %lf %15s", &latency, &low, &high, outside), 3, "'%s' for %s", line, text);
    cr_assert_eq(latency, e.latency_ns, "%.17g, not %.17g, for %s", latency, e.latency_ns, text);
    cr_assert_eq(low, e.low_ns, "%s", text);
    cr_assert_eq(high, e.high_ns, "%s", text);
    cr_assert_eq(strcmp(outside, "outside") == 0, e.outside, "%s", text);
}

/* Asked about all blocks at once, the model says what it says of each alone; of one that it does not know, nothing. */
static void same_together(const prf_model_t *model, prf_block_t blocks[LAYERS])
{
    const prf_block_t *each[LAYERS];
    prf_estimate_t together[LAYERS], alone;
    prf_dtype_t known = blocks[3].dtype;
    for (size_t i = 0; i < LAYERS; i++)
        each[i] = &blocks[i];
    blocks[3].dtype = known == PRF_I8 ? PRF_F16 : PRF_I8;
    prf_model_estimate_many(model, each, LAYERS, together);
    cr_assert(isnan(together[3].latency_ns) && isnan(together[3].low_ns) && isnan(together[3].high_ns));
    blocks[3].dtype = known;
    for (size_t i = 0; i < LAYERS; i++) {
        cr_assert_eq(prf_model_estimate(model, each[i], NULL, &alone, NULL), PRF_OK);
        if (i == 3)
            continue;
        cr_assert_eq(together[i].latency_ns, alone.latency_ns, "block %zu", i);
        cr_assert_eq(together[i].low_ns, alone.low_ns, "block %zu", i);
        cr_assert_eq(together[i].high_ns, alone.high_ns, "block %zu", i);
        cr_assert_eq(together[i].outside, alone.outside, "block %zu", i);
    }
}

/* Asks program and model about layers of each part, drawn from its range or, every fifth, at twice its size. */
static void ask_both(const prf_model_t *model)
{
    static prf_block_t blocks[LAYERS];
    char line[PRF_BLOCK_TEXT];
    prf_rng_t rng;
    prf_rng_init(&rng, 2, 0);
    FILE *f = fopen(asked, "w");
    cr_assert_not_null(f);
    for (size_t i = 0; i < LAYERS; i++) {
        const prf_space_t *space = &model->parts[i % model->part_count].space;
        blocks[i] = (prf_block_t){.dtype = space->dtype, .count = 1};
        cr_assert_eq(prf_space_draw(space, &rng, &blocks[i].layers[0], NULL), PRF_OK);
        if (i % 5 == 0)
            blocks[i].layers[0].p[PRF_P_N] *= 2;
        if (i % 2)
            cr_assert(prf_block_activate(&blocks[i], (prf_activation_t)(i % PRF_FN_COUNT)));
        prf_block_format(&blocks[i], line);
        fprintf(f, "%s\n", line);
    }
    fclose(f);
    same_together(model, blocks);
    snprintf(line, sizeof line, "%s <%s >%s", program, asked, answered);
    cr_assert_eq(system(line), 0);
    f = fopen(answered, "r");
    cr_assert_not_null(f);
    for (size_t i = 0; i < LAYERS; i++) {
        cr_assert_not_null(fgets(line, sizeof line, f));
        same_bits(model, &blocks[i], line);
    }
    fclose(f);
}

/* Tiles, an overhead and a bandwidth: something of everything. */
static double latency_ns(const prf_layer_t *l)
{
    prf_shape_t out = prf_layer_out_shape(l);
    double tiles = ceil((double)out.c / 16) * ceil((double)(out.n * out.h * out.w) / 32);
    return 300 + fmax(40 * tiles, 0.5 * prf_layer_bytes(l, PRF_I8)) + 0.01 * prf_layer_ops(l);
}

static void set_space(prf_space_t *space, prf_layer_kind_t kind)
{
    static const prf_dim_t size = {.kind = PRF_DIM_RANGE, .lo = 1, .hi = 200, .log = true};
    static const prf_dim_t extent = {.kind = PRF_DIM_RANGE, .lo = 8, .hi = 40};
    static const prf_dim_t kernel = {.kind = PRF_DIM_LIST, .value_count = 3, .values = {1, 3, 5}};
    static const prf_dim_t padding = {.kind = PRF_DIM_TIED, .divisor = 2};
    size_t count;
    const prf_param_info_t *params = prf_layer_params(kind, &count);
    *space = (prf_space_t){.kind = kind, .dtype = PRF_I8, .max_macs = 1e8};
    for (size_t i = 0; i < count; i++) {
        prf_param_t p = params[i].param;
        bool spatial = p == PRF_P_H || (p == PRF_P_W && kind == PRF_CONV1D);
        if (spatial)
            space->dims[p] = extent;
        else if (p == PRF_P_R || p == PRF_P_F)
            space->dims[p] = kernel;
        else if (params[i].fallback == PRF_REQUIRED)
            space->dims[p] = size;
        if (p == PRF_P_PAD)
            space->dims[p] = padding;
    }
    space->dims[PRF_P_PAD].source = kind == PRF_CONV1D ? PRF_P_F : PRF_P_R;
}

static prf_model_t *model_of(const made_sort_t *sort, const prf_layer_kind_t *kinds, size_t count, bool mapped)
{
    prf_model_t *model = made_model("toy", count);
    for (size_t i = 0; i < count; i++) {
        prf_model_part_t *part = &model->parts[i];
        set_space(&part->space, kinds[i]);
        prf_param_t params[PRF_PARAMS];
        size_t free_count = prf_space_free(&part->space, params);
        for (size_t j = 0; j < free_count && mapped; j++)
            if (part->space.dims[params[j]].hi == 200)
                part->steps.width[params[j]] = 16;
        part->map_queries = mapped;
        made_part(part, sort, latency_ns, TRAINED);
    }
    return model;
}

static void compare(const made_sort_t *sort, bool mapped, const char *compiler)
{
    static const prf_layer_kind_t kinds[] = {PRF_CONV2D, PRF_FC, PRF_MATMUL};
    prf_model_t *model = model_of(sort, kinds, sizeof kinds / sizeof *kinds, mapped);
    export(model);
    if (compile(compiler))
        ask_both(model);
    prf_model_destroy(&model);
}

Test(export_c, every_sort_of_regressor_answers_as_prfarm_does)
{
    for (size_t i = 0; i < MADE_SORTS; i++)
        compare(&made_sorts[i], false, "cc");
}

Test(export_c, mapping_to_representatives_is_in_the_source)
{
    compare(&made_sorts[0], true, "cc");
    compare(&made_sorts[MADE_SORTS - 1], true, "cc");
}

Test(export_c, clang_has_no_complaints_either)
{
    compare(&made_sorts[MADE_SORTS - 1], true, "clang");
}

Test(export_c, every_layer_kind_is_known)
{
    prf_layer_kind_t kinds[PRF_LAYER_KINDS];
    for (int i = 0; i < PRF_LAYER_KINDS; i++)
        kinds[i] = (prf_layer_kind_t)i;
    prf_model_t *model = model_of(&made_sorts[4], kinds, PRF_LAYER_KINDS, false);
    export(model);
    if (compile("cc"))
        ask_both(model);
    prf_model_destroy(&model);
}

Test(export_c, what_followers_add_is_in_the_source)
{
    static const prf_layer_kind_t kinds[] = {PRF_CONV2D, PRF_FC, PRF_ACTIVATION};
    static const prf_fusion_t rules[] = {{PRF_FC, PRF_I8, PRF_FN_RELU6, PRF_FUSION_ADDS, 51.3, 0.1 / 3, 4, 2},
                                         {PRF_FC, PRF_I8, PRF_FN_TANH, PRF_FUSION_SEPARATE, 0.7, 1e-9, 4, 30},
                                         {PRF_CONV2D, PRF_I8, PRF_FN_TANH, PRF_FUSION_ADDS, 0, 1.1, 4, 8},
                                         {PRF_CONV2D, PRF_I8, PRF_FN_HARDSWISH, PRF_FUSION_FREE, 0, 0, 4, 0.1}};
    prf_model_t *model = model_of(&made_sorts[MADE_SORTS - 1], kinds, sizeof kinds / sizeof *kinds, false);
    model->fusions = malloc(sizeof rules);
    cr_assert_not_null(model->fusions);
    memcpy(model->fusions, rules, sizeof rules);
    model->fusion_count = sizeof rules / sizeof *rules;
    export(model);
    if (compile("cc"))
        ask_both(model);
    if (compile("clang"))
        ask_both(model);
    prf_model_destroy(&model);
}

Test(export_c, the_source_stays_short_enough_to_read)
{
    static const prf_layer_kind_t kind = PRF_FC;
    prf_model_t *model = model_of(&made_sorts[0], &kind, 1, false);
    char *text;
    size_t len, lines = 0;
    cr_assert_eq(prf_model_export_c(model, "", &text, &len, NULL), PRF_OK);
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    cr_assert_lt(lines, 2250, "%zu lines", lines);
    cr_assert_null(strstr(text, "#include \""), "it needs no header of ours");
    free(text);
    prf_model_destroy(&model);
}

Test(export_c, two_models_fit_in_one_program)
{
    static const char caller[] =
        "#include <stdio.h>\n"
        "int one(const char *, double *, double *, double *), two(const char *, double *, double *, double *);\n"
        "int main(void) { double a, b, c; int codes[] = {one(\"fc in=9 out=9 dtype=i8\", &a, &b, &c),\n"
        "two(\"fc in=999 out=9 dtype=i8\", &a, &b, &c), one(\"fc in=9\", &a, &b, &c),\n"
        "two(\"softmax features=9 dtype=i8\", &a, &b, &c)};\n"
        "return codes[0] == 0 && codes[1] == 1 && codes[2] == -1 && codes[3] == -2 ? 0 : 1; }\n";
    static const prf_layer_kind_t kind = PRF_FC;
    char line[8 * PATH];
    prf_model_t *model = model_of(&made_sorts[0], &kind, 1, false);
    export(model);
    cr_assert_eq(prf_file_write(asked, caller, sizeof caller - 1, NULL), PRF_OK);
    if (there("cc")) {
        snprintf(
            line, sizeof line,
            "cd %s && cc -std=c11 -c -DPRFARM_ESTIMATE=one model.c -o a.o && cc -std=c11 -c -DPRFARM_ESTIMATE=two model.c -o b.o &&"
            " cc -x c asked -x none a.o b.o -o model -lm && ./model; code=$?; rm -f a.o b.o; exit $code",
            folder);
        cr_assert_eq(system(line), 0);
    }
    prf_model_destroy(&model);
}

Test(export_c, text_of_a_model_file_ends_no_comment_and_no_string)
{
    static const prf_layer_kind_t kind = PRF_FC;
    prf_model_t *model = model_of(&made_sorts[0], &kind, 1, false);
    snprintf(model->kind, sizeof model->kind, "\"; int x = 1; //");
    snprintf(model->provenance.campaign, sizeof model->provenance.campaign, "*/ #error stranger");
    snprintf(model->parts[0].regressor.name, PRF_REGRESSOR_NAME, "\\\" ?\?/ \n#error");
    export(model);
    if (compile("cc"))
        ask_both(model);
    prf_model_destroy(&model);
}

Test(export_c, a_regressor_that_is_not_known_is_refused)
{
    static const prf_layer_kind_t kind = PRF_FC;
    prf_model_t *model = model_of(&made_sorts[0], &kind, 1, false);
    char *text = NULL;
    size_t len;
    prf_error_t err = {0};
    model->parts[0].regressor.scale = PRF_SCALE_TERMS + 1;
    cr_assert_eq(prf_model_export_c(model, "", &text, &len, &err), PRF_EUNSUPPORTED);
    cr_assert(strstr(err.text, "fc is estimated by 'terms'"), "%s", err.text);
    cr_assert_null(text);
    prf_model_destroy(&model);
}
