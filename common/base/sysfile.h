// SPDX-License-Identifier: Apache-2.0
/* sysfile.h - the system's files of one value, in /proc and /sys. Any thread; nothing is kept. Whoever asks puts a root in front of
 * the path: "" on a real machine; tests give a folder of their own. */
#ifndef PRF_BASE_SYSFILE_H
#define PRF_BASE_SYSFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* First line without what ends it; false when there is none, as is normal in containers and on other architectures; errno
 * tells why a file that is there cannot be read. */
bool prf_sysfile_line(const char *path, char *line, size_t cap);
/* The same of ROOT/..., a path made as by printf. */
bool prf_sysfile_read(const char *root, char *line, size_t cap, const char *fmt, ...) PRF_PRINTF(4, 5);
/* A number from 0 on; 0 when there is none. */
uint64_t prf_sysfile_number(const char *root, const char *fmt, ...) PRF_PRINTF(2, 3);
/* Of a file that lists what may be chosen, "always [madvise] never", the word that is; any other line stays as it is. */
void prf_sysfile_chosen(char *line);
/* The temperature of the hottest zone or sensor in thousandths of a degree Celsius; 0: none is told. */
uint32_t prf_sysfile_hottest(const char *root);
/* Into a file that is there. Errors: PRF_EIO (this user may not, the driver refuses the value), PRF_ENOTFOUND. */
PRF_CHECKED prf_status_t prf_sysfile_write(const char *path, const char *value, prf_error_t *err);

#endif
