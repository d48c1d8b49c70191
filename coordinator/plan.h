// SPDX-License-Identifier: Apache-2.0
/* plan.h - what each point is: the layer behind the digest, and which campaign wanted it for what. Records hold only digests; this
 * is what turns them back into something that a person can read. Kept in memory, written to the store by its users: as many points
 * as were planned together in one value, PRF_TABLE_DECISION `CAMPAIGN/KIND/plan/POINT.ATTEMPT` of the first one. Pure; loop thread
 * only. */
#ifndef PRF_PLAN_H
#define PRF_PLAN_H

#include "base/text.h"
#include "ledger.h"

typedef struct prf_plan prf_plan_t;

#define PRF_PLAN_VALIDATION "validation"
#define PRF_PLAN_NOBODY "-" /* stands for the campaign of a point that a person asked for */

enum { PRF_PLAN_KEY = 2 * PRF_NAME + 64 };

/* Texts are borrowed; of what prf_plan_find told, until the plan is destroyed. */
typedef struct {
    prf_digest_t point;
    uint32_t attempt;
    const char *campaign, *kind, *role;
    const char *blocks; /* one canonical text a line (prf_block_format) */
    bool known;         /* the farm had its result already when the campaign first wanted it */
} prf_planned_t;

PRF_CHECKED prf_status_t prf_plan_new(prf_plan_t **out, prf_ledger_t *ledger, prf_error_t *err);
void prf_plan_destroy(prf_plan_t **self);
/* Remembers in the point's entry, unless the campaign has wanted it before; then planned->known becomes what was told that time.
 * *fresh (may be NULL): it had not. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_plan_add(prf_plan_t *self, prf_entry_t *entry, prf_planned_t *planned, bool *fresh, prf_error_t *err);
/* The point as this campaign wanted it, or as the first one did (campaign NULL). False: it did not, or there is no entry (NULL). */
bool prf_plan_find(const prf_plan_t *self, const prf_entry_t *entry, const char *campaign, prf_planned_t *out);

/* The points and attempts that the campaign wants of the kind to judge models by (role PRF_PLAN_VALIDATION), in the order in which
 * they were added. Borrowed, until the next prf_plan_add. */
prf_entry_t *const *prf_plan_validation(const prf_plan_t *self, const char *campaign, const char *kind, size_t *count);

/* The form in the store of points that a campaign wants of one kind of board. Begins as {0}; to be released. */
typedef struct {
    char key[PRF_PLAN_KEY];
    prf_text_t value;
    size_t count;
} prf_plan_page_t;

enum { PRF_PLAN_PAGE_BYTES = 64 << 10 /* a page that has grown to this is to be written */ };

/* Appends a point. Running out of memory is told by prf_plan_page_whole. */
void prf_plan_page_add(prf_plan_page_t *page, const prf_planned_t *planned);
bool prf_plan_page_whole(const prf_plan_page_t *page);
void prf_plan_page_clear(prf_plan_page_t *page); /* for the next points; keeps its memory */
void prf_plan_page_release(prf_plan_page_t *page);
/* Remembers what the store has; other keys and damaged ones are passed over. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_plan_decode(prf_plan_t *self, const char *key, const void *value, size_t len, prf_error_t *err);
/* How blocks are written, in `text`, which is used again and again. NULL: out of memory. */
const char *prf_plan_blocks(prf_text_t *text, const prf_block_t *blocks, size_t count);

#endif
