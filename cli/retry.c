// SPDX-License-Identifier: Apache-2.0
/* retry.c - `prfarm retry`: a campaign's poisoned points are measured again. */
#include "access.h"
#include "cli.h"

static const prf_usage_t usage = {
    .name = "retry",
    .synopsis = "CAMPAIGN [--farm FARM | --dir DIR]",
    .purpose = "Measures a campaign's poisoned points again.",
    .text = "A point is poisoned when measuring it failed on several boards; 'prfarm poisoned' lists them.\n"
            "Once whatever was wrong is put right, this forgets those failures and sets the campaign going\n"
            "again, also one that is done or failed. What was measured is not measured again.\n\n"
            "  prfarm retry quickstart --farm tcp://127.0.0.1:7700\n",
    .least = 1,
    .most = 1,
};

int prf_cmd_retry(int argc, char **argv)
{
    bool json = false;
    const prf_option_t options[] = {
        {.name = "json", .help = "print JSON", .flag = &json},
        {.name = NULL},
    };
    prf_words_t words;
    int code = 0;
    prf_access_t access;
    prf_error_t err = {0};
    if (!prf_access_start(&access, &usage, options, argc, argv, &words, &code))
        return code;
    json_t *answer;
    prf_status_t failed =
        prf_farm_call(access.farm, "retry", json_pack("{s:s}", "campaign", words.items[0]), PRF_CALL_MS, &answer, &err);
    prf_access_close(&access);
    if (failed)
        return prf_report(&err);
    if (json)
        return prf_print_json(answer);
    double cleared = prf_json_number(answer, "cleared", 0);
    if (cleared > 0)
        printf("%.0f points of campaign %s are measured again; it is %s\n", cleared, words.items[0],
               prf_json_text(answer, "state", "?"));
    else
        printf("campaign %s has no poisoned points\n", words.items[0]);
    json_decref(answer);
    return 0;
}
