// SPDX-License-Identifier: Apache-2.0
/* options.c - options are written out, save the few that have a letter, and stand anywhere among the arguments; `--` ends them.
 * getopt_long is not used because it knows neither ranges nor help, and prints its messages itself. */
#include "base/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/complain.h"
#include "base/complete.h"
#include "base/manual.h"
#include "base/near.h"

char *prf_usage_name(const prf_usage_t *usage, char text[PRF_USAGE_NAME])
{
    snprintf(text, PRF_USAGE_NAME, "%s%s%s", usage->program ? usage->program : "prfarm", usage->name ? " " : "",
             usage->name ? usage->name : "");
    return text;
}

static prf_status_t set_number(const prf_option_t *o, const char *value, prf_error_t *err)
{
    char *end;
    errno = 0;
    double number = strtod(value, &end);
    if (end == value || *end || !isfinite(number) || number < o->lo || number > o->hi || (o->number && number != floor(number)))
        return prf_fail(err, PRF_EUSAGE, "--%s '%s': use a %s from %.10g to %.10g", o->name, value,
                        o->number ? "whole number" : "number", o->lo, o->hi);
    if (o->number)
        *o->number = (uint64_t)number;
    else
        *o->real = number;
    return PRF_OK;
}

/* `option`: whose value it is; NULL: it stands by itself. */
static prf_status_t add_word(prf_words_t *words, size_t most, const char *option, const char *word, prf_error_t *err)
{
    if (words->count == most && option)
        return prf_fail(err, PRF_EUSAGE, "--%s '%.80s': --%s can be given %zu times, and that is one more", option, word, option,
                        most);
    if (words->count == most)
        return prf_fail(err, PRF_EUSAGE, "'%.80s' is one too many: leave it out", word);
    words->items[words->count++] = word;
    return PRF_OK;
}

static prf_status_t set_value(const prf_option_t *o, const char *value, prf_error_t *err)
{
    if (o->text)
        *o->text = value;
    else if (o->list)
        return add_word(o->list, PRF_OPTION_WORDS, o->name, value, err);
    else
        return set_number(o, value, err);
    return PRF_OK;
}

/* Says which one may have been meant. */
static prf_status_t no_option(const prf_usage_t *usage, const prf_option_t *options, const char *word, size_t len, prf_error_t *err)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)len, word);
    prf_near_t near = {.word = name};
    for (const prf_option_t *o = options; o->name; o++)
        if (o->help)
            prf_near_offer(&near, o->name);
    prf_near_offer(&near, "help");
    if (!usage->name)
        prf_near_offer(&near, "version");
    if (near.best)
        return prf_fail(err, PRF_EUSAGE, "there is no option --%s: did you mean --%s?", name, near.best);
    return prf_fail(err, PRF_EUSAGE, "there is no option --%s", name);
}

/* `value`: what is written behind it with a '='; NULL: it is the next argument, past which *at moves. */
static prf_status_t take(const prf_option_t *o, const char *value, int argc, char **argv, int *at, prf_error_t *err)
{
    if (o->flag) {
        *o->flag = true;
        return PRF_OK;
    }
    if (!value && *at + 1 < argc)
        value = argv[++*at];
    if (!value || !*value)
        return prf_fail(err, PRF_EUSAGE, "--%s needs a value: --%s %s", o->name, o->name, o->value);
    return set_value(o, value, err);
}

/* argv[*at] is an option; moves *at past its value. */
static prf_status_t parse_option(const prf_usage_t *usage, const prf_option_t *options, int argc, char **argv, int *at,
                                 prf_error_t *err)
{
    const char *word = argv[*at] + 2;
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const prf_option_t *o = options;
    while (o->name && (strlen(o->name) != len || strncmp(o->name, word, len) != 0))
        o++;
    if (!o->name)
        return no_option(usage, options, word, len, err);
    if (o->flag && equals)
        return prf_fail(err, PRF_EUSAGE, "--%s takes no value", o->name);
    return take(o, equals ? equals + 1 : NULL, argc, argv, at, err);
}

/* argv[*at] begins with one dash. Most options have no letter, which is said to who is used to them, or to one dash. */
static prf_status_t parse_short(const prf_option_t *options, int argc, char **argv, int *at, prf_error_t *err)
{
    const char *word = argv[*at];
    size_t len = strcspn(word + 1, "=");
    for (const prf_option_t *o = options; o->name; o++)
        if (o->letter && o->letter == word[1] && !word[2])
            return take(o, NULL, argc, argv, at, err);
    for (const prf_option_t *o = options; o->name; o++)
        if (o->help && (len == 1 ? o->name[0] == word[1] : strlen(o->name) == len && strncmp(o->name, word + 1, len) == 0))
            return prf_fail(err, PRF_EUSAGE, "there is no option %.60s: options are written out, as in --%s", word, o->name);
    return prf_fail(err, PRF_EUSAGE, "there is no option %.60s: options begin with two dashes", word);
}

static prf_status_t parse(const prf_usage_t *usage, const prf_option_t *options, int argc, char **argv, prf_words_t *words,
                          prf_error_t *err)
{
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        prf_status_t status = PRF_OK;
        if (!ended && strcmp(argv[i], "--") == 0)
            ended = true;
        else if (!ended && strncmp(argv[i], "--", 2) == 0)
            status = parse_option(usage, options, argc, argv, &i, err);
        else if (!ended && argv[i][0] == '-' && argv[i][1])
            status = parse_short(options, argc, argv, &i, err);
        else
            status = add_word(words, usage->most, NULL, argv[i], err);
        if (status)
            return status;
    }
    if (words->count < usage->least) {
        char name[PRF_USAGE_NAME];
        return prf_fail(err, PRF_EUSAGE, "too little is given: %s %s", prf_usage_name(usage, name), usage->synopsis);
    }
    return PRF_OK;
}

/* What asks for a page instead of a deed: printed, and true. */
static bool print_page(const prf_usage_t *usage, const prf_option_t *options, int argc, char **argv, prf_error_t *err)
{
    if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
        prf_complete(stdout, usage, options, argv + 2, (size_t)argc - 2);
        return true;
    }
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        bool form = strncmp(argv[i], "--help=", 7) == 0;
        prf_manual_t as = PRF_MANUAL_TEXT;
        if (form || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            if (!form || prf_manual_parse(argv[i] + 7, &as, err) == PRF_OK)
                prf_manual_print(stdout, as, usage, options);
            return true;
        }
        if (!usage->name && strcmp(argv[i], "--version") == 0) {
            printf("%s %s\n", usage->program, PRF_VERSION);
            return true;
        }
    }
    return false;
}

bool prf_options_parse(const prf_usage_t *usage, const prf_option_t *options, int argc, char **argv, prf_words_t *words,
                       int *exit_code)
{
    prf_words_t none = {.count = 0};
    prf_error_t err = {0};
    char name[PRF_USAGE_NAME];
    if (!words)
        words = &none;
    words->count = 0;
    bool page = print_page(usage, options, argc, argv, &err);
    if (page && !err.code && fflush(stdout) != 0)
        prf_fail_sys(&err, errno, "standard output");
    if (!page && parse(usage, options, argc, argv, words, &err) == PRF_OK)
        return true;
    *exit_code = prf_exit_code(err.code);
    if (err.code)
        prf_complain(usage->program ? usage->program : "prfarm", err.text);
    if (err.code == PRF_EUSAGE)
        fprintf(stderr, "%s: '%s --help' tells more\n", usage->program ? usage->program : "prfarm", prf_usage_name(usage, name));
    return false;
}
