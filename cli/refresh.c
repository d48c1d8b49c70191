// SPDX-License-Identifier: Apache-2.0
/* refresh.c - `prfarm refresh`: does a campaign's model still hold? If not, everything is measured and trained anew. */
#include "access.h"
#include "cli.h"

static const prf_usage_t usage = {
    .name = "refresh",
    .synopsis = "CAMPAIGN [--points N] [--limit PERCENT]",
    .purpose = "Measures a few of a campaign's layers again and trains it anew if its model no longer holds.",
    .text = "For a campaign that is done. Of each kind of board N layers that its model was trained on\n"
            "are measured again. The model holds when the median of new / old is within the limit of 1\n"
            "and most layers agree about it; then nothing changes. If not, the campaign is measured\n"
            "anew and the new model goes to the boards. 'prfarm watch' shows it, the outcome is in\n"
            "the summary ('prfarm status CAMPAIGN').\n\n"
            "  prfarm refresh nightly --points 50\n",
    .least = 1,
    .most = 1,
};

int prf_cmd_refresh(int argc, char **argv)
{
    uint64_t points = 30;
    double limit = 0;
    bool json = false;
    const prf_option_t options[] = {
        {.name = "points", .value = "N", .help = "layers a kind of board (default 30)", .number = &points, .lo = 1, .hi = 10000},
        {.name = "limit",
         .value = "PERCENT",
         .help = "what is no drift yet (default: twice the repeatability, at least 3)",
         .real = &limit,
         .lo = 0,
         .hi = 100},
        {.name = "json", .help = "print JSON", .flag = &json},
        {.name = NULL},
    };
    prf_words_t words;
    int code = 0;
    prf_access_t access;
    prf_error_t err = {0};
    if (!prf_access_start(&access, &usage, options, argc, argv, &words, &code))
        return code;
    json_t *answer,
        *in = json_pack("{s:s, s:I, s:f}", "campaign", words.items[0], "points", (json_int_t)points, "limit_percent", limit);
    prf_status_t failed = prf_farm_call(access.farm, "refresh", in, PRF_CALL_MS, &answer, &err);
    bool own = access.own != NULL;
    prf_access_close(&access);
    if (failed)
        return prf_report(&err);
    if (json)
        return prf_print_json(answer);
    printf("campaign %s is refreshed; %s\n", words.items[0],
           own ? "the next 'prfarm run' of its file carries that out" : "follow it with 'prfarm watch'");
    json_decref(answer);
    return 0;
}
