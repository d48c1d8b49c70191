// SPDX-License-Identifier: Apache-2.0
/* options.c - long options only, anywhere among the arguments, `--` ends them. getopt_long is not used because it knows neither
 * ranges nor help, and prints its messages itself. */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

static void print_help(const prf_usage_t *usage, const prf_option_t *options)
{
    printf("Usage: prfarm %s %s\n\n%s\n\n%s\nOptions:\n", usage->name, usage->synopsis, usage->purpose, usage->text);
    for (const prf_option_t *o = options; o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        printf("  %-24s %s\n", left, o->help);
    }
    printf("  %-24s %s\n", "--help", "this text");
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
        return add_word(o->list, PRF_CLI_WORDS, o->name, value, err);
    else
        return set_number(o, value, err);
    return PRF_OK;
}

/* argv[*at] is an option; moves *at past its value. */
static prf_status_t parse_option(const prf_option_t *options, int argc, char **argv, int *at, prf_error_t *err)
{
    const char *word = argv[*at] + 2;
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const prf_option_t *o = options;
    while (o->name && (strlen(o->name) != len || strncmp(o->name, word, len) != 0))
        o++;
    if (!o->name)
        return prf_fail(err, PRF_EUSAGE, "there is no option --%.*s", (int)len, word);
    if (o->flag && equals)
        return prf_fail(err, PRF_EUSAGE, "--%s takes no value", o->name);
    const char *value = equals ? equals + 1 : NULL;
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

static prf_status_t parse(const prf_usage_t *usage, const prf_option_t *options, int argc, char **argv, prf_words_t *words,
                          prf_error_t *err)
{
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        prf_status_t status = PRF_OK;
        if (!ended && strcmp(argv[i], "--") == 0)
            ended = true;
        else if (!ended && strncmp(argv[i], "--", 2) == 0)
            status = parse_option(options, argc, argv, &i, err);
        else if (!ended && argv[i][0] == '-' && argv[i][1])
            status = prf_fail(err, PRF_EUSAGE, "there is no option %s", argv[i]);
        else
            status = add_word(words, usage->most, NULL, argv[i], err);
        if (status)
            return status;
    }
    if (words->count < usage->least)
        return prf_fail(err, PRF_EUSAGE, "too little is given: prfarm %s %s", usage->name, usage->synopsis);
    return PRF_OK;
}

bool prf_options_parse(const prf_usage_t *usage, const prf_option_t *options, int argc, char **argv, prf_words_t *words,
                       int *exit_code)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(usage, options);
            *exit_code = 0;
            return false;
        }
    }
    prf_words_t none = {.count = 0};
    prf_error_t err = {0};
    if (!words)
        words = &none;
    words->count = 0;
    if (parse(usage, options, argc, argv, words, &err)) {
        *exit_code = prf_report(&err);
        fprintf(stderr, "prfarm: 'prfarm %s --help' tells more\n", usage->name);
        return false;
    }
    return true;
}
