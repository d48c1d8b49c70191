// SPDX-License-Identifier: Apache-2.0
/* diff_document.c - what one model has and the other has not is null on that side; of steps and ranges only what changed is told.
 */
#include "diff_document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diff_estimates.h"
#include "model/fusion.h"
#include "network/network.h"

enum { MOST_LAYERS = 20 };

static json_t *facts(const prf_model_file_t *file)
{
    const prf_provenance_t *p = prf_model_provenance(file->model);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:f}", "model", file->path, "kind",
                     prf_model_kind(file->model), "digest", file->digest, "fingerprint", p->fingerprint, "campaign", p->campaign,
                     "from", p->from[0] ? json_string(p->from) : json_null(), "samples", (json_int_t)p->samples, "sweep_samples",
                     (json_int_t)p->sweep_samples, "mape_percent", prf_json_real(p->validation.mape_percent),
                     "repeatability_percent", prf_json_real(p->repeatability_percent), "random_baseline_mape_percent",
                     prf_json_real(p->random_baseline_percent), "between_ns", prf_model_between_ns(file->model));
}

static json_t *width_of(const prf_model_layer_t *l, prf_param_t param)
{
    return l ? json_integer(l->steps.width[param]) : json_null();
}

static json_t *changed_steps(const prf_model_layer_t *a, const prf_model_layer_t *b)
{
    json_t *steps = json_object();
    for (int p = 0; p < PRF_PARAMS; p++)
        if (a && b && a->steps.width[p] != b->steps.width[p])
            json_object_set_new(steps, prf_param_name((prf_param_t)p),
                                json_pack("[o, o]", width_of(a, (prf_param_t)p), width_of(b, (prf_param_t)p)));
    return steps;
}

static json_t *changed_ranges(const prf_model_layer_t *a, const prf_model_layer_t *b)
{
    json_t *ranges = json_object(), *of_a, *of_b;
    if (!a || !b)
        return ranges;
    of_a = prf_model_range_json(a);
    of_b = prf_model_range_json(b);
    for (int p = 0; p < PRF_PARAMS; p++) {
        const char *name = prf_param_name((prf_param_t)p);
        json_t *x = json_object_get(of_a, name), *y = json_object_get(of_b, name);
        if ((x || y) && !json_equal(x, y))
            json_object_set_new(ranges, name, json_pack("[O, O]", x ? x : json_null(), y ? y : json_null()));
    }
    json_decref(of_a);
    json_decref(of_b);
    return ranges;
}

static bool came_before(const prf_diff_layer_t *layers, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (prf_block_equal(&layers[k].block, &layers[i].block))
            return true;
    return false;
}

/* The layers that differ most, of all kinds together; the smallest of those that are kept goes when a larger one comes. From narrow
 * ranges a layer is drawn more than once. */
static void keep_most(json_t *most, const prf_diff_layer_t *layers, size_t count)
{
    for (size_t i = 0, kept = 0; i < count && kept < MOST_LAYERS; i++) {
        char text[PRF_BLOCK_TEXT];
        if (came_before(layers, i))
            continue;
        kept++;
        double percent = prf_diff_percent(layers[i].a_ns, layers[i].b_ns), size = fabs(log(layers[i].b_ns / layers[i].a_ns));
        size_t at = json_array_size(most);
        while (at > 0) {
            const json_t *before = json_array_get(most, at - 1);
            if (fabs(log(prf_json_number(before, "b_ns", 1) / prf_json_number(before, "a_ns", 1))) >= size)
                break;
            at--;
        }
        if (at == MOST_LAYERS)
            continue;
        prf_block_format(&layers[i].block, text);
        json_array_insert_new(most, at,
                              json_pack("{s:s, s:f, s:f, s:f}", "layer", text, "a_ns", layers[i].a_ns, "b_ns", layers[i].b_ns,
                                        "change_percent", percent));
        if (json_array_size(most) > MOST_LAYERS)
            json_array_remove(most, MOST_LAYERS);
    }
}

static prf_status_t add_layer(const prf_diff_request_t *r, const prf_model_layer_t *a, const prf_model_layer_t *b, json_t *layers,
                              json_t *most, prf_error_t *err)
{
    prf_diff_change_t change = {.median_percent = NAN, .p5_percent = NAN, .p95_percent = NAN, .largest_percent = NAN};
    prf_diff_layer_t *drawn = NULL;
    const prf_model_layer_t *any = a ? a : b;
    prf_status_t status =
        a && b ? prf_diff_estimate(r->a->model, r->b->model, a, b, r->layers, r->seed, &drawn, &change, err) : PRF_OK;
    if (status)
        return status;
    keep_most(most, drawn, change.count);
    free(drawn);
    json_t *regressor =
        json_pack("[o, o]", a ? json_string(a->regressor) : json_null(), b ? json_string(b->regressor) : json_null());
    json_t *mape = json_pack("[o, o]", a ? prf_json_real(a->validation.mape_percent) : json_null(),
                             b ? prf_json_real(b->validation.mape_percent) : json_null());
    json_t *samples = json_pack("[o, o]", a ? json_integer(a->samples) : json_null(), b ? json_integer(b->samples) : json_null());
    json_array_append_new(
        layers, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "layer",
                          prf_layer_kind_name(any->kind), "dtype", prf_dtype_name(any->dtype), "in",
                          a && b ? "both"
                          : a    ? "A only"
                                 : "B only",
                          "regressor", regressor, "samples", samples, "mape_percent", mape, "steps", changed_steps(a, b), "range",
                          changed_ranges(a, b), "compared", (json_int_t)change.count, "median_percent",
                          prf_json_real(change.median_percent), "p5_percent", prf_json_real(change.p5_percent), "p95_percent",
                          prf_json_real(change.p95_percent), "largest_percent", prf_json_real(change.largest_percent)));
    return PRF_OK;
}

/* A's layers in its order, then what B has besides. */
static prf_status_t add_layers(const prf_diff_request_t *r, json_t *layers, json_t *most, prf_error_t *err)
{
    prf_model_layer_t a, b;
    prf_status_t status = PRF_OK;
    for (size_t i = 0; i < prf_model_layer_count(r->a->model) && !status; i++) {
        prf_model_layer(r->a->model, i, &a);
        bool both = prf_model_layer_find(r->b->model, a.kind, a.dtype, &b);
        status = add_layer(r, &a, both ? &b : NULL, layers, most, err);
    }
    for (size_t i = 0; i < prf_model_layer_count(r->b->model) && !status; i++) {
        prf_model_layer(r->b->model, i, &b);
        if (!prf_model_layer_find(r->a->model, b.kind, b.dtype, &a))
            status = add_layer(r, NULL, &b, layers, most, err);
    }
    return status;
}

static const prf_fusion_t *find_rule(const prf_model_t *model, const prf_fusion_t *like)
{
    size_t count;
    const prf_fusion_t *rules = prf_model_fusions(model, &count);
    for (size_t i = 0; i < count; i++)
        if (rules[i].lead == like->lead && rules[i].dtype == like->dtype && rules[i].fn == like->fn)
            return &rules[i];
    return NULL;
}

static json_t *rule_words(const prf_model_t *model, const prf_fusion_t *rule)
{
    char words[PRF_FUSION_WORDS];
    if (!rule)
        return json_null();
    prf_fusion_words(model, rule, words);
    return json_string(words);
}

static void add_rule(const prf_diff_request_t *r, const prf_fusion_t *a, const prf_fusion_t *b, json_t *rules)
{
    const prf_fusion_t *any = a ? a : b;
    json_t *of_a = rule_words(r->a->model, a), *of_b = rule_words(r->b->model, b);
    bool changed = !json_equal(of_a, of_b);
    json_array_append_new(rules, json_pack("{s:s, s:s, s:s, s:[o, o], s:b}", "layer", prf_layer_kind_name(any->lead), "dtype",
                                           prf_dtype_name(any->dtype), "follower", prf_activation_name(any->fn), "rule", of_a, of_b,
                                           "changed", (int)changed));
}

static json_t *fusion(const prf_diff_request_t *r)
{
    json_t *rules = json_array();
    size_t count;
    const prf_fusion_t *of_a = prf_model_fusions(r->a->model, &count);
    for (size_t i = 0; i < count; i++)
        add_rule(r, &of_a[i], find_rule(r->b->model, &of_a[i]), rules);
    const prf_fusion_t *of_b = prf_model_fusions(r->b->model, &count);
    for (size_t i = 0; i < count; i++)
        if (!find_rule(r->a->model, &of_b[i]))
            add_rule(r, NULL, &of_b[i], rules);
    return rules;
}

/* Only blocks that both know are summed up, so that the sums are of the same. */
static json_t *compare_sums(const char *path, const prf_network_t *network, const prf_network_estimate_t *a,
                            const prf_network_estimate_t *b)
{
    double sum_a = 0, sum_b = 0;
    size_t compared = 0;
    const char *slash = strrchr(path, '/');
    for (size_t i = 0; i < network->block_count; i++) {
        if (isnan(a->blocks[i].latency_ns) || isnan(b->blocks[i].latency_ns))
            continue;
        sum_a += a->blocks[i].latency_ns;
        sum_b += b->blocks[i].latency_ns;
        compared++;
    }
    sum_a += prf_model_between(a->model, compared);
    sum_b += prf_model_between(b->model, compared);
    double nothing = compared ? 0 : NAN;
    return json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}", "network", slash ? slash + 1 : path, "blocks",
                     (json_int_t)network->block_count, "compared_blocks", (json_int_t)compared, "a_ns",
                     prf_json_real(sum_a + nothing), "b_ns", prf_json_real(sum_b + nothing), "change_percent",
                     prf_json_real(prf_diff_percent(sum_a, sum_b) + nothing));
}

static prf_status_t add_network(const prf_diff_request_t *r, const char *path, json_t *networks, prf_error_t *err)
{
    prf_model_layer_t layer;
    prf_network_t network;
    prf_network_estimate_t a, b;
    prf_dtype_t dtype = PRF_F32;
    if (prf_model_layer_count(r->a->model)) {
        prf_model_layer(r->a->model, 0, &layer);
        dtype = layer.dtype;
    }
    prf_status_t status = prf_network_load(&network, path, dtype, 1, err);
    if (status)
        return status;
    if (!(status = prf_network_estimate(&a, r->a->model, &network, err))) {
        if (!(status = prf_network_estimate(&b, r->b->model, &network, err))) {
            json_array_append_new(networks, compare_sums(path, &network, &a, &b));
            prf_network_estimate_release(&b);
        }
        prf_network_estimate_release(&a);
    }
    prf_network_release(&network);
    return status;
}

prf_status_t prf_diff_document(const prf_diff_request_t *request, json_t **out, prf_error_t *err)
{
    const prf_diff_request_t *r = request;
    json_t *layers = json_array(), *most = json_array(), *networks = json_array();
    prf_status_t status = add_layers(r, layers, most, err);
    for (size_t i = 0; i < r->networks->count && !status; i++)
        status = add_network(r, r->networks->items[i], networks, err);
    if (status) {
        json_decref(layers);
        json_decref(most);
        json_decref(networks);
        return status;
    }
    *out = json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "a", facts(r->a), "b", facts(r->b), "identical",
                     strcmp(r->a->digest, r->b->digest) == 0, "layers", layers, "fusion", fusion(r), "differ_most", most,
                     "networks", networks, "check_percent", prf_json_real(r->limit));
    return *out ? PRF_OK : prf_fail(err, PRF_ENOMEM, "the comparison");
}
