// SPDX-License-Identifier: Apache-2.0
/* digest.h - BLAKE2b (RFC 7693) through libsodium for identities and files, CRC-32 through zlib for stored values. Pure. */
#ifndef PRF_BASE_DIGEST_H
#define PRF_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PRF_DIGEST_BYTES = 16, PRF_DIGEST_HEX = 33 };

/* A 128-bit identity: of a point, a model file, a campaign file. */
typedef struct {
    uint8_t bytes[PRF_DIGEST_BYTES];
} prf_digest_t;

typedef struct {
    const void *data; /* borrowed */
    size_t len;
} prf_bytes_t;

void prf_digest(prf_digest_t *out, const void *data, size_t len);
/* Of what the parts come to, one behind the other. */
void prf_digest_parts(prf_digest_t *out, const prf_bytes_t *parts, size_t count);
void prf_digest_hex(const prf_digest_t *digest, char hex[PRF_DIGEST_HEX]);
/* The reverse: exactly 32 lower-case hexadecimal digits. False, and *out untouched, for anything else. */
bool prf_digest_parse(prf_digest_t *out, const char *hex);
int prf_digest_compare(const prf_digest_t *a, const prf_digest_t *b);
uint32_t prf_crc32(const void *data, size_t len);

#endif
