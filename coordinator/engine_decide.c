// SPDX-License-Identifier: Apache-2.0
/* engine_decide.c - what does not follow from the campaign file and the set of results, and is therefore written down before
 * anything follows from it: which points counted when the time was up, and (engine_refresh.c) whether a refreshed model holds.
 *
 * Which points a board got to in the time is chance. Once decided it is none any more: a campaign that is killed and resumed counts
 * exactly those, even where the store has others by now. The decision lists them, each by itself: what was handed out is no range
 * of any order, because sweeps ask for more in between. It is bound to the file's text and the generation of the measurements, so
 * that an edited file or a refresh has a time of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "engine_internal.h"

const char *const prf_engine_decisions[PRF_ENGINE_DECISIONS] = {"generation", "cut"};

bool cut_is_due(const prf_engine_t *self, const kind_t *kind)
{
    return !kind->cut && kind->stage != PRF_STAGE_CHECK && kind->pending.count > 0 && plan_time_is_up(self, kind);
}

bool cut_leaves_out(const kind_t *kind, const probe_t *probe)
{
    uint64_t any;
    return kind->cut && probe->role != ROLE_REFRESH && !prf_map_get(&kind->counted, &probe->point, probe->attempt, &any);
}

/* Its first line. */
static void cut_about(const prf_engine_t *self, const kind_t *kind, char line[PRF_DIGEST_HEX + 16])
{
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(&self->campaign.digest, hex);
    snprintf(line, PRF_DIGEST_HEX + 16, "%s %u\n", hex, kind->generation);
}

/* What is measured or with a board, and what the farm has without having been asked again. */
static char *cut_text(const prf_engine_t *self, const kind_t *kind, prf_known_fn known, void *arg)
{
    char about[PRF_DIGEST_HEX + 16], hex[PRF_DIGEST_HEX];
    prf_text_t text;
    prf_text_init(&text);
    cut_about(self, kind, about);
    prf_text_add(&text, "%s", about);
    for (size_t i = 0; i < kind->probe_count; i++) {
        const probe_t *p = &kind->probes[i];
        if (p->state == PROBE_PENDING && !known(arg, &p->point, p->attempt))
            continue;
        prf_digest_hex(&p->point, hex);
        prf_text_add(&text, "%s.%u\n", hex, p->attempt);
    }
    return prf_text_take(&text);
}

/* One "POINT.ATTEMPT"; what cannot be read counts for nothing. */
static prf_status_t cut_read_line(kind_t *kind, const char *line, prf_error_t *err)
{
    char hex[PRF_DIGEST_HEX];
    prf_digest_t point;
    snprintf(hex, sizeof hex, "%.*s", PRF_DIGEST_HEX - 1, line);
    if (strlen(hex) < PRF_DIGEST_HEX - 1 || line[PRF_DIGEST_HEX - 1] != '.' || !prf_digest_parse(&point, hex))
        return PRF_OK;
    return prf_map_put(&kind->counted, &point, (uint32_t)strtoul(line + PRF_DIGEST_HEX, NULL, 10), 1, err);
}

static prf_status_t cut_read(prf_engine_t *self, kind_t *kind, const char *text, prf_error_t *err)
{
    char about[PRF_DIGEST_HEX + 16];
    cut_about(self, kind, about);
    if (strncmp(text, about, strlen(about)) != 0)
        return PRF_OK; /* of another file, or of measurements that a refresh replaced */
    kind->cut = true;
    for (const char *line = strchr(text, '\n'); line; line = strchr(line + 1, '\n')) {
        prf_status_t status = cut_read_line(kind, line + 1, err);
        if (status)
            return status;
    }
    return PRF_OK;
}

static prf_status_t cut_decide(prf_engine_t *self, size_t board, const char *text, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    prf_status_t status = cut_read(self, kind, text, err);
    if (status || !kind->cut || kind->stage == PRF_STAGE_WAITING)
        return status;
    size_t kept = 0;
    for (size_t i = 0; i < kind->pending.count; i++) {
        probe_t *p = &kind->probes[kind->pending.items[i]];
        if (cut_leaves_out(kind, p))
            probe_skip(kind, p);
        else
            kind->pending.items[kept++] = kind->pending.items[i];
    }
    kind->pending.count = kept;
    kind->sorted = 0;
    return plan_advance(self, board, err);
}

char *prf_engine_decision(const prf_engine_t *self, size_t board, prf_known_fn known, void *arg, const char **name)
{
    const kind_t *kind = &self->kinds[board];
    if (refresh_is_due(kind)) {
        *name = "generation";
        return refresh_text(self, kind);
    }
    *name = "cut";
    return cut_is_due(self, kind) ? cut_text(self, kind, known, arg) : NULL;
}

prf_status_t prf_engine_decide(prf_engine_t *self, size_t board, const char *name, const char *text, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    prf_status_t status = strcmp(name, "generation") == 0 ? refresh_decide(self, board, text, err)
                          : strcmp(name, "cut") == 0      ? cut_decide(self, board, text, err)
                                                          : PRF_OK;
    if (status)
        kind_fail(kind, err ? err->text : prf_status_name(status));
    return status;
}
