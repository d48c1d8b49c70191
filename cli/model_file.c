// SPDX-License-Identifier: Apache-2.0
#include "model_file.h"

#include <stdlib.h>

#include "base/file.h"

prf_status_t prf_model_file_decode(prf_model_file_t *out, const void *bytes, size_t len, prf_error_t *err)
{
    prf_model_file_t self = {.bytes = len};
    prf_digest_t digest;
    prf_digest(&digest, bytes, len);
    prf_digest_hex(&digest, self.digest);
    prf_status_t status = prf_model_decode(&self.model, bytes, len, err);
    if (!status)
        *out = self;
    return status;
}

prf_status_t prf_model_file_open(prf_model_file_t *out, const char *path, prf_error_t *err)
{
    char *bytes;
    size_t len;
    prf_status_t status = prf_file_read(path, PRF_MODEL_MAX_BYTES, &bytes, &len, err);
    if (status)
        return status;
    status = prf_model_file_decode(out, bytes, len, err);
    free(bytes);
    if (status)
        return prf_fail_prefix(err, status, "%s", path);
    out->path = path;
    return PRF_OK;
}

void prf_model_file_release(prf_model_file_t *self)
{
    prf_model_destroy(&self->model);
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

void prf_model_print_fusions(const prf_model_t *model, prf_layer_kind_t lead, const prf_terminal_t *terminal)
{
    prf_table_t *table = prf_table_new("layer|dtype|followed by|rule|measured>|adds>");
    json_t *rules = prf_model_fusions_json(model, lead), *rule;
    size_t i;
    json_array_foreach(rules, i, rule)
    {
        char added[PRF_HUMAN];
        prf_table_cell(table, "%s", prf_json_text(rule, "layer", "?"));
        prf_table_cell(table, "%s", prf_json_text(rule, "dtype", "?"));
        prf_table_cell(table, "%s", prf_json_text(rule, "follower", "?"));
        prf_table_cell(table, "%s", prf_json_text(rule, "rule", "?"));
        prf_table_cell(table, "%.0f", prf_json_number(rule, "measured", 0));
        prf_table_cell(table, "%s", prf_human_percent(prf_json_number(rule, "added_percent", 0), added));
    }
    if (i > 0) {
        fputc('\n', stdout);
        prf_table_print(&table, terminal);
    }
    prf_table_destroy(&table);
    json_decref(rules);
}

void prf_model_print_between(const prf_model_t *model)
{
    char ns[PRF_HUMAN];
    if (prf_model_between_ns(model) > 0)
        printf("\nin a network each block after the first takes %s besides its own time\n",
               prf_human_ns(prf_model_between_ns(model), ns));
}

void prf_model_print_head(const prf_model_file_t *file, const prf_terminal_t *terminal)
{
    char size[PRF_HUMAN];
    printf("%sModel of '%s'%s, %s, digest %s\n", prf_bold(terminal), prf_model_kind(file->model), prf_plain(terminal),
           prf_human_bytes((double)file->bytes, size), file->digest);
}
