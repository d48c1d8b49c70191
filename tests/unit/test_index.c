// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "index.h"

static prf_record_t record(uint32_t number, double latency_ns)
{
    prf_record_t r = {.attempt = number % 2, .sample = {.latency_ns = latency_ns, .min_ns = latency_ns, .ci_percent = 1}};
    uint32_t key = number / 2;
    prf_digest(&r.point, &key, sizeof key);
    snprintf(r.board, sizeof r.board, "board-%u", number % 7);
    return r;
}

static prf_ledger_t *ledger;

static void set_up(void)
{
    cr_assert_eq(prf_ledger_new(&ledger, NULL), PRF_OK);
}

static void tear_down(void)
{
    prf_ledger_destroy(&ledger);
}

TestSuite(index, .init = set_up, .fini = tear_down);

static prf_entry_t *entry(const prf_record_t *r)
{
    prf_entry_t *e;
    cr_assert_eq(prf_ledger_reach(ledger, &r->point, r->attempt, &e, NULL), PRF_OK);
    return e;
}

static prf_index_t *fresh(void)
{
    prf_index_t *index;
    cr_assert_eq(prf_index_new(&index, NULL), PRF_OK);
    return index;
}

static void add(prf_index_t *index, const prf_record_t *r)
{
    cr_assert_eq(prf_index_add(index, entry(r), r, NULL), PRF_OK);
}

Test(index, tells_every_point_and_attempt_apart)
{
    prf_index_t *index = fresh();
    for (uint32_t i = 0; i < 20000; i++) {
        prf_record_t r = record(i, i + 1);
        add(index, &r);
    }
    cr_assert_eq(prf_index_count(index), 20000);
    for (uint32_t i = 0; i < 20000; i++) {
        prf_record_t r = record(i, 0);
        prf_known_t known;
        cr_assert(prf_index_get(index, entry(&r), &known));
        cr_assert_eq(known.sample.latency_ns, i + 1);
        cr_assert_str_eq(known.board, r.board);
        cr_assert_not(prf_index_get(index, prf_ledger_find(ledger, &r.point, 2), &known));
    }
    prf_index_destroy(&index);
}

/* The best record of a set is the same in whatever order they come; that is what makes a resumed campaign end in the same model. */
Test(index, the_best_record_does_not_depend_on_the_order_of_arrival)
{
    prf_record_t set[5];
    for (int i = 0; i < 5; i++)
        set[i] = record(4, 100 + i);
    set[0].sample.taint = PRF_TAINT_SWITCHED;
    set[0].sample.ci_percent = 0.1;
    set[1].outcome = PRF_ECRASH;
    snprintf(set[1].error, sizeof set[1].error, "died");
    set[2].sample.ci_percent = 0.5; /* the best: untainted, narrowest */
    set[3].sample.ci_percent = 0.7;
    set[4].sample.ci_percent = 0.2;
    set[4].duplicate = true;
    for (uint64_t seed = 0; seed < 50; seed++) {
        prf_rng_t rng;
        prf_rng_init(&rng, seed, 0);
        prf_rng_shuffle(&rng, set, 5, sizeof *set);
        prf_index_t *index = fresh();
        for (int i = 0; i < 5; i++)
            add(index, &set[i]);
        prf_known_t known;
        cr_assert(prf_index_get(index, entry(&set[0]), &known));
        cr_assert_eq(known.sample.latency_ns, 102, "seed %llu", (unsigned long long)seed);
        cr_assert_eq(known.outcome, PRF_OK);
        cr_assert(entry(&set[0])->duplicate_kept);
        prf_index_destroy(&index);
        tear_down();
        set_up();
    }
}

Test(index, a_failure_is_known_with_its_reason_until_there_is_a_sample)
{
    prf_index_t *index = fresh();
    prf_record_t r = record(0, 0);
    r.outcome = PRF_EHANG;
    snprintf(r.error, sizeof r.error, "no end within 15 s");
    add(index, &r);
    prf_known_t known;
    cr_assert(prf_index_get(index, entry(&r), &known));
    cr_assert_eq(known.outcome, PRF_EHANG);
    cr_assert_str_eq(known.error, "no end within 15 s");
    prf_record_t good = record(0, 5);
    add(index, &good);
    cr_assert(prf_index_get(index, entry(&r), &known));
    cr_assert_eq(known.outcome, PRF_OK);
    cr_assert_str_eq(known.error, "");
    prf_index_destroy(&index);
}

Test(index, a_duplicate_alone_makes_no_point_known)
{
    prf_index_t *index = fresh();
    prf_record_t r = record(0, 5);
    r.duplicate = true;
    add(index, &r);
    prf_known_t known;
    cr_assert_not(prf_index_get(index, entry(&r), &known));
    cr_assert_eq(prf_index_count(index), 0);
    prf_index_destroy(&index);
}
