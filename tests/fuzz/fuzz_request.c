// SPDX-License-Identifier: Apache-2.0
/* fuzz_request.c - the JSON of a client's requests: `submit`, and what the store then keeps of it; `measure`. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "coordinator/campaign_doc.h"
#include "coordinator/measure_request.h"
#include "fuzz.h"
#include "tiny_model.h"

static bool submit(const json_t *args)
{
    json_t *doc, *read;
    prf_engine_t *engine;
    prf_campaign_state_t state;
    prf_error_t err;
    if (prf_campaign_doc_submit(args, &doc, &engine, &err))
        return false;
    prf_engine_destroy(&engine);
    char *text = json_dumps(doc, JSON_COMPACT);
    json_decref(doc);
    MUST(text && prf_campaign_doc_decode(text, strlen(text), &read, &state, &err) == PRF_OK, "%s", err.text);
    MUST(prf_campaign_doc_engine(read, &engine, &err) == PRF_OK, "%s", err.text);
    prf_engine_destroy(&engine);
    json_decref(read);
    free(text);
    return true;
}

static bool measure(const json_t *args)
{
    prf_measure_request_t request;
    prf_error_t err;
    if (prf_measure_request_parse(&request, args, &err))
        return false;
    for (size_t i = 0; i < request.count; i++)
        MUST(prf_protocol_check(&request.jobs[i].protocol, &err) == PRF_OK && request.jobs[i].block_count > 0, "%s", err.text);
    prf_measure_request_release(&request);
    return true;
}

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    json_t *args = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
    bool ok = json_is_object(args) && ((int)submit(args) | (int)measure(args));
    json_decref(args);
    return ok;
}

static const char campaign[] = "campaign: c\\nboards: [{kind: a}]\\nlayers:\\n  - {kind: fc, params: {in: 1..64, out: 1..9}}\\n";

/* A campaign whose board begins with a model. */
static void add_old(fuzz_add_fn add, void *arg)
{
    size_t len;
    void *bytes = tiny_model("b", 1, &len, NULL);
    char *model = prf_base64_encode(bytes, len);
    json_t *args =
        json_pack("{s:s, s:[{s:s, s:s}]}", "campaign",
                  "campaign: c\nboards: [{kind: a, from: b.prfm}]\nlayers:\n  - {kind: fc, params: {in: 1..64, out: 1..9}}\n",
                  "models", "board", "a", "model", model);
    char *text = args ? json_dumps(args, JSON_COMPACT) : NULL;
    MUST(text, "a seed of %zu bytes", len);
    add(arg, text, strlen(text));
    free(text);
    json_decref(args);
    free(model);
    free(bytes);
}

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    char text[1024];
    add_old(add, arg);
    int len = snprintf(text, sizeof text,
                       "{\"campaign\": \"%s\", \"file\": \"c.yaml\", \"networks\": [{\"name\": \"n\", \"blocks\": [{\"block\": "
                       "\"fc in=8 out=4 dtype=f32\"}, {\"block\": \"add c=8 h=4 dtype=f32\"}]}]}",
                       campaign);
    add(arg, text, (size_t)len);
    static const char measured[] =
        "{\"kind\": \"a\", \"items\": [{\"blocks\": [\"fc in=8 out=4 dtype=f32\"]}, {\"blocks\": [\"conv2d c=3 k=4 h=8 r=3 + "
        "activation c=4 h=6 w=6 fn=0 dtype=i8\", \"softmax features=10\"]}], \"protocol\": {\"cache\": \"semi-cold\", "
        "\"warmup_runs\": 1, \"min_repeats\": 2, \"max_repeats\": 9, \"ci_percent\": 1.5, \"limit_ms\": 100}}";
    add(arg, measured, strlen(measured));
}
