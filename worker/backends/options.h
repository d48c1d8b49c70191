// SPDX-License-Identifier: Apache-2.0
/* options.h - the "key=value" options of a backend, read against a table, so that every backend refuses a wrong one in the same
 * words. Pure; any thread. Texts that are handed out are borrowed from the options. */
#ifndef PRF_BACKEND_OPTIONS_H
#define PRF_BACKEND_OPTIONS_H

#include <stddef.h>

#include "base/status.h"

typedef enum {
    PRF_OPTION_NUMBER,  /* double */
    PRF_OPTION_INTEGER, /* int64_t */
    PRF_OPTION_TEXT,    /* const char * */
    PRF_OPTION_MANY /* may be given often and is read by prf_option_next; a key that ends with '.' stands for all that begin so */
} prf_option_type_t;

typedef struct {
    const char *key;
    prf_option_type_t type;
    void *value;     /* what the option sets, or NULL; keeps its content when the option is not given */
    double min, max; /* of numbers */
} prf_option_t;

/* `backend` names it in messages. Errors: PRF_EINVAL (unknown key: lists the known ones; given twice; no number; out of range). */
PRF_CHECKED prf_status_t prf_options_read(const char *backend, const char *const *options, size_t count, const prf_option_t *table,
                                          size_t entries, prf_error_t *err);
/* The first option from *index on whose key is `key` (or begins with it, when it ends with '.'): returns what follows `key`
 * ("value", or "rest=value"), and leaves *index behind it. NULL when there is none. */
const char *prf_option_next(const char *const *options, size_t count, const char *key, size_t *index);

#endif
