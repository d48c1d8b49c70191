// SPDX-License-Identifier: Apache-2.0
/* fuzz_recorded.c - what `prfarm train` reads: a spec, and the table that it describes, plain or gzipped. The input is both, with
 * a line of '%' between them. */
#define _GNU_SOURCE /* memmem */
#include <string.h>

#include "campaign/recorded.h"
#include "fuzz.h"
#include "tests/fuzz/memory_file.h"

static const char between[] = "\n%\n";

static bool load(const char *spec_path, const char *data_path)
{
    prf_recorded_spec_t *spec;
    prf_recorded_t data;
    prf_error_t err;
    if (prf_recorded_spec_load(&spec, spec_path, &err))
        return false;
    bool ok = prf_recorded_load(&data, spec, data_path, &err) == PRF_OK;
    if (ok) {
        MUST(data.train_count > 0 && data.train_count + data.spare_count + data.test_count <= data.rows, "%zu, %zu, %zu",
             data.train_count, data.spare_count, data.test_count);
        prf_recorded_release(&data);
    }
    prf_recorded_spec_destroy(&spec);
    return ok;
}

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    const uint8_t *at = memmem(bytes, len, between, strlen(between));
    if (!at)
        return false;
    memory_file_t spec, data;
    memory_file_open(&spec, bytes, (size_t)(at - bytes) + 1);
    at += strlen(between);
    memory_file_open(&data, at, (size_t)(bytes + len - at));
    bool ok = load(spec.path, data.path);
    memory_file_close(&spec);
    memory_file_close(&data);
    return ok;
}

static const char seed[] = "board: recorded\n"
                           "layer: conv2d\n"
                           "where: {type: Regular}\n"
                           "columns: {c: cin, k: cout, h: size, r: 3, pad: kernel / 2}\n"
                           "latency: {column: lat, unit: ms}\n"
                           "features: [batch]\n"
                           "split: {test: 0.2, seed: 3}\n"
                           "budget: 4\n"
                           "%\n"
                           "type,cin,cout,size,kernel,batch,lat\n"
                           "Regular,8,16,14,1,0,1.5\n"
                           "\"Regular\",8,16,7,3,0,0.5\n"
                           "Regular,16,16,14,3,1,2e0\n"
                           "Regular,32,16,14,1,0,3\n"
                           "Other,1,1,1,1,1,1\n"
                           "Regular,8,32,14,1,0,4\n"
                           "Regular,8,64,14,1,0,5\n"
                           "Regular,8,8,14,1,0,6\n"
                           "Regular,8,24,14,1,0,6\n"
                           "Regular,8,48,14,3,0,6\n"
                           "Regular,8,40,14,1,0,7\n";

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    add(arg, seed, strlen(seed));
}
