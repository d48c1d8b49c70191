// SPDX-License-Identifier: Apache-2.0
/* store_pages.h - LMDB's data file read without LMDB, which trusts its pages and may abort, or touch memory that is not there,
 * where one is damaged. Here nothing is trusted. Knows pages, trees and nodes, nothing of what prfarm keeps in them. Not shared
 * between threads; the file must not change meanwhile.
 *
 * The layout is that of LMDB 0.9 on a 64-bit little-endian machine (data version 1; mdb.c: MDB_page, MDB_node, MDB_meta, MDB_db).
 */
#ifndef PRF_STORE_PAGES_H
#define PRF_STORE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { PRF_PAGES_NAME = 64 /* of a table, with its NUL */ };

typedef struct {
    const unsigned char *bytes; /* the file, mapped read-only; owned */
    size_t len;
    size_t page_bytes;
    uint64_t count; /* pages that the file has */
} prf_pages_t;

/* Errors: PRF_ENOTFOUND (no such file), PRF_EIO, PRF_ENOMEM. An empty file is one without pages. */
PRF_CHECKED prf_status_t prf_pages_open(prf_pages_t *out, const char *path, prf_error_t *err);
void prf_pages_close(prf_pages_t *self);
/* The same of a file that is in memory already: borrowed, not to be closed. */
void prf_pages_view(prf_pages_t *out, const void *bytes, size_t len);

/* A key with its value; everything borrowed from the file. */
typedef struct {
    const char *table; /* NULL in prf_pages_sift, which cannot know it */
    const unsigned char *key;
    size_t key_len;
    const unsigned char *value;
    size_t value_len;
    uint64_t page; /* that holds the key */
} prf_pages_entry_t;

typedef struct {
    void *arg;
    void (*table)(void *arg, uint64_t page, const char *name); /* each, before its entries */
    void (*entry)(void *arg, const prf_pages_entry_t *entry);
    /* Something that LMDB must not meet. `table` is NULL where it belongs to none. */
    void (*damage)(void *arg, uint64_t page, const char *table, const char *what);
} prf_pages_visitor_t;

typedef struct {
    uint64_t transaction;
    uint64_t used, free; /* pages of the newest commit; both meta pages are used */
    uint64_t lost;       /* neither: harmless, but nothing will ever be written there */
} prf_pages_counts_t;

/* Walks what the newest commit holds: the list of free pages, the table of tables, each table. Checks both meta pages, each page's
 * number, kind and bounds, each node's place, the order of keys, the counts that each tree keeps of itself, and that no page is
 * used twice or is both used and free: so a reference that points at the wrong page, old but well-formed, is found as well. Goes on
 * after damage with what can still be reached. True: LMDB can use the file. Errors show as damage, also that of memory. */
PRF_CHECKED bool prf_pages_walk(const prf_pages_t *self, const prf_pages_visitor_t *visitor, prf_pages_counts_t *out);

/* Tries every place of the file where a node could stand, believing neither page headers nor references; most of what it hands out
 * is none, the visitor must be able to tell. */
void prf_pages_sift(const prf_pages_t *self, void (*fn)(void *arg, const prf_pages_entry_t *entry), void *arg);

#endif
