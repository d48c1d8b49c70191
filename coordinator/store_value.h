// SPDX-License-Identifier: Apache-2.0
/* store_value.h - the bytes of keys and values in the store: docs/store.md. Pure. */
#ifndef PRF_STORE_VALUE_H
#define PRF_STORE_VALUE_H

#include <stddef.h>
#include <stdint.h>

enum {
    PRF_SEQUENCE = 8,    /* bytes of a sequence number as a key: big-endian, so that LMDB's order is ours */
    PRF_VALUE_HEADER = 5 /* before each payload: a format byte and the payload's CRC-32, little-endian */
};

void prf_sequence_put(unsigned char key[PRF_SEQUENCE], uint64_t number);
uint64_t prf_sequence_get(const void *key, size_t len);

/* Writes header and payload to `value`, which has room for both. */
void prf_value_seal(unsigned char *value, const void *payload, size_t len);
/* The payload inside a stored value (borrowed), or NULL when the value is damaged or of a format not known here. */
const unsigned char *prf_value_unseal(const void *value, size_t value_len, size_t *len);

#endif
