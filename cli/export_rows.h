// SPDX-License-Identifier: Apache-2.0
/* export_rows.h - what `prfarm export` can write: the tables with their columns (docs/export.md has their units), and one row as
 * CSV or as a JSON line. Main thread only. */
#ifndef PRF_CLI_EXPORT_ROWS_H
#define PRF_CLI_EXPORT_ROWS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/json.h"
#include "layer/layer.h"

/* Columns of a table: some, then one for each parameter of every layer kind, then some more. Ends with NULL each. */
typedef struct {
    const char *name; /* as on the command line */
    const char *rows; /* what one is, for a sentence with a number before it */
    const char *const *before, *const *after;
} prf_export_table_t;

extern const prf_export_table_t prf_export_results, prf_export_sweeps, prf_export_evaluation;

typedef struct {
    const prf_export_table_t *table; /* borrowed */
    FILE *out;                       /* borrowed */
    bool csv;                        /* else JSON lines */
    unsigned long long rows;         /* written */
} prf_export_sink_t;

/* The names of the columns; nothing for JSON lines. */
void prf_export_put_header(const prf_export_sink_t *sink);
/* A row has the columns as members, but for the parameters, which are in "params". What is null or missing is an empty field. */
void prf_export_put_row(prf_export_sink_t *sink, const json_t *row);
/* Sets "layer", "dtype", "block" and "params" of a row whose block has this text. */
void prf_export_describe(json_t *row, const char *block_text);

#endif
