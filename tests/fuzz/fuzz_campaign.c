// SPDX-License-Identifier: Apache-2.0
/* fuzz_campaign.c - a campaign file from a stranger: parsing, then the first steps that a coordinator takes with it: an engine,
 * pinned to boards that can do everything, asked for its first points. Planning sweeps takes a hundred times as long as parsing
 * when it is instrumented, so only some inputs come that far: which ones follows from their bytes alone. */
#include <string.h>

#include "base/file.h"
#include "coordinator/engine.h"
#include "fuzz.h"

enum { WANTS = 8, SAMPLES = 12, VALIDATION = 2, PLANNED_OF = 64 };

static void begin(prf_campaign_t *campaign, bool plan)
{
    prf_engine_t *engine;
    prf_error_t err;
    size_t boards = campaign->board_count;
    campaign->samples = campaign->samples < SAMPLES ? campaign->samples : SAMPLES;
    campaign->validation = campaign->validation < VALIDATION ? campaign->validation : VALIDATION;
    MUST(prf_engine_new(&engine, campaign, NULL, 0, &err) == PRF_OK, "%s", err.text);
    if (plan && prf_engine_pin(engine, boards - 1, "fuzz", UINT32_MAX, UINT32_MAX, 0, &err) == PRF_OK) {
        prf_want_t want;
        for (int i = 0; i < WANTS && prf_engine_next(engine, &want); i++) {
            prf_sample_t sample = {.latency_ns = 1000 + i, .min_ns = 1000, .repeats = 1, .busy_ns = 1000};
            MUST(want.block_count == 1 && prf_block_check(want.blocks, &err) == PRF_OK, "%s", err.text);
            prf_digest_t point = want.point;
            MUST(prf_engine_answer(engine, &point, want.attempt, &sample, false, "", &err) == PRF_OK, "%s", err.text);
        }
    }
    json_t *status = prf_engine_status(engine);
    MUST(status, "no status");
    json_decref(status);
    prf_engine_destroy(&engine);
}

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    prf_campaign_t campaign;
    prf_error_t err;
    if (len > PRF_CAMPAIGN_BYTES || prf_campaign_parse(&campaign, (const char *)bytes, len, "campaign.yaml", &err))
        return false;
    begin(&campaign, prf_crc32(bytes, len) % PLANNED_OF == 0);
    return true;
}

static void add_file(fuzz_add_fn add, void *arg, const char *path)
{
    char *text;
    size_t len;
    prf_error_t err;
    MUST(prf_file_read(path, PRF_CAMPAIGN_BYTES, &text, &len, &err) == PRF_OK, "%s", err.text);
    add(arg, text, len);
    free(text);
}

/* Small, and with what the examples leave out. */
static const char small[] =
    "campaign: c\n"
    "seed: 7\n"
    "boards:\n"
    "  - kind: a\n"
    "    workers: 2\n"
    "    backend: sim\n"
    "    options: {board: vta, noise: [1, 2]}\n"
    "  - {kind: b}\n"
    "budget: {samples: 40, seconds: 60}\n"
    "target_mape_percent: 5\n"
    "validation: {layers: 4, repeats: 2}\n"
    "baseline: true\n"
    "measure: {cache: semi-cold, warmup: 1, repeats: 2..9, ci_percent: 2, limit_ms: 50, passes: 2}\n"
    "networks: [a.onnx, b/c.onnx]\n"
    "layers:\n"
    "  - {kind: fc, dtype: i8, boards: [b], knowledge: white, steps: {in: 8}, params: {in: 1..64, out: [1, 2]}}\n"
    "  - kind: conv2d\n"
    "    boards: [a]\n"
    "    weight: 3\n"
    "    max_macs: 1e9\n"
    "    params:\n"
    "      c: {from: 1, to: 512, scale: log}\n"
    "      k: 4..64\n"
    "      h: 8\n"
    "      w: h\n"
    "      r: [1, 3]\n"
    "      pad: r/2\n"
    "    knowledge: grey\n"
    "    candidates: {c: [4, 8]}\n";

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    add(arg, small, strlen(small));
    add_file(add, arg, PRF_SOURCE_DIR "/docs/examples/quickstart.yaml");
    add_file(add, arg, PRF_SOURCE_DIR "/docs/examples/simulated.yaml");
}
