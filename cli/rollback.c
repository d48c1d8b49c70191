// SPDX-License-Identifier: Apache-2.0
/* rollback.c - `prfarm rollback`: a kind's boards run another version of its model. */
#include <stdlib.h>

#include "access.h"
#include "cli.h"
#include "signals.h"

static const prf_usage_t usage = {
    .name = "rollback",
    .synopsis = "KIND VERSION [--farm FARM | --dir DIR]",
    .purpose = "Makes an earlier version of a kind's model the one that its boards run.",
    .text = "The boards are offered it at once, and again until they run it ('prfarm boards'). It stays\n"
            "the current one until a campaign publishes a new version, which takes over by itself, or\n"
            "until the next roll-back; rolling back to the newest version ends the roll-back.\n\n"
            "  prfarm model list cpu\n"
            "  prfarm rollback cpu 1\n",
    .least = 2,
    .most = 2,
};

static prf_status_t parse_version(const char *text, unsigned long *out, prf_error_t *err)
{
    char *end;
    *out = strtoul(text + (text[0] == 'v'), &end, 10);
    if (*end || *out < 1 || *out > UINT32_MAX)
        return prf_fail(err, PRF_EUSAGE, "VERSION '%.40s': use a number from 1 on, one of those that 'prfarm model list' shows",
                        text);
    return PRF_OK;
}

int prf_cmd_rollback(int argc, char **argv)
{
    bool json = false;
    const prf_option_t options[] = {{.name = "json", .help = "print JSON", .flag = &json}, {.name = NULL}};
    prf_words_t words;
    int code = 0;
    prf_where_t where;
    prf_access_t access;
    prf_error_t err = {0};
    unsigned long version;
    if (!prf_where_parse(&where, &usage, options, argc, argv, &words, &code))
        return code;
    prf_signals_catch();
    if (parse_version(words.items[1], &version, &err) || prf_access_open(&access, &where, &err))
        return prf_report(&err);
    json_t *answer, *in = json_pack("{s:s, s:I}", "kind", words.items[0], "version", (json_int_t)version);
    prf_status_t failed = prf_farm_call(access.farm, "rollback", in, PRF_CALL_MS, &answer, &err);
    prf_access_close(&access);
    if (failed)
        return prf_report(&err);
    if (json)
        return prf_print_json(answer);
    printf("version %lu is the current model of %s; its boards are told: prfarm boards\n", version, words.items[0]);
    json_decref(answer);
    return 0;
}
