// SPDX-License-Identifier: Apache-2.0
/* plan.c - a list of entries, newest first, behind each point and attempt: several campaigns may want the same one. Campaign, kind
 * and role are few, so their names are kept once.
 *
 * In the store an entry is a line `@POINT.ATTEMPT ROLE` and its blocks, one a line. A value that does not begin with '@' is of
 * an older prfarm: one entry, named by the key, whose first line is the role alone. */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define KNOWN " known" /* behind the role */

typedef struct entry {
    struct entry *next, *before; /* `next`: of the same point; `before`: of all, for the end */
    const char *campaign, *kind, *role;
    prf_digest_t point;
    uint32_t attempt;
    bool known;
    char blocks[];
} entry_t;

struct prf_plan {
    prf_map_t places; /* point, attempt -> entry_t * */
    entry_t *all;
    char **names; /* owned */
    size_t name_count;
};

prf_status_t prf_plan_new(prf_plan_t **out, prf_error_t *err)
{
    prf_plan_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "plan");
    prf_map_init(&self->places);
    *out = self;
    return PRF_OK;
}

void prf_plan_destroy(prf_plan_t **self)
{
    if (!self || !*self)
        return;
    prf_plan_t *p = *self;
    for (entry_t *e = p->all, *before; e; e = before) {
        before = e->before;
        free(e);
    }
    for (size_t i = 0; i < p->name_count; i++)
        free(p->names[i]);
    free(p->names);
    prf_map_release(&p->places);
    free(p);
    *self = NULL;
}

static const char *intern(prf_plan_t *self, const char *name)
{
    for (size_t i = 0; i < self->name_count; i++)
        if (strcmp(self->names[i], name) == 0)
            return self->names[i];
    char **names = realloc(self->names, (self->name_count + 1) * sizeof *names);
    char *copy = strdup(name);
    if (names)
        self->names = names;
    if (!names || !copy) {
        free(copy);
        return NULL;
    }
    self->names[self->name_count++] = copy;
    return copy;
}

static entry_t *first(const prf_plan_t *self, const prf_digest_t *point, uint32_t attempt)
{
    return prf_map_get_pointer(&self->places, point, attempt);
}

static entry_t *entry_new(prf_plan_t *self, const prf_planned_t *planned)
{
    size_t len = strlen(planned->blocks);
    const char *campaign = intern(self, planned->campaign), *kind = intern(self, planned->kind),
               *role = intern(self, planned->role);
    entry_t *entry = campaign && kind && role ? malloc(sizeof *entry + len + 1) : NULL;
    if (!entry)
        return NULL;
    *entry = (entry_t){.before = self->all,
                       .campaign = campaign,
                       .kind = kind,
                       .role = role,
                       .point = planned->point,
                       .attempt = planned->attempt,
                       .known = planned->known};
    memcpy(entry->blocks, planned->blocks, len + 1);
    return entry;
}

prf_status_t prf_plan_add(prf_plan_t *self, prf_planned_t *planned, bool *fresh, prf_error_t *err)
{
    uint64_t *place;
    bool first_ever;
    entry_t *head = NULL;
    if (fresh)
        *fresh = false;
    prf_status_t status = prf_map_reach(&self->places, &planned->point, planned->attempt, &place, &first_ever, err);
    if (status)
        return status;
    if (!first_ever)
        memcpy(&head, place, sizeof head);
    for (const entry_t *e = head; e; e = e->next)
        if (strcmp(e->campaign, planned->campaign) == 0) {
            planned->known = e->known;
            return PRF_OK;
        }
    entry_t *entry = entry_new(self, planned);
    if (!entry) {
        if (first_ever)
            prf_map_remove(&self->places, &planned->point, planned->attempt);
        return prf_fail(err, PRF_ENOMEM, "a point's plan");
    }
    entry->next = head;
    memcpy(place, &entry, sizeof entry);
    self->all = entry;
    if (fresh)
        *fresh = true;
    return PRF_OK;
}

bool prf_plan_find(const prf_plan_t *self, const prf_digest_t *point, uint32_t attempt, const char *campaign, prf_planned_t *out)
{
    entry_t *e = first(self, point, attempt);
    while (e && (campaign ? strcmp(e->campaign, campaign) != 0 : e->next != NULL))
        e = e->next;
    if (!e)
        return false;
    *out = (prf_planned_t){.point = e->point,
                           .attempt = e->attempt,
                           .campaign = e->campaign,
                           .kind = e->kind,
                           .role = e->role,
                           .blocks = e->blocks,
                           .known = e->known};
    return true;
}

static void add_line(prf_text_t *text, const char *first, const char *second)
{
    prf_text_append(text, first, strlen(first));
    prf_text_append(text, second, strlen(second));
    prf_text_append(text, "\n", 1);
}

void prf_plan_page_add(prf_plan_page_t *page, const prf_planned_t *planned)
{
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(&planned->point, hex);
    if (page->count++ == 0)
        snprintf(page->key, sizeof page->key, "%s/%s/plan/%s.%u", planned->campaign, planned->kind, hex, planned->attempt);
    prf_text_add(&page->value, "@%s.%u ", hex, planned->attempt);
    add_line(&page->value, planned->role, planned->known ? KNOWN : "");
    add_line(&page->value, planned->blocks, "");
}

bool prf_plan_page_whole(const prf_plan_page_t *page)
{
    return !page->value.failed;
}

void prf_plan_page_clear(prf_plan_page_t *page)
{
    prf_text_clear(&page->value);
    page->value.failed = false;
    page->count = 0;
}

void prf_plan_page_release(prf_plan_page_t *page)
{
    prf_text_release(&page->value);
}

/* `role`: with KNOWN behind it or not; both texts are changed. */
static prf_status_t decode_entry(prf_plan_t *self, prf_planned_t *planned, char *role, char *blocks, prf_error_t *err)
{
    char *word = strstr(role, KNOWN);
    size_t len = strlen(blocks);
    planned->known = word && word[strlen(KNOWN)] == '\0';
    if (planned->known)
        *word = '\0';
    if (len > 0 && blocks[len - 1] == '\n')
        blocks[len - 1] = '\0';
    planned->role = role;
    planned->blocks = blocks;
    return prf_plan_add(self, planned, NULL, err);
}

/* The text of one value, which is taken apart. What reads as nothing known is passed over. */
static prf_status_t decode_page(prf_plan_t *self, prf_planned_t *planned, char *text, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (char *entry = text, *next; entry && !status; entry = next) {
        char hex[PRF_DIGEST_HEX], *line = strchr(entry, '\n');
        int end = 0;
        next = line ? strstr(line, "\n@") : NULL;
        if (next)
            *next++ = '\0';
        if (!line)
            break;
        *line = '\0';
        if (sscanf(entry, "@%32[0-9a-f].%u%n", hex, &planned->attempt, &end) == 2 && entry[end] == ' ' &&
            prf_digest_parse(&planned->point, hex))
            status = decode_entry(self, planned, entry + end + 1, line + 1, err);
    }
    return status;
}

prf_status_t prf_plan_decode(prf_plan_t *self, const char *key, const void *value, size_t len, prf_error_t *err)
{
    char campaign[PRF_NAME], kind[PRF_NAME], hex[PRF_DIGEST_HEX];
    prf_planned_t planned = {.campaign = campaign, .kind = kind};
    int end = 0;
    if (sscanf(key, "%63[^/]/%63[^/]/plan/%32[0-9a-f].%u%n", campaign, kind, hex, &planned.attempt, &end) != 4 || key[end] ||
        !prf_digest_parse(&planned.point, hex))
        return PRF_OK;
    char *text = malloc(len + 1);
    if (!text)
        return prf_fail(err, PRF_ENOMEM, "a point's plan");
    memcpy(text, value, len);
    text[len] = '\0';
    char *line = strchr(text, '\n');
    prf_status_t status = PRF_OK;
    if (text[0] == '@') {
        status = decode_page(self, &planned, text, err);
    } else if (line) {
        *line = '\0';
        status = decode_entry(self, &planned, text, line + 1, err);
    }
    free(text);
    return status;
}

char *prf_plan_blocks(const prf_block_t *blocks, size_t count)
{
    prf_text_t text;
    prf_text_init(&text);
    for (size_t i = 0; i < count; i++) {
        char line[PRF_BLOCK_TEXT];
        prf_block_format(&blocks[i], line);
        prf_text_add(&text, "%s%s", i ? "\n" : "", line);
    }
    return prf_text_take(&text);
}
