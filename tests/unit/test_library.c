// SPDX-License-Identifier: Apache-2.0
/* libprfarm through its header, as an architecture search uses it: one by one and together give the same numbers, nothing is
 * allocated while it estimates, and what is wrong is told with its place. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "common/prfarm.h"
#include "made_model.h"

#if defined(__has_feature)
#define HAS_FEATURE(feature) __has_feature(feature)
#else
#define HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

enum { LAYERS = 250, TRAINED = 60, STACK = 256 << 10 };

/* volatile: compilers know malloc, and that it looks at no variable of ours. */
static _Thread_local volatile bool counting;
static _Thread_local volatile size_t allocations;

#if !SANITIZED
/* Seen by the libraries, too, instead of glibc's own, which they lead to. */
#define SEEN __attribute__((visibility("default")))
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

SEEN void *malloc(size_t size)
{
    allocations += counting;
    return __libc_malloc(size);
}

SEEN void *calloc(size_t count, size_t size)
{
    allocations += counting;
    return __libc_calloc(count, size);
}

SEEN void *realloc(void *old, size_t size)
{
    allocations += counting;
    return __libc_realloc(old, size);
}

SEEN int posix_memalign(void **out, size_t alignment, size_t size)
{
    allocations += counting;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

SEEN void *aligned_alloc(size_t alignment, size_t size)
{
    allocations += counting;
    return __libc_memalign(alignment, size);
}
#endif

static char error[PRFARM_ERROR];
static char example[] = PRF_SOURCE_DIR "/docs/examples/networks/resnet18.onnx";

static double latency_ns(const prf_layer_t *l)
{
    return 300 + fmax(40 * ceil(prf_layer_outputs(l) / 512), 0.5 * prf_layer_bytes(l, PRF_F32)) + 0.01 * prf_layer_ops(l);
}

static double energy_nj(const prf_layer_t *l)
{
    return 2.5 * latency_ns(l);
}

static void set_dim(prf_space_t *space, prf_param_t param, int32_t low, int32_t high)
{
    space->dims[param] = (prf_dim_t){.kind = PRF_DIM_RANGE, .lo = low, .hi = high, .log = true};
}

/* Convolutions by `sort`, fully connected layers by trees, relu behind a convolution at a price; made with the inside of the
 * library, handed over as bytes. */
static prfarm_model *load(const made_sort_t *sort)
{
    static const prf_fusion_t rule = {PRF_CONV2D, PRF_F32, PRF_FN_RELU, PRF_FUSION_ADDS, 51.3, 0.1 / 3, 4, 2};
    prf_model_t *made = made_model("toy", 2);
    prf_space_t *conv = &made->parts[0].space, *fc = &made->parts[1].space;
    *conv = (prf_space_t){.kind = PRF_CONV2D, .dtype = PRF_F32, .max_macs = 1e9};
    set_dim(conv, PRF_P_C, 1, 512);
    set_dim(conv, PRF_P_K, 1, 512);
    set_dim(conv, PRF_P_H, 4, 64);
    conv->dims[PRF_P_R] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 2, .values = {1, 3}};
    *fc = (prf_space_t){.kind = PRF_FC, .dtype = PRF_F32};
    set_dim(fc, PRF_P_IN, 1, 512);
    set_dim(fc, PRF_P_OUT, 1, 512);
    made->parts[0].steps.width[PRF_P_K] = 16;
    made->parts[0].steps.confidence[PRF_P_K] = 0.9;
    made_part(&made->parts[0], sort, latency_ns, TRAINED);
    made_part(&made->parts[1], &made_sorts[0], latency_ns, TRAINED);
    made->fusions = malloc(sizeof rule);
    cr_assert_not_null(made->fusions);
    *made->fusions = rule;
    made->fusion_count = 1;
    made->between_ns = 700;
    made->provenance.repeatability_percent = 0.75;
    snprintf(made->provenance.campaign, sizeof made->provenance.campaign, "made-here");
    void *bytes;
    size_t len;
    prfarm_model *model;
    cr_assert_eq(prf_model_encode(made, &bytes, &len, NULL), PRF_OK);
    prf_model_destroy(&made);
    cr_assert_eq(prfarm_model_decode(&model, bytes, len, error), 0, "%s", error);
    free(bytes);
    return model;
}

/* Every seventh is of a kind that the model does not know. */
static void make_layers(prfarm_layer layers[LAYERS])
{
    for (int i = 0; i < LAYERS; i++) {
        char text[128];
        if (i % 7 == 3)
            snprintf(text, sizeof text, "softmax n=%d features=10", i + 1);
        else if (i % 3 == 2)
            snprintf(text, sizeof text, "fc in=%d out=%d", 3 * i + 1, 800 - 3 * i);
        else
            snprintf(text, sizeof text, "conv2d c=%d k=%d h=%d r=%d%s", i + 1, 2 * i + 1, 4 + i % 30, i % 2 ? 3 : 1,
                     i % 4 ? " + relu" : "");
        cr_assert_eq(prfarm_layer_parse(&layers[i], text, error), 0, "%s: %s", text, error);
    }
}

Test(library, many_layers_together_have_the_numbers_of_each_alone)
{
    static prfarm_layer layers[LAYERS];
    double latency[LAYERS], low[LAYERS], high[LAYERS];
    unsigned char outside[LAYERS];
    make_layers(layers);
    for (size_t s = 0; s < MADE_SORTS; s++) {
        prfarm_model *model = load(&made_sorts[s]);
        size_t covered = prfarm_estimate_layers(model, layers, LAYERS, &(prfarm_estimates){latency, low, high, outside});
        size_t expected = 0, outsiders = 0;
        for (size_t i = 0; i < LAYERS; i++) {
            prfarm_estimate alone;
            int code = prfarm_estimate_layer(model, &layers[i], &alone, error);
            cr_assert_eq(code, i % 7 == 3 ? 6 : 0, "layer %zu: %d", i, code);
            cr_assert_eq(isnan(latency[i]) || isnan(low[i]) || isnan(high[i]), code != 0);
            if (code)
                continue;
            expected++;
            outsiders += outside[i];
            cr_assert_eq(latency[i], alone.latency_ns, "layer %zu", i);
            cr_assert_eq(low[i], alone.low_ns);
            cr_assert_eq(high[i], alone.high_ns);
            cr_assert_eq(outside[i], alone.outside);
        }
        cr_assert_eq(covered, expected);
        cr_assert(outsiders > 0 && outsiders < expected, "%zu of %zu are outside", outsiders, expected);
        cr_assert_eq(prfarm_estimate_layers(model, layers, LAYERS, &(prfarm_estimates){0}), covered, "no array is needed");
        cr_assert_eq(prfarm_estimate_layers(model, layers, 0, &(prfarm_estimates){0}), 0);
        prfarm_model_free(model);
    }
}

/* c, k and h of layers that are all possible. */
static void fill(int64_t values[LAYERS][3])
{
    for (int i = 0; i < LAYERS; i++) {
        values[i][0] = i % 100 + 1;
        values[i][1] = 2 * i + 1;
        values[i][2] = i % 60 + 3;
    }
}

static const char *const names[] = {"c", "k", "h"};

Test(library, rows_of_a_matrix_are_the_layers_that_their_text_would_be)
{
    static int64_t rows[LAYERS][3], columns[3][LAYERS];
    double latency[LAYERS], again[LAYERS], macs[LAYERS];
    size_t covered = 0;
    prfarm_model *model = load(&made_sorts[MADE_SORTS - 1]);
    static const char pattern[] = "conv2d r=3 pad=1 + relu";
    fill(rows);
    for (int i = 0; i < LAYERS; i++)
        for (int j = 0; j < 3; j++)
            columns[j][i] = rows[i][j];
    prfarm_matrix matrix = {rows[0], 3, 1, LAYERS, 3, names};
    prfarm_estimates out = {.latency_ns = latency};
    cr_assert_eq(prfarm_estimate_matrix(model, pattern, &matrix, &out, &covered, error), 0, "%s", error);
    cr_assert_eq(covered, LAYERS);
    cr_assert_eq(prfarm_macs_matrix(pattern, &matrix, macs, error), 0, "%s", error);
    matrix = (prfarm_matrix){columns[0], 1, LAYERS, LAYERS, 3, names};
    out.latency_ns = again;
    cr_assert_eq(prfarm_estimate_matrix(model, pattern, &matrix, &out, NULL, error), 0, "%s", error);
    for (int i = 0; i < LAYERS; i++) {
        char text[128];
        prfarm_layer layer;
        prfarm_estimate alone;
        snprintf(text, sizeof text, "conv2d c=%d k=%d h=%d r=3 pad=1 + relu", (int)rows[i][0], (int)rows[i][1], (int)rows[i][2]);
        cr_assert_eq(prfarm_layer_parse(&layer, text, error), 0);
        cr_assert_eq(prfarm_estimate_layer(model, &layer, &alone, error), 0);
        cr_assert_eq(latency[i], alone.latency_ns, "row %d", i);
        cr_assert_eq(again[i], alone.latency_ns, "row %d, by columns", i);
        cr_assert_eq(macs[i], prfarm_layer_macs(&layer));
    }
    prfarm_model_free(model);
}

static void matrix_refuses(const prfarm_model *model, const char *pattern, const prfarm_matrix *matrix, const char *because)
{
    size_t covered = 77;
    int code = prfarm_estimate_matrix(model, pattern, matrix, &(prfarm_estimates){0}, &covered, error);
    cr_assert_neq(code, 0, "%s was accepted", pattern);
    cr_assert(strstr(error, because), "said '%s', not '%s'", error, because);
    cr_assert_eq(covered, 77, "what a failure leaves is untouched");
    cr_assert_eq(prfarm_estimate_matrix(model, pattern, matrix, &(prfarm_estimates){0}, NULL, NULL), code);
}

Test(library, a_wrong_row_or_column_is_named)
{
    static int64_t rows[LAYERS][3];
    prfarm_model *model = load(&made_sorts[0]);
    fill(rows);
    prfarm_matrix matrix = {rows[0], 3, 1, LAYERS, 3, names};
    rows[123][1] = 0;
    matrix_refuses(model, "conv2d r=3", &matrix, "row 123: conv2d.k = 0: use a value from 1 to");
    rows[123][1] = INT64_C(1) << 40;
    matrix_refuses(model, "conv2d r=3", &matrix, "row 123: k = 1099511627776: no layer is that large");
    rows[123][1] = 1;
    rows[200][2] = 2;
    matrix_refuses(model, "conv2d r=3", &matrix, "row 200: conv2d: the kernel is larger");
    matrix_refuses(model, "conv2d c=3 r=3", &matrix, "column 0, 'c', is in the pattern");
    matrix_refuses(model, "conv2d", &matrix, "row 0: conv2d: parameter 'r' is missing");
    matrix_refuses(model, "fc", &matrix, "column 0: fc has no parameter 'c': use n, in, out");
    matrix_refuses(model, "convolution r=3", &matrix, "unknown layer kind 'convolution'");
    matrix = (prfarm_matrix){rows[0], 3, 1, LAYERS, 3, (const char *const[]){"c", "k", "k"}};
    matrix_refuses(model, "conv2d r=3", &matrix, "column 2, 'k', is in the pattern or in another column");
    matrix.columns = 4000;
    matrix_refuses(model, "conv2d r=3", &matrix, "4000 columns");
    prfarm_model_free(model);
}

Test(library, a_network_from_memory_is_the_one_from_its_file_block_by_block)
{
    enum { BLOCKS = 31 };
    char *bytes;
    size_t len;
    prfarm_network *file, *memory;
    prfarm_model *model = load(&made_sorts[0]);
    prfarm_estimate total, other;
    double latency[BLOCKS], low[BLOCKS], high[BLOCKS], sum = 0;
    unsigned char outside[BLOCKS];
    cr_assert_eq(prf_file_read(example, 1 << 20, &bytes, &len, NULL), PRF_OK);
    cr_assert_eq(prfarm_network_load(&file, example, "f32", 1, error), 0, "%s", error);
    cr_assert_eq(prfarm_network_decode(&memory, bytes, len, "mine", "f32", 1, error), 0, "%s", error);
    cr_assert_str_eq(prfarm_network_name(file), "resnet18");
    cr_assert_str_eq(prfarm_network_name(memory), "mine");
    cr_assert_eq(prfarm_network_macs(memory), prfarm_network_macs(file));
    cr_assert_eq(prfarm_network_blocks(memory), BLOCKS);
    cr_assert_eq(prfarm_estimate_network(model, file, &total, error), 0);
    cr_assert_eq(prfarm_estimate_network_blocks(model, memory, &other, &(prfarm_estimates){latency, low, high, outside}, error), 0);
    cr_assert_eq(total.latency_ns, other.latency_ns);
    cr_assert_eq(total.blocks, BLOCKS);
    size_t covered = 0;
    int beyond = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        const prfarm_block *b = prfarm_network_get_block(memory, i);
        prfarm_estimate alone;
        int code = prfarm_estimate_layer(model, b->layer, &alone, error);
        cr_assert_eq(code != 0, (bool)isnan(latency[i]));
        if (code) {
            cr_assert(strstr(error, "the model of 'toy' knows no"), "%s", error);
            continue;
        }
        cr_assert_eq(latency[i], alone.latency_ns, "%s", b->text);
        sum += latency[i];
        covered++;
        beyond += outside[i];
    }
    cr_assert_eq(total.covered, covered);
    cr_assert_eq(total.outside, beyond);
    cr_assert_lt(fabs(sum + 700.0 * (double)(covered - 1) - total.latency_ns), 1e-9 * total.latency_ns);
    const prfarm_block *first = prfarm_network_get_block(file, 0);
    cr_assert_str_eq(first->kind, "conv2d+relu");
    cr_assert_str_eq(first->text,
                     "conv2d n=1 c=3 k=64 h=224 w=224 r=7 s=7 stride=2 pad=3 dilation=1 groups=1 + activation n=1 c=64 "
                     "h=112 w=112 fn=0 dtype=f32");
    cr_assert_eq(first->macs, 118013952.0);
    cr_assert_null(prfarm_network_get_block(file, BLOCKS));
    cr_assert_not_null(prfarm_network_get_note(file, 0));
    prfarm_network_free(file);
    prfarm_network_free(memory);
    prfarm_model_free(model);
    free(bytes);
}

Test(library, what_is_no_model_and_no_network_is_refused_and_leaves_the_handle_alone)
{
    prfarm_model *model = NULL;
    prfarm_network *network = NULL;
    cr_assert_eq(prfarm_model_decode(&model, "no model", 8, error), 3);
    cr_assert_eq(prfarm_model_decode(&model, NULL, 0, error), 3);
    cr_assert_eq(prfarm_model_load(&model, "/nowhere/x.prfm", error), 4);
    cr_assert(strstr(error, "/nowhere/x.prfm"), "%s", error);
    cr_assert_eq(prfarm_network_decode(&network, "no onnx", 7, "mine", "f32", 1, error), 3);
    cr_assert(strstr(error, "mine"), "%s", error);
    cr_assert_eq(prfarm_network_decode(&network, NULL, 0, "mine", "f32", 1, NULL), 3);
    cr_assert_eq(prfarm_network_load(&network, example, "f64", 1, error), 4);
    cr_assert_eq(prfarm_network_load(&network, example, "f32", 0, error), 3);
    cr_assert(!model && !network);
    prfarm_model_free(NULL);
    prfarm_network_free(NULL);
}

Test(library, facts_say_where_a_model_comes_from_and_what_it_knows)
{
    prfarm_model *model = load(&made_sorts[0]);
    const prfarm_model_facts *facts = prfarm_model_get_facts(model);
    cr_assert_str_eq(facts->board, "toy");
    cr_assert_str_eq(prfarm_model_board(model), "toy");
    cr_assert_str_eq(facts->campaign, "made-here");
    cr_assert_eq(strlen(facts->digest), 32);
    cr_assert_eq(facts->repeatability_percent, 0.75);
    cr_assert_eq(facts->between_ns, 700);
    const prfarm_model_layer *conv = prfarm_model_get_layer(model, 0);
    cr_assert_str_eq(conv->kind, "conv2d");
    cr_assert_str_eq(conv->dtype, "f32");
    cr_assert_eq(conv->mapped, 0);
    const prfarm_model_parameter *k = prfarm_model_get_parameter(model, 0, 1);
    cr_assert_str_eq(k->name, "k");
    cr_assert(k->low == 1 && k->high == 512 && k->step_width == 16 && k->step_confidence > 0.89);
    cr_assert_str_eq(prfarm_model_get_parameter(model, 0, 3)->name, "r");
    cr_assert_null(prfarm_model_get_parameter(model, 0, 4));
    cr_assert_null(prfarm_model_get_parameter(model, 2, 0));
    cr_assert_null(prfarm_model_get_layer(model, 2));
    prfarm_model_free(model);
}

Test(library, energy_is_a_model_that_answers_in_nanojoules)
{
    prf_model_t *made = made_model("toy", 1), *energy = made_model("toy", 1);
    prf_model_t *const both[] = {made, energy};
    for (size_t i = 0; i < 2; i++) {
        both[i]->parts[0].space = (prf_space_t){.kind = PRF_FC, .dtype = PRF_F32};
        set_dim(&both[i]->parts[0].space, PRF_P_IN, 1, 512);
        set_dim(&both[i]->parts[0].space, PRF_P_OUT, 1, 512);
    }
    made_part(&made->parts[0], &made_sorts[0], latency_ns, TRAINED);
    made_part(&energy->parts[0], &made_sorts[0], energy_nj, TRAINED);
    energy->provenance.repeatability_percent = 2.5;
    prf_model_take_energy(made, &energy);
    void *bytes;
    size_t len;
    prfarm_model *model;
    prfarm_layer layer;
    prfarm_estimate ns, nj;
    cr_assert_eq(prf_model_encode(made, &bytes, &len, NULL), PRF_OK);
    cr_assert_eq(prfarm_model_decode(&model, bytes, len, error), 0, "%s", error);
    const prfarm_model *of_energy = prfarm_model_energy(model);
    cr_assert_not_null(of_energy);
    cr_expect_null(prfarm_model_energy(of_energy));
    cr_expect_str_eq(prfarm_model_board(of_energy), "toy");
    cr_expect_eq(prfarm_model_get_facts(of_energy)->repeatability_percent, 2.5);
    cr_expect_str_eq(prfarm_model_get_layer(of_energy, 0)->kind, "fc");
    cr_assert_eq(prfarm_layer_parse(&layer, "fc in=100 out=200", error), 0);
    cr_assert_eq(prfarm_estimate_layer(model, &layer, &ns, error), 0);
    cr_assert_eq(prfarm_estimate_layer(of_energy, &layer, &nj, error), 0);
    cr_expect_float_eq(nj.latency_ns / ns.latency_ns, 2.5, 1e-6);
    prfarm_model_free(model);
    prf_model_destroy(&made);
    free(bytes);
    model = load(&made_sorts[0]);
    cr_expect_null(prfarm_model_energy(model), "none was measured");
    prfarm_model_free(model);
}

Test(library, kinds_and_parameters_that_are_listed_can_be_written)
{
    size_t kinds = 0;
    const char *kind;
    while ((kind = prfarm_layer_kind(kinds))) {
        char text[256];
        size_t used = (size_t)snprintf(text, sizeof text, "%s", kind);
        const prfarm_parameter *p;
        for (size_t i = 0; (p = prfarm_layer_parameter(kind, i)); i++) {
            cr_assert_leq(p->low, p->high);
            cr_assert(!p->required || !p->like);
            if (p->required)
                used += (size_t)snprintf(text + used, sizeof text - used, " %s=3", p->name);
        }
        prfarm_layer layer;
        cr_assert_eq(prfarm_layer_parse(&layer, text, error), 0, "%s: %s", text, error);
        kinds++;
    }
    cr_assert_eq(kinds, PRF_LAYER_KINDS);
    cr_assert_str_eq(prfarm_layer_parameter("conv2d", 4)->like, "h");
    cr_assert_eq(prfarm_layer_parameter("conv2d", 7)->by_default, 1);
    cr_assert_null(prfarm_layer_parameter("conv9d", 0));
    cr_assert_str_eq(prfarm_dtype(2), "bf16");
    cr_assert_null(prfarm_dtype(PRF_DTYPES));
    cr_assert_str_eq(prfarm_activation(1), "relu6");
    cr_assert_null(prfarm_activation(PRF_FN_COUNT));
    cr_assert_eq(prfarm_abi(), PRFARM_ABI);
    cr_assert_str_eq(prfarm_version(), PRF_VERSION);
}

Test(library, a_block_is_written_out_and_cut_to_its_room)
{
    prfarm_layer layer;
    char text[16] = "untouched";
    cr_assert_eq(prfarm_layer_parse(&layer, "fc in=9 out=4", error), 0);
    cr_assert_eq(prfarm_layer_format(&layer, text, 0), strlen("fc n=1 in=9 out=4 dtype=f32"));
    cr_assert_str_eq(text, "untouched");
    cr_assert_eq(prfarm_layer_format(&layer, text, sizeof text), strlen("fc n=1 in=9 out=4 dtype=f32"));
    cr_assert_str_eq(text, "fc n=1 in=9 out");
}

typedef struct {
    const prfarm_model *model;
    const prfarm_network *network;
    prfarm_layer layers[LAYERS];
    int64_t rows[LAYERS][3];
    double latency[LAYERS], low[LAYERS], high[LAYERS], macs[LAYERS];
    unsigned char outside[LAYERS];
    size_t allocations;
} search_t;

/* All that the loop of a search calls. */
static void ask_everything(search_t *s)
{
    prfarm_estimates out = {s->latency, s->low, s->high, s->outside};
    prfarm_matrix matrix = {s->rows[0], 3, 1, LAYERS, 3, names};
    prfarm_estimate one;
    prfarm_layer layer;
    size_t covered;
    cr_assert_eq(prfarm_layer_parse(&layer, "conv2d c=9 k=9 h=9 r=3 + relu", error), 0);
    cr_assert_eq(prfarm_estimate_layer(s->model, &layer, &one, error), 0);
    cr_assert_eq(prfarm_estimate_layer(s->model, &s->layers[3], &one, error), 6);
    prfarm_estimate_layers(s->model, s->layers, LAYERS, &out);
    cr_assert_eq(prfarm_estimate_matrix(s->model, "conv2d r=3 pad=1 + relu", &matrix, &out, &covered, error), 0);
    cr_assert_eq(prfarm_macs_matrix("conv2d r=3 pad=1 + relu", &matrix, s->macs, error), 0);
    cr_assert_eq(prfarm_estimate_network(s->model, s->network, &one, error), 0);
    cr_assert_eq(prfarm_estimate_network_blocks(s->model, s->network, &one, &out, error), 0);
}

static void *count_allocations(void *arg)
{
    search_t *s = arg;
    counting = true;
    ask_everything(s);
    counting = false;
    s->allocations = allocations;
    return NULL;
}

/* Both at once: the thread has as much stack as the header says that it takes, and a program that wants more would be ended. */
Test(library, estimating_allocates_nothing_and_keeps_to_its_stack)
{
    static search_t search;
    if (SANITIZED)
        cr_skip_test("the sanitizer's allocator cannot be counted, and its stacks are larger");
    counting = true;
    prfarm_model *counted = NULL;
    (void)prfarm_model_decode(&counted, "no model", 8, error);
    counting = false;
    cr_assert_gt(allocations, 0, "those of the library are counted");
    make_layers(search.layers);
    fill(search.rows);
    prfarm_network *network;
    cr_assert_eq(prfarm_network_load(&network, example, "f32", 1, error), 0, "%s", error);
    search.network = network;
    for (size_t i = 0; i < MADE_SORTS; i++) {
        prfarm_model *model = load(&made_sorts[i]);
        pthread_attr_t attributes;
        pthread_t thread;
        search.model = model;
        pthread_attr_init(&attributes);
        cr_assert_eq(pthread_attr_setstacksize(&attributes, STACK), 0);
        cr_assert_eq(pthread_create(&thread, &attributes, count_allocations, &search), 0);
        pthread_join(thread, NULL);
        pthread_attr_destroy(&attributes);
        cr_assert_eq(search.allocations, 0, "%s: %zu allocations", made_sorts[i].name, search.allocations);
        prfarm_model_free(model);
    }
    prfarm_network_free(network);
}
