// SPDX-License-Identifier: Apache-2.0
#include "fleet_file.h"

#include <string.h>

#include "point/point.h"

enum { TEXT_CHARS = 1000, SCRIPT_CHARS = 8192 };
#define WORD_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:%"

/* What a form keeps out, control characters aside. */
static const struct {
    const char *chars, *names;
} kept_out[] = {[PRF_FLEET_SETTING] = {" #'\"\\`$", "blanks, quotes, '#', '$', '`', '\\' and "},
                [PRF_FLEET_PATH] = {" '\"", "blanks, quotes and "},
                [PRF_FLEET_TEXT] = {"", ""}};

static prf_status_t check_text(prf_fleet_form_t form, const char *key, const prf_yaml_node_t *node, const char *text,
                               prf_error_t *err)
{
    size_t most = form == PRF_FLEET_SCRIPT ? SCRIPT_CHARS : TEXT_CHARS;
    if (form == PRF_FLEET_NAME)
        return prf_name_check(key, text, err) ? prf_yaml_fail_prefix(node, err, PRF_EINVAL) : PRF_OK;
    if (!*text || strlen(text) > most)
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: use 1 to %zu characters", key, most);
    if (form == PRF_FLEET_SCRIPT)
        return PRF_OK;
    if (form == PRF_FLEET_WORD)
        return *text != '-' && text[strspn(text, WORD_CHARS)] == '\0'
                   ? PRF_OK
                   : prf_yaml_fail(node, err, PRF_EINVAL,
                                   "%s '%.60s': use letters, digits, '.', '_' and '-', and no '-' to begin with", key, text);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f || strchr(kept_out[form].chars, *c))
            return prf_yaml_fail(node, err, PRF_EINVAL, "%s '%.60s': use a text without %scontrol characters", key, text,
                                 kept_out[form].names);
    return PRF_OK;
}

static prf_status_t read_text(prf_fleet_form_t form, const char *key, const prf_yaml_node_t *node, const char **out,
                              prf_error_t *err)
{
    prf_status_t status = prf_yaml_text(node, key, out, err);
    return status ? status : check_text(form, key, node, *out, err);
}

static prf_status_t read_field(const prf_fleet_field_t *field, const prf_yaml_node_t *node, void *member, prf_error_t *err)
{
    if (field->form == PRF_FLEET_NUMBER) {
        int64_t number = 0;
        prf_status_t status = prf_yaml_int(node, field->key, field->lo, field->hi, &number, err);
        memcpy(member, &number, sizeof number);
        return status;
    }
    const char *text = NULL;
    prf_status_t status = read_text(field->form, field->key, node, &text, err);
    memcpy(member, &text, sizeof text);
    return status;
}

static prf_status_t only_known(const prf_fleet_table_t *table, const prf_yaml_node_t *map, prf_error_t *err)
{
    enum { KEYS = 32 };
    const char *known[KEYS] = {NULL};
    size_t count = 0;
    for (const prf_fleet_field_t *f = table->fields; f->key && count + 1 < KEYS; f++)
        known[count++] = f->key;
    for (const char *const *other = table->others; *other && count + 1 < KEYS; other++)
        known[count++] = *other;
    return prf_yaml_only(map, table->what, known, err);
}

prf_status_t prf_fleet_read(const prf_fleet_table_t *table, const prf_yaml_node_t *map, void *out, prf_error_t *err)
{
    prf_status_t status = only_known(table, map, err);
    for (const prf_fleet_field_t *f = table->fields; !status && f->key; f++) {
        const prf_yaml_node_t *node = prf_yaml_get(map, f->key);
        if (node)
            status = read_field(f, node, (char *)out + f->offset, err);
        else if (f->required)
            status = prf_yaml_fail(map, err, PRF_EINVAL, "'%s' is missing: give it, as %s does", f->key, table->example);
    }
    return status;
}

static prf_status_t add_option(void *arg, const char *key, const prf_yaml_node_t *value, prf_error_t *err)
{
    prf_fleet_options_t *options = arg;
    if (options->count == PRF_FLEET_OPTIONS)
        return prf_yaml_fail(value, err, PRF_EINVAL, "options: use at most %d", (int)PRF_FLEET_OPTIONS);
    prf_fleet_option_t *option = &options->list[options->count++];
    option->key = key;
    return read_text(PRF_FLEET_TEXT, key, value, &option->value, err);
}

prf_status_t prf_fleet_read_options(prf_fleet_options_t *out, const prf_yaml_node_t *map, prf_error_t *err)
{
    if (!map)
        return PRF_OK;
    out->count = 0;
    return prf_yaml_options(map, "options", add_option, out, err);
}
