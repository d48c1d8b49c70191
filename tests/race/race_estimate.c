// SPDX-License-Identifier: Apache-2.0
/* race_estimate.c - what prfarm.h promises: any number of threads may use one model at once, while others load and free theirs.
 * All of them get the same answer. */
#include <pthread.h>
#include <unistd.h>

#include "common/prfarm.h"
#include "tests/support/must.h"
#include "tests/support/tiny_model.h"

enum { THREADS = 4, ROUNDS = 300, RELOADS = 20, ROWS = 3, BLOCKS = 64 };

static char path[] = "/tmp/prfarm-race-XXXXXX";
static prfarm_model *shared;
static prfarm_network *network;
static double expected;

static double estimate(const prfarm_model *model)
{
    prfarm_layer layer;
    prfarm_estimate out;
    char error[PRFARM_ERROR];
    MUST(prfarm_layer_parse(&layer, "fc in=17 out=33 dtype=f32", error) == 0, "%s", error);
    MUST(prfarm_estimate_layer(model, &layer, &out, error) == 0, "%s", error);
    return out.latency_ns;
}

static bool same(double a, double b)
{
    return !(a < b) && !(a > b);
}

/* A matrix whose last row is that layer, and a network that is there for all threads, asked about block by block. */
static double estimate_many(const prfarm_model *model)
{
    static const int64_t rows[ROWS][2] = {{1, 2}, {64, 3}, {17, 33}};
    static const char *const names[] = {"in", "out"};
    double latency[ROWS], blocks[BLOCKS];
    prfarm_matrix matrix = {rows[0], 2, 1, ROWS, 2, names};
    prfarm_estimate sum;
    char error[PRFARM_ERROR];
    MUST(prfarm_estimate_matrix(model, "fc", &matrix, &(prfarm_estimates){.latency_ns = latency}, NULL, error) == 0, "%s", error);
    MUST(prfarm_network_blocks(network) <= BLOCKS, "a larger network");
    prfarm_estimates out = {.latency_ns = blocks};
    MUST(prfarm_estimate_network_blocks(model, network, &sum, &out, error) == 0, "%s", error);
    MUST(sum.covered == 1 && same(sum.latency_ns, blocks[sum.blocks - 1]), "%zu of %zu blocks", sum.covered, sum.blocks);
    MUST(prfarm_layer_parameter("conv2d", 0), "parameters");
    return latency[ROWS - 1];
}

static void *ask(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        MUST(same(estimate(shared), expected), "another estimate in round %d", i);
        MUST(same(estimate_many(shared), expected), "another estimate among many in round %d", i);
    }
    return NULL;
}

static void *reload(void *arg)
{
    (void)arg;
    for (int i = 0; i < RELOADS; i++) {
        prfarm_model *own;
        char error[PRFARM_ERROR];
        MUST(prfarm_model_load(&own, path, error) == 0, "%s", error);
        MUST(same(estimate(own), expected), "another estimate after loading again");
        prfarm_model_free(own);
    }
    return NULL;
}

int main(void)
{
    size_t len;
    void *bytes = tiny_model("cpu", 1, &len, NULL);
    int fd = mkstemp(path);
    MUST(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && close(fd) == 0, "%s", path);
    free(bytes);
    char error[PRFARM_ERROR];
    MUST(prfarm_model_load(&shared, path, error) == 0, "%s", error);
    MUST(prfarm_network_load(&network, PRF_SOURCE_DIR "/docs/examples/networks/resnet18.onnx", "f32", 1, error) == 0, "%s", error);
    expected = estimate(shared);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        MUST(pthread_create(&threads[i], NULL, i % 2 ? reload : ask, NULL) == 0, "thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    prfarm_network_free(network);
    prfarm_model_free(shared);
    unlink(path);
    return 0;
}
