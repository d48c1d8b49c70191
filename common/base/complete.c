// SPDX-License-Identifier: Apache-2.0
/* complete.c - one answer for all shells: what each shell adds (which files there are, how candidates are shown) is a dozen lines
 * in its own language, and the same program that parses an option names it. */
#include "base/complete.h"

#include <string.h>

static bool begins(const char *text, const char *with, size_t len)
{
    return strncmp(text, with, len) == 0;
}

/* What an option's value, as --help writes it, tells about it. */
static const char *implied(const char *value)
{
    const char *dot = strchr(value, '.');
    if (dot)
        return dot;
    return strstr(value, "FILE") ? "*" : strstr(value, "DIR") ? "/" : "";
}

/* A synopsis that begins with a file says what the first argument is. */
static const char *first_implied(const char *synopsis, char text[64])
{
    snprintf(text, 64, "%.*s", (int)strcspn(synopsis, " "), synopsis);
    return text[0] >= 'A' && text[0] <= 'Z' ? implied(text) : "";
}

/* One item of prf_usage_t's `complete`; `before` ("--name=") is in front of what is completed. */
static void offer(FILE *out, const char *item, size_t len, const char *before, size_t before_len, const char *word)
{
    if (*item == '/')
        fputs(":folder\n", out);
    else if (*item == '*')
        fputs(":file\n", out);
    else if (*item == '.')
        fprintf(out, ":file %.*s\n", (int)len, item);
    else if (strlen(word) <= len && begins(item, word, strlen(word)))
        fprintf(out, "%.*s%.*s\n", (int)before_len, before, (int)len, item);
}

static void offer_all(FILE *out, const char *items, const char *before, size_t before_len, const char *word)
{
    while (items && *items && *items != ';') {
        size_t len = strcspn(items, " ;");
        if (len)
            offer(out, items, len, before, before_len, word);
        items += len + (items[len] == ' ');
    }
}

static const prf_option_t *find(const prf_option_t *options, const char *word)
{
    size_t len = strcspn(word + 2, "=");
    const prf_option_t *o = options;
    while (o->name && (strlen(o->name) != len || !begins(o->name, word + 2, len)))
        o++;
    return o->name ? o : NULL;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] == '-';
}

/* The option whose letter stands there, as in `-o FILE`. */
static const prf_option_t *find_letter(const prf_option_t *options, const char *word)
{
    const prf_option_t *o = options;
    if (word[0] != '-' || !word[1] || word[2])
        return NULL;
    while (o->name && o->letter != word[1])
        o++;
    return o->name ? o : NULL;
}

static void offer_options(FILE *out, const prf_option_t *options, char *const *words, size_t count)
{
    const char *word = words[count - 1];
    for (const prf_option_t *o = options; o->name; o++) {
        bool given = false;
        for (size_t i = 0; i + 1 < count && !o->list; i++)
            given = given || (is_option(words[i]) && find(options, words[i]) == o);
        if (!given && o->help && (strlen(word) < 2 || begins(o->name, word + 2, strlen(word + 2))))
            fprintf(out, "--%s\t%s\n", o->name, o->help);
    }
    if (begins("--help", word, strlen(word)))
        fputs("--help\tthe manual of this\n", out);
}

/* What the arguments before the last word leave to say: whether it is an option's value, and which argument it is otherwise. */
typedef struct {
    const prf_option_t *value_of;
    size_t arguments;
    bool ended; /* `--` was there */
} position_t;

static position_t find_position(const prf_option_t *options, char *const *words, size_t count)
{
    position_t at = {.value_of = NULL};
    for (size_t i = 0; i + 1 < count; i++) {
        if (at.value_of) {
            if (strcmp(words[i], "=") != 0) /* bash makes a word of it */
                at.value_of = NULL;
        } else if (!at.ended && strcmp(words[i], "--") == 0) {
            at.ended = true;
        } else if (!at.ended && (is_option(words[i]) || find_letter(options, words[i]))) {
            const prf_option_t *o = is_option(words[i]) ? find(options, words[i]) : find_letter(options, words[i]);
            at.value_of = o && o->value && !strchr(words[i], '=') ? o : NULL;
        } else {
            at.arguments++;
        }
    }
    return at;
}

void prf_complete(FILE *out, const prf_usage_t *usage, const prf_option_t *options, char *const *words, size_t count)
{
    if (count == 0)
        return;
    const char *word = words[count - 1], *equals = strchr(word, '=');
    position_t at = find_position(options, words, count);
    const prf_option_t *o = at.value_of;
    if (o) {
        word = strcmp(word, "=") == 0 ? "" : word;
        offer_all(out, o->complete ? o->complete : implied(o->value), "", 0, word);
    } else if (!at.ended && is_option(word) && equals) {
        if ((o = find(options, word)) && o->value)
            offer_all(out, o->complete ? o->complete : implied(o->value), word, (size_t)(equals + 1 - word), equals + 1);
    } else if (!at.ended && word[0] == '-') {
        offer_options(out, options, words, count);
    } else {
        char implies[64];
        for (const prf_word_t *c = usage->commands; c && c->word && at.arguments == 0; c++)
            if (c->meaning && begins(c->word, word, strlen(word)))
                fprintf(out, "%s\t%s\n", c->word, c->meaning);
        const char *items = usage->complete ? usage->complete : first_implied(usage->synopsis, implies);
        for (size_t i = 0; i < at.arguments && items && strchr(items, ';'); i++)
            items = strchr(items, ';') + 1;
        if (at.arguments < usage->most)
            offer_all(out, items, "", 0, word);
    }
}
