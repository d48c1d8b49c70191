// SPDX-License-Identifier: Apache-2.0
/* text.c - the text form of layers and blocks: "conv2d n=1 c=64 ... dtype=f32", layers joined by "+". */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer/layer.h"

static prf_status_t parse_integer(const char *name, const char *text, int32_t *out, prf_error_t *err)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end || errno || value < -1000000000 || value > 1000000000)
        return prf_fail(err, PRF_EPARSE, "%s='%.40s': use a whole number", name, text);
    *out = (int32_t)value;
    return PRF_OK;
}

/* One "name=value" word of a layer; dtype belongs to the whole block. */
static prf_status_t parse_pair(prf_block_t *block, prf_layer_t *layer, char *word, prf_error_t *err)
{
    char *equals = strchr(word, '=');
    if (!equals || equals == word || !equals[1])
        return prf_fail(err, PRF_EPARSE, "'%.40s': use name=value", word);
    *equals = '\0';
    if (strcmp(word, "dtype") == 0)
        return prf_dtype_parse(equals + 1, &block->dtype, err);
    prf_param_t param;
    prf_status_t status = prf_param_parse(layer->kind, word, &param, err);
    if (status)
        return status;
    if (layer->p[param] != PRF_UNSET)
        return prf_fail(err, PRF_EPARSE, "%s.%s is given twice: leave one out", prf_layer_kind_name(layer->kind), word);
    return parse_integer(word, equals + 1, &layer->p[param], err);
}

static prf_status_t begin_layer(prf_block_t *block, const char *word, prf_error_t *err)
{
    if (block->count == PRF_BLOCK_LAYERS)
        return prf_fail(err, PRF_EINVAL, "more than %d layers in a block: make two of it", PRF_BLOCK_LAYERS);
    for (int fn = 0; fn < PRF_FN_COUNT; fn++) {
        if (strcmp(word, prf_activation_name((prf_activation_t)fn)) != 0)
            continue;
        prf_layer_init(&block->layers[block->count], PRF_ACTIVATION);
        block->layers[block->count++].p[PRF_P_FN] = fn;
        return PRF_OK;
    }
    prf_layer_kind_t kind;
    prf_status_t status = prf_layer_kind_parse(word, &kind, err);
    if (status)
        return status;
    prf_layer_init(&block->layers[block->count++], kind);
    return PRF_OK;
}

/* Cuts the next word off; NULL behind the last one. (strtok_r is not in C11, and an exported model has no more than that.) */
static char *next_word(char **rest)
{
    static const char between[] = " \t\n,";
    char *word = *rest + strspn(*rest, between);
    char *end = word + strcspn(word, between);
    *rest = *end ? end + 1 : end;
    *end = '\0';
    return *word ? word : NULL;
}

prf_status_t prf_block_parse_pattern(prf_block_t *out, const char *text, prf_error_t *err)
{
    char copy[PRF_BLOCK_TEXT];
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
        return prf_fail(err, PRF_EPARSE, "a layer's text is longer than %d characters: shorten it", PRF_BLOCK_TEXT - 1);
    prf_block_t block = {.dtype = PRF_F32};
    bool fresh = true; /* the next word names a kind */
    char *rest = copy;
    for (char *word = next_word(&rest); word; word = next_word(&rest)) {
        prf_status_t status = PRF_OK;
        if (fresh) {
            status = begin_layer(&block, word, err);
            fresh = false;
        } else if (strcmp(word, "+") == 0) {
            fresh = true;
        } else {
            status = parse_pair(&block, &block.layers[block.count - 1], word, err);
        }
        if (status)
            return status;
    }
    if (fresh)
        return prf_fail(err, PRF_EPARSE, "'%.60s': use a layer kind and its parameters, as in 'fc n=1 in=512 out=1000'", text);
    *out = block;
    return PRF_OK;
}

prf_status_t prf_block_parse(prf_block_t *out, const char *text, prf_error_t *err)
{
    prf_block_t block;
    prf_status_t status = prf_block_parse_pattern(&block, text, err);
    if (!status)
        status = prf_block_complete(&block, err);
    if (!status)
        *out = block;
    return status;
}

/* Appends as far as there is room, and ends the text. snprintf would take a good part of the time that planning a job takes. */
static size_t put_bytes(char *text, size_t cap, size_t used, const char *bytes, size_t count)
{
    size_t room = used + 1 < cap ? cap - used - 1 : 0;
    count = count < room ? count : room;
    memcpy(text + used, bytes, count);
    text[used + count] = '\0';
    return used + count;
}

static size_t put_word(char *text, size_t cap, size_t used, const char *word)
{
    return put_bytes(text, cap, used, word, strlen(word));
}

static size_t put_number(char *text, size_t cap, size_t used, int32_t number)
{
    char digits[16], *at = digits + sizeof digits;
    int64_t rest = number < 0 ? -(int64_t)number : number;
    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (number < 0)
        *--at = '-';
    return put_bytes(text, cap, used, at, (size_t)(digits + sizeof digits - at));
}

size_t prf_layer_format(const prf_layer_t *layer, char *text, size_t cap)
{
    size_t count;
    const prf_param_info_t *params = prf_layer_params(layer->kind, &count);
    size_t used = put_word(text, cap, 0, prf_layer_kind_name(layer->kind));
    for (size_t i = 0; i < count; i++) {
        used = put_word(text, cap, used, " ");
        used = put_word(text, cap, used, prf_param_name(params[i].param));
        used = put_word(text, cap, used, "=");
        used = put_number(text, cap, used, layer->p[params[i].param]);
    }
    return used;
}

size_t prf_block_format(const prf_block_t *block, char text[PRF_BLOCK_TEXT])
{
    size_t used = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        if (i)
            used = put_word(text, PRF_BLOCK_TEXT, used, " + ");
        used += prf_layer_format(&block->layers[i], text + used, PRF_BLOCK_TEXT - used);
    }
    used = put_word(text, PRF_BLOCK_TEXT, used, " dtype=");
    return put_word(text, PRF_BLOCK_TEXT, used, prf_dtype_name(block->dtype));
}
