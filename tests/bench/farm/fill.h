// SPDX-License-Identifier: Apache-2.0
/* fill.h - writes into the store of a coordinator that does not run: what a farm would have left behind. Ends the program with a
 * message when something fails. */
#ifndef PRF_BENCH_FILL_H
#define PRF_BENCH_FILL_H

#include "server.h"
#include "store.h"

typedef struct {
    prf_store_t *store;
    size_t open; /* writes that are not durable yet */
} fill_t;

void fill_begin(fill_t *fill, const server_t *halted);
void fill_value(fill_t *fill, prf_table_t table, const char *key, const void *value, size_t len);
void fill_record(fill_t *fill, const prf_record_t *record);
void fill_settle(fill_t *fill); /* returns when all is durable */
void fill_end(fill_t *fill);

#endif
