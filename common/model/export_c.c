// SPDX-License-Identifier: Apache-2.0
/* export_c.c - writes the head, the code as the build took it out of the sources, and the model as constant initialisers of the
 * same structures that prfarm holds it in. So there is one writing of every formula, and what this file must know is data only; a
 * structure that gets a new field does not compile here (KNOWN) until the field is written or such models are refused.
 *
 * Text that comes from the model file goes into comments and strings of a program that somebody will compile: put_word lets nothing
 * through that could end either. */
#include "model/export_c.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/parts.h"

#define KNOWN(type, ...)                                                                                                           \
    _Static_assert(sizeof(type) == sizeof(struct {__VA_ARGS__}),                                                                   \
                   "write the new field of " #type " (and see explain.c), or refuse models that use it")
KNOWN(prf_recipe_t, prf_layer_kind_t kind; prf_dtype_t dtype; int32_t width[PRF_PARAMS]; uint32_t extras;);
KNOWN(prf_dim_t, prf_dim_kind_t kind; int32_t lo, hi; bool log; uint32_t value_count; int32_t values[PRF_SPACE_VALUES];
      prf_param_t source; int32_t divisor;);
KNOWN(prf_space_t, prf_layer_kind_t kind; prf_dtype_t dtype; prf_dim_t dims[PRF_PARAMS]; double max_macs;);
KNOWN(prf_roofline_t, double overhead_ns, ns_per_op, ns_per_byte, fill_exponent;);
KNOWN(prf_factor_t, uint8_t quantity, form; double argument;);
KNOWN(prf_term_t, double weight; uint32_t factor_count; prf_factor_t factors[PRF_TERM_FACTORS];);
KNOWN(prf_blocking_t, prf_order_t order; double elements[PRF_BUFFERS]; double channel_step, column_step;);
KNOWN(prf_terms_t, uint32_t count[PRF_TERM_SUMS]; prf_term_t * terms; double least_ns; prf_blocking_t blocking;);
KNOWN(prf_node_t, float value; uint32_t feature : 8; uint32_t child : 24;);
KNOWN(prf_tree_t, uint32_t root, levels;);
KNOWN(prf_ensemble_t, uint32_t member_count, tree_count; prf_tree_t * trees; prf_node_t * nodes; size_t node_count, feature_count;
      double base;);
KNOWN(prf_gauss_input_t, uint16_t column; double shift, scale;);
KNOWN(prf_gauss_t, uint32_t input_count, point_count; prf_gauss_input_t * inputs; float *points; double *weights;
      double mean, amplitude;);
KNOWN(prf_regressor_t, char name[PRF_REGRESSOR_NAME]; prf_scale_t scale; prf_roofline_t roofline; prf_terms_t terms;
      prf_ensemble_t ensemble; prf_gauss_t gauss; double low, high, floor;);
KNOWN(prf_model_part_t, prf_recipe_t recipe; prf_space_t space; prf_steps_t steps; bool map_queries; uint32_t samples;
      prf_metrics_t validation; prf_regressor_t regressor;);

KNOWN(prf_fusion_t, prf_layer_kind_t lead; prf_dtype_t dtype; prf_activation_t fn; prf_fusion_verdict_t verdict;
      double fixed_ns, ns_per_element; uint32_t layers; double added_percent;);
KNOWN(prf_model_t, char kind[PRF_NAME]; prf_provenance_t provenance; uint32_t extra_count; char extras[PRF_MODEL_EXTRAS][PRF_NAME];
      size_t part_count; prf_model_part_t * parts; size_t fusion_count; prf_fusion_t * fusions; double between_ns;
      struct prf_model * energy;);

static void put_word(FILE *out, const char *word)
{
    for (; *word; word++)
        fputc(isalnum((unsigned char)*word) || strchr(" ._-+:,=()/", *word) ? *word : '_', out);
}

static void put_head(FILE *out, const prf_model_t *model, const char *digest)
{
    const prf_provenance_t *p = &model->provenance;
    fprintf(out, "// SPDX-License-Identifier: Apache-2.0\n/* Latency of layers on '");
    put_word(out, model->kind);
    fprintf(out, "': a model of prfarm, exported by version %s.\n *\n * Model      %s\n * Campaign   ", PRF_VERSION, digest);
    put_word(out, p->campaign[0] ? p->campaign : "-");
    fprintf(out, "\n * Measured   %u layers on ", p->samples);
    put_word(out, p->fingerprint[0] ? p->fingerprint : "an unnamed runtime");
    fprintf(out, "\n * Error      MAPE %.3g %% on %u layers never trained on\n", p->validation.mape_percent, p->validation.count);
    if (model->between_ns > 0)
        fprintf(out, " * Networks   add %.9g ns for each block after the first to the sum of the blocks\n", model->between_ns);
    for (uint32_t i = 0; i < model->extra_count; i++) {
        fprintf(out, " * Extra column, taken as 0 here: ");
        put_word(out, model->extras[i]);
        fputc('\n', out);
    }
    fputs(" *\n"
          " *   int prfarm_estimate(const char *block, double *latency_ns, double *low_ns, double *high_ns);\n"
          " *\n"
          " * block: as after 'prfarm estimate --layer', \"conv2d c=64 k=64 h=56 r=3 pad=1\". Returns 0 and sets the latency and "
          "its\n"
          " * 90 % interval in nanoseconds; 1: the same, but the layer lies outside the range that was trained on; -1: the text is "
          "no\n"
          " * layer; -2: the model knows no such layer. No state, no allocation: any thread.\n"
          " *\n",
          out);
    if (model->energy)
        fputs(" *   int prfarm_energy(const char *block, double *energy_nj, double *low_nj, double *high_nj);\n"
              " *\n"
              " * The same in nanojoules (-DPRFARM_ENERGY=NAME: another name).\n *\n",
              out);
    fputs(
        " *   cc -std=c11 -O2 -c FILE.c                            for your program; link it with -lm\n"
        " *   cc -std=c11 -O2 -DPRFARM_MAIN FILE.c -lm             a program that estimates its arguments, or lines of its input\n"
        " *   -DPRFARM_ESTIMATE=NAME                               another name, so that a program can have several models\n"
        " *\n"
        " * The numbers are those of prfarm bit by bit, unless the compiler changes arithmetic (-ffast-math, fused multiply-add). "
        "*/\n"
        "#if defined(__GNUC__)\n"
        "#pragma GCC diagnostic ignored \"-Wunused-function\"\n"
        "#endif\n"
        "#if defined(__GNUC__) && !defined(__clang__)\n"
        "#pragma GCC diagnostic ignored \"-Wformat-truncation\" /* texts of errors are cut on purpose */\n"
        "#pragma GCC diagnostic ignored \"-Wmaybe-uninitialized\" /* gcc cannot see that prf_fail never returns PRF_OK */\n"
        "#endif\n",
        out);
}

static void put_terms(FILE *out, const prf_terms_t *terms, size_t part)
{
    fprintf(out, "static const prf_term_t prfarm_terms_%zu[] = {\n", part);
    for (uint32_t i = 0; i < terms->count[0] + terms->count[1]; i++) {
        const prf_term_t *t = &terms->terms[i];
        char text[160];
        prf_term_format(t, text, sizeof text);
        fprintf(out, "    {.weight = %a, .factor_count = %u", t->weight, t->factor_count);
        for (uint32_t f = 0; f < t->factor_count; f++)
            fprintf(out, "%s{%u, %u, %a}%s", f ? ", " : ", .factors = {", t->factors[f].quantity, t->factors[f].form,
                    t->factors[f].argument, f + 1 == t->factor_count ? "}" : "");
        fprintf(out, "}, /* %s */\n", text);
    }
    fputs("};\n", out);
}

static void put_trees(FILE *out, const prf_ensemble_t *trees, size_t part)
{
    enum { TREES_A_LINE = 10, NODES_A_LINE = 5 };
    fprintf(out, "/* root, levels */\nstatic const prf_tree_t prfarm_trees_%zu[] = {", part);
    for (uint32_t i = 0; i < trees->tree_count; i++)
        fprintf(out, "%s{%u, %u},", i % TREES_A_LINE ? " " : "\n    ", trees->trees[i].root, trees->trees[i].levels);
    fprintf(out,
            "\n};\n/* threshold or answer, feature (%u: a leaf), left child */\nstatic const prf_node_t prfarm_nodes_%zu[] = {",
            (unsigned)PRF_LEAF, part);
    for (size_t i = 0; i < trees->node_count; i++)
        fprintf(out, "%s{%af, %u, %u},", i % NODES_A_LINE ? " " : "\n    ", (double)trees->nodes[i].value, trees->nodes[i].feature,
                trees->nodes[i].child);
    fputs("\n};\n", out);
}

static void put_gauss(FILE *out, const prf_gauss_t *gauss, size_t part)
{
    enum { NUMBERS_A_LINE = 6 };
    fprintf(out, "/* feature, shift, scale */\nstatic const prf_gauss_input_t prfarm_inputs_%zu[] = {", part);
    for (uint32_t i = 0; i < gauss->input_count; i++)
        fprintf(out, "\n    {%u, %a, %a},", gauss->inputs[i].column, gauss->inputs[i].shift, gauss->inputs[i].scale);
    fprintf(out, "%s\n};\nstatic const float prfarm_points_%zu[] = {", gauss->input_count ? "" : "{0}", part);
    for (size_t i = 0; i < (size_t)gauss->point_count * gauss->input_count; i++)
        fprintf(out, "%s%af,", i % NUMBERS_A_LINE ? " " : "\n    ", (double)gauss->points[i]);
    fprintf(out, "%s\n};\nstatic const double prfarm_weights_%zu[] = {", gauss->input_count ? "" : "0", part);
    for (uint32_t i = 0; i < gauss->point_count; i++)
        fprintf(out, "%s%a,", i % NUMBERS_A_LINE ? " " : "\n    ", gauss->weights[i]);
    fputs("\n};\n", out);
}

static void put_widths(FILE *out, const int32_t width[PRF_PARAMS])
{
    fputs(".width = {", out);
    for (int i = 0; i < PRF_PARAMS; i++)
        fprintf(out, "%s%d", i ? ", " : "", width[i]);
    fputc('}', out);
}

static void put_dim(FILE *out, int param, const prf_dim_t *dim)
{
    fprintf(out, "            [%d] = {.kind = %d, .lo = %d, .hi = %d, .log = %d, .source = %d, .divisor = %d", param,
            (int)dim->kind, dim->lo, dim->hi, dim->log, (int)dim->source, dim->divisor);
    for (uint32_t i = 0; i < dim->value_count; i++)
        fprintf(out, "%s%d%s", i ? ", " : ", .values = {", dim->values[i], i + 1 == dim->value_count ? "}" : "");
    fprintf(out, ", .value_count = %u}, /* %s */\n", dim->value_count, prf_param_name((prf_param_t)param));
}

static void put_space(FILE *out, const prf_space_t *space)
{
    fprintf(out, "        .space = {.kind = %d, .dtype = %d, .max_macs = %a, .dims = {\n", (int)space->kind, (int)space->dtype,
            isfinite(space->max_macs) ? space->max_macs : 0); /* either: no limit */
    for (int i = 0; i < PRF_PARAMS; i++)
        put_dim(out, i, &space->dims[i]);
    fputs("        }},\n", out);
}

/* A buffer without limit is written as the largest number: it cuts nothing either. */
static void put_sums(FILE *out, const prf_terms_t *terms, size_t part)
{
    fprintf(out, "            .terms = {.count = {%u, %u}, .terms = (prf_term_t *)prfarm_terms_%zu, .least_ns = %a",
            terms->count[0], terms->count[1], part, terms->least_ns);
    const prf_blocking_t *b = &terms->blocking;
    if (b->order != PRF_ORDER_NONE)
        fprintf(out, ",\n                      .blocking = {%d, {%a, %a, %a}, %a, %a}", (int)b->order,
                fmin(b->elements[0], DBL_MAX), fmin(b->elements[1], DBL_MAX), fmin(b->elements[2], DBL_MAX), b->channel_step,
                b->column_step);
    fputs("},\n", out);
}

static void put_regressor(FILE *out, const prf_regressor_t *r, size_t part)
{
    fprintf(out, "        .regressor = {\n            .name = \"");
    put_word(out, r->name);
    fprintf(out, "\", .scale = %d, .low = %a, .high = %a, .floor = %a,\n", (int)r->scale, r->low, r->high, r->floor);
    if (r->scale == PRF_SCALE_ROOFLINE)
        fprintf(out, "            .roofline = {%a, %a, %a, %a},\n", r->roofline.overhead_ns, r->roofline.ns_per_op,
                r->roofline.ns_per_byte, r->roofline.fill_exponent);
    if (r->scale == PRF_SCALE_TERMS)
        put_sums(out, &r->terms, part);
    if (r->ensemble.member_count)
        fprintf(out,
                "            .ensemble = {.member_count = %u, .tree_count = %u, .trees = (prf_tree_t *)prfarm_trees_%zu,\n"
                "                         .nodes = (prf_node_t *)prfarm_nodes_%zu, .node_count = %zu, .feature_count = %zu,\n"
                "                         .base = %a},\n",
                r->ensemble.member_count, r->ensemble.tree_count, part, part, r->ensemble.node_count, r->ensemble.feature_count,
                r->ensemble.base);
    if (r->gauss.point_count)
        fprintf(out,
                "            .gauss = {.input_count = %u, .point_count = %u, .inputs = (prf_gauss_input_t *)prfarm_inputs_%zu,\n"
                "                      .points = (float *)prfarm_points_%zu, .weights = (double *)prfarm_weights_%zu,\n"
                "                      .mean = %a, .amplitude = %a},\n",
                r->gauss.input_count, r->gauss.point_count, part, part, part, r->gauss.mean, r->gauss.amplitude);
    fputs("        },\n", out);
}

static void put_part(FILE *out, const prf_model_part_t *part, size_t index)
{
    fprintf(out, "    {\n        /* %s %s, %u layers, MAPE %.3g %% on %u never trained on */\n",
            prf_layer_kind_name(part->space.kind), prf_dtype_name(part->space.dtype), part->samples, part->validation.mape_percent,
            part->validation.count);
    fprintf(out, "        .recipe = {.kind = %d, .dtype = %d, .extras = %u, ", (int)part->recipe.kind, (int)part->recipe.dtype,
            part->recipe.extras);
    put_widths(out, part->recipe.width);
    fputs("},\n", out);
    put_space(out, &part->space);
    fputs("        .steps = {", out);
    put_widths(out, part->steps.width);
    fprintf(out, "},\n        .map_queries = %d,\n", part->map_queries);
    put_regressor(out, &part->regressor, index);
    fputs("    },\n", out);
}

/* Names of what belongs to a model begin with `prefix`, its parts are numbered from `first` on. */
static void put_fusions(FILE *out, const prf_model_t *model, const char *prefix)
{
    fprintf(out, "/* what an activation adds to the layer before it */\nstatic const prf_fusion_t %s_fusions[] = {\n", prefix);
    for (size_t i = 0; i < model->fusion_count; i++) {
        const prf_fusion_t *rule = &model->fusions[i];
        fprintf(
            out,
            "    {.lead = %d, .dtype = %d, .fn = %d, .verdict = %d, .fixed_ns = %a, .ns_per_element = %a}, /* %s behind %s */\n",
            (int)rule->lead, (int)rule->dtype, (int)rule->fn, (int)rule->verdict, rule->fixed_ns, rule->ns_per_element,
            prf_activation_name(rule->fn), prf_layer_kind_name(rule->lead));
    }
    fputs("};\n", out);
}

static void put_model(FILE *out, const prf_model_t *model, const char *prefix, size_t first)
{
    for (size_t i = 0; i < model->part_count; i++) {
        const prf_regressor_t *r = &model->parts[i].regressor;
        if (r->scale == PRF_SCALE_TERMS)
            put_terms(out, &r->terms, first + i);
        if (r->ensemble.member_count)
            put_trees(out, &r->ensemble, first + i);
        if (r->gauss.point_count)
            put_gauss(out, &r->gauss, first + i);
    }
    fprintf(out, "static const prf_model_part_t %s_parts[] = {\n", prefix);
    for (size_t i = 0; i < model->part_count; i++)
        put_part(out, &model->parts[i], first + i);
    fputs("};\n", out);
    if (model->fusion_count)
        put_fusions(out, model, prefix);
    fprintf(out, "static const prf_model_t %s_model = {.kind = \"", prefix);
    put_word(out, model->kind);
    fprintf(out, "\", .part_count = %zu, .parts = (prf_model_part_t *)%s_parts", model->part_count, prefix);
    if (model->fusion_count)
        fprintf(out, ",\n    .fusion_count = %zu, .fusions = (prf_fusion_t *)%s_fusions", model->fusion_count, prefix);
    fputs("};\n", out);
}

static const char calls[] =
    "\n/* ---- what a program calls ---- */\n\n"
    "#ifndef PRFARM_ESTIMATE\n"
    "#define PRFARM_ESTIMATE prfarm_estimate\n"
    "#endif\n\n"
    "static prf_status_t prfarm_answer(const prf_model_t *model, const char *block, prf_estimate_t *out, prf_error_t *err)\n"
    "{\n"
    "    prf_block_t parsed;\n"
    "    prf_status_t status = prf_block_parse(&parsed, block, err);\n"
    "    return status ? status : prf_model_estimate(model, &parsed, NULL, out, err);\n"
    "}\n\n"
    "int PRFARM_ESTIMATE(const char *block, double *latency_ns, double *low_ns, double *high_ns);\n\n"
    "static int prfarm_numbers(const prf_model_t *model, const char *block, double *value, double *low, double *high)\n"
    "{\n"
    "    prf_estimate_t e;\n"
    "    prf_status_t status = prfarm_answer(model, block, &e, NULL);\n"
    "    if (status)\n"
    "        return status == PRF_EUNSUPPORTED ? -2 : -1;\n"
    "    *value = e.latency_ns;\n"
    "    *low = e.low_ns;\n"
    "    *high = e.high_ns;\n"
    "    return e.outside ? 1 : 0;\n"
    "}\n\n"
    "int PRFARM_ESTIMATE(const char *block, double *latency_ns, double *low_ns, double *high_ns)\n"
    "{\n"
    "    return prfarm_numbers(&prfarm_model, block, latency_ns, low_ns, high_ns);\n"
    "}\n\n"
    "#ifdef PRFARM_MAIN\n"
    "/* One line for each layer: latency and interval in nanoseconds, \"outside\" where the layer was not trained for. */\n"
    "static int prfarm_print(const char *block)\n"
    "{\n"
    "    prf_estimate_t e;\n"
    "    prf_error_t err;\n"
    "    if (prfarm_answer(&prfarm_model, block, &e, &err)) {\n"
    "        fprintf(stderr, \"%s\\n\", err.text);\n"
    "        return 1;\n"
    "    }\n"
    "    printf(\"%.17g %.17g %.17g%s\\n\", e.latency_ns, e.low_ns, e.high_ns, e.outside ? \" outside\" : \"\");\n"
    "    return 0;\n"
    "}\n\n"
    "int main(int argc, char **argv)\n"
    "{\n"
    "    char line[PRF_BLOCK_TEXT];\n"
    "    int code = 0;\n"
    "    for (int i = 1; i < argc; i++)\n"
    "        code |= prfarm_print(argv[i]);\n"
    "    while (argc == 1 && fgets(line, sizeof line, stdin))\n"
    "        code |= prfarm_print(line);\n"
    "    return code;\n"
    "}\n"
    "#endif\n";

/* Where the model knows the energy. */
static const char energy_call[] = "\n#ifndef PRFARM_ENERGY\n"
                                  "#define PRFARM_ENERGY prfarm_energy\n"
                                  "#endif\n\n"
                                  "int PRFARM_ENERGY(const char *block, double *energy_nj, double *low_nj, double *high_nj);\n\n"
                                  "int PRFARM_ENERGY(const char *block, double *energy_nj, double *low_nj, double *high_nj)\n"
                                  "{\n"
                                  "    return prfarm_numbers(&prfarm_energy_model, block, energy_nj, low_nj, high_nj);\n"
                                  "}\n";

static prf_status_t check_known(const prf_model_t *model, prf_error_t *err)
{
    for (size_t i = 0; i < model->part_count; i++) {
        const prf_model_part_t *part = &model->parts[i];
        if (part->regressor.scale > PRF_SCALE_TERMS)
            return prf_fail(err, PRF_EUNSUPPORTED, "%s is estimated by '%s', which cannot be written as C: use libprfarm there",
                            prf_layer_kind_name(part->space.kind), part->regressor.name);
    }
    return PRF_OK;
}

prf_status_t prf_model_export_c(const prf_model_t *model, const char *digest, char **text, size_t *len, prf_error_t *err)
{
    prf_status_t status = check_known(model, err);
    if (!status && model->energy)
        status = check_known(model->energy, err);
    if (status)
        return status;
    char *written = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&written, &size);
    if (!out)
        return prf_fail_sys(err, errno, "C source");
    put_head(out, model, digest);
    for (size_t i = 0; prf_estimator_lines[i]; i++)
        fprintf(out, "%s\n", prf_estimator_lines[i]);
    fputs("\n/* ---- the model ---- */\n\n", out);
    put_model(out, model, "prfarm", 0);
    if (model->energy)
        put_model(out, model->energy, "prfarm_energy", model->part_count);
    fputs(calls, out);
    if (model->energy)
        fputs(energy_call, out);
    bool whole = !ferror(out);
    if (fclose(out) || !whole) {
        free(written);
        return prf_fail(err, PRF_ENOMEM, "the C source of a model");
    }
    *text = written;
    *len = size;
    return PRF_OK;
}
