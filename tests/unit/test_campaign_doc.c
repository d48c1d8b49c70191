// SPDX-License-Identifier: Apache-2.0
/* What a client submits of networks: checked before it is stored, and the same whether or not it tells what reads what, as clients
 * of earlier versions do not. */
#include <criterion/criterion.h>
#include <string.h>

#include "coordinator/campaign_doc.h"

static const char campaign[] = "campaign: docs\n"
                               "boards:\n"
                               "  - {kind: a}\n"
                               "layers:\n"
                               "  - {kind: fc, params: {in: 1..64, out: 1..64}}\n"
                               "budget: {samples: 20}\n";

/* `blocks`: JSON, the network's. Returns the document, NULL when it was refused. */
static json_t *submit(const char *blocks, prf_error_t *err)
{
    json_t *doc = NULL, *list = json_loads(blocks, 0, NULL);
    cr_assert_not_null(list, "%s", blocks);
    json_t *args = json_pack("{s:s, s:s, s:[{s:s, s:o}]}", "campaign", campaign, "file", "docs.yaml", "networks", "name", "net",
                             "blocks", list);
    prf_engine_t *engine = NULL;
    prf_status_t status = prf_campaign_doc_submit(args, &doc, &engine, err);
    cr_expect(status == PRF_OK || status == PRF_EINVAL, "%s", err->text);
    json_decref(args);
    prf_engine_destroy(&engine);
    return doc;
}

#define BLOCK(rest) "{\"name\":\"x\",\"block\":\"fc in=8 out=8\"" rest "}"

Test(campaign_doc, edges_are_taken_up_and_those_of_an_earlier_client_are_not_missed)
{
    prf_error_t err = {0};
    json_t *told = submit("[" BLOCK(",\"inputs\":[-1]") "," BLOCK(",\"inputs\":[0]") "]", &err);
    json_t *untold = submit("[" BLOCK("") "," BLOCK("") "]", &err);
    json_t *others = submit("[" BLOCK(",\"inputs\":[-1]") "," BLOCK(",\"inputs\":[-1]") "]", &err);
    json_t *longer = submit("[" BLOCK("") "," BLOCK("") "," BLOCK("") "]", &err);
    cr_assert(told && untold && others && longer, "%s", err.text);
    cr_expect(prf_campaign_doc_same(told, told));
    cr_expect(prf_campaign_doc_same(told, untold), "the same file again attaches, whichever prfarm stored it");
    cr_expect(prf_campaign_doc_same(untold, told));
    cr_expect_not(prf_campaign_doc_same(told, others), "another network");
    cr_expect_not(prf_campaign_doc_same(told, longer));
    json_decref(told);
    json_decref(untold);
    json_decref(others);
    json_decref(longer);
}

Test(campaign_doc, edges_that_cannot_be_are_refused_with_the_place)
{
    static const struct {
        const char *blocks, *because;
    } cases[] = {
        {"[" BLOCK(",\"inputs\":[0]") "]", "network net: block 0 cannot read block 0"},
        {"[" BLOCK(",\"inputs\":[-1]") "," BLOCK(",\"inputs\":[2]") "]", "network net: block 1 cannot read block 2"},
        {"[" BLOCK(",\"inputs\":[-1]") "," BLOCK("") "]", "network net: block 1 reads nothing"},
        {"[" BLOCK(",\"inputs\":[-2]") "]", "block 0 cannot read"},
        {"[" BLOCK(",\"inputs\":[\"x\"]") "]", "block 0 cannot read"},
        {"[" BLOCK(",\"inputs\":[99999999999999]") "]", "block 0 cannot read"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        prf_error_t err = {0};
        cr_expect_null(submit(cases[i].blocks, &err), "%s", cases[i].blocks);
        cr_expect(strstr(err.text, cases[i].because), "'%s' does not say '%s'", err.text, cases[i].because);
    }
}
