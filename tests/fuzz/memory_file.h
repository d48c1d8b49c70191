// SPDX-License-Identifier: Apache-2.0
/* memory_file.h - an input as a file that exists in memory only, for code that takes paths. Aborts when it cannot be made. */
#ifndef PRF_TESTS_MEMORY_FILE_H
#define PRF_TESTS_MEMORY_FILE_H

#include <stddef.h>

typedef struct {
    int fd;
    char path[32]; /* good while the file is open */
} memory_file_t;

void memory_file_open(memory_file_t *file, const void *bytes, size_t len);
void memory_file_close(memory_file_t *file);

#endif
