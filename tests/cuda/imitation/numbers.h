// SPDX-License-Identifier: Apache-2.0
/* numbers.h - elements of a tensor as floats, for the imitated libraries. Written apart from the backend's own, so that a mistake
 * in one shows. */
#ifndef PRF_IMITATION_NUMBERS_H
#define PRF_IMITATION_NUMBERS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum { F32, F16, BF16, I8, NUMBER_TYPES } number_t;

static inline size_t number_size(number_t type)
{
    return type == F32 ? 4 : type == I8 ? 1 : 2;
}

static inline float get_number(number_t type, const void *base, size_t i)
{
    const unsigned char *at = (const unsigned char *)base + i * number_size(type);
    float value;
    uint16_t half;
    uint32_t bits;
    if (type == I8)
        return (float)*(const signed char *)at;
    if (type == F32) {
        memcpy(&value, at, sizeof value);
        return value;
    }
    memcpy(&half, at, sizeof half);
    if (type == F16) { /* rebias the exponent by a multiplication, which also takes the subnormal numbers along */
        bits = (uint32_t)(half & 0x7fff) << 13;
        memcpy(&value, &bits, sizeof value);
        value *= 0x1p112F;
        return half & 0x8000 ? -value : value;
    }
    bits = (uint32_t)half << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void put_number(number_t type, void *base, size_t i, double number)
{
    unsigned char *at = (unsigned char *)base + i * number_size(type);
    float value = (float)number;
    uint32_t bits;
    if (type == I8) {
        *(signed char *)at = (signed char)fmax(-128, fmin(127, nearbyint(number)));
        return;
    }
    if (type == F16)
        value *= 0x1p-112F;
    memcpy(&bits, &value, sizeof bits);
    uint16_t half = type == F16 ? (uint16_t)((bits & 0x7fffffff) >> 13 | (bits >> 16 & 0x8000)) : (uint16_t)(bits >> 16);
    memcpy(at, type == F32 ? (const void *)&value : (const void *)&half, number_size(type));
}

#endif
