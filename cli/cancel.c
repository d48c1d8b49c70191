// SPDX-License-Identifier: Apache-2.0
/* cancel.c - `prfarm cancel`: ends a campaign; what it measured stays in the store. */
#include "access.h"
#include "cli.h"

static const prf_usage_t usage = {
    .name = "cancel",
    .synopsis = "CAMPAIGN [--farm FARM | --dir DIR]",
    .purpose = "Ends a campaign for good: no more of its layers are measured.",
    .text = "What was measured stays in the farm's store, and other campaigns use it. To pause a\n"
            "'prfarm run', press Ctrl-C there instead; the same command continues it.\n\n"
            "  prfarm cancel quickstart --dir first\n",
    .least = 1,
    .most = 1,
};

int prf_cmd_cancel(int argc, char **argv)
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
        prf_farm_call(access.farm, "cancel", json_pack("{s:s}", "campaign", words.items[0]), PRF_CALL_MS, &answer, &err);
    prf_access_close(&access);
    if (failed)
        return prf_report(&err);
    if (json)
        return prf_print_json(answer);
    printf("campaign %s is %s\n", prf_json_text(answer, "campaign", words.items[0]), prf_json_text(answer, "state", "cancelled"));
    json_decref(answer);
    return 0;
}
