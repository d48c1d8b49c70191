// SPDX-License-Identifier: Apache-2.0
/* store_check.c - the table `meta` says which format the rest has. It is read like all others, and only judged at the end: its
 * `format` is a plain digit, so that a prfarm that knows none of this can still read it, and the sealed `created_by` at its side
 * tells a newer format from a digit that was damaged. */
#include "store_check.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const prf_store_table_names[PRF_TABLES] = {"result", "campaign", "decision", "model", "board", "event"};

int prf_store_table_find(const char *name)
{
    for (int i = 0; i < PRF_TABLES; i++)
        if (strcmp(name, prf_store_table_names[i]) == 0)
            return i;
    return -1;
}

bool prf_store_table_appended(prf_table_t table)
{
    return table == PRF_TABLE_RESULT || table == PRF_TABLE_EVENT;
}

void prf_store_key_text(prf_table_t table, const void *key, size_t len, char text[PRF_STORE_KEY_TEXT])
{
    if (prf_store_table_appended(table)) {
        snprintf(text, PRF_STORE_KEY_TEXT, "%" PRIu64, prf_sequence_get(key, len));
        return;
    }
    size_t shown = len < PRF_STORE_KEY_TEXT - 1 ? len : PRF_STORE_KEY_TEXT - 1;
    for (size_t i = 0; i < shown; i++)
        text[i] = isprint(((const unsigned char *)key)[i]) ? ((const char *)key)[i] : '?';
    text[shown] = '\0';
}

typedef struct {
    const prf_store_visitor_t *visitor;
    prf_store_report_t *out;
    bool unknown; /* there is a table that prfarm does not have */
    uint64_t unknown_page;
    char unknown_name[PRF_PAGES_NAME];
} check_t;

static void tell(check_t *c, const char *what)
{
    if (c->out->damages++ == 0)
        snprintf(c->out->first, sizeof c->out->first, "%s", what);
    if (c->visitor->damage)
        c->visitor->damage(c->visitor->arg, what);
}

static void on_damage(void *arg, uint64_t page, const char *table, const char *what)
{
    char line[240];
    if (table)
        snprintf(line, sizeof line, "page %" PRIu64 " (table %.63s): %s", page, table, what);
    else
        snprintf(line, sizeof line, "page %" PRIu64 ": %s", page, what);
    tell(arg, line);
}

static bool is_key(const prf_pages_entry_t *entry, const char *name)
{
    return entry->key_len == strlen(name) && memcmp(entry->key, name, entry->key_len) == 0;
}

static void on_meta(check_t *c, const prf_pages_entry_t *entry)
{
    prf_value_t value;
    if (is_key(entry, PRF_META_FORMAT)) {
        char text[16] = "", *end;
        memcpy(text, entry->value, entry->value_len < sizeof text ? entry->value_len : sizeof text - 1);
        c->out->format = strtol(text, &end, 10);
        if (end == text || *end || !isdigit((unsigned char)text[0]))
            c->out->format = 0;
    } else if (is_key(entry, PRF_META_CREATED)) {
        c->out->created =
            prf_value_unseal(&value, PRF_VALUE_TABLE_META, entry->key, entry->key_len, entry->value, entry->value_len);
    } else {
        on_damage(c, entry->page, entry->table, "an entry that prfarm does not write");
    }
}

static void on_table(void *arg, uint64_t page, const char *name)
{
    check_t *c = arg;
    if (strcmp(name, PRF_META) == 0) {
        c->out->ours = true;
    } else if (prf_store_table_find(name) < 0) {
        c->unknown = true;
        c->unknown_page = page;
        snprintf(c->unknown_name, sizeof c->unknown_name, "%s", name);
    }
}

static void on_entry(void *arg, const prf_pages_entry_t *entry)
{
    check_t *c = arg;
    if (strcmp(entry->table, PRF_META) == 0) {
        on_meta(c, entry);
        return;
    }
    int table = prf_store_table_find(entry->table);
    if (table < 0)
        return;
    prf_value_t value;
    if (prf_value_unseal(&value, (unsigned)table, entry->key, entry->key_len, entry->value, entry->value_len)) {
        if (value.write > c->out->writes)
            c->out->writes = value.write;
    } else if (prf_value_unseal_old(&value, entry->value, entry->value_len)) {
        c->out->old_values++;
    } else {
        c->out->damaged[table]++;
        char key[PRF_STORE_KEY_TEXT], what[240];
        prf_store_key_text((prf_table_t)table, entry->key, entry->key_len, key);
        snprintf(what, sizeof what, "page %" PRIu64 " (table %s): the checksum of '%s' does not hold", entry->page, entry->table,
                 key);
        tell(c, what);
        return;
    }
    c->out->values[table] += !value.erased;
    if (c->visitor->value)
        c->visitor->value(c->visitor->arg, (prf_table_t)table, entry, &value);
}

/* What can only be said once all is seen. */
static void judge(check_t *c)
{
    prf_store_report_t *out = c->out;
    out->newer = out->format > PRF_STORE_FORMAT && !out->created;
    if (!out->ours || out->newer)
        return;
    if (c->unknown) { /* opening would take the one whose name this was for missing, and make it anew */
        on_damage(c, c->unknown_page, c->unknown_name, "prfarm has no table of this name");
        out->sound = false;
    }
    if (out->format != PRF_STORE_FORMAT && out->format != PRF_STORE_FORMAT_OLD)
        tell(c, "table meta: the format of the store cannot be read");
    else if (out->format == PRF_STORE_FORMAT && !out->created)
        tell(c, "table meta: the checksum of 'created_by' does not hold");
}

void prf_store_check(const prf_pages_t *pages, const prf_store_visitor_t *visitor, prf_store_report_t *out)
{
    check_t c = {.visitor = visitor, .out = out};
    *out = (prf_store_report_t){0};
    const prf_pages_visitor_t walker = {&c, on_table, on_entry, on_damage};
    out->empty = pages->len == 0;
    if (out->empty)
        return;
    out->sound = prf_pages_walk(pages, &walker, &out->pages);
    out->empty = out->sound && out->pages.transaction == 0;
    if (!out->empty)
        judge(&c);
}

prf_status_t prf_store_usable(const prf_store_report_t *report, const char *dir, prf_error_t *err)
{
    if (report->empty)
        return PRF_OK;
    if (!report->sound)
        return prf_fail(
            err, PRF_ECORRUPT,
            "store %.100s is damaged (%.120s): 'prfarm fsck %.100s --salvage NEW' brings what is whole into a new store; or "
            "restore a backup",
            dir, report->first, dir);
    if (!report->ours)
        return prf_fail(err, PRF_ECORRUPT, "store %s: the folder holds an LMDB that is no store of prfarm: choose another folder",
                        dir);
    if (report->newer)
        return prf_fail(err, PRF_EVERSION,
                        "store %s has format %ld, this prfarm knows up to %d: update prfarm, or choose another folder", dir,
                        report->format, PRF_STORE_FORMAT);
    if (report->format != PRF_STORE_FORMAT && report->format != PRF_STORE_FORMAT_OLD)
        return prf_fail(
            err, PRF_ECORRUPT,
            "store %.100s is damaged (its format cannot be read): 'prfarm fsck %.100s --salvage NEW' brings what is whole "
            "into a new store; or restore a backup",
            dir, dir);
    return PRF_OK;
}
