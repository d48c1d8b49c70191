// SPDX-License-Identifier: Apache-2.0
#include "store_value.h"

#include <string.h>

#include "base/digest.h"

enum { VALUE_FORMAT = 1 };

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

void prf_value_seal(unsigned char *value, const void *payload, size_t len)
{
    uint32_t crc = prf_crc32(payload, len);
    value[0] = VALUE_FORMAT;
    for (int i = 0; i < 4; i++)
        value[1 + i] = (unsigned char)(crc >> (8 * i));
    if (len)
        memcpy(value + PRF_VALUE_HEADER, payload, len);
}

const unsigned char *prf_value_unseal(const void *value, size_t value_len, size_t *len)
{
    const unsigned char *bytes = value;
    if (value_len < PRF_VALUE_HEADER || bytes[0] != VALUE_FORMAT)
        return NULL;
    uint32_t crc = 0;
    for (int i = 0; i < 4; i++)
        crc |= (uint32_t)bytes[1 + i] << (8 * i);
    *len = value_len - PRF_VALUE_HEADER;
    return prf_crc32(bytes + PRF_VALUE_HEADER, *len) == crc ? bytes + PRF_VALUE_HEADER : NULL;
}
