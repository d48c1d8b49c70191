// SPDX-License-Identifier: Apache-2.0
/* networks.c - from ONNX files to the block texts that travel. */
#include "networks.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "output.h"

void prf_network_file_name(const char *path, char name[PRF_NAME])
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t len = strlen(base);
    if (len > 5 && strcmp(base + len - 5, ".onnx") == 0)
        len -= 5;
    size_t used = 0;
    for (size_t i = 0; i < len && used + 1 < PRF_NAME; i++) {
        bool plain = isalnum((unsigned char)base[i]) || (used && strchr("._-", base[i]));
        name[used++] = plain ? base[i] : '_';
    }
    if (used == 0 || !isalnum((unsigned char)name[0]))
        name[used ? 0 : used++] = 'n';
    name[used] = '\0';
}

json_t *prf_network_texts(const prf_network_t *network)
{
    json_t *texts = json_array();
    for (size_t i = 0; i < network->block_count; i++) {
        char text[PRF_BLOCK_TEXT];
        prf_block_format(&network->blocks[i].block, text);
        json_array_append_new(texts, json_string(text));
    }
    return texts;
}

void prf_network_params(const prf_layer_t *layer, char *text, size_t cap)
{
    size_t count, used = 0;
    const prf_param_info_t *info = prf_layer_params(layer->kind, &count);
    text[0] = '\0';
    for (size_t i = 0; i < count && used < cap; i++) {
        int32_t value = layer->p[info[i].param];
        bool fn = info[i].param == PRF_P_FN;
        bool follows = info[i].fallback < PRF_REQUIRED && value == layer->p[PRF_LIKE(info[i].fallback)];
        if (!fn && (value == info[i].fallback || follows))
            continue;
        used += (size_t)snprintf(text + used, cap - used, "%s%s=%d", used ? " " : "", prf_param_name(info[i].param), value);
    }
}

void prf_network_kind(const prf_block_t *block, char *text, size_t cap)
{
    size_t used = (size_t)snprintf(text, cap, "%s", prf_layer_kind_name(block->layers[0].kind));
    for (uint32_t i = 1; i < block->count && used < cap; i++) {
        const prf_layer_t *l = &block->layers[i];
        bool activation = l->kind == PRF_ACTIVATION;
        used += (size_t)snprintf(text + used, cap - used, "+%s",
                                 activation ? prf_activation_name((prf_activation_t)l->p[PRF_P_FN]) : prf_layer_kind_name(l->kind));
    }
}

json_t *prf_network_left_out(const prf_network_t *network)
{
    json_t *list = json_array();
    for (size_t i = 0; i < network->note_count; i++) {
        const prf_network_note_t *n = &network->notes[i];
        if (n->unknown)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "op", n->op, "name", n->name, "treatment", n->treatment));
    }
    return list;
}

void prf_network_left_out_say(const json_t *left_out, prf_text_t *text)
{
    size_t count = json_array_size(left_out), i;
    json_t *note, *names = json_object();
    const char *op,
        *before = count == 1 ? " operator is in no layer and in no estimate: " : " operators are in no layer and in no estimate: ";
    json_array_foreach(left_out, i, note)
    {
        json_object_set_new(names, prf_json_text(note, "op", "?"), json_true());
    }
    if (count)
        prf_text_add(text, "%zu", count);
    json_object_foreach(names, op, note)
    {
        prf_text_add(text, "%s%s", before, op);
        before = ", ";
    }
    json_decref(names);
}

/* An estimate that lacks something is to be known before the time for measuring is spent. */
void prf_network_left_out_warn(const prf_network_t *network, const char *path)
{
    json_t *left_out = prf_network_left_out(network);
    prf_text_t text;
    prf_text_init(&text);
    prf_network_left_out_say(left_out, &text);
    if (text.len)
        fprintf(stderr, "prfarm: %s: %s: see docs/networks.md\n", path, prf_text_get(&text));
    prf_text_release(&text);
    json_decref(left_out);
}

static json_t *to_json(const prf_network_t *network, const char *name)
{
    json_t *blocks = json_array();
    for (size_t i = 0, edge = 0; i < network->block_count; i++) {
        char text[PRF_BLOCK_TEXT];
        prf_block_format(&network->blocks[i].block, text);
        json_t *block = json_pack("{s:s}", "block", text);
        json_t *title = json_stringn_nocheck(network->blocks[i].name, strlen(network->blocks[i].name));
        json_object_set_new(block, "name", title);
        json_t *inputs = network->edge_count > 0 ? json_array() : NULL;
        for (; edge < network->edge_count && (size_t)network->edges[edge].to == i; edge++)
            json_array_append_new(inputs, json_integer(network->edges[edge].from));
        if (inputs)
            json_object_set_new(block, "inputs", inputs);
        json_array_append_new(blocks, block);
    }
    return json_pack("{s:s, s:o}", "name", name, "blocks", blocks);
}

static bool has_name(const json_t *list, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0)
            return true;
    }
    return false;
}

prf_status_t prf_path_beside(char out[PRF_BESIDE], const char *campaign_path, const char *written, prf_error_t *err)
{
    const char *slash = strrchr(campaign_path, '/');
    int folder = written[0] == '/' || !slash ? 0 : (int)(slash - campaign_path) + 1;
    if (snprintf(out, PRF_BESIDE, "%.*s%s", folder, campaign_path, written) >= PRF_BESIDE)
        return prf_fail(err, PRF_EINVAL, "%.200s...: the path is too long: use a shorter one", out);
    return PRF_OK;
}

static prf_status_t load_one(const prf_campaign_t *campaign, const char *campaign_path, const char *written, json_t *list,
                             prf_error_t *err)
{
    char path[PRF_BESIDE], name[PRF_NAME];
    prf_status_t status = prf_path_beside(path, campaign_path, written, err);
    if (status)
        return status;
    prf_network_file_name(written, name);
    if (has_name(list, name))
        return prf_fail(err, PRF_EINVAL, "%s: two networks would be called '%s': rename one of the files", campaign_path, name);
    prf_network_t network;
    status = prf_network_load(&network, path, campaign->layers[0].space.dtype, 1, err);
    if (status)
        return status;
    if (network.block_count > PRF_CHAIN_BLOCKS)
        status = prf_fail(err, PRF_EINVAL, "%s: %zu blocks: a network may have %d, cut it into parts", path, network.block_count,
                          (int)PRF_CHAIN_BLOCKS);
    else if (json_array_append_new(list, to_json(&network, name)) != 0)
        status = prf_fail(err, PRF_ENOMEM, "%s", path);
    if (!status)
        prf_network_left_out_warn(&network, path);
    prf_network_release(&network);
    return status;
}

prf_status_t prf_networks_load(const prf_campaign_t *campaign, const char *campaign_path, json_t **out, prf_error_t *err)
{
    json_t *list = json_array();
    prf_status_t status = list ? PRF_OK : prf_fail(err, PRF_ENOMEM, "networks");
    for (size_t i = 0; i < campaign->network_count && !status; i++)
        status = load_one(campaign, campaign_path, campaign->networks[i], list, err);
    if (status)
        json_decref(list);
    else
        *out = list;
    return status;
}
