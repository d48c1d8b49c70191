// SPDX-License-Identifier: Apache-2.0
#include "model_file.h"

#include <stdlib.h>

#include "base/file.h"

prf_status_t prf_model_file_open(prf_model_file_t *out, const char *path, prf_error_t *err)
{
    char *bytes;
    prf_model_file_t self = {.path = path};
    prf_status_t status = prf_file_read(path, PRF_MODEL_MAX_BYTES, &bytes, &self.bytes, err);
    if (status)
        return status;
    prf_digest_t digest;
    prf_digest(&digest, bytes, self.bytes);
    prf_digest_hex(&digest, self.digest);
    status = prf_model_decode(&self.model, bytes, self.bytes, err);
    free(bytes);
    if (status)
        return prf_fail_prefix(err, status, "%s", path);
    *out = self;
    return PRF_OK;
}

void prf_model_file_release(prf_model_file_t *self)
{
    prf_model_destroy(&self->model);
}

json_t *prf_model_metrics_json(const prf_metrics_t *m)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "count", (json_int_t)m->count, "mape_percent",
                     prf_json_real(m->mape_percent), "rmspe_percent", prf_json_real(m->rmspe_percent), "median_percent",
                     prf_json_real(m->median_percent), "r2", prf_json_real(m->r2), "spearman", prf_json_real(m->spearman),
                     "within_5_percent", prf_json_real(m->within_5_percent), "within_10_percent",
                     prf_json_real(m->within_10_percent));
}

json_t *prf_model_range_json(const prf_model_layer_t *layer)
{
    json_t *range = json_object();
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(&layer->space, params);
    for (size_t i = 0; i < count; i++) {
        int32_t low, high;
        prf_space_bounds(&layer->space, params[i], &low, &high);
        json_object_set_new(range, prf_param_name(params[i]), json_pack("[i, i]", low, high));
    }
    return range;
}

void prf_model_range_text(const prf_model_layer_t *layer, char *text, size_t cap)
{
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(&layer->space, params), used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && used < cap; i++) {
        int32_t low, high;
        prf_space_bounds(&layer->space, params[i], &low, &high);
        used += (size_t)snprintf(text + used, cap - used, "%s%s=%d..%d", used ? " " : "", prf_param_name(params[i]), low, high);
    }
}

void prf_model_print_head(const prf_model_file_t *file, const prf_terminal_t *terminal)
{
    char size[PRF_HUMAN];
    printf("%sModel of '%s'%s, %s, digest %s\n", prf_bold(terminal), prf_model_kind(file->model), prf_plain(terminal),
           prf_human_bytes((double)file->bytes, size), file->digest);
}
