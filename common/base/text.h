// SPDX-License-Identifier: Apache-2.0
/* text.h - a growing string. Allocation failure is sticky: appends after it do nothing and prf_text_take returns NULL, so
 * that callers check once at the end. Not shared between threads. */
#ifndef PRF_BASE_TEXT_H
#define PRF_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
    char *data; /* owned, NUL-terminated, may be NULL while empty */
    size_t len, cap;
    bool failed;
} prf_text_t;

void prf_text_init(prf_text_t *text);
void prf_text_release(prf_text_t *text);
void prf_text_add(prf_text_t *text, const char *fmt, ...) PRF_PRINTF(2, 3);
void prf_text_addv(prf_text_t *text, const char *fmt, va_list args);
void prf_text_append(prf_text_t *text, const void *bytes, size_t len);
void prf_text_number(prf_text_t *text, uint64_t number); /* in decimal; for where printf's parsing would be felt */
void prf_text_quote(prf_text_t *text, const char *word); /* as a shell takes it for that word, whatever is in it */
void prf_text_clear(prf_text_t *text);                   /* keeps its memory; a failure is forgotten */
const char *prf_text_get(const prf_text_t *text);        /* "" while empty */
char *prf_text_take(prf_text_t *text);                   /* caller frees; NULL when memory ran out; *text is empty after */

#endif
