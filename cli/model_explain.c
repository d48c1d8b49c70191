// SPDX-License-Identifier: Apache-2.0
/* model_explain.c - for each layer kind: what was chosen and how good it is, the steps with their evidence, then what the estimate
 * is made of. Long lists end where the rest no longer matters; JSON has all of it. */
#include "model_explain.h"

#include <math.h>
#include <stdlib.h>

#include "model/explain.h"
#include "model_file.h"

enum { MOST_TERMS = 12, RANGE_TEXT = 256 };

typedef struct {
    prf_model_layer_t layer;
    prf_explanation_t why;
} explained_t;

static json_t *steps_json(const prf_model_layer_t *l)
{
    json_t *steps = json_array();
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(&l->space, params);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(steps,
                              json_pack("{s:s, s:i, s:o}", "of", prf_param_name(params[i]), "width", l->steps.width[params[i]],
                                        "confidence", prf_json_real(l->steps.confidence[params[i]])));
    for (uint32_t i = 0; i < l->steps.further_count; i++) {
        const prf_further_step_t *s = &l->steps.further[i];
        json_array_append_new(steps, json_pack("{s:s, s:i, s:f, s:f}", "of", prf_quantity_name(s->of), "width", s->width,
                                               "confidence", s->confidence, "share_of_growth", s->share));
    }
    return steps;
}

static json_t *terms_json(const prf_explanation_t *why)
{
    json_t *terms = json_array();
    for (uint32_t i = 0; i < why->term_count; i++) {
        const prf_explained_term_t *t = &why->terms[i];
        json_t *sum = t->sum < PRF_TERM_SUMS ? json_integer((json_int_t)t->sum + 1) : json_null();
        json_array_append_new(terms, json_pack("{s:s, s:o, s:o, s:o}", "term", t->text, "sum", sum, "coefficient_ns",
                                               prf_json_real(t->coefficient_ns), "share_percent", prf_json_real(t->share_percent)));
    }
    return terms;
}

static json_t *explained_json(const explained_t *e)
{
    const prf_model_layer_t *l = &e->layer;
    const prf_explanation_t *why = &e->why;
    json_t *rules = json_array(), *features = json_array();
    for (uint32_t i = 0; i < why->sum_count; i++)
        json_array_append_new(rules, json_real(why->rules_percent[i]));
    for (uint32_t i = 0; i < why->feature_count; i++)
        json_array_append_new(features, json_pack("{s:s, s:o}", "feature", why->features[i].name, "effect_percent",
                                                  prf_json_real(why->features[i].effect_percent)));
    return json_pack("{s:s, s:s, s:s, s:I, s:b, s:o, s:o, s:o, s:[o, o], s:o, s:o, s:o, s:o}", "layer",
                     prf_layer_kind_name(l->kind), "dtype", prf_dtype_name(l->dtype), "regressor", l->regressor, "samples",
                     (json_int_t)l->samples, "mapped", why->mapped, "range", prf_model_range_json(l), "validation",
                     prf_model_metrics_json(&l->validation), "steps", steps_json(l), "interval_percent",
                     prf_json_real(why->low_percent), prf_json_real(why->high_percent), "terms", terms_json(why),
                     "sums_rule_percent", rules, "trees_change_percent", prf_json_real(why->rest_percent), "features", features);
}

static void print_heading(const explained_t *e, const prf_terminal_t *terminal)
{
    const prf_model_layer_t *l = &e->layer;
    char mape[PRF_HUMAN], low[PRF_HUMAN], high[PRF_HUMAN], range[RANGE_TEXT];
    prf_model_range_text(l, range, sizeof range);
    printf("\n%s%s %s%s: %s, from %u layers", prf_bold(terminal), prf_layer_kind_name(l->kind), prf_dtype_name(l->dtype),
           prf_plain(terminal), l->regressor, l->samples);
    if (l->validation.count)
        printf("; MAPE %s on %u never trained on", prf_human_percent(l->validation.mape_percent, mape), l->validation.count);
    printf("\n90 %% interval %s to +%s; trained on %s\n", prf_human_percent(e->why.low_percent, low),
           prf_human_percent(e->why.high_percent, high), range);
}

/* A width of 1 stands for both: that none is there, and that nobody could tell. */
static void print_width(prf_table_t *table, const explained_t *e, prf_param_t param)
{
    const prf_steps_t *steps = &e->layer.steps;
    char text[PRF_HUMAN];
    bool stepped = steps->width[param] > 1;
    prf_table_cell(table, "%s", prf_param_name(param));
    if (stepped)
        prf_table_cell(table, "%d", steps->width[param]);
    else
        prf_table_cell(table, "%s", steps->confidence[param] >= PRF_STEPS_SURE ? "no step" : "unknown");
    prf_table_cell(table, "%s", prf_human_percent(100 * steps->confidence[param], text));
    prf_table_cell(table, "%s", !stepped ? "-" : e->why.mapped ? "layers are mapped to its edge" : "in features and terms");
}

static void print_steps(const explained_t *e, const prf_terminal_t *terminal)
{
    const prf_steps_t *steps = &e->layer.steps;
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(&e->layer.space, params), rows = steps->further_count;
    char text[PRF_HUMAN], share[PRF_HUMAN];
    prf_table_t *table = prf_table_new("step in|width>|confidence>|used");
    for (size_t i = 0; i < count; i++) {
        if (e->layer.space.dims[params[i]].kind != PRF_DIM_RANGE)
            continue;
        print_width(table, e, params[i]);
        rows++;
    }
    for (uint32_t i = 0; i < steps->further_count; i++) {
        const prf_further_step_t *s = &steps->further[i];
        prf_table_cell(table, "%s", prf_quantity_name(s->of));
        prf_table_cell(table, "%d", s->width);
        prf_table_cell(table, "%s", prf_human_percent(100 * s->confidence, text));
        prf_table_cell(table, "in terms; its edges make %s of the growth", prf_human_percent(100 * s->share, share));
    }
    if (rows)
        prf_table_print(&table, terminal);
    prf_table_destroy(&table);
}

static bool is_shown(const prf_explanation_t *why, uint32_t index)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < index; i++)
        before += why->terms[i].sum == why->terms[index].sum;
    return before < MOST_TERMS / why->sum_count;
}

static void print_terms(const prf_explanation_t *why, const char *unit, const prf_terminal_t *terminal)
{
    char text[PRF_HUMAN], other[PRF_HUMAN];
    bool two = why->sum_count > 1;
    prf_table_t *table = prf_table_new(two ? "share>|coefficient>|sum|term" : "share>|coefficient>|term");
    double rest = 0;
    uint32_t hidden = 0;
    for (uint32_t i = 0; i < why->term_count; i++) {
        const prf_explained_term_t *t = &why->terms[i];
        if (!is_shown(why, i)) {
            rest += t->share_percent;
            hidden++;
            continue;
        }
        prf_table_cell(table, "%s", prf_human_percent(t->share_percent, text));
        prf_table_cell(table, "%.6g %s", t->coefficient_ns, unit);
        if (two)
            prf_table_cell(table, "%c", t->sum < PRF_TERM_SUMS ? '1' + (int)t->sum : '-');
        prf_table_cell(table, "%s", t->text);
    }
    prf_table_print(&table, terminal);
    if (hidden)
        printf("and %u more terms, together %s\n", hidden, prf_human_percent(rest, text));
    if (two)
        printf("the larger sum counts: sum 1 in %s of the layers, sum 2 in %s\n", prf_human_percent(why->rules_percent[0], text),
               prf_human_percent(why->rules_percent[1], other));
}

static void print_features(const prf_explanation_t *why, const prf_terminal_t *terminal)
{
    char text[PRF_HUMAN];
    if (isfinite(why->rest_percent))
        printf("what is learned from features changes that by %s on average; the features:\n",
               prf_human_percent(why->rest_percent, text));
    prf_table_t *table = prf_table_new("effect>|feature");
    for (uint32_t i = 0; i < why->feature_count; i++) {
        prf_table_cell(table, "%s", prf_human_percent(why->features[i].effect_percent, text));
        prf_table_cell(table, "%s", why->features[i].name);
    }
    prf_table_print(&table, terminal);
}

static void print_explained(const explained_t *e, const char *unit, const prf_terminal_t *terminal)
{
    print_heading(e, terminal);
    print_steps(e, terminal);
    if (e->why.term_count)
        print_terms(&e->why, unit, terminal);
    if (e->why.feature_count)
        print_features(&e->why, terminal);
}

/* What is explained: a file's model, or what that knows of energy. Borrowed. */
typedef struct {
    const prf_model_file_t *file;
    const prf_model_t *model;
    const char *unit; /* of its numbers */
} subject_t;

/* Prints the layer kinds that are wanted, or gathers them in `layers`. */
static prf_status_t explain_layers(const subject_t *subject, int kind, const prf_terminal_t *terminal, json_t *layers,
                                   prf_error_t *err)
{
    explained_t *e = malloc(sizeof *e);
    if (!e)
        return prf_fail(err, PRF_ENOMEM, "an explanation");
    prf_status_t status = PRF_OK;
    size_t found = 0;
    for (size_t i = 0; i < prf_model_layer_count(subject->model) && !status; i++) {
        prf_model_layer(subject->model, i, &e->layer);
        if (kind >= 0 && e->layer.kind != (prf_layer_kind_t)kind)
            continue;
        found++;
        status = prf_model_explain(&e->why, subject->model, i, err);
        if (!status && layers)
            json_array_append_new(layers, explained_json(e));
        else if (!status)
            print_explained(e, subject->unit, terminal);
    }
    free(e);
    if (!status && kind >= 0 && !found)
        return prf_fail(err, PRF_EUNSUPPORTED, "the model of '%s' knows no %s: 'prfarm model show' lists what it knows",
                        prf_model_kind(subject->model), prf_layer_kind_name((prf_layer_kind_t)kind));
    return status;
}

static prf_status_t explain(const subject_t *subject, int kind, bool json, json_t **document, prf_error_t *err)
{
    const prf_model_file_t *file = subject->file;
    const prf_model_t *model = subject->model;
    prf_terminal_t terminal;
    prf_terminal_init(&terminal, stdout);
    json_t *layers = json ? json_array() : NULL;
    if (!json) {
        prf_model_print_head(file, &terminal);
        printf("shares and effects are means over %d layers drawn from the trained range\n", PRF_EXPLAIN_LAYERS);
    }
    prf_status_t status = explain_layers(subject, kind, &terminal, layers, err);
    prf_layer_kind_t lead = kind >= 0 ? (prf_layer_kind_t)kind : PRF_LAYER_KINDS;
    if (json) {
        *document = json_pack("{s:s, s:s, s:I, s:o, s:o, s:f}", "kind", prf_model_kind(model), "digest", file->digest,
                              "layers_drawn", (json_int_t)PRF_EXPLAIN_LAYERS, "layers", layers, "fusion",
                              prf_model_fusions_json(model, lead), "between_ns", prf_model_between_ns(model));
        json_object_set_new(*document, "unit", json_string(subject->unit));
    } else if (!status && model == file->model) {
        prf_model_print_fusions(model, lead, &terminal);
        prf_model_print_between(model);
    }
    return status;
}

int prf_model_explain_file(const char *path, const char *layer, bool energy, bool json)
{
    prf_error_t err = {0};
    prf_layer_kind_t kind = PRF_LAYER_KINDS;
    prf_model_file_t file = {0};
    json_t *document = NULL;
    prf_status_t status = layer ? prf_layer_kind_parse(layer, &kind, &err) : PRF_OK;
    if (!status)
        status = prf_model_file_open(&file, path, &err);
    subject_t subject = {&file, file.model, "ns"};
    if (!status && energy)
        subject = (subject_t){&file, prf_model_energy(file.model), "nJ"};
    if (!status && !subject.model)
        status = prf_fail(&err, PRF_EUNSUPPORTED,
                          "%s: no energy in this model: measure some on a board that tells it (docs/energy.md)", path);
    if (!status)
        status = explain(&subject, layer ? (int)kind : -1, json, &document, &err);
    prf_model_file_release(&file);
    if (!status)
        return json ? prf_print_json(document) : prf_finish_stdout();
    json_decref(document);
    return prf_report(&err);
}
