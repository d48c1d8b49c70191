// SPDX-License-Identifier: Apache-2.0
/* store_pages.c - the layout, as LMDB 0.9's mdb.c defines it:
 *
 *   page      0 number (8 bytes), 8 padding (2), 10 flags (2), 12 lower (2), 14 upper (2); of an overflow page 12 its page count
 * (4) meta      16 magic (4), version (4), address (8), map size (8), two trees (48 each: free pages, table of tables), last page
 * (8), transaction (8). The page whose number is the transaction's parity holds it, so the file always has the newest two tree 0
 * padding (4; of the first: page size), 4 flags (2), 6 depth (2), 8 branch pages, 16 leaf pages, 24 overflow pages, 32 entries, 40
 * root (8 each) branch,   from 16 on offsets of nodes (2 each) up to `lower`, in the order of their keys; nodes fill `upper` to the
 * page's end leaf      without a gap, each rounded up to an even size node      0 size of the value (4; of a branch with the flags
 * the child's number), 4 flags (2), 6 key size (2), key, value; a large value stands on overflow pages, and the node has their
 * first number
 *
 * Rejected: to let LMDB do it in a child process that may crash. It finds what crashes, not a reference to an old page, and it can
 * say neither where the damage is nor go on behind it. */
#include "store_pages.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DEFAULT_PAGE = 4096,
    LEAST_PAGE = 512,
    GREATEST_PAGE = 32768,
    PAGE_HEADER = 16,
    NODE_HEADER = 8,
    KEY = 511, /* bytes at most */
    DEPTH = 32,
    TREE = 48,
    TABLES = 64,
    BEYOND = 1 << 16, /* pages behind the file's end that were given out and freed again unwritten, at most */
};
enum { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4, PAGE_META = 8 };
enum { NODE_BIG = 1, NODE_TREE = 2 };
enum { TREE_INTEGER_KEYS = 8 };
enum { META_MAGIC = 16, META_VERSION = 20, META_MAP = 32, META_FREE = 40, META_MAIN = 88, META_LAST = 136, META_TXN = 144 };
#define MAGIC 0xBEEFC0DEu
#define NO_PAGE UINT64_MAX

/* LMDB writes numbers as the machine has them; those that prfarm runs on have the lowest byte first. */
static inline uint64_t number(const unsigned char *at, size_t bytes)
{
    uint64_t n = 0;
    memcpy(&n, at, bytes);
    return n;
}

static const unsigned char *page_at(const prf_pages_t *self, uint64_t page)
{
    return self->bytes + page * self->page_bytes;
}

/* Of a meta page that looks like one; 0: it does not. */
static size_t page_size(const prf_pages_t *self, size_t offset)
{
    if (self->len < offset + META_TXN + 8)
        return 0;
    const unsigned char *meta = self->bytes + offset;
    size_t size = number(meta + META_FREE, 4);
    bool sane = size >= LEAST_PAGE && size <= GREATEST_PAGE && (size & (size - 1)) == 0;
    return number(meta + META_MAGIC, 4) == MAGIC && sane ? size : 0;
}

void prf_pages_view(prf_pages_t *out, const void *bytes, size_t len)
{
    prf_pages_t self = {.bytes = bytes, .len = len};
    self.page_bytes = page_size(&self, 0);
    for (size_t size = LEAST_PAGE; !self.page_bytes && size <= GREATEST_PAGE; size *= 2)
        if (page_size(&self, size) == size)
            self.page_bytes = size;
    if (!self.page_bytes)
        self.page_bytes = DEFAULT_PAGE;
    self.count = self.len / self.page_bytes;
    *out = self;
}

prf_status_t prf_pages_open(prf_pages_t *out, const char *path, prf_error_t *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        int e = errno;
        if (fd >= 0)
            close(fd);
        return prf_fail_sys(err, e, "%s", path);
    }
    size_t len = (size_t)st.st_size;
    void *bytes = len ? mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0) : NULL;
    int e = errno;
    close(fd);
    if (bytes == MAP_FAILED)
        return prf_fail_sys(err, e, "%s", path);
    prf_pages_view(out, bytes, len);
    return PRF_OK;
}

void prf_pages_close(prf_pages_t *self)
{
    if (self->bytes)
        munmap((void *)self->bytes, self->len);
    *self = (prf_pages_t){0};
}

/* --- the walk --- */

typedef struct {
    const char *name; /* NULL: free pages, or the table of tables */
    unsigned flags, depth;
    uint64_t branches, leaves, overflows, entries, root; /* as the tree says */
    uint64_t branches_seen, leaves_seen, overflows_seen, entries_seen;
} tree_t;

typedef struct {
    const prf_pages_t *pages;
    const prf_pages_visitor_t *visitor;
    unsigned char *marks; /* owned; one a page up to `last` */
    uint64_t last;
    uint64_t newest_free; /* the last transaction in the list of free pages */
    bool sound;
    char names[TABLES][PRF_PAGES_NAME];
    tree_t tables[TABLES];
    size_t table_count;
} walk_t;
enum { MARK_NONE, MARK_FREE, MARK_USED };

/* What a node says. The key of a branch's first node does not count. */
typedef struct {
    const unsigned char *key, *data;
    size_t key_len, data_len, bytes; /* data_len: as told, also where it stands elsewhere */
    unsigned flags;
    uint64_t child;
} node_t;

typedef struct {
    const unsigned char *key;
    size_t len;
} bound_t;

static void damage(walk_t *w, uint64_t page, const char *table, const char *what)
{
    w->sound = false;
    w->visitor->damage(w->visitor->arg, page, table, what);
}

static int compare(const tree_t *t, const unsigned char *a, size_t a_len, const unsigned char *b, size_t b_len)
{
    if (t->flags & TREE_INTEGER_KEYS) {
        uint64_t x = number(a, 8), y = number(b, 8);
        return x < y ? -1 : x > y;
    }
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len < b_len ? -1 : a_len > b_len);
}

/* Takes a page for a tree. */
static bool claim(walk_t *w, uint64_t page, const char *table, uint64_t from)
{
    char what[120];
    if (page < 2 || page > w->last || page >= w->pages->count)
        snprintf(what, sizeof what, "refers to page %" PRIu64 ", which the file does not have", page);
    else if (w->marks[page] != MARK_NONE)
        snprintf(what, sizeof what, "refers to page %" PRIu64 ", which is %s", page,
                 w->marks[page] == MARK_FREE ? "free" : "in use elsewhere");
    else {
        w->marks[page] = MARK_USED;
        return true;
    }
    damage(w, from, table, what);
    return false;
}

static bool read_node(const walk_t *w, const unsigned char *page, size_t offset, bool leaf, node_t *out)
{
    size_t size = w->pages->page_bytes;
    if (offset % 2 || offset < PAGE_HEADER || offset + NODE_HEADER > size)
        return false;
    const unsigned char *node = page + offset;
    *out = (node_t){.key = node + NODE_HEADER, .key_len = number(node + 6, 2)};
    if (leaf) {
        out->flags = (unsigned)number(node + 4, 2);
        out->data_len = number(node, 4);
    } else {
        out->child = number(node, 6);
    }
    out->data = out->key + out->key_len;
    size_t inside = !leaf ? 0 : out->flags & NODE_BIG ? 8 : out->data_len;
    out->bytes = NODE_HEADER + out->key_len + inside;
    out->bytes += out->bytes % 2;
    return out->key_len <= KEY && inside <= size && offset + out->bytes <= size;
}

/* Whether the nodes of a page are all inside it and fill its upper part without gap or overlap. NULL: they are. */
static const char *check_nodes(const walk_t *w, const unsigned char *page, bool leaf, size_t count, size_t upper)
{
    bool begins[GREATEST_PAGE / 2] = {false};
    for (size_t i = 0; i < count; i++) {
        size_t offset = number(page + PAGE_HEADER + 2 * i, 2);
        node_t node;
        if (offset < upper || !read_node(w, page, offset, leaf, &node))
            return "an entry reaches beyond its page";
        if (begins[offset / 2])
            return "two entries in one place";
        begins[offset / 2] = true;
    }
    /* From one to the next: each must begin where the one before ends. */
    size_t seen = 0, at = upper;
    while (at < w->pages->page_bytes && begins[at / 2]) {
        node_t node;
        if (!read_node(w, page, at, leaf, &node))
            break;
        at += node.bytes;
        seen++;
    }
    return seen == count && at == w->pages->page_bytes ? NULL : "entries overlap or leave a gap";
}

/* NULL: what the page says of itself holds. */
static const char *check_page(const walk_t *w, const tree_t *t, const unsigned char *page, uint64_t at, bool leaf, size_t *count)
{
    size_t lower = number(page + 12, 2), upper = number(page + 14, 2);
    if (number(page, 8) != at)
        return "bears another page's number";
    if (number(page + 10, 2) != (leaf ? PAGE_LEAF : PAGE_BRANCH))
        return leaf ? "is no leaf page" : "is no branch page";
    if (lower < PAGE_HEADER || lower % 2 || upper % 2 || lower > upper || upper > w->pages->page_bytes)
        return "its bounds do not hold";
    *count = (lower - PAGE_HEADER) / 2;
    bool free_list = t->flags & TREE_INTEGER_KEYS;
    if (*count < (leaf || free_list ? 1U : 2U))
        return "has no entries";
    return check_nodes(w, page, leaf, *count, upper);
}

/* Free pages that one transaction left: their count, then their numbers in falling order. */
static void take_free(walk_t *w, const prf_pages_entry_t *entry)
{
    uint64_t words = entry->value_len / 8, count = words ? number(entry->value, 8) : 0, before = NO_PAGE;
    w->newest_free = number(entry->key, 8);
    if (words < 1 || count > words - 1) {
        damage(w, entry->page, NULL, "a list of free pages is longer than its place");
        return;
    }
    for (uint64_t i = 1; i <= count; i++) {
        uint64_t page = number(entry->value + 8 * i, 8);
        if (page < 2 || page > w->last || page >= before || w->marks[page] != MARK_NONE) {
            damage(w, entry->page, NULL, "a list of free pages names one that is not free, or twice");
            return;
        }
        w->marks[page] = MARK_FREE;
        before = page;
    }
}

static tree_t read_tree(const unsigned char *at, const char *name)
{
    return (tree_t){.name = name,
                    .flags = (unsigned)number(at + 4, 2),
                    .depth = (unsigned)number(at + 6, 2),
                    .branches = number(at + 8, 8),
                    .leaves = number(at + 16, 8),
                    .overflows = number(at + 24, 8),
                    .entries = number(at + 32, 8),
                    .root = number(at + 40, 8)};
}

/* An entry of the table of tables. */
static void take_table(walk_t *w, const node_t *node, uint64_t page)
{
    if (node->data_len != TREE || node->key_len >= PRF_PAGES_NAME || memchr(node->key, 0, node->key_len)) {
        damage(w, page, NULL, "an entry of the table of tables is none");
        return;
    }
    if (w->table_count == TABLES) {
        damage(w, page, NULL, "more tables than any prfarm has");
        return;
    }
    char *name = w->names[w->table_count];
    memcpy(name, node->key, node->key_len);
    name[node->key_len] = '\0';
    w->tables[w->table_count++] = read_tree(node->data, name);
    if (number(node->data, 4) != 0 || w->tables[w->table_count - 1].flags != 0)
        damage(w, page, name, "is of a kind that prfarm does not use");
}

/* A value on pages of its own. False: it cannot be read. */
static bool take_overflow(walk_t *w, tree_t *t, uint64_t page, prf_pages_entry_t *entry, uint64_t first)
{
    uint64_t count = (PAGE_HEADER - 1 + (uint64_t)entry->value_len) / w->pages->page_bytes + 1;
    for (uint64_t i = 0; i < count; i++)
        if (!claim(w, first + i, t->name, page))
            return false;
    t->overflows_seen += count;
    const unsigned char *header = page_at(w->pages, first);
    if (number(header, 8) != first || number(header + 10, 2) != PAGE_OVERFLOW || number(header + 12, 4) != count)
        damage(w, first, t->name, "the first page of a large value does not say so");
    entry->value = header + PAGE_HEADER;
    return true;
}

static void take_entry(walk_t *w, tree_t *t, uint64_t page, const node_t *node, bool table_of_tables)
{
    t->entries_seen++;
    unsigned allowed = table_of_tables ? NODE_TREE : NODE_BIG;
    if (table_of_tables && node->flags == 0) { /* somebody else's LMDB, which a look at its tables will tell */
        return;
    }
    if (node->key_len < 1 || (node->flags & ~allowed) || (table_of_tables && !(node->flags & NODE_TREE)) ||
        ((t->flags & TREE_INTEGER_KEYS) && node->key_len != 8)) {
        damage(w, page, t->name, "an entry of a kind that prfarm does not use");
        return;
    }
    if (table_of_tables) {
        take_table(w, node, page);
        return;
    }
    prf_pages_entry_t entry = {t->name, node->key, node->key_len, node->data, node->data_len, page};
    if ((node->flags & NODE_BIG) && !take_overflow(w, t, page, &entry, number(node->data, 8)))
        return;
    if (t->flags & TREE_INTEGER_KEYS)
        take_free(w, &entry);
    else
        w->visitor->entry(w->visitor->arg, &entry);
}

static void walk_page(walk_t *w, tree_t *t, uint64_t at, unsigned level, bound_t low, bound_t high, bool table_of_tables);

static void walk_nodes(walk_t *w, tree_t *t, uint64_t at, unsigned level, bound_t low, bound_t high, bool table_of_tables,
                       size_t count)
{
    const unsigned char *page = page_at(w->pages, at);
    bool leaf = level == t->depth, ordered = true;
    bound_t before = low;
    for (size_t i = 0; i < count; i++) {
        node_t node, next;
        bool first = !leaf && i == 0;
        if (!read_node(w, page, number(page + PAGE_HEADER + 2 * i, 2), leaf, &node))
            continue; /* cannot be: check_nodes has read it */
        bound_t key = first ? low : (bound_t){node.key, node.key_len};
        if ((t->flags & TREE_INTEGER_KEYS) && !first && node.key_len != 8) {
            damage(w, at, t->name, "a key of the list of free pages is no number");
            continue;
        }
        if (!first && before.key) {
            int order = compare(t, before.key, before.len, key.key, key.len);
            ordered = ordered && (order < 0 || (order == 0 && i == 0));
        }
        if (!first && high.key)
            ordered = ordered && compare(t, key.key, key.len, high.key, high.len) < 0;
        before = key;
        if (leaf) {
            take_entry(w, t, at, &node, table_of_tables);
            continue;
        }
        bound_t end = high;
        if (i + 1 < count && read_node(w, page, number(page + PAGE_HEADER + 2 * (i + 1), 2), leaf, &next) &&
            (!(t->flags & TREE_INTEGER_KEYS) || next.key_len == 8))
            end = (bound_t){next.key, next.key_len};
        if (claim(w, node.child, t->name, at))
            walk_page(w, t, node.child, level + 1, key, end, table_of_tables);
    }
    if (!ordered)
        damage(w, at, t->name, "its keys are out of order");
}

/* A page that is claimed already. */
static void walk_page(walk_t *w, tree_t *t, uint64_t at, unsigned level, bound_t low, bound_t high, bool table_of_tables)
{
    bool leaf = level == t->depth;
    size_t count = 0;
    const char *what = check_page(w, t, page_at(w->pages, at), at, leaf, &count);
    if (what) {
        damage(w, at, t->name, what);
        return;
    }
    t->leaves_seen += leaf;
    t->branches_seen += !leaf;
    walk_nodes(w, t, at, level, low, high, table_of_tables, count);
}

static void walk_tree(walk_t *w, tree_t *t, uint64_t from, bool table_of_tables)
{
    bool empty = t->root == NO_PAGE;
    if (empty != (t->depth == 0) || t->depth > DEPTH) {
        damage(w, from, t->name, "a tree's depth does not fit its root");
        return;
    }
    bool was_sound = w->sound;
    w->sound = true;
    if (!empty && claim(w, t->root, t->name, from))
        walk_page(w, t, t->root, 1, (bound_t){NULL, 0}, (bound_t){NULL, 0}, table_of_tables);
    /* Where something was missing the counts differ of course. */
    if (w->sound && (t->branches != t->branches_seen || t->leaves != t->leaves_seen || t->overflows != t->overflows_seen ||
                     t->entries != t->entries_seen))
        damage(w, from, t->name, "a tree's counts of its pages and entries are not those that it has");
    w->sound = w->sound && was_sound;
}

/* NULL: the page is a meta page. */
static const char *check_meta(const prf_pages_t *pages, uint64_t at)
{
    const unsigned char *meta = page_at(pages, at);
    if (number(meta, 8) != at || number(meta + 10, 2) != PAGE_META || number(meta + META_MAGIC, 4) != MAGIC)
        return "is no meta page of an LMDB file";
    if (number(meta + META_VERSION, 4) != 1)
        return "has a format of LMDB that is not known here";
    if (number(meta + META_FREE, 4) != pages->page_bytes || number(meta + META_MAIN, 4) != 0 ||
        number(meta + META_FREE + 4, 2) != TREE_INTEGER_KEYS || number(meta + META_MAIN + 4, 2) != 0)
        return "has another page size or other flags than prfarm's";
    uint64_t last = number(meta + META_LAST, 8), map = number(meta + META_MAP, 8);
    if (last < 1 || last >= 2 * pages->count + BEYOND || map % pages->page_bytes || map / pages->page_bytes <= last)
        return "names a last page that the file cannot have";
    return NULL;
}

/* The transaction that last freed pages, as the list of free pages under `meta` has it; 0: it cannot be told. */
static uint64_t last_freed(const walk_t *w, const unsigned char *meta)
{
    tree_t t = read_tree(meta + META_FREE, NULL);
    uint64_t at = t.root;
    for (unsigned level = 1; level <= t.depth && level <= DEPTH && at >= 2 && at < w->pages->count; level++) {
        size_t count;
        node_t node;
        const unsigned char *page = page_at(w->pages, at);
        if (check_page(w, &t, page, at, level == t.depth, &count) ||
            !read_node(w, page, number(page + PAGE_HEADER + 2 * (count - 1), 2), level == t.depth, &node))
            return 0;
        if (level == t.depth)
            return node.key_len == 8 ? number(node.key, 8) : 0;
        at = node.child;
    }
    return 0;
}

/* Every commit after the first frees the pages that it replaced, and lists them under its own number: so a commit whose number was
 * altered gives itself away, be it the newest or the one before, which would otherwise stand in for it unnoticed. NULL: it holds.
 */
static const char *check_commit(const walk_t *w, uint64_t at)
{
    const unsigned char *meta = page_at(w->pages, at);
    uint64_t txn = number(meta + META_TXN, 8), freed = txn >= 2 ? last_freed(w, meta) : 0;
    if (txn == 0)
        return number(meta + META_MAIN + 40, 8) == NO_PAGE ? NULL : "holds tables before the first commit";
    if (txn % 2 != at)
        return "holds a commit of the other meta page";
    if (txn >= 2 && number(meta + META_FREE + 40, 8) == NO_PAGE)
        return "its commit's number does not fit what it freed";
    return freed && freed != txn ? "its commit's number does not fit what it freed" : NULL;
}

/* The meta page of the newest commit; NULL: there is none to go by. */
static const unsigned char *newest_meta(walk_t *w)
{
    const unsigned char *metas[2] = {NULL, NULL};
    uint64_t txns[2] = {0, 0};
    if (w->pages->count < 2) {
        damage(w, 0, NULL, "the file is too short to be an LMDB");
        return NULL;
    }
    for (uint64_t i = 0; i < 2; i++) {
        const char *what = check_meta(w->pages, i);
        txns[i] = number(page_at(w->pages, i) + META_TXN, 8);
        if (!what)
            what = check_commit(w, i);
        if (what)
            damage(w, i, NULL, what);
        else
            metas[i] = page_at(w->pages, i);
    }
    if (!metas[0] || !metas[1])
        return metas[0] ? metas[0] : metas[1];
    uint64_t apart = txns[0] > txns[1] ? txns[0] - txns[1] : txns[1] - txns[0];
    if (apart != 1 && (txns[0] || txns[1])) /* both are 0 in a file to which nothing was ever committed */
        damage(w, 0, NULL, "the meta pages are not of two commits in a row");
    return txns[0] > txns[1] ? metas[0] : metas[1];
}

static void count_pages(const walk_t *w, prf_pages_counts_t *out)
{
    out->used = 2;
    for (uint64_t i = 2; i <= w->last; i++) {
        out->used += w->marks[i] == MARK_USED;
        out->free += w->marks[i] == MARK_FREE;
        out->lost += w->marks[i] == MARK_NONE;
    }
}

bool prf_pages_walk(const prf_pages_t *self, const prf_pages_visitor_t *visitor, prf_pages_counts_t *out)
{
    walk_t *w = calloc(1, sizeof *w);
    walk_t none = {.visitor = visitor};
    *out = (prf_pages_counts_t){0};
    if (!w) {
        damage(&none, 0, NULL, "memory ran out while it was read");
        return false;
    }
    *w = (walk_t){.pages = self, .visitor = visitor, .sound = true};
    const unsigned char *meta = newest_meta(w);
    w->last = meta ? number(meta + META_LAST, 8) : 0;
    w->marks = calloc(w->last + 1, 1);
    if (meta && !w->marks)
        damage(w, 0, NULL, "memory ran out while it was read");
    if (meta && w->marks) {
        uint64_t at = meta == page_at(self, 1);
        tree_t free_pages = read_tree(meta + META_FREE, NULL), tables = read_tree(meta + META_MAIN, NULL);
        walk_tree(w, &free_pages, at, false);
        if (w->sound && number(meta + META_TXN, 8) >= 2 && w->newest_free != number(meta + META_TXN, 8))
            damage(w, at, NULL, "the newest commit lists no freed pages");
        walk_tree(w, &tables, at, true);
        for (size_t i = 0; i < w->table_count; i++) {
            visitor->table(visitor->arg, tables.root, w->tables[i].name);
            walk_tree(w, &w->tables[i], tables.root, false);
        }
        out->transaction = number(meta + META_TXN, 8);
        count_pages(w, out);
    }
    bool sound = w->sound;
    free(w->marks);
    free(w);
    return sound;
}

/* --- the sieve --- */

static bool big_value(const prf_pages_t *self, prf_pages_entry_t *entry, uint64_t first)
{
    if (first < 2 || first >= self->count || entry->value_len > self->len - first * self->page_bytes - PAGE_HEADER)
        return false;
    entry->value = page_at(self, first) + PAGE_HEADER;
    return true;
}

void prf_pages_sift(const prf_pages_t *self, void (*fn)(void *arg, const prf_pages_entry_t *entry), void *arg)
{
    walk_t w = {.pages = self};
    for (uint64_t at = 0; at < self->count; at++)
        for (size_t offset = PAGE_HEADER; offset + NODE_HEADER < self->page_bytes; offset += 2) {
            node_t node;
            if (!read_node(&w, page_at(self, at), offset, true, &node) || node.key_len < 1 || (node.flags & ~(unsigned)NODE_BIG))
                continue;
            prf_pages_entry_t entry = {NULL, node.key, node.key_len, node.data, node.data_len, at};
            if ((node.flags & NODE_BIG) && !big_value(self, &entry, number(node.data, 8)))
                continue;
            fn(arg, &entry);
        }
}
