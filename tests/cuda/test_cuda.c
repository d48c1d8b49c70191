// SPDX-License-Identifier: Apache-2.0
/* The cuda backend computes what layers and networks say, in as many steps as it should, refuses what it cannot do, and says what
 * is wrong with a card. Runs on a GPU, and without one on the imitated libraries beside this file (PRF_IMITATION is set then). What
 * is computed is compared with the layers' definitions, written here once more. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cuda/kernel.h"
#include "backends/registry.h"
#include "measure/measure.h"

static const prf_backend_t *backend;
static prf_board_t *board;

static void open_with(const char *option)
{
    prf_error_t err = {0};
    backend = prf_backend_find("cuda");
    cr_assert_not_null(backend);
    cr_assert_eq(backend->open(&option, option ? 1 : 0, &board, &err), PRF_OK, "%s", err.text);
}

static void open_board(void)
{
    open_with(NULL);
}

static void close_board(void)
{
    if (board)
        backend->close(&board);
}

TestSuite(cuda, .init = open_board, .fini = close_board);
TestSuite(cuda_open, .fini = close_board);

/* Only the imitation goes wrong on demand. */
static void needs_imitation(const char *wish)
{
    if (!getenv("PRF_IMITATION"))
        cr_skip_test("a GPU does not go wrong on demand");
    setenv("PRF_IMITATION", wish, 1);
}

static prf_block_t parse(const char *text, prf_dtype_t dtype)
{
    prf_block_t block;
    prf_error_t err = {0};
    cr_assert_eq(prf_block_parse(&block, text, &err), PRF_OK, "%s: %s", text, err.text);
    block.dtype = dtype;
    return block;
}

static prf_status_t try_prepare(const char *text, prf_dtype_t dtype, prf_kernel_t **out, prf_error_t *err)
{
    const prf_place_t alone = {.position = 0, .length = 1};
    prf_block_t block = parse(text, dtype);
    *out = NULL;
    return backend->prepare(board, &block, &alone, out, err);
}

static prf_kernel_t *prepare(const char *text, prf_dtype_t dtype)
{
    prf_kernel_t *kernel;
    prf_error_t err = {0};
    cr_assert_eq(try_prepare(text, dtype, &kernel, &err), PRF_OK, "%s %s: %s", text, prf_dtype_name(dtype), err.text);
    return kernel;
}

static prf_reading_t run(prf_kernel_t *kernel, prf_cache_t cache)
{
    const prf_run_t how = {.iterations = 1, .cache = cache};
    prf_reading_t reading = {0};
    prf_error_t err = {0};
    cr_assert_eq(backend->run(kernel, &how, &reading, &err), PRF_OK, "%s", err.text);
    return reading;
}

static size_t count_of(const prf_shape_t *s)
{
    return (size_t)(s->n * s->c * s->h * s->w);
}

static float *tensor(const prf_cuda_step_t *step, prf_cuda_role_t role)
{
    const prf_cuda_tensor_t *t = &step->tensors[role];
    prf_error_t err = {0};
    size_t count = count_of(&t->shape);
    float *values = calloc(count ? count : 1, sizeof *values);
    cr_assert_not_null(values);
    if (count)
        cr_assert_eq(prf_cuda_read(&board->lib, board->stream, t, values, count, &err), PRF_OK, "%s", err.text);
    return values;
}

/* ---- layers by their definitions; everything in plain order ---- */

typedef struct {
    const prf_layer_t *layer;
    const float *in, *operand, *weights, *bias;
    double scale;
} work_t;

static double at(const float *values, prf_shape_t s, int64_t n, int64_t c, int64_t h, int64_t w)
{
    return h < 0 || w < 0 || h >= s.h || w >= s.w ? 0 : (double)values[((n * s.c + c) * s.h + h) * s.w + w];
}

static double convolve(const work_t *work, prf_shape_t in, int64_t n, int64_t k, int64_t oy, int64_t ox)
{
    const int32_t *p = work->layer->p;
    bool flat = work->layer->kind == PRF_CONV1D;
    int64_t groups = flat ? 1 : p[PRF_P_GROUPS], dilation = flat ? 1 : p[PRF_P_DILATION], stride = p[PRF_P_STRIDE],
            pad = p[PRF_P_PAD];
    int64_t r = flat ? 1 : p[PRF_P_R], s = flat ? p[PRF_P_F] : p[PRF_P_S], depth = in.c / groups;
    prf_shape_t filter = {p[PRF_P_K], depth, r, s};
    double sum = 0;
    for (int64_t c = 0; c < depth; c++)
        for (int64_t y = 0; y < r; y++)
            for (int64_t x = 0; x < s; x++)
                sum += at(work->in, in, n, k / (p[PRF_P_K] / groups) * depth + c, flat ? 0 : oy * stride + y * dilation - pad,
                          ox * stride + x * dilation - pad) *
                       at(work->weights, filter, k, c, y, x);
    return sum;
}

static double convolve_transposed(const work_t *work, prf_shape_t in, int64_t n, int64_t k, int64_t oy, int64_t ox)
{
    const int32_t *p = work->layer->p;
    int64_t groups = p[PRF_P_GROUPS], per_group = p[PRF_P_K] / groups, depth = in.c / groups;
    prf_shape_t filter = {in.c, per_group, p[PRF_P_R], p[PRF_P_S]};
    double sum = 0;
    for (int64_t c = k / per_group * depth; c < (k / per_group + 1) * depth; c++)
        for (int64_t y = 0; y < filter.h; y++)
            for (int64_t x = 0; x < filter.w; x++) {
                int64_t from_y = oy + p[PRF_P_PAD] - y * p[PRF_P_DILATION], from_x = ox + p[PRF_P_PAD] - x * p[PRF_P_DILATION];
                if (from_y % p[PRF_P_STRIDE] == 0 && from_x % p[PRF_P_STRIDE] == 0)
                    sum += at(work->in, in, n, c, from_y / p[PRF_P_STRIDE], from_x / p[PRF_P_STRIDE]) *
                           at(work->weights, filter, c, k % per_group, y, x);
            }
    return sum;
}

/* The second factor has a row for each column of the result. */
static double multiply(const float *a, const float *b, int64_t row, int64_t column, int64_t depth)
{
    double sum = 0;
    for (int64_t i = 0; i < depth; i++)
        sum += (double)a[row * depth + i] * (double)b[column * depth + i];
    return sum;
}

static double pool(const work_t *work, prf_shape_t in, int64_t n, int64_t c, int64_t oy, int64_t ox)
{
    const int32_t *p = work->layer->p;
    double most = -INFINITY, sum = 0, count = 0;
    for (int64_t y = oy * p[PRF_P_STRIDE] - p[PRF_P_PAD]; y < oy * p[PRF_P_STRIDE] - p[PRF_P_PAD] + p[PRF_P_R]; y++)
        for (int64_t x = ox * p[PRF_P_STRIDE] - p[PRF_P_PAD]; x < ox * p[PRF_P_STRIDE] - p[PRF_P_PAD] + p[PRF_P_S]; x++)
            if (y >= 0 && x >= 0 && y < in.h && x < in.w) {
                most = fmax(most, at(work->in, in, n, c, y, x));
                sum += at(work->in, in, n, c, y, x);
                count++;
            }
    return work->layer->kind == PRF_MAXPOOL2D ? most : sum / count;
}

static double softmax(const work_t *work, prf_shape_t in, int64_t n, int64_t c)
{
    double sum = 0;
    for (int64_t i = 0; i < in.c; i++)
        sum += exp((double)work->in[n * in.c + i]);
    return exp((double)work->in[n * in.c + c]) / sum;
}

static double activate(int fn, double x)
{
    switch (fn) {
    case PRF_FN_RELU:
        return fmax(x, 0);
    case PRF_FN_RELU6:
        return fmin(fmax(x, 0), 6);
    case PRF_FN_SIGMOID:
        return 1 / (1 + exp(-x));
    case PRF_FN_TANH:
        return tanh(x);
    case PRF_FN_SWISH:
        return x / (1 + exp(-x));
    case PRF_FN_GELU:
        return 0.5 * x * (1 + erf(x * sqrt(0.5)));
    default:
        return x;
    }
}

/* One number of the layer's output. */
static double value_of(const work_t *work, int64_t n, int64_t c, int64_t h, int64_t w)
{
    const prf_layer_t *layer = work->layer;
    const int32_t *p = layer->p;
    prf_shape_t in = prf_layer_in_shape(layer);
    switch (layer->kind) {
    case PRF_CONVTRANSPOSE2D:
        return work->scale * convolve_transposed(work, in, n, c, h, w) + (double)work->bias[c];
    case PRF_FC:
        return work->scale * multiply(work->in, work->weights, n, c, in.c) + (double)work->bias[c];
    case PRF_MATMUL:
        return work->scale * multiply(work->in, work->operand, n * p[PRF_P_M] + h, n * p[PRF_P_N] + w, p[PRF_P_K]);
    case PRF_MAXPOOL2D:
    case PRF_AVGPOOL2D:
        return pool(work, in, n, c, h, w);
    case PRF_ADD:
        return at(work->in, in, n, c, h, w) + at(work->operand, in, n, c, h, w);
    case PRF_ACTIVATION:
        return activate(p[PRF_P_FN], at(work->in, in, n, c, h, w));
    case PRF_SOFTMAX:
        return softmax(work, in, n, c);
    default:
        return work->scale * convolve(work, in, n, c, h, w) + (double)work->bias[c];
    }
}

static float round_to(prf_dtype_t dtype, double value)
{
    return (float)(dtype == PRF_I8 ? fmax(-128, fmin(127, nearbyint(value))) : value);
}

/* What the step makes of `in` and, unless it has its own, `operand`; owned by the caller. */
static float *expected(const prf_cuda_step_t *step, const float *in, const float *operand)
{
    float *weights = tensor(step, PRF_CUDA_WEIGHTS), *bias = tensor(step, PRF_CUDA_BIAS);
    const work_t work = {&step->layer, in, operand, weights, bias, (double)step->scale};
    prf_shape_t s = prf_layer_out_shape(&step->layer);
    float *values = calloc(count_of(&s), sizeof *values);
    cr_assert_not_null(values);
    for (int64_t i = 0; i < (int64_t)count_of(&s); i++)
        values[i] = round_to(
            step->dtype, activate(step->fused, value_of(&work, i / s.w / s.h / s.c, i / s.w / s.h % s.c, i / s.w % s.h, i % s.w)));
    free(weights);
    free(bias);
    return values;
}

static void compare(const char *what, prf_dtype_t dtype, const float *got, const float *wanted, size_t count)
{
    static const double tolerance[PRF_DTYPES] = {[PRF_F32] = 1e-4, [PRF_F16] = 4e-3, [PRF_BF16] = 3e-2, [PRF_I8] = 1};
    size_t different = 0;
    for (size_t i = 0; i < count; i++) {
        double most = tolerance[dtype] * (dtype == PRF_I8 ? 1 : fmax(1, fabs((double)wanted[i])));
        cr_assert(fabs((double)got[i] - (double)wanted[i]) <= most, "%s %s: number %zu is %g, not %g", what, prf_dtype_name(dtype),
                  i, (double)got[i], (double)wanted[i]);
        different += fabs((double)got[i] - (double)got[0]) > most;
    }
    cr_assert(count == 1 || different > 0, "%s: all numbers are alike, so nothing was compared", what);
}

static void check(const char *text, prf_dtype_t dtype, size_t steps)
{
    prf_kernel_t *kernel = prepare(text, dtype);
    cr_assert_eq(prf_cuda_steps(kernel), steps, "%s: %zu steps", text, prf_cuda_steps(kernel));
    const prf_cuda_step_t *step = prf_cuda_step(kernel, 0);
    float *values = tensor(step, PRF_CUDA_INPUT), *operand = tensor(step, PRF_CUDA_OPERAND);
    prf_reading_t reading = run(kernel, PRF_CACHE_WARM);
    cr_expect(reading.latency_ns > 0 && reading.latency_ns < 10e9, "%s: %g ns", text, reading.latency_ns);
    for (size_t i = 0; i < steps; i++) {
        step = prf_cuda_step(kernel, i);
        float *next = expected(step, values, operand);
        free(values);
        values = next;
    }
    float *got = tensor(step, PRF_CUDA_OUTPUT);
    compare(text, dtype, got, values, count_of(&step->tensors[PRF_CUDA_OUTPUT].shape));
    free(got);
    free(values);
    free(operand);
    backend->release(&kernel);
}

/* ---- what layers compute ---- */

static void check_convolutions(prf_dtype_t dtype)
{
    check("conv2d n=2 c=20 k=36 h=9 w=11 r=3 s=3 stride=2 pad=1", dtype, 1);
    check("conv2d n=1 c=4 k=40 h=14 w=14 r=5 s=5 stride=2 pad=2", dtype, 1);
    check("conv1d n=2 c=40 w=101 k=24 f=9 stride=2 pad=4", dtype, 1);
    if (dtype != PRF_I8 && board->layout == PRF_CUDA_LAYOUT_AUTO) /* not in every layout and type on every card */
        check("conv2d n=1 c=16 k=16 h=10 w=12 r=3 s=2 stride=1 pad=2 dilation=2 groups=4", dtype, 1);
}

Test(cuda, convolutions_compute_their_definition_with_bias)
{
    check_convolutions(PRF_F32);
    check_convolutions(PRF_F16);
    check("conv2d n=1 c=3 k=33 h=14 w=14 r=7 s=7 stride=2 pad=3", PRF_F32, 1);
    check("dwconv2d n=1 c=37 h=12 w=12 r=3 s=3 stride=2 pad=1", PRF_F32, 1);
    check("dwconv2d n=1 c=32 h=12 w=12 r=3 s=3 stride=1 pad=1", PRF_F16, 1);
}

Test(cuda, convolutions_of_bf16_and_i8_where_the_card_has_them)
{
    prf_board_facts_t facts;
    backend->describe(board, &facts);
    if (facts.dtypes & 1U << PRF_BF16)
        check_convolutions(PRF_BF16);
    if (facts.dtypes & 1U << PRF_I8)
        check_convolutions(PRF_I8);
}

Test(cuda_open, convolutions_compute_the_same_in_the_other_layout)
{
    open_with("layout=nhwc");
    check_convolutions(PRF_F32);
    backend->close(&board);
    open_with("layout=nchw");
    check_convolutions(PRF_F16);
}

Test(cuda, transposed_convolutions_scatter_each_input)
{
    check("convtranspose2d n=1 c=3 k=5 h=4 w=4 r=3 s=3 stride=2 pad=1", PRF_F32, 1);
    check("convtranspose2d n=2 c=8 k=12 h=5 w=7 r=4 s=4 stride=2 pad=1 groups=2", PRF_F32, 1);
    check("convtranspose2d n=1 c=8 k=16 h=4 w=4 r=2 s=2 stride=2", PRF_F16, 1);
}

Test(cuda, relu_is_a_part_of_convolutions_and_gelu_of_fully_connected_layers)
{
    check("conv2d n=1 c=16 k=32 h=8 r=3 pad=1 + relu", PRF_F32, 1);
    check("conv2d n=1 c=16 k=32 h=8 r=3 pad=1 + relu", PRF_F16, 1);
    check("convtranspose2d c=4 k=4 h=4 r=2 stride=2 + relu", PRF_F32, 1);
    check("fc n=2 in=24 out=32 + relu", PRF_F32, 1);
    check("fc n=2 in=24 out=32 + gelu", PRF_F16, 1);
}

Test(cuda, other_activations_are_steps_of_their_own)
{
    check("conv2d n=1 c=16 k=32 h=8 r=3 pad=1 + relu6", PRF_F32, 2);
    check("dwconv2d n=1 c=16 h=8 r=3 pad=1 + swish", PRF_F32, 2);
    check("fc n=2 in=24 out=32 + sigmoid", PRF_F32, 2);
}

Test(cuda, products_compute_their_definition)
{
    check("fc n=3 in=40 out=28", PRF_F32, 1);
    check("fc n=1 in=64 out=100", PRF_F16, 1);
    check("matmul b=3 m=10 n=12 k=20", PRF_F32, 1);
    check("matmul b=2 m=16 n=24 k=8", PRF_F16, 1);
    check("fc n=5 in=64 out=32 + relu", PRF_I8, 1);
    check("matmul b=2 m=6 n=8 k=32", PRF_I8, 1);
}

Test(cuda, pooling_addition_activations_and_softmax_compute_their_definition)
{
    static const prf_dtype_t types[] = {PRF_F32, PRF_F16};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        check("maxpool2d n=1 c=12 h=13 r=3 stride=2 pad=1", types[i], 1);
        check("avgpool2d n=2 c=12 h=8 w=6 r=2", types[i], 1);
        check("add n=2 c=12 h=5 w=7", types[i], 1);
        check("softmax n=3 features=50", types[i], 1);
        check("activation n=1 c=8 h=5 w=4 fn=1", types[i], 1);
        check("activation n=1 c=8 h=5 w=4 fn=2", types[i], 1);
        check("activation n=1 c=8 h=5 w=4 fn=3", types[i], 1);
        check("activation n=1 c=8 h=5 w=4 fn=6", types[i], 1);
    }
}

/* ---- networks ---- */

static prf_kernel_t *network(const char *const *texts, size_t count, const prf_edge_t *edges, size_t edge_count, prf_dtype_t dtype)
{
    prf_block_t blocks[8];
    for (size_t i = 0; i < count; i++)
        blocks[i] = parse(texts[i], dtype);
    const prf_chain_t chain = {blocks, count, edges, edge_count};
    prf_kernel_t *kernel = NULL;
    prf_error_t err = {0};
    cr_assert_eq(backend->prepare_network(board, &chain, PRF_CACHE_WARM, &kernel, &err), PRF_OK, "%s", err.text);
    return kernel;
}

/* A residual block: its input is needed until the addition, so nothing in between may overwrite it. */
static void check_residual(prf_dtype_t dtype)
{
    static const char *const texts[] = {"conv2d c=8 k=16 h=8 r=3 pad=1 + relu", "conv2d c=16 k=16 h=8 r=3 pad=1 + relu6",
                                        "conv2d c=16 k=16 h=8 r=3 pad=1", "add c=16 h=8 + relu"};
    static const prf_edge_t edges[] = {{0, -1}, {1, 0}, {2, 1}, {3, 2}, {3, 0}};
    prf_kernel_t *kernel = network(texts, 4, edges, 5, dtype);
    cr_assert_eq(prf_cuda_steps(kernel), 6);
    float *in = tensor(prf_cuda_step(kernel, 0), PRF_CUDA_INPUT);
    run(kernel, PRF_CACHE_SEMI_COLD);
    run(kernel, PRF_CACHE_WARM);
    float *first = expected(prf_cuda_step(kernel, 0), in, NULL);
    float *second = expected(prf_cuda_step(kernel, 1), first, NULL), *clipped = expected(prf_cuda_step(kernel, 2), second, NULL);
    float *third = expected(prf_cuda_step(kernel, 3), clipped, NULL), *sum = expected(prf_cuda_step(kernel, 4), third, first);
    float *wanted = expected(prf_cuda_step(kernel, 5), sum, NULL), *got = tensor(prf_cuda_step(kernel, 5), PRF_CUDA_OUTPUT);
    compare("residual block", dtype, got, wanted, 16 * 8 * 8);
    float *all[] = {in, first, second, clipped, third, sum, wanted, got};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    backend->release(&kernel);
}

Test(cuda, a_network_hands_on_what_its_edges_say)
{
    check_residual(PRF_F32);
    check_residual(PRF_F16);
}

Test(cuda, an_activation_overwrites_only_what_nobody_else_reads)
{
    static const char *const texts[] = {"conv2d c=8 k=16 h=8 r=1", "activation c=16 h=8 fn=2", "add c=16 h=8"};
    static const prf_edge_t edges[] = {{0, -1}, {1, 0}, {2, 1}, {2, 0}};
    prf_kernel_t *kernel = network(texts, 3, edges, 4, PRF_F32);
    float *in = tensor(prf_cuda_step(kernel, 0), PRF_CUDA_INPUT);
    run(kernel, PRF_CACHE_WARM);
    float *first = expected(prf_cuda_step(kernel, 0), in, NULL), *second = expected(prf_cuda_step(kernel, 1), first, NULL);
    float *wanted = expected(prf_cuda_step(kernel, 2), second, first), *got = tensor(prf_cuda_step(kernel, 2), PRF_CUDA_OUTPUT);
    compare("sum of a layer and its activation", PRF_F32, got, wanted, 16 * 8 * 8);
    float *all[] = {in, first, second, wanted, got};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    backend->release(&kernel);
}

static void check_joined(prf_dtype_t dtype)
{
    static const char *const texts[] = {"conv2d n=2 c=8 k=4 h=6 r=1", "conv2d n=2 c=8 k=12 h=6 r=3 pad=1",
                                        "conv2d n=2 c=16 k=8 h=6 r=1"};
    static const prf_edge_t edges[] = {{0, -1}, {1, -1}, {2, 0}, {2, 1}};
    prf_kernel_t *kernel = network(texts, 3, edges, 4, dtype);
    float *in = tensor(prf_cuda_step(kernel, 0), PRF_CUDA_INPUT);
    run(kernel, PRF_CACHE_WARM);
    float *a = expected(prf_cuda_step(kernel, 0), in, NULL), *b = expected(prf_cuda_step(kernel, 1), in, NULL);
    float joined[2 * 16 * 36];
    for (size_t n = 0; n < 2; n++) {
        memcpy(joined + n * 16 * 36, a + n * 4 * 36, 4 * 36 * sizeof *a);
        memcpy(joined + n * 16 * 36 + 4 * 36, b + n * 12 * 36, 12 * 36 * sizeof *b);
    }
    float *wanted = expected(prf_cuda_step(kernel, 2), joined, NULL), *got = tensor(prf_cuda_step(kernel, 2), PRF_CUDA_OUTPUT);
    compare("joined inputs", dtype, got, wanted, 2 * 8 * 36);
    float *all[] = {in, a, b, wanted, got};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    backend->release(&kernel);
}

Test(cuda, several_inputs_are_joined_along_the_channels_in_either_layout)
{
    check_joined(PRF_F32);
    check_joined(PRF_F16);
}

/* The second summand is read from the second input even where there are three: all that is read of it has to be there. */
Test(cuda, an_addition_of_three_inputs_reads_no_further_than_there_is)
{
    needs_imitation("none");
    static const char *const texts[] = {"conv2d c=8 k=16 h=8 r=1", "conv2d c=8 k=2 h=8 r=1", "add c=16 h=8"};
    static const prf_edge_t edges[] = {{0, -1}, {1, -1}, {2, 0}, {2, 1}, {2, -1}};
    prf_kernel_t *kernel = network(texts, 3, edges, 5, PRF_F32);
    const prf_cuda_tensor_t *operand = &prf_cuda_step(kernel, 2)->tensors[PRF_CUDA_OPERAND];
    cr_expect_eq(operand->at, prf_cuda_step(kernel, 1)->tensors[PRF_CUDA_OUTPUT].at);
    cr_expect_geq((double)malloc_usable_size(operand->at), prf_cuda_tensor_bytes(operand));
    run(kernel, PRF_CACHE_WARM);
    backend->release(&kernel);
}

Test(cuda, without_edges_each_block_follows_the_one_before)
{
    static const char *const texts[] = {"conv2d c=8 k=4 h=6 r=1", "maxpool2d c=4 h=6 r=2", "fc in=36 out=8"};
    prf_kernel_t *kernel = network(texts, 3, NULL, 0, PRF_F32);
    cr_expect(run(kernel, PRF_CACHE_SEMI_COLD).latency_ns > 0);
    cr_expect_eq(prf_cuda_step(kernel, 1)->tensors[PRF_CUDA_OUTPUT].at, prf_cuda_step(kernel, 2)->tensors[PRF_CUDA_INPUT].at);
    backend->release(&kernel);
}

/* ---- what is refused ---- */

static void check_refusal(const char *text, prf_dtype_t dtype, const char *reason)
{
    prf_kernel_t *kernel;
    prf_error_t err = {0};
    cr_expect_eq(try_prepare(text, dtype, &kernel, &err), PRF_EUNSUPPORTED, "%s", text);
    cr_expect(strstr(err.text, reason), "%s: %s", text, err.text);
    cr_expect_null(kernel);
}

Test(cuda, what_the_libraries_cannot_do_is_unsupported_and_says_why)
{
    check_refusal("layernorm n=4 features=64", PRF_F32, "no call for it");
    check_refusal("activation c=8 h=4 fn=4", PRF_F32, "gelu");
    check_refusal("conv2d c=6 k=8 h=8 r=3 pad=1", PRF_I8, "multiples of 4");
    check_refusal("fc in=64 out=30", PRF_I8, "multiples of 4");
    check_refusal("conv2d n=64 c=1024 k=1024 h=1024 r=1", PRF_F32, "leave it out");
    check_refusal("convtranspose2d c=8 k=8 h=4 r=2 stride=2", PRF_I8, "convtranspose2d");
}

Test(cuda_open, i8_lies_channels_last_only)
{
    open_with("layout=nchw");
    check_refusal("conv2d c=8 k=8 h=8 r=3 pad=1", PRF_I8, "layout=nchw");
}

/* Some algorithms need more workspace than there may be: they are passed over, and refused when they are all that may be used. */
Test(cuda_open, an_algorithm_that_was_asked_for_is_used_or_refused)
{
    open_with("algorithm=implicit-gemm");
    check("conv2d c=8 k=8 h=8 r=3 pad=1", PRF_F32, 1);
    backend->close(&board);
    needs_imitation("none");
    open_with("algorithm=fft");
    check_refusal("conv2d c=8 k=8 h=8 r=3 pad=1", PRF_F32, "workspace");
}

static void check_open(const char *option, prf_status_t wanted, const char *text)
{
    prf_error_t err = {0};
    cr_expect_eq(prf_backend_find("cuda")->open(&option, option ? 1 : 0, &board, &err), wanted, "%s: %s", text, err.text);
    cr_expect(strstr(err.text, text), "%s: %s", text, err.text);
    cr_expect_null(board);
}

Test(cuda_open, a_wrong_option_is_told)
{
    check_open("device=7000", PRF_EINVAL, "device");
    check_open("device=1000", PRF_ENOTFOUND, "counted from 0");
    check_open("tf32=maybe", PRF_EINVAL, "off, on");
    check_open("algorithm=best", PRF_EINVAL, "precomp-gemm");
    check_open("speed=high", PRF_EINVAL, "unknown option");
}

/* ---- what may be wrong with a card ---- */

Test(cuda_open, a_machine_without_a_card_or_driver_is_told_so)
{
    needs_imitation("no-device");
    check_open(NULL, PRF_ENOTFOUND, "nvidia-smi");
    setenv("PRF_IMITATION", "no-driver", 1);
    check_open(NULL, PRF_ENOTFOUND, "install NVIDIA's driver");
}

Test(cuda, memory_that_runs_out_costs_a_layer)
{
    prf_kernel_t *kernel;
    prf_error_t err = {0};
    needs_imitation("memory");
    cr_expect_eq(try_prepare("add n=1 c=64 h=128", PRF_F32, &kernel, &err), PRF_ENOMEM, "%s", err.text);
    check("add n=1 c=4 h=8", PRF_F32, 1);
}

Test(cuda, a_workspace_that_cannot_grow_stays_for_those_who_use_it)
{
    needs_imitation("none");
    prf_kernel_t *kernel = prepare("fc n=2 in=24 out=32", PRF_F32);
    prf_error_t err = {0};
    setenv("PRF_IMITATION", "memory", 1);
    cr_expect_eq(prf_cuda_workspace(board, board->workspace_bytes + 1, &err), PRF_ENOMEM, "%s", err.text);
    run(kernel, PRF_CACHE_WARM);
    backend->release(&kernel);
}

Test(cuda, a_context_that_is_lost_is_a_crash)
{
    prf_kernel_t *kernel;
    prf_error_t err = {0};
    needs_imitation("lost");
    cr_expect_eq(try_prepare("conv2d c=8 k=8 h=8 r=3 pad=1", PRF_F32, &kernel, &err), PRF_ECRASH, "%s", err.text);
    cr_expect(strstr(err.text, "illegal memory access"), "%s", err.text);
}

static prf_sample_t measure(const char *text)
{
    prf_protocol_t protocol;
    prf_protocol_default(&protocol);
    protocol.cache = PRF_CACHE_SEMI_COLD;
    prf_block_t block = parse(text, PRF_F32);
    const prf_chain_t chain = {.blocks = &block, .count = 1};
    prf_sample_t sample = {0};
    prf_error_t err = {0};
    cr_assert_eq(prf_measure(backend, board, &protocol, &chain, &sample, &err), PRF_OK, "%s", err.text);
    cr_assert(prf_sample_plausible(&sample));
    return sample;
}

Test(cuda, heat_taints_a_sample_and_idleness_does_not)
{
    needs_imitation("hot");
    cr_expect(measure("add n=1 c=4 h=8").taint & PRF_TAINT_THROTTLED);
    setenv("PRF_IMITATION", "idle", 1);
    cr_expect(!(measure("add n=1 c=4 h=8").taint & PRF_TAINT_THROTTLED));
}

Test(cuda, a_sample_has_the_cards_clock_and_temperature)
{
    prf_sample_t sample = measure("add n=1 c=64 h=56");
    cr_expect(sample.repeats >= 5);
    needs_imitation("none");
    cr_expect_eq(sample.clock_khz, 1410000);
    cr_expect_eq(sample.temperature_mc, 55000);
}

Test(cuda_open, energy_is_the_cards_account_over_the_runs)
{
    needs_imitation("none");
    open_with("energy=on");
    prf_kernel_t *kernel = prepare("conv2d c=16 k=32 h=16 r=3 pad=1", PRF_F32);
    prf_reading_t reading = run(kernel, PRF_CACHE_WARM);
    double watts = reading.energy_nj / reading.latency_ns; /* the imitated card takes 50; the latency is another second's */
    cr_expect(watts > 15 && watts < 150, "%g W", watts);
    backend->release(&kernel);
}

Test(cuda, the_fingerprint_names_all_that_decides_about_speed)
{
    prf_board_facts_t facts;
    backend->describe(board, &facts);
    static const char *const parts[] = {"cuda ", "cudnn 9.", "cublas ", "tf32=off", "layout=auto", "algorithm=fastest"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        cr_expect(strstr(facts.fingerprint, parts[i]), "%s: %s", facts.fingerprint, parts[i]);
    if (getenv("PRF_IMITATION"))
        cr_expect(strstr(facts.fingerprint, "driver 575.51.03 1500 MHz 100 W Imitation"), "%s", facts.fingerprint);
}

Test(cuda_open, halves_come_back_as_they_were)
{
    static const float values[] = {0, 1, -2.5F, 65504, 6.103515625e-5F, -0.333251953125F};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        cr_expect_float_eq((double)prf_cuda_from_half(prf_cuda_half(values[i])), (double)values[i], 1e-9);
    cr_expect(isinf(prf_cuda_from_half(prf_cuda_half(1e6F))));
}
