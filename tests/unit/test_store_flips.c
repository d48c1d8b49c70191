// SPDX-License-Identifier: Apache-2.0
/* Single bits that flip anywhere in a store's file: each is found, or changes nothing that is read; and what it hit is all that a
 * salvage loses. PRF_FLIPS sets how many are tried, PRF_SEED where. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/rng.h"
#include "store_env.h"
#include "store_salvage.h"
#include "tests/support/stores.h"

enum { FLIPS = 150 };
static prf_error_t err;

TestSuite(store_flips, .init = store_make_fast_dir, .fini = store_remove_dir);

static void put_random(prf_store_t *s, prf_rng_t *rng, prf_table_t table, const char *key, size_t len)
{
    unsigned char *value = malloc(len + 1);
    cr_assert_not_null(value);
    for (size_t i = 0; i < len; i++)
        value[i] = (unsigned char)prf_rng_below(rng, 256);
    cr_assert_eq(prf_store_put(s, table, key, value, len, 0, &err), PRF_OK, "%s", err.text);
    free(value);
}

/* What a coordinator leaves behind after a few starts and a few hundred commits. */
static void fill(prf_rng_t *rng, int starts, int rows)
{
    char key[64], text[32];
    uint64_t token = 0;
    for (int start = 0; start < starts; start++) {
        prf_store_t *s = store_opened();
        snprintf(text, sizeof text, "%d", start + 1);
        cr_assert_eq(store_put(s, PRF_TABLE_DECISION, PRF_STORE_INCARNATION, text), PRF_OK);
        for (int i = 0; i < rows; i++) {
            prf_record_t r = {
                .attempt = (uint32_t)i, .board = "fpga-1", .sample = {.latency_ns = 1e5 + i, .min_ns = 1e5, .repeats = 30}};
            memset(r.point.bytes, start * 64 + i % 64, sizeof r.point.bytes);
            cr_assert_eq(prf_store_put_record(s, &r, 0, &err), PRF_OK);
            snprintf(key, sizeof key, "c/fpga/plan/%08" PRIx64 ".0", prf_rng_below(rng, 1u << 30));
            put_random(s, rng, PRF_TABLE_DECISION, key, 60 + prf_rng_below(rng, 60));
            if (i % 40 == 0) {
                snprintf(key, sizeof key, "board-%d", i / 40);
                put_random(s, rng, PRF_TABLE_BOARD, key, 180);
                put_random(s, rng, PRF_TABLE_CAMPAIGN, i % 80 ? "one" : "two", 1500 + prf_rng_below(rng, 3000));
                cr_assert_eq(prf_store_put(s, PRF_TABLE_EVENT, NULL, "{}", 2, ++token, &err), PRF_OK);
                cr_assert_eq(store_answer(s, token), PRF_OK); /* a commit of its own */
            }
        }
        snprintf(key, sizeof key, "fpga/%d", start + 1);
        put_random(s, rng, PRF_TABLE_MODEL, key, 20000 + prf_rng_below(rng, 50000));
        cr_assert_eq(store_put(s, PRF_TABLE_BOARD, "board-9", start % 2 ? "back" : NULL), PRF_OK);
        prf_store_close(&s);
    }
}

/* --- what can be read of a store --- */

typedef struct {
    prf_map_t values; /* digest of table and key -> the value's first bytes; erased ones are left out */
    size_t count;
} content_t;

static void key_of(prf_table_t table, const void *key, size_t len, prf_digest_t *out)
{
    const prf_bytes_t parts[] = {{&table, sizeof table}, {key, len}};
    prf_digest_parts(out, parts, 2);
}

static void add_value(content_t *c, prf_table_t table, const void *key, size_t key_len, const void *value, size_t len)
{
    prf_digest_t at, digest;
    uint64_t word;
    key_of(table, key, key_len, &at);
    prf_digest(&digest, value, len);
    memcpy(&word, digest.bytes, sizeof word);
    cr_assert_eq(prf_map_put(&c->values, &at, 0, word, &err), PRF_OK);
    c->count++;
}

typedef struct {
    content_t *content;
    prf_table_t table;
} scanning_t;

static bool on_scanned(void *arg, const char *key, const void *value, size_t len)
{
    const scanning_t *s = arg;
    add_value(s->content, s->table, key, strlen(key), value, len);
    return true;
}

/* Through LMDB, as a coordinator reads. False: it refuses the store. */
static bool read_store(const char *dir, content_t *c)
{
    prf_store_t *s = NULL;
    *c = (content_t){0};
    if (prf_store_open(&s, dir, &err)) {
        cr_assert(err.code == PRF_ECORRUPT || err.code == PRF_EVERSION, "%s", err.text);
        return false;
    }
    for (int table = 0; table < PRF_TABLES; table++) {
        scanning_t scanning = {c, (prf_table_t)table};
        cr_assert_eq(prf_store_scan(s, (prf_table_t)table, NULL, on_scanned, &scanning, NULL, &err), PRF_OK, "%s", err.text);
    }
    prf_store_close(&s);
    return true;
}

/* Of `whole`, how many `part` lacks or has otherwise; `part` has nothing of its own. */
static size_t differences(const content_t *whole, const content_t *part, const char *where)
{
    size_t same = 0, other = 0;
    for (size_t i = 0; i < part->values.cap; i++) {
        const prf_map_entry_t *e = &part->values.entries[i];
        uint64_t value;
        if (!e->used)
            continue;
        cr_assert(prf_map_get(&whole->values, &e->digest, 0, &value), "%s: a value that was never there", where);
        same += value == e->value;
        other += value != e->value;
    }
    cr_assert_eq(same + other, part->count);
    return whole->count - same;
}

/* --- the flips --- */

typedef struct {
    const char *seed;
    int fd;
    unsigned char *good;
    size_t size;
    content_t whole;
    size_t found, refused, harmless, lost;
} flips_t;

static void begin_flips(flips_t *f)
{
    char path[STORE_PATH];
    struct stat st;
    cr_assert(read_store(store_dir, &f->whole));
    f->fd = open(store_path("data.mdb", path), O_RDWR);
    cr_assert(f->fd >= 0 && fstat(f->fd, &st) == 0);
    f->size = (size_t)st.st_size;
    f->good = malloc(f->size);
    cr_assert_eq(pread(f->fd, f->good, f->size, 0), (ssize_t)f->size);
}

static void end_flips(flips_t *f)
{
    prf_map_release(&f->whole.values);
    free(f->good);
    close(f->fd);
}

static void salvage(flips_t *f, const prf_pages_t *pages, const prf_store_report_t *report, const char *where)
{
    char to[STORE_PATH];
    prf_salvaged_t done;
    content_t saved;
    cr_assert_eq(prf_store_salvage(pages, report, store_path("saved", to), &done, &err), PRF_OK, "%s: %s", where, err.text);
    cr_assert(read_store(to, &saved), "%s: the salvaged store is refused: %s", where, err.text);
    size_t lost = differences(&f->whole, &saved, where);
    /* One value at most, and where pages are damaged the count of starts, which is left out on purpose. */
    cr_assert_leq(lost, 1U + !report->sound, "%s: %zu values are lost (%s)", where, lost, report->first);
    f->lost += lost - (lost && !report->sound);
    prf_map_release(&saved.values);
    static const char *const names[] = {"saved/data.mdb", "saved/lock.mdb", "saved/owner", "saved"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(store_path(names[i], to));
}

static void flip(flips_t *f, size_t at, unsigned bit)
{
    static const prf_store_visitor_t silent = {0};
    char where[120];
    unsigned char bad = (unsigned char)(f->good[at] ^ 1u << bit);
    snprintf(where, sizeof where, "seed %s, byte %zu (page %zu), bit %u", f->seed, at, at / 4096, bit);
    cr_assert_eq(pwrite(f->fd, &bad, 1, (off_t)at), 1);
    prf_store_report_t report;
    prf_pages_t pages;
    content_t now;
    cr_assert_eq(prf_store_env_check(store_dir, &silent, &report, &pages, &err), PRF_OK);
    bool found = report.damages > 0 || report.newer;
    if (found)
        salvage(f, &pages, &report, where);
    prf_pages_close(&pages);
    bool usable = read_store(store_dir, &now);
    cr_assert_eq(usable, prf_store_usable(&report, store_dir, NULL) == PRF_OK, "%s", where);
    size_t different = usable ? differences(&f->whole, &now, where) : 0;
    if (!found)
        cr_assert(usable && different == 0, "%s: not found, and %zu values differ", where, different);
    cr_assert_leq(different, 1, "%s: %zu values are lost", where, different);
    f->found += found;
    f->refused += !usable;
    f->harmless += !found;
    if (usable)
        prf_map_release(&now.values);
    cr_assert_eq(pwrite(f->fd, f->good, f->size, 0), (ssize_t)f->size); /* opening may have written */
}

static unsigned long from_environment(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoul(text, NULL, 10) : otherwise;
}

Test(store_flips, every_flipped_bit_is_found_or_harmless_and_costs_what_it_hit)
{
    char seed[24];
    snprintf(seed, sizeof seed, "%lu", from_environment("PRF_SEED", (unsigned long)prf_clock_wall_ms()));
    size_t flips = from_environment("PRF_FLIPS", FLIPS);
    prf_rng_t rng;
    prf_rng_init(&rng, strtoull(seed, NULL, 10), 0);
    fill(&rng, 4, 400);
    flips_t f = {.seed = seed};
    begin_flips(&f);
    for (size_t i = 0; i < flips; i++)
        flip(&f, prf_rng_below(&rng, f.size), (unsigned)prf_rng_below(&rng, 8));
    cr_log_info(
        "seed %s: %zu flips in a store of %zu pages and %zu values: %zu found (%zu of them where LMDB would be led astray), "
        "%zu harmless; salvage lost %zu values in all",
        seed, flips, f.size / 4096, f.whole.count, f.found, f.refused, f.harmless, f.lost);
    cr_expect_gt(f.found, 0);
    cr_expect_leq(f.lost, f.found);
    end_flips(&f);
}

/* Where one bit matters most: both meta pages, and of the number of their commit each bit. Which of them make the commit before
 * look like the newest depends on the number's last two, so four commits in a row are tried. */
Test(store_flips, no_bit_of_the_meta_pages_can_turn_the_store_back_unnoticed)
{
    enum { NUMBER = 144, END = NUMBER + 8, COMMITS = 4 };
    prf_rng_t rng;
    prf_rng_init(&rng, 1, 0);
    fill(&rng, 2, 60);
    for (int commit = 0; commit < COMMITS; commit++) {
        char text[16];
        prf_store_t *s = store_opened();
        snprintf(text, sizeof text, "commit %d", commit);
        cr_assert_eq(store_put(s, PRF_TABLE_BOARD, "last", text), PRF_OK);
        prf_store_close(&s);
        flips_t f = {.seed = "1"};
        begin_flips(&f);
        for (size_t at = commit ? NUMBER : 0; at < END; at++)
            for (unsigned bit = 0; bit < 8; bit += at < NUMBER ? 7 : 1) {
                flip(&f, at, bit);
                flip(&f, 4096 + at, bit);
            }
        cr_expect_gt(f.refused, 0);
        end_flips(&f);
    }
}
