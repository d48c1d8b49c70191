// SPDX-License-Identifier: Apache-2.0
/* What a foreign, damaged or hostile ONNX file does: one clear error, never a crash, never all the memory. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "network/network.h"
#include "onnx_builder.h"

static prf_status_t decode(const char *bytes, size_t len, prf_error_t *err)
{
    prf_network_t net;
    *err = (prf_error_t){0};
    prf_status_t status = prf_network_decode(&net, bytes, len, "file.onnx", PRF_F32, 1, err);
    if (!status)
        prf_network_release(&net);
    return status;
}

static void refuses(onnx_builder_t *b, prf_status_t code, const char *because)
{
    size_t len;
    char *bytes = onnx_end(b, &len);
    prf_error_t err;
    prf_status_t status = decode(bytes, len, &err);
    free(bytes);
    cr_assert_eq(status, code, "said %s: %s", prf_status_name(status), err.text);
    cr_assert(strstr(err.text, because), "said '%s', not '%s'", err.text, because);
    cr_assert(strncmp(err.text, "file.onnx: ", 11) == 0, "'%s' does not name the file", err.text);
}

static char *small_network(size_t *len)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 3, 32, 32, 0);
    onnx_weight(&b, "w", 8, 3, 3, 3, 0);
    onnx_ints(&b, "flat", 2, (int64_t)1, (int64_t)-1);
    onnx_node(&b, "Conv", "x w", "c");
    onnx_attr_ints(&b, "pads", 4, 1, 1, 1, 1);
    onnx_node(&b, "Relu", "c", "r");
    onnx_node(&b, "Reshape", "r flat", "y");
    onnx_output(&b, "y");
    return onnx_end(&b, len);
}

Test(onnx, a_file_cut_anywhere_is_refused_as_malformed)
{
    size_t len;
    char *bytes = small_network(&len);
    prf_error_t err;
    cr_assert_eq(decode(bytes, len, &err), PRF_OK, "%s", err.text);
    for (size_t cut = 0; cut < len; cut++) {
        char *part = malloc(cut + 1);
        memcpy(part, bytes, cut);
        cr_assert_eq(decode(part, cut, &err), PRF_EPARSE, "cut at %zu of %zu: %s", cut, len, err.text);
        cr_assert(strstr(err.text, "truncated, or not an ONNX file"), "%s", err.text);
        free(part);
    }
    free(bytes);
}

Test(onnx, damaged_bytes_never_crash)
{
    size_t len;
    char *bytes = small_network(&len);
    prf_rng_t rng;
    prf_rng_init(&rng, 1, 0); /* seed 1: the same damage every time */
    for (int round = 0; round < 3000; round++) {
        char *copy = malloc(len);
        memcpy(copy, bytes, len);
        for (uint64_t i = 0, n = 1 + prf_rng_below(&rng, 3); i < n; i++)
            copy[prf_rng_below(&rng, len)] = (char)prf_rng_u64(&rng);
        prf_error_t err;
        prf_status_t status = decode(copy, len, &err);
        cr_assert(status == PRF_OK || status == PRF_EPARSE || status == PRF_EINVAL, "round %d: %s", round, err.text);
        free(copy);
    }
    free(bytes);
}

Test(onnx, other_files_are_refused)
{
    static const char *const foreign[] = {"", "campaign: quickstart\nseed: 1\n", "PK\003\004zip", "{\"json\": true}", "\177ELF"};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        prf_error_t err;
        cr_assert_eq(decode(foreign[i], strlen(foreign[i]), &err), PRF_EPARSE, "%zu: %s", i, err.text);
    }
    prf_network_t net;
    prf_error_t err = {0};
    cr_assert_eq(prf_network_load(&net, PRF_SOURCE_DIR "/nowhere.onnx", PRF_F32, 1, &err), PRF_ENOTFOUND);
    cr_assert(strstr(err.text, "nowhere.onnx"), "%s", err.text);
    cr_assert_eq(prf_network_load(&net, PRF_SOURCE_DIR, PRF_F32, 1, &err), PRF_EINVAL);
}

Test(onnx, dimensions_beyond_reason_are_refused)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 1 << 30, 1 << 30, 0);
    onnx_node(&b, "Relu", "x", "y");
    refuses(&b, PRF_EINVAL, "value 'x' has more than 2^48 elements");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, -5, 4, 4, 0);
    onnx_node(&b, "Relu", "x", "y");
    refuses(&b, PRF_EINVAL, "dimension 1 is -5");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 4, 8, 8, 0);
    onnx_weight(&b, "w", 1 << 30, 1 << 30, 4, 0);
    onnx_node(&b, "Conv", "x w", "y");
    refuses(&b, PRF_EINVAL, "tensor 'w' has more than 2^48 elements");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 1, 1, 1, 1, 1, 1, 1, 1, 0);
    onnx_node(&b, "Relu", "x", "y");
    refuses(&b, PRF_EINVAL, "at most 8 are read");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 4, 8, 8, 0);
    onnx_ints(&b, "many", 4, (int64_t)1, (int64_t)1 << 40, (int64_t)1, (int64_t)1);
    onnx_node(&b, "Tile", "x many", "y");
    refuses(&b, PRF_EINVAL, "node 'y' (Tile): its output has a dimension below 0 or above");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 4, 8, 8, 0);
    onnx_ints(&b, "begin", 1, (int64_t)INT64_MAX);
    onnx_ints(&b, "end", 1, (int64_t)INT64_MIN);
    onnx_ints(&b, "step", 1, (int64_t)INT64_MIN);
    onnx_ints(&b, "axis", 1, (int64_t)2);
    onnx_node(&b, "Slice", "x begin end axis step", "y");
    onnx_node(&b, "Relu", "y", "z");
    onnx_node(&b, "Slice", "x begin end axis axis", "e"); /* empty */
    onnx_node(&b, "Relu", "e", "f");
    size_t len;
    char *bytes = onnx_end(&b, &len);
    prf_error_t err;
    cr_assert_eq(decode(bytes, len, &err), PRF_OK, "extreme slices are legal: %s", err.text);
    free(bytes);
}

/* Constants that the graph computes with: none of these may trap, overflow or read beyond its operands. */
Test(onnx, extreme_constants_are_folded_or_left_alone)
{
    for (int64_t opset = 6; opset <= 13; opset += 7) {
        onnx_builder_t b;
        onnx_begin(&b, opset);
        onnx_input(&b, "x", 1, 4, 8, 8, 0);
        onnx_ints(&b, "least", 1, (int64_t)INT64_MIN);
        onnx_ints(&b, "most", 1, (int64_t)INT64_MAX);
        onnx_ints(&b, "minus", 1, (int64_t)-1);
        onnx_ints(&b, "zero", 1, (int64_t)0);
        onnx_ints(&b, "few", 2, (int64_t)1, (int64_t)2);
        onnx_ints(&b, "flat", 6, (int64_t)1, (int64_t)2, (int64_t)3, (int64_t)4, (int64_t)5, (int64_t)6);
        onnx_ints(&b, "table", 2, (int64_t)2, (int64_t)3);
        onnx_node(&b, "Div", "least minus", "a");
        onnx_node(&b, "Div", "most zero", "b");
        onnx_node(&b, "Mod", "least minus", "c");
        onnx_node(&b, "Mul", "most least", "d");
        onnx_node(&b, "Neg", "least", "e");
        onnx_node(&b, "Range", "most most minus", "f");
        onnx_node(&b, "Pow", "most most", "g");
        onnx_node(&b, "Reshape", "flat table", "h");
        onnx_node(&b, "Add", opset < 7 ? "h few" : "h zero", "i");
        onnx_attr(&b, "broadcast", 1);
        onnx_attr(&b, "axis", 0);
        for (const char *v = "abcdefghi"; *v; v++) {
            char inputs[4] = {'x', ' ', *v, 0}, out[3] = {'r', *v, 0};
            onnx_node(&b, "Reshape", inputs, out);
        }
        onnx_node(&b, "Relu", "x", "y");
        size_t len;
        char *bytes = onnx_end(&b, &len);
        prf_error_t err;
        prf_status_t status = decode(bytes, len, &err);
        cr_assert(status == PRF_OK || status == PRF_EINVAL, "%s", err.text);
        free(bytes);
    }
}

Test(onnx, data_that_do_not_fit_their_shape_are_refused)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    prf_text_t tensor = {0};
    onnx_put_varint(&tensor, 1, 3);
    onnx_put_varint(&tensor, 2, 1);
    onnx_put_bytes(&tensor, 8, "w", 1);
    onnx_put_bytes(&tensor, 9, "12345678", 8);
    onnx_put_message(&b.graph, 5, &tensor);
    refuses(&b, PRF_EINVAL, "tensor 'w' holds 2 values, but its shape has 3");
}

/* An attribute that holds a graph whose node holds an attribute ...: the decoder does not go down there. */
Test(onnx, deep_nesting_is_not_followed)
{
    prf_text_t inner = {0};
    for (int depth = 0; depth < 20000; depth++) {
        prf_text_t attribute = {0}, node = {0}, graph = {0};
        if (inner.len > 100000)
            break;
        onnx_put_message(&attribute, 6, &inner);
        onnx_put_message(&node, 5, &attribute);
        onnx_put_message(&graph, 1, &node);
        inner = graph;
    }
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 4, 0);
    onnx_node(&b, "Loop", "x", "y");
    onnx_put_message(&b.node, 5, &inner);
    refuses(&b, PRF_EINVAL, "nothing in the network can be estimated");
}

/* Two bytes of file become a hundred in memory. */
Test(onnx, millions_of_empty_nodes_are_refused_before_they_fill_the_memory)
{
    enum { NODES = 3000000 };
    char *graph = malloc(2 * NODES);
    for (size_t i = 0; i < NODES; i++)
        memcpy(graph + 2 * i, "\012\000", 2);
    prf_text_t model = {0}, opset = {0};
    onnx_put_varint(&model, 1, 8);
    onnx_put_bytes(&model, 7, graph, 2 * NODES);
    onnx_put_varint(&opset, 2, 13);
    onnx_put_message(&model, 8, &opset);
    free(graph);
    prf_error_t err;
    cr_assert_eq(decode(prf_text_get(&model), model.len, &err), PRF_EINVAL);
    cr_assert(strstr(err.text, "memory"), "%s", err.text);
    prf_text_release(&model);
}

/* Long chains must neither recurse nor take quadratic time; the test's own time limit is the judge. */
Test(onnx, a_hundred_thousand_nodes_out_of_order_are_read)
{
    enum { NODES = 100000 };
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "v0", 1, 4, 8, 8, 0);
    onnx_weight(&b, "w", 4, 4, 1, 1, 0);
    for (int i = NODES - 1; i >= 0; i--) { /* the last one first */
        char inputs[40], out[20];
        snprintf(inputs, sizeof inputs, i % 2 ? "v%d" : "v%d w", i);
        snprintf(out, sizeof out, "v%d", i + 1);
        onnx_node(&b, i % 2 ? "Relu" : "Conv", inputs, out);
    }
    size_t len;
    char *bytes = onnx_end(&b, &len);
    prf_network_t net;
    prf_error_t err = {0};
    cr_assert_eq(prf_network_decode(&net, bytes, len, "long", PRF_F32, 1, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(net.block_count, NODES / 2);
    cr_assert_str_eq(net.blocks[0].name, "v1", "blocks are in running order");
    prf_network_release(&net);
    free(bytes);
}

Test(onnx, names_from_the_file_cannot_steer_a_terminal)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 4, 8, 8, 0);
    onnx_node(&b, "Relu", "x", "\033[2J\377y");
    size_t len;
    char *bytes = onnx_end(&b, &len);
    prf_network_t net;
    prf_error_t err = {0};
    cr_assert_eq(prf_network_decode(&net, bytes, len, "n", PRF_F32, 1, &err), PRF_OK, "%s", err.text);
    cr_assert_str_eq(net.blocks[0].name, "?[2J?y");
    prf_network_release(&net);
    free(bytes);
    onnx_begin(&b, 13);
    onnx_node(&b, "Relu", "\033[2J", "y");
    refuses(&b, PRF_EINVAL, "its input '?[2J' is made by nobody");
}
