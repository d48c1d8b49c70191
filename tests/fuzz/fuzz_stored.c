// SPDX-License-Identifier: Apache-2.0
/* fuzz_stored.c - keys and values of the store beside records: what a point is (plan), a board's facts, a campaign's document. The
 * input is a key, a zero byte, and a value; every reader is tried on it. */
#include <string.h>

#include "coordinator/board_facts.h"
#include "coordinator/campaign_doc.h"
#include "coordinator/plan.h"
#include "fuzz.h"

static bool try_plan(const char *key, const void *value, size_t len)
{
    prf_ledger_t *ledger;
    prf_plan_t *plan;
    prf_error_t err;
    MUST(prf_ledger_new(&ledger, &err) == PRF_OK, "%s", err.text);
    MUST(prf_plan_new(&plan, ledger, &err) == PRF_OK, "%s", err.text);
    MUST(prf_plan_decode(plan, key, value, len, &err) == PRF_OK, "%s", err.text);
    MUST(prf_plan_decode(plan, key, value, len, &err) == PRF_OK, "%s", err.text);
    prf_plan_destroy(&plan);
    prf_ledger_destroy(&ledger);
    return strstr(key, "/plan/") != NULL;
}

static bool try_board(const char *key, const void *value, size_t len)
{
    prf_fleet_t *fleet;
    prf_error_t err;
    MUST(prf_fleet_new(&fleet, 4, &err) == PRF_OK, "%s", err.text);
    MUST(prf_board_facts_decode(fleet, key, value, len, &err) == PRF_OK, "%s", err.text);
    bool found = prf_fleet_count(fleet) == 1;
    if (found) {
        char *text = prf_board_facts_encode(prf_fleet_at(fleet, 0));
        MUST(text, "facts that cannot be written again");
        free(text);
    }
    prf_fleet_destroy(&fleet);
    return found;
}

static bool try_campaign(const void *value, size_t len)
{
    json_t *doc;
    prf_campaign_state_t state;
    prf_engine_t *engine;
    prf_error_t err;
    if (prf_campaign_doc_decode(value, len, &doc, &state, &err))
        return false;
    MUST((unsigned)state < PRF_CAMPAIGN_STATES, "state %d", (int)state);
    if (prf_campaign_doc_engine(doc, &engine, &err) == PRF_OK)
        prf_engine_destroy(&engine);
    json_decref(doc);
    return true;
}

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    const uint8_t *zero = len ? memchr(bytes, 0, len) : NULL;
    if (!zero)
        return false;
    const char *key = (const char *)bytes;
    const uint8_t *value = zero + 1;
    len -= (size_t)(value - bytes);
    return (int)try_plan(key, value, len) | (int)try_board(key, value, len) | (int)try_campaign(value, len);
}

static void add_value(fuzz_add_fn add, void *arg, const char *key, const char *value)
{
    char text[1024];
    size_t key_len = strlen(key) + 1, len = strlen(value);
    MUST(key_len + len < sizeof text, "%s", value);
    memcpy(text, key, key_len);
    memcpy(text + key_len, value, len);
    add(arg, text, key_len + len);
}

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    prf_planned_t planned = {.campaign = "c", .kind = "cpu", .role = "sweep", .blocks = "fc n=1 in=8 out=4 dtype=f32"};
    prf_plan_page_t page = {0};
    prf_digest(&planned.point, "point", 5);
    prf_plan_page_add(&page, &planned);
    planned.known = true;
    prf_digest(&planned.point, "another", 7);
    prf_plan_page_add(&page, &planned);
    add_value(add, arg, page.key, prf_text_get(&page.value));
    add_value(add, arg, page.key, "sweep known\nfc n=1 in=8 out=4 dtype=f32"); /* as older stores have it */
    prf_plan_page_release(&page);
    prf_fleet_board_t board = {
        .facts = {.kind = "cpu", .fingerprint = "sim/vta", .software = "prfarm 0", .kinds = 0xfff, .dtypes = 1, .flags = 1},
        .trust = {.state = PRF_QUARANTINED, .why = "it failed", .since_ms = 1, .delay_ms = 1000}};
    char *value = prf_board_facts_encode(&board);
    add_value(add, arg, "board-1", value);
    free(value);
    add_value(
        add, arg, "c",
        "{\"version\": 1, \"name\": \"c\", \"file\": \"\", \"networks\": [], \"seconds\": 0, \"state\": \"running\", \"text\": "
        "\"campaign: c\\nboards: [{kind: a}]\\nlayers:\\n  - {kind: fc, params: {in: 1..64, out: 1..9}}\\n\"}");
}
