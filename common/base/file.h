// SPDX-License-Identifier: Apache-2.0
/* file.h - files read whole under a limit and written whole or not at all. Any thread. */
#ifndef PRF_BASE_FILE_H
#define PRF_BASE_FILE_H

#include <stddef.h>

#include "base/status.h"

/* Reads a regular file of at most `limit` bytes; *data (owned by the caller, NUL-terminated behind *len) is untouched on
 * failure. Errors: PRF_ENOTFOUND, PRF_EIO, PRF_EINVAL (too large, a folder), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_file_read(const char *path, size_t limit, char **data, size_t *len, prf_error_t *err);
/* Whether a file may be written at `path`: nothing there yet, or a regular file. Errors: PRF_EINVAL (a device, a folder, ...). */
PRF_CHECKED prf_status_t prf_file_replaceable(const char *path, prf_error_t *err);
/* Writes beside the target, syncs and renames, then syncs the folder: after a crash either the old or the new content is
 * there. Errors: PRF_ENOSPC, PRF_EIO, those of prf_file_replaceable. */
PRF_CHECKED prf_status_t prf_file_write(const char *path, const void *data, size_t len, prf_error_t *err);
/* Adds to a file that is there, all of it or nothing where the file system can set room aside, and syncs: its mode and owner stay,
 * and so does what another program adds meanwhile. Errors: PRF_ENOTFOUND, PRF_ENOSPC, PRF_EIO. */
PRF_CHECKED prf_status_t prf_file_append(const char *path, const void *data, size_t len, prf_error_t *err);
/* Makes the folder and its parents with `mode`; an existing folder is fine. Errors: PRF_EIO. */
PRF_CHECKED prf_status_t prf_file_mkdirs(const char *path, unsigned mode, prf_error_t *err);

#endif
