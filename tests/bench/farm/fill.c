// SPDX-License-Identifier: Apache-2.0
#include "fill.h"

#include <poll.h>

#include "swarm.h"

enum { ANSWERS = 4096, TOKEN = 1, WAIT_MS = 60000 };

static void take_answers(fill_t *fill)
{
    prf_store_done_t done[ANSWERS];
    struct pollfd fd = {.fd = prf_store_fd(fill->store), .events = POLLIN};
    if (poll(&fd, 1, WAIT_MS) <= 0)
        die("the store", "it does not answer");
    size_t count = prf_store_done(fill->store, done, ANSWERS);
    for (size_t i = 0; i < count; i++)
        if (done[i].status)
            die("the store", prf_status_name(done[i].status));
    fill->open -= count;
}

void fill_begin(fill_t *fill, const server_t *halted)
{
    char path[256];
    prf_error_t err = {0};
    *fill = (fill_t){.store = NULL};
    server_store(halted, path, sizeof path);
    if (prf_store_open(&fill->store, path, &err))
        die(path, err.text);
}

void fill_value(fill_t *fill, prf_table_t table, const char *key, const void *value, size_t len)
{
    prf_error_t err = {0};
    prf_status_t status;
    while ((status = prf_store_put(fill->store, table, key, value, len, TOKEN, &err)) == PRF_EBUSY && fill->open > 0)
        take_answers(fill);
    if (status)
        die(key, err.text);
    fill->open++;
}

void fill_record(fill_t *fill, const prf_record_t *record)
{
    prf_error_t err = {0};
    prf_status_t status;
    while ((status = prf_store_put_record(fill->store, record, TOKEN, &err)) == PRF_EBUSY && fill->open > 0)
        take_answers(fill);
    if (status)
        die("a record", err.text);
    fill->open++;
}

void fill_settle(fill_t *fill)
{
    while (fill->open > 0)
        take_answers(fill);
}

void fill_end(fill_t *fill)
{
    fill_settle(fill);
    prf_store_close(&fill->store);
}
