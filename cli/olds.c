// SPDX-License-Identifier: Apache-2.0
#include "olds.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/file.h"
#include "model/model.h"
#include "networks.h"
#include "output.h"

enum { PIECE = 256 << 10 };

void prf_olds_release(prf_olds_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->items[i].bytes);
    self->count = 0;
}

static prf_status_t load_one(prf_olds_t *to, const prf_campaign_board_t *board, const char *campaign_path, prf_error_t *err)
{
    char path[PRF_BESIDE];
    char *bytes;
    size_t len;
    prf_model_t *model;
    prf_status_t status = prf_path_beside(path, campaign_path, board->from, err);
    if (!status && to->count == PRF_CAMPAIGN_OLDS)
        status = prf_fail(err, PRF_EINVAL, "%s: more than %d boards begin with a model: take 'from' away from the others",
                          campaign_path, (int)PRF_CAMPAIGN_OLDS);
    if (!status)
        status = prf_file_read(path, PRF_MODEL_MAX_BYTES, &bytes, &len, err);
    if (status)
        return status;
    status = prf_model_decode(&model, bytes, len, err);
    if (status) {
        free(bytes);
        return prf_fail_prefix(err, status, "%s", path);
    }
    prf_model_destroy(&model);
    if (len > PRF_CAMPAIGN_OLD_BYTES) {
        free(bytes);
        return prf_fail(err, PRF_EINVAL, "%s: a model of %zu bytes: one to begin with may have %d, train one on fewer layers", path,
                        len, (int)PRF_CAMPAIGN_OLD_BYTES);
    }
    to->items[to->count].kind = board->kind;
    to->items[to->count].bytes = bytes;
    to->items[to->count++].len = len;
    return PRF_OK;
}

prf_status_t prf_olds_load(prf_olds_t *out, const prf_campaign_t *campaign, const char *campaign_path, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    out->count = 0;
    for (size_t i = 0; !status && i < campaign->board_count; i++)
        if (campaign->boards[i].from)
            status = load_one(out, &campaign->boards[i], campaign_path, err);
    if (status)
        prf_olds_release(out);
    return status;
}

/* The coordinator says how much it has, which is where the next piece begins. */
static prf_status_t lend_one(prf_farm_t *farm, const char *hex, const uint8_t *bytes, size_t len, prf_error_t *err)
{
    for (size_t have = 0; have < len;) {
        size_t piece = len - have < PIECE ? len - have : PIECE;
        char *data = prf_base64_encode(bytes + have, piece);
        json_t *in = data ? json_pack("{s:s, s:I, s:I, s:s}", "digest", hex, "bytes", (json_int_t)len, "offset", (json_int_t)have,
                                      "data", data)
                          : NULL,
               *out;
        free(data);
        if (!in)
            return prf_fail(err, PRF_ENOMEM, "a model of %zu bytes", len);
        prf_status_t status = prf_farm_call(farm, "lend", in, 3 * PRF_CALL_MS, &out, err);
        if (status)
            return status;
        double now = prf_json_number(out, "have", 0);
        json_decref(out);
        if (!(now > (double)have) || now > (double)len)
            return prf_fail(err, PRF_EPEER,
                            "the coordinator took nothing of a model that was handed in: are both of the same version?");
        have = (size_t)now;
    }
    return PRF_OK;
}

prf_status_t prf_olds_lend(const prf_olds_t *self, prf_farm_t *farm, json_t **models, prf_error_t *err)
{
    json_t *list = json_array();
    prf_status_t status = list ? PRF_OK : prf_fail(err, PRF_ENOMEM, "models to begin with");
    for (size_t i = 0; !status && i < self->count; i++) {
        char hex[PRF_DIGEST_HEX];
        prf_digest_t digest;
        prf_digest(&digest, self->items[i].bytes, self->items[i].len);
        prf_digest_hex(&digest, hex);
        status = lend_one(farm, hex, self->items[i].bytes, self->items[i].len, err);
        if (!status && json_array_append_new(list, json_pack("{s:s, s:s}", "board", self->items[i].kind, "digest", hex)) != 0)
            status = prf_fail(err, PRF_ENOMEM, "models to begin with");
    }
    if (status)
        json_decref(list);
    else
        *models = list;
    return status;
}
