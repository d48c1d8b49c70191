// SPDX-License-Identifier: Apache-2.0
#include "standstill.h"

#include <stdio.h>
#include <string.h>

#include "output.h"

void prf_standstill(const prf_standing_t *b, const char *where, char text[PRF_STANDSTILL])
{
    text[0] = '\0';
    if (b->live < 1)
        snprintf(
            text, PRF_STANDSTILL,
            "no board of kind %.63s is connected: start one (prfarm-worker --kind %.63s ...); 'prfarm boards%.60s' lists those "
            "that were",
            b->kind, b->kind, where);
    else if (b->other_runtime >= b->live)
        snprintf(text, PRF_STANDSTILL,
                 "every board of kind %.63s has another runtime than the campaign began with ('prfarm boards%.60s' shows them): "
                 "start one with that runtime, or submit the campaign under another name",
                 b->kind, where);
    else if (b->quarantined >= b->live - b->other_runtime)
        snprintf(
            text, PRF_STANDSTILL,
            "every board of kind %.63s is in quarantine: 'prfarm boards%.60s' tells why, and which are tried again by themselves; "
            "'prfarm release BOARD%.60s' (or power-cycle) does not wait for that",
            b->kind, where, where);
}

static bool is_any(const char *stage, const char *const *list)
{
    while (*list && strcmp(stage, *list) != 0)
        list++;
    return *list;
}

void prf_standstill_of(const json_t *campaign, const json_t *board, const char *where, char text[PRF_STANDSTILL])
{
    static const char *const at_rest[] = {"done", "failed", "train", NULL}, *const publishing[] = {"publish", NULL};
    const char *stage = prf_json_text(board, "stage", "");
    prf_standing_t boards = {.kind = prf_json_text(board, "kind", "?"),
                             .live = prf_json_number(board, "boards_live", 0),
                             .other_runtime = prf_json_number(board, "other_runtime", 0),
                             .quarantined = prf_json_number(board, "quarantined", 0)};
    text[0] = '\0';
    if (is_any(stage, publishing)) /* a model goes to all boards that are there */
        boards.other_runtime = boards.quarantined = 0;
    if (strcmp(prf_json_text(campaign, "state", ""), "running") == 0 && !is_any(stage, at_rest))
        prf_standstill(&boards, where, text);
}
