// SPDX-License-Identifier: Apache-2.0
/* race_estimate.c - what prfarm.h promises: any number of threads may use one model at once, while others load and free theirs.
 * All of them get the same answer. */
#include <pthread.h>
#include <unistd.h>

#include "common/prfarm.h"
#include "tests/support/must.h"
#include "tests/support/tiny_model.h"

enum { THREADS = 4, ROUNDS = 300, RELOADS = 20 };

static char path[] = "/tmp/prfarm-race-XXXXXX";
static prfarm_model *shared;
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

static void *ask(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++)
        MUST(same(estimate(shared), expected), "another estimate in round %d", i);
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
    expected = estimate(shared);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        MUST(pthread_create(&threads[i], NULL, i % 2 ? reload : ask, NULL) == 0, "thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    prfarm_model_free(shared);
    unlink(path);
    return 0;
}
