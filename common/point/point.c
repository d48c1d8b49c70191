// SPDX-License-Identifier: Apache-2.0
/* point.c - the identity is the digest of one canonical text, so that a person can reproduce it with b2sum. */
#include "point/point.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

prf_status_t prf_name_check(const char *what, const char *name, prf_error_t *err)
{
    size_t len = strlen(name);
    bool ok = len >= 1 && len < PRF_NAME && name[0] != '.' && name[0] != '-';
    for (size_t i = 0; ok && i < len; i++)
        ok = isalnum((unsigned char)name[i]) || strchr("._-", name[i]);
    if (ok)
        return PRF_OK;
    return prf_fail(err, PRF_EINVAL, "%s '%.70s': use 1 to %d letters, digits, '.', '_' or '-', beginning with a letter or digit",
                    what, name, PRF_NAME - 1);
}

void prf_protocol_default(prf_protocol_t *out)
{
    *out = (prf_protocol_t){
        .cache = PRF_CACHE_WARM, .warmup_runs = 3, .min_repeats = 5, .max_repeats = 200, .ci_percent = 1.0, .limit_ms = 1000};
}

prf_status_t prf_protocol_check(const prf_protocol_t *p, prf_error_t *err)
{
    if ((unsigned)p->cache >= PRF_CACHES)
        return prf_fail(err, PRF_EINVAL, "cache state %d: use warm or semi-cold", (int)p->cache);
    if (p->warmup_runs > 10000 || p->min_repeats < 1 || p->max_repeats < p->min_repeats || p->max_repeats > 100000)
        return prf_fail(err, PRF_EINVAL, "%u warm-up runs and %u to %u repeats: use at most 10000, and 1 to 100000 in rising order",
                        p->warmup_runs, p->min_repeats, p->max_repeats);
    if (!(p->ci_percent > 0) || p->ci_percent > 100)
        return prf_fail(err, PRF_EINVAL, "a confidence interval of %g %%: use more than 0 and at most 100", p->ci_percent);
    if (p->limit_ms < 1 || p->limit_ms > 600000)
        return prf_fail(err, PRF_EINVAL, "a limit of %u ms: use 1 to 600000", p->limit_ms);
    if (p->energy_ms && (p->energy_ms < PRF_ENERGY_LEAST_MS || p->energy_ms > PRF_ENERGY_MOST_MS))
        return prf_fail(err, PRF_EINVAL, "%u ms for the energy: use 0 (none), or %d to %d", p->energy_ms, PRF_ENERGY_LEAST_MS,
                        PRF_ENERGY_MOST_MS);
    return PRF_OK;
}

const char *prf_cache_name(prf_cache_t cache)
{
    static const char *const names[PRF_CACHES] = {"warm", "semi-cold"};
    return (unsigned)cache < PRF_CACHES ? names[cache] : "?";
}

prf_status_t prf_cache_parse(prf_cache_t *out, const char *what, const char *name, prf_error_t *err)
{
    for (int i = 0; i < PRF_CACHES; i++)
        if (strcmp(prf_cache_name((prf_cache_t)i), name) == 0) {
            *out = (prf_cache_t)i;
            return PRF_OK;
        }
    return prf_fail(err, PRF_EINVAL, "%s '%.40s': use warm or semi-cold", what, name);
}

/* Each block has its edges, one behind the other. */
static prf_status_t check_edges(const prf_chain_t *chain, prf_error_t *err)
{
    int32_t block = -1; /* the last one that has an edge */
    for (size_t i = 0; i < chain->edge_count; i++) {
        const prf_edge_t *e = &chain->edges[i];
        if (e->to < block || e->to > block + 1 || (size_t)e->to >= chain->count || e->from < -1 || e->from >= e->to)
            return prf_fail(err, PRF_EINVAL,
                            "block %d cannot read block %d: let each block read the network's input (-1) or blocks before it",
                            e->to, e->from);
        block = e->to;
    }
    return (size_t)block + 1 == chain->count
               ? PRF_OK
               : prf_fail(err, PRF_EINVAL, "block %d reads nothing: let it read the network's input (-1) or a block before it",
                          block + 1);
}

prf_status_t prf_chain_check(const prf_chain_t *chain, prf_error_t *err)
{
    if (chain->count < 1 || chain->count > PRF_CHAIN_BLOCKS)
        return prf_fail(err, PRF_EINVAL, "a chain of %zu blocks: use 1 to %d", chain->count, PRF_CHAIN_BLOCKS);
    if (chain->edge_count > PRF_CHAIN_EDGES)
        return prf_fail(err, PRF_EINVAL, "%zu inputs of a network's blocks: use at most %d", chain->edge_count, PRF_CHAIN_EDGES);
    return chain->edge_count > 0 ? check_edges(chain, err) : PRF_OK;
}

void prf_point_id(prf_digest_t *out, const char *kind, const char *fingerprint, const prf_protocol_t *p, const prf_chain_t *chain)
{
    prf_text_t text;
    prf_text_init(&text);
    prf_text_add(&text, "%s\n%s\n%s %u %u %u %.9g %u", kind, fingerprint, prf_cache_name(p->cache), p->warmup_runs, p->min_repeats,
                 p->max_repeats, p->ci_percent, p->limit_ms);
    if (p->energy_ms)
        prf_text_add(&text, " energy %u", p->energy_ms);
    prf_text_append(&text, "\n", 1);
    for (size_t i = 0; i < chain->count; i++) {
        char line[PRF_BLOCK_TEXT];
        size_t len = prf_block_format(&chain->blocks[i], line);
        prf_text_append(&text, line, len);
        prf_text_append(&text, "\n", 1);
    }
    for (size_t i = 0; i < chain->edge_count; i++)
        prf_text_add(&text, "%d reads %d\n", chain->edges[i].to, chain->edges[i].from);
    prf_digest(out, text.data, text.len);
    prf_text_release(&text);
}

bool prf_sample_plausible(const prf_sample_t *s)
{
    return isfinite(s->latency_ns) && s->latency_ns > 0 && s->latency_ns < 3.6e12 && isfinite(s->min_ns) && s->min_ns > 0 &&
           s->min_ns <= s->latency_ns * (1 + 1e-9) && s->ci_percent >= 0 && s->ci_percent <= PRF_CI_MOST && s->energy_nj >= 0 &&
           s->energy_nj <= 1e6 * s->latency_ns;
}
