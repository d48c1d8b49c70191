// SPDX-License-Identifier: Apache-2.0
#include "base/base64.h"

#include <sodium.h>
#include <stdlib.h>

enum { VARIANT = sodium_base64_VARIANT_ORIGINAL };

char *prf_base64_encode(const void *bytes, size_t len)
{
    size_t cap = sodium_base64_encoded_len(len, VARIANT);
    char *text = malloc(cap);
    if (text)
        sodium_bin2base64(text, cap, bytes, len, VARIANT);
    return text;
}

prf_status_t prf_base64_decode(void **bytes, size_t *len, const char *text, size_t text_len, prf_error_t *err)
{
    size_t cap = text_len / 4 * 3 + 3;
    void *decoded = malloc(cap);
    if (!decoded)
        return prf_fail(err, PRF_ENOMEM, "%zu bytes", cap);
    if (sodium_base642bin(decoded, cap, text, text_len, NULL, len, NULL, VARIANT) != 0) {
        free(decoded);
        return prf_fail(err, PRF_EPARSE, "no base64 (RFC 4648): encode it anew");
    }
    *bytes = decoded;
    return PRF_OK;
}
