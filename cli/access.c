// SPDX-License-Identifier: Apache-2.0
/* access.c - the command's own options and the shared ones become one table for the parser. */
#include "access.h"

#include <string.h>

#include "net/endpoint.h"
#include "output.h"
#include "signals.h"

enum { OPTIONS = 32 };

bool prf_where_parse(prf_where_t *where, const prf_usage_t *usage, const prf_option_t *options, int argc, char **argv,
                     prf_words_t *words, int *exit_code)
{
    *where = (prf_where_t){0};
    const prf_option_t shared[] = {
        {.name = "farm",
         .value = "FARM",
         .help = "a farm (default " PRF_FARM_DEFAULT ")",
         .heading = "Whom to ask",
         .shared = true,
         .text = &where->farm},
        {.name = "dir", .value = "DIR", .help = "the folder of a 'prfarm run'", .shared = true, .text = &where->dir},
        {.name = "key", .value = "FILE", .help = "your secret key, for a farm with keys", .shared = true, .text = &where->key},
        {.name = "server",
         .value = "KEY",
         .help = "that farm's public key, or its file",
         .complete = ".pub",
         .shared = true,
         .text = &where->server},
        {.name = NULL},
    };
    enum { SHARED = sizeof shared / sizeof *shared };
    prf_option_t all[OPTIONS];
    size_t count = 0;
    for (; count < OPTIONS - SHARED && options[count].name; count++)
        all[count] = options[count];
    memcpy(all + count, shared, sizeof shared);
    return prf_options_parse(usage, all, argc, argv, words, exit_code);
}

static prf_status_t open_farm(prf_access_t *access, const prf_where_t *where, prf_error_t *err)
{
    prf_identity_t identity = {.keyed = false};
    prf_status_t status = prf_identity_load(&identity, where->key, where->server, err);
    if (!status)
        status = prf_farm_connect(&access->farm, prf_farm_or_default(where->farm), &identity, err);
    prf_identity_wipe(&identity);
    return status;
}

/* A run that is over is woken for the question; the live one is asked where it says. */
static prf_status_t open_run(prf_access_t *access, const prf_where_t *where, prf_error_t *err)
{
    if (where->farm)
        return prf_fail(err, PRF_EUSAGE, "--farm and --dir name two places to ask: give one of them");
    if (where->key || where->server)
        return prf_fail(err, PRF_EUSAGE, "the run in --dir has no keys: leave --key and --server out");
    prf_status_t status = prf_private_open(&access->own, where->dir, false, NULL, err);
    if (!status)
        access->farm = prf_private_farm(access->own);
    return status == PRF_EBUSY ? prf_private_join(&access->farm, where->dir, err) : status;
}

prf_status_t prf_access_open(prf_access_t *out, const prf_where_t *where, prf_error_t *err)
{
    prf_access_t access = {.farm = NULL};
    prf_status_t status = where->dir ? open_run(&access, where, err) : open_farm(&access, where, err);
    if (!status)
        *out = access;
    return status;
}

bool prf_access_start(prf_access_t *out, const prf_usage_t *usage, const prf_option_t *options, int argc, char **argv,
                      prf_words_t *words, int *exit_code)
{
    prf_where_t where;
    if (!prf_where_parse(&where, usage, options, argc, argv, words, exit_code))
        return false;
    prf_signals_catch();
    prf_error_t err = {0};
    if (prf_access_open(out, &where, &err) == PRF_OK)
        return true;
    *exit_code = prf_report(&err);
    return false;
}

void prf_access_close(prf_access_t *self)
{
    if (!self->own)
        prf_farm_destroy(&self->farm);
    prf_private_close(&self->own);
    self->farm = NULL;
}
