// SPDX-License-Identifier: Apache-2.0
/* greeting.c - signature (0xff, eight bytes of no meaning, 0x7f), version (2 bytes), mechanism (20 bytes, filled up with zeros);
 * the rest is of no meaning to a relay. Each byte that decides is looked at as it comes, so that a stranger's first byte is mostly
 * his last. */
#include "greeting.h"

#include <string.h>

enum { LAST_OF_SIGNATURE = 9, MAJOR = 10, MECHANISM = 12, MECHANISM_BYTES = 20 };

static const char curve[MECHANISM_BYTES] = "CURVE";

static bool fits(size_t at, uint8_t byte)
{
    if (at == 0)
        return byte == 0xff;
    if (at == LAST_OF_SIGNATURE)
        return byte == 0x7f;
    if (at == MAJOR)
        return byte >= 3;
    if (at >= MECHANISM && at < MECHANISM + MECHANISM_BYTES)
        return byte == (uint8_t)curve[at - MECHANISM];
    return true;
}

bool prf_greeting_take(prf_greeting_t *self, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len && self->seen < PRF_GREETING_BYTES; i++) {
        if (!fits(self->seen, bytes[i]))
            return false;
        self->bytes[self->seen++] = bytes[i];
    }
    return true;
}

bool prf_greeting_signed(const prf_greeting_t *self)
{
    return self->seen >= PRF_GREETING_SIGNATURE;
}

bool prf_greeting_whole(const prf_greeting_t *self)
{
    return self->seen == PRF_GREETING_BYTES;
}
