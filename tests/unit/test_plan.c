// SPDX-License-Identifier: Apache-2.0
/* test_plan.c - what a page of the plan says is what was planned, and what older stores say is understood. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/plan.h"

static prf_digest_t point(unsigned number)
{
    prf_digest_t digest;
    prf_digest(&digest, &number, sizeof number);
    return digest;
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

TestSuite(plan, .init = set_up, .fini = tear_down);

static prf_plan_t *opened(void)
{
    prf_plan_t *plan;
    prf_error_t err;
    cr_assert_eq(prf_plan_new(&plan, ledger, &err), PRF_OK, "%s", err.text);
    return plan;
}

static void decode(prf_plan_t *plan, const char *key, const char *value)
{
    prf_error_t err;
    cr_assert_eq(prf_plan_decode(plan, key, value, strlen(value), &err), PRF_OK, "%s", err.text);
}

static void expect(const prf_plan_t *plan, unsigned number, uint32_t attempt, const char *role, bool known, const char *blocks)
{
    prf_digest_t digest = point(number);
    prf_planned_t found;
    cr_assert(prf_plan_find(plan, prf_ledger_find(ledger, &digest, attempt), "c", &found), "point %u", number);
    cr_expect_str_eq(found.kind, "cpu");
    cr_expect_str_eq(found.role, role);
    cr_expect_str_eq(found.blocks, blocks);
    cr_expect_eq(found.known, known);
}

Test(plan, a_page_is_read_as_it_was_written)
{
    static const char *const blocks[] = {"fc n=1 in=8 out=4 dtype=f32",
                                         "fc n=1 in=8 out=4 dtype=f32\nactivation n=1 c=4 fn=relu dtype=f32", ""};
    prf_plan_page_t page = {0};
    for (unsigned i = 0; i < 300; i++)
        prf_plan_page_add(&page, &(prf_planned_t){.point = point(i),
                                                  .attempt = i % 2,
                                                  .campaign = "c",
                                                  .kind = "cpu",
                                                  .role = i % 3 ? "random" : "",
                                                  .known = i % 5 == 0,
                                                  .blocks = blocks[i % 3]});
    cr_assert(prf_plan_page_whole(&page));
    cr_expect_eq(page.count, 300);
    prf_plan_t *plan = opened();
    decode(plan, page.key, prf_text_get(&page.value));
    for (unsigned i = 0; i < 300; i++)
        expect(plan, i, i % 2, i % 3 ? "random" : "", i % 5 == 0, blocks[i % 3]);
    prf_plan_page_clear(&page);
    prf_plan_page_add(&page, &(prf_planned_t){.point = point(999), .campaign = "c", .kind = "cpu", .role = "sweep", .blocks = "x"});
    decode(plan, page.key, prf_text_get(&page.value));
    expect(plan, 999, 0, "sweep", false, "x");
    prf_plan_page_release(&page);
    prf_plan_destroy(&plan);
}

Test(plan, older_stores_have_a_value_for_each_point)
{
    char hex[PRF_DIGEST_HEX], key[PRF_PLAN_KEY];
    prf_digest_t digest = point(7);
    prf_plan_t *plan = opened();
    prf_digest_hex(&digest, hex);
    snprintf(key, sizeof key, "c/cpu/plan/%s.3", hex);
    decode(plan, key, "validation known\nfc n=1 in=8 out=4 dtype=f32");
    expect(plan, 7, 3, "validation", true, "fc n=1 in=8 out=4 dtype=f32");
    prf_plan_destroy(&plan);
}

Test(plan, what_is_damaged_is_passed_over)
{
    static const char *const values[] = {"", "@", "@\n@\n", "@0123.0 random\nfc", "no line", "@zz random\nfc\n@"};
    char hex[PRF_DIGEST_HEX], key[PRF_PLAN_KEY], good[256];
    prf_digest_t digest = point(7);
    prf_plan_t *plan = opened();
    prf_digest_hex(&digest, hex);
    snprintf(key, sizeof key, "c/cpu/plan/%s.0", hex);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        decode(plan, key, values[i]);
    prf_planned_t found;
    cr_expect_not(prf_plan_find(plan, prf_ledger_find(ledger, &digest, 0), NULL, &found));
    snprintf(good, sizeof good, "@broken\nfc\n@%s.0 random\nfc n=1 in=8 out=4 dtype=f32\n", hex);
    decode(plan, key, good);
    expect(plan, 7, 0, "random", false, "fc n=1 in=8 out=4 dtype=f32");
    prf_plan_destroy(&plan);
}

/* Campaigns may want the same point, each for its own reason. */
Test(plan, each_campaign_has_its_own_purpose_for_a_point)
{
    enum { POINTS = 20000, CAMPAIGNS = 3 };
    static const char *const names[CAMPAIGNS] = {"a", "b", "c"};
    prf_plan_t *plan = opened();
    for (unsigned i = 0; i < POINTS; i++)
        for (unsigned c = 0; c < CAMPAIGNS; c++) {
            prf_digest_t digest = point(i);
            prf_entry_t *entry;
            bool fresh;
            char blocks[64];
            snprintf(blocks, sizeof blocks, "fc in=%u out=%u", i, c);
            prf_planned_t planned = {.campaign = names[c], .kind = "cpu", .role = i % 2 ? "random" : "sweep", .blocks = blocks};
            cr_assert_eq(prf_ledger_reach(ledger, &digest, 0, &entry, NULL), PRF_OK);
            cr_assert_eq(prf_plan_add(plan, entry, &planned, &fresh, NULL), PRF_OK);
            cr_assert(fresh);
            cr_assert_eq(prf_plan_add(plan, entry, &planned, &fresh, NULL), PRF_OK);
            cr_assert_not(fresh, "wanted before");
        }
    for (unsigned i = 0; i < POINTS; i++) {
        char blocks[64];
        prf_digest_t digest = point(i);
        prf_planned_t found;
        snprintf(blocks, sizeof blocks, "fc in=%u out=2", i);
        expect(plan, i, 0, i % 2 ? "random" : "sweep", false, blocks);
        cr_assert(prf_plan_find(plan, prf_ledger_find(ledger, &digest, 0), NULL, &found));
        cr_assert_str_eq(found.campaign, "a", "the first one's");
    }
    prf_plan_destroy(&plan);
}
