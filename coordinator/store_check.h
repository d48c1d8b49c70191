// SPDX-License-Identifier: Apache-2.0
/* store_check.h - whether a store's file is what a coordinator wrote: its pages (store_pages.h), then each value's checksum. Used
 * when a store is opened, by `prfarm fsck`, and on every copy before it is called one. The file must not change meanwhile. */
#ifndef PRF_STORE_CHECK_H
#define PRF_STORE_CHECK_H

#include "store.h"
#include "store_pages.h"
#include "store_value.h"

enum {
    PRF_STORE_FORMAT = 2,
    PRF_STORE_FORMAT_OLD = 1 /* brought up when it is opened */
};

/* What `meta` holds; its keys and the value of the first are plain text. */
#define PRF_META "meta"
#define PRF_META_FORMAT "format"
#define PRF_META_CREATED "created_by"

typedef struct {
    bool empty;   /* nothing was ever committed: a store that is about to be made */
    bool sound;   /* its pages and tables: LMDB can use it */
    bool ours;    /* a store of prfarm */
    long format;  /* as it says itself */
    bool created; /* `created_by` proves itself */
    bool newer;   /* format is of a newer prfarm, whose values cannot be judged here */
    uint64_t values[PRF_TABLES], damaged[PRF_TABLES];
    uint64_t old_values; /* of the format before, which opening brings up */
    uint64_t damages;    /* all findings, values included */
    uint64_t writes;     /* the greatest write number */
    prf_pages_counts_t pages;
    char first[240]; /* of the damages, for people */
} prf_store_report_t;

/* Told as they are found; either may be NULL. */
typedef struct {
    void *arg;
    void (*damage)(void *arg, const char *what); /* one line for people */
    /* A value that proved itself. */
    void (*value)(void *arg, prf_table_t table, const prf_pages_entry_t *entry, const prf_value_t *value);
} prf_store_visitor_t;

void prf_store_check(const prf_pages_t *pages, const prf_store_visitor_t *visitor, prf_store_report_t *out);
/* PRF_OK when a coordinator may use the store: damaged values are no hindrance. Else PRF_ECORRUPT or PRF_EVERSION, with the remedy.
 */
PRF_CHECKED prf_status_t prf_store_usable(const prf_store_report_t *report, const char *dir, prf_error_t *err);

extern const char *const prf_store_table_names[PRF_TABLES];
/* -1: none is named so. */
int prf_store_table_find(const char *name);
/* The tables whose key is a number that the store gives. */
bool prf_store_table_appended(prf_table_t table);
/* A key for people; `len` may be anything. */
enum { PRF_STORE_KEY_TEXT = 120 };
void prf_store_key_text(prf_table_t table, const void *key, size_t len, char text[PRF_STORE_KEY_TEXT]);

#endif
