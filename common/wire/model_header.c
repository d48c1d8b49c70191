// SPDX-License-Identifier: Apache-2.0
#include "wire/model_header.h"

const char model_magic[MODEL_MAGIC_BYTES + 1] = "prfmodel";

/* It covers what stands between it and the magic, too. */
void model_digest(prf_digest_t *out, const uint8_t *file, size_t len)
{
    prf_digest_t parts[2];
    prf_digest(&parts[0], file, MODEL_DIGEST_AT);
    prf_digest(&parts[1], file + MODEL_HEADER_BYTES, len - MODEL_HEADER_BYTES);
    prf_digest(out, parts, sizeof parts);
}
