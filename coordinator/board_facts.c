// SPDX-License-Identifier: Apache-2.0
#include "board_facts.h"

#include <jansson.h>
#include <stdio.h>

char *prf_board_facts_encode(const prf_fleet_board_t *board)
{
    const prf_hello_t *facts = &board->facts;
    const prf_trust_t *trust = &board->trust;
    json_t *json = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "kind", facts->kind, "fingerprint", facts->fingerprint, "software",
                             facts->software, "kinds", (json_int_t)facts->kinds, "dtypes", (json_int_t)facts->dtypes, "flags",
                             (json_int_t)facts->flags);
    if (json && trust->state != PRF_TRUSTED)
        json_object_set_new(json, "quarantine",
                            json_pack("{s:s, s:b, s:I, s:I}", "why", trust->why, "by_hand", trust->state == PRF_BARRED, "since_ms",
                                      (json_int_t)trust->since_ms, "delay_ms", (json_int_t)trust->delay_ms));
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

static void decode_quarantine(const json_t *json, prf_trust_t *out)
{
    const char *why;
    int by_hand;
    json_int_t since_ms, delay_ms;
    if (json_unpack((json_t *)json, "{s:s, s:b, s:I, s:I}", "why", &why, "by_hand", &by_hand, "since_ms", &since_ms, "delay_ms",
                    &delay_ms) != 0)
        return;
    *out = (prf_trust_t){
        .state = by_hand ? PRF_BARRED : PRF_QUARANTINED, .since_ms = (uint64_t)since_ms, .delay_ms = (uint64_t)delay_ms};
    snprintf(out->why, sizeof out->why, "%s", why);
}

prf_status_t prf_board_facts_decode(prf_fleet_t *fleet, const char *name, const void *value, size_t len, prf_error_t *err)
{
    json_t *json = json_loadb(value, len, 0, NULL);
    const char *kind, *fingerprint, *software;
    json_int_t kinds, dtypes, flags;
    prf_fleet_board_t *board;
    if (json_unpack(json, "{s:s, s:s, s:s, s:I, s:I, s:I}", "kind", &kind, "fingerprint", &fingerprint, "software", &software,
                    "kinds", &kinds, "dtypes", &dtypes, "flags", &flags) != 0 ||
        prf_name_check("board", name, NULL) || prf_name_check("board kind", kind, NULL)) {
        json_decref(json);
        return PRF_OK;
    }
    prf_status_t status = prf_fleet_add(fleet, name, &board, err);
    if (!status) {
        prf_hello_t *f = &board->facts;
        snprintf(f->kind, sizeof f->kind, "%s", kind);
        snprintf(f->fingerprint, sizeof f->fingerprint, "%s", fingerprint);
        snprintf(f->software, sizeof f->software, "%s", software);
        f->kinds = (uint32_t)kinds;
        f->dtypes = (uint32_t)dtypes;
        f->flags = (uint32_t)flags;
        decode_quarantine(json_object_get(json, "quarantine"), &board->trust);
    }
    json_decref(json);
    return status;
}
