// SPDX-License-Identifier: Apache-2.0
/* model.c - `prfarm model`: its subcommands, and `show`: what a model file knows, how good it is and where it comes from. */
#include <string.h>

#include "base/near.h"
#include "cli.h"
#include "model_explain.h"
#include "model_export.h"
#include "model_file.h"
#include "versions.h"

/* "c=16 k=8": the widths above 1 of the parameters that vary. */
static void format_steps(const prf_model_layer_t *l, char text[PRF_CELL])
{
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(&l->space, params), used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && used < PRF_CELL; i++)
        if (l->steps.width[params[i]] > 1)
            used += (size_t)snprintf(text + used, PRF_CELL - used, "%s%s=%d", used ? " " : "", prf_param_name(params[i]),
                                     l->steps.width[params[i]]);
    if (!used)
        snprintf(text, PRF_CELL, "none");
}

static void print_layers(const prf_model_t *model, const prf_terminal_t *terminal)
{
    prf_table_t *table = prf_table_new("layer|dtype|samples>|MAPE>|within 10 %>|steps|model|trained on");
    for (size_t i = 0; i < prf_model_layer_count(model); i++) {
        prf_model_layer_t l;
        char mape[PRF_HUMAN], within[PRF_HUMAN], steps[PRF_CELL], range[PRF_CELL];
        prf_model_layer(model, i, &l);
        format_steps(&l, steps);
        prf_model_range_text(&l, range, sizeof range);
        prf_table_cell(table, "%s", prf_layer_kind_name(l.kind));
        prf_table_cell(table, "%s", prf_dtype_name(l.dtype));
        prf_table_cell(table, "%u", l.samples);
        prf_table_cell(table, "%s", prf_human_percent(l.validation.mape_percent, mape));
        prf_table_cell(table, "%s", prf_human_percent(l.validation.within_10_percent, within));
        prf_table_cell(table, "%s", steps);
        prf_table_cell(table, "%s", l.regressor);
        prf_table_cell(table, "%s", range);
    }
    prf_table_print(&table, terminal);
}

static void print_energy(const prf_model_t *energy, const prf_terminal_t *terminal)
{
    char mape[PRF_HUMAN], repeat[PRF_HUMAN];
    if (!energy)
        return;
    const prf_provenance_t *p = prf_model_provenance(energy);
    printf("\nEnergy: MAPE %s on %u layers never trained on; two measurements of one layer differ by %s\n\n",
           prf_human_percent(p->validation.mape_percent, mape), p->validation.count,
           prf_human_percent(p->repeatability_percent, repeat));
    print_layers(energy, terminal);
}

static void print_model(const prf_model_file_t *s)
{
    const prf_provenance_t *p = prf_model_provenance(s->model);
    prf_terminal_t terminal;
    prf_terminal_init(&terminal, stdout);
    char mape[PRF_HUMAN], repeat[PRF_HUMAN], random[PRF_HUMAN];
    prf_model_print_head(s, &terminal);
    printf("from campaign '%s' (seed %llu) on %s\n", p->campaign[0] ? p->campaign : "-", (unsigned long long)p->seed,
           p->fingerprint[0] ? p->fingerprint : "an unnamed runtime");
    if (p->from[0])
        printf("began with the model of '%s'\n", p->from);
    printf("%u layers measured, %u of them to find the steps\n", p->samples, p->sweep_samples);
    printf("MAPE %s on %u layers never trained on; two measurements of one layer differ by %s; random sampling: %s\n\n",
           prf_human_percent(p->validation.mape_percent, mape), p->validation.count,
           prf_human_percent(p->repeatability_percent, repeat), prf_human_percent(p->random_baseline_percent, random));
    print_layers(s->model, &terminal);
    prf_model_print_fusions(s->model, PRF_LAYER_KINDS, &terminal);
    prf_model_print_between(s->model);
    print_energy(prf_model_energy(s->model), &terminal);
}

/* For shells; those of layer.c. */
#define LAYER_KINDS "conv1d conv2d dwconv2d convtranspose2d fc matmul maxpool2d avgpool2d add activation softmax layernorm"

static const prf_usage_t usage = {
    .name = "model",
    .synopsis = "show FILE.prfm | explain FILE.prfm [--layer KIND] [--energy] | export FILE.prfm --c OUT.c | "
                "list [KIND] [--farm FARM | --dir DIR]",
    .purpose = "Shows what a model file knows and why it says what it says, writes it as C; lists a farm's versions.",
    .text = "show: for each kind of layer how many were measured, the error on layers that the model\n"
            "never saw (MAPE: mean of |estimate - measured| / measured), the step widths found\n"
            "(c=16: the latency changes every 16 channels), and the range that was trained on.\n"
            "Outside that range estimates are marked and worth less. Then what activations add to the\n"
            "layers before them, and blocks of a network to one another, as far as the campaign found out.\n\n"
            "  prfarm model show first/models/cpu.prfm\n\n"
            "explain: what drives the latency of the board: the steps with their evidence, the terms\n"
            "that estimates are sums of with their shares, and the features that trees listen to.\n\n"
            "  prfarm model explain first/models/cpu.prfm --layer conv2d\n\n"
            "With --energy it is about the energy of a layer, where the model knows that, in nanojoules.\n\n"
            "export: the model as one C source that needs no prfarm and gives the same numbers; its\n"
            "head tells how to compile and call it. Where the model knows the energy, so does the source.\n\n"
            "  prfarm model export first/models/cpu.prfm --c cpu.c\n"
            "  cc -std=c11 -O2 -DPRFARM_MAIN cpu.c -o cpu -lm && ./cpu 'fc in=512 out=1000'\n\n"
            "list: every version of a kind's model, where it comes from and which boards run it; the\n"
            "current one is what they are to run. 'prfarm rollback' makes another one the current.\n\n"
            "  prfarm model list cpu --dir first\n",
    .complete = "show explain export list;.prfm",
    .least = 1,
    .most = 2,
};

static int show(const char *path, bool json)
{
    prf_error_t err = {0};
    prf_model_file_t s;
    if (prf_model_file_open(&s, path, &err) != PRF_OK)
        return prf_report(&err);
    int code = 0;
    if (json)
        code = prf_print_json(prf_model_json(s.model, s.digest, s.bytes));
    else
        print_model(&s);
    prf_model_file_release(&s);
    return code;
}

/* What follows `prfarm model` on the command line. Borrowed. */
typedef struct {
    const char *layer, *c_path;
    bool energy, json;
    prf_where_t where;
} request_t;

static int list(const char *kind, const request_t *r)
{
    return prf_versions_list(kind, &r->where, r->json);
}

static int show_file(const char *path, const request_t *r)
{
    return show(path, r->json);
}

static int explain_file(const char *path, const request_t *r)
{
    return prf_model_explain_file(path, r->layer, r->energy, r->json);
}

static int export_file(const char *path, const request_t *r)
{
    return prf_model_export_file(path, r->c_path);
}

static const struct {
    const char *name, *argument;
    int (*run)(const char *argument, const request_t *request);
} subcommands[] = {{"show", "FILE.prfm", show_file},
                   {"explain", "FILE.prfm", explain_file},
                   {"export", "FILE.prfm", export_file},
                   {"list", "", list}};

static int refuse(const char *given, const char *argument)
{
    prf_error_t err = {0};
    prf_near_t near = {.word = given};
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands && !argument; i++)
        prf_near_offer(&near, subcommands[i].name);
    if (near.best)
        prf_fail(&err, PRF_EUSAGE, "there is no 'model %.40s': did you mean 'model %s'?", given, near.best);
    else if (argument)
        prf_fail(&err, PRF_EUSAGE, "too little for 'model %s': name a file, as in 'model %s %s'", given, given, argument);
    else
        prf_fail(&err, PRF_EUSAGE, "there is no 'model %.40s': use 'model show FILE.prfm', or explain, export or list", given);
    return prf_report(&err);
}

/* An option of another subcommand is a misunderstanding that nobody would notice. */
static bool is_misplaced(const char *name, const request_t *r)
{
    prf_error_t err = {0};
    if (r->layer && strcmp(name, "explain") != 0)
        prf_fail(&err, PRF_EUSAGE, "--layer belongs to 'model explain', not to 'model %s'", name);
    else if (r->energy && strcmp(name, "explain") != 0)
        prf_fail(&err, PRF_EUSAGE, "--energy belongs to 'model explain', not to 'model %s'", name);
    else if (r->c_path && strcmp(name, "export") != 0)
        prf_fail(&err, PRF_EUSAGE, "--c belongs to 'model export', not to 'model %s'", name);
    else
        return false;
    prf_report(&err);
    return true;
}

int prf_cmd_model(int argc, char **argv)
{
    request_t r = {0};
    const prf_option_t options[] = {
        {.name = "layer", .value = "KIND", .help = "explain: only this kind of layer", .complete = LAYER_KINDS, .text = &r.layer},
        {.name = "energy", .help = "explain: what the energy is made of, not the latency", .flag = &r.energy},
        {.name = "c", .value = "OUT.c", .help = "export: the C source to write; - is standard output", .text = &r.c_path},
        {.name = "json", .help = "print JSON", .flag = &r.json},
        {.name = NULL}};
    prf_words_t words = {0};
    int code;
    if (!prf_where_parse(&r.where, &usage, options, argc, argv, &words, &code))
        return code;
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++) {
        if (strcmp(words.items[0], subcommands[i].name) != 0)
            continue;
        if (words.count < 2 && *subcommands[i].argument)
            return refuse(subcommands[i].name, subcommands[i].argument);
        if (is_misplaced(subcommands[i].name, &r))
            return prf_exit_code(PRF_EUSAGE);
        return subcommands[i].run(words.count > 1 ? words.items[1] : "", &r);
    }
    return refuse(words.items[0], NULL);
}
