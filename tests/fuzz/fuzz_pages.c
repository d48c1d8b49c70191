// SPDX-License-Identifier: Apache-2.0
/* fuzz_pages.c - a store's data file whose bytes may be anything: the walk over its pages, the check of its values, the sieve of a
 * salvage. What it hands out must lie within the file. */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "coordinator/store.h"
#include "coordinator/store_check.h"
#include "fuzz.h"

enum { FILE_BYTES = 1 << 22 };

typedef struct {
    const prf_pages_t *pages;
    unsigned sum;
} inside_t;

static void touch(inside_t *in, const unsigned char *bytes, size_t len)
{
    const unsigned char *end = in->pages->bytes + in->pages->len;
    MUST(bytes >= in->pages->bytes && len <= (size_t)(end - bytes), "%zu bytes that the file does not have", len);
    for (size_t i = 0; i < len; i += 512)
        in->sum += bytes[i];
}

static void on_value(void *arg, prf_table_t table, const prf_pages_entry_t *entry, const prf_value_t *value)
{
    MUST(table >= 0 && table < PRF_TABLES, "table %d", (int)table);
    touch(arg, entry->key, entry->key_len);
    touch(arg, value->payload, value->len);
}

static void on_sifted(void *arg, const prf_pages_entry_t *entry)
{
    touch(arg, entry->key, entry->key_len);
    touch(arg, entry->value, entry->value_len);
}

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    prf_pages_t pages;
    prf_store_report_t report;
    prf_pages_view(&pages, bytes, len);
    inside_t inside = {&pages, 0};
    const prf_store_visitor_t visitor = {&inside, NULL, on_value};
    prf_store_check(&pages, &visitor, &report);
    prf_pages_sift(&pages, on_sifted, &inside);
    prf_error_t err;
    return prf_store_usable(&report, "fuzzed", &err) == PRF_OK;
}

static void remove_store(const char *dir)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "owner"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* A store of a few commits, with a value on pages of its own and one that was written again. */
void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    static const char large[6000] = {'m'};
    char dir[] = "/tmp/prf-fuzz-XXXXXX", path[64], *bytes;
    size_t len;
    MUST(mkdtemp(dir), "%s", dir);
    for (int commit = 0; commit < 4; commit++) {
        prf_store_t *s = NULL;
        prf_error_t err;
        MUST(prf_store_open(&s, dir, &err) == PRF_OK, "%s", err.text);
        prf_record_t record = {.board = "b", .sample = {.latency_ns = 1, .min_ns = 1}};
        prf_status_t status = prf_store_put_record(s, &record, 0, &err);
        if (!status)
            status = prf_store_put(s, PRF_TABLE_MODEL, "kind/1", large, sizeof large - (size_t)commit, 0, &err);
        if (!status)
            status = prf_store_put(s, PRF_TABLE_BOARD, "b", commit == 2 ? NULL : "{}", 2, 0, &err);
        MUST(status == PRF_OK, "%s", err.text);
        prf_store_close(&s);
        snprintf(path, sizeof path, "%s/data.mdb", dir);
        MUST(prf_file_read(path, FILE_BYTES, &bytes, &len, &err) == PRF_OK, "%s", err.text);
        add(arg, bytes, len);
        free(bytes);
    }
    remove_store(dir);
}
