// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void prf_text_init(prf_text_t *text)
{
    *text = (prf_text_t){0};
}

void prf_text_release(prf_text_t *text)
{
    free(text->data);
    prf_text_init(text);
}

void prf_text_clear(prf_text_t *text)
{
    text->len = 0;
    text->failed = false;
    if (text->data)
        text->data[0] = '\0';
}

static bool reserve(prf_text_t *text, size_t more)
{
    if (text->failed)
        return false;
    if (text->data && text->len + more + 1 <= text->cap)
        return true;
    size_t cap = text->cap ? text->cap : 128;
    while (cap < text->len + more + 1)
        cap *= 2;
    char *data = realloc(text->data, cap);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->cap = cap;
    return true;
}

void prf_text_append(prf_text_t *text, const void *bytes, size_t len)
{
    if (!reserve(text, len))
        return;
    if (len > 0)
        memcpy(text->data + text->len, bytes, len);
    text->len += len;
    text->data[text->len] = '\0';
}

/* Most often there is room, and it is written once. */
void prf_text_addv(prf_text_t *text, const char *fmt, va_list args)
{
    if (!reserve(text, 1))
        return;
    size_t room = text->cap - text->len;
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(text->data + text->len, room, fmt, again);
    va_end(again);
    if (n >= 0 && (size_t)n >= room && reserve(text, (size_t)n))
        vsnprintf(text->data + text->len, (size_t)n + 1, fmt, args);
    text->len += n >= 0 && !text->failed ? (size_t)n : 0;
    text->data[text->len] = '\0';
}

void prf_text_add(prf_text_t *text, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    prf_text_addv(text, fmt, args);
    va_end(args);
}

void prf_text_number(prf_text_t *text, uint64_t number)
{
    char digits[20], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    prf_text_append(text, at, (size_t)(digits + sizeof digits - at));
}

void prf_text_quote(prf_text_t *text, const char *word)
{
    prf_text_append(text, "'", 1);
    for (const char *quote; (quote = strchr(word, '\'')); word = quote + 1) {
        prf_text_append(text, word, (size_t)(quote - word));
        prf_text_append(text, "'\\''", 4);
    }
    prf_text_append(text, word, strlen(word));
    prf_text_append(text, "'", 1);
}

const char *prf_text_get(const prf_text_t *text)
{
    return text->data ? text->data : "";
}

char *prf_text_take(prf_text_t *text)
{
    if (!text->failed && !text->data)
        prf_text_append(text, "", 0);
    char *data = text->failed ? NULL : text->data;
    if (text->failed)
        free(text->data);
    prf_text_init(text);
    return data;
}
