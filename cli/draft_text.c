// SPDX-License-Identifier: Apache-2.0
/* draft_text.c - the campaign file itself. Its comments tell a newcomer what each part is for, and docs/campaign-file.md the rest.
 */
#include <string.h>

#include "draft.h"

static void put_boards(const prf_draft_t *d, prf_text_t *out)
{
    prf_text_add(
        out, "\n# Each kind of board gets a model of its own, models/KIND.prfm. `workers` of them measure at once (1).\nboards:\n");
    for (size_t i = 0; i < d->board_count; i++) {
        const prf_draft_board_t *b = &d->boards[i];
        prf_text_add(out, "  - kind: %s%s%s\n    backend: %s\n    options: {%s}\n", b->kind, b->note ? " # " : "",
                     b->note ? b->note : "", b->backend, b->options);
    }
}

static void put_board_names(const prf_draft_t *d, uint32_t boards, prf_text_t *out)
{
    bool first = true;
    for (size_t i = 0; i < d->board_count; i++) {
        if (!(boards & UINT32_C(1) << i))
            continue;
        prf_text_add(out, "%s%s", first ? "    boards: [" : ", ", d->boards[i].kind);
        first = false;
    }
    prf_text_add(out, "]\n");
}

static void put_params(const char *params, prf_text_t *out)
{
    prf_text_add(out, "    params:\n");
    while (*params) {
        size_t len = strcspn(params, "\n");
        prf_text_add(out, "      %.*s\n", (int)len, params);
        params += len + 1;
    }
}

static void put_layers(const prf_draft_t *d, prf_text_t *out)
{
    uint32_t all = d->board_count == 32 ? UINT32_MAX : (UINT32_C(1) << d->board_count) - 1;
    prf_text_add(out,
                 "\n# The layers: %s. From these ranges layers are drawn, measured and\n"
                 "# estimated; outside of them the model will say that it was not trained there. `weight` is a kind's share\n"
                 "# of the samples; layers of more multiply-accumulates than `max_macs` are left out, since they take long.\n"
                 "layers:\n",
                 d->layers_are);
    for (size_t i = 0; i < d->layer_count; i++) {
        const prf_draft_layer_t *l = &d->layers[i];
        prf_text_add(out, "  - kind: %s\n", prf_layer_kind_name(l->kind));
        if (l->boards != all)
            put_board_names(d, l->boards, out);
        if (d->dtype != PRF_F32)
            prf_text_add(out, "    dtype: %s\n", prf_dtype_name(d->dtype));
        if (l->weight > 1)
            prf_text_add(out, "    weight: %u\n", l->weight);
        if (l->max_macs > 0)
            prf_text_add(out, "    max_macs: %.12g\n", l->max_macs);
        put_params(l->params, out);
    }
}

static void put_budget(const prf_draft_t *d, prf_text_t *out)
{
    unsigned judged = d->samples / 4 < 10 ? 10 : d->samples / 4 > 100 ? 100 : d->samples / 4;
    prf_text_add(out, "\n# How many layers are measured on each kind of board to train on, sweeps for steps included%s.\n",
                 d->minutes > 0 ? ", and how long at most" : "");
    prf_text_add(out, "budget: {samples: %u", d->samples);
    if (d->minutes > 0)
        prf_text_add(out, ", minutes: %g", d->minutes);
    prf_text_add(
        out,
        "}\n\n# Besides, the model is judged on so many layers that it never saw; measured twice, they tell how well the board\n"
        "# repeats itself. `baseline` measures as many layers at random, to compare with.\n"
        "validation: {layers: %u, repeats: 2}\nbaseline: true\n",
        judged);
}

/* A simulated board answers at once and exactly; a real one is timed as it is within a network. */
static void put_measure(const prf_draft_t *d, prf_text_t *out)
{
    bool real = false;
    for (size_t i = 0; i < d->board_count; i++)
        real = real || !d->boards[i].simulated;
    if (real)
        prf_text_add(
            out,
            "\n# semi-cold: the weights are not in the cache, as within a network. Runs are repeated until their median is known\n"
            "# to 1 %%, and each layer is measured two or three times, well apart, since machines have slow moments.\n"
            "measure: {cache: semi-cold, warmup: 1, repeats: 20..100, ci_percent: 1, limit_ms: 100, passes: 2..3}\n");
}

static void put_networks(const prf_draft_t *d, prf_text_t *out)
{
    char quoted[PRF_DRAFT_PATH + 64];
    if (!d->network_count)
        return;
    prf_text_add(out, "\n# Estimated and measured as wholes in the end.\nnetworks:\n");
    for (size_t i = 0; i < d->network_count; i++) {
        prf_draft_quote(d->networks[i], quoted, sizeof quoted);
        prf_text_add(out, "  - %s\n", quoted);
    }
}

prf_status_t prf_draft_write(const prf_draft_t *draft, prf_text_t *out, prf_error_t *err)
{
    prf_text_add(out,
                 "# A campaign of prfarm: which layers to measure on which boards. Carry it out with\n"
                 "#   prfarm run %s --out %s\n"
                 "# Change what you like, also later: what was measured is used again. docs/campaign-file.md explains every key.\n"
                 "campaign: %s\nseed: 1 # another one draws other layers\n",
                 draft->file, draft->name, draft->name);
    put_boards(draft, out);
    put_layers(draft, out);
    put_budget(draft, out);
    put_measure(draft, out);
    put_networks(draft, out);
    return out->failed ? prf_fail(err, PRF_ENOMEM, "the campaign file") : PRF_OK;
}
