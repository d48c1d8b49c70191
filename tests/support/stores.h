// SPDX-License-Identifier: Apache-2.0
/* stores.h - a store in a temporary folder, for unit tests.
 * Everything asserts through Criterion; every wait has an end. */
#ifndef PRF_TESTS_STORES_H
#define PRF_TESTS_STORES_H

#include "patience.h"
#include "store.h"

enum { STORE_PATH = 128 };

extern char store_dir[64];
void store_make_dir(void);
void store_make_fast_dir(void); /* in memory where that is possible, for tests that do not mind what a disk does */
void store_remove_dir(void);    /* with all that is in it */
const char *store_path(const char *name, char path[STORE_PATH]);

prf_store_t *store_opened(void);
/* Opening it must fail with this code, and a message that has `why` and names the store. */
void store_refuse_open(prf_status_t code, const char *why);
/* Waits for the answer of one token; others must not be outstanding. */
prf_status_t store_answer(prf_store_t *s, uint64_t token);
prf_status_t store_put(prf_store_t *s, prf_table_t table, const char *key, const char *value); /* value NULL: erases */
/* wanted NULL: there is none. */
void store_expect_value(prf_store_t *s, prf_table_t table, const char *key, const char *wanted);
/* For prf_store_scan: adds "key=value " to the 256 bytes at `arg`. Ends after the key "stop". */
bool store_gather(void *arg, const char *key, const void *value, size_t len);
/* For prf_store_scan_records: counts in a size_t. */
bool store_count(void *arg, uint64_t sequence, const prf_record_t *record);
/* Puts into an LMDB in the folder without the store. */
void store_write_raw(const char *table, const char *key, const void *value, size_t len);
/* The number of the last commit. */
size_t store_transactions(void);

#endif
