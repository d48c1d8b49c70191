// SPDX-License-Identifier: Apache-2.0
/* model_header.h - what stands before the body of a model file: 8 bytes magic, version and zero (u32, little endian), 16 bytes
 * BLAKE2b over version and body. Internal to model_pack.c and model_unpack.c. */
#ifndef PRF_WIRE_MODEL_HEADER_H
#define PRF_WIRE_MODEL_HEADER_H

#include "base/digest.h"

enum { MODEL_MAGIC_BYTES = 8, MODEL_DIGEST_AT = MODEL_MAGIC_BYTES + 8, MODEL_HEADER_BYTES = MODEL_DIGEST_AT + PRF_DIGEST_BYTES };
extern const char model_magic[MODEL_MAGIC_BYTES + 1];

/* Of a file of at least MODEL_HEADER_BYTES bytes. */
void model_digest(prf_digest_t *out, const uint8_t *file, size_t len);

#endif
