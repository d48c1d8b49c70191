// SPDX-License-Identifier: Apache-2.0
/* store_value.h - the bytes of keys and values in the store: docs/store.md. Pure.
 *
 * A stored value proves itself wherever it is found: its checksum covers table, key, write number and payload, so that a salvager
 * that stumbles on it in a damaged file knows what it is, and of two copies of one key which is newer. */
#ifndef PRF_STORE_VALUE_H
#define PRF_STORE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PRF_SEQUENCE = 8,          /* bytes of a sequence number as a key: big-endian, so that LMDB's order is ours */
    PRF_VALUE_FORMAT = 2,      /* the first byte of a value */
    PRF_VALUE_HEADER = 16,     /* before each payload */
    PRF_VALUE_OLD_HEADER = 5,  /* of format 1: a format byte and the payload's CRC-32, little-endian */
    PRF_VALUE_TABLE_META = 127 /* stands for the table `meta`, which is no prf_table_t */
};
#define PRF_VALUE_WRITES (UINT64_C(1) << 48) /* write numbers are below */

typedef struct {
    uint64_t write;               /* greater: written later; 0 in format 1 */
    bool erased;                  /* a tombstone: the key is there no longer */
    const unsigned char *payload; /* borrowed from the value */
    size_t len;
} prf_value_t;

/* `number` comes before all greater ones in LMDB's order. */
void prf_sequence_put(unsigned char key[PRF_SEQUENCE], uint64_t number);
uint64_t prf_sequence_get(const void *key, size_t len);

/* Writes the header in front of the payload that already stands at value + PRF_VALUE_HEADER. An erased value has no payload. */
void prf_value_seal(unsigned char *value, size_t value_len, unsigned table, const void *key, size_t key_len, uint64_t write,
                    bool erased);
/* False, and *out untouched, when the value does not prove itself under this table and key. */
bool prf_value_unseal(prf_value_t *out, unsigned table, const void *key, size_t key_len, const void *value, size_t value_len);
/* The table that the value says it belongs to, still to be proven; -1 for what cannot be a value. */
int prf_value_table(const void *value, size_t value_len);
/* The same for a value of format 1, which does not know its key. */
bool prf_value_unseal_old(prf_value_t *out, const void *value, size_t value_len);

#endif
