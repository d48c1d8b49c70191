// SPDX-License-Identifier: Apache-2.0
/* store_value.c - byte 0 the format, 1 the table (its high bit: erased), 2 to 7 the write number, 8 to 15 a checksum, numbers
 * little-endian.
 *
 * The checksum is the first half of a BLAKE2b digest. A salvager tries it at every even offset of a file; with 64 bits no store
 * that fits a disk makes a false hit likely, which a CRC-32 over tens of millions of places would. */
#include "store_value.h"

#include <string.h>

#include "base/digest.h"

enum { FORMAT = 0, TABLE = 1, WRITE = 2, WRITE_BYTES = 6, SUM = 8, SUM_BYTES = 8, ERASED = 0x80, OLD_FORMAT = 1 };

void prf_sequence_put(unsigned char key[PRF_SEQUENCE], uint64_t number)
{
    for (int i = 0; i < PRF_SEQUENCE; i++)
        key[i] = (unsigned char)(number >> (56 - 8 * i));
}

uint64_t prf_sequence_get(const void *key, size_t len)
{
    const unsigned char *bytes = key;
    uint64_t number = 0;
    for (size_t i = 0; i < len && i < PRF_SEQUENCE; i++)
        number = number << 8 | bytes[i];
    return number;
}

static void checksum(unsigned char sum[SUM_BYTES], const unsigned char *value, size_t value_len, const void *key, size_t key_len)
{
    unsigned char head[SUM + 2];
    memcpy(head, value, SUM);
    head[SUM] = (unsigned char)key_len; /* or a byte could move from the key to the payload */
    head[SUM + 1] = (unsigned char)(key_len >> 8);
    prf_digest_t digest;
    const prf_bytes_t parts[] = {{head, sizeof head}, {key, key_len}, {value + PRF_VALUE_HEADER, value_len - PRF_VALUE_HEADER}};
    prf_digest_parts(&digest, parts, sizeof parts / sizeof *parts);
    memcpy(sum, digest.bytes, SUM_BYTES);
}

void prf_value_seal(unsigned char *value, size_t value_len, unsigned table, const void *key, size_t key_len, uint64_t write,
                    bool erased)
{
    value[FORMAT] = PRF_VALUE_FORMAT;
    value[TABLE] = (unsigned char)(table | (erased ? ERASED : 0));
    for (int i = 0; i < WRITE_BYTES; i++)
        value[WRITE + i] = (unsigned char)(write >> (8 * i));
    checksum(value + SUM, value, value_len, key, key_len);
}

int prf_value_table(const void *value, size_t value_len)
{
    const unsigned char *bytes = value;
    return value_len >= PRF_VALUE_HEADER && bytes[FORMAT] == PRF_VALUE_FORMAT ? bytes[TABLE] & ~ERASED : -1;
}

bool prf_value_unseal(prf_value_t *out, unsigned table, const void *key, size_t key_len, const void *value, size_t value_len)
{
    const unsigned char *bytes = value;
    unsigned char sum[SUM_BYTES];
    if (prf_value_table(value, value_len) != (int)table)
        return false;
    checksum(sum, bytes, value_len, key, key_len);
    if (memcmp(sum, bytes + SUM, SUM_BYTES) != 0)
        return false;
    uint64_t write = 0;
    for (int i = 0; i < WRITE_BYTES; i++)
        write |= (uint64_t)bytes[WRITE + i] << (8 * i);
    *out = (prf_value_t){write, (bytes[TABLE] & ERASED) != 0, bytes + PRF_VALUE_HEADER, value_len - PRF_VALUE_HEADER};
    return true;
}

bool prf_value_unseal_old(prf_value_t *out, const void *value, size_t value_len)
{
    const unsigned char *bytes = value;
    if (value_len < PRF_VALUE_OLD_HEADER || bytes[0] != OLD_FORMAT)
        return false;
    uint32_t crc = 0;
    for (int i = 0; i < 4; i++)
        crc |= (uint32_t)bytes[1 + i] << (8 * i);
    const unsigned char *payload = bytes + PRF_VALUE_OLD_HEADER;
    size_t len = value_len - PRF_VALUE_OLD_HEADER;
    if (prf_crc32(payload, len) != crc)
        return false;
    *out = (prf_value_t){0, false, payload, len};
    return true;
}
