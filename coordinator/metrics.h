// SPDX-License-Identifier: Apache-2.0
/* metrics.h - the farm's figures as Prometheus reads them (text format 0.0.4). docs/http.md lists them. Loop thread only. */
#ifndef PRF_METRICS_H
#define PRF_METRICS_H

#include "base/text.h"
#include "queries.h"

/* Of the HTTP server itself. */
typedef struct {
    size_t connections, viewers;
    uint64_t refused; /* connections */
} prf_metrics_http_t;

/* Appends all of them. Running out of memory is told by the text. */
void prf_metrics_write(prf_text_t *text, const prf_queries_t *queries, const prf_metrics_http_t *http);

#endif
