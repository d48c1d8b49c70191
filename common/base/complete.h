// SPDX-License-Identifier: Apache-2.0
/* complete.h - answers a shell that completes a command line (docs/manual/completion.md), from the declaration that it is parsed
 * by. Main thread only. */
#ifndef PRF_BASE_COMPLETE_H
#define PRF_BASE_COMPLETE_H

#include <stdio.h>

#include "base/options.h"

/* `words` are what stands behind the program's (or command's) name; the last one is begun. Prints a line for each thing that could
 * stand in its place: "word", or "word<TAB>what it is"; ":file .onnx" are the files with that ending, ":file" all, ":folder" all
 * folders. */
void prf_complete(FILE *out, const prf_usage_t *usage, const prf_option_t *options, char *const *words, size_t count);

#endif
