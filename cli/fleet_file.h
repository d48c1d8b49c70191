// SPDX-License-Identifier: Apache-2.0
/* fleet_file.h - what the files of `prfarm fleet slurm` and `prfarm fleet ssh` have in common: mappings that are read by tables of
 * fields, and the options of boards. What may stand in a script or a command line is checked here, so that no value can become
 * a line, a word or an option of its own. Reads only; main thread only. */
#ifndef PRF_CLI_FLEET_FILE_H
#define PRF_CLI_FLEET_FILE_H

#include <stddef.h>

#include "campaign/yaml.h"

typedef enum {
    PRF_FLEET_NAME,    /* as boards and kinds have */
    PRF_FLEET_WORD,    /* for ssh: letters, digits and '.', '_', '-', ':', '%', no '-' to begin with */
    PRF_FLEET_SETTING, /* one word of an #SBATCH line: without blanks, quotes, '#', '$', '`' and '\' */
    PRF_FLEET_PATH,    /* without blanks and quotes */
    PRF_FLEET_TEXT,    /* without control characters; whoever uses it quotes it */
    PRF_FLEET_SCRIPT,  /* goes into one as it is */
    PRF_FLEET_NUMBER   /* lo .. hi */
} prf_fleet_form_t;

typedef struct {
    const char *key; /* NULL ends a table */
    prf_fleet_form_t form;
    size_t offset; /* of the member: a const char *, or an int64_t for a number */
    bool required;
    int64_t lo, hi;
} prf_fleet_field_t;

typedef struct {
    const char *what;    /* the mapping's name in messages */
    const char *example; /* a file that shows all of it */
    const prf_fleet_field_t *fields;
    const char *const *others; /* keys that are read otherwise; ends with NULL */
} prf_fleet_table_t;

/* Sets the members of *out whose keys `map` has. Texts are borrowed from the document.
 * Errors: PRF_EINVAL (no mapping, a key that is in no table, one that is missing, a value that may not stand there). */
PRF_CHECKED prf_status_t prf_fleet_read(const prf_fleet_table_t *table, const prf_yaml_node_t *map, void *out, prf_error_t *err);

enum { PRF_FLEET_OPTIONS = 32 };

/* `key=value` of a worker's backend. */
typedef struct {
    const char *key, *value; /* borrowed from the document */
} prf_fleet_option_t;

typedef struct {
    prf_fleet_option_t list[PRF_FLEET_OPTIONS];
    size_t count;
} prf_fleet_options_t;

/* Replaces *out by what `map` has; NULL leaves it as it is. Errors: PRF_EINVAL. */
PRF_CHECKED prf_status_t prf_fleet_read_options(prf_fleet_options_t *out, const prf_yaml_node_t *map, prf_error_t *err);

#endif
