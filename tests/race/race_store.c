// SPDX-License-Identifier: Apache-2.0
/* race_store.c - one thread puts values until the store has had to grow several times, and waits for them to be durable; another
 * reads what is there meanwhile, as fast as it can: all that was told as durable is there, whole. */
#define _GNU_SOURCE /* nftw */
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "coordinator/store.h"
#include "tests/support/must.h"
#include "tests/support/patience.h"

enum { VALUES = 400, BYTES = 200 << 10 };

static char dir[] = "/tmp/prfarm-race-XXXXXX";
static prf_store_t *store;
static atomic_ulong durable; /* values 1 .. durable are */
static atomic_bool over;

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

static void name_of(unsigned long number, char name[32])
{
    snprintf(name, 32, "value/%06lu", number);
}

static bool count(void *arg, const char *key, const void *value, size_t len)
{
    (void)key, (void)value;
    MUST(len == BYTES, "%zu bytes", len);
    (*(unsigned long *)arg)++;
    return true;
}

static void *read_all(void *arg)
{
    (void)arg;
    prf_error_t err;
    for (unsigned round = 0; !atomic_load(&over); round++) {
        unsigned long least = atomic_load(&durable), found = 0;
        if (round % 8 == 0) {
            uint64_t damaged = 0;
            MUST(prf_store_scan(store, PRF_TABLE_DECISION, "value/", count, &found, &damaged, &err) == PRF_OK, "%s", err.text);
            MUST(found >= least && damaged == 0, "%lu of %lu values, %lu damaged", found, least, (unsigned long)damaged);
        } else if (least > 0) {
            char name[32], *value;
            size_t len;
            unsigned long number = 1 + round % least;
            name_of(number, name);
            MUST(prf_store_get(store, PRF_TABLE_DECISION, name, (void **)&value, &len, &err) == PRF_OK, "%s", err.text);
            MUST(len == BYTES && value[0] == (char)number && value[len - 1] == (char)number, "%s", name);
            free(value);
        }
    }
    return NULL;
}

static void wait_durable(void)
{
    prf_store_done_t done[16];
    struct pollfd fd = {.fd = prf_store_fd(store), .events = POLLIN};
    MUST(poll(&fd, 1, PATIENCE_MS) == 1, "nothing was committed");
    size_t n = prf_store_done(store, done, 16);
    for (size_t i = 0; i < n; i++) {
        MUST(done[i].status == PRF_OK, "%s", prf_status_name(done[i].status));
        atomic_store(&durable, (unsigned long)done[i].token);
    }
}

int main(void)
{
    static char value[BYTES];
    prf_error_t err;
    MUST(mkdtemp(dir), "%s", dir);
    MUST(prf_store_open(&store, dir, &err) == PRF_OK, "%s", err.text);
    pthread_t reader;
    MUST(pthread_create(&reader, NULL, read_all, NULL) == 0, "thread");
    for (unsigned long number = 1; number <= VALUES; number++) {
        char name[32];
        name_of(number, name);
        memset(value, (int)number, sizeof value);
        prf_status_t status;
        while ((status = prf_store_put(store, PRF_TABLE_DECISION, name, value, sizeof value, number, &err)) == PRF_EBUSY)
            wait_durable();
        MUST(status == PRF_OK, "%s", err.text);
    }
    while (atomic_load(&durable) < VALUES)
        wait_durable();
    atomic_store(&over, true);
    pthread_join(reader, NULL);
    prf_store_close(&store);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}
