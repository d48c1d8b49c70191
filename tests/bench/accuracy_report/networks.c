// SPDX-License-Identifier: Apache-2.0
/* networks.c - the networks that models are judged by. Those of docs/examples/networks are read as they are; of the others, the
 * layers are written out: TC-ResNet14 (Choi et al., 2019), a fully convolutional network for time series (Wang et al., 2017, with
 * an odd first kernel and half the filters, so that the array can run it), a plain keyword spotter of our own, and VGG-16 with
 * global average pooling in place of the large fully connected layers (Zhou et al., 2016). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "network/network.h"

static const char *const tcresnet14[] = {
    "conv1d c=40 k=16 w=101 f=3 pad=1",
    "conv1d c=16 k=24 w=101 f=9 stride=2 pad=4",
    "conv1d c=24 k=24 w=51 f=9 pad=4",
    "conv1d c=16 k=24 w=101 f=1 stride=2",
    "conv1d c=24 k=24 w=51 f=9 stride=1 pad=4",
    "conv1d c=24 k=24 w=51 f=9 pad=4",
    "conv1d c=24 k=32 w=51 f=9 stride=2 pad=4",
    "conv1d c=32 k=32 w=26 f=9 pad=4",
    "conv1d c=24 k=32 w=51 f=1 stride=2",
    "conv1d c=32 k=32 w=26 f=9 stride=1 pad=4",
    "conv1d c=32 k=32 w=26 f=9 pad=4",
    "conv1d c=32 k=48 w=26 f=9 stride=2 pad=4",
    "conv1d c=48 k=48 w=13 f=9 pad=4",
    "conv1d c=32 k=48 w=26 f=1 stride=2",
    "conv1d c=48 k=48 w=13 f=9 stride=1 pad=4",
    "conv1d c=48 k=48 w=13 f=9 pad=4",
    "fc in=48 out=12",
    NULL,
};

static const char *const fcn1d[] = {
    "conv1d c=1 k=64 w=96 f=7 pad=3",
    "conv1d c=64 k=128 w=96 f=5 pad=2",
    "conv1d c=128 k=64 w=96 f=3 pad=1",
    "fc in=64 out=10",
    NULL,
};

static const char *const kws_cnn[] = {
    "conv1d c=40 k=64 w=101 f=9 pad=4",
    "conv1d c=64 k=64 w=101 f=9 stride=2 pad=4",
    "conv1d c=64 k=96 w=51 f=5 pad=2",
    "conv1d c=96 k=96 w=51 f=5 stride=2 pad=2",
    "conv1d c=96 k=128 w=26 f=3 pad=1",
    "conv1d c=128 k=128 w=26 f=3",
    "fc in=128 out=64",
    "fc in=64 out=12",
    NULL,
};

static const char *const vgg16_gap[] = {
    "conv2d c=3 k=64 h=224 r=3 pad=1",
    "conv2d c=64 k=64 h=224 r=3 pad=1",
    "maxpool2d c=64 h=224 r=2 stride=2",
    "conv2d c=64 k=128 h=112 r=3 pad=1",
    "conv2d c=128 k=128 h=112 r=3 pad=1",
    "maxpool2d c=128 h=112 r=2 stride=2",
    "conv2d c=128 k=256 h=56 r=3 pad=1",
    "conv2d c=256 k=256 h=56 r=3 pad=1",
    "conv2d c=256 k=256 h=56 r=3 pad=1",
    "maxpool2d c=256 h=56 r=2 stride=2",
    "conv2d c=256 k=512 h=28 r=3 pad=1",
    "conv2d c=512 k=512 h=28 r=3 pad=1",
    "conv2d c=512 k=512 h=28 r=3 pad=1",
    "maxpool2d c=512 h=28 r=2 stride=2",
    "conv2d c=512 k=512 h=14 r=3 pad=1",
    "conv2d c=512 k=512 h=14 r=3 pad=1",
    "conv2d c=512 k=512 h=14 r=3 pad=1",
    "avgpool2d c=512 h=14 r=14",
    "fc in=512 out=1000",
    NULL,
};

static const struct {
    const char *name;
    const char *const *layers;
} written[] = {{"tcresnet14", tcresnet14}, {"fcn1d", fcn1d}, {"kws-cnn", kws_cnn}, {"vgg16-gap", vgg16_gap}};

static prf_block_t *read_layers(const char *const *layers, prf_dtype_t dtype, size_t *count)
{
    prf_error_t err = {0};
    size_t n = 0;
    while (layers[n])
        n++;
    prf_block_t *blocks = must(calloc(n, sizeof *blocks));
    for (size_t i = 0; i < n; i++) {
        if (prf_block_parse(&blocks[i], layers[i], &err))
            die(&err, layers[i]);
        blocks[i].dtype = dtype;
    }
    *count = n;
    return blocks;
}

static prf_block_t *read_onnx(const char *name, prf_dtype_t dtype, size_t *count)
{
    prf_error_t err = {0};
    prf_network_t network;
    char path[512];
    snprintf(path, sizeof path, "%s/%s.onnx", PRF_NETWORKS, name);
    if (prf_network_load(&network, path, dtype, 1, &err))
        die(&err, path);
    prf_block_t *blocks = must(calloc(network.block_count + 1, sizeof *blocks));
    for (size_t i = 0; i < network.block_count; i++)
        blocks[i] = network.blocks[i].block;
    *count = network.block_count;
    prf_network_release(&network);
    return blocks;
}

prf_block_t *network_blocks(const char *name, prf_dtype_t dtype, size_t *count)
{
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        if (strcmp(written[i].name, name) == 0)
            return read_layers(written[i].layers, dtype, count);
    return read_onnx(name, dtype, count);
}
