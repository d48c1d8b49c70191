// SPDX-License-Identifier: Apache-2.0
/* base64.h - bytes in JSON (RFC 4648, with padding). Pure; any thread. */
#ifndef PRF_BASE64_H
#define PRF_BASE64_H

#include <stddef.h>

#include "base/status.h"

/* Caller frees. NULL: out of memory. */
char *prf_base64_encode(const void *bytes, size_t len);
/* Caller frees *bytes. `text` need not end in NUL. Errors: PRF_EPARSE, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_base64_decode(void **bytes, size_t *len, const char *text, size_t text_len, prf_error_t *err);

#endif
