// SPDX-License-Identifier: Apache-2.0
/* fuzz_record.c - a stored result whose bytes may be anything: the seal around it, and the record in it. Each input is tried as a
 * sealed value, and as the payload of a seal that fits. A record that was read is written the same again. */
#include <string.h>

#include "coordinator/store.h"
#include "coordinator/store_value.h"
#include "fuzz.h"
#include "wire/record.h"

static bool try_record(const uint8_t *bytes, size_t len)
{
    prf_record_t record, again;
    prf_error_t err;
    if (prf_record_decode(&record, bytes, len, &err))
        return false;
    uint8_t first[PRF_RECORD_BYTES], second[PRF_RECORD_BYTES];
    size_t first_len = prf_record_encode(&record, first);
    MUST(prf_record_decode(&again, first, first_len, &err) == PRF_OK, "%s", err.text);
    size_t second_len = prf_record_encode(&again, second);
    MUST(first_len == second_len && memcmp(first, second, first_len) == 0, "%zu and %zu bytes", first_len, second_len);
    return true;
}

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    static const unsigned char key[PRF_SEQUENCE] = {7};
    prf_value_t read;
    if (prf_value_unseal(&read, PRF_TABLE_RESULT, key, sizeof key, bytes, len) || prf_value_unseal_old(&read, bytes, len))
        try_record(read.payload, read.len);
    unsigned char *value = malloc(PRF_VALUE_HEADER + len);
    MUST(value, "%zu bytes", len);
    if (len)
        memcpy(value + PRF_VALUE_HEADER, bytes, len);
    prf_value_seal(value, PRF_VALUE_HEADER + len, PRF_TABLE_RESULT, key, sizeof key, len, false);
    bool holds = prf_value_unseal(&read, PRF_TABLE_RESULT, key, sizeof key, value, PRF_VALUE_HEADER + len);
    MUST(holds && read.len == len && read.write == len && (!len || memcmp(read.payload, bytes, len) == 0), "a seal does not hold");
    bool ok = try_record(read.payload, read.len);
    free(value);
    return ok;
}

static void add_record(fuzz_add_fn add, void *arg, const prf_record_t *record)
{
    uint8_t bytes[PRF_RECORD_BYTES];
    add(arg, bytes, prf_record_encode(record, bytes));
}

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    prf_record_t record = {
        .attempt = 1,
        .board = "board-1",
        .sample = {1500, 1400, 0.5, 9, PRF_TAINT_LOADED, 45000, 1800000, 12, UINT64_C(1700000000000), 2000000, 0}};
    prf_digest(&record.point, "point", 5);
    add_record(add, arg, &record);
    record.duplicate = true;
    add_record(add, arg, &record);
    record.outcome = PRF_ECRASH;
    snprintf(record.error, sizeof record.error, "signal 11 (Segmentation fault)");
    add_record(add, arg, &record);
}
