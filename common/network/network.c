// SPDX-License-Identifier: Apache-2.0
/* network.c - the way from a file to an estimate: decode, build the graph, infer shapes, lower to blocks, sum. */
#include "network/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "network/blocks.h"
#include "network/graph.h"
#include "network/ops.h"

enum { LOOK_BACK = 256 /* blocks: how far repeats are looked for */ };

void prf_name_clean(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
            *text = '?';
}

static prf_status_t lower(prf_network_t *out, const prf_onnx_t *onnx, prf_dtype_t dtype, uint32_t batch, prf_error_t *err)
{
    graph_t g;
    prf_status_t status = prf_graph_init(&g, onnx, batch, err);
    if (status)
        return status;
    status = prf_ops_infer(&g, err);
    if (!status)
        status = prf_blocks_lower(out, &g, dtype, err);
    prf_graph_release(&g);
    return status;
}

/* Networks repeat themselves: what is the same need be estimated once. */
static void find_repeats(prf_network_t *net)
{
    prf_network_block_t *blocks = net->blocks;
    for (size_t i = 0; i < net->block_count; i++)
        for (size_t j = i; j-- > 0 && i - j <= LOOK_BACK && !blocks[i].repeats;)
            if (!blocks[j].repeats && prf_block_equal(&blocks[i].block, &blocks[j].block))
                blocks[i].repeats = (uint32_t)j + 1;
}

prf_status_t prf_network_decode(prf_network_t *out, const void *bytes, size_t len, const char *name, prf_dtype_t dtype,
                                uint32_t batch, prf_error_t *err)
{
    if ((unsigned)dtype >= PRF_DTYPES)
        return prf_fail(err, PRF_EINVAL, "data type %d is unknown to this version: update prfarm", (int)dtype);
    if (batch < 1 || batch > 65536)
        return prf_fail(err, PRF_EINVAL, "batch = %u: use 1 to 65536", batch);
    prf_onnx_t *onnx;
    prf_status_t status = prf_onnx_decode(&onnx, bytes, len, err);
    prf_network_t net = {0};
    if (!status) {
        status = lower(&net, onnx, dtype, batch, err);
        prf_onnx_destroy(&onnx);
    }
    if (status == PRF_EINVAL || status == PRF_EPARSE)
        status = prf_fail_remedy(err, status, "correct the network and export it again");
    if (!status && net.block_count == 0)
        status = prf_fail(
            err, PRF_EINVAL,
            "nothing in the network can be estimated: %zu operators, the first is %s: see docs/networks.md for those that can",
            net.note_count, net.note_count ? net.notes[0].op : "a constant");
    if (status) {
        prf_network_release(&net);
        if (err)
            prf_name_clean(err->text);
        return prf_fail_prefix(err, status, "%s", name);
    }
    snprintf(net.name, sizeof net.name, "%s", name);
    prf_name_clean(net.name);
    find_repeats(&net);
    *out = net;
    return PRF_OK;
}

/* "some/where/resnet18.onnx" is the network resnet18. */
static void name_of(const char *path, char name[PRF_NETWORK_NAME])
{
    const char *slash = strrchr(path, '/');
    snprintf(name, PRF_NETWORK_NAME, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(name, '.');
    if (dot && dot != name && strcmp(dot, ".onnx") == 0)
        *dot = '\0';
    prf_name_clean(name);
}

prf_status_t prf_network_load(prf_network_t *out, const char *path, prf_dtype_t dtype, uint32_t batch, prf_error_t *err)
{
    char *bytes;
    size_t len;
    prf_status_t status = prf_file_read(path, PRF_ONNX_MAX_BYTES, &bytes, &len, err);
    if (status)
        return status;
    prf_network_t net;
    status = prf_network_decode(&net, bytes, len, path, dtype, batch, err);
    free(bytes);
    if (status)
        return status;
    name_of(path, net.name);
    *out = net;
    return PRF_OK;
}

prf_status_t prf_network_of_texts(prf_network_t *out, const char *const texts[], size_t count, prf_error_t *err)
{
    prf_network_t net = {.name = "layers", .blocks = calloc(count + 1, sizeof *net.blocks)};
    if (!net.blocks)
        return prf_fail(err, PRF_ENOMEM, "%zu layers", count);
    for (size_t i = 0; i < count; i++) {
        prf_network_block_t *b = &net.blocks[i];
        prf_status_t status = prf_block_parse(&b->block, texts[i], err);
        if (status) {
            prf_network_release(&net);
            return status;
        }
        snprintf(b->name, sizeof b->name, "layer %zu", i + 1);
        net.block_count++;
        net.total_macs += prf_block_macs(&b->block);
    }
    *out = net;
    return PRF_OK;
}

void prf_network_release(prf_network_t *self)
{
    if (!self)
        return;
    free(self->blocks);
    free(self->edges);
    free(self->notes);
    *self = (prf_network_t){0};
}
