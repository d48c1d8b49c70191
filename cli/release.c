// SPDX-License-Identifier: Apache-2.0
/* release.c - `prfarm release`: a board gets work again. */
#include "access.h"
#include "cli.h"

static const prf_usage_t usage = {
    .name = "release",
    .synopsis = "BOARD [--farm FARM | --dir DIR]",
    .purpose = "Gives a board work again: ends its quarantine, however it came there.",
    .text = "The farm also forgets how long the board used to take: what it measures from now on is taken for\n"
            "normal, and the notes that it drifts or is odd are gone.\n\n"
            "  prfarm release rack1-07\n",
    .least = 1,
    .most = 1,
};

int prf_cmd_release(int argc, char **argv)
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
        prf_farm_call(access.farm, "release", json_pack("{s:s}", "board", words.items[0]), PRF_CALL_MS, &answer, &err);
    prf_access_close(&access);
    if (failed)
        return prf_report(&err);
    if (json)
        return prf_print_json(answer);
    printf("board %s is %s\n", prf_json_text(answer, "board", words.items[0]), prf_json_text(answer, "state", "?"));
    json_decref(answer);
    return 0;
}
