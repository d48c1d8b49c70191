// SPDX-License-Identifier: Apache-2.0
/* quarantine.c - `prfarm quarantine`: a board gets no more work. */
#include "access.h"
#include "cli.h"

static const prf_usage_t usage = {
    .name = "quarantine",
    .synopsis = "BOARD [--why TEXT] [--farm FARM | --dir DIR]",
    .purpose = "Gives a board no more work until it is released.",
    .text = "The board's jobs go to others at once, and a restart of the coordinator changes nothing about it.\n"
            "The farm does the same by itself with a board that fails on one layer after the other, and tries\n"
            "such a board again; one that a person has put there stays there.\n\n"
            "  prfarm quarantine rack1-07 --why 'its fan is broken'\n"
            "  prfarm release rack1-07\n",
    .least = 1,
    .most = 1,
};

int prf_cmd_quarantine(int argc, char **argv)
{
    const char *why = "";
    bool json = false;
    const prf_option_t options[] = {
        {.name = "why", .value = "TEXT", .help = "what 'prfarm boards' says about it", .text = &why},
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
    prf_status_t failed = prf_farm_call(access.farm, "quarantine", json_pack("{s:s, s:s}", "board", words.items[0], "why", why),
                                        PRF_CALL_MS, &answer, &err);
    prf_access_close(&access);
    if (failed)
        return prf_report(&err);
    if (json)
        return prf_print_json(answer);
    printf("board %s is %s\n", prf_json_text(answer, "board", words.items[0]), prf_json_text(answer, "state", "?"));
    json_decref(answer);
    return 0;
}
