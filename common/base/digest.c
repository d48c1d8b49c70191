// SPDX-License-Identifier: Apache-2.0
#include "base/digest.h"

#include <sodium.h>
#include <string.h>
#include <zlib.h>

void prf_digest(prf_digest_t *out, const void *data, size_t len)
{
    crypto_generichash(out->bytes, sizeof out->bytes, data, len, NULL, 0);
}

void prf_digest_parts(prf_digest_t *out, const prf_bytes_t *parts, size_t count)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof out->bytes);
    for (size_t i = 0; i < count; i++)
        crypto_generichash_update(&state, parts[i].data, parts[i].len);
    crypto_generichash_final(&state, out->bytes, sizeof out->bytes);
}

void prf_digest_hex(const prf_digest_t *digest, char hex[PRF_DIGEST_HEX])
{
    sodium_bin2hex(hex, PRF_DIGEST_HEX, digest->bytes, sizeof digest->bytes);
}

bool prf_digest_parse(prf_digest_t *out, const char *hex)
{
    if (strlen(hex) != PRF_DIGEST_HEX - 1 || strspn(hex, "0123456789abcdef") != PRF_DIGEST_HEX - 1)
        return false;
    return sodium_hex2bin(out->bytes, sizeof out->bytes, hex, PRF_DIGEST_HEX - 1, NULL, NULL, NULL) == 0;
}

int prf_digest_compare(const prf_digest_t *a, const prf_digest_t *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

uint32_t prf_crc32(const void *data, size_t len)
{
    return (uint32_t)crc32_z(0, data, len);
}
