// SPDX-License-Identifier: Apache-2.0
/* order.c - see order.h. */
#include "order.h"

#include <string.h>

#include "access.h"
#include "output.h"

int prf_order_run(const prf_usage_t *usage, const char *what, int argc, char **argv)
{
    bool json = false;
    const prf_option_t options[] = {{.name = "json", .help = "print JSON", .flag = &json}, {.name = NULL}};
    prf_words_t words;
    int code = 0;
    prf_access_t access;
    prf_error_t err = {0};
    if (!prf_access_start(&access, usage, options, argc, argv, &words, &code))
        return code;
    json_t *answer;
    prf_status_t failed =
        prf_farm_call(access.farm, usage->name, json_pack("{s:s}", what, words.items[0]), PRF_CALL_MS, &answer, &err);
    prf_access_close(&access);
    if (failed)
        return prf_report(&err);
    if (json)
        return prf_print_json(answer);
    const char *name = prf_json_text(answer, what, words.items[0]), *state = prf_json_text(answer, "state", "?");
    /* No order leads there. */
    bool over = strcmp(state, "done") == 0 || strcmp(state, "failed") == 0;
    if (over)
        printf("%s %s was over already, it is %s: nothing was changed\n", what, name, state);
    else
        printf("%s %s is %s\n", what, name, state);
    json_decref(answer);
    return 0;
}
