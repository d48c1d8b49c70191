// SPDX-License-Identifier: Apache-2.0
/* The onednn backend computes what the layer says, in as many primitives as it should, and refuses what it cannot hold. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/registry.h"

#ifndef HAVE_ONEDNN
Test(onednn, is_built)
{
    cr_skip_test("this build has no oneDNN (Debian: libdnnl-dev)");
}
#else
#include "backends/onednn.h"

static const prf_backend_t *backend;
static prf_board_t *board;

static void open_board(void)
{
    prf_error_t err = {0};
    backend = prf_backend_find("onednn");
    cr_assert_not_null(backend);
    cr_assert_eq(backend->open(NULL, 0, &board, &err), PRF_OK, "%s", err.text);
}

static void close_board(void)
{
    backend->close(&board);
    cr_assert_null(board);
}

TestSuite(onednn, .init = open_board, .fini = close_board);

static prf_block_t parse(const char *text)
{
    prf_block_t block;
    prf_error_t err = {0};
    cr_assert_eq(prf_block_parse(&block, text, &err), PRF_OK, "%s: %s", text, err.text);
    return block;
}

static prf_kernel_t *prepare(const char *text, uint32_t position, uint32_t length)
{
    prf_block_t block = parse(text);
    const prf_place_t place = {.position = position, .length = length};
    prf_kernel_t *kernel = NULL;
    prf_error_t err = {0};
    cr_assert_eq(backend->prepare(board, &block, &place, &kernel, &err), PRF_OK, "%s: %s", text, err.text);
    return kernel;
}

static void run(prf_kernel_t *kernel)
{
    prf_error_t err = {0};
    prf_reading_t unused = {0};
    cr_assert_eq(backend->run(kernel, &(prf_run_t){.iterations = 1}, &unused, &err), PRF_OK, "%s", err.text);
}

static float *tensor(const prf_kernel_t *kernel, prf_tensor_t which, double count)
{
    prf_error_t err = {0};
    float *values = calloc((size_t)count, sizeof *values);
    cr_assert_not_null(values);
    cr_assert_eq(prf_onednn_read(kernel, 0, which, values, (size_t)count, &err), PRF_OK, "%s", err.text);
    return values;
}

/* One output value of a (grouped, dilated, strided, padded) convolution by its definition. */
static double convolve(const prf_layer_t *l, const float *in, const float *weights, int64_t n, int64_t k, int64_t oy, int64_t ox)
{
    const int32_t *p = l->p;
    prf_shape_t shape = prf_layer_in_shape(l);
    bool flat = l->kind == PRF_CONV1D;
    int64_t groups = flat ? 1 : p[PRF_P_GROUPS], dilation = flat ? 1 : p[PRF_P_DILATION], stride = p[PRF_P_STRIDE];
    int64_t r = flat ? 1 : p[PRF_P_R], s = flat ? p[PRF_P_F] : p[PRF_P_S], depth = shape.c / groups;
    int64_t first = k / (p[PRF_P_K] / groups) * depth;
    double sum = 0;
    for (int64_t c = 0; c < depth; c++)
        for (int64_t ky = 0; ky < r; ky++)
            for (int64_t kx = 0; kx < s; kx++) {
                int64_t y = flat ? 0 : oy * stride + ky * dilation - p[PRF_P_PAD], x = ox * stride + kx * dilation - p[PRF_P_PAD];
                if (y >= 0 && y < shape.h && x >= 0 && x < shape.w)
                    sum += (double)in[((n * shape.c + first + c) * shape.h + y) * shape.w + x] *
                           (double)weights[((k * depth + c) * r + ky) * s + kx];
            }
    return sum;
}

static void check_convolution(const char *text, bool relu)
{
    prf_block_t block = parse(text);
    const prf_layer_t *layer = &block.layers[0];
    prf_kernel_t *kernel = prepare(text, 0, 1);
    run(kernel);
    prf_shape_t out = prf_layer_out_shape(layer);
    float *input = tensor(kernel, PRF_TENSOR_INPUT, prf_layer_inputs(layer));
    float *weights = tensor(kernel, PRF_TENSOR_WEIGHTS, prf_layer_weights(layer));
    float *bias = tensor(kernel, PRF_TENSOR_BIAS, (double)out.c);
    float *output = tensor(kernel, PRF_TENSOR_OUTPUT, prf_layer_outputs(layer));
    size_t at = 0, positive = 0;
    for (int64_t n = 0; n < out.n; n++)
        for (int64_t k = 0; k < out.c; k++)
            for (int64_t y = 0; y < out.h; y++)
                for (int64_t x = 0; x < out.w; x++, at++) {
                    double value = convolve(layer, input, weights, n, k, y, x) + (double)bias[k];
                    if (relu && value < 0)
                        value = 0;
                    positive += value > 0;
                    cr_assert_float_eq(output[at], value, 1e-5, "%s: value %zu is %g, not %g", text, at, (double)output[at], value);
                }
    cr_assert(positive > 0, "%s: every output is zero, so nothing was compared", text);
    free(input);
    free(weights);
    free(bias);
    free(output);
    backend->release(&kernel);
}

Test(onednn, convolutions_compute_their_definition_with_bias)
{
    check_convolution("conv2d n=2 c=20 k=33 h=9 w=11 r=3 s=3 stride=2 pad=1 dtype=f32", false);
    check_convolution("conv2d n=1 c=3 k=40 h=14 w=14 r=7 s=7 stride=2 pad=3 dtype=f32", false);
    check_convolution("conv2d n=1 c=16 k=16 h=10 w=10 r=3 s=2 stride=1 pad=2 dilation=2 groups=4 dtype=f32", false);
    check_convolution("dwconv2d n=1 c=37 h=12 w=12 r=3 s=3 stride=2 pad=1 dtype=f32", false);
    check_convolution("conv1d n=1 c=40 w=101 k=24 f=9 stride=2 pad=4 dtype=f32", false);
}

Test(onednn, an_activation_behind_a_convolution_is_fused)
{
    const char *text = "conv2d n=1 c=16 k=32 h=8 w=8 r=3 s=3 stride=1 pad=1 + activation n=1 c=32 h=8 w=8 fn=0 dtype=f32";
    check_convolution(text, true);
    prf_kernel_t *kernel = prepare(text, 0, 1);
    cr_expect_eq(prf_onednn_steps(kernel), 1);
    backend->release(&kernel);
}

Test(onednn, transposed_convolution_scatters_each_input)
{
    const char *text = "convtranspose2d n=1 c=3 k=5 h=4 w=4 r=3 s=3 stride=2 pad=1 dtype=f32";
    prf_block_t block = parse(text);
    prf_shape_t in = prf_layer_in_shape(&block.layers[0]), out = prf_layer_out_shape(&block.layers[0]);
    prf_kernel_t *kernel = prepare(text, 0, 1);
    run(kernel);
    float *input = tensor(kernel, PRF_TENSOR_INPUT, prf_layer_inputs(&block.layers[0]));
    float *weights = tensor(kernel, PRF_TENSOR_WEIGHTS, prf_layer_weights(&block.layers[0]));
    float *bias = tensor(kernel, PRF_TENSOR_BIAS, (double)out.c);
    float *output = tensor(kernel, PRF_TENSOR_OUTPUT, prf_layer_outputs(&block.layers[0]));
    for (int64_t k = 0; k < out.c; k++)
        for (int64_t oy = 0; oy < out.h; oy++)
            for (int64_t ox = 0; ox < out.w; ox++) {
                double sum = (double)bias[k];
                for (int64_t c = 0; c < in.c; c++)
                    for (int64_t y = 0; y < in.h; y++)
                        for (int64_t x = 0; x < in.w; x++) {
                            int64_t ky = oy + 1 - 2 * y, kx = ox + 1 - 2 * x;
                            if (ky >= 0 && ky < 3 && kx >= 0 && kx < 3)
                                sum +=
                                    (double)input[(c * in.h + y) * in.w + x] * (double)weights[((k * in.c + c) * 3 + ky) * 3 + kx];
                        }
                cr_assert_float_eq(output[(k * out.h + oy) * out.w + ox], sum, 1e-5, "%d %d %d: %g, not %g", (int)k, (int)oy,
                                   (int)ox, (double)output[(k * out.h + oy) * out.w + ox], sum);
            }
    free(input);
    free(weights);
    free(bias);
    free(output);
    backend->release(&kernel);
}

static void check_products(const char *text, int64_t rows, int64_t depth, int64_t columns, bool fc)
{
    prf_kernel_t *kernel = prepare(text, 0, 1);
    run(kernel);
    float *a = tensor(kernel, PRF_TENSOR_INPUT, (double)(rows * depth));
    float *b = tensor(kernel, PRF_TENSOR_WEIGHTS, (double)(depth * columns));
    float *bias = fc ? tensor(kernel, PRF_TENSOR_BIAS, (double)columns) : NULL;
    float *c = tensor(kernel, PRF_TENSOR_OUTPUT, (double)(rows * columns));
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            double sum = bias ? (double)bias[j] : 0;
            for (int64_t d = 0; d < depth; d++)
                sum += (double)a[i * depth + d] * (double)(fc ? b[j * depth + d] : b[d * columns + j]);
            cr_assert_float_eq(c[i * columns + j], sum, 1e-5, "%s: row %d, column %d", text, (int)i, (int)j);
        }
    free(a);
    free(b);
    free(bias);
    free(c);
    backend->release(&kernel);
}

Test(onednn, fc_and_matmul_compute_their_definition)
{
    check_products("fc n=3 in=70 out=33 dtype=f32", 3, 70, 33, true);
    check_products("matmul b=1 m=17 n=9 k=40 dtype=f32", 17, 40, 9, false);
}

Test(onednn, activations_compute_their_function)
{
    for (size_t f = 0; f < PRF_FN_COUNT; f++) {
        char text[96];
        snprintf(text, sizeof text, "activation n=1 c=20 h=5 w=5 fn=%zu dtype=f32", f);
        prf_kernel_t *kernel = prepare(text, 0, 1);
        run(kernel);
        float *in = tensor(kernel, PRF_TENSOR_INPUT, 500), *out = calloc(500, sizeof *out);
        cr_assert_not_null(out);
        prf_error_t err = {0};
        cr_assert_eq(prf_onednn_read(kernel, prf_onednn_steps(kernel) - 1, PRF_TENSOR_OUTPUT, out, 500, &err), PRF_OK);
        for (size_t i = 0; i < 500; i++) {
            double x = (double)in[i];
            double want[] = {fmax(x, 0),
                             fmin(fmax(x, 0), 6),
                             1 / (1 + exp(-x)),
                             tanh(x),
                             x * (1 + erf(x / sqrt(2))) / 2,
                             x * fmin(fmax(x + 3, 0), 6) / 6,
                             x / (1 + exp(-x)),
                             fmin(fmax(x / 6 + 0.5, 0), 1)};
            cr_assert_float_eq(out[i], want[f], 1e-4, "%s of %g is %g, not %g", prf_activation_name((prf_activation_t)f), x,
                               (double)out[i], want[f]);
        }
        free(in);
        free(out);
        backend->release(&kernel);
    }
}

Test(onednn, every_kind_runs_in_f32_without_reference_code_for_convolutions)
{
    static const char *const blocks[] = {
        "conv1d n=1 c=16 w=101 k=24 f=9 stride=1 pad=4 dtype=f32",
        "conv2d n=1 c=3 k=32 h=33 w=33 r=3 s=3 stride=2 pad=1 dtype=f32",
        "conv2d n=1 c=7 k=65 h=14 w=14 r=3 s=3 stride=1 pad=1 dtype=f32",
        "dwconv2d n=1 c=5 h=28 w=28 r=3 s=3 stride=1 pad=1 dtype=f32",
        "convtranspose2d n=1 c=32 k=16 h=14 w=14 r=2 s=2 stride=2 pad=0 dtype=f32",
        "fc n=1 in=512 out=1000 dtype=f32",
        "matmul b=4 m=49 n=49 k=32 dtype=f32",
        "maxpool2d n=1 c=64 h=56 w=56 r=3 s=3 stride=2 pad=1 dtype=f32",
        "avgpool2d n=1 c=512 h=7 w=7 r=7 s=7 stride=7 pad=0 dtype=f32",
        "add n=1 c=64 h=28 w=28 dtype=f32",
        "activation n=1 c=64 h=28 w=28 fn=0 dtype=f32",
        "softmax n=49 features=1000 dtype=f32",
        "layernorm n=49 features=768 dtype=f32",
    };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        prf_kernel_t *kernel = prepare(blocks[i], 0, 1);
        run(kernel);
        cr_expect(strncmp(prf_onednn_step_impl(kernel, 0), "ref", 3) != 0, "%s runs as %s", blocks[i],
                  prf_onednn_step_impl(kernel, 0));
        backend->release(&kernel);
    }
}

Test(onednn, eight_bit_layers_run)
{
    static const char *const blocks[] = {
        "conv2d n=1 c=64 k=64 h=14 w=14 r=3 s=3 stride=1 pad=1 + activation n=1 c=64 h=14 w=14 fn=0 dtype=i8",
        "dwconv2d n=1 c=32 h=28 w=28 r=3 s=3 stride=1 pad=1 dtype=i8",
        "convtranspose2d n=1 c=32 k=16 h=14 w=14 r=2 s=2 stride=2 pad=0 dtype=i8",
        "fc n=1 in=512 out=1000 dtype=i8",
        "matmul b=4 m=49 n=49 k=32 dtype=i8",
        "maxpool2d n=1 c=64 h=56 w=56 r=3 s=3 stride=2 pad=1 dtype=i8",
        "add n=1 c=64 h=28 w=28 dtype=i8",
    };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        prf_kernel_t *kernel = prepare(blocks[i], 0, 1);
        run(kernel);
        backend->release(&kernel);
    }
}

Test(onednn, layers_that_are_not_activations_run_one_after_the_other)
{
    prf_kernel_t *kernel = prepare("conv2d n=1 c=16 k=32 h=8 w=8 r=3 s=3 stride=1 pad=1 + activation n=1 c=32 h=8 w=8 fn=0 + "
                                   "maxpool2d n=1 c=32 h=8 w=8 r=2 s=2 stride=2 pad=0 dtype=f32",
                                   0, 1);
    run(kernel);
    cr_assert_eq(prf_onednn_steps(kernel), 2);
    float before[32 * 8 * 8], after[32 * 8 * 8];
    prf_error_t err = {0};
    cr_assert_eq(prf_onednn_read(kernel, 0, PRF_TENSOR_OUTPUT, before, 32 * 64, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_onednn_read(kernel, 1, PRF_TENSOR_INPUT, after, 32 * 64, &err), PRF_OK, "%s", err.text);
    cr_expect_eq(memcmp(before, after, sizeof before), 0, "the pooling does not read what the convolution wrote");
    backend->release(&kernel);
}

Test(onednn, a_chain_hands_activations_on_and_stays_finite)
{
    prf_kernel_t *chain[8];
    for (uint32_t i = 0; i < 8; i++)
        chain[i] = prepare(
            i % 3 == 2 ? "add n=1 c=32 h=8 w=8 dtype=f32" : "conv2d n=1 c=32 k=32 h=8 w=8 r=3 s=3 stride=1 pad=1 dtype=f32", i, 8);
    for (int round = 0; round < 200; round++)
        for (uint32_t i = 0; i < 8; i++)
            run(chain[i]);
    float *out = tensor(chain[6], PRF_TENSOR_OUTPUT, 32 * 64), *in = tensor(chain[7], PRF_TENSOR_INPUT, 32 * 64);
    double magnitude = 0;
    for (size_t i = 0; i < 32 * 64; i++) {
        cr_assert(isfinite(out[i]) && fabsf(out[i]) < 100, "value %zu is %g", i, (double)out[i]);
        magnitude = fmax(magnitude, fabs((double)out[i]));
    }
    cr_expect(magnitude > 1e-3, "the chain's values decayed to %g", magnitude);
    cr_expect_eq(memcmp(out, in, 32 * 64 * sizeof *out), 0, "block 7 does not read what block 6 wrote");
    free(out);
    free(in);
    for (uint32_t i = 0; i < 8; i++)
        backend->release(&chain[i]);
}

Test(onednn, arranging_the_caches_changes_no_result)
{
    prf_kernel_t *kernel =
        prepare("conv2d n=1 c=32 k=48 h=14 w=14 r=3 s=3 stride=1 pad=1 + activation n=1 c=48 h=14 w=14 dtype=f32", 0, 1);
    cr_expect_eq(backend->weight_bytes(kernel), (32 * 48 * 9 + 48) * sizeof(float));
    run(kernel);
    float *before = tensor(kernel, PRF_TENSOR_OUTPUT, 48 * 14 * 14);
    if (backend->flush_weights) /* not on every architecture */
        backend->flush_weights(kernel);
    backend->touch_input(kernel);
    run(kernel);
    float *after = tensor(kernel, PRF_TENSOR_OUTPUT, 48 * 14 * 14);
    cr_expect_eq(memcmp(before, after, 48 * 14 * 14 * sizeof *before), 0);
    free(before);
    free(after);
    backend->release(&kernel);
    kernel = prepare("matmul b=2 m=8 n=16 k=32 dtype=f32", 0, 1);
    cr_expect_eq(backend->weight_bytes(kernel), 0, "a matrix product has no weights");
    if (backend->flush_weights) /* not on every architecture */
        backend->flush_weights(kernel);
    backend->touch_input(kernel);
    backend->release(&kernel);
}

Test(onednn, many_chains_on_one_board_leave_no_memory_behind)
{
    for (int round = 0; round < 3; round++) {
        const char *big = round % 2 ? "add n=1 c=64 h=512 w=512 dtype=i8" : "add n=1 c=64 h=512 w=512 dtype=f32";
        prf_kernel_t *first = prepare(big, 0, 2), *second = prepare(big, 1, 2);
        run(first);
        run(second);
        backend->release(&second);
        backend->release(&first);
        cr_expect_null(first);
    }
    /* Three times a quarter of the limit: fits only when what was released is free again. */
    for (int i = 0; i < 3; i++) {
        prf_kernel_t *kernel = prepare("activation n=1 c=64 h=1024 w=1024 dtype=f32", 0, 1);
        backend->release(&kernel);
    }
}

Test(onednn, what_does_not_fit_is_refused_with_its_size)
{
    prf_block_t block = parse("conv2d n=1000 c=512 k=512 h=512 w=512 r=3 s=3 stride=1 pad=1 dtype=f32");
    const prf_place_t alone = {.length = 1};
    prf_kernel_t *kernel = NULL;
    prf_error_t err = {0};
    cr_assert_eq(backend->prepare(board, &block, &alone, &kernel, &err), PRF_EUNSUPPORTED);
    cr_expect(strstr(err.text, "GiB"), "%s", err.text);
    cr_expect_null(kernel);
    block = parse("fc n=1 in=1048576 out=1048576 dtype=f32");
    cr_assert_eq(backend->prepare(board, &block, &alone, &kernel, &err), PRF_EUNSUPPORTED);
    block = parse("softmax n=1 features=8 dtype=f16");
    cr_assert_eq(backend->prepare(board, &block, &alone, &kernel, &err), PRF_EUNSUPPORTED);
    const prf_place_t outside = {.position = 3, .length = 3};
    block = parse("softmax n=1 features=8 dtype=f32");
    cr_assert_eq(backend->prepare(board, &block, &outside, &kernel, &err), PRF_EINVAL);
}

Test(onednn, a_chain_of_two_data_types_is_refused)
{
    prf_kernel_t *first = prepare("fc n=1 in=64 out=64 dtype=f32", 0, 2);
    prf_block_t block = parse("fc n=1 in=64 out=64 dtype=i8");
    const prf_place_t second = {.position = 1, .length = 2};
    prf_kernel_t *kernel = NULL;
    prf_error_t err = {0};
    cr_expect_eq(backend->prepare(board, &block, &second, &kernel, &err), PRF_EUNSUPPORTED);
    backend->release(&first);
}

Test(onednn, options_are_checked)
{
    static const char *const bad[] = {"thread=2", "threads=0", "threads=two", "threads=", "cpu=-1", "cpu=100000", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        prf_board_t *other = NULL;
        prf_error_t err = {0};
        cr_expect_eq(backend->open(&bad[i], 1, &other, &err), PRF_EINVAL, "'%s' is taken", bad[i]);
        cr_expect_null(other);
    }
    const char *good[] = {"threads=1", "cpu=0"};
    prf_board_t *other = NULL;
    prf_error_t err = {0};
    cr_assert_eq(backend->open(good, 2, &other, &err), PRF_OK, "%s", err.text);
    prf_board_facts_t facts;
    backend->describe(other, &facts);
    cr_expect_eq(strncmp(facts.fingerprint, "onednn ", 7), 0, "%s", facts.fingerprint);
    cr_expect(strstr(facts.fingerprint, " threads=1"), "%s", facts.fingerprint);
    backend->close(&other);
}
#endif
