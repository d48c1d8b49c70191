// SPDX-License-Identifier: Apache-2.0
/* plan.c - a list of purposes, newest first, in each point's entry of the ledger: several campaigns may want the same one.
 * Campaign, kind and role are few, so their names are kept once; purposes are never dropped, so their memory is taken in large
 * pieces. Only the points that models are judged by can be gone through: people look at these, and they are few.
 *
 * In the store an entry is a line `@POINT.ATTEMPT ROLE` and its blocks, one a line. A value that does not begin with '@' is of
 * an older prfarm: one entry, named by the key, whose first line is the role alone. */
#include "plan.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/arena.h"

#define KNOWN " known" /* behind the role */

/* What a campaign wants of a kind of board, and what for: few, and the same for thousands of points. */
typedef struct {
    char campaign[PRF_NAME], kind[PRF_NAME], role[PRF_NAME];
    prf_entry_t **entries; /* owned array; of role PRF_PLAN_VALIDATION: all of them */
    size_t count, cap;
} cause_t;

typedef struct prf_plan_purpose {
    struct prf_plan_purpose *next; /* of the same point */
    uint32_t cause;
    bool known;
    char blocks[];
} purpose_t;

struct prf_plan {
    prf_ledger_t *ledger; /* borrowed */
    cause_t **causes;     /* owned, each too */
    size_t cause_count;
    uint32_t latest;      /* that was asked for */
    prf_arena_t purposes; /* their memory */
};

prf_status_t prf_plan_new(prf_plan_t **out, prf_ledger_t *ledger, prf_error_t *err)
{
    prf_plan_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "plan");
    self->ledger = ledger;
    prf_arena_init(&self->purposes, SIZE_MAX);
    *out = self;
    return PRF_OK;
}

void prf_plan_destroy(prf_plan_t **self)
{
    if (!self || !*self)
        return;
    prf_plan_t *p = *self;
    prf_arena_release(&p->purposes);
    for (size_t i = 0; i < p->cause_count; i++) {
        free(p->causes[i]->entries);
        free(p->causes[i]);
    }
    free(p->causes);
    free(p);
    *self = NULL;
}

static bool is_cause(const cause_t *cause, const prf_planned_t *planned)
{
    return strcmp(cause->role, planned->role) == 0 && strcmp(cause->campaign, planned->campaign) == 0 &&
           strcmp(cause->kind, planned->kind) == 0;
}

/* Its number in *out. */
static bool intern(prf_plan_t *self, const prf_planned_t *planned, uint32_t *out)
{
    for (uint32_t i = 0; i < self->cause_count; i++) { /* most often the same as the last time */
        uint32_t at = (self->latest + i) % (uint32_t)self->cause_count;
        if (is_cause(self->causes[at], planned)) {
            *out = self->latest = at;
            return true;
        }
    }
    cause_t **causes = realloc(self->causes, (self->cause_count + 1) * sizeof(void *));
    cause_t *cause = calloc(1, sizeof *cause);
    if (causes)
        self->causes = causes;
    if (!causes || !cause) {
        free(cause);
        return false;
    }
    snprintf(cause->campaign, sizeof cause->campaign, "%s", planned->campaign);
    snprintf(cause->kind, sizeof cause->kind, "%s", planned->kind);
    snprintf(cause->role, sizeof cause->role, "%s", planned->role);
    self->causes[self->cause_count] = cause;
    *out = self->latest = (uint32_t)self->cause_count++;
    return true;
}

static purpose_t *purpose_new(prf_plan_t *self, const prf_planned_t *planned)
{
    size_t len = strlen(planned->blocks);
    uint32_t cause;
    purpose_t *purpose = intern(self, planned, &cause) ? prf_arena_take(&self->purposes, sizeof *purpose + len + 1) : NULL;
    if (!purpose)
        return NULL;
    *purpose = (purpose_t){.cause = cause, .known = planned->known};
    memcpy(purpose->blocks, planned->blocks, len + 1);
    return purpose;
}

static bool list(cause_t *cause, prf_entry_t *entry)
{
    if (strcmp(cause->role, PRF_PLAN_VALIDATION) != 0)
        return true;
    if (cause->count == cause->cap) {
        size_t cap = cause->cap ? 2 * cause->cap : 64;
        prf_entry_t **entries = realloc(cause->entries, cap * sizeof(void *));
        if (!entries)
            return false;
        cause->entries = entries;
        cause->cap = cap;
    }
    cause->entries[cause->count++] = entry;
    return true;
}

prf_status_t prf_plan_add(prf_plan_t *self, prf_entry_t *entry, prf_planned_t *planned, bool *fresh, prf_error_t *err)
{
    if (fresh)
        *fresh = false;
    for (const purpose_t *p = entry->purpose; p; p = p->next)
        if (strcmp(self->causes[p->cause]->campaign, planned->campaign) == 0) {
            planned->known = p->known;
            return PRF_OK;
        }
    purpose_t *purpose = purpose_new(self, planned);
    if (!purpose || !list(self->causes[purpose->cause], entry))
        return prf_fail(err, PRF_ENOMEM, "a point's plan");
    purpose->next = entry->purpose;
    entry->purpose = purpose;
    if (fresh)
        *fresh = true;
    return PRF_OK;
}

bool prf_plan_find(const prf_plan_t *self, const prf_entry_t *entry, const char *campaign, prf_planned_t *out)
{
    const purpose_t *p = entry ? entry->purpose : NULL;
    while (p && (campaign ? strcmp(self->causes[p->cause]->campaign, campaign) != 0 : p->next != NULL))
        p = p->next;
    if (!p)
        return false;
    const cause_t *cause = self->causes[p->cause];
    *out = (prf_planned_t){.point = entry->point,
                           .attempt = entry->attempt,
                           .campaign = cause->campaign,
                           .kind = cause->kind,
                           .role = cause->role,
                           .blocks = p->blocks,
                           .known = p->known};
    return true;
}

prf_entry_t *const *prf_plan_validation(const prf_plan_t *self, const char *campaign, const char *kind, size_t *count)
{
    const prf_planned_t wanted = {.campaign = campaign, .kind = kind, .role = PRF_PLAN_VALIDATION};
    *count = 0;
    for (size_t i = 0; i < self->cause_count; i++)
        if (is_cause(self->causes[i], &wanted)) {
            *count = self->causes[i]->count;
            return self->causes[i]->entries;
        }
    return NULL;
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
    prf_text_append(&page->value, "@", 1);
    prf_text_append(&page->value, hex, strlen(hex));
    prf_text_append(&page->value, ".", 1);
    prf_text_number(&page->value, planned->attempt);
    prf_text_append(&page->value, " ", 1);
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
    if (strlen(role) >= PRF_NAME)
        return PRF_OK;
    planned->known = word && word[strlen(KNOWN)] == '\0';
    if (planned->known)
        *word = '\0';
    if (len > 0 && blocks[len - 1] == '\n')
        blocks[len - 1] = '\0';
    planned->role = role;
    planned->blocks = blocks;
    prf_entry_t *entry;
    prf_status_t status = prf_ledger_reach(self->ledger, &planned->point, planned->attempt, &entry, err);
    return status ? status : prf_plan_add(self, entry, planned, NULL, err);
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

const char *prf_plan_blocks(prf_text_t *text, const prf_block_t *blocks, size_t count)
{
    prf_text_clear(text);
    for (size_t i = 0; i < count; i++) {
        char line[PRF_BLOCK_TEXT];
        size_t len = prf_block_format(&blocks[i], line);
        prf_text_append(text, "\n", i > 0);
        prf_text_append(text, line, len);
    }
    return text->failed ? NULL : prf_text_get(text);
}
