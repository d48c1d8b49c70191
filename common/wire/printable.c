// SPDX-License-Identifier: Apache-2.0
#include "wire/printable.h"

#include <string.h>

/* Bytes of the printable character at `p`, 0 when there is none. Overlong forms, surrogates, C1 controls and code points beyond
 * U+10FFFF are not printable. Reads no further than a NUL. */
static size_t character(const unsigned char *p)
{
    if (p[0] < 0x80)
        return p[0] >= 0x20 && p[0] != 0x7f;
    size_t len = p[0] >= 0xf0 ? 4 : (p[0] >= 0xe0 ? 3 : 2);
    unsigned long code = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    static const unsigned long least[] = {[2] = 0xa0, [3] = 0x800, [4] = 0x10000};
    bool ok = p[0] >= 0xc2 && p[0] <= 0xf4 && code >= least[len] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
    return ok ? len : 0;
}

bool prf_printable(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    while (*p) {
        size_t len = character(p);
        if (!len)
            return false;
        p += len;
    }
    return true;
}

void prf_printable_copy(char *out, size_t cap, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t used = 0;
    while (*p) {
        size_t len = character(p), step = len ? len : 1;
        if (used + step >= cap)
            break;
        if (len)
            memcpy(out + used, p, len);
        else
            out[used] = '?';
        used += step;
        p += step;
    }
    out[used] = '\0';
}
