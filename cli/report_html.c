// SPDX-License-Identifier: Apache-2.0
/* report_html.c - the page's two halves with the data between them. The data stands in a script element of a type that runs
 * nothing; a '<' in it is written as JSON's own escape, so that no text of a board or a person can end that element. Numbers have
 * all their digits: a measurement that lies on its interval's edge must not fall to the other side. */
#include "report_html.h"

#include <string.h>

#include "report_page.h"

static int put_escaped(const char *bytes, size_t len, void *arg)
{
    prf_text_t *out = arg;
    while (len > 0) {
        const char *angle = memchr(bytes, '<', len);
        size_t plain = angle ? (size_t)(angle - bytes) : len;
        prf_text_append(out, bytes, plain);
        if (angle)
            prf_text_append(out, "\\u003c", 6);
        bytes += plain + (angle != NULL);
        len -= plain + (angle != NULL);
    }
    return out->failed ? -1 : 0;
}

prf_status_t prf_report_html(const json_t *doc, prf_text_t *out, prf_error_t *err)
{
    if (prf_report_page_head_len == 0)
        return prf_fail(
            err, PRF_EUNSUPPORTED,
            "this prfarm was built without what npm fetches, so it has no page to put the report into: use --format md, "
            "or build prfarm again with npm and a network");
    prf_text_append(out, prf_report_page_head, prf_report_page_head_len);
    if (json_dump_callback(doc, put_escaped, out, JSON_COMPACT) != 0 && !out->failed)
        return prf_fail(err, PRF_ENOMEM, "the report");
    prf_text_append(out, prf_report_page_tail, prf_report_page_tail_len);
    return out->failed ? prf_fail(err, PRF_ENOMEM, "the report") : PRF_OK;
}
