// SPDX-License-Identifier: Apache-2.0
/* ballast.h - fills a disk to the last byte with a file, and takes it away again. */
#ifndef PRF_CHAOS_BALLAST_H
#define PRF_CHAOS_BALLAST_H

#include "base/status.h"

/* Errors: PRF_EIO. */
PRF_CHECKED prf_status_t ballast_fill(const char *dir, prf_error_t *err);
void ballast_free(const char *dir);

#endif
