// SPDX-License-Identifier: Apache-2.0
/* submit.c - `prfarm submit`: hands a campaign to a farm that is already there. */
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "cli.h"
#include "networks.h"
#include "olds.h"
#include "signals.h"

static const prf_usage_t usage = {
    .name = "submit",
    .synopsis = "CAMPAIGN.yaml [--update] [--farm FARM]",
    .purpose = "Hands a campaign to a running farm and returns.",
    .text = "The farm's workers must serve the board kinds that the campaign names; it starts as soon\n"
            "as the first of a kind is there. The same file again attaches to the same campaign. A\n"
            "file that was edited (other layers, another budget) takes its place with --update: what\n"
            "the new file needs and the farm has is used, the rest is measured.\n\n"
            "  prfarm submit campaign.yaml --farm tcp://127.0.0.1:7700\n"
            "  prfarm watch NAME --farm tcp://127.0.0.1:7700\n",
    .least = 1,
    .most = 1,
};

static prf_status_t submit(const prf_where_t *where, const char *file, bool update, json_t **out, prf_error_t *err)
{
    prf_campaign_t campaign;
    prf_access_t access = {.farm = NULL};
    char *text;
    json_t *networks = NULL, *models = NULL;
    prf_olds_t olds = {.count = 0};
    if (where->dir)
        return prf_fail(err, PRF_EUSAGE, "--dir: nothing can be submitted to a folder: use 'prfarm run CAMPAIGN.yaml --out %.200s'",
                        where->dir);
    prf_status_t status = prf_campaign_load(&campaign, file, &text, err);
    if (status)
        return status;
    if (!(status = prf_networks_load(&campaign, file, &networks, err)) && !(status = prf_olds_load(&olds, &campaign, file, err)) &&
        !(status = prf_access_open(&access, where, err)) && !(status = prf_olds_lend(&olds, access.farm, &models, err))) {
        json_t *in = json_pack("{s:s, s:s, s:O, s:O, s:b}", "campaign", text, "file", file, "networks", networks, "models", models,
                               "update", update);
        status = in ? prf_farm_call(access.farm, "submit", in, 6 * PRF_CALL_MS, out, err)
                    : prf_fail(err, PRF_ENOMEM, "campaign '%s'", campaign.name);
    }
    prf_access_close(&access);
    json_decref(networks);
    json_decref(models);
    prf_olds_release(&olds);
    prf_campaign_release(&campaign);
    free(text);
    return status;
}

static void print_answer(const json_t *answer, const char *farm)
{
    const char *name = prf_json_text(answer, "campaign", "?"), *state = prf_json_text(answer, "state", "running");
    if (json_is_true(json_object_get(answer, "created")))
        printf("campaign %s accepted", name);
    else if (json_is_true(json_object_get(answer, "updated")))
        printf("campaign %s updated: of what it wants so far %.0f measurements are known, %.0f are not", name,
               prf_json_number(answer, "known", 0), prf_json_number(answer, "new", 0));
    else
        printf("campaign %s is known already and %s", name, strcmp(state, "running") == 0 ? "goes on" : state);
    const char *next =
        strcmp(state, "paused") == 0 ? "it is paused; set it going with: prfarm resume" : "follow it with: prfarm watch";
    printf("; %s %s%s%s\n", next, name, farm ? " --farm " : "", farm ? farm : "");
}

int prf_cmd_submit(int argc, char **argv)
{
    prf_where_t where;
    bool json = false, update = false;
    const prf_option_t options[] = {
        {.name = "update", .help = "put the file in the place of the campaign's present one", .flag = &update},
        {.name = "json", .help = "print the farm's answer as JSON", .flag = &json},
        {.name = NULL},
    };
    prf_words_t words;
    int code;
    if (!prf_where_parse(&where, &usage, options, argc, argv, &words, &code))
        return code;
    prf_signals_catch();
    prf_error_t err = {0};
    json_t *answer;
    if (submit(&where, words.items[0], update, &answer, &err))
        return prf_report(&err);
    if (json)
        return prf_print_json(answer);
    print_answer(answer, where.farm);
    json_decref(answer);
    return 0;
}
